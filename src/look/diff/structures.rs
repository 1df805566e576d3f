//! Facts side by side, as their JSON has them.

use serde_json::Value;

use super::Fact;
use crate::facts::Description;

/// Facts that follow from others, or that names and bytes are compared by.
const LEFT_OUT: [&str; 5] = ["extents", "cells", "warnings", "name_map", "sha256"];

/// The facts that differ, by the names of their keys.
pub(super) fn compare(a: &Description, b: &Description) -> Vec<Fact> {
    let mut facts = Vec::new();
    let json = |image: &Description| {
        let mut json = serde_json::to_value(image).unwrap_or_default();
        if let Value::Object(keys) = &mut json {
            keys.retain(|key, _| !LEFT_OUT.contains(&key.as_str()));
        }
        json
    };
    walk(Some(&json(a)), Some(&json(b)), "", &mut facts);
    facts
}

fn walk(a: Option<&Value>, b: Option<&Value>, at: &str, facts: &mut Vec<Fact>) {
    let below = |key: &str| match at {
        "" => key.to_owned(),
        at => format!("{at} {key}"),
    };
    match (a, b) {
        (a, b) if a == b => {}
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let new = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(new) {
                walk(a.get(key), b.get(key), &below(key), facts);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for number in 0..a.len().max(b.len()) {
                walk(a.get(number), b.get(number), &below(&(number + 1).to_string()), facts);
            }
        }
        (a, b) => facts.push(Fact {
            at: at.to_owned(),
            a: a.and_then(words),
            b: b.and_then(words),
        }),
    }
}

fn words(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
