//! `isobuild edit` and `isobuild undo`

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;

use crate::Image;
use crate::device::{self, Allowed, Changed, Host, Medium, Target};
use crate::ground::decompress::Compression;
use crate::ground::disk::DiskError;
use crate::ground::read_at::{FileAt, ReadAt as _, Shared};
use crate::ground::stamp;
use crate::ground::text::{size, visible_path};
use crate::look::disk::disk_in;
use crate::manifest::{Answers, At, Base, BaseBoot, Document, Files, KernelArgs, Manifest};

use super::progress::Progress;
use super::{Failure, environment, interrupt, print, print_json, show};

/// Messages name this where they name a manifest's file otherwise.
const NAME: &str = "the command line";

#[derive(Debug, Args)]
pub(super) struct Edit {
    /// The image, or the stick that it is written to.
    image: PathBuf,
    /// Append a kernel argument, such as console=ttyS0; may be repeated.
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    kernel_arg: Vec<String>,
    /// Remove a kernel argument; may be repeated.
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    remove_arg: Vec<String>,
    /// Give a kernel argument another value; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    replace_arg: Vec<Assignment>,
    /// Change only menu entries with such a title; may be repeated.
    #[arg(long, value_name = "GLOB")]
    entry: Vec<String>,
    /// Put a file or a directory into the image; esp:/PATH is in its EFI system partition. May be repeated.
    #[arg(long, value_name = "HOST=/PATH")]
    add: Vec<Addition>,
    /// Remove what matches; may be repeated.
    #[arg(long, value_name = "GLOB")]
    remove: Vec<String>,
    /// Give the installer its answer file, by its kind: preseed, kickstart, autoinstall, autoyast, agama, ignition, proxmox, apkovl,
    /// unattend or nocloud. A second one may be meta_data.
    #[arg(long, value_name = "KIND=FILE")]
    answers: Vec<Assignment>,
    /// Replace every kernel that the menus start.
    #[arg(long, value_name = "FILE")]
    kernel: Option<PathBuf>,
    /// Load one more initrd behind those of each entry; may be repeated.
    #[arg(long, value_name = "FILE")]
    initrd_append: Vec<PathBuf>,
    /// Where the old bytes are kept [default: IMAGE.undo; for a disk MODEL-SERIAL.undo, here].
    #[arg(long, value_name = "FILE")]
    undo: Option<PathBuf>,
    /// Change nothing: say what would change.
    #[arg(long)]
    dry_run: bool,
    /// Change a disk that is built in, too.
    #[arg(long)]
    internal: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// No progress bar, no closing line.
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct Undo {
    /// The image, or the stick that it is written to.
    image: PathBuf,
    /// Where the old bytes are [default: as `edit` names it].
    #[arg(long, value_name = "FILE")]
    undo: Option<PathBuf>,
    /// Change a disk that is built in, too.
    #[arg(long)]
    internal: bool,
    /// No closing line.
    #[arg(short, long)]
    quiet: bool,
}

/// `NAME=VALUE`
#[derive(Clone, Debug)]
struct Assignment {
    name: String,
    value: String,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("there is no `=` in it")?;
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// `HOST=/PATH`: the image's path begins behind the first `=` that one can begin behind.
#[derive(Clone, Debug)]
struct Addition {
    from: String,
    to: String,
}

impl FromStr for Addition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut places = text.match_indices('=').map(|(at, _)| (&text[..at], &text[at + 1..]));
        let begins =
            |to: &str| to.starts_with('/') || to.starts_with("iso:/") || crate::manifest::esp_path(to).is_some();
        let found = places.find(|(from, to)| !from.is_empty() && begins(to));
        let (from, to) = found.ok_or("the image's path is missing, as in ks.cfg=/ks.cfg")?;
        Ok(Self {
            from: from.to_owned(),
            to: to.to_owned(),
        })
    }
}

pub(super) fn edit(arguments: &Edit) -> Result<(), Failure> {
    let host = Host::default();
    let target = choose(&host, &arguments.image, arguments.internal)?;
    let journal = arguments.undo.clone().unwrap_or_else(|| device::journal_path(&target));
    let document = Document::of(manifest(arguments, target.path())?, Path::new(NAME))?;
    let progress = Progress::new("looking at the image", arguments.quiet);
    // The journal is what is written besides; an input of that name would be an accident.
    let image = Image::of(document, &environment(vec![journal.clone()]))?;
    if !arguments.quiet {
        progress.aside(|| show::warnings(image.report(), &image.warnings()));
    }
    if arguments.dry_run {
        let described = image.describe(&Default::default())?;
        drop(progress);
        return match arguments.json {
            true => print_json(&described),
            false => print(&show::picture(&described)),
        };
    }
    let interrupt = interrupt()?;
    let mut medium = Medium::open(&target, &host)?;
    let mut bar = |done: u64, total: u64| {
        if done == 0 {
            progress.begin(total);
        }
        progress.update(done);
    };
    let late = image.late(target.path(), &mut bar, &interrupt)?;
    let Some((base, stamp)) = image.base() else {
        return Ok(());
    };
    let changed = Changed {
        base,
        stamp,
        size: image.size(),
        pieces: image.pieces(&late),
    };
    let edited = device::edit(&mut medium, &journal, changed, &mut bar, &interrupt);
    drop(progress);
    let edited = edited.inspect_err(|_| {
        if device::is_unfinished(&journal) {
            let name = visible_path(target.path());
            show::notes(&[format!(
                "{name} may be changed in part: `isobuild undo {name}` gives back what it was"
            )]);
        }
    })?;
    if arguments.json {
        return print_json(&image.describe(&late)?);
    }
    match (arguments.quiet, edited.bytes) {
        (true, _) => Ok(()),
        (false, 0) => print(&format!("{}: nothing changes\n", visible_path(target.path()))),
        (false, bytes) => print(&format!(
            "{}: {} written in {} ranges; {} takes it back\n",
            visible_path(target.path()),
            size(bytes),
            edited.ranges,
            visible_path(&journal)
        )),
    }
}

