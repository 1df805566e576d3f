//! Recognises files that are not ISO 9660 images, and what else an image holds.

use std::{fmt, io};

use crate::formats::iso9660::{SECTOR, SYSTEM_AREA};
use crate::ground::read_at::ReadAt;

use super::InspectError;

/// How much of a file's start shows what it is.
pub(crate) const START: u64 = 4096;

/// What a file is that is not an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recognised {
    /// Such as "a ZIP archive".
    pub(crate) what: &'static str,
    /// How to get an image from it, if that is known.
    mend: Option<&'static str>,
}

impl fmt::Display for Recognised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mend {
            Some(mend) => write!(f, "it is {}; {mend}", self.what),
            None => write!(f, "it is {}, not an image of a disk", self.what),
        }
    }
}

const fn recognised(what: &'static str, mend: Option<&'static str>) -> Recognised {
    Recognised { what, mend }
}

const UNPACK: Option<&str> = Some("unpack it first");
const TO_RAW: Option<&str> = Some("convert it first (qemu-img convert -O raw)");
const TO_ISO: Option<&str> = Some("convert it to ISO first");
const CPIO: &str = "a cpio archive, as an initrd is";

/// What a file has at an offset, what it is then, and how to get an image from it.
const MAGIC: [(usize, &[u8], &str, Option<&str>); 38] = [
    (
        0,
        b"\x1f\x8b",
        "compressed with gzip",
        Some("decompress it first (gzip -d)"),
    ),
    (
        0,
        b"\xfd7zXZ\0",
        "compressed with xz",
        Some("decompress it first (xz -d)"),
    ),
    (
        0,
        b"\x28\xb5\x2f\xfd",
        "compressed with zstd",
        Some("decompress it first (zstd -d)"),
    ),
    (
        0,
        b"BZh",
        "compressed with bzip2",
        Some("decompress it first (bzip2 -d)"),
    ),
    (
        0,
        b"\x04\x22\x4d\x18",
        "compressed with lz4",
        Some("decompress it first (lz4 -d)"),
    ),
    (
        0,
        b"LZIP",
        "compressed with lzip",
        Some("decompress it first (lzip -d)"),
    ),
    (
        0,
        b"\x1f\x9d",
        "compressed with compress (.Z)",
        Some("decompress it first (gzip -d)"),
    ),
    (
        0,
        b"\x89LZO\0\r\n\x1a\n",
        "compressed with lzop",
        Some("decompress it first (lzop -d)"),
    ),
    (0, b"QFI\xfb", "a qcow2 disk", TO_RAW),
    (0, b"KDMV", "a VMDK disk", TO_RAW),
    (0, b"COWD", "a VMDK disk", TO_RAW),
    (
        0,
        b"# Disk DescriptorFile",
        "the description of a VMDK disk, whose bytes are in other files",
        TO_RAW,
    ),
    (0, b"vhdxfile", "a VHDX disk", TO_RAW),
    (0, b"conectix", "a VHD disk", TO_RAW),
    (64, b"\x7f\x10\xda\xbe", "a VDI disk", TO_RAW),
    (0, b"WithoutFreeSpace", "a Parallels disk", TO_RAW),
    (0, b"WithouFreSpacExt", "a Parallels disk", TO_RAW),
    (
        0,
        b"\x3a\xff\x26\xed",
        "an Android sparse image",
        Some("expand it first (simg2img)"),
    ),
    (0, b"IsZ!", "an ISZ image", TO_ISO),
    (0, b"CISO", "a CSO image", TO_ISO),
    (
        0,
        RAW,
        "an image of raw sectors of 2352 bytes",
        Some("convert it to sectors of 2048 bytes first"),
    ),
    (
        0,
        b"MSWIM\0\0\0",
        "a Windows image (WIM), which an installer unpacks",
        None,
    ),
    (0, b"PK\x03\x04", "a ZIP archive", Some("unpack it first (unzip)")),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", Some("unpack it first (7z x)")),
    (0, b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (0, b"MSCF\0\0\0\0", "a CAB archive", UNPACK),
    (0, b"xar!", "a XAR archive", UNPACK),
    (257, b"ustar", "a tar archive", Some("unpack it first (tar xf)")),
    (0, b"070701", CPIO, None),
    (0, b"070702", CPIO, None),
    (0, b"070707", CPIO, None),
    (0, b"\xc7\x71", CPIO, None),
    (0, b"!<arch>\n", "a package (.deb) or a library", None),
    (0, b"\xed\xab\xee\xdb", "an RPM package", None),
    (0, b"%PDF-", "a PDF document", None),
    (0, b"\x7fELF", "an ELF program", None),
    (0, b"\x89PNG\r\n\x1a\n", "a picture", None),
    (0, b"\xff\xd8\xff", "a picture", None),
];

/// The same at the end of a file; the offset counts back from the end.
const MAGIC_AT_THE_END: [(usize, &[u8], &str, Option<&str>); 4] = [
    (512, b"koly", "a DMG disk", Some("convert it first (dmg2img)")),
    (
        512,
        b"conectix",
        "a VHD disk of fixed size, which ends with 512 bytes that are not the disk's",
        TO_RAW,
    ),
    (12, b"NER5", "a Nero image (NRG)", TO_ISO),
    (8, b"NERO", "a Nero image (NRG)", TO_ISO),
];

/// ECMA-130 §14.1: the synchronisation field that a raw sector begins with.
pub(super) const RAW: &[u8] = b"\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0";

/// What a file is that is not an image, by its first bytes as far as the first volume descriptor and by its last 512. A file with a volume
/// is an image, whatever else it is.
pub(crate) fn not_an_image(head: &[u8], end: &[u8]) -> Option<Recognised> {
    let identifier = head.get(SYSTEM_AREA as usize + 1..).unwrap_or_default();
    if identifier.starts_with(b"CD001") || identifier.starts_with(b"BEA01") {
        return None;
    }
    by_start(head)
        .or_else(|| program(head))
        .or_else(|| signature(head))
        .or_else(|| by_end(end))
}

/// A PE image or a Linux kernel. A disk with a GPT may begin in the same way.
fn program(head: &[u8]) -> Option<Recognised> {
    let has = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|at| at.starts_with(magic));
    if has(512, b"EFI PART") || has(4096, b"EFI PART") {
        return None;
    }
    // The Linux x86 boot protocol: "HdrS" at 0x202.
    if has(0x202, b"HdrS") {
        let mend = "a manifest with the kernel in [[menu]] makes an image";
        return Some(recognised("a Linux kernel", Some(mend)));
    }
    // PE format, "MS-DOS Stub": the file offset of the PE signature is at 0x3C.
    let at = head.get(0x3c..)?.first_chunk().map(|&at| u32::from_le_bytes(at))?;
    let is_pe = has(0, b"MZ") && has(at as usize, b"PE\0\0");
    is_pe.then_some(recognised("an EFI or a Windows program", None))
}

