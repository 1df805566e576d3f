//! `isobuild ls`

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::Error;
use crate::formats::iso9660::EntryKind;
use crate::ground::text;
use crate::look::contents::{Attributes, ContentsError, Item, Place, Tree};
use serde::Serialize;

use super::open::open;
use super::{Failure, Ls, print, print_json, show};

pub(super) fn run(arguments: &Ls) -> Result<(), Failure> {
    let image = open(&arguments.image)?;
    let failed = |error| failed(&arguments.image, error);
    let place = Place::parse(arguments.path.as_bytes()).map_err(|why| Failure::input(&arguments.image, why))?;
    let (tree, path) = Tree::of_session(&image, place, arguments.session).map_err(failed)?;
    show::notes(&tree.notes);
    let named = tree.find(&path, true).map_err(failed)?;
    let items: Vec<&Item> = match named.kind {
        EntryKind::Directory => tree.below(named, arguments.recursive).collect(),
        _ => vec![named],
    };
    if arguments.json {
        let listed: Vec<Listed> = items.into_iter().map(Listed::of).collect();
        return print_json(&listed);
    }
    let mut out = String::new();
    for item in items {
        let name = match (&named.kind, arguments.recursive) {
            (EntryKind::Directory, false) => item.name(),
            _ => &item.path,
        };
        let line = match arguments.long {
            true => long(item, name),
            false => text::visible(name),
        };
        let _ = writeln!(out, "{line}");
    }
    print(&out)
}

pub(super) fn failed(image: &Path, error: ContentsError) -> Failure {
    match error {
        ContentsError::Image(error) => Error::inspected(image, error).into(),
        other => Failure::input(image, other.to_string()),
    }
}

/// As `ls -l`, with times in UTC. What the volume does not say is a `?`.
fn long(item: &Item, name: &[u8]) -> String {
    let posix = |of: fn(&Attributes) -> Option<u32>| {
        let number = item.posix.as_ref().and_then(of);
        number.map_or("?".into(), |number| number.to_string())
    };
    let length = match &item.kind {
        EntryKind::Other(Some((major, minor))) => format!("{major}, {minor}"),
        _ => item.length.to_string(),
    };
    let mut line = format!(
        "{} {:>3} {:>5} {:>5} {length:>12} {} {}",
        mode(item),
        posix(|posix| Some(posix.links)),
        posix(|posix| posix.uid),
        posix(|posix| posix.gid),
        item.modified,
        text::visible(name)
    );
    if let EntryKind::Symlink(target) = &item.kind {
        let _ = write!(line, " -> {}", text::visible(target));
    }
    line
}

/// `drwxr-xr-x`
fn mode(item: &Item) -> String {
    let bits = item.posix.as_ref().map(|posix| posix.mode);
    let kind = match (&item.kind, bits.map(|bits| bits & 0o170_000)) {
        (EntryKind::Directory, _) => 'd',
        (EntryKind::Symlink(_), _) => 'l',
        (EntryKind::File, _) => '-',
        (_, Some(0o060_000)) => 'b',
        (_, Some(0o020_000)) => 'c',
        (_, Some(0o010_000)) => 'p',
        (_, Some(0o140_000)) => 's',
        _ => '?',
    };
    let Some(bits) = bits else {
        return format!("{kind}?????????");
    };
    let mut mode = String::from(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let three = bits >> shift;
        mode.push(if three & 4 != 0 { 'r' } else { '-' });
        mode.push(if three & 2 != 0 { 'w' } else { '-' });
        mode.push(match (three & 1 != 0, bits & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    mode
}

/// An item in the JSON.
#[derive(Serialize)]
struct Listed {
    /// `\xNN` is a byte that is no text, `\\` a backslash.
    path: String,
    /// `directory`, `file`, `symlink` or `other`.
    #[serde(rename = "type")]
    kind: &'static str,
    size: u64,
    modified: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<[u32; 2]>,
}

impl Listed {
    fn of(item: &Item) -> Self {
        let posix = item.posix.as_ref();
        Self {
            path: text::lossless(&item.path),
            kind: match item.kind {
                EntryKind::Directory => "directory",
                EntryKind::File => "file",
                EntryKind::Symlink(_) => "symlink",
                EntryKind::Other(_) => "other",
            },
            size: item.length,
            modified: item.modified.to_string(),
            mode: posix.map(|posix| format!("{:#o}", posix.mode)),
            uid: posix.and_then(|posix| posix.uid),
            gid: posix.and_then(|posix| posix.gid),
            links: posix.map(|posix| posix.links),
            target: match &item.kind {
                EntryKind::Symlink(target) => Some(text::lossless(target)),
                _ => None,
            },
            device: match item.kind {
                EntryKind::Other(Some((major, minor))) => Some([major, minor]),
                _ => None,
            },
        }
    }
}
