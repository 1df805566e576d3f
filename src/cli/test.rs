//! `isobuild test`

use std::fs;
use std::path::{Path, PathBuf};

use crate::facts::cell::Cell;
use crate::facts::verdicts;
use crate::facts::{Description, Verdict};
use crate::ground::text;
use crate::ground::text::visible_path;
use crate::manifest::Expectations;
use crate::vm::{Machine, Outcome, Report, Round, Skipped, round};

use super::inspect::described;
use super::subject::{Subject, subject};
use super::{Failure, Test, interrupt, print, print_json, show};

pub(super) fn run(arguments: &Test) -> Result<(), Failure> {
    let interrupt = interrupt()?;
    let Subject {
        name,
        image,
        expectations,
        owner,
    } = subject(&arguments.image, &interrupt)?;
    let expectations = with(expectations, arguments);
    let mut described = described(&name, &image, None)?;
    described.planned.owner = owner.as_ref().map(|owner| owner.certificate.clone());
    let trusted = arguments
        .trust
        .judge(&mut described, expectations.cells.as_deref().unwrap_or_default())?;
    let (cells, skipped) = match &expectations.cells {
        Some(cells) => installed(cells.iter().copied(), true),
        None => installed(verdicts::that_boot(&described).into_iter(), false),
    };
    let stem = name.file_stem().unwrap_or_default();
    let directory = arguments
        .directory
        .clone()
        .unwrap_or_else(|| Path::new(stem).with_added_extension("test"));
    let round = Round {
        image: image.path(),
        name: &name,
        cells: &cells,
        expectations: &expectations,
        trusted: &trusted,
        owner: owner.as_ref(),
        directory: &directory,
        jobs: arguments
            .jobs
            .unwrap_or_else(|| round::jobs(expectations.hardware.memory)),
        interrupt: &interrupt,
    };
    let mut printed = Ok(());
    let mut cells = round.run(&mut show::tell, &mut |outcome| {
        if !arguments.json && printed.is_ok() {
            printed = print(&line(&described, outcome));
        }
    })?;
    printed?;
    for outcome in &mut cells {
        outcome.mend = verdict(&described, outcome.cell).and_then(|verdict| verdict.mend.clone());
    }
    let report = Report { cells, skipped };
    write(&directory, &report, &stem.to_string_lossy())?;
    match arguments.json {
        true => print_json(&report)?,
        false => {
            let skipped = |one: &Skipped| {
                let word = if one.asked { "not tried" } else { "skipped" };
                format!("{:22} {word:16} {}\n", one.cell.to_string(), one.reason)
            };
            print(&report.skipped.iter().map(skipped).collect::<String>())?;
            print(&format!(
                "logs, pictures, junit.xml and report.json: {}\n",
                visible_path(&directory)
            ))?;
        }
    }
    judge(&name, &report)
}

/// What the command line says comes before what the manifest says.
fn with(manifest: Expectations, arguments: &Test) -> Expectations {
    Expectations {
        cells: Some(arguments.cell.clone())
            .filter(|cells| !cells.is_empty())
            .or(manifest.cells),
        expect: arguments.expect.clone().or(manifest.expect),
        fail: [manifest.fail, arguments.fail.clone()].concat(),
        timeout: arguments.timeout.unwrap_or(manifest.timeout),
        hardware: arguments.hardware.over(manifest.hardware),
        send: manifest.send,
    }
}

fn verdict(image: &Description, cell: Cell) -> Option<&Verdict> {
    image.cells.iter().find(|verdict| verdict.cell == cell)
}

/// Divides cells into those whose QEMU and firmware are installed and the rest.
fn installed(all: impl Iterator<Item = Cell>, asked: bool) -> (Vec<Cell>, Vec<Skipped>) {
    let mut cells = Vec::new();
    let mut skipped = Vec::new();
    for cell in all {
        match Machine::installed(cell.firmware) {
            Ok(_) => cells.push(cell),
            Err(error) => skipped.push(Skipped {
                cell,
                asked,
                reason: error.to_string(),
            }),
        }
    }
    (cells, skipped)
}

/// What is seen of a cell; of one that failed, all that helps to find out why.
fn line(facts: &Description, outcome: &Outcome) -> String {
    let word = if outcome.passed { "passed" } else { "FAILED" };
    let reason = crate::ground::text::visible(outcome.reason.as_bytes());
    let mut out = format!(
        "{:22} {word} {:6.1} s  {reason}\n",
        outcome.cell.to_string(),
        outcome.seconds
    );
    if let Some(failed) = &outcome.failure {
        let rows = failed.rows.len().saturating_sub(5);
        let seen = [
            ("QEMU", failed.qemu(3)),
            ("firmware", failed.firmware(3)),
            ("serial port", failed.serial(5)),
            ("screen", failed.rows.iter().skip(rows).cloned().collect()),
        ];
        for (who, lines) in seen {
            out.extend(lines.iter().map(|line| format!("    {who}: {line}\n")));
        }
        match &failed.screen {
            Ok(png) => out += &format!("    picture: {}\n", visible_path(png)),
            Err(why) => out += &format!("    no picture: {why}\n"),
        }
        // The rules know more of what is missing than the firmware says.
        if let Some(refused) = verdict(facts, outcome.cell).filter(|verdict| !verdict.boots) {
            out += &format!("    check: {}\n", text::visible(refused.reason.as_bytes()));
        }
        out += &format!("    repeat: {}\n", outcome.repeat);
    }
    out
}

fn write(directory: &Path, report: &Report, name: &str) -> Result<(), Failure> {
    let failed = |path: PathBuf, action| move |source| Failure::io(path, action, source);
    fs::create_dir_all(directory).map_err(failed(directory.into(), "creating"))?;
    let json = directory.join("report.json");
    let text = text::json(report).map_err(|error| failed(json.clone(), "writing")(error.into()))?;
    fs::write(&json, text + "\n").map_err(failed(json, "writing"))?;
    let junit = directory.join("junit.xml");
    fs::write(&junit, report.junit(name)).map_err(failed(junit, "writing"))
}

/// The error of the run. A failed cell is a verdict on the image. A cell that could not be tried is not, and counts if it was asked for or
/// nothing else was tried.
fn judge(image: &Path, report: &Report) -> Result<(), Failure> {
    let image = visible_path(image);
    match (report.cells.len(), report.failures()) {
        (0, _) if report.skipped.is_empty() => Err(Failure::Verdict(format!(
            "{image}: there is nothing to boot; `isobuild check` says why"
        ))),
        (1, 1) => Err(Failure::Verdict(format!("{image}: the test has failed"))),
        (all, failures @ 1..) => Err(Failure::Verdict(format!("{image}: {failures} of {all} cells failed"))),
        (tried, 0) => {
            let untried = || report.skipped.iter().filter(|one| one.asked || tried == 0);
            match untried().next() {
                None => Ok(()),
                Some(first) => Err(Failure::Failed(format!(
                    "{image}: {} of {} cells could not be tried: {}",
                    untried().count(),
                    tried + report.skipped.len(),
                    first.reason
                ))),
            }
        }
    }
}
