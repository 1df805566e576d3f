//! FreeBSD's `loader.conf` (loader.conf(5)): a variable a line. The kernel's environment is what other systems call its arguments.

use crate::facts::cell::Firmware;

use super::arguments::{Arguments, lines};
use super::reading::Reading;
use super::volumes::{File, joined};
use super::{Entry, Loader};

/// Reads the one entry that the loader starts by itself.
pub(super) fn run(reading: &mut Reading<'_>, file: &File, firmware: Firmware) {
    let Some(text) = reading.open(file, Loader::Freebsd, firmware) else {
        return;
    };
    reading.close();
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.filter(|line| !line.starts_with(b"#") && line.contains(&b'='));
    let lines: Vec<String> = lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let value = |name: &str| {
        let mut lines = lines.iter().rev();
        let value = lines.find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='))?;
        Some(value.trim().trim_matches('"').to_owned())
    };
    let kernel = value("kernel").unwrap_or_else(|| "kernel".into());
    let kernel = format!("/boot/{kernel}/kernel");
    let wanted = |path: Vec<u8>| File {
        volume: file.volume,
        path,
    };
    let is_there = |path: &str| {
        let path = joined(b"/", path.as_bytes());
        // A kernel may be compressed.
        let compressed = [path.as_slice(), b".gz"].concat();
        [path, compressed]
            .into_iter()
            .any(|path| reading.volumes.file(&wanted(path)).is_some())
    };
    let missing: Vec<String> = (!is_there(&kernel)).then(|| kernel.clone()).into_iter().collect();
    let entry = Entry {
        firmware,
        title: "FreeBSD".into(),
        submenu: Vec::new(),
        config: reading.volumes.place(file),
        kernel: Some(kernel),
        initrd: Vec::new(),
        cmdline: lines.join(" "),
        program: None,
        action: None,
        condition: None,
        loopback: false,
        missing,
        kernel_file: None,
        initrd_files: Vec::new(),
        program_file: None,
        is_default: false,
    };
    reading.add(entry);
}

/// The lines, as arguments of the one entry: `name=value`, without the quotes.
pub(super) fn arguments(text: &[u8]) -> Vec<Arguments> {
    let is_line = |line: &[u8]| !line.trim_ascii().starts_with(b"#") && line.contains(&b'=');
    let words = lines(text).filter(|(_, line)| is_line(line)).map(|(start, line)| {
        let shown = String::from_utf8_lossy(line.trim_ascii()).replace('"', "");
        (start..start + line.len(), Some(shown))
    });
    vec![Arguments {
        titles: vec!["FreeBSD".into()],
        kernel: "/boot/kernel/kernel".into(),
        words: words.collect(),
        free: 0..0,
        lead: String::new(),
    }]
}

/// A variable and its value, as a line has them.
pub(super) fn line(argument: &str) -> String {
    let (name, value) = argument.split_once('=').unwrap_or((argument, "YES"));
    format!("{name}=\"{}\"", value.replace('"', ""))
}
