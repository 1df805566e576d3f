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
//! | step | module | knows |
//! |---|---|---|
//! | manifest | [`manifest`], [`diagnostic`] | TOML, keys, values; every error underlined in its line |
//! | resolve | [`resolve`], [`tree`], [`source`], [`boot`] | the host's files, the built-in loader; nothing of addresses |
//! | plan, encode | [`image`], [`layout`] | addresses; nothing of the host |
//! | write | [`mod@write`] | the output, and that it is old or complete |
//! | inspect | [`mod@inspect`] | an image's bytes |
//! | look inside | [`contents`] | the names in an image, and where their bytes are |
//! | extract | [`extract`] | the host's files again, in one directory |
//! | diff | [`mod@diff`] | two images side by side |
//! | digests | [`digests`] | what an image says of its own bytes, against them |
//! | check | [`check`], [`secure_boot`] | what firmware does with the facts, and whom it trusts |
//! | devices, write, verify, read | [`device`] | disks, which of them an image may be written to, and how |
//! | | [`decompress`], [`archive`] | compressed files as the bytes in them, archives as their entries |
//! | run, test | [`vm`] | QEMU, firmware, and what a machine shows |
//! | facts | [`facts`], [`cell`] | the words and the JSON of `plan` and `inspect` |
//!
//! The leaves each know one standard, and neither the tree, the manifest, the file system nor each other: [`iso9660`] (ECMA-119, Rock
//! Ridge, Joliet), [`udf`] (read only), [`el_torito`], [`mbr`], [`gpt`], [`apm`] (read only), [`fat`], [`pe`], [`authenticode`] (signatures of
//! programs), [`sha256sum`].
//!
//! # What always holds
//!
//! - Between [`resolve`] and [`mod@write`] everything is pure: no clock, no random number, no file system, no locale. The same inputs
//!   give the same bytes on every host.
//! - Each structure has one encoder. Lengths are measured by running it without addresses; addresses come from
//!   [`layout::Layout::place`] and nowhere else. A length that depended on an address would stop the build.
//! - `inspect(write(plan)) == plan`, both ways, with every byte accounted for.
//! - Offsets and lengths are bytes everywhere; `lbn` and `lba` appear only at the edge of a structure.
//! - A value that does not fit is an error that names the key and the clause. Nothing is truncated silently.

#![forbid(unsafe_code)]
// What comes from a file or a medium may be anything: it leads to an error value. In a test a panic is the failure.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable)
)]

pub mod apm;
pub mod archive;
pub mod authenticode;
pub mod boot;
pub mod cell;
pub mod check;
pub mod contents;
pub mod decompress;
pub mod device;
pub mod diagnostic;
pub mod diff;
pub mod digests;
pub mod el_torito;
pub mod error;
pub mod extract;
pub mod facts;
pub mod fat;
pub mod gpt;
pub mod image;
pub mod inspect;
pub mod iso9660;
pub mod layout;
mod limits;
pub mod manifest;
pub mod mbr;
pub mod pe;
pub mod read_at;
pub mod resolve;
pub mod secure_boot;
pub mod sha256sum;
pub mod source;
pub mod text;
pub mod time;
pub mod tree;
pub mod udf;
pub mod vm;
pub mod write;
