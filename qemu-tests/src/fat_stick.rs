//! A stick whose FAT file system other programs make, and the files of an image copied to it one by one.

use crate::system::System;
use crate::{tools, workspace};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The programs that make it.
pub const TOOLS: [&str; 3] = ["sfdisk", "mformat", "mcopy"];

/// Takes an image's files out into a directory.
pub fn copies(system: &System, image: &Path) -> Result<PathBuf, String> {
    let files = system.path("files");
    let mut isobuild = Command::new(workspace::isobuild()?);
    run(isobuild.arg("extract").arg(image).arg("-C").arg(&files))?;
    Ok(files)
}

/// A stick as people have them: one FAT32 partition, with these files.
pub fn made(system: &System, files: &Path) -> Result<PathBuf, String> {
    const SIZE: u64 = 96 << 20;
    const START: u64 = 1 << 20;
    let stick = system.path("stick");
    let blank = File::create(&stick).and_then(|file| file.set_len(SIZE));
    blank.map_err(|e| e.to_string())?;
    let mut sfdisk = Command::new(tools::find("sfdisk")?);
    let table = format!("label: dos\nstart={}, type=c\n", START / 512);
    let sfdisk = sfdisk.args(["-q", "--no-reread"]).arg(&stick).stdin(Stdio::piped());
    let mut child = sfdisk.spawn().map_err(|e| format!("sfdisk: {e}"))?;
    let mut input = child.stdin.take().ok_or("sfdisk takes no input")?;
    input.write_all(table.as_bytes()).map_err(|e| e.to_string())?;
    drop(input);
    if !child.wait().map_err(|e| e.to_string())?.success() {
        return Err("sfdisk has failed".to_owned());
    }
    let drive = format!("{}@@{START}", stick.display());
    let tool = |name: &str| -> Result<Command, String> {
        let mut command = Command::new(tools::find(name)?);
        command.env("LC_ALL", "C.UTF-8").args(["-i", &drive]);
        Ok(command)
    };
    run(tool("mformat")?.args(["-F", "-T", &((SIZE - START) / 512).to_string(), "::"]))?;
    let listing = fs::read_dir(files).map_err(|e| e.to_string())?;
    let names = listing.filter_map(|entry| Some(entry.ok()?.path()));
    run(tool("mcopy")?.args(["-s", "-Q"]).args(names).arg("::/"))?;
    Ok(stick)
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_owned();
    let output = command.output().map_err(|e| format!("{}: {e}", name.display()))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{}: {}",
            name.display(),
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}
