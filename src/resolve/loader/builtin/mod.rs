//! The built-in boot loader: its images, and the menu file that it reads.
//!
//! The images are built from `templates/loader/` by `cargo xtask loader`. They are embedded as they are; the one thing that is
//! written into one of them, besides the boot information table, is the image's id in the BIOS boot image.

pub mod kernel;
mod title;

use crate::formats::pe::Machine;
use std::ops::Range;

pub use title::shows;

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

/// A menu to be written.
#[derive(Debug, Default)]
pub struct Menu {
    /// What stands over it.
    pub title: String,
    /// Seconds; -1 waits for ever.
    pub timeout: i64,
    /// The entry that is chosen at first, from 1.
    pub default: usize,
    /// The speed of the serial console.
    pub serial: Option<u32>,
    /// The entries.
    pub entries: Vec<MenuFileEntry>,
}

/// An entry of a [`Menu`]: its title, and its other lines in their order.
#[derive(Debug)]
pub struct MenuFileEntry {
    /// What the menu shows.
    pub title: String,
    /// Key and value of each line. A value is bytes: a path of the image need not be text.
    pub lines: Vec<(&'static str, Vec<u8>)>,
}

/// The menu file's bytes, and where the image's id stands in them; it is [`NO_ID`] so far. A control character of the title, which
/// a volume identifier may have, becomes a space: each value is one line.
pub fn render(menu: &Menu) -> (Vec<u8>, Range<usize>) {
    let mut out = b"# The menu of isobuild's boot loader, which reads it from here.\nid = ".to_vec();
    let id = out.len()..out.len() + NO_ID.len();
    out.extend_from_slice(NO_ID);
    let title = menu.title.replace(char::is_control, " ");
    let head = format!(
        "\ntitle = {title}\ntimeout = {}\ndefault = {}\n",
        menu.timeout, menu.default
    );
    out.extend_from_slice(head.as_bytes());
    if let Some(speed) = menu.serial {
        out.extend_from_slice(format!("serial = {speed}\n").as_bytes());
    }
    for entry in &menu.entries {
        out.extend_from_slice(format!("\nentry = {}\n", entry.title).as_bytes());
        for (key, value) in &entry.lines {
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b" = ");
            out.extend_from_slice(value);
            out.push(b'\n');
        }
    }
    (out, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m12_the_menu_file_is_for_people_too() {
        let (bytes, id) = render(&Menu {
            title: "ACME\n1.4".into(),
            timeout: 5,
            default: 1,
            serial: Some(115_200),
            entries: vec![MenuFileEntry {
                title: "Install".into(),
                lines: vec![("kernel", b"/boot/vmlinuz".to_vec()), ("cmdline", b"quiet".to_vec())],
            }],
        });
        assert_eq!(&bytes[id], NO_ID);
        let text = String::from_utf8(bytes).unwrap();
        let (_, behind) = text.split_once("0000\n").unwrap();
        let wanted = "title = ACME 1.4\ntimeout = 5\ndefault = 1\nserial = 115200\n\nentry = Install\nkernel = /boot/vmlinuz\n\
                      cmdline = quiet\n";
        assert_eq!(behind, wanted);
    }

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
