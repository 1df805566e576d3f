//! Files that are not images, in words, and what an image holds that is not described.

use std::{fmt, io};

use crate::formats::iso9660::{SECTOR, SYSTEM_AREA};
use crate::formats::recognise::Form;
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

/// What a form is called that is not an image, and how to get an image from it; none for forms that an image can have.
fn words(form: Form) -> Option<Recognised> {
    let compressed = |what, mend| recognised(what, Some(mend));
    Some(match form {
        Form::Gzip | Form::OldGzip => compressed("compressed with gzip", "decompress it first (gzip -d)"),
        Form::Xz => compressed("compressed with xz", "decompress it first (xz -d)"),
        Form::Zstd => compressed("compressed with zstd", "decompress it first (zstd -d)"),
        Form::Bzip2 => compressed("compressed with bzip2", "decompress it first (bzip2 -d)"),
        Form::Lzma => compressed("compressed with LZMA", "decompress it first (xz -d)"),
        Form::Lz4 | Form::OldLz4 => compressed("compressed with lz4", "decompress it first (lz4 -d)"),
        Form::Lzip => compressed("compressed with lzip", "decompress it first (lzip -d)"),
        Form::Compress => compressed("compressed with compress (.Z)", "decompress it first (gzip -d)"),
        Form::Lzop => compressed("compressed with lzop", "decompress it first (lzop -d)"),
        Form::Qcow2 => recognised("a qcow2 disk", TO_RAW),
        Form::Vmdk => recognised("a VMDK disk", TO_RAW),
        Form::VmdkDescriptor => recognised("the description of a VMDK disk, whose bytes are in other files", TO_RAW),
        Form::Vhdx => recognised("a VHDX disk", TO_RAW),
        Form::Vhd => recognised("a VHD disk", TO_RAW),
        Form::FixedVhd => recognised(
            "a VHD disk of fixed size, which ends with 512 bytes that are not the disk's",
            TO_RAW,
        ),
        Form::Vdi => recognised("a VDI disk", TO_RAW),
        Form::Qed => recognised("a QED disk", TO_RAW),
        Form::Parallels => recognised("a Parallels disk", TO_RAW),
        Form::AndroidSparse => recognised("an Android sparse image", Some("expand it first (simg2img)")),
        Form::Isz => recognised("an ISZ image", TO_ISO),
        Form::Cso => recognised("a CSO image", TO_ISO),
        Form::RawSectors => recognised(
            "an image of raw sectors of 2352 bytes",
            Some("convert it to sectors of 2048 bytes first"),
        ),
        Form::EncryptedDmg => recognised("an encrypted DMG disk", None),
        Form::Dmg => recognised("a DMG disk", Some("convert it first (dmg2img)")),
        Form::Nero => recognised("a Nero image (NRG)", TO_ISO),
        Form::Wim => recognised("a Windows image (WIM), which an installer unpacks", None),
        Form::Zip => recognised("a ZIP archive", Some("unpack it first (unzip)")),
        Form::SevenZip => recognised("a 7z archive", Some("unpack it first (7z x)")),
        Form::Rar => recognised("a RAR archive", UNPACK),
        Form::Cab => recognised("a CAB archive", UNPACK),
        Form::Xar => recognised("a XAR archive", UNPACK),
        Form::Tar => recognised("a tar archive", Some("unpack it first (tar xf)")),
        Form::Cpio | Form::OldCpio => recognised("a cpio archive, as an initrd is", None),
        Form::Ar => recognised("a package (.deb) or a library", None),
        Form::Rpm => recognised("an RPM package", None),
        Form::Pdf => recognised("a PDF document", None),
        Form::Elf => recognised("an ELF program", None),
        Form::Png | Form::Jpeg => recognised("a picture", None),
        _ => return None,
    })
}

/// What a file is that is not an image, by its first bytes as far as the first volume descriptor and by its last 512. A file with a volume
/// is an image, whatever else it is.
pub(crate) fn not_an_image(head: &[u8], end: &[u8]) -> Option<Recognised> {
    if Form::of_head(head).any(|form| matches!(form, Form::Iso9660 | Form::Udf)) {
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
    if Form::of_head(head).any(|form| matches!(form, Form::Gpt(512 | 4096))) {
        return None;
    }
    if Form::LinuxKernel.is_shown_by(head) {
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
    Form::of_head(start).find_map(words).or_else(|| text_of(start))
}

/// What a file is, by its last 512 bytes.
fn by_end(end: &[u8]) -> Option<Recognised> {
    Form::of_end(end).find_map(words)
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

/// What a whole file is that is not an image.
pub(crate) fn foreign(image: &dyn ReadAt) -> io::Result<Option<Recognised>> {
    let size = image.size();
    let head = image.read_vec_at(0, size.min(SYSTEM_AREA + SECTOR))?;
    let end = image.read_vec_at(size.saturating_sub(512), size.min(512))?;
    Ok(not_an_image(&head, &end))
}

/// Names what an image is when it is not an ISO 9660 image.
pub(crate) fn refuse(image: &dyn ReadAt) -> Result<(), InspectError> {
    let size = image.size();
    let refused = |message: String| Err(InspectError::NotAnImage(message));
    if let Some(what) = foreign(image)? {
        return refused(what.to_string());
    }
    if size < SYSTEM_AREA + SECTOR {
        return refused(format!(
            "{size} bytes are too few for an ISO 9660 image, which begins with 32 KiB of system area"
        ));
    }
    Ok(())
}

/// What an image holds beside all that is described, a sentence each.
pub(super) fn unsupported(image: &dyn ReadAt) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut say = |what: &str| found.push(format!("unsupported: {what}; it is not described here"));
    if Form::Hfs.is_of(image)? {
        say("an HFS volume that begins with the image");
    }
    Ok(found)
}
