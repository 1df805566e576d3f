//! What the dependencies are allowed to be, asked of `cargo metadata` alone, so that the answer needs no network:
//! a licence that our users can live with, and no C code, so that `cargo install` works wherever there is a Rust compiler.

use crate::shell;
use serde_json::Value;
use std::process::Command;

/// Licences that ask for no more than a notice.
const ALLOWED: [&str; 10] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Unicode-3.0",
    "Zlib",
    "bzip2-1.0.6",
    "Unlicense",
];

/// Dependencies of other platforms are not built, and some of them name a library in `links` only to be unique.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Build dependencies that compile or link C.
const COMPILES_C: [&str; 5] = ["cc", "cmake", "pkg-config", "bindgen", "autocfg-cc"];

/// Checks every package that a build uses.
pub(crate) fn check() -> Result<(), String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([
        "metadata",
        "--format-version=1",
        "--locked",
        "--filter-platform",
        PLATFORM,
    ]);
    let metadata: Value =
        serde_json::from_slice(&shell::output(&mut cargo)?).map_err(|e| format!("cargo metadata: {e}"))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata: no packages")?;
    let faults: Vec<String> = packages.iter().flat_map(faults).collect();
    if faults.is_empty() {
        println!(
            "licences: {} packages have allowed licences and no C code",
            packages.len()
        );
        return Ok(());
    }
    Err(faults.join("\n"))
}

fn faults(package: &Value) -> Vec<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let mut faults = Vec::new();
    match package["license"].as_str() {
        Some(expression) if allowed(expression) => {}
        Some(expression) => faults.push(format!("{name}: the licence {expression} is not allowed")),
        None => faults.push(format!("{name}: names no licence")),
    }
    if let Some(library) = package["links"].as_str() {
        faults.push(format!("{name}: links the native library {library}"));
    }
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let build = dependency["kind"].as_str() == Some("build");
        let optional = dependency["optional"].as_bool() == Some(true);
        let on = dependency["name"].as_str().unwrap_or_default();
        if build && !optional && COMPILES_C.contains(&on) {
            faults.push(format!("{name}: its build script depends on {on}"));
        }
    }
    faults
}

/// SPDX: `OR` gives a choice, `AND` binds to both and binds tighter. The old `/` of crates.io means `OR`.
fn allowed(expression: &str) -> bool {
    let expression = expression.replace(['(', ')'], " ").replace('/', " OR ");
    expression
        .split(" OR ")
        .any(|choice| choice.split(" AND ").all(|licence| ALLOWED.contains(&licence.trim())))
}
