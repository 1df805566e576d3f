//! What every room stands on: bytes at a place, bounds, text, time, compressed bytes.

pub mod block;
pub mod decompress;
pub(crate) mod disk;
pub(crate) mod fields;
pub mod input_error;
pub mod installed;
pub(crate) mod limits;
pub(crate) mod naming;
pub(crate) mod packages;
pub(crate) mod pages;
pub mod range;
pub mod read_at;
pub mod shift;
#[cfg(test)]
pub(crate) mod snapshot;
pub mod spool;
pub mod stamp;
pub mod text;
pub mod time;
