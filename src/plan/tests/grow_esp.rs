//! Files that come into the FAT volumes of a base, and go from them.

use super::Host;
use super::grow::{LAYOUTS, changed, contents, read};
use crate::facts::{Description, PartitionTable};
use crate::look::contents::{Place, Tree};
use crate::look::inspect::inspect;
use md5::{Digest, Md5};

/// A base whose ESP has a file that the ISO tree has too, and one of its own.
fn host() -> Host {
    let host = Host::new(&[
        ("loader", &[2; 9000]),
        ("shared.txt", &[3; 5000]),
        ("own.conf", b"of the base"),
        ("more/a", b"a"),
        ("more/deep/b", b"b"),
        ("more/deep/.skip", b"x"),
    ]);
    std::fs::create_dir(host.at("more/empty")).unwrap();
    let (_, base) = host.build(
        "[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n\"/EFI/shared.txt\" = \"shared.txt\"\n\
         \"/own.conf\" = \"own.conf\"\n",
    );
    host.put("base.iso", &base);
    host
}

#[test]
fn files_come_into_the_esp_and_go() {
    let host = host();
    let keys = "remove = [\"esp:/*.conf\", \"esp:/EFI/shared.txt\"]\n\
        [[files]]\nfrom = \"more\"\nto = \"esp:/more\"\nexclude = [\".skip\"]\n\
        [[files]]\ntext = \"new\"\nto = \"esp:/EFI/BOOT/new name.cfg\"\n\
        [[files]]\nfrom = \"own.conf\"\nto = \"esp:/efi/boot/\"\n\
        [[files]]\ntext = \"in the tree\"\nto = \"/x\"\n";
    let (after, bytes, warnings) = changed(&host, keys).unwrap();
    assert_eq!((warnings, &after.facts.faults[..]), (Vec::new(), &[][..]));
    let (tree, _) = Tree::of(&bytes, Place::parse(b"esp:/").unwrap()).unwrap();
    assert_eq!(tree.notes, [""; 0]);
    let paths: Vec<String> = tree
        .items()
        .iter()
        .map(|item| String::from_utf8(item.path.clone()).unwrap())
        .collect();
    let wanted = [
        "/",
        "/EFI",
        "/EFI/BOOT",
        "/EFI/BOOT/BOOTX64.EFI",
        "/EFI/BOOT/new name.cfg",
        "/EFI/BOOT/own.conf",
        "/more",
        "/more/a",
        "/more/deep",
        "/more/deep/b",
        "/more/empty",
    ];
    assert_eq!(paths, wanted);
    assert_eq!(read(&bytes, "esp:/more/deep/b"), "b");
    assert_eq!(read(&bytes, "esp:/EFI/BOOT/new name.cfg"), "new");
    assert_eq!(read(&bytes, "iso:/x"), "in the tree");
    // The tree has the same bytes under a name of its own.
    assert_eq!(contents(&bytes, "iso:/EFI/shared.txt"), [3; 5000]);
    let named = after.planned.changed.unwrap().extents;
    let has = |path: &str| named.iter().any(|extent| extent.paths == [path]);
    assert!(has("esp:/EFI/BOOT/new name.cfg") && has("esp:/more/a") && has("esp:/own.conf"));
}

#[test]
fn what_both_trees_share_changes_in_one() {
    let host = host();
    let keys = "[[files]]\ntext = \"other\"\nto = \"esp:/EFI/shared.txt\"\n";
    let (_, bytes, _) = changed(&host, keys).unwrap();
    assert_eq!(read(&bytes, "esp:/EFI/shared.txt"), "other");
    assert_eq!(contents(&bytes, "iso:/EFI/shared.txt"), [3; 5000]);
}

