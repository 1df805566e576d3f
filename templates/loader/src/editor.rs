//! The command line's editor.

use crate::console::{Console, Key, Style};
use crate::line::{Line, clipped};
use crate::menu::{FRAME_ROW, hints, title_bar};

/// The longest command line in bytes: one less than the 2048 of Linux on x86 (`COMMAND_LINE_SIZE`).
pub const LONGEST: usize = 2047;

/// The row in which the command line begins.
const FIRST_ROW: usize = FRAME_ROW + 2;

/// A command line that is being edited, by the character.
pub struct Editor {
    characters: [char; LONGEST],
    length: usize,
    cursor: usize,
}

impl Editor {
    /// Takes a command line up. What is not UTF-8 in it becomes `?`, and what is beyond [`LONGEST`] is lost.
    pub fn new(command_line: &[u8]) -> Self {
        let mut editor = Self {
            characters: ['\0'; LONGEST],
            length: 0,
            cursor: 0,
        };
        for piece in command_line.utf8_chunks() {
            piece.valid().chars().for_each(|character| editor.insert(character));
            if !piece.invalid().is_empty() {
                editor.insert('?');
            }
        }
        editor
    }

    /// Writes the command line to `into` and gives its bytes.
    pub fn text<'a>(&self, into: &'a mut [u8; LONGEST]) -> &'a [u8] {
        let mut length = 0;
        for character in &self.characters[..self.length] {
            length += character.encode_utf8(&mut into[length..]).len();
        }
        &into[..length]
    }

    /// Lets the command line be edited; `false` when nothing is to be started.
    pub fn edit<C: Console + ?Sized>(&mut self, console: &mut C, title: &str, entry: &[u8]) -> bool {
        console.clear();
        title_bar(console, title);
        let line = Line::of("The command line of ").bytes(entry);
        console.put(FRAME_ROW, 2, Style::Quiet, clipped(line.as_str(), 70));
        hints(
            console,
            "Enter starts with this command line   Esc goes back to the menu",
        );
        loop {
            self.show(console);
            let Some(key) = console.key(60_000) else { continue };
            match key {
                Key::Enter => return true,
                Key::Escape => return false,
                key => self.press(key),
            }
        }
    }

    fn press(&mut self, key: Key) {
        match key {
            Key::Character(character) if character >= ' ' => self.insert(character),
            Key::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.remove();
            }
            Key::Delete => self.remove(),
            Key::Left => self.cursor = self.cursor.saturating_sub(1),
            Key::Right => self.cursor = (self.cursor + 1).min(self.length),
            Key::Home | Key::PageUp | Key::Up => self.cursor = 0,
            Key::End | Key::PageDown | Key::Down => self.cursor = self.length,
            _ => {}
        }
    }

    fn insert(&mut self, character: char) {
        let bytes: usize = self.characters[..self.length].iter().map(|c| c.len_utf8()).sum();
        if bytes + character.len_utf8() > LONGEST {
            return;
        }
        self.characters.copy_within(self.cursor..self.length, self.cursor + 1);
        self.characters[self.cursor] = character;
        self.length += 1;
        self.cursor += 1;
    }

    fn remove(&mut self) {
        if self.cursor < self.length {
            self.characters.copy_within(self.cursor + 1..self.length, self.cursor);
            self.length -= 1;
        }
    }

    /// Shows the part around the cursor, in rows.
    fn show<C: Console + ?Sized>(&self, console: &mut C) {
        let (columns, rows) = console.size();
        let width = columns.saturating_sub(4).clamp(1, MOST_COLUMNS);
        let height = rows.saturating_sub(FIRST_ROW + 4).max(1);
        let first = (self.cursor / width).saturating_sub(height - 1);
        for row in 0..height {
            let start = ((first + row) * width).min(self.length);
            let end = (start + width).min(self.length);
            let mut text = [b' '; 4 * MOST_COLUMNS];
            let mut length = 0;
            for character in &self.characters[start..end] {
                length += character.encode_utf8(&mut text[length..]).len();
            }
            // The spaces that follow wipe what stood there.
            let filled = length + width - (end - start);
            let text = core::str::from_utf8(&text[..filled]).unwrap_or("");
            console.put(FIRST_ROW + row, 2, Style::Plain, text);
        }
        console.cursor(Some((FIRST_ROW + self.cursor / width - first, 2 + self.cursor % width)));
    }
}

/// Wider screens are not used to their full width.
const MOST_COLUMNS: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Screen;

    fn edited(before: &[u8], keys: &[Key]) -> (bool, std::string::String) {
        let mut screen = Screen::new(80, 25, keys);
        let mut editor = Editor::new(before);
        let done = editor.edit(&mut screen, "ACME", b"Install");
        let mut text = [0; LONGEST];
        (done, std::str::from_utf8(editor.text(&mut text)).unwrap().into())
    }

    #[test]
    fn a_command_line_is_edited_by_the_character() {
        use Key::*;
        let keys = [
            Character('x'),
            Left,
            Left,
            Backspace,
            Home,
            Delete,
            Character('é'),
            End,
            Character('!'),
            Enter,
        ];
        // quiété| quiétéx| quiét|éx quié|éx (Backspace) |quiééx |uiééx é|uiééx éuiééx!
        assert_eq!(edited("quiété".as_bytes(), &keys), (true, "éuiééx!".into()));
    }

    #[test]
    fn nothing_grows_beyond_what_the_kernel_takes() {
        let long = [b'a'; LONGEST + 50];
        let (done, text) = edited(
            &long,
            &[Key::Character('b'), Key::Home, Key::Character('c'), Key::Enter],
        );
        assert_eq!((done, text.len()), (true, LONGEST));
        assert!(!edited(b"x", &[Key::Escape]).0);
    }
}
