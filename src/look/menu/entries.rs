//! systemd-boot's entries (UAPI.1, Boot Loader Specification, "Type #1"): a key and a value a line.

use crate::facts::cell::Firmware;

use super::arguments::{Arguments, lines, words};
use super::initrds::{self, Initrds};
use super::reading::Reading;
use super::volumes::File;
use super::{Entry, Loader};

/// Reads one entry.
pub(super) fn run(reading: &mut Reading<'_>, file: &File, firmware: Firmware) {
    let Some(text) = reading.open(file, Loader::SystemdBoot, firmware) else {
        return;
    };
    reading.close();
    let lines = text.split(|&byte| byte == b'\n').filter_map(pair);
    let lines: Vec<(String, String)> = lines.map(|(key, value)| (key, unquoted(value))).collect();
    let all = |key: &str| -> Vec<String> {
        let values = lines.iter().filter(|(name, _)| name == key);
        values.map(|(_, value)| value.clone()).collect()
    };
    let first = |key: &str| all(key).into_iter().next();
    // systemd-boot hides entries for other processors.
    if first("architecture").is_some_and(|machine| !machine.eq_ignore_ascii_case(own_machine(firmware))) {
        return;
    }
    let kernel = first("linux");
    let program = first("efi").or_else(|| first("uki")).filter(|_| kernel.is_none());
    let initrd = all("initrd");
    let name = file.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let id = String::from_utf8_lossy(name);
    let name = id.strip_suffix(".conf").unwrap_or(&id).to_owned();
    let found = |path: &String| reading.volumes.beside(file, path);
    let missing = kernel.iter().chain(&program).chain(&initrd);
    let missing = missing.filter(|path| found(path).is_none());
    let entry = Entry {
        firmware,
        title: first("title").unwrap_or(name),
        submenu: Vec::new(),
        config: reading.volumes.place(file),
        missing: missing.cloned().collect(),
        kernel_file: kernel.as_ref().and_then(found),
        program_file: program.as_ref().and_then(found),
        is_default: is_default(reading, file, &id),
        initrd_files: initrd.iter().filter_map(found).collect(),
        cmdline: all("options").join(" "),
        kernel,
        initrd,
        program,
        action: None,
        condition: None,
        loopback: false,
    };
    reading.add(entry);
}

/// The word for the processor in `architecture`.
pub(super) fn own_machine(firmware: Firmware) -> &'static str {
    match firmware {
        Firmware::UefiIa32 => "ia32",
        Firmware::UefiAa64 => "aa64",
        _ => "x64",
    }
}

/// Whether `default` in `loader.conf` matches the id of an entry in the volume of `file`. It is an id or a pattern.
pub(super) fn is_default(reading: &Reading<'_>, file: &File, name: &str) -> bool {
    let Some(config) = reading.volumes.beside(file, "/loader/loader.conf") else {
        return false;
    };
    let text = reading.volumes.text(&config).unwrap_or_default();
    let mut values = text.split(|&byte| byte == b'\n').filter_map(pair);
    let pattern = values
        .find(|(key, _)| key == "default")
        .map(|(_, value)| unquoted(value));
    let matcher = pattern.and_then(|pattern| globset::Glob::new(&pattern).ok());
    matcher.is_some_and(|glob| glob.compile_matcher().is_match(name))
}

/// systemd-boot takes away a quotation mark at the beginning of a value and one at its end.
pub(super) fn unquoted(value: String) -> String {
    let inside = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside.map_or_else(|| value.clone(), str::to_owned)
}

/// Key and value of a line.
fn pair(line: &[u8]) -> Option<(String, String)> {
    let line = line.trim_ascii();
    let end = line.iter().position(u8::is_ascii_whitespace)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.trim_ascii()).into_owned();
    (!line.starts_with(b"#")).then(|| (text(&line[..end]), text(&line[end..])))
}

/// The arguments of the kernel in an entry: each line `options` has some.
pub(super) fn arguments(text: &[u8]) -> Vec<Arguments> {
    let mut found = Arguments {
        titles: Vec::new(),
        kernel: String::new(),
        words: Vec::new(),
        free: text.len()..text.len(),
        lead: "\noptions ".into(),
    };
    for (start, line) in lines(text) {
        let Some((key, value)) = pair(line) else {
            continue;
        };
        match key.as_str() {
            "title" => found.titles = vec![value],
            "linux" => {
                found.kernel = value;
                // A line of its own, unless there is one.
                if found.words.is_empty() {
                    let end = start + line.len();
                    found.free = end..end;
                }
            }
            "options" => {
                let at = line.iter().take_while(|byte| byte.is_ascii_whitespace()).count() + key.len();
                found.words.extend(words(&line[at..], start + at));
            }
            _ => {}
        }
    }
    let has_kernel = !found.kernel.is_empty();
    has_kernel.then_some(found).into_iter().collect()
}

/// The last line `initrd` of an entry.
pub(super) fn initrds(text: &[u8]) -> Vec<Initrds> {
    let titles = arguments(text).into_iter().next().map(|arguments| arguments.titles);
    let mut last = None;
    for (start, line) in lines(text) {
        if let Some((_, value)) = pair(line).filter(|(key, _)| key == "initrd") {
            last = Some(Initrds {
                titles: titles.clone().unwrap_or_default(),
                end: start + line.len(),
                before: format!("\ninitrd {}", initrds::directory(&value)),
                after: "",
            });
        }
    }
    last.into_iter().collect()
}
