//! What a machine writes to, above an image that stays as it is: a qcow2 file with the image as its backing file.
//!
//! Source: QEMU, docs/interop/qcow2.txt. A file of version 2 is enough; nothing of the image is copied into it but the one cluster
//! that may have to differ from the start.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::formats::recognise::Form;
use crate::ground::read_at::{FileAt, ReadAt};

const CLUSTER: u64 = 64 * 1024;
const CLUSTER_BITS: u32 = 16;
/// No stick and no disk is smaller; a BIOS counts cylinders of up to 8 MiB, and finds none on what is smaller than one.
const LEAST: u64 = 16 << 20;
/// Entries of eight bytes in a table of one cluster.
const ENTRIES: u64 = CLUSTER / 8;
/// The cluster that an entry points at is referred to once, so that it is written in place.
const COPIED: u64 = 1 << 63;
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;

/// El Torito's boot record is logical sector 17.
const BOOT_RECORD: usize = 17 * 2048;

/// The file, and what it holds at first.
#[derive(Debug)]
pub(super) struct Overlay {
    path: PathBuf,
    image: PathBuf,
    blanked: bool,
}

impl Overlay {
    /// Makes the file. With `blank`, El Torito's boot record reads as zeros but for its first seven bytes: without `00 'CD001' 01`
    /// the volume descriptor set would end early, and GRUB then refuses the whole ISO.
    ///
    /// The length that the machine sees is rounded up to logical sectors of 4096 bytes, and at least [`LEAST`]. The error for an image
    /// whose path has more than 1023 bytes is of the kind `InvalidFilename`.
    pub(super) fn create(path: &Path, image: &Path, blank: bool) -> io::Result<Self> {
        let image = std::fs::canonicalize(image)?;
        let name = image.as_os_str().as_bytes();
        if name.len() > 1023 {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let opened = open(&image)?;
        let first = first_cluster(&opened, blank)?;
        let blanked = first.is_some();
        let length = opened.size().next_multiple_of(4096).max(LEAST);
        let l1_entries = length.div_ceil(CLUSTER * ENTRIES).max(1);
        // Header, refcount table, refcount block, L1 table, L2 table, data.
        let clusters: u16 = if blanked { 6 } else { 4 };
        let mut bytes = Vec::with_capacity(6 * CLUSTER as usize);
        bytes.extend(b"QFI\xfb");
        bytes.extend(2u32.to_be_bytes());
        bytes.extend(96u64.to_be_bytes());
        bytes.extend((name.len() as u32).to_be_bytes());
        bytes.extend(CLUSTER_BITS.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        bytes.extend(0u32.to_be_bytes());
        bytes.extend((l1_entries as u32).to_be_bytes());
        bytes.extend((3 * CLUSTER).to_be_bytes());
        bytes.extend(CLUSTER.to_be_bytes());
        bytes.extend(1u32.to_be_bytes());
        bytes.extend([0; 12]);
        // The format of the backing file: QEMU would guess it otherwise, and the guest could make it guess wrong.
        bytes.extend(0xe279_2acau32.to_be_bytes());
        bytes.extend(3u32.to_be_bytes());
        bytes.extend(b"raw\0\0\0\0\0");
        bytes.extend([0; 8]);
        bytes.extend(name);
        bytes.resize(CLUSTER as usize, 0);
        bytes.extend((2 * CLUSTER).to_be_bytes());
        bytes.resize(2 * CLUSTER as usize, 0);
        (0..clusters).for_each(|_| bytes.extend(1u16.to_be_bytes()));
        bytes.resize(3 * CLUSTER as usize, 0);
        if let Some(first) = &first {
            bytes.extend((COPIED | (4 * CLUSTER)).to_be_bytes());
            bytes.resize(4 * CLUSTER as usize, 0);
            bytes.extend((COPIED | (5 * CLUSTER)).to_be_bytes());
            bytes.resize(5 * CLUSTER as usize, 0);
            bytes.extend(first);
        }
        bytes.resize(usize::from(clusters) * CLUSTER as usize, 0);
        File::create(path)?.write_all(&bytes)?;
        Ok(Self {
            path: path.into(),
            image,
            blanked,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The offset of the first byte that the machine has changed, and how many clusters it has changed.
    pub(super) fn changed(&self) -> io::Result<Option<(u64, usize)>> {
        let (overlay, image) = (open(&self.path)?, open(&self.image)?);
        let mut changes = None;
        let tables = cluster(&overlay, 3 * CLUSTER)?;
        for (l2, l1_entry) in offsets(&tables).zip(0..).filter(|(l2, _)| *l2 != 0) {
            let table = cluster(&overlay, l2)?;
            for (at, entry) in offsets(&table).zip(0..).filter(|(at, _)| *at != 0) {
                let start = (l1_entry * ENTRIES + entry) * CLUSTER;
                let before = match first_cluster(&image, self.blanked && start == 0)? {
                    Some(blanked) => blanked,
                    None => cluster(&image, start)?,
                };
                let now = cluster(&overlay, at)?;
                if let Some(byte) = now.iter().zip(&before).position(|(now, before)| now != before) {
                    let (first, count) = changes.unwrap_or((start + byte as u64, 0));
                    changes = Some((first, count + 1));
                }
            }
        }
        Ok(changes)
    }
}

/// The image's first cluster with El Torito's boot record blanked; nothing if there is none, or if that is not asked for.
fn first_cluster(image: &dyn ReadAt, blank: bool) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = cluster(image, 0)?;
    if !blank || !Form::ElTorito.is_shown_by(&bytes) {
        return Ok(None);
    }
    let record = bytes.get_mut(BOOT_RECORD..BOOT_RECORD + 2048).unwrap_or_default();
    record.iter_mut().skip(7).for_each(|byte| *byte = 0);
    Ok(Some(bytes))
}

/// Reads a cluster; what is behind the end counts as zeros.
fn cluster(bytes: &dyn ReadAt, offset: u64) -> io::Result<Vec<u8>> {
    let length = bytes.size().saturating_sub(offset).min(CLUSTER);
    let mut cluster = bytes.read_vec_at(offset.min(bytes.size()), length)?;
    cluster.resize(CLUSTER as usize, 0);
    Ok(cluster)
}

/// The offsets in a table of big-endian entries, 0 for what is not there.
fn offsets(table: &[u8]) -> impl Iterator<Item = u64> {
    let entries = table.as_chunks::<8>().0.iter();
    entries.map(|entry| u64::from_be_bytes(*entry) & OFFSET)
}

fn open(path: &Path) -> io::Result<FileAt> {
    FileAt::new(File::open(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::FileExt;

    fn image(dir: &Path, length: usize) -> PathBuf {
        let mut bytes = vec![0xaa; length];
        let record = b"\0CD001\x01EL TORITO SPECIFICATION";
        bytes[BOOT_RECORD..][..record.len()].copy_from_slice(record);
        let path = dir.join("image.iso");
        fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn a_stick_has_no_el_torito() {
        let dir = tempfile::tempdir().unwrap();
        let image = image(dir.path(), 20 * 2048);
        let blanked = first_cluster(&open(&image).unwrap(), true).unwrap().unwrap();
        let whole = fs::read(&image).unwrap();
        assert_eq!(blanked[..BOOT_RECORD + 7], whole[..BOOT_RECORD + 7]);
        assert!(
            blanked[BOOT_RECORD + 7..BOOT_RECORD + 2048]
                .iter()
                .all(|&byte| byte == 0)
        );
        assert_eq!(blanked[BOOT_RECORD + 2048..whole.len()], whole[BOOT_RECORD + 2048..]);
        assert_eq!(first_cluster(&open(&image).unwrap(), false).unwrap(), None);
    }

    #[test]
    fn what_is_not_written_has_not_changed() {
        let dir = tempfile::tempdir().unwrap();
        let image = image(dir.path(), 200_000);
        for blank in [false, true] {
            let overlay = Overlay::create(&dir.path().join("overlay"), &image, blank).unwrap();
            assert_eq!(overlay.changed().unwrap(), None);
        }
        // As QEMU writes where a cluster is already.
        let overlay = Overlay::create(&dir.path().join("overlay"), &image, true).unwrap();
        let file = fs::OpenOptions::new().write(true).open(overlay.path()).unwrap();
        file.write_all_at(&[0xaa], 5 * CLUSTER + 512).unwrap();
        assert_eq!(overlay.changed().unwrap(), None);
        file.write_all_at(&[1], 5 * CLUSTER + 512).unwrap();
        assert_eq!(overlay.changed().unwrap(), Some((512, 1)));
    }

    #[test]
    fn a_path_that_the_header_cannot_hold_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let deep = (0..6).fold(dir.path().to_path_buf(), |path, _| path.join("d".repeat(200)));
        fs::create_dir_all(&deep).unwrap();
        let image = image(&deep, 65_536);
        let error = Overlay::create(&dir.path().join("overlay"), &image, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidFilename);
    }
}
