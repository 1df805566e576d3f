//! Disks and compressed files in every form: other people's programs read what isobuild writes, and isobuild reads what they write.

mod read;

use isobuild::inside::facts::cell::{Cell, Firmware, Medium};
use isobuild::inside::vm::Machine;
use qemu_tests::system::needs;
use qemu_tests::verbs::{Bench, MENU};
use qemu_tests::{hash, suite, workspace};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

pub(crate) fn tests() -> suite::Tests {
    let mut tests = suite::program_tests(&[
        ("qemu-img reads every disk", &["qemu-img"], qemu_img),
        ("7z reads every disk", &["7z"], seven_zip),
        ("dmg2img reads a DMG", &["dmg2img"], dmg2img),
        ("compressed files", &["gzip", "xz", "zstd"], compressed),
        ("one processor and all", &["taskset"], threads),
        ("a list of outputs", &["sha256sum"], outputs),
        ("standard output", &["zstd"], standard_output),
        ("disks of others", &["qemu-img", "gzip"], read::of_others),
        ("disks that are refused", &["qemu-img"], read::refused),
        ("verbs", &["qemu-img"], read::verbs),
        ("unpack", &["qemu-img"], read::unpack),
        ("convert", &["qemu-img", "zstd"], convert),
    ]);
    for (number, (name, driver)) in DISKS.into_iter().enumerate() {
        for firmware in [Firmware::Bios, Firmware::Uefi] {
            let cell = Cell {
                firmware,
                medium: Medium::Disk,
            };
            let mut missing = suite::missing(needs(firmware));
            missing.extend(workspace::isobuild().err());
            let test = suite::trial(format!("{name} {cell}"), missing, move || boots(name, driver, cell));
            // A BIOS starts in two seconds, and the firmware is the same for every form.
            tests.push(test.long_if(number > 0 && firmware != Firmware::Bios));
        }
    }
    Ok(tests)
}

/// The suffixes of disks, and what QEMU calls them.
const DISKS: [(&str, &str); 5] = [
    ("qcow2", "qcow2"),
    ("vmdk", "vmdk"),
    ("vhdx", "vhdx"),
    ("vhd", "vpc"),
    ("dmg", "dmg"),
];

/// A bench with an image of 6 MiB of noise and a hole of 20, in these forms.
fn bench(names: &[&str]) -> Bench {
    let bench = Bench::with_noise(MENU, 6);
    let file = fs::File::create(bench.path("hole")).unwrap();
    file.set_len(20 << 20).unwrap();
    let manifest = bench.text("m.toml") + "[[files]]\nfrom = \"hole\"\nto = \"/\"\n";
    fs::write(bench.path("m.toml"), manifest).unwrap();
    let outputs: Vec<String> = names.iter().map(|name| format!("-o {name}")).collect();
    bench.ends(&format!("m.toml {}", outputs.join(" ")), 0);
    bench
}

/// Runs a program, which must be content.
fn runs(bench: &Bench, line: &str) -> String {
    let (is_content, said) = bench.program(line);
    assert!(is_content, "{line}: {said}");
    said
}

fn qemu_img() {
    let bench = bench(&["a.iso", "a.qcow2", "a.vmdk", "a.vhdx", "a.vhd", "a.dmg"]);
    let size = bench.path("a.iso").metadata().unwrap().len();
    for (name, driver) in DISKS {
        let info: Value = serde_json::from_str(&json_of(&runs(
            &bench,
            &format!("qemu-img info --output json -f {driver} a.{name}"),
        )))
        .unwrap();
        assert_eq!(info["virtual-size"], size, "{name}");
        let compared = runs(&bench, &format!("qemu-img compare -f raw -F {driver} a.iso a.{name}"));
        assert!(compared.contains("Images are identical"), "{name}: {compared}");
        // The hole is not in the file, and takes no room on the disk either.
        let metadata = bench.path(&format!("a.{name}")).metadata().unwrap();
        assert!(
            metadata.blocks() * 512 < size - (15 << 20),
            "{name}: {} blocks",
            metadata.blocks()
        );
        // qemu-img does not check VHD and DMG.
        if !["vhd", "dmg"].contains(&name) {
            let checked = runs(&bench, &format!("qemu-img check -f {driver} a.{name}"));
            assert!(checked.contains("No errors were found"), "{name}: {checked}");
        }
    }
    fs::write(
        bench.path("f.toml"),
        format!(
            "format = \"vhd-fixed\"\noutput = \"fixed\"\nvolume_id = \"M\"\n{}",
            bench.text("m.toml")
        ),
    )
    .unwrap();
    bench.ends("f.toml", 0);
    runs(&bench, "qemu-img compare -f raw -F vpc a.iso fixed");
}

