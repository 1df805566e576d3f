//! ISOLINUX's configuration (SYSLINUX Wiki, "Config" and "Menu"): a directive a line, its keyword in letters of any case.

mod arguments;

use crate::facts::cell::Firmware;
use crate::ground::text;

use super::reading::Reading;
use super::volumes::{File, directory, joined};
use super::{Entry, Loader};

pub(super) use arguments::{arguments, initrds};

/// Ends of names by which `KERNEL` knows programs that are no Linux.
const PROGRAMS: [&str; 7] = [".0", ".bin", ".bs", ".bss", ".com", ".cbt", ".c32"];

/// Reads the configuration that a loader begins with, and those that its entries lead to.
pub(super) fn run(reading: &mut Reading<'_>, file: &File, firmware: Firmware) {
    let mut waiting = vec![(file.clone(), directory(&file.path).to_vec())];
    while let Some((file, directory)) = waiting.pop() {
        // A menu that leads back is one that a person walks through.
        if reading.has_reached(firmware, &file) {
            continue;
        }
        let mut parser = Parser {
            firmware,
            directory,
            label: None,
            append: Vec::new(),
            submenu: Vec::new(),
            config: file.clone(),
            waiting: Vec::new(),
            reading,
        };
        parser.read(&file);
        parser.finish();
        waiting.extend(parser.waiting.into_iter().rev());
    }
}

/// A line of a configuration: the keyword in small letters, and what follows it.
pub(super) fn directive(line: &[u8]) -> Option<(String, &[u8])> {
    let line = line.trim_ascii();
    if line.is_empty() || line.starts_with(b"#") {
        return None;
    }
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let keyword = String::from_utf8_lossy(&line[..end]).to_ascii_lowercase();
    Some((keyword, line[end..].trim_ascii()))
}

/// What is known of an entry.
struct Label {
    name: Vec<u8>,
    title: Option<Vec<u8>>,
    config: File,
    kernel: Option<Vec<u8>>,
    program: Option<Vec<u8>>,
    leads_to: Option<Vec<u8>>,
    action: Option<&'static str>,
    initrd: Option<Vec<u8>>,
    append: Option<Vec<u8>>,
}

struct Parser<'r, 'i> {
    reading: &'r mut Reading<'i>,
    firmware: Firmware,
    /// Names count from here.
    directory: Vec<u8>,
    label: Option<Label>,
    /// For labels that have none.
    append: Vec<u8>,
    submenu: Vec<String>,
    config: File,
    /// Menus that entries lead to, and the directories that their names count from.
    waiting: Vec<(File, Vec<u8>)>,
}

impl Parser<'_, '_> {
    fn read(&mut self, file: &File) {
        let Some(text) = self.reading.open(file, Loader::Syslinux, self.firmware) else {
            return;
        };
        let outer = std::mem::replace(&mut self.config, file.clone());
        let mut is_help = false;
        for line in text.split(|&byte| byte == b'\n') {
            if !self.reading.step(file) {
                break;
            }
            let Some((keyword, value)) = directive(line) else {
                continue;
            };
            match keyword.as_str() {
                "endtext" => is_help = false,
                _ if is_help => {}
                "text" => is_help = value.eq_ignore_ascii_case(b"help"),
                keyword => self.line(keyword, value),
            }
        }
        self.config = outer;
        self.reading.close();
    }

    fn line(&mut self, keyword: &str, value: &[u8]) {
        let first = || value.split(u8::is_ascii_whitespace).next().unwrap_or_default().to_vec();
        match keyword {
            "include" => self.include(&first()),
            "menu" => {
                if let Some((keyword, value)) = directive(value) {
                    self.of_menu(&keyword, value);
                }
            }
            "label" => {
                self.finish();
                self.label = Some(Label {
                    name: value.to_vec(),
                    title: None,
                    config: self.config.clone(),
                    kernel: None,
                    program: None,
                    leads_to: None,
                    action: None,
                    initrd: None,
                    append: None,
                });
            }
            "append" => match &mut self.label {
                Some(label) => label.append = Some(value.to_vec()),
                None => self.append = value.to_vec(),
            },
            _ => self.of_label(keyword, value, first()),
        }
    }

    fn of_label(&mut self, keyword: &str, value: &[u8], first: Vec<u8>) {
        let Some(label) = &mut self.label else {
            return;
        };
        match keyword {
            "linux" => label.kernel = Some(first),
            "kernel" => {
                let lower = String::from_utf8_lossy(&first).to_ascii_lowercase();
                match PROGRAMS.iter().any(|end| lower.ends_with(end)) {
                    true => label.program = Some(first),
                    false => label.kernel = Some(first),
                }
            }
            "boot" | "bss" | "pxe" | "fdimage" | "comboot" | "com32" => label.program = Some(first),
            "config" => label.leads_to = Some(value.to_vec()),
            "localboot" => label.action = Some("next-device"),
            "initrd" => label.initrd = Some(value.to_vec()),
            _ => {}
        }
        // Modules that are actions.
        let name = label
            .program
            .as_deref()
            .and_then(|path| path.rsplit(|&byte| byte == b'/').next());
        label.action = match name {
            Some(b"reboot.c32") => Some("reboot"),
            Some(b"poweroff.c32") => Some("poweroff"),
            _ => label.action,
        };
    }

