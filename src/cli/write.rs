//! `isobuild write`

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::time::Instant;

use crate::device::{self, Allowed, Host, Kind, Medium, Options, Payload, Phase, Report, Starts, Target};
use crate::ground::text::size;
use crate::ground::text::visible_path;
use clap::Args;

use super::burn::burn;
use super::progress::Progress;
use super::{Failure, interrupt, print, show};

#[derive(Debug, Args)]
pub(super) struct Write {
    /// The image, as it is or compressed with gzip, xz, zstd or bzip2.
    image: PathBuf,
    /// The disk, such as /dev/sdb (`isobuild devices` lists them); or a file.
    device: PathBuf,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// Write an image that is cut short, or that no such medium starts, too.
    #[arg(long)]
    force: bool,
    /// Write to a disk that is built in, too.
    #[arg(long)]
    internal: bool,
    /// Write to a partition, too.
    #[arg(long)]
    partition: bool,
    /// Unmount what of the disk is mounted.
    #[arg(long)]
    unmount: bool,
    /// Leave the last MiB of a larger disk as it is, with the labels and tables that may be there.
    #[arg(long)]
    keep_end: bool,
    /// Move the image's backup GPT to the end of the disk, where it belongs.
    #[arg(long, conflicts_with_all = ["keep_end", "partition"])]
    expand: bool,
    /// The same, and add a partition with an ext4 file system of this label in the room behind the image. It takes mkfs.ext4.
    #[arg(long, value_name = "LABEL", num_args = 0..=1, default_missing_value = device::DEBIAN, require_equals = true,
          conflicts_with_all = ["keep_end", "partition"], value_parser = label)]
    persistence: Option<String>,
    /// No progress bar, no closing line.
    #[arg(short, long)]
    quiet: bool,
}

pub(super) fn run(arguments: &Write) -> Result<(), Failure> {
    let host = Host::default();
    let allowed = Allowed {
        internal: arguments.internal,
        partition: arguments.partition,
        unmount: arguments.unmount,
    };
    let target = Target::choose(&host, &arguments.device, allowed)?;
    if device::overlap(&host, &arguments.image, target.path()) {
        return Err(refused(
            &target,
            "it holds the image itself, which would be overwritten",
        ));
    }
    let mut payload = Payload::open(&arguments.image)?;
    device::fits(&target, &payload)?;
    let told = judged(arguments, &payload, &target)?;
    if arguments.expand || arguments.persistence.is_some() {
        let Some(size) = target.size().filter(|_| !target.is_optical()) else {
            return Err(refused(
                &target,
                "it has no length of its own, and so no end to expand to",
            ));
        };
        device::expand(
            &mut payload,
            target.sector_size(),
            size,
            arguments.persistence.as_deref(),
        )?;
    }
    if !arguments.yes {
        confirm(&target, &payload, &told)?;
    } else {
        show::notes(&told);
    }
    // Not before the question, which a signal ends at once.
    let interrupt = interrupt()?;
    target.unmount(&host)?;
    if target.is_optical() {
        return burn(&target, &arguments.image, arguments.quiet, &interrupt);
    }
    let mut medium = Medium::open(&target, &host)?;

    let started = Instant::now();
    let progress = Progress::new("wiping the medium", arguments.quiet);
    let mut phase = None;
    let mut update = |now: Phase, done: u64, total: Option<u64>| {
        if phase != Some(now) {
            phase = Some(now);
            progress.phase(word(now), total);
        }
        progress.update(done);
    };
    let options = Options {
        keep_end: arguments.keep_end,
    };
    let report = device::transfer(&mut medium, &mut payload, options, &mut update, &interrupt)?;
    drop(medium);
    drop(progress);
    if payload.behind() > 0 {
        show::notes(&[format!(
            "{}: {} bytes behind the compressed image are no part of it, and are not written",
            visible_path(payload.path()),
            payload.behind()
        )]);
    }
    match arguments.quiet {
        true => Ok(()),
        false => print(&closing(&target, &payload, &report, started)),
    }
}

