//! The Linux/x86 boot protocol: what a kernel's set-up header says, and where kernel and initrd go.
//!
//! Offsets are those of `Documentation/arch/x86/boot.rst`, from the beginning of the kernel file.

use crate::disk::little_endian;
use crate::line::Failure;

/// The bytes of a kernel file that hold the whole set-up header.
pub const HEADER_LENGTH: usize = 0x400;

/// Where the protected-mode part is loaded.
pub const KERNEL: u64 = 0x10_0000;

/// A kernel's set-up header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The protocol's version, 0x020f for 2.15.
    pub version: u16,
    /// The length of the real-mode part with its boot sector, in bytes.
    pub setup_length: usize,
    /// The longest command line, in bytes without its zero.
    pub command_line: usize,
    /// The last byte that an initrd may occupy.
    pub initrd_last: u64,
    /// Where the kernel runs if it may choose, and how much memory it needs there until it has read its memory map.
    pub runs_at: u64,
    /// See [`Header::runs_at`].
    pub needs: u64,
}

impl Header {
    /// Reads the header from the beginning of a kernel file. `None` when it is not a kernel that is loaded high.
    pub fn read(file: &[u8]) -> Option<Self> {
        let version = little_endian::<2>(file, 0x206) as u16;
        if file.get(0x202..0x206)? != b"HdrS" || version < 0x0202 || file.get(0x211)? & 1 == 0 {
            return None;
        }
        let sectors = match file.get(0x1f1)? {
            0 => 4,
            &sectors => usize::from(sectors),
        };
        let since = |first: u16, value: u64, otherwise: u64| if version >= first { value } else { otherwise };
        Some(Self {
            version,
            setup_length: (sectors + 1) * 512,
            command_line: since(0x0206, little_endian::<4>(file, 0x238), 255) as usize,
            initrd_last: since(0x0203, little_endian::<4>(file, 0x22c), 0x37ff_ffff),
            runs_at: since(0x020a, little_endian::<8>(file, 0x258), KERNEL),
            needs: since(0x020a, little_endian::<4>(file, 0x260), 0),
        })
    }
}

/// A range of memory that is free to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The first byte.
    pub start: u64,
    /// The byte behind the last.
    pub end: u64,
}

/// Finds the place of an initrd: as high as the kernel allows, above whatever the kernel unpacks itself to.
///
/// `kernel_length` is the protected-mode part's, `initrd_length` that of all initrds with their padding; `reach` is the
/// end of the memory that the loader can write to.
///
/// # Errors
/// The free memory holds the kernel, or kernel and initrd, nowhere.
pub fn place(
    header: &Header,
    free: &[Range],
    kernel_length: u64,
    initrd_length: u64,
    reach: u64,
) -> Result<u64, Failure> {
    let largest = free.iter().map(|range| range.end - range.start).max().unwrap_or(0);
    let lacks = || {
        Failure::of("Too little memory: kernel and initrd need ")
            .size(header.needs.max(kernel_length) + initrd_length)
            .text(", and the largest free range has ")
            .size(largest)
            .text(".")
    };
    let holds = |start: u64, end: u64| free.iter().any(|range| range.start <= start && end <= range.end);
    let runs_until = header.runs_at.max(KERNEL) + header.needs;
    if !holds(KERNEL, KERNEL + kernel_length) || !holds(header.runs_at.max(KERNEL), runs_until) {
        return Err(lacks());
    }
    let lowest = runs_until.max(KERNEL + kernel_length);
    let limit = header.initrd_last.saturating_add(1).min(reach);
    free.iter()
        .filter_map(|range| {
            let start = range.end.min(limit).checked_sub(initrd_length)? & !0xfff;
            (start >= range.start.max(lowest)).then_some(start)
        })
        .max()
        .ok_or_else(lacks)
}

/// The place of an initrd behind others: each begins at a multiple of four, and the kernel passes over the zeros between.
pub fn padded(length: u64) -> u64 {
    length.next_multiple_of(4)
}

