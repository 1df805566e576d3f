//! `cargo xtask bench edit`: an installer of 4 GiB gets one more kernel argument. `isobuild edit` changes the image itself, xorriso writes another
//! image, and `cp` only copies it.
//!
//! The image has the structure of Ubuntu's. It is on a file system in memory, so that the disk does not matter; `isobuild edit` calls fsync
//! there, too. A second image has its MD5 implanted, so `isobuild edit` reads all of it.

use super::{make, median, ratios};
use crate::shell;
use qemu_tests::verbs::Bench;
use qemu_tests::{installers, tools, workspace};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// A file system in memory.
const MEMORY: &str = "/dev/shm";
/// The length of the one large file, in MiB.
const LARGE: usize = 4090;
/// The configuration with the arguments.
const CONFIGURATION: &str = "boot/grub/grub.cfg";

/// Prints the table.
pub(crate) fn run(rounds: usize) -> Result<(), String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    shell::run(cargo.args(["build", "--release"]).current_dir(workspace::root()))?;
    let dir = tempfile::tempdir_in(MEMORY).map_err(|e| format!("{MEMORY}: {e}"))?;
    let dir = dir.path();
    let plain = installer(dir)?;
    let summed = dir.join("summed.iso");
    let manifest = dir.join("summed.toml");
    fs::write(&manifest, "iso.implant_md5 = true\n[base]\nimage = \"plain.iso\"\n").map_err(|e| e.to_string())?;
    println!("{:24} {:>9} {:>18} {:>18}", "seconds", "isobuild", "cp", "xorriso");
    row("4 GiB", &plain, dir, rounds)?;
    let mut build = Command::new(workspace::isobuild()?);
    shell::output(build.arg("-q").arg(&manifest).arg("-o").arg(&summed))?;
    fs::remove_file(&plain).map_err(|e| e.to_string())?;
    row("the same with its MD5", &summed, dir, rounds)
}

fn row(name: &str, image: &Path, dir: &Path, rounds: usize) -> Result<(), String> {
    let (mut ours, mut copied, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let argument = format!("{}.round={round}", name.replace(' ', "-"));
        // The first program behind a copy of 4 GiB waits some 20 ms for the machine's memory, whatever it does.
        let mut first = Command::new(workspace::isobuild()?);
        shell::output(first.arg("--version"))?;
        let mut edit = Command::new(workspace::isobuild()?);
        edit.args(["edit", "-q", "--kernel-arg", &argument]).arg(image);
        let journal = PathBuf::from(format!("{}.undo", image.display()));
        ours.push(time(&mut edit, image, &argument)?);
        fs::remove_file(&journal).map_err(|e| format!("{}: {e}", journal.display()))?;
        let out = dir.join("out.iso");
        copied.push(time(Command::new("cp").arg(image).arg(&out), &out, &argument)?);
        fs::remove_file(&out).map_err(|e| e.to_string())?;
        let file = dir.join("grub.cfg");
        let text = configuration(image)?.replace(" ---", &format!(" other.round={round} ---"));
        fs::write(&file, text).map_err(|e| e.to_string())?;
        let mut xorriso = Command::new(tools::find("xorriso")?);
        // xorriso takes files below /dev for drives, unless it is told otherwise.
        let stdio = |path: &Path| format!("stdio:{}", path.display());
        xorriso.args([
            "-no_rc",
            "-report_about",
            "FATAL",
            "-drive_class",
            "clear_list",
            "caution",
        ]);
        xorriso.arg("-indev").arg(stdio(image)).arg("-outdev").arg(stdio(&out));
        xorriso.args(["-boot_image", "any", "replay", "-map"]);
        xorriso.arg(&file).arg(format!("/{CONFIGURATION}"));
        theirs.push(time(&mut xorriso, &out, &format!("other.round={round}"))?);
        fs::remove_file(&out).map_err(|e| e.to_string())?;
    }
    print!("{name:24} {:9.4}", median(&ours));
    for times in [&copied, &theirs] {
        print!(" {:11.3} {:5.2}x", median(times), median(&ratios(times, &ours)));
    }
    println!();
    Ok(())
}

/// The seconds of one run. The image's configuration must have the argument afterwards.
fn time(command: &mut Command, image: &Path, argument: &str) -> Result<f64, String> {
    let started = Instant::now();
    shell::output(command)?;
    let seconds = started.elapsed().as_secs_f64();
    match configuration(image)?.contains(argument) {
        true => Ok(seconds),
        false => Err(format!("{} lacks {argument}", image.display())),
    }
}

fn configuration(image: &Path) -> Result<String, String> {
    let mut bsdtar = Command::new(tools::find("bsdtar")?);
    let read = bsdtar.arg("-xOf").arg(image).arg(CONFIGURATION).output();
    let read = read.map_err(|e| e.to_string())?;
    Ok(String::from_utf8_lossy(&read.stdout).into_owned())
}

/// Makes an installer with the structure of Ubuntu's and one large file.
fn installer(dir: &Path) -> Result<PathBuf, String> {
    let bench = Bench::new("");
    make(&bench.path("tree/casper"))?;
    let path = bench.path("tree/casper/filesystem.squashfs");
    let mut file = fs::File::create(&path).map_err(|e| e.to_string())?;
    for _ in 0..LARGE {
        file.write_all(&vec![0xA5; 1 << 20]).map_err(|e| e.to_string())?;
    }
    installers::ubuntu(&bench)?;
    let plain = dir.join("plain.iso");
    fs::copy(bench.path("base.iso"), &plain).map_err(|e| e.to_string())?;
    Ok(plain)
}
