//! The commands that choose a device, set a variable, or lead to another file.

use crate::formats::iso9660::EntryKind;
use crate::ground::text;

use super::condition::{self, Asked};
use super::find::{self, Found};
use super::script::Commands;
use super::shell::{Shell, Value, Waiting};
use super::start::title;
use super::words::Word;
use crate::look::menu::reading::DEPTH;
use crate::look::menu::volumes::File;

impl Shell<'_, '_> {
    pub(super) fn find(&self, path: &[u8]) -> Found {
        find::file(&self.reading.volumes, &self.root(), self.is_chosen, path)
    }

    pub(super) fn simple(&mut self, words: &[Word], block: Option<&Commands>) -> Option<bool> {
        let words: Vec<Value> = words.iter().flat_map(|word| self.words(word)).collect();
        let (command, arguments) = words.split_first()?;
        if let Some(body) = self.functions.get(&command.0).cloned() {
            return self.function(&body, arguments);
        }
        match command.0.as_slice() {
            b"menuentry" | b"submenu" => {
                let title = title(arguments);
                let mut words = arguments.iter().map(|(word, _)| word);
                let id = words.find(|word| *word == b"--id").and_then(|_| words.next());
                self.waiting.push(Waiting {
                    title,
                    id: id.cloned(),
                    is_default: false,
                    is_submenu: command.0 == b"submenu",
                    block: block?.clone(),
                    file: self.file.clone(),
                    doubt: self.doubt.clone(),
                });
                Some(true)
            }
            b"set" => {
                let (assignment, known) = arguments.first()?;
                let (name, value) = assigned(assignment)?;
                self.set(name, (value.to_vec(), *known));
                Some(true)
            }
            b"unset" => {
                let (name, _) = arguments.first()?;
                self.set(name, (Vec::new(), true));
                Some(true)
            }
            b"true" => Some(true),
            b"false" => Some(false),
            b"[" | b"test" => {
                let asked = match arguments {
                    [asked @ .., (end, _)] if end == b"]" => asked,
                    asked => asked,
                };
                condition::test(asked, &mut |path, asked| self.is_there(path, &asked))
            }
            b"source" | b"." | b"configfile" | b"normal" => {
                self.lead(&command.0, arguments.first());
                None
            }
            name if name.starts_with(b"search") => self.search(&words),
            name => match assigned(name).filter(|_| arguments.is_empty()) {
                Some((name, value)) => {
                    let (name, value) = (name.to_vec(), value.to_vec());
                    self.set(&name, (value, command.1));
                    Some(true)
                }
                None => {
                    self.start(&command.0, arguments);
                    None
                }
            },
        }
    }

    fn function(&mut self, body: &Commands, arguments: &[Value]) -> Option<bool> {
        if self.depth >= DEPTH {
            return None;
        }
        self.depth += 1;
        let names: Vec<Vec<u8>> = (1..=arguments.len().min(9))
            .map(|number| number.to_string().into_bytes())
            .collect();
        let outer: Vec<Option<Value>> = names.iter().map(|name| self.variables.remove(name)).collect();
        self.variables
            .extend(names.iter().cloned().zip(arguments.iter().cloned()));
        let status = self.run(body);
        for (name, value) in names.into_iter().zip(outer) {
            match value {
                Some(value) => self.variables.insert(name, value),
                None => self.variables.remove(&name),
            };
        }
        self.depth -= 1;
        status
    }

    fn is_there(&self, path: &[u8], asked: &Asked) -> Option<bool> {
        let place = find::place(&self.reading.volumes, &self.root(), path)?;
        let is_directory = |file: &File| {
            let item = self.reading.volumes.item(file);
            item.map(|item| item.kind == EntryKind::Directory)
        };
        match (asked, self.find(path)) {
            (_, Found::Elsewhere) => None,
            (Asked::File | Asked::There, Found::File(_)) => Some(true),
            (Asked::File, Found::Missing) => Some(false),
            (Asked::There, Found::Missing) => Some(is_directory(&place).is_some()),
            (Asked::Directory, _) => Some(is_directory(&place) == Some(true)),
        }
    }

    /// `source` and `configfile`.
    fn lead(&mut self, command: &[u8], path: Option<&Value>) {
        // `normal` without a path reads the file that GRUB begins with.
        let Some((path, known)) = path else {
            return;
        };
        match self.find(path) {
            Found::File(file) if *known => match command {
                b"source" | b"." => self.read(&file),
                _ => self.menu(&mut |shell| shell.read(&file)),
            },
            Found::Missing if *known && !self.doubt.is_false => {
                let what = format!("leads to {}, which is missing", text::visible(path));
                let file = self.file.clone();
                self.reading.note(&file, &what);
            }
            _ => {}
        }
    }

    fn search(&mut self, words: &[Value]) -> Option<bool> {
        if words.iter().any(|(_, known)| !known) {
            return None;
        }
        let words: Vec<&[u8]> = words.iter().map(|(word, _)| word.as_slice()).collect();
        let search = find::search(&self.reading.volumes, &words);
        match search.device {
            Some(device) => {
                self.set(&search.variable, (device, true));
                Some(true)
            }
            None => {
                let what = format!(
                    "searches for {}, which no volume of the image has",
                    text::visible(&search.wanted)
                );
                let file = self.file.clone();
                if self.doubt.condition.is_none() {
                    self.reading.note(&file, &what);
                }
                Some(false)
            }
        }
    }
}

/// `name=value`
fn assigned(word: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = word.iter().position(|&byte| byte == b'=')?;
    let name = &word[..at];
    let is_name = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    is_name.then_some((name, &word[at + 1..]))
}
