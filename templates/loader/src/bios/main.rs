//! The BIOS front end: a flat image whose first part is real-mode assembly (`start.s`, `modes.s`) and whose rest is this,
//! in 64-bit mode. The BIOS is called by going down to real mode and up again (`real_mode`).

#![no_std]
#![no_main]

mod console;
mod disk;
mod machine;
#[path = "../mem.rs"]
mod mem;
mod memory;
mod real_mode;
mod serial;
mod start;

use console::BiosConsole;
use disk::{Addressing, BiosDisk};
use isobuild_loader::console::Console;
use isobuild_loader::line::Failure;
use isobuild_loader::medium::menu_of;
use isobuild_loader::menu_file::{Action, Entry, ID_LENGTH, LARGEST, Menu, is_id};
use isobuild_loader::{Platform, fault, report, run};
use real_mode::{MENU_FILE, Registers, bytes, interrupt, out, poke};

core::arch::global_asm!(include_str!("start.s"), include_str!("modes.s"), options(att_syntax));

unsafe extern "C" {
    static image_id: [u8; ID_LENGTH];
    static drive: u8;
    static sector_shift: u8;
    static packets: u8;
    static heads: u16;
    static sectors_per_track: u16;
}

/// Where the assembly goes once it is in 64-bit mode.
#[unsafe(no_mangle)]
extern "C" fn bios_main() -> ! {
    let mut console = BiosConsole::default();
    match find() {
        Ok((disk, menu, own)) => {
            if let Some(speed) = menu.serial() {
                console.open_serial(speed);
            }
            run(&mut Bios { console, disk, own }, &menu)
        }
        Err(failure) => loop {
            report(
                &mut console,
                "isobuild",
                &failure,
                "Enter gives the machine back to its firmware",
            );
            interrupt(0x18, Registers::default());
        },
    }
}

/// The drive that the BIOS has started, as the assembly has found it.
fn own_disk() -> BiosDisk {
    // SAFETY: the assembly wrote these before it came here, and never again.
    unsafe {
        BiosDisk {
            drive: (&raw const drive).read_volatile(),
            sector_size: 512 << (&raw const sector_shift).read_volatile(),
            addressing: match (&raw const packets).read_volatile() {
                0 => Addressing::Geometry {
                    heads: u64::from((&raw const heads).read_volatile()),
                    sectors: u64::from((&raw const sectors_per_track).read_volatile()),
                },
                _ => Addressing::Packets,
            },
        }
    }
}

/// Finds the image's medium: the drive that was started, confirmed by the image's id; then, by the id alone, any other.
fn find() -> Result<(BiosDisk, Menu<'static>, bool), Failure> {
    // SAFETY: the image's own bytes, and memory that nobody else uses.
    let (id, room) = unsafe { ((&raw const image_id).read_volatile(), bytes(MENU_FILE, LARGEST)) };
    let id = is_id(&id).then_some(id);
    let id = id.as_ref().map(|id| &id[..]);
    let mut own = own_disk();
    let failure = match menu_of(&mut own, id, room).map(|_| ()) {
        Ok(()) => return Ok((own, Menu::new(room), true)),
        Err(failure) => failure,
    };
    if id.is_some() {
        for mut other in (0x80..=0xff)
            .filter(|&number| number != own.drive)
            .filter_map(BiosDisk::with_packets)
        {
            if menu_of(&mut other, id, room).is_ok() {
                return Ok((other, Menu::new(room), false));
            }
        }
    }
    Err(failure)
}

/// The machine as the BIOS shows it.
struct Bios {
    console: BiosConsole,
    disk: BiosDisk,
    own: bool,
}

impl Platform for Bios {
    type Console = BiosConsole;

    fn console(&mut self) -> &mut BiosConsole {
        &mut self.console
    }

    fn offers(&mut self, entry: &Entry) -> bool {
        match entry.action() {
            Some(action) => action != Action::FirmwareSetup,
            None => entry.is_for("bios") && entry.kernel().or(entry.bios()).is_some(),
        }
    }

    fn start(&mut self, entry: &Entry, command_line: &[u8], quiet: bool) -> Failure {
        start::start(&mut self.console, &mut self.disk, entry, command_line, quiet)
    }

    fn act(&mut self, action: Action) -> Result<(), Failure> {
        match action {
            Action::Reboot => {
                reboot();
                Err(Failure::of("The machine does not start again by itself."))
            }
            Action::PowerOff => {
                power_off();
                Err(Failure::of("This BIOS cannot switch the machine off."))
            }
            Action::NextDevice => {
                self.console.clear();
                start::next_disk(&self.disk);
                // BIOS Boot Specification 1.01 §6.7: the next device in the BIOS's order.
                interrupt(0x18, Registers::default());
                Err(Failure::of("This BIOS does not go on to another device."))
            }
            Action::Machine => {
                machine::page(&mut self.console, &self.disk, self.own);
                Ok(())
            }
            Action::FirmwareSetup => Err(Failure::of("A BIOS cannot be told to open its set-up.")),
        }
    }
}

/// Resets the machine: by the chip set, else by the keyboard controller.
fn reboot() {
    /// A cold start, in the BIOS data area.
    const WARM_FLAG: usize = 0x472;
    poke(WARM_FLAG, 0u16);
    out(0xcf9, 2);
    out(0xcf9, 6);
    out(0x64, 0xfe);
    (0..20).for_each(|_| real_mode::pause());
}

/// Switches the machine off by APM 1.1 and later, INT 15h function 0x53.
fn power_off() {
    let apm = |eax, ebx, ecx| {
        interrupt(
            0x15,
            Registers {
                eax,
                ebx,
                ecx,
                ..Registers::default()
            },
        )
    };
    const CONNECT: u32 = 0x5301;
    const VERSION: u32 = 0x530e;
    const SET_STATE: u32 = 0x5307;
    const ALL_DEVICES: u32 = 1;
    const OFF: u32 = 3;
    apm(CONNECT, 0, 0);
    apm(VERSION, 0, 0x0102);
    apm(SET_STATE, ALL_DEVICES, OFF);
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    loop {
        let leads = "Enter starts the machine again";
        report(&mut BiosConsole::default(), "isobuild", &fault(info), leads);
        reboot();
    }
}
