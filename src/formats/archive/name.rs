//! Which paths of an archive may go into an image.

use super::{ArchiveError, wrong};
use crate::ground::text;

/// Longer paths are no honest archive's: Linux takes none of 4,096 bytes.
const LONGEST: usize = 1 << 16;

/// A path from the archive's root, its components joined by `/`: a leading `./` and a last `/` mean nothing.
///
/// # Errors
/// It is empty, absolute, leads out of the archive by `..`, or has a NUL.
pub(super) fn relative(path: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let refuse = |why: &str| {
        let shown = text::visible(&path[..path.len().min(256)]);
        Err(wrong(format!("has an entry {shown:?}, which is refused: {why}")))
    };
    if path.is_empty() {
        return refuse("a name is not empty");
    }
    if path.len() > LONGEST {
        return refuse("its path is too long");
    }
    if path.starts_with(b"/") {
        return refuse("its path is absolute");
    }
    if path.contains(&0) {
        return refuse("its path has a NUL");
    }
    let mut joined = Vec::with_capacity(path.len());
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => continue,
            b".." => return refuse("`..` leads out of the archive"),
            _ => {}
        }
        if !joined.is_empty() {
            joined.push(b'/');
        }
        joined.extend_from_slice(part);
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for (path, joined) in [
            (&b"a/b"[..], &b"a/b"[..]),
            (b"./a//b/", b"a/b"),
            (b"./", b""),
            (b".", b""),
            (b"a\\b:c\n", b"a\\b:c\n"),
        ] {
            assert_eq!(relative(path).unwrap(), joined);
        }
        for (path, why) in [
            (&b""[..], "empty"),
            (b"/etc/passwd", "absolute"),
            (b"../a", "leads out"),
            (b"a/../../b", "leads out"),
            (b"a/..", "leads out"),
            (b"a\0b", "NUL"),
            (&[b'a'; LONGEST + 1], "too long"),
        ] {
            let error = relative(path).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
