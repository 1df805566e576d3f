//! `import`: images of many makers are taken apart. With `--exact` the manifest makes each again bit by bit; without it ours come back so, and
//! of others every file, the loaders and the kind of tables.

use qemu_tests::installers::{self, TOOLS};
use qemu_tests::listing::{of_directory, same};
use qemu_tests::verbs::{Bench, said};
use qemu_tests::{pins, suite, workspace};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

type Make = fn(&Bench) -> Result<(), String>;

const MAKERS: [(&str, Make); 2] = [("ubuntu", installers::ubuntu), ("debian", installers::debian)];

/// Images that other people built, among the inputs.
const OTHERS: [&str; 3] = ["grub-rescue.iso", "memtest.iso", "ipxe.iso"];

/// Ours, by what their manifests add.
const OWN: [(&str, &str); 5] = [
    ("data", ""),
    ("UDF alone", "[iso]\niso9660 = \"stub\"\n"),
    ("UDF beside", "[iso]\nudf = true\nimplant_md5 = true\n"),
    (
        "an ESP with files of the tree",
        "[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n",
    ),
    (
        "two tables",
        "[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n[disk]\nlayout = \"multi-sector\"\n",
    ),
];

/// Ours, by what their manifests say beside the output. Every key that changes an image has to be read off it.
const KEYS: [(&str, &str); 17] = [
    ("a tree", ""),
    (
        "attributes",
        "[[files]]\nfrom = \"odd\"\nto = \"/odd/\"\npreserve = [\"mode\", \"mtime\", \"hardlinks\"]\n",
    ),
    (
        "words of the volume",
        "volume_id = \"a b\"\n[iso]\ntimestamp = 2024-05-06T07:08:09Z\nsystem_id = \"SYS\"\npublisher_id = \"P\"\njoliet = false\n",
    ),
    ("sums", "[iso]\nsha256sums = \"/SHA256SUMS\"\nimplant_md5 = true\n"),
    (
        "a digest that was given",
        "[[files]]\nfrom = \"tree/large\"\nto = \"/given\"\n\
         sha256 = \"1e933ec8bbaddca88ef351fb4b77ed81a84cf5b86dbc6f6b418b41a8f2c82c71\"\n\
         [boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n",
    ),
    ("UDF beside", "[iso]\nudf = true\n"),
    ("UDF alone", "[iso]\niso9660 = \"stub\"\n"),
    (
        "a hidden boot image",
        "[boot.bios]\nimage = \"bios.bin\"\nmbr = \"mbr.bin\"\n",
    ),
    (
        "a table in a boot image of the tree",
        "[boot.bios]\nimage = \"iso:/a/boot.bin\"\ninfo_table = \"isolinux\"\nmbr = \"mbr.bin\"\nload_sectors = 8\n",
    ),
    (
        "GRUB's table",
        "[boot.bios]\nimage = \"bios.bin\"\ninfo_table = \"grub2\"\nmbr = \"mbr.bin\"\n",
    ),
    (
        "an ESP of files",
        "[boot.uefi]\nsize = \"40MiB\"\n[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n\"/loader/a.conf\" = \"mbr.bin\"\n",
    ),
    (
        "a GPT",
        "[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n[disk]\nlayout = \"gpt\"\n",
    ),
    (
        "an MBR",
        "[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n[disk]\nlayout = \"mbr\"\n",
    ),
    (
        "isohybrid",
        "[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n[disk]\nlayout = \"isohybrid\"\n",
    ),
    (
        "two tables",
        "[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n[disk]\nlayout = \"multi-sector\"\n",
    ),
    (
        "further entries",
        "[boot.bios]\nimage = \"bios.bin\"\n[[boot.entry]]\nplatform = 2\nimage = \"loader\"\n[[boot.entry]]\nplatform = 0\n\
         image = \"iso:/a/boot.bin\"\n",
    ),
    (
        "a menu",
        "[boot]\ntimeout = -1\nserial = 9600\n[boot.uefi.files]\n\"/EFI/tools/x.efi\" = \"loader\"\n[[menu]]\ntitle = \"one\"\n\
         kernel = \"vmlinuz\"\ninitrd = [\"mbr.bin\", \"bios.bin\"]\ncmdline = \"a=b c = d\"\n[[menu]]\ntitle = \"two\"\naction = \"reboot\"\n",
    ),
];

