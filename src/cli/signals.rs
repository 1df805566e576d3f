//! Signals that ask the program to stop.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

use crate::output::Interrupt;

/// Notes `SIGINT`, `SIGTERM` and `SIGHUP` from now on, for the whole program.
///
/// A second one ends the program at once with the exit code 128 + its number: for when the first is not looked at,
/// because a read or a write does not return. A file without a name then disappears with the program.
///
/// A signal that is ignored when the program starts stays so: `nohup`, and `&` in a script, mean it.
///
/// `SIGXFSZ` no longer kills, so that a file over the limit is an error (`EFBIG`) like a full disk.
pub(super) fn install() -> io::Result<Interrupt> {
    let interrupt = Interrupt::default();
    let again = Arc::new(AtomicBool::new(false));
    let ignored = ignored();
    for signal in [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|&s| !is_in(s, ignored)) {
        // Actions run in the order of their registration: the first signal finds `again` false.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))?;
        flag::register(signal, Arc::clone(&again))?;
        flag::register_usize(signal, interrupt.flag(), signal as usize)?;
    }
    flag::register(SIGXFSZ, Arc::default())?;
    Ok(interrupt)
}

/// The signals that are ignored: bit n - 1 is signal n, as in `SigIgn` of proc_pid_status(5). Zero if
/// /proc does not tell.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

/// Whether `signal` is in a mask of `ignored`.
fn is_in(signal: i32, mask: u64) -> bool {
    u32::try_from(signal - 1)
        .ok()
        .and_then(|bit| mask.checked_shr(bit))
        .is_some_and(|m| m & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_a_mask() {
        let mask = 1 | 1 << 14;
        assert!(is_in(SIGHUP, mask) && is_in(SIGTERM, mask));
        assert!(!is_in(SIGINT, mask) && !is_in(0, mask) && !is_in(100, u64::MAX));
    }

    #[test]
    fn rust_ignores_sigpipe_and_the_mask_says_so() {
        assert!(is_in(signal_hook::consts::SIGPIPE, ignored()));
    }
}
