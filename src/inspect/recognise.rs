//! What a file is that is not an ISO 9660 image, and what else an image holds.

use std::io;

use crate::iso9660::{SECTOR, SYSTEM_AREA};
use crate::read_at::ReadAt;

use super::InspectError;

/// How much of a file's start shows what it is.
pub(crate) const START: u64 = 4096;

/// What compressed files begin with, what has compressed them, and what decompresses them.
const COMPRESSED: [(&[u8], &str, &str); 8] = [
    (b"\x1f\x8b", "gzip", "gzip -d"),
    (b"\xfd7zXZ\0", "xz", "xz -d"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstd -d"),
    (b"BZh", "bzip2", "bzip2 -d"),
    (b"\x04\x22\x4d\x18", "lz4", "lz4 -d"),
    (b"LZIP", "lzip", "lzip -d"),
    (b"\x1f\x9d", "compress (.Z)", "gzip -d"),
    (b"\x89LZO\0\r\n\x1a\n", "lzop", "lzop -d"),
];

/// What disks of virtual machines have at an offset, and how their form is called.
const DISKS: [(usize, &[u8], &str); 8] = [
    (0, b"QFI\xfb", "qcow2"),
    (0, b"KDMV", "VMDK"),
    (0, b"COWD", "VMDK"),
    (0, b"vhdxfile", "VHDX"),
    (0, b"conectix", "VHD"),
    (64, b"\x7f\x10\xda\xbe", "VDI"),
    (0, b"WithoutFreeSpace", "Parallels"),
    (0, b"WithouFreSpacExt", "Parallels"),
];

const CPIO: &str = "it is a cpio archive, as an initrd is, not an image";

/// What other files have at an offset, and what to say of them.
const OTHERS: [(usize, &[u8], &str); 22] = [
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
        b"# Disk DescriptorFile",
        "it describes a VMDK disk, which is in other files",
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
    (0, b"xar!", "it is a XAR archive; unpack it first"),
    (0, b"070701", CPIO),
    (0, b"070702", CPIO),
    (0, b"070707", CPIO),
    (0, b"\xc7\x71", CPIO),
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

/// What to say of a file that is not an image, by its first bytes (those of the first volume descriptor too) and by its last 512. An image
/// may be something else at once, on purpose.
pub(crate) fn not_an_image(head: &[u8], end: &[u8]) -> Option<String> {
    let identifier = head.get(SYSTEM_AREA as usize + 1..).unwrap_or_default();
    if identifier.starts_with(b"CD001") || identifier.starts_with(b"BEA01") {
        return None;
    }
    let what = other(head).or_else(|| program(head).or_else(|| signature(head)).map(str::to_owned));
    what.or_else(|| at_the_end(end))
}

/// A PE image or a Linux kernel, unless it is a disk with a GPT that begins so.
fn program(head: &[u8]) -> Option<&'static str> {
    let has = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|at| at.starts_with(magic));
    if has(512, b"EFI PART") || has(4096, b"EFI PART") {
        return None;
    }
    // The Linux x86 boot protocol: "HdrS" at 0x202.
    if has(0x202, b"HdrS") {
        return Some("it is a Linux kernel, not an image; a manifest with it in [[menu]] makes one");
    }
    // PE format, "MS-DOS Stub": the file offset of the PE signature is at 0x3C.
    let at = head.get(0x3c..)?.first_chunk().map(|&at| u32::from_le_bytes(at))?;
    (has(0, b"MZ") && has(at as usize, b"PE\0\0")).then_some("it is an EFI or a Windows program, not an image")
}

/// RFC 9580 §4.2 and §5.2: a signature packet of version 4 in the old format, which is the whole file.
fn signature(file: &[u8]) -> Option<&'static str> {
    let (length, version) = match *file.first_chunk()? {
        [0x88, length, version, _] => (2 + usize::from(length), version),
        [0x89, high, low, version] => (3 + usize::from(u16::from_be_bytes([high, low])), version),
        _ => return None,
    };
    (version == 4 && file.len() == length).then_some("it is the signature of a file, not an image")
}

/// What to say of a file that begins so, if it is not an image.
pub(crate) fn other(head: &[u8]) -> Option<String> {
    let start = head.get(..START as usize).unwrap_or(head);
    let has = |offset: usize, magic: &[u8]| start.get(offset..).is_some_and(|at| at.starts_with(magic));
    let compressed = COMPRESSED.iter().find(|&&(magic, ..)| has(0, magic));
    if let Some((_, by, program)) = compressed {
        return Some(format!("it is compressed with {by}; decompress it first ({program})"));
    }
    if is_lzma(start) {
        return Some("it is compressed with LZMA; decompress it first (xz -d)".into());
    }
    if let Some((_, _, form)) = DISKS.iter().find(|&&(offset, magic, _)| has(offset, magic)) {
        return Some(format!(
            "it is a {form} disk; convert it first (qemu-img convert -O raw)"
        ));
    }
    let known = OTHERS.iter().find(|&&(offset, magic, _)| has(offset, magic));
    known
        .map(|&(_, _, what)| what)
        .or_else(|| text_of(start))
        .map(str::to_owned)
}

/// The same by the last 512 bytes.
fn at_the_end(end: &[u8]) -> Option<String> {
    let has = |&&(from_end, magic, _): &&(u64, &[u8], &str)| {
        let at = end.len().checked_sub(from_end as usize);
        at.and_then(|at| end.get(at..)).is_some_and(|at| at.starts_with(magic))
    };
    AT_THE_END.iter().find(has).map(|&(_, _, what)| what.to_owned())
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
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Some("it is text in UTF-16, not an image");
    }
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
    let refused = |message: String| Err(InspectError::NotAnImage(message));
    let head = image.read_vec_at(0, size.min(SYSTEM_AREA + SECTOR))?;
    let end = image.read_vec_at(size.saturating_sub(512), size.min(512))?;
    if let Some(what) = not_an_image(&head, &end) {
        return refused(what);
    }
    if size < SYSTEM_AREA + SECTOR {
        return refused(format!(
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
