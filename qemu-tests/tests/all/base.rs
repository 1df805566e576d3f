//! `[base]`: installers of two families are changed where they are. Other readers find the names in every index, and the changed images start
//! with the arguments that were asked for.

use qemu_tests::installers::{self, TOOLS};
use qemu_tests::verbs::Bench;
use qemu_tests::{hash, linux, suite};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// What is asked of each.
const MANIFEST: &str = r#"output = "changed.iso"
[base]
image = "base.iso"
remove = ["/.disk/nothing", "/marker.txt"]
[base.boot]
initrd_append = ["appended.cpio"]
[base.kernel_args]
append = ["isobuild.test=1", "semi=a;b", "odd=\"a b\"", "hex=A\\x20B", "text=it's{$x}"]
remove = ["quiet"]
[[files]]
from = "answers"
to = "/new/"
[[files]]
text = "of the manifest\n"
to = "/marker.txt"
[[files]]
text = "in the partition\n"
to = "esp:/a new directory/a new file.txt"
"#;

/// Of the answer file.
const ANSWER: &str = "#cloud-config\n";

/// The arguments as the kernel's own parser takes them.
const ARGUMENTS: [&str; 3] = ["isobuild.test=1", "semi=a;b", "odd=\"a b\""];

type Make = fn(&Bench) -> Result<(), String>;

/// An installer, and the answer file that it takes.
#[derive(Clone, Copy)]
pub(super) struct Family {
    pub(super) name: &'static str,
    make: Make,
    /// A key of `[base.answers]`.
    answers: &'static str,
    /// Where the file goes.
    to: &'static str,
    /// The arguments that it needs.
    arguments: &'static str,
    /// Whether its ESP has to become larger.
    fills_esp: bool,
}

/// A file that the ESP of 2880 KiB has no room for.
const LARGE: &str = "[[files]]\nfrom = \"large\"\nto = \"esp:/large\"\n";
const LARGE_LENGTH: usize = 3_000_000;

pub(super) const FAMILIES: [Family; 2] = [
    Family {
        name: "ubuntu",
        make: installers::ubuntu,
        answers: "autoinstall",
        to: "nocloud/user-data",
        arguments: "autoinstall ds=nocloud;s=/cdrom/nocloud/",
        fills_esp: true,
    },
    Family {
        name: "debian",
        make: installers::debian,
        answers: "preseed",
        to: "preseed.cfg",
        arguments: "auto=true priority=critical preseed/file=/cdrom/preseed.cfg",
        fills_esp: false,
    },
];

/// Cells that are booted: those of the first pass, and those behind `--full`.
pub(super) const CELLS: [(&str, &str, bool); 8] = [
    ("ubuntu", "uefi-disk", false),
    ("debian", "bios-disk", false),
    ("ubuntu", "bios-disk", true),
    ("ubuntu", "bios-cd", true),
    ("ubuntu", "uefi-cd", true),
    ("debian", "uefi-disk", true),
    ("debian", "bios-cd", true),
    ("debian", "uefi-cd", true),
];

pub(crate) fn tests() -> suite::Tests {
    let mut trials = Vec::new();
    let mut needs = suite::missing(&TOOLS);
    needs.extend(suite::missing_inputs()?);
    let judges = suite::missing(&["bsdtar", "isoinfo", "sgdisk", "sfdisk", "fsck.vfat"]);
    for family in FAMILIES {
        let missing = [needs.clone(), judges.clone()].concat();
        trials.push(suite::trial(
            format!("{} by other readers", family.name),
            missing,
            move || {
                let bench = changed(family)?;
                readers(&bench, family)
            },
        ));
    }
    trials.extend(suite::program_tests(&[(
        "an implanted sum and lists of sums stay true",
        &["checkisomd5", "md5sum", "bsdtar"],
        sums,
    )]));
    let qemu = suite::missing(&["qemu-system-x86_64", qemu_tests::tools::OVMF_CODE]);
    for (name, cell, is_long) in CELLS {
        let missing = [needs.clone(), qemu.clone(), suite::missing(&["bsdtar"])].concat();
        let family = FAMILIES.into_iter().find(|family| family.name == name);
        let test = suite::trial(format!("{name} starts in {cell}"), missing, move || {
            let family = family.ok_or("no such family")?;
            let bench = changed(family)?;
            // The disk itself, and its first partition: a volume of its own, or one that begins where the disk does.
            starts(&bench, family, "changed.iso", cell, 2)
        });
        trials.push(test.long_if(is_long));
    }
    Ok(trials)
}

