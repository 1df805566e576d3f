//! `edit` and `undo`: an image changes as a manifest with `[base]` would change it, and becomes to the bit what it was, whatever ends the
//! program on the way.

use qemu_tests::loops::Loop;
use qemu_tests::verbs::{Bench, said};
use qemu_tests::{suite, tools, workspace};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread::sleep;
use std::time::Instant;

const MENU: &str =
    "menuentry \"Install\" {\n\tlinux /k quiet ---\n\tinitrd /i\n}\nmenuentry \"Rescue\" {\n\tlinux /k rescue\n}\n";

/// What is asked of the image, as a manifest and as options.
pub(super) const KEYS: &str = "[base]\nimage = \"base.iso\"\nremove = [\"/gone\"]\n[base.kernel_args]\nappend = [\"console=ttyS0\"]\n\
    remove = [\"quiet\"]\nentries = [\"Inst*\"]\n[base.boot]\ninitrd_append = [\"more.cpio\"]\n\
    [[files]]\nfrom = \"answers.cfg\"\nto = \"/answers.cfg\"\n[[files]]\nfrom = \"answers.cfg\"\nto = \"esp:/EFI/answers.cfg\"\n";
pub(super) const OPTIONS: &str = "--kernel-arg console=ttyS0 --remove-arg quiet --entry Inst* --remove /gone --initrd-append more.cpio \
    --add answers.cfg=/answers.cfg --add answers.cfg=esp:/EFI/answers.cfg";

pub(crate) fn tests() -> suite::Tests {
    let mut tests = suite::program_tests(&[
        (
            "an edit is what a manifest would build, and undo gives back the image",
            &[],
            same,
        ),
        ("an edit that is killed is taken back", &[], killed),
        (
            "an edit that is not safe is refused before anything changes",
            &["gzip"],
            refused,
        ),
        ("a dry run says the ranges and changes nothing", &[], dry),
        ("an implanted sum is renewed", &["checkisomd5"], summed),
        ("a base needs neither root nor another program", &["setpriv"], nobody),
    ]);
    tests.extend(suite::loop_tests(&[(
        "a written stick is changed, and changed back",
        &["losetup"],
        stick,
    )]));
    Ok(tests)
}