pub(crate) fn tests() -> suite::Tests {
    let mut trials = suite::program_tests(&[
        ("our own images come back", &[], own),
        ("a file is exchanged for one of the same length", &[], exchanged),
        ("what cannot be filled is refused", &[], refused),
        ("an import that fails leaves nothing", &["strace"], failed),
    ]);
    let inputs = suite::missing_inputs()?;
    for name in OTHERS {
        trials.push(suite::trial(format!("{name} comes back"), inputs.clone(), move || {
            let bench = Bench::new("");
            let path = pins::load("qemu-tests")?.file(name)?;
            fs::copy(path, bench.path("image.iso")).map_err(|e| e.to_string())?;
            comes_back(&bench);
            Ok(())
        }));
    }
    trials.push(suite::trial(
        "our own images come back from keys".to_owned(),
        inputs.clone(),
        keys,
    ));
    for (family, make) in MAKERS {
        let missing = [inputs.clone(), suite::missing(&TOOLS), suite::missing(&["bsdtar"])].concat();
        trials.push(suite::trial(
            format!("{family}'s comes back from keys"),
            missing,
            move || {
                let bench = Bench::new("");
                make(&bench)?;
                fs::rename(bench.path("base.iso"), bench.path("image.iso")).map_err(|e| e.to_string())?;
                alike(&bench)
            },
        ));
        let missing = [inputs.clone(), suite::missing(&TOOLS)].concat();
        trials.push(suite::trial(format!("{family}'s comes back"), missing, move || {
            let bench = Bench::new("");
            make(&bench)?;
            fs::rename(bench.path("base.iso"), bench.path("image.iso")).map_err(|e| e.to_string())?;
            comes_back(&bench);
            Ok(())
        }));
    }
    Ok(trials)
}

/// A disk that is full, and a signal, in each phase.
fn failed() {
    let bench = Bench::with_noise("output = \"image.iso\"\n", 3);
    let run = |exact: &str, inject: &str| {
        let mut strace = Command::new("strace");
        strace
            .args(["-f", "-o", "strace.log", "-e", "signal=none", "-e", inject])
            .arg(workspace::isobuild().unwrap())
            .args(format!("import image.iso -C parts {exact} -q").split_whitespace())
            .current_dir(bench.directory.path());
        said(strace)
    };
    for exact in ["", "--exact"] {
        for (call, number, inject, code) in [
            ("mkdir", "1", "error=ENOSPC", 3),
            ("write", "1", "error=ENOSPC", 3),
            ("write", "2", "error=ENOSPC", 3),
            ("write", "1", "signal=INT", 130),
            ("write", "2", "signal=TERM", 143),
            ("fsync", "1", "error=EIO", 3),
        ] {
            let when = format!("inject={call}:{inject}:when={number}");
            for was_there in [false, true] {
                if was_there {
                    fs::create_dir(bench.path("parts")).unwrap();
                }
                let failed = run(exact, &when);
                assert_eq!(failed.code, Some(code), "{exact} {when}: {failed:?}");
                assert_eq!(bench.path("parts").exists(), was_there, "{exact} {when}");
                if was_there {
                    fs::remove_dir(bench.path("parts")).expect("nothing is left in it");
                }
            }
        }
    }
    bench.ends("import image.iso -C parts -q", 0);
}

