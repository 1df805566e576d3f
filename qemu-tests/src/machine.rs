//! One machine in QEMU, as it is built and started.
//!
//! The [`Guest`] that it becomes ends with its value, whatever the test does, and with the test's thread, whatever becomes of that. There is no
//! network card, because its boot ROM would hide an image that does not boot, and no default device that the tests did not
//! ask for. Without `-accel kvm` a run does not depend on the host's processor.

use crate::cell::{Firmware, Medium};
use crate::guest::{DEADLINE, Guest};
use crate::terminal::Terminal;
use crate::tools;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A machine that has not been started.
#[derive(Debug)]
pub struct Machine {
    firmware: Firmware,
    media: Vec<(PathBuf, Medium)>,
    virtio_cd: Option<PathBuf>,
    kernel: Option<[String; 3]>,
    memory: u32,
    terminal: bool,
    deadline: Duration,
    extra: Vec<String>,
    logs: PathBuf,
}

impl Machine {
    /// A PC with 1 GiB of memory, a screen and a serial port. Its logs go to the directory `logs`.
    pub fn new(firmware: Firmware, logs: &Path) -> Self {
        Self {
            firmware,
            media: Vec::new(),
            virtio_cd: None,
            kernel: None,
            memory: 1024,
            terminal: false,
            deadline: DEADLINE,
            extra: Vec::new(),
            logs: logs.to_path_buf(),
        }
    }

    /// Adds a medium; the firmware tries the first one first. Only a stick and a disk can be written to.
    pub fn medium(mut self, image: &Path, medium: Medium) -> Self {
        self.media.push((image.to_path_buf(), medium));
        self
    }

    /// Adds a disc to a virtio controller: the kernel of the tests' own guest has no driver for AHCI.
    pub fn virtio_cd(mut self, image: &Path) -> Self {
        self.virtio_cd = Some(image.to_path_buf());
        self
    }

    /// Starts this kernel itself instead of a medium.
    pub fn kernel(mut self, kernel: &Path, initrd: &Path, cmdline: &str) -> Self {
        let path = |path: &Path| path.display().to_string();
        self.kernel = Some([path(kernel), path(initrd), cmdline.to_owned()]);
        self
    }

    /// With so many MiB of memory.
    pub fn memory(mut self, mib: u32) -> Self {
        self.memory = mib;
        self
    }

