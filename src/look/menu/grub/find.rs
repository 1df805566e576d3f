//! Where GRUB finds files: a device in parentheses, else the device in `root`.

use super::super::volumes::{File, TREE, Volumes, joined};

/// What a path leads to.
pub(super) enum Found {
    /// A file, as its volume names it.
    File(File),
    /// The path is of a volume of the image, and nothing is there.
    Missing,
    /// The device is not of the image, or not known.
    Elsewhere,
}

/// The volume of a device name, which is that of its places here.
pub(super) fn device(volumes: &Volumes<'_>, name: &[u8]) -> Option<usize> {
    volumes.named(name)
}

/// The volume and the path that GRUB would look at. Without a device that is on `root`.
pub(super) fn place(volumes: &Volumes<'_>, root: &[u8], path: &[u8]) -> Option<File> {
    let (name, path) = match path.strip_prefix(b"(") {
        Some(rest) => {
            let end = rest.iter().position(|&byte| byte == b')')?;
            (&rest[..end], &rest[end + 1..])
        }
        None => (root, path),
    };
    Some(File {
        volume: device(volumes, name)?,
        path: joined(b"/", path),
    })
}

/// Looks for a file. From a disc GRUB's first device is the tree and from a stick the FAT volume, so as long as no `search` has chosen, a
/// file of either is there.
pub(super) fn file(volumes: &Volumes<'_>, root: &[u8], is_chosen: bool, path: &[u8]) -> Found {
    let Some(place) = place(volumes, root, path) else {
        return Found::Elsewhere;
    };
    let in_tree = || {
        let other = File {
            volume: TREE,
            path: place.path.clone(),
        };
        volumes.file(&other).filter(|_| !is_chosen && !path.starts_with(b"("))
    };
    match volumes.file(&place).or_else(in_tree) {
        Some(file) => Found::File(file),
        None => Found::Missing,
    }
}

/// `search`: the device that has a file, a label or an identifier.
pub(super) fn search(volumes: &Volumes<'_>, words: &[&[u8]]) -> Search {
    let mut by = By::File;
    let mut variable = b"root".to_vec();
    let mut wanted: Option<&[u8]> = None;
    for (number, &word) in words.iter().enumerate() {
        match word {
            b"search.file" | b"search.fs_file" | b"search_fs_file" => by = By::File,
            b"search.fs_label" | b"search_label" => by = By::Label,
            b"search.fs_uuid" | b"search_fs_uuid" => by = By::Uuid,
            b"-f" | b"--file" => by = By::File,
            b"-l" | b"--label" => by = By::Label,
            b"-u" | b"--fs-uuid" => by = By::Uuid,
            _ if number == 0 => {}
            _ => match word.strip_prefix(b"--set=") {
                Some(name) => variable = name.to_vec(),
                None if word.starts_with(b"-") => {}
                // What follows the first is a hint.
                None => wanted = wanted.or(Some(word)),
            },
        }
    }
    let wanted = wanted.unwrap_or_default();
    let found = volumes.all().find(|(number, volume)| match by {
        By::File => {
            let file = File {
                volume: *number,
                path: joined(b"/", wanted),
            };
            volumes.item(&file).is_some()
        }
        By::Label => volume.label.as_bytes() == wanted,
        By::Uuid => volume.uuid.as_bytes().eq_ignore_ascii_case(wanted),
    });
    Search {
        variable,
        device: found.map(|(_, volume)| volume.name.clone().into_bytes()),
        wanted: wanted.to_vec(),
    }
}

enum By {
    File,
    Label,
    Uuid,
}

/// What a search came to.
pub(super) struct Search {
    /// That holds the device afterwards.
    pub(super) variable: Vec<u8>,
    pub(super) device: Option<Vec<u8>>,
    pub(super) wanted: Vec<u8>,
}
