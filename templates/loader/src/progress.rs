//! Reading a large file, and the line that shows how far it has come.

use crate::console::{Console, Style};
use crate::disk::Disk;
use crate::line::{Failure, Line};
use crate::menu::FRAME_ROW;

/// Files below this are read before anybody looks.
const SMALL: u64 = 4 << 20;

/// How wide the bar is, in columns.
const WIDTH: u64 = 40;

/// Files are read in parts of this size, so that the bar moves.
const PART: usize = 1 << 20;

/// How far the loading of one entry has come.
#[derive(Clone, Copy)]
pub struct Progress {
    total: u64,
    done: u64,
    shown: Option<u64>,
    quiet: bool,
}

impl Progress {
    /// Progress over `total` bytes. A quiet one shows nothing.
    pub fn new(total: u64, quiet: bool) -> Self {
        Self {
            total,
            done: 0,
            shown: None,
            quiet: quiet || total < SMALL,
        }
    }

    /// Counts bytes that have been read, and shows them when the bar grows by it.
    pub fn advance<C: Console + ?Sized>(&mut self, console: &mut C, bytes: u64) {
        self.done += bytes;
        let filled = (self.done.min(self.total) * WIDTH).checked_div(self.total).unwrap_or(0);
        if self.quiet || self.shown == Some(filled) {
            return;
        }
        self.shown = Some(filled);
        let mut line = Line::new();
        for column in 0..WIDTH {
            line = line.character(if column < filled { '█' } else { '░' });
        }
        let line = line.text("  ").size(self.done).text(" of ").size(self.total).text("  ");
        console.put(FRAME_ROW + 2, 4, Style::Plain, line.as_str());
    }
}

/// Fills `into` with what begins at `offset` of the medium.
///
/// # Errors
/// The medium has failed.
pub fn load<D: Disk + ?Sized, C: Console + ?Sized>(
    disk: &mut D,
    console: &mut C,
    progress: &mut Progress,
    offset: u64,
    into: &mut [u8],
) -> Result<(), Failure> {
    let mut offset = offset;
    for part in into.chunks_mut(PART) {
        disk.read(offset, part)?;
        offset += part.len() as u64;
        progress.advance(console, part.len() as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso9660::find;
    use crate::testing::{Screen, Volume};

    #[test]
    fn a_large_file_shows_how_far_it_has_come() {
        let mut screen = Screen::new(80, 25, &[]);
        let mut progress = Progress::new(80 << 20, false);
        for _ in 0..60 {
            progress.advance(&mut screen, 1 << 20);
        }
        assert!(
            screen.text().contains("███░░░░░░░░░░  60 MiB of 80 MiB"),
            "{}",
            screen.text()
        );
        assert!(
            screen.puts <= WIDTH as usize,
            "the screen is slow: one text per column of the bar"
        );
    }

    #[test]
    fn small_files_and_quiet_starts_show_nothing() {
        let mut screen = Screen::new(80, 25, &[]);
        for (total, quiet) in [(SMALL - 1, false), (80 << 20, true)] {
            Progress::new(total, quiet).advance(&mut screen, total);
        }
        assert_eq!(screen.puts, 0);
    }

    #[test]
    fn a_file_is_loaded_in_parts_and_shows_its_end() {
        let content: std::vec::Vec<u8> = (0..5 * PART + 7).map(|n| (n % 251) as u8).collect();
        let mut volume = Volume::new(&[("f", &content)]);
        let file = find(&mut volume, b"/f").unwrap();
        let mut screen = Screen::new(80, 25, &[]);
        let mut progress = Progress::new(file.length, false);
        let mut read = std::vec![0; content.len()];
        load(&mut volume, &mut screen, &mut progress, file.offset, &mut read).unwrap();
        assert!(read == content);
        assert!(screen.text().contains("█  5120 KiB of 5120 KiB"), "{}", screen.text());
        volume.broken_from = file.offset + 2 * PART as u64;
        assert!(load(&mut volume, &mut screen, &mut progress, file.offset, &mut read).is_err());
    }
}
