//! `cargo xtask bless`: what is built now becomes what is expected.
//!
//! For each example: the pins of its inputs, `plan.txt` (the text of `isobuild plan`) and `image.sha256`. `test.toml` is
//! written by hand and stays: it is the word against which the others are read. And the texts of the unit tests whose names begin with
//! `snapshot_of_`, and the public names of the library, `src/door/names.txt`.

use crate::inputs;
use crate::names;
use crate::shell;
use qemu_tests::example::{Example, build};
use qemu_tests::pins::{self, Inputs, State};
use qemu_tests::{hash, workspace};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Blesses one example, or all.
pub(crate) fn run(name: Option<&str>) -> Result<(), String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    shell::run(cargo.args(["build", "--release"]).current_dir(workspace::root()))?;
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => {
            snapshots()?;
            names::bless()?;
            workspace::examples()?
        }
    };
    for name in names {
        inputs::run(Some(&name))?;
        pin(&pins::load(&name)?)?;
        golden(&Example::load(&name)?)?;
    }
    Ok(())
}

/// The texts that unit tests hold: the JSON of facts, what is said of faults, verdicts.
fn snapshots() -> Result<(), String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--package", "isobuild", "--lib", "snapshot_of_"]);
    shell::run(cargo.env("ISOBUILD_BLESS", "1").current_dir(workspace::root()))
}

fn golden(example: &Example) -> Result<(), String> {
    let isobuild = workspace::isobuild()?;
    // From the root, as the test does, so that no path of this machine gets into the plan.
    let root = workspace::root();
    let manifest = Path::new("examples").join(&example.name).join("manifest.toml");
    let mut plan = Command::new(&isobuild);
    let plan = shell::output(plan.arg("plan").arg(&manifest).current_dir(&root))?;
    replace(&example.dir.join("plan.txt"), &plan)?;
    let scratch = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
    let image = scratch.path().join("image.iso");
    build(Command::new(&isobuild).current_dir(&root), &manifest, &image)?;
    let digest = format!("{}\n", hash::file(&image)?);
    replace(&example.dir.join("image.sha256"), digest.as_bytes())
}

/// Writes a file if that changes it, and says so.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    println!("bless: {}", path.display());
    fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}

/// Writes the versions and digests of what is in the inputs' directory over the pins, and leaves the rest of the file, with
/// its comments, as it is.
fn pin(inputs: &Inputs) -> Result<(), String> {
    if inputs.state()? == State::Pinned {
        return Ok(());
    }
    let mut wanted = inputs.clone();
    for package in &mut wanted.packages {
        if package.version.is_some() {
            package.version = Some(inputs::fetched_version(package)?);
        }
        for file in &mut package.files {
            if file.sha256.is_some() {
                file.sha256 = Some(hash::file(&inputs.dir.join(&file.name))?);
            }
        }
    }
    let old = fs::read_to_string(&inputs.pins).map_err(|e| e.to_string())?;
    let new = rewrite(&old, &wanted);
    if pins::parse(&new)?.package != wanted.packages {
        return Err(format!(
            "{}: write each package as the others are",
            inputs.pins.display()
        ));
    }
    replace(&inputs.pins, new.as_bytes())
}

/// One key or one file is on one line, so a line tells which pin it holds.
fn rewrite(text: &str, wanted: &Inputs) -> String {
    let mut package = None;
    let mut lines = String::new();
    for line in text.lines() {
        if let Some(name) = quoted(line, "name = ") {
            package = wanted.packages.iter().find(|package| package.name == name);
        }
        let version = package.and_then(|package| package.version.as_deref());
        let file = quoted(line, "as = ").and_then(|name| {
            package
                .into_iter()
                .flat_map(|p| &p.files)
                .find(|file| file.name == name)
        });
        let digest = file.and_then(|file| file.sha256.as_deref());
        let line = match (quoted(line, "version = "), quoted(line, "sha256 = ")) {
            (Some(old), _) => line.replace(&format!("\"{old}\""), &format!("\"{}\"", version.unwrap_or(old))),
            (_, Some(old)) => line.replace(&format!("\"{old}\""), &format!("\"{}\"", digest.unwrap_or(old))),
            _ => line.to_owned(),
        };
        lines += &line;
        lines.push('\n');
    }
    lines
}

/// The string after a key in a line that is no comment.
fn quoted<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    if line.trim_start().starts_with('#') {
        return None;
    }
    let (before, rest) = line.split_once(&format!("{key}\""))?;
    before
        .trim_end()
        .chars()
        .next_back()
        .is_none_or(|c| ",{".contains(c))
        .then_some(())?;
    rest.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# name = \"no\"\n[[package]]\nname = \"a\"\nversion = \"1\"\nfiles = [\n    \
        { path = \"/x\", as = \"x\", sha256 = \"old\" },\n]\n";

    #[test]
    fn pins_are_replaced_and_comments_kept() {
        let mut packages = pins::parse(TEXT).unwrap().package;
        packages[0].version = Some("2".into());
        packages[0].files[0].sha256 = Some("new".into());
        let wanted = Inputs {
            name: "t".into(),
            pins: "p".into(),
            dir: "d".into(),
            packages,
            packed: Vec::new(),
            stand_ins: Vec::new(),
            built: Vec::new(),
        };
        let text = rewrite(TEXT, &wanted);
        assert_eq!(text, TEXT.replace("\"1\"", "\"2\"").replace("old", "new"));
        assert_eq!(pins::parse(&text).unwrap().package, wanted.packages);
    }
}
