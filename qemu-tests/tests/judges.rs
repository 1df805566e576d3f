//! Other people's readers over every example's image: the same names, and the same SHA-256 of every file.

use qemu_tests::example::Example;
use qemu_tests::listing::{Entry, Listing, files_only, of_directory, same, same_contents};
use qemu_tests::{suite, tools, workspace};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

fn main() -> ExitCode {
    suite::run(trials())
}

type Judge = fn(&Example, &Path) -> Result<(), String>;

/// Readers of the ISO tree, with the programs that they need.
const ISO: [(&str, &[&str], Judge); 6] = [
    ("xorriso", &["xorriso"], xorriso),
    ("xorriso disc", &["xorriso"], xorriso_disc),
    ("isoinfo", &["isoinfo"], isoinfo),
    ("bsdtar", &["bsdtar"], bsdtar),
    ("7z", &["7z"], seven_zip),
    ("pycdlib", &[], pycdlib),
];

/// Readers of the partition tables and the ESP: only where there is one.
const DISK: [(&str, &[&str], Judge); 4] = [
    ("sgdisk", &["sgdisk"], sgdisk),
    ("sfdisk", &["sfdisk"], sfdisk),
    ("fsck.vfat", &["fsck.vfat", "sfdisk"], fsck_vfat),
    ("mtools", &["mcopy", "sfdisk"], mtools),
];

fn trials() -> Result<Vec<libtest_mimic::Trial>, String> {
    let mut trials = Vec::new();
    for example in Example::all()?.into_iter().map(Arc::new) {
        let mut judges = ISO.to_vec();
        if example.has_esp() {
            judges.extend(DISK);
        } else {
            judges.push(("system area", &[], empty_system_area));
        }
        for (name, needs, judge) in judges {
            let mut missing = example.missing();
            missing.extend(suite::missing(needs));
            if name == "pycdlib" {
                missing.extend(tools::pycdlib().err());
            }
            let example = Arc::clone(&example);
            let name = format!("{} {name}", example.name);
            trials.push(suite::trial(name, missing, move || judge(&example, example.image()?)));
        }
    }
    Ok(trials)
}

/// Runs a judge. It may warn, but not fail.
fn run(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let text = [output.stdout, output.stderr].concat();
    Err(format!(
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&text)
    ))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn scratch() -> Result<tempfile::TempDir, String> {
    tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())
}

fn tool(name: &str) -> Result<Command, String> {
    let mut command = Command::new(tools::find(name)?);
    // Messages and the bytes of names are those of this locale.
    command.env("LC_ALL", "C.UTF-8");
    Ok(command)
}

/// Rock Ridge, Joliet and plain ISO 9660.
fn xorriso(example: &Example, image: &Path) -> Result<(), String> {
    let expected = example.iso()?;
    let read = |index| {
        let dir = scratch()?;
        let mut xorriso = tool("xorriso")?;
        // Else a problem that it only warns of would end with 0.
        xorriso.args(["-abort_on", "WARNING", "-return_with", "WARNING", "32"]);
        xorriso
            .args(["-read_fs", index, "-osirrox", "on:auto_chmod_on", "-indev"])
            .arg(image);
        run(xorriso.args(["-extract", "/"]).arg(dir.path()))?;
        of_directory(dir.path())
    };
    same(&expected, &read("any")?).map_err(|e| format!("rock-ridge:\n{e}"))?;
    let joliet = files_only(&expected);
    same(&joliet, &read("norock")?).map_err(|e| format!("joliet:\n{e}"))?;
    same_contents(&expected, &read("ecma119")?).map_err(|e| format!("iso9660:\n{e}"))
}

/// It knows how every disc is laid out that its own users burn, and reports what is bootable in this one.
fn xorriso_disc(example: &Example, image: &Path) -> Result<(), String> {
    let mut xorriso = tool("xorriso")?;
    xorriso
        .args(["-abort_on", "WARNING", "-return_with", "WARNING", "32", "-indev"])
        .arg(image);
    let report = text(run(xorriso.args(["-report_el_torito", "plain"]))?);
    let images = report
        .lines()
        .filter(|line| line.starts_with("El Torito boot img :"))
        .count();
    // One for BIOS and one for UEFI, or none.
    let expected = if example.has_esp() { 2 } else { 0 };
    if images == expected {
        Ok(())
    } else {
        Err(format!("{images} boot images:\n{report}"))
    }
}

fn bsdtar(example: &Example, image: &Path) -> Result<(), String> {
    let dir = scratch()?;
    run(tool("bsdtar")?
        .args(["--no-same-owner", "-xf"])
        .arg(image)
        .arg("-C")
        .arg(dir.path()))?;
    same(&example.iso()?, &of_directory(dir.path())?)
}

fn seven_zip(example: &Example, image: &Path) -> Result<(), String> {
    let dir = scratch()?;
    // It shows El Torito's images as files of a directory of its own, which is not in the tree.
    run(tool("7z")?
        .args(["x", "-bd", "-y", "-snl", "-xr![BOOT]"])
        .arg(image)
        .current_dir(&dir))?;
    let read = files_only(&of_directory(dir.path())?);
    same(&files_only(&example.iso()?), &read)
}

