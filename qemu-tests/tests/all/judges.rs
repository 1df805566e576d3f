//! Other people's readers over every example's image and over that of an odd tree: the same names, and the same SHA-256 of every file.

use qemu_tests::example::Example;
use qemu_tests::listing::{Entry, Listing, files_only, of_directory, same, same_contents};
use qemu_tests::{odd, suite, tools, workspace};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// An image and what is in it.
struct Subject {
    image: PathBuf,
    iso: Listing,
    esp: Option<Listing>,
    /// Entries of the boot catalog.
    boot_images: usize,
    /// Names and links of [`odd`], which the judges have quirks with.
    odd: bool,
}

impl Subject {
    fn of(example: &Example) -> Result<Self, String> {
        let esp = if example.has_esp() { Some(example.esp()?) } else { None };
        Ok(Self {
            image: example.image()?.to_owned(),
            iso: example.iso()?,
            boot_images: if esp.is_some() { example.boot_images } else { 0 },
            esp,
            odd: false,
        })
    }

    /// The files by Joliet's names; the odd tree has those that Joliet holds in another form.
    fn joliet(&self, read: &Listing) -> Result<(), String> {
        let files = files_only(&self.iso);
        let result = if self.odd {
            same_contents(&files, read)
        } else {
            same(&files, read)
        };
        result.map_err(|e| format!("joliet:\n{e}"))
    }

    /// What a judge has to find but for what it cannot, of which there is none in an example.
    fn iso_but(&self, cannot: impl Fn(&str, &Entry) -> bool) -> Listing {
        but(&self.iso, |path, entry| self.odd && cannot(path, entry))
    }
}

/// Without what a judge cannot read.
fn but(listing: &Listing, cannot: impl Fn(&str, &Entry) -> bool) -> Listing {
    let kept = listing.iter().filter(|(path, entry)| !cannot(path, entry));
    kept.map(|(path, entry)| (path.clone(), entry.clone())).collect()
}

type Judge = fn(&Subject) -> Result<(), String>;

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

pub(crate) fn tests() -> suite::Tests {
    let mut trials = Vec::new();
    // What is in UDF alone has judges of its own.
    let examples = Example::all()?.into_iter().filter(|example| !example.is_stub());
    for example in examples.map(Arc::new) {
        let mut judges = ISO.to_vec();
        if example.has_esp() {
            judges.extend(DISK);
        } else {
            judges.push(("system area", &[], empty_system_area));
        }
        for (name, needs, judge) in judges {
            let mut missing = example.missing();
            missing.extend(missing_tools(name, needs));
            let example = Arc::clone(&example);
            let name = format!("{} {name}", example.name);
            trials.push(suite::trial(name, missing, move || judge(&Subject::of(&example)?)));
        }
    }
    for (kind, more) in [("odd tree", ""), ("odd tree beside UDF", "[iso]\nudf = true\n")] {
        for (name, needs, judge) in ISO {
            let mut missing = missing_tools(name, needs);
            missing.extend(workspace::isobuild().err());
            trials.push(suite::trial(format!("{kind} {name}"), missing, move || {
                let dir = scratch()?;
                let (tree, image) = odd::image(dir.path(), beyond(name), more)?;
                judge(&Subject {
                    image,
                    iso: of_directory(&tree)?,
                    esp: None,
                    boot_images: 0,
                    odd: true,
                })
            }));
        }
    }
    Ok(trials)
}

/// Names of the odd tree begin with these that a judge cannot read, whoever wrote the image.
fn beyond(judge: &str) -> &'static [&'static str] {
    match judge {
        // libisofs takes no target of more than 1024 bytes, and drops the empty component in `a//b`.
        "xorriso" | "xorriso disc" => &["longest", "link 5"],
        // Its buffer for a target overflows; the others are beyond how it is asked here, by lines of UTF-8.
        "isoinfo" => &["longest", "new\nline", "invalid"],
        // It takes every name for UTF-8; it prints a name a line here.
        "pycdlib" => &["invalid", "new\nline"],
        _ => &[],
    }
}

