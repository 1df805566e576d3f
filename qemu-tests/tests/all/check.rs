//! The verdicts of `check`, and the exit codes by which a script learns of them.

use qemu_tests::example::Example;
use qemu_tests::verbs::Bench;
use qemu_tests::{odd, pins, suite, workspace};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

pub(crate) fn tests() -> suite::Tests {
    let mut trials = suite::program_tests(TESTS);
    let mut missing = suite::missing_inputs()?;
    missing.extend(workspace::isobuild().err());
    trials.push(suite::trial(
        "what is reachable from cd alone is told".to_owned(),
        missing,
        || {
            reachable_from_cd_alone();
            Ok(())
        },
    ));
    Ok(trials)
}

const TESTS: &[suite::ProgramTest] = &[
    ("what boots passes and what does not is 5", &[], what_boots_passes),
    ("a fault is 5", &[], a_fault_is_5),
    ("a fault of UDF is 5", &[], a_fault_of_udf_is_5),
    ("a menu without its kernel is told", &[], a_menu_without_its_kernel),
];

/// The exit code, and what stands on standard output and standard error.
fn check(image: &Path, options: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(workspace::isobuild().unwrap());
    let output = command.arg("check").arg(image).args(options).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn hello() -> Example {
    Example::load("hello").unwrap()
}

fn what_boots_passes() {
    let hello = hello();
    let image = hello.image().unwrap();
    let (code, said, error) = check(image, &["--require", "bios-cd", "--require", "uefi-usb"]);
    assert_eq!((code, error.as_str()), (Some(0), ""), "{said}");
    assert!(
        said.starts_with("cells\n") && said.contains("uefi-usb             yes  GPT partition 2"),
        "{said}"
    );
    assert!(!said.contains("secure-boot"), "{said}");

    let (code, said, error) = check(image, &["--require", "secure-boot-usb", "--require", "uefi-usb"]);
    assert_eq!(code, Some(5), "{said}");
    assert!(
        said.contains("secure-boot-usb      no ") && said.contains("not signed"),
        "{said}"
    );
    assert!(error.ends_with("hello.iso: secure-boot-usb does not boot\n"), "{error}");

    let (code, _, error) = check(image, &["--require", "bios-floppy"]);
    assert_eq!(code, Some(2));
    assert!(
        error.contains("bios-floppy") && error.contains("secure-boot-disk-4kn"),
        "{error}"
    );

    let (code, json, _) = check(image, &["--json"]);
    let verdicts: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &verdicts["faults"]), (Some(0), &serde_json::json!([])));
    // Seven kinds of firmware with five media; the eighth asks for `--trust`.
    assert_eq!(verdicts["cells"].as_array().unwrap().len(), 35);
    assert_eq!(check(image, &["--require", "secure-boot-own-usb"]).0, Some(2));
}

/// The boot catalog's checksum is wrong, then the image is cut too.
fn a_fault_is_5() {
    let hello = hello();
    let mut bytes = fs::read(hello.image().unwrap()).unwrap();
    // El Torito §2.0: the boot record in sector 17 says where the catalog is; the checksum is at 0x1C there.
    let catalog = u32::from_le_bytes(*bytes[17 * 2048 + 0x47..].first_chunk().unwrap()) as usize * 2048;
    bytes[catalog + 0x1C] ^= 1;
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let image = dir.path().join("damaged.iso");
    fs::write(&image, &bytes).unwrap();
    let (code, said, error) = check(&image, &[]);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("fault: boot catalog: its checksum is"), "{said}");
    assert!(error.ends_with("damaged.iso: there is a fault\n"), "{error}");
    fs::write(&image, &bytes[..bytes.len() - 4096]).unwrap();
    let (code, said, _) = check(&image, &["--json"]);
    let verdicts: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(code, Some(5));
    assert!(verdicts["faults"].to_string().contains("cut short"), "{said}");
    fs::write(&image, "no image").unwrap();
    assert_eq!(check(&image, &[]).0, Some(1));
}

