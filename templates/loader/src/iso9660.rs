//! Files by their Rock Ridge names, straight from the medium's ISO 9660 tree.
//!
//! Clauses are those of ECMA-119 (6th edition), SUSP 1.12 and RRIP 1.12.

use crate::disk::{Disk, little_endian};
use crate::line::Failure;

/// §7.1.2 and §7.2.2: what this loader reads has logical sectors and blocks of this many bytes.
pub const SECTOR: usize = 2048;

/// Names are compared up to this length; POSIX has none longer.
const LONGEST_NAME: usize = 255;

/// A continuation area may continue in another; more than this many are a loop.
const MOST_CONTINUATIONS: usize = 64;

/// Where a file's bytes stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Bytes from the beginning of the medium.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// Looks up an absolute path, whose components are separated by `/`.
///
/// # Errors
/// The medium has failed, holds no ISO 9660 volume, or no such file.
pub fn find<D: Disk + ?Sized>(disk: &mut D, path: &[u8]) -> Result<Extent, Failure> {
    let mut sector = [0; SECTOR];
    disk.read(16 * SECTOR as u64, &mut sector)?;
    if sector[0] != 1 || &sector[1..6] != b"CD001" {
        return Err(Failure::of("The boot medium holds no ISO 9660 volume."));
    }
    // §9.4.18: the root directory's record.
    let mut found = Record::of(&sector[156..190]).ok_or_else(|| missing(path))?;
    for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
        if !found.directory {
            return Err(missing(path));
        }
        found = search(disk, found.extent, name)?.ok_or_else(|| missing(path))?;
    }
    if found.directory {
        return Err(is_directory(path));
    }
    if found.continued {
        return Err(Failure::new()
            .bytes(path)
            .text(" is recorded in several extents that do not follow each other."));
    }
    Ok(found.extent)
}

/// The sentence for a path that names nothing.
pub fn missing(path: &[u8]) -> Failure {
    Failure::new().bytes(path).text(" is not on the boot medium.")
}

/// The sentence for a path that should name a file.
pub fn is_directory(path: &[u8]) -> Failure {
    Failure::new()
        .bytes(path)
        .text(" is a directory of the boot medium, not a file.")
}

/// What a directory record says (§10.1).
struct Record {
    extent: Extent,
    directory: bool,
    continued: bool,
}

impl Record {
    fn of(record: &[u8]) -> Option<Self> {
        let flags = *record.get(25)?;
        Some(Self {
            extent: Extent {
                // An extended attribute record (§10.1.3) stands before the file's own bytes.
                offset: (little_endian::<4>(record, 2) + u64::from(record[1])) * SECTOR as u64,
                length: little_endian::<4>(record, 10),
            },
            directory: flags & 0x02 != 0,
            continued: flags & 0x80 != 0,
        })
    }
}

/// Looks for a name in one directory.
fn search<D: Disk + ?Sized>(disk: &mut D, directory: Extent, name: &[u8]) -> Result<Option<Record>, Failure> {
    let mut sector = [0; SECTOR];
    let mut continuations = Continuations::default();
    let mut at = 0;
    let mut found: Option<Record> = None;
    while at < directory.length {
        disk.read(directory.offset + at, &mut sector)?;
        // §7.8.1.1: no record crosses a sector, and a length of zero ends a sector's records.
        let mut rest = &sector[..];
        while let Some(&length) = rest.first().filter(|&&length| length >= 34) {
            let Some((bytes, behind)) = rest.split_at_checked(usize::from(length)) else {
                break;
            };
            let matches = is_named(disk, &mut continuations, bytes, name)?;
            match (&mut found, Record::of(bytes).filter(|_| matches)) {
                // §7.5.1: the records of a file of 4 GiB and more follow each other, and so do its extents in most images.
                (Some(first), Some(next)) if first.extent.offset + first.extent.length == next.extent.offset => {
                    first.extent.length += next.extent.length;
                    first.continued = next.continued;
                }
                (Some(_), _) => return Ok(found),
                (None, record) => found = record,
            }
            if found.as_ref().is_some_and(|found| !found.continued) {
                return Ok(found);
            }
            rest = behind;
        }
        at += SECTOR as u64;
    }
    Ok(found)
}

