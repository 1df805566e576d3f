//! `run`, `test` and `doctor`: what they say of machines that boot, hang, end or cannot start, and what they leave behind.

use isobuild::cell::Firmware;
use isobuild::vm::accelerator::Accelerator;
use qemu_tests::{hash, pins, suite, tools, workspace};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    suite::run(trials())
}

fn trials() -> Result<Vec<libtest_mimic::Trial>, String> {
    let mut trials = suite::program_tests(TESTS);
    let mut missing = suite::missing_inputs()?;
    missing.extend(suite::missing(OTHERS));
    missing.extend(workspace::isobuild().err());
    trials.push(suite::trial("UEFI of other processors".to_owned(), missing, || {
        other_processors();
        Ok(())
    }));
    Ok(trials)
}

/// What the machines of a PC need.
const PC: &[&str] = &[
    "qemu-system-x86_64",
    "setpriv",
    "/usr/share/seabios/bios-256k.bin",
    tools::OVMF_CODE,
    tools::OVMF_VARS,
];

/// What the others need.
const OTHERS: &[&str] = &[
    "qemu-system-x86_64",
    "qemu-system-aarch64",
    tools::OVMF_IA32_CODE,
    tools::AAVMF_CODE,
];

const TESTS: &[suite::ProgramTest] = &[
    ("a test passes and keeps what it saw", PC, passes),
    ("nothing said is to be shown", PC, nothing_expected),
    ("d19 a guest hangs", PC, hangs),
    ("d19 a guest ends without the mark", PC, ends),
    ("d19 a loader that is not there", PC, no_loader),
    ("d19 a loader's last words are on the screen alone", PC, last_words),
    ("what must not be shown", PC, must_not),
    ("a key that is not there", PC, no_such_key),
    ("d19 QEMU is missing", &[], no_qemu),
    ("d19 QEMU itself fails", PC, qemu_fails),
    (
        "d19 a firmware is missing",
        &["qemu-system-x86_64", "unshare"],
        no_firmware,
    ),
    ("d19 only what has shown its mark is trusted", OTHERS, translated),
    ("a signal ends a test and its machines", PC, interrupted),
    ("somebody sits at the serial port", PC, sits),
    ("the printed line starts the machine", PC, printed),
    ("an image is built when something is newer", PC, rebuilt),
];

/// A directory with a manifest, and what isobuild says when it is run there.
struct Bench {
    directory: tempfile::TempDir,
}

/// The exit code, and what stands on standard output and standard error.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    error: String,
}

/// A menu on the screen and on the serial port.
const MENU: &str =
    "[boot]\ntimeout = -1\nserial = 115200\n[[menu]]\naction = \"machine\"\n[[menu]]\naction = \"poweroff\"\n";

impl Bench {
    fn new(manifest: &str) -> Self {
        let directory = tempfile::tempdir_in(workspace::target()).unwrap();
        fs::write(directory.path().join("m.toml"), manifest).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(workspace::isobuild().unwrap());
        command
            .args(words)
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Said {
        said(self.command(words))
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap()).into_owned()
    }
}

fn said(mut command: Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said {
        code: output.status.code(),
        out: text(output.stdout),
        error: text(output.stderr),
    }
}

impl Said {
    /// What is in a stream, or everything that was said.
    fn has(&self, words: &[&str]) {
        for word in words {
            assert!(
                self.out.contains(word) || self.error.contains(word),
                "{word:?} is not in {self:#?}"
            );
        }
    }
}

