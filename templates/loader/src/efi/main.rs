//! The UEFI front end: an application for x86-64, for 32-bit x86 and for AArch64. Where they differ it says so.
//!
//! It keeps within what UEFI 2.10 promises every application, and asks nothing of the file system that it came from but the
//! file with the image's id, and the image's files where they have been copied there one by one.

#![no_std]
#![no_main]

mod console;
mod disk;
mod files;
mod firmware;
mod machine;
mod medium;
// The compiler's own for the other two.
#[cfg(target_arch = "x86_64")]
#[path = "../mem.rs"]
mod mem;
mod mixed;
mod serial;
mod start;
mod tables;
mod volume;

use console::EfiConsole;
use core::ptr::null;
use files::Files;
use firmware::{Firmware, wide};
use isobuild_loader::console::Console;
use isobuild_loader::line::Failure;
use isobuild_loader::menu_file::{Action, Entry};
use isobuild_loader::{Platform, fault, report, run};
use tables::{GLOBAL_VARIABLE, Handle, NOT_FOUND, Status, SystemTable};

// The entry on x86-64: SSE is switched on before the first line of Rust, because compiled code uses it and not every firmware
// (U-Boot) has done so. CR0: clear EM and TS, set MP; CR4: set OSFXSR and OSXMMEXCPT.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl efi_entry",
    "efi_entry:",
    "mov rax, cr0",
    "and al, 0xf3",
    "or al, 2",
    "mov cr0, rax",
    "mov rax, cr4",
    "or eax, 0x600",
    "mov cr4, rax",
    "jmp {}",
    sym efi_main,
);

/// What shim asks of whatever it starts: which generation of which component this is (shim's `SBAT.md`).
#[used]
#[unsafe(link_section = ".sbat")]
static SBAT: [u8; include_bytes!("sbat.csv").len()] = *include_bytes!("sbat.csv");

/// This firmware in the words of the menu file.
const FIRMWARE: &str = if cfg!(target_arch = "x86_64") {
    "uefi"
} else if cfg!(target_arch = "x86") {
    "uefi-ia32"
} else {
    "uefi-aa64"
};

/// What Enter does where there is no menu to go back to.
const TO_FIRMWARE: &str = "Enter gives the machine back to its firmware";

#[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
extern "efiapi" fn efi_main(image: Handle, system: *mut SystemTable) -> Status {
    let firmware = Firmware { image, system };
    // SAFETY: nothing else runs, and nothing but the panic handler reads it.
    unsafe { (&raw mut LAST_RESORT).write(Some(firmware)) };
    // The firmware would reset the machine after five minutes in the menu.
    (firmware.boot().set_watchdog_timer)(0, 0, 0, null());
    let mut console = EfiConsole::new(firmware);
    match medium::find(&firmware) {
        Ok(medium) => {
            let menu = medium.menu;
            if let Some(speed) = menu.serial() {
                console.open_serial(speed);
            }
            let mut machine = Efi {
                firmware,
                console,
                files: medium.files,
                own: medium.own,
            };
            run(&mut machine, &menu)
        }
        Err(failure) => {
            report(&mut console, "isobuild", &failure, TO_FIRMWARE);
            NOT_FOUND
        }
    }
}

/// The machine as UEFI shows it.
struct Efi {
    firmware: Firmware,
    console: EfiConsole,
    files: Files,
    own: bool,
}

/// `OsIndications`, §8.5.4: the firmware's set-up opens at the next start.
const BOOT_TO_FIRMWARE_UI: u64 = 1;

impl Platform for Efi {
    type Console = EfiConsole;

    fn console(&mut self) -> &mut EfiConsole {
        &mut self.console
    }

    fn offers(&mut self, entry: &Entry) -> bool {
        match entry.action() {
            Some(Action::FirmwareSetup) => {
                let supported = self.firmware.variable(&wide::<24>("OsIndicationsSupported"));
                supported.is_some_and(|supported| supported & BOOT_TO_FIRMWARE_UI != 0)
            }
            Some(_) => true,
            None => entry.is_for(FIRMWARE) && entry.kernel().or(entry.efi(start::OWN)).is_some(),
        }
    }

    fn start(&mut self, entry: &Entry, command_line: &[u8], quiet: bool) -> Failure {
        start::start(
            self.firmware,
            &mut self.console,
            &mut self.files,
            entry,
            command_line,
            quiet,
        )
    }

    fn act(&mut self, action: Action) -> Result<(), Failure> {
        const COLD: u32 = 0;
        const SHUTDOWN: u32 = 2;
        let reset = self.firmware.runtime().reset_system;
        match action {
            Action::Reboot => reset(COLD, 0, 0, null()),
            Action::PowerOff => reset(SHUTDOWN, 0, 0, null()),
            Action::FirmwareSetup => {
                // Non-volatile, for boot services and at run time.
                const ATTRIBUTES: u32 = 7;
                let name = wide::<16>("OsIndications");
                let value = self.firmware.variable(&name).unwrap_or(0) | BOOT_TO_FIRMWARE_UI;
                let bytes = value.to_le_bytes();
                let set = self.firmware.runtime().set_variable;
                match set(name.as_ptr(), &GLOBAL_VARIABLE, ATTRIBUTES, bytes.len(), bytes.as_ptr()) {
                    0 => reset(COLD, 0, 0, null()),
                    _ => Err(Failure::of("The firmware does not let its set-up be opened from here.")),
                }
            }
            Action::NextDevice => {
                // §3.1.1: a program that comes back with an error leads to the next boot option.
                self.console.clear();
                (self.firmware.boot().exit)(self.firmware.image, NOT_FOUND, 0, null());
                Err(Failure::of("The firmware does not take the machine back."))
            }
            Action::Machine => {
                machine::page(self.firmware, &mut self.console, &self.files, self.own);
                Ok(())
            }
        }
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    loop {
        // SAFETY: written once, before anything could fail.
        if let Some(firmware) = unsafe { (&raw const LAST_RESORT).read() } {
            report(&mut EfiConsole::new(firmware), "isobuild", &fault(info), TO_FIRMWARE);
            (firmware.boot().exit)(firmware.image, NOT_FOUND, 0, null());
        }
    }
}

/// The firmware, for a fault to be told.
static mut LAST_RESORT: Option<Firmware> = None;