/// An image of ours with a menu of GRUB's and an ESP, as `base.iso` and `image.iso`.
pub(super) fn bench(keys: &str) -> (Bench, Vec<u8>) {
    let bench = Bench::new(&format!(
        "output = \"base.iso\"\n{keys}[[files]]\nfrom = \"tree\"\nto = \"/\"\n[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n"
    ));
    for (name, bytes) in [
        ("loader", vec![2; 300_000]),
        ("tree/k", vec![3; 3_000_000]),
        ("tree/i", vec![4; 50_000]),
        ("tree/gone", vec![5; 70_000]),
        ("tree/boot/grub/grub.cfg", MENU.as_bytes().to_vec()),
        ("answers.cfg", b"the answers\n".to_vec()),
        ("more.cpio", b"070701 and so on".to_vec()),
    ] {
        let path = bench.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    bench.ends("m.toml", 0);
    fs::copy(bench.path("base.iso"), bench.path("image.iso")).unwrap();
    let bytes = fs::read(bench.path("base.iso")).unwrap();
    (bench, bytes)
}

pub(super) fn image(bench: &Bench) -> Vec<u8> {
    fs::read(bench.path("image.iso")).unwrap()
}

fn same() {
    let (bench, base) = bench("");
    fs::write(bench.path("change.toml"), KEYS).unwrap();
    bench.ends("change.toml -o built.iso", 0);
    let built = fs::read(bench.path("built.iso")).unwrap();
    bench
        .ends(&format!("edit image.iso {OPTIONS}"), 0)
        .has(&["image.iso.undo takes it back"]);
    assert!(image(&bench) == built, "an edit and a build differ");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(bench.path("image.iso.undo")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    // A second edit, then both go.
    bench.ends("edit image.iso --kernel-arg second -q", 0);
    assert!(image(&bench) != built);
    bench.ends("undo image.iso", 0).has(&["2 edits taken back"]);
    assert!(image(&bench) == base);
    assert!(!bench.path("image.iso.undo").exists());
    bench.ends("undo image.iso", 1).has(&["no edit to take back"]);
    bench.ends("edit image.iso", 0).has(&["nothing changes"]);
    // Elsewhere.
    bench.ends("edit image.iso --kernel-arg x --undo kept", 0);
    bench.ends("undo image.iso --undo kept", 0);
    assert!(image(&bench) == base);
}

fn killed() {
    let (bench, base) = bench("");
    fs::write(bench.path("large"), vec![6; 40 << 20]).unwrap();
    let line = "edit image.iso --remove /gone --add large=/large --kernel-arg x -q";
    let started = Instant::now();
    bench.ends(line, 0);
    let whole = started.elapsed();
    bench.ends("undo image.iso", 0);
    let mut ends = [0; 3];
    for number in 0..30 {
        let mut edit = bench.command(line).spawn().unwrap();
        sleep(whole * number / 28);
        edit.kill().unwrap();
        edit.wait().unwrap();
        let said = bench.run("undo image.iso");
        // Before the journal was whole, in between, and after the last write.
        match said.code {
            Some(0) => ends[1] += 1,
            Some(1) => ends[0] += 1,
            _ => panic!("{said:?}"),
        }
        assert!(image(&bench) == base, "killed after {number}/28: {said:?}");
        let _ = fs::remove_file(bench.path("image.iso.undo"));
    }
    assert!(ends[0] > 0 && ends[1] > 0, "{ends:?}");
}

fn refused() {
    let (bench, base) = bench("");
    bench
        .ends("edit image.iso --entry None* --kernel-arg x", 1)
        .has(&["title like `None*`"]);
    bench
        .ends("edit image.iso --answers preseed=answers.cfg", 1)
        .has(&["no installer that reads"]);
    bench
        .ends("edit image.iso --answers nothing=answers.cfg", 1)
        .has(&["no kind of answer file"]);
    bench.ends("edit image.iso --add none=/none", 1).has(&["none"]);
    bench.ends("edit image.iso --add none", 2);
    bench.ends("edit none.iso --kernel-arg x", 1).has(&["no such file"]);
    bench.ends("edit answers.cfg --kernel-arg x", 1);
    assert!(bench.program("gzip -k image.iso").0);
    bench
        .ends("edit image.iso.gz --kernel-arg x", 4)
        .has(&["is compressed"]);
    bench.ends("edit image.iso --kernel-arg x --undo none/undo", 3);
    fs::write(bench.path("other"), "something else").unwrap();
    bench
        .ends("edit image.iso --kernel-arg x --undo other", 1)
        .has(&["not an undo file"]);
    assert!(image(&bench) == base);
    // Another program has it.
    let held = fs::File::open(bench.path("image.iso")).unwrap();
    held.lock().unwrap();
    bench
        .ends("edit image.iso --kernel-arg x", 4)
        .has(&["another program is changing it"]);
    drop(held);
    assert!(image(&bench) == base && !bench.path("image.iso.undo").exists());
    // It changed since: in what was written, and in length.
    bench.ends("edit image.iso --kernel-arg x -q", 0);
    let edited = image(&bench);
    let place = edited.windows(10).position(|window| window == b"rescue x\n}").unwrap();
    let mut other = edited.clone();
    other[place] = b'R';
    fs::write(bench.path("image.iso"), &other).unwrap();
    for line in ["undo image.iso", "edit image.iso --kernel-arg y"] {
        let said = bench.ends(line, 4);
        said.has(&["SHA-256"]);
        let digests = said
            .error
            .split(|letter: char| !letter.is_ascii_hexdigit())
            .filter(|word| word.len() == 64);
        assert_eq!(digests.count(), 2, "{said:?}");
    }
    assert!(image(&bench) == other);
    fs::write(bench.path("image.iso"), &edited).unwrap();
    bench.ends("undo image.iso", 0);
    assert!(image(&bench) == base);
}

fn dry() {
    let (bench, base) = bench("");
    let said = bench.ends(&format!("edit image.iso {OPTIONS} --dry-run --json"), 0);
    assert!(image(&bench) == base && !bench.path("image.iso.undo").exists());
    let plan: Value = serde_json::from_str(&said.out).unwrap();
    bench.ends(&format!("edit image.iso {OPTIONS} -q"), 0);
    let edited = image(&bench);
    let number = |value: &Value| value.as_u64().unwrap() as usize;
    assert_eq!(edited.len() - base.len(), number(&plan["grows"]));
    let changes = plan["changes"].as_array().unwrap();
    let (cut, grows) = (number(&plan["moved_from"]), number(&plan["grows"]));
    let is_named = |at: usize| {
        let holds = |change: &Value| {
            (number(&change["offset"])..number(&change["offset"]) + number(&change["length"])).contains(&at)
        };
        changes.iter().any(holds)
    };
    let differs = |at: &usize| edited[if *at < cut { *at } else { *at + grows }] != base[*at];
    let unnamed = (0..base.len())
        .filter(differs)
        .find(|&at| !is_named(if at < cut { at } else { at + grows }));
    assert_eq!(unnamed, None);
    let said = bench.ends("edit image.iso --kernel-arg z --json", 0);
    let now: Value = serde_json::from_str(&said.out).unwrap();
    assert!(!now["changes"].as_array().unwrap().is_empty());
}

fn summed() {
    let (bench, base) = bench("[iso]\nimplant_md5 = true\n");
    bench.ends("edit image.iso --kernel-arg x -q", 0);
    let (is_content, said) = bench.program("checkisomd5 image.iso");
    assert!(is_content, "{said}");
    bench.ends("undo image.iso", 0);
    assert!(image(&bench) == base);
}

/// With an empty environment, no program can be found.
fn nobody() {
    let (bench, _) = bench("");
    fs::write(bench.path("change.toml"), KEYS).unwrap();
    bench.ends("change.toml -o by-root.iso -q", 0);
    let by_root = fs::read(bench.path("by-root.iso")).unwrap();
    fs::copy(workspace::isobuild().unwrap(), bench.path("isobuild")).unwrap();
    fs::set_permissions(bench.path(""), Permissions::from_mode(0o777)).unwrap();
    let mut build = Command::new(tools::find("setpriv").unwrap());
    build
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "./isobuild"])
        .args(["change.toml", "-o", "by-nobody.iso", "-q"])
        .env_clear()
        .current_dir(bench.directory.path());
    let built = said(build);
    assert_eq!(built.code, Some(0), "{built:?}");
    assert!(fs::read(bench.path("by-nobody.iso")).unwrap() == by_root);
}