/// Whether a directory record has this name: its Rock Ridge name if it has one, else its identifier without regard to
/// case and version.
fn is_named<D: Disk + ?Sized>(
    disk: &mut D,
    continuations: &mut Continuations,
    record: &[u8],
    name: &[u8],
) -> Result<bool, Failure> {
    let identifier_end = 33 + usize::from(record[32]);
    let Some(identifier) = record.get(33..identifier_end) else {
        return Ok(false);
    };
    if matches!(identifier, [0 | 1]) {
        return Ok(false);
    }
    let mut alternate = Name::default();
    // §10.1.12: a pad byte makes the identifier's end even.
    let area = record.get(identifier_end + (identifier_end & 1)..).unwrap_or(&[]);
    let mut next = alternate.take(area);
    for _ in 0..MOST_CONTINUATIONS {
        let Some(continuation) = next else { break };
        next = alternate.take(continuations.read(disk, continuation)?);
    }
    Ok(match alternate.found() {
        Some(alternate) => alternate == name,
        None => plain(identifier).eq_ignore_ascii_case(name),
    })
}

/// A file identifier without its version and without a dot that ends it.
fn plain(identifier: &[u8]) -> &[u8] {
    let end = identifier.iter().position(|&byte| byte == b';');
    let name = &identifier[..end.unwrap_or(identifier.len())];
    name.strip_suffix(b".").unwrap_or(name)
}

/// SUSP §5.1: where a record's system use entries go on.
#[derive(Clone, Copy)]
struct Continuation {
    block: u64,
    offset: usize,
    length: usize,
}

/// The logical block that was read last for a continuation: a directory's records share it.
struct Continuations {
    block: Option<u64>,
    bytes: [u8; SECTOR],
}

impl Default for Continuations {
    fn default() -> Self {
        Self {
            block: None,
            bytes: [0; SECTOR],
        }
    }
}

impl Continuations {
    fn read<D: Disk + ?Sized>(&mut self, disk: &mut D, area: Continuation) -> Result<&[u8], Failure> {
        if self.block != Some(area.block) {
            self.block = None;
            disk.read(area.block * SECTOR as u64, &mut self.bytes)?;
            self.block = Some(area.block);
        }
        let end = area.offset.saturating_add(area.length);
        Ok(self.bytes.get(area.offset..end).unwrap_or(&[]))
    }
}

/// A Rock Ridge name, put together from its NM entries (RRIP §4.1.4).
struct Name {
    bytes: [u8; LONGEST_NAME],
    length: usize,
    present: bool,
}

impl Default for Name {
    fn default() -> Self {
        Self {
            bytes: [0; LONGEST_NAME],
            length: 0,
            present: false,
        }
    }
}

impl Name {
    fn found(&self) -> Option<&[u8]> {
        self.present.then(|| &self.bytes[..self.length])
    }

    /// Takes the name's parts out of a system use area, and says where it goes on.
    fn take(&mut self, mut area: &[u8]) -> Option<Continuation> {
        let mut continuation = None;
        // SUSP §4.1: signature, length, version. An area may end in up to three bytes of padding.
        while area.len() >= 4 && area[2] >= 4 {
            let Some((entry, behind)) = area.split_at_checked(usize::from(area[2])) else {
                break;
            };
            match &entry[..2] {
                b"NM" if entry.len() >= 5 => {
                    self.present = true;
                    let part = &entry[5..];
                    if let Some(room) = self.bytes.get_mut(self.length..self.length + part.len()) {
                        room.copy_from_slice(part);
                        self.length += part.len();
                    }
                }
                b"CE" if entry.len() >= 28 => {
                    continuation = Some(Continuation {
                        block: little_endian::<4>(entry, 4),
                        offset: little_endian::<4>(entry, 12) as usize,
                        length: little_endian::<4>(entry, 20) as usize,
                    });
                }
                b"ST" => break,
                _ => {}
            }
            area = behind;
        }
        continuation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Names, Volume};
    use std::string::String;
    use std::vec::Vec;

    fn read(volume: &mut Volume, path: &str) -> Result<Vec<u8>, String> {
        let extent = find(volume, path.as_bytes()).map_err(|failure| String::from(failure.as_str()))?;
        let start = extent.offset as usize;
        Ok(volume.bytes[start..start + extent.length as usize].to_vec())
    }

    #[test]
    fn a_file_is_found_by_any_kind_of_name() {
        let files: [(&str, &[u8]); 3] = [
            ("boot/vmlinuz-6.1.0-39-cloud-amd64", b"kernel"),
            ("boot/deep/initrd.img", b"initrd"),
            ("README", b"text"),
        ];
        for names in [Names::RockRidge, Names::Continued, Names::Plain] {
            let mut volume = Volume::with(names, &files);
            for (path, bytes) in files {
                assert_eq!(read(&mut volume, path).as_deref(), Ok(bytes), "{path}");
            }
        }
        assert!(
            read(&mut Volume::with(Names::Plain, &files), "/BOOT/DEEP/initrd.IMG").is_ok(),
            "no Rock Ridge, no case"
        );
        assert!(
            read(&mut Volume::new(&files), "/BOOT/deep/initrd.img").is_err(),
            "Rock Ridge names have case"
        );
    }

