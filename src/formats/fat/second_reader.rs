//! The same volume through the `fatfs` crate: a second opinion on what is in it.
//!
//! That crate trusts what it reads more than this leaf does, so only volumes are given to it in which [`super::read()`] has found
//! nothing wrong.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom, Write};

use ::fatfs::{Dir, FileSystem, FsOptions};

use super::Contents;
use crate::ground::read_at::{ReadAt, Reader};

/// Whether the crate reads the same: every path, its kind and the length of a file. It ends at the first difference, so that what the
/// crate would follow without end is not followed.
///
/// # Errors
/// The first path that one of them reads otherwise, or why the crate cannot read the volume at all.
pub fn agrees(volume: &dyn ReadAt, contents: &Contents) -> Result<(), String> {
    let unreadable = |error: io::Error| format!("it cannot read on: {error}");
    let mut ours: HashMap<&str, Option<u64>> = contents
        .entries
        .iter()
        .map(|entry| (entry.path.as_str(), (!entry.directory).then_some(entry.length)))
        .collect();
    let system = open(volume).map_err(unreadable)?;
    let mut waiting: Vec<(String, Dir<'_, Cursor<'_>>)> = vec![(String::new(), system.root_dir())];
    while let Some((prefix, directory)) = waiting.pop() {
        for entry in directory.iter() {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            if matches!(name.as_str(), "." | "..") {
                continue;
            }
            let path = format!("{prefix}/{name}");
            if ours.remove(path.as_str()) != Some(entry.is_file().then(|| entry.len())) {
                return Err(format!("{path} is not the same"));
            }
            if entry.is_dir() {
                waiting.push((path, entry.to_dir()));
            }
        }
    }
    match ours.into_keys().min() {
        Some(path) => Err(format!("{path} is not there")),
        None => Ok(()),
    }
}

fn open(volume: &dyn ReadAt) -> io::Result<FileSystem<Cursor<'_>>> {
    FileSystem::new(
        Cursor(Reader::new(volume)),
        FsOptions::new().update_accessed_date(false),
    )
}

/// A volume as the crate wants it. Nothing is ever written.
struct Cursor<'v>(Reader<&'v dyn ReadAt>);

impl Read for Cursor<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Seek for Cursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl Write for Cursor<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
