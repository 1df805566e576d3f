//! zip (APPNOTE 6.3.10): entries that are stored or deflated. The crate gives no set-id bits, and there are no owners.

mod directory;

use std::io::Read;

use zip::read::{ZipArchive, ZipFile};
use zip::result::ZipError;
use zip::{CompressionMethod, DateTime, ExtraField};

use super::name::relative;
use super::{ArchiveEntry, ArchiveError, Input, Kind, wrong};
use crate::ground::read_at::{ReadAt, Reader};
use crate::ground::spool::Place;
use crate::ground::text;
use crate::ground::time::{Civil, Timestamp};
use directory::Directory;

/// Linux takes no longer target of a link.
const LONGEST_TARGET: u64 = 4096;

/// The entries, and what is wrong with the archive without any of them being lost.
pub(super) fn entries(input: &Input) -> Result<(Vec<ArchiveEntry>, Vec<String>), ArchiveError> {
    let opened = open(input.bytes)?;
    let (start, offset) = match opened.is_empty() {
        // The end record counts no entries, so the library did not look for any.
        true => (directory::start(input.bytes).map_err(ArchiveError::of)?, 0),
        false => (opened.central_directory_start(), opened.offset()),
    };
    let directory = Directory::read(input.bytes, start)?;
    drop(opened);
    let mut warnings = Vec::new();
    if directory.repeated > 0 {
        warnings.push(format!(
            "has {} entries whose names come again later; the last entry of a name is taken",
            directory.repeated
        ));
    }
    let entries = match directory.declared {
        Some(declared) if declared != directory.count => {
            warnings.push(format!(
                "has {} entries, but its end record counts {declared}; all are taken",
                directory.count
            ));
            archived(input, &directory.counted(input.bytes, offset)?)?
        }
        _ => archived(input, input.bytes)?,
    };
    match entries.len() as u64 + directory.repeated == directory.count {
        true => Ok((entries, warnings)),
        false => Err(wrong(format!(
            "is damaged: {} of its {} entries cannot be read",
            directory.count - directory.repeated - entries.len() as u64,
            directory.count
        ))),
    }
}

fn open<R: ReadAt + ?Sized>(bytes: &R) -> Result<ZipArchive<Reader<&R>>, ArchiveError> {
    ZipArchive::new(Reader::new(bytes)).map_err(|error| failed(error, ""))
}

fn archived<R: ReadAt + ?Sized>(input: &Input, bytes: &R) -> Result<Vec<ArchiveEntry>, ArchiveError> {
    let mut archive = open(bytes)?;
    let mut entries = Vec::new();
    let mut held = Vec::new();
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index).map_err(|error| failed(error, ""))?;
        let shown = text::visible(file.name_raw());
        held.push(extent(input, &file, &shown)?);
        let mut entry = attributes(&file, &shown)?;
        let directory = file.name_raw().ends_with(b"/") || entry.mode & FORMAT == DIRECTORY;
        let link = entry.mode & FORMAT == LINK;
        let method = file.compression();
        let encrypted = file.encrypted();
        let (length, start) = (file.size(), file.data_start());
        drop(file);
        if encrypted {
            return Err(wrong(format!("has {shown:?}, which is encrypted")));
        }
        entry.mode &= 0o7777;
        entry.kind = if directory {
            Kind::Directory
        } else {
            if !matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated) {
                return Err(wrong(format!(
                    "has {shown:?}, which is compressed by {method}; stored and deflated entries are unpacked"
                )));
            }
            let mut file = archive.by_index(index).map_err(|error| failed(error, &shown))?;
            if link {
                Kind::Symlink(target(&mut file, length, &shown)?)
            } else if method == CompressionMethod::Stored {
                // Read once for its sum.
                std::io::copy(&mut file, &mut std::io::sink()).map_err(ArchiveError::of)?;
                Kind::File(input.place(start.unwrap_or(u64::MAX), length)?)
            } else {
                Kind::File(inflated(input, &mut file, length, &shown)?)
            }
        };
        entries.push(entry);
    }
    apart(held)?;
    Ok(entries)
}

const FORMAT: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