/// A base of the family, and what became of it: `changed.iso`.
pub(super) fn changed(family: Family) -> Result<Bench, String> {
    let large = if family.fills_esp { LARGE } else { "" };
    let bench = Bench::new(&format!(
        "{MANIFEST}{large}[base.answers]\n{} = \"answer\"\n",
        family.answers
    ));
    fs::write(bench.path("large"), vec![7; LARGE_LENGTH]).map_err(|e| e.to_string())?;
    (family.make)(&bench)?;
    fs::write(bench.path("answer"), ANSWER).map_err(|e| e.to_string())?;
    fs::create_dir(bench.path("initrd")).map_err(|e| e.to_string())?;
    fs::write(bench.path("initrd/appended"), "behind the others").map_err(|e| e.to_string())?;
    let (is_content, said) = bench.program("bsdtar --format newc -C initrd -cf appended.cpio appended");
    assert!(is_content, "{said}");
    for number in 0..30 {
        let name = format!("answers/an answer with a name of some length, number {number}.txt");
        fs::create_dir_all(bench.path("answers")).map_err(|e| e.to_string())?;
        fs::write(bench.path(&name), format!("answer {number}\n")).map_err(|e| e.to_string())?;
    }
    let said = bench.ends("m.toml", 0);
    // GRUB puts a backslash before a quote and before a backslash, and the kernel does not take it away.
    said.has(&["matches nothing in the base", "or the loader changes them"]);
    Ok(bench)
}

/// The part of an image from a byte on, as a file.
fn part(bench: &Bench, image: &str, start: u64, length: u64, to: &str) {
    let bytes = fs::read(bench.path(image)).unwrap();
    let end = (start + length).min(bytes.len() as u64);
    fs::write(bench.path(to), &bytes[start as usize..end as usize]).unwrap();
}

pub(super) fn json(bench: &Bench, line: &str) -> Value {
    serde_json::from_str(&bench.ends(line, 0).out).unwrap()
}

