//! `cargo xtask bench write`: `isobuild write` beside what people type: `dd` past the cache, `cmp` of what is on the disk, `zstd` before
//! them where the image is compressed.
//!
//! The disk is a loop device that passes its file's cache too. It holds other bytes before each run, as a used stick does.

use super::{make, median, ratios};
use crate::shell;
use qemu_tests::loops::Loop;
use qemu_tests::{tools, workspace};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Of the image and of the disk, in MiB.
const IMAGE: usize = 1024;
const DISK: usize = 1536;

/// Prints the table.
pub(crate) fn run(rounds: usize) -> Result<(), String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    shell::run(cargo.args(["build", "--release"]).current_dir(workspace::root()))?;
    let dir = workspace::target().join("bench/write");
    make(&dir)?;
    let (full, sparse, packed) = (dir.join("full.img"), dir.join("sparse.img"), dir.join("sparse.img.zst"));
    noise(&full, |_| true)?;
    noise(&sparse, |mib| mib % 8 == 0)?;
    let mut zstd = Command::new(tools::find("zstd")?);
    shell::output(zstd.args(["-q", "-f"]).arg(&sparse).arg("-o").arg(&packed))?;

    println!("{:28} {:>9} {:>18}", "seconds", "isobuild", "dd and cmp");
    for (name, image, plain) in [
        ("1 GiB", &full, &full),
        ("1 GiB, an eighth not zero", &sparse, &sparse),
        ("the same as zstd", &packed, &sparse),
    ] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(time(&dir, plain, |disk| {
                let mut command = Command::new(workspace::isobuild()?);
                command.args(["write", "-q", "--yes"]).arg(image).arg(disk);
                Ok(command)
            })?);
            theirs.push(time(&dir, plain, |disk| Ok(by_hand(image, plain, disk)))?);
        }
        let ratio = median(&ratios(&theirs, &ours));
        println!("{name:28} {:9.2} {:11.2} {ratio:5.2}x", median(&ours), median(&theirs));
    }
    Ok(())
}

fn by_hand(image: &Path, plain: &Path, disk: &Path) -> Command {
    let (image, plain, disk) = (image.display(), plain.display(), disk.display());
    // What comes through a pipe comes in small pieces, of which dd makes large ones.
    let (read, write) = ("iflag=direct,count_bytes", "oflag=direct iflag=fullblock conv=fsync");
    let written = match image.to_string() == plain.to_string() {
        true => format!("dd if={image} of={disk} bs=4M {write} status=none"),
        false => format!("zstd -dcq {image} | dd of={disk} bs=4M {write} status=none"),
    };
    let compared = format!("dd if={disk} bs=4M {read} count=$(stat -c %s {plain}) status=none | cmp - {plain}");
    let mut command = Command::new("sh");
    command.arg("-ec").arg(format!("{written}; {compared}"));
    command
}

/// The seconds of one run over a disk of other bytes, which has the image afterwards.
fn time(dir: &Path, plain: &Path, command: impl Fn(&Path) -> Result<Command, String>) -> Result<f64, String> {
    let file = dir.join("disk");
    let mut used = Command::new("sh");
    let fill = format!("tr '\\0' '\\245' </dev/zero | head -c {DISK}M >\"$0\"");
    shell::output(used.arg("-c").arg(fill).arg(&file))?;
    let disk = Loop::direct(&file);
    shell::output(&mut Command::new("sync"))?;
    let mut command = command(&disk.path)?;
    let started = Instant::now();
    shell::output(&mut command)?;
    let seconds = started.elapsed().as_secs_f64();
    drop(disk);
    shell::output(
        Command::new("cmp")
            .args(["-n", &(IMAGE << 20).to_string()])
            .arg(plain)
            .arg(&file),
    )?;
    Ok(seconds)
}

/// A file of the image's size, with noise in the MiB that `is_full` names. One that is there stays.
fn noise(path: &Path, is_full: impl Fn(usize) -> bool) -> Result<(), String> {
    let fail = |e: std::io::Error| format!("{}: {e}", path.display());
    if path.metadata().is_ok_and(|data| data.len() == (IMAGE as u64) << 20) {
        return Ok(());
    }
    let mut state: u64 = 1;
    let mut noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 32) as u32
    });
    let mut file = fs::File::create(path).map_err(fail)?;
    for mib in 0..IMAGE {
        let piece: Vec<u8> = match is_full(mib) {
            true => noise.by_ref().take(1 << 18).flat_map(u32::to_le_bytes).collect(),
            false => vec![0; 1 << 20],
        };
        std::io::Write::write_all(&mut file, &piece).map_err(fail)?;
    }
    Ok(())
}
