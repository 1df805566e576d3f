//! The digest of an image, taken by one thread while another one writes.

use std::sync::mpsc::{self, Receiver, Sender, SyncSender};

use sha2::Sha256;

use super::buffer::Buffer;

/// Buffers that go round between the two threads: one that is read into, one that is digested, and two to even them out.
const BUFFERS: usize = 4;

/// What the hole of an image reads as.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// The next bytes of the image.
enum Span {
    /// The first so many bytes of a buffer.
    Bytes(Buffer, usize),
    /// So many zeros.
    Zeros(u64),
}

/// The end of the writing thread.
pub(super) struct Feed {
    full: SyncSender<Span>,
    empty: Receiver<Buffer>,
}

/// The end of the digesting thread.
pub(super) struct Digest {
    full: Receiver<Span>,
    empty: Sender<Buffer>,
}

impl Feed {
    /// Both ends, and all the buffers that there will be.
    pub(super) fn new() -> (Option<Self>, Option<Digest>) {
        let (to_digest, full) = mpsc::sync_channel(BUFFERS);
        let (to_feed, empty) = mpsc::channel();
        for _ in 0..BUFFERS {
            // The receiver is at hand, so this cannot fail.
            let _ = to_feed.send(Buffer::new());
        }
        (
            Some(Self { full: to_digest, empty }),
            Some(Digest { full, empty: to_feed }),
        )
    }

    /// A buffer to fill. If the other thread is gone, its panic is what the caller will see.
    pub(super) fn buffer(&self) -> Buffer {
        self.empty.recv().unwrap_or_else(|_| Buffer::new())
    }

    /// Hands over the first `length` bytes of `buffer`.
    pub(super) fn bytes(&self, buffer: Buffer, length: usize) {
        let _ = self.full.send(Span::Bytes(buffer, length));
    }

    /// Tells of a hole.
    pub(super) fn zeros(&self, length: u64) {
        let _ = self.full.send(Span::Zeros(length));
    }
}

impl Digest {
    /// The SHA-256 of all spans until the feed is dropped.
    pub(super) fn run(self) -> [u8; 32] {
        let mut sha256 = <Sha256 as sha2::Digest>::new();
        for span in &self.full {
            match span {
                Span::Bytes(buffer, length) => {
                    sha2::Digest::update(&mut sha256, buffer.get(..length).unwrap_or_default());
                    // The feed may have been dropped after its last span.
                    let _ = self.empty.send(buffer);
                }
                Span::Zeros(mut length) => {
                    while length > 0 {
                        let step = length.min(ZEROS.len() as u64);
                        sha2::Digest::update(&mut sha256, &ZEROS[..step as usize]);
                        length -= step;
                    }
                }
            }
        }
        sha2::Digest::finalize(sha256).into()
    }
}
