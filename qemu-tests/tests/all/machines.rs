//! `test`: what it says of machines that boot, hang and end, and what it leaves behind.

use qemu_tests::initramfs::Initramfs;
use qemu_tests::linux;
use qemu_tests::verbs::{Bench, MENU, OTHERS, PC};
use qemu_tests::{hash, pins, suite, workspace};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) fn tests() -> suite::Tests {
    let mut trials = suite::program_tests(TESTS);
    let mut missing = suite::missing_inputs()?;
    missing.extend(suite::missing(OTHERS));
    missing.extend(workspace::isobuild().err());
    trials.push(suite::trial("UEFI of other processors".to_owned(), missing, || {
        other_processors();
        Ok(())
    }));
    let missing = [suite::missing_inputs()?, suite::missing(PC)].concat();
    trials.push(suite::trial(
        "a network card, a disk and arguments".to_owned(),
        missing,
        equipped,
    ));
    Ok(trials)
}

const TESTS: &[suite::ProgramTest] = &[
    ("a test passes and keeps what it saw", PC, passes),
    ("nothing said is to be shown", PC, nothing_expected),
    ("a guest hangs", PC, hangs),
    ("a guest ends without the mark", PC, ends),
    ("a loader that is not there", PC, no_loader),
    ("a loader's last words are on the screen alone", PC, last_words),
    ("a loader that gives up", PC, gives_up),
    ("what must not be shown", PC, must_not),
    ("a key that is not there", PC, no_such_key),
    ("a signal ends a test and its machines", PC, interrupted),
    ("a machine that writes to its medium", PC, written),
];

