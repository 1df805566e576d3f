//! What `write` refuses, and that nothing has been written then.

use qemu_tests::loops::{self, Loop, Mounted};
use qemu_tests::suite;
use qemu_tests::verbs::{Bench, MENU, said};
use qemu_tests::workspace;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

const MIB: u64 = 1 << 20;
const DISK: u64 = 24 * MIB;

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::loop_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    ("too small, or of other sectors", &["losetup", "xz"], unfit),
    (
        "a disk in use",
        &["losetup", "mount", "swapon", "mkfs.ext4", "sgdisk", "partx"],
        in_use,
    ),
    ("the image itself", &["losetup", "sgdisk", "partx"], itself),
    ("what is no image, or not all of one", &["losetup", "xz"], no_image),
    (
        "an image that no stick boots",
        &["losetup", "genisoimage", "xz"],
        boots_nowhere,
    ),
    ("another disk in its place", &["losetup", "script"], replaced),
    ("not root", &["losetup", "setpriv"], not_root),
    ("nobody to ask", &["losetup", "script"], asked),
];

fn bench() -> Bench {
    Bench::with_noise(MENU, 6)
}

fn unfit() {
    let bench = bench();
    let small = Loop::new(&bench.path("small"), 5 * MIB, 512);
    small.write(b"precious", 0);
    let said = bench.run(&format!("write image.iso {} --yes", small.name()));
    assert_eq!(said.code, Some(4), "{said:?}");
    said.has(&["it is too small"]);
    assert_eq!(small.read(0, 8), b"precious");
    let native = Loop::new(&bench.path("native"), DISK, 4096);
    native.write(&[7; 4096], 0);
    let said = bench.run(&format!("write image.iso {} --yes", native.name()));
    assert_eq!(said.code, Some(4), "{said:?}");
    said.has(&["its sectors have 4096 bytes", "multi-sector"]);
    assert_eq!(native.read(0, 4096), [7; 4096]);
    // Nobody knows how long this one is before it has been decompressed.
    let mut long = vec![3; 6 * MIB as usize];
    long[510..512].copy_from_slice(b"\x55\xaa");
    fs::write(bench.path("long"), long).unwrap();
    let xz = loops::run("xz", &["-1", bench.path("long").to_str().unwrap()]);
    let said = bench.run(&format!("write long.xz {} --yes", small.name()));
    assert!(xz && said.code == Some(4), "{said:?}");
    said.has(&["it is too small"]);
    assert!(small.read(0, MIB as usize).iter().all(|&byte| byte == 0));
    // An image without a table is as good on those sectors as elsewhere.
    fs::write(bench.path("raw"), [3; 5000]).unwrap();
    let said = bench.run(&format!("write raw {} --yes", native.name()));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(native.read(0, 8192), [vec![3; 5000], vec![0; 3192]].concat());
}

