//! `[base.kernel_args]`: other arguments for the kernels that the base's menus start.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::Edits;
use super::areas::{self, Areas};
use super::original::Original;
use crate::ground::text;
use crate::look::menu::arguments::Arguments;
use crate::look::menu::change::{Change, Done, changed};
use crate::look::menu::{Entry, File, TREE};
use crate::manifest::{At, Base, KernelArgs};
use crate::resolve::{Resolution, ResolveError};
use crate::tree::base::{FatBecomes, FatEdit};
use crate::tree::source::Giver;

/// The new texts of configurations.
pub(super) type Texts = HashMap<File, Vec<u8>>;

/// A longer configuration is not read.
const LONGEST: u64 = 1 << 20;
/// How many entries a warning names.
const NAMED: usize = 5;

impl Resolution<'_> {
    /// Changes the texts of configurations. An answer file needs the arguments `answers`.
    pub(super) fn kernel_args(
        &mut self,
        base: &Base,
        answers: Vec<String>,
        entries: &Entries,
        original: &Original<'_>,
        edits: &Edits,
        texts: &mut Texts,
    ) -> Result<(), ResolveError> {
        let none = KernelArgs::default();
        let (args, place) = match (&base.kernel_args, &base.answers) {
            (Some(args), _) => (args.get_ref(), args.map(|_| ())),
            (None, Some(at)) if !answers.is_empty() => (&none, at.map(|_| ())),
            _ => return Ok(()),
        };
        let change = change(args, answers);
        let mut done = Done::default();
        let mut new_texts = Texts::new();
        for configuration in &original.menu.configurations {
            let file = &configuration.file;
            if self.is_replaced(file, edits) {
                let config = text::visible(configuration.config.as_bytes());
                let message = format!("{config} is replaced by [[files]], and has the arguments that are there");
                self.warn(&place, message, "not in this configuration");
                continue;
            }
            let is_meant =
                |arguments: &Arguments| entries.is_meant(&arguments.titles) && !is_memory_test(&arguments.kernel);
            let old = new_texts.get(file).map_or(&*configuration.text, Vec::as_slice);
            let new = changed(configuration.loader, old, &change, &is_meant, &mut done);
            if new != *old {
                new_texts.insert(file.clone(), new);
            }
        }
        self.fit_areas(&place, original, edits, &mut new_texts);
        texts.extend(new_texts);
        let is_meant_at_all = original.menu.entries.iter().any(|entry| entries.is_of_system(entry));
        self.say_what_was_done(args, &done, is_meant_at_all);
        self.warn_of_unified(&place, original, entries, "command line stays as it is");
        let after = original.reader.read_with(texts);
        self.say_what_was_not(&place, &change, entries, &after.entries);
        for note in &original.menu.unread {
            self.warn(
                &place,
                format!("{note}: arguments in it stay as they are"),
                "not all configurations",
            );
        }
        Ok(())
    }

    /// Gives the areas of Fedora CoreOS' configurations their size again, or all of them a larger one, which `/coreos/kargs.json` then has too.
    fn fit_areas(&mut self, place: &At<()>, original: &Original<'_>, edits: &Edits, texts: &mut Texts) {
        let areas = Areas::read(original.image, original.tree);
        let in_tree = texts.iter().filter(|(file, _)| file.volume == TREE);
        let size = match areas.size_for(in_tree.map(|(file, text)| (&*file.path, &**text))) {
            Ok(size) => size,
            Err(needed) => {
                let message = format!(
                    "the arguments need {needed} bytes of the areas of /coreos/kargs.json, and coreos-installer takes areas of {} at most",
                    areas::MOST
                );
                return self.error(place, message, "more than fits");
            }
        };
        let is_larger = size != areas.size();
        for path in areas.paths() {
            let file = File { volume: TREE, path };
            let item = original.tree.get(&file.path);
            let Some(old) = item.and_then(|item| item.bytes(original.image, LONGEST)) else {
                continue;
            };
            let new = match texts.get(&file) {
                Some(new) => new.clone(),
                None if is_larger => old.clone(),
                None => continue,
            };
            if is_larger && self.is_replaced(&file, edits) {
                let path = text::visible(&file.path);
                let message = format!(
                    "the arguments need more than the {} bytes that /coreos/kargs.json reserves, and {path} is replaced by [[files]]",
                    areas.size()
                );
                return self.error(place, message, "more than fits");
            }
            let fitted = areas.fitted(&file.path, &old, new, size);
            texts.insert(file, fitted);
        }
        let list = Areas::list(original.image, original.tree, size).filter(|_| is_larger);
        if let Some((path, list)) = list {
            texts.insert(File { volume: TREE, path }, list);
        }
    }

    /// Whether the manifest gives a file of the base another content.
    pub(super) fn is_replaced(&self, file: &File, edits: &Edits) -> bool {
        match file.volume {
            TREE => {
                let node = self.tree.find(file.path[1..].split(|&byte| byte == b'/'));
                node.is_some_and(|node| self.tree.node(node).origin.is_some())
            }
            number => edits.changes_in_fat(number, &file.path),
        }
    }

    /// Compiles the patterns. `None` if one is invalid or matches no entry; the error is reported.
    pub(super) fn entries(&mut self, args: Option<&KernelArgs>, all: &[Entry]) -> Option<Entries> {
        let Some(args) = args else {
            return Some(Entries(None));
        };
        let mut set = GlobSetBuilder::new();
        for pattern in &args.entries {
            match GlobBuilder::new(pattern.get_ref()).build() {
                Ok(glob) => {
                    let matcher = glob.compile_matcher();
                    let is_of = |entry: &Entry| {
                        ways(&entry.submenu, &entry.title)
                            .iter()
                            .any(|way| matcher.is_match(way))
                    };
                    if !all.iter().any(is_of) {
                        let titles: Vec<String> = all
                            .iter()
                            .take(NAMED)
                            .map(|entry| format!("{:?}", entry.title))
                            .collect();
                        let help = format!("the base has {}", titles.join(", "));
                        let message = format!("no entry of the base's menus has a title like `{}`", pattern.get_ref());
                        self.error_with(pattern, message, "matches nothing", &help);
                        return None;
                    }
                    set.add(glob);
                }
                Err(error) => {
                    self.error(pattern, format!("this pattern is wrong: {error}"), "this pattern");
                    return None;
                }
            }
        }
        let globs = match args.entries.is_empty() {
            true => None,
            false => set.build().ok(),
        };
        Some(Entries(globs))
    }

    /// Warns of each argument that changed nothing.
    fn say_what_was_done(&mut self, args: &KernelArgs, done: &Done, is_meant_at_all: bool) {
        let nowhere = |counts: &[usize], number: usize| counts.get(number).copied().unwrap_or(0) == 0;
        for (number, argument) in args.remove.iter().enumerate() {
            if nowhere(&done.removed, number) {
                let message = format!("no kernel of the base has the argument `{}`", argument.get_ref());
                self.warn(argument, message, "nothing is removed");
            }
        }
        for (number, (name, _)) in args.replace.iter().enumerate() {
            if nowhere(&done.replaced, number) {
                let message = format!("no kernel of the base has an argument `{}=`", name.get_ref());
                self.warn(name, message, "nothing is replaced");
            }
        }
        for (number, argument) in args.append.iter().enumerate() {
            if nowhere(&done.appended, number) {
                let message = match is_meant_at_all {
                    true => format!("every kernel that is meant has `{}` already", argument.get_ref()),
                    false => "no configuration of the base starts a kernel that is meant".to_owned(),
                };
                self.warn(argument, message, "nothing is added");
            }
        }
    }

    /// Reads the changed menus again, and warns of entries whose command line is not as asked.
    fn say_what_was_not(&mut self, place: &At<()>, change: &Change, entries: &Entries, after: &[Entry]) {
        let is_wrong = |entry: &&Entry| {
            let has = |argument: &String| has(&entry.cmdline, argument);
            !change.append.iter().all(has) || change.remove.iter().any(has)
        };
        let wrong = after
            .iter()
            .filter(|entry| entries.is_of_system(entry))
            .filter(is_wrong);
        if let Some(wrong) = named(wrong) {
            let message = format!(
                "the arguments of {wrong} are not as asked: they come from a variable or a function, or the loader changes them"
            );
            self.warn(place, message, "not everywhere");
        }
    }

    /// The new texts as edits.
    pub(super) fn texts(&mut self, texts: Texts, edits: &mut Edits) {
        let texts: BTreeMap<File, Vec<u8>> = texts.into_iter().collect();
        for (file, text) in texts {
            if file.volume == TREE {
                let payload = self.host.inline(&mut self.tree, &text, Giver::Manifest);
                edits.tree.push((file.path, payload));
            } else {
                edits.in_fat(
                    file.volume,
                    FatEdit {
                        path: String::from_utf8_lossy(&file.path).into_owned(),
                        becomes: FatBecomes::File(text.into()),
                        modified: self.timestamp,
                    },
                );
            }
        }
    }
}

