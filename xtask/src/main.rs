//! isobuild's chores: `cargo xtask example | check | ci | setup | inputs | bless | loader | bench | fuzz`.
//!
//! Which tools and inputs the tests need is said in one place, `qemu-tests` (`tools.rs`, `pins.rs`); the chores here only
//! install, fetch and run. Nothing here is part of the program.

// What goes wrong is said. In a test a panic is the failure.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable)
)]

mod bench;
mod bless;
mod ci;
mod example;
mod fuzz;
mod inputs;
mod licences;
mod loader;
mod names;
mod setup;
mod shell;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// isobuild's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install QEMU, firmware and the judges, or say exactly what is missing.
    Setup {
        /// What the tests that take longest need, too.
        #[arg(long)]
        full: bool,
    },
    /// Fetch what an example (or qemu-tests) needs from Debian packages; without a name, all of them.
    Inputs { name: Option<String> },
    /// Build the image of an example, with everything it needs.
    Example { name: String },
    /// The quick round: formatting, clippy, documentation and unit tests. It needs nothing but Rust.
    Check,
    /// Everything a change has to pass.
    Ci {
        /// The tests that take longest, too.
        #[arg(long)]
        full: bool,
    },
    /// Take what is built now as right: golden plans, digests and pinned inputs. Read the diff before committing it.
    Bless { name: Option<String> },
    /// Build the built-in boot loader into the images that the program embeds.
    Loader,
    /// The readers against bytes that nobody would write: one fuzz target, or all.
    Fuzz {
        /// image, tables, fat, udf, archives, program or manifest.
        target: Option<String>,
        /// For each.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// isobuild beside xorriso and genisoimage, or the built-in loader beside isolinux and GRUB.
    Bench {
        /// The loaders, or another verb.
        what: Option<Bench>,
        /// How often each program builds each tree.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
}

/// What is measured besides the program.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Bench {
    /// The built-in loader.
    Loader,
    /// `isobuild write`.
    Write,
    /// `isobuild edit`.
    Edit,
    /// Disks and compressed files of every form.
    Containers,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Setup { full } => setup::run(full),
        Task::Inputs { name } => inputs::run(name.as_deref()),
        Task::Example { name } => example::run(&name),
        Task::Check => ci::check(),
        Task::Ci { full } => ci::run(full),
        Task::Bless { name } => bless::run(name.as_deref()),
        Task::Loader => loader::build(),
        Task::Fuzz { target, seconds } => fuzz::run(target.as_deref(), seconds),
        Task::Bench { what, rounds } => match what {
            None => bench::run(rounds),
            Some(Bench::Loader) => bench::loader::run(rounds),
            Some(Bench::Write) => bench::write::run(rounds),
            Some(Bench::Edit) => bench::edit::run(rounds),
            Some(Bench::Containers) => bench::containers::run(rounds),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
