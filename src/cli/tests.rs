//! What people read about wrong manifests, and the verdicts on images: each text stands in a file.

use std::fmt::Write as _;
use std::path::Path;

use super::report::render;
use super::show;
use crate::facts::Description;
use crate::ground::snapshot::snapshot;
use crate::manifest::{self, DiskLayout};
use crate::plan::Late;
use crate::resolve::Environment;
use crate::{Error, Image};

/// The image of a manifest in a directory with a few files; errors name it `m.toml`.
fn image(text: &str) -> Result<Image, Error> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/tests/inputs/m.toml");
    let mut document = manifest::parse(&path, text)?;
    // Paths stay as they are written, and no path of this machine is said.
    document.manifest.output = vec!["out.iso".to_owned().into()];
    Image::of(document, &Environment::default())
}

/// The manifests of a text, each with its name. A line that begins with `@` names the manifest below it.
fn manifests(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let manifests = text.split("\n@ ").skip(1);
    manifests.map(|manifest| manifest.split_once('\n').unwrap_or((manifest, "")))
}

#[test]
fn snapshot_of_every_fault() {
    let mut said = String::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/tests/inputs/");
    for (name, text) in manifests(include_str!("tests/faults.toml")) {
        let Err(error) = image(text) else {
            panic!("{name}: no fault");
        };
        let shown = match &error {
            Error::Manifest(faults) => render(&faults.0, false),
            other => format!("error: {other}"),
        };
        let shown = shown.replace(&*here.to_string_lossy(), "");
        let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
        let _ = writeln!(said, "@ {name}\n{}\n", lines.join("\n"));
    }
    assert!(said.matches("@ ").count() > 40);
    snapshot("cli/tests/faults.txt", &said);
}

/// The verdicts on images of a few kinds in every layout.
#[test]
fn snapshot_of_the_verdicts() {
    use DiskLayout::{Gpt, Isohybrid, Mbr, MultiSector, None, Universal};
    let mut said = String::new();
    for (name, text) in manifests(include_str!("tests/images.toml")) {
        for layout in [Universal, MultiSector, Gpt, Mbr, Isohybrid, None] {
            let with = format!("[disk]\nlayout = \"{}\"\n{text}", layout.word());
            let _ = writeln!(said, "@ {name}, {}", layout.word());
            match image(&with) {
                Ok(image) => {
                    let described: Description = image.describe(&Late::default()).unwrap();
                    said += &show::verdicts(&described, &[], &[]);
                    let boots: Vec<String> = described
                        .cells
                        .iter()
                        .filter(|cell| cell.boots)
                        .map(|cell| cell.cell.to_string())
                        .collect();
                    let _ = writeln!(said, "boots in {} cells {}", boots.len(), boots.join(" "));
                }
                Err(error) => {
                    let _ = writeln!(said, "{}\n", error.to_string().rsplit('/').next().unwrap());
                }
            }
        }
    }
    snapshot("cli/tests/verdicts.txt", &said);
}