/// Debian's iPXE boots by UEFI from CD, and from no stick.
fn reachable_from_cd_alone() {
    let image = pins::load("qemu-tests").unwrap().file("ipxe.iso").unwrap();
    assert_eq!(check(&image, &["--require", "uefi-cd"]).0, Some(0));
    let (code, said, error) = check(&image, &["--require", "uefi-usb"]);
    assert_eq!(code, Some(5));
    let line = said
        .lines()
        .find(|line| line.trim_start().starts_with("uefi-usb "))
        .unwrap();
    assert!(
        line.contains("no   the MBR has no ESP; the EFI image at offset 69632 is reachable from CD alone"),
        "{said}"
    );
    assert!(error.ends_with("ipxe.iso: uefi-usb does not boot\n"), "{error}");
}

/// An anchor, a tag, and two indexes that do not agree. Without damage the image passes.
fn a_fault_of_udf_is_5() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let more = "[iso]\nudf = true\n[[menu]]\naction = \"reboot\"\n";
    let (_, image) = odd::image(dir.path(), &[], more).unwrap();
    let (code, said, _) = check(&image, &[]);
    assert!(code == Some(0) && !said.contains("fault: "), "{said}");
    let whole = fs::read(&image).unwrap();
    // ECMA-167 4/14.9: a file entry is of a regular file (5) at byte 27, and has its length at 56. They begin in block 259.
    let entry = |number: usize| (259 + number) * 2048;
    let is_filled = |number: &usize| whole[entry(*number) + 27] == 5 && whole[entry(*number) + 56] > 0;
    let file = (0..).find(is_filled).unwrap();
    for (place, length, words) in [
        (256 * 2048, 2048, "fault: UDF: there is one anchor, in sector "),
        (
            257 * 2048 + 20,
            1,
            "fault: UDF: the checksum of the file set descriptor at 526336 is wrong",
        ),
        (entry(file) + 56, 1, " bytes in the Rock Ridge tree and "),
    ] {
        let mut bytes = whole.clone();
        bytes[place..place + length].iter_mut().for_each(|byte| *byte ^= 0xff);
        fs::write(&image, &bytes).unwrap();
        let (code, said, _) = check(&image, &[]);
        assert!(code == Some(5) && said.contains(words), "{words}: {said}");
    }
}

/// A warning, not a fault: installers of distributions have entries for what some of their images leave out.
fn a_menu_without_its_kernel() {
    let bench = Bench::new("output = \"image.iso\"\n[[files]]\nfrom = \"tree\"\nto = \"/\"\n");
    let grub = "menuentry \"One\" {\nlinux /there\n}\nmenuentry \"Two\" {\nlinux /gone\ninitrd /there /gone.img\n}\n\
                if [ -f /gone ]; then\nmenuentry \"Three\" {\nlinux /gone\n}\nfi\nconfigfile /none.cfg\n";
    fs::create_dir_all(bench.path("tree/boot/grub")).unwrap();
    fs::write(bench.path("tree/there"), "a kernel").unwrap();
    fs::write(bench.path("tree/boot/grub/grub.cfg"), grub).unwrap();
    bench.ends("m.toml -q", 0);
    let said = bench.ends("check image.iso", 0);
    assert_eq!(
        said.error,
        "warning: iso:/boot/grub/grub.cfg: leads to /none.cfg, which is missing\n\
         warning: iso:/boot/grub/grub.cfg: \"Two\" needs /gone, which is missing\n\
         warning: iso:/boot/grub/grub.cfg: \"Two\" needs /gone.img, which is missing\n"
    );
    let said: Value = serde_json::from_str(&bench.ends("check image.iso --json", 0).out).unwrap();
    let paths: Vec<&str> = said["missing"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["path"].as_str())
        .collect();
    assert_eq!(paths, ["/gone", "/gone.img"]);
}
