//! The arguments of kernels in a script, as they are written.

use super::script::{Command, Commands, parse};
use super::words::{Part, Word};
use crate::look::menu::arguments::Arguments;

/// Commands that take a Linux kernel and its arguments. What begins with such a word in a variable is one too.
const LINUX: [&[u8]; 3] = [b"linux", b"linuxefi", b"linux16"];

/// The arguments of every kernel in the script, in each branch and each function.
pub(in crate::look::menu) fn arguments(text: &[u8]) -> Vec<Arguments> {
    let mut found = Vec::new();
    below(&parse(text).commands, &[], &mut found);
    found
}

fn below(commands: &Commands, titles: &[String], found: &mut Vec<Arguments>) {
    for command in commands.iter() {
        match command {
            Command::Simple { words, block: None } => found.extend(kernel(words, titles)),
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
    let is_linux = match command.parts.as_slice() {
        [Part::Text(text)] => LINUX.contains(&text.as_slice()),
        [Part::Variable { name, .. }] => name.starts_with(b"linux"),
        _ => false,
    };
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
