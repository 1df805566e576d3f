//! `verify`: what differs on a medium is named, and told apart from what an operating system does to a stick; and `write --expand`.

use qemu_tests::loops::{self, Loop, Mounted};
use qemu_tests::suite;
use qemu_tests::verbs::{Bench, MENU};
use std::fs;
use std::process::Command;

const MIB: u64 = 1 << 20;
const DISK: u64 = 64 * MIB;

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::loop_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    ("damage is named", &["losetup", "xz"], damage),
    ("what a mount leaves is no damage", &["losetup"], mounted),
    ("a moved table is no damage", &["losetup", "sgdisk", "blkid"], moved),
    (
        "a partition for what a live system keeps",
        &["losetup", "sgdisk", "mkfs.ext4", "e2fsck", "mount"],
        persistence,
    ),
    ("what cannot be expanded is refused", &["losetup"], not_expanded),
];

/// An image as `image.iso` and on a disk, of which every byte was another before.
fn written(flags: &str) -> (Bench, Loop) {
    let bench = Bench::with_noise(MENU, 6);
    fs::write(bench.path("disk"), vec![0xA5; DISK as usize]).unwrap();
    let disk = Loop::new(&bench.path("disk"), DISK, 512);
    let said = bench.run(&format!("write image.iso {} --yes {flags}", disk.name()));
    assert_eq!(said.code, Some(0), "{said:?}");
    (bench, disk)
}

/// Where an extent of the image with this path, or of this kind, begins.
fn place(bench: &Bench, name: &str) -> u64 {
    let said = bench.run("inspect image.iso --json");
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let extents = json["extents"].as_array().unwrap();
    let is_it = |extent: &&serde_json::Value| extent["what"] == name || extent["paths"].to_string().contains(name);
    extents.iter().find(is_it).unwrap()["offset"].as_u64().unwrap()
}

fn flip(disk: &Loop, offset: u64, mask: u8) {
    let [byte] = disk.read(offset, 1)[..] else {
        unreachable!()
    };
    disk.write(&[byte ^ mask], offset);
}

fn damage() {
    let (bench, disk) = written("");
    let line = format!("verify image.iso {}", disk.name());
    let said = bench.run(&line);
    assert_eq!(said.code, Some(0), "{said:?}");
    said.has(&["has every byte of image.iso\n"]);
    for (name, shown) in [
        ("noise", "in the file iso:/noise"),
        ("primary volume descriptor", "in the primary volume descriptor"),
        ("GPT header", "in the GPT header"),
        ("/EFI/BOOT/BOOTX64.EFI", "esp:/EFI/BOOT/BOOTX64.EFI"),
        ("master boot record", "in the master boot record"),
    ] {
        let offset = place(&bench, name) + 60;
        flip(&disk, offset, 1);
        flip(&disk, offset + 3, 1);
        let said = bench.run(&line);
        assert_eq!(said.code, Some(5), "{said:?}");
        said.has(&[
            shown,
            &format!("at byte {offset} (LBA {})", offset / 512),
            "sectors that differ: 1 of",
        ]);
        let json: serde_json::Value = serde_json::from_str(&bench.run(&format!("{line} --json")).out).unwrap();
        assert_eq!(
            (&json["same"], &json["first"]["offset"]),
            (&false.into(), &offset.into())
        );
        flip(&disk, offset, 1);
        flip(&disk, offset + 3, 1);
    }
    // The image need not be decompressed for it.
    let packed = Command::new("xz")
        .args(["--stdout", "-1"])
        .arg(bench.path("image.iso"))
        .output()
        .unwrap();
    fs::write(bench.path("image.iso.xz"), packed.stdout).unwrap();
    assert_eq!(bench.run(&format!("verify image.iso.xz {}", disk.name())).code, Some(0));
    flip(&disk, place(&bench, "noise"), 0xff);
    let said = bench.run(&format!("verify image.iso.xz {}", disk.name()));
    assert_eq!(said.code, Some(5), "{said:?}");
    said.has(&["in the file iso:/noise"]);
    // A medium that ends too early, and none.
    fs::write(
        bench.path("short"),
        &fs::read(bench.path("image.iso")).unwrap()[..4 << 20],
    )
    .unwrap();
    let said = bench.run("verify image.iso short");
    assert_eq!(said.code, Some(5), "{said:?}");
    said.has(&["short is too small"]);
    assert_eq!(bench.run("verify image.iso none").code, Some(3));
    assert_eq!(bench.run("verify none image.iso").code, Some(1));
}

