//! The scratch copy of an image that a machine starts from, and the proof that nobody wrote to it.

use crate::cell::Medium;
use crate::hash;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Logical sector 17, where El Torito's boot record is.
const BOOT_RECORD: u64 = 17 * 2048;

/// A scratch copy of an image.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    sha256: String,
}

impl Scratch {
    /// Copies the image into `dir` as `medium` is to see it. On a stick much real firmware does not look at El Torito, but
    /// OVMF does, so that an image without a partition for the ESP would pass there: the copy has it blanked.
    pub fn new(image: &Path, medium: Medium, dir: &Path) -> Result<Self, String> {
        let path = dir.join("medium.img");
        let fail = |e: std::io::Error| format!("{}: {e}", path.display());
        fs::copy(image, &path).map_err(fail)?;
        if medium == Medium::Usb {
            blank_el_torito(&path).map_err(fail)?;
        }
        Ok(Self {
            sha256: hash::file(&path)?,
            path,
        })
    }

    /// Where the copy is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// EDK2 repairs a GPT that it finds wrong by writing to the medium, and a disc's checksum would not match a stick's.
    pub fn check_unwritten(&self) -> Result<(), String> {
        if hash::file(&self.path)? == self.sha256 {
            return Ok(());
        }
        Err("the machine has written to its medium".to_owned())
    }
}

/// Leaves `00 'CD001' 01` of the boot record and clears the rest, the boot system identifier with it. A sector of zeros would
/// end the volume descriptor set early, and GRUB then refuses the whole ISO.
fn blank_el_torito(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut sector = [0; 2048];
    file.read_exact_at(&mut sector, BOOT_RECORD)?;
    if sector.starts_with(b"\0CD001\x01EL TORITO SPECIFICATION") {
        file.write_all_at(&[0; 2041], BOOT_RECORD + 7)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(dir: &Path) -> PathBuf {
        let mut bytes = vec![0xAA; 20 * 2048];
        let record = b"\0CD001\x01EL TORITO SPECIFICATION";
        bytes[17 * 2048..][..record.len()].copy_from_slice(record);
        let path = dir.join("image.iso");
        fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn a_stick_has_no_el_torito_and_a_disc_has() {
        let dir = tempfile::tempdir().unwrap();
        let image = image(dir.path());
        let stick = fs::read(Scratch::new(&image, Medium::Usb, dir.path()).unwrap().path()).unwrap();
        let whole = fs::read(&image).unwrap();
        assert_eq!(stick[..17 * 2048 + 7], whole[..17 * 2048 + 7]);
        assert!(stick[17 * 2048 + 7..18 * 2048].iter().all(|&byte| byte == 0));
        assert_eq!(stick[18 * 2048..], whole[18 * 2048..]);
        let disc = Scratch::new(&image, Medium::Cd, dir.path()).unwrap();
        assert_eq!(fs::read(disc.path()).unwrap(), whole);
    }

    #[test]
    fn one_byte_written_by_the_machine_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(&image(dir.path()), Medium::Disk, dir.path()).unwrap();
        assert_eq!(scratch.check_unwritten(), Ok(()));
        let file = OpenOptions::new().write(true).open(scratch.path()).unwrap();
        file.write_all_at(&[1], 512).unwrap();
        assert!(scratch.check_unwritten().is_err());
    }
}