/// Every index, every volume, every table.
fn readers(bench: &Bench, family: Family) -> Result<(), String> {
    let facts = json(bench, "inspect changed.iso --json");
    let partitions = facts["partitions"].as_array().ok_or("no partitions")?;
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    // The volume of the medium, and that of a partition that can be mounted by itself.
    let mut volumes = vec!["changed.iso".to_owned()];
    for (index, partition) in partitions.iter().enumerate() {
        let (start, length) = (number(&partition["start"]), number(&partition["length"]));
        let name = format!("partition{index}.img");
        part(bench, "changed.iso", start, length, &name);
        let bytes = fs::read(bench.path(&name)).map_err(|e| e.to_string())?;
        if start > 0 && bytes.get(32_769..32_774) == Some(b"CD001") {
            volumes.push(name);
        } else if partition["type"] == "esp" {
            let (is_content, said) = bench.program(&format!("fsck.vfat -n {name}"));
            assert!(is_content, "{said}");
            let mut mcopy = Command::new("mcopy");
            mcopy.args(["-i", &name, "::/a new directory/a new file.txt", "-"]);
            let copied = mcopy.current_dir(bench.path(".")).output().map_err(|e| e.to_string())?;
            assert_eq!(String::from_utf8_lossy(&copied.stdout), "in the partition\n");
            if family.fills_esp {
                let mut mcopy = Command::new("mcopy");
                mcopy.args(["-i", &name, "::/large", "-"]);
                let copied = mcopy.current_dir(bench.path(".")).output().map_err(|e| e.to_string())?;
                assert!(copied.stdout == vec![7; LARGE_LENGTH], "{} bytes", copied.stdout.len());
            }
        }
    }
    for volume in &volumes {
        let out = bench.path("out");
        let _ = fs::remove_dir_all(&out);
        fs::create_dir(&out).map_err(|e| e.to_string())?;
        let (is_content, said) = bench.program(&format!("bsdtar -xf {volume} -C out"));
        assert!(is_content, "{volume}: {said}");
        for number in [0, 15, 29] {
            let name = format!("new/an answer with a name of some length, number {number}.txt");
            assert_eq!(
                fs::read_to_string(out.join(&name)).unwrap_or_default(),
                format!("answer {number}\n"),
                "{volume}"
            );
        }
        for (name, wanted) in [("marker.txt", "of the manifest\n"), (family.to, ANSWER)] {
            let text = fs::read_to_string(out.join(name)).unwrap_or_default();
            assert_eq!(text, wanted, "{volume}: {name}");
        }
        let (_, joliet) = bench.program(&format!("isoinfo -J -f -i {volume}"));
        assert!(
            joliet.contains("/new/an answer with a name of some length, number 29.txt"),
            "{volume}: {joliet}"
        );
        let (_, plain) = bench.program(&format!("isoinfo -R -f -i {volume}"));
        assert!(
            plain.lines().filter(|line| line.starts_with("/new/")).count() == 30,
            "{volume}: {plain}"
        );
    }
    // What the base has keeps its place, outside of what the plan names.
    let plan = json(bench, "plan m.toml --json");
    let named: BTreeMap<u64, u64> = plan["changes"]
        .as_array()
        .ok_or("no changes")?
        .iter()
        .map(|change| (number(&change["offset"]), number(&change["length"])))
        .collect();
    let (base, image) = (read(bench, "base.iso"), read(bench, "changed.iso"));
    let (cut, grows) = (number(&plan["moved_from"]) as usize, number(&plan["grows"]) as usize);
    let is_named = |at: usize| {
        let before = named.range(..=at as u64).next_back();
        before.is_some_and(|(offset, length)| (at as u64) < offset + length)
    };
    for (at, byte) in base.iter().enumerate() {
        let now = if at < cut { at } else { at + grows };
        assert!(image[now] == *byte || is_named(now), "byte {at} is not as it was");
    }
    tables(bench)?;
    for image in ["base.iso", "changed.iso"] {
        let said = bench.run(&format!("check {image}"));
        assert_eq!(said.code, Some(0), "{image}: {said:?}");
    }
    let boots = |image: &str| -> Vec<String> {
        let facts = json(bench, &format!("check {image} --json"));
        let cells = facts["cells"].as_array().cloned().unwrap_or_default();
        let cells = cells.iter().filter(|cell| cell["boots"] == true);
        cells.map(|cell| cell["cell"].to_string()).collect()
    };
    assert_eq!(boots("base.iso"), boots("changed.iso"));
    Ok(())
}

fn read(bench: &Bench, name: &str) -> Vec<u8> {
    fs::read(bench.path(name)).unwrap()
}

