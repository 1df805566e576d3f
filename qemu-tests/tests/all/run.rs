//! `run` and `doctor`, and what a machine needs: what is missing, what cannot be trusted, and who sits at it.

use isobuild::inside::facts::cell::Firmware;
use isobuild::inside::vm::accelerator::Accelerator;
use qemu_tests::verbs::{Bench, MENU, OTHERS, PC, said};
use qemu_tests::{hash, suite, tools, workspace};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::program_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    ("d19 QEMU is missing", &[], no_qemu),
    ("d19 QEMU itself fails", PC, qemu_fails),
    ("a firmware is missing", &["qemu-system-x86_64", "unshare"], no_firmware),
    ("only what has shown its mark is trusted", OTHERS, translated),
    ("somebody sits at the serial port", PC, sits),
    ("the printed line starts the machine", PC, printed),
    ("an image is built when something is newer", PC, rebuilt),
];

/// A cell that cannot be tried is not a verdict on the image. If no cell can be tried, that is not a success. Each message names the package.
fn no_qemu() {
    let bench = Bench::new(MENU);
    let run = |line: &str| {
        let mut command = bench.command(line);
        command.env("PATH", bench.directory.path());
        said(command)
    };
    let all = run("test m.toml");
    assert_eq!(all.code, Some(3), "{all:#?}");
    all.has(&[
        "bios-cd                skipped",
        "m.iso: 12 of 12 cells could not be tried: qemu-system-x86_64 is not installed (package",
    ]);
    let report: Value = serde_json::from_str(&bench.text("m.test/report.json")).unwrap();
    assert_eq!(report["cells"], Value::Array(Vec::new()));
    assert_eq!(report["skipped"].as_array().unwrap().len(), 12);
    let one = run("test m.toml --cell bios-cd --json");
    assert_eq!(one.code, Some(3), "{one:#?}");
    let report: Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!(report["skipped"][0]["asked"], true);
    assert!(bench.text("m.test/junit.xml").contains("errors=\"1\" skipped=\"0\""));
    let run_it = run("run m.toml --firmware bios");
    assert_eq!(run_it.code, Some(3), "{run_it:#?}");
    run_it.has(&["qemu-system-x86_64 is not installed (package"]);
    let doctor = run("doctor");
    assert_eq!(doctor.code, Some(0), "{doctor:#?}");
    doctor.has(&[
        "qemu-system-x86_64       qemu-system-x86_64 is not installed (package",
        "qemu-system-aarch64      qemu-",
    ]);
    let report: Value = serde_json::from_str(&run("doctor --json").out).unwrap();
    let named = |name: &str| {
        let programs = report["programs"].as_array().unwrap();
        let found = programs.iter().find(|program| program["name"] == name);
        found.unwrap().clone()
    };
    assert_eq!(named("qemu-system-x86_64")["path"], Value::Null);
    let shim = named("shim for x64");
    assert_eq!(shim["path"], "/usr/lib/shim/shimx64.efi.signed");
    assert_eq!(shim["package"], "shim-signed");
    let installed = Command::new("dpkg-query")
        .args(["-W", "-f", "${Version}", "shim-signed"])
        .output();
    assert_eq!(shim["version"], String::from_utf8(installed.unwrap().stdout).unwrap());
    // Its second signature, as `sbverify --list` shows it.
    assert_eq!(shim["signed_by"][1], "Microsoft UEFI CA 2023 signer");
    assert!(
        named("shim for aa64")["missing"]
            .as_str()
            .unwrap()
            .contains("shim-signed")
    );
}

/// Its own last words are the reason, and the other cells are tried all the same.
fn qemu_fails() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new(MENU);
    let real = tools::find("qemu-system-x86_64").unwrap();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *usb-storage*) echo 'qemu: it is broken' >&2; exit 1; esac\nexec {real:?} \"$@\"\n"
    );
    let fake = bench.path("qemu-system-x86_64");
    fs::write(&fake, script).unwrap();
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = bench.command("test m.toml --cell bios-usb --cell bios-cd --expect Power.off");
    command.env(
        "PATH",
        format!(
            "{}:{}",
            bench.directory.path().display(),
            std::env::var("PATH").unwrap()
        ),
    );
    let said = said(command);
    assert_eq!(said.code, Some(5), "{said:#?}");
    said.has(&[
        "bios-usb               FAILED",
        "QEMU has ended with exit status: 1 (qemu: it is broken)",
        "no picture: ",
        "bios-cd                passed",
        "1 of 2 cells failed",
    ]);
}

