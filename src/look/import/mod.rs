//! An image as a manifest and its parts: what was said to make it, read off what it is.
//!
//! An image of ours comes out again bit by bit. Of one that others have made, the files, the boot images, the boot code and the kind of tables
//! are kept; `diff` tells what is not the same.

mod boot;
mod descriptor;
mod menu;
mod words;

use std::collections::{BTreeSet, HashMap};

use crate::facts::{Common, Description, FileSystem};
use crate::formats::iso9660::EntryKind;
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;
use crate::look::contents::{ContentsError, Item, Tree};
use crate::look::inspect;
use words::Words;

/// What the manifest calls the directory of the tree.
pub const FILES: &str = "files";
/// That of boot images and boot code without a name in the tree.
pub const BOOT: &str = "boot";
/// That of files of the FAT volume.
pub const ESP: &str = "esp";

/// The default attributes of files and directories.
const FILE: [u32; 2] = [0o644, 0o755];
const DIRECTORY: u32 = 0o755;

/// An image, taken apart.
#[derive(Debug)]
pub struct Import {
    /// The manifest, without its first lines.
    pub manifest: String,
    /// What goes below [`FILES`], parents before children.
    pub items: Vec<Item>,
    /// What goes below [`ESP`].
    pub esp: Vec<Item>,
    /// What goes below [`BOOT`]: a name, and bytes of the image.
    pub boot: Vec<(String, Range)>,
    /// What cannot be said in a manifest.
    pub left_out: Vec<String>,
    /// The name of the boot catalog. An image of ours has none.
    pub catalog: Option<Vec<u8>>,
}

/// What is known of the image, and what is said so far.
struct Importing<'i> {
    image: &'i dyn ReadAt,
    facts: &'i Common,
    tree: &'i Tree,
    /// The first file of the tree at each byte of the image, in the order of paths.
    files_at: HashMap<u64, &'i Item>,
    words: Words,
    /// Paths of the tree that the manifest's other keys bring.
    brought: BTreeSet<Vec<u8>>,
    esp: Vec<Item>,
    boot: Vec<(String, Range)>,
    left_out: Vec<String>,
    /// The date of the volume, as the manifest gives it.
    timestamp: String,
}

/// What a manifest may say in more than one way, of which one makes the same image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The size of an ESP that is made of files is said.
    pub says_esp_size: bool,
    /// The files on the host have the owners that they have in the image.
    pub has_owners: bool,
}

/// Takes an image apart.
///
/// # Errors
/// When it cannot be read.
pub fn import(image: &dyn ReadAt, output: &str, choice: Choice) -> Result<Import, ContentsError> {
    let described = inspect::inspect(image)?;
    let tree = Tree::of_index(image)?;
    let mut importing = Importing {
        image,
        facts: &described.facts,
        tree: &tree,
        files_at: files_at(&tree),
        words: Words::default(),
        brought: BTreeSet::new(),
        esp: Vec::new(),
        boot: Vec::new(),
        left_out: Vec::new(),
        timestamp: String::new(),
    };
    importing.words.text("output", output);
    let catalog = importing.catalog();
    importing.volume(tree.index);
    let is_ours = importing.menu();
    let rest = importing.boot(is_ours, choice);
    importing.files(choice.has_owners);
    importing.words.append(rest);
    importing.disk(&described);
    let Importing {
        words,
        brought,
        esp,
        boot,
        left_out,
        ..
    } = importing;
    let items = tree.items().iter().filter(|item| !brought.contains(&item.path));
    Ok(Import {
        manifest: words.finish(),
        items: items.cloned().collect(),
        esp,
        boot,
        left_out,
        catalog,
    })
}

fn files_at(tree: &Tree) -> HashMap<u64, &Item> {
    let files = tree.items().iter().rev();
    let files = files.filter(|item| item.kind == EntryKind::File && item.length > 0);
    files
        .filter_map(|item| Some((item.extents.first()?.0?, item)))
        .collect()
}