fn in_use() {
    let bench = bench();
    let disk = Loop::new(&bench.path("disk"), DISK, 512);
    let line = format!("write image.iso {} --yes", disk.name());
    let refused = |line: &str, words: &[&str]| {
        let said = bench.run(line);
        assert_eq!(said.code, Some(4), "{said:?}");
        said.has(words);
    };
    // Mounted: unmounted only when that is asked for, and not while a file is open there.
    assert!(loops::run("mkfs.ext4", &["-q", "-F", disk.name()]));
    let at = bench.path("mnt");
    let mounted = Mounted::new(&[disk.name()], &at);
    refused(&line, &[&format!("it is mounted at {}", at.display()), "--unmount"]);
    fs::write(at.join("file"), "text").unwrap();
    let open = fs::File::open(at.join("file")).unwrap();
    let said = bench.run(&format!("{line} --unmount"));
    assert_eq!(said.code, Some(3), "{said:?}");
    said.has(&["cannot unmount", "busy"]);
    assert_eq!(fs::read(at.join("file")).unwrap(), b"text");
    drop(open);
    let said = bench.run(&format!("{line} --unmount"));
    assert_eq!(said.code, Some(0), "{said:?}");
    drop(mounted);
    // A part of it is mounted.
    assert!(loops::run("sgdisk", &["--zap-all", "--new=1:2048:0", disk.name()]));
    // The kernel may not know GPT, but partx does.
    assert!(loops::run("partx", &["--add", disk.name()]));
    let part = format!("{}p1", disk.name());
    assert!(loops::run("mkfs.ext4", &["-q", "-F", &part]));
    let mounted = Mounted::new(&[&part], &at);
    refused(&line, &["it is mounted at"]);
    refused(
        &format!("write image.iso {part} --yes --partition"),
        &["it is mounted at"],
    );
    drop(mounted);
    // A partition is no disk, unless it is meant to be.
    let to_part = format!("write image.iso {part} --yes");
    refused(&to_part, &["it is a partition of", "--partition"]);
    let before = disk.read(0, MIB as usize);
    let said = bench.run(&format!("{to_part} --partition"));
    assert_eq!(said.code, Some(0), "{said:?}");
    let image = fs::read(bench.path("image.iso")).unwrap();
    assert!(disk.read(MIB, image.len()) == image && disk.read(0, MIB as usize) == before);
    // Swap.
    assert!(loops::run("mkswap", &[&part]));
    assert!(loops::run("swapon", &[&part]));
    let said = bench.run(&line);
    loops::run("swapoff", &[&part]);
    assert_eq!(said.code, Some(4), "{said:?}");
    said.has(&[&format!("the system swaps to {part}")]);
    // Read-only.
    loops::run("partx", &["--delete", disk.name()]);
    drop(disk);
    let locked = bench.path("locked");
    fs::write(&locked, vec![1; DISK as usize]).unwrap();
    let disk = Loop::read_only(&locked);
    refused(&format!("write image.iso {} --yes", disk.name()), &["it is read-only"]);
    // The disk that the system runs from, whatever is allowed.
    let json: serde_json::Value = serde_json::from_str(&bench.run("devices --json").out).unwrap();
    let system = json["devices"].as_array().unwrap().iter();
    for device in system.filter(|one| one["refused"].to_string().contains("running system")) {
        let node = device["device"].as_str().unwrap();
        refused(
            &format!("write image.iso {node} --yes --internal --unmount"),
            &["the running system is on it"],
        );
    }
}

/// Told before anything is written.
fn no_image() {
    let bench = bench();
    let disk = Loop::new(&bench.path("disk"), DISK, 512);
    disk.write(b"precious", 0);
    let image = fs::read(bench.path("image.iso")).unwrap();
    let packed = bench.path("packed.img");
    let tar = [&[b'a'; 257][..], b"ustar\x0000", &[0; 247], &image].concat();
    fs::write(&packed, tar).unwrap();
    assert!(loops::run("xz", &["-1", packed.to_str().unwrap()]));
    for (name, bytes) in [
        ("page.iso", b"<!doctype html>".to_vec()),
        ("cut.iso", image[..image.len() - (2 << 20)].to_vec()),
        ("sparse.img", [b"\x3a\xff\x26\xed", &image[..]].concat()),
        ("ova.img", [&[b'a'; 257][..], b"ustar", &image].concat()),
        ("zip.iso", [b"PK\x03\x04", &image[..]].concat()),
    ] {
        fs::write(bench.path(name), bytes).unwrap();
    }
    for (name, words) in [
        ("page.iso", "it is a web page"),
        ("m.toml", "it is a manifest"),
        ("cut.iso", "it is cut short: its volume has"),
        ("sparse.img", "its sparse image"),
        ("ova.img", "a tar archive"),
        ("zip.iso", "a ZIP archive"),
        ("packed.img.xz", "a tar archive"),
    ] {
        let said = bench.run(&format!("write {name} {} --yes", disk.name()));
        assert_eq!(said.code, Some(1), "{name}: {said:?}");
        said.has(&[words]);
        assert_eq!(disk.read(0, 8), b"precious", "{name}");
    }
    // One that is cut short may be wanted; what is behind a compressed one is told, unless it is padding.
    let said = bench.run(&format!("write cut.iso {} --yes --force", disk.name()));
    assert_eq!(said.code, Some(0), "{said:?}");
    said.has(&["it is cut short"]);
    assert!(loops::run("xz", &["-1", bench.path("image.iso").to_str().unwrap()]));
    let packed = fs::read(bench.path("image.iso.xz")).unwrap();
    for (behind, told) in [(&[0; 512][..], false), (b"{ \"metadata\": 1 }", true)] {
        fs::write(bench.path("more.xz"), [&packed, behind].concat()).unwrap();
        let said = bench.run(&format!("write more.xz {} --yes", disk.name()));
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(
            said.error.contains("17 bytes behind the compressed image"),
            told,
            "{said:?}"
        );
        assert!(disk.read(0, image.len()) == image);
    }
}