pub(super) fn undo(arguments: &Undo) -> Result<(), Failure> {
    let host = Host::default();
    let target = choose(&host, &arguments.image, arguments.internal)?;
    let journal = arguments.undo.clone().unwrap_or_else(|| device::journal_path(&target));
    let mut medium = Medium::open(&target, &host)?;
    let undone = device::undo(&mut medium, &journal)?;
    match arguments.quiet {
        true => Ok(()),
        false => print(&format!(
            "{}: {} edit{} taken back, {} written\n",
            visible_path(target.path()),
            undone.edits,
            if undone.edits == 1 { "" } else { "s" },
            size(undone.bytes)
        )),
    }
}

/// The image's file or the disk that it is on, if nothing else uses it.
fn choose(host: &Host, path: &Path, internal: bool) -> Result<Target, Failure> {
    if !path.exists() {
        return Err(Failure::input(path, "there is no such file or disk"));
    }
    let allowed = Allowed {
        internal,
        ..Allowed::default()
    };
    let target = Target::choose(host, path, allowed)?;
    if target.is_optical() {
        return Err(Failure::Refused(format!(
            "{} is a disc, which is not changed",
            visible_path(path)
        )));
    }
    device::check_unused(host, &target)?;
    let reading = |error| Failure::io(path, "reading", error);
    let opened = stamp::open(path).map_err(|error| Failure::io(path, "opening", error))?;
    let bytes = Shared::new(FileAt::new(opened).map_err(reading)?);
    let start = bytes.read_vec_at(0, bytes.size().min(16)).map_err(reading)?;
    let found = if path.is_file() { disk_in(&bytes) } else { Ok(None) };
    let what = match found {
        _ if Compression::of(&start).is_some() => "is compressed",
        Ok(None) => return Ok(target),
        Err(DiskError::Read(error)) if error.raw_os_error().is_some() => return Err(reading(error)),
        Ok(Some(_)) | Err(_) => "is not a raw image",
    };
    Err(Failure::Refused(format!(
        "{} {what}, and is not changed where it is: a manifest with [base] takes it as it is",
        visible_path(path)
    )))
}

/// What a manifest with `[base]` would say.
fn manifest(arguments: &Edit, image: &Path) -> Result<Manifest, Failure> {
    let text = |path: &Path| -> Result<String, Failure> {
        let text = path.to_str().map(str::to_owned);
        text.ok_or_else(|| Failure::input(path, "its name is not UTF-8"))
    };
    let list = |texts: &[String]| -> Vec<At<String>> { texts.iter().cloned().map(At::from).collect() };
    let replace = arguments.replace_arg.iter();
    let replace = replace.map(|one| (At::from(one.name.clone()), At::from(one.value.clone())));
    let args = KernelArgs {
        append: list(&arguments.kernel_arg),
        remove: list(&arguments.remove_arg),
        replace: replace.collect(),
        entries: list(&arguments.entry),
    };
    let has_args = !args.append.is_empty() || !args.remove.is_empty() || !args.replace.is_empty();
    let mut boot = BaseBoot::default();
    if let Some(kernel) = &arguments.kernel {
        boot.kernel = Some(text(kernel)?.into());
    }
    for initrd in &arguments.initrd_append {
        boot.initrd_append.push(text(initrd)?.into());
    }
    let has_boot = boot.kernel.is_some() || !boot.initrd_append.is_empty();
    let mut answers = Answers::default();
    for one in &arguments.answers {
        let Some(place) = answers.named(&one.name) else {
            let message = format!("`{}` is no kind of answer file", one.name);
            return Err(Failure::input(Path::new("--answers"), message));
        };
        *place = Some(one.value.clone().into());
    }
    let files = arguments.add.iter().map(|one| {
        At::from(Files {
            from: Some(one.from.clone().into()),
            to: one.to.clone().into(),
            ..Files::default()
        })
    });
    let base = Base {
        image: text(image)?.into(),
        sha256: None,
        fill: None,
        compact: false,
        remove: list(&arguments.remove),
        kernel_args: (has_args || !arguments.entry.is_empty()).then(|| args.into()),
        answers: (!arguments.answers.is_empty()).then(|| answers.into()),
        boot: has_boot.then(|| boot.into()),
    };
    Ok(Manifest {
        base: Some(base.into()),
        files: files.collect(),
        ..Manifest::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_addition_is_divided_where_an_image_path_begins() {
        for (text, from, to) in [
            ("ks.cfg=/ks.cfg", "ks.cfg", "/ks.cfg"),
            ("a=b=/x=/y", "a=b", "/x=/y"),
            ("dir/=esp:/EFI/", "dir/", "esp:/EFI/"),
            ("x=iso:/x", "x", "iso:/x"),
        ] {
            let addition: Addition = text.parse().unwrap();
            assert_eq!((addition.from.as_str(), addition.to.as_str()), (from, to), "{text}");
        }
        for wrong in ["ks.cfg", "=/x", "a=b"] {
            assert!(wrong.parse::<Addition>().is_err(), "{wrong}");
        }
    }
}
