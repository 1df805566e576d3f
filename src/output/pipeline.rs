//! The threads that an image passes through: one gathers its bytes, the next writes them, and one more may digest them, so that
//! none of the three waits while another is at work.

use std::sync::mpsc::{self, Receiver, Sender, SyncSender};

use super::OutputError;
use super::buffer::Buffer;
use super::disk::Disk;

/// Buffers that go round: one that is filled, one that is written, one that is digested, and one to even them out.
const BUFFERS: usize = 4;

/// What the hole of an image reads as.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// The next bytes of the image.
enum Span {
    /// The first `length` bytes of a buffer, and where they belong.
    Bytes { buffer: Buffer, length: usize, offset: u64 },
    /// So many zeros, which need not be written.
    Zeros(u64),
}

/// The end of the thread that gathers.
pub(super) struct Feed {
    full: SyncSender<Span>,
    empty: Receiver<Buffer>,
    /// Every byte is digested, so that all have to pass through here.
    pub(super) digested: bool,
}

/// The end of the thread that writes.
pub(super) struct Writer {
    full: Receiver<Span>,
    written: Option<SyncSender<Span>>,
    empty: Sender<Buffer>,
}

/// The end of the thread that digests.
pub(super) struct Digest {
    written: Receiver<Span>,
    empty: Sender<Buffer>,
}

/// The ends, and all the buffers that there will be.
pub(super) fn pipeline(digest: bool) -> (Feed, Writer, Option<Digest>) {
    let (to_writer, full) = mpsc::sync_channel(BUFFERS);
    let (to_feed, empty) = mpsc::channel();
    for _ in 0..BUFFERS {
        // The receiver is at hand, so this cannot fail.
        let _ = to_feed.send(Buffer::new());
    }
    let (to_digest, written) = mpsc::sync_channel(BUFFERS);
    let feed = Feed {
        full: to_writer,
        empty,
        digested: digest,
    };
    let writer = Writer {
        full,
        written: digest.then_some(to_digest),
        empty: to_feed.clone(),
    };
    let digest = digest.then_some(Digest {
        written,
        empty: to_feed,
    });
    (feed, writer, digest)
}

impl Feed {
    /// A buffer to fill; none when the writing thread has ended.
    pub(super) fn buffer(&self) -> Option<Buffer> {
        self.empty.recv().ok()
    }

    /// Hands over the first `length` bytes of `buffer`, which belong at `offset`. False when the writing thread has ended.
    pub(super) fn bytes(&self, buffer: Buffer, length: usize, offset: u64) -> bool {
        self.full.send(Span::Bytes { buffer, length, offset }).is_ok()
    }

    /// Tells of a hole.
    pub(super) fn zeros(&self, length: u64) {
        // Without a writing thread the next bytes say so.
        let _ = self.full.send(Span::Zeros(length));
    }
}

impl Writer {
    /// Writes all spans until the feed is dropped, or without a disk only hands them on.
    pub(super) fn run(self, mut disk: Option<Disk<'_>>) -> Result<(), OutputError> {
        for span in &self.full {
            if let (Span::Bytes { buffer, length, offset }, Some(disk)) = (&span, &mut disk) {
                disk.write(buffer.get(..*length).unwrap_or_default(), *offset)?;
            }
            // The feed may have been dropped after its last span.
            match (&self.written, span) {
                (Some(written), span) => drop(written.send(span)),
                (None, Span::Bytes { buffer, .. }) => drop(self.empty.send(buffer)),
                (None, Span::Zeros(_)) => {}
            }
        }
        Ok(())
    }
}

impl Digest {
    /// Gives the bytes of all spans to `take` until the writer is dropped.
    pub(super) fn run(self, take: &mut dyn FnMut(&[u8])) {
        for span in &self.written {
            match span {
                Span::Bytes { buffer, length, .. } => {
                    take(buffer.get(..length).unwrap_or_default());
                    let _ = self.empty.send(buffer);
                }
                Span::Zeros(mut length) => {
                    while length > 0 {
                        let step = length.min(ZEROS.len() as u64);
                        take(&ZEROS[..step as usize]);
                        length -= step;
                    }
                }
            }
        }
    }
}
