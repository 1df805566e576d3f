//! What other programs have written, read by every verb.

use super::{bench, runs};
use qemu_tests::hash;
use std::fs;

/// The disks that qemu-img makes of an image: the file and the options.
const OTHERS: [(&str, &str); 15] = [
    ("plain.qcow2", "-O qcow2"),
    ("version2.qcow2", "-O qcow2 -o compat=0.10"),
    ("zlib.qcow2", "-c -O qcow2"),
    ("zstd.qcow2", "-c -O qcow2 -o compression_type=zstd"),
    ("subclusters.qcow2", "-O qcow2 -o extended_l2=on,cluster_size=128k"),
    ("short.qcow2", "-O qcow2 -o cluster_size=512"),
    ("long.qcow2", "-O qcow2 -o cluster_size=2M"),
    ("dynamic.vhd", "-O vpc -o force_size=on"),
    ("fixed.vhd", "-O vpc -o subformat=fixed,force_size=on"),
    ("dynamic.vhdx", "-O vhdx -o block_size=32M"),
    ("fixed.vhdx", "-O vhdx -o subformat=fixed"),
    ("sparse.vmdk", "-O vmdk -o zeroed_grain=on"),
    ("stream.vmdk", "-O vmdk -o subformat=streamOptimized"),
    ("dynamic.vdi", "-O vdi"),
    ("fixed.vdi", "-O vdi -o static=on"),
];

pub(super) fn of_others() {
    let bench = bench(&["a.img"]);
    let wanted = bench.ends("ls -lR a.img", 0).out;
    for (name, options) in OTHERS {
        runs(&bench, &format!("qemu-img convert -f raw {options} a.img {name}"));
        let said = bench.ends(&format!("diff a.img {name}"), 0);
        said.has(&["every byte is the same"]);
        assert_eq!(bench.ends(&format!("ls -lR {name}"), 0).out, wanted, "{name}");
    }
    runs(&bench, "gzip -k stream.vmdk");
    bench.ends("diff a.img stream.vmdk.gz", 0);
    // A snapshot is not the disk as it is now.
    runs(&bench, "qemu-img snapshot -c one plain.qcow2");
    bench.ends("diff a.img plain.qcow2", 0);
}

pub(super) fn refused() {
    let bench = bench(&["a.img"]);
    for line in [
        "create -q -f qcow2 -b a.img -F raw layer.qcow2",
        "convert -f raw -O vmdk a.img base.vmdk",
        "create -q -f vmdk -b base.vmdk -F vmdk layer.vmdk",
        "convert -f raw -O vmdk -o subformat=monolithicFlat a.img flat.vmdk",
        "create -q -f qcow2 -o data_file=data.raw external.qcow2 8M",
        "create -q --object secret,id=s,data=x -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s luks.qcow2 8M",
        "convert -f raw -O qcow a.img one.qcow",
        "convert -f raw -O qed a.img a.qed",
        "convert -f raw -O parallels a.img a.hdd",
    ] {
        runs(&bench, &format!("qemu-img {line}"));
    }
    let whole = fs::read(bench.path("base.vmdk")).unwrap();
    fs::write(bench.path("cut.vmdk"), &whole[..70_000]).unwrap();
    for (name, words) in [
        ("layer.qcow2", "a.img"),
        ("layer.vmdk", "base.vmdk"),
        ("flat.vmdk", "flat-flat.vmdk"),
        ("external.qcow2", "in another file"),
        ("luks.qcow2", "encrypted with LUKS"),
        ("one.qcow", "version 1"),
        ("a.qed", "QED"),
        ("a.hdd", "Parallels"),
        ("cut.vmdk", "its tables are damaged"),
    ] {
        for verb in ["inspect", "ls", "check", "run --print"] {
            bench.ends(&format!("{verb} {name}"), 1).has(&[name, words]);
        }
        bench.ends(&format!("write --yes {name} out"), 1).has(&[words]);
        assert!(!bench.path("out").exists(), "{name}");
    }
}

pub(super) fn verbs() {
    let bench = bench(&["a.img", "a.qcow2", "a.vmdk.gz"]);
    for name in ["a.qcow2", "a.vmdk.gz"] {
        for verb in ["inspect --json", "check --json", "menu --json", "ls -R --json", "cat"] {
            let line = |name: &str| {
                if verb == "cat" {
                    format!("cat {name} /noise")
                } else {
                    format!("{verb} {name}")
                }
            };
            let (ours, theirs) = (
                bench.command(&line(name)).output().unwrap(),
                bench.command(&line("a.img")).output().unwrap(),
            );
            assert!(ours.status.success() && ours.stdout == theirs.stdout, "{verb} {name}");
        }
        let place = format!("out-{name}");
        bench.ends(&format!("extract {name} -C {place}"), 0);
        assert_eq!(
            hash::file(&bench.path(&format!("{place}/noise"))),
            hash::file(&bench.path("noise"))
        );
        bench.ends(&format!("import {name} -C import-{name}"), 0);
        bench.ends(&format!("write --yes {name} stick-{name}"), 0);
        assert_eq!(
            hash::file(&bench.path(&format!("stick-{name}"))),
            hash::file(&bench.path("a.img")),
            "{name}"
        );
        bench.ends(&format!("verify {name} stick-{name}"), 0);
        // Neither is changed where it is, and QEMU would have no file of it.
        let before = hash::file(&bench.path(name));
        bench
            .ends(&format!("edit {name} --kernel-arg x"), 4)
            .has(&["is not changed where it is"]);
        assert_eq!(hash::file(&bench.path(name)), before);
        bench
            .ends(&format!("run --print {name}"), 1)
            .has(&["is not a raw image"]);
        let base = |image: &str| format!("[base]\nimage = \"{image}\"\n[[files]]\ntext = \"new\"\nto = \"/new\"\n");
        let mut made = Vec::new();
        for image in [name, "a.img"] {
            fs::write(bench.path("b.toml"), base(image)).unwrap();
            bench.ends("b.toml -o changed.iso", 0);
            made.push(hash::file(&bench.path("changed.iso")).unwrap());
        }
        assert_eq!(made[0], made[1], "{name}");
    }
}

/// The files of an image come out of a disk in another form.
pub(super) fn unpack() {
    let bench = bench(&["a.iso", "a.qcow2", "a.vmdk"]);
    let mut made = Vec::new();
    for name in ["a.iso", "a.qcow2", "a.vmdk"] {
        let manifest = format!("volume_id = \"U\"\n[[files]]\nfrom = \"{name}\"\nto = \"/\"\nunpack = true\n");
        fs::write(bench.path("u.toml"), manifest).unwrap();
        bench.ends("u.toml -o u.iso", 0);
        made.push(hash::file(&bench.path("u.iso")).unwrap());
    }
    assert!(made.iter().all(|one| *one == made[0]), "{made:?}");
    runs(&bench, "qemu-img create -q -f qcow2 -b a.iso -F raw layer.qcow2");
    runs(&bench, "qemu-img create -q -f qcow2 empty.qcow2 1M");
    for (name, words) in [
        ("layer.qcow2", "layer over another file"),
        ("empty.qcow2", "not an ISO image"),
    ] {
        let manifest = format!("[[files]]\nfrom = \"{name}\"\nto = \"/\"\nunpack = true\n");
        fs::write(bench.path("u.toml"), manifest).unwrap();
        bench.ends("u.toml -o v.iso", 1).has(&[name, words]);
    }
}
