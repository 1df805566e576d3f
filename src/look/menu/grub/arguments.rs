//! The arguments of kernels in a script, as they are written.

use super::script::{Command, Commands, parse};
use super::words::{Part, Word};
use crate::look::menu::arguments::Arguments;
use crate::look::menu::initrds::{self, Initrds};

/// Commands that take a Linux kernel and its arguments. What begins with such a word in a variable is one too.
const LINUX: [&[u8]; 3] = [b"linux", b"linuxefi", b"linux16"];

/// Commands that take its initrds.
const INITRD: [&[u8]; 3] = [b"initrd", b"initrdefi", b"initrd16"];

/// The arguments of every kernel in the script, in each branch and each function.
pub(in crate::look::menu) fn arguments(text: &[u8]) -> Vec<Arguments> {
    let mut found = Vec::new();
    below(&parse(text).commands, &[], &mut |words, titles| {
        found.extend(kernel(words, titles))
    });
    found
}

/// The initrds of every kernel in the script.
pub(in crate::look::menu) fn initrds(text: &[u8]) -> Vec<Initrds> {
    let mut found = Vec::new();
    below(&parse(text).commands, &[], &mut |words, titles| {
        found.extend(last_initrd(text, words, titles))
    });
    found
}

/// Looks at every command, with the titles of the menus and the entry that it is in.
fn below(commands: &Commands, titles: &[String], found: &mut dyn FnMut(&[Word], &[String])) {
    for command in commands.iter() {
        match command {
            Command::Simple { words, block: None } => found(words, titles),
            Command::Simple {
                words,
                block: Some(block),
            } => {
                let mut titles = titles.to_vec();
                titles.extend(title(words));
                below(block, &titles, found);
            }
            Command::If { branches, otherwise } => {
                for (_, body) in branches {
                    below(body, titles, found);
                }
                below(otherwise, titles, found);
            }
            Command::For { body, .. } | Command::Loop { body } | Command::Function { body, .. } => {
                below(body, titles, found)
            }
        }
    }
}

/// `linux KERNEL ARGUMENT...`
fn kernel(words: &[Word], titles: &[String]) -> Option<Arguments> {
    let (command, arguments) = words.split_first()?;
    let is_linux = is_one(command, &LINUX);
    let options = arguments
        .iter()
        .take_while(|word| word.plain().is_some_and(|text| text.starts_with(b"--")))
        .count();
    let (kernel, arguments) = arguments.get(options..)?.split_first()?;
    is_linux.then(|| Arguments {
        titles: titles.to_vec(),
        kernel: shown(kernel),
        words: arguments
            .iter()
            .map(|word| {
                let plain = word.plain().map(|text| String::from_utf8_lossy(text).into_owned());
                (word.place.clone(), plain)
            })
            .collect(),
        free: kernel.place.end..kernel.place.end,
        lead: " ".into(),
    })
}

/// Whether a command is one of these, or a variable whose name begins as the first of them.
fn is_one(command: &Word, names: &[&[u8]]) -> bool {
    match command.parts.as_slice() {
        [Part::Text(text)] => names.contains(&text.as_slice()),
        [Part::Variable { name, .. }] => names.first().is_some_and(|first| name.starts_with(first)),
        _ => false,
    }
}

/// `initrd FILE...`
fn last_initrd(text: &[u8], words: &[Word], titles: &[String]) -> Option<Initrds> {
    let (command, files) = words.split_first()?;
    let last = files.last().filter(|_| is_one(command, &INITRD))?;
    let written = String::from_utf8_lossy(text.get(last.place.clone())?).into_owned();
    // A quote that is still open behind the last slash is closed behind the new name.
    let directory = initrds::directory(&written);
    if directory.is_empty() {
        // The whole path is in a variable.
        return None;
    }
    let is_open = |quote: char| directory.matches(quote).count() % 2 == 1;
    let after = match (is_open('"'), is_open('\'')) {
        (true, _) => "\"",
        (_, true) => "'",
        _ => "",
    };
    Some(Initrds {
        titles: titles.to_vec(),
        end: last.place.end,
        before: format!(" {directory}"),
        after,
    })
}

/// What `menuentry` and `submenu` show.
fn title(words: &[Word]) -> Option<String> {
    let (command, arguments) = words.split_first()?;
    let is_entry = matches!(command.plain(), Some(b"menuentry" | b"submenu"));
    let values: Vec<(Vec<u8>, bool)> = arguments.iter().map(|word| (shown(word).into_bytes(), true)).collect();
    is_entry.then(|| String::from_utf8_lossy(&super::start::title(&values)).into_owned())
}

/// A word with its variables by their names.
fn shown(word: &Word) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Part::Variable { name, .. } => format!("${{{}}}", String::from_utf8_lossy(name)),
    };
    word.parts.iter().map(part).collect()
}

/// A word that GRUB reads as this argument. Quotes around a value with blanks go: GRUB puts the whole argument in quotes, and the kernel
/// takes that for the same.
pub(in crate::look::menu) fn quoted(argument: &str) -> String {
    let plain = argument.replace('"', "");
    if plain.contains(' ') {
        let escaped = plain.replace('\\', "\\\\").replace('$', "\\$");
        return format!("\"{escaped}\"");
    }
    let mut word = String::with_capacity(plain.len());
    for (at, letter) in plain.chars().enumerate() {
        if "\\;$'{}|&<>".contains(letter) || (letter == '#' && at == 0) {
            word.push('\\');
        }
        word.push(letter);
    }
    word
}