    /// That may take so long for all it has to show.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// With somebody at the terminal of the serial port, see [`Guest::type_on_serial`].
    pub fn terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    /// With these arguments of QEMU's besides.
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.extra.extend(arguments.iter().map(|word| (*word).to_owned()));
        self
    }

    fn arguments(&self, scratch: &Path) -> Result<Vec<String>, String> {
        let mut arguments = Arguments::default();
        arguments.add(["-accel", "tcg", "-nodefaults", "-no-reboot", "-display", "none"]);
        arguments.add(["-vga", "std", "-m", &self.memory.to_string()]);
        firmware_arguments(&mut arguments, self.firmware, scratch)?;
        for (order, (image, medium)) in self.media.iter().enumerate() {
            let (drive, controller, device) = match medium {
                Medium::Cd => ("media=cdrom,readonly=on", None, "ide-cd"),
                Medium::Usb => ("media=disk", Some("qemu-xhci"), "usb-storage"),
                Medium::Disk => ("media=disk", None, "virtio-blk-pci"),
            };
            if let Some(controller) = controller {
                arguments.add(["-device", controller]);
            }
            let file = option_value(image);
            arguments.add(["-drive", &format!("if=none,id=m{order},format=raw,{drive},file={file}")]);
            // A kernel that QEMU itself starts takes the first place.
            let order_of_boot = match self.kernel {
                Some(_) => String::new(),
                None => format!(",bootindex={order}"),
            };
            arguments.add(["-device", &format!("{device},drive=m{order}{order_of_boot}")]);
        }
        if let Some(image) = &self.virtio_cd {
            let file = option_value(image);
            arguments.add(["-drive", &format!("if=none,id=cd,format=raw,readonly=on,file={file}")]);
            arguments.add(["-device", "virtio-scsi-pci", "-device", "scsi-cd,drive=cd"]);
        }
        if let Some([kernel, initrd, cmdline]) = &self.kernel {
            arguments.add(["-kernel", kernel, "-initrd", initrd, "-append", cmdline]);
        }
        let log = |name: &str| option_value(&self.logs.join(name));
        let serial = match self.terminal {
            true => format!(
                "socket,server=on,wait=on,path={}",
                option_value(&scratch.join("serial"))
            ),
            false => format!("file,path={}", log("serial.log")),
        };
        arguments.add(["-chardev", &format!("{serial},id=serial")]);
        arguments.add(["-serial", "chardev:serial"]);
        // SeaBIOS and OVMF write what they try to this port.
        arguments.add(["-chardev", &format!("file,id=firmware,path={}", log("firmware.log"))]);
        arguments.add(["-device", "isa-debugcon,iobase=0x402,chardev=firmware"]);
        let socket = option_value(&scratch.join("qmp"));
        arguments.add(["-qmp", &format!("unix:{socket},server=on,wait=off")]);
        arguments.0.extend(self.extra.iter().cloned());
        Ok(arguments.0)
    }

    /// Starts it.
    pub fn start(self) -> Result<Guest, String> {
        let qemu = tools::find("qemu-system-x86_64")?;
        // In the system's directory: the path of a socket has at most 107 bytes.
        let scratch = tempfile::tempdir().map_err(|e| format!("temporary directory: {e}"))?;
        let fail = |e: std::io::Error| format!("{}: {e}", self.logs.display());
        // A log of an earlier run would be read as this one's.
        if self.logs.is_dir() {
            fs::remove_dir_all(&self.logs).map_err(fail)?;
        }
        fs::create_dir_all(&self.logs).map_err(fail)?;
        let arguments = self.arguments(scratch.path())?;
        let stderr = fs::File::create(self.logs.join("qemu.log")).map_err(fail)?;
        // Drop does not run when the test is killed; the kernel then ends QEMU.
        let mut command = Command::new(tools::find("setpriv")?);
        command.args(["--pdeathsig", "KILL"]).arg(&qemu).args(&arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let words = arguments.iter().map(|argument| shell_word(argument));
        let line = std::iter::once(qemu.display().to_string()).chain(words);
        let line = line.collect::<Vec<_>>().join(" ");
        let child = command.spawn().map_err(|e| format!("{line}: {e}"))?;
        let terminal = match self.terminal {
            true => Some(Terminal::open(
                &scratch.path().join("serial"),
                &self.logs.join("serial.log"),
            )?),
            false => None,
        };
        Ok(Guest {
            terminal,
            deadline: self.deadline,
            child,
            command: line,
            started: Instant::now(),
            logs: self.logs,
            scratch,
        })
    }
}

#[derive(Default)]
struct Arguments(Vec<String>);

impl Arguments {
    fn add<const N: usize>(&mut self, words: [&str; N]) {
        self.0.extend(words.map(str::to_owned));
    }
}

/// A comma would start the next option.
fn option_value(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

/// The machine type and its firmware. The variables are the run's own: firmware writes to them.
fn firmware_arguments(arguments: &mut Arguments, firmware: Firmware, scratch: &Path) -> Result<(), String> {
    let (machine, code, vars) = match firmware {
        Firmware::Bios => {
            arguments.add(["-machine", "q35"]);
            return Ok(());
        }
        Firmware::Uefi => ("q35", tools::OVMF_CODE, tools::OVMF_VARS),
        // Without SMM the system could write to the keys, and OVMF built for Secure Boot does not start.
        Firmware::SecureBoot => ("q35,smm=on", tools::OVMF_SECURE_CODE, tools::OVMF_VARS_MS),
    };
    let code = tools::find(code)?;
    let own = scratch.join("vars.fd");
    fs::copy(tools::find(vars)?, &own).map_err(|e| format!("{}: {e}", own.display()))?;
    arguments.add(["-machine", machine]);
    if firmware == Firmware::SecureBoot {
        arguments.add(["-global", "driver=cfi.pflash01,property=secure,value=on"]);
    }
    let (code, own) = (option_value(&code), option_value(&own));
    arguments.add(["-drive", &format!("if=pflash,format=raw,readonly=on,file={code}")]);
    arguments.add(["-drive", &format!("if=pflash,format=raw,file={own}")]);
    Ok(())
}

fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+:,./@%".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{word}'")
    }
}
