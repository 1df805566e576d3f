//! The built-in loader's menu file.

use crate::facts::cell::Firmware;
use crate::facts::menu_file;

use super::arguments::{Arguments, lines, words};
use super::initrds::{self, Initrds};
use super::reading::Reading;
use super::volumes::File;
use super::{Entry, Loader};

/// Reads the menu as the loader shows it under one firmware.
pub(super) fn run(reading: &mut Reading<'_>, file: &File, firmware: Firmware) {
    let Some(text) = reading.open(file, Loader::Builtin, firmware) else {
        return;
    };
    reading.close();
    if text.len() > menu_file::LARGEST {
        return reading.note(file, "is longer than the 64 KiB that the loader reads");
    }
    let default = menu_file::default(&text);
    for (number, lines) in (1..).zip(menu_file::entries(&text)) {
        let all = |key: &str| -> Vec<String> {
            let values = lines.iter().filter(|(name, _)| *name == key.as_bytes());
            values
                .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
                .collect()
        };
        let value = |key: &str| all(key).into_iter().next();
        let for_all = value("firmware").is_none_or(|words| words.split(' ').any(|word| word == firmware.name()));
        let program = match firmware {
            Firmware::Bios => value("bios"),
            Firmware::UefiIa32 => value("efi-ia32").or_else(|| value("efi")),
            Firmware::UefiAa64 => value("efi-aa64").or_else(|| value("efi")),
            _ => value("efi-x64").or_else(|| value("efi")),
        };
        // Under UEFI the program holds the kernel, its initrds and its command line.
        let is_unified = program.is_some() && firmware != Firmware::Bios;
        let kernel = value("kernel").filter(|_| !is_unified);
        let is_of_kernel = is_unified && value("kernel").is_some();
        let action = value("action");
        if !for_all || (kernel.is_none() && action.is_none() && program.is_none()) {
            continue;
        }
        let initrd = if is_of_kernel { Vec::new() } else { all("initrd") };
        let found = |path: &String| reading.volumes.beside(file, path);
        let missing = kernel.iter().chain(&program).chain(&initrd);
        let missing = missing.filter(|path| found(path).is_none());
        let entry = Entry {
            firmware,
            title: value("entry").unwrap_or_default(),
            submenu: Vec::new(),
            config: reading.volumes.place(file),
            missing: missing.cloned().collect(),
            kernel_file: kernel.as_ref().and_then(found),
            program_file: program.as_ref().and_then(found),
            is_default: number == default,
            initrd_files: initrd.iter().filter_map(found).collect(),
            cmdline: value("cmdline").filter(|_| !is_of_kernel).unwrap_or_default(),
            kernel,
            initrd,
            program,
            action,
            condition: None,
            loopback: false,
        };
        reading.add(entry);
    }
}

/// The arguments of each entry's kernel.
pub(super) fn arguments(text: &[u8]) -> Vec<Arguments> {
    let mut found: Vec<Arguments> = Vec::new();
    for (start, line) in lines(text) {
        let Some((key, value)) = menu_file::pair(line) else {
            continue;
        };
        let value = || String::from_utf8_lossy(value).into_owned();
        match (key, found.last_mut()) {
            (b"entry", _) => found.push(Arguments {
                titles: vec![value()],
                kernel: String::new(),
                words: Vec::new(),
                free: 0..0,
                lead: "\ncmdline = ".into(),
            }),
            (b"kernel", Some(entry)) => {
                entry.kernel = value();
                let end = start + line.len();
                entry.free = end..end;
            }
            (b"cmdline", Some(entry)) => {
                let at = line.iter().position(|&byte| byte == b'=').map_or(0, |at| at + 1);
                entry.words = words(&line[at..], start + at);
                // An empty line of arguments is filled.
                (entry.free, entry.lead) = (start + at..start + at, " ".into());
            }
            _ => {}
        }
    }
    found.retain(|entry| !entry.kernel.is_empty());
    found
}

/// The last line `initrd` of each entry.
pub(super) fn initrds(text: &[u8]) -> Vec<Initrds> {
    let mut found: Vec<Initrds> = Vec::new();
    let mut title = String::new();
    let mut is_first = true;
    for (start, line) in lines(text) {
        let Some((key, value)) = menu_file::pair(line) else {
            continue;
        };
        let value = String::from_utf8_lossy(value).into_owned();
        match key {
            b"entry" => (title, is_first) = (value, true),
            b"initrd" => {
                if !is_first {
                    found.pop();
                }
                is_first = false;
                found.push(Initrds {
                    titles: vec![title.clone()],
                    end: start + line.len(),
                    before: format!("\ninitrd = {}", initrds::directory(&value)),
                    after: "",
                });
            }
            _ => {}
        }
    }
    found
}
