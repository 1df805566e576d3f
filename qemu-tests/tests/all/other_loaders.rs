//! Other people's loaders show the menu of the manifest, and start what the built-in loader starts.

use isobuild::inside::facts::cell::{Cell, Firmware, Medium};
use qemu_tests::secure::Key;
use qemu_tests::system::{self, CELLS, END, LoaderTest, System};
use qemu_tests::verbs::{Bench, said};
use qemu_tests::{pins, suite, tools, workspace};
use serde_json::Value;
use std::process::Command;

/// The firmware of other machines than 64-bit PCs.
const OTHER: [Cell; 4] = [
    cell(Firmware::UefiIa32, Medium::Cd),
    cell(Firmware::UefiIa32, Medium::Usb),
    cell(Firmware::UefiAa64, Medium::Cd),
    cell(Firmware::UefiAa64, Medium::Usb),
];

const fn cell(firmware: Firmware, medium: Medium) -> Cell {
    Cell { firmware, medium }
}

pub(crate) fn tests() -> suite::Tests {
    let tests: [LoaderTest; 18] = [
        ("grub linux", &[CELLS[0], CELLS[3], OTHER[1], OTHER[2]], grub_linux),
        ("grub programs", &[CELLS[0]], grub_programs),
        ("grub boot sector", &[CELLS[1]], grub_boot_sector),
        ("grub machine page", &[CELLS[3]], grub_machine_page),
        ("grub theme", &[CELLS[0]], grub_theme),
        ("grub next device", &[CELLS[1], CELLS[3]], grub_next_device),
        ("isolinux linux", &[CELLS[1]], isolinux_linux),
        ("isolinux raw program", &[CELLS[0]], isolinux_raw_program),
        ("isolinux machine page", &[CELLS[0]], isolinux_machine_page),
        ("isolinux next device", &[CELLS[0]], isolinux_next_device),
        ("isolinux actions", &[CELLS[1]], isolinux_actions),
        ("systemd-boot linux", &[CELLS[2], OTHER[3]], systemd_linux),
        ("loopback of builtin", &[CELLS[3]], loopback_of_builtin),
        ("loopback of grub", &[CELLS[0]], loopback_of_grub),
        ("isolinux raw program", &[CELLS[1]], isolinux_raw_program),
        ("grub boot sector", &[CELLS[0]], grub_boot_sector),
        ("isolinux linux", &[CELLS[0]], isolinux_linux),
        ("grub machine page", &[CELLS[0]], grub_machine_page),
    ];
    let long: [LoaderTest; 9] = [
        ("grub linux", &[CELLS[1], CELLS[2], OTHER[0], OTHER[3]], grub_linux),
        ("grub programs", &[CELLS[3]], grub_programs),
        ("grub theme", &[CELLS[3]], grub_theme),
        ("grub next device", &[CELLS[0], CELLS[2]], grub_next_device),
        ("isolinux programs", &[CELLS[0]], isolinux_programs),
        ("isolinux and grub", &[CELLS[0], CELLS[3]], isolinux_and_grub),
        ("systemd-boot linux", &[CELLS[3], OTHER[2]], systemd_linux),
        ("systemd-boot programs", &[CELLS[2]], systemd_programs),
        ("loopback of builtin", &[CELLS[0]], loopback_of_builtin),
    ];
    let mut all = system::trials(&tests);
    all.extend(suite::long(system::trials(&long)));
    all.extend(suite::program_tests(PROGRAM_TESTS));
    Ok(all)
}

const PROGRAM_TESTS: &[suite::ProgramTest] = &[
    (
        "the same entries by each loader",
        &[tools::GRUB_PC, tools::GRUB_EFI, tools::ISOLINUX, tools::SYSTEMD_BOOT],
        same_entries,
    ),
    ("parts from packages alone", &["unshare"], from_packages),
    (
        "grub signed by its owner",
        &[
            "openssl",
            "qemu-system-x86_64",
            tools::GRUB_EFI,
            tools::OVMF_SECURE_CODE,
        ],
        signed_by_owner,
    ),
];

