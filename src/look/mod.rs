//! What a finished image says: its facts, its names, its contents.

pub mod contents;
pub mod convert;
pub mod diff;
pub mod digests;
pub mod disk;
pub mod extract;
pub mod import;
pub mod inspect;
pub mod menu;
pub mod open;
pub mod parts;
pub mod size;
pub mod started;
