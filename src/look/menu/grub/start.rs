//! What an entry starts.

use super::find::Found;
use super::shell::{Shell, Value, Waiting};
use crate::look::menu::{Entry, File};

/// What an entry does.
#[derive(Default)]
pub(super) struct Start {
    kernel: Option<Vec<u8>>,
    initrd: Vec<Vec<u8>>,
    cmdline: Vec<u8>,
    program: Option<Vec<u8>>,
    action: Option<&'static str>,
    missing: Vec<Vec<u8>>,
    kernel_file: Option<File>,
    program_file: Option<File>,
    initrd_files: Vec<File>,
}

impl Shell<'_, '_> {
    pub(super) fn list(&mut self, entry: &Waiting, starts: Vec<Start>) {
        let title = String::from_utf8_lossy(&entry.title).into_owned();
        let config = self.reading.volumes.place(&entry.file);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        for start in starts {
            self.reading.add(Entry {
                firmware: self.firmware,
                title: title.clone(),
                submenu: self.submenu.clone(),
                config: config.clone(),
                kernel: start.kernel.map(text),
                initrd: start.initrd.into_iter().map(text).collect(),
                cmdline: text(start.cmdline),
                program: start.program.map(text),
                action: start.action.map(str::to_owned),
                condition: entry.doubt.condition.clone(),
                loopback: self.loopback,
                missing: start.missing.into_iter().map(text).collect(),
                kernel_file: start.kernel_file,
                initrd_files: start.initrd_files,
                program_file: start.program_file,
                is_default: entry.is_default,
            });
        }
    }

    /// What an entry does.
    pub(super) fn start(&mut self, command: &[u8], arguments: &[Value]) {
        if self.starts.is_none() {
            return;
        }
        // An option of the command itself stands before the path.
        let options = arguments.iter().take_while(|(word, _)| word.starts_with(b"--")).count();
        let arguments = &arguments[options..];
        let path = arguments.first().map(|(path, _)| path.clone());
        let mut start = Start::default();
        match command {
            b"linux" | b"linuxefi" | b"linux16" | b"multiboot" | b"multiboot2" | b"xen_hypervisor" | b"kfreebsd"
            | b"kopenbsd" | b"knetbsd" => {
                start.kernel = path.clone();
                start.cmdline = command_line(arguments.get(1..).unwrap_or_default());
            }
            b"chainloader" | b"appleloader" | b"ntldr" => start.program = path.clone(),
            b"initrd" | b"initrdefi" | b"initrd16" | b"module" | b"module2" | b"xen_module" => {
                let is_list = command.starts_with(b"initrd");
                let files = arguments.iter().take(if is_list { usize::MAX } else { 1 });
                let files: Vec<Value> = files.cloned().collect();
                for (file, known) in files {
                    let found = self.find(&file);
                    let Some(start) = self.starts.as_mut().and_then(|starts| starts.last_mut()) else {
                        return;
                    };
                    match found {
                        Found::File(found) if known => start.initrd_files.push(found),
                        Found::Missing if known => start.missing.push(file.clone()),
                        _ => {}
                    }
                    start.initrd.push(file);
                }
                return;
            }
            b"reboot" => start.action = Some("reboot"),
            b"halt" => start.action = Some("poweroff"),
            b"fwsetup" => start.action = Some("firmware-setup"),
            b"exit" => start.action = Some("next-device"),
            _ => return,
        }
        if let Some((path, true)) = arguments.first().filter(|_| start.action.is_none()) {
            match self.find(path) {
                Found::File(file) if start.kernel.is_some() => start.kernel_file = Some(file),
                Found::File(file) => start.program_file = Some(file),
                Found::Missing => start.missing.push(path.clone()),
                _ => {}
            }
        }
        if let Some(starts) = &mut self.starts {
            starts.push(start);
        }
    }
}

/// The first argument that is no option, nor an option's value.
pub(super) fn title(arguments: &[Value]) -> Vec<u8> {
    let mut arguments = arguments.iter().map(|(word, _)| word.as_slice());
    while let Some(word) = arguments.next() {
        match word {
            b"--class" | b"--users" | b"--hotkey" | b"--source" | b"--id" => {
                arguments.next();
            }
            word if word.starts_with(b"--") => {}
            word => return word.to_vec(),
        }
    }
    Vec::new()
}

/// As GRUB gives the arguments to a kernel: with a blank between them, in quotes where one has a blank, and with a backslash before
/// quotes and backslashes.
fn command_line(arguments: &[Value]) -> Vec<u8> {
    let argument = |(word, _): &Value| {
        let escaped = word.iter().flat_map(|&byte| match byte {
            b'\\' | b'\'' | b'"' => vec![b'\\', byte],
            byte => vec![byte],
        });
        let escaped: Vec<u8> = escaped.collect();
        match word.contains(&b' ') {
            true => [b"\"", escaped.as_slice(), b"\""].concat(),
            false => escaped,
        }
    };
    let arguments: Vec<Vec<u8>> = arguments.iter().map(argument).collect();
    arguments.join(&b' ')
}
