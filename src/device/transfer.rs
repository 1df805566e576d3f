//! An image onto a medium, in an order in which a medium that is pulled out too early does not boot half of it.
//!
//! 1. What is at both ends of the medium is wiped: tables and labels that were there do not outlive the new ones.
//! 2. All but the first MiB is written, then flushed, then read back from the medium and compared.
//! 3. The first MiB is written, flushed and compared.
//!
//! Whatever fails, the tables are zeros afterwards. Where the medium can forget, and then reads as zeros, runs of zeros are not written.

use std::path::Path;

use twox_hash::XxHash3_128;

use super::DeviceError;
use super::ahead::ahead;
use super::medium::Medium;
use super::payload::{HEAD, Payload};
use crate::output::{BUFFER, Buffer, Interrupt};

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
    /// By which they are known again. A medium is broken and not hostile, so that a fast hash of 128 bits serves.
    hash: u128,
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
/// Whatever fails once it has begun leaves zeros where the tables were, and never a medium that boots in part.
pub fn transfer(
    medium: &mut Medium,
    payload: &mut Payload,
    options: Options,
    progress: &mut dyn FnMut(Phase, u64, Option<u64>),
    interrupt: &Interrupt,
) -> Result<Report, DeviceError> {
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

fn too_small(medium: &Medium, size: u64) -> DeviceError {
    let reason = format!(
        "it is too small: it has {} bytes, the image needs {size}",
        medium.size()
    );
    DeviceError::refused(medium.path(), reason)
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
    fn run(&mut self, payload: &mut Payload, options: Options) -> Result<Report, DeviceError> {
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
        self.compare_all(&spans, payload, report.size)?;
        head.write(self.medium)?;
        self.medium.sync()?;
        self.compare(&head.span, payload)?;
        (self.progress)(Phase::Checking, report.size, Some(report.size));
        Ok(report)
    }

    /// Writes what follows the head, but for zeros on a medium that is `blank`.
    fn write_all(&mut self, payload: &mut Payload, blank: bool, report: &mut Report) -> Result<Vec<Span>, DeviceError> {
        let (total, sector_size) = (payload.total(), self.medium.sector_size());
        let path = self.medium.path().to_owned();
        let (mut spans, mut done) = (Vec::new(), 0);
        let fill = |mut buffer: Buffer| match payload.next(&mut buffer)? {
            Some((offset, length)) => Ok(Some(Chunk::of(buffer, length, offset, sector_size))),
            None => Ok(None),
        };
        ahead(&path, fill, |chunk: Chunk| {
            check(self.interrupt)?;
            (self.progress)(Phase::Writing, done, total);
            done += chunk.span.length as u64;
            if blank && chunk.is_zero && self.reads_back(&chunk.span)? {
                report.skipped += chunk.span.length as u64;
            } else {
                chunk.write(self.medium)?;
            }
            spans.push(chunk.span);
            Ok(chunk.buffer)
        })?;
        Ok(spans)
    }

    /// Compares what the medium has with all that was written behind the head.
    fn compare_all(&mut self, spans: &[Span], payload: &Payload, total: u64) -> Result<(), DeviceError> {
        let (path, sector_size) = (self.medium.path().to_owned(), self.medium.sector_size());
        let (medium, mut left, mut done) = (&mut *self.medium, spans.iter(), 0);
        let fill = |mut buffer: Buffer| {
            let Some(span) = left.next() else { return Ok(None) };
            medium.read(&mut buffer, span.length, span.offset)?;
            Ok(Some((buffer, span)))
        };
        ahead(&path, fill, |(buffer, span)| {
            check(self.interrupt)?;
            (self.progress)(Phase::Checking, done, Some(total));
            done += span.length as u64;
            match span.is_in(&buffer) {
                true => Ok(buffer),
                false => Err(different(&path, sector_size, payload, span, &buffer)),
            }
        })
    }

    /// Compares what the medium has with what was written there.
    fn compare(&mut self, span: &Span, payload: &Payload) -> Result<(), DeviceError> {
        check(self.interrupt)?;
        if self.reads_back(span)? {
            return Ok(());
        }
        Err(different(
            self.medium.path(),
            self.medium.sector_size(),
            payload,
            span,
            &self.spare,
        ))
    }

    /// Whether the medium has the bytes.
    fn reads_back(&mut self, span: &Span) -> Result<bool, DeviceError> {
        if span.offset + span.length as u64 > self.medium.size() {
            return Ok(false);
        }
        self.medium.read(&mut self.spare, span.length, span.offset)?;
        Ok(span.is_in(&self.spare))
    }
}

/// The error of bytes that are not those that were written.
fn different(path: &Path, sector_size: u64, payload: &Payload, span: &Span, buffer: &Buffer) -> DeviceError {
    let bytes = buffer.get(..span.length).unwrap_or_default();
    DeviceError::Different {
        path: path.to_owned(),
        offset: payload.first_difference(bytes, span.offset).unwrap_or(span.offset),
        sector_size: sector_size.max(512),
    }
}

fn check(interrupt: &Interrupt) -> Result<(), DeviceError> {
    interrupt
        .requested()
        .map_or(Ok(()), |signal| Err(DeviceError::Interrupted(signal)))
}

impl Span {
    /// Whether a buffer begins with its bytes.
    fn is_in(&self, buffer: &Buffer) -> bool {
        let bytes = buffer.get(..self.length).unwrap_or_default();
        XxHash3_128::oneshot(bytes) == self.hash
    }
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
            hash: XxHash3_128::oneshot(bytes),
        };
        let is_zero = bytes.iter().all(|&byte| byte == 0);
        Self { buffer, span, is_zero }
    }

    fn write(&self, medium: &mut Medium) -> Result<(), DeviceError> {
        let end = self.span.offset + self.span.length as u64;
        medium.grow(end)?;
        // Only where the image says less of itself than it is.
        if end > medium.size() {
            return Err(too_small(medium, end));
        }
        medium.write(&self.buffer, self.span.length, self.span.offset)
    }
}
