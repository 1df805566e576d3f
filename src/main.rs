//! The command line of isobuild.

#![forbid(unsafe_code)]
// What comes from a file or a medium may be anything: it leads to an error value. In a test a panic is the failure.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable)
)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