/// A disc's alone, a data image, and a disk that says nothing.
fn boots_nowhere() {
    let bench = bench();
    let disk = Loop::new(&bench.path("disk"), DISK, 512);
    disk.write(b"precious", 0);
    fs::create_dir(bench.path("tree")).unwrap();
    fs::write(bench.path("tree/boot.bin"), [0xF4; 2048]).unwrap();
    let tree = bench.path("tree");
    let make = |name: &str, boot: &[&str]| {
        let image = bench.path(name);
        let mut arguments = vec!["-quiet", "-R", "-o", image.to_str().unwrap()];
        arguments.extend(boot);
        arguments.push(tree.to_str().unwrap());
        assert!(loops::run("genisoimage", &arguments));
    };
    make("cd.iso", &["-b", "boot.bin", "-no-emul-boot"]);
    make("data.iso", &[]);
    make("packed.iso", &["-b", "boot.bin", "-no-emul-boot"]);
    assert!(loops::run("xz", &["-1", bench.path("packed.iso").to_str().unwrap()]));
    for name in ["cd.iso", "packed.iso.xz"] {
        let line = format!("write {name} {} --yes", disk.name());
        let said = bench.run(&line);
        assert_eq!(said.code, Some(4), "{name}: {said:?}");
        said.has(&["no machine starts from a stick with", "--force"]);
        assert_eq!(disk.read(0, 8), b"precious", "{name}");
    }
    let said = bench.run(&format!("write cd.iso {} --yes --force", disk.name()));
    assert_eq!(said.code, Some(0), "{said:?}");
    said.has(&["no machine starts from a stick with"]);
    let said = bench.run(&format!("write data.iso {} --yes", disk.name()));
    assert_eq!(said.code, Some(0), "{said:?}");
    said.has(&["data.iso holds data alone"]);
    fs::write(bench.path("noise"), [0xA5; 5000]).unwrap();
    let said = bench.run(&format!("write noise {} --yes", disk.name()));
    assert_eq!(said.code, Some(0), "{said:?}");
    said.has(&["it has no partition table, no ISO 9660 and no UDF"]);
}

/// By another name, through a link, through a loop device over it, and through a partition of that.
fn itself() {
    let bench = bench();
    let image = bench.path("image.iso");
    let before = fs::read(&image).unwrap();
    fs::hard_link(&image, bench.path("hard.iso")).unwrap();
    symlink(&image, bench.path("soft.iso")).unwrap();
    let disk = Loop::new(&image, before.len() as u64, 512);
    // The kernel may not know GPT, but partx does.
    loops::run("partx", &["--add", disk.name()]);
    let part = format!("{}p1", disk.name());
    let (disk_name, part) = (disk.name(), part.as_str());
    for (from, to) in [
        ("image.iso", "image.iso"),
        ("image.iso", "hard.iso"),
        ("soft.iso", "hard.iso"),
        ("hard.iso", disk_name),
        ("image.iso", part),
        (part, disk_name),
        (disk_name, "image.iso"),
    ] {
        let said = bench.run(&format!("write {from} {to} --yes --partition"));
        assert_eq!(said.code, Some(4), "{from} {to}: {said:?}");
        said.has(&["it holds the image itself"]);
    }
    for output in ["image.iso", "hard.iso"] {
        let said = bench.run(&format!("read {disk_name} -o {output}"));
        assert_eq!(said.code, Some(4), "{output}: {said:?}");
        said.has(&["it holds what is read"]);
    }
    assert!(fs::read(&image).unwrap() == before);
    loops::run("partx", &["--delete", disk_name]);
}

