//! A page of lines that waits when the screen is full.

use crate::console::{Console, Style};
use crate::line::Line;
use crate::menu::{FRAME_ROW, hints, title_bar};

/// A page that is being written.
pub struct Page<'a> {
    title: &'a str,
    row: usize,
}

impl<'a> Page<'a> {
    /// An empty page with a title.
    pub fn new<C: Console + ?Sized>(console: &mut C, title: &'a str) -> Self {
        let mut page = Self { title, row: 0 };
        page.turn(console);
        page
    }

    /// Writes a line. When the screen is full it first waits for a key.
    pub fn line<C: Console + ?Sized>(&mut self, console: &mut C, line: &Line) {
        let (_, rows) = console.size();
        if self.row + 3 >= rows {
            hints(console, "Any key shows the next page");
            while console.key(60_000).is_none() {}
            self.turn(console);
        }
        console.put(self.row, 4, Style::Plain, line.as_str());
        self.row += 1;
    }

    /// Waits until the page has been read.
    pub fn end<C: Console + ?Sized>(self, console: &mut C) {
        hints(console, "Any key goes back to the menu");
        while console.key(60_000).is_none() {}
    }

    fn turn<C: Console + ?Sized>(&mut self, console: &mut C) {
        console.clear();
        console.cursor(None);
        title_bar(console, self.title);
        self.row = FRAME_ROW;
    }
}

/// The rows of a memory map: ranges that adjoin and are alike become one.
#[derive(Default)]
pub struct MemoryPage {
    start: u64,
    end: u64,
    kind: &'static str,
    free: u64,
}

impl MemoryPage {
    /// Takes the next range of the map; `kind` is what it is for, `"free"` what an operating system may use.
    pub fn range<C: Console + ?Sized>(
        &mut self,
        console: &mut C,
        page: &mut Page,
        start: u64,
        end: u64,
        kind: &'static str,
    ) {
        if kind == "free" {
            self.free += end.saturating_sub(start);
        }
        if start == self.end && kind == self.kind {
            self.end = end;
            return;
        }
        self.row(console, page);
        (self.start, self.end, self.kind) = (start, end, kind);
    }

    /// Writes the last row and the sum.
    pub fn end<C: Console + ?Sized>(self, console: &mut C, page: &mut Page) {
        self.row(console, page);
        page.line(console, &Line::of("Free memory   ").size(self.free));
    }

    fn row<C: Console + ?Sized>(&self, console: &mut C, page: &mut Page) {
        if self.end > self.start {
            let line = Line::of("Memory        ").hexadecimal(self.start, 12).text(" - ");
            let line = line.hexadecimal(self.end - 1, 12).text("  ").text(self.kind);
            page.line(console, &line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::Key;
    use crate::testing::Screen;

    #[test]
    fn ranges_that_adjoin_and_are_alike_are_one_row() {
        let mut screen = Screen::new(80, 25, &[Key::Enter]);
        let mut page = Page::new(&mut screen, "This machine");
        let mut rows = MemoryPage::default();
        for (start, end, kind) in [
            (0, 0x8_0000, "free"),
            (0x8_0000, 0xa_0000, "free"),
            (0xf_0000, 0x10_0000, "reserved"),
        ] {
            rows.range(&mut screen, &mut page, start, end, kind);
        }
        rows.end(&mut screen, &mut page);
        page.end(&mut screen);
        let text = screen.text();
        for row in [
            "000000000000 - 00000009ffff  free",
            "0000000f0000 - 0000000fffff  reserved",
            "Free memory   640 KiB",
        ] {
            assert!(text.contains(row), "{text}");
        }
        assert_eq!(text.matches("Memory  ").count(), 2, "{text}");
    }

    #[test]
    fn a_page_waits_when_the_screen_is_full() {
        let mut screen = Screen::new(80, 25, &[Key::Enter, Key::Escape]);
        let mut page = Page::new(&mut screen, "This machine");
        for number in 0..30 {
            page.line(&mut screen, &Line::of("line ").number(number));
        }
        page.end(&mut screen);
        let text = screen.text();
        assert!(text.contains("line 29") && !text.contains("line 3\n"), "{text}");
        assert!(screen.keys.is_empty(), "both keys were waited for");
    }
}
