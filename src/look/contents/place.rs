//! Places in an image, as they are typed.

use crate::ground::text;

/// A place in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A path in the image's tree, by its richest index: `/x`.
    Tree(Vec<u8>),
    /// A path in the ISO 9660 tree: `iso:/x`.
    Iso(Vec<u8>),
    /// A path in the Joliet tree: `joliet:/x`.
    Joliet(Vec<u8>),
    /// A path in the UDF tree: `udf:/x`.
    Udf(Vec<u8>),
    /// A path in a FAT volume, counted from 1: `esp:/x`, `esp2:/x`.
    Esp(usize, Vec<u8>),
    /// The bytes of a partition: `partition:2`.
    Partition(u32),
    /// A path in the file system of a partition: `partition:2/x`.
    In(u32, Vec<u8>),
}

impl Place {
    /// Reads what was typed. A path may lack its first slash, and have too many.
    ///
    /// # Errors
    /// A message, if a number cannot be read.
    pub fn parse(typed: &[u8]) -> Result<Self, String> {
        let shown = text::visible(typed);
        let Some(colon) = typed.iter().position(|&byte| byte == b':') else {
            return Ok(Self::Tree(normal(typed)));
        };
        let (volume, path) = (&typed[..colon], &typed[colon + 1..]);
        let number = |digits: &[u8]| {
            str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse::<u32>().ok())
        };
        match volume {
            b"iso" => Ok(Self::Iso(normal(path))),
            b"joliet" => Ok(Self::Joliet(normal(path))),
            b"udf" => Ok(Self::Udf(normal(path))),
            b"esp" => Ok(Self::Esp(1, normal(path))),
            b"partition" => {
                let slash = path.iter().position(|&byte| byte == b'/').unwrap_or(path.len());
                let (digits, path) = path.split_at(slash);
                match (number(digits), path) {
                    (Some(number), b"") => Ok(Self::Partition(number)),
                    (Some(number), path) => Ok(Self::In(number, normal(path))),
                    (None, _) => Err(format!(
                        "{shown}: a partition is named by its number, as in partition:2"
                    )),
                }
            }
            _ => match volume.strip_prefix(b"esp").and_then(number) {
                Some(esp) if esp > 0 => Ok(Self::Esp(esp as usize, normal(path))),
                // A colon may be part of a name.
                _ => Ok(Self::Tree(normal(typed))),
            },
        }
    }
}

/// The path with one slash before each component, `/` for none.
fn normal(path: &[u8]) -> Vec<u8> {
    let normal: Vec<u8> = parts(path).flat_map(|part| [b"/", part].concat()).collect();
    if normal.is_empty() { b"/".to_vec() } else { normal }
}

/// The components of a path that lead anywhere.
pub(super) fn parts(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let parts = path.split(|&byte| byte == b'/');
    parts.filter(|part| !matches!(*part, b"" | b"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_what_was_typed() {
        let tree = |path: &str| Ok(Place::Tree(path.into()));
        for (typed, place) in [
            ("/", tree("/")),
            ("", tree("/")),
            ("a//b/./c/", tree("/a/b/c")),
            ("iso:/x", Ok(Place::Iso("/x".into()))),
            ("udf:x", Ok(Place::Udf("/x".into()))),
            ("joliet:/x/", Ok(Place::Joliet("/x".into()))),
            ("a:b", tree("/a:b")),
            ("espresso:x", tree("/espresso:x")),
            ("esp:", Ok(Place::Esp(1, "/".into()))),
            ("esp3:x", Ok(Place::Esp(3, "/x".into()))),
            ("partition:2", Ok(Place::Partition(2))),
            ("partition:2/", Ok(Place::In(2, "/".into()))),
            ("partition:11/a//b", Ok(Place::In(11, "/a/b".into()))),
        ] {
            assert_eq!(Place::parse(typed.as_bytes()), place, "{typed}");
        }
        assert!(Place::parse(b"partition:").is_err() && Place::parse(b"partition:-1/x").is_err());
    }
}
