//! `isobuild diff`

use std::fmt::Write as _;
use std::path::Path;

use crate::ground::text;
use crate::ground::text::visible_path;
use crate::look::diff::{self, Difference};

use super::ls::failed;
use super::open::open;
use super::progress::Progress;
use super::{Diff, Failure, print, print_json, show};

/// Lines of one kind beyond this are counted only; `--json` has all.
const LINES: usize = 200;

pub(super) fn run(arguments: &Diff) -> Result<(), Failure> {
    let paths = [&arguments.a, &arguments.b];
    let (a, b) = (open(paths[0])?, open(paths[1])?);
    let progress = Progress::new("comparing the images", false);
    let difference = diff::diff(&a, &b).map_err(|(number, error)| failed(paths[number], error))?;
    drop(progress);
    for (path, notes) in paths.into_iter().zip(&difference.notes) {
        let notes: Vec<String> = notes.iter().map(|note| format!("{}: {note}", name(path))).collect();
        show::notes(&notes);
    }
    match arguments.json {
        true => print_json(&difference)?,
        false => print(&shown(&difference))?,
    }
    match difference.identical {
        true => Ok(()),
        false => Err(Failure::Verdict(format!(
            "{} and {} differ",
            name(paths[0]),
            name(paths[1])
        ))),
    }
}

fn name(path: &Path) -> String {
    visible_path(path)
}

fn shown(difference: &Difference) -> String {
    if difference.identical {
        return "every byte is the same\n".into();
    }
    let mut out = String::new();
    let visible = |word: &str| text::visible(word.as_bytes());
    let change = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) => format!("{} -> {}", visible(a), visible(b)),
        (Some(a), None) => visible(a),
        (None, Some(b)) => format!("none -> {}", visible(b)),
        (None, None) => String::new(),
    };
    let structures = difference.structures.iter().map(|fact| {
        let b = fact.b.clone().or(Some("none".into()));
        format!("{}: {}", fact.at, change(&fact.a, &b))
    });
    let names = difference.names.iter().map(|name| {
        let path = visible(&name.path);
        match (&name.a, &name.b) {
            (None, None) => format!("{path}: {}", name.what),
            (a, b) => format!("{path}: {} {}", name.what, change(a, b)),
        }
    });
    let bytes = difference.bytes.iter().map(|run| {
        let what = visible(&run.what);
        format!("{:>14} {:>15}  {what}", run.offset, run.bytes)
    });
    section(&mut out, "structures", structures);
    section(&mut out, "names", names);
    section(&mut out, "bytes         from          differ  in", bytes);
    let _ = match difference.different_bytes {
        1 => writeln!(out, "one byte differs"),
        many => writeln!(out, "{many} bytes differ"),
    };
    out
}

fn section(out: &mut String, title: &str, mut lines: impl ExactSizeIterator<Item = String>) {
    if lines.len() == 0 {
        return;
    }
    let _ = writeln!(out, "{title}");
    for line in lines.by_ref().take(LINES) {
        let _ = writeln!(out, "  {line}");
    }
    if lines.len() > 0 {
        let _ = writeln!(out, "  and {} more", lines.len());
    }
    out.push('\n');
}
