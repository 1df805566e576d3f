//! Where the files of the loaders come from.

use qemu_tests::verbs::{Bench, said};
use qemu_tests::{pins, workspace};
use serde_json::Value;
use std::process::Command;

/// On a host without GRUB and shim, packages that are named bring both; without them the error says which packages have what is missing.
pub(super) fn from_packages() {
    let bench = Bench::new("");
    let inputs = pins::load("grub").unwrap();
    let packages = ["grub-pc-bin.deb", "shimx64.efi.signed", "gcdx64.efi.signed"];
    std::fs::create_dir(bench.path("parts")).unwrap();
    for name in packages {
        std::fs::copy(inputs.file(name).unwrap(), bench.path("parts").join(name)).unwrap();
    }
    std::fs::copy(inputs.file("vmlinuz").unwrap(), bench.path("vmlinuz")).unwrap();
    let manifest = |assets: &str| {
        format!("[boot]\nloader = \"grub\"\nfirmware = [\"bios\", \"uefi\"]\n{assets}[[menu]]\nkernel = \"vmlinuz\"\n")
    };
    let hidden = |line: &str| {
        let hide = "for d in /usr/lib/grub /usr/lib/shim; do [ -d $d ] && mount -t tmpfs none $d; done; exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", hide, "sh"]);
        command
            .arg(workspace::isobuild().unwrap())
            .args(line.split_whitespace());
        command.current_dir(bench.directory.path());
        said(command)
    };
    std::fs::write(bench.path("m.toml"), manifest("")).unwrap();
    let missing = hidden("m.toml");
    assert_eq!(missing.code, Some(1), "{missing:#?}");
    missing.has(&[
        "GRUB for BIOS is not installed (package grub-pc-bin)",
        "GRUB for x64 is not installed (package grub-efi-amd64-bin)",
        "`boot.assets` names directories and packages",
    ]);
    std::fs::write(
        bench.path("m.toml"),
        manifest("assets = [\"parts\", \"parts/grub-pc-bin.deb\"]\n"),
    )
    .unwrap();
    let plan = hidden("plan m.toml --json");
    assert_eq!(plan.code, Some(0), "{plan:#?}");
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    let parts = plan["parts"].as_array().unwrap();
    let part = |path: &str| parts.iter().find(|part| part["path"] == path).unwrap();
    assert_eq!(
        part("parts/shimx64.efi.signed")["sha256"],
        "0fc347af103ec1dfac6e3f184c0a5241a2ce756a0932b359c404d39c45423806",
        "as inputs.toml pins it"
    );
    part("parts/grub-pc-bin.deb:usr/lib/grub/i386-pc/normal.mod");
    assert!(
        parts
            .iter()
            .all(|part| !part["path"].as_str().unwrap().starts_with('/'))
    );
    let built = hidden("m.toml");
    assert_eq!(built.code, Some(0), "{built:#?}");
    // A signed GRUB has its menu where only one of two ESPs has files.
    let two = format!(
        "{}[disk]\nlayout = \"multi-sector\"\n",
        manifest("assets = [\"parts\", \"parts/grub-pc-bin.deb\"]\n")
    );
    std::fs::write(bench.path("m.toml"), two).unwrap();
    let refused = hidden("m.toml");
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    refused.has(&["this GRUB looks for its menu in /boot/grub"]);
    // A file that is not a package, and one that is missing.
    for (assets, code, says) in [
        ("assets = [\"vmlinuz\"]\n", 1, "nothing that can be unpacked"),
        ("assets = [\"no.deb\"]\n", 1, "cannot use \"no.deb\""),
    ] {
        std::fs::write(bench.path("m.toml"), manifest(assets)).unwrap();
        let said = hidden("m.toml");
        assert_eq!(said.code, Some(code), "{said:#?}");
        said.has(&[says]);
    }
}
