//! What shim was built with: whom it trusts, what it refuses, and which generations it asks for.

use crate::formats::authenticode::Certificate;
use crate::formats::pe::Pe;
use crate::ground::read_at::ReadAt;

use super::sbat::{self, Generation};
use super::signature_list;

/// How much of shim, or of a section of it, is read, in bytes. Debian's has 1 MiB, and its `.vendor_cert` 10 KiB.
const LONGEST: u64 = 4 << 20;
/// shim's own data.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shim {
    /// `$Version: 16.1 $` of `.data.ident`: major and minor.
    pub version: Option<(u32, u32)>,
    /// What it starts is signed under one of these, or under an authority of the firmware or the machine's owner.
    pub vendors: Vec<Certificate>,
    /// It starts nothing under these.
    pub denied: Vec<Certificate>,
    /// It starts nothing with these SHA-256 Authenticode hashes, in hexadecimal.
    pub denied_hashes: Vec<String>,
    /// The least generations that it starts, the first text of `.sbatlevel`; none before shim 15.7.
    pub asks: Vec<Generation>,
    /// The name of the file beside it that it starts, if it can be found among its texts.
    pub starts: Option<String>,
}

impl Shim {
    /// `None` if the program has no `.vendor_cert` and thus is not shim.
    pub fn read(pe: &Pe, file: &dyn ReadAt) -> Option<Self> {
        let table = section(pe, file, ".vendor_cert")?;
        let word = |at: usize| Some(u32::from_le_bytes(*table.get(at..)?.first_chunk()?) as usize);
        // vendor_authorized_size, vendor_deauthorized_size, and their offsets from the beginning of the section.
        let part = |size: usize, offset: usize| {
            let (size, offset) = (word(size)?, word(offset)?);
            table.get(offset..offset.checked_add(size)?)
        };
        let (authorized, _) = signatures(part(0, 8).unwrap_or_default());
        let (denied, denied_hashes) = signatures(part(4, 12).unwrap_or_default());
        let ident = section(pe, file, ".data.ident").unwrap_or_default();
        let level = section(pe, file, ".sbatlevel").unwrap_or_default();
        Some(Self {
            version: version(&ident),
            vendors: authorized,
            denied,
            denied_hashes,
            asks: asked(&level),
            starts: second_stage(file),
        })
    }
}

/// The bytes of a section, if it is there.
fn section(pe: &Pe, file: &dyn ReadAt, name: &str) -> Option<Vec<u8>> {
    let section = pe.section(name).filter(|section| section.length <= LONGEST)?;
    file.read_vec_at(section.offset, section.length).ok()
}

/// shim's `DEFAULT_LOADER`, which whoever builds it may set: openSUSE's is `\grub.efi`. Of its UTF-16 texts it is the path of one name in
/// front of `.efi` that is not of a companion of shim's.
fn second_stage(file: &dyn ReadAt) -> Option<String> {
    const COMPANIONS: [&str; 4] = ["fb", "fallback", "mm", "mokmanager"];
    let bytes = file.read_vec_at(0, file.size().min(LONGEST)).ok()?;
    let end: Vec<u8> = ".efi\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let dots = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'.')
        .map(|(at, _)| at);
    let ends = dots.filter(|&at| bytes[at..].starts_with(&end));
    let mut names = ends.filter_map(|at| {
        let text = bytes[..at].rchunks_exact(2).map(|unit| [unit[0], unit[1]]);
        let is_in_name =
            |unit: &[u8; 2]| unit[1] == 0 && (unit[0].is_ascii_alphanumeric() || b"-_.".contains(&unit[0]));
        let mut name: Vec<u8> = text.clone().take_while(is_in_name).map(|unit| unit[0]).collect();
        name.reverse();
        let before = text.skip(name.len()).map(u16::from_le_bytes).next();
        let name = String::from_utf8(name).ok()?;
        let lower = name.to_ascii_lowercase();
        let is_companion = COMPANIONS.iter().any(|companion| lower.starts_with(companion));
        (before == Some(u16::from(b'\\')) && !name.is_empty() && !is_companion).then(|| format!("{name}.efi"))
    });
    names.next()
}

/// A certificate in DER, or signature lists of certificates and hashes.
fn signatures(bytes: &[u8]) -> (Vec<Certificate>, Vec<String>) {
    match Certificate::from_der(bytes) {
        Ok(certificate) => (vec![certificate], Vec::new()),
        Err(_) => signature_list::read(bytes),
    }
}

/// Two offsets behind a version, counted from behind it, and two texts, of which the first is what shim asks for by itself.
fn asked(level: &[u8]) -> Vec<Generation> {
    let first = level.get(4..8).and_then(|offset| offset.first_chunk());
    let first = first.map_or(0, |offset| u32::from_le_bytes(*offset) as usize);
    let text = level.get(first.saturating_add(4)..).unwrap_or_default();
    sbat::read(text)
}