fn mounted() {
    let (bench, disk) = written("");
    let esp = place(&bench, "FAT boot sector");
    let table = place(&bench, "file allocation table 1");
    // The dirty flag in the boot sector, as Linux and Windows set it.
    flip(&disk, esp + 0x25, 1);
    let line = format!("verify image.iso {}", disk.name());
    let said = bench.run(&line);
    assert_eq!(said.code, Some(0), "{said:?}");
    said.has(&["no damage: a FAT volume was mounted", "but for that"]);
    // A cluster that is lost is no dirty bit.
    flip(&disk, table + 5, 1);
    let said = bench.run(&line);
    assert_eq!(said.code, Some(5), "{said:?}");
    said.has(&["in the file allocation table 1"]);
}

fn moved() {
    let (bench, disk) = written("--expand");
    assert!(loops::output("sgdisk", &["--verify", disk.name()]).contains("No problems found"));
    let said = bench.run(&format!("verify image.iso {}", disk.name()));
    assert_eq!(said.code, Some(0), "{said:?}");
    said.has(&["no damage: the backup GPT was moved"]);
    // Another program moves it too, but takes the active entry of the MBR away, without which some BIOSes start nothing.
    let (bench, disk) = written("");
    assert!(loops::run("sgdisk", &["--move-second-header", disk.name()]));
    let said = bench.run(&format!("verify image.iso {}", disk.name()));
    assert_eq!(said.code, Some(5), "{said:?}");
    said.has(&[
        "in the master boot record",
        "sectors that differ: 1 of",
        "no damage: the backup GPT was moved",
    ]);
    disk.write(&fs::read(bench.path("image.iso")).unwrap()[..512], 0);
    assert_eq!(bench.run(&format!("verify image.iso {}", disk.name())).code, Some(0));
    // A partition that is gone is damage.
    assert!(loops::run("sgdisk", &["--delete=1", disk.name()]));
    let said = bench.run(&format!("verify image.iso {}", disk.name()));
    assert_eq!(said.code, Some(5), "{said:?}");
}

fn persistence() {
    let (bench, disk) = written("--persistence");
    assert!(loops::output("sgdisk", &["--verify", disk.name()]).contains("No problems found"));
    let said = bench.run(&format!("verify image.iso {}", disk.name()));
    assert_eq!(said.code, Some(0), "{said:?}");
    said.has(&["no damage: a partition was added behind the image"]);
    let json: serde_json::Value =
        serde_json::from_str(&bench.run(&format!("inspect {} --json", disk.name())).out).unwrap();
    let partitions = json["partitions"].as_array().unwrap();
    let new = partitions.iter().find(|one| one["name"] == "persistence").unwrap();
    let (start, length) = (new["start"].as_u64().unwrap(), new["length"].as_u64().unwrap());
    assert!(
        start % MIB == 0 && length % MIB == 0 && start + length + 2 * MIB > DISK,
        "{new}"
    );
    // The file system is whole, though the disk was full of other bytes, and the kernel writes to it.
    fs::write(bench.path("part"), disk.read(start, length as usize)).unwrap();
    let part = Loop::new(&bench.path("part"), length, 512);
    let check = || loops::run("e2fsck", &["-f", "-n", part.name()]);
    assert!(check());
    let at = bench.path("mnt");
    let mounted = Mounted::new(&[part.name()], &at);
    assert_eq!(fs::read_to_string(at.join("persistence.conf")).unwrap(), "/ union\n");
    for number in 0..3000 {
        fs::write(at.join(format!("file {number}")), vec![1; 4000]).unwrap();
    }
    drop(mounted);
    assert!(check());
    assert!(loops::output("blkid", &[part.name()]).contains("LABEL=\"persistence\""));
    // Another label has no file for live-boot.
    let (_bench, disk) = written("--persistence=writable");
    assert!(loops::output("sgdisk", &["--print", disk.name()]).contains("writable"));
}

fn not_expanded() {
    let (bench, disk) = written("");
    let image = fs::read(bench.path("image.iso")).unwrap();
    fs::write(bench.path("plain"), &image[1 << 20..3 << 20]).unwrap();
    for (line, code, word) in [
        (
            format!("write plain {} --yes --expand", disk.name()),
            1,
            "it has no GPT",
        ),
        (
            "write image.iso new.img --expand".to_owned(),
            4,
            "it has no length of its own",
        ),
        (
            format!("write image.iso {} --yes --persistence=a/b", disk.name()),
            2,
            "a label has",
        ),
        (
            format!("write image.iso {} --yes --expand --keep-end", disk.name()),
            2,
            "cannot be used with",
        ),
    ] {
        let said = bench.run(&line);
        assert_eq!(said.code, Some(code), "{said:?}");
        said.has(&[word]);
    }
    assert!(disk.read(0, image.len()) == image, "something has been written");
}