fn stick() {
    const DISK: u64 = 24 << 20;
    let (bench, base) = bench("");
    let mut before = vec![0xA5; DISK as usize];
    before[..base.len()].copy_from_slice(&base);
    fs::write(bench.path("disk"), &before).unwrap();
    let disk = Loop::new(&bench.path("disk"), DISK, 512);
    fs::write(bench.path("change.toml"), KEYS).unwrap();
    bench.ends("change.toml -o built.iso", 0);
    let built = fs::read(bench.path("built.iso")).unwrap();
    let path = disk.name();
    bench.ends(&format!("edit {path} {OPTIONS} --undo stick.undo"), 0);
    let edited = disk.read(0, DISK as usize);
    assert!(edited[..built.len()] == built && edited[built.len()..].iter().all(|byte| *byte == 0xA5));
    bench.ends(&format!("undo {path} --undo stick.undo"), 0);
    assert!(disk.read(0, DISK as usize) == before);
    // No room behind the image.
    fs::write(bench.path("small"), &base).unwrap();
    let small = Loop::new(&bench.path("small"), base.len() as u64, 512);
    let said = bench.ends(&format!("edit {} {OPTIONS} --undo small.undo", small.name()), 4);
    said.has(&["no room behind the image"]);
    assert!(small.read(0, base.len()) == base);
}
