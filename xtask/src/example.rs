//! `cargo xtask example NAME`: from a fresh clone to the image of an example.

use crate::{inputs, shell};
use qemu_tests::workspace;
use std::path::Path;
use std::process::Command;

/// Builds the program, fetches what the example needs, and builds its image.
pub(crate) fn run(name: &str) -> Result<(), String> {
    let known = workspace::examples()?;
    if !known.iter().any(|example| example == name) {
        return Err(format!("there is no example {name}; there are {}", known.join(", ")));
    }
    let root = workspace::root();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    shell::run(cargo.args(["build", "--release"]).current_dir(&root))?;
    inputs::run(Some(name))?;
    // From the root, so that the path in the closing line is one to type.
    let manifest = Path::new("examples").join(name).join("manifest.toml");
    shell::run(Command::new(workspace::isobuild()?).arg(manifest).current_dir(&root))
}