#[test]
fn what_an_esp_cannot_hold_is_refused() {
    let host = host();
    for (keys, wanted) in [
        (
            "[[files]]\nlink = \"a\"\nto = \"esp:/link\"\n",
            "holds files and directories",
        ),
        (
            "[[files]]\ntext = \"a\"\nto = \"esp2:/x\"\n",
            "has no FAT volume of this number: it has 1",
        ),
        ("remove = [\"esp7:/x\"]\n", "has no FAT volume of this number"),
        ("[[files]]\ntext = \"a\"\nto = \"esp:/a:b\"\n", "cannot contain any of"),
        ("[[files]]\ntext = \"a\"\nto = \"esp:/EFI\"\n", "/EFI is a directory"),
        (
            "[[files]]\ntext = \"a\"\nto = \"esp:/own.conf/x\"\n",
            "/own.conf is a file",
        ),
    ] {
        let error = changed(&host, keys).unwrap_err();
        assert!(error.contains(wanted), "{keys}: {error}");
    }
    let (.., warnings) = changed(&host, "remove = [\"esp:/none\"]\n").unwrap();
    assert!(warnings[0].contains("matches nothing"), "{warnings:?}");
    let manifest = "[[files]]\ntext = \"a\"\nto = \"esp:/x\"\n";
    let error = crate::manifest::parse(&host.at("m.toml"), manifest).unwrap_err();
    assert!(error.to_string().contains("[boot.uefi.files] puts files"), "{error}");
}

#[test]
fn a_configuration_that_is_replaced_keeps_its_arguments() {
    let host = Host::new(&[("loader", &[2; 9000]), ("a.conf", b"title A\nlinux /a\noptions x\n")]);
    let boot = "[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n\"/loader/entries/a.conf\" = \"a.conf\"\n";
    let (_, base) = host.build(boot);
    host.put("base.iso", &base);
    let own = "title B\nlinux /b\noptions own\n";
    let keys = format!(
        "[base.kernel_args]\nappend = [\"y\"]\n[[files]]\ntext = {own:?}\nto = \"esp:/loader/entries/A.conf\"\n"
    );
    let (_, bytes, warnings) = changed(&host, &keys).unwrap();
    assert_eq!(read(&bytes, "esp:/loader/entries/a.conf"), own);
    assert!(warnings[0].contains("is replaced by [[files]]"), "{warnings:?}");
}

#[test]
fn volumes_with_the_same_files_change_together() {
    let host = host();
    // One ESP for sectors of 512 bytes, and one for those of 4096.
    let (_, base) = host.build(
        "[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n\"/EFI/gone\" = \"more/a\"\n\
         [disk]\nlayout = \"multi-sector\"\n",
    );
    host.put("base.iso", &base);
    let keys = "remove = [\"esp:/EFI/gone\", \"esp2:/EFI/gone\"]\n[[files]]\ntext = \"new\"\nto = \"esp2:/new\"\n";
    let (after, bytes, warnings) = changed(&host, keys).unwrap();
    assert_eq!((warnings, &after.facts.faults[..]), (Vec::new(), &[][..]));
    assert_eq!(after.facts.esp.len(), 2);
    for volume in ["esp", "esp2"] {
        assert_eq!(read(&bytes, &format!("{volume}:/new")), "new");
        let (tree, _) = Tree::of(&bytes, Place::parse(format!("{volume}:/").as_bytes()).unwrap()).unwrap();
        assert!(tree.get(b"/EFI/gone").is_none(), "{volume}");
    }
}

