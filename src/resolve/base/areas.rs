//! Fedora CoreOS reserves room for kernel arguments in the texts of its configurations, and `/coreos/kargs.json` says where: coreos-installer
//! writes there without reading the configurations. So an area keeps its offset when the arguments in it change, and all areas
//! have one size.

use serde::Deserialize;

use crate::ground::read_at::ReadAt;
use crate::look::contents::Tree as ImageTree;

/// Where the list is.
const PATH: &[u8] = b"/coreos/kargs.json";
/// coreos-installer takes no larger areas.
pub(super) const MOST: usize = 2048;
/// A longer list is not read.
const LONGEST: u64 = 64 << 10;

/// The areas of an image.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Areas {
    files: Vec<Area>,
    /// Bytes of each area.
    size: usize,
}

/// An area: arguments, `end`, and `pad` up to the size.
#[derive(Debug, Deserialize)]
struct Area {
    path: String,
    offset: usize,
    end: String,
    pad: String,
}

impl Area {
    /// From the root of the tree.
    fn path(&self) -> Vec<u8> {
        [b"/", self.path.trim_start_matches('/').as_bytes()].concat()
    }

    fn is_of(&self, path: &[u8]) -> bool {
        self.path() == path
    }
}

impl Areas {
    /// Reads the list. An image without one, or with one in another form, has no areas.
    pub(super) fn read(image: &dyn ReadAt, tree: &ImageTree) -> Self {
        let bytes = tree.get(PATH).and_then(|item| item.bytes(image, LONGEST));
        let areas = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        areas.unwrap_or_default()
    }

    /// How many bytes each area gets so that these texts fit: as many as now, or the most.
    ///
    /// # Errors
    /// How many are needed, if those are more.
    pub(super) fn size_for<'t>(&self, texts: impl Iterator<Item = (&'t [u8], &'t [u8])>) -> Result<usize, usize> {
        let used = texts.filter_map(|(path, text)| {
            let area = self.files.iter().find(|area| area.is_of(path))?;
            self.used(area, text)
        });
        match used.max().unwrap_or(0) {
            needed if needed <= self.size => Ok(self.size),
            needed if needed <= MOST => Ok(MOST),
            needed => Err(needed),
        }
    }

    /// The `new` text of a file with an area of `size` bytes in place of that of the `old` text.
    pub(super) fn fitted(&self, path: &[u8], old: &[u8], new: Vec<u8>, size: usize) -> Vec<u8> {
        let area = self.files.iter().find(|area| area.is_of(path));
        let Some(area) = area.filter(|_| old != new || size != self.size) else {
            return new;
        };
        let (Some(before), Some(after)) = (self.used(area, old), self.used(area, &new)) else {
            return new;
        };
        let (Some(padding), Some(wanted)) = (self.size.checked_sub(before), size.checked_sub(after)) else {
            return new;
        };
        let end = area.offset + after;
        let pad = area.pad.as_bytes().first().copied().unwrap_or(b'#');
        [
            &new[..end],
            &vec![pad; wanted],
            new.get(end + padding..).unwrap_or_default(),
        ]
        .concat()
    }

    /// The files that have an area.
    pub(super) fn paths(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.files.iter().map(Area::path)
    }

    /// How many bytes each area has.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The list with areas of another size.
    pub(super) fn list(image: &dyn ReadAt, tree: &ImageTree, size: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        let bytes = tree.get(PATH)?.bytes(image, LONGEST)?;
        let mut list: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
        *list.get_mut("size")? = size.into();
        let mut bytes = serde_json::to_vec_pretty(&list).ok()?;
        bytes.push(b'\n');
        Some((PATH.to_vec(), bytes))
    }

    /// Whether a file has an area, and it begins behind a byte.
    pub(super) fn is_behind(&self, path: &[u8], byte: usize) -> bool {
        let mut areas = self.files.iter().filter(|area| area.is_of(path));
        areas.any(|area| area.offset > byte)
    }

    /// The bytes of the arguments and of what ends them.
    fn used(&self, area: &Area, text: &[u8]) -> Option<usize> {
        let end = area.end.as_bytes();
        let rest = text.get(area.offset..)?;
        let at = rest.windows(end.len().max(1)).position(|window| window == end)?;
        Some(at + end.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As osbuild makes them: an area of 20 bytes behind `linux /k `.
    fn areas() -> Areas {
        let list = r##"{"default": "a b", "files": [{"end": "\n", "offset": 9, "pad": "#", "path": "EFI/grub.cfg"}], "size": 20}"##;
        serde_json::from_str(list).unwrap()
    }

    #[test]
    fn an_area_keeps_its_place_and_size() {
        let old = b"linux /k a b\n################ AREA\ninitrd /i\n";
        let path = b"/EFI/grub.cfg";
        for (new, wanted) in [
            // Longer by two, shorter by two, as it was.
            (
                "linux /k a b c\n################ AREA\ninitrd /i\n",
                "linux /k a b c\n############## AREA\ninitrd /i\n",
            ),
            (
                "linux /k a\n################ AREA\ninitrd /i\n",
                "linux /k a\n################## AREA\ninitrd /i\n",
            ),
            (
                "linux /k a b\n################ AREA\ninitrd /i\n",
                "linux /k a b\n################ AREA\ninitrd /i\n",
            ),
            // 19 bytes and the end of the line: not one of padding is left.
            (
                "linux /k 1234567890123456789\n################ AREA\n",
                "linux /k 1234567890123456789\n AREA\n",
            ),
        ] {
            let fitted = areas().fitted(path, old, new.into(), 20);
            assert_eq!(String::from_utf8(fitted).unwrap(), wanted);
            assert_eq!(areas().size_for([(&path[..], new.as_bytes())].into_iter()), Ok(20));
        }
        // One byte more than fits. A text that is as it was gets a larger area too.
        let long = b"linux /k 12345678901234567890\n################ AREA\n".to_vec();
        let texts = |long| [(&path[..], long), (b"/other", &old[..])].into_iter();
        assert_eq!(areas().size_for(texts(&long)), Ok(2048));
        let longest = [b"linux /k ".as_slice(), &[b'x'; 2048], b"\n"].concat();
        assert_eq!(areas().size_for(texts(&longest)), Err(2049));
        let wanted = b"linux /k 12345678901234567890\n################### AREA\n";
        assert_eq!(areas().fitted(path, old, long.clone(), 40), wanted);
        let wanted = b"linux /k a b\n#################################### AREA\ninitrd /i\n";
        assert_eq!(areas().fitted(path, old, old.to_vec(), 40), wanted);
        assert_eq!(areas().fitted(b"/other", old, long.clone(), 40), long);
    }
}
