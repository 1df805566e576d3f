//! Where things are: the repository, its examples, cargo's target directory and the binary under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The root of the repository.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// Where fetched packages, the virtual environment and logs go: ignored by git and cleared by `cargo clean`.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// The program under test: `$ISOBUILD`, else the release build. If cargo runs the tests, it is built first. A debug build would take ten times
/// as long for an installer.
pub fn isobuild() -> Result<PathBuf, String> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PROGRAM.get_or_init(program).clone()
}

fn program() -> Result<PathBuf, String> {
    let path = match std::env::var_os("ISOBUILD") {
        Some(path) => root().join(path),
        None => {
            build()?;
            target().join("release/isobuild")
        }
    };
    match path.is_file() {
        true => Ok(path),
        false => Err(format!(
            "{} does not exist: run cargo build --release, or set ISOBUILD",
            path.display()
        )),
    }
}

/// Builds the program, so that no test runs an older one.
fn build() -> Result<(), String> {
    let Some(cargo) = std::env::var_os("CARGO") else {
        return Ok(());
    };
    let mut cargo = Command::new(cargo);
    cargo.args([
        "build",
        "--release",
        "--locked",
        "--quiet",
        "--package",
        "isobuild",
        "--bin",
        "isobuild",
    ]);
    let output = cargo.current_dir(root()).output();
    let output = output.map_err(|error| format!("cargo: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// The names of the directories under `examples` that hold a manifest, in order.
pub fn examples() -> Result<Vec<String>, String> {
    let dir = root().join("examples");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))? {
        let path = entry.map_err(|e| format!("{}: {e}", dir.display()))?.path();
        if path.join("manifest.toml").is_file()
            && let Some(name) = path.file_name().and_then(|name| name.to_str())
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The README and the pages that it leads to.
    #[test]
    fn every_link_of_a_page_leads_to_a_file() {
        let manual = root().join("src/cli/manual");
        let mut pages = vec![root().join("README.md")];
        pages.extend(fs::read_dir(&manual).unwrap().map(|entry| entry.unwrap().path()));
        let readme = fs::read_to_string(&pages[0]).unwrap();
        for page in &pages {
            let text = fs::read_to_string(page).unwrap();
            let links = text.split("](").skip(1).map(|rest| &rest[..rest.find(')').unwrap()]);
            for link in links.filter(|link| !link.contains("://")) {
                let target = page.parent().unwrap().join(link);
                assert!(target.exists(), "{}: {link}", page.display());
            }
            let name = page.file_name().unwrap().to_str().unwrap();
            let is_known = name == "README.md" || readme.contains(&format!("(src/cli/manual/{name})"));
            assert!(is_known, "the README does not lead to {name}");
        }
        assert!(pages.len() > 5);
    }
}
