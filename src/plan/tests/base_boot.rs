//! Other kernels and more initrds for the menus of a base, in each grammar.

use super::Host;
use super::grow::{changed, contents, read};

const GRUB: &str = "menuentry A {\nlinux /boot/k x\ninitrd /boot/i1 \"/boot/i 2\"\n}\n\
    menuentry B {\nlinux /boot/k\ninitrd \"${prefix}/../i1\" # here\n}\n\
    menuentry memtest {\nlinux /boot/memtest\n}\n";
const SYSLINUX: &str = "label a\n  menu label ^Live\n  kernel /boot/k\n  append initrd=/boot/i1 quiet\nlabel b\n  linux /boot/k\n  initrd /boot/i1,/boot/i3\n";

/// A base with a menu for GRUB and one for ISOLINUX, and systemd-boot's in the ESP.
fn host() -> Host {
    let host = Host::new(&[
        ("loader", &[2; 9000]),
        ("k", &[3; 5000]),
        ("new", &[4; 3000]),
        ("more.cpio", b"070701more"),
        ("entry.conf", b"title C\nlinux /k\ninitrd /i\noptions x\n"),
        ("tree/boot/k", b"kernel"),
        ("tree/boot/memtest", b"memtest"),
        ("tree/boot/i1", b"070701"),
        ("tree/boot/i 2", b"070701"),
        ("tree/boot/i3", b"070701"),
        ("tree/boot/grub/grub.cfg", GRUB.as_bytes()),
        ("tree/isolinux/isolinux.cfg", SYSLINUX.as_bytes()),
    ]);
    let boot = "[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n\"/loader/entries/a.conf\" = \"entry.conf\"\n\
                \"/k\" = \"k\"\n\"/i\" = \"k\"\n";
    let (_, base) = host.build(&format!("[[files]]\nfrom = \"tree\"\nto = \"/\"\n{boot}"));
    host.put("base.iso", &base);
    host
}

#[test]
fn a_kernel_takes_the_place_of_every_one() {
    let host = host();
    let (after, bytes, warnings) = changed(&host, "[base.boot]\nkernel = \"new\"\n").unwrap();
    assert_eq!(after.facts.faults, [""; 0]);
    assert!(warnings[0].contains("the header of no kernel"), "{warnings:?}");
    for place in ["iso:/boot/k", "joliet:/boot/k", "esp:/k"] {
        assert_eq!(contents(&bytes, place), [4; 3000], "{place}");
    }
    assert_eq!(read(&bytes, "iso:/boot/memtest"), "memtest");
    assert_eq!(contents(&bytes, "esp:/i"), [3; 5000]);
}

#[test]
fn initrds_go_behind_those_of_each_entry() {
    let host = host();
    let keys = "[base.boot]\ninitrd_append = [\"more.cpio\", \"tree/boot/i1\"]\n";
    let (after, bytes, warnings) = changed(&host, keys).unwrap();
    assert_eq!((warnings, &after.facts.faults[..]), (Vec::new(), &[][..]));
    let wanted = "menuentry A {\nlinux /boot/k x\ninitrd /boot/i1 \"/boot/i 2\" \"/boot/more.cpio\" \"/boot/2-i1\"\n}\n\
        menuentry B {\nlinux /boot/k\ninitrd \"${prefix}/../i1\" \"${prefix}/../more.cpio\" \"${prefix}/../2-i1\" # here\n}\n\
        menuentry memtest {\nlinux /boot/memtest\n}\n";
    assert_eq!(read(&bytes, "iso:/boot/grub/grub.cfg"), wanted);
    let wanted = "label a\n  menu label ^Live\n  kernel /boot/k\n  append initrd=/boot/i1,/boot/more.cpio,/boot/2-i1 quiet\n\
        label b\n  linux /boot/k\n  initrd /boot/i1,/boot/i3,/boot/more.cpio,/boot/2-i1\n";
    assert_eq!(read(&bytes, "iso:/isolinux/isolinux.cfg"), wanted);
    let wanted = "title C\nlinux /k\ninitrd /i\ninitrd /more.cpio\ninitrd /2-i1\noptions x\n";
    assert_eq!(read(&bytes, "esp:/loader/entries/a.conf"), wanted);
    for place in ["iso:/boot/more.cpio", "esp:/more.cpio"] {
        assert_eq!(read(&bytes, place), "070701more");
    }
    assert_eq!(read(&bytes, "esp:/2-i1"), "070701");

    // Together with arguments, and for one entry alone.
    let keys =
        "[base.boot]\ninitrd_append = [\"more.cpio\"]\n[base.kernel_args]\nappend = [\"y\"]\nentries = [\"Live\"]\n";
    let (_, bytes, _) = changed(&host, keys).unwrap();
    assert_eq!(read(&bytes, "iso:/boot/grub/grub.cfg"), GRUB);
    let wanted = SYSLINUX.replace("initrd=/boot/i1 quiet", "initrd=/boot/i1,/boot/more.cpio quiet y");
    assert_eq!(read(&bytes, "iso:/isolinux/isolinux.cfg"), wanted);
}

