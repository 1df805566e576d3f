//! GRUB.

use super::boot;
use super::entries::raw_program;
use isobuild::inside::facts::cell::{Cell, Firmware};
use qemu_tests::pins;
use qemu_tests::secure::Key;
use qemu_tests::system::{self, END, System};
use qemu_tests::tools;
use qemu_tests::verbs::Bench;
use serde_json::Value;

/// Words that GRUB's language would take for its own, in titles, names and command lines.
pub(super) fn linux(system: &System, cell: Cell) -> Result<(), String> {
    system.put("it's $(first) {1}; `x`.img", &system::one_file("first", b"first"))?;
    let manifest = format!(
        "{}[[menu]]\ntitle = 'A \"quoted\" title, it''s $HOME }}'\nkernel = \"vmlinuz\"\ninitrd = [\"it's $(first) {{1}}; `x`.img\", \
         \"initrd.img\"]\ncmdline = 'console=ttyS0 a=$HOME b=\"two words\" c=`x` {{d}} ; e=$(reboot) #f ü'\n",
        boot("grub", cell)?
    )
    .replace("it''s", "it is");
    let line = format!(
        "cmdline [BOOT_IMAGE=/boot/vmlinuz console={} a=$HOME \"b=two words\" c=`x` {{d}} ; e=$(reboot) #f ü]",
        system.port
    );
    system.boots(&manifest, cell, &["file /first", &line, END]).map(drop)
}

/// A boot sector that writes a text to the serial port; a longer program is not shown, and the menu then starts what it has.
pub(super) fn boot_sector(system: &System, cell: Cell) -> Result<(), String> {
    system.put("sector.bin", &raw_program(b"boot sector\0", 512))?;
    system.put("longer.bin", &raw_program(b"longer\0", 90_000))?;
    let manifest = format!(
        "{}firmware = [\"bios\"]\ndefault = \"Longer\"\n[[menu]]\ntitle = \"Sector\"\nbios = \"sector.bin\"\n[[menu]]\ntitle = \"Longer\"\nbios = \"longer.bin\"\n",
        boot("grub", cell)?
    );
    system.boots(&manifest, cell, &["boot sector"]).map(drop)
}

pub(super) fn machine_page(system: &System, cell: Cell) -> Result<(), String> {
    let manifest = format!(
        "{}serial = 115200\n[[menu]]\naction = \"machine\"\n",
        boot("grub", cell)?
    );
    let platform = match cell.firmware {
        Firmware::Bios => "i386-pc",
        _ => "x86_64-efi",
    };
    let expected = [
        platform,
        "The processor runs 64-bit systems.",
        "Machine: QEMU",
        "This medium: ",
        "Escape leads back",
    ];
    system.boots(&manifest, cell, &expected).map(drop)
}

/// A theme fills the screen with its colour, in which its font has written the title.
pub(super) fn theme(system: &System, cell: Cell) -> Result<(), String> {
    let font = tools::find(tools::GRUB_FONT)?;
    system.put(
        "theme.txt",
        b"title-text: \"\"\ndesktop-color: \"#206040\"\n+ boot_menu { left = 10% top = 20% width = 80% height = 60% item_color = \"#ffffff\" }\n",
    )?;
    let manifest = format!(
        "{}timeout = -1\nfirmware = [\"bios\", \"uefi\"]\ntheme = {{ file = \"/boot/grub/themes/own/theme.txt\" }}\n\
         [[files]]\nfrom = \"theme.txt\"\nto = \"/boot/grub/themes/own/\"\n[[files]]\nfrom = {font:?}\nto = \"/boot/grub/fonts/\"\n\
         [[menu]]\ntitle = \"Grüße, 世界\"\naction = \"reboot\"\n",
        boot("grub", cell)?.replace("timeout = 0\n", "")
    );
    let medium = system.medium(&manifest, cell)?;
    let mut guest = system.machine(&medium, cell).start(&system.logs)?;
    guest.wait_for_colour([0x20, 0x60, 0x40])?;
    guest.screendump_as("theme.png")?;
    Ok(())
}

/// The Secure Boot cells judge the menu: shim accepts Debian's kernel, and refuses an unsigned program. `plan` and `check` say the same.
pub(super) fn kernels_of_menu() {
    let parts = pins::load("grub").unwrap().file("gcdx64.efi.signed").unwrap();
    let kernel = pins::load("qemu-tests").unwrap().file("vmlinuz").unwrap();
    let verdict = |more: &str, default: &str| {
        let bench = Bench::new(&format!(
            "[boot]\nloader = \"grub\"\nfirmware = [\"uefi\"]\nassets = [{:?}]\ndefault = {default:?}\n\
             [[menu]]\ntitle = \"Linux\"\nkernel = {kernel:?}\n{more}",
            parts.parent().unwrap()
        ));
        let cells = |call: &str| -> Value {
            let said: Value = serde_json::from_str(&bench.ends(call, 0).out).unwrap();
            said["cells"].clone()
        };
        let planned = cells("plan m.toml --json");
        bench.ends("m.toml", 0);
        assert_eq!(planned, cells("check m.iso --json"));
        let cells = planned.as_array().unwrap().iter();
        let cell = cells
            .into_iter()
            .find(|cell| cell["cell"] == "secure-boot-usb")
            .unwrap();
        (
            cell["boots"].as_bool().unwrap(),
            cell["reason"].as_str().unwrap().to_owned(),
        )
    };
    let has = |found: (bool, String), boots: bool, words: &str| {
        assert!(found.0 == boots && found.1.contains(words), "{found:?}");
    };
    let signed = "its menu starts /boot/vmlinuz, signed under the shim's own Debian";
    has(verdict("", "Linux"), true, signed);
    let unified = "uki = true\n";
    has(
        verdict(unified, "Linux"),
        false,
        "whose menu does not start /boot/vmlinuz.efi, which is not signed",
    );
    let other = format!("[[menu]]\ntitle = \"Other\"\nkernel = {kernel:?}\nuki = true\n");
    has(
        verdict(&other, "Linux"),
        true,
        "Secure Boot does not start \"Other\" of the menu",
    );
    has(verdict(&other, "Other"), false, "which is not signed");
}

/// A machine that trusts its owner alone starts shim and GRUB with the owner's signature, and shim verifies Debian's kernel.
pub(super) fn signed_by_owner() {
    let bench = Bench::new(
        "[boot]\nloader = \"grub\"\ntimeout = 0\nfirmware = [\"uefi\"]\nsign = { key = \"own.key\", cert = \"own.pem\" }\n\
         [[menu]]\nkernel = \"vmlinuz\"\ninitrd = \"initrd.img\"\ncmdline = \"console=ttyS0\"\n",
    );
    Key::new(bench.directory.path(), "own", ("rsa:2048", "own", &[]), None).unwrap();
    let system = System::new("other-loaders-signed", Firmware::Uefi).unwrap();
    for name in ["vmlinuz", "initrd.img"] {
        std::fs::copy(system.path(name), bench.path(name)).unwrap();
    }
    let said = bench.run("test m.toml --cell secure-boot-own-usb --expect isobuild-test:.end");
    assert_eq!(said.code, Some(0), "{said:#?}");
    said.has(&["secure-boot-own-usb    passed"]);
    for program in ["BOOTX64.EFI", "grubx64.efi"] {
        bench.ends(&format!("extract m.iso /EFI/BOOT/{program} -C ."), 0);
        let (is_good, said) = bench.program(&format!("sbverify --cert own.pem EFI/BOOT/{program}"));
        assert!(is_good, "{program}: {said}");
    }
}