/// Two cells, each typed to in its way: the loader's page about the machine appears and nothing is written to the image.
fn passes() {
    let test = "[test]\ncells = [\"bios-cd\", \"uefi-usb\"]\nexpect = \"^Free memory +[0-9]+ \"\ntimeout = 240\nmemory = \"256MiB\"\n\
        [[test.send]]\nafter = \"> About this machine\"\nkeys = [\"down\"]\n\
        [[test.send]]\nafter = \"> Power off\"\ntext = \"\\u001b[A\"\n\
        [[test.send]]\nafter = \"> About this machine\"\ntext = \"\\r\"\n";
    let bench = Bench::new(&format!("{MENU}{test}"));
    let built = bench.run(&["m.toml"]);
    assert_eq!(built.code, Some(0), "{built:#?}");
    let before = hash::file(&bench.path("m.iso")).unwrap();
    let said = bench.run(&["test", "m.toml", "--json"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    said.has(&["x86-64: "]);
    assert!(!said.error.contains("m.iso: "), "it was built again: {said:#?}");
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        report,
        serde_json::from_str::<Value>(&bench.text("m.test/report.json")).unwrap()
    );
    let cells = report["cells"].as_array().unwrap();
    let names: Vec<&str> = cells.iter().map(|cell| cell["cell"].as_str().unwrap()).collect();
    assert_eq!(names, ["bios-cd", "uefi-usb"]);
    for cell in cells {
        let keys: Vec<&String> = cell.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["cell", "log", "passed", "reason", "screenshot", "seconds"]);
        assert_eq!(cell["passed"], true);
        assert!(cell["reason"].as_str().unwrap().starts_with("shows \""), "{cell}");
        assert!(bench.text(cell["log"].as_str().unwrap()).contains("Free memory"));
        let png = fs::read(bench.path(cell["screenshot"].as_str().unwrap())).unwrap();
        assert!(
            png.starts_with(b"\x89PNG\r\n\x1a\n") && png.len() > 2000,
            "{} bytes",
            png.len()
        );
    }
    let (tests, failures) = junit(&bench.path("m.test/junit.xml"));
    assert_eq!((tests, failures), (2, 0));
    assert_eq!(hash::file(&bench.path("m.iso")).unwrap(), before);
}

/// How many test cases and failures an XML parser finds.
fn junit(path: &Path) -> (usize, usize) {
    let script = "import sys, xml.etree.ElementTree as t; r = t.parse(sys.argv[1]).getroot(); \
        print(len(r.findall('./testsuite/testcase')), len(r.findall('./testsuite/testcase/failure')))";
    let output = Command::new("python3").args(["-c", script]).arg(path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<usize> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
    (numbers[0], numbers[1])
}

/// Without an expression the firmware's own word is enough, in every cell that boots by the rules, but nothing to boot is a failure.
fn nothing_expected() {
    let bench = Bench::new(MENU);
    let said = bench.run(&["test", "m.toml", "--cell", "bios-usb"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    said.has(&[
        "m.iso: ",
        "bios-usb               passed",
        "nothing says what it has to show",
    ]);
    let bench = Bench::new("[[files]]\ntext = \"data\"\nto = \"/data\"\n");
    let said = bench.run(&["test", "m.toml"]);
    assert_eq!(said.code, Some(5), "{said:#?}");
    said.has(&["nothing to boot"]);
}

/// The deadline ends it; the last line, the picture and the line that repeats it are there, and the machine is not.
fn hangs() {
    let bench = Bench::new(MENU);
    let said = bench.run(&[
        "test",
        "m.toml",
        "--cell",
        "bios-disk",
        "--expect",
        "login:",
        "--timeout",
        "12",
    ]);
    assert_eq!(said.code, Some(5), "{said:#?}");
    said.has(&[
        "bios-disk              FAILED   12.",
        "has not shown /login:/ in 12 s; the last line on the serial port is",
        "firmware: Booting from",
        "serial port: ",
        "picture: m.test/bios-disk/screen.png",
        "repeat: isobuild run m.iso --firmware bios --as disk",
        "the test has failed",
    ]);
    assert_eq!(junit(&bench.path("m.test/junit.xml")), (1, 1));
    assert_eq!(machines(bench.directory.path()), 0);
}

/// The processes of QEMU that were started in a directory.
fn machines(directory: &Path) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|process| process.path());
    let ours = |process: &PathBuf| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("qemu-system")
            && fs::read_link(process.join("cwd")).is_ok_and(|started| started == directory)
    };
    processes.filter(ours).count()
}