fn missing_tools(judge: &str, needs: &[&str]) -> Vec<String> {
    let mut missing = suite::missing(needs);
    if judge == "pycdlib" {
        missing.extend(tools::from_pypi("python").err());
    }
    missing
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
fn xorriso(subject: &Subject) -> Result<(), String> {
    let read = |index| {
        let dir = scratch()?;
        let mut xorriso = tool("xorriso")?;
        // Else a problem that it only warns of would end with 0.
        xorriso.args(["-abort_on", "WARNING", "-return_with", "WARNING", "32"]);
        xorriso
            .args(["-read_fs", index, "-osirrox", "on:auto_chmod_on", "-indev"])
            .arg(&subject.image);
        run(xorriso.args(["-extract", "/"]).arg(dir.path()))?;
        of_directory(dir.path())
    };
    same(&subject.iso, &read("any")?).map_err(|e| format!("rock-ridge:\n{e}"))?;
    subject.joliet(&read("norock")?)?;
    same_contents(&subject.iso, &read("ecma119")?).map_err(|e| format!("iso9660:\n{e}"))
}

/// It knows how every disc is laid out that its own users burn, and reports what is bootable in this one.
fn xorriso_disc(subject: &Subject) -> Result<(), String> {
    let mut xorriso = tool("xorriso")?;
    xorriso
        .args(["-abort_on", "WARNING", "-return_with", "WARNING", "32", "-indev"])
        .arg(&subject.image);
    let report = text(run(xorriso.args(["-report_el_torito", "plain"]))?);
    let images = report
        .lines()
        .filter(|line| line.starts_with("El Torito boot img :"))
        .count();
    if images == subject.boot_images {
        Ok(())
    } else {
        Err(format!("{images} boot images:\n{report}"))
    }
}

fn bsdtar(subject: &Subject) -> Result<(), String> {
    let dir = scratch()?;
    run(tool("bsdtar")?
        .args(["--no-same-owner", "-xf"])
        .arg(&subject.image)
        .arg("-C")
        .arg(dir.path()))?;
    same(&subject.iso, &of_directory(dir.path())?)
}

fn seven_zip(subject: &Subject) -> Result<(), String> {
    let dir = scratch()?;
    // It shows El Torito's images as files of a directory of its own, which is not in the tree.
    run(tool("7z")?
        .args(["x", "-bd", "-y", "-snl", "-xr![BOOT]"])
        .arg(&subject.image)
        .current_dir(&dir))?;
    let read = files_only(&of_directory(dir.path())?);
    if subject.odd {
        // It takes Joliet's names, and changes those that Windows could not have.
        return same_contents(&files_only(&subject.iso), &read);
    }
    same(&files_only(&subject.iso), &read)
}

/// Rock Ridge and Joliet.
fn isoinfo(subject: &Subject) -> Result<(), String> {
    // It cannot be asked for a name with a backslash or a version of its own.
    let expected = subject.iso_but(|path, _| path.contains(['\\', ';']));
    let read = isoinfo_files(&subject.image, "-R", &expected)?;
    same(&files_only(&expected), &read).map_err(|e| format!("rock-ridge:\n{e}"))?;
    if subject.odd {
        return Ok(());
    }
    subject.joliet(&isoinfo_files(&subject.image, "-J", &expected)?)
}

/// It prints directories, links and files alike. A directory is a path that another one starts with.
fn isoinfo_files(image: &Path, index: &str, expected: &Listing) -> Result<Listing, String> {
    let names = text(run(tool("isoinfo")?.args([index, "-f", "-i"]).arg(image))?);
    let names: Vec<&str> = names.lines().collect();
    let mut listing = Listing::new();
    for name in &names {
        if !matches!(expected.get(*name), Some(Entry::File(_))) {
            continue;
        }
        let bytes = run(tool("isoinfo")?.args([index, "-i"]).arg(image).args(["-x", name]))?;
        listing.insert((*name).to_owned(), Entry::file(&bytes));
    }
    Ok(listing)
}

/// Prints every file of every index of the image as "INDEX SHA-256 PATH".
const PYCDLIB: &str = include_str!("pycdlib_tree.py");

fn pycdlib(subject: &Subject) -> Result<(), String> {
    let mut python = Command::new(tools::from_pypi("python")?);
    python.args(["-c", PYCDLIB]).arg(&subject.image);
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
    let files = files_only(&subject.iso);
    same(&files, &index("rock-ridge")).map_err(|e| format!("rock-ridge:\n{e}"))?;
    subject.joliet(&index("joliet"))?;
    same_contents(&subject.iso, &index("iso9660")).map_err(|e| format!("iso9660:\n{e}"))
}

/// Without anything to boot the image has no partition table, and nothing that could be taken for one.
fn empty_system_area(subject: &Subject) -> Result<(), String> {
    let bytes = fs::read(&subject.image).map_err(|e| e.to_string())?;
    match bytes
        .get(..16 * 2048)
        .map(|area| area.iter().position(|&byte| byte != 0))
    {
        Some(None) => Ok(()),
        Some(Some(at)) => Err(format!("byte {at} of the system area is not zero")),
        None => Err("the image ends in the system area".to_owned()),
    }
}

fn sgdisk(subject: &Subject) -> Result<(), String> {
    let output = text(run(tool("sgdisk")?.arg("-v").arg(&subject.image))?);
    if output.contains("No problems found") {
        Ok(())
    } else {
        Err(output)
    }
}

fn sfdisk(subject: &Subject) -> Result<(), String> {
    let output = text(run(tool("sfdisk")?.args(["--verify"]).arg(&subject.image))?);
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

fn fsck_vfat(subject: &Subject) -> Result<(), String> {
    let (start, length) = esp(&subject.image)?;
    let dir = scratch()?;
    let slice = dir.path().join("esp.img");
    let bytes = fs::read(&subject.image).map_err(|e| e.to_string())?;
    let range = usize::try_from(start).unwrap_or(usize::MAX)..usize::try_from(start + length).unwrap_or(usize::MAX);
    fs::write(&slice, bytes.get(range).ok_or("the ESP is not inside the image")?).map_err(|e| e.to_string())?;
    run(tool("fsck.vfat")?.args(["-n", "-v"]).arg(slice)).map(drop)
}

fn mtools(subject: &Subject) -> Result<(), String> {
    let (start, _) = esp(&subject.image)?;
    let dir = scratch()?;
    // "@@" and a byte offset after the name of an image.
    let drive = format!("{}@@{start}", subject.image.display());
    run(tool("mcopy")?
        .args(["-s", "-n", "-i", &drive, "::/", "."])
        .current_dir(&dir))?;
    same(
        subject.esp.as_ref().ok_or("no ESP is expected")?,
        &of_directory(dir.path())?,
    )
}
