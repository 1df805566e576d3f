//! Reads a disk piece by piece, and compares what was written with it.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::AsRawFd as _;
use std::path::Path;

use super::disk::disk_in;
use super::open::{Name, open};
use crate::ground::decompress::{Behind, Compression};
use crate::ground::read_at::{FileAt, ReadAt, Shared};
use crate::output::{Container, DiskSum, Piece, PieceSource, Target};

/// Bytes that are read at a time.
const STEP: usize = 1 << 20;

/// The pieces of a disk by offset. Holes are left out.
pub fn pieces(disk: &(dyn ReadAt + Sync)) -> impl Iterator<Item = io::Result<Piece<'static>>> + Send {
    let mut at = 0;
    let mut next = move || -> io::Result<Option<Piece<'static>>> {
        let offset = disk.data_from(at)?;
        let length = disk.size().saturating_sub(offset).min(STEP as u64);
        at = offset + length;
        if length == 0 {
            return Ok(None);
        }
        let bytes = disk.read_vec_at(offset, length)?;
        let source = PieceSource::Bytes(bytes.into());
        Ok(Some(Piece { offset, length, source }))
    };
    std::iter::from_fn(move || next().transpose())
}

/// Reads a written file again. The disk in it must have at least `size` bytes and the sum `wanted`. `go_on` returns false to stop.
///
/// # Errors
/// The disk is another one, or cannot be read.
pub fn check(target: &Target, file: &File, (size, wanted): (u64, u128), go_on: &dyn Fn() -> bool) -> io::Result<()> {
    let is_disk = matches!(target.format.container, Container::Raw | Container::Img);
    let bytes = || Ok::<_, io::Error>(Shared::new(FileAt::new(file.try_clone()?)?));
    let (length, found) = match (is_disk, target.format.compressor.is_some()) {
        (true, false) => disk_sum(&bytes()?, go_on)?,
        (false, false) => {
            let disk = disk_in(&bytes()?).map_err(|error| unreadable(&error))?;
            let disk = disk.ok_or_else(|| unreadable(&"there is no disk in it"))?;
            disk_sum(&disk, go_on)?
        }
        (true, true) => {
            let compression = compression(file)?.ok_or_else(|| unreadable(&"it is not compressed"))?;
            io::Seek::rewind(&mut &*file)?;
            let source = BufReader::with_capacity(STEP, file.try_clone()?);
            stream_sum(&mut compression.reader(source, &Behind::default()), go_on)?
        }
        (false, true) => {
            // The file has no name yet.
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            let opened = open(Path::new(&path), Name::Needless, &mut |_, _| go_on());
            disk_sum(&opened.map_err(|error| unreadable(&error))?, go_on)?
        }
    };
    match length >= size && found == wanted {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "what was written reads back as something else",
        )),
    }
}

fn unreadable(why: &dyn Display) -> io::Error {
    io::Error::other(format!("what was written cannot be read: {why}"))
}

fn compression(file: &File) -> io::Result<Option<Compression>> {
    let mut start = [0; 16];
    let length = std::os::unix::fs::FileExt::read_at(file, &mut start, 0)?;
    Ok(Compression::of(&start[..length]))
}

/// The length of a stream and its sum.
fn stream_sum(stream: &mut dyn Read, go_on: &dyn Fn() -> bool) -> io::Result<(u64, u128)> {
    let mut sum = DiskSum::default();
    let mut buffer = vec![0; STEP];
    let mut length = 0;
    loop {
        let now = stream.read(&mut buffer)?;
        if now == 0 {
            return Ok((length, sum.finish()));
        }
        if !go_on() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        sum.bytes(&buffer[..now]);
        length += now as u64;
    }
}

/// The length of a disk and its sum. Its holes are not read.
fn disk_sum(disk: &dyn ReadAt, go_on: &dyn Fn() -> bool) -> io::Result<(u64, u128)> {
    let mut sum = DiskSum::default();
    let mut buffer = vec![0; STEP];
    let mut at = 0;
    while at < disk.size() {
        if !go_on() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let data = disk.data_from(at)?;
        sum.zeros(data - at);
        let length = (disk.size() - data).min(STEP as u64) as usize;
        disk.read_exact_at(&mut buffer[..length], data)?;
        sum.bytes(&buffer[..length]);
        at = data + length as u64;
    }
    Ok((disk.size(), sum.finish()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::output::FileFormat;

    #[test]
    fn what_reads_back_as_something_else_is_an_error() {
        let mut target = Target::of_disk("file".into(), FileFormat::RAW);
        let disk = [7; 5000];
        let mut sum = DiskSum::default();
        sum.bytes(&disk);
        let sum = sum.finish();
        let judged = |target: &Target, written: &[u8]| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(written).unwrap();
            check(target, &file, (5000, sum), &|| true).is_ok()
        };
        assert!(judged(&target, &disk));
        assert!(judged(&target, &[&disk[..], &[0; 24]].concat()));
        assert!(!judged(&target, &[&disk[..], &[1]].concat()));
        assert!(!judged(&target, &disk[1..]));
        assert!(!judged(&target, &[8; 5000]));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&disk).unwrap();
        let gzip = gzip.finish().unwrap();
        // The bytes of a raw file are the disk, whatever they begin with.
        assert!(!judged(&target, &gzip));
        target.format = FileFormat::of_name("raw.gz").unwrap();
        assert!(judged(&target, &gzip) && !judged(&target, &gzip[..gzip.len() - 9]));
    }

    #[test]
    fn the_pieces_of_a_disk_are_the_disk() {
        let mut disk = vec![0; 3 << 20];
        disk[(1 << 20) + 5..(2 << 20) + 9].fill(3);
        let mut back = vec![0; disk.len()];
        for piece in pieces(&disk) {
            let piece = piece.unwrap();
            let PieceSource::Bytes(bytes) = piece.source else {
                panic!()
            };
            back[piece.offset as usize..][..bytes.len()].copy_from_slice(&bytes);
        }
        assert!(back == disk);
    }
}
