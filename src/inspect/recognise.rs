//! What an image is that is no plain ISO 9660 image, and what else is in one.

use std::io;

use crate::iso9660::{SECTOR, SYSTEM_AREA};
use crate::read_at::ReadAt;

use super::InspectError;

/// How much of a file's start shows what it is.
pub(crate) const START: u64 = 4096;

/// What a file has at an offset that is not an image, or holds one in another form, and what to say of it.
const OTHERS: [(usize, &[u8], &str); 33] = [
    (0, b"\x1f\x8b", "it is compressed with gzip; decompress it first"),
    (0, b"\xfd7zXZ\0", "it is compressed with xz; decompress it first"),
    (
        0,
        b"\x28\xb5\x2f\xfd",
        "it is compressed with zstd; decompress it first",
    ),
    (0, b"BZh", "it is compressed with bzip2; decompress it first"),
    (
        0,
        b"\x04\x22\x4d\x18",
        "it is compressed with lz4; decompress it first (lz4 -d)",
    ),
    (0, b"LZIP", "it is compressed with lzip; decompress it first (lzip -d)"),
    (
        0,
        b"\x1f\x9d",
        "it is compressed with compress (.Z); decompress it first (gzip -d)",
    ),
    (
        0,
        b"\x89LZO\0\r\n\x1a\n",
        "it is compressed with lzop; decompress it first (lzop -d)",
    ),
    (0, b"PK\x03\x04", "it is a ZIP archive; unpack it first (unzip)"),
    (0, b"7z\xbc\xaf\x27\x1c", "it is a 7z archive; unpack it first (7z x)"),
    (0, b"Rar!\x1a\x07", "it is a RAR archive; unpack it first"),
    (0, b"MSCF\0\0\0\0", "it is a CAB archive; unpack it first"),
    (0, b"!<arch>\n", "it is a package (.deb) or a library, not an image"),
    (0, b"\xed\xab\xee\xdb", "it is an RPM package, not an image"),
    (
        0,
        b"MSWIM\0\0\0",
        "it is a Windows image (WIM), which an installer unpacks, and not an image of a disk",
    ),
    (
        0,
        b"QFI\xfb",
        "it is a qcow2 disk; convert it first (qemu-img convert -O raw)",
    ),
    (
        0,
        b"KDMV",
        "it is a VMDK disk; convert it first (qemu-img convert -O raw)",
    ),
    (
        0,
        b"COWD",
        "it is a VMDK disk; convert it first (qemu-img convert -O raw)",
    ),
    (
        0,
        b"# Disk DescriptorFile",
        "it describes a VMDK disk, which is in other files",
    ),
    (
        0,
        b"vhdxfile",
        "it is a VHDX disk; convert it first (qemu-img convert -O raw)",
    ),
    (
        0,
        b"conectix",
        "it is a VHD disk; convert it first (qemu-img convert -O raw)",
    ),
    (
        64,
        b"\x7f\x10\xda\xbe",
        "it is a VDI disk; convert it first (qemu-img convert -O raw)",
    ),
    (
        0,
        b"WithoutFreeSpace",
        "it is a Parallels disk; convert it first (qemu-img convert -O raw)",
    ),
    (
        0,
        b"WithouFreSpacExt",
        "it is a Parallels disk; convert it first (qemu-img convert -O raw)",
    ),
    (
        0,
        b"\x3a\xff\x26\xed",
        "it is an Android sparse image; expand it first (simg2img)",
    ),
    (0, b"IsZ!", "it is an ISZ image; convert it to ISO first"),
    (0, b"CISO", "it is a CSO image; convert it to ISO first"),
    (0, b"%PDF-", "it is a PDF document, not an image"),
    (0, b"\x7fELF", "it is an ELF program, not an image"),
    (0, b"\x89PNG\r\n\x1a\n", "it is a picture, not an image of a disk"),
    (0, b"\xff\xd8\xff", "it is a picture, not an image of a disk"),
    (257, b"ustar", "it is a tar archive; unpack it first (tar xf)"),
    (
        0,
        RAW,
        "it has raw sectors of 2352 bytes, which are not supported; convert it to sectors of 2048 first",
    ),
];

/// The same at the end of a file, from the end.
const AT_THE_END: [(u64, &[u8], &str); 4] = [
    (512, b"koly", "it is a DMG disk; convert it first (dmg2img)"),
    (
        512,
        b"conectix",
        "it is a VHD disk of fixed size: a disk with 512 bytes behind it; convert it first (qemu-img convert -O raw)",
    ),
    (12, b"NER5", "it is a Nero image (NRG); convert it to ISO first"),
    (8, b"NERO", "it is a Nero image (NRG); convert it to ISO first"),
];

