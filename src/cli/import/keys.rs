//! `import`: a manifest of keys, and the parts that they name.

use std::fs::{File, FileTimes, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use crate::Image;
use crate::cli::progress::Progress;
use crate::cli::{Failure, environment, print};
use crate::ground::range::Range;
use crate::ground::read_at::{FileAt, ReadAt};
use crate::ground::text::{self, visible_path};
use crate::look::contents::Item;
use crate::look::diff;
use crate::look::extract::{self, ExtractError};
use crate::look::import::{self, Choice};
use crate::manifest;
use crate::output::{self, Interrupt, OutputError, Target, Wanted};

use super::{Differing, Import, MANIFEST, check, each_piece, made, output_name, take_out};

pub(super) fn run(arguments: &Import, image: &dyn ReadAt, interrupt: &Interrupt) -> Result<Vec<Differing>, Failure> {
    let directory = &arguments.directory;
    let output = output_name(&arguments.image);
    let has_owners = rustix::process::geteuid().is_root();
    let read = |says_esp_size| {
        let choice = Choice {
            says_esp_size,
            has_owners,
        };
        import::import(image, &output, choice).map_err(|error| Failure::input(&arguments.image, error.to_string()))
    };
    let import = read(false)?;
    let progress = Progress::new("taking the image apart", arguments.quiet);
    let mut faults = import.left_out.clone();
    for (name, items) in [(import::FILES, &import.items), (import::ESP, &import.esp)] {
        if name == import::FILES || !items.is_empty() {
            faults.extend(tree(
                image,
                items,
                &directory.join(name),
                has_owners,
                &progress,
                interrupt,
            )?);
        }
    }
    for (name, range) in &import.boot {
        let to = directory.join(import::BOOT);
        take_out(image, name.as_bytes(), &[*range], &to, &mut |_| check(interrupt))?;
    }
    progress.phase("checking", Some(image.size()));
    let digest = digest(image, &mut |done| {
        progress.update(done);
        check(interrupt)
    })?;
    let path = directory.join(MANIFEST);
    let said = |manifest: &str| format!("# An image, taken apart. It had the SHA-256 {digest}.\n{manifest}");
    let mut is_same = false;
    let mut manifests = vec![import.manifest.clone(), read(true)?.manifest];
    manifests.dedup();
    for manifest in manifests {
        output::write_file(&path, said(&manifest).as_bytes(), interrupt)?;
        is_same = made(&path, &progress, interrupt)? == digest;
        if is_same {
            break;
        }
    }
    let mut differs: Vec<Differing> = Vec::new();
    if !is_same {
        output::write_file(&path, said(&import.manifest).as_bytes(), interrupt)?;
        differs = differences(image, &path, arguments, interrupt)?;
        differs.extend(faults.into_iter().map(|what| Differing {
            what,
            r#where: String::new(),
        }));
    }
    drop(progress);
    if !arguments.quiet && !arguments.json {
        let shown = visible_path(&path);
        let files = import.items.len() + import.esp.len() + import.boot.len();
        let mut said = match differs.len() {
            0 => format!("{shown}: {files} parts; it makes the same image, SHA-256 {digest}\n"),
            count => format!("{shown}: {files} parts; the image that it makes differs in {count} points:\n"),
        };
        for each in &differs {
            let at = if each.r#where.is_empty() { "" } else { ": " };
            said += &format!("  {}{at}{}\n", each.r#where, each.what);
        }
        print(&said)?;
    }
    Ok(differs)
}

/// Makes the names below a directory. The result is what could not be made.
fn tree(
    image: &dyn ReadAt,
    items: &[Item],
    directory: &Path,
    privileged: bool,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Vec<String>, Failure> {
    let items: Vec<&Item> = items.iter().collect();
    let failed = |error| Failure::io(directory, "making the files", error);
    let opened = extract::open(directory).map_err(failed)?;
    progress.phase("files", Some(extract::total(&items)));
    let mut update = |done| {
        progress.update(done);
        interrupt.requested().is_none()
    };
    let report = extract::extract(image, &items, &opened, privileged, &mut update);
    if let Some(root) = items.iter().find(|item| item.path == b"/") {
        root_like(root, &opened, privileged).map_err(failed)?;
    }
    let report = report.map_err(|error| match (error, interrupt.requested()) {
        (ExtractError::Stopped, Some(signal)) => OutputError::Interrupted(signal).into(),
        (ExtractError::Read(error), _) => Failure::io("the image", "reading", error),
        (ExtractError::Write { source, .. }, _) => failed(source),
        (other, _) => Failure::Failed(other.to_string()),
    })?;
    let mut faults = report.faults;
    if report.more_faults > 0 {
        faults.push(format!("{} names more could not be made", report.more_faults));
    }
    Ok(faults)
}

/// Gives the directory the attributes of the image's root.
fn root_like(root: &Item, directory: &File, privileged: bool) -> io::Result<()> {
    if let Some(posix) = root.posix {
        directory.set_permissions(Permissions::from_mode(posix.mode & 0o7777))?;
        if privileged {
            std::os::unix::fs::fchown(directory, posix.uid, posix.gid)?;
        }
    }
    let modified = match u64::try_from(root.modified.unix()) {
        Ok(seconds) => SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)),
        Err(_) => None,
    };
    match modified {
        Some(modified) => directory.set_times(FileTimes::new().set_modified(modified)),
        None => Ok(()),
    }
}

/// The SHA-256 of the image.
fn digest(image: &dyn ReadAt, progress: &mut dyn FnMut(u64) -> Result<(), Failure>) -> Result<String, Failure> {
    let mut sum = Sha256::new();
    let all = Range {
        offset: 0,
        length: image.size(),
    };
    each_piece(image, all, |at, bytes| {
        sum.update(bytes);
        progress(at + bytes.len() as u64)
    })?;
    Ok(text::hex(&sum.finalize()))
}

/// What the image of a manifest has otherwise. It is written for that, and removed.
fn differences(
    image: &dyn ReadAt,
    path: &Path,
    arguments: &Import,
    interrupt: &Interrupt,
) -> Result<Vec<Differing>, Failure> {
    let failed = |error| Failure::io(&arguments.directory, "writing the image again", error);
    let scratch = tempfile::tempdir_in(&arguments.directory).map_err(failed)?;
    let again = scratch.path().join("again.iso");
    let made = Image::of(manifest::load(path)?, &environment(Vec::new()))?;
    made.write(&[Target::raw(&again)], Wanted::default(), &mut |_, _| {}, interrupt)?;
    let file = File::open(&again).map_err(failed)?;
    let other = FileAt::new(file).map_err(failed)?;
    let difference = diff::diff(image, &other).map_err(|(_, error)| Failure::Failed(error.to_string()))?;
    let change = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) => format!("{a} becomes {b}"),
        (Some(a), None) => format!("{a} is gone"),
        (None, Some(b)) => format!("{b} is new"),
        (None, None) => "other".to_owned(),
    };
    let facts = difference.structures.iter().map(|fact| Differing {
        what: change(&fact.a, &fact.b),
        r#where: fact.at.clone(),
    });
    let names = difference.names.iter().map(|name| Differing {
        what: match (&name.a, &name.b) {
            (None, None) => name.what.replace("only in a", "is gone").replace("only in b", "is new"),
            // What is not the same in the content is said in one.
            (Some(a), None) => format!("{} {a}", name.what),
            (a, b) => format!("{}: {}", name.what, change(a, b)),
        },
        r#where: name.path.clone(),
    });
    let mut differs: Vec<Differing> = facts.chain(names).collect();
    if differs.is_empty() {
        // Only bytes that nothing describes.
        differs.extend(difference.bytes.iter().map(|run| Differing {
            what: format!("{} bytes", run.bytes),
            r#where: format!("{} from byte {} on", run.what, run.offset),
        }));
    }
    Ok(differs)
}