/// sgdisk finds as much in the changed image as in the base, and sfdisk the same partitions.
fn tables(bench: &Bench) -> Result<(), String> {
    let problems = |image: &str| {
        let (_, said) = bench.program(&format!("sgdisk -v {image}"));
        let lines = said.lines();
        // What sgdisk takes for the alignment is what the starts of partitions happen to have in common.
        let told = lines.filter(|line| line.contains("Problem") || line.contains("Caution"));
        let told = told.filter(|line| !line.contains("-sector boundary"));
        told.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(problems("changed.iso"), problems("base.iso"));
    let listed = |image: &str| {
        let (_, said) = bench.program(&format!("sfdisk -d {image}"));
        let uuids = said
            .lines()
            .filter_map(|line| line.split("uuid=").nth(1).map(str::to_owned));
        uuids.collect::<Vec<_>>()
    };
    assert_eq!(listed("changed.iso"), listed("base.iso"));
    Ok(())
}

/// checkisomd5 and md5sum are content with a changed image, and with one that is changed once more.
fn sums() {
    let bench = Bench::new("output = \"base.iso\"\n[[files]]\nfrom = \"tree\"\nto = \"/\"\n");
    fs::create_dir(bench.path("tree")).unwrap();
    for (name, text) in [("a.txt", "a\n"), ("b.txt", "b\n"), ("gone.txt", "gone\n")] {
        fs::write(bench.path("tree").join(name), text).unwrap();
    }
    // echo a | md5sum, and so on
    let list = "60b725f10c9c85c70d97880dfe8191b3  ./a.txt\n3b5d5c3712955042212316173ccf37be  ./b.txt\n\
                b1304b81a2e029bff466f2c245f1dbfd  ./gone.txt\n";
    fs::write(bench.path("tree/md5sum.txt"), list).unwrap();
    bench.ends("m.toml", 0);
    // The first change implants a sum, and the second keeps it true.
    for (image, base, text, implant) in [
        ("one", "base", "first", "[iso]\nimplant_md5 = true\n"),
        ("two", "one", "second", ""),
    ] {
        let manifest = format!(
            "{implant}[base]\nimage = \"{base}.iso\"\nremove = [\"/gone.txt\"]\n[[files]]\ntext = \"{text}\"\nto = \"/a.txt\"\n\
             [[files]]\ntext = \"{text}\"\nto = \"/of {text}.txt\"\n"
        );
        fs::write(bench.path(&format!("{image}.toml")), manifest).unwrap();
        bench.ends(&format!("{image}.toml"), 0);
        let (is_content, said) = bench.program(&format!("checkisomd5 {image}.iso"));
        assert!(is_content, "{said}");
        bench.ends(&format!("check --digests {image}.iso"), 0);
        fs::create_dir(bench.path(image)).unwrap();
        let (is_content, said) = bench.program(&format!("bsdtar -xf {image}.iso -C {image}"));
        assert!(is_content, "{said}");
        let list = fs::read_to_string(bench.path(image).join("md5sum.txt")).unwrap();
        let listed: Vec<&str> = list.lines().filter_map(|line| line.split("  ./").nth(1)).collect();
        let mut wanted = vec!["a.txt", "b.txt", "of first.txt", "of second.txt"];
        wanted.truncate(if image == "one" { 3 } else { 4 });
        assert_eq!(listed, wanted);
        let mut check = Command::new("md5sum");
        check
            .args(["--check", "--strict", "md5sum.txt"])
            .current_dir(bench.path(image));
        let checked = check.output().unwrap();
        assert!(checked.status.success(), "{checked:?}");
    }
}

/// The kernel's command line is what `menu` says, and Linux finds the new files on a disk in so many volumes.
pub(super) fn starts(bench: &Bench, family: Family, image: &str, cell: &str, volumes: usize) -> Result<(), String> {
    let firmware = cell.split('-').next().unwrap_or_default();
    let menu = json(bench, &format!("menu {image} --json"));
    let entries = menu["entries"].as_array().ok_or("no entries")?;
    let of_firmware = entries
        .iter()
        .find(|entry| entry["firmware"] == firmware && !entry["kernel"].is_null());
    let wanted = of_firmware
        .and_then(|entry| entry["cmdline"].as_str())
        .ok_or("no kernel")?;
    for argument in ARGUMENTS.into_iter().chain([family.arguments]) {
        let plain = argument.replace('"', "");
        assert!(
            wanted.replace('"', "").contains(&plain),
            "{argument} is not in {wanted}"
        );
    }
    bench.ends(
        &format!(
            "test {image} --cell {cell} --timeout 120 --expect {} -C logs",
            linux::MARK.to_owned() + ".end"
        ),
        0,
    );
    let serial = fs::read(bench.path("logs").join(cell).join("serial.log")).map_err(|e| e.to_string())?;
    let serial = String::from_utf8_lossy(&serial).into_owned();
    let said = linux::said(&serial)?;
    let args = said
        .iter()
        .find_map(|line| line.strip_prefix("args "))
        .ok_or("the guest did not say its arguments")?;
    // Each loader puts its own in front or behind.
    let args: Vec<&str> = args
        .split(' ')
        .filter(|word| !word.starts_with("BOOT_IMAGE=") && !word.starts_with("initrd="))
        .collect();
    assert_eq!(args.join(" "), wanted, "{said:?}");
    assert!(said.contains(&"appended behind the others"), "{said:?}");
    if cell.ends_with("-disk") {
        let digest = hash::bytes(b"answer 7\n");
        let found: Vec<&&str> = said
            .iter()
            .filter(|line| line.contains(&digest) && line.contains("number 7"))
            .collect();
        assert_eq!(found.len(), volumes, "{said:?}");
    }
    Ok(())
}
