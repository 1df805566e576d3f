//! EFI programs that firmware starts by default, what shim starts behind them, and who signed them.

use std::cell::OnceCell;

use crate::facts::secure_boot::{self, Authority, Shim};
use crate::facts::{LoaderFacts, ShimFacts, SignatureFacts};
use crate::formats::authenticode::{self, Hash, Signature};
use crate::formats::fat;
use crate::formats::pe::{self, AttributeCertificate, Pe};
use crate::ground::read_at::{Pieces, ReadAt};
use crate::ground::text;

use super::fallback::{LONGEST_LIST, is_list, with_lists};
use super::loader_paths::{is_beside_loader, is_in_directory, is_loader};

/// How many programs of a volume are read. Installers have up to eight.
pub(crate) const MAX_PROGRAMS: usize = 64;

/// What an EFI program says of itself. Its signatures are verified.
pub(crate) fn loader_facts(path: &str, file: &dyn ReadAt) -> LoaderFacts {
    let Some(pe) = pe::read(file) else {
        return LoaderFacts {
            path: path.to_owned(),
            ..LoaderFacts::default()
        };
    };
    let table = pe.certificate_table(file);
    // One digest for all signatures of one algorithm, and for the list of revoked programs.
    let sha256 = OnceCell::new();
    let digest = |hash: Hash| match hash {
        Hash::Sha256 => sha256.get_or_init(|| digest(&pe, file, hash)).clone(),
        _ => digest(&pe, file, hash),
    };
    let signature = |entry: &AttributeCertificate| match entry {
        AttributeCertificate::Pkcs7(pkcs7) => Some(signature_facts(authenticode::verify(pkcs7, &digest))),
        AttributeCertificate::Other(_) => None,
    };
    let signatures: Vec<SignatureFacts> = table.entries.iter().filter_map(signature).collect();
    let hash = (!signatures.is_empty()).then(|| digest(Hash::Sha256).ok()).flatten();
    LoaderFacts {
        path: path.to_owned(),
        authenticode_sha256: hash.map(|hash| text::hex(&hash)),
        signatures,
        certificate_table: table.fault.map(|fault| fault.to_string()),
        sbat: secure_boot::generations(&pe, file),
        listed: Vec::new(),
        shim: Shim::read(&pe, file).map(|shim| ShimFacts::new(shim, pe.machine)),
        machine: Some(pe.machine),
        unified: pe.is_unified(),
    }
}

/// What shim was built with, if the program is shim.
pub(crate) fn shim_facts(file: &dyn ReadAt) -> Option<ShimFacts> {
    let pe = pe::read(file)?;
    Shim::read(&pe, file).map(|shim| ShimFacts::new(shim, pe.machine))
}

fn digest(pe: &Pe, file: &dyn ReadAt, hash: Hash) -> Result<Box<[u8]>, String> {
    let mut hasher = hash.hasher();
    pe.covered_bytes(file, |bytes| hasher.update(bytes))
        .map_err(|fault| fault.to_string())?;
    Ok(hasher.finalize())
}

fn signature_facts(verified: Result<Signature, authenticode::Fault>) -> SignatureFacts {
    let signature = match verified {
        Ok(signature) => signature,
        Err(fault) => {
            return SignatureFacts {
                fault: Some(fault.to_string()),
                ..SignatureFacts::default()
            };
        }
    };
    let leads = |authority: &Authority| {
        let anchor = authority.certificate();
        anchor.is_some_and(|anchor| signature.leads_to(anchor))
    };
    let signer = signature.signers.first();
    SignatureFacts {
        signer: signer.map(|signer| signer.name()),
        issuer: signer.map(|signer| signer.issuer_name()),
        authorities: Authority::ALL.into_iter().filter(leads).collect(),
        fault: None,
        signature: Some(signature),
    }
}