impl Importing<'_> {
    /// The volume's own words, and its indexes.
    fn volume(&mut self, index: Option<FileSystem>) {
        let facts = self.facts;
        let has = |index: FileSystem| facts.filesystems.contains(&index);
        self.words.text("volume_id", &facts.volume_id);
        self.words.table("iso");
        let identifiers = &facts.identifiers;
        for (key, value) in [
            ("system_id", &identifiers.system_id),
            ("volume_set_id", &identifiers.volume_set_id),
            ("publisher_id", &identifiers.publisher_id),
            ("preparer_id", &identifiers.preparer_id),
            ("application_id", &identifiers.application_id),
        ] {
            if !value.is_empty() {
                self.words.text(key, value);
            }
        }
        self.timestamp = self.timestamp();
        self.words.bare("timestamp", &self.timestamp);
        match index == Some(FileSystem::Udf) && has(FileSystem::Iso9660) {
            true => self.words.text("iso9660", "stub"),
            false => {
                for (key, index) in [("rock_ridge", FileSystem::RockRidge), ("joliet", FileSystem::Joliet)] {
                    if !has(index) {
                        self.words.bare(key, "false");
                    }
                }
                if has(FileSystem::Udf) {
                    self.words.bare("udf", "true");
                }
            }
        }
        if facts.media_md5.is_some() {
            self.words.bare("implant_md5", "true");
        }
        if let Some(list) = self.list_of_sums() {
            self.words.text("sha256sums", &list);
            self.brought.insert(list.into_bytes());
        }
    }

    /// The list that `iso.sha256sums` makes: one line for each other file, in the order of paths.
    fn list_of_sums(&self) -> Option<String> {
        let files = self.tree.items().iter();
        let files: Vec<&Item> = files.filter(|item| item.kind == EntryKind::File).collect();
        let lists = files
            .iter()
            .filter(|item| item.name().to_ascii_uppercase().starts_with(b"SHA256SUM"));
        let is_list = |list: &&&Item| {
            let text = list.bytes(self.image, words::LONGEST_LIST).unwrap_or_default();
            let mut lines = text.split_inclusive(|&byte| byte == b'\n');
            let mut others = files.iter().filter(|file| file.path != list.path);
            let mut all = lines
                .by_ref()
                .zip(others.by_ref())
                .all(|(line, file)| line.ends_with(&[&b"  ."[..], &file.path, b"\n"].concat()));
            all &= lines.next().is_none() && others.next().is_none();
            all && !text.is_empty()
        };
        let list = lists.into_iter().find(is_list)?;
        String::from_utf8(list.path.clone()).ok()
    }

    /// A name of the boot catalog, which is made anew.
    fn catalog(&mut self) -> Option<Vec<u8>> {
        let catalog = self.facts.boot_catalog.as_ref()?;
        let path = self.files_at.get(&catalog.offset)?.path.clone();
        self.brought.insert(path.clone());
        Some(path)
    }

    /// The tree: what is not brought by other keys.
    fn files(&mut self, has_owners: bool) {
        let items = self.tree.items().iter().filter(|item| item.path != b"/");
        let items: Vec<&Item> = items.filter(|item| !self.brought.contains(&item.path)).collect();
        if items.is_empty() {
            return;
        }
        let mode = |item: &Item| item.posix.map(|posix| posix.mode & 0o7777);
        let is_odd = |item: &&Item| match item.kind {
            EntryKind::File => mode(item).is_some_and(|mode| !FILE.contains(&mode)),
            EntryKind::Directory => mode(item).is_some_and(|mode| mode != DIRECTORY),
            _ => false,
        };
        let is_owned = |id: Option<u32>| id.is_some_and(|id| id > 0);
        let ids = |item: &&Item| {
            item.posix
                .is_some_and(|posix| is_owned(posix.uid) || is_owned(posix.gid))
        };
        let dated = |item: &&Item| item.modified.to_string() != self.timestamp;
        let linked = |item: &&Item| {
            item.kind == EntryKind::File && item.posix.is_some_and(|posix| posix.links > 1 && posix.serial > 0)
        };
        let owned = items.iter().copied().filter(|item| ids(item)).count();
        if owned > 0 && !has_owners {
            self.left_out.push(format!(
                "owners other than 0:0, which only root can give to files: {owned} names"
            ));
        }
        let mut kept = Vec::new();
        for (word, is_kept) in [
            ("mode", items.iter().copied().any(|item| is_odd(&item))),
            ("owner", has_owners && owned > 0),
            ("mtime", items.iter().copied().any(|item| dated(&item))),
            ("hardlinks", items.iter().copied().any(|item| linked(&item))),
        ] {
            if is_kept {
                kept.push(word);
            }
        }
        self.words.entry("files");
        self.words.text("from", FILES);
        self.words.text("to", "/");
        if !kept.is_empty() {
            self.words.list("preserve", &kept);
        }
    }

    /// The kind of tables.
    fn disk(&mut self, described: &Description) {
        self.words.table("disk");
        self.words.text("layout", boot::layout(&described.facts));
    }
}