/// Empty directories where firmware would be.
fn no_firmware() {
    let bench = Bench::new(MENU);
    const UEFI: &str = "/usr/share/OVMF /usr/share/ovmf";
    let without = |directories: &str, line: &str| {
        let hide = format!("for d in {directories}; do [ -d $d ] && mount -t tmpfs none $d; done; exec \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", &hide, "sh"]);
        command
            .arg(workspace::isobuild().unwrap())
            .args(line.split_whitespace())
            .current_dir(bench.directory.path());
        said(command)
    };
    // The other cells are tried all the same, and their failure decides the exit code.
    let some = without(UEFI, "test m.toml --cell uefi-usb --cell bios-cd --expect Power.off");
    assert_eq!(some.code, Some(3), "{some:#?}");
    some.has(&[
        "bios-cd                passed",
        "uefi-usb               not tried",
        "1 of 2 cells could not be tried",
    ]);
    let failed = without(UEFI, "test m.toml --cell uefi-usb --cell bios-cd --fail Power.off");
    assert_eq!(failed.code, Some(5), "{failed:#?}");
    let hidden = |line: &str| without(&format!("{UEFI} /usr/share/qemu /usr/share/seabios"), line);
    let asked = hidden("test m.toml --cell uefi-usb --cell bios-cd");
    assert_eq!(asked.code, Some(3), "{asked:#?}");
    asked.has(&[
        "uefi-usb               not tried        UEFI firmware for PCs is not installed (package",
        "bios-cd                not tried        SeaBIOS is not installed (package",
        "2 of 2 cells could not be tried",
    ]);
    let run = hidden("run m.toml --firmware uefi");
    assert_eq!(run.code, Some(3), "{run:#?}");
    run.has(&["UEFI firmware for PCs is not installed (package"]);
    hidden("doctor").has(&[
        "uefi                     UEFI firmware for PCs is not installed",
        "bios                     SeaBIOS is not",
    ]);
}

/// A probe that shows its mark is what makes an accelerator trusted: translation's does for both kinds of processor, and one that QEMU
/// does not have fails in words.
fn translated() {
    let qemu = |name: &str| tools::find(name).unwrap();
    let patience = Duration::from_secs(60);
    Accelerator::Tcg
        .probe(&qemu("qemu-system-x86_64"), Firmware::Bios, patience)
        .unwrap();
    Accelerator::Tcg
        .probe(&qemu("qemu-system-aarch64"), Firmware::UefiAa64, patience)
        .unwrap();
    let error = Accelerator::Hvf
        .probe(&qemu("qemu-system-x86_64"), Firmware::Bios, patience)
        .unwrap_err();
    assert_eq!(error, "a probe with hvf has failed at once");
}

/// Reads on until all that was shown has this text in it.
fn read_until(output: &mut impl Read, shown: &mut Vec<u8>, text: &str) {
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(shown).contains(text) {
        let length = output.read(&mut buffer).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(shown));
        shown.extend_from_slice(&buffer[..length]);
    }
}

/// What is typed goes to the machine, Ctrl-A X ends it, and the image stays as it was.
fn sits() {
    let bench = Bench::new(MENU);
    assert_eq!(bench.run("m.toml").code, Some(0));
    let before = hash::file(&bench.path("m.iso")).unwrap();
    let mut command = bench.command("run m.toml --serial --as usb --firmware bios --memory 256MiB");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    let mut wait_for = |text: &str| read_until(&mut output, &mut shown, text);
    wait_for("Power off");
    input.write_all(b"\r").unwrap();
    wait_for("Free memory");
    input.write_all(b"\x01x").unwrap();
    wait_for("QEMU: Terminated");
    let rest = child.wait_with_output().unwrap();
    let error = String::from_utf8(rest.stderr).unwrap();
    assert!(
        error.contains("m.iso: bios-usb\n") && error.contains("Ctrl-A X"),
        "{error}"
    );
    assert_eq!(rest.status.code(), Some(0), "{error}");
    assert_eq!(hash::file(&bench.path("m.iso")).unwrap(), before);
}

/// A shell takes the line as it is; a name that needs quoting is quoted.
fn printed() {
    let bench = Bench::new(&format!("output = \"it's, an image.iso\"\n{MENU}"));
    let said = bench.run("run m.toml --serial --firmware bios --as cd --print");
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(said.out.lines().count(), 1);
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("exec {}", said.out)])
        .current_dir(bench.directory.path());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    read_until(&mut output, &mut Vec::new(), "Power off");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The image is built when it is not there, when an input has changed, and when the manifest says something else; not else.
fn rebuilt() {
    let manifest = format!("{MENU}[[files]]\nfrom = \"data\"\nto = \"/data\"\n");
    let bench = Bench::new(&manifest);
    fs::write(bench.path("data"), "one").unwrap();
    let builds = || {
        let said = bench.run("run m.toml --print --firmware bios");
        assert_eq!(said.code, Some(0), "{said:#?}");
        said.error.contains("MiB, boots bios-cd")
    };
    assert!(builds());
    assert!(!builds());
    fs::write(bench.path("data"), "two").unwrap();
    assert!(builds());
    assert!(!builds());
    fs::write(bench.path("m.toml"), manifest.replace("timeout = -1", "timeout = 3")).unwrap();
    assert!(builds());
    assert!(!builds());
    // Another image in its place, which is newer than everything.
    fs::write(bench.path("m.iso"), "no image").unwrap();
    assert!(builds());
}
