//! Lists of digests as `sha256sum`, `md5sum` and `sha512sum` write and read them: a digest in hexadecimal, two spaces or a space and an
//! asterisk, a path. A path with a backslash, a newline or a carriage return has its line behind a backslash, and those characters escaped.

use std::ops::Range;

/// Hexadecimal digits of a SHA-256.
pub const DIGITS: usize = 64;

/// Which digest a line has: its number of digits tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// 32 digits.
    Md5,
    /// 64 digits.
    Sha256,
    /// 128 digits.
    Sha512,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Of the digest.
    pub algorithm: Algorithm,
    /// Where in the line the digest is.
    pub digest: Range<usize>,
    /// What is between digest and path: two spaces, or a space and an asterisk.
    pub between: [u8; 2],
    /// As it is written, without its escapes.
    pub path: Vec<u8>,
}

/// The line for a path without a leading slash, and where in it the SHA-256 is to be.
pub fn line(path: &[u8]) -> (Vec<u8>, usize) {
    let named = [b"./", path].concat();
    let line = written(&"0".repeat(DIGITS), *b"  ", &named);
    let at = usize::from(line.starts_with(b"\\"));
    (line, at)
}

/// A line with its newline.
pub fn written(digest: &str, between: [u8; 2], path: &[u8]) -> Vec<u8> {
    let escaped = path.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r'));
    let mut line = if escaped { b"\\".to_vec() } else { Vec::new() };
    line.extend(digest.bytes());
    line.extend(between);
    for &byte in path {
        match byte {
            b'\\' => line.extend(b"\\\\"),
            b'\n' => line.extend(b"\\n"),
            b'\r' => line.extend(b"\\r"),
            other => line.push(other),
        }
    }
    line.push(b'\n');
    line
}

/// Reads a line without its newline. `None` if it is another kind of line.
pub fn parse(line: &[u8]) -> Option<Line> {
    let start = usize::from(line.starts_with(b"\\"));
    let digits = line[start..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let algorithm = match digits {
        32 => Algorithm::Md5,
        DIGITS => Algorithm::Sha256,
        128 => Algorithm::Sha512,
        _ => return None,
    };
    let digest = start..start + digits;
    // The second character tells text from binary where there is a difference.
    let (&between, path) = line[digest.end..].split_first_chunk()?;
    if !matches!(&between, b"  " | b" *") {
        return None;
    }
    let path = match start {
        0 => path.to_vec(),
        _ => unescaped(path)?,
    };
    Some(Line {
        algorithm,
        digest,
        between,
        path,
    })
}

fn unescaped(path: &[u8]) -> Option<Vec<u8>> {
    let mut unescaped = Vec::with_capacity(path.len());
    let mut bytes = path.iter();
    while let Some(&byte) = bytes.next() {
        unescaped.push(match byte {
            b'\\' => match bytes.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b'\\' => b'\\',
                _ => return None,
            },
            other => other,
        });
    }
    Some(unescaped)
}

/// Names of lists in lower case, as installers and people give them.
const NAMES: [&str; 8] = [
    "md5sum.txt",
    "md5sums",
    "sha256sum.txt",
    "sha256sums",
    "sha256sums.txt",
    "sha512sum.txt",
    "sha512sums",
    "checksums",
];
/// Ends of the names of lists.
const ENDS: [&str; 3] = [".md5", ".sha256", ".sha512"];

/// Whether a file of this name, without its directory, is likely to be a list.
pub fn is_list(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name).to_lowercase();
    NAMES.contains(&name.as_str()) || ENDS.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back_whatever_is_in_the_path() {
        for path in ["plain", "with space", "back\\slash", "new\nline", "-dash", "\\n"] {
            let (mut written, at) = line(path.as_bytes());
            written[at..at + DIGITS].copy_from_slice("5a".repeat(32).as_bytes());
            let whole = written.strip_suffix(b"\n").unwrap();
            assert!(!whole.contains(&b'\n'));
            let read = parse(whole).unwrap();
            assert_eq!((read.digest.start, read.between), (at, *b"  "));
            assert_eq!(read.path, format!("./{path}").into_bytes());
        }
        let digest = "5A".repeat(32);
        for (digits, algorithm) in [(32, Algorithm::Md5), (64, Algorithm::Sha256), (128, Algorithm::Sha512)] {
            let read = parse(format!("{} *x", "a".repeat(digits)).as_bytes()).unwrap();
            assert_eq!(
                (read.algorithm, read.digest, read.between),
                (algorithm, 0..digits, *b" *")
            );
            assert_eq!(read.path, b"x");
        }
        for wrong in [
            "",
            "5a  x",
            &format!("{digest}x"),
            &format!("\\{digest}  a\\b"),
            &format!("\\{digest}  a\\"),
        ] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn lists_are_known_by_their_names() {
        for name in ["md5sum.txt", "SHA256SUMS", "airootfs.sha512", "CHECKSUMS"] {
            assert!(is_list(name.as_bytes()), "{name}");
        }
        for name in ["md5sum", "sums.txt", "sha512", "checksums.asc"] {
            assert!(!is_list(name.as_bytes()), "{name}");
        }
    }
}
