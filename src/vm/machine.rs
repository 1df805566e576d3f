//! One machine in QEMU, as it is put together and started.

#[cfg(feature = "inside")]
mod by_test;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::accelerator::Accelerator;
use super::firmware::{self, Flash, Image};
use super::guest::Guest;
use super::hardware::{Arguments, Drive};
use super::medium::Scratch;
use super::programs::{self, Need};
use super::terminal::Terminal;
use super::words::option;
use super::{MachineError, Trusted, child, variables};
use crate::facts::cell::{Firmware, Medium};
use crate::manifest::Hardware;
use crate::output::Interrupt;

/// How long a guest may take before a wait gives up, if nobody says: several times what the slowest takes on a busy machine.
#[cfg(feature = "inside")]
const DEADLINE: Duration = Duration::from_secs(240);

/// The file with the variables of a machine with Secure Boot.
const VARIABLES: &str = "variables.fd";

/// A machine that has not been started.
#[derive(Debug)]
pub struct Machine {
    firmware: Firmware,
    accelerator: Accelerator,
    drives: Vec<Drive>,
    kernel: Option<(PathBuf, PathBuf, String)>,
    memory: u64,
    network: bool,
    disks: Vec<u64>,
    terminal: bool,
    #[cfg(feature = "inside")]
    deadline: Duration,
    trusted: Vec<Trusted>,
    variables: Option<PathBuf>,
    extra: Vec<String>,
    interrupt: Interrupt,
}

/// Where a person is at the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// At its screen, in a window.
    Window,
    /// At its serial port, in this terminal.
    Serial,
}

impl Machine {
    /// A machine with 1 GiB of memory, a screen and a serial port, whose instructions are translated.
    pub fn new(firmware: Firmware) -> Self {
        Self {
            firmware,
            accelerator: Accelerator::Tcg,
            drives: Vec::new(),
            kernel: None,
            memory: 1024,
            network: false,
            disks: Vec::new(),
            terminal: false,
            #[cfg(feature = "inside")]
            deadline: DEADLINE,
            trusted: Vec::new(),
            variables: None,
            extra: Vec::new(),
            interrupt: Interrupt::default(),
        }
    }

    /// Adds an image that stays as it is: what is written disappears with the machine.
    pub fn snapshot(self, image: &Path, medium: Medium) -> Self {
        self.drive(image, "raw", medium, true)
    }

    /// Adds what tells afterwards whether it was written to.
    pub fn scratch(self, scratch: &Scratch) -> Self {
        self.drive(scratch.path(), scratch.format(), scratch.medium(), false)
    }

    fn drive(mut self, file: &Path, format: &'static str, medium: Medium, snapshot: bool) -> Self {
        self.drives.push(Drive {
            file: file.into(),
            format,
            medium,
            snapshot,
        });
        self
    }

    /// Runs its instructions so.
    pub fn accelerator(mut self, accelerator: Accelerator) -> Self {
        self.accelerator = accelerator;
        self
    }

    /// Adds the hardware of a test.
    pub fn hardware(mut self, hardware: &Hardware) -> Self {
        self.memory = hardware.memory;
        self.network = hardware.network;
        self.disks.extend(&hardware.disks);
        self.extra.extend(hardware.qemu.iter().cloned());
        self
    }

    /// That a signal ends.
    pub fn interrupt(mut self, interrupt: &Interrupt) -> Self {
        self.interrupt = interrupt.clone();
        self
    }

    /// With somebody at the terminal of the serial port, see [`Guest::type_on_serial`].
    pub fn terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    /// Whose firmware trusts these certificates too, if it asks for signatures.
    pub fn trusting(mut self, certificates: &[Trusted]) -> Self {
        self.trusted.extend_from_slice(certificates);
        self
    }