/// ECMA-130 §14.1: the synchronisation field that a raw sector begins with.
pub(super) const RAW: &[u8] = b"\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0";

/// What to say of a file that begins so, if it is not an image.
pub(crate) fn other(start: &[u8]) -> Option<&'static str> {
    let has = |&(offset, magic, _): &(usize, &[u8], &str)| start.get(offset..).is_some_and(|at| at.starts_with(magic));
    let known = OTHERS.iter().find(|other| has(other)).map(|&(_, _, what)| what);
    known
        .or_else(|| is_lzma(start).then_some("it is compressed with LZMA; decompress it first (xz -d)"))
        .or_else(|| text_of(start))
}

/// The same of the last bytes of a file.
pub(crate) fn other_end(end: &[u8]) -> Option<&'static str> {
    let has = |&&(from_end, magic, _): &&(u64, &[u8], &str)| {
        let at = end.len().checked_sub(from_end as usize);
        at.and_then(|at| end.get(at..)).is_some_and(|at| at.starts_with(magic))
    };
    AT_THE_END.iter().find(has).map(|&(_, _, what)| what)
}

/// LZMA alone has no magic number: the usual properties, a power of two or one and a half for the dictionary, and a length that is unknown
/// or below 256 GiB.
fn is_lzma(start: &[u8]) -> bool {
    let Some((&[0x5D, a, b, c, d], rest)) = start.split_first_chunk() else {
        return false;
    };
    let dictionary = u32::from_le_bytes([a, b, c, d]);
    let is_power = |number: u32| number.is_power_of_two();
    let length = rest.first_chunk().map(|&bytes| u64::from_le_bytes(bytes));
    let fits = length.is_some_and(|length| length == u64::MAX || length < 1 << 38);
    fits && dictionary >= 4096 && (is_power(dictionary) || (dictionary.is_multiple_of(3) && is_power(dictionary / 3)))
}

/// A file that is text is not an image: an image begins with zeros or with boot code.
fn text_of(start: &[u8]) -> Option<&'static str> {
    // The last character may be cut.
    let text = match str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => str::from_utf8(&start[..error.valid_up_to()]).ok()?,
        Err(_) => return torrent(start),
    };
    if text.is_empty()
        || text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\x0c'))
    {
        return torrent(start);
    }
    let begin = text.trim_start_matches('\u{feff}').trim_start();
    let begins = |word: &str| {
        begin
            .get(..word.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(word))
    };
    if begins("<!doctype html") || begins("<html") || begins("<head") {
        return Some("it is a web page, not an image: a download that has failed?");
    }
    let lines = || text.lines().map(str::trim);
    if lines().any(|line| matches!(line, "[[files]]" | "[[menu]]" | "[boot]" | "[iso]" | "[disk]")) {
        return Some("it is a manifest, not an image; `isobuild MANIFEST` builds the image");
    }
    torrent(start).or(Some("it is text, not an image"))
}

/// BEP 3: a dictionary with an announcement or the files' names.
fn torrent(start: &[u8]) -> Option<&'static str> {
    let keys: [&[u8]; 6] = [
        b"d8:announce",
        b"d13:announce-list",
        b"d4:info",
        b"d7:comment",
        b"d10:created by",
        b"d13:creation date",
    ];
    let is_torrent = keys.iter().any(|key| start.starts_with(key));
    is_torrent.then_some("it is a torrent, by which a BitTorrent program fetches the image")
}

/// Names what an image is when it is not an ISO 9660 image.
pub(crate) fn refuse(image: &dyn ReadAt) -> Result<(), InspectError> {
    let size = image.size();
    let refused = |message: &str| Err(InspectError::NotAnImage(message.to_owned()));
    let start = image.read_vec_at(0, size.min(START))?;
    let end = image.read_vec_at(size.saturating_sub(512), size.min(512))?;
    let mut identifier = [0; 5];
    // Who made something that is an image and something else knows why.
    let is_volume = size > SYSTEM_AREA + SECTOR
        && image.read_exact_at(&mut identifier, SYSTEM_AREA + 1).is_ok()
        && matches!(&identifier, b"CD001" | b"BEA01");
    if let Some(what) = other(&start).or_else(|| other_end(&end)).filter(|_| !is_volume) {
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

/// Whether the image says that it holds UDF.
pub(super) fn has_udf(image: &dyn ReadAt) -> io::Result<bool> {
    Ok(udf_sequence(image)?.is_some())
}

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
