//! Any text as a manifest, and what is said of its faults.

#![no_main]

use std::path::Path;

use isobuild::inside::manifest::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse(Path::new("manifest.toml"), text) {
        Ok(document) => drop(document.warnings),
        Err(error) => drop(error.to_string()),
    }
});
