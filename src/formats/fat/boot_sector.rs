//! The reserved area: boot sector with its BIOS parameter block, and FSInfo (`FAT: Boot Sector and BPB`, `FAT: FAT32 FSInfo
//! Sector Structure and Backup Boot Sector`).

use super::directory::show_label;
use super::geometry::Geometry;
use super::names::ShortName;
use super::{FatError, FatKind};

/// The bytes of the boot sector that mean something, however long the logical sector is.
pub(super) const LENGTH: usize = 512;

/// BPB_Media of anything that is no floppy disk.
pub(super) const MEDIA: u8 = 0xF8;

/// BPB_FSInfo: FSInfo is in the second logical sector.
pub(super) const FSINFO_SECTOR: u16 = 1;

/// BPB_BkBootSec: no other value is recommended; drivers look there when the boot sector is lost. FSInfo's copy follows it.
pub(super) const BACKUP_SECTOR: u16 = 6;

/// BPB_RootClus: the root directory of FAT32 is the first thing in the data area.
const ROOT_CLUSTER: u32 = 2;

/// `int 18h`, which tells a BIOS that this is no boot disk, then `hlt` for ever.
const NO_BOOT: [u8; 5] = [0xCD, 0x18, 0xF4, 0xEB, 0xFD];

/// BS_OEMName: the text recommends this name, since some drivers look at it.
const OEM_NAME: &[u8; 8] = b"MSWIN4.1";

/// BS_BootSig: serial number, label and type follow.
const EXTENDED: u8 = 0x29;

const SIGNATURE: [u8; 2] = [0x55, 0xAA];

/// FSI_LeadSig, FSI_StrucSig and FSI_TrailSig with their offsets.
const FSINFO_SIGNATURES: [(usize, [u8; 4]); 3] = [(0, *b"RRaA"), (484, *b"rrAa"), (508, [0, 0, 0x55, 0xAA])];

/// FSI_Free_Count and FSI_Nxt_Free when they are not known.
pub(super) const UNKNOWN: u32 = u32::MAX;

/// The first logical sector.
pub(super) fn encode(geometry: &Geometry, label: &ShortName, serial: u32, hidden: u32) -> Vec<u8> {
    let fat32 = geometry.kind == FatKind::Fat32;
    let narrow = |value: u32| u16::try_from(value).unwrap_or(0);
    // BPB_TotSec16 and BPB_FATSz16 are zero when the 32 bits beside them count; so is always the case on FAT32.
    let total16 = if fat32 { 0 } else { narrow(geometry.total_sectors) };
    let total32 = if total16 == 0 { geometry.total_sectors } else { 0 };
    let table16 = if fat32 { 0 } else { narrow(geometry.table_sectors) };
    let (track, heads) = chs_geometry(geometry.total_sectors);

    let mut bytes = Vec::with_capacity(geometry.sector_size as usize);
    let code = if fat32 { 90 } else { 62 };
    bytes.extend_from_slice(&[0xEB, code - 2, 0x90]);
    bytes.extend_from_slice(OEM_NAME);
    bytes.extend_from_slice(&narrow(geometry.sector_size).to_le_bytes());
    bytes.push((geometry.cluster_size / geometry.sector_size) as u8);
    bytes.extend_from_slice(&narrow(geometry.reserved).to_le_bytes());
    bytes.push(geometry.tables);
    bytes.extend_from_slice(&narrow(geometry.root_entries).to_le_bytes());
    bytes.extend_from_slice(&total16.to_le_bytes());
    bytes.push(MEDIA);
    for field in [table16, track, heads] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    for field in [hidden, total32] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    if fat32 {
        bytes.extend_from_slice(&geometry.table_sectors.to_le_bytes());
        // BPB_ExtFlags: both tables are kept alike. BPB_FSVer 0.0.
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&ROOT_CLUSTER.to_le_bytes());
        bytes.extend_from_slice(&FSINFO_SECTOR.to_le_bytes());
        bytes.extend_from_slice(&BACKUP_SECTOR.to_le_bytes());
        bytes.extend_from_slice(&[0; 12]);
    }
    // BS_DrvNum is what a BIOS calls the first hard disk; BS_Reserved1.
    bytes.extend_from_slice(&[0x80, 0, EXTENDED]);
    bytes.extend_from_slice(&serial.to_le_bytes());
    bytes.extend_from_slice(label);
    bytes.extend_from_slice(match geometry.kind {
        FatKind::Fat12 => b"FAT12   ",
        FatKind::Fat16 => b"FAT16   ",
        FatKind::Fat32 => b"FAT32   ",
    });
    debug_assert_eq!(bytes.len(), usize::from(code));
    bytes.extend_from_slice(&NO_BOOT);
    bytes.resize(LENGTH - SIGNATURE.len(), 0);
    bytes.extend_from_slice(&SIGNATURE);
    bytes.resize(geometry.sector_size as usize, 0);
    bytes
}

/// BPB_SecPerTrk and BPB_NumHeads. Nothing uses them to find a byte, but mtools refuses a volume that does not end with a
/// track: so the track is the largest customary one that divides the volume.
fn chs_geometry(total_sectors: u32) -> (u16, u16) {
    (1 << total_sectors.trailing_zeros().min(5), 64)
}

