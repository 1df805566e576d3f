//! The loader's course: menu, start, and the menu again when that has failed.

use crate::console::{Console, Key, Style};
use crate::editor::{Editor, LONGEST};
use crate::line::{Failure, Line, clipped};
use crate::menu::{Choice, List, MOST_ENTRIES, hints, sentence, title_bar};
use crate::menu_file::{Action, Entry, Menu};

/// What the core asks of a front end.
pub trait Platform {
    /// Its screen and keyboard.
    type Console: Console;
    /// Its screen and keyboard.
    fn console(&mut self) -> &mut Self::Console;
    /// Whether this firmware can do what the entry says.
    fn offers(&mut self, entry: &Entry) -> bool;
    /// Loads the entry and starts it. It comes back only with the reason why that was impossible, or when what was
    /// started has returned. Where `quiet`, it writes nothing to the screen.
    fn start(&mut self, entry: &Entry, command_line: &[u8], quiet: bool) -> Failure;
    /// Does what the entry says. It comes back when that is over or impossible.
    fn act(&mut self, action: Action) -> Result<(), Failure>;
}

/// Runs the menu for as long as the loader has the machine.
pub fn run<P: Platform + ?Sized>(platform: &mut P, menu: &Menu) -> ! {
    // A first key that is already there asks for the menu; so does every failure.
    let at_once = menu.timeout() == Some(0) && platform.console().key(0).is_none();
    let mut chosen = once(platform, menu, at_once, None);
    loop {
        chosen = once(platform, menu, false, Some(chosen));
    }
}

/// One choice and what comes of it. The next time the menu begins with the entry that was `last` chosen.
fn once<P: Platform + ?Sized>(platform: &mut P, menu: &Menu, quiet: bool, last: Option<usize>) -> usize {
    let mut title = Line::new().bytes(menu.title());
    if title.as_str().is_empty() {
        title = Line::of("isobuild");
    }
    let mut entries = [Entry::default(); MOST_ENTRIES];
    let (mut count, mut chosen) = (0, 0);
    for (number, entry) in menu.entries().enumerate() {
        if count == MOST_ENTRIES || !platform.offers(&entry) {
            continue;
        }
        if number == menu.default() {
            chosen = count;
        }
        entries[count] = entry;
        count += 1;
    }
    let entries = &entries[..count];
    chosen = last.unwrap_or(chosen);
    let choice = match quiet {
        true => Choice::Start(chosen),
        false => List {
            title: title.as_str(),
            entries,
            chosen,
            timeout: menu.timeout().filter(|&seconds| last.is_none() && seconds > 0),
        }
        .choose(platform.console()),
    };
    let (Choice::Start(number) | Choice::Edit(number)) = choice;
    let result = match entries.get(number) {
        None => Err(Failure::of("The menu has no entry that this machine can start.")),
        Some(entry) => match entry.action() {
            Some(action) => platform.act(action),
            None => start(platform, title.as_str(), entry, choice, quiet),
        },
    };
    if let Err(failure) = result {
        report(
            platform.console(),
            title.as_str(),
            &failure,
            "Enter goes back to the menu",
        );
    }
    number
}

fn start<P: Platform + ?Sized>(
    platform: &mut P,
    title: &str,
    entry: &Entry,
    choice: Choice,
    quiet: bool,
) -> Result<(), Failure> {
    let mut text = [0; LONGEST];
    let mut command_line = entry.command_line();
    if let Choice::Edit(_) = choice {
        if command_line.len() > LONGEST {
            return Err(Failure::of("The command line has ")
                .number(command_line.len() as u64)
                .text(" bytes, and the editor holds ")
                .number(LONGEST as u64)
                .text(": the entry can only be started as it is."));
        }
        let mut editor = Editor::new(command_line);
        if !editor.edit(platform.console(), title, entry.title) {
            return Ok(());
        }
        command_line = editor.text(&mut text);
    }
    if !quiet {
        let console = platform.console();
        console.clear();
        console.cursor(None);
        title_bar(console, title);
        let line = Line::of("Starting ").bytes(entry.title);
        console.put(2, 4, Style::Plain, clipped(line.as_str(), 70));
    }
    Err(platform.start(entry, command_line, quiet))
}

/// Says why something failed, and waits until that has been read; `leads` says what Enter does then.
pub fn report<C: Console + ?Sized>(console: &mut C, title: &str, failure: &Failure, leads: &str) {
    console.clear();
    console.cursor(None);
    title_bar(console, title);
    sentence(console, 3, Style::Alarm, failure.as_str());
    hints(console, leads);
    while !matches!(console.key(60_000), Some(Key::Enter | Key::Escape)) {}
}

