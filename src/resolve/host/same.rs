//! Whether two contents are one.

use super::SourceBytes;
use crate::resolve::ResolveError;
use crate::tree::source::Source;

/// Whether two contents of the same length are equal. A hole in both is not read.
pub(crate) fn has_same_bytes(a: &Source, b: &Source, length: u64) -> Result<bool, ResolveError> {
    const STEP: u64 = 1 << 18;
    let (a, b) = (SourceBytes::open(a)?, SourceBytes::open(b)?);
    let mut at = 0;
    while at < length {
        at = a.data_from(at, length).min(b.data_from(at, length));
        let step = STEP.min(length - at) as usize;
        if a.read(at, step)? != b.read(at, step)? {
            return Ok(false);
        }
        at += step as u64;
    }
    Ok(true)
}
