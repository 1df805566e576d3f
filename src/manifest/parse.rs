//! Text to types. One run shows every fault: the syntax errors that the parser recovers from, every unknown key, and then each value
//! of the wrong type, which is taken out so that the next one is found.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Manifest, SHOWN, keys};
use crate::manifest::diagnostic::Diagnostic;

/// The manifest as far as it can be read, and its faults. Without a fault there is a manifest.
pub(super) fn parse(text: &str) -> (Option<Manifest>, Vec<Diagnostic>) {
    let (mut root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let mut faults: Vec<Diagnostic> = errors.iter().map(|error| syntax(error, text)).collect();
        faults.sort_by_key(Diagnostic::offset);
        // The parser's errors about the rest of the line are not faults of their own.
        faults.dedup_by(|later, first| {
            !text
                .get(first.offset()..later.offset())
                .unwrap_or_default()
                .contains('\n')
        });
        return (None, faults);
    }
    let mut diagnostics = keys::check(root.get_mut());
    loop {
        let error = match Manifest::deserialize(toml::Deserializer::from(root.clone())) {
            Ok(manifest) => return (Some(manifest), diagnostics),
            Err(error) => error,
        };
        let span = error.span().unwrap_or(0..0);
        diagnostics.push(wrong_type(error.message(), span.clone(), text));
        if diagnostics.len() > SHOWN || !remove_from_table(root.get_mut(), &span) {
            return (None, diagnostics);
        }
    }
}

fn syntax(error: &toml::de::Error, text: &str) -> Diagnostic {
    let span = error.span().unwrap_or(0..0);
    let message = error.message().trim_end();
    let (first, rest) = message.split_once('\n').unwrap_or((message, ""));
    let mut diagnostic = Diagnostic::error(first, span.clone(), rest);
    if first.contains("duplicate key")
        && let Some(first) = text.get(span).and_then(|key| earlier(text, key, diagnostic.offset()))
    {
        diagnostic = diagnostic.with_label(first, "first here");
    }
    diagnostic
}

/// Where the key that is written as `key` stands before `end`, in the nearest line that begins with it.
fn earlier(text: &str, key: &str, end: usize) -> Option<Range<usize>> {
    let mut found = None;
    let mut at = 0;
    for line in text.get(..end)?.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '\t', '[']).len();
        let rest = &line[indent..];
        if rest.starts_with(key)
            && !rest[key.len()..].starts_with(|next: char| next.is_alphanumeric() || "_-".contains(next))
        {
            found = Some(at + indent..at + indent + key.len());
        }
        at += line.len();
    }
    found
}

fn wrong_type(message: &str, span: Range<usize>, text: &str) -> Diagnostic {
    let message = message.trim_end();
    if let Some(field) = message.strip_prefix("missing field ") {
        // The span is that of the whole table, which may be long; its first line is enough.
        let first_line = text
            .get(span.clone())
            .unwrap_or_default()
            .lines()
            .next()
            .unwrap_or_default()
            .len();
        let span = span.start..span.start + first_line;
        return Diagnostic::error(format!("the key {field} is missing"), span, "in this table");
    }
    if let Some((found, expected)) = message
        .strip_prefix("invalid type: ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        return not_that_type(found, expected, span, text);
    }
    let Some((variant, known)) = message
        .strip_prefix("unknown variant `")
        .and_then(|rest| rest.split_once('`'))
    else {
        return Diagnostic::error(message, span, "");
    };
    let words: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let listed: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    let message = format!("{variant:?} is not one of {}", listed.join(", "));
    let error = Diagnostic::error(message, span, "not a word of this key");
    match keys::nearest(variant, words.into_iter()) {
        Some(near) => error.with_help(format!("did you mean \"{near}\"?")),
        None => error,
    }
}

/// The error about a value of another type. serde's names of types become TOML's.
fn not_that_type(found: &str, expected: &str, span: Range<usize>, text: &str) -> Diagnostic {
    let (kind, _) = found.split_once(' ').unwrap_or((found, ""));
    let of = |kind: &str| match kind {
        "map" => "a table",
        "sequence" => "a list",
        "string" => "a string",
        "integer" => "an integer",
        "floating" => "a number with a fraction",
        "boolean" => "true or false",
        "unit" => "nothing",
        "struct" => "a table",
        _ => "a value",
    };
    let wanted = match expected {
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        "a boolean" => "true or false".to_owned(),
        _ if expected.starts_with("struct ") => "a table".to_owned(),
        "i64" | "u32" | "u64" | "i32" | "usize" => "an integer".to_owned(),
        other => other.to_owned(),
    };
    let written = text.get(span.clone()).unwrap_or_default();
    let is_list = written.starts_with("[[");
    let is_table = written.starts_with('[') && !is_list;
    let name = written.trim_start_matches('[').split(']').next().unwrap_or_default();
    if kind == "map" && wanted == "a list" && is_table {
        let message = format!("[{name}] is one table, and `{name}` is a list of tables");
        let error = Diagnostic::error(message, span, "one pair of brackets");
        return error.with_help(format!("write [[{name}]], once for each"));
    }
    if kind == "sequence" && wanted == "a table" && is_list {
        let message = format!("[[{name}]] is a list of tables, and `{name}` is one table");
        let error = Diagnostic::error(message, span, "two pairs of brackets");
        return error.with_help(format!("write [{name}]"));
    }
    let shown = written.lines().next().unwrap_or_default();
    let message = match shown.is_empty() || shown.len() > 40 {
        true => format!("this is {}, and {wanted} is wanted here", of(kind)),
        false => format!("{shown} is {}, and {wanted} is wanted here", of(kind)),
    };
    Diagnostic::error(message, span, "this value has the wrong type")
}

/// Takes the innermost value that contains `span` out of the table. False if there is none.
fn remove_from_table(table: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    // The span of a table is that of its header, so what is in it is looked at in any case.
    if table.iter_mut().any(|(_, value)| remove_inside(value, span)) {
        return true;
    }
    let holds = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    let wrong = table
        .iter()
        .find(|(key, value)| holds(value.span()) || holds(key.span()));
    let wrong = wrong.map(|(key, _)| key.get_ref().to_string());
    wrong.is_some_and(|key| table.remove(key.as_str()).is_some())
}

fn remove_inside(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    match value.get_mut() {
        DeValue::Table(table) => remove_from_table(table, span),
        DeValue::Array(items) => {
            if items.iter_mut().any(|item| remove_inside(item, span)) {
                return true;
            }
            let before = items.len();
            let outside = |item: &Spanned<DeValue<'_>>| span.start < item.span().start || item.span().end < span.end;
            *items = items.iter().filter(|item| outside(item)).cloned().collect();
            items.len() < before
        }
        _ => false,
    }
}