/// FSInfo: how many clusters are free and the first of them.
pub(super) fn encode_fsinfo(sector_size: u32, free: u32, next: u32) -> Vec<u8> {
    let mut bytes = vec![0; sector_size as usize];
    let fields = [(488, free.to_le_bytes()), (492, next.to_le_bytes())];
    for (at, field) in FSINFO_SIGNATURES.into_iter().chain(fields) {
        if let Some(to) = bytes.get_mut(at..at + 4) {
            to.copy_from_slice(&field);
        }
    }
    bytes
}

/// FSI_Free_Count, if the three signatures are right.
pub(super) fn decode_fsinfo(bytes: &[u8]) -> Option<u32> {
    let field = |at: usize| bytes.get(at..)?.first_chunk::<4>();
    FSINFO_SIGNATURES
        .iter()
        .all(|(at, signature)| field(*at) == Some(signature))
        .then_some(())?;
    field(488).map(|count| u32::from_le_bytes(*count))
}

/// A boot sector as it was read.
#[derive(Clone, Debug)]
pub(super) struct BootSector {
    pub(super) geometry: Geometry,
    pub(super) serial: u32,
    pub(super) label: String,
    /// The only table that is kept, from 0; `None` if all are.
    pub(super) active_table: Option<u8>,
    /// FAT32: where the root directory begins.
    pub(super) root_cluster: u32,
    /// FAT32: a logical sector of the reserved area.
    pub(super) fsinfo: Option<u16>,
    /// FAT32: a logical sector of the reserved area that another one follows.
    pub(super) backup: Option<u16>,
    pub(super) notes: Vec<String>,
}

/// Takes what Linux and EDK2 take: neither jump nor OEM name nor type are looked at.
pub(super) fn decode(bytes: &[u8; LENGTH]) -> Result<BootSector, FatError> {
    let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let long = |at: usize| u32::from(word(at)) | u32::from(word(at + 2)) << 16;
    let valid = |field, value: u32, valid: bool| match valid {
        true => Ok(value),
        false => Err(FatError::NotFat {
            field,
            value: value.into(),
        }),
    };
    valid("Signature_word", word(510).into(), word(510) == 0xAA55)?;
    let sector_size = u32::from(word(11));
    let is_sector = sector_size.is_power_of_two() && (512..=4096).contains(&sector_size);
    valid("BPB_BytsPerSec", sector_size, is_sector)?;
    let per_cluster = u32::from(bytes[13]);
    valid("BPB_SecPerClus", per_cluster, per_cluster.is_power_of_two())?;
    let reserved = u32::from(word(14));
    valid("BPB_RsvdSecCnt", reserved, reserved != 0)?;
    let tables = bytes[16];
    valid("BPB_NumFATs", tables.into(), tables != 0)?;
    valid("BPB_Media", bytes[21].into(), bytes[21] == 0xF0 || bytes[21] >= 0xF8)?;

    let fat32 = word(22) == 0;
    let table_sectors = if fat32 { long(36) } else { word(22).into() };
    valid("BPB_FATSz32", table_sectors, table_sectors != 0)?;
    let total_sectors = if word(19) == 0 { long(32) } else { word(19).into() };
    let mut geometry = Geometry {
        kind: FatKind::Fat32,
        sector_size,
        cluster_size: sector_size * per_cluster,
        reserved,
        tables,
        table_sectors,
        root_entries: word(17).into(),
        total_sectors,
        clusters: 0,
    };
    let data = geometry.size().saturating_sub(geometry.data_offset());
    let clusters = data / u64::from(geometry.cluster_size);
    valid("BPB_TotSec32", total_sectors, clusters != 0)?;
    geometry.clusters = u32::try_from(clusters).unwrap_or(u32::MAX);
    let counted = FatKind::from_clusters(geometry.clusters);

    let mut notes = Vec::new();
    if !fat32 {
        valid("the count of clusters", geometry.clusters, counted != FatKind::Fat32)?;
        geometry.kind = counted;
    } else {
        valid(
            "the count of clusters",
            geometry.clusters,
            geometry.clusters < 0x0FFF_FFF6,
        )?;
        if counted != FatKind::Fat32 {
            notes.push(format!(
                "FAT32 with {clusters} clusters, which is {counted} by its count: EDK2 refuses it",
            ));
        }
    }
    let room = (geometry.table_length() * 8 / geometry.kind.bits()).saturating_sub(2);
    if u64::from(geometry.clusters) > room {
        notes.push(format!("{clusters} clusters, but tables for {room}"));
        geometry.clusters = u32::try_from(room).unwrap_or(u32::MAX);
    }

    let (extended, flags) = if fat32 { (66, word(40)) } else { (38, 0) };
    let reserved_sector =
        |at: usize, count: u32| Some(word(at)).filter(|&n| fat32 && n != 0 && u32::from(n) + count <= reserved);
    let mut label = ShortName::default();
    label.copy_from_slice(&bytes[extended + 5..extended + 16]);
    let has_label = bytes[extended] == EXTENDED && label != *NO_NAME;
    Ok(BootSector {
        geometry,
        serial: if matches!(bytes[extended], 0x28 | EXTENDED) {
            long(extended + 1)
        } else {
            0
        },
        label: if has_label { show_label(&label) } else { String::new() },
        // BPB_ExtFlags: with bit 7 only the table in the low four bits is kept.
        active_table: (flags & 0x80 != 0).then_some((flags & 0xF) as u8),
        root_cluster: if fat32 { long(44) } else { 0 },
        fsinfo: reserved_sector(48, 1),
        backup: reserved_sector(50, 2),
        notes,
    })
}

/// BS_VolLab of a volume without a label.
pub(super) const NO_NAME: &ShortName = b"NO NAME    ";