/// The sentence for a fault of the loader itself: where it was.
pub fn fault(info: &core::panic::PanicInfo) -> Failure {
    let failure = Failure::of("The loader itself has failed");
    match info.location() {
        Some(place) => failure
            .text(", at line ")
            .number(u64::from(place.line()))
            .text(" of ")
            .text(place.file()),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Screen;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::string::{String, ToString};
    use std::vec::Vec;

    /// A machine that writes down what it is told and fails at everything.
    struct Machine {
        screen: Screen,
        told: Vec<String>,
    }

    impl Console for Machine {
        fn size(&mut self) -> (usize, usize) {
            self.screen.size()
        }
        fn clear(&mut self) {
            self.told.push("clear".to_string());
            self.screen.clear();
        }
        fn put(&mut self, row: usize, column: usize, style: Style, text: &str) {
            self.screen.put(row, column, style, text);
        }
        fn cursor(&mut self, at: Option<(usize, usize)>) {
            self.screen.cursor(at);
        }
        fn key(&mut self, milliseconds: u32) -> Option<Key> {
            let key = self.screen.key(milliseconds);
            assert!(self.screen.waited < 60_000, "the test's keys are over");
            key
        }
    }

    impl Platform for Machine {
        type Console = Self;
        fn console(&mut self) -> &mut Self {
            self
        }
        fn offers(&mut self, entry: &Entry) -> bool {
            entry.bios().is_none()
        }
        fn start(&mut self, entry: &Entry, command_line: &[u8], quiet: bool) -> Failure {
            let line = Line::new()
                .bytes(entry.title)
                .text(if quiet { " quietly: " } else { ": " })
                .bytes(command_line);
            self.told.push(line.as_str().to_string());
            Failure::of("It does not start.")
        }
        fn act(&mut self, action: Action) -> Result<(), Failure> {
            self.told.push(std::format!("{action:?}"));
            Ok(())
        }
    }

    /// Runs a menu until its keys are over; gives what was told besides "clear", and whether the screen was blank at first.
    fn told(menu: &[u8], keys: &[Key]) -> (Vec<String>, String) {
        let mut machine = Machine {
            screen: Screen::new(80, 25, keys),
            told: Vec::new(),
        };
        let ran = catch_unwind(AssertUnwindSafe(|| run(&mut machine, &Menu::new(menu))));
        assert!(ran.is_err());
        (machine.told.clone(), machine.screen.text())
    }

    const MENU: &[u8] =
        b"timeout = 0\ndefault = 2\nentry = Memory\nbios = /m\nentry = Live\nkernel = /k\ncmdline = a\n\
        entry = Off\naction = poweroff\n";

    #[test]
    fn no_time_boots_without_a_flash_of_text() {
        let (told, text) = told(MENU, &[]);
        assert_eq!(told[..2], ["Live quietly: a", "clear"]);
        assert!(text.contains("    It does not start."), "{text}");
    }

    #[test]
    fn a_failure_leads_back_to_the_menu_and_an_edit_counts() {
        // Off, and back; Live, edited, and back; the same entry, not edited after all; Off again.
        let keys = [
            Key::Down,
            Key::Enter,
            Key::Up,
            Key::Character('e'),
            Key::Character('b'),
            Key::Enter,
            Key::Enter,
            Key::Character('e'),
            Key::Escape,
            Key::Down,
            Key::Enter,
        ];
        let (told, _) = told(&MENU[b"timeout = 0\n".len()..], &keys);
        let told: Vec<_> = told.iter().filter(|line| *line != "clear").collect();
        assert_eq!(told, ["PowerOff", "Live: ab", "PowerOff"]);
    }

    #[test]
    fn a_command_line_that_the_editor_would_cut_is_not_edited() {
        let menu = |length: usize| std::format!("entry = Live\nkernel = /k\ncmdline = {}\n", "a".repeat(length));
        let edited = [Key::Character('e'), Key::Enter, Key::Enter, Key::Enter];
        let (first, _) = told(menu(2047).as_bytes(), &edited);
        assert!(first.iter().any(|line| line.starts_with("Live: aaa")));
        let (second, text) = told(menu(2048).as_bytes(), &edited[..1]);
        assert!(!second.iter().any(|line| line.starts_with("Live")), "{second:?}");
        assert!(text.contains("The command line has 2048 bytes"), "{text}");
    }

    #[test]
    fn an_empty_menu_says_so() {
        let (_, text) = told(b"entry = Memory\nbios = /m\n", &[Key::Enter]);
        assert!(text.contains("no entry that this machine can start"), "{text}");
    }
}
