//! A disc or a stick into an image file, as far as it can be read.

use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::DeviceError;
use super::medium::Medium;
use crate::ground::read_at::ReadAt;
use crate::look::size::{HEAD, declared_size};
use crate::output::{BUFFER, Buffer, Interrupt, Output};

/// How often a sector is tried that cannot be read.
const TRIES: u32 = 4;

/// After so many sectors in a row that cannot be read, the rest of the piece is not tried: a drive takes seconds for each.
const HOPELESS: u64 = 16;

/// What has been copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Bytes of the image.
    pub size: u64,
    /// The SHA-256 of the image; where something could not be read it has zeros.
    pub sha256: [u8; 32],
    /// Byte offset and length of what could not be read, in order.
    pub unreadable: Vec<(u64, u64)>,
}

/// How long the image on a medium is: as its volume descriptor or its GPT says, else all of it.
///
/// # Errors
/// [`DeviceError::Io`] if the start of the medium cannot be read.
pub fn image_size(medium: &Medium) -> Result<u64, DeviceError> {
    let size = ReadAt::size(medium);
    let head =
        medium
            .read_vec_at(0, size.min(HEAD))
            .map_err(DeviceError::io(medium.path(), "read the start of", Some(0)))?;
    Ok(declared_size(&head).map_or(size, |said| said.min(size)))
}

/// Copies the first `size` bytes of the medium to a file, which has its name when it is whole; what cannot be read is tried again sector
/// by sector, and is zeros at last. `progress` learns how many bytes are done.
///
/// # Errors
/// [`DeviceError::Output`] if the file cannot be written. What cannot be read is no error.
pub fn copy(
    medium: &mut Medium,
    size: u64,
    output: &Path,
    progress: &mut dyn FnMut(u64),
    interrupt: &Interrupt,
) -> Result<Copied, DeviceError> {
    let output = Output::create(output)?;
    output.set_size(size)?;
    let mut copied = Copied {
        size,
        ..Copied::default()
    };
    let (mut buffer, mut digest) = (Buffer::new(), Sha256::new());
    let mut offset = 0;
    while offset < size {
        if let Some(signal) = interrupt.requested() {
            return Err(DeviceError::Interrupted(signal));
        }
        progress(offset);
        let length = (size - offset).min(BUFFER as u64);
        let whole = length
            .next_multiple_of(medium.sector_size())
            .min(ReadAt::size(medium) - offset);
        if medium.read(&mut buffer, whole as usize, offset).is_err() {
            salvage(medium, &mut buffer, (offset, whole), &mut copied.unreadable, interrupt)?;
        }
        let bytes = buffer.get(..length as usize).unwrap_or_default();
        digest.update(bytes);
        // What is zero stays a hole.
        if bytes.iter().any(|&byte| byte != 0) {
            output.write(bytes, offset)?;
        }
        offset += length;
    }
    progress(size);
    output.commit(interrupt)?;
    copied.sha256 = digest.finalize().into();
    Ok(copied)
}

/// Reads a piece sector by sector. What stays unreadable is noted, and zeros in the buffer.
fn salvage(
    medium: &mut Medium,
    buffer: &mut Buffer,
    (offset, length): (u64, u64),
    unreadable: &mut Vec<(u64, u64)>,
    interrupt: &Interrupt,
) -> Result<(), DeviceError> {
    let sector = medium.sector_size().max(512);
    let mut spare = Buffer::new();
    let mut lost = 0;
    let mut at = 0;
    while at < length {
        if let Some(signal) = interrupt.requested() {
            return Err(DeviceError::Interrupted(signal));
        }
        let step = sector.min(length - at);
        let tries = if lost < HOPELESS { TRIES } else { 0 };
        let read = (0..tries).any(|_| medium.read(&mut spare, step as usize, offset + at).is_ok());
        let place = buffer.get_mut(at as usize..(at + step) as usize).unwrap_or_default();
        match (read, spare.get(..step as usize)) {
            (true, Some(bytes)) => {
                lost = 0;
                place.copy_from_slice(bytes);
            }
            _ => {
                lost += 1;
                place.fill(0);
                match unreadable
                    .last_mut()
                    .filter(|(start, length)| start + length == offset + at)
                {
                    Some((_, length)) => *length += step,
                    None => unreadable.push((offset + at, step)),
                }
            }
        }
        at += step;
    }
    Ok(())
}

/// What has been read and what has not, in the form of GNU ddrescue's mapfile, with which that program can go on.
pub fn map(copied: &Copied) -> String {
    let mut text = String::from("# Mapfile. Created by isobuild\n# current_pos  current_status  current_pass\n");
    let _ = writeln!(
        text,
        "0x{:08X}     +               1\n#      pos        size  status",
        copied.size
    );
    let mut at = 0;
    let mut line = |start: u64, end: u64, status: char| {
        if start < end {
            let _ = writeln!(text, "0x{start:08X}  0x{:08X}  {status}", end - start);
        }
    };
    for &(start, length) in &copied.unreadable {
        let end = (start + length).min(copied.size);
        line(at, start, '+');
        line(start, end, '-');
        at = end;
    }
    line(at, copied.size, '+');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_covers_every_byte() {
        let copied = |unreadable: &[(u64, u64)]| Copied {
            size: 10_000,
            unreadable: unreadable.to_vec(),
            ..Copied::default()
        };
        let lines = |unreadable: &[(u64, u64)]| -> Vec<String> {
            let text = map(&copied(unreadable));
            text.lines().skip(4).map(str::to_owned).collect()
        };
        assert_eq!(lines(&[]), ["0x00000000  0x00002710  +"]);
        let expected = [
            "0x00000000  0x00000800  -",
            "0x00000800  0x00000800  +",
            "0x00001000  0x00000400  -",
            "0x00001400  0x00001310  +",
        ];
        assert_eq!(lines(&[(0, 2048), (4096, 1024)]), expected);
        // The last sector of a stick may reach further than the image.
        assert_eq!(lines(&[(9728, 512)])[1], "0x00002600  0x00000110  -");
    }

    #[test]
    fn an_image_is_copied_as_long_as_it_says() {
        let mut bytes = vec![7; 300_000];
        bytes[0x8000..0x8006].copy_from_slice(b"\x01CD001");
        bytes[0x8050..0x8054].copy_from_slice(&100u32.to_le_bytes());
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("disc"), directory.path().join("image"));
        std::fs::write(&from, &bytes).unwrap();
        let mut medium = Medium::open_to_read(&from).unwrap();
        let size = image_size(&medium).unwrap();
        assert_eq!(size, 204_800);
        let copied = copy(&mut medium, size, &to, &mut |_| {}, &Interrupt::default()).unwrap();
        assert!(std::fs::read(&to).unwrap() == bytes[..204_800]);
        assert_eq!(copied.sha256, <[u8; 32]>::from(Sha256::digest(&bytes[..204_800])));
        assert_eq!(copied.unreadable, []);
    }
}
