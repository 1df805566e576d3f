//! What is in ext2, ext3 and ext4, as `debugfs` and the host have it.

use super::{empty, ext, runs};
use qemu_tests::listing::{Listing, of_directory, same};
use qemu_tests::verbs::Bench;
use qemu_tests::{odd, preserved};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, symlink};

/// Arguments of mke2fs, by which a volume has each way of holding names and contents.
const EXT: [(&str, &str); 7] = [
    ("ext2", "-t ext2 -b 1024"),
    ("ext3", "-t ext3 -b 2048 -I 128"),
    ("ext4", "-t ext4 -b 4096"),
    ("ext4-1k", "-t ext4 -b 1024 -g 1024 -O ^resize_inode"),
    ("inline", "-t ext4 -O inline_data"),
    ("meta-groups", "-t ext4 -b 1024 -O meta_bg,^resize_inode"),
    ("old", "-t ext4 -O ^64bit,^metadata_csum,^extent,^flex_bg"),
];

/// Names of every kind: odd ones, so many that a directory is hashed, contents in pieces, and holes.
fn tree(bench: &Bench) {
    let tree = bench.path("tree");
    fs::create_dir(&tree).unwrap();
    // mke2fs writes no link that is longer than a block.
    odd::make_without(&tree, &["longest"]).unwrap();
    fs::create_dir(tree.join("many")).unwrap();
    for number in 0..3000 {
        fs::write(tree.join(format!("many/file number {number}")), number.to_string()).unwrap();
    }
    let noise: Vec<u8> = (0..3_000_000u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    fs::write(tree.join("noise"), noise).unwrap();
    let long = "t".repeat(200);
    symlink(long, tree.join("long link")).unwrap();
    for size in [0, 1, 59, 60, 61, 100, 150, 1024, 12 * 1024, 12 * 1024 + 1] {
        fs::write(tree.join(format!("size {size}")), vec![b'x'; size]).unwrap();
    }
    // Far more than direct blocks can say, with little of it stored.
    let sparse = fs::File::create(tree.join("sparse")).unwrap();
    for at in [0, 100_000, 5_000_000, 90_000_000] {
        sparse.write_all_at(b"here", at).unwrap();
    }
}

/// isobuild takes the same out of a volume as `debugfs` does.
pub(super) fn debugfs() {
    let bench = empty();
    tree(&bench);
    for (name, arguments) in EXT {
        ext(&bench, name, arguments, 64);
        // The judge of the judge: mke2fs has made a sound volume.
        runs(&bench, &format!("e2fsck -fn {name}"));
        bench.ends(&format!("extract {name} -C {name}.ours -q"), 0);
        let ours = of_directory(&bench.path(&format!("{name}.ours"))).unwrap();
        // debugfs takes 60 bytes of any file that is in its inode, and mke2fs cuts a sparse one off then.
        let mut theirs = match arguments.contains("inline_data") {
            true => of_directory(&bench.path("tree")).unwrap(),
            false => dumped(&bench, name),
        };
        if arguments.contains("inline_data") {
            theirs.insert("/sparse".into(), ours["/sparse"].clone());
        }
        assert!(theirs.len() > 3010, "{name}: {}", theirs.len());
        same(&theirs, &ours).unwrap_or_else(|why| panic!("{name}: {}", &why[..why.len().min(500)]));
        let blkid = |tag: &str| {
            runs(&bench, &format!("blkid -p -o value -s {tag} {name}"))
                .trim()
                .to_owned()
        };
        let said: Value = serde_json::from_str(&bench.ends(&format!("inspect {name} --json"), 0).out).unwrap();
        let volume = &said["volumes"][0];
        assert_eq!(
            (&volume["filesystem"], &volume["uuid"]),
            (&blkid("TYPE").into(), &blkid("UUID").into()),
            "{name}"
        );
        assert_eq!(said["faults"], Value::Array(Vec::new()), "{name}");
    }
}

/// What `debugfs` takes out of a volume.
fn dumped(bench: &Bench, name: &str) -> Listing {
    let directory = bench.path(&format!("{name}.theirs"));
    fs::create_dir(&directory).unwrap();
    debug(bench, &format!("rdump / {}", directory.display()), name);
    of_directory(&directory).unwrap()
}

/// Modes, owners, times and the number of names, as the host has them.
pub(super) fn attributes() {
    let bench = empty();
    preserved::make(&bench.path("tree")).unwrap();
    for (name, arguments) in EXT {
        ext(&bench, name, arguments, 16);
        let listed: Value = serde_json::from_str(&bench.ends(&format!("ls -R --json {name}"), 0).out).unwrap();
        let listed = listed.as_array().unwrap();
        for (path, wanted) in preserved::attributes(&bench.path("tree")).unwrap() {
            let item = listed.iter().find(|item| item["path"] == format!("/{path}")).unwrap();
            let mode = u32::from_str_radix(item["mode"].as_str().unwrap().trim_start_matches("0o"), 8).unwrap();
            assert_eq!(mode & 0o7777, wanted.mode, "{name}: {path}");
            let number = |key: &str| item[key].as_u64().unwrap();
            assert_eq!(
                (number("uid"), number("gid")),
                (wanted.uid.into(), wanted.gid.into()),
                "{name}: {path}"
            );
            assert_eq!(number("links"), wanted.links, "{name}: {path}");
            // mke2fs leaves out the bits that a time after 2038 needs.
            if wanted.mtime <= i64::from(i32::MAX) {
                let date = runs(&bench, &format!("date -u -d @{} +%Y-%m-%dT%H:%M:%SZ", wanted.mtime));
                assert_eq!(item["modified"], date.trim(), "{name}: {path}");
            }
        }
        // Both names of one file are one file again.
        bench.ends(&format!("extract {name} -C {name}.out -q"), 0);
        let inode = |path: &str| fs::metadata(bench.path(&format!("{name}.out/{path}"))).unwrap().ino();
        assert_eq!(inode("plain"), inode("second name"), "{name}");
    }
}

pub(super) fn journal() {
    let bench = empty();
    fs::create_dir(bench.path("tree")).unwrap();
    ext(&bench, "disk.img", "-t ext4", 16);
    assert_eq!(bench.ends("ls disk.img", 0).error, "");
    debug(&bench, "feature needs_recovery", "disk.img");
    bench
        .ends("ls disk.img", 0)
        .has(&["its journal holds writes that are not replayed here"]);
    let said = bench.ends("check disk.img", 0);
    said.has(&["ext4: its journal holds writes"]);
    // A feature that nobody knows yet.
    debug(&bench, "feature FEATURE_I29", "disk.img");
    bench
        .ends("ls disk.img", 1)
        .has(&["incompatible features that are not known here: 0x20000000"]);
}

/// Changes a volume.
fn debug(bench: &Bench, request: &str, volume: &str) {
    fs::write(bench.path("request"), format!("{request}\n")).unwrap();
    runs(bench, &format!("debugfs -w -f request {volume}"));
}
