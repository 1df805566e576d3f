//! Generations of components (shim, `SBAT.md`): what a program says it is made of, and what the least is that is taken.

use serde::Serialize;

use crate::formats::pe::Pe;
use crate::ground::read_at::ReadAt;

/// A component and its generation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Generation {
    /// `shim`, `grub`, `grub.debian`, ...
    pub component: String,
    /// Counted up with each security hole.
    pub generation: u32,
}

/// The longest section that is read, in bytes. Real ones have some 200.
const LONGEST: u64 = 64 << 10;

/// What a program says it is made of. `None` if it has no section `.sbat`, or one that is longer than any.
pub fn generations(pe: &Pe, file: &dyn ReadAt) -> Option<Vec<Generation>> {
    let section = pe.section(".sbat").filter(|section| section.length <= LONGEST)?;
    let text = file.read_vec_at(section.offset, section.length).ok()?;
    Some(read(&text))
}

/// Lines of comma-separated values, of which the first two count. It ends with the first zero. Lines without a generation are passed
/// over.
pub(super) fn read(text: &[u8]) -> Vec<Generation> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    let generation = |line: &str| {
        let mut values = line.split(',').map(str::trim);
        let component = values.next()?.to_owned();
        let generation = values.next()?.parse().ok()?;
        Some(Generation { component, generation })
    };
    text.lines().filter_map(generation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_values_of_each_line_count() {
        let text = b"sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\r\ngrub,5,Free Software Foundation\n\
                     grub.debian,x,Debian\n\nloose\0shim,9\n";
        let generation = |component: &str, generation| Generation {
            component: component.into(),
            generation,
        };
        assert_eq!(read(text), [generation("sbat", 1), generation("grub", 5)]);
        assert_eq!(read(b"shim,4294967296\nshim,-1\nshim,4"), [generation("shim", 4)]);
        assert_eq!(read(&[0xFF, 0, b'x']), []);
    }
}
