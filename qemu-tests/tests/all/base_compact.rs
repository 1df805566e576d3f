//! `base.compact`: the installers of two families are changed and written in a new layout. Other readers find the same files in them as in those
//! that are changed in place, and the same systems start with the same arguments.

use super::base::families::{FAMILIES, Family};
use super::base::{changed, json, starts};
use qemu_tests::installers::TOOLS;
use qemu_tests::suite;
use qemu_tests::verbs::Bench;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Cells that are booted without `--full`: one of each firmware.
const SHORT: [(&str, &str); 2] = [("ubuntu", "uefi-disk"), ("debian", "bios-disk")];

pub(crate) fn tests() -> suite::Tests {
    let mut trials = Vec::new();
    let mut needs = suite::missing(&TOOLS);
    needs.extend(suite::missing_inputs()?);
    let judges = suite::missing(&["bsdtar", "sgdisk", "fsck.vfat", "isoinfo"]);
    for family in FAMILIES {
        let missing = [needs.clone(), judges.clone()].concat();
        let name = format!("{} by other readers", family.name);
        trials.push(suite::trial(name, missing, move || readers(&compacted(family)?)));
    }
    let qemu = suite::missing(&["qemu-system-x86_64", qemu_tests::tools::OVMF_CODE]);
    for family in FAMILIES {
        // With layout "isohybrid" partition 1 begins where the disk does.
        let volumes = if family.name == "debian" { 2 } else { 1 };
        for cell in family.cells {
            let missing = [needs.clone(), qemu.clone(), suite::missing(&["bsdtar"])].concat();
            let test = suite::trial(format!("{} starts in {cell}", family.name), missing, move || {
                starts(&compacted(family)?, family, "compact.iso", cell, volumes)
            });
            trials.push(test.long_if(!SHORT.contains(&(family.name, cell))));
        }
    }
    Ok(trials)
}

/// Makes both images of a family: `changed.iso` in place, `compact.iso` in a new layout.
fn compacted(family: Family) -> Result<Bench, String> {
    let bench = changed(family)?;
    let manifest = fs::read_to_string(bench.path("m.toml")).map_err(|e| e.to_string())?;
    let anew = manifest
        .replace("changed.iso", "compact.iso")
        .replace("image = \"base.iso\"\n", "image = \"base.iso\"\ncompact = true\n");
    fs::write(bench.path("compact.toml"), anew).map_err(|e| e.to_string())?;
    let said = bench.ends("compact.toml", 0);
    said.has(&["no longer has the name"]);
    Ok(bench)
}

/// Every file by its path. bsdtar reads them.
fn files(bench: &Bench, image: &str) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let name = format!("{image}.out");
    fs::create_dir(bench.path(&name)).map_err(|e| e.to_string())?;
    let (is_content, said) = bench.program(&format!("bsdtar -xf {image} -C {name}"));
    assert!(is_content, "{image}: {said}");
    let mut all = BTreeMap::new();
    let mut open = vec![bench.path(&name)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).map_err(|e| e.to_string())? {
            let path = entry.map_err(|e| e.to_string())?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let relative = path.strip_prefix(bench.path(&name)).unwrap_or(Path::new(""));
                let bytes = fs::read(&path).map_err(|e| e.to_string())?;
                all.insert(relative.to_string_lossy().into_owned(), bytes);
            }
        }
    }
    Ok(all)
}

fn readers(bench: &Bench) -> Result<(), String> {
    let (mut grown, mut anew) = (files(bench, "changed.iso")?, files(bench, "compact.iso")?);
    // Our images have no name for the catalog, and the BIOS boot image contains its own address.
    for name in ["boot.catalog", "isolinux/boot.cat"] {
        grown.remove(name);
    }
    for name in ["boot/grub/eltorito.img", "isolinux/isolinux.bin"] {
        let (before, after) = (grown.remove(name), anew.remove(name));
        assert_eq!(
            before.map(|bytes| bytes.len()),
            after.map(|bytes| bytes.len()),
            "{name}"
        );
    }
    let names = |all: &BTreeMap<String, Vec<u8>>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&grown), names(&anew));
    for (name, bytes) in &grown {
        assert!(anew[name] == *bytes, "{name}");
    }
    let (_, joliet) = bench.program("isoinfo -J -f -i compact.iso");
    assert!(
        joliet.contains("/new/an answer with a name of some length, number 29.txt"),
        "{joliet}"
    );
    let facts = json(bench, "inspect compact.iso --json");
    let esp = &facts["esp"][0];
    let range = [&esp["offset"], &esp["length"]].map(|value| value.as_u64().unwrap_or(0) as usize);
    let image = fs::read(bench.path("compact.iso")).map_err(|e| e.to_string())?;
    fs::write(bench.path("compact.esp"), &image[range[0]..range[0] + range[1]]).map_err(|e| e.to_string())?;
    let (is_content, said) = bench.program("fsck.vfat -n compact.esp");
    assert!(is_content, "{said}");
    if facts["gpt"][0].is_object() {
        let (is_content, said) = bench.program("sgdisk -v compact.iso");
        assert!(is_content && said.contains("No problems found"), "{said}");
    }
    let said = bench.run("check compact.iso");
    assert_eq!(said.code, Some(0), "{said:?}");
    let length = |name: &str| fs::metadata(bench.path(name)).map_or(0, |data| data.len());
    assert!(length("compact.iso") <= length("changed.iso"));
    Ok(())
}