fn version(ident: &[u8]) -> Option<(u32, u32)> {
    let text = String::from_utf8_lossy(ident);
    let number = text.split_once("$Version:")?.1.split('$').next()?.trim();
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    let minor: String = minor.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::pe;
    use crate::formats::pe::tests::program_of;

    const ROOT: &[u8] = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/formats/authenticode/tests/root.der"
    ));
    const LEAF: &[u8] = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/formats/authenticode/tests/leaf.der"
    ));

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    /// EFI_CERT_X509_GUID and EFI_CERT_SHA256_GUID as they stand in a file.
    const X509: [u8; 16] = *b"\xa1\x59\xc0\xa5\xe4\x94\xa7\x4a\x87\xb5\xab\x15\x5c\x2b\xf0\x72";
    const SHA256: [u8; 16] = *b"\x26\x16\xc4\xc1\x4c\x50\x92\x40\xac\xa9\x41\xf9\x36\x93\x43\x28";

    /// UEFI 32.4.1.1: an EFI_SIGNATURE_LIST by hand.
    fn list(kind: &[u8; 16], signatures: &[&[u8]]) -> Vec<u8> {
        let each = 16 + signatures[0].len();
        let sizes = [28 + each * signatures.len(), 0, each].map(|size| (size as u32).to_le_bytes());
        let mut list = [&kind[..], &sizes.concat()].concat();
        for signature in signatures {
            list.extend_from_slice(&[0x77; 16]);
            list.extend_from_slice(signature);
        }
        list
    }

    /// shim's `cert_table`: two sizes, two offsets, and what they are of.
    fn vendor(authorized: &[u8], denied: &[u8]) -> Vec<u8> {
        let words = [authorized.len(), denied.len(), 16, 16 + authorized.len()];
        [
            &words.map(|word| (word as u32).to_le_bytes()).concat(),
            authorized,
            denied,
        ]
        .concat()
    }

    fn shim(sections: &[(&str, &[u8])]) -> Option<Shim> {
        let file = program_of(sections);
        Shim::read(&pe::read(&file).unwrap(), &file)
    }

    const LEVEL: &[u8] = b"\0\0\0\0\x08\0\0\0\x1d\0\0\0sbat,1,2025\nshim,4\ngrub,5\n\0sbat,1,2026\ngrub,6\n\0";

    #[test]
    fn shim_is_read_from_its_sections() {
        let denied = [list(&X509, &[LEAF]), list(&SHA256, &[&[1; 32], &[0xAB; 32]])].concat();
        let texts = [
            "\\fbx64.efi\0",
            "\\EFI\\BOOT\\fbx64.efi\0",
            "\\mmx64.efi\0",
            "\\\\grubx64.efi\0",
        ]
        .map(utf16)
        .concat();
        let shim = shim(&[
            (".data.ident", b"UEFI SHIM\n$Version: 16.1 $\n$BuildMachine: x $\n"),
            (".sbatlevel", LEVEL),
            (".vendor_cert", &vendor(ROOT, &denied)),
            (".data", &texts),
        ])
        .unwrap();
        assert_eq!(shim.version, Some((16, 1)));
        assert_eq!(shim.vendors, [Certificate::from_der(ROOT).unwrap()]);
        assert_eq!(shim.denied, [Certificate::from_der(LEAF).unwrap()]);
        assert_eq!(shim.denied_hashes, ["01".repeat(32), "ab".repeat(32)]);
        assert_eq!(shim.starts.as_deref(), Some("grubx64.efi"));
        let asks: Vec<_> = shim
            .asks
            .iter()
            .map(|one| (one.component.as_str(), one.generation))
            .collect();
        assert_eq!(asks, [("sbat", 1), ("shim", 4), ("grub", 5)]);
    }

    #[test]
    fn vendors_may_be_a_list_and_the_second_stage_another() {
        let vendors = [list(&X509, &[ROOT]), list(&X509, &[LEAF])].concat();
        let shim = shim(&[
            (".vendor_cert", &vendor(&vendors, b"")),
            (".data", &utf16("\\MokManager.efi\0\\grub.efi\0")),
        ])
        .unwrap();
        assert_eq!(shim.vendors.len(), 2);
        assert_eq!(shim.starts.as_deref(), Some("grub.efi"));
        assert_eq!((shim.version, shim.asks.len(), shim.denied.len()), (None, 0, 0));
    }

    #[test]
    fn what_is_not_shim_or_lies_has_nothing() {
        assert_eq!(shim(&[(".sbat", b"sbat,1\n")]), None);
        for table in [
            &b""[..],
            b"\xff\xff\xff\xff",
            &[0xFF; 16],
            &vendor(b"\x30\x03abc", b"\x30"),
        ] {
            let shim = shim(&[(".vendor_cert", table), (".sbatlevel", &[0xFF; 12])]).unwrap();
            assert_eq!(shim, Shim::default(), "{table:?}");
        }
        // Lists whose sizes lead nowhere, or in a circle.
        for (at, value) in [(16, 0_u32), (16, 27), (16, u32::MAX), (20, u32::MAX), (24, 0), (24, 16)] {
            let mut list = list(&X509, &[ROOT]);
            list[at..at + 4].copy_from_slice(&value.to_le_bytes());
            let shim = shim(&[(".vendor_cert", &vendor(&list, b""))]).unwrap();
            assert_eq!(shim.vendors, [], "{value} at {at}");
        }
    }
}
