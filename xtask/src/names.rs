//! The public names of the library, as its documentation has them, beside the list of those that are meant: `src/door/names.txt`.

use crate::shell;
use qemu_tests::workspace;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Kinds of items, as rustdoc names their pages.
const KINDS: [&str; 7] = ["struct", "enum", "trait", "fn", "type", "constant", "macro"];

/// The members that a page shows, by prefix of the id and by class. Methods of implemented traits have another class.
const MEMBERS: [(&str, &str); 4] = [
    ("method.", "method\""),
    ("tymethod.", "method\""),
    ("variant.", "variant\""),
    ("structfield.", "structfield section-header\""),
];

/// A page with an example contains this.
const EXAMPLE: &str = "class=\"example-wrap\"";

/// The list in the repository.
fn list() -> PathBuf {
    workspace::root().join("src/door/names.txt")
}

/// Fails unless the names are those of the list.
pub(crate) fn check() -> Result<(), String> {
    let wanted = fs::read_to_string(list()).map_err(|error| format!("{}: {error}", list().display()))?;
    let found = found()?;
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (wanted, found) = (lines(&wanted), lines(&found));
    let new = found
        .difference(&wanted)
        .map(|name| format!("{name} is public and not in the list"));
    let gone = wanted
        .difference(&found)
        .map(|name| format!("{name} is in the list and not public"));
    let faults: Vec<String> = new.chain(gone).collect();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "{}\n`cargo xtask bless` takes what is there as right",
            faults.join("\n")
        )),
    }
}

/// What is public now becomes the list.
pub(crate) fn bless() -> Result<(), String> {
    fs::write(list(), found()?).map_err(|error| error.to_string())
}

/// A line for each name, sorted: that of an item, and for each of its members the item, two colons and the member.
fn found() -> Result<String, String> {
    let pages = workspace::target().join("doc/isobuild");
    // Pages of names that are gone would stay.
    if pages.exists() {
        fs::remove_dir_all(&pages).map_err(|error| error.to_string())?;
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([
        "doc",
        "--package",
        "isobuild",
        "--lib",
        "--no-deps",
        "--no-default-features",
        "--locked",
    ]);
    shell::run(cargo.env("RUSTDOCFLAGS", "-D warnings").current_dir(workspace::root()))?;
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(&pages).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((kind, name)) = file.strip_suffix(".html").and_then(|file| file.split_once('.')) else {
            continue;
        };
        if KINDS.contains(&kind) {
            let page = fs::read_to_string(&path).map_err(|error| error.to_string())?;
            if !page.contains(EXAMPLE) {
                return Err(format!("{name} has no example"));
            }
            names.insert(format!("{kind} {name}"));
            names.extend(
                members(&page)
                    .into_iter()
                    .map(|member| format!("{kind} {name}::{member}")),
            );
        }
    }
    Ok(names.into_iter().map(|name| name + "\n").collect())
}

/// The names of what a page has places for.
fn members(page: &str) -> Vec<String> {
    let mut members = Vec::new();
    for section in page.split("id=\"").skip(1) {
        let Some((id, behind)) = section.split_once('"') else {
            continue;
        };
        for (prefix, class) in MEMBERS {
            let is_it = behind
                .strip_prefix(" class=\"")
                .is_some_and(|behind| behind.starts_with(class));
            if let (Some(name), true) = (id.strip_prefix(prefix), is_it) {
                members.push(name.to_owned());
            }
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_a_page_are_those_of_the_type_itself() {
        let page = r#"<section id="method.size" class="method"><h4>pub fn</h4></section>
            <section id="method.fmt" class="method trait-impl">
            <section id="variant.Io" class="variant"><span id="variant.Io.field.path" class="structfield section-header">
            <span id="structfield.offset" class="structfield section-header">"#;
        assert_eq!(members(page), ["size", "Io", "offset"]);
    }
}