/// Two cells, each typed to in its way: the loader's page about the machine appears and nothing is written to the image.
fn passes() {
    let test = "[test]\ncells = [\"bios-cd\", \"uefi-usb\"]\nexpect = \"^Free memory +[0-9]+ \"\ntimeout = 240\nmemory = \"256MiB\"\n\
        [[test.send]]\nafter = \"> About this machine\"\nkeys = [\"down\"]\n\
        [[test.send]]\nafter = \"> Power off\"\ntext = \"\\u001b[A\"\n\
        [[test.send]]\nafter = \"> About this machine\"\ntext = \"\\r\"\n";
    let bench = Bench::new(&format!("{MENU}{test}"));
    let built = bench.run("m.toml");
    assert_eq!(built.code, Some(0), "{built:#?}");
    let before = hash::file(&bench.path("m.iso")).unwrap();
    let said = bench.run("test m.toml --json");
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
        let wanted = [
            "cell",
            "command",
            "firmware",
            "log",
            "mend",
            "passed",
            "reason",
            "repeat",
            "screenshot",
            "seconds",
        ];
        assert_eq!(keys, wanted);
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

/// EDK2 writes a backup GPT where it finds none: an image that boots so is not what its checksum says any more.
fn written() {
    let bench = Bench::new(MENU);
    assert_eq!(bench.run("m.toml").code, Some(0));
    let image = fs::File::options().write(true).open(bench.path("m.iso")).unwrap();
    let last = image.metadata().unwrap().len() - 512;
    image.write_all_at(&[0; 512], last).unwrap();
    let before = hash::file(&bench.path("m.iso")).unwrap();
    let said = bench.run("test m.iso --cell uefi-disk --expect Power.off --timeout 240");
    assert_eq!(said.code, Some(5), "{said:#?}");
    said.has(&["the machine has written to its medium, first at offset "]);
    assert_eq!(hash::file(&bench.path("m.iso")).unwrap(), before);
}

/// Without an expression the firmware's own word is enough, in every cell that boots by the rules, but nothing to boot is a failure.
fn nothing_expected() {
    let bench = Bench::new(MENU);
    let said = bench.run("test m.toml --cell bios-usb");
    assert_eq!(said.code, Some(0), "{said:#?}");
    said.has(&[
        "m.iso: ",
        "bios-usb               passed",
        "nothing says what it has to show",
    ]);
    let bench = Bench::new("[[files]]\ntext = \"data\"\nto = \"/data\"\n");
    let said = bench.run("test m.toml");
    assert_eq!(said.code, Some(5), "{said:#?}");
    said.has(&["nothing to boot"]);
}

/// The deadline ends it; the last line, the picture and the line that repeats it are there, and the machine is not.
fn hangs() {
    let bench = Bench::new(MENU);
    let said = bench.run("test m.toml --cell bios-disk --expect login: --timeout 12");
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
    let said = bench.run("test m.toml --cell uefi-usb --expect login: --timeout 240");
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
    let said = bench.run("test m.toml --timeout 240 --cell bios-cd --cell uefi-usb");
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
    let said = bench.run("test m.toml --cell bios-cd --expect login: --timeout 240");
    assert_eq!(said.code, Some(5), "{said:#?}");
    said.has(&[
        "FAILED",
        "says \"isolinux.bin missing or corrupt\" after ",
        " s: ISOLINUX does not find itself",
        "screen: isolinux.bin missing",
    ]);
}

/// The BIOS jumps to a program, which gives up by interrupt 18h. That is not "nothing to start".
fn gives_up() {
    let bench = Bench::new("[boot.bios]\nimage = \"code.bin\"\n");
    fs::write(bench.path("code.bin"), b"\xcd\x18").unwrap();
    let said = bench.run("test m.toml --cell bios-cd --expect login: --timeout 240 --json");
    assert_eq!(said.code, Some(5), "{said:#?}");
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let cell = &report["cells"][0];
    let reason = cell["reason"].as_str().unwrap();
    assert!(
        reason.contains("what the firmware has started has given up"),
        "{reason}"
    );
    let firmware = cell["firmware"].as_array().unwrap();
    assert!(
        firmware.iter().any(|line| line == "Booting from 0000:7c00"),
        "{firmware:?}"
    );
    assert_eq!(cell["mend"], Value::Null);
    // The report also has the mend that `check` knows.
    let said = bench.run("test m.toml --cell uefi-cd --timeout 240 --json");
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let mend = report["cells"][0]["mend"].as_str().unwrap();
    assert!(mend.contains("boot.uefi") || mend.contains("BOOTX64.EFI"), "{mend}");
}

/// Linux finds the card, a disk of its size that takes what is written to it, and the generator of random numbers that an argument
/// brings: the devices 1, 2 and 4 of virtio (OASIS VIRTIO 1.2 §5).
fn equipped() -> Result<(), String> {
    let modules = [&linux::VIRTIO_MODULES[..], &["virtio_blk"]].concat();
    let inputs = pins::load("qemu-tests")?;
    let init = linux::preamble(&modules)
        + "echo written > /dev/vda\nsync\n\
           say $(cat /sys/bus/virtio/devices/*/device) of $(cat /sys/block/vda/size) sectors, $(head -n 1 /dev/vda)\n"
        + linux::end();
    let bench = Bench::new(
        "[[menu]]\nkernel = \"vmlinuz\"\ninitrd = \"initrd\"\ncmdline = \"console=ttyS0\"\n\
         [test]\ncells = [\"bios-cd\"]\nexpect = \"isobuild-test: .* written\"\ntimeout = 240\nmemory = \"256MiB\"\n\
         network = true\ndisks = [\"8GiB\"]\nqemu = [\"-device\", \"virtio-rng-pci\"]\n",
    );
    fs::write(
        bench.path("initrd"),
        Initramfs::new(&inputs, "", &modules, &init)?.finish(),
    )
    .map_err(|e| e.to_string())?;
    fs::copy(inputs.file("vmlinuz")?, bench.path("vmlinuz")).map_err(|e| e.to_string())?;
    let said = bench.run("test m.toml --json");
    assert_eq!(said.code, Some(0), "{said:#?}");
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let cell = &report["cells"][0];
    let mut found: Vec<&str> = cell["reason"].as_str().unwrap().split([' ', '"']).collect();
    found.sort_unstable();
    for word in ["0x0001", "0x0002", "0x0004", "16777216", "written"] {
        assert!(found.contains(&word), "{word}: {cell}");
    }
    let repeat = cell["repeat"].as_str().unwrap();
    let wanted = " --memory 256MiB --network --disk 8589934592 --qemu=-device --qemu=virtio-rng-pci";
    assert!(repeat.ends_with(wanted), "{repeat}");
    // The command that the report prints starts the same machine.
    let arguments = repeat.strip_prefix("isobuild ").unwrap();
    let line = bench.run(&format!("{arguments} --serial --print")).out;
    for part in ["virtio-net-pci", "file.size=8589934592", "virtio-rng-pci", "-m 256M"] {
        assert!(
            line.contains(part) && cell["command"].as_str().unwrap().contains(part),
            "{part}: {line}"
        );
    }
    Ok(())
}

fn must_not() {
    let bench = Bench::new(MENU);
    let said = bench.run("test m.toml --cell bios-cd --expect never --fail Power.off --timeout 240");
    assert_eq!(said.code, Some(5), "{said:#?}");
    said.has(&["shows \"Power off\", which `fail` is about"]);
}

/// A key that QEMU does not know is the cell's failure, with QEMU's words.
fn no_such_key() {
    let bench = Bench::new(&format!(
        "{MENU}[[test.send]]\nafter = \"Power off\"\nkeys = [\"any-key\"]\n"
    ));
    let said = bench.run("test m.toml --cell bios-cd --expect Power.off");
    assert_eq!(said.code, Some(5), "{said:#?}");
    said.has(&["any-key", "bios-cd                FAILED"]);
}

/// The exit code is the signal's, and QEMU is gone.
fn interrupted() {
    let bench = Bench::new(MENU);
    let mut command = bench.command("test m.toml --cell bios-usb --expect never --timeout 240");
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

/// GRUB starts under 32-bit UEFI; under UEFI of an ARM machine a loader for PCs does not, and its own shell comes up.
fn other_processors() {
    let grub = pins::load("qemu-tests").unwrap().file("grubia32.efi").unwrap();
    let bench = Bench::new(&format!("[boot.uefi.files]\n\"/EFI/BOOT/BOOTIA32.EFI\" = {grub:?}\n"));
    let said = bench.run("test m.toml --cell uefi-ia32-usb --expect grub> --timeout 240");
    assert_eq!(said.code, Some(0), "{said:#?}");
    let said = bench.run("test m.toml --cell uefi-aa64-cd --expect UEFI.Interactive.Shell --timeout 240");
    assert_eq!(said.code, Some(0), "{said:#?}");
}
