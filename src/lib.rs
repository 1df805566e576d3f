//! One TOML manifest, one bootable image. As a library, [`Image`] plans and writes one, [`Builder`] makes one by code, and [`inspect()`] says
//! what any image is:
//!
//! ```
//! use isobuild::{Builder, Menu};
//!
//! let image = Builder::new("RESCUE").bytes("hello\n", "/hello.txt").menu(Menu::reboot()).build()?;
//! assert!(image.facts()?.boots("bios-usb".parse().unwrap()));
//! # let directory = tempfile::tempdir().unwrap();
//! # let path = directory.path().join("rescue.iso");
//! image.write_file(&path, |_done, _total| {})?;
//! # Ok::<(), isobuild::Error>(())
//! ```
//!
//! The feature `cli`, on by default, is the program; `default-features = false` leaves it out with the crates that only it needs. `vm` adds
//! the machines that boot images, and `[test]`'s regular expressions are looked at.
//!
//! The rest of this page is the design: read it before the code.
//!
//! # The idea
//!
//! An image is a list of disjoint **extents**. Every format in it - MBR, GPT, ISO 9660, Rock Ridge, Joliet, UDF, El Torito, FAT - is
//! an *index* over those extents and owns nothing but its own metadata. A kernel in a hybrid image is one extent: an ISO 9660 directory
//! record, a Joliet record, a UDF file entry and a FAT cluster chain all point at it. Nothing is stored twice.
//!
//! # The flow
//!
//! ```text
//! manifest.toml --manifest--> Document --resolve--> Contents --plan--> Plan --encode--> pieces --output--> image
//!               what was asked     reads inputs   what goes in    where (pure)   bytes (pure)  the only writer
//!
//! image --look--> Description: the same words that a Plan describes itself in, from the bytes alone
//! ```
//!
//! # The house
//!
//! A room is a directory under `src/`. It knows the rooms below it and no other; the tests in `src/house.rs` read every path of the
//! code and fail otherwise.
//!
//! | room | what it does |
//! |---|---|
//! | `cli` | the command line: parse, call, print. One file for each verb |
//! | `door` | what other programs see: an image, a builder, facts, errors that a caller can match on |
//! | `vm` | QEMU, firmware, and what a machine shows |
//! | `device` | disks: which there are, which of them an image may be written to; write, verify, burn, read |
//! | `plan` | contents to places to bytes. It knows `output` (the pieces), `tree`, `facts`, `formats` and `ground` alone |
//! | `resolve` | manifest to contents: the host's files, what they become in the image, a menu that every family of boot loaders can show |
//! | `look` | a finished image: its facts, its names, its contents, its boot menus, its digests; two images side by side; the manifest that makes an image again |
//! | `manifest` | TOML or code to checked values, each with its place. Nothing else knows TOML |
//! | `output` | the files that are written, each in its form: at any instant absent, old or complete |
//! | `tree` | all that goes into an image: nodes, payloads, boot images, settings. No addresses, no host |
//! | `facts` | the words that `plan` and `look` describe an image in, and their JSON; what firmware makes of them |
//! | `formats` | the leaves: each knows one standard, and neither the tree, the manifest, the host nor another leaf |
//! | `ground` | bytes at a place, bounds, text, time, compressed bytes, files of the host that must not change |
//!
//! # Rules
//!
//! - `resolve` alone reads what a manifest names, and `output` alone writes images. What is between them is pure: no clock, no random
//!   number, no file system, no locale. The same inputs give the same bytes on every host.
//! - Each structure has one encoder. Lengths are measured by running it without addresses; addresses come from the planner's layout
//!   and nowhere else. A length that depended on an address would stop the build.
//! - `inspect(write(plan)) == plan`, both ways, with every byte accounted for.
//! - Offsets and lengths are bytes everywhere; logical blocks appear only at the edge of a structure. Types of what is on the disk carry
//!   the standard's names in its order and cite the clause.
//! - Refuse, do not repair: a value that does not fit is an error that names the key and the clause. Nothing is truncated, dropped or
//!   replaced without an error or a counted warning.
//! - A reader takes what real writers wrote. When two indexes disagree, the more complete one wins, and the disagreement is a fault that
//!   `check` reports. A reader never returns less than the image holds without saying so.
//! - The identity of an image (GUIDs, serial numbers, the disk signature) is a SHA-256 over its tree and over every boot and table
//!   setting. Paths of the host and the output's name never enter it.
//! - An expected value in a test comes from another program, from a clause or from arithmetic by hand, never from the function that is
//!   tested.
//!
//! # Words
//!
//! The standards' own: logical sector, logical block, extent, system area, volume descriptor, directory record, file identifier, path
//! table, system use entry, continuation area, boot catalog, validation entry, boot image, protective MBR, partition entry array, ESP.
//! Ours: *manifest*, what a person asks for; *tree*, *node* and *payload*, what goes in, a payload being bytes that the image stores once;
//! *source*, where they come from; *plan*, every address decided; *index*, a format over the extents; *region*, bytes that one encoder or
//! one payload fills; *piece*, the same with its bytes; *form*, what stands around the bytes of an image in a file; *cell*, one firmware with one medium; *facts*, what an image says of itself.
//!
//! # Crates around it
//!
//! | crate | what it is for |
//! |---|---|
//! | `qemu-tests` | boots what the program builds, and shows it to readers that other people wrote |
//! | `xtask` | the chores: `cargo xtask` lists them |
//! | `xtask/fuzz` | the fuzz targets, each with a corpus, in a workspace of their own |
//! | `templates/loader` | the built-in boot loader, in a workspace of its own |
//!
//! Tests and fuzz targets reach the rooms by the module `inside` behind the feature of that name, in which nothing is stable.
//!
//! `cargo xtask check` is the quick round before a commit: formatting, clippy, documentation and the unit tests, which need nothing but
//! Rust. `setup` installs QEMU, firmware and the judges, `inputs` fetches what an example needs, `bless` renews golden texts and digests,
//! `bench` compares with xorriso, genisoimage, bsdtar, cp and dd, `fuzz` gives the readers bytes that nobody would write, and `ci` runs
//! everything. `cargo xtask fuzz image --seconds 600` runs one target; it takes the stable compiler and g++. An input that a target falls
//! over goes into its corpus with the mend.
//!
//! `cargo xtask loader` builds the loader into the images that the program embeds, `templates/images/`, and writes the lock beside each.
//! Whoever changes the loader commits these too. The images for BIOS and for 64-bit PCs need the compiler that `rust-toolchain.toml` names.
//! The other two need a compiler that can build a core library for them; it is unpacked from Debian packages into `target/`. Both give the
//! same bytes everywhere: `check` and `ci` build the first ones again and compare, `ci --full` builds all.

