//! `isobuild extract`

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::formats::iso9660::EntryKind;
use crate::ground::read_at::ReadAt;
use crate::ground::text;
use crate::ground::text::visible_path;
use crate::look::contents::{self, Item, Place, Tree};
use crate::look::extract::{self, ExtractError, Report};
use crate::output;

use super::ls::failed;
use super::open::open;
use super::progress::Progress;
use super::{Extract, Failure, interrupt, show};

pub(super) fn run(arguments: &Extract) -> Result<(), Failure> {
    let image = open(&arguments.image)?;
    let mut paths: Vec<&[u8]> = arguments.paths.iter().map(|path| path.as_bytes()).collect();
    if paths.is_empty() {
        paths.push(b"/");
    }
    // Everything is looked up before anything is made.
    let wanted: Vec<Wanted> = paths
        .into_iter()
        .map(|path| Wanted::of(arguments, &image, path))
        .collect::<Result<_, _>>()?;
    let directory = extract::open(&arguments.directory)
        .map_err(|source| Failure::io(&arguments.directory, "opening the directory", source))?;
    let interrupt = interrupt()?;
    let mut faults = 0;
    let mut all = Report::default();
    for wanted in &wanted {
        let items = wanted.items();
        show::notes(wanted.notes());
        faults += wanted.left_out();
        let progress = Progress::new("extracting", arguments.quiet);
        progress.begin(extract::total(&items));
        let report = extract::extract(&image, &items, &directory, arguments.privileged, &mut |done| {
            progress.update(done);
            interrupt.requested().is_none()
        })
        .map_err(|error| match (error, interrupt.requested()) {
            (ExtractError::Stopped, Some(signal)) => output::OutputError::Interrupted(signal).into(),
            (error, _) => ended(arguments, error),
        })?;
        drop(progress);
        show::notes(&report.faults);
        faults += report.faults.len() as u64 + report.more_faults;
        all.files += report.files;
        all.directories += report.directories;
        all.symlinks += report.symlinks;
        all.others += report.others;
        all.bytes += report.bytes;
    }
    if !arguments.quiet {
        show::extracted(&arguments.directory, &all);
    }
    match faults {
        0 => Ok(()),
        1 => Err(Failure::input(&arguments.image, "one name could not be extracted")),
        many => Err(Failure::input(
            &arguments.image,
            format!("{many} names could not be extracted"),
        )),
    }
}

fn ended(arguments: &Extract, error: ExtractError) -> Failure {
    match error {
        ExtractError::Read(source) => Failure::io(&arguments.image, "reading", source),
        ExtractError::Write { path, source } => Failure::io(
            arguments.directory.join(
                Path::new(&*text::visible(&path))
                    .strip_prefix("/")
                    .unwrap_or(Path::new("")),
            ),
            "writing",
            source,
        ),
        error @ ExtractError::Stopped => Failure::input(&arguments.image, error.to_string()),
        ExtractError::TooLarge(why) => Failure::input(
            &arguments.image,
            format!("{}: {why}", visible_path(&arguments.directory)),
        ),
    }
}

/// What one argument names.
enum Wanted {
    /// What is at a path and below.
    Below(Tree, Vec<u8>),
    Partition(Box<Item>),
}

impl Wanted {
    fn of(arguments: &Extract, image: &dyn ReadAt, named: &[u8]) -> Result<Self, Failure> {
        let path = &arguments.image;
        let place = Place::parse(named).map_err(|why| Failure::input(path, why))?;
        let failed = |error| failed(path, error);
        if let Place::Partition(number) = place {
            let bytes = contents::partition(image, number).map_err(failed)?;
            return Ok(Self::Partition(Box::new(Item {
                path: format!("/partition-{number}.img").into_bytes(),
                ..bytes
            })));
        }
        let (tree, place) = Tree::of_session(image, place, arguments.session).map_err(failed)?;
        // A link is taken as it is, and one on the way there is followed.
        let found = tree.find(&place, false).map_err(failed)?.path.clone();
        Ok(Self::Below(tree, found))
    }

    fn items(&self) -> Vec<&Item> {
        match self {
            Self::Partition(item) => vec![item],
            Self::Below(tree, path) => {
                let named = tree.get(path);
                let below = named
                    .filter(|item| item.kind == EntryKind::Directory)
                    .map(|item| tree.below(item, true));
                named.into_iter().chain(below.into_iter().flatten()).collect()
            }
        }
    }

    fn notes(&self) -> &[String] {
        match self {
            Self::Partition(_) => &[],
            Self::Below(tree, _) => &tree.notes,
        }
    }

    /// Names of the whole volume that are not in its tree.
    fn left_out(&self) -> u64 {
        match self {
            Self::Partition(_) => 0,
            Self::Below(tree, _) => tree.left_out as u64,
        }
    }
}