/// An appended ESP, one that is a file of the tree, and one that only the boot catalog names: each is made anew, larger.
#[test]
fn a_full_esp_is_made_anew_at_the_end() {
    let host = host();
    let keys = "[[files]]\nfrom = \"large\"\nto = \"esp:/EFI/large\"\n[[files]]\ntext = \"in the tree\"\nto = \"/x\"\n";
    host.put("large", &[9; 3_000_000]);
    for layout in LAYOUTS {
        let (_, base) = host.build(&format!(
            "[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n\"/EFI/own.conf\" = \"own.conf\"\n[disk]\nlayout = \"{layout}\"\n"
        ));
        host.put("base.iso", &base);
        let before = inspect(&base).unwrap();
        let (after, bytes, warnings) = changed(&host, keys).unwrap();
        assert_eq!((warnings, &after.facts.faults[..]), (Vec::new(), &[][..]), "{layout}");
        one_larger_esp(&before, &after, &bytes, layout);
        assert_eq!(read(&bytes, "iso:/x"), "in the tree", "{layout}");
    }
    // The volume is a file of the tree, as on Debian's images.
    let esp = {
        let (_, base) =
            host.build("[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n\"/EFI/own.conf\" = \"own.conf\"\n");
        let facts = inspect(&base).unwrap().facts;
        base[facts.esp[0].offset as usize..][..facts.esp[0].length as usize].to_vec()
    };
    host.put("efi.img", &esp);
    host.put("tree/boot/efi.img", &esp);
    let sums = format!("{}  ./boot/efi.img\n", crate::ground::text::hex(&Md5::digest(&esp)));
    host.put("tree/md5sum.txt", sums.as_bytes());
    for (name, boot) in [
        ("of the tree", "[boot.uefi]\nimage = \"iso:/boot/efi.img\"\n"),
        ("hidden", "[boot.uefi]\nimage = \"efi.img\"\n"),
    ] {
        let (_, base) = host.build(&format!(
            "[iso]\nudf = true\n[[files]]\nfrom = \"tree\"\nto = \"/\"\n{boot}"
        ));
        host.put("base.iso", &base);
        let before = inspect(&base).unwrap();
        let (after, bytes, warnings) = changed(&host, keys).unwrap();
        assert_eq!((warnings, &after.facts.faults[..]), (Vec::new(), &[][..]), "{name}");
        one_larger_esp(&before, &after, &bytes, name);
        if name == "of the tree" {
            let volume = &after.facts.esp[0];
            let range = volume.offset as usize..(volume.offset + volume.length) as usize;
            for place in ["iso:/boot/efi.img", "joliet:/boot/efi.img", "udf:/boot/efi.img"] {
                assert!(contents(&bytes, place) == bytes[range.clone()], "{place}");
            }
            let sums = format!(
                "{}  ./boot/efi.img\n",
                crate::ground::text::hex(&Md5::digest(&bytes[range]))
            );
            assert_eq!(read(&bytes, "iso:/md5sum.txt"), sums);
        }
    }
}

/// The tables lead to the larger volume, which has all files, and nothing but zeros are where the old one was.
fn one_larger_esp(before: &Description, after: &Description, bytes: &[u8], case: &str) {
    let bytes = &bytes.to_vec();
    for (volume, old) in after.facts.esp.iter().zip(&before.facts.esp) {
        assert!(volume.length > old.length + 3_000_000, "{case}");
        assert_eq!((volume.serial, &volume.label), (old.serial, &old.label), "{case}");
        let range = volume.offset as usize..(volume.offset + volume.length) as usize;
        crate::formats::fat::agrees(
            &bytes[range.clone()].to_vec(),
            &crate::formats::fat::read(&bytes[range].to_vec()).unwrap(),
        )
        .unwrap();
    }
    assert!(contents(bytes, "esp:/EFI/large") == [9; 3_000_000], "{case}");
    assert_eq!(read(bytes, "esp:/EFI/own.conf"), "of the base", "{case}");
    let partitions = |image: &Description| -> Vec<(u64, u64)> {
        let of_esp = image.facts.partitions.iter().filter(|partition| {
            let mut volumes = image.facts.esp.iter();
            volumes.any(|volume| volume.offset == partition.start)
        });
        of_esp.map(|partition| (partition.start, partition.length)).collect()
    };
    assert_eq!(partitions(before).len(), partitions(after).len(), "{case}");
    for (start, length) in partitions(after) {
        let volume = after.facts.esp.iter().find(|volume| volume.offset == start);
        assert!(volume.is_some_and(|volume| length >= volume.length), "{case}");
    }
    let entry = |image: &Description| {
        image
            .facts
            .el_torito
            .iter()
            .map(|entry| entry.offset)
            .collect::<Vec<_>>()
    };
    assert_eq!(entry(after).len(), entry(before).len(), "{case}");
    assert!(entry(after).contains(&after.facts.esp[0].offset), "{case}");
    let boots = |image: &Description| -> Vec<String> {
        let cells = image.cells.iter().filter(|cell| cell.boots);
        cells.map(|cell| cell.cell.to_string()).collect()
    };
    assert_eq!(boots(after), boots(before), "{case}");
    // Partitions do not overlap where they did not.
    let mut ends: Vec<(u64, u64)> = after
        .facts
        .partitions
        .iter()
        .filter(|partition| partition.table == PartitionTable::Gpt)
        .map(|partition| (partition.start, partition.start + partition.length))
        .collect();
    ends.sort_unstable();
    ends.dedup();
    assert!(
        ends.windows(2).all(|pair| pair[0].1 <= pair[1].0) || case == "isohybrid",
        "{case}: {ends:?}"
    );
}
