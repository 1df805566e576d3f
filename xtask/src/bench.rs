//! `cargo xtask bench`: isobuild beside itself with UDF, xorriso, genisoimage, bsdtar and cp, as whole processes over the same trees.
//!
//! The programs take turns, so that a machine that grows slow slows all of them. The table has the median of each, and the
//! median of the ratios within a round: above 1 means slower than isobuild. The trees are in the page cache, the images are
//! written to the same file system, and isobuild fsyncs what it writes while the others do not. What they leave to be written
//! is on the disk before the next begins.

pub(crate) mod containers;
pub(crate) mod edit;
pub(crate) mod loader;
pub(crate) mod write;

use crate::{inputs, shell};
use qemu_tests::{tools, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// One tree, and the manifest that says the same to isobuild.
struct Case {
    name: &'static str,
    manifest: PathBuf,
    /// The same with UDF.
    with_udf: PathBuf,
    tree: PathBuf,
    /// Of all files.
    bytes: u64,
}

/// isobuild is the first: the others are compared with it.
const PROGRAMS: [&str; 6] = ["isobuild", "with UDF", "xorriso", "genisoimage", "bsdtar", "cp"];

/// Prints the table.
pub(crate) fn run(rounds: usize) -> Result<(), String> {
    if rounds == 0 {
        return Err("no rounds, no median".to_owned());
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    shell::run(cargo.args(["build", "--release"]).current_dir(workspace::root()))?;
    let dir = workspace::target().join("bench");
    let cases = [one_file(&dir)?, many_files(&dir)?, installer(&dir)?];
    print!("{:20}", "seconds");
    PROGRAMS.iter().for_each(|program| print!(" {program:>19}"));
    println!();
    for case in &cases {
        let mut times: [Vec<f64>; PROGRAMS.len()] = Default::default();
        for _ in 0..rounds {
            for (program, times) in PROGRAMS.iter().zip(&mut times) {
                times.push(time(program, case, &dir)?);
            }
        }
        let [ours, others @ ..] = &times;
        print!("{:20} {:>19.3}", case.name, median(ours));
        for theirs in others {
            match median(theirs) {
                seconds if seconds.is_nan() => print!(" {:>19}", "cannot"),
                seconds => print!(" {seconds:>11.3} {:>6.2}x", median(&ratios(theirs, ours))),
            }
        }
        println!();
    }
    Ok(())
}

/// The seconds that one run takes, from its start to its end; NaN if what it wrote lacks something.
fn time(program: &str, case: &Case, dir: &Path) -> Result<f64, String> {
    let image = dir.join(format!("{program}.out"));
    // A file that is replaced costs the time to free it.
    let removed = match image.symlink_metadata() {
        Ok(data) if data.is_dir() => fs::remove_dir_all(&image),
        Ok(_) => fs::remove_file(&image),
        Err(_) => Ok(()),
    };
    removed.map_err(|e| format!("{}: {e}", image.display()))?;
    shell::output(&mut Command::new("sync"))?;
    let mut command = match program {
        "isobuild" | "with UDF" => {
            let manifest = if program == "isobuild" {
                &case.manifest
            } else {
                &case.with_udf
            };
            let mut command = Command::new(workspace::isobuild()?);
            command.arg("-q").arg(manifest).arg("-o").arg(&image);
            command
        }
        "xorriso" => {
            let mut command = Command::new(tools::find("xorriso")?);
            command.args(["-as", "mkisofs", "-quiet", "-iso-level", "3", "-r", "-J", "-o"]);
            command.arg(&image).arg(&case.tree);
            command
        }
        "genisoimage" => {
            let mut command = Command::new(tools::find("genisoimage")?);
            command.args(["-quiet", "-allow-limited-size", "-iso-level", "3", "-r", "-J", "-o"]);
            command.arg(&image).arg(&case.tree);
            command
        }
        "bsdtar" => {
            let mut command = Command::new(tools::find("bsdtar")?);
            command.args(["--format=iso9660", "-cf"]).arg(&image);
            command.arg("-C").arg(&case.tree).arg(".");
            command
        }
        _ => {
            let mut command = Command::new("cp");
            command.arg("-r").arg(&case.tree).arg(&image);
            command
        }
    };
    let started = Instant::now();
    shell::output(&mut command)?;
    let seconds = started.elapsed().as_secs_f64();
    // bsdtar leaves out what its format's 32 bits do not hold, and calls that done.
    let whole = image.is_dir() || image.metadata().is_ok_and(|data| data.len() >= case.bytes);
    Ok(if whole { seconds } else { f64::NAN })
}

fn one_file(dir: &Path) -> Result<Case, String> {
    let tree = dir.join("one-file/tree");
    make(&tree)?;
    let path = tree.join("big");
    if fs::metadata(&path).map_or(0, |m| m.len()) != 4 << 30 {
        let mut file = fs::File::create(&path).map_err(|e| e.to_string())?;
        let piece = vec![0xA5; 1 << 20];
        for _ in 0..4096 {
            std::io::Write::write_all(&mut file, &piece).map_err(|e| e.to_string())?;
        }
    }
    case("one file of 4 GiB", &dir.join("one-file"))
}

fn many_files(dir: &Path) -> Result<Case, String> {
    let tree = dir.join("many-files/tree");
    for n in 0..100_000 {
        let parent = tree.join(format!("directory-{}", n / 100));
        if n % 100 == 0 {
            make(&parent)?;
        }
        let path = parent.join(format!("a file with a longer name {n}.txt"));
        if !path.exists() {
            fs::write(&path, format!("{n}\n").repeat(n % 500)).map_err(|e| e.to_string())?;
        }
    }
    case("100,000 small files", &dir.join("many-files"))
}

/// The installer's payload as plain data: what each program adds to boot it differs.
fn installer(dir: &Path) -> Result<Case, String> {
    inputs::run(Some("debian-installer"))?;
    let tree = dir.join("installer/tree");
    make(&tree)?;
    let from = workspace::root().join("examples/debian-installer/inputs");
    for entry in fs::read_dir(&from).map_err(|e| format!("{}: {e}", from.display()))? {
        let entry = entry.map_err(|e| e.to_string())?;
        fs::copy(entry.path(), tree.join(entry.file_name())).map_err(|e| e.to_string())?;
    }
    case("debian-installer", &dir.join("installer"))
}

fn make(dir: &Path) -> Result<(), String> {
    fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))
}

