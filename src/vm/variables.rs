//! The variables of a machine with Secure Boot: whom its firmware trusts, written into the flash image that EDK2 keeps them in.
//!
//! Source: EDK2, `MdeModulePkg/Include/Guid/VariableFormat.h`; UEFI 32.4.1 for the signature lists.

use std::fs;

use uuid::uuid;

use super::firmware::Image;
use super::{MachineError, Trusted};
use crate::facts::cell::Firmware;
use crate::facts::secure_boot::{Authority, SignatureKind, revoked_x64, signature_list};
use crate::formats::authenticode::Certificate;

/// EFI_FIRMWARE_VOLUME_HEADER, HeaderLength: the variable store is behind the header.
const HEADER_LENGTH: usize = 48;
/// VARIABLE_STORE_HEADER: a GUID, its size, format, state, and two reserved fields.
const STORE_HEADER: usize = 28;
/// gEfiAuthenticatedVariableGuid.
const AUTHENTICATED: [u8; 16] = uuid!("aaf32c78-947b-439a-a180-2e144ec37792").to_bytes_le();
/// EFI_GLOBAL_VARIABLE.
const GLOBAL: [u8; 16] = uuid!("8be4df61-93ca-11d2-aa0d-00e098032b8c").to_bytes_le();
/// EFI_IMAGE_SECURITY_DATABASE_GUID.
const DATABASE: [u8; 16] = uuid!("d719b2cb-3d3a-4596-a3bc-dad00e67656f").to_bytes_le();
/// gEfiSecureBootEnableDisableGuid.
const ENABLE: [u8; 16] = uuid!("f0a30bc7-af08-4556-99c4-001009c93a44").to_bytes_le();
/// The owner that each entry names: Microsoft's GUID.
const OWNER: [u8; 16] = uuid!("77fa9abd-0359-4d32-bd60-28f4e78f784b").to_bytes_le();
/// UEFI 8.2: non-volatile, and for boot services alone.
const PRIVATE: u32 = 3;
/// The same, for the running system too, and written only by whom an authority has signed for.
const AUTHORITATIVE: u32 = 0x27;
/// EFI_TIME of the authoritative ones: 2011-06-27. Any will do that is not zero.
const TIME: [u8; 16] = [0xDB, 0x07, 6, 27, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// The smallest store that has room for the list of revoked programs. The one of EDK2's builds for 2 MiB of flash is smaller.
const ROOM_FOR_LIST: usize = 0x20000;

/// What firmware trusts on the machine.
fn trusted_by(firmware: Firmware, own: &[Trusted]) -> Vec<&Certificate> {
    let authorities: &[Authority] = match firmware {
        Firmware::SecureBoot2011 => &[Authority::Windows2011, Authority::Uefi2011],
        Firmware::SecureBoot2023 => &[Authority::Windows2023, Authority::Uefi2023],
        Firmware::SecureBoot => &Authority::ALL,
        _ => &[],
    };
    let sold = authorities.iter().filter_map(|authority| authority.certificate());
    sold.chain(own.iter().map(|one| &one.certificate)).collect()
}

/// The variables of a machine with this firmware, made from `image`, which are those that the firmware is installed with.
pub(super) fn for_machine(firmware: Firmware, own: &[Trusted], image: &Image) -> Result<Vec<u8>, MachineError> {
    let path = &image.filename;
    let template = fs::read(path).map_err(MachineError::io(path))?;
    let template = match image.format.as_str() {
        "raw" => Some(template),
        _ => disk_size(&template).and_then(blank),
    };
    let unknown = || Err("it is neither raw nor a QCOW2 image of 128 or 528 KiB".to_owned());
    let flash = template.map_or_else(unknown, |template| with_keys(&template, &trusted_by(firmware, own)));
    flash.map_err(|why| MachineError::Control(format!("{} cannot hold keys: {why}", path.display())))
}

/// QCOW2: the size of the disk, eight bytes at 24.
fn disk_size(image: &[u8]) -> Option<u64> {
    let size = image
        .get(24..)?
        .first_chunk()
        .filter(|_| image.starts_with(b"QFI\xfb"))?;
    Some(u64::from_be_bytes(*size))
}

/// Flash for the variables of EDK2 that nobody has written to, as its builds for 2 MiB and 4 MiB of flash have it. Variables, the place
/// of an update's state, and room for an update.
fn blank(size: u64) -> Option<Vec<u8>> {
    /// gEfiSystemNvDataFvGuid.
    const NON_VOLATILE: [u8; 16] = uuid!("fff12b8d-7696-4c8b-a985-2747075b4f50").to_bytes_le();
    /// gEdkiiWorkingBlockSignatureGuid.
    const WORKING: [u8; 16] = uuid!("9e58292b-7c68-497d-a0ce-6500fd9f1b95").to_bytes_le();
    const BLOCK: u32 = 0x1000;
    let (working, store): (usize, u32) = match size {
        0x2_0000 => (0xF000, 0xE000),
        0x8_4000 => (0x4_1000, 0x4_0000),
        _ => return None,
    };
    let blocks = u32::try_from(size).ok()? / BLOCK;
    let mut header = [
        &[0; 16][..],
        &NON_VOLATILE,
        &size.to_le_bytes(),
        b"_FVH",
        // Attributes; HeaderLength, Checksum, ExtHeaderOffset, Reserved, Revision; the block map and its end.
        &[0xFF, 0xFE, 4, 0],
        &[72, 0, 0, 0, 0, 0, 0, 2],
        &blocks.to_le_bytes(),
        &BLOCK.to_le_bytes(),
        &[0; 8],
    ]
    .concat();
    let sum = header
        .as_chunks()
        .0
        .iter()
        .fold(0_u16, |sum, word| sum.wrapping_add(u16::from_le_bytes(*word)));
    header[50..52].copy_from_slice(&sum.wrapping_neg().to_le_bytes());
    header.extend_from_slice(&AUTHENTICATED);
    header.extend_from_slice(&(store - 72).to_le_bytes());
    // VARIABLE_STORE_FORMATTED, VARIABLE_STORE_HEALTHY.
    header.extend_from_slice(&[0x5A, 0xFE, 0, 0, 0, 0, 0, 0]);
    let mut flash = vec![0xFF; usize::try_from(size).ok()?];
    flash[..header.len()].copy_from_slice(&header);
    flash[working..working + 16].copy_from_slice(&WORKING);
    // The CRC-32 of this header, its state, and WriteQueueSize.
    flash[working + 16..working + 32].copy_from_slice(b"\x2C\xAF\x2C\x64\xFE\xFF\xFF\xFF\xE0\x0F\0\0\0\0\0\0");
    Some(flash)
}

/// The flash image `template` with variables for Secure Boot in place of its own: `db` has the certificates, `dbx` the list of revoked
/// programs. The error says what the template is not.
fn with_keys(template: &[u8], certificates: &[&Certificate]) -> Result<Vec<u8>, String> {
    let start = store(template).ok_or("it is not a firmware volume of EDK2 with a store of authenticated variables")?;
    let word = |at: usize| template.get(at..).and_then(<[u8]>::first_chunk);
    let size = word(start + 16).map_or(0, |size| u32::from_le_bytes(*size) as usize);
    let room = template.get(start + STORE_HEADER..start.saturating_add(size));
    let room = room.ok_or("its store of variables is longer than the file")?.len();

    let of = |certificates: &[&Certificate]| -> Vec<u8> {
        let lists = certificates
            .iter()
            .map(|one| signature_list(SignatureKind::X509, OWNER, &[one.der()]));
        lists.collect::<Vec<_>>().concat()
    };
    // Nobody needs the keys that change the others: whose they are does not matter.
    let first = of(certificates.get(..1).unwrap_or_default());
    let mut variables = vec![
        variable("PK", GLOBAL, AUTHORITATIVE, &first),
        variable("KEK", GLOBAL, AUTHORITATIVE, &first),
        variable("db", DATABASE, AUTHORITATIVE, &of(certificates)),
        variable("SecureBootEnable", ENABLE, PRIVATE, &[1]),
    ];
    if room >= ROOM_FOR_LIST {
        let hashes: Vec<[u8; 32]> = revoked_x64().collect();
        let hashes: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
        variables.push(variable(
            "dbx",
            DATABASE,
            AUTHORITATIVE,
            &signature_list(SignatureKind::Sha256, OWNER, &hashes),
        ));
    }
    let variables = variables.concat();
    if variables.len() > room {
        return Err(format!(
            "its store of variables has {room} bytes, and {} are needed",
            variables.len()
        ));
    }
    let mut flash = template.to_vec();
    let body = &mut flash[start + STORE_HEADER..start + size];
    // What flash is that nobody has written to.
    body.fill(0xFF);
    body[..variables.len()].copy_from_slice(&variables);
    Ok(flash)
}

/// Where the variable store begins.
fn store(template: &[u8]) -> Option<usize> {
    if template.get(40..44)? != b"_FVH" {
        return None;
    }
    let start = usize::from(u16::from_le_bytes(*template.get(HEADER_LENGTH..)?.first_chunk()?));
    (template.get(start..start + 16)? == AUTHENTICATED).then_some(start)
}

/// AUTHENTICATED_VARIABLE_HEADER, the name, the data; the next one is at a multiple of 4.
fn variable(name: &str, vendor: [u8; 16], attributes: u32, data: &[u8]) -> Vec<u8> {
    let name: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    let time = if attributes == AUTHORITATIVE { TIME } else { [0; 16] };
    let mut variable = [
        // StartId, State (VAR_ADDED), Reserved.
        &[0xAA, 0x55, 0x3F, 0][..],
        &attributes.to_le_bytes(),
        // MonotonicCount.
        &[0; 8],
        &time,
        // PubKeyIndex.
        &[0; 4],
        &(name.len() as u32).to_le_bytes(),
        &(data.len() as u32).to_le_bytes(),
        &vendor,
        &name,
        data,
    ]
    .concat();
    variable.resize(variable.len().next_multiple_of(4), 0xFF);
    variable
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A firmware volume of 4 KiB, by hand: HeaderLength 72, a store of 2048 bytes.
    fn volume() -> Vec<u8> {
        let mut volume = vec![0xFF; 4096];
        volume[..72].fill(0);
        volume[40..44].copy_from_slice(b"_FVH");
        volume[48] = 72;
        volume[72..88].copy_from_slice(b"\x78\x2c\xf3\xaa\x7b\x94\x9a\x43\xa1\x80\x2e\x14\x4e\xc3\x77\x92");
        volume[88..92].copy_from_slice(&2048_u32.to_le_bytes());
        volume
    }

    /// The bytes are those that virt-fw-vars writes for the same variables, apart from their order.
    #[test]
    fn variables_stand_as_firmware_writes_them() {
        let enable = variable("SecureBootEnable", ENABLE, PRIVATE, &[1]);
        let head =
            b"\xaa\x55\x3f\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x22\0\0\0\x01\0\0\0";
        assert_eq!(&enable[..44], head);
        assert_eq!(
            &enable[44..60],
            b"\xc7\x0b\xa3\xf0\x08\xaf\x56\x45\x99\xc4\x00\x10\x09\xc9\x3a\x44"
        );
        assert_eq!(&enable[60..64], b"S\0e\0");
        assert_eq!(&enable[92..], b"\0\0\x01\xff", "the name's end, the value, padding");
        let list = signature_list(SignatureKind::Sha256, OWNER, &[&[7; 32], &[8; 32]]);
        assert_eq!(list.len(), 28 + 2 * 48);
        assert_eq!(&list[16..28], b"\x7c\0\0\0\0\0\0\0\x30\0\0\0");
        assert_eq!((&list[44..76], &list[92..]), (&[7; 32][..], &[8; 32][..]));
    }

    /// The digests are those of Debian's OVMF_VARS.fd and OVMF_VARS_4M.fd (ovmf 2022.11-6+deb12u2).
    #[test]
    fn blank_flash_is_as_edk2_builds_it() {
        use sha2::{Digest, Sha256};
        let digest = |size| crate::ground::text::hex(&Sha256::digest(blank(size).unwrap()));
        assert_eq!(
            digest(0x2_0000),
            "6ed987af3a3c155be71665f510eae3e007eda9b8b94afd59d45e91c4a11565cc"
        );
        assert_eq!(
            digest(0x8_4000),
            "5d2ac383371b408398accee7ec27c8c09ea5b74a0de0ceea6513388b15be5d1e"
        );
        assert_eq!(blank(0x8_4001), None);
        let qcow2 = [b"QFI\xfb".as_slice(), &[0; 20], &0x8_4000_u64.to_be_bytes()].concat();
        assert_eq!(disk_size(&qcow2), Some(0x8_4000));
        assert_eq!(disk_size(&qcow2[..31]), None);
    }

    #[test]
    fn a_store_is_written_anew_and_nothing_else() {
        let mut old = volume();
        old[100..200].fill(0x11);
        let own = Certificate::from_der(include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/formats/authenticode/tests/root.der"
        )))
        .unwrap();
        // Three lists with the certificate, which has 766 bytes, do not fit into 2 KiB.
        let fault = with_keys(&old, &[&own]).unwrap_err();
        assert!(fault.contains("has 2020 bytes"), "{fault}");
        old[88..92].copy_from_slice(&4000_u32.to_le_bytes());
        let new = with_keys(&old, &[&own]).unwrap();
        assert_eq!((&new[..100], &new[72 + 4000..]), (&old[..100], &old[72 + 4000..]));
        assert_eq!(
            new.windows(own.der().len()).filter(|bytes| *bytes == own.der()).count(),
            3
        );
        assert_ne!(&new[100..200], &[0x11; 100], "the old variables are gone");
        old[88..92].copy_from_slice(&5000_u32.to_le_bytes());
        assert!(with_keys(&old, &[&own]).unwrap_err().contains("longer than the file"));
        old[72] = 0;
        assert!(with_keys(&old, &[&own]).unwrap_err().contains("not a firmware volume"));
        assert!(with_keys(b"QFI\xfb", &[&own]).is_err());
    }
}
