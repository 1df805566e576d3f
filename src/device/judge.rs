//! An image is looked at before it is written: what is cut short is refused, and what starts from no such medium is told.

use super::DeviceError;
use super::payload::Payload;
use super::target::Target;
use crate::facts::Description;
use crate::facts::cell::Medium;
use crate::facts::verdicts;
use crate::ground::read_at::ReadAt;
use crate::look::inspect::{self, InspectError};
use crate::look::size::declared_size;

/// Whether machines start from a medium with the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Starts {
    /// One firmware at least starts it.
    Yes,
    /// It is there to be started, and nothing does; why.
    No(String),
    /// It holds data.
    Data,
    /// It is a disk of which no more is known; why.
    Unknown(String),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Whether the medium will start.
    pub starts: Starts,
    /// Why the image is not whole, if it is not.
    pub cut: Option<String>,
}

/// Judges an image by the rules of `check`, for the kind of medium that the target is. Of a compressed one the first MiB is known.
///
/// # Errors
/// When it cannot be read.
pub fn judge(payload: &Payload, target: &Target) -> Result<Judgement, DeviceError> {
    let Some(image) = payload.whole() else {
        return Ok(Judgement {
            starts: by_head(payload.head()),
            cut: None,
        });
    };
    let cut = volume_size(payload.head())
        .filter(|&said| said > image.size())
        .map(|said| {
            format!(
                "it is cut short: its volume has {said} bytes, and the file has {}",
                image.size()
            )
        });
    let medium = match (target.is_optical(), target.sector_size()) {
        (true, _) => Medium::Cd,
        (false, 4096) => Medium::Usb4kn,
        (false, _) => Medium::Usb,
    };
    let starts = match inspect::inspect(image) {
        Ok(described) => of_cells(&described, medium),
        Err(InspectError::Io(error)) => return Err(DeviceError::io(payload.path(), "read", None)(error)),
        Err(_) => of_disk(payload.head()),
    };
    Ok(Judgement { starts, cut })
}

/// By the verdicts on all firmwares with the medium.
fn of_cells(image: &Description, medium: Medium) -> Starts {
    let mut cells = image.cells.iter().filter(|verdict| verdict.cell.medium == medium);
    if cells.clone().any(|verdict| verdict.boots) {
        return Starts::Yes;
    }
    match cells.next() {
        Some(verdict) if verdicts::claims(&image.facts) => Starts::No(format!("{}: {}", verdict.cell, verdict.reason)),
        _ => Starts::Data,
    }
}

/// A disk image without a volume that covers it.
fn of_disk(head: &[u8]) -> Starts {
    match has_table(head) {
        true => Starts::Unknown("it is an image of a disk, and isobuild does not read its partitions".into()),
        false => Starts::Unknown("it has no partition table, no ISO 9660 and no UDF".into()),
    }
}

/// By the tables and the boot record, which stand in the first 64 KiB.
fn by_head(head: &[u8]) -> Starts {
    let is_iso = volume_size(head).is_some();
    // El Torito §2.0: the boot record is in sector 17.
    let has_catalog = head.get(17 * 2048 + 7..).is_some_and(|at| at.starts_with(b"EL TORITO"));
    match (is_iso, has_table(head), has_catalog) {
        (true, true, _) => Starts::Yes,
        (true, false, true) => Starts::No("it has no partition table, so that it starts from a disc alone".into()),
        (true, false, false) => Starts::Data,
        (false, ..) => of_disk(head),
    }
}

/// The volume space size of ISO 9660 in bytes.
fn volume_size(head: &[u8]) -> Option<u64> {
    // Nothing of a partition table.
    let mut head = head.get(..0x8800)?.to_vec();
    head[..0x8000].fill(0);
    declared_size(&head)
}

/// An MBR with entries, or a GPT.
fn has_table(head: &[u8]) -> bool {
    let is_at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|bytes| bytes.starts_with(magic));
    let entries = head.get(446..510).unwrap_or_default();
    let is_mbr = is_at(510, &[0x55, 0xaa]) && entries.iter().any(|&byte| byte != 0);
    is_mbr || is_at(512, b"EFI PART") || is_at(4096, b"EFI PART")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_compressed_image_the_tables_are_known() {
        let mut head = vec![0; 1 << 20];
        assert!(matches!(by_head(&head), Starts::Unknown(why) if why.contains("no partition table, no ISO 9660")));
        head[510..512].copy_from_slice(&[0x55, 0xaa]);
        head[450] = 0x0c;
        assert!(matches!(by_head(&head), Starts::Unknown(why) if why.contains("its partitions")));
        head[0x8000..0x8006].copy_from_slice(b"\x01CD001");
        head[0x8050..0x8054].copy_from_slice(&1536u32.to_le_bytes());
        assert_eq!(by_head(&head), Starts::Yes);
        head[450] = 0;
        assert_eq!(by_head(&head), Starts::Data);
        head[17 * 2048 + 7..][..9].copy_from_slice(b"EL TORITO");
        assert!(matches!(by_head(&head), Starts::No(why) if why.contains("no partition table")));
    }
}
