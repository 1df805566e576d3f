//! The volume descriptor set (§7.7.2, §9): what a volume is called, how large it is, where its hierarchies begin.

use crate::ground::block::Block;
use crate::ground::read_at::ReadAt;
use crate::ground::time::Timestamp;

use super::media_md5::{FIELD, FIELD_LENGTH};
use super::record::{
    DIRECTORY, NO_DATE, Record, both_u16, both_u32, read_recording_date, read_volume_date, volume_date,
};
use super::{Iso9660Error, SECTOR, SYSTEM_AREA};

/// §9.1.3: every descriptor carries it.
const STANDARD_IDENTIFIER: &[u8; 5] = b"CD001";

/// Logical sectors that are searched for the terminator. Real sets have three to five descriptors.
const LONGEST_SET: u64 = 64;

/// Joliet: the escape sequences of UCS-2 levels 1, 2 and 3 at §9.5.6.
const UCS2: [&[u8; 3]; 3] = [b"%/@", b"%/C", b"%/E"];

/// §9.5.4: the version of an enhanced volume descriptor.
const ENHANCED: u8 = 2;

/// What a volume says of itself, in the order of §9.4. All are written as they are, padded with spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identifiers {
    /// §9.4.6, 32 bytes.
    pub system: String,
    /// §9.4.7, 32 bytes.
    pub volume: String,
    /// §9.4.20, 128 bytes.
    pub volume_set: String,
    /// §9.4.21, 128 bytes.
    pub publisher: String,
    /// §9.4.22, 128 bytes.
    pub preparer: String,
    /// §9.4.23, 128 bytes.
    pub application: String,
}

impl Identifiers {
    /// How many characters of each Joliet's field holds: half as many as the primary one holds bytes. In the order of the fields.
    pub const JOLIET_LENGTHS: [usize; 6] = [16, 16, 64, 64, 64, 64];

    /// All of them, in the order of the fields.
    pub fn all(&self) -> [&str; 6] {
        [
            &self.system,
            &self.volume,
            &self.volume_set,
            &self.publisher,
            &self.preparer,
            &self.application,
        ]
    }
}

/// Which hierarchy a descriptor describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeKind {
    /// §9.4.
    Primary,
    /// §9.5 with one of Joliet's escape sequences.
    Joliet,
    /// §9.5 of version 2: names of up to 207 bytes of any kind, and any depth (ISO 9660:1999).
    Enhanced,
}

impl VolumeKind {
    /// As it is called in sentences.
    fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Joliet => "Joliet",
            Self::Enhanced => "enhanced",
        }
    }
}

/// Where the root directory of a hierarchy is: what its record in the descriptor says, §9.4.19.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// First byte.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
    /// The date of the record.
    pub recorded: Timestamp,
}

/// A primary volume descriptor, Joliet's supplementary one, or the enhanced one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeDescriptor {
    /// Which of them.
    pub kind: VolumeKind,
    /// Its identifiers.
    pub identifiers: Identifiers,
    /// §9.4.9: the volume space, in bytes.
    pub space: u64,
    /// §9.4.14, in bytes; both tables have it.
    pub path_table_length: u64,
    /// §9.4.15: the byte offset of the little-endian path table.
    pub path_table_l: u64,
    /// §9.4.17: the byte offset of the big-endian path table.
    pub path_table_m: u64,
    /// §9.4.19.
    pub root: Root,
    /// §9.4.27, and §9.4.28 too: no image of ours is modified after it was made.
    pub created: Timestamp,
    /// §9.4.33.
    pub application_use: [u8; FIELD_LENGTH],
}

/// One descriptor of a set.
#[derive(Clone, Debug)]
pub enum Descriptor {
    /// §9.2, El Torito's among them.
    Boot(Box<[u8; 2048]>),
    /// §9.4, or one of the §9.5 that are known.
    Volume(Box<VolumeDescriptor>),
    /// §9.3.
    Terminator,
    /// Any other, by its volume descriptor type.
    Other,
}