/// Rock Ridge and Joliet.
fn isoinfo(example: &Example, image: &Path) -> Result<(), String> {
    let expected = example.iso()?;
    let read = isoinfo_files(image, "-R", &expected)?;
    same(&files_only(&expected), &read).map_err(|e| format!("rock-ridge:\n{e}"))?;
    let read = isoinfo_files(image, "-J", &expected)?;
    same(&files_only(&expected), &read).map_err(|e| format!("joliet:\n{e}"))
}

/// It prints directories, links and files alike. A directory is a path that another one starts with.
fn isoinfo_files(image: &Path, index: &str, expected: &Listing) -> Result<Listing, String> {
    let names = text(run(tool("isoinfo")?.args([index, "-f", "-i"]).arg(image))?);
    let names: Vec<&str> = names.lines().collect();
    let mut listing = Listing::new();
    for name in &names {
        let below = format!("{name}/");
        let link = matches!(expected.get(*name), Some(Entry::Link(_)));
        if link || names.iter().any(|other| other.starts_with(&below)) {
            continue;
        }
        let bytes = run(tool("isoinfo")?.args([index, "-i"]).arg(image).args(["-x", name]))?;
        listing.insert((*name).to_owned(), Entry::file(&bytes));
    }
    Ok(listing)
}

/// Prints every file of every index of the image as "INDEX SHA-256 PATH".
const PYCDLIB: &str = include_str!("pycdlib_tree.py");

fn pycdlib(example: &Example, image: &Path) -> Result<(), String> {
    let expected = example.iso()?;
    let mut python = Command::new(tools::pycdlib()?);
    python.args(["-c", PYCDLIB]).arg(image);
    let output = text(run(&mut python)?);
    let index = |wanted: &str| -> Listing {
        let lines = output
            .lines()
            .filter_map(|line| line.strip_prefix(wanted)?.strip_prefix(' '));
        let pairs = lines.filter_map(|line| line.split_once(' '));
        pairs
            .map(|(sha256, path)| (path.to_owned(), Entry::File(sha256.to_owned())))
            .collect()
    };
    let files = files_only(&expected);
    same(&files, &index("rock-ridge")).map_err(|e| format!("rock-ridge:\n{e}"))?;
    same(&files, &index("joliet")).map_err(|e| format!("joliet:\n{e}"))?;
    same_contents(&expected, &index("iso9660")).map_err(|e| format!("iso9660:\n{e}"))
}

/// Without anything to boot the image has no partition table, and nothing that could be taken for one.
fn empty_system_area(_: &Example, image: &Path) -> Result<(), String> {
    let bytes = fs::read(image).map_err(|e| e.to_string())?;
    match bytes
        .get(..16 * 2048)
        .map(|area| area.iter().position(|&byte| byte != 0))
    {
        Some(None) => Ok(()),
        Some(Some(at)) => Err(format!("byte {at} of the system area is not zero")),
        None => Err("the image ends in the system area".to_owned()),
    }
}

fn sgdisk(_: &Example, image: &Path) -> Result<(), String> {
    let output = text(run(tool("sgdisk")?.arg("-v").arg(image))?);
    if output.contains("No problems found") {
        Ok(())
    } else {
        Err(output)
    }
}

fn sfdisk(_: &Example, image: &Path) -> Result<(), String> {
    let output = text(run(tool("sfdisk")?.args(["--verify"]).arg(image))?);
    if output.contains("No errors detected") {
        Ok(())
    } else {
        Err(output)
    }
}

/// The ESP as sfdisk sees it: its first byte and its length.
fn esp(image: &Path) -> Result<(u64, u64), String> {
    let output = run(tool("sfdisk")?.arg("--json").arg(image))?;
    let json: Value = serde_json::from_slice(&output).map_err(|e| e.to_string())?;
    let table = &json["partitiontable"];
    let sector = table["sectorsize"].as_u64().unwrap_or(512);
    let partitions = table["partitions"].as_array().ok_or("sfdisk sees no partitions")?;
    // UEFI 5.3.3 in a GPT, the type EF in an MBR.
    let types = ["C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "ef"];
    let esp = partitions
        .iter()
        .find(|p| p["type"].as_str().is_some_and(|t| types.contains(&t)));
    let esp = esp.ok_or_else(|| format!("sfdisk sees no ESP: {json:#}"))?;
    let bytes = |key: &str| esp[key].as_u64().map(|n| n * sector).ok_or("a partition without it");
    Ok((bytes("start")?, bytes("size")?))
}

fn fsck_vfat(_: &Example, image: &Path) -> Result<(), String> {
    let (start, length) = esp(image)?;
    let dir = scratch()?;
    let slice = dir.path().join("esp.img");
    let bytes = fs::read(image).map_err(|e| e.to_string())?;
    let range = usize::try_from(start).unwrap_or(usize::MAX)..usize::try_from(start + length).unwrap_or(usize::MAX);
    fs::write(&slice, bytes.get(range).ok_or("the ESP is not inside the image")?).map_err(|e| e.to_string())?;
    run(tool("fsck.vfat")?.args(["-n", "-v"]).arg(slice)).map(drop)
}

fn mtools(example: &Example, image: &Path) -> Result<(), String> {
    let (start, _) = esp(image)?;
    let dir = scratch()?;
    // "@@" and a byte offset after the name of an image.
    let drive = format!("{}@@{start}", image.display());
    run(tool("mcopy")?
        .args(["-s", "-n", "-i", &drive, "::/", "."])
        .current_dir(&dir))?;
    same(&example.esp()?, &of_directory(dir.path())?)
}
