//! The firmware's text console, and a terminal on a serial port where that console is not on it.

use crate::firmware::Firmware;
use crate::serial::Serial;
use crate::tables::*;
use core::ffi::c_void;
use core::ptr::null_mut;
use isobuild_loader::console::{Console, Key, Style};
use isobuild_loader::glyphs;
use isobuild_loader::terminal::Terminal;

/// UEFI's console.
pub(crate) struct EfiConsole {
    firmware: Firmware,
    timer: Handle,
    serial: Option<Terminal<Serial>>,
}

impl EfiConsole {
    pub(crate) fn new(firmware: Firmware) -> Self {
        const TIMER: u32 = 0x8000_0000;
        let mut timer: *mut c_void = null_mut();
        (firmware.boot().create_event)(TIMER, 0, 0, null_mut(), &mut timer);
        Self {
            firmware,
            timer,
            serial: None,
        }
    }

    /// Opens the serial port, unless what is on the screen is on it already.
    pub(crate) fn open_serial(&mut self, speed: u32) {
        self.serial = Serial::open(&self.firmware, speed).map(Terminal::new);
    }

    fn output(&self) -> *mut TextOutput {
        // SAFETY: the system table is the firmware's.
        unsafe { (*self.firmware.system).output }
    }

    /// A key that is there already.
    fn pressed(&self) -> Option<Key> {
        let mut key = InputKey::default();
        // SAFETY: the firmware's protocol, called as §12.3.3 says.
        let status = unsafe {
            let input = (*self.firmware.system).input;
            ((*input).read_key_stroke)(input, &mut key)
        };
        if status != 0 {
            return None;
        }
        // §12.1.2: scan codes.
        Some(match (key.scan_code, key.character) {
            (1, _) => Key::Up,
            (2, _) => Key::Down,
            (3, _) => Key::Right,
            (4, _) => Key::Left,
            (5, _) => Key::Home,
            (6, _) => Key::End,
            (8, _) => Key::Delete,
            (9, _) => Key::PageUp,
            (10, _) => Key::PageDown,
            (0x17, _) => Key::Escape,
            (_, 8) => Key::Backspace,
            (_, 10 | 13) => Key::Enter,
            (_, character) => Key::Character(char::from_u32(u32::from(character)).filter(|&c| c >= ' ')?),
        })
    }

    /// Whether every console has a picture of this character.
    fn shows(&self, character: u16) -> bool {
        let text = [character, 0];
        let output = self.output();
        // SAFETY: as §12.4.4 says.
        unsafe { ((*output).test_string)(output, text.as_ptr()) == 0 }
    }

    fn unit(&self, character: char) -> u16 {
        let unit = u16::try_from(u32::from(character)).unwrap_or(0);
        if character.is_ascii() || unit != 0 && self.shows(unit) {
            unit
        } else {
            glyphs::plain(character) as u16
        }
    }
}

impl Console for EfiConsole {
    fn size(&mut self) -> (usize, usize) {
        let (mut columns, mut rows) = (80, 25);
        let output = self.output();
        // SAFETY: as §12.4.5 says.
        unsafe {
            let mode = (*(*output).mode).mode.max(0) as usize;
            ((*output).query_mode)(output, mode, &mut columns, &mut rows);
        }
        (columns.max(40), rows.max(12))
    }

    fn clear(&mut self) {
        let output = self.output();
        // SAFETY: as §12.4.7 and §12.4.8 say.
        unsafe {
            ((*output).set_attribute)(output, usize::from(Style::Plain.attribute()));
            ((*output).clear_screen)(output);
        }
        if let Some(serial) = &mut self.serial {
            serial.clear();
        }
    }

    fn put(&mut self, row: usize, column: usize, style: Style, text: &str) {
        let output = self.output();
        // SAFETY: as §12.4.6, §12.4.7 and §12.4.9 say.
        unsafe {
            ((*output).set_cursor_position)(output, column, row);
            ((*output).set_attribute)(output, usize::from(style.attribute()));
        }
        let mut units = [0; 64];
        let mut length = 0;
        for character in text.chars() {
            units[length] = self.unit(character);
            length += 1;
            if length + 1 == units.len() {
                units[length] = 0;
                // SAFETY: as §12.4.3 says; the text ends in a zero.
                unsafe { ((*output).output_string)(output, units.as_ptr()) };
                length = 0;
            }
        }
        units[length] = 0;
        // SAFETY: as above.
        unsafe { ((*output).output_string)(output, units.as_ptr()) };
        if let Some(serial) = &mut self.serial {
            serial.put(row, column, style, text);
        }
    }

    fn cursor(&mut self, at: Option<(usize, usize)>) {
        let output = self.output();
        // SAFETY: as §12.4.9 and §12.4.10 say.
        unsafe {
            ((*output).enable_cursor)(output, at.is_some());
            if let Some((row, column)) = at {
                ((*output).set_cursor_position)(output, column, row);
            }
        }
        if let Some(serial) = &mut self.serial {
            serial.cursor(at);
        }
    }

    fn key(&mut self, milliseconds: u32) -> Option<Key> {
        // A serial port calls nobody: it is looked at so often.
        const LOOK: u32 = 5;
        /// A sequence that is interrupted for a tenth of a second is over.
        const SILENCE: u32 = 100;
        let (mut left, mut silent, mut running) = (milliseconds, 0, false);
        loop {
            if let Some(key) = self.pressed() {
                return Some(key);
            }
            let mut wait = left;
            if let Some(serial) = &mut self.serial {
                if let Some(key) = serial.key() {
                    return Some(key);
                }
                if serial.waits() && silent >= SILENCE {
                    return serial.silence();
                }
                // A key that has begun is waited for.
                wait = if serial.waits() { LOOK } else { left.min(LOOK) };
                silent = if serial.waits() { silent + wait } else { 0 };
            }
            if wait == 0 {
                return None;
            }
            // A key that turns out to be none (Shift) does not begin the time anew.
            if !running {
                self.start_timer(wait);
            }
            running = !self.wait();
            if !running {
                left = left.saturating_sub(wait);
            }
        }
    }
}

impl EfiConsole {
    fn start_timer(&self, milliseconds: u32) {
        const RELATIVE: u32 = 2;
        const UNITS_PER_MILLISECOND: u64 = 10_000;
        let set_timer = self.firmware.boot().set_timer;
        set_timer(self.timer, RELATIVE, u64::from(milliseconds) * UNITS_PER_MILLISECOND);
    }

    /// Waits for the timer or for a key of the firmware's console. Whether it was the timer.
    fn wait(&self) -> bool {
        let boot = self.firmware.boot();
        // SAFETY: the system table is the firmware's.
        let wait_for_key = unsafe { (*(*self.firmware.system).input).wait_for_key };
        let mut signalled = 0;
        (boot.wait_for_event)(2, [self.timer, wait_for_key].as_ptr(), &mut signalled);
        signalled == 0
    }
}
