//! The menu on the screen.

use crate::console::{Console, Key, Style};
use crate::line::{Line, clipped};
use crate::menu_file::Entry;

/// The most entries that a menu shows.
pub const MOST_ENTRIES: usize = 64;

/// The row under the title bar where the page's own matter begins.
pub(crate) const FRAME_ROW: usize = 2;

/// What was chosen: an entry by its number from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Start it.
    Start(usize),
    /// Edit its command line first.
    Edit(usize),
}

/// A menu about to be shown.
pub struct List<'a> {
    /// What stands over it.
    pub title: &'a str,
    /// What there is to choose from.
    pub entries: &'a [Entry<'a>],
    /// The entry that is highlighted at first.
    pub chosen: usize,
    /// Seconds until it starts by itself; `None` waits for ever.
    pub timeout: Option<u32>,
}

impl List<'_> {
    /// Shows the menu until something is chosen.
    pub fn choose<C: Console + ?Sized>(&self, console: &mut C) -> Choice {
        let last = self.entries.len().saturating_sub(1);
        let mut chosen = self.chosen.min(last);
        let mut left = self.timeout;
        console.clear();
        console.cursor(None);
        title_bar(console, self.title);
        let (_, rows) = console.size();
        let room = rows.saturating_sub(FRAME_ROW + 7).clamp(1, MOST_ENTRIES);
        let shown = room.min(self.entries.len());
        loop {
            self.show(console, chosen, shown);
            self.count_down(console, chosen, left, FRAME_ROW + 3 + shown);
            let Some(key) = console.key(1000) else {
                left = match left {
                    Some(0 | 1) => return Choice::Start(chosen),
                    Some(seconds) => Some(seconds - 1),
                    None => None,
                };
                continue;
            };
            // Whoever presses a key wants to look: the countdown is over.
            left = None;
            match key {
                Key::Enter => return Choice::Start(chosen),
                Key::Character('e' | 'E') if self.entries.get(chosen).is_some_and(Entry::is_editable) => {
                    return Choice::Edit(chosen);
                }
                Key::Up => chosen = chosen.saturating_sub(1),
                Key::Down => chosen = (chosen + 1).min(last),
                Key::Home => chosen = 0,
                Key::End => chosen = last,
                Key::PageUp => chosen = chosen.saturating_sub(room),
                Key::PageDown => chosen = (chosen + room).min(last),
                Key::Character(digit @ '1'..='9') => chosen = (digit as usize - '1' as usize).min(last),
                _ => {}
            }
        }
    }

    /// Draws the frame with as many entries around the chosen one as are `shown`.
    fn show<C: Console + ?Sized>(&self, console: &mut C, chosen: usize, shown: usize) {
        let (columns, _) = console.size();
        let width = columns.saturating_sub(8).min(72);
        let first = (chosen + 1).saturating_sub(shown);
        let more = |more: bool| if more { "..." } else { "───" };
        edge(console, FRAME_ROW, width, '┌', more(first > 0), '┐');
        for (row, entry) in self.entries.iter().skip(first).take(shown).enumerate() {
            let (style, mark) = match first + row == chosen {
                true => (Style::Chosen, " > "),
                false => (Style::Plain, "   "),
            };
            let row = FRAME_ROW + 1 + row;
            let title = Line::new().bytes(entry.title);
            let text = Line::of(mark).text(clipped(title.as_str(), width - 4)).filled(width);
            console.put(row, 3, Style::Quiet, "│");
            console.put(row, 4, style, text.as_str());
            console.put(row, 4 + width, Style::Quiet, "│");
        }
        edge(
            console,
            FRAME_ROW + 1 + shown,
            width,
            '└',
            more(first + shown < self.entries.len()),
            '┘',
        );
        let editable = self.entries.get(chosen).is_some_and(Entry::is_editable);
        hints(
            console,
            match editable {
                true => "Up and Down choose   Enter starts   e edits the command line",
                false => "Up and Down choose   Enter starts",
            },
        );
    }

    fn count_down<C: Console + ?Sized>(&self, console: &mut C, chosen: usize, left: Option<u32>, row: usize) {
        let (columns, _) = console.size();
        let text = match (left, self.entries.get(chosen)) {
            (Some(seconds), Some(entry)) => {
                let title = Line::new().bytes(entry.title);
                let line = Line::of(clipped(title.as_str(), 40)).text(" starts in ");
                line.number(u64::from(seconds)).text(" s")
            }
            _ => Line::new(),
        };
        let width = columns.saturating_sub(8).min(60);
        console.put(row, 4, Style::Plain, text.filled(width).as_str());
    }
}

fn edge<C: Console + ?Sized>(console: &mut C, row: usize, width: usize, left: char, more: &str, right: char) {
    let mut line = Line::new().character(left);
    for _ in 0..width - 5 {
        line = line.character('─');
    }
    let line = line.text(more).text("──").character(right);
    console.put(row, 3, Style::Quiet, line.as_str());
}

