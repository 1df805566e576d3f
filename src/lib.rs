//! One TOML manifest, one bootable image.

#![forbid(unsafe_code)]

pub mod diagnostic;
pub mod el_torito;
pub mod error;
pub mod fat;
pub mod gpt;
pub mod iso9660;
pub mod mbr;
pub mod pe;
pub mod read_at;
pub mod source;
pub mod text;
pub mod time;
pub mod write;
