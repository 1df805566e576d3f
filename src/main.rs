//! The command line of isobuild.

#![forbid(unsafe_code)]

use clap::Parser;

/// One TOML manifest, one bootable image: the same file boots as a CD, a USB stick and a VM disk.
#[derive(Debug, Parser)]
#[command(name = "isobuild", version)]
struct Arguments {}

fn main() {
    Arguments::parse();
}