/// What every manifest here begins with. For 64-bit ARM, whose package no other system has, the package is named.
fn boot(loader: &str, cell: Cell) -> Result<String, String> {
    let assets = match cell.firmware {
        Firmware::UefiAa64 if loader != "builtin" => {
            let inputs = pins::load("qemu-tests")?;
            let name = match loader {
                "grub" => "aa64/grub-efi-arm64-bin.deb",
                _ => "aa64/systemd-boot-efi.deb",
            };
            format!("assets = [{:?}]\n", inputs.file(name)?)
        }
        _ => String::new(),
    };
    Ok(format!("[boot]\nloader = {loader:?}\ntimeout = 0\n{assets}"))
}

const KERNEL: &str = "kernel = \"vmlinuz\"\ninitrd = [\"first.img\", \"initrd.img\"]\n";

/// Words that GRUB's language would take for its own, in titles, names and command lines.
fn grub_linux(system: &System, cell: Cell) -> Result<(), String> {
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

/// memtest86+ and iPXE, each as the file that its makers have for the firmware.
fn grub_programs(system: &System, cell: Cell) -> Result<(), String> {
    let inputs = pins::load("qemu-tests")?;
    for (program, suffix, shows) in [("memtest", "bin", "Memtest86+"), ("ipxe", "lkrn", "iPXE")] {
        let manifest = format!(
            "{}[[menu]]\ntitle = \"Program\"\nbios = {:?}\nefi = {:?}\ncmdline = \"console=ttyS0\"\n",
            boot("grub", cell)?,
            inputs.file(&format!("{program}.{suffix}"))?,
            inputs.file(&format!("{program}.efi"))?
        );
        let medium = system.medium(&manifest, cell)?;
        let mut guest = system.machine(&medium, cell).start(&system.logs)?;
        match (cell.firmware, program) {
            (Firmware::Bios, "ipxe") => guest.wait_for_screen(&[shows])?,
            _ => guest.wait_for(&[shows])?,
        }
        guest.screendump_as(&format!("{program}.png"))?;
    }
    Ok(())
}

/// A boot sector that writes a text to the serial port; a longer program is not shown, and the menu then starts what it has.
fn grub_boot_sector(system: &System, cell: Cell) -> Result<(), String> {
    system.put("sector.bin", &raw_program(b"boot sector\0", 512))?;
    system.put("longer.bin", &raw_program(b"longer\0", 90_000))?;
    let manifest = format!(
        "{}firmware = [\"bios\"]\ndefault = \"Longer\"\n[[menu]]\ntitle = \"Sector\"\nbios = \"sector.bin\"\n[[menu]]\ntitle = \"Longer\"\nbios = \"longer.bin\"\n",
        boot("grub", cell)?
    );
    system.boots(&manifest, cell, &["boot sector"]).map(drop)
}

fn grub_machine_page(system: &System, cell: Cell) -> Result<(), String> {
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
fn grub_theme(system: &System, cell: Cell) -> Result<(), String> {
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

/// The firmware goes on to the second medium, another image.
fn next_device(system: &System, cell: Cell, loader: &str) -> Result<(), String> {
    let first = system.medium(
        &format!("{}[[menu]]\naction = \"next-device\"\n", boot(loader, cell)?),
        cell,
    )?;
    let other = System::new("other-loaders-next-device", cell.firmware)?;
    other.put("first.img", &system::one_file("first", b"first"))?;
    let image = other.image(&format!(
        "[boot]\ntimeout = 0\n[[menu]]\n{KERNEL}cmdline = \"console=ttyS0 other\"\n"
    ))?;
    let machine = system.machine(&first, cell).medium(&image, Medium::Disk);
    let serial = system.finish(machine.start(&system.logs)?, &[END])?;
    match serial.contains("cmdline [console=ttyS0 other]") {
        true => Ok(first.check_unwritten()?),
        false => Err(format!("another image has started\n{serial}")),
    }
}

/// What is a word of a shell or of GRUB is none here.
fn isolinux_linux(system: &System, cell: Cell) -> Result<(), String> {
    system.put("first.img", &system::one_file("first", b"first"))?;
    let manifest = format!(
        "{}[[menu]]\ntitle = 'A \"quoted\" title, $HOME }}'\n{KERNEL}\
         cmdline = 'console=ttyS0 a=$HOME b=\"two words\" c=`x` {{d}} ; e=\\x20 #f ü'\n",
        boot("isolinux", cell)?
    );
    let line = "cmdline [BOOT_IMAGE=/boot/vmlinuz console=ttyS0 a=$HOME b=\"two words\" c=`x` {d} ; e=\\x20 #f ü \
                initrd=/boot/first.img,/boot/initrd.img]";
    system.boots(&manifest, cell, &["file /first", line, END]).map(drop)
}

fn isolinux_programs(system: &System, cell: Cell) -> Result<(), String> {
    let inputs = pins::load("qemu-tests")?;
    for (program, suffix, shows) in [("memtest", "bin", "Memtest86+"), ("ipxe", "lkrn", "iPXE")] {
        let manifest = format!(
            "{}[[menu]]\ntitle = \"Program\"\nbios = {:?}\ncmdline = \"console=ttyS0\"\n",
            boot("isolinux", cell)?,
            inputs.file(&format!("{program}.{suffix}"))?,
        );
        let medium = system.medium(&manifest, cell)?;
        let mut guest = system.machine(&medium, cell).start(&system.logs)?;
        match program {
            "ipxe" => guest.wait_for_screen(&[shows])?,
            _ => guest.wait_for(&[shows])?,
        }
        guest.screendump_as(&format!("{program}.png"))?;
    }
    Ok(())
}

/// A program without a header, which is longer than a boot sector, is at 0x7c00.
fn isolinux_raw_program(system: &System, cell: Cell) -> Result<(), String> {
    system.put("raw.bin", &raw_program(b"raw program\0", 90_000))?;
    let manifest = format!("{}[[menu]]\nbios = \"raw.bin\"\n", boot("isolinux", cell)?);
    system.boots(&manifest, cell, &["raw program"]).map(drop)
}

/// SYSLINUX's own page about the machine.
fn isolinux_machine_page(system: &System, cell: Cell) -> Result<(), String> {
    let manifest = format!("{}[[menu]]\naction = \"machine\"\n", boot("isolinux", cell)?);
    let medium = system.medium(&manifest, cell)?;
    let mut guest = system.machine(&medium, cell).start(&system.logs)?;
    guest.wait_for_screen(&["Hardware Detection Tool"])?;
    Ok(())
}

/// The machine is off, and it starts again; with `-no-reboot` both end QEMU.
fn isolinux_actions(system: &System, cell: Cell) -> Result<(), String> {
    for action in ["poweroff", "reboot"] {
        let manifest = format!("{}[[menu]]\naction = {action:?}\n", boot("isolinux", cell)?);
        let medium = system.medium(&manifest, cell)?;
        let mut guest = system.machine(&medium, cell).start(&system.logs)?;
        guest.wait_for_end()?;
    }
    Ok(())
}

/// Each firmware has its own loader.
fn isolinux_and_grub(system: &System, cell: Cell) -> Result<(), String> {
    system.put("first.img", &system::one_file("first", b"first"))?;
    let manifest = format!(
        "{}firmware = [\"bios\", \"uefi\"]\n[[menu]]\n{KERNEL}cmdline = 'console=ttyS0 both'\n",
        boot("isolinux+grub", cell)?
    );
    let line = match cell.firmware {
        Firmware::Bios => "both initrd=/boot/first.img,/boot/initrd.img]",
        _ => "cmdline [BOOT_IMAGE=/boot/vmlinuz console=ttyS0 both]",
    };
    system.boots(&manifest, cell, &["file /first", line, END]).map(drop)
}

/// A line that begins and ends with a quotation mark, which systemd-boot takes away; files of the ESP that are those of the tree.
fn systemd_linux(system: &System, cell: Cell) -> Result<(), String> {
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

fn systemd_programs(system: &System, cell: Cell) -> Result<(), String> {
    let inputs = pins::load("qemu-tests")?;
    for (program, shows) in [("memtest", "Memtest86+"), ("ipxe", "iPXE")] {
        let manifest = format!(
            "{}[[menu]]\ntitle = \"Program\"\nefi = {:?}\ncmdline = \"console=ttyS0\"\n",
            boot("systemd-boot", cell)?,
            inputs.file(&format!("{program}.efi"))?
        );
        system.boots(&manifest, cell, &[shows]).map(drop)?;
    }
    Ok(())
}

/// A program that writes a text to the serial port, as the firmware loads it to 0x7c00.
fn raw_program(text: &[u8], length: usize) -> Vec<u8> {
    // mov dx, 0x3f8; mov si, 0x7c11; 1: lodsb; test al, al; jz 2f; out dx, al; jmp 1b; 2: hlt; jmp 2b
    let mut program = vec![
        0xba, 0xf8, 0x03, 0xbe, 0x11, 0x7c, 0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8, 0xf4, 0xeb, 0xfd,
    ];
    program.extend_from_slice(text);
    program.resize(510, 0x90);
    program.extend_from_slice(&[0x55, 0xAA]);
    program.resize(length, 0x90);
    program
}

fn grub_next_device(system: &System, cell: Cell) -> Result<(), String> {
    next_device(system, cell, "grub")
}

/// From a stick SeaBIOS does not go on to a hard disk.
fn isolinux_next_device(system: &System, cell: Cell) -> Result<(), String> {
    next_device(system, cell, "isolinux")
}

fn loopback_of_builtin(system: &System, cell: Cell) -> Result<(), String> {
    loopback(system, cell, "builtin")
}

fn loopback_of_grub(system: &System, cell: Cell) -> Result<(), String> {
    loopback(system, cell, "grub")
}

/// A GRUB on another medium starts an image from its file there.
fn loopback(system: &System, cell: Cell, loader: &str) -> Result<(), String> {
    system.put("first.img", &system::one_file("first", b"first"))?;
    let inner = system.image(&format!(
        "{}[[menu]]\n{KERNEL}cmdline = \"console=ttyS0 inner\"\niso_scan = true\n[[menu]]\naction = \"poweroff\"\n",
        boot(loader, cell)?
    ))?;
    std::fs::rename(&inner, system.path("inner file.iso")).map_err(|e| e.to_string())?;
    // Its own GRUB, of an image of isobuild's for BIOS, and of Debian's package for UEFI.
    let core = system.image(&format!(
        "{}firmware = [\"bios\"]\n[[menu]]\naction = \"reboot\"\n",
        boot("grub", cell)?
    ))?;
    let extracted = Command::new(workspace::isobuild()?)
        .args([
            "extract".as_ref(),
            core.as_os_str(),
            "/boot/grub/i386-pc/eltorito.img".as_ref(),
            "-C".as_ref(),
        ])
        .arg(system.path("core"))
        .output()
        .map_err(|e| e.to_string())?;
    if !extracted.status.success() {
        return Err(String::from_utf8_lossy(&extracted.stderr).into_owned());
    }
    let grub = pins::load("debian-installer")?.file("gcdx64.efi.signed")?;
    let hybrid = pins::load("qemu-tests")?.file("boot_hybrid.img")?;
    let outer = format!(
        r#"
[[files]]
from = "inner file.iso"
to = "/images/"
[[files]]
to = "/boot/grub/grub.cfg"
text = """
set iso_path='/images/inner file.iso'
export iso_path
loopback loop "$iso_path"
set root=loop
set timeout=0
export timeout
configfile /boot/grub/loopback.cfg
"""
[boot.bios]
image = "core/boot/grub/i386-pc/eltorito.img"
info_table = "grub2"
mbr = {hybrid:?}
[boot.uefi.files]
"/EFI/BOOT/BOOTX64.EFI" = {grub:?}
"/boot/grub/grub.cfg" = "stub.cfg"
"#
    );
    system.put(
        "stub.cfg",
        b"search --file --set=root '/images/inner file.iso'\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n",
    )?;
    let line = "inner \"iso-scan/filename=/images/inner file.iso\" \"findiso=/images/inner file.iso\"]";
    system.boots(&outer, cell, &["file /first", line, END]).map(drop)
}

/// What each menu shows, as the readers of the loaders' languages find it: the manifest's entries, whoever shows them.
fn same_entries() {
    let inputs = pins::load("qemu-tests").unwrap();
    let file = |name: &str| inputs.file(name).unwrap();
    let entries = |loader: &str, firmware: &str| {
        let bench = Bench::new(&format!(
            "[boot]\nloader = {loader:?}\nfirmware = [{firmware:?}]\n[[menu]]\ntitle = \"Linux, or \\\"Tux\\\"\"\nkernel = {0:?}\n\
             initrd = [{1:?}, {2:?}]\ncmdline = 'quiet a=\"b c\" d'\n[[menu]]\ntitle = \"Memory\"\nbios = {3:?}\nefi = {4:?}\n\
             [[menu]]\ntitle = \"Again\"\nkernel = {0:?}\n[[menu]]\ntitle = \"Network\"\nbios = {5:?}\nefi = {6:?}\n",
            file("vmlinuz"),
            file("busybox"),
            file("fbx64.efi.signed"),
            file("memtest.bin"),
            file("memtest.efi"),
            file("ipxe.lkrn"),
            file("ipxe.efi"),
        ));
        bench.ends("m.toml", 0);
        let menu = bench.ends("menu m.iso --json", 0);
        let menu: Value = serde_json::from_str(&menu.out).unwrap();
        let all = menu["entries"].as_array().unwrap().iter();
        let own = all.filter(|entry| entry["loopback"].is_null() && entry["firmware"] == firmware);
        // systemd-boot's are in the tree, too, for those who copy files.
        let own = own.filter(|entry| !entry["config"].as_str().unwrap().starts_with("iso:/loader/"));
        own.map(|entry| {
            let starts = if entry["kernel"].is_null() {
                &entry["program"]
            } else {
                &entry["kernel"]
            };
            // GRUB puts quotes around all of an argument.
            let line = entry["cmdline"].as_str().unwrap().replace('"', "");
            (entry["title"].clone(), starts.clone(), entry["initrd"].clone(), line)
        })
        .collect::<Vec<_>>()
    };
    for firmware in ["bios", "uefi"] {
        let wanted = entries("builtin", firmware);
        let titles: Vec<&str> = wanted.iter().map(|(title, ..)| title.as_str().unwrap()).collect();
        assert_eq!(titles, ["Linux, or \"Tux\"", "Memory", "Again", "Network"]);
        let others: &[&str] = match firmware {
            "bios" => &["grub", "isolinux", "isolinux+grub"],
            _ => &["grub", "isolinux+grub", "systemd-boot"],
        };
        for loader in others {
            assert_eq!(entries(loader, firmware), wanted, "{loader} {firmware}");
        }
    }
}

/// On a host without GRUB and shim, packages that are named bring both; without them the error says which packages have what is missing.
fn from_packages() {
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
    // What is no place of files, and what is missing.
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

/// A machine that trusts its owner alone starts shim and GRUB with the owner's signature, and shim verifies Debian's kernel.
fn signed_by_owner() {
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
