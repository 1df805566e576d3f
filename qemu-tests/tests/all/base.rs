//! `[base]`: installers of two families are changed where they are. Other readers find the names in every index, and the changed images start
//! with the arguments that were asked for.

pub(crate) mod families;

use families::{Family, families};
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
remove = ["/.disk/nothing", "/marker.txt", "/full/*number 3.txt"]
[base.kernel_args]
append = ["isobuild.test=1", "semi=a;b", "odd=\"a b\"", "hex=A\\x20B", "text=it's{$x}"]
remove = ["quiet"]
[[files]]
from = "answers"
to = "/new/"
[[files]]
from = "answers"
to = "/full/"
[[files]]
text = "of the manifest\n"
to = "/marker.txt"
[[files]]
text = "in the partition\n"
to = "esp:/a new directory/a new file.txt"
"#;

/// Every entry loads one more initrd.
const INITRD: &str = "[base.boot]\ninitrd_append = [\"appended.cpio\"]\n";

/// Of the answer file.
const ANSWER: &str = "#cloud-config\n";

/// The arguments as the kernel's own parser takes them.
const ARGUMENTS: [&str; 3] = ["isobuild.test=1", "semi=a;b", "odd=\"a b\""];

/// A file that the ESP of 2880 KiB has no room for.
const LARGE: &str = "[[files]]\nfrom = \"large\"\nto = \"esp:/large\"\n";
const LARGE_LENGTH: usize = 3_000_000;

pub(crate) fn tests() -> suite::Tests {
    let mut trials = Vec::new();
    let mut needs = suite::missing(&TOOLS);
    needs.extend(suite::missing_inputs()?);
    let judges = suite::missing(&["bsdtar", "isoinfo", "sgdisk", "sfdisk", "fsck.vfat"]);
    let more = suite::missing(&installers::MORE_TOOLS);
    for (family, is_long) in families() {
        let needs = if is_long {
            [needs.clone(), more.clone()].concat()
        } else {
            needs.clone()
        };
        let missing = [needs, judges.clone()].concat();
        let name = format!("{} by other readers", family.name);
        let test = suite::trial(name, missing, move || {
            let bench = changed(family)?;
            readers(&bench, family)
        });
        trials.push(test.long_if(is_long));
    }
    trials.extend(suite::program_tests(&[(
        "an implanted sum and lists of sums stay true",
        &["checkisomd5", "md5sum", "bsdtar"],
        sums,
    )]));
    let qemu = suite::missing(&["qemu-system-x86_64", qemu_tests::tools::OVMF_CODE]);
    for (family, is_long) in families() {
        for cell in family.cells {
            let more = if is_long { more.clone() } else { Vec::new() };
            let missing = [needs.clone(), more, qemu.clone(), suite::missing(&["bsdtar"])].concat();
            let test = suite::trial(format!("{} starts in {cell}", family.name), missing, move || {
                let bench = changed(family)?;
                starts(&bench, family, "changed.iso", cell, family.volumes)
            });
            trials.push(test.long_if(is_long || cell.ends_with("-usb")));
        }
    }
    Ok(trials)
}

