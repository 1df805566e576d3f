//! Buffers that one thread fills while another uses what is in them.

use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use super::DeviceError;
use crate::output::Buffer;

/// Buffers that go round: one that is filled, one that is used, and two to even them out.
const BUFFERS: usize = 4;

/// Calls `fill` in a thread of its own until it has no more, and `take` with what each call has made, in their order. `take` gives the
/// buffer back. `path` is what an error is about.
///
/// # Errors
/// The first of either; the other is not called any more.
pub(super) fn ahead<T: Send>(
    path: &Path,
    mut fill: impl FnMut(Buffer) -> Result<Option<T>, DeviceError> + Send,
    mut take: impl FnMut(T) -> Result<Buffer, DeviceError>,
) -> Result<(), DeviceError> {
    let (to_taker, full) = mpsc::sync_channel(BUFFERS);
    let (to_filler, empty) = mpsc::channel();
    for _ in 0..BUFFERS {
        // The receiver is at hand, so this cannot fail.
        let _ = to_filler.send(Buffer::new());
    }
    let filling = move || {
        // A thread that takes no more has dropped its ends.
        while let Ok(buffer) = empty.recv() {
            let Some(filled) = fill(buffer).transpose() else { return };
            let is_last = filled.is_err();
            if to_taker.send(filled).is_err() || is_last {
                return;
            }
        }
    };
    thread::scope(|scope| {
        // Here, so that they are gone before the filling thread is waited for.
        let (full, to_filler): (Receiver<Result<T, DeviceError>>, mpsc::Sender<Buffer>) = (full, to_filler);
        let thread = thread::Builder::new().name("read".into());
        let started = thread.spawn_scoped(scope, filling);
        started.map_err(DeviceError::io(path, "start a thread that reads for", None))?;
        for filled in &full {
            let _ = to_filler.send(take(filled?)?);
        }
        Ok(())
    })
}
