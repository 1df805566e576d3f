//! `[base]`: images that other programs made take files, give files up, and boot as before.

use qemu_tests::verbs::Bench;
use qemu_tests::{pins, suite, tools};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// Images that other people built, among the inputs.
const OTHERS: [&str; 3] = ["grub-rescue.iso", "memtest.iso", "ipxe.iso"];

/// How genisoimage makes a base.
const GENISOIMAGE: [&str; 4] = ["-R -J", "-R", "-J", "-R -J -D -udf"];

/// How xorriso makes a first session, and how many older ones there are after two more: the second form leaves no room for a copy of the first
/// session's descriptors, and the next one writes over them.
const XORRISO: [(&str, usize); 2] = [
    (
        "xorriso -outdev base.iso -volid GROWN -joliet on -map tree / -commit",
        2,
    ),
    ("xorriso -as mkisofs -quiet -J -V GROWN -o base.iso tree", 1),
];

/// How hadris makes one.
const HADRIS: [&str; 5] = [
    "-R",
    "-J",
    "-J -R -b /isolinux.bin --boot-info-table --efi-boot /esp.img",
    "-J -R -b /isolinux.bin --efi-boot /esp.img --hybrid-mbr",
    "-J -R -b /isolinux.bin --efi-boot /esp.img --hybrid-gpt",
];

/// Files in `/dir` of a base.
const NAMES: [&str; 4] = ["goes.txt", "stays.txt", "another.txt", "is-replaced.txt"];

pub(crate) fn tests() -> suite::Tests {
    let mut trials = Vec::new();
    let inputs = suite::missing_inputs()?;
    for name in OTHERS {
        let missing = [inputs.clone(), suite::missing(&["bsdtar"])].concat();
        trials.push(suite::trial(format!("{name} takes a file"), missing, move || {
            let bench = Bench::new("");
            let path = pins::load("qemu-tests")?.file(name)?;
            fs::copy(path, bench.path("base.iso")).map_err(|e| e.to_string())?;
            takes_files(&bench, &[])
        }));
    }
    for options in GENISOIMAGE {
        let missing = suite::missing(&["genisoimage", "bsdtar", "7z"]);
        trials.push(suite::trial(
            format!("genisoimage's {options} takes files"),
            missing,
            move || {
                let bench = with_names()?;
                let (is_content, said) = bench.program(&format!("genisoimage -quiet {options} -o base.iso tree"));
                assert!(is_content, "{said}");
                takes_files(&bench, &NAMES)
            },
        ));
    }
    for options in HADRIS {
        let mut missing = suite::missing(&["bsdtar", "mkfs.vfat", tools::ISOLINUX]);
        missing.extend(tools::from_crates("hadris").err());
        let test = suite::trial(format!("hadris' {options} takes files"), missing, move || {
            hadris(options)
        });
        trials.push(test.long());
    }
    for (first, older) in XORRISO {
        let missing = suite::missing(&["xorriso", "bsdtar"]);
        trials.push(suite::trial(format!("sessions behind {first}"), missing, move || {
            sessions(first, older)
        }));
    }
    let mut missing = suite::missing(&["bsdtar", "7z"]);
    missing.extend(tools::from_pypi("python").err());
    trials.push(suite::trial("pycdlib's takes files".to_owned(), missing, || {
        let bench = Bench::new("");
        let mut python = Command::new(tools::from_pypi("python")?);
        python
            .args(["-c", include_str!("pycdlib_base.py")])
            .arg(bench.path("base.iso"))
            .args(NAMES);
        let made = python.output().map_err(|e| e.to_string())?;
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        takes_files(&bench, &NAMES)
    }));
    Ok(trials)
}

/// A directory with the names in `tree`.
fn with_names() -> Result<Bench, String> {
    let bench = Bench::new("");
    fs::create_dir_all(bench.path("tree/dir")).map_err(|e| e.to_string())?;
    for name in NAMES {
        fs::write(bench.path(&format!("tree/dir/{name}")), name).map_err(|e| e.to_string())?;
    }
    Ok(bench)
}

fn hadris(options: &str) -> Result<(), String> {
    let bench = with_names()?;
    fs::copy(tools::ISOLINUX, bench.path("tree/isolinux.bin")).map_err(|e| e.to_string())?;
    let (is_content, said) = bench.program("mkfs.vfat -C tree/esp.img 1440");
    assert!(is_content, "{said}");
    let mut create = Command::new(tools::from_crates("hadris")?);
    create
        .current_dir(bench.directory.path())
        .args(["iso", "create", "-l", "2"]);
    create.args(options.split(' ')).args(["-o", "base.iso", "tree"]);
    let made = create.output().map_err(|e| e.to_string())?;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    takes_files(&bench, &NAMES)
}

