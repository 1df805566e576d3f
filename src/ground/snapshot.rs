//! Texts that tests expect, in files: `cargo xtask bless` renews them, and a person reads what changed.

use std::fs;
use std::path::Path;

/// Compares a text with the file of this path under `src`, or writes it there if `ISOBUILD_BLESS` is set.
pub(crate) fn snapshot(path: &str, found: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path);
    if std::env::var_os("ISOBUILD_BLESS").is_some() {
        fs::write(&file, found).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    let mut lines = (1..).zip(found.lines().zip(expected.lines()));
    let differs = lines.find(|(_, (found, expected))| found != expected);
    assert!(
        found == expected,
        "src/{path} is not what is said now; of the lines that both have, the first that differs: {differs:#?}\n\
         `cargo xtask bless` takes what is said now as right"
    );
}
