//! EFI programs that firmware starts by default, and who signed them.

use crate::facts::LoaderFacts;
use crate::fat;
use crate::pe;
use crate::read_at::{ReadAt, Window};

/// Bytes of a loader in pieces that is gathered in memory. The largest in use have some ten.
const LONGEST_LOADER: u64 = 32 << 20;

/// Whether the name at `path` in the ESP is one that firmware starts by default, UEFI 3.5.1.1.
pub(crate) fn is_default_loader(path: &str) -> bool {
    let upper = path.to_ascii_uppercase();
    upper.starts_with("/EFI/BOOT/BOOT") && upper.ends_with(".EFI") && upper.matches('/').count() == 3
}

/// What the PE header of an EFI program says.
pub(crate) fn loader_facts(path: &str, bytes: &dyn ReadAt) -> LoaderFacts {
    let pe = pe::read(bytes);
    LoaderFacts {
        path: path.to_owned(),
        machine: pe.as_ref().map_or("none".into(), |pe| pe.machine.to_string()),
        signers: pe.map(|pe| pe.signers).unwrap_or_default(),
    }
}

/// The default loaders among a FAT's entries, read from `volume`.
pub(crate) fn loaders_in(contents: &fat::Contents, volume: &dyn ReadAt) -> Vec<LoaderFacts> {
    let mut loaders = Vec::new();
    for entry in &contents.entries {
        if entry.directory || !is_default_loader(&entry.path) {
            continue;
        }
        match entry.extents.as_slice() {
            [(offset, length)] => {
                let window = Window::new(volume, *offset, *length);
                loaders.push(loader_facts(&entry.path, &window));
            }
            // In pieces, as a volume has it that was written to often.
            [_, ..] if contents.notes.is_empty() && entry.length <= LONGEST_LOADER => {
                if let Ok(bytes) = fat::file(volume, &entry.path) {
                    loaders.push(loader_facts(&entry.path, &bytes));
                }
            }
            _ => {}
        }
    }
    loaders.sort_by(|a, b| a.path.cmp(&b.path));
    loaders
}