/// QEMU warns of modules that it lacks.
fn json_of(said: &str) -> String {
    let (start, end) = (said.find('{').unwrap(), said.rfind('}').unwrap());
    said[start..=end].to_owned()
}

fn seven_zip() {
    let bench = bench(&["a.qcow2", "a.vmdk", "a.vhdx", "a.vhd", "a.dmg"]);
    for (name, _) in DISKS {
        let said = runs(&bench, &format!("7z t a.{name}"));
        assert!(
            said.contains("Everything is Ok") && !said.contains("Warnings"),
            "{name}: {said}"
        );
    }
}

fn dmg2img() {
    let bench = bench(&["a.img", "a.dmg"]);
    runs(&bench, "dmg2img a.dmg back");
    assert_eq!(hash::file(&bench.path("back")), hash::file(&bench.path("a.img")));
}

fn compressed() {
    let bench = bench(&[
        "a.iso",
        "a.qcow2",
        "a.iso.gz",
        "a.iso.xz",
        "a.iso.zst",
        "a.qcow2.gz",
        "a.qcow2.xz",
        "a.qcow2.zst",
    ]);
    for inner in ["a.iso", "a.qcow2"] {
        let wanted = hash::file(&bench.path(inner)).unwrap();
        for (suffix, program) in [("gz", "gzip"), ("xz", "xz"), ("zst", "zstd")] {
            runs(&bench, &format!("{program} -q -t {inner}.{suffix}"));
            fs::copy(
                bench.path(&format!("{inner}.{suffix}")),
                bench.path(&format!("back.{suffix}")),
            )
            .unwrap();
            runs(&bench, &format!("{program} -q -d -f back.{suffix}"));
            assert_eq!(hash::file(&bench.path("back")).unwrap(), wanted, "{inner}.{suffix}");
        }
    }
    // Levels that each compression has, and its error for others.
    let manifest = bench.text("m.toml");
    let with = |level: u32| fs::write(bench.path("l.toml"), format!("level = {level}\n{manifest}")).unwrap();
    let size = |name: &str| bench.path(name).metadata().unwrap().len();
    with(1);
    bench.ends("l.toml -o l.gz -o l.xz -o l.zst", 0);
    with(9);
    bench.ends("l.toml -o h.gz -o h.xz -o h.zst", 0);
    for suffix in ["gz", "xz", "zst"] {
        assert!(size(&format!("h.{suffix}")) < size(&format!("l.{suffix}")), "{suffix}");
    }
    for (suffix, level, words) in [
        ("gz", 10, "gzip has levels from 1 to 9"),
        ("gz", 0, "gzip has levels from 1"),
        ("xz", 10, "xz has levels from 0 to 9"),
        ("zst", 23, "zstd has levels from 1 to 22"),
    ] {
        with(level);
        bench.ends(&format!("l.toml -o x.{suffix}"), 1).has(&[words]);
        assert!(!bench.path(&format!("x.{suffix}")).exists());
    }
}

fn threads() {
    let names = ["a.qcow2", "a.vmdk", "a.dmg", "a.gz", "a.xz", "a.zst"];
    let bench = bench(&names);
    let program = workspace::isobuild().unwrap();
    let outputs: Vec<String> = names.iter().map(|name| format!("-o one-{name}")).collect();
    let line = format!("taskset -c 0 {} -q m.toml {}", program.display(), outputs.join(" "));
    runs(&bench, &line);
    for name in names {
        let (one, all) = (bench.path(&format!("one-{name}")), bench.path(name));
        assert_eq!(hash::file(&one), hash::file(&all), "{name}");
    }
}

