//! Names from manifests and images as text: lossless for programs, harmless for terminals.

use std::path::Path;

/// The path as JSON carries it: valid UTF-8 verbatim, any other byte as `\xNN`, a backslash doubled, so that the bytes can be had
/// back.
pub fn lossless(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for part in bytes.utf8_chunks() {
        for character in part.valid().chars() {
            if character == '\\' {
                text.push('\\');
            }
            text.push(character);
        }
        for byte in part.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// The name as a terminal may show it: control characters (C0, DEL, C1), direction overrides and invalid bytes are escaped.
pub fn visible(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for part in bytes.utf8_chunks() {
        for character in part.valid().chars() {
            if is_harmless(character) {
                text.push(character);
            } else {
                text.extend(character.escape_unicode());
            }
        }
        for byte in part.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Whether a terminal only shows the character. Harmful are controls (C0, DEL, C1), marks and overrides of the direction of writing,
/// separators of lines and paragraphs, and the invisible byte order mark.
fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'
                | '\u{2029}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

/// A value as JSON for people and programs. JSON's escapes stand for the characters that [`visible`] would replace, so a program reads the
/// same characters.
///
/// # Errors
/// When JSON cannot express the value.
pub fn json(value: &impl serde::Serialize) -> Result<String, serde_json::Error> {
    let plain = serde_json::to_string_pretty(value)?;
    if plain
        .chars()
        .all(|character| is_harmless(character) || character == '\n')
    {
        return Ok(plain);
    }
    let mut json = String::with_capacity(plain.len());
    for character in plain.chars() {
        // Only a string can contain such a character. A line ends only between values.
        if is_harmless(character) || character == '\n' {
            json.push(character);
            continue;
        }
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            json.push_str(&format!("\\u{unit:04x}"));
        }
    }
    Ok(json)
}

/// Whether the bytes can be one component of a path, and lead nowhere else.
pub fn is_component(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, b'/' | 0))
}

/// A number of bytes for people: `512 B`, `2.0 KiB`, `16 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut value = bytes as f64;
    // What would be rounded to 1024 is one of the next.
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ if value < 10.0 => format!("{value:.1} {}", UNITS[unit]),
        _ => format!("{value:.0} {}", UNITS[unit]),
    }
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The 32 bytes that 64 hexadecimal digits stand for.
pub fn sha256_from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// A path as it may be shown on a terminal.
pub fn visible_path(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    visible(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lossless_keeps_what_visible_hides() {
        assert_eq!(lossless(b"a\\b\xffc"), "a\\\\b\\xffc");
        assert_eq!(lossless("\u{1b}[1m".as_bytes()), "\u{1b}[1m");
        assert_eq!(visible("\u{1b}[1m\u{202e}".as_bytes()), "\\u{1b}[1m\\u{202e}");
        assert_eq!(visible("grün\u{85}".as_bytes()), "grün\\u{85}");
    }

    #[test]
    fn no_text_moves_the_cursor_or_hides_what_it_says() {
        for hidden in [
            '\u{1b}', '\u{7f}', '\u{9b}', '\u{61c}', '\u{feff}', '\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}',
        ] {
            let name = format!("a{hidden}b");
            let shown = visible(name.as_bytes());
            assert!(!shown.contains(hidden), "{shown}");
            let json = json(&[&name]).unwrap();
            assert!(!json.contains(hidden), "{json}");
            assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), [name]);
        }
        assert_eq!(json(&["grün\n"]).unwrap(), "[\n  \"grün\\n\"\n]");
    }

    #[test]
    fn components() {
        for name in ["a", "...", "a b", "-", "\\", "\u{202e}"] {
            assert!(is_component(name.as_bytes()), "{name}");
        }
        for name in ["", ".", "..", "/", "../x", "/x", "a/b", "a\0"] {
            assert!(!is_component(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size(512), "512 B");
        assert_eq!(size(2048), "2.0 KiB");
        assert_eq!(size(17_891_328), "17 MiB");
    }
}