fn case(name: &'static str, dir: &Path) -> Result<Case, String> {
    let manifest = |name: &str, more: &str| {
        let path = dir.join(name);
        let text = format!("{more}[[files]]\nfrom = \"tree/\"\nto = \"/\"\n");
        let written = fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()));
        written.map(|()| path)
    };
    let tree = dir.join("tree");
    let bytes = length(&tree)?;
    Ok(Case {
        name,
        manifest: manifest("manifest.toml", "")?,
        with_udf: manifest("udf.toml", "[iso]\nudf = true\n")?,
        tree,
        bytes,
    })
}

/// The bytes of all files below a directory.
fn length(dir: &Path) -> Result<u64, String> {
    let fail = |e: std::io::Error| format!("{}: {e}", dir.display());
    let mut bytes = 0;
    for entry in fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        bytes += match entry.file_type().map_err(fail)?.is_dir() {
            true => length(&entry.path())?,
            false => entry.metadata().map_err(fail)?.len(),
        };
    }
    Ok(bytes)
}

fn ratios(theirs: &[f64], ours: &[f64]) -> Vec<f64> {
    theirs.iter().zip(ours).map(|(theirs, ours)| theirs / ours).collect()
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |n: usize| values.get(n).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 {
        at(middle)
    } else {
        f64::midpoint(at(middle.saturating_sub(1)), at(middle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(ratios(&[3.0, 2.0], &[1.5, 4.0]), [2.0, 0.5]);
    }
}
