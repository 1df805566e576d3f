//! An image onto a medium, in an order in which a medium that is pulled out too early does not boot half of it.
//!
//! 1. What is at both ends of the medium is wiped: tables and labels that were there do not outlive the new ones.
//! 2. All but the first MiB is written, then flushed, then read back from the medium and compared.
//! 3. The first MiB is written, flushed and compared.
//!
//! Whatever fails, the tables are zeros afterwards. Where the medium can forget, and then reads as zeros, runs of zeros are not written.

use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;

use sha2::{Digest as _, Sha256};

use super::Error;
use super::medium::Medium;
use super::payload::{HEAD, Payload};
use crate::write::{BUFFER, Buffer, Interrupt};

/// Buffers that go round: one that is filled, one that is written, and two to even them out.
const BUFFERS: usize = 4;

/// How far back from the end of a medium labels lie: the backup GPT, those of RAID, and two of ZFS in the last 512 KiB.
const END: u64 = 1 << 20;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Bytes go to the medium.
    Writing,
    /// Bytes are read back and compared.
    Checking,
}

/// How to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What is at the end of a medium that is larger than the image stays.
    pub keep_end: bool,
}

/// What has been done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Bytes of the image, all compared.
    pub size: u64,
    /// Bytes of those that were not written, since the medium reads as zeros there.
    pub skipped: u64,
}

/// Bytes that were written somewhere.
struct Span {
    offset: u64,
    length: usize,
    digest: [u8; 32],
}

/// The next bytes to write.
struct Chunk {
    buffer: Buffer,
    span: Span,
    is_zero: bool,
}

/// Writes the image and reads it back. `progress` learns of the phase, how many bytes are done in it, and of how many, if that is known.
///
/// # Errors
/// Anything but [`Error::Refused`] may leave a medium of zeros; never one that boots in part.
pub fn transfer(
    medium: &mut Medium,
    payload: &mut Payload,
    options: Options,
    progress: &mut dyn FnMut(Phase, u64, Option<u64>),
    interrupt: &Interrupt,
) -> Result<Report, Error> {
    if let Some(size) = payload.size() {
        medium.grow(size)?;
        if size > medium.size() {
            return Err(too_small(medium, size));
        }
    }
    let mut transfer = Transfer {
        medium: &mut *medium,
        progress,
        interrupt,
        spare: Buffer::new(),
    };
    let result = transfer.run(payload, options);
    if result.is_err() {
        // As far as it can be done: the medium may be gone.
        let _ = medium.zero(0, HEAD as u64);
        let added = payload
            .additions()
            .last()
            .map(|addition| addition.offset + addition.length);
        for end in payload.size().into_iter().chain(added) {
            let _ = medium.zero(end.saturating_sub(END).max(HEAD as u64), END);
        }
        let _ = medium.sync();
        medium.abandon();
    }
    result
}

fn too_small(medium: &Medium, size: u64) -> Error {
    let reason = format!(
        "it is too small: it has {} bytes, the image needs {size}",
        medium.size()
    );
    Error::refused(medium.path(), reason)
}

/// The errands of one transfer.
struct Transfer<'a> {
    medium: &'a mut Medium,
    progress: &'a mut dyn FnMut(Phase, u64, Option<u64>),
    interrupt: &'a Interrupt,
    /// What is read back.
    spare: Buffer,
}

