//! How long a boot image is.

use crate::formats::el_torito::{Emulation, Platform};
use crate::formats::mbr;
use crate::ground::read_at::ReadAt;

/// How much of a boot image the firmware can read: the emulated medium, or the sectors that the entry counts. A count of 0, for UEFI
/// one of 1 too, is "to the end of the volume" (UEFI 13.3.2.1), which is `rest` bytes away.
pub(crate) fn boot_length(platform: Platform, emulation: Emulation, sectors: u16, disk: Option<u64>, rest: u64) -> u64 {
    match (emulation.exact_length(), disk, sectors) {
        (Some(exact), _, _) => exact,
        (None, Some(disk), _) => disk,
        (None, None, 0) => rest,
        (None, None, 1) if platform == Platform::Uefi => rest,
        (None, None, sectors) => u64::from(sectors) * 512,
    }
}

/// The length of a hard-disk image by the one partition in its MBR, El Torito §2.2.
pub(crate) fn hard_disk_length(image: &dyn ReadAt) -> Option<u64> {
    let mut sector = [0; 512];
    image.read_exact_at(&mut sector, 0).ok()?;
    let slot = mbr::decode(&sector)?.slots[0];
    Some((u64::from(slot.start) + u64::from(slot.length)) * 512)
}
