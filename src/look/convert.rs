//! Reads a disk piece by piece, and compares what was written with it.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::AsRawFd as _;
use std::path::Path;

use super::open::{Name, OpenError, open};
use crate::ground::decompress::{Behind, Compression};
use crate::ground::read_at::ReadAt;
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
    let (length, found) = match compression(file)?.filter(|_| is_disk) {
        Some(compression) => {
            io::Seek::rewind(&mut &*file)?;
            let source = BufReader::with_capacity(STEP, file.try_clone()?);
            stream_sum(&mut compression.reader(source, &Behind::default()), go_on)?
        }
        None => {
            // It has no name yet.
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            let opened = open(Path::new(&path), Name::Needless, &mut |_, _| go_on());
            let opened = opened.map_err(|error| match error {
                OpenError::Read(error) | OpenError::Hold(error) => error,
                error => io::Error::other(format!("what was written cannot be read: {error}")),
            })?;
            (opened.size(), disk_sum(&opened, go_on)?)
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

/// The sum of a disk. Its holes are not read.
fn disk_sum(disk: &dyn ReadAt, go_on: &dyn Fn() -> bool) -> io::Result<u128> {
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
    Ok(sum.finish())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::output::FileFormat;

    #[test]
    fn what_reads_back_as_something_else_is_an_error() {
        let target = Target::of_disk("file".into(), FileFormat::RAW);
        let disk = [7; 5000];
        let mut sum = DiskSum::default();
        sum.bytes(&disk);
        let sum = sum.finish();
        let judged = |written: &[u8]| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(written).unwrap();
            check(&target, &file, (5000, sum), &|| true).is_ok()
        };
        assert!(judged(&disk));
        assert!(judged(&[&disk[..], &[0; 24]].concat()));
        assert!(!judged(&[&disk[..], &[1]].concat()));
        assert!(!judged(&disk[1..]));
        assert!(!judged(&[8; 5000]));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&disk).unwrap();
        let gzip = gzip.finish().unwrap();
        assert!(judged(&gzip) && !judged(&gzip[..gzip.len() - 9]));
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