/// RFC 9580 §4.2 and §5.2: the whole file is one signature packet of version 4 in the old format.
fn signature(file: &[u8]) -> Option<Recognised> {
    let (length, version) = match *file.first_chunk()? {
        [0x88, length, version, _] => (2 + usize::from(length), version),
        [0x89, high, low, version] => (3 + usize::from(u16::from_be_bytes([high, low])), version),
        _ => return None,
    };
    (version == 4 && file.len() == length).then_some(recognised("the signature of a file", None))
}

/// What a file is, by its first [`START`] bytes.
pub(crate) fn by_start(head: &[u8]) -> Option<Recognised> {
    let start = head.get(..START as usize).unwrap_or(head);
    let has = |offset: usize, magic: &[u8]| start.get(offset..).is_some_and(|at| at.starts_with(magic));
    let known = MAGIC.iter().find(|&&(offset, magic, ..)| has(offset, magic));
    let lzma = || is_lzma(start).then_some(recognised("compressed with LZMA", Some("decompress it first (xz -d)")));
    known
        .map(|&(.., what, mend)| recognised(what, mend))
        .or_else(lzma)
        .or_else(|| text_of(start))
}

/// What a file is, by its last 512 bytes.
fn by_end(end: &[u8]) -> Option<Recognised> {
    let has = |from_end: usize, magic: &[u8]| {
        let at = end.len().checked_sub(from_end);
        at.and_then(|at| end.get(at..)).is_some_and(|at| at.starts_with(magic))
    };
    let mut known = MAGIC_AT_THE_END
        .iter()
        .filter(|&&(from_end, magic, ..)| has(from_end, magic));
    known.next().map(|&(.., what, mend)| recognised(what, mend))
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

/// What a text is. An image is never text: it begins with zeros or with boot code.
fn text_of(start: &[u8]) -> Option<Recognised> {
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Some(recognised("text in UTF-16", None));
    }
    if is_torrent(start) {
        return Some(recognised(
            "a torrent",
            Some("a BitTorrent program fetches the image by it"),
        ));
    }
    // The last character may be cut.
    let text = match str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => str::from_utf8(&start[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\x0c');
    if text.is_empty() || text.chars().any(is_control) {
        return None;
    }
    let begin = text.trim_start_matches('\u{feff}').trim_start();
    let begins = |word: &str| {
        begin
            .get(..word.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(word))
    };
    if begins("<!doctype html") || begins("<html") || begins("<head") {
        return Some(recognised("a web page", Some("perhaps a download has failed")));
    }
    let mut lines = text.lines().map(str::trim);
    if lines.any(|line| matches!(line, "[[files]]" | "[[menu]]" | "[boot]" | "[iso]" | "[disk]")) {
        return Some(recognised("a manifest", Some("`isobuild MANIFEST` builds the image")));
    }
    Some(recognised("text", None))
}

/// BEP 3: a dictionary with an announcement or the files' names.
fn is_torrent(start: &[u8]) -> bool {
    let keys: [&[u8]; 6] = [
        b"d8:announce",
        b"d13:announce-list",
        b"d4:info",
        b"d7:comment",
        b"d10:created by",
        b"d13:creation date",
    ];
    keys.iter().any(|key| start.starts_with(key))
}

/// Names what an image is when it is not an ISO 9660 image.
pub(crate) fn refuse(image: &dyn ReadAt) -> Result<(), InspectError> {
    let size = image.size();
    let refused = |message: String| Err(InspectError::NotAnImage(message));
    let head = image.read_vec_at(0, size.min(SYSTEM_AREA + SECTOR))?;
    let end = image.read_vec_at(size.saturating_sub(512), size.min(512))?;
    if let Some(what) = not_an_image(&head, &end) {
        return refused(what.to_string());
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