impl Transfer<'_> {
    fn run(&mut self, payload: &mut Payload, options: Options) -> Result<Report, Error> {
        let said = payload.size();
        let blank = said.is_some_and(|size| self.medium.discard(size));
        self.medium.zero(0, HEAD as u64)?;
        if !options.keep_end {
            let end = self.medium.size().saturating_sub(END);
            self.medium.zero(end.max(said.unwrap_or(0)), END)?;
        }
        self.medium.sync()?;

        let head = Chunk::new(payload.head(), 0, self.medium.sector_size());
        let mut report = Report::default();
        let spans = self.write_all(payload, blank, &mut report)?;
        self.medium.sync()?;
        report.size = spans.iter().map(|span| span.length as u64).sum::<u64>() + head.span.length as u64;
        let mut done = 0;
        for span in &spans {
            (self.progress)(Phase::Checking, done, Some(report.size));
            self.compare(span, payload)?;
            done += span.length as u64;
        }
        head.write(self.medium)?;
        self.medium.sync()?;
        self.compare(&head.span, payload)?;
        (self.progress)(Phase::Checking, report.size, Some(report.size));
        Ok(report)
    }

    /// Writes what follows the head, but for zeros on a medium that is `blank`.
    fn write_all(&mut self, payload: &mut Payload, blank: bool, report: &mut Report) -> Result<Vec<Span>, Error> {
        let (total, sector_size) = (payload.total(), self.medium.sector_size());
        let (to_writer, full) = mpsc::sync_channel(BUFFERS);
        let (to_reader, empty) = mpsc::channel();
        for _ in 0..BUFFERS {
            // The receiver is at hand, so this cannot fail.
            let _ = to_reader.send(Buffer::new());
        }
        thread::scope(|scope| {
            // Here, so that they are gone before the reading thread is waited for.
            let (full, to_reader): (Receiver<Result<Chunk, Error>>, Sender<Buffer>) = (full, to_reader);
            let reader = thread::Builder::new().name("read".into());
            let reading = move || read(payload, sector_size, &to_writer, &empty);
            reader.spawn_scoped(scope, reading).map_err(Error::io(
                self.medium.path(),
                "start a thread that reads for",
                None,
            ))?;
            let (mut spans, mut done) = (Vec::new(), 0);
            for chunk in &full {
                check(self.interrupt)?;
                let chunk = chunk?;
                (self.progress)(Phase::Writing, done, total);
                done += chunk.span.length as u64;
                if blank && chunk.is_zero && self.reads_back(&chunk.span)? {
                    report.skipped += chunk.span.length as u64;
                } else {
                    chunk.write(self.medium)?;
                }
                spans.push(chunk.span);
                let _ = to_reader.send(chunk.buffer);
            }
            Ok(spans)
        })
    }

    /// Compares what the medium has with what was written there.
    fn compare(&mut self, span: &Span, payload: &Payload) -> Result<(), Error> {
        check(self.interrupt)?;
        if self.reads_back(span)? {
            return Ok(());
        }
        let bytes = self.spare.get(..span.length).unwrap_or_default();
        Err(Error::Different {
            path: self.medium.path().to_owned(),
            offset: payload.first_difference(bytes, span.offset).unwrap_or(span.offset),
            sector_size: self.medium.sector_size().max(512),
        })
    }

    /// Whether the medium has the bytes.
    fn reads_back(&mut self, span: &Span) -> Result<bool, Error> {
        if span.offset + span.length as u64 > self.medium.size() {
            return Ok(false);
        }
        self.medium.read(&mut self.spare, span.length, span.offset)?;
        let bytes = self.spare.get(..span.length).unwrap_or_default();
        Ok(<[u8; 32]>::from(Sha256::digest(bytes)) == span.digest)
    }
}

/// The reading thread: all that follows the head, digested on the way.
fn read(
    payload: &mut Payload,
    sector_size: u64,
    to_writer: &SyncSender<Result<Chunk, Error>>,
    empty: &Receiver<Buffer>,
) {
    // A writing thread that has ended wants no more.
    while let Ok(mut buffer) = empty.recv() {
        let chunk = match payload.next(&mut buffer) {
            Ok(None) => return,
            Ok(Some((offset, length))) => Ok(Chunk::of(buffer, length, offset, sector_size)),
            Err(error) => Err(error),
        };
        let is_last = chunk.is_err();
        if to_writer.send(chunk).is_err() || is_last {
            return;
        }
    }
}

fn check(interrupt: &Interrupt) -> Result<(), Error> {
    interrupt
        .requested()
        .map_or(Ok(()), |signal| Err(Error::Interrupted(signal)))
}

impl Chunk {
    fn new(bytes: &[u8], offset: u64, sector_size: u64) -> Self {
        let mut buffer = Buffer::new();
        let length = bytes.len().min(BUFFER);
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), bytes.get(..length)) {
            to.copy_from_slice(from);
        }
        Self::of(buffer, length, offset, sector_size)
    }

    /// The first `length` bytes of `buffer`, and zeros to the end of their last sector.
    fn of(mut buffer: Buffer, length: usize, offset: u64, sector_size: u64) -> Self {
        let whole = length.next_multiple_of(sector_size as usize).min(BUFFER);
        if let Some(padding) = buffer.get_mut(length..whole) {
            padding.fill(0);
        }
        let bytes = buffer.get(..whole).unwrap_or_default();
        let span = Span {
            offset,
            length: whole,
            digest: Sha256::digest(bytes).into(),
        };
        let is_zero = bytes.iter().all(|&byte| byte == 0);
        Self { buffer, span, is_zero }
    }

    fn write(&self, medium: &mut Medium) -> Result<(), Error> {
        let end = self.span.offset + self.span.length as u64;
        medium.grow(end)?;
        // Only where the image says less of itself than it is.
        if end > medium.size() {
            return Err(too_small(medium, end));
        }
        medium.write(&self.buffer, self.span.length, self.span.offset)
    }
}