/// The bar at the top, with the title.
pub(crate) fn title_bar<C: Console + ?Sized>(console: &mut C, title: &str) {
    let (columns, _) = console.size();
    let columns = columns.min(crate::line::CAPACITY);
    let title = Line::of("  ").text(clipped(title, columns.saturating_sub(4)));
    console.put(0, 0, Style::Title, title.filled(columns).as_str());
}

/// The row at the bottom that names the keys.
pub(crate) fn hints<C: Console + ?Sized>(console: &mut C, text: &str) {
    let (columns, rows) = console.size();
    let text = Line::of(clipped(text, columns.saturating_sub(5))).filled(columns.saturating_sub(5).min(70));
    console.put(rows.saturating_sub(2), 4, Style::Quiet, text.as_str());
}

/// Says a sentence in full, over as many rows as it needs, and gives the row behind it.
pub(crate) fn sentence<C: Console + ?Sized>(console: &mut C, row: usize, style: Style, text: &str) -> usize {
    let (columns, _) = console.size();
    let width = columns.saturating_sub(8).max(10);
    let mut rest = text;
    let mut row = row;
    while !rest.is_empty() {
        let part = clipped(rest, width);
        let end = match part.len() < rest.len() {
            true => part.rfind(' ').map_or(part.len(), |space| space + 1),
            false => part.len(),
        };
        console.put(row, 4, style, rest[..end].trim_end());
        rest = &rest[end..];
        row += 1;
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::menu_file::Menu;
    use crate::testing::Screen;
    use std::string::String;
    use std::vec::Vec;

    /// The second of them has no command line.
    fn file(count: usize) -> String {
        let entry = |number| match number {
            2 => String::from("entry = Entry 2\naction = reboot\n"),
            _ => std::format!("entry = Entry {number}\nkernel = /k\n"),
        };
        (1..=count).map(entry).collect()
    }

    fn list<'a>(entries: &'a [Entry<'a>], timeout: Option<u32>) -> List<'a> {
        List {
            title: "ACME 1.4",
            entries,
            chosen: 0,
            timeout,
        }
    }

    #[test]
    fn a_menu_that_nobody_touches_starts_its_default_after_the_time() {
        let file = file(3);
        let entries: Vec<_> = Menu::new(file.as_bytes()).entries().collect();
        let mut screen = Screen::new(80, 25, &[]);
        let menu = List {
            chosen: 1,
            ..list(&entries, Some(3))
        };
        assert_eq!(menu.choose(&mut screen), Choice::Start(1));
        assert_eq!(screen.waited, 3000);
        let text = screen.text();
        assert!(text.starts_with("  ACME 1.4"), "{text}");
        assert!(text.contains("│   Entry 1 ") && text.contains("│ > Entry 2 "), "{text}");
        assert!(text.contains("Entry 2 starts in 1 s"), "{text}");
    }

    #[test]
    fn keys_choose_and_a_key_stops_the_countdown() {
        use Key::*;
        let file = file(5);
        let entries: Vec<_> = Menu::new(file.as_bytes()).entries().collect();
        for (keys, choice) in [
            (&[Down, Down, Enter][..], Choice::Start(2)),
            (&[Up, Enter], Choice::Start(0)),
            (&[End, Up, Character('e')], Choice::Edit(3)),
            (&[Down, Character('e'), Character('4'), Enter], Choice::Start(3)),
            (&[PageDown, PageUp, Character('9'), Home, Enter], Choice::Start(0)),
        ] {
            let mut screen = Screen::new(80, 25, keys);
            assert_eq!(list(&entries, Some(1)).choose(&mut screen), choice, "{keys:?}");
            assert!(!screen.text().contains("starts in"), "{}", screen.text());
        }
    }

    #[test]
    fn more_entries_than_rows_move_past() {
        let file = file(60);
        let entries: Vec<_> = Menu::new(file.as_bytes()).entries().collect();
        let mut screen = Screen::new(80, 25, &[Key::End, Key::Enter]);
        assert_eq!(list(&entries, None).choose(&mut screen), Choice::Start(59));
        let text = screen.text();
        assert!(
            text.contains(" > Entry 60") && text.contains("...──┐") && !text.contains("...──┘"),
            "{text}"
        );
    }

    #[test]
    fn a_long_sentence_breaks_between_words() {
        let mut screen = Screen::new(40, 10, &[]);
        let text = "The boot medium cannot be read at byte 1234567890, whatever was tried.";
        assert_eq!(sentence(&mut screen, 2, Style::Alarm, text), 5);
        assert!(
            screen
                .text()
                .contains("    The boot medium cannot be read\n    at byte"),
            "{}",
            screen.text()
        );
    }
}