/// The entries that are meant.
pub(super) struct Entries(Option<GlobSet>);

impl Entries {
    /// Whether every entry is meant.
    pub(super) fn are_all(&self) -> bool {
        self.0.is_none()
    }

    /// Whether an entry that starts an operating system is meant.
    pub(super) fn is_of_system(&self, entry: &Entry) -> bool {
        let titles: Vec<String> = entry.submenu.iter().chain([&entry.title]).cloned().collect();
        let is_kernel = entry.kernel.as_ref().is_some_and(|kernel| !is_memory_test(kernel));
        is_kernel && self.is_meant(&titles)
    }

    /// Whether a pattern matches the entry or a menu that contains it. The last of `titles` is the entry's.
    pub(super) fn is_meant(&self, titles: &[String]) -> bool {
        let Some(globs) = &self.0 else {
            return true;
        };
        (0..titles.len()).any(|end| ways(&titles[..end], &titles[end]).iter().any(|way| globs.is_match(way)))
    }
}

/// The first of some entries with its configuration, and how many more there are. `None` without entries.
pub(super) fn named<'e>(entries: impl Iterator<Item = &'e Entry>) -> Option<String> {
    let names = entries.map(|entry| format!("{:?} in {}", entry.title, entry.config));
    let names: BTreeSet<String> = names.collect();
    let first = text::visible(names.first()?.as_bytes());
    Some(match names.len() {
        1 => first,
        count => format!("{first} and {} more", count - 1),
    })
}