/// Where an entry's bytes are, and whether its own header says the same name as the directory.
fn extent<R: Read>(input: &Input, file: &ZipFile<R>, shown: &str) -> Result<(u64, u64), ArchiveError> {
    const LOCAL_HEADER: u64 = 30;
    let header = input.bytes.read_vec_at(file.header_start(), LOCAL_HEADER);
    let header = header.map_err(ArchiveError::of)?;
    let damaged = |what: &str| {
        Err(wrong(format!(
            "is damaged: {shown:?} has another {what} in its own header"
        )))
    };
    // Both as they stand: an extra field may have a better name than they, APPNOTE 4.6.9.
    let name = name_at(input, file.header_start() + LOCAL_HEADER, [header[26], header[27]])?;
    if name != name_in_directory(input, file.central_header_start())? {
        return damaged("name");
    }
    let size = |at: usize| header[at..].first_chunk().map_or(0, |&bytes| u32::from_le_bytes(bytes));
    // Bit 3: the sizes come behind the content. All ones: they are in an extra field.
    let comes_later = header[6] & 8 != 0;
    for (own, in_directory) in [(size(18), file.compressed_size()), (size(22), file.size())] {
        let is_said = own != u32::MAX && !(comes_later && own == 0);
        if is_said && u64::from(own) != in_directory {
            return damaged("size");
        }
    }
    if file.compression() == CompressionMethod::Stored && !file.encrypted() && file.size() != file.compressed_size() {
        return Err(wrong(format!(
            "is damaged: {shown:?} is stored, and has {} bytes and {}",
            file.size(),
            file.compressed_size()
        )));
    }
    let end = file
        .data_start()
        .and_then(|start| start.checked_add(file.compressed_size()));
    match end.filter(|&end| end <= input.bytes.size()) {
        Some(end) => Ok((file.header_start(), end)),
        None => Err(wrong("is cut short")),
    }
}

fn name_at(input: &Input, at: u64, length: [u8; 2]) -> Result<Vec<u8>, ArchiveError> {
    let length = u16::from_le_bytes(length);
    input.bytes.read_vec_at(at, length.into()).map_err(ArchiveError::of)
}

fn name_in_directory(input: &Input, header: u64) -> Result<Vec<u8>, ArchiveError> {
    const NAME: u64 = 46;
    let length = input
        .bytes
        .read_vec_at(header.saturating_add(28), 2)
        .map_err(ArchiveError::of)?;
    name_at(input, header + NAME, [length[0], length[1]])
}

/// Entries that share bytes are how a small archive becomes a large tree.
fn apart(mut held: Vec<(u64, u64)>) -> Result<(), ArchiveError> {
    held.sort_unstable();
    match held.windows(2).all(|pair| pair[0].1 <= pair[1].0) {
        true => Ok(()),
        false => Err(wrong("is damaged: its entries overlap")),
    }
}

/// The entry but for its kind; `mode` has the format too, if the archive has it.
fn attributes<R: Read>(file: &ZipFile<R>, shown: &str) -> Result<ArchiveEntry, ArchiveError> {
    // APPNOTE 4.4.17.1: no drive letter, and slashes alone.
    let name = file.name_raw();
    if name.contains(&b'\\') || matches!(name, [drive, b':', ..] if drive.is_ascii_alphabetic()) {
        return Err(wrong(format!(
            "has an entry {shown:?}, which is refused: a path in a zip has slashes, and no drive"
        )));
    }
    Ok(ArchiveEntry {
        path: relative(name)?,
        kind: Kind::Directory,
        mode: file.unix_mode().unwrap_or(0o644),
        uid: 0,
        gid: 0,
        mtime: mtime(file),
    })
}

/// By Info-ZIP's extended timestamp, which is in UTC, else by the entry's own date. No date of a zip is before 1980: the timestamp is taken
/// as unsigned.
fn mtime<R: Read>(file: &ZipFile<R>) -> Timestamp {
    let extended = file.extra_data_fields().find_map(|field| match field {
        ExtraField::ExtendedTimestamp(stamp) => stamp.mod_time(),
        _ => None,
    });
    match extended {
        Some(seconds) => Timestamp::from_unix(seconds.into()),
        None => file.last_modified().map(timestamp).unwrap_or_default(),
    }
}

/// A date of the FAT file system, which knows no zone: taken as UTC, so that no host's zone changes a byte.
fn timestamp(date: DateTime) -> Timestamp {
    Timestamp::from_civil(Civil {
        year: date.year().into(),
        month: date.month(),
        day: date.day(),
        hour: date.hour(),
        minute: date.minute(),
        second: date.second(),
    })
}

fn inflated<R: Read>(input: &Input, file: &mut ZipFile<R>, length: u64, shown: &str) -> Result<Place, ArchiveError> {
    let place = input.spool.append(file)?;
    match place.length == length {
        true => Ok(place),
        false => Err(wrong(format!(
            "is damaged: {shown:?} has {} bytes, not {length} as its header says",
            place.length
        ))),
    }
}

fn target<R: Read>(file: &mut ZipFile<R>, length: u64, shown: &str) -> Result<Vec<u8>, ArchiveError> {
    let mut target = Vec::new();
    if (1..=LONGEST_TARGET).contains(&length) {
        file.take(LONGEST_TARGET + 1)
            .read_to_end(&mut target)
            .map_err(ArchiveError::of)?;
    }
    match !target.is_empty() && target.len() as u64 == length && !target.contains(&0) {
        true => Ok(target),
        false => Err(wrong(format!("is damaged: the link {shown:?} leads nowhere"))),
    }
}

fn failed(error: ZipError, shown: &str) -> ArchiveError {
    match error {
        ZipError::Io(error) => ArchiveError::of(error),
        error if shown.is_empty() => wrong(format!("is damaged: {error}")),
        error => wrong(format!("is damaged: {shown:?}: {error}")),
    }
}