/// An image to which xorriso has added two sessions. The newest takes files; the older ones keep what they have, and xorriso can add another.
fn sessions(first: &str, count: usize) -> Result<(), String> {
    let bench = with_names()?;
    let prints = |line: &str| {
        let (is_content, said) = bench.program(line);
        assert!(is_content, "{line}: {said}");
        said
    };
    prints(first);
    prints("xorriso -dev base.iso -map tree/dir /second -commit");
    prints("xorriso -dev base.iso -map tree/dir /third -commit");
    takes_files(&bench, &NAMES)?;
    let older = |image: &str| {
        let from = prints(&format!("xorriso -indev {image} -toc"));
        let lines = from.lines().filter(|line| line.starts_with("ISO session"));
        lines
            .map(|line| line[..line.find("s ,").unwrap_or(0)].to_owned())
            .collect::<Vec<_>>()
    };
    let (before, after) = (older("base.iso"), older("changed.iso"));
    assert!(!before.is_empty());
    assert_eq!(before[..before.len() - 1], after[..after.len() - 1]);
    let found = prints("xorriso -indev changed.iso -find / -type f");
    assert!(
        found.contains("a file with a name of some length 49.txt") && !found.contains("/dir/goes.txt"),
        "{found}"
    );
    for number in 1..=count {
        let of = |image: &str| json(&bench, &format!("ls {image} --recursive --session {number} --json"));
        assert_eq!(of("changed.iso"), of("base.iso"));
        for name in NAMES {
            let read = bench.ends(&format!("cat changed.iso --session {number} iso:/dir/{name}"), 0);
            assert_eq!(read.out, name);
        }
    }
    let manifest = fs::read_to_string(bench.path("m.toml")).map_err(|e| e.to_string())?;
    let manifest = manifest
        .replace("[base]", "[base]\ncompact = true")
        .replace("changed", "compact");
    fs::write(bench.path("compact.toml"), manifest).map_err(|e| e.to_string())?;
    let said = bench.ends("compact.toml", 0);
    assert!(
        said.error.contains("no longer has") && said.error.contains("older session"),
        "{}",
        said.error
    );
    assert!(!said.error.contains("stay"), "{}", said.error);
    fs::create_dir(bench.path("anew")).map_err(|e| e.to_string())?;
    prints("bsdtar -xf compact.iso -C anew");
    prints("diff -r out anew");
    prints("xorriso -dev changed.iso -map tree/dir /fourth -commit");
    for name in ["dir/stays.txt", "third/goes.txt", "fourth/goes.txt"] {
        let read = bench.ends(&format!("cat changed.iso iso:/{name}"), 0);
        assert_eq!(read.out, name.rsplit('/').next().unwrap_or_default());
    }
    Ok(())
}

fn json(bench: &Bench, line: &str) -> Value {
    serde_json::from_str(&bench.ends(line, 0).out).unwrap()
}

/// A base that others made takes new files in every index. Of the `names` in `/dir` the first goes and the last is replaced.
fn takes_files(bench: &Bench, names: &[&str]) -> Result<(), String> {
    let mut manifest = "output = \"changed.iso\"\n[base]\nimage = \"base.iso\"\n".to_owned();
    let mut wanted: BTreeMap<String, String> = BTreeMap::new();
    if let [gone, kept @ .., replaced] = names {
        manifest += &format!("remove = [\"/dir/{gone}\"]\n");
        manifest += &format!("[[files]]\ntext = \"other\"\nto = \"/dir/{replaced}\"\n");
        wanted.extend(kept.iter().map(|name| (format!("dir/{name}"), (*name).to_owned())));
        wanted.insert(format!("dir/{replaced}"), "other".to_owned());
    }
    for number in 0..50 {
        let path = format!("new/deep/a file with a name of some length {number:02}.txt");
        manifest += &format!("[[files]]\ntext = \"{number}\"\nto = \"/{path}\"\n");
        wanted.insert(path, number.to_string());
    }
    fs::write(bench.path("m.toml"), manifest).map_err(|e| e.to_string())?;
    let faults = |image: &str| json(bench, &format!("inspect {image} --json"))["faults"].clone();
    let cells = |image: &str| {
        let cells = json(bench, &format!("check {image} --json"))["cells"].clone();
        let boots = cells
            .as_array()
            .into_iter()
            .flatten()
            .filter(|cell| cell["boots"] == true);
        boots.map(|cell| cell["cell"].to_string()).collect::<Vec<_>>()
    };
    bench.ends("m.toml -q", 0);
    assert_eq!(faults("changed.iso"), faults("base.iso"));
    assert_eq!(cells("changed.iso"), cells("base.iso"));
    fs::create_dir(bench.path("out")).map_err(|e| e.to_string())?;
    let (is_content, said) = bench.program("bsdtar -xf changed.iso -C out");
    assert!(is_content, "{said}");
    for (path, text) in &wanted {
        let found = fs::read_to_string(bench.path("out").join(path)).unwrap_or_default();
        assert_eq!(&found, text, "{path}");
    }
    if let [gone, ..] = names {
        assert!(!bench.path("out/dir").join(gone).exists());
    }
    // Where there is UDF, 7-Zip finds every file in it.
    let filesystems = json(bench, "inspect changed.iso --json")["filesystems"].clone();
    if filesystems.as_array().into_iter().flatten().any(|index| index == "udf") {
        let (is_content, said) = bench.program("7z l -tudf changed.iso");
        assert!(is_content, "{said}");
        let missing: Vec<&String> = wanted.keys().filter(|path| !said.contains(path.as_str())).collect();
        assert!(missing.is_empty(), "{missing:?}: {said}");
    }
    Ok(())
}