/// What there is to say of the image before it is written.
///
/// # Errors
/// If it is cut short, or if nothing starts from it and nobody is asked.
fn judged(arguments: &Write, payload: &Payload, target: &Target) -> Result<Vec<String>, Failure> {
    let judgement = device::judge(payload, target)?;
    let name = visible_path(payload.path());
    let medium = if target.is_optical() { "disc" } else { "stick" };
    let mut told = Vec::new();
    if let Some(why) = judgement.cut {
        if !arguments.force {
            return Err(Failure::input(
                payload.path(),
                format!("{why} (--force writes it all the same)"),
            ));
        }
        told.push(format!("{name}: {why}"));
    }
    match judgement.starts {
        Starts::Yes => {}
        Starts::No(why) => {
            let why = format!("no machine starts from a {medium} with {name}: {why}");
            if arguments.yes && !arguments.force {
                return Err(refused(target, &format!("{why} (--force writes it all the same)")));
            }
            told.push(why);
        }
        Starts::Data => told.push(format!(
            "{name} holds data alone: nothing boots from a {medium} with it"
        )),
        Starts::Unknown(why) => told.push(format!("{name}: {why}; whether a machine boots from it is not known")),
    }
    Ok(told)
}

/// mke2fs(8): a label has at most 16 bytes.
fn label(text: &str) -> Result<String, String> {
    let is_fine = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
    match (1..=16).contains(&text.len()) && text.bytes().all(is_fine) {
        true => Ok(text.to_owned()),
        false => Err("a label has 1 to 16 letters, digits or signs, and no slash".to_owned()),
    }
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Writing => "writing",
        Phase::Checking => "checking",
    }
}

/// Shows what will be lost, and asks. Where nobody can be asked, nothing is written.
fn confirm(target: &Target, payload: &Payload, told: &[String]) -> Result<(), Failure> {
    let name = visible_path(target.path());
    show::notes(told);
    let mut text = String::new();
    match target.kind() {
        Kind::File { length: None | Some(0) } => return Ok(()),
        Kind::File { length: Some(length) } => text.push_str(&format!("{name}: a file of {}\n", size(*length))),
        Kind::Disk { disk, partition } => {
            let part = match partition {
                Some(part) => format!("a partition of {} on ", size(part.length)),
                None => String::new(),
            };
            text.push_str(&format!("{name}: {part}{}\n", disk.title()));
        }
    }
    for content in device::contents(target) {
        let label = content.label.map(|label| format!(" \"{label}\"")).unwrap_or_default();
        let kind = if content.kind.is_empty() {
            "unknown"
        } else {
            content.kind
        };
        let path = visible_path(&content.path);
        text.push_str(&format!("  {path}  {kind}{label}, {}\n", size(content.length)));
    }
    text.push_str("All that is on it will be lost.\n");
    if !io::stdin().is_terminal() {
        eprint!("{text}");
        return Err(refused(target, "there is no terminal to ask at (--yes does not ask)"));
    }
    eprint!("{text}Write {} to it? Type yes: ", visible_path(payload.path()));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    match read.is_ok() && answer.trim().eq_ignore_ascii_case("yes") {
        true => Ok(()),
        false => Err(refused(target, "the answer was not yes")),
    }
}

fn refused(target: &Target, reason: &str) -> Failure {
    let path = target.path().to_owned();
    let reasons = vec![reason.to_owned()];
    device::DeviceError::Refused { path, reasons }.into()
}

fn closing(target: &Target, payload: &Payload, report: &Report, started: Instant) -> String {
    let seconds = started.elapsed().as_secs_f64().max(0.001);
    let skipped = match report.skipped {
        0 => String::new(),
        skipped => format!(" ({} of it zeros that the disk has by itself)", size(skipped)),
    };
    let mut text = format!(
        "{} is on {}: {} written and read back{skipped}, in {seconds:.1} s\n",
        visible_path(payload.path()),
        visible_path(target.path()),
        size(report.size),
    );
    // udev has the kernel read the new table when the disk is closed.
    if matches!(target.kind(), Kind::Disk { .. }) && !std::path::Path::new("/run/udev/control").exists() {
        text.push_str("The kernel still has the old partitions; plug the disk in again to see the new ones.\n");
    }
    text
}
