//! Disks without ISO 9660: partitions and file systems that other people's programs have made.

mod volumes;

use isobuild::inside::facts::cell::Firmware;
use qemu_tests::system::needs;
use qemu_tests::verbs::Bench;
use qemu_tests::{pins, suite, tools, workspace};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};

pub(crate) fn tests() -> suite::Tests {
    const EXT: &[&str] = &["mkfs.ext4", "debugfs", "e2fsck"];
    const DISK: &[&str] = &["sfdisk", "mkfs.vfat", "mkfs.ext4", "mkswap", "mcopy", "mmd"];
    let mut tests = suite::program_tests(&[
        ("debugfs reads the same", EXT, volumes::debugfs),
        ("attributes are those of the host", EXT, volumes::attributes),
        ("what is not replayed is said", EXT, volumes::journal),
        ("a disk with a GPT", DISK, gpt),
        ("a disk with an MBR", DISK, mbr),
        ("verbs that change an image", DISK, refused),
        ("a menu on ext4", DISK, menu),
    ]);
    tests.extend(suite::long(suite::program_tests(&[("UFS is named", &["makefs"], ufs)])));
    for (name, firmware, tools, boots) in BOOTS {
        let mut missing = suite::missing(needs(firmware));
        missing.extend(suite::missing(tools));
        missing.extend(workspace::isobuild().err());
        tests.push(suite::trial(format!("{name} boots"), missing, boots));
    }
    Ok(tests)
}

/// A disk that is started: its name, by which firmware, and the programs that make it.
type Boot = (
    &'static str,
    Firmware,
    &'static [&'static str],
    fn() -> Result<(), String>,
);

const BOOTS: [Boot; 3] = [
    (
        "an ESP in a GPT",
        Firmware::Uefi,
        &["sfdisk", "mkfs.vfat", "mcopy", "mmd", tools::SYSTEMD_BOOT],
        esp_boots,
    ),
    (
        "a whole disk of FAT by UEFI",
        Firmware::Uefi,
        &["mkfs.vfat", "mcopy", "mmd", tools::SYSTEMD_BOOT],
        fat_boots,
    ),
    (
        "a whole disk of FAT by a BIOS",
        Firmware::Bios,
        &["mkfs.vfat", "mcopy", "mmd", "syslinux"],
        syslinux_boots,
    ),
];

/// Bytes of a logical sector.
const SECTOR: u64 = 512;
const MIB: u64 = 1 << 20;

/// Runs a program, which must be content.
fn runs(bench: &Bench, line: &str) -> String {
    let (is_content, said) = bench.program(line);
    assert!(is_content, "{line}: {said}");
    said
}

fn empty() -> Bench {
    Bench::new("")
}

/// A file of zeros in the bench.
fn zeros(bench: &Bench, name: &str, size: u64) {
    fs::File::create(bench.path(name)).unwrap().set_len(size).unwrap();
}

/// An ext volume of what is in `tree`.
fn ext(bench: &Bench, name: &str, arguments: &str, mib: u64) {
    zeros(bench, name, mib * MIB);
    runs(bench, &format!("mkfs.ext4 -q -F -d tree {arguments} {name}"));
}

/// A disk with this script for sfdisk, in which files of the bench begin at these sectors.
fn disk(bench: &Bench, script: &str, parts: &[(&str, u64)], mib: u64) {
    zeros(bench, "disk.img", mib * MIB);
    let mut sfdisk = Command::new(tools::find("sfdisk").unwrap());
    sfdisk.args(["-q", "disk.img"]).current_dir(bench.directory.path());
    let mut sfdisk = sfdisk.stdin(Stdio::piped()).spawn().unwrap();
    sfdisk.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(sfdisk.wait().unwrap().success(), "{script}");
    let disk = fs::OpenOptions::new().write(true).open(bench.path("disk.img")).unwrap();
    for (name, sector) in parts {
        disk.write_all_at(&fs::read(bench.path(name)).unwrap(), sector * SECTOR)
            .unwrap();
    }
}

/// An ESP, an ext4 with the tree, swap space, and a partition without a file system.
const GPT: &str = "label: gpt\nstart=2048,size=67584,type=U,name=first\nstart=69632,size=32768,type=L,name=second\n\
                   start=102400,size=2048,type=S\nstart=104448,size=2048,type=21686148-6449-6E6F-744E-656564454649\n";
