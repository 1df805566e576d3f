//! The BIOS's screen and keyboard, and the serial port beside them.

use crate::real_mode::{Registers, SCRATCH, input, interrupt, pause, peek, poke, segment};
use crate::serial::Serial;
use isobuild_loader::console::{Console, Key, Style};
use isobuild_loader::glyphs::on_pc_screen;
use isobuild_loader::terminal::Terminal;

/// Where a text for the screen is put down.
const TEXT: usize = SCRATCH + 0x100;

/// The console.
#[derive(Default)]
pub(crate) struct BiosConsole {
    serial: Option<Terminal<Serial>>,
}

/// The BIOS data area: the clock's ticks, 18.2 a second, and how many a day has.
const TICKS: usize = 0x46c;
const TICKS_A_DAY: u32 = 0x18_00b0;

/// Ticks since an earlier time. The count begins anew at midnight.
fn ticks_since(start: u32) -> u32 {
    let now: u32 = peek(TICKS);
    if now >= start {
        now - start
    } else {
        now + TICKS_A_DAY - start
    }
}

impl BiosConsole {
    /// Opens the serial port too.
    pub(crate) fn open_serial(&mut self, speed: u32) {
        self.serial = Serial::open(speed).map(Terminal::new);
    }

    fn pressed() -> Option<Key> {
        let there = interrupt(
            0x16,
            Registers {
                eax: 0x1100,
                ..Registers::default()
            },
        );
        if there.zero() {
            return None;
        }
        let key = interrupt(
            0x16,
            Registers {
                eax: 0x1000,
                ..Registers::default()
            },
        )
        .eax;
        // The scan code above, the character below; 0xe0 marks the grey keys.
        Some(match ((key >> 8) as u8, key as u8) {
            (0x48, 0 | 0xe0) => Key::Up,
            (0x50, 0 | 0xe0) => Key::Down,
            (0x4b, 0 | 0xe0) => Key::Left,
            (0x4d, 0 | 0xe0) => Key::Right,
            (0x47, 0 | 0xe0) => Key::Home,
            (0x4f, 0 | 0xe0) => Key::End,
            (0x49, 0 | 0xe0) => Key::PageUp,
            (0x51, 0 | 0xe0) => Key::PageDown,
            (0x53, 0 | 0xe0) => Key::Delete,
            (_, 8) => Key::Backspace,
            (_, 10 | 13) => Key::Enter,
            (_, 27) => Key::Escape,
            (_, character @ b' '..=b'~') => Key::Character(char::from(character)),
            _ => return None,
        })
    }
}

impl Console for BiosConsole {
    fn size(&mut self) -> (usize, usize) {
        let columns: u16 = peek(0x44a);
        let rows: u8 = peek(0x484);
        (
            usize::from(columns).clamp(40, 132),
            (usize::from(rows) + 1).clamp(25, 60),
        )
    }

    fn clear(&mut self) {
        let mode: u8 = peek(0x449);
        if !matches!(mode & 0x7f, 2 | 3 | 7) {
            interrupt(
                0x10,
                Registers {
                    eax: 3,
                    ..Registers::default()
                },
            );
        }
        let (columns, rows) = self.size();
        let edx = ((rows - 1) << 8 | (columns - 1)) as u32;
        let ebx = u32::from(Style::Plain.attribute()) << 8;
        interrupt(
            0x10,
            Registers {
                eax: 0x0600,
                ebx,
                edx,
                ..Registers::default()
            },
        );
        if let Some(serial) = &mut self.serial {
            serial.clear();
        }
    }

    fn put(&mut self, row: usize, column: usize, style: Style, text: &str) {
        let mut length = 0;
        for character in text.chars() {
            poke(TEXT + length, on_pc_screen(character));
            length += 1;
        }
        interrupt(
            0x10,
            Registers {
                eax: 0x1300,
                ebx: u32::from(style.attribute()),
                ecx: length as u32,
                edx: (row << 8 | column) as u32,
                ebp: (TEXT - SCRATCH) as u32,
                es: segment(SCRATCH),
                ..Registers::default()
            },
        );
        if let Some(serial) = &mut self.serial {
            serial.put(row, column, style, text);
        }
    }

    fn cursor(&mut self, at: Option<(usize, usize)>) {
        let shape = if at.is_some() { 0x0607 } else { 0x2000 };
        interrupt(
            0x10,
            Registers {
                eax: 0x0100,
                ecx: shape,
                ..Registers::default()
            },
        );
        if let Some((row, column)) = at {
            let edx = (row << 8 | column) as u32;
            interrupt(
                0x10,
                Registers {
                    eax: 0x0200,
                    edx,
                    ..Registers::default()
                },
            );
        }
        if let Some(serial) = &mut self.serial {
            serial.cursor(at);
        }
    }

    fn key(&mut self, milliseconds: u32) -> Option<Key> {
        /// A tick is 54.9 ms.
        const MILLISECONDS_A_TICK: u32 = 55;
        /// A sequence that is interrupted this long is over: a tenth of a second.
        const SILENCE: u32 = 3;
        let limit = milliseconds / MILLISECONDS_A_TICK;
        let start: u32 = peek(TICKS);
        let mut heard = start;
        loop {
            if let Some(key) = Self::pressed() {
                return Some(key);
            }
            if let Some(serial) = &mut self.serial {
                let waited = serial.waits();
                if let Some(key) = serial.key() {
                    return Some(key);
                }
                if serial.waits() && !waited {
                    heard = peek(TICKS);
                }
                if serial.waits() {
                    if ticks_since(heard) >= SILENCE {
                        return serial.silence();
                    }
                    continue;
                }
            }
            if ticks_since(start) >= limit {
                return None;
            }
            match self.serial {
                // The port has a buffer of 16 bytes and no interrupt here: it is looked at all the time.
                Some(_) => (0..200).for_each(|_| {
                    input(0x80);
                }),
                None => pause(),
            }
        }
    }
}
