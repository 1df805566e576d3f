//! Keys from a terminal on a serial port: bytes, some of them escape sequences.

use crate::console::Key;

/// Puts bytes together to keys.
#[derive(Default)]
pub struct Decoder {
    state: State,
}

#[derive(Default, Clone, Copy)]
enum State {
    #[default]
    Plain,
    /// ESC has come.
    Escaped,
    /// ESC and `[` or `O` have come, and this number.
    Sequence(u8),
    /// Within a UTF-8 character: what it is so far, and how many bytes are to come.
    Wide(u32, u8),
}

impl Decoder {
    /// Takes a byte, and gives the key that it ends.
    pub fn push(&mut self, byte: u8) -> Option<Key> {
        let (state, key) = match (self.state, byte) {
            (State::Escaped, b'[' | b'O') => (State::Sequence(0), None),
            // An ESC that nothing continues was a key of its own; so is a second one.
            (State::Escaped, _) => (State::Plain, Some(Key::Escape)),
            (State::Sequence(number), b'0'..=b'9') => {
                let number = number.wrapping_mul(10).wrapping_add(byte - b'0');
                (State::Sequence(number), None)
            }
            (State::Sequence(number), _) => (State::Plain, sequence(number, byte)),
            (State::Wide(value, left), 0x80..=0xbf) => {
                let value = value << 6 | u32::from(byte & 0x3f);
                match left {
                    1 => (State::Plain, char::from_u32(value).map(Key::Character)),
                    _ => (State::Wide(value, left - 1), None),
                }
            }
            (_, 0x1b) => (State::Escaped, None),
            (_, b'\r' | b'\n') => (State::Plain, Some(Key::Enter)),
            (_, 0x08 | 0x7f) => (State::Plain, Some(Key::Backspace)),
            (_, b' '..=b'~') => (State::Plain, Some(Key::Character(char::from(byte)))),
            (_, 0xc2..=0xdf) => (State::Wide(u32::from(byte & 0x1f), 1), None),
            (_, 0xe0..=0xef) => (State::Wide(u32::from(byte & 0x0f), 2), None),
            (_, 0xf0..=0xf4) => (State::Wide(u32::from(byte & 0x07), 3), None),
            _ => (State::Plain, None),
        };
        self.state = state;
        key
    }

    /// Says that the line has been silent for a tenth of a second: an ESC that came last was a key.
    pub fn silence(&mut self) -> Option<Key> {
        let key = matches!(self.state, State::Escaped).then_some(Key::Escape);
        self.state = State::Plain;
        key
    }

    /// Whether a byte of a sequence is still to come.
    pub fn waits(&self) -> bool {
        !matches!(self.state, State::Plain)
    }
}

fn sequence(number: u8, last: u8) -> Option<Key> {
    Some(match (last, number) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'H', _) | (b'~', 1 | 7) => Key::Home,
        (b'F', _) | (b'~', 4 | 8) => Key::End,
        (b'~', 3) => Key::Delete,
        (b'~', 5) => Key::PageUp,
        (b'~', 6) => Key::PageDown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = Decoder::default();
        let mut keys: Vec<Key> = bytes.iter().filter_map(|&byte| decoder.push(byte)).collect();
        keys.extend(decoder.silence());
        keys
    }

    #[test]
    fn terminals_of_every_kind_are_understood() {
        use Key::*;
        assert_eq!(keys(b"\x1b[A\x1b[B\x1bOC\x1b[D"), [Up, Down, Right, Left]);
        assert_eq!(
            keys(b"\x1b[1~\x1b[4~\x1b[H\x1bOF\x1b[3~\x1b[5~\x1b[6~"),
            [Home, End, Home, End, Delete, PageUp, PageDown]
        );
        assert_eq!(keys(b"a\r\x7f\x08"), [Character('a'), Enter, Backspace, Backspace]);
        assert_eq!(
            keys("é€😀".as_bytes()),
            [Character('é'), Character('€'), Character('😀')]
        );
    }

    #[test]
    fn an_escape_alone_is_a_key_after_silence() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.push(0x1b), None);
        assert!(decoder.waits());
        assert_eq!(decoder.silence(), Some(Key::Escape));
        assert_eq!(
            keys(b"\xff\x80\x01\x1b[99Zx"),
            [Key::Character('x')],
            "noise is passed over"
        );
    }
}
