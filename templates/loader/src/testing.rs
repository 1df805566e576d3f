//! Stand-ins for the tests: a screen in memory and a small ISO 9660 volume.

use crate::console::{Console, Key, Style};
use crate::disk::{Disk, unreadable};
use crate::iso9660::SECTOR;
use crate::line::Failure;
use std::string::String;
use std::vec;
use std::vec::Vec;

/// A screen that keeps what is written to it, and a keyboard whose keys are known.
pub(crate) struct Screen {
    cells: Vec<Vec<char>>,
    columns: usize,
    /// Keys that are still to be pressed.
    pub(crate) keys: Vec<Key>,
    /// Milliseconds waited for keys that did not come.
    pub(crate) waited: u32,
    /// How often something was written.
    pub(crate) puts: usize,
}

impl Screen {
    pub(crate) fn new(columns: usize, rows: usize, keys: &[Key]) -> Self {
        Self {
            cells: vec![vec![' '; columns]; rows],
            columns,
            keys: keys.iter().rev().copied().collect(),
            waited: 0,
            puts: 0,
        }
    }

    /// The rows without the spaces that end them.
    pub(crate) fn text(&self) -> String {
        let rows: Vec<String> = self
            .cells
            .iter()
            .map(|row| row.iter().collect::<String>().trim_end().into())
            .collect();
        rows.join("\n")
    }
}

impl Console for Screen {
    fn size(&mut self) -> (usize, usize) {
        (self.columns, self.cells.len())
    }

    fn clear(&mut self) {
        self.cells.iter_mut().for_each(|row| row.fill(' '));
    }

    fn put(&mut self, row: usize, column: usize, _style: Style, text: &str) {
        self.puts += 1;
        for (at, character) in text.chars().enumerate() {
            // Beyond the screen this panics, and the test fails.
            self.cells[row][column + at] = character;
        }
    }

    fn cursor(&mut self, at: Option<(usize, usize)>) {
        if let Some((row, column)) = at {
            assert!(row < self.cells.len() && column < self.columns);
        }
    }

    fn key(&mut self, milliseconds: u32) -> Option<Key> {
        let key = self.keys.pop();
        if key.is_none() {
            self.waited += milliseconds;
        }
        key
    }
}

/// A medium in memory.
pub(crate) struct Volume {
    pub(crate) bytes: Vec<u8>,
    /// Offsets from which reads fail.
    pub(crate) broken_from: u64,
}

impl Disk for Volume {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), Failure> {
        let start = usize::try_from(offset).unwrap();
        match self.bytes.get(start..start.saturating_add(into.len())) {
            Some(bytes) if offset < self.broken_from => into.copy_from_slice(bytes),
            _ => return Err(unreadable(offset)),
        }
        Ok(())
    }
}

/// How a record of a [`Volume`] carries its name.
#[derive(Clone, Copy)]
pub(crate) enum Names {
    /// NM entries within the record.
    RockRidge,
    /// NM entries in a continuation area, cut in two.
    Continued,
    /// The identifier alone.
    Plain,
}

impl Volume {
    /// A volume with these files, by Rock Ridge names.
    pub(crate) fn new(files: &[(&str, &[u8])]) -> Self {
        Self::with(Names::RockRidge, files)
    }

    /// A volume with these files. One directory tree: every component of a path is a directory of its own.
    pub(crate) fn with(names: Names, files: &[(&str, &[u8])]) -> Self {
        let mut volume = Self {
            bytes: vec![0; 18 * SECTOR],
            broken_from: u64::MAX,
        };
        let tree: Vec<(Vec<&str>, &[u8])> = files
            .iter()
            .map(|(path, bytes)| (path.split('/').collect(), *bytes))
            .collect();
        let (block, length) = volume.directory(names, &tree);
        let descriptor = 16 * SECTOR;
        volume.bytes[descriptor] = 1;
        volume.bytes[descriptor + 1..descriptor + 6].copy_from_slice(b"CD001");
        let root = record(&[0], block, length, true, &[]);
        volume.bytes[descriptor + 156..descriptor + 156 + root.len()].copy_from_slice(&root);
        volume
    }

    /// Writes a directory behind what is there; gives its block and its length.
    fn directory(&mut self, names: Names, files: &[(Vec<&str>, &[u8])]) -> (usize, usize) {
        let mut rows: Vec<u8> = [record(&[0], 0, 0, true, &[]), record(&[1], 0, 0, true, &[])].concat();
        let mut done: Vec<&str> = Vec::new();
        for (path, bytes) in files {
            let name = path[0];
            if done.contains(&name) {
                continue;
            }
            done.push(name);
            let (block, length) = match path.len() {
                1 => (self.append(bytes), bytes.len()),
                _ => {
                    let inner = files.iter().filter(|(path, _)| path[0] == name);
                    let inner: Vec<_> = inner.map(|(path, bytes)| (path[1..].to_vec(), *bytes)).collect();
                    self.directory(names, &inner)
                }
            };
            let area = self.area(names, name.as_bytes());
            let identifier = match names {
                Names::Plain => std::format!("{};1", name.to_uppercase()),
                _ => std::format!("F{};1", done.len()),
            };
            let row = record(identifier.as_bytes(), block, length, path.len() > 1, &area);
            if rows.len() % SECTOR + row.len() > SECTOR {
                rows.resize(rows.len().next_multiple_of(SECTOR), 0);
            }
            rows.extend(row);
        }
        rows.resize(rows.len().next_multiple_of(SECTOR), 0);
        (self.append(&rows), rows.len())
    }

    /// The system use area that carries a name.
    fn area(&mut self, names: Names, name: &[u8]) -> Vec<u8> {
        let nm = |flags: u8, part: &[u8]| [&[b'N', b'M', part.len() as u8 + 5, 1, flags], part].concat();
        match names {
            Names::Plain => Vec::new(),
            Names::RockRidge => nm(0, name),
            Names::Continued => {
                let (first, second) = name.split_at(name.len() / 2);
                let behind = nm(0, second);
                let mut block = vec![0; 100];
                block.extend(&behind);
                let block = self.append(&block);
                let mut area = nm(1, first);
                area.extend([b'C', b'E', 28, 1]);
                for value in [block, 100, behind.len()] {
                    area.extend((value as u32).to_le_bytes());
                    area.extend((value as u32).to_be_bytes());
                }
                area
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> usize {
        let block = self.bytes.len() / SECTOR;
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(SECTOR), 0);
        block
    }
}

fn record(identifier: &[u8], block: usize, length: usize, directory: bool, area: &[u8]) -> Vec<u8> {
    let mut record = vec![0; 33];
    record[2..6].copy_from_slice(&(block as u32).to_le_bytes());
    record[10..14].copy_from_slice(&(length as u32).to_le_bytes());
    record[25] = if directory { 2 } else { 0 };
    record[32] = identifier.len() as u8;
    record.extend(identifier);
    if record.len() % 2 == 1 {
        record.push(0);
    }
    record.extend(area);
    if record.len() % 2 == 1 {
        record.push(0);
    }
    record[0] = record.len() as u8;
    record
}
