//! Whether the run is asked to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::OutputError;

/// Whether a signal has asked to stop, and which. Clones see the same signal.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    /// The signal's number, 0 before there is one.
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// Asks to stop as `signal` would.
    #[cfg(test)]
    pub(crate) fn request(&self, signal: i32) {
        self.signal.store(signal.unsigned_abs() as usize, Ordering::SeqCst);
    }

    /// The signal handlers store the signal's number here.
    #[cfg(feature = "cli")]
    pub(crate) fn flag(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.signal)
    }

    /// The signal that asked to stop.
    pub fn requested(&self) -> Option<i32> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => i32::try_from(signal).ok(),
        }
    }

    /// [`OutputError::Interrupted`] once a signal has asked to stop.
    pub(super) fn check(&self) -> Result<(), OutputError> {
        self.requested()
            .map_or(Ok(()), |signal| Err(OutputError::Interrupted(signal)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_seen_by_clones() {
        const SIGTERM: i32 = 15;
        let interrupt = Interrupt::default();
        let clone = interrupt.clone();
        assert!(clone.check().is_ok());
        interrupt.request(SIGTERM);
        assert!(matches!(clone.check(), Err(OutputError::Interrupted(SIGTERM))));
    }
}