/// An ESP, and an ext2 in a logical partition.
const MBR: &str = "label: dos\nstart=2048,size=67584,type=ef\nstart=69632,type=5\nstart=71680,size=32768,type=83\n";

/// A FAT32 of 33 MiB as `fat.img`: these files of the host at these paths. Directories are made.
fn fat(bench: &Bench, files: &[(&str, &str)]) {
    zeros(bench, "fat.img", 33 * MIB);
    runs(bench, "mkfs.vfat -F 32 -n BOOT fat.img");
    let mut made = Vec::new();
    for (from, to) in files {
        for (at, _) in to.match_indices('/').skip(1) {
            if !made.contains(&&to[..at]) {
                runs(bench, &format!("mmd -i fat.img ::{}", &to[..at]));
                made.push(&to[..at]);
            }
        }
        runs(bench, &format!("mcopy -i fat.img {from} ::{to}"));
    }
}

/// A disk of either kind with a small ext volume in it.
fn small(script: &str, at: u64) -> Bench {
    let bench = empty();
    fs::create_dir_all(bench.path("tree/etc")).unwrap();
    fs::write(bench.path("tree/etc/hostname"), "small\n").unwrap();
    fs::write(bench.path("loader"), b"MZ").unwrap();
    ext(&bench, "ext.img", "-L root", 16);
    fat(&bench, &[("loader", "/EFI/BOOT/BOOTX64.EFI")]);
    zeros(&bench, "swap.img", MIB);
    runs(&bench, "mkswap -q -L pages swap.img");
    let mut parts = vec![("fat.img", 2048), ("ext.img", at)];
    if at == 69632 {
        parts.push(("swap.img", 102_400));
    }
    disk(&bench, script, &parts, 60);
    bench
}

fn json(bench: &Bench, line: &str) -> Value {
    serde_json::from_str(&bench.ends(line, 0).out).unwrap()
}

