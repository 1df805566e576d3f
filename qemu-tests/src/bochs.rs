//! Bochs: a PC whose processor, disks and BIOS are others than QEMU's.

use crate::tools::{self, BOCHS_BIOS, BOCHS_VGA_BIOS};
use isobuild::inside::facts::cell::Medium;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a machine needs.
pub const NEEDS: [&str; 3] = ["bochs-bin", BOCHS_BIOS, BOCHS_VGA_BIOS];

/// Several times what a start takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(300);

/// Boots an image as a disc or as a disk until all of `expected` is on the serial port. Its logs go to `logs`.
pub fn boots(image: &Path, medium: Medium, logs: &Path, expected: &[&str]) -> Result<String, String> {
    fs::create_dir_all(logs).map_err(|e| format!("{}: {e}", logs.display()))?;
    let image = image.display();
    // A disk's writes go to a file of the run's own.
    let (device, boot) = match medium {
        Medium::Cd => (format!("type=cdrom, path={image}, status=inserted"), "cdrom"),
        _ => (format!("type=disk, path={image}, mode=volatile"), "disk"),
    };
    // No display waits for anybody, and no sound is made: without a sound card that ends the program.
    let settings = format!(
        "megs: 512\ncpu: model=corei7_haswell_4770, ips=100000000, reset_on_triple_fault=0\n\
         romimage: file={BOCHS_BIOS}\nvgaromimage: file={BOCHS_VGA_BIOS}\n\
         display_library: rfb, options=\"timeout=0\"\n\
         sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy\nspeaker: enabled=0\n\
         ata0-master: {device}\nboot: {boot}\nclock: sync=none\n\
         com1: enabled=1, mode=file, dev=serial.log\nlog: bochs.log\n"
    );
    let write = |name: &str, text: &str| {
        let path = logs.join(name);
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
    };
    write("serial.log", "")?;
    write("bochsrc", &settings)?;
    // Debian's Bochs is the one with a debugger, which is told to go on.
    write("go", "continue\n")?;
    let said = File::create(logs.join("said.log")).map_err(|e| format!("said.log: {e}"))?;
    let errors = said.try_clone().map_err(|e| format!("said.log: {e}"))?;
    let mut bochs = Command::new(tools::find("bochs-bin")?);
    bochs.args(["-q", "-f", "bochsrc", "-rc", "go"]).current_dir(logs);
    bochs.stdin(Stdio::null()).stdout(said).stderr(errors);
    let mut running = Running(bochs.spawn().map_err(|e| format!("bochs-bin: {e}"))?);
    let started = Instant::now();
    loop {
        let serial = fs::read(logs.join("serial.log")).unwrap_or_default();
        let serial = String::from_utf8_lossy(&serial).into_owned();
        let Some(missing) = expected.iter().find(|words| !serial.contains(**words)) else {
            return Ok(serial);
        };
        let ended = running.0.try_wait().map_err(|e| format!("bochs-bin: {e}"))?;
        if ended.is_some() || started.elapsed() > DEADLINE {
            let how = ended.map_or("is still running".to_owned(), |status| format!("has ended: {status}"));
            return Err(format!(
                "{missing:?} is not on the serial port, and Bochs {how} ({})\n{serial}",
                logs.display()
            ));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// A machine that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
