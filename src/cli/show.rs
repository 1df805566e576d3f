//! Facts as text for people.

mod boot;

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::Path;

use super::Failure;
use super::report::render;
use crate::Error;
use crate::facts::cell::{Cell, Firmware};
use crate::facts::verdicts;
use crate::facts::{Changed, Common, Description, Extent, OutputFacts};
use crate::ground::text;
use crate::ground::text::visible_path;
use crate::look::extract;
use crate::manifest::diagnostic::{Report, Severity};
use crate::output::{Target, Written};

/// A line on standard error. What becomes of it changes nothing: the exit code says how the run ended.
pub(super) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// An error on standard error.
pub(super) fn error(error: &Failure) {
    match error {
        Failure::Image(Error::Manifest(faults)) => tell(&render(&faults.0, std::io::stderr().is_terminal())),
        other => tell(&format!("error: {other}")),
    }
}

/// Warnings of the manifest with their places, then those of the plan alone.
pub(super) fn warnings(report: &Report, all: &[String]) {
    let placed = report
        .diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Warning)
        .count();
    if placed > 0 {
        tell(&render(report, std::io::stderr().is_terminal()));
    }
    notes(all.get(placed..).unwrap_or_default());
}

/// Warnings without a place.
pub(super) fn notes<'w>(warnings: impl IntoIterator<Item = &'w String>) {
    for warning in warnings {
        tell(&format!("warning: {}", text::visible(warning.as_bytes())));
    }
}

/// The closing line of a build.
pub(super) fn built(outputs: &[&Path], image: &Description) {
    let cells: Vec<String> = verdicts::that_boot(image).iter().map(ToString::to_string).collect();
    let boots = match verdicts::why_nothing(image) {
        None => format!("boots {}", cells.join(", ")),
        Some(why) if verdicts::claims(&image.facts) => format!("nothing boots it: {why}"),
        Some(_) => "a data image, nothing boots it".into(),
    };
    let names: Vec<_> = outputs.iter().map(|path| visible_path(path)).collect();
    tell(&format!(
        "{}: {}, {boots}",
        names.join(", "),
        text::size(image.facts.size)
    ));
}

/// The files that were written.
pub(super) fn outputs(targets: &[Target], written: &Written) -> Vec<OutputFacts> {
    let files = targets.iter().zip(&written.files);
    let files = files.map(|(target, file)| OutputFacts {
        path: target.path.to_string_lossy().into_owned(),
        format: target.format.name(),
        size: file.size,
        sha256: file.sha256.map(|digest| text::hex(&digest)),
    });
    files.collect()
}

/// The closing line of `convert` for one file. The disk in it has `size` bytes.
pub(super) fn converted(output: &OutputFacts, size: u64) {
    tell(&format!(
        "{}: {} with a disk of {} in it, read back and the same",
        text::visible(output.path.as_bytes()),
        text::size(output.size),
        text::size(size)
    ));
}

