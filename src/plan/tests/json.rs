//! The JSON of described is stable: other programs read it.

use super::{BOOT, host};

/// All of it, of an image with an index of each kind. A change here is a change for whoever reads it, and stands in `CHANGELOG.md`.
#[test]
fn the_json_keeps_its_form() {
    let manifest = format!(
        "{BOOT}\"/outside\" = \"loader\"\n[disk]\nlayout = \"multi-sector\"\n[[boot.entry]]\nplatform = 0x9a\nimage = \"loader\"\n"
    );
    let (described, _) = host().build(&manifest);
    let json = serde_json::to_string_pretty(&described).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/plan/tests/facts.json");
    if std::env::var_os("ISOBUILD_BLESS").is_some() {
        std::fs::write(path, &json).unwrap();
    }
    assert_eq!(json, std::fs::read_to_string(path).unwrap());
}
