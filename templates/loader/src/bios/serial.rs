//! The first serial port, as a terminal.

use crate::real_mode::{input, out};
use isobuild_loader::console::{Key, Style};
use isobuild_loader::line::Line;
use isobuild_loader::serial_keys::Decoder;

const PORT: u16 = 0x3f8;
const LINE_STATUS: u16 = PORT + 5;

/// A terminal on the first serial port.
pub(crate) struct Serial {
    decoder: Decoder,
}

impl Serial {
    /// Sets the port up, if there is one.
    pub(crate) fn open(speed: u32) -> Option<Self> {
        let divisor = (115_200 / speed.clamp(50, 115_200)).max(1);
        out(PORT + 1, 0);
        out(PORT + 3, 0x80);
        out(PORT, divisor as u8);
        out(PORT + 1, (divisor >> 8) as u8);
        // Eight bits, no parity; DTR and RTS; the buffers on and empty.
        out(PORT + 3, 3);
        out(PORT + 4, 3);
        out(PORT + 2, 7);
        // The scratch register keeps a value only where there is a port.
        out(PORT + 7, 0x5a);
        (input(PORT + 7) == 0x5a).then(|| Self {
            decoder: Decoder::default(),
        })
    }

    fn byte(&mut self, byte: u8) {
        // A terminal that takes nothing is not waited for.
        for _ in 0..100_000 {
            if input(LINE_STATUS) & 0x20 != 0 {
                break;
            }
        }
        out(PORT, byte);
    }

    fn send(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.byte(byte));
    }

    pub(crate) fn clear(&mut self) {
        self.send("\x1b[0m\x1b[2J");
    }

    pub(crate) fn put(&mut self, row: usize, column: usize, style: Style, text: &str) {
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

    pub(crate) fn cursor(&mut self, at: Option<(usize, usize)>) {
        match at {
            Some((row, column)) => {
                self.go(row, column);
                self.send("\x1b[?25h");
            }
            None => self.send("\x1b[?25l"),
        }
    }

    fn go(&mut self, row: usize, column: usize) {
        let line = Line::of("\x1b[")
            .number(row as u64 + 1)
            .text(";")
            .number(column as u64 + 1);
        self.send(line.text("H").as_str());
    }

    /// A key, if its bytes are there.
    pub(crate) fn key(&mut self) -> Option<Key> {
        while input(LINE_STATUS) & 1 != 0 {
            let key = self.decoder.push(input(PORT));
            if key.is_some() {
                return key;
            }
        }
        None
    }

    /// Whether a key has begun and not ended.
    pub(crate) fn waits(&self) -> bool {
        self.decoder.waits()
    }

    /// Says that nothing has come for a while.
    pub(crate) fn silence(&mut self) -> Option<Key> {
        self.decoder.silence()
    }
}
