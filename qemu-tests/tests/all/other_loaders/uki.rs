//! Unified kernel images: started by firmware, and from the menu of every loader.

use super::boot;
use isobuild::inside::facts::cell::{Cell, Firmware};
use qemu_tests::pins;
use qemu_tests::secure::Key;
use qemu_tests::system::{self, END, System};
use qemu_tests::verbs::Bench;

/// A kernel and two initrds. The length of the first is not a multiple of four.
const PARTS: &str =
    "kernel = \"vmlinuz\"\ninitrd = [\"first.img\", \"initrd.img\"]\ncmdline = 'quiet a=\"b c\" console=";

fn parts(system: &System) -> Result<String, String> {
    let mut first = system::one_file("first", b"first");
    first.push(0);
    system.put("first.img", &first)?;
    Ok(format!("{PARTS}{}'\n", system.port))
}

fn shown(system: &System) -> [String; 3] {
    let line = format!("cmdline [quiet a=\"b c\" console={}]", system.port);
    ["file /first".to_owned(), line, END.to_owned()]
}

/// Firmware starts it, without a loader.
pub(super) fn alone(system: &System, cell: Cell) -> Result<(), String> {
    let assets = match cell.firmware {
        Firmware::UefiAa64 => {
            let package = pins::load("qemu-tests")?.file("aa64/systemd-boot-efi.deb")?;
            format!("[boot]\nassets = [{package:?}]\n")
        }
        _ => String::new(),
    };
    let manifest = format!("{assets}[boot.uefi.uki]\n{}", parts(system)?);
    let shown = shown(system);
    system.boots(&manifest, cell, &shown.each_ref().map(String::as_str))?;
    Ok(())
}

/// A loader starts it from a menu for UEFI alone. The image does not hold the kernel in any other form.
pub(super) fn in_menu(system: &System, cell: Cell, loader: &str) -> Result<(), String> {
    let manifest = format!(
        "{}firmware = [\"uefi\"]\n[[menu]]\n{}uki = true\n",
        boot(loader, cell)?,
        parts(system)?
    );
    let shown = shown(system);
    system.boots(&manifest, cell, &shown.each_ref().map(String::as_str))?;
    Ok(())
}

/// A menu for both: a BIOS starts the files, and UEFI starts the program.
pub(super) fn for_both(system: &System, cell: Cell) -> Result<(), String> {
    let other = "[[menu]]\ntitle = \"Other\"\naction = \"reboot\"\n";
    let manifest = format!(
        "[boot]\ntimeout = 0\ndefault = \"Boot\"\n{other}[[menu]]\n{}uki = true\n",
        parts(system)?
    );
    let shown = shown(system);
    system.boots(&manifest, cell, &shown.each_ref().map(String::as_str))?;
    Ok(())
}

/// objcopy takes each section out, with the bytes that went in.
pub(super) fn sections() {
    let bench = Bench::new(
        "volume_id = \"ACME\"\n[boot.uefi.uki]\nkernel = \"vmlinuz\"\ninitrd = \"first.img\"\ncmdline = \"quiet\"\nsbat = \"sbat\"\n",
    );
    let system = System::new("other-loaders-uki", Firmware::Uefi).unwrap();
    std::fs::copy(system.path("vmlinuz"), bench.path("vmlinuz")).unwrap();
    let first = system::one_file("first", b"first");
    let generation = "acme,1,Acme,acme,1,https://example.org\n";
    std::fs::write(bench.path("first.img"), &first).unwrap();
    std::fs::write(bench.path("sbat"), generation).unwrap();
    bench.ends("m.toml", 0);
    bench.ends("extract m.iso esp:/EFI/BOOT/BOOTX64.EFI -C .", 0);
    let section = |name: &str| {
        let words = format!("objcopy --dump-section {name}=section EFI/BOOT/BOOTX64.EFI copy");
        let (is_good, said) = bench.program(&words);
        assert!(is_good, "{name}: {said}");
        std::fs::read(bench.path("section")).unwrap()
    };
    assert!(section(".linux") == std::fs::read(bench.path("vmlinuz")).unwrap());
    assert!(section(".initrd") == first);
    assert_eq!(section(".cmdline"), b"quiet");
    assert_eq!(section(".osrel"), b"ID=linux\nNAME=\"ACME\"\nPRETTY_NAME=\"ACME\"\n");
    // `file` reads the kernel's version independently.
    let uname = String::from_utf8(section(".uname")).unwrap();
    let (_, kind) = bench.program("file vmlinuz");
    assert!(kind.contains(&format!("version {uname} ")), "{uname} {kind}");
    // The stub's lines come first, then those of the manifest.
    let sbat = String::from_utf8(section(".sbat")).unwrap();
    assert!(
        sbat.starts_with("sbat,1,SBAT Version,") && sbat.contains("\nsystemd,"),
        "{sbat}"
    );
    assert!(sbat.ends_with(generation), "{sbat}");
}

const SIGNED: &str = "kernel = \"vmlinuz\"\ninitrd = \"initrd.img\"\ncmdline = \"console=ttyS0\"\n";

/// A machine that trusts its owner alone starts an image with the owner's signatures.
fn signed(manifest: &str, cell: &str) -> Bench {
    let bench = Bench::new(&format!(
        "[boot]\nsign = {{ key = \"own.key\", cert = \"own.pem\" }}\n{manifest}"
    ));
    Key::new(bench.directory.path(), "own", ("rsa:2048", "own", &[]), None).unwrap();
    let system = System::new("other-loaders-uki-signed", Firmware::Uefi).unwrap();
    for name in ["vmlinuz", "initrd.img"] {
        std::fs::copy(system.path(name), bench.path(name)).unwrap();
    }
    let said = bench.run(&format!("test m.toml --cell {cell} --expect isobuild-test:.end"));
    assert_eq!(said.code, Some(0), "{said:#?}");
    said.has(&[&format!("{cell:<22} passed")]);
    bench
}

pub(super) fn signed_alone() {
    let bench = signed(&format!("[boot.uefi.uki]\n{SIGNED}"), "secure-boot-own-cd");
    bench.ends("extract m.iso /EFI/BOOT/BOOTX64.EFI -C .", 0);
    let (is_good, said) = bench.program("sbverify --cert own.pem EFI/BOOT/BOOTX64.EFI");
    assert!(is_good, "{said}");
}

/// This machine does not trust Debian's signature of the kernel, but the owner's signature of the unified kernel image.
pub(super) fn signed_in_menus() {
    for loader in ["systemd-boot", "grub", "builtin"] {
        let head = format!("loader = {loader:?}\ntimeout = 0\nfirmware = [\"uefi\"]\n");
        signed(&format!("{head}[[menu]]\n{SIGNED}uki = true\n"), "secure-boot-own-usb");
    }
}