    /// With these arguments of QEMU's besides.
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.extra.extend(arguments.iter().map(|word| (*word).to_owned()));
        self
    }

    /// All but what is around the machine: its screen's window, its ports' other ends. Variables that are made for it go to a file in
    /// `directory`.
    fn arguments(&self, qemu: &Path, directory: &Path) -> Result<Arguments, MachineError> {
        let mut flash = flash(self.firmware, qemu)?;
        if let Some(variables) = flash.as_mut().and_then(|flash| flash.variables.as_mut()) {
            if let Some(file) = &self.variables {
                variables.filename.clone_from(file);
            } else if self.firmware.is_secure() {
                let bytes = variables::for_machine(self.firmware, &self.trusted, variables)?;
                let filename = directory.join(VARIABLES);
                fs::write(&filename, bytes).map_err(MachineError::io(&filename))?;
                let format = "raw".into();
                *variables = Image { filename, format };
            }
        }
        let mut arguments = Arguments::default();
        let smm = flash.as_ref().is_some_and(|flash: &Flash| flash.smm);
        arguments.board(self.firmware, self.accelerator, self.memory, smm);
        if let Some(flash) = &flash {
            arguments.flash(flash);
        }
        for (number, drive) in self.drives.iter().enumerate() {
            // A kernel that QEMU itself starts takes the first place.
            let turn = Some(number).filter(|_| self.kernel.is_none());
            arguments.drive(number, drive, self.firmware, turn);
        }
        for (number, &size) in self.disks.iter().enumerate() {
            arguments.empty_disk(number, size);
        }
        if self.network {
            arguments.network();
        }
        if let Some((kernel, initrd, cmdline)) = &self.kernel {
            arguments.add_path("-kernel", "", kernel);
            arguments.add_path("-initrd", "", initrd);
            arguments.add(["-append", cmdline]);
        }
        Ok(arguments)
    }

    /// QEMU for machines with this firmware, when both are there.
    pub fn installed(firmware: Firmware) -> Result<PathBuf, MachineError> {
        let qemu = qemu(firmware)?;
        firmware::locate(firmware, &qemu).map_err(MachineError::Missing)?;
        Ok(qemu)
    }

    fn with_seat(&self, qemu: &Path, seat: Seat, directory: &Path) -> Result<Arguments, MachineError> {
        let mut arguments = self.arguments(qemu, directory)?;
        match seat {
            // QEMU takes what display it was built with.
            Seat::Window => arguments.add(["-serial", "vc"]),
            Seat::Serial => arguments.add(["-display", "none", "-serial", "mon:stdio"]),
        }
        arguments.0.extend(self.extra.iter().map(Into::into));
        Ok(arguments)
    }

    /// The line that starts it with somebody at it. A machine with Secure Boot needs a file for that, which stays in the system's temporary
    /// directory.
    pub fn line(&self, seat: Seat) -> Result<String, MachineError> {
        let qemu = qemu(self.firmware)?;
        let directory = match self.firmware.is_secure() && self.variables.is_none() {
            true => temporary()?.keep(),
            false => PathBuf::new(),
        };
        Ok(self.with_seat(&qemu, seat, &directory)?.line(&qemu))
    }

    /// Runs it with somebody at it, until it ends or they end it.
    pub fn run(&self, seat: Seat) -> Result<ExitStatus, MachineError> {
        let qemu = qemu(self.firmware)?;
        let directory = temporary()?;
        let arguments = self.with_seat(&qemu, seat, directory.path())?;
        let failed = |source| MachineError::Io {
            path: qemu.clone(),
            source,
        };
        let mut command = child::command(&qemu);
        command.args(&arguments.0);
        let mut child = child::Child::start(&mut command).map_err(failed)?;
        loop {
            if let Some(status) = child.ended().map_err(failed)? {
                return Ok(status);
            }
            if let Some(signal) = self.interrupt.requested() {
                child.ask_to_end();
                return Err(MachineError::Interrupted(signal));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Starts it with nobody at it. Its logs go to the directory `logs`: `serial.log`, `firmware.log` of what SeaBIOS and OVMF try,
    /// `qemu.log`; and with them `variables.fd`, which a machine with Secure Boot begins with.
    pub fn start(self, logs: &Path) -> Result<Guest, MachineError> {
        let qemu = qemu(self.firmware)?;
        // In the system's directory: the path of a socket has at most 107 bytes.
        let scratch = temporary()?;
        fs::create_dir_all(logs).map_err(MachineError::io(logs))?;
        // A log of an earlier run would be read as this one's.
        for name in super::LOGS {
            let log = logs.join(name);
            fs::File::create(&log).map_err(MachineError::io(&log))?;
        }
        let mut arguments = self.arguments(&qemu, logs)?;
        arguments.add(["-display", "none"]);
        match self.terminal {
            true => arguments.add_path(
                "-chardev",
                "socket,id=serial,server=on,wait=on,path=",
                &scratch.path().join("serial"),
            ),
            false => arguments.add_path("-chardev", "file,id=serial,path=", &logs.join("serial.log")),
        }
        arguments.add(["-serial", "chardev:serial"]);
        if self.firmware != Firmware::UefiAa64 {
            // SeaBIOS and OVMF write what they try to this port.
            arguments.add_path("-chardev", "file,id=firmware,path=", &logs.join("firmware.log"));
            arguments.add(["-device", "isa-debugcon,iobase=0x402,chardev=firmware"]);
        }
        let control = option("unix:", &scratch.path().join("qmp"));
        arguments.add(["-qmp"]);
        arguments.0.push(control);
        if let Some(control) = arguments.0.last_mut() {
            control.push(",server=on,wait=off");
        }
        arguments.0.extend(self.extra.iter().map(Into::into));
        let log = logs.join("qemu.log");
        let stderr = fs::File::create(&log).map_err(MachineError::io(&log))?;
        let mut command: Command = child::command(&qemu);
        command.args(&arguments.0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let child = child::Child::start(&mut command).map_err(MachineError::io(&qemu))?;
        let mut guest = Guest {
            terminal: None,
            #[cfg(feature = "inside")]
            deadline: self.deadline,
            child,
            command: arguments.line(&qemu),
            firmware: self.firmware,
            started: Instant::now(),
            logs: logs.into(),
            scratch,
            interrupt: self.interrupt,
        };
        if self.terminal {
            let socket = guest.scratch.path().join("serial");
            let terminal = Terminal::open(&socket, &logs.join("serial.log"), &mut || guest.runs())?;
            guest.terminal = Some(terminal);
        }
        Ok(guest)
    }
}

fn temporary() -> Result<tempfile::TempDir, MachineError> {
    tempfile::tempdir().map_err(MachineError::io("temporary directory"))
}

fn qemu(firmware: Firmware) -> Result<PathBuf, MachineError> {
    let need = Need::qemu(firmware);
    programs::find(need.what()).ok_or_else(|| MachineError::Missing(need.missing()))
}

/// A BIOS is found by QEMU itself.
fn flash(firmware: Firmware, qemu: &Path) -> Result<Option<Flash>, MachineError> {
    match firmware {
        Firmware::Bios => Ok(None),
        firmware => firmware::find(firmware, qemu).map(Some).map_err(MachineError::Missing),
    }
}
