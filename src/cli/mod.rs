//! The command line: parse, call the library, print. One file per verb.

mod build;
mod burn;
mod cat;
mod check;
mod convert;
mod devices;
mod diff;
mod doctor;
mod edit;
mod error;
mod extract;
mod import;
mod inspect;
mod loader;
mod ls;
mod menu;
mod open;
mod plan;
mod progress;
mod read;
mod report;
mod run;
mod show;
mod sign;
mod signals;
mod subject;
mod test;
#[cfg(test)]
mod tests;
mod trust;
mod verify;
mod write;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};

use crate::facts::cell::{Cell, Firmware, Medium};
use crate::ground::text;
use crate::manifest::{Hardware, disk, expression, memory};
use crate::output::Interrupt;
use crate::resolve::Environment;
use regex::Regex;
use serde::Serialize;

use doctor::Doctor;
use error::Failure;
use sign::Sign;
use trust::Trust;

/// One TOML manifest, one bootable image: the same file boots as a CD, a USB stick and a VM disk.
#[derive(Debug, Parser)]
#[command(
    name = "isobuild",
    version,
    arg_required_else_help = true,
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 done; 1 manifest or input wrong; 2 usage; 3 I/O error; 4 refused for safety; \
                  5 a verdict is negative; 130, 143 interrupted."
)]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    build: Option<Build>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Build the image of a manifest; without a verb this is meant.
    Build(Build),
    /// Show what a build would make: every extent, the partitions, the boot catalog and what will boot. Writes nothing.
    Plan(Plan),
    /// Show what the bytes of an image say, in the words of `plan`.
    Inspect(Inspect),
    /// Judge an image: what boots it and why, and what is wrong with it.
    Check(Check),
    /// List what is in an image.
    Ls(Ls),
    /// Write a file of an image to standard output.
    Cat(Cat),
    /// List every entry of an image's boot menus, by firmware: kernel, initrd, arguments, and what is missing.
    Menu(menu::Menu),
    /// Compare two images: structures, names, then bytes. The exit code is 5 if they differ.
    Diff(Diff),
    /// Take names out of an image into a directory, which nothing gets out of.
    Extract(Extract),
    /// Change an image or a written stick where it is: kernel arguments, files, answers for the installer. Only what changes is written, and
    /// `undo` takes it back exactly.
    Edit(Box<edit::Edit>),
    /// Take back what `edit` has changed.
    Undo(edit::Undo),
    /// Write a disk or an image in another form, and read it back before the file gets its name: .img, .qcow2, .vhd, .vhdx, .vmdk, .dmg,
    /// compressed or not.
    Convert(convert::Convert),
    /// Take an image apart into files and a manifest that makes it again.
    Import(import::Import),
    /// Boot an image in QEMU, and sit at it. The image stays as it is.
    Run(Run),
    /// Boot an image in QEMU, cell by cell, and see whether it shows what it has to. The exit code is 5 if it does not, and 3 if QEMU or a
    /// firmware is missing.
    Test(Test),
    /// List the disks that an image may be written to, and why the others are refused.
    Devices(devices::Devices),
    /// Write an image to a stick, a card or a file, read every byte back and compare.
    Write(write::Write),
    /// Compare a stick, a disc or a file with the image that was written to it. The exit code is 5 if it is damaged.
    Verify(verify::Verify),
    /// Make an image of a disc or a stick: as long as it says itself, with a map of what cannot be read.
    Read(read::Read),
    /// Write the built-in loader's programs for UEFI into a directory, to be signed; `[boot.uefi.files]` takes the signed ones.
    Loader(Loader),
    /// Sign an EFI program for Secure Boot (Authenticode). The same program, key and certificate give the same bytes.
    Sign(Sign),
    /// Say what of QEMU and firmware is installed for `run` and `test`, what of other people's boot loaders, and which package has what is
    /// not.
    Doctor(Doctor),
}

