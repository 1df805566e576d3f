//! Reads a disk piece by piece, and compares what was written with it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::thread;

use super::disk::disk_in;
use super::open::{Name, open};
use crate::ground::decompress::{Behind, Compression};
use crate::ground::read_at::{FileAt, ReadAt, Shared};
use crate::output::{Container, DiskSum, Hashed, Piece, PieceSource, Target};

/// Bytes that are read at a time.
const STEP: usize = 1 << 20;
/// Threads beyond this wait for the memory.
const THREADS: usize = 8;

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

/// The length of a disk and its sum. Its holes are not read. Each thread takes the next bytes; their hashes are added in the order of the disk.
fn disk_sum(disk: &(dyn ReadAt + Sync), go_on: &dyn Fn() -> bool) -> io::Result<(u64, u128)> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    let next = Mutex::new(Next::default());
    let (give, hashes) = sync_channel(threads);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (give, next) = (give.clone(), &next);
            scope.spawn(move || {
                let mut buffer = vec![0; STEP];
                while let Some(hashed) = hash_next(disk, next, &mut buffer).transpose() {
                    let is_wrong = hashed.is_err();
                    // Nobody takes it if the sum has ended early.
                    if give.send(hashed).is_err() || is_wrong {
                        return;
                    }
                }
            });
        }
        drop(give);
        let mut sum = DiskSum::default();
        let mut early = BTreeMap::new();
        let mut due = 0;
        for hashed in hashes {
            if !go_on() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let (number, hashed) = hashed?;
            early.insert(number, hashed);
            while let Some(hashed) = early.remove(&due) {
                sum.add(hashed);
                due += 1;
            }
        }
        Ok((disk.size(), sum.finish()))
    })
}

/// Where the next piece of a disk begins, and its number among the pieces.
#[derive(Default)]
struct Next {
    number: u64,
    at: u64,
}

/// Reads the next bytes that are not in a hole. `None` if there are no more.
fn hash_next(
    disk: &(dyn ReadAt + Sync),
    next: &Mutex<Next>,
    buffer: &mut [u8],
) -> io::Result<Option<(u64, Vec<Hashed>)>> {
    let (number, at, length) = {
        let mut next = next.lock().map_err(|_| io::Error::other("a thread has ended"))?;
        let data = disk.data_from(next.at)?;
        if data >= disk.size() {
            return Ok(None);
        }
        // The bytes that are hashed together may begin in the hole.
        let at = data - data % DiskSum::UNIT;
        let length = (disk.size() - at).min(STEP as u64);
        let number = next.number;
        *next = Next {
            number: number + 1,
            at: at + length,
        };
        (number, at, length as usize)
    };
    let buffer = buffer.get_mut(..length).unwrap_or_default();
    disk.read_exact_at(buffer, at)?;
    Ok(Some((number, DiskSum::hashed(at, buffer))))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::output::FileFormat;

    #[test]
    fn pieces_of_a_disk_have_the_sum_of_its_bytes() {
        for size in [0, 1, 65_535, 65_536, 65_537, 1 << 20, (3 << 20) + 5, 5 << 20] {
            let mut bytes = vec![0; size];
            let noise = (0..size).filter(|at| at % 7 == 0 && at / 700_000 % 2 == 0);
            noise.for_each(|at| bytes[at] = (at % 251) as u8);
            // In a file holes are found, and they begin anywhere.
            let mut file = tempfile::tempfile().unwrap();
            file.set_len(size as u64).unwrap();
            for (at, part) in (0..).step_by(4096).zip(bytes.chunks(4096)) {
                if part.iter().any(|&byte| byte != 0) {
                    std::os::unix::fs::FileExt::write_all_at(&file, part, at).unwrap();
                }
            }
            io::Seek::rewind(&mut file).unwrap();
            let wanted = stream_sum(&mut file, &|| true).unwrap();
            for disk in [Shared::new(bytes), Shared::new(FileAt::new(file).unwrap())] {
                assert_eq!(disk_sum(&disk, &|| true).unwrap(), wanted, "{size}");
            }
        }
        let stopped = disk_sum(&Shared::new(vec![1; 9 << 20]), &|| false);
        assert_eq!(stopped.unwrap_err().kind(), io::ErrorKind::Interrupted);
    }

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
