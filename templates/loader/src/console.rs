//! What the loader asks of a screen and a keyboard.

/// How a piece of text is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Running text.
    Plain,
    /// The bar at the top.
    Title,
    /// The entry that Enter would start.
    Chosen,
    /// Frames and hints.
    Quiet,
    /// What went wrong.
    Alarm,
}

impl Style {
    /// The colours, as a PC's text screen and UEFI (2.10 §12.4.7) number them alike: foreground in the low four bits, background
    /// above.
    pub fn attribute(self) -> u8 {
        match self {
            Self::Plain => 0x07,
            Self::Title => 0x1f,
            Self::Chosen => 0x70,
            Self::Quiet => 0x03,
            Self::Alarm => 0x0e,
        }
    }
}

/// A key, from a keyboard or a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Character(char),
    /// Return.
    Enter,
    /// Escape alone.
    Escape,
    /// Deletes the character before the cursor.
    Backspace,
    /// Deletes the character under the cursor.
    Delete,
    /// Up.
    Up,
    /// Down.
    Down,
    /// Left.
    Left,
    /// Right.
    Right,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
}

/// A text screen with a keyboard. Rows and columns count from 0; a character is a column wide.
pub trait Console {
    /// Columns and rows.
    fn size(&mut self) -> (usize, usize);
    /// Blanks the screen.
    fn clear(&mut self);
    /// Writes `text` at a place. The caller sees to it that it ends before the row does.
    fn put(&mut self, row: usize, column: usize, style: Style, text: &str);
    /// Shows the cursor at a row and column, or hides it.
    fn cursor(&mut self, at: Option<(usize, usize)>);
    /// Waits for a key, at most `milliseconds`. Zero only looks.
    fn key(&mut self, milliseconds: u32) -> Option<Key>;
}
