//! `import --exact`: images of many makers are taken apart, and the manifest makes them again bit by bit.

use qemu_tests::installers::{self, TOOLS};
use qemu_tests::verbs::Bench;
use qemu_tests::{pins, suite};
use serde_json::Value;
use std::fs;

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

pub(crate) fn tests() -> suite::Tests {
    let mut trials = suite::program_tests(&[
        ("our own images come back", &[], own),
        ("a file is exchanged for one of the same length", &[], exchanged),
        ("what cannot be filled is refused", &[], refused),
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
    for (family, make) in MAKERS {
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
    bench
        .ends("import image.iso -C parts", 1)
        .has(&["only --exact is supported so far"]);
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