    #[test]
    fn a_directory_of_many_sectors_is_searched_to_its_end() {
        let paths: Vec<String> = (0..300).map(|number| std::format!("d/file-{number:03}")).collect();
        let files: Vec<(&str, &[u8])> = paths.iter().map(|path| (path.as_str(), path.as_bytes())).collect();
        let mut volume = Volume::new(&files);
        for path in ["d/file-000", "d/file-299"] {
            assert_eq!(read(&mut volume, path).as_deref(), Ok(path.as_bytes()));
        }
    }

    #[test]
    fn what_is_not_there_is_said_in_a_sentence() {
        let mut volume = Volume::new(&[("boot/vmlinuz", b"kernel")]);
        for (path, says) in [
            ("/boot/initrd", "/boot/initrd is not on the boot medium."),
            ("/boot/vmlinuz/x", "/boot/vmlinuz/x is not on the boot medium."),
            ("/boot", "/boot is a directory of the boot medium, not a file."),
        ] {
            assert_eq!(read(&mut volume, path).unwrap_err(), says);
        }
        volume.broken_from = 18 * SECTOR as u64;
        let failure = read(&mut volume, "/boot/vmlinuz").unwrap_err();
        assert!(
            failure.starts_with("The boot medium cannot be read at byte "),
            "{failure}"
        );
        volume.bytes[16 * SECTOR + 1] = 0;
        assert_eq!(
            read(&mut volume, "/boot").unwrap_err(),
            "The boot medium holds no ISO 9660 volume."
        );
    }

    /// §10.1.7, bit 7: another record with the next section follows.
    #[test]
    fn sections_that_follow_each_other_are_one_file() {
        let files: [(&str, &[u8]); 3] = [("d/a", &[1; SECTOR]), ("d/b", b"rest"), ("d/c", b"other")];
        let mut volume = Volume::with(Names::Plain, &files);
        let record = |volume: &Volume, name: &[u8]| {
            let at = volume
                .bytes
                .windows(name.len())
                .position(|bytes| bytes == name)
                .unwrap();
            at - 33
        };
        let place = |volume: &Volume, at: usize| little_endian::<4>(&volume.bytes[at..], 2);
        let (a, b) = (record(&volume, b"A;1"), record(&volume, b"B;1"));
        assert_eq!(place(&volume, a) + 1, place(&volume, b));
        volume.bytes[a + 25] = 0x80;
        volume.bytes[b + 33] = b'A';
        let whole = [&[1; SECTOR][..], b"rest"].concat();
        assert_eq!(read(&mut volume, "/d/A"), Ok(whole));
        assert_eq!(read(&mut volume, "/d/c").as_deref(), Ok(&b"other"[..]));
        // Apart from each other.
        let other = volume.bytes[record(&volume, b"C;1") + 2];
        volume.bytes[b + 2] = other;
        assert!(
            read(&mut volume, "/d/A")
                .unwrap_err()
                .contains("do not follow each other")
        );
    }

    #[test]
    fn a_continuation_that_leads_to_itself_ends() {
        let mut volume = Volume::with(Names::Continued, &[("ab", b"")]);
        let at = volume
            .bytes
            .windows(4)
            .position(|bytes| bytes == b"CE\x1c\x01")
            .unwrap();
        let entry = volume.bytes[at..at + 28].to_vec();
        let block = little_endian::<4>(&entry, 4) as usize;
        volume.bytes[block * SECTOR + 100..block * SECTOR + 128].copy_from_slice(&entry);
        volume.bytes[at + 20] = 28;
        let entry = volume.bytes[at..at + 28].to_vec();
        volume.bytes[block * SECTOR + 100..block * SECTOR + 128].copy_from_slice(&entry);
        assert!(read(&mut volume, "/ab").is_err());
    }

    #[test]
    fn no_damage_makes_more_than_a_sentence() {
        let files: [(&str, &[u8]); 2] = [
            ("boot/vmlinuz-with-a-longer-name", b"kernel"),
            ("boot/deep/initrd", b"i"),
        ];
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for names in [Names::RockRidge, Names::Continued, Names::Plain] {
            let whole = Volume::with(names, &files);
            for _ in 0..3000 {
                let mut volume = Volume {
                    bytes: whole.bytes.clone(),
                    broken_from: u64::MAX,
                };
                for _ in 0..6 {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    // Where the structures are: from the volume descriptor on, and mostly at the beginning of a block.
                    let blocks = volume.bytes.len() / SECTOR - 16;
                    let block = 16 + (random >> 8) as usize % blocks;
                    let at = block * SECTOR + (random >> 24) as usize % 256;
                    volume.bytes[at] = random as u8;
                }
                for (path, _) in files {
                    let _ = find(&mut volume, path.as_bytes()).map(|extent| extent.length);
                }
            }
        }
    }
}
