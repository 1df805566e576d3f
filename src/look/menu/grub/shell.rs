//! The commands of a script, run in their order.

use std::collections::HashMap;

use crate::facts::cell::Firmware;
use crate::ground::text;

use super::script::{Command, Commands, parse};
use super::start::Start;
use super::words::{Part, Word};
use crate::look::menu::Loader;
use crate::look::menu::reading::{DEPTH, Reading};
use crate::look::menu::volumes::{File, directory};

/// A value, and whether all of it is known.
pub(super) type Value = (Vec<u8>, bool);

/// Runs the configuration that a GRUB begins with.
pub(in crate::look::menu) fn run(reading: &mut Reading<'_>, file: &File, firmware: Firmware, loopback: bool) {
    let volumes = &reading.volumes;
    let device = volumes.get(file.volume).map_or("", |volume| &volume.name);
    let here = [b"(", device.as_bytes(), b")", directory(&file.path)].concat();
    let here = here.strip_suffix(b"/").unwrap_or(&here).to_vec();
    let known = |name: &str, value: &[u8]| (name.as_bytes().to_vec(), (value.to_vec(), true));
    let unknown = |name: &str| (name.as_bytes().to_vec(), (format!("${{{name}}}").into_bytes(), false));
    let mut variables = HashMap::from([
        known("root", device.as_bytes()),
        known("prefix", &here),
        known("cmdpath", &here),
        known("menuentry_id_option", b"--id"),
        // What GRUB was built with.
        unknown("feature_all_video_module"),
        unknown("feature_default_font_path"),
        unknown("feature_menuentry_id"),
        unknown("feature_platform_search_hint"),
        unknown("feature_timeout_style"),
        unknown("grub_secureboot"),
        unknown("lockdown"),
        unknown("shim_lock"),
        unknown("net_default_mac"),
        unknown("net_default_server"),
        unknown("pxe_default_server"),
        unknown("lang"),
    ]);
    let (cpu, platform): (&[u8], &[u8]) = match firmware {
        Firmware::Bios => (b"i386", b"pc"),
        Firmware::UefiIa32 => (b"i386", b"efi"),
        Firmware::UefiAa64 => (b"arm64", b"efi"),
        _ => (b"x86_64", b"efi"),
    };
    variables.extend([known("grub_cpu", cpu), known("grub_platform", platform)]);
    let mut shell = Shell {
        reading,
        firmware,
        loopback,
        is_chosen: false,
        variables,
        functions: HashMap::new(),
        file: file.clone(),
        doubt: Doubt::default(),
        submenu: Vec::new(),
        waiting: Vec::new(),
        starts: Some(Vec::new()),
        depth: 0,
    };
    shell.menu(&mut |shell| shell.read(file));
    // What is started without a menu.
    let entry = Waiting {
        title: Vec::new(),
        id: None,
        is_default: true,
        is_submenu: false,
        block: Commands::default(),
        file: file.clone(),
        doubt: Doubt::default(),
    };
    let starts = shell.starts.take().unwrap_or_default();
    shell.list(&entry, starts);
}

/// Whether the commands that are run would be run by GRUB.
#[derive(Clone, Default)]
pub(super) struct Doubt {
    /// The condition, as the script has it.
    pub(super) condition: Option<String>,
    /// The condition is false, so assignments have no effect.
    pub(super) is_false: bool,
}

/// A `menuentry` or a `submenu` that somebody could choose.
pub(super) struct Waiting {
    pub(super) title: Vec<u8>,
    pub(super) id: Option<Vec<u8>>,
    /// It starts by itself.
    pub(super) is_default: bool,
    pub(super) is_submenu: bool,
    pub(super) block: Commands,
    pub(super) file: File,
    pub(super) doubt: Doubt,
}

