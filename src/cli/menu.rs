//! `isobuild menu`

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use crate::facts::cell::Firmware;
use crate::ground::text::visible;
use crate::look::menu::{self, Entry};

use super::ls::failed;
use super::open::open;
use super::{Failure, print, print_json, show};

#[derive(Debug, Args)]
pub(super) struct Menu {
    /// An ISO 9660 or UDF image, or a disk with partitions or a file system.
    image: PathBuf,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Menu) -> Result<(), Failure> {
    let image = open(&arguments.image)?;
    let menu = menu::read(&image).map_err(|error| failed(&arguments.image, error))?;
    show::notes(&menu.notes);
    match arguments.json {
        true => print_json(&menu),
        false => print(&shown(&menu)),
    }
}

/// The menus as text. Firmwares with the same menu share a section.
fn shown(menu: &menu::Menu) -> String {
    let mut groups: Vec<(Vec<Firmware>, Vec<&Entry>)> = Vec::new();
    for firmware in Firmware::ALL {
        let of: Vec<&Entry> = menu.entries.iter().filter(|entry| entry.firmware == firmware).collect();
        let is_same = |known: &[&Entry]| {
            let pairs = known.iter().zip(&of);
            known.len() == of.len() && pairs.into_iter().all(|(a, b)| same(a, b))
        };
        match groups.iter_mut().find(|(_, known)| is_same(known)) {
            _ if of.is_empty() => {}
            Some((names, _)) => names.push(firmware),
            None => groups.push((vec![firmware], of)),
        }
    }
    let mut out = String::new();
    for (firmware, entries) in &groups {
        let names: Vec<&str> = firmware.iter().map(|firmware| firmware.name()).collect();
        let mut last = ("", false);
        for entry in entries {
            if last != (entry.config.as_str(), entry.loopback) {
                let before = if out.is_empty() { "" } else { "\n" };
                let config = visible(entry.config.as_bytes());
                let how = match entry.loopback {
                    true => ", where GRUB starts the image as a file on another medium",
                    false => "",
                };
                let _ = writeln!(out, "{before}{}  {config}{how}", names.join(", "));
                last = (&entry.config, entry.loopback);
            }
            one(&mut out, entry);
        }
    }
    match out.is_empty() {
        true => "the image has no boot menu that is known\n".into(),
        false => out,
    }
}

/// Whether two firmwares show the same.
fn same(a: &Entry, b: &Entry) -> bool {
    let of_a = Entry {
        firmware: b.firmware,
        ..a.clone()
    };
    of_a == *b
}

fn one(out: &mut String, entry: &Entry) {
    let way = entry.submenu.iter().chain(std::iter::once(&entry.title));
    let way: Vec<String> = way.map(|title| visible(title.as_bytes())).collect();
    let title = match way.join(" > ") {
        title if title.is_empty() => "(starts without a menu)".to_owned(),
        title => title,
    };
    let _ = writeln!(out, "  {title}");
    let initrd = entry.initrd.join(" ");
    let missing = entry.missing.join(" ");
    let lines = [
        ("kernel", entry.kernel.as_deref()),
        ("program", entry.program.as_deref()),
        ("action", entry.action.as_deref()),
        ("initrd", Some(initrd.as_str()).filter(|text| !text.is_empty())),
        ("cmdline", Some(entry.cmdline.as_str()).filter(|text| !text.is_empty())),
        ("only", entry.condition.as_deref()),
        ("missing", Some(missing.as_str()).filter(|text| !text.is_empty())),
    ];
    for (key, value) in lines {
        if let Some(value) = value {
            let _ = writeln!(out, "    {key:<8} {}", visible(value.as_bytes()));
        }
    }
}
