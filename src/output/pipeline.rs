//! The threads that an image passes through. The first gathers its bytes, and each of the others writes or sums them up, so that none waits
//! while another works.

use std::sync::mpsc::{self, Receiver, Sender, SyncSender};

use super::OutputError;
use super::buffer::Buffer;

/// There are so many buffers besides one for each stage: one is filled, and two even the stages out.
const BUFFERS: usize = 3;

/// The next bytes of the image.
enum Span {
    /// The first `length` bytes of a buffer, and where they belong.
    Bytes { buffer: Buffer, length: usize, offset: u64 },
    /// So many zeros, which need not be written.
    Zeros(u64),
}

/// Takes the image from its first byte to its last.
pub(super) trait Take {
    /// The next bytes, which belong at `offset`.
    fn bytes(&mut self, bytes: &[u8], offset: u64) -> Result<(), OutputError>;

    /// So many zeros behind them.
    fn zeros(&mut self, length: u64) -> Result<(), OutputError>;
}

/// The end of the thread that gathers.
pub(super) struct Feed {
    full: SyncSender<Span>,
    empty: Receiver<Buffer>,
    /// Whether every byte has to pass through memory: for a digest, for several files, or for another form.
    pub(super) passes_all: bool,
}

/// The receiving end of a thread that writes the bytes or sums them up.
pub(super) struct Stage {
    full: Receiver<Span>,
    next: Next,
}

/// Where a stage sends a span when it is done with it.
enum Next {
    Stage(SyncSender<Span>),
    /// Back to the feed, which fills its buffer again.
    Feed(Sender<Buffer>),
}

/// Makes the ends of the channels, and all buffers.
pub(super) fn pipeline(stages: usize, passes_all: bool) -> (Feed, Vec<Stage>) {
    let (to_feed, empty) = mpsc::channel();
    for _ in 0..stages + BUFFERS {
        // The receiver is at hand, so this cannot fail.
        let _ = to_feed.send(Buffer::new());
    }
    let (full, mut first) = mpsc::sync_channel(stages + BUFFERS);
    let mut all = Vec::with_capacity(stages);
    for _ in 1..stages {
        let (next, second) = mpsc::sync_channel(stages + BUFFERS);
        let full = std::mem::replace(&mut first, second);
        all.push(Stage {
            full,
            next: Next::Stage(next),
        });
    }
    all.push(Stage {
        full: first,
        next: Next::Feed(to_feed),
    });
    let feed = Feed {
        full,
        empty,
        passes_all,
    };
    (feed, all)
}

impl Feed {
    /// A buffer to fill; none when a stage has ended.
    pub(super) fn buffer(&self) -> Option<Buffer> {
        self.empty.recv().ok()
    }

    /// Hands over the first `length` bytes of `buffer`, which belong at `offset`. False when a stage has ended.
    pub(super) fn bytes(&self, buffer: Buffer, length: usize, offset: u64) -> bool {
        self.full.send(Span::Bytes { buffer, length, offset }).is_ok()
    }

    /// Tells of a hole.
    pub(super) fn zeros(&self, length: u64) {
        // If the stage has ended, `bytes` says so next.
        let _ = self.full.send(Span::Zeros(length));
    }
}

impl Stage {
    /// Gives all spans to `take` until the feed is dropped.
    pub(super) fn run(self, take: &mut dyn Take) -> Result<(), OutputError> {
        for span in &self.full {
            match &span {
                Span::Bytes { buffer, length, offset } => {
                    take.bytes(buffer.get(..*length).unwrap_or_default(), *offset)?;
                }
                Span::Zeros(length) => take.zeros(*length)?,
            }
            // The receiver may have ended, with an error of its own or because it has all it needs.
            match (&self.next, span) {
                (Next::Stage(next), span) => drop(next.send(span)),
                (Next::Feed(feed), Span::Bytes { buffer, .. }) => drop(feed.send(buffer)),
                (Next::Feed(_), Span::Zeros(_)) => {}
            }
        }
        Ok(())
    }
}

/// Gives every byte to a function.
pub(super) struct Each<'a>(pub(super) &'a mut dyn FnMut(&[u8]));

/// What the hole of an image reads as.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

impl Take for Each<'_> {
    fn bytes(&mut self, bytes: &[u8], _offset: u64) -> Result<(), OutputError> {
        (self.0)(bytes);
        Ok(())
    }

    fn zeros(&mut self, mut length: u64) -> Result<(), OutputError> {
        while length > 0 {
            let step = length.min(ZEROS.len() as u64);
            (self.0)(&ZEROS[..step as usize]);
            length -= step;
        }
        Ok(())
    }
}