fn gpt() {
    let bench = small(GPT, 69632);
    let said = json(&bench, "inspect disk.img --json");
    let volumes: Vec<(u64, &str, Option<&str>)> = said["volumes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|volume| {
            let text = |key: &str| volume[key].as_str();
            (
                volume["partition"].as_u64().unwrap(),
                text("filesystem").unwrap(),
                text("label"),
            )
        })
        .collect();
    let wanted = [
        (1, "FAT32", Some("BOOT")),
        (2, "ext4", Some("root")),
        (3, "swap", Some("pages")),
    ];
    assert_eq!(volumes, wanted);
    // sfdisk counts in sectors.
    let sfdisk: Value = serde_json::from_str(&runs(&bench, "sfdisk --json disk.img")).unwrap();
    let theirs = sfdisk["partitiontable"]["partitions"].as_array().unwrap().iter();
    let theirs: Vec<_> = theirs
        .map(|partition| ["start", "size"].map(|key| partition[key].as_u64().unwrap() * SECTOR))
        .collect();
    let ours = said["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["table"] == "gpt");
    let ours: Vec<_> = ours
        .map(|one| ["start", "length"].map(|key| one[key].as_u64().unwrap()))
        .collect();
    assert_eq!(ours, theirs);
    covered(&bench, &said);
    assert_eq!(bench.ends("ls disk.img", 0).out, "partition-1\npartition-2\n");
    for path in ["partition:2/etc/hostname", "/partition-2/etc/hostname"] {
        assert_eq!(bench.ends(&format!("cat disk.img {path}"), 0).out, "small\n");
    }
    bench
        .ends("ls disk.img partition:3/", 1)
        .has(&["partition:3: it has swap, which is not read"]);
    bench
        .ends("ls disk.img partition:4/", 1)
        .has(&["partition:4: its contents are not recognised"]);
    bench
        .ends("ls disk.img partition:5/", 1)
        .has(&["there is no such partition"]);
    bench
        .ends("ls disk.img iso:/", 1)
        .has(&["the image has no ISO 9660 volume"]);
    bench.ends("extract disk.img partition:2 -C parts -q", 0);
    assert!(fs::read(bench.path("parts/partition-2.img")).unwrap() == fs::read(bench.path("ext.img")).unwrap());
    bench.ends("extract disk.img -C out -q", 0);
    assert_eq!(bench.text("out/partition-2/etc/hostname"), "small\n");
    assert_eq!(bench.text("out/partition-1/EFI/BOOT/BOOTX64.EFI"), "MZ");
    // Through a container of another form it is the same disk.
    bench.ends("convert disk.img disk.qcow2 -q", 0);
    bench.ends("diff disk.img disk.qcow2", 0);
    assert_eq!(json(&bench, "inspect disk.qcow2 --json")["volumes"], said["volumes"]);
    // The same disk with another file system.
    fs::write(bench.path("tree/etc/hostname"), "other\n").unwrap();
    ext(&bench, "ext.img", "-L root", 16);
    fs::copy(bench.path("disk.img"), bench.path("other.img")).unwrap();
    let other = fs::OpenOptions::new()
        .write(true)
        .open(bench.path("other.img"))
        .unwrap();
    other
        .write_all_at(&fs::read(bench.path("ext.img")).unwrap(), 69632 * SECTOR)
        .unwrap();
    let names: Value = serde_json::from_str(&bench.ends("diff disk.img other.img --json", 5).out).unwrap();
    let names: Vec<&str> = names["names"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|name| name["what"] == "content")
        .map(|name| name["path"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["partition:2/etc/hostname"]);
}

/// Every byte of the disk that is not zero is in an extent, and extents are sorted and disjoint.
fn covered(bench: &Bench, said: &Value) {
    let bytes = fs::read(bench.path("disk.img")).unwrap();
    let mut at = 0;
    for extent in said["extents"].as_array().unwrap() {
        let number = |key: &str| extent[key].as_u64().unwrap() as usize;
        let (start, length) = (number("offset"), number("length"));
        assert!(
            start >= at && bytes[at..start].iter().all(|&byte| byte == 0),
            "{at} to {extent}"
        );
        at = start + length;
    }
    assert!(bytes[at..].iter().all(|&byte| byte == 0), "behind {at}");
}

fn mbr() {
    let bench = small(MBR, 71680);
    let said = json(&bench, "inspect disk.img --json");
    covered(&bench, &said);
    let shown = bench.ends("inspect disk.img", 0);
    shown.has(&["mbr 5  linux", "holds ext4 root", "a disk without ISO 9660 and UDF"]);
    assert_eq!(bench.ends("cat disk.img partition:5/etc/hostname", 0).out, "small\n");
    bench
        .ends("check disk.img --require uefi-usb", 5)
        .has(&["which is not a program for x64"]);
    // A partition that is cut off by the end of the file.
    let file = fs::OpenOptions::new().write(true).open(bench.path("disk.img")).unwrap();
    file.set_len(71680 * SECTOR + 4 * MIB).unwrap();
    bench
        .ends("ls disk.img partition:5/", 0)
        .has(&["the super block counts 16777216 bytes, there are 4194304"]);
    bench
        .ends("check disk.img", 5)
        .has(&["fault: partition 5 ends at byte 53477376, and the image has 40894464"]);
}

fn refused() {
    let bench = small(GPT, 69632);
    let before = fs::read(bench.path("disk.img")).unwrap();
    fs::write(bench.path("base.toml"), "[base]\nimage = \"disk.img\"\n").unwrap();
    for (line, code) in [
        ("import disk.img -C parts", 1),
        ("import disk.img -C parts --exact", 1),
        ("base.toml -o out.iso", 1),
        ("edit disk.img --kernel-arg x", 1),
    ] {
        bench.ends(line, code).has(&["it is a disk without ISO 9660 and UDF"]);
    }
    assert!(!bench.path("parts").exists() && !bench.path("out.iso").exists());
    assert!(before == fs::read(bench.path("disk.img")).unwrap());
    // Neither a table nor a file system.
    zeros(&bench, "zeros.img", MIB);
    bench
        .ends("inspect zeros.img", 1)
        .has(&["there is no ISO 9660 volume", "there is no partition"]);
}

/// GRUB in an ESP leads to its menu by the UUID of another partition, as installed systems have it.
fn menu() {
    let bench = small(GPT, 69632);
    fs::create_dir_all(bench.path("tree/boot/grub")).unwrap();
    let configuration = "menuentry 'Installed' {\n linux /boot/vmlinuz root=LABEL=root\n initrd /boot/initrd\n}\n";
    fs::write(bench.path("tree/boot/grub/grub.cfg"), configuration).unwrap();
    fs::write(bench.path("tree/boot/vmlinuz"), "kernel").unwrap();
    let uuid = "11111111-2222-3333-4444-555555555555";
    ext(&bench, "ext.img", &format!("-U {uuid}"), 16);
    let leads = format!("search.fs_uuid {uuid} root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n");
    fs::write(bench.path("grub.cfg"), leads).unwrap();
    fat(
        &bench,
        &[
            ("loader", "/EFI/BOOT/BOOTX64.EFI"),
            ("grub.cfg", "/EFI/debian/grub.cfg"),
        ],
    );
    disk(&bench, GPT, &[("fat.img", 2048), ("ext.img", 69632)], 60);
    let entries = json(&bench, "menu disk.img --json")["entries"].clone();
    let wanted = serde_json::json!([{
        "firmware": "uefi", "title": "Installed", "config": "partition:2/boot/grub/grub.cfg", "kernel": "/boot/vmlinuz",
        "initrd": ["/boot/initrd"], "cmdline": "root=LABEL=root", "missing": ["/boot/initrd"],
    }]);
    assert_eq!(entries, wanted);
}

fn ufs() {
    let bench = empty();
    fs::create_dir(bench.path("tree")).unwrap();
    runs(&bench, "makefs -t ffs -o version=2 -s 16m ext.img tree");
    disk(&bench, GPT, &[("ext.img", 69632)], 60);
    let volume = json(&bench, "inspect disk.img --json")["volumes"][0].clone();
    assert_eq!(
        (&volume["filesystem"], &volume["partition"]),
        (&"UFS".into(), &2.into())
    );
    bench
        .ends("ls disk.img", 0)
        .has(&["partition 2: it has UFS, which is not read"]);
}

/// A kernel that says its version on the serial port, started by systemd-boot.
fn systemd_boot(bench: &Bench) -> Result<(), String> {
    fs::write(
        bench.path("entry"),
        "title Linux\nlinux /vmlinuz\noptions console=ttyS0\n",
    )
    .unwrap();
    fs::write(bench.path("settings"), "timeout 0\n").unwrap();
    let kernel = pins::load("qemu-tests")?.file("vmlinuz")?;
    let files = [
        (tools::SYSTEMD_BOOT, "/EFI/BOOT/BOOTX64.EFI"),
        (kernel.to_str().ok_or("the path is not text")?, "/vmlinuz"),
        ("entry", "/loader/entries/linux.conf"),
        ("settings", "/loader/loader.conf"),
    ];
    fat(bench, &files);
    Ok(())
}

/// Starts an image in a cell that the verdict is positive of.
fn starts(bench: &Bench, image: &str, cell: &str) {
    bench.ends(&format!("check {image} --require {cell}"), 0);
    bench.ends(&format!("test {image} --cell {cell} --expect Linux.version"), 0);
}

fn esp_boots() -> Result<(), String> {
    let bench = empty();
    systemd_boot(&bench)?;
    disk(&bench, GPT, &[("fat.img", 2048)], 60);
    starts(&bench, "disk.img", "uefi-usb");
    Ok(())
}

fn fat_boots() -> Result<(), String> {
    let bench = empty();
    systemd_boot(&bench)?;
    starts(&bench, "fat.img", "uefi-disk");
    // mkfs.fat's code says that the disk does not boot.
    bench
        .ends("check fat.img --require bios-usb", 5)
        .has(&["whose boot sector has no boot code"]);
    Ok(())
}

fn syslinux_boots() -> Result<(), String> {
    let bench = empty();
    let kernel = pins::load("qemu-tests")?.file("vmlinuz")?;
    fs::write(
        bench.path("settings"),
        "DEFAULT linux\nLABEL linux\n KERNEL /vmlinuz\n APPEND console=ttyS0\n",
    )
    .unwrap();
    let kernel = kernel.to_str().ok_or("the path is not text")?;
    fat(&bench, &[(kernel, "/vmlinuz"), ("settings", "/syslinux.cfg")]);
    runs(&bench, "syslinux --install fat.img");
    starts(&bench, "fat.img", "bios-usb");
    Ok(())
}
