//! `cargo xtask bench containers`: one image in every form, by isobuild and by the program that people use for it.
//!
//! The image has 1 GiB: a half are programs and libraries, as `cargo build` leaves them, a quarter is noise, as in a compressed file system, and
//! the rest is a hole. It is on a file system in memory, so that the disk does not matter; isobuild calls fsync there, too. `isobuild convert`
//! reads back what it has written; so does `qemu-img compare` in the rows that say so. In the last rows isobuild builds the image in its form,
//! while the other program converts one that is there.

use super::{median, ratios};
use crate::shell;
use qemu_tests::{tools, workspace};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// A file system in memory.
const MEMORY: &str = "/dev/shm";
const MIB: usize = 1 << 20;
/// The beginning of the image. All of it would take xz minutes.
const SMALL: &str = "small.img";
/// What isobuild builds, and the image of it.
const MANIFEST: &str = "image.toml";
const BUILT: &str = "built.iso";

/// A row: its name, and the files that are read and written. The other program writes the same form.
struct Row {
    name: &'static str,
    from: &'static str,
    to: &'static str,
    /// What is typed for the other program: `IN` and `OUT` stand for the files. It writes to standard output if `OUT` is missing.
    other: &'static str,
    /// `qemu-img compare` follows.
    compares: bool,
}

const fn row(name: &'static str, from: &'static str, to: &'static str, other: &'static str) -> Row {
    let compares = false;
    Row {
        name,
        from,
        to,
        other,
        compares,
    }
}

/// The same, and the other program compares what it has written.
const fn compared(row: Row) -> Row {
    Row { compares: true, ..row }
}

const ROWS: [Row; 13] = [
    row(
        "raw to qcow2",
        "disk.img",
        "out.qcow2",
        "qemu-img convert -O qcow2 IN OUT",
    ),
    compared(row(
        "... compared",
        "disk.img",
        "out.qcow2",
        "qemu-img convert -O qcow2 IN OUT",
    )),
    row("raw to VHDX", "disk.img", "out.vhdx", "qemu-img convert -O vhdx IN OUT"),
    row("raw to VHD", "disk.img", "out.vhd", "qemu-img convert -O vpc IN OUT"),
    row(
        "raw to VMDK, compressed",
        "disk.img",
        "out.vmdk",
        "qemu-img convert -O vmdk -o subformat=streamOptimized IN OUT",
    ),
    row(
        "qcow2 to raw",
        "disk.qcow2",
        "out.img",
        "qemu-img convert -O raw IN OUT",
    ),
    compared(row(
        "... compared",
        "disk.qcow2",
        "out.img",
        "qemu-img convert -O raw IN OUT",
    )),
    row(
        "VHDX to qcow2",
        "disk.vhdx",
        "out.qcow2",
        "qemu-img convert -O qcow2 IN OUT",
    ),
    row("raw to .gz", "disk.img", "out.img.gz", "gzip -6 -c IN"),
    row("raw to .zst", "disk.img", "out.img.zst", "zstd -q -T2 -3 -c IN"),
    row("128 MiB to .xz", SMALL, "out.img.xz", "xz -T2 -6 -c IN"),
    row(
        "built as qcow2",
        MANIFEST,
        "out.qcow2",
        "qemu-img convert -O qcow2 IN OUT",
    ),
    row("built as .iso.zst", MANIFEST, "out.iso.zst", "zstd -q -T2 -3 -c IN"),
];