impl VolumeDescriptor {
    /// §9.4 and §9.5, one logical sector.
    ///
    /// # Errors
    /// An identifier of the primary descriptor that is longer than its field. Joliet's copies are cut, since UCS-2 halves the fields.
    pub fn encode(&self) -> Result<[u8; 2048], Iso9660Error> {
        let mut bytes = [0; 2048];
        bytes[0] = match self.kind {
            VolumeKind::Primary => 1,
            VolumeKind::Joliet | VolumeKind::Enhanced => 2,
        };
        bytes[1..6].copy_from_slice(STANDARD_IDENTIFIER);
        bytes[6] = if self.kind == VolumeKind::Enhanced { ENHANCED } else { 1 };
        let ids = &self.identifiers;
        self.put(&mut bytes[8..40], &ids.system, "system identifier", "9.4.6")?;
        self.put(&mut bytes[40..72], &ids.volume, "volume identifier", "9.4.7")?;
        bytes[80..88].copy_from_slice(&both_u32(Block::at(self.space)?.number()));
        if self.kind == VolumeKind::Joliet {
            bytes[88..91].copy_from_slice(UCS2[2]);
        }
        bytes[120..124].copy_from_slice(&both_u16(1)); // §9.4.11: a set of one volume
        bytes[124..128].copy_from_slice(&both_u16(1)); // §9.4.12: of which it is the first
        bytes[128..132].copy_from_slice(&both_u16(SECTOR as u16));
        let length = length_field("path table", self.path_table_length, "9.4.14")?;
        bytes[132..140].copy_from_slice(&both_u32(length));
        bytes[140..144].copy_from_slice(&Block::at(self.path_table_l)?.number().to_le_bytes());
        bytes[148..152].copy_from_slice(&Block::at(self.path_table_m)?.number().to_be_bytes());
        bytes[156..190].copy_from_slice(&root_record(&self.root)?);
        self.put(&mut bytes[190..318], &ids.volume_set, "volume set identifier", "9.4.20")?;
        self.put(&mut bytes[318..446], &ids.publisher, "publisher identifier", "9.4.21")?;
        self.put(
            &mut bytes[446..574],
            &ids.preparer,
            "data preparer identifier",
            "9.4.22",
        )?;
        self.put(
            &mut bytes[574..702],
            &ids.application,
            "application identifier",
            "9.4.23",
        )?;
        // §9.4.24 to §9.4.26 name files with more about the volume; we write no such files.
        self.put(&mut bytes[702..813], "", "", "")?;
        bytes[813..830].copy_from_slice(&volume_date(self.created));
        bytes[830..847].copy_from_slice(&volume_date(self.created));
        bytes[847..864].copy_from_slice(&NO_DATE);
        bytes[864..881].copy_from_slice(&NO_DATE);
        bytes[881] = 1;
        bytes[FIELD..FIELD + FIELD_LENGTH].copy_from_slice(&self.application_use);
        Ok(bytes)
    }

    fn put(&self, field: &mut [u8], value: &str, name: &'static str, clause: &'static str) -> Result<(), Iso9660Error> {
        match self.kind {
            VolumeKind::Primary | VolumeKind::Enhanced => {
                let (length, limit) = (value.len(), field.len());
                if length > limit {
                    return Err(Iso9660Error::FieldTooLong {
                        field: name,
                        length,
                        limit,
                        clause,
                    });
                }
                field.fill(b' ');
                field[..length].copy_from_slice(value.as_bytes());
            }
            VolumeKind::Joliet => {
                // A field of odd length ends in a byte that holds no character.
                field
                    .chunks_exact_mut(2)
                    .for_each(|unit| unit.copy_from_slice(&[0, b' ']));
                for (unit, character) in field.chunks_exact_mut(2).zip(super::identifier::ucs2(value)) {
                    unit.copy_from_slice(&character.to_be_bytes());
                }
            }
        }
        Ok(())
    }

    fn read(kind: VolumeKind, bytes: &[u8; 2048]) -> Self {
        let text = |range: std::ops::Range<usize>| {
            let field = bytes.get(range).unwrap_or_default();
            let text = match kind {
                VolumeKind::Primary | VolumeKind::Enhanced => match str::from_utf8(field) {
                    Ok(text) => text.to_owned(),
                    Err(_) => crate::ground::text::lossless(field),
                },
                VolumeKind::Joliet => super::identifier::from_ucs2(field),
            };
            text.trim_end_matches([' ', '\0']).to_owned()
        };
        let u32_at = |at: usize| {
            bytes
                .get(at..)
                .and_then(|rest| rest.first_chunk())
                .copied()
                .unwrap_or_default()
        };
        let little = |at: usize| u32::from_le_bytes(u32_at(at));
        let date = bytes[813..830].first_chunk::<17>().and_then(read_volume_date);
        let recorded = bytes[174..181].first_chunk::<7>().copied().unwrap_or_default();
        Self {
            kind,
            identifiers: Identifiers {
                system: text(8..40),
                volume: text(40..72),
                volume_set: text(190..318),
                publisher: text(318..446),
                preparer: text(446..574),
                application: text(574..702),
            },
            space: u64::from(little(80)) * SECTOR,
            path_table_length: u64::from(little(132)),
            path_table_l: u64::from(little(140)) * SECTOR,
            path_table_m: u64::from(u32::from_be_bytes(u32_at(148))) * SECTOR,
            root: Root {
                offset: u64::from(little(158)) * SECTOR,
                length: u64::from(little(166)),
                recorded: read_recording_date(recorded),
            },
            created: date.unwrap_or_default(),
            application_use: bytes[FIELD..].first_chunk().copied().unwrap_or([0; FIELD_LENGTH]),
        }
    }
}

/// §9.4.19: the root directory's record, without system use.
fn length_field(what: &'static str, length: u64, clause: &'static str) -> Result<u32, Iso9660Error> {
    u32::try_from(length).map_err(|_| Iso9660Error::TooLong { what, length, clause })
}

