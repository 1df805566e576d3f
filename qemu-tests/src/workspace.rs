//! Where things are: the repository, its examples, cargo's target directory and the binary under test.

use std::path::{Path, PathBuf};

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

/// The program under test: `$ISOBUILD`, else the release build. A debug build is ten times slower over an installer.
pub fn isobuild() -> Result<PathBuf, String> {
    let path = match std::env::var_os("ISOBUILD") {
        Some(path) => root().join(path),
        None => target().join("release/isobuild"),
    };
    if path.is_file() {
        return Ok(path);
    }
    Err(format!(
        "{} does not exist: run cargo build --release, or set ISOBUILD",
        path.display()
    ))
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
