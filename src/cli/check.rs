//! `isobuild check`

use std::collections::BTreeSet;
use std::path::Path;

use crate::facts::cell::Cell;
use crate::facts::verdicts;
use crate::facts::{Description, Verdict};
use crate::ground::read_at::ReadAt;
use crate::ground::text::visible_path;
use crate::look::digests;
use crate::look::menu::{self, Menu};
use serde::Serialize;

use super::inspect::described;
use super::ls::failed;
use super::open::open;
use super::progress::Progress;
use super::{Check, Failure, print, print_json, show};

/// What the verdicts are about, as JSON.
#[derive(Serialize)]
struct Verdicts<'a> {
    cells: &'a [Verdict],
    faults: &'a [String],
    /// Why no cell boots, if none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    nothing_boots: Option<String>,
    /// Files that entries of the boot menus need, and that are not in the image.
    missing: &'a BTreeSet<Missing>,
    /// With `--digests`: what is as the image says.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<&'a [String]>,
}

/// A file that an entry of a boot menu needs.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Missing {
    config: String,
    title: String,
    path: String,
}

impl Missing {
    /// Of the entries that every machine shows, each file once.
    fn of(menu: &Menu) -> BTreeSet<Self> {
        let entries = menu.entries.iter().filter(|entry| entry.condition.is_none());
        let missing = entries.flat_map(|entry| {
            entry.missing.iter().map(|path| Self {
                config: entry.config.clone(),
                title: entry.title.clone(),
                path: path.clone(),
            })
        });
        missing.collect()
    }

    fn shown(&self) -> String {
        let Self { config, title, path } = self;
        format!("{config}: \"{title}\" needs {path}, which is missing")
    }
}

pub(super) fn run(arguments: &Check) -> Result<(), Failure> {
    let image = open(&arguments.image)?;
    let mut described = described(&arguments.image, &image, None)?;
    arguments.trust.judge(&mut described, &arguments.require)?;
    let mut verified = Vec::new();
    if arguments.digests {
        let progress = Progress::new("reading the image", false);
        progress.begin(image.size());
        let found = digests::verify(&image, &mut |done| progress.update(done));
        let found = found.map_err(|error| failed(&arguments.image, error))?;
        described.facts.faults.extend(found.faults);
        verified = found.right;
    }
    let menu = menu::read(&image).unwrap_or_else(|error| Menu {
        notes: vec![format!("the boot menus are not read: {error}")],
        ..Menu::default()
    });
    let missing = Missing::of(&menu);
    match arguments.json {
        true => print_json(&Verdicts {
            missing: &missing,
            cells: &described.cells,
            faults: &described.facts.faults,
            nothing_boots: verdicts::why_nothing(&described),
            verified: arguments.digests.then_some(&verified),
        })?,
        false => {
            show::notes(described.warnings());
            show::notes(&menu.notes);
            show::notes(&missing.iter().map(Missing::shown).collect::<Vec<_>>());
            print(&show::verdicts(&described, &verified, &arguments.require))?;
        }
    }
    judge(&arguments.image, &described, &arguments.require)
}

/// The error counts what is wrong; without a `require` every image that has no fault passes, one that boots nowhere too.
fn judge(image: &Path, described: &Description, required: &[Cell]) -> Result<(), Failure> {
    let cells = described
        .cells
        .iter()
        .filter(|cell| !cell.boots && required.contains(&cell.cell));
    let mut wrong: Vec<String> = cells.map(|cell| format!("{} does not boot", cell.cell)).collect();
    match described.facts.faults.len() {
        0 => {}
        1 => wrong.push("there is a fault".into()),
        number => wrong.push(format!("there are {number} faults")),
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Failure::Verdict(format!(
            "{}: {}",
            visible_path(image),
            wrong.join(", ")
        ))),
    }
}
