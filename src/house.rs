//! The rules of the house, as tests: which room may know which, and what the pure ones may not touch.

use std::fs;
use std::path::{Path, PathBuf};

/// Every room, the lowest first. A room knows those before it.
const ROOMS: [&str; 13] = [
    "ground", "formats", "facts", "tree", "output", "manifest", "look", "resolve", "plan", "device", "vm", "door",
    "cli",
];

/// What the planner may know. Its tests know what is below it: they begin with manifests, and read what was written.
const PLAN_KNOWS: [&str; 5] = ["ground", "formats", "facts", "tree", "output"];

/// Rooms of functions of their arguments: the same inputs give the same bytes on every host, at any time.
const PURE: [&str; 4] = ["formats", "facts", "tree", "plan"];

/// What a pure room does not touch.
const IMPURE: [&str; 6] = [
    "std::fs",
    "std::env",
    "std::process",
    "rustix",
    "tempfile",
    "SystemTime",
];

/// A file of the house.
struct File {
    /// Components of its path under `src`, the last without `.rs`; of a `mod.rs` the directory's.
    path: Vec<String>,
    /// Its text up to its own tests.
    code: String,
    /// Its tests.
    tests: String,
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        let path = path.strip_suffix(".rs").unwrap_or(path);
        let path = path.strip_suffix("/mod").unwrap_or(path);
        let path: Vec<String> = path.split('/').map(str::to_owned).collect();
        let own_tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        let (code, tests) = match path.iter().any(|part| part == "tests") {
            true => ("", text),
            false => text.split_at(own_tests),
        };
        Self {
            path,
            code: code.to_owned(),
            tests: tests.to_owned(),
        }
    }

    fn room(&self) -> &str {
        &self.path[0]
    }

    /// What breaks a rule, a line each.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut say = |what: String| faults.push(format!("src/{}: {what}", self.path.join("/")));
        let rank = |room: &str| ROOMS.iter().position(|known| *known == room);
        let Some(own) = rank(self.room()) else {
            say("is in no room".into());
            return faults;
        };
        for (text, is_test) in [(&self.code, false), (&self.tests, true)] {
            for path in paths(text) {
                // A name at the crate's root is one of the door's.
                let room = match path[0].starts_with(char::is_uppercase) {
                    true => "door",
                    false => path[0].as_str(),
                };
                let Some(other) = rank(room) else {
                    say(format!("crate::{room} is no room"));
                    continue;
                };
                let is_leaf_of_another =
                    room == "formats" && self.room() == "formats" && path.get(1) != self.path.get(1);
                if other > own {
                    say(format!("knows {room}, which is above it"));
                } else if !is_test && self.room() == "plan" && other < own && !PLAN_KNOWS.contains(&room) {
                    say(format!(
                        "knows {room}, and plan knows what goes in and nothing of where that comes from"
                    ));
                } else if !is_test && is_leaf_of_another {
                    say(format!("knows {path:?}, and a leaf knows its own standard"));
                }
            }
        }
        // Depth of the file's module: so many `super` lead out of the crate's room.
        for line in self.code.lines().filter(|line| line.starts_with("use super::")) {
            if line.matches("super::").count() >= self.path.len() {
                say(format!("leaves its room by {line:?}; write crate::"));
            }
        }
        if PURE.contains(&self.room()) {
            for word in IMPURE.into_iter().filter(|word| self.code.contains(word)) {
                say(format!("touches {word}, and {} is pure", self.room()));
            }
        }
        faults
    }
}

/// Every path behind `crate::`, in imports, groups of them, code and documentation: its components, two at most.
fn paths(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let behind = &text[at + "crate::".len()..];
        let behind = behind.strip_prefix("mod@").unwrap_or(behind);
        match behind.strip_prefix('{') {
            None => found.push(components(behind)),
            Some(group) => {
                let mut depth = 1;
                let mut is_start = true;
                for (at, character) in group.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' => is_start = true,
                        _ if character.is_whitespace() => {}
                        _ if is_start && depth == 1 => {
                            found.push(components(&group[at..]));
                            is_start = false;
                        }
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                }
            }
        }
    }
    found
}

fn components(path: &str) -> Vec<String> {
    let word = |part: &str| {
        let end = part
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(part.len());
        part[..end].to_owned()
    };
    path.split("::").take(2).map(word).collect()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false if path.extension().is_some_and(|end| end == "rs") => found.push(path),
            false => {}
        }
    }
}

#[test]
fn every_room_knows_those_below_it_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for room in ROOMS {
        sources(&root.join(room), &mut found);
    }
    assert!(found.len() > 200, "{} files", found.len());
    let beside: Vec<PathBuf> = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let beside = beside.iter().map(|path| path.file_name().unwrap().to_str().unwrap());
    for name in beside {
        assert!(
            ROOMS.contains(&name) || ["lib.rs", "house.rs"].contains(&name),
            "src/{name} is in no room"
        );
    }
    let faults = found.iter().flat_map(|path| {
        let text = fs::read_to_string(path).unwrap();
        File::new(path.strip_prefix(&root).unwrap().to_str().unwrap(), &text).faults()
    });
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_breaks_a_rule_is_found() {
    for (path, text, wanted) in [
        ("look/diff/mod.rs", "use crate::facts::Extent;\nuse super::digests;", 0),
        ("look/diff/mod.rs", "/// See [`mod@crate::plan`].\n", 1),
        ("look/diff/mod.rs", "use crate::{facts, plan::{a, b}, vm};", 2),
        ("look/mod.rs", "use super::facts;", 1),
        ("look/diff/names.rs", "use super::super::super::facts;", 1),
        ("plan/mod.rs", "use crate::manifest::parse;", 1),
        (
            "plan/mod.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::manifest::parse;",
            0,
        ),
        ("plan/tests/boot.rs", "use crate::vm::Guest;", 1),
        ("formats/pe.rs", "use crate::formats::fat;", 1),
        (
            "formats/pe/sections.rs",
            "use crate::formats::pe::Pe;\nuse crate::ground::text;",
            0,
        ),
        ("formats/pe.rs", "let file = std::fs::File::open(path);", 1),
        ("image.rs", "", 1),
    ] {
        let found = File::new(path, text).faults();
        assert_eq!(found.len(), wanted, "{path}: {text}: {found:?}");
    }
}
