//! systemd-boot.

use super::boot;
use isobuild::inside::facts::cell::{Cell, Firmware};
use qemu_tests::pins;
use qemu_tests::secure::Key;
use qemu_tests::system::{self, END, System};
use qemu_tests::verbs::Bench;
use qemu_tests::workspace;
use serde_json::Value;
use std::process::Command;

/// A line that begins and ends with a quotation mark, which systemd-boot takes away; files of the ESP that are those of the tree.
pub(super) fn linux(system: &System, cell: Cell) -> Result<(), String> {
    system.put("first file.img", &system::one_file("first", b"first"))?;
    let manifest = format!(
        "{}[[menu]]\ntitle = '\"A quoted title\"'\nkernel = \"vmlinuz\"\ninitrd = [\"first file.img\", \"initrd.img\"]\n\
         cmdline = '\"a=two words\" console=ttyS0 $HOME `x` {{d}} ; e=\\x20 #f ü b=\"c d\"'\n",
        boot("systemd-boot", cell)?
    );
    let line = format!(
        "\"a=two words\" console={} $HOME `x` {{d}} ; e=\\x20 #f ü b=\"c d\"]",
        system.port
    );
    system.boots(&manifest, cell, &["file /first", &line, END])?;
    let plan = Command::new(workspace::isobuild()?)
        .args([
            "plan".as_ref(),
            "--json".as_ref(),
            system.path("manifest.toml").as_os_str(),
        ])
        .output()
        .map_err(|e| e.to_string())?;
    let plan: Value = serde_json::from_slice(&plan.stdout).map_err(|e| e.to_string())?;
    let extents = plan["extents"].as_array().ok_or("no extents")?;
    for name in ["vmlinuz", "first file.img", "initrd.img"] {
        let paths = serde_json::json!([format!("esp:/boot/{name}"), format!("iso:/boot/{name}")]);
        let is_one = |extent: &&Value| extent["paths"] == paths;
        if extents.iter().filter(is_one).count() != 1 {
            return Err(format!("{name} is not one extent with both paths: {extents:#?}"));
        }
    }
    Ok(())
}

/// A machine that trusts its owner alone starts the loader and a kernel that both have the owner's signature.
pub(super) fn signed_by_owner() {
    let bench = Bench::new(
        "[boot]\nloader = \"systemd-boot\"\ntimeout = 0\nfirmware = [\"uefi\"]\nsign = { key = \"own.key\", cert = \"own.pem\" }\n\
         [[menu]]\nkernel = \"vmlinuz.own\"\ninitrd = \"initrd.img\"\ncmdline = \"console=ttyS0\"\n",
    );
    Key::new(bench.directory.path(), "own", ("rsa:2048", "own", &[]), None).unwrap();
    let system = System::new("other-loaders-systemd-signed", Firmware::Uefi).unwrap();
    for name in ["vmlinuz", "initrd.img"] {
        std::fs::copy(system.path(name), bench.path(name)).unwrap();
    }
    bench.ends("sign vmlinuz vmlinuz.own --key own.key --cert own.pem", 0);
    let said = bench.run("test m.toml --cell secure-boot-own-cd --expect isobuild-test:.end");
    assert_eq!(said.code, Some(0), "{said:#?}");
    said.has(&["secure-boot-own-cd     passed"]);
}

/// The manifest brings a shim. It starts systemd-boot under GRUB's name, and systemd-boot starts Debian's kernel, whose signature shim verifies.
pub(super) fn behind_shim() {
    let bench = Bench::new(
        "[boot]\nloader = \"systemd-boot\"\ntimeout = 0\nfirmware = [\"uefi\"]\nsign = { key = \"own.key\", cert = \"own.pem\" }\n\
         [boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"shim.own\"\n\
         [[menu]]\nkernel = \"vmlinuz\"\ninitrd = \"initrd.img\"\ncmdline = \"console=ttyS0\"\n",
    );
    Key::new(bench.directory.path(), "own", ("rsa:2048", "own", &[]), None).unwrap();
    let system = System::new("other-loaders-systemd-shim", Firmware::Uefi).unwrap();
    for name in ["vmlinuz", "initrd.img"] {
        std::fs::copy(system.path(name), bench.path(name)).unwrap();
    }
    let shim = pins::load("debian-installer")
        .unwrap()
        .file("shimx64.efi.signed")
        .unwrap();
    std::fs::copy(shim, bench.path("shim")).unwrap();
    bench.ends("sign shim shim.own --key own.key --cert own.pem", 0);
    let said = bench.run("test m.toml --cell secure-boot-own-usb --expect isobuild-test:.end");
    assert_eq!(said.code, Some(0), "{said:#?}");
    said.has(&["secure-boot-own-usb    passed"]);
    bench.ends("ls m.iso /EFI/BOOT", 0).has(&["BOOTX64.EFI", "grubx64.efi"]);
}