    fn of_menu(&mut self, keyword: &str, value: &[u8]) {
        match (keyword, &mut self.label) {
            ("include", _) => {
                let path = value.split(u8::is_ascii_whitespace).next().unwrap_or_default().to_vec();
                self.include(&path);
            }
            // `^` marks the key that chooses the entry.
            ("label", Some(label)) => {
                label.title = Some(value.iter().copied().filter(|&byte| byte != b'^').collect());
            }
            ("quit" | "exit" | "goto", Some(label)) => label.action = Some("menu"),
            ("begin", _) => {
                self.finish();
                self.submenu.push(String::from_utf8_lossy(value).into_owned());
            }
            ("end", _) => {
                self.finish();
                self.submenu.pop();
            }
            ("title", None) => {
                let title: Vec<u8> = value.iter().copied().filter(|&byte| byte != b'^').collect();
                if let Some(submenu) = self.submenu.last_mut() {
                    *submenu = String::from_utf8_lossy(&title).into_owned();
                }
            }
            _ => {}
        }
    }

    /// A name as it counts from the current directory. `::` begins one that counts from the root.
    fn file(&self, path: &[u8]) -> File {
        let path = path
            .strip_prefix(b"::")
            .map_or_else(|| joined(&self.directory, path), |path| joined(b"/", path));
        File {
            volume: self.config.volume,
            path,
        }
    }

    fn include(&mut self, path: &[u8]) {
        let file = self.file(path);
        match self.reading.volumes.file(&file) {
            Some(file) => self.read(&file),
            None => {
                let what = format!("includes {}, which is missing", text::visible(path));
                let config = self.config.clone();
                self.reading.note(&config, &what);
            }
        }
    }

    /// Lists the entry that is being read.
    fn finish(&mut self) {
        let Some(label) = self.label.take() else {
            return;
        };
        if let Some(path) = &label.leads_to {
            return self.lead(&label, path);
        }
        let append = match label.append.as_deref() {
            Some(b"-") => Vec::new(),
            Some(append) => append.to_vec(),
            None => self.append.clone(),
        };
        let (arguments, named) = without_initrd(&append);
        let names = label.initrd.clone().or(named).unwrap_or_default();
        let names: Vec<&[u8]> = names
            .split(|&byte| byte == b',')
            .filter(|name| !name.is_empty())
            .collect();
        let is_linux = label.kernel.is_some();
        let files = names.iter().copied().filter(|_| is_linux);
        let files = label
            .kernel
            .iter()
            .chain(&label.program)
            .map(Vec::as_slice)
            .chain(files);
        let there = |path: &[u8]| self.reading.volumes.file(&self.file(path));
        let missing = files.filter(|path| there(path).is_none());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        // From the root, where it is there; modules are found in other ways, too.
        let path = |path: &[u8]| match there(path) {
            Some(_) => text(&self.file(path).path),
            None => text(path),
        };
        let entry = Entry {
            firmware: self.firmware,
            title: text(label.title.as_deref().unwrap_or(&label.name)),
            submenu: self.submenu.clone(),
            config: self.reading.volumes.place(&label.config),
            kernel: label.kernel.as_deref().map(path),
            initrd: names.iter().copied().filter(|_| is_linux).map(path).collect(),
            cmdline: if is_linux { text(&arguments) } else { text(&append) },
            program: label.program.as_deref().map(path),
            action: label.action.map(str::to_owned),
            condition: None,
            loopback: false,
            missing: missing.map(text).collect(),
            kernel_file: label.kernel.as_deref().and_then(there),
            program_file: None,
            is_default: false,
            initrd_files: names.iter().copied().filter(|_| is_linux).filter_map(there).collect(),
        };
        self.reading.add(entry);
    }

    /// `CONFIG`: another menu, and the directory that its names count from.
    fn lead(&mut self, label: &Label, path: &[u8]) {
        let mut words = path.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let path = words.next().unwrap_or_default();
        let file = self.file(path);
        let config = label.config.clone();
        let Some(file) = self.reading.volumes.file(&file) else {
            let what = format!("leads to {}, which is missing", text::visible(path));
            return self.reading.note(&config, &what);
        };
        let directory = words.next().map_or(self.directory.clone(), |path| self.file(path).path);
        self.waiting.push((file, directory));
    }
}

/// The arguments without `initrd=`, and what that names.
fn without_initrd(append: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let words = append.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (named, others): (Vec<&[u8]>, Vec<&[u8]>) = words.partition(|word| word.starts_with(b"initrd="));
    let named = named.last().map(|word| word["initrd=".len()..].to_vec());
    (others.join(&b' '), named)
}
