//! A terminal on a serial port: what a console asks for as escape sequences (ECMA-48), and keys out of the bytes that come.

use crate::console::{Key, Style};
use crate::line::Line;
use crate::serial_keys::Decoder;

/// A serial port that is set up.
pub trait Port {
    /// Sends bytes. A terminal that takes nothing is not waited for.
    fn send(&mut self, bytes: &[u8]);
    /// A byte, if one is there.
    fn receive(&mut self) -> Option<u8>;
}

/// A terminal.
pub struct Terminal<P> {
    port: P,
    decoder: Decoder,
}

impl<P: Port> Terminal<P> {
    /// The terminal on a port.
    pub fn new(port: P) -> Self {
        Self {
            port,
            decoder: Decoder::default(),
        }
    }

    /// See [`crate::console::Console::clear`].
    pub fn clear(&mut self) {
        self.send("\x1b[0m\x1b[2J");
    }

    /// See [`crate::console::Console::put`].
    pub fn put(&mut self, row: usize, column: usize, style: Style, text: &str) {
        self.go(row, column);
        self.send(match style {
            Style::Plain => "\x1b[0m",
            Style::Title => "\x1b[0;1;37;44m",
            Style::Chosen => "\x1b[0;7m",
            Style::Quiet => "\x1b[0;36m",
            Style::Alarm => "\x1b[0;1;33m",
        });
        self.send(text);
        self.send("\x1b[0m");
    }

    /// See [`crate::console::Console::cursor`].
    pub fn cursor(&mut self, at: Option<(usize, usize)>) {
        match at {
            Some((row, column)) => {
                self.go(row, column);
                self.send("\x1b[?25h");
            }
            None => self.send("\x1b[?25l"),
        }
    }

    /// A key, if its bytes are there.
    pub fn key(&mut self) -> Option<Key> {
        while let Some(byte) = self.port.receive() {
            let key = self.decoder.push(byte);
            if key.is_some() {
                return key;
            }
        }
        None
    }

    /// Whether a key has begun and not ended.
    pub fn waits(&self) -> bool {
        self.decoder.waits()
    }

    /// Says that nothing has come for a tenth of a second.
    pub fn silence(&mut self) -> Option<Key> {
        self.decoder.silence()
    }

    fn go(&mut self, row: usize, column: usize) {
        let line = Line::of("\x1b[")
            .number(row as u64 + 1)
            .text(";")
            .number(column as u64 + 1);
        self.send(line.text("H").as_str());
    }

    fn send(&mut self, text: &str) {
        self.port.send(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// What has been sent, and what is to come, the next byte last.
    struct Wire(Vec<u8>, Vec<u8>);

    impl Port for Wire {
        fn send(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
        fn receive(&mut self) -> Option<u8> {
            self.1.pop()
        }
    }

    #[test]
    fn text_has_its_place_and_its_style() {
        let mut terminal = Terminal::new(Wire(Vec::new(), Vec::new()));
        terminal.clear();
        terminal.put(2, 0, Style::Chosen, "größer");
        terminal.cursor(Some((0, 9)));
        terminal.cursor(None);
        let expected = "\x1b[0m\x1b[2J\x1b[3;1H\x1b[0;7mgrößer\x1b[0m\x1b[1;10H\x1b[?25h\x1b[?25l";
        assert_eq!(terminal.port.0, expected.as_bytes());
    }

    #[test]
    fn keys_come_when_they_are_whole() {
        let bytes: Vec<u8> = b"a\x1b[A\x1b".iter().rev().copied().collect();
        let mut terminal = Terminal::new(Wire(Vec::new(), bytes));
        assert_eq!(terminal.key(), Some(Key::Character('a')));
        assert_eq!((terminal.key(), terminal.key()), (Some(Key::Up), None));
        assert!(terminal.waits());
        assert_eq!(terminal.silence(), Some(Key::Escape));
        assert!(!terminal.waits());
    }
}
