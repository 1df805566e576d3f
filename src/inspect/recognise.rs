//! What an image is that is no plain ISO 9660 image, and what else is in one.

use std::io;

use crate::iso9660::{SECTOR, SYSTEM_AREA};
use crate::read_at::ReadAt;

use super::InspectError;

/// What a file begins with that holds an image in another form, and what to say of it.
const OTHERS: [(&[u8], &str); 11] = [
    (b"\x1f\x8b", "it is compressed with gzip; decompress it first"),
    (b"\xfd7zXZ\0", "it is compressed with xz; decompress it first"),
    (b"\x28\xb5\x2f\xfd", "it is compressed with zstd; decompress it first"),
    (b"BZh", "it is compressed with bzip2; decompress it first"),
    (b"\x04\x22\x4d\x18", "it is compressed with lz4; decompress it first"),
    (b"PK\x03\x04", "it is a ZIP archive; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "it is a 7z archive; unpack it first"),
    (
        b"QFI\xfb",
        "it is a qcow2 disk; convert it first (qemu-img convert -O raw)",
    ),
    (b"KDMV", "it is a VMDK disk; convert it first (qemu-img convert -O raw)"),
    (
        b"vhdxfile",
        "it is a VHDX disk; convert it first (qemu-img convert -O raw)",
    ),
    (
        RAW,
        "it has raw sectors of 2352 bytes, which are not supported; convert it to sectors of 2048 first",
    ),
];

/// ECMA-130 §14.1: the synchronisation field that a raw sector begins with.
pub(super) const RAW: &[u8] = b"\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0";

/// What to say of a file that begins so, if it holds an image in another form.
pub(crate) fn container(start: &[u8]) -> Option<&'static str> {
    let other = OTHERS.iter().find(|(magic, _)| start.starts_with(magic));
    other.map(|&(_, what)| what)
}

/// Names what an image is when it is not an ISO 9660 image.
pub(crate) fn refuse(image: &dyn ReadAt) -> Result<(), InspectError> {
    let size = image.size();
    let refused = |message: &str| Err(InspectError::NotAnImage(message.to_owned()));
    let start = image.read_vec_at(0, size.min(RAW.len() as u64))?;
    if let Some(what) = container(&start) {
        return refused(what);
    }
    if size < SYSTEM_AREA + SECTOR {
        return refused(&format!(
            "{size} bytes are too few for an ISO 9660 image, which begins with 32 KiB of system area"
        ));
    }
    Ok(())
}

/// Sectors of the volume recognition sequence (ECMA-167 2/8.4) that are looked at.
const SEQUENCE: u64 = 64;

/// Byte offset and length of the descriptors that announce UDF, if it is announced.
pub(super) fn udf_sequence(image: &dyn ReadAt) -> io::Result<Option<(u64, u64)>> {
    // ECMA-167 2/8.3: a descriptor begins a sector, where sectors are longer than itself.
    for step in [SECTOR, 2 * SECTOR] {
        let (mut start, mut announced) = (None, false);
        for number in 0..SEQUENCE {
            let mut identifier = [0; 5];
            let offset = SYSTEM_AREA + number * step;
            if offset + SECTOR > image.size() {
                break;
            }
            image.read_exact_at(&mut identifier, offset + 1)?;
            match &identifier {
                b"CD001" if start.is_none() => continue,
                b"BEA01" | b"BOOT2" | b"CDW02" => {}
                b"NSR02" | b"NSR03" => announced = true,
                b"TEA01" if announced => {
                    let start = start.unwrap_or(offset);
                    return Ok(Some((start, offset + SECTOR - start)));
                }
                _ => break,
            }
            start = start.or(Some(offset));
        }
    }
    Ok(None)
}

/// What an image holds beside all that is described, a sentence each.
pub(super) fn unsupported(image: &dyn ReadAt) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut say = |what: &str| found.push(format!("unsupported: {what}; it is not described here"));
    let at = |offset: u64, magic: &[u8]| -> io::Result<bool> {
        match offset + magic.len() as u64 <= image.size() {
            true => Ok(image.read_vec_at(offset, magic.len() as u64)? == magic),
            false => Ok(false),
        }
    };
    // Inside Macintosh: Files, 2-60, and TN1150: the volume header is 1024 bytes into the volume.
    if at(1024, b"BD")? || at(1024, b"H+\0\x04")? || at(1024, b"HX\0\x05")? {
        say("an HFS volume that begins with the image");
    }
    Ok(found)
}
