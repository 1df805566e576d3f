//! `isobuild doctor`

use clap::Args;
use serde::Serialize;

use super::{Failure, print, print_json};
use crate::ground::installed::Installed;
use crate::resolve::loader::assets;
use crate::vm::doctor;

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    programs: Vec<Installed>,
}

pub(super) fn run(arguments: &Doctor) -> Result<(), Failure> {
    let programs = [doctor::examine(), assets::installed()].concat();
    if arguments.json {
        return print_json(&Report { programs });
    }
    let lines = programs.iter().map(line);
    print(&lines.collect::<String>())
}

/// Name, place, version and signers, or what is missing.
fn line(program: &Installed) -> String {
    let mut words: Vec<&str> = [&program.path, &program.version, &program.missing]
        .into_iter()
        .filter_map(|word| word.as_deref())
        .collect();
    let signers = program.signed_by.join(", ");
    let signed = format!("signed by {signers}");
    if !signers.is_empty() {
        words.push(&signed);
    }
    format!("{:24} {}\n", program.name, words.join(", "))
}