fn replaced() {
    // The question is on the terminal while another disk takes the name of the one that was shown.
    let bench = bench();
    for link in [false, true] {
        let disk = Loop::new(&bench.path("disk"), DISK, 512);
        let node = disk.path.clone();
        let named = bench.path("by-id");
        let _ = fs::remove_file(&named);
        symlink(&node, &named).unwrap();
        let other = bench.path("other");
        fs::write(&other, vec![9; DISK as usize]).unwrap();
        let program = workspace::isobuild().unwrap();
        let path = if link { &named } else { &node };
        let command = format!("{} write image.iso {}", program.display(), path.display());
        let swap = format!(
            "sleep 1; losetup --detach {node}; losetup {node} {other}; sleep 0.5; echo yes; sleep 2",
            node = node.display(),
            other = other.display()
        );
        let line = format!("({swap}) | script -qec '{command}' typescript; exit $?");
        let output = Command::new("sh")
            .args(["-c", &line])
            .current_dir(bench.directory.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(4), "{text}");
        assert!(text.contains("something else has taken its place"), "{text}");
        assert!(
            disk.read(0, MIB as usize).iter().all(|&byte| byte == 9),
            "the other disk has been written to"
        );
    }
}

fn not_root() {
    let bench = bench();
    let disk = Loop::with_image(&bench, DISK);
    let before = disk.read(0, MIB as usize);
    // Others may see the directory, and the disk's node as it is.
    fs::set_permissions(bench.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = bench.path("isobuild");
    fs::copy(workspace::isobuild().unwrap(), &program).unwrap();
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"])
        .arg(&program);
    command
        .args(["write", "image.iso", disk.name(), "--yes"])
        .current_dir("/")
        .stdin(Stdio::null());
    command.current_dir(bench.directory.path());
    let said = said(command);
    assert_eq!(said.code, Some(3), "{said:?}");
    said.has(&["Permission denied", "sudo"]);
    assert!(disk.read(0, MIB as usize) == before);
}

fn asked() {
    let bench = bench();
    let disk = Loop::with_image(&bench, DISK);
    let before = disk.read(0, MIB as usize);
    let said = bench.run(&format!("write image.iso {}", disk.name()));
    assert_eq!(said.code, Some(4), "{said:?}");
    said.has(&[
        "there is no terminal",
        "--yes",
        "ISO 9660",
        "All that is on it will be lost",
    ]);
    assert!(disk.read(0, MIB as usize) == before);
    let answer = |answer: &str| {
        let program = workspace::isobuild().unwrap();
        let command = format!("{} write image.iso {}", program.display(), disk.name());
        let line = format!("(sleep 0.5; echo '{answer}'; sleep 1) | script -qec '{command}' typescript; exit $?");
        let output = Command::new("sh")
            .args(["-c", &line])
            .current_dir(bench.directory.path())
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    for no in ["", "y", "no"] {
        let (code, text) = answer(no);
        assert_eq!(code, Some(4), "{text}");
        assert!(text.contains("the answer was not yes"), "{text}");
    }
    // Ctrl-C.
    let (code, text) = answer("\u{3}");
    assert!(code == Some(130) && !text.contains("error"), "{code:?} {text}");
    assert!(disk.read(0, MIB as usize) == before);
    disk.write(&[1; 4096], 8192);
    let (code, text) = answer("yes");
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains(" is on ") && disk.read(0, MIB as usize) == before,
        "{text}"
    );
}