/// How an entry can be named: by its title, and as GRUB does with the menus that lead to it.
fn ways(menus: &[String], title: &str) -> [String; 2] {
    let whole: Vec<&str> = menus.iter().map(String::as_str).chain([title]).collect();
    [title.to_owned(), whole.join(">")]
}

/// Memtest86+ is started as a kernel, and takes arguments of its own.
pub(super) fn is_memory_test(kernel: &str) -> bool {
    kernel
        .rsplit('/')
        .next()
        .is_some_and(|name| name.to_ascii_lowercase().contains("memtest"))
}

/// Whether a command line has an argument. Where its quotes stand does not count: the kernel takes them away.
fn has(cmdline: &str, argument: &str) -> bool {
    let plain = |text: &str| text.replace('"', "");
    let (cmdline, argument) = (format!(" {} ", plain(cmdline)), format!(" {} ", plain(argument)));
    cmdline.contains(&argument)
}

/// An argument of an answer file takes the place of one with its name.
fn change(args: &KernelArgs, answers: Vec<String>) -> Change {
    let texts = |texts: &[At<String>]| texts.iter().map(|text| text.get_ref().clone()).collect::<Vec<_>>();
    let replaced = args
        .replace
        .iter()
        .map(|(name, value)| (name.get_ref().clone(), value.get_ref().clone()));
    let named = answers.iter().filter_map(|argument| argument.split_once('='));
    let replace = replaced.chain(named.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Change {
        replace: replace.collect(),
        append: [texts(&args.append), answers].concat(),
        remove: texts(&args.remove),
    }
}
