//! The JSON of facts is stable: other programs read it.

use super::{BOOT, host};
use crate::ground::snapshot::snapshot;

/// All of it, of an image with an index of each kind. A change here is a change for whoever reads it, and stands in `CHANGELOG.md`.
#[test]
fn snapshot_of_the_json() {
    let manifest = format!(
        "{BOOT}\"/outside\" = \"loader\"\n[disk]\nlayout = \"multi-sector\"\n[[boot.entry]]\nplatform = 0x9a\nimage = \"loader\"\n"
    );
    let (described, _) = host().build(&manifest);
    let json = serde_json::to_string_pretty(&described).unwrap() + "\n";
    snapshot("plan/tests/facts.json", &json);
}
