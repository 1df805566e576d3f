//! The built-in boot loader: its images, and the menu file that it reads.
//!
//! The images are built from `templates/loader/` by `cargo xtask loader`. They are embedded as they are; the one thing that is
//! written into one of them, besides the boot information table, is the image's id in the BIOS boot image.

mod install;
mod limits;
mod menu_file;
mod title;
mod words;

use crate::formats::pe::Machine;

pub(in crate::resolve) use install::install;
pub(in crate::resolve) use limits::judge;
#[cfg(feature = "inside")]
pub use menu_file::MenuFileEntry;
pub use menu_file::{MenuFile, render};
pub use title::shows;
pub(in crate::resolve) use words::warn_of_titles;

/// The El Torito image for BIOS, which a stick's boot code starts too.
pub const BIOS_IMAGE: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/images/bios.img"));

/// The boot code of the MBR.
pub const BOOT_CODE: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/images/mbr.img"));

/// The application for UEFI on x86-64.
pub const EFI_X64: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/images/bootx64.efi"));

/// The applications for UEFI: for which processor, the file name in the ESP's `/EFI/BOOT` (UEFI 2.10 §3.5.1.1), and the program.
pub const EFI: [(Machine, &str, &[u8]); 3] = [
    (Machine::X64, "BOOTX64.EFI", EFI_X64),
    (
        Machine::Ia32,
        "BOOTIA32.EFI",
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/images/bootia32.efi")),
    ),
    (
        Machine::Aa64,
        "BOOTAA64.EFI",
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/images/bootaa64.efi")),
    ),
];

/// The file in the ESP that holds the image's id.
pub const ID_PATH: [&str; 3] = ["EFI", "BOOT", "isobuild.id"];

/// [`BIOS_IMAGE`] in the image. It shows there so that other tools know how long it is when they change the image.
pub const BIOS_PATH: [&str; 3] = ["boot", "isobuild", "bios.img"];

/// The most bytes of a program for BIOS that is not in Linux's form: what the loader moves to 0x7C00.
pub const LARGEST_PROGRAM: u64 = 96 << 10;

/// The longest command line in bytes where no header says it: Linux's own limit on 64-bit ARM.
pub const LONGEST_COMMAND_LINE: usize = 2047;

/// The longest command line in bytes that the loader for BIOS has room for.
pub const LONGEST_BIOS_COMMAND_LINE: usize = 4096;

/// An id that is not known yet.
pub const NO_ID: &[u8; 32] = b"00000000000000000000000000000000";

/// Where the id stands in [`BIOS_IMAGE`].
pub const ID_IN_BIOS_IMAGE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_are_what_their_places_expect() {
        assert_eq!(&BIOS_IMAGE[ID_IN_BIOS_IMAGE..][..32], NO_ID);
        assert_eq!(
            &BIOS_IMAGE[8..64],
            [0; 56],
            "the boot information table's place is free"
        );
        assert!(BOOT_CODE.len() <= 432, "the address of the boot image stands at 432");
        for (machine, name, program) in EFI {
            let pe = crate::formats::pe::read(&program.to_vec()).unwrap();
            assert_eq!(
                (pe.machine, pe.subsystem, pe.section(".sbat").is_some()),
                (machine, 10, true),
                "{name}"
            );
        }
    }
}
