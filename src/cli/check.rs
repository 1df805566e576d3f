//! `isobuild check`

use std::path::Path;

use isobuild::error::{Error, escape};
use isobuild::facts::{Cell, Description};
use serde::Serialize;

use super::inspect::described;
use super::{Check, print, print_json, show};

/// What the verdicts are about, as JSON.
#[derive(Serialize)]
struct Verdicts<'a> {
    cells: &'a [Cell],
    faults: &'a [String],
}

pub(super) fn run(arguments: &Check) -> Result<(), Error> {
    let facts = described(&arguments.image)?;
    match arguments.json {
        true => print_json(&Verdicts {
            cells: &facts.cells,
            faults: &facts.faults,
        })?,
        false => {
            show::notes(&facts.warnings);
            print(&show::verdicts(&facts, &arguments.require))?;
        }
    }
    judge(&arguments.image, &facts, &arguments.require)
}

/// The error counts what is wrong; without a `require` every image that has no fault passes, one that boots nowhere too.
fn judge(image: &Path, facts: &Description, required: &[String]) -> Result<(), Error> {
    let cells = facts
        .cells
        .iter()
        .filter(|cell| !cell.boots && required.contains(&cell.cell));
    let mut wrong: Vec<String> = cells.map(|cell| format!("{} does not boot", cell.cell)).collect();
    match facts.faults.len() {
        0 => {}
        1 => wrong.push("there is a fault".into()),
        number => wrong.push(format!("there are {number} faults")),
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Error::Verdict(format!("{}: {}", escape(image), wrong.join(", ")))),
    }
}