#[derive(Debug, Args)]
struct Build {
    /// The manifest, `-` for standard input.
    manifest: PathBuf,
    /// The file to write; may be repeated. Its suffix says the form: .iso, .img, .qcow2, .vhd, .vhdx, .vmdk or .dmg, and .gz, .xz or .zst
    /// behind it; `-` is standard output [default: the manifest's `output`, else its name with `.iso`].
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// Describe the image as JSON on standard output, with its SHA-256.
    #[arg(long)]
    json: bool,
    /// No progress bar, no warnings, no closing line.
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Debug, Args)]
struct Plan {
    /// The manifest.
    manifest: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Inspect {
    /// An ISO 9660 or UDF image, or a disk with partitions or a file system.
    image: PathBuf,
    /// Which session of a multi-session image, 1 the oldest [default: the newest].
    #[arg(long, value_name = "N")]
    session: Option<usize>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Check {
    /// An ISO 9660 or UDF image, or a disk with partitions or a file system.
    image: PathBuf,
    /// A cell that has to boot, such as uefi-usb; the exit code is 5 if it does not.
    #[arg(long, value_name = "CELL", value_parser = Cell::from_str)]
    require: Vec<Cell>,
    #[command(flatten)]
    trust: Trust,
    /// Read every byte, and compare with what the image says of them: its implanted MD5, and its list of SHA-256 digests.
    #[arg(long)]
    digests: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Ls {
    /// An ISO 9660 or UDF image, or a disk with partitions or a file system.
    image: PathBuf,
    /// What to list: /path in the tree (iso:/path, joliet:/path and udf:/path choose one), esp:/path in the EFI system partition.
    #[arg(default_value = "/")]
    path: OsString,
    /// Which session of a multi-session image, 1 the oldest [default: the newest].
    #[arg(long, value_name = "N")]
    session: Option<usize>,
    /// With type, mode, links, owner, size and time (UTC).
    #[arg(short, long)]
    long: bool,
    /// All that is below, too.
    #[arg(short = 'R', long)]
    recursive: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Cat {
    /// An ISO 9660 or UDF image, or a disk with partitions or a file system.
    image: PathBuf,
    /// The file: /path in the tree (iso:/path, joliet:/path and udf:/path choose one), esp:/path in the EFI system partition,
    /// partition:NUMBER/path in the file system of a partition, partition:NUMBER its bytes.
    path: OsString,
    /// Which session of a multi-session image, 1 the oldest [default: the newest].
    #[arg(long, value_name = "N")]
    session: Option<usize>,
}

#[derive(Debug, Args)]
struct Diff {
    /// An ISO 9660 or UDF image, or a disk with partitions or a file system.
    a: PathBuf,
    /// Another one.
    b: PathBuf,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Run {
    /// An image; or a manifest, whose image is built first when it is older than what goes into it.
    image: PathBuf,
    /// The machine's firmware: bios, uefi, uefi-ia32, uefi-aa64, secure-boot, or, with the certificates of one year or of `--trust`
    /// alone, secure-boot-2011, secure-boot-2023 and secure-boot-own [default: the first that the image boots under].
    #[arg(long, value_name = "FIRMWARE", value_parser = Firmware::from_str)]
    firmware: Option<Firmware>,
    /// What the image is to it: cd, usb, usb-4kn, disk or disk-4kn. On a stick El Torito does not count, as much firmware does
    /// not look at it there [default: the first that it boots as].
    #[arg(long = "as", value_name = "MEDIUM", value_parser = Medium::from_str)]
    medium: Option<Medium>,
    #[command(flatten)]
    trust: Trust,
    /// Sit at its screen, in a window [default where there are windows].
    #[arg(long, conflicts_with = "serial")]
    gui: bool,
    /// Sit at its serial port, in this terminal [default elsewhere].
    #[arg(long)]
    serial: bool,
    #[command(flatten)]
    hardware: Equipment,
    /// Print QEMU's command line with the image itself, El Torito included, and start nothing.
    #[arg(long)]
    print: bool,
}

/// What a machine has besides the image. These options override the manifest.
#[derive(Debug, Args)]
struct Equipment {
    /// The machine's memory [default: the manifest's, else 512MiB].
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    memory: Option<u64>,
    /// Give the machine a network card. QEMU acts as its router.
    #[arg(long)]
    network: bool,
    /// Give the machine a temporary empty disk of this size, such as 8GiB; may be repeated.
    #[arg(long, value_name = "SIZE", value_parser = disk)]
    disk: Vec<u64>,
    /// Pass one word to QEMU, such as `--qemu=-cpu --qemu=max`; may be repeated.
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    qemu: Vec<String>,
}

impl Equipment {
    fn over(&self, manifest: Hardware) -> Hardware {
        Hardware {
            memory: self.memory.unwrap_or(manifest.memory),
            network: self.network || manifest.network,
            disks: if self.disk.is_empty() {
                manifest.disks
            } else {
                self.disk.clone()
            },
            qemu: [manifest.qemu, self.qemu.clone()].concat(),
        }
    }
}

#[derive(Debug, Args)]
struct Test {
    /// An image; or a manifest, whose image is built first when it is older than what goes into it.
    image: PathBuf,
    /// A cell to boot, such as uefi-usb; may be repeated [default: the manifest's, else all that `check` says boot].
    #[arg(long, value_name = "CELL", value_parser = Cell::from_str)]
    cell: Vec<Cell>,
    #[command(flatten)]
    trust: Trust,
    /// A regular expression for what the serial port has to show [default: that the firmware starts the image].
    #[arg(long, value_name = "RE", value_parser = expression)]
    expect: Option<Regex>,
    /// A regular expression for what it must not show; may be repeated.
    #[arg(long, value_name = "RE", value_parser = expression)]
    fail: Vec<Regex>,
    /// Seconds that a cell may take [default: 60].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    #[command(flatten)]
    hardware: Equipment,
    /// How many machines run at a time [default: as many as there are processors, and memory is free for].
    #[arg(short, long, value_name = "NUMBER")]
    jobs: Option<NonZeroUsize>,
    /// Where logs, pictures and reports go [default: the image's name with `.test`, here].
    #[arg(short = 'C', long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Extract {
    /// An ISO 9660 or UDF image, or a disk with partitions or a file system.
    image: PathBuf,
    /// What to take, with all that is below: as `ls` and `cat` name it [default: the whole tree].
    paths: Vec<OsString>,
    /// Where to put it; nothing that is there is overwritten.
    #[arg(short = 'C', long, value_name = "DIR")]
    directory: PathBuf,
    /// Which session of a multi-session image, 1 the oldest [default: the newest].
    #[arg(long, value_name = "N")]
    session: Option<usize>,
    /// As root: owners, set-id bits and devices too.
    #[arg(long)]
    privileged: bool,
    /// No progress bar, no closing line.
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Debug, Args)]
struct Loader {
    /// Where to put them; nothing that is there is overwritten.
    #[arg(short = 'C', long, value_name = "DIR")]
    directory: PathBuf,
}

/// Runs the command line and says how it ended.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match (arguments.verb, arguments.build) {
        (Some(Verb::Build(build)), _) | (None, Some(build)) => build::run(&build),
        (Some(Verb::Plan(plan)), _) => plan::run(&plan),
        (Some(Verb::Inspect(inspect)), _) => inspect::run(&inspect),
        (Some(Verb::Check(check)), _) => check::run(&check),
        (Some(Verb::Ls(ls)), _) => ls::run(&ls),
        (Some(Verb::Menu(menu)), _) => menu::run(&menu),
        (Some(Verb::Cat(cat)), _) => cat::run(&cat),
        (Some(Verb::Edit(edit)), _) => edit::edit(&edit),
        (Some(Verb::Undo(undo)), _) => edit::undo(&undo),
        (Some(Verb::Import(import)), _) => import::run(&import),
        (Some(Verb::Diff(diff)), _) => diff::run(&diff),
        (Some(Verb::Run(run)), _) => run::run(&run),
        (Some(Verb::Test(test)), _) => test::run(&test),
        (Some(Verb::Devices(devices)), _) => devices::run(&devices),
        (Some(Verb::Write(write)), _) => write::run(&write),
        (Some(Verb::Verify(verify)), _) => verify::run(&verify),
        (Some(Verb::Read(read)), _) => read::run(&read),
        (Some(Verb::Loader(loader)), _) => loader::run(&loader),
        (Some(Verb::Convert(convert)), _) => convert::run(&convert),
        (Some(Verb::Sign(sign)), _) => sign::run(&sign),
        (Some(Verb::Doctor(doctor)), _) => doctor::run(&doctor),
        (Some(Verb::Extract(extract)), _) => extract::run(&extract),
        // clap has shown the help.
        (None, None) => return ExitCode::from(2),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            show::error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// What a run takes from its surroundings.
fn environment(outputs: Vec<PathBuf>) -> Environment {
    Environment {
        source_date_epoch: std::env::var_os("SOURCE_DATE_EPOCH"),
        outputs,
    }
}

/// Signals are seen from now on.
fn interrupt() -> Result<Interrupt, Failure> {
    signals::install().map_err(|source| Failure::io("signals", "installing handlers", source))
}

/// Results go to standard output. A reader that has seen enough is no error.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::io("standard output", "writing", source))
        }
        _ => Ok(()),
    }
}

fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = text::json(value).map_err(|error| Failure::io("standard output", "writing", error))?;
    print(&(json + "\n"))
}