#![forbid(unsafe_code)]
// Rooms are private; with `inside` what they show is public, and the lint looks at it.
#![cfg_attr(not(feature = "inside"), allow(unreachable_pub))]
// Much of some rooms is for the command line alone.
#![cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports))]
// What comes from a file or a medium may be anything: it leads to an error value. In a test a panic is the failure.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable)
)]

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "cli")]
mod device;
mod door;
mod facts;
mod formats;
mod ground;
#[cfg(test)]
mod house;
mod look;
mod manifest;
mod output;
mod plan;
mod resolve;
mod tree;
#[cfg(feature = "vm")]
mod vm;

pub use door::*;

/// The library's example in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The rooms, for the tests and fuzz targets that are crates of their own. Nothing in it is stable.
#[cfg(feature = "inside")]
#[doc(hidden)]
pub mod inside {
    /// The room of this name.
    pub mod device {
        pub use crate::device::*;
    }
    /// The room of this name.
    pub mod facts {
        pub use crate::facts::*;
    }
    /// The room of this name.
    pub mod formats {
        pub use crate::formats::*;
    }
    /// The room of this name.
    pub mod ground {
        pub use crate::ground::*;
    }
    /// The room of this name.
    pub mod look {
        pub use crate::look::*;
    }
    /// The room of this name.
    pub mod manifest {
        pub use crate::manifest::*;
    }
    /// The room of this name.
    pub mod output {
        pub use crate::output::*;
    }
    /// The room of this name.
    pub mod plan {
        pub use crate::plan::*;
    }
    /// The room of this name.
    pub mod resolve {
        pub use crate::resolve::*;
    }
    /// The room of this name.
    pub mod tree {
        pub use crate::tree::*;
    }
    /// The room of this name.
    pub mod vm {
        pub use crate::vm::*;
    }
}