#[test]
fn what_cannot_be_appended_is_said() {
    let host = host();
    for (keys, wanted) in [
        ("", "needs `kernel` or `initrd_append`"),
        ("kernel = \"none\"", "none"),
        ("initrd_append = [\"none\"]", "none"),
        ("kernels = \"k\"", "did you mean `kernel`"),
    ] {
        let error = changed(&host, &format!("[base.boot]\n{keys}\n")).unwrap_err();
        assert!(error.contains(wanted), "{keys}: {error}");
    }
    let (.., warnings) = changed(&host, "[base.boot]\ninitrd_append = [\"new\"]\n").unwrap();
    assert!(warnings[0].contains("no archive that Linux unpacks"), "{warnings:?}");
    // An initrd in a variable, and an entry without one.
    let grub = "i=/boot/i1\nmenuentry A {\nlinux /boot/k\ninitrd $i\n}\nmenuentry B {\nlinux /boot/k\n}\n\
                menuentry C {\nlinux /boot/k\ninitrd /boot/i1\n}\n";
    host.put("tree/boot/grub/grub.cfg", grub.as_bytes());
    std::fs::remove_dir_all(host.at("tree/isolinux")).unwrap();
    let (_, base) = host.build("[[files]]\nfrom = \"tree\"\nto = \"/\"\n");
    host.put("base.iso", &base);
    let (_, bytes, warnings) = changed(&host, "[base.boot]\ninitrd_append = [\"more.cpio\"]\n").unwrap();
    assert!(
        warnings[0].contains("\"A\" in iso:/boot/grub/grub.cfg and 1 more do not load"),
        "{warnings:?}"
    );
    assert!(read(&bytes, "iso:/boot/grub/grub.cfg").contains("initrd /boot/i1 /boot/more.cpio\n"));
    // No menu at all.
    let (_, base) = host.build("[[files]]\nfrom = \"tree/boot/k\"\nto = \"/\"\n");
    host.put("base.iso", &base);
    for (keys, wanted) in [
        ("kernel = \"k\"", "starts a kernel that is there"),
        ("initrd_append = [\"more.cpio\"]", "loads an initrd"),
    ] {
        let error = changed(&host, &format!("[base.boot]\n{keys}\n")).unwrap_err();
        assert!(error.contains(wanted), "{keys}: {error}");
    }
}

/// Fedora CoreOS: a new name would move the arguments away from where `/coreos/kargs.json` says they are. Archives begin at a multiple of 4.
#[test]
fn initrds_go_into_the_entries_own_where_texts_may_not_change() {
    let host = host();
    let grub = "i=/boot/i1\nmenuentry A {\nlinux /boot/k\ninitrd $i /images/ignition.img\n}\nmenuentry B {\nlinux /boot/k\n}\n\
                menuentry C {\nlinux /boot/k\ninitrd /boot/i1\n}\nmenuentry D {\nlinux /boot/k\ninitrd /boot/i3\n}\n";
    host.put("tree/boot/grub/grub.cfg", grub.as_bytes());
    host.put("tree/images/ignition.img", b"area");
    std::fs::remove_dir_all(host.at("tree/isolinux")).unwrap();
    host.put(
        "tree/coreos/kargs.json",
        br##"{"files": [{"end": "\n", "offset": 999, "pad": "#", "path": "boot/grub/grub.cfg"}], "size": 20}"##,
    );
    let (_, base) = host.build("[[files]]\nfrom = \"tree\"\nto = \"/\"\n");
    host.put("base.iso", &base);
    let keys = "[base.boot]\ninitrd_append = [\"more.cpio\", \"more.cpio\"]\n";
    let joined = b"070701\x00\x00070701more\x00\x00070701more";
    let (after, bytes, warnings) = changed(&host, keys).unwrap();
    assert_eq!(after.facts.faults, [""; 0]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("\"B\" in iso:/boot/grub/grub.cfg do not load"),
        "{warnings:?}"
    );
    assert_eq!(read(&bytes, "iso:/boot/grub/grub.cfg"), grub);
    assert_eq!(read(&bytes, "iso:/images/ignition.img"), "area");
    for (place, wanted) in [
        ("iso:/boot/i1", &joined[..]),
        ("joliet:/boot/i1", joined),
        ("iso:/boot/i3", joined),
    ] {
        assert_eq!(contents(&bytes, place), wanted, "{place}");
    }
    let of_one = format!("{keys}[base.kernel_args]\nappend = [\"y\"]\nentries = [\"C\"]\n");
    let (_, bytes, warnings) = changed(&host, &of_one).unwrap();
    assert!(
        warnings[0].contains("\"A\" in iso:/boot/grub/grub.cfg load the same initrd"),
        "{warnings:?}"
    );
    assert_eq!(contents(&bytes, "iso:/boot/i1"), joined);
    assert_eq!(contents(&bytes, "iso:/boot/i3"), b"070701");
    let replaced = format!("{keys}[[files]]\ntext = \"other\"\nto = \"/boot/i1\"\n");
    let error = changed(&host, &replaced).unwrap_err();
    assert!(
        error.contains("the initrd /boot/i1 is replaced by [[files]]"),
        "{error}"
    );
}