/// It switches itself off: there is a picture of what it showed last all the same.
fn ends() {
    let bench = Bench::new("[boot]\ntimeout = 0\n[[menu]]\naction = \"poweroff\"\n");
    let said = bench.run(&[
        "test",
        "m.toml",
        "--cell",
        "uefi-usb",
        "--expect",
        "login:",
        "--timeout",
        "240",
    ]);
    assert_eq!(said.code, Some(5), "{said:#?}");
    said.has(&[
        "the machine has switched itself off or reset before it has shown /login:/",
        "firmware: BdsDxe: starting Boot",
    ]);
    assert!(bench.path("m.test/uefi-usb/screen.png").is_file());
}

/// What firmware says of a medium that it finds nothing on, in words.
fn no_loader() {
    let bench = Bench::new("[[files]]\ntext = \"data\"\nto = \"/data\"\n");
    let cells = ["--cell", "bios-cd", "--cell", "uefi-usb"];
    let said = bench.run(&[&["test", "m.toml", "--timeout", "240"][..], &cells].concat());
    assert_eq!(said.code, Some(5), "{said:#?}");
    said.has(&[
        "the BIOS finds nothing to start",
        "the firmware finds no",
        "2 of 2 cells failed",
    ]);
}

/// A known mark ends the wait long before the deadline, wherever it is seen.
fn last_words() {
    // mov si,7c11h; next: lodsb; test al,al; jz stop; mov ah,0eh; int 10h; jmp next; stop: hlt; jmp stop
    const CODE: &[u8] = b"\xbe\x11\x7c\xac\x84\xc0\x74\x06\xb4\x0e\xcd\x10\xeb\xf5\xf4\xeb\xfd";
    let bench = Bench::new("[boot.bios]\nimage = \"code.bin\"\n");
    fs::write(
        bench.path("code.bin"),
        [CODE, b"isolinux.bin missing or corrupt.\0"].concat(),
    )
    .unwrap();
    let said = bench.run(&[
        "test",
        "m.toml",
        "--cell",
        "bios-cd",
        "--expect",
        "login:",
        "--timeout",
        "240",
    ]);
    assert_eq!(said.code, Some(5), "{said:#?}");
    said.has(&[
        "FAILED",
        "says \"isolinux.bin missing or corrupt\" after ",
        " s: ISOLINUX does not find itself",
        "screen: isolinux.bin missing",
    ]);
}

fn must_not() {
    let bench = Bench::new(MENU);
    let words = [
        "test",
        "m.toml",
        "--cell",
        "bios-cd",
        "--expect",
        "never",
        "--fail",
        "Power .ff",
        "--timeout",
        "240",
    ];
    let said = bench.run(&words);
    assert_eq!(said.code, Some(5), "{said:#?}");
    said.has(&["shows \"Power off\", which `fail` is about"]);
}