/// Takes `image.iso` apart, and makes it again.
fn comes_back(bench: &Bench) {
    let said = bench.ends("import image.iso -C parts --exact --json", 0);
    let said: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(said["exact"], true);
    assert_eq!(said["differs"], Value::Array(Vec::new()));
    bench.ends(&format!("{} -o again.iso -q", said["manifest"].as_str().unwrap()), 0);
    let (old, new) = (
        fs::read(bench.path("image.iso")).unwrap(),
        fs::read(bench.path("again.iso")).unwrap(),
    );
    assert!(old == new, "another image");
}

/// A tree, and an image of it as `image.iso`.
fn bench(keys: &str) -> Bench {
    let bench = Bench::new(&format!(
        "output = \"image.iso\"\n{keys}[[files]]\nfrom = \"tree\"\nto = \"/\"\n"
    ));
    for (name, bytes) in [
        ("loader", vec![2; 300_000]),
        ("tree/large", vec![3; 3_000_000]),
        ("tree/a/b/small", b"small".to_vec()),
        ("tree/a/copy of large", vec![3; 3_000_000]),
        ("tree/a/empty", Vec::new()),
    ] {
        let path = bench.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    bench.ends("m.toml -q", 0);
    bench
}

fn own() {
    for (name, keys) in OWN {
        let bench = bench(keys);
        comes_back(&bench);
        // Content is stored once, and so it is taken out once.
        let files = bench.path("parts/files");
        let has = |path: &str| files.join(path).exists();
        assert!(has("a/b/small") && has("large") != has("a/copy of large"), "{name}");
        let skeleton = fs::metadata(bench.path("parts/skeleton.iso.gz")).unwrap().len();
        assert!(skeleton < 100_000, "{name}: {skeleton}");
    }
}

/// Each image of [`KEYS`] is made again by what was read off it.
fn keys() -> Result<(), String> {
    let kernel = pins::load("qemu-tests")?.file("vmlinuz")?;
    for (name, keys) in KEYS {
        let bench = Bench::new(&format!(
            "output = \"image.iso\"\n{keys}[[files]]\nfrom = \"tree\"\nto = \"/\"\n"
        ));
        for (name, bytes) in [
            ("loader", vec![2; 300_000]),
            ("bios.bin", vec![4; 5000]),
            ("mbr.bin", vec![5; 440]),
            ("tree/large", vec![3; 3_000_000]),
            ("tree/a/b/small", b"small".to_vec()),
            ("tree/a/boot.bin", vec![6; 7000]),
            ("odd/d/one", b"1".to_vec()),
        ] {
            let path = bench.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        fs::copy(&kernel, bench.path("vmlinuz")).map_err(|e| e.to_string())?;
        fs::hard_link(bench.path("odd/d/one"), bench.path("odd/two")).unwrap();
        fs::set_permissions(bench.path("odd/two"), Permissions::from_mode(0o640)).unwrap();
        fs::set_permissions(bench.path("odd/d"), Permissions::from_mode(0o711)).unwrap();
        std::os::unix::fs::symlink("d/one", bench.path("odd/link")).unwrap();
        bench.ends("m.toml -q", 0);
        let said = bench.ends("import image.iso -C parts --json", 0);
        let said: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(said["differs"], Value::Array(Vec::new()), "{name}");
        bench.ends(&format!("{} -o again.iso -q", said["manifest"].as_str().unwrap()), 0);
        let read = |name| fs::read(bench.path(name)).unwrap();
        assert!(read("image.iso") == read("again.iso"), "{name}: another image");
    }
    Ok(())
}

/// `image.iso` is taken apart into keys, and what these make has the same files for bsdtar, and starts under the same firmware.
fn alike(bench: &Bench) -> Result<(), String> {
    let said = bench.ends("import image.iso -C parts --json", 0);
    let said: Value = serde_json::from_str(&said.out).unwrap();
    let manifest = said["manifest"].as_str().ok_or("no manifest")?;
    bench.ends(&format!("{manifest} -o again.iso -q"), 0);
    let places = said["differs"].as_array().ok_or("no differences")?;
    let places: Vec<&str> = places.iter().filter_map(|each| each["where"].as_str()).collect();
    assert!(places.iter().any(|place| place.starts_with("gpt 1")), "{places:?}");
    let tree = |image: &str| {
        let out = bench.path("out");
        let _ = fs::remove_dir_all(&out);
        fs::create_dir(&out).unwrap();
        let (is_content, said) = bench.program(&format!("bsdtar -xf {image} -C out"));
        assert!(is_content, "{image}: {said}");
        let tree = of_directory(&out);
        let (is_content, said) = bench.program("chmod -R u+w out");
        assert!(is_content, "{said}");
        tree
    };
    let (mut old, mut new) = (tree("image.iso")?, tree("again.iso")?);
    // The name of the catalog goes, and the boot image has its own place in it.
    let is_said = |path: &String| places.contains(&format!("iso:{path}").as_str());
    let (before, after) = (old.len(), new.len());
    old.retain(|path, _| !is_said(path));
    new.retain(|path, _| !is_said(path));
    assert!(before - old.len() <= 2 && after - new.len() <= 1, "{places:?}");
    same(&old, &new)?;
    let cells = |image: &str| -> Vec<String> {
        let said = bench.ends(&format!("check {image} --json"), 0);
        let said: Value = serde_json::from_str(&said.out).unwrap();
        let cells = said["cells"].as_array().unwrap().iter();
        let boots = cells.filter(|cell| cell["boots"] == true);
        boots.map(|cell| cell["cell"].to_string()).collect()
    };
    let boots = cells("again.iso");
    let lost: Vec<String> = cells("image.iso")
        .into_iter()
        .filter(|cell| !boots.contains(cell))
        .collect();
    assert_eq!(lost, [""; 0]);
    Ok(())
}

fn exchanged() {
    let bench = bench("");
    comes_back(&bench);
    fs::write(bench.path("parts/files/a/b/small"), b"other").unwrap();
    bench.ends("parts/manifest.toml -o other.iso -q", 0);
    let said = bench.ends("cat other.iso /a/b/small", 0);
    assert_eq!(said.out, "other");
    let (old, new) = (
        fs::read(bench.path("image.iso")).unwrap(),
        fs::read(bench.path("other.iso")).unwrap(),
    );
    let differ = old.iter().zip(&new).filter(|(old, new)| old != new).count();
    assert_eq!((old.len(), differ), (new.len(), 5));
    let plan = bench.ends("plan parts/manifest.toml --json", 0);
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    assert_eq!(
        (&plan["grows"], plan["changes"].as_array().map(Vec::len)),
        (&Value::from(0), Some(2))
    );
    // New names go behind, as beside any base.
    let manifest = bench.text("parts/manifest.toml") + "[[files]]\ntext = \"new\"\nto = \"/new\"\n";
    fs::write(bench.path("parts/manifest.toml"), manifest).unwrap();
    bench.ends("parts/manifest.toml -o more.iso -q", 0);
    assert_eq!(bench.ends("cat more.iso /new", 0).out, "new");
    assert_eq!(bench.ends("cat more.iso /a/b/small", 0).out, "other");
}

fn refused() {
    let bench = bench("");
    bench.ends("import m.toml -C parts --exact", 1);
    assert!(!bench.path("parts").exists());
    bench.ends("import image.iso -C tree --exact", 4).has(&["is not empty"]);
    comes_back(&bench);
    fs::write(bench.path("parts/files/a/b/small"), b"longer").unwrap();
    let said = bench.ends("parts/manifest.toml -o other.iso", 1);
    said.has(&["small has 6 bytes, and its place in the base has 5"]);
    fs::remove_file(bench.path("parts/files/a/b/small")).unwrap();
    bench
        .ends("parts/manifest.toml -o other.iso", 1)
        .has(&["missing: ", "a/b/small"]);
    fs::remove_dir_all(bench.path("parts/files")).unwrap();
    bench.ends("parts/manifest.toml -o other.iso", 1).has(&["missing: "]);
    assert!(!bench.path("other.iso").exists());
}