/// The closing line of `extract`.
pub(super) fn extracted(directory: &Path, report: &extract::Report) {
    let counts = [
        (report.files, "file", "files"),
        (report.directories, "directory", "directories"),
        (report.symlinks, "symbolic link", "symbolic links"),
        (report.others, "device", "devices"),
    ];
    let counts = counts.into_iter().filter(|(count, ..)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
        .collect();
    let made = match counts.is_empty() {
        true => "nothing".into(),
        false => counts.join(", "),
    };
    tell(&format!(
        "{}: {made}, {}",
        visible_path(directory),
        text::size(report.bytes)
    ));
}

/// The whole image as a picture: one line an extent, in its order.
pub(super) fn picture(image: &Description) -> String {
    let facts = &image.facts;
    let mut out = String::new();
    let filesystems: Vec<String> = facts.filesystems.iter().map(ToString::to_string).collect();
    let size = format!("{} bytes ({})", facts.size, text::size(facts.size));
    let _ = match filesystems.as_slice() {
        [] => writeln!(out, "{size}, a disk without ISO 9660 and UDF"),
        names => {
            let volume_id = text::visible(facts.volume_id.as_bytes());
            writeln!(out, "{volume_id}  {size}  {}", names.join(" "))
        }
    };
    let _ = writeln!(out, "{}", origin(facts));
    let _ = writeln!(out, "\n{:>14}  {:>14}  {:>8}  what", "offset", "length", "size");
    let mut sources = image.planned.sources.iter().map(Option::as_deref);
    for extent in &facts.extents {
        one_extent(&mut out, extent, sources.next().flatten());
    }
    if let Some(changed) = &image.planned.changed {
        changes(&mut out, changed);
    }
    boot::sections(&mut out, image);
    cells(&mut out, image, &[]);
    lines(&mut out, "fault: ", &facts.faults);
    out
}

/// What boots the image and what is wrong with it; of the cells those too that are `required`.
pub(super) fn verdicts(image: &Description, verified: &[String], required: &[Cell]) -> String {
    let mut out = String::new();
    cells(&mut out, image, required);
    lines(&mut out, "", verified);
    lines(&mut out, "fault: ", &image.facts.faults);
    out.trim_start_matches('\n').to_owned()
}

/// A paragraph of its own, a line each.
fn lines(out: &mut String, start: &str, sentences: &[String]) {
    for (number, sentence) in sentences.iter().enumerate() {
        let before = if number == 0 { "\n" } else { "" };
        let _ = writeln!(out, "{before}{start}{}", text::visible(sentence.as_bytes()));
    }
}

/// What is in it, when it was made, and for what.
fn origin(facts: &Common) -> String {
    let counts = [
        (facts.counts.files, "file", "files"),
        (facts.counts.directories, "directory", "directories"),
        (facts.counts.symlinks, "symbolic link", "symbolic links"),
        (facts.counts.others, "special file", "special files"),
    ];
    let counts = counts.iter().filter(|(number, ..)| *number > 0);
    let counts: Vec<String> = counts
        .map(|&(number, one, many)| format!("{number} {}", if number == 1 { one } else { many }))
        .collect();
    let mut line = counts.join(", ");
    if !facts.identifiers.created.is_empty() {
        let _ = write!(line, "; created {}", facts.identifiers.created);
    }
    if let Some(md5) = &facts.media_md5 {
        let _ = write!(line, "; media MD5 {md5}");
    }
    if !facts.identifiers.application_id.is_empty() {
        let _ = write!(
            line,
            "; application {}",
            text::visible(facts.identifiers.application_id.as_bytes())
        );
    }
    line
}

/// The changed ranges, one a line, as extents are shown.
fn changes(out: &mut String, changed: &Changed) {
    let _ = writeln!(
        out,
        "\nchanges: {} bytes more; what stood at byte {} or behind it has moved by them",
        changed.grows, changed.moved_from
    );
    for extent in &changed.extents {
        one_extent(out, extent, None);
    }
}

fn one_extent(out: &mut String, extent: &Extent, source: Option<&str>) {
    let size = text::size(extent.length);
    let _ = writeln!(
        out,
        "{:>14}  {:>14}  {size:>8}  {}",
        extent.offset,
        extent.length,
        what(extent, source)
    );
}

fn what(extent: &Extent, source: Option<&str>) -> String {
    let mut line = extent.what.to_string();
    if !extent.paths.is_empty() {
        let paths: Vec<String> = extent.paths.iter().map(|path| text::visible(path.as_bytes())).collect();
        line = format!("{line}  {}", paths.join(" = "));
    }
    if let Some(source) = source {
        let _ = write!(line, "  <- {source}");
    }
    line
}

/// Only what the image is for: a firmware that boots it from no medium is listed if that is required, if there is a loader for it, or, for a
/// PC, if nothing boots an image that has a table or a catalog.
fn cells(out: &mut String, image: &Description, required: &[Cell]) {
    let facts = &image.facts;
    let why = verdicts::why_nothing(image);
    if let Some(why) = &why {
        let _ = writeln!(out, "\nnothing boots this image: {}", text::visible(why.as_bytes()));
    }
    let has_structure = !facts.partitions.is_empty() || facts.boot_catalog.is_some() || facts.mbr.is_some();
    let of = |firmware| {
        image
            .cells
            .iter()
            .filter(move |verdict| verdict.cell.firmware == firmware)
    };
    let differ = || {
        let pairs = of(Firmware::SecureBoot2011).zip(of(Firmware::SecureBoot2023));
        let mut pairs = pairs;
        pairs.any(|(one, other)| one.boots != other.boots)
    };
    let is_listed = |firmware: Firmware| {
        let is_required = of(firmware).any(|verdict| required.contains(&verdict.cell));
        let is_pc = matches!(firmware, Firmware::Bios | Firmware::Uefi);
        match firmware {
            // `secure-boot` says the same of both.
            Firmware::SecureBoot2011 | Firmware::SecureBoot2023 if !differ() => is_required,
            _ => {
                let boots = of(firmware).any(|verdict| verdict.boots);
                boots
                    || is_required
                    || verdicts::has_loader(facts, firmware)
                    || (why.is_some() && has_structure && is_pc)
            }
        }
    };
    let listed: Vec<_> = image
        .cells
        .iter()
        .filter(|cell| is_listed(cell.cell.firmware))
        .collect();
    if !listed.is_empty() {
        let _ = writeln!(out, "\ncells");
    }
    let longest = listed.iter().map(|cell| cell.cell.to_string().len()).max();
    let width = longest.unwrap_or_default().max(20);
    for cell in listed {
        let verdict = if cell.boots { "yes" } else { "no " };
        let reason = text::visible(cell.reason.as_bytes());
        let _ = writeln!(out, "  {:<width$} {verdict}  {reason}", cell.cell.to_string());
    }
    if verdicts::needs_third_party(image) {
        let _ = writeln!(
            out,
            "  PCs that trust Windows' certificates alone start no shim until \"Microsoft 3rd party UEFI CA\" is on in their set-up"
        );
    }
}
