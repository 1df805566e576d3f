//! Words of a command line: as QEMU reads them, and as a shell does.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// The value of an option that ends with a path. A comma would start the next option.
pub(super) fn option(value: &str, path: &Path) -> OsString {
    let mut bytes = value.as_bytes().to_vec();
    for &byte in path.as_os_str().as_bytes() {
        bytes.extend(if byte == b',' {
            &b",,"[..]
        } else {
            std::slice::from_ref(&byte)
        });
    }
    OsString::from_vec(bytes)
}

/// A word as a shell reads it.
pub(super) fn shell_word(word: &OsStr) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+:,./@%".contains(c);
    let text = word.to_string_lossy();
    match !text.is_empty() && text.chars().all(plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_any_bytes_is_one_value() {
        let path = Path::new(OsStr::from_bytes(b"/a,b\xff.iso"));
        assert_eq!(option("file=", path).as_bytes(), b"file=/a,,b\xff.iso");
    }
}
