//! The area behind GRUB's kernel: a header, and objects, each a type, a length and its bytes.

/// What an image carries beside its kernel.
#[derive(Clone, Copy, Debug)]
pub struct Embedded<'a> {
    /// Modules, each behind those that it needs.
    pub modules: &'a [Vec<u8>],
    /// Commands that are run before anything else.
    pub config: Option<&'a [u8]>,
    /// The directory of `grub.cfg` and of further modules.
    pub prefix: &'a str,
}

/// How wide an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Bits32,
    Bits64,
}

impl Width {
    fn bytes(self) -> usize {
        match self {
            Self::Bits32 => 4,
            Self::Bits64 => 8,
        }
    }

    /// Magic number, place of the first object, length of the area; with wide addresses, four bytes between.
    fn header(self) -> usize {
        match self {
            Self::Bits32 => 12,
            Self::Bits64 => 24,
        }
    }
}

const MAGIC: u32 = 0x676d_696d;

/// Types of objects.
const MODULE: u32 = 0;
const CONFIG: u32 = 2;
const PREFIX: u32 = 3;

/// The area's bytes.
pub(super) fn encode(embedded: &Embedded<'_>, width: Width) -> Vec<u8> {
    let mut objects = Vec::new();
    for module in embedded.modules {
        object(&mut objects, MODULE, module, width);
    }
    // Both are strings with a zero behind them.
    let terminated = |text: &[u8]| [text, &[0]].concat();
    if let Some(config) = embedded.config {
        object(&mut objects, CONFIG, &terminated(config), width);
    }
    object(&mut objects, PREFIX, &terminated(embedded.prefix.as_bytes()), width);
    let header = width.header();
    let mut area = MAGIC.to_le_bytes().to_vec();
    for value in [header as u64, (header + objects.len()) as u64] {
        area.resize(area.len().next_multiple_of(width.bytes()), 0);
        area.extend_from_slice(&value.to_le_bytes()[..width.bytes()]);
    }
    area.extend(objects);
    area
}

fn object(out: &mut Vec<u8>, kind: u32, bytes: &[u8], width: Width) {
    let length = bytes.len().next_multiple_of(width.bytes());
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&((length + 8) as u32).to_le_bytes());
    out.extend_from_slice(bytes);
    out.resize(out.len() + length - bytes.len(), 0);
}

/// The prefix in the area of a ready image, which is the section `mods` of a program for UEFI. `None` if the area has no prefix.
pub fn prefix(area: &[u8]) -> Option<String> {
    let word = |at: usize| Some(u32::from_le_bytes(area.get(at..at + 4)?.try_into().ok()?));
    if word(0)? != MAGIC {
        return None;
    }
    // A wide header has four bytes of zeros behind its magic number, a narrow one the place of the first object.
    let (width, at) = match word(4)? {
        0 => (Width::Bits64, word(8)?),
        at => (Width::Bits32, at),
    };
    let size = word(if width == Width::Bits64 { 16 } else { 8 })? as usize;
    let mut at = at as usize;
    while at + 8 <= size.min(area.len()) {
        let (kind, length) = (word(at)?, word(at + 4)? as usize);
        if kind == PREFIX {
            let text = area.get(at + 8..at.checked_add(length)?)?;
            let text = text.split(|&byte| byte == 0).next()?;
            return String::from_utf8(text.to_vec()).ok();
        }
        at = at.checked_add(length.max(8))?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_is_as_grub_mkimage_lays_it_out() {
        let embedded = Embedded {
            modules: &[b"\x7fELFx".to_vec()],
            config: Some(b"echo hi\n"),
            prefix: "/boot/grub",
        };
        // Written down from an image of grub-mkimage; the module's five bytes by hand.
        let narrow = [
            &b"mimg\x0c\0\0\0\x44\0\0\0"[..],
            b"\0\0\0\0\x10\0\0\0\x7fELFx\0\0\0",
            b"\x02\0\0\0\x14\0\0\0echo hi\n\0\0\0\0",
            b"\x03\0\0\0\x14\0\0\0/boot/grub\0\0",
        ];
        assert_eq!(encode(&embedded, Width::Bits32), narrow.concat());
        let wide = encode(&embedded, Width::Bits64);
        assert_eq!(&wide[..24], b"mimg\0\0\0\0\x18\0\0\0\0\0\0\0\x58\0\0\0\0\0\0\0");
        for area in [encode(&embedded, Width::Bits32), wide] {
            assert_eq!(prefix(&area).as_deref(), Some("/boot/grub"));
            // Cut anywhere, it says less and nothing wrong.
            for end in 0..area.len() - 24 {
                assert_eq!(prefix(&area[..end]), None, "{end}");
            }
        }
    }
}
