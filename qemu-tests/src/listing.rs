//! What a reader finds in an image: every file and link by its path, and how two such lists differ.

use crate::{hash, tools, workspace};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A file or a link of an image. Directories are told by the paths below them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// A file by its digest.
    File(String),
    /// A symbolic link by its target.
    Link(String),
}

/// The entries by path; paths start with a slash.
pub type Listing = BTreeMap<String, Entry>;

impl Entry {
    /// A file of these bytes.
    pub fn file(bytes: &[u8]) -> Self {
        Self::File(hash::bytes(bytes))
    }
}

/// The files and links below a directory of the host, where a judge has put what it found.
pub fn of_directory(dir: &Path) -> Result<Listing, String> {
    let mut listing = Listing::new();
    let mut left = vec![(dir.to_path_buf(), String::new())];
    while let Some((dir, prefix)) = left.pop() {
        let fail = |e: std::io::Error| format!("{}: {e}", dir.display());
        for entry in fs::read_dir(&dir).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let path = format!("{prefix}/{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map_err(fail)?;
            if kind.is_dir() {
                left.push((entry.path(), path));
            } else if kind.is_symlink() {
                let target = fs::read_link(entry.path()).map_err(fail)?;
                listing.insert(path, Entry::Link(target.to_string_lossy().into_owned()));
            } else {
                let bytes = fs::read(entry.path()).map_err(fail)?;
                listing.insert(path, Entry::file(&bytes));
            }
        }
    }
    Ok(listing)
}

/// The files and links of an image, as bsdtar has them.
pub fn by_bsdtar(image: &Path) -> Result<Listing, String> {
    let dir = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
    extract_by_bsdtar(image, dir.path())?;
    of_directory(dir.path())
}

/// What bsdtar makes of an image, in a directory.
pub fn extract_by_bsdtar(image: &Path, dir: &Path) -> Result<(), String> {
    let mut bsdtar = Command::new(tools::find("bsdtar")?);
    bsdtar.args(["--no-same-owner", "-xf"]).arg(image).arg("-C").arg(dir);
    match bsdtar.status().map_err(|e| e.to_string())?.success() {
        true => Ok(()),
        false => Err(format!("{bsdtar:?} failed")),
    }
}

/// Without the links: Joliet and FAT have none.
pub fn files_only(listing: &Listing) -> Listing {
    let files = listing.iter().filter(|(_, entry)| matches!(entry, Entry::File(_)));
    files.map(|(path, entry)| (path.clone(), entry.clone())).collect()
}

/// What was read has to be what is expected, no less and no more.
pub fn same(expected: &Listing, read: &Listing) -> Result<(), String> {
    let mut faults = Vec::new();
    for (path, entry) in expected {
        match read.get(path) {
            None => faults.push(format!("{path} is not found")),
            Some(other) if other != entry => {
                faults.push(format!("{path} is {other:?}, expected {entry:?}"));
            }
            Some(_) => {}
        }
    }
    for path in read.keys().filter(|path| !expected.contains_key(*path)) {
        faults.push(format!("{path} is not expected"));
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.join("\n"))
    }
}

/// Like [`same`], for a reader of plain ISO 9660, where names are mapped and a link is an empty file: the same contents the
/// same number of times.
pub fn same_contents(expected: &Listing, read: &Listing) -> Result<(), String> {
    let (expected, read) = (by_content(expected), by_content(read));
    let mut faults = Vec::new();
    for content in expected
        .keys()
        .chain(read.keys().filter(|content| !expected.contains_key(*content)))
    {
        let paths = |listing: &BTreeMap<Entry, Vec<String>>| listing.get(content).cloned().unwrap_or_default();
        let (expected, read) = (paths(&expected), paths(&read));
        if expected.len() != read.len() {
            faults.push(format!("expected {expected:?} with one content, read {read:?}"));
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.join("\n"))
    }
}

fn by_content(listing: &Listing) -> BTreeMap<Entry, Vec<String>> {
    let mut contents: BTreeMap<Entry, Vec<String>> = BTreeMap::new();
    for (path, entry) in listing {
        let content = match entry {
            Entry::File(_) => entry.clone(),
            Entry::Link(_) => Entry::file(b""),
        };
        contents.entry(content).or_default().push(path.clone());
    }
    contents
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_a_changed_and_an_unexpected_file_are_all_named() {
        let file = |text: &str| Entry::file(text.as_bytes());
        let expected = Listing::from([("/a".into(), file("1")), ("/b".into(), file("2"))]);
        let read = Listing::from([("/b".into(), file("3")), ("/c".into(), file("4"))]);
        let faults = same(&expected, &read).unwrap_err();
        assert_eq!(faults.lines().count(), 3, "{faults}");
        assert!(same_contents(&expected, &read).is_err());
        assert_eq!(same(&expected, &expected), Ok(()));
    }

    #[test]
    fn a_directory_is_read_with_its_links() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(dir.path().join("d/f"), "x").unwrap();
        std::os::unix::fs::symlink("d/f", dir.path().join("l")).unwrap();
        let read = of_directory(dir.path()).unwrap();
        let file = Entry::file(b"x");
        let expected = [("/d/f".to_owned(), file), ("/l".to_owned(), Entry::Link("d/f".into()))];
        assert_eq!(read, Listing::from(expected));
    }
}