/// The video mode that a command line asks of whoever loads the kernel (`vga=`): the header's `vid_mode`.
pub fn video_mode(command_line: &[u8]) -> u16 {
    const NORMAL: u16 = 0xffff;
    let words = command_line.split(|&byte| byte == b' ');
    let Some(value) = words.filter_map(|word| word.strip_prefix(b"vga=")).next_back() else {
        return NORMAL;
    };
    let (digits, radix) = match value.strip_prefix(b"0x") {
        Some(digits) => (digits, 16),
        None => (value, 10),
    };
    match value {
        b"ask" => 0xfffd,
        b"ext" => 0xfffe,
        _ => core::str::from_utf8(digits)
            .ok()
            .and_then(|text| u16::from_str_radix(text, radix).ok())
            .unwrap_or(NORMAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    const MIB: u64 = 1 << 20;

    fn header() -> Header {
        Header {
            version: 0x20f,
            setup_length: 20 * 512,
            command_line: 2047,
            initrd_last: 0x7fff_ffff,
            runs_at: 16 * MIB,
            needs: 40 * MIB,
        }
    }

    fn free(mib: u64) -> [Range; 2] {
        let range = |start, end| Range { start, end };
        [range(0, 0x9_f000), range(MIB, mib * MIB - 0x2_0000)]
    }

    #[test]
    fn a_header_is_read_with_the_defaults_of_its_version() {
        let mut file = vec![0; HEADER_LENGTH];
        assert_eq!(Header::read(&file), None);
        file[0x202..0x206].copy_from_slice(b"HdrS");
        file[0x206..0x208].copy_from_slice(&[0x0f, 2]);
        file[0x211] = 1;
        file[0x1f1] = 19;
        file[0x22c..0x230].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
        file[0x238..0x23c].copy_from_slice(&2047u32.to_le_bytes());
        file[0x258..0x260].copy_from_slice(&(16 * MIB).to_le_bytes());
        file[0x260..0x264].copy_from_slice(&(40 * MIB as u32).to_le_bytes());
        assert_eq!(Header::read(&file), Some(header()));
        file[0x206] = 3;
        let old = Header::read(&file).unwrap();
        assert_eq!(
            (old.command_line, old.initrd_last, old.runs_at, old.needs),
            (255, 0x7fff_ffff, KERNEL, 0)
        );
        file[0x211] = 0;
        assert_eq!(Header::read(&file), None, "a zImage is loaded low");
    }

    #[test]
    fn the_loader_reads_the_video_mode() {
        for (line, mode) in [
            ("quiet", 0xffff),
            ("vga=791 quiet", 791),
            ("vga=0x317", 0x317),
            ("vga=1 vga=ask", 0xfffd),
            ("vga=x", 0xffff),
        ] {
            assert_eq!(video_mode(line.as_bytes()), mode, "{line}");
        }
    }

    #[test]
    fn an_initrd_goes_as_high_as_the_kernel_allows() {
        let at = place(&header(), &free(512), 8 * MIB, MIB, 4096 * MIB).unwrap();
        assert_eq!(at, 511 * MIB - 0x2_0000);
        let at = place(&header(), &free(3072), 8 * MIB, 1000 * MIB, 4096 * MIB).unwrap();
        assert_eq!(at, 1048 * MIB, "initrd_addr_max bounds it");
        assert_eq!(place(&header(), &free(3072), 8 * MIB, MIB, 64 * MIB).unwrap(), 63 * MIB);
    }

    #[test]
    fn too_little_memory_is_said_with_its_figures() {
        let failure = place(&header(), &free(48), 8 * MIB, MIB, 4096 * MIB).unwrap_err();
        assert_eq!(
            failure.as_str(),
            "Too little memory: kernel and initrd need 41 MiB, and the largest free range has 46 MiB."
        );
        assert!(place(&header(), &free(128), 8 * MIB, 73 * MIB, 4096 * MIB).is_err());
        let hole = [
            Range {
                start: MIB,
                end: 15 * MIB,
            },
            Range {
                start: 16 * MIB,
                end: 512 * MIB,
            },
        ];
        assert!(
            place(&header(), &hole, 15 * MIB, 0, 4096 * MIB).is_err(),
            "the kernel does not fit below the hole"
        );
    }
}