/// What was asked for fails, the rest is named as skipped, and nothing at all is no success; each names the package.
fn no_qemu() {
    let bench = Bench::new(MENU);
    let run = |words: &[&str]| {
        let mut command = bench.command(words);
        command.env("PATH", bench.directory.path());
        said(command)
    };
    let all = run(&["test", "m.toml"]);
    assert_eq!(all.code, Some(5), "{all:#?}");
    all.has(&[
        "bios-cd                skipped",
        "qemu-system-x86_64 is not installed (package",
        "no cell could be tried",
    ]);
    let report: Value = serde_json::from_str(&bench.text("m.test/report.json")).unwrap();
    assert_eq!(report["cells"], Value::Array(Vec::new()));
    assert_eq!(report["skipped"].as_array().unwrap().len(), 6);
    let one = run(&["test", "m.toml", "--cell", "bios-cd", "--json"]);
    assert_eq!(one.code, Some(5), "{one:#?}");
    let report: Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!(report["cells"][0]["passed"], false);
    assert_eq!(report["cells"][0]["log"], Value::Null);
    let run_it = run(&["run", "m.toml", "--firmware", "bios"]);
    assert_eq!(run_it.code, Some(3), "{run_it:#?}");
    run_it.has(&["qemu-system-x86_64 is not installed (package"]);
    let doctor = run(&["doctor"]);
    assert_eq!(doctor.code, Some(0), "{doctor:#?}");
    doctor.has(&[
        "qemu-system-x86_64   qemu-system-x86_64 is not installed (package",
        "qemu-system-aarch64  qemu-",
    ]);
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
    let mut command = bench.command(&[
        "test",
        "m.toml",
        "--cell",
        "bios-usb",
        "--cell",
        "bios-cd",
        "--expect",
        "Power off",
    ]);
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

/// A key that QEMU does not know is the cell's failure, with QEMU's words.
fn no_such_key() {
    let bench = Bench::new(&format!(
        "{MENU}[[test.send]]\nafter = \"Power off\"\nkeys = [\"any-key\"]\n"
    ));
    let said = bench.run(&["test", "m.toml", "--cell", "bios-cd", "--expect", "Power off"]);
    assert_eq!(said.code, Some(5), "{said:#?}");
    said.has(&["any-key", "bios-cd                FAILED"]);
}

/// Empty directories where firmware would be.
fn no_firmware() {
    let bench = Bench::new(MENU);
    let hidden = |words: &[&str]| {
        let hide = "for d in /usr/share/OVMF /usr/share/ovmf /usr/share/qemu /usr/share/seabios; do \
            [ -d $d ] && mount -t tmpfs none $d; done; exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", hide, "sh"]);
        command
            .arg(workspace::isobuild().unwrap())
            .args(words)
            .current_dir(bench.directory.path());
        said(command)
    };
    let asked = hidden(&["test", "m.toml", "--cell", "uefi-usb", "--cell", "bios-cd"]);
    assert_eq!(asked.code, Some(5), "{asked:#?}");
    asked.has(&[
        "UEFI firmware for PCs is not installed (package",
        "SeaBIOS is not installed (package",
        "2 of 2 cells",
    ]);
    let run = hidden(&["run", "m.toml", "--firmware", "uefi"]);
    assert_eq!(run.code, Some(3), "{run:#?}");
    run.has(&["UEFI firmware for PCs is not installed (package"]);
    hidden(&["doctor"]).has(&[
        "uefi                 UEFI firmware for PCs is not installed",
        "bios                 SeaBIOS is not",
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

/// The exit code is the signal's, and QEMU is gone.
fn interrupted() {
    let bench = Bench::new(MENU);
    let mut command = bench.command(&[
        "test",
        "m.toml",
        "--cell",
        "bios-usb",
        "--expect",
        "never",
        "--timeout",
        "240",
    ]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let serial = bench.path("m.test/bios-usb/serial.log");
    until(|| fs::read_to_string(&serial).is_ok_and(|said| said.contains("Power off")));
    assert_eq!(machines(bench.directory.path()), 1);
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(machines(bench.directory.path()), 0);
}

fn until(mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(240));
        std::thread::sleep(Duration::from_millis(50));
    }
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
    assert_eq!(bench.run(&["m.toml"]).code, Some(0));
    let before = hash::file(&bench.path("m.iso")).unwrap();
    let mut command = bench.command(&[
        "run",
        "m.toml",
        "--serial",
        "--as",
        "usb",
        "--firmware",
        "bios",
        "--memory",
        "256MiB",
    ]);
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
    let said = bench.run(&[
        "run",
        "m.toml",
        "--serial",
        "--firmware",
        "bios",
        "--as",
        "cd",
        "--print",
    ]);
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
        let said = bench.run(&["run", "m.toml", "--print", "--firmware", "bios"]);
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

/// GRUB starts under 32-bit UEFI; under UEFI of an ARM machine a loader for PCs does not, and its own shell comes up.
fn other_processors() {
    let grub = pins::load("qemu-tests").unwrap().file("grubia32.efi").unwrap();
    let bench = Bench::new(&format!("[boot.uefi.files]\n\"/EFI/BOOT/BOOTIA32.EFI\" = {grub:?}\n"));
    let said = bench.run(&[
        "test",
        "m.toml",
        "--cell",
        "uefi-ia32-usb",
        "--expect",
        "grub>",
        "--timeout",
        "240",
    ]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let cells = [
        "--cell",
        "uefi-aa64-cd",
        "--expect",
        "UEFI Interactive Shell v",
        "--timeout",
        "240",
    ];
    let said = bench.run(&[&["test", "m.toml"][..], &cells].concat());
    assert_eq!(said.code, Some(0), "{said:#?}");
}
