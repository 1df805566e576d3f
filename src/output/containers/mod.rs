//! Files that have an image in them: disks of virtual machines, and compressed ones.
//!
//! Every form cuts the image into units of its own length. Where each is encoded by itself, all cores do that, and one thread writes the
//! results in their order: the bytes of the file are the same for any number of threads, and memory holds a few units. A compressed
//! container is made in a temporary file first, because its tables are known last and come first.

mod encoder;
mod format;
mod sum;
mod units;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::num::NonZero;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

use super::disk::{Disk, Gathered};
use super::pipeline::Take;
use super::{BUFFER, Interrupt, OutputError, ended, input, io_error, joined, start};
use encoder::{Coder, Encoded, Encoder};
pub use format::{Container, FileFormat, stem};
pub use sum::{DiskSum, Hashed};
use units::{Unit, Units};

/// Gives an image to a [`Take`], from the first byte to the last.
type Spans<'a> = dyn FnOnce(&mut dyn Take) -> Result<(), OutputError> + 'a;

/// The most threads that encode. Each holds a unit and its encoded form.
const THREADS: usize = 16;

/// Writes the image that `spans` gives, `size` bytes, in a form. The `path` is for errors, and a temporary file goes into its directory.
/// Returns the length of the file.
pub(super) fn write(
    format: FileFormat,
    size: u64,
    spans: Box<Spans<'_>>,
    (file, path): (&File, &Path),
    interrupt: &Interrupt,
) -> Result<u64, OutputError> {
    let container = Encoder::of_container(format.container, size).map_err(|most| OutputError::TooLong {
        path: path.into(),
        form: format.name(),
        most,
    })?;
    match (container, format.compressor) {
        (None, None) => {
            let mut disk = Disk::new(file, path);
            spans(&mut disk)?;
            Ok(size)
        }
        (Some(encoder), None) => encode(encoder, spans, file, path),
        (None, Some(compressor)) => {
            let encoder = Encoder::of_compressor(compressor, format.level, size);
            encode(encoder, spans, file, path)
        }
        (Some(encoder), Some(compressor)) => {
            let directory = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            let between = tempfile::tempfile_in(directory).map_err(io_error(directory, "create a file in", None))?;
            let length = encode(encoder, spans, &between, path)?;
            let encoder = Encoder::of_compressor(compressor, format.level, length);
            let spans = |take: &mut dyn Take| read((&between, path), length, take, interrupt);
            encode(encoder, Box::new(spans), file, path)
        }
    }
}

/// Reads a written file and gives its bytes to a [`Take`].
fn read(
    (file, path): (&File, &Path),
    length: u64,
    take: &mut dyn Take,
    interrupt: &Interrupt,
) -> Result<(), OutputError> {
    let mut buffer = vec![0; BUFFER];
    let mut at = 0;
    while at < length {
        let data = input::data(file, at..length);
        take.zeros(data.start - at)?;
        at = data.start;
        while at < data.end {
            interrupt.check()?;
            let now = (data.end - at).min(BUFFER as u64) as usize;
            file.read_exact_at(&mut buffer[..now], at)
                .map_err(io_error(path, "read back", Some(at)))?;
            take.bytes(&buffer[..now], at)?;
            at += now as u64;
        }
    }
    Ok(())
}

fn encode(encoder: Encoder, spans: Box<Spans<'_>>, file: &File, path: &Path) -> Result<u64, OutputError> {
    let (encoder, mut disk) = match encoder.coder() {
        None => directly(encoder, spans, file, path)?,
        Some(coder) => in_parallel(encoder, coder, spans, file, path)?,
    };
    let (pieces, length) = encoder.finish();
    for (offset, bytes) in pieces {
        disk.write(&bytes, offset)?;
    }
    disk.flush()?;
    file.set_len(length)
        .map_err(io_error(path, "make room in", Some(length)))?;
    Ok(length)
}

/// Writes a file whose units stand in it as they are.
fn directly<'a>(
    mut encoder: Encoder,
    spans: Box<Spans<'_>>,
    file: &'a File,
    path: &'a Path,
) -> Result<(Encoder, Gathered<'a>), OutputError> {
    let mut disk = Gathered::new(Disk::new(file, path));
    let mut cut = Cut::new(encoder.unit(), |number, unit| match unit {
        Unit::Zeros(_) => Ok(()),
        Unit::Bytes(bytes) => disk.write(bytes, encoder.place(number, bytes)),
    });
    spans(&mut cut)?;
    cut.end()?;
    Ok((encoder, disk))
}

/// Cuts an image into units.
struct Cut<G> {
    units: Units,
    give: G,
}

impl<G: FnMut(u64, Unit<'_>) -> Result<(), OutputError>> Cut<G> {
    fn new(unit: usize, give: G) -> Self {
        let units = Units::new(unit);
        Self { units, give }
    }

    /// Gives the last unit, which may be shorter.
    fn end(mut self) -> Result<(), OutputError> {
        self.units.end(&mut self.give)
    }
}

