//! `isobuild write` onto a disc.

use std::path::Path;
use std::process::Command;

use super::Failure;
use crate::device::{Burner, Target};
use crate::ground::text::visible_path;
use crate::look::open::Name;
use crate::output::Interrupt;

use super::open::opened;
use super::progress::Progress;
use super::verify;

/// Has a burner that is installed write the image at `name` to the disc, then compares it with the image.
pub(super) fn burn(target: &Target, name: &Path, quiet: bool, interrupt: &Interrupt) -> Result<(), Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let burner = Burner::find(&path).ok_or_else(|| Failure::Failed(Burner::missing()))?;
    let image = opened(name, Name::Needed, interrupt)?;
    let failed = |message: String| Failure::io(target.path().to_owned(), "burning", std::io::Error::other(message));
    let arguments = burner.arguments(image.path(), target.path());
    let program = visible_path(burner.program());
    if !quiet {
        let words: Vec<_> = arguments.iter().map(|word| visible_path(Path::new(word))).collect();
        eprintln!("{program} {}", words.join(" "));
    }
    let status = Command::new(burner.program()).args(&arguments).status();
    let status = status.map_err(|error| failed(format!("{program}: {error}")))?;
    if !status.success() {
        return Err(failed(format!(
            "{program} has failed ({status}); what it said stands above"
        )));
    }
    let progress = Progress::new("looking at the disc", quiet);
    verify::compare((name, &image), target.path(), false, progress, interrupt).inspect_err(|_| {
        eprintln!("If the drive does not show the new disc yet, open and close it, and use isobuild verify.");
    })
}