/// Prints the table.
pub(crate) fn run(rounds: usize) -> Result<(), String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    shell::run(cargo.args(["build", "--release"]).current_dir(workspace::root()))?;
    let dir = tempfile::tempdir_in(MEMORY).map_err(|e| format!("{MEMORY}: {e}"))?;
    let dir = dir.path();
    disk(&dir.join("disk.img"))?;
    let small = fs::File::open(dir.join("disk.img")).and_then(|disk| {
        let mut small = fs::File::create(dir.join(SMALL))?;
        std::io::copy(&mut disk.take(128 * MIB as u64), &mut small)
    });
    small.map_err(|e| e.to_string())?;
    for (name, form) in [("disk.qcow2", "qcow2"), ("disk.vhdx", "vhdx")] {
        let mut convert = Command::new(tools::find("qemu-img")?);
        convert
            .args(["convert", "-O", form])
            .arg(dir.join("disk.img"))
            .arg(dir.join(name));
        shell::output(&mut convert)?;
    }
    let manifest = "[[files]]\nfrom = \"disk.img\"\nto = \"/\"\n[disk]\nlayout = \"universal\"\n";
    fs::write(dir.join(MANIFEST), manifest).map_err(|e| e.to_string())?;
    shell::output(&mut isobuild(MANIFEST, dir, &dir.join(BUILT))?)?;
    println!("{:26} {:>9} {:>9} {:>18}", "seconds", "isobuild", "MB", "the other");
    for row in &ROWS {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let out = dir.join(row.to);
        let mut sizes = [0; 2];
        for _ in 0..rounds {
            ours.push(time(&mut isobuild(row.from, dir, &out)?)?);
            sizes[0] = taken(&out)?;
            fs::remove_file(&out).map_err(|e| e.to_string())?;
            let mut seconds = time(&mut other(row, dir, &out)?)?;
            if row.compares {
                let mut compare = Command::new(tools::find("qemu-img")?);
                compare.args(["compare", "-q"]).arg(dir.join(row.from)).arg(&out);
                seconds += time(&mut compare)?;
            }
            theirs.push(seconds);
            sizes[1] = taken(&out)?;
            fs::remove_file(&out).map_err(|e| e.to_string())?;
        }
        println!(
            "{:26} {:9.3} {:9} {:11.3} {:5.2}x {:6} MB  {}",
            row.name,
            median(&ours),
            sizes[0] / 1_000_000,
            median(&theirs),
            median(&ratios(&theirs, &ours)),
            sizes[1] / 1_000_000,
            row.other
        );
    }
    Ok(())
}

/// isobuild, which builds or converts.
fn isobuild(from: &str, dir: &Path, out: &Path) -> Result<Command, String> {
    let mut command = Command::new(workspace::isobuild()?);
    match from {
        MANIFEST => command.arg("-q").arg(dir.join(from)).arg("-o").arg(out),
        from => command.args(["convert", "-q"]).arg(dir.join(from)).arg(out),
    };
    Ok(command)
}

/// The bytes that are stored of a file.
fn taken(file: &Path) -> Result<u64, String> {
    use std::os::unix::fs::MetadataExt as _;
    let data = file.metadata().map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(data.blocks() * 512)
}

fn other(row: &Row, dir: &Path, out: &Path) -> Result<Command, String> {
    let mut words = row.other.split_whitespace();
    let program = tools::find(words.next().unwrap_or_default())?;
    let mut command = Command::new(&program);
    let mut names_output = false;
    for word in words {
        match word {
            "IN" if row.from == MANIFEST => command.arg(dir.join(BUILT)),
            "IN" => command.arg(dir.join(row.from)),
            "OUT" => {
                names_output = true;
                command.arg(out)
            }
            word => command.arg(word),
        };
    }
    if !names_output {
        let file = fs::File::create(out).map_err(|e| format!("{}: {e}", out.display()))?;
        command.stdout(file);
    }
    Ok(command)
}

/// The seconds of one run.
fn time(command: &mut Command) -> Result<f64, String> {
    let started = Instant::now();
    let status = command.status().map_err(|e| format!("{command:?}: {e}"))?;
    match status.success() {
        true => Ok(started.elapsed().as_secs_f64()),
        false => Err(format!("{command:?}: {status}")),
    }
}

/// Makes the image.
fn disk(path: &Path) -> Result<(), String> {
    let fail = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut file = fs::File::create(path).map_err(fail)?;
    let mut libraries: Vec<_> = fs::read_dir(workspace::target().join("release/deps"))
        .map_err(fail)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_none_or(|extension| extension == "rlib"))
        .collect();
    libraries.sort();
    let mut left = 512 * MIB as u64;
    while left > 0 {
        let before = left;
        for library in &libraries {
            let bytes = fs::File::open(library).map_err(fail)?;
            left -= std::io::copy(&mut bytes.take(left), &mut file).map_err(fail)?;
        }
        if left == before {
            return Err("there are no libraries".into());
        }
    }
    let mut state: u64 = 1;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u32
    });
    let noise: Vec<u8> = noise.take(64 * MIB).flat_map(u32::to_le_bytes).collect();
    file.write_all(&noise).map_err(fail)?;
    file.set_len(1024 * MIB as u64).map_err(fail)
}