impl<G: FnMut(u64, Unit<'_>) -> Result<(), OutputError>> Take for Cut<G> {
    fn bytes(&mut self, bytes: &[u8], _offset: u64) -> Result<(), OutputError> {
        self.units.bytes(bytes, &mut self.give)
    }

    fn zeros(&mut self, length: u64) -> Result<(), OutputError> {
        self.units.zeros(length, &mut self.give)
    }
}

/// A unit to encode, and where the result goes.
struct Job {
    number: u64,
    bytes: Vec<u8>,
    reply: SyncSender<io::Result<Arc<Encoded>>>,
}

/// The number of a unit, and where its encoded form will come from.
type Ordered = (u64, Receiver<io::Result<Arc<Encoded>>>);

/// Writes a file whose units are encoded. All cores encode.
fn in_parallel<'a>(
    encoder: Encoder,
    coder: Coder,
    spans: Box<Spans<'_>>,
    file: &'a File,
    path: &'a Path,
) -> Result<(Encoder, Gathered<'a>), OutputError> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS);
    let (jobs, work) = mpsc::sync_channel::<Job>(threads);
    let (order, ordered) = mpsc::sync_channel::<Ordered>(threads + 1);
    let work = Mutex::new(work);
    thread::scope(|scope| {
        let unit = encoder.unit();
        let mut sender = Sender {
            jobs,
            order,
            coder,
            zeros: encoder.has_zeros().then_some(Zeros { unit, encoded: None }),
            path,
        };
        for _ in 0..threads {
            let work = &work;
            start(scope, "encode", path, move || work_off(work, coder))?;
        }
        let placing = start(scope, "place", path, move || place(encoder, &ordered, file, path))?;
        let mut cut = Cut::new(unit, |number, unit| sender.unit(number, unit));
        let fed = spans(&mut cut).and_then(|()| cut.end());
        // The threads end when nothing more can come.
        drop(sender);
        let placed = joined(placing)?;
        fed.map(|()| placed)
    })
}

/// Encodes units until no more can come.
fn work_off(work: &Mutex<Receiver<Job>>, coder: Coder) {
    loop {
        let job = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { number, bytes, reply }) = job else { return };
        // The writing thread may have ended with an error.
        let _ = reply.send(coder.encode(number, &bytes).map(Arc::new));
    }
}

/// Writes the encoded units in their order.
fn place<'a>(
    mut encoder: Encoder,
    ordered: &Receiver<Ordered>,
    file: &'a File,
    path: &'a Path,
) -> Result<(Encoder, Gathered<'a>), OutputError> {
    let mut disk = Gathered::new(Disk::new(file, path));
    for (number, reply) in ordered {
        let encoded = reply.recv().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()));
        let encoded = encoded.map_err(io_error(path, "encode for", None))?;
        let offset = encoder.place_encoded(number, &encoded);
        for (offset, bytes) in encoder.complete() {
            disk.write(&bytes, offset)?;
        }
        disk.write(encoded.bytes(), offset)?;
    }
    Ok((encoder, disk))
}

/// Hands units to the encoding threads, and their order to the writing one.
struct Sender<'a> {
    jobs: SyncSender<Job>,
    order: SyncSender<Ordered>,
    coder: Coder,
    /// Only for forms whose files contain the units of zeros too.
    zeros: Option<Zeros>,
    path: &'a Path,
}

/// The encoded unit of zeros. It is encoded once and written many times.
struct Zeros {
    unit: usize,
    encoded: Option<Arc<Encoded>>,
}

impl Sender<'_> {
    fn unit(&mut self, number: u64, unit: Unit<'_>) -> Result<(), OutputError> {
        match unit {
            Unit::Bytes(bytes) => {
                let (reply, result) = mpsc::sync_channel(1);
                self.order(number, result)?;
                let bytes = bytes.to_vec();
                let job = Job { number, bytes, reply };
                self.jobs.send(job).map_err(|_| ended(self.path))
            }
            Unit::Zeros(count) => {
                let Some(zeros) = &mut self.zeros else { return Ok(()) };
                let encoded = match &zeros.encoded {
                    Some(encoded) => encoded.clone(),
                    None => {
                        let encoded = self.coder.encode(number, &vec![0; zeros.unit]);
                        let encoded = encoded.map_err(io_error(self.path, "encode for", None))?;
                        zeros.encoded.insert(Arc::new(encoded)).clone()
                    }
                };
                for number in number..number + count {
                    let (reply, result) = mpsc::sync_channel(1);
                    // The receiver is at hand, and there is room for one.
                    let _ = reply.send(Ok(encoded.clone()));
                    self.order(number, result)?;
                }
                Ok(())
            }
        }
    }

    fn order(&self, number: u64, result: Receiver<io::Result<Arc<Encoded>>>) -> Result<(), OutputError> {
        self.order.send((number, result)).map_err(|_| ended(self.path))
    }
}