pub(super) struct Shell<'r, 'i> {
    pub(super) reading: &'r mut Reading<'i>,
    pub(super) firmware: Firmware,
    pub(super) loopback: bool,
    /// `root` was chosen by the script.
    pub(super) is_chosen: bool,
    pub(super) variables: HashMap<Vec<u8>, Value>,
    pub(super) functions: HashMap<Vec<u8>, Commands>,
    /// The configuration that is run.
    pub(super) file: File,
    pub(super) doubt: Doubt,
    pub(super) submenu: Vec<String>,
    pub(super) waiting: Vec<Waiting>,
    /// What the current entry has started; outside of entries, what the script has.
    pub(super) starts: Option<Vec<Start>>,
    /// Of functions and menus.
    pub(super) depth: usize,
}

impl Shell<'_, '_> {
    /// Runs what makes a menu, and then each of its entries, as if it were chosen: with the variables as they are when the menu is shown.
    pub(super) fn menu(&mut self, make: &mut dyn FnMut(&mut Self)) {
        if self.depth >= DEPTH {
            let file = self.file.clone();
            return self
                .reading
                .note_unread(&file, "has menus in menus, of which 16 are read");
        }
        self.depth += 1;
        let outer = std::mem::take(&mut self.waiting);
        make(self);
        let mut entries = std::mem::replace(&mut self.waiting, outer);
        if let Some(entry) = self.default(&entries).and_then(|number| entries.get_mut(number)) {
            entry.is_default = true;
        }
        for entry in entries {
            let file = entry.file.clone();
            if !self.reading.step(&file) {
                break;
            }
            let kept = (
                self.variables.clone(),
                self.is_chosen,
                std::mem::replace(&mut self.file, file),
                std::mem::replace(&mut self.doubt, entry.doubt.clone()),
                self.starts.take(),
            );
            self.reading.expand(self.variables.len() * 64);
            match entry.is_submenu {
                true => {
                    self.submenu.push(String::from_utf8_lossy(&entry.title).into_owned());
                    self.menu(&mut |shell| {
                        shell.run(&entry.block);
                    });
                    self.submenu.pop();
                }
                false => self.entry(&entry),
            }
            (self.variables, self.is_chosen, self.file, self.doubt, self.starts) = kept;
        }
        self.depth -= 1;
    }

    /// The number of the default entry: the variable `default` has an id, a title or a number. `None` if its value is unknown, and in submenus.
    fn default(&self, entries: &[Waiting]) -> Option<usize> {
        let unset = (Vec::new(), true);
        let (wanted, known) = self.variables.get(&b"default"[..]).unwrap_or(&unset);
        if !known || !self.submenu.is_empty() {
            return None;
        }
        // Behind `>` follows an entry of the submenu.
        let wanted = wanted.split(|&byte| byte == b'>').next().unwrap_or_default();
        let mut shown = entries.iter().enumerate().filter(|(_, entry)| !entry.doubt.is_false);
        let is_named = |(_, entry): &(usize, &Waiting)| entry.id.as_deref() == Some(wanted) || entry.title == wanted;
        let named = shown.clone().find(is_named);
        let number = str::from_utf8(wanted).ok().and_then(|digits| digits.parse().ok());
        let found = named.or_else(|| shown.clone().nth(number?)).or_else(|| shown.next());
        found.map(|(number, _)| number)
    }

    /// Runs the body of an entry, and lists what it started.
    fn entry(&mut self, entry: &Waiting) {
        self.starts = Some(Vec::new());
        let listed = self.reading.listed();
        // An entry can lead to another menu.
        self.submenu.push(String::from_utf8_lossy(&entry.title).into_owned());
        self.menu(&mut |shell| {
            shell.run(&entry.block);
        });
        self.submenu.pop();
        let mut starts = self.starts.take().unwrap_or_default();
        if starts.is_empty() && listed == self.reading.listed() {
            starts.push(Start::default());
        }
        self.list(entry, starts);
    }