/// A base of the family, and what became of it: `changed.iso`.
pub(super) fn changed(family: Family) -> Result<Bench, String> {
    let large = if family.fills_esp { LARGE } else { "" };
    let answers = match family.answers {
        "" => String::new(),
        kind => format!("[base.answers]\n{kind} = \"answer\"\n"),
    };
    let bench = Bench::new(&format!("{MANIFEST}{large}{INITRD}{answers}"));
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
    said.has(&["matches nothing in the base"]);
    if family.name != "arch" {
        // GRUB puts a backslash before a quote and before a backslash, and the kernel does not take it away.
        said.has(&["or the loader changes them"]);
    }
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

/// Reads a volume with other programs, and looks for the new names and contents.
fn in_volume(bench: &Bench, family: Family, volume: &str) -> Result<(), String> {
    let out = bench.path("out");
    let _ = fs::remove_dir_all(&out);
    fs::create_dir(&out).map_err(|e| e.to_string())?;
    let has_udf = family.name == "windows";
    let (is_content, said) = match has_udf {
        true => bench.program(&format!("7z x -oout {volume}")),
        false => bench.program(&format!("bsdtar -xf {volume} -C out")),
    };
    assert!(is_content, "{volume}: {said}");
    for directory in ["new", "full"] {
        for number in [0, 15, 29] {
            let name = format!("{directory}/an answer with a name of some length, number {number}.txt");
            let text = fs::read_to_string(out.join(&name)).unwrap_or_default();
            assert_eq!(text, format!("answer {number}\n"), "{volume}: {name}");
        }
    }
    let there = |number: u32| {
        out.join(format!("full/a file with a name of some length, number {number}.txt"))
            .exists()
    };
    assert!(there(2) && !there(3) && there(13), "{volume}");
    for (name, wanted) in [("marker.txt", "of the manifest\n"), (family.to, ANSWER)] {
        if !name.is_empty() {
            let text = fs::read_to_string(out.join(name)).unwrap_or_default();
            assert_eq!(text, wanted, "{volume}: {name}");
        }
    }
    let new = |text: &str| text.lines().filter(|line| line.starts_with("/new/")).count();
    if family.has_joliet {
        let (_, joliet) = bench.program(&format!("isoinfo -J -f -i {volume}"));
        assert_eq!(new(&joliet), 30, "{volume}: {joliet}");
    }
    if !has_udf {
        let (_, plain) = bench.program(&format!("isoinfo -R -f -i {volume}"));
        assert_eq!(new(&plain), 30, "{volume}: {plain}");
    }
    Ok(())
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
        in_volume(bench, family, volume)?;
    }
    // What the base has keeps its place, outside of what the plan names.
    let plan = json(bench, "plan m.toml --json");
    // What the plan says of each cell, and why, is what the image will say.
    let check: Value = serde_json::from_str(&bench.run("check changed.iso --json").out).map_err(|e| e.to_string())?;
    assert_eq!(plan["cells"], check["cells"]);
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
    // New files take whole sectors, each ESP without room is written again, and an isohybrid image ends at a full MiB.
    let copies = facts["esp"].as_array().map_or(0, Vec::len);
    let of_esp = if family.fills_esp {
        2 * LARGE_LENGTH + (2880 << 10)
    } else {
        0
    };
    let new = 60 * 2048 + copies * of_esp + family.moves_initrd(bench)?;
    assert!(grows <= new + (64 << 10) + (1 << 20), "grows by {grows}");
    let faults = |image: &str| bench.run(&format!("check {image}")).code;
    assert_eq!(faults("changed.iso"), faults("base.iso"));
    let boots = |image: &str| -> Vec<String> {
        let said = bench.run(&format!("check {image} --json"));
        let facts: Value = serde_json::from_str(&said.out).unwrap();
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
    // Only the sum changes in the volume descriptor.
    let alone = "iso.implant_md5 = true\n[base]\nimage = \"base.iso\"\n";
    fs::write(bench.path("alone.toml"), alone).unwrap();
    bench.ends("alone.toml", 0);
    let (is_content, said) = bench.program("checkisomd5 alone.iso");
    assert!(is_content, "{said}");
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
    for argument in ARGUMENTS.into_iter().chain(family.arguments.split_terminator('\n')) {
        let plain = argument.replace('"', "");
        assert!(
            wanted.replace('"', "").contains(&plain),
            "{argument} is not in {wanted}"
        );
    }
    let test = format!(
        "test {image} --cell {cell} --timeout 120 --expect {} -C logs",
        linux::MARK.to_owned() + ".end"
    );
    let ended = bench.run(&test);
    match ended.code {
        Some(0) => {}
        // EDK2 writes the backup GPT that the base lacks, if it comes to that. `test` takes no medium that changes.
        Some(5) if family.lacks_backup && ["uefi-usb", "uefi-disk"].contains(&cell) => {
            ended.has(&["the machine has written to its medium"])
        }
        _ => panic!("{test}: {ended:?}"),
    }
    let serial = fs::read(bench.path("logs").join(cell).join("serial.log")).map_err(|e| e.to_string())?;
    let serial = String::from_utf8_lossy(&serial).into_owned();
    let said = linux::said(&serial)?;
    let args = said
        .iter()
        .find_map(|line| line.strip_prefix("args "))
        .ok_or_else(|| format!("the guest did not say its arguments: {serial}"))?;
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
            .filter(|line| line.contains(&digest) && line.contains("/new/"))
            .collect();
        assert_eq!(found.len(), volumes, "{said:?}");
    }
    Ok(())
}