/// Which of a volume's files are programs that firmware or shim could start: those of `/EFI/BOOT`, and with shim's fallback among them those of
/// the other directories too. The default loaders come first, for the case that there are more than can be read.
pub(crate) fn programs<'p>(paths: impl Iterator<Item = &'p str> + Clone) -> Vec<&'p str> {
    let is_fallback = |path: &str| is_beside_loader(path) && path.to_ascii_uppercase().starts_with("/EFI/BOOT/FB");
    let with_lists = paths.clone().any(is_fallback);
    let is_wanted = |path: &&str| is_beside_loader(path) || (with_lists && is_in_directory(path, ".EFI"));
    let mut programs: Vec<&str> = paths.filter(is_wanted).collect();
    programs.sort_by_key(|path| (!is_loader(path), !is_beside_loader(path), *path));
    programs.truncate(MAX_PROGRAMS);
    programs
}

/// The programs of a FAT that firmware or shim could start, read from `volume`.
pub(crate) fn loaders_in(contents: &fat::Contents, volume: &dyn ReadAt) -> Vec<LoaderFacts> {
    let files = || contents.entries.iter().filter(|entry| !entry.directory);
    let bytes = |entry: &fat::FatEntry| {
        // In pieces, as in a volume that was written to often.
        let pieces = entry.extents.iter().map(|&(offset, length)| (Some(offset), length));
        Pieces::new(volume, pieces)
    };
    let mut loaders: Vec<LoaderFacts> = Vec::new();
    let mut read: Vec<(&[(u64, u64)], usize)> = Vec::new();
    for path in programs(files().map(|entry| entry.path.as_str())) {
        let Some(entry) = files().find(|entry| entry.path == path) else {
            continue;
        };
        // Names of one file are read once.
        let known = read.iter().find(|(extents, _)| *extents == entry.extents.as_slice());
        let loader = match known {
            Some((_, number)) => LoaderFacts {
                path: path.to_owned(),
                ..loaders[*number].clone()
            },
            None => {
                read.push((&entry.extents, loaders.len()));
                loader_facts(path, &bytes(entry))
            }
        };
        loaders.push(loader);
    }
    let lists = files().filter(|entry| is_list(&entry.path) && entry.length <= LONGEST_LIST);
    let lists: Vec<(String, Vec<u8>)> = lists
        .take(MAX_PROGRAMS)
        .filter_map(|entry| Some((entry.path.clone(), bytes(entry).read_vec_at(0, entry.length).ok()?)))
        .collect();
    with_lists(&mut loaders, &lists);
    loaders.sort_by(|a, b| a.path.cmp(&b.path));
    loaders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::time::Timestamp;

    #[test]
    fn programs_elsewhere_count_with_shims_fallback_alone() {
        let paths = [
            "/EFI/acme/shimx64.efi",
            "/efi/boot/mmx64.efi",
            "/EFI/BOOT/BOOTX64.EFI",
            "/x.efi",
            "/EFI/a/b/c.efi",
        ];
        assert_eq!(
            programs(paths.into_iter()),
            ["/EFI/BOOT/BOOTX64.EFI", "/efi/boot/mmx64.efi"]
        );
        let with = [&paths[..], &["/EFI/boot/fbx64.efi"]].concat();
        assert_eq!(programs(with.iter().copied()).last(), Some(&"/EFI/acme/shimx64.efi"));
        let many: Vec<String> = (0..100).map(|number| format!("/EFI/BOOT/A{number}.EFI")).collect();
        let all = many.iter().map(String::as_str).chain(["/EFI/BOOT/BOOTX64.EFI"]);
        let read = programs(all);
        assert_eq!((read.len(), read[0]), (MAX_PROGRAMS, "/EFI/BOOT/BOOTX64.EFI"));
    }

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
            regions: Vec::new(),
            entries: vec![fat::FatEntry {
                path: "/EFI/BOOT/BOOTX64.EFI".into(),
                directory: false,
                length: program.len() as u64,
                extents,
                modified: Timestamp::default(),
            }],
            notes: Vec::new(),
        };
        let whole = loader_facts("/EFI/BOOT/BOOTX64.EFI", &program);
        assert_eq!(whole.machine, Some(pe::Machine::X64));
        assert_eq!(loaders_in(&contents(extents), &volume), [whole]);
        let beyond = loaders_in(&contents(vec![(0, 8), (u64::MAX, 8)]), &volume);
        assert_eq!(beyond[0].machine, None);
    }
}
