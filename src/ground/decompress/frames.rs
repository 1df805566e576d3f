//! Frames of zstd on all cores, for files that have many short ones, as `isobuild`, `pzstd` and seekable files have them.
//!
//! The length of a frame shows in the headers of its blocks (RFC 8878 §3.1.1.2), so that the bytes of several frames can be read before the
//! first of them is decoded.

use std::collections::VecDeque;
use std::io::{self, BufRead, Cursor, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use structured_zstd::decoding::FrameDecoder;

use super::MEMORY;

/// The longest content of a frame that is held in memory. A longer one is decoded piece by piece.
const LONGEST: u64 = 8 << 20;
/// A frame's blocks may be longer than its content: each has a header, and some are stored as they are.
const STORED: usize = 2 * LONGEST as usize;
/// Threads beyond this need more memory than they save time.
const THREADS: usize = 8;

/// A frame of which all bytes are there, a buffer for its content, and where that goes.
type Task = (Whole, Vec<u8>, SyncSender<io::Result<Vec<u8>>>);

/// A frame, and how long it says that its content is.
pub(super) struct Whole {
    frame: Vec<u8>,
    content: usize,
}

/// The frames that are being decoded, in their order.
pub(super) struct Frames {
    tasks: SyncSender<Task>,
    threads: usize,
    pending: VecDeque<Receiver<io::Result<Vec<u8>>>>,
    content: Cursor<Vec<u8>>,
    /// What has been read. New memory for each frame would cost more than half of the time of its decoding.
    read: Vec<Vec<u8>>,
}

impl Frames {
    /// Starts the threads. `None` on a machine with one processor.
    pub(super) fn start() -> Option<Self> {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS);
        if threads == 1 {
            return None;
        }
        let (tasks, waiting) = sync_channel::<Task>(threads);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads {
            let waiting = Arc::clone(&waiting);
            let worker = thread::Builder::new().spawn(move || {
                let mut decoder = FrameDecoder::new();
                loop {
                    let task = waiting.lock().map(|waiting| waiting.recv());
                    let Ok(Ok((whole, buffer, to))) = task else {
                        return;
                    };
                    // Nobody waits for it if the reader is gone.
                    let _ = to.send(content(&mut decoder, &whole, buffer));
                }
            });
            worker.ok()?;
        }
        Some(Self {
            tasks,
            threads,
            pending: VecDeque::new(),
            content: Cursor::default(),
            read: Vec::new(),
        })
    }

    /// Whether another frame may be given.
    pub(super) fn has_room(&self) -> bool {
        self.pending.len() <= self.threads
    }

    /// Decodes a frame of which all bytes are there. An error comes when what was given before has been read.
    pub(super) fn give(&mut self, frame: io::Result<Whole>) {
        let (to, content) = sync_channel(1);
        // The threads live as long as this, and the channel has room for one result.
        let _ = match frame {
            Ok(frame) => {
                let buffer = self.read.pop().unwrap_or_default();
                self.tasks.send((frame, buffer, to)).is_ok()
            }
            Err(error) => to.send(Err(error)).is_ok(),
        };
        self.pending.push_back(content);
    }

    /// The next bytes. 0 if all frames that were given are read.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.content.read(buffer)?;
            if length > 0 {
                return Ok(length);
            }
            let Some(next) = self.pending.pop_front() else {
                return Ok(0);
            };
            let content = next.recv().map_err(|_| io::Error::other("a thread has ended"))??;
            let read = std::mem::replace(&mut self.content, Cursor::new(content));
            self.read.push(read.into_inner());
        }
    }
}

fn content(decoder: &mut FrameDecoder, whole: &Whole, mut buffer: Vec<u8>) -> io::Result<Vec<u8>> {
    decoder.set_max_window_size(MEMORY).map_err(super::wrong)?;
    buffer.resize(whole.content, 0);
    let length = decoder.decode_all(&whole.frame, &mut buffer).map_err(super::wrong)?;
    super::check_sum(decoder)?;
    match length == whole.content {
        true => Ok(buffer),
        false => Err(wrong("a frame is shorter than it says")),
    }
}

fn wrong(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// How long the content of a frame is that says that it is short, by its first bytes; RFC 8878 §3.1.1.1.
fn short(start: &[u8]) -> Option<usize> {
    let (&[0x28, 0xb5, 0x2f, 0xfd, descriptor], rest) = start.split_first_chunk()? else {
        return None;
    };
    // With a dictionary it could not be decoded anyway.
    if descriptor & 3 != 0 {
        return None;
    }
    let (window, length) = fields(descriptor);
    // A field of two bytes counts from 256. One of eight is for what is not short.
    let base = if length == 2 { 256 } else { 0 };
    let field = rest
        .get(window..window + length)
        .filter(|field| matches!(field.len(), 1..=4))?;
    let size = field.iter().rev().fold(0, |size, &byte| size << 8 | u64::from(byte)) + base;
    usize::try_from(size).ok().filter(|_| size <= LONGEST)
}

/// How many bytes the window and the length of the content have in a header.
fn fields(descriptor: u8) -> (usize, usize) {
    let is_single = descriptor & 0x20 != 0;
    let length = match (descriptor >> 6, is_single) {
        (0, is_single) => usize::from(is_single),
        (flag, _) => 1 << flag,
    };
    (usize::from(!is_single), length)
}

/// Whether a frame that begins so can be decoded with others.
pub(super) fn is_short(start: &[u8]) -> bool {
    short(start).is_some()
}

/// All bytes of a frame that is short.
pub(super) fn whole(source: &mut impl BufRead) -> io::Result<Whole> {
    let mut frame = Vec::new();
    take(source, 5, &mut frame)?;
    let descriptor = frame.last().copied().unwrap_or_default();
    let (window, length) = fields(descriptor);
    take(source, window + length, &mut frame)?;
    let content = short(&frame).ok_or_else(|| wrong("a frame has a wrong header"))?;
    loop {
        let at = frame.len();
        take(source, 3, &mut frame)?;
        let header = frame[at..]
            .iter()
            .rev()
            .fold(0, |header, &byte| header << 8 | usize::from(byte));
        let length = match header >> 1 & 3 {
            // One byte that is repeated.
            1 => 1,
            _ => header >> 3,
        };
        if frame.len() + length > STORED {
            return Err(wrong("a frame is longer than it says"));
        }
        take(source, length, &mut frame)?;
        if header & 1 != 0 {
            break;
        }
    }
    let checksum = if descriptor & 4 != 0 { 4 } else { 0 };
    take(source, checksum, &mut frame)?;
    Ok(Whole { frame, content })
}

/// Moves bytes to the end of `to`.
fn take(source: &mut impl BufRead, length: usize, to: &mut Vec<u8>) -> io::Result<()> {
    let taken = source.take(length as u64).read_to_end(to)?;
    match taken < length {
        true => Err(io::ErrorKind::UnexpectedEof.into()),
        false => Ok(()),
    }
}
