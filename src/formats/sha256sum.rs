//! The lines of `sha256sum`: a digest, two spaces, a path.

use crate::ground::text;

/// Hexadecimal digits of a SHA-256.
pub const DIGITS: usize = 64;

/// The line for a path without a leading slash, and where in it the digest is to be. A path with a backslash, a newline or a carriage
/// return is written as `sha256sum` does: behind a backslash that starts the line.
pub fn line(path: &[u8]) -> (Vec<u8>, usize) {
    let escaped = path.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r'));
    let mut line = if escaped { b"\\".to_vec() } else { Vec::new() };
    let at = line.len();
    line.extend([b'0'; DIGITS]);
    line.extend(b"  ./");
    for &byte in path {
        match byte {
            b'\\' => line.extend(b"\\\\"),
            b'\n' => line.extend(b"\\n"),
            b'\r' => line.extend(b"\\r"),
            other => line.push(other),
        }
    }
    line.push(b'\n');
    (line, at)
}

/// The digest and the path of a line without its newline. `None` if it is another kind of line.
pub fn parse(line: &[u8]) -> Option<([u8; 32], Vec<u8>)> {
    let (escaped, line) = match line.strip_prefix(b"\\") {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (digits, rest) = line.split_at_checked(DIGITS)?;
    let digest = text::sha256_from_hex(str::from_utf8(digits).ok()?)?;
    // The second character tells text from binary where there is a difference.
    let path = rest.strip_prefix(b"  ").or_else(|| rest.strip_prefix(b" *"))?;
    if !escaped {
        return Some((digest, path.to_vec()));
    }
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
    Some((digest, unescaped))
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
            assert_eq!(parse(whole), Some(([0x5a; 32], format!("./{path}").into_bytes())));
        }
        let digest = "5A".repeat(32);
        assert_eq!(
            parse(format!("{digest} *x").as_bytes()),
            Some(([0x5a; 32], b"x".to_vec()))
        );
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
}