fn outputs() {
    let bench = Bench::new("");
    let manifest = format!("output = [\"d/a.iso\", \"d/a.img.zst\", \"d/a b.qcow2\"]\nsha256_file = true\n{MENU}");
    fs::write(bench.path("m.toml"), manifest).unwrap();
    let said = bench.ends("m.toml --json", 0);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["volume_id"], "A");
    let outputs = json["outputs"].as_array().unwrap();
    let named: Vec<_> = outputs
        .iter()
        .map(|output| output["format"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["raw", "img.zst", "qcow2"]);
    for output in outputs {
        let path = bench.path(output["path"].as_str().unwrap());
        assert_eq!(output["size"], path.metadata().unwrap().len());
        assert_eq!(output["sha256"], hash::file(&path).unwrap(), "{output}");
    }
    assert_eq!(json["sha256"], outputs[0]["sha256"]);
    let mut names: Vec<_> = fs::read_dir(bench.path("d"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort_unstable();
    assert_eq!(names.len(), 6, "{names:?}");
    for name in ["a.iso", "a.img.zst", "a b.qcow2"] {
        let list = format!("{name}.sha256");
        let output = std::process::Command::new("sha256sum")
            .args(["--check", "--strict", &list])
            .current_dir(bench.path("d"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{list}: {output:?}");
    }
    // Once more: nothing changes, and the JSON says the same.
    let inodes = || {
        names
            .iter()
            .map(|name| bench.path("d").join(name).metadata().unwrap().ino())
            .collect::<Vec<_>>()
    };
    let before = inodes();
    assert_eq!(bench.ends("m.toml --json", 0).out, said.out);
    assert_eq!(inodes(), before);
}

fn standard_output() {
    let bench = Bench::new("");
    fs::write(bench.path("m.toml"), format!("format = \"img.zst\"\n{MENU}")).unwrap();
    bench.ends("m.toml -o file", 0);
    let piped = bench.command("m.toml -o -").output().unwrap();
    assert!(piped.status.success(), "{piped:?}");
    assert!(piped.stdout == fs::read(bench.path("file")).unwrap());
    bench.ends("m.toml -o - -o file", 2);
}

fn convert() {
    let bench = bench(&["a.iso"]);
    let wanted = hash::file(&bench.path("a.iso")).unwrap();
    // From each form to each other, and back to what it was.
    runs(&bench, "qemu-img convert -f raw -O vdi a.iso a.vdi");
    let names = ["b.qcow2", "b.vmdk", "b.vhdx", "b.vhd", "b.dmg", "b.iso.zst"];
    bench
        .ends(&format!("convert a.vdi {}", names.join(" ")), 0)
        .has(&["read back and the same"]);
    for (from, to) in names.iter().zip(names.iter().cycle().skip(1)) {
        bench.ends(&format!("convert -q {from} back.{to}"), 0);
        bench.ends(&format!("convert -q back.{to} back"), 0);
        assert_eq!(hash::file(&bench.path("back")).unwrap(), wanted, "{from} {to}");
    }
    let json: Value = serde_json::from_str(&bench.ends("convert --json b.vhd c.img --level 3", 0).out).unwrap();
    let output = &json["outputs"][0];
    assert_eq!(
        (&json["sha256"], &output["sha256"]),
        (&Value::from(wanted.clone()), &Value::from(wanted))
    );
    assert_eq!((&output["format"], &output["path"]), (&"img".into(), &"c.img".into()));

    // A length that is no whole number of sectors.
    let noise = fs::read(bench.path("noise")).unwrap();
    fs::write(bench.path("odd"), &noise[..100_001]).unwrap();
    bench
        .ends("convert odd odd.qcow2", 0)
        .has(&["351 bytes of zeros are behind the disk"]);
    let info = json_of(&runs(&bench, "qemu-img info --output json odd.qcow2"));
    assert_eq!(serde_json::from_str::<Value>(&info).unwrap()["virtual-size"], 100_352);
    bench.ends("convert odd odd.zst --level 19", 0);
    runs(&bench, "zstd -q -t odd.zst");

    for (line, code, words) in [
        ("convert a.iso a.iso", 4, "it holds what is read"),
        ("convert a.iso b.vdi", 1, "no image is written as .vdi"),
        ("convert a.iso b.zst --level 30", 1, "levels from 1 to 22"),
        ("convert a.iso b --format vdi", 2, "the forms are raw"),
        ("convert a.iso x.img ./x.img", 4, "another output"),
        ("convert missing b.img", 1, "No such file"),
        ("convert a.iso", 2, "OUTPUT"),
    ] {
        bench.ends(line, code).has(&[words]);
    }
    fs::write(bench.path("empty"), "").unwrap();
    bench.ends("convert empty b.img", 1).has(&["nothing in it"]);
    assert!(!bench.path("b.img").exists() && !bench.path("x.img").exists());
}

/// A machine starts from the file. QEMU reads its form itself.
fn boots(name: &str, driver: &'static str, cell: Cell) -> Result<(), String> {
    let bench = Bench::new(MENU);
    let file: PathBuf = bench.path(&format!("disk.{name}"));
    bench.ends(&format!("m.toml -o disk.{name}"), 0);
    let logs = workspace::target().join(format!("qemu-tests/logs/container-{name}-{cell}"));
    let mut guest = Machine::new(cell.firmware)
        .container(&file, driver, cell.medium)
        .start(&logs)?;
    guest.wait_for(&["About this machine"])?;
    guest.screendump()?;
    Ok(())
}