    /// Runs a file, in this menu.
    pub(super) fn read(&mut self, file: &File) {
        let Some(text) = self.reading.open(file, Loader::Grub, self.firmware) else {
            return;
        };
        let script = parse(&text);
        for (at, what) in &script.faults {
            let line = 1 + text[..*at].iter().filter(|&&byte| byte == b'\n').count();
            self.reading
                .note(file, &format!("line {line}: what stands here {what}"));
        }
        let outer = std::mem::replace(&mut self.file, file.clone());
        self.run(&script.commands);
        self.file = outer;
        self.reading.close();
    }

    /// Whether the last command succeeds, if that is known.
    pub(super) fn run(&mut self, commands: &Commands) -> Option<bool> {
        let mut status = Some(true);
        for command in commands.iter() {
            let file = self.file.clone();
            if !self.reading.step(&file) {
                break;
            }
            status = match command {
                Command::Simple { words, block } => self.simple(words, block.as_ref()),
                Command::If { branches, otherwise } => {
                    self.conditional(branches, otherwise);
                    None
                }
                Command::For { name, values, body } => {
                    self.each(name, values, body);
                    None
                }
                Command::Loop { body } => {
                    self.doubtful("a loop", false, body);
                    None
                }
                Command::Function { name, body } => {
                    self.functions.insert(name.clone(), body.clone());
                    Some(true)
                }
            };
        }
        status
    }

    /// Runs what may not be run by GRUB.
    pub(super) fn doubtful(&mut self, why: &str, is_false: bool, commands: &Commands) {
        let outer = self.doubt.clone();
        self.doubt.condition = Some(match &outer.condition {
            Some(condition) => format!("{condition}, {why}"),
            None => why.to_owned(),
        });
        self.doubt.is_false |= is_false;
        self.run(commands);
        self.doubt = outer;
    }

    fn conditional(&mut self, branches: &[(Commands, Commands)], otherwise: &Commands) {
        let mut conditions = Vec::new();
        for (condition, body) in branches {
            let status = self.run(condition);
            let (shown, is_of_files) = self.shown(condition);
            match status {
                Some(true) if conditions.is_empty() => {
                    self.run(body);
                    return;
                }
                Some(true) => {
                    self.doubtful(&conditions.join(", "), false, body);
                    return;
                }
                // A file that is missing now can be added.
                Some(false) if is_of_files => self.doubtful(&format!("if {shown}"), true, body),
                Some(false) => {}
                None => {
                    self.doubtful(&format!("if {shown}"), false, body);
                    conditions.push(format!("unless {shown}"));
                }
            }
        }
        match conditions.is_empty() {
            true => {
                self.run(otherwise);
            }
            false => self.doubtful(&conditions.join(", "), false, otherwise),
        }
    }

    /// A condition as it is written, and whether it asks for a file.
    fn shown(&self, condition: &Commands) -> (String, bool) {
        let Some(Command::Simple { words, .. }) = condition.last() else {
            return ("a condition".into(), false);
        };
        let part = |part: &Part| match part {
            Part::Text(text) => text::visible(text),
            Part::Variable { name, .. } => format!("${{{}}}", text::visible(name)),
        };
        let words: Vec<String> = words.iter().map(|word| word.parts.iter().map(part).collect()).collect();
        let is_of_files = words
            .iter()
            .any(|word| matches!(word.as_str(), "-f" | "-e" | "-s" | "-d"));
        (words.join(" "), is_of_files)
    }

    fn each(&mut self, name: &[u8], values: &[Word], body: &Commands) {
        let values: Vec<Value> = values.iter().flat_map(|word| self.words(word)).collect();
        for (value, known) in values {
            // GRUB looks for files whose names have this form.
            let is_pattern = value.iter().any(|byte| b"*?[".contains(byte));
            self.variables.insert(name.to_vec(), (value, known && !is_pattern));
            if self.run(body).is_none() && !self.reading.step(&self.file.clone()) {
                break;
            }
        }
    }
}
