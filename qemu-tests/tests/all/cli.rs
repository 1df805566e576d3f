//! The command line as scripts use it: exit codes, what goes to which stream, and memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use qemu_tests::{suite, workspace};
use tempfile::TempDir;

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::program_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    (
        "each way to end has its exit code",
        &[],
        each_way_to_end_has_its_exit_code,
    ),
    (
        "results and nothing else are on stdout",
        &[],
        results_and_nothing_else_are_on_stdout,
    ),
    (
        "a fault of the esp is shown at its key",
        &[],
        a_fault_of_the_esp_is_shown_at_its_key,
    ),
    ("the loader is written out and overwrites nothing", &[], the_loader),
    ("a reader that has gone is no error", &[], a_reader_that_has_gone),
    (
        "a terminal shows progress after a second",
        &["script", "strace"],
        a_terminal_shows_progress,
    ),
    (
        "memory does not grow with the payload",
        &[],
        memory_does_not_grow_with_the_payload,
    ),
];

/// A directory with a manifest.
struct Place(TempDir);

impl Place {
    fn new(manifest: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("m.toml"), manifest).unwrap();
        Self(directory)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs isobuild in the directory.
    fn run(&self, arguments: &[&str]) -> Output {
        let program = workspace::isobuild().unwrap();
        Command::new(program)
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const DATA: &str = "[[files]]\ntext = \"hello\"\nto = \"/hello.txt\"\n";

fn each_way_to_end_has_its_exit_code() {
    let place = Place::new(DATA);
    fs::write(place.at("wrong.toml"), "voluem_id = \"A\"").unwrap();
    fs::write(place.at("missing.toml"), "[[files]]\nfrom = \"nothing\"\nto = \"/\"\n").unwrap();
    let calls: [(&[&str], i32); 12] = [
        (&["m.toml"], 0),
        (&["build", "m.toml", "-o", "new/directory/x.iso"], 0),
        (&["plan", "m.toml"], 0),
        (&["inspect", "m.iso"], 0),
        (&["--version"], 0),
        (&["wrong.toml"], 1),
        (&["missing.toml"], 1),
        (&["none.toml"], 1),
        (&["inspect", "m.toml"], 1),
        (&[], 2),
        (&["m.toml", "--no-such-option"], 2),
        (&["m.toml", "-o", "."], 4),
    ];
    for (arguments, code) in calls {
        let output = place.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        assert!(code == 0 || !output.stderr.is_empty(), "{arguments:?} says nothing");
    }
    assert!(place.at("new/directory/x.iso").is_file());
    // procfs takes no file.
    assert_eq!(place.run(&["m.toml", "-o", "/proc/x.iso"]).status.code(), Some(3));
}

fn results_and_nothing_else_are_on_stdout() {
    let place = Place::new(DATA);
    let built = place.run(&["m.toml"]);
    assert!(built.stdout.is_empty());
    assert_eq!(
        text(&built.stderr),
        format!(
            "m.iso: {} KiB, a data image, nothing boots it\n",
            kib(&place.at("m.iso"))
        )
    );
    assert!(place.run(&["m.toml", "-q"]).stderr.is_empty());
    let json: serde_json::Value = serde_json::from_slice(&place.run(&["m.toml", "--json"]).stdout).unwrap();
    let digest = qemu_tests::hash::file(&place.at("m.iso")).unwrap();
    assert_eq!(json["sha256"].as_str(), Some(digest.as_str()));
    let plan = text(&place.run(&["plan", "m.toml"]).stdout);
    assert!(
        plan.contains("primary volume descriptor") && plan.contains("iso:/hello.txt"),
        "{plan}"
    );
    assert_eq!(
        plan.replace("  <- manifest", ""),
        text(&place.run(&["inspect", "m.iso"]).stdout)
    );
}

fn kib(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len() / 1024
}

fn a_fault_of_the_esp_is_shown_at_its_key() {
    let esp = "[boot.uefi]\nsize = \"64KiB\"\n[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n";
    let place = Place::new(esp);
    fs::write(place.at("loader"), vec![1; 100_000]).unwrap();
    let output = place.run(&["m.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("m.toml:2:8"), "{}", text(&output.stderr));
    let clash = "[boot.uefi.files]\n\"/A\" = \"loader\"\n\"/a\" = \"loader\"\n";
    fs::write(place.at("m.toml"), clash).unwrap();
    let shown = text(&place.run(&["m.toml"]).stderr);
    assert!(shown.contains("/A and /a are the same name to FAT"), "{shown}");
    let directories = "[boot.uefi.files]\n\"/EFI/a\" = \"loader\"\n\"/efi/b\" = \"loader\"\n";
    fs::write(place.at("m.toml"), directories).unwrap();
    let shown = text(&place.run(&["m.toml"]).stderr);
    assert!(shown.contains("/EFI and /efi are the same name to FAT"), "{shown}");
}

/// 128 MiB of address space for everything: a large file that the kernel copies, and one that is hashed on its way.
fn memory_does_not_grow_with_the_payload() {
    for (length, options) in [(5 << 30, "-q"), (512 << 20, "--json")] {
        let place = Place::new("[[files]]\nfrom = \"big\"\nto = \"/\"\n");
        fs::File::create(place.at("big")).unwrap().set_len(length).unwrap();
        let output = Command::new("/bin/sh")
            .args(["-c", "ulimit -v 131072; exec \"$0\" m.toml \"$1\""])
            .arg(workspace::isobuild().unwrap())
            .arg(options)
            .current_dir(place.0.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(fs::metadata(place.at("m.iso")).unwrap().len() > length);
    }
}

/// More than a pipe holds, for a reader that closes it.
fn the_loader() {
    let place = Place::new(DATA);
    let written = place.run(&["loader", "-C", "new/directory"]);
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    for name in ["BOOTX64.EFI", "BOOTIA32.EFI", "BOOTAA64.EFI"] {
        let embedded = workspace::root().join("templates/images").join(name.to_lowercase());
        assert_eq!(
            fs::read(place.at("new/directory").join(name)).unwrap(),
            fs::read(embedded).unwrap()
        );
        assert!(text(&written.stdout).contains(&format!("new/directory/{name}: for ")));
    }
    fs::remove_file(place.at("new/directory/BOOTX64.EFI")).unwrap();
    fs::write(place.at("new/directory/BOOTAA64.EFI"), "mine").unwrap();
    let again = place.run(&["loader", "-C", "new/directory"]);
    assert_eq!(again.status.code(), Some(3));
    assert!(text(&again.stderr).contains("BOOTIA32.EFI"), "{}", text(&again.stderr));
    assert!(!place.at("new/directory/BOOTX64.EFI").exists());
    assert_eq!(fs::read(place.at("new/directory/BOOTAA64.EFI")).unwrap(), b"mine");
}

fn a_reader_that_has_gone() {
    let manifest: String = (0..3000)
        .map(|n| format!("[[files]]\ntext = \"{n}\"\nto = \"/{n}\"\n"))
        .collect();
    let place = Place::new(&manifest);
    for verb in [
        "plan m.toml",
        "plan m.toml --json",
        "build m.toml -q --json",
        "inspect m.iso",
    ] {
        let script = format!("{{ \"$0\" {verb}; echo $? >&2; }} | head -c 1");
        let output = Command::new("/bin/sh")
            .args(["-c", &script])
            .arg(workspace::isobuild().unwrap())
            .current_dir(place.0.path())
            .output()
            .unwrap();
        assert_eq!(
            (output.stdout.len(), text(&output.stderr).as_str()),
            (1, "0\n"),
            "{verb}"
        );
    }
}

/// Each write takes a third of a second, then each read a little.
fn a_terminal_shows_progress() {
    let place = Place::new("");
    let payload = vec![1; 48 << 20];
    fs::write(place.at("big"), &payload).unwrap();
    let digest = qemu_tests::hash::bytes(&payload);
    let manifest = format!("[[files]]\nfrom = \"big\"\nto = \"/\"\nsha256 = \"{digest}\"\n");
    fs::write(place.at("m.toml"), manifest).unwrap();
    let program = workspace::isobuild().unwrap();
    let shown = |inject: &str, options: &str| {
        let strace = match inject {
            "" => String::new(),
            inject => format!("strace -f -o /dev/null -e inject={inject} "),
        };
        let command = format!("stty columns 100; {strace}'{}' m.toml {options}", program.display());
        let mut script = Command::new("script");
        script
            .args(["-qec", &command, "typescript"])
            .current_dir(place.0.path());
        assert!(script.output().unwrap().status.success());
        let shown = fs::read(place.at("typescript")).unwrap();
        let shown = String::from_utf8_lossy(&shown).into_owned();
        // What `script` itself says.
        let lines = shown.lines().filter(|line| !line.starts_with("Script "));
        lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
    };
    let slow_writes = "pwrite64:delay_enter=300000";
    // The digest takes every byte through the program.
    let bar = shown(slow_writes, "--json");
    assert!(
        bar.contains("MiB/s ") && bar.contains(" MiB/4") && bar.contains("=> "),
        "{bar}"
    );
    assert!(shown("read:delay_enter=10000", "").contains("looking at the inputs"));
    assert_eq!(shown("", ""), "m.iso: 48 MiB, a data image, nothing boots it");
    assert_eq!(shown(slow_writes, "-q"), "");
}
