//! One TOML manifest, one bootable image.
//!
//! # The idea
//!
//! An image is a list of disjoint **extents**. Every format in it - MBR, GPT, ISO 9660, Rock Ridge, Joliet, El Torito, FAT - is an
//! *index* over those extents and owns nothing but its own metadata. A kernel in a hybrid image is one extent: an ISO 9660 directory
//! record, a Joliet record and a FAT cluster chain all point at it. Nothing is stored twice.
//!
//! # The flow
//!
//! ```text
//! manifest.toml --manifest--> Document --resolve--> Resolved --plan--> Plan --encode--> pieces --write--> image
//!               what was asked     reads inputs   what goes in    where (pure)   bytes (pure)  the only writer
//!
//! image --inspect--> Description: the same words that a Plan describes itself in, from the bytes alone
//! ```
//!
//! | room | knows |
//! |---|---|
//! | `cli` | the command line: parse, call, print |
//! | [`vm`] | QEMU, firmware, and what a machine shows |
//! | [`device`] | disks, which of them an image may be written to, and how |
//! | [`mod@plan`] | addresses and bytes; nothing of the host |
//! | [`resolve`] | the host's files, what they become in the image, the built-in loader; nothing of addresses |
//! | [`look`] | a finished image: its facts, its names, its contents; two images side by side |
//! | [`manifest`] | TOML, keys, values; every error underlined in its line |
//! | [`output`] | the file that is written, and that it is old or complete |
//! | [`tree`] | what goes into an image: nodes, payloads and where their bytes come from |
//! | [`facts`] | the words and the JSON of `plan` and `inspect`; what firmware does with them, and whom it trusts |
//! | [`formats`] | the leaves: each knows one standard, and neither the tree, the manifest, the host nor another leaf |
//! | [`ground`] | bytes at a place, bounds, text, time, compressed bytes |
//!
//! # What always holds
//!
//! - Between [`resolve`] and [`output`] everything is pure: no clock, no random number, no file system, no locale. The same inputs
//!   give the same bytes on every host.
//! - Each structure has one encoder. Lengths are measured by running it without addresses; addresses come from
//!   [`plan::layout::Layout::place`] and nowhere else. A length that depended on an address would stop the build.
//! - `inspect(write(plan)) == plan`, both ways, with every byte accounted for.
//! - Offsets and lengths are bytes everywhere; `lbn` and `lba` appear only at the edge of a structure.
//! - A value that does not fit is an error that names the key and the clause. Nothing is truncated silently.

#![forbid(unsafe_code)]
// What comes from a file or a medium may be anything: it leads to an error value. In a test a panic is the failure.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable)
)]

#[doc(hidden)]
pub mod cli;
pub mod device;
pub mod facts;
pub mod formats;
pub mod ground;
#[cfg(test)]
mod house;
pub mod look;
pub mod manifest;
pub mod output;
pub mod plan;
pub mod resolve;
pub mod tree;
pub mod vm;
