//! EFI programs that firmware starts by default, what shim starts behind them, and who signed them.

use crate::facts::LoaderFacts;
use crate::fat;
use crate::pe;
use crate::read_at::{Pieces, ReadAt};

/// Whether the name at `path` in the ESP is one that firmware starts by default, UEFI 3.5.1.1, or that shim starts, which is beside
/// it as `grubx64.efi`.
pub(crate) fn is_loader(path: &str) -> bool {
    let upper = path.to_ascii_uppercase();
    let named = ["/EFI/BOOT/BOOT", "/EFI/BOOT/GRUB"]
        .iter()
        .any(|start| upper.starts_with(start));
    named && upper.ends_with(".EFI") && upper.matches('/').count() == 3
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
        if entry.directory || !is_loader(&entry.path) {
            continue;
        }
        // In pieces, as in a volume that was written to often.
        let pieces = entry.extents.iter().map(|&(offset, length)| (Some(offset), length));
        loaders.push(loader_facts(&entry.path, &Pieces::new(volume, pieces)));
    }
    loaders.sort_by(|a, b| a.path.cmp(&b.path));
    loaders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn a_loader_in_pieces_is_read_whole() {
        // The header of a program for x64 (PE §2.1, §2.3), cut between the machine's two bytes.
        let mut program = vec![0; 0x200];
        program[..2].copy_from_slice(b"MZ");
        program[0x3c] = 0x80;
        program[0x80..0x86].copy_from_slice(b"PE\0\0\x64\x86");
        program[0x94] = 0xf0;
        program[0x98..0x9a].copy_from_slice(&[0x0b, 0x02]);
        let (head, tail) = program.split_at(0x85);
        let volume = [tail, b"something else", head].concat();
        let extents = vec![(volume.len() as u64 - 0x85, 0x85), (0, tail.len() as u64)];
        let contents = |extents: Vec<(u64, u64)>| fat::Contents {
            kind: fat::FatKind::Fat16,
            size: volume.len() as u64,
            sector_size: 512,
            cluster_size: 4096,
            label: String::new(),
            serial: 0,
            hidden_sectors: 0,
            regions: Vec::new(),
            entries: vec![fat::Entry {
                path: "/EFI/BOOT/BOOTX64.EFI".into(),
                directory: false,
                length: program.len() as u64,
                extents,
                modified: Timestamp::default(),
            }],
            notes: Vec::new(),
        };
        let whole = loader_facts("/EFI/BOOT/BOOTX64.EFI", &program);
        assert_eq!(whole.machine, "x64");
        assert_eq!(loaders_in(&contents(extents), &volume), [whole]);
        let beyond = loaders_in(&contents(vec![(0, 8), (u64::MAX, 8)]), &volume);
        assert_eq!(beyond[0].machine, "none");
    }
}