fn root_record(root: &Root) -> Result<[u8; 34], Iso9660Error> {
    let length = length_field("root directory", root.length, "10.1.5")?;
    let mut bytes = Vec::with_capacity(34);
    let record = Record {
        extent: Block::at(root.offset)?,
        length,
        recorded: root.recorded,
        flags: DIRECTORY,
        identifier: &[0],
        system_use: &[],
    };
    record.encode(&mut bytes);
    let mut fixed = [0; 34];
    fixed.copy_from_slice(&bytes);
    Ok(fixed)
}

/// §9.3.
pub fn terminator() -> [u8; 2048] {
    let mut bytes = [0; 2048];
    bytes[0] = 255;
    bytes[1..6].copy_from_slice(STANDARD_IDENTIFIER);
    bytes[6] = 1;
    bytes
}

/// §9.4: the fields of a volume descriptor that stand in both byte orders, by their place and length in one of them.
const BOTH_ENDIAN: [(&str, usize, usize); 5] = [
    ("volume space size", 80, 4),
    ("volume set size", 120, 2),
    ("volume sequence number", 124, 2),
    ("logical block size", 128, 2),
    ("path table size", 132, 4),
];

/// What is wrong with a descriptor set that [`read_descriptors`] has read, a sentence each.
///
/// # Errors
/// A volume of other logical blocks than 2048 bytes, which nothing here can follow.
pub fn descriptor_faults(image: &dyn ReadAt, descriptors: &[(u64, Descriptor)]) -> Result<Vec<String>, Iso9660Error> {
    let mut faults = Vec::new();
    for (offset, descriptor) in descriptors {
        let Descriptor::Volume(volume) = descriptor else {
            continue;
        };
        let name = volume.kind.name();
        let read = image.read_vec_at(*offset, SECTOR);
        let bytes = read.map_err(|error| Iso9660Error::Read { offset: *offset, error })?;
        for (field, at, length) in BOTH_ENDIAN {
            let little = bytes[at..at + length].iter();
            if !little.eq(bytes[at + length..at + 2 * length].iter().rev()) {
                faults.push(format!(
                    "the {name} volume descriptor's {field} is one in little-endian and another in big-endian"
                ));
            }
        }
        let block = u16::from_le_bytes([bytes[128], bytes[129]]);
        if u64::from(block) != SECTOR {
            return Err(Iso9660Error::NotIso9660(format!(
                "the {name} volume has logical blocks of {block} bytes; only {SECTOR} are supported"
            )));
        }
        if volume.space > image.size() && volume.kind == VolumeKind::Primary {
            faults.push(format!(
                "the volume has {} bytes and the image ends after {}: it is cut short",
                volume.space,
                image.size()
            ));
        }
    }
    let terminated = descriptors
        .iter()
        .any(|(_, descriptor)| matches!(descriptor, Descriptor::Terminator));
    if !terminated {
        faults.push("the volume descriptor set has no terminator (ECMA-119 §9.3)".into());
    }
    Ok(faults)
}

/// The descriptors from logical sector 16 to the terminator, each with its byte offset.
///
/// # Errors
/// When the first of them is not a descriptor, or when they cannot be read. A set that ends without a terminator is taken as it is.
pub fn read_descriptors(image: &dyn ReadAt) -> Result<Vec<(u64, Descriptor)>, Iso9660Error> {
    read_descriptors_at(image, SYSTEM_AREA)
}

/// The set that begins at `start`.
pub(super) fn read_descriptors_at(image: &dyn ReadAt, start: u64) -> Result<Vec<(u64, Descriptor)>, Iso9660Error> {
    let mut descriptors = Vec::new();
    for number in 0..LONGEST_SET {
        let offset = start + number * SECTOR;
        if offset + SECTOR > image.size() {
            break;
        }
        let mut bytes = Box::new([0; 2048]);
        image
            .read_exact_at(&mut *bytes, offset)
            .map_err(|error| Iso9660Error::Read { offset, error })?;
        if !bytes[1..6].eq(STANDARD_IDENTIFIER) {
            break;
        }
        let is_joliet = UCS2.iter().any(|escape| bytes[88..].starts_with(*escape));
        let descriptor = match bytes[0] {
            0 => Descriptor::Boot(bytes),
            1 => Descriptor::Volume(Box::new(VolumeDescriptor::read(VolumeKind::Primary, &bytes))),
            2 if is_joliet => Descriptor::Volume(Box::new(VolumeDescriptor::read(VolumeKind::Joliet, &bytes))),
            2 if bytes[6] == ENHANCED => {
                Descriptor::Volume(Box::new(VolumeDescriptor::read(VolumeKind::Enhanced, &bytes)))
            }
            255 => {
                descriptors.push((offset, Descriptor::Terminator));
                break;
            }
            _ => Descriptor::Other,
        };
        descriptors.push((offset, descriptor));
    }
    if descriptors.is_empty() {
        let message = "there is no ISO 9660 volume: logical sector 16 has no \"CD001\" (ECMA-119 §9.1.3)";
        return Err(Iso9660Error::NotIso9660(message.into()));
    }
    Ok(descriptors)
}
