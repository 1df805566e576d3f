//! A line of text of bounded length: what is said to people, without an allocator and without `core::fmt`.

/// How many bytes a [`Line`] holds.
pub const CAPACITY: usize = 256;

/// A text of at most [`CAPACITY`] bytes. What does not fit is cut at a character's edge, and the end shows it.
#[derive(Clone, Copy)]
pub struct Line {
    bytes: [u8; CAPACITY],
    length: usize,
}

/// Why something cannot be booted: one sentence for the person in front of the machine.
pub type Failure = Line;

impl core::fmt::Debug for Line {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Line {
    /// An empty line.
    pub const fn new() -> Self {
        Self {
            bytes: [0; CAPACITY],
            length: 0,
        }
    }

    /// A line that begins with `text`.
    pub fn of(text: &str) -> Self {
        Self::new().text(text)
    }

    /// The line with `text` at its end.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        for character in text.chars() {
            self = self.character(character);
        }
        self
    }

    /// The line with one more character.
    #[must_use]
    pub fn character(mut self, character: char) -> Self {
        let width = character.len_utf8();
        if let Some(room) = self.bytes.get_mut(self.length..self.length + width) {
            character.encode_utf8(room);
            self.length += width;
        } else {
            self.cut();
        }
        self
    }

    /// The line with bytes that are meant to be text: a path of the image. What is not UTF-8 shows as `?`.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        for piece in bytes.utf8_chunks() {
            self = self.text(piece.valid());
            if !piece.invalid().is_empty() {
                self = self.character('?');
            }
        }
        self
    }

    /// The line with a number in decimal.
    #[must_use]
    pub fn number(self, value: u64) -> Self {
        self.digits(value, 10, 1)
    }

    /// The line with a number in hexadecimal, of at least `width` digits.
    #[must_use]
    pub fn hexadecimal(self, value: u64, width: usize) -> Self {
        self.digits(value, 16, width)
    }

    /// The line with a size in bytes, in the largest unit that leaves at least ten: `8055 KiB`, `73 MiB`.
    #[must_use]
    pub fn size(self, bytes: u64) -> Self {
        const UNITS: [&str; 4] = [" bytes", " KiB", " MiB", " GiB"];
        let mut unit = 0;
        let mut value = bytes;
        while value >= 10 * 1024 && unit + 1 < UNITS.len() {
            value /= 1024;
            unit += 1;
        }
        self.number(value).text(UNITS[unit])
    }

    /// The line, filled with spaces to `columns` characters.
    #[must_use]
    pub fn filled(mut self, columns: usize) -> Self {
        let mut have = self.as_str().chars().count();
        while have < columns {
            self = self.character(' ');
            have += 1;
        }
        self
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.length]).unwrap_or("")
    }

    fn digits(self, mut value: u64, base: u64, width: usize) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [b'0'; 20];
        let mut at = digits.len();
        while value > 0 || digits.len() - at < width.clamp(1, digits.len()) {
            at -= 1;
            digits[at] = DIGITS[(value % base) as usize];
            value /= base;
        }
        self.bytes(&digits[at..])
    }

    /// Ends a line that is full with `...`.
    fn cut(&mut self) {
        let mut end = CAPACITY - 3;
        while end > 0 && !self.as_str().is_char_boundary(end.min(self.length)) {
            end -= 1;
        }
        let end = end.min(self.length);
        self.bytes[end..end + 3].copy_from_slice(b"...");
        self.length = end + 3;
    }
}

/// The first `columns` characters of a text.
pub fn clipped(text: &str, columns: usize) -> &str {
    match text.char_indices().nth(columns) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    #[test]
    fn numbers_and_sizes_are_written_as_people_read_them() {
        assert_eq!(Line::new().number(0).as_str(), "0");
        assert_eq!(Line::new().number(u64::MAX).as_str(), "18446744073709551615");
        assert_eq!(Line::new().hexadecimal(0xe0, 4).as_str(), "00e0");
        assert_eq!(Line::new().size(10_239).as_str(), "10239 bytes");
        assert_eq!(Line::new().size(8_247_232).as_str(), "8053 KiB");
        assert_eq!(Line::new().size(73 << 20).as_str(), "73 MiB");
    }

    #[test]
    fn a_line_that_is_full_ends_in_dots_and_stays_text() {
        for start in 0..4 {
            let mut long: String = "x".repeat(start);
            long.push_str(&"\u{20ac}".repeat(100));
            let line = Line::of(&long);
            assert!(line.as_str().ends_with("..."), "{}", line.as_str());
            assert!(line.as_str().starts_with(&long[..start + 3 * 80]));
        }
    }

    #[test]
    fn a_name_that_is_no_text_still_shows() {
        assert_eq!(Line::new().bytes(b"a\xffb").as_str(), "a?b");
        assert_eq!(clipped("h\u{e9}llo", 2), "h\u{e9}");
    }
}
