//! Answer files: for each kind an image with the marks of its family, and what the changed image holds.

use std::io::Read as _;

use super::Host;
use super::grow::{changed, contents, read};
use crate::facts::cell::Firmware;
use crate::ground::read_at::ReadAt;
use crate::look::contents::{Place, Tree};

/// An image with these files, a menu of GRUB's and a kernel among them.
fn base(files: &[(&str, &str)]) -> Host {
    let host = Host::new(&[("answer", b"the answer\n"), ("meta", b"instance-id: x\n")]);
    let grub = "menuentry A {\nlinux /k inst.ks=old quiet ---\n}\nmenuentry B {\nlinux /k inst.stage2=x\n}\n";
    let own = [("/k", "kernel"), ("/boot/grub/grub.cfg", grub)];
    let entries = files.iter().chain(&own);
    let entries = entries.map(|(path, text)| format!("[[files]]\nto = {path:?}\ntext = {text:?}\n"));
    let (_, image) = host.build(&format!("volume_id = \"A B\"\n{}", entries.collect::<String>()));
    host.put("base.iso", &image);
    host
}

/// The arguments of both entries.
fn arguments(bytes: &dyn ReadAt) -> Vec<String> {
    let entries = crate::look::menu::read(bytes).unwrap().entries.into_iter();
    let bios = entries.filter(|entry| entry.firmware == Firmware::Bios);
    bios.map(|entry| entry.cmdline).collect()
}

#[test]
fn an_answer_file_goes_where_its_installer_looks() {
    let suse = "/boot/x86_64/loader/linux";
    // Kind, marks of the family, where the file goes, what its kernels need.
    for (kind, marks, to, needs) in [
        (
            "preseed",
            &["/.disk/base_installable"][..],
            "/preseed.cfg",
            "auto=true priority=critical preseed/file=/cdrom/preseed.cfg",
        ),
        (
            "autoinstall",
            &["/casper/vmlinuz"],
            "/nocloud/user-data",
            "autoinstall ds=nocloud;s=/cdrom/nocloud/",
        ),
        (
            "autoyast",
            &[suse],
            "/autoinst.xml",
            "autoyast=label://A%20B/autoinst.xml",
        ),
        (
            "agama",
            &[suse, "/LiveOS/squashfs.img"],
            "/agama.json",
            "inst.auto=label://A%20B/agama.json",
        ),
        ("proxmox", &["/.pve-cd-id.txt"], "/answer.toml", ""),
        ("apkovl", &["/.alpine-release"], "/localhost.apkovl.tar.gz", ""),
        ("unattend", &["/sources/boot.wim"], "/autounattend.xml", ""),
        (
            "nocloud",
            &["/live/filesystem.squashfs"],
            "/nocloud/user-data",
            "ds=nocloud;s=/run/live/medium/nocloud/",
        ),
        (
            "nocloud",
            &["/arch/x86_64/airootfs.sfs"],
            "/nocloud/user-data",
            "ds=nocloud;s=/run/archiso/bootmnt/nocloud/",
        ),
    ] {
        let marks: Vec<(&str, &str)> = marks.iter().map(|path| (*path, "x")).collect();
        let host = base(&marks);
        let (_, bytes, warnings) = changed(&host, &format!("[base.answers]\n{kind} = \"answer\"\n")).unwrap();
        assert_eq!(warnings, [""; 0], "{kind}");
        assert_eq!(read(&bytes, &format!("iso:{to}")), "the answer\n", "{kind}");
        let before = if needs.is_empty() { "" } else { " " };
        let wanted = [
            format!("inst.ks=old quiet{before}{needs} ---"),
            format!("inst.stage2=x{before}{needs}"),
        ];
        assert_eq!(arguments(&bytes), wanted, "{kind}");
    }
}

#[test]
fn the_argument_of_an_answer_replaces_one_of_its_name_and_obeys_the_titles() {
    let host = base(&[]);
    let (_, bytes, _) = changed(&host, "[base.answers]\nkickstart = \"answer\"\n").unwrap();
    // udev's name of the label in /dev/disk/by-label. GRUB 2.06 doubles a backslash (Fedora's does not), and `menu` says so.
    assert!(read(&bytes, "iso:/boot/grub/grub.cfg").contains(r"inst.ks=hd:LABEL=A\\x20B:/ks.cfg quiet"));
    let wanted = [
        r"inst.ks=hd:LABEL=A\\x20B:/ks.cfg quiet ---",
        r"inst.stage2=x inst.ks=hd:LABEL=A\\x20B:/ks.cfg",
    ];
    assert_eq!(arguments(&bytes), wanted);
    let keys = "[base.answers]\nkickstart = \"answer\"\n[base.kernel_args]\nappend = [\"text\"]\nentries = [\"B\"]\n";
    let (_, bytes, _) = changed(&host, keys).unwrap();
    let wanted = [
        "inst.ks=old quiet ---",
        r"inst.stage2=x text inst.ks=hd:LABEL=A\\x20B:/ks.cfg",
    ];
    assert_eq!(arguments(&bytes), wanted);
}

#[test]
fn what_goes_beside_an_answer_file() {
    let host = base(&[("/casper/vmlinuz", "x")]);
    for (meta_data, wanted) in [("", ""), ("meta_data = \"meta\"\n", "instance-id: x\n")] {
        let keys = format!("[base.answers]\nautoinstall = \"answer\"\n{meta_data}");
        let (_, bytes, _) = changed(&host, &keys).unwrap();
        assert_eq!(read(&bytes, "iso:/nocloud/meta-data"), wanted);
    }
    let host = base(&[("/.pbs-cd-id.txt", "x")]);
    let (_, bytes, _) = changed(&host, "[base.answers]\nproxmox = \"answer\"\n").unwrap();
    assert_eq!(read(&bytes, "iso:/auto-installer-mode.toml"), "mode = \"iso\"\n");
    let host = base(&[("/.alpine-release", "x")]);
    host.put("box.apkovl.tar.gz", b"archive");
    let (_, bytes, _) = changed(&host, "[base.answers]\napkovl = \"box.apkovl.tar.gz\"\n").unwrap();
    assert_eq!(read(&bytes, "iso:/box.apkovl.tar.gz"), "archive");
}

#[test]
fn ignition_s_configuration_fills_the_area_that_is_reserved() {
    let area = "0".repeat(4096);
    let config = br#"{"ignition": {"version": "3.4.0"}}"#;
    for (info, path, start) in [
        (None, "/images/ignition.img", 0),
        (Some(r#"{"file": "images/ignition.img"}"#), "/images/ignition.img", 0),
        (
            Some(r#"{"file": "a/b.img", "offset": 1000, "length": 900}"#),
            "/a/b.img",
            1000,
        ),
    ] {
        let mut files = vec![(path, area.as_str())];
        files.extend(info.map(|info| ("/coreos/igninfo.json", info)));
        let host = base(&files);
        host.put("config.ign", config);
        let (_, bytes, warnings) = changed(&host, "[base.answers]\nignition = \"config.ign\"\n").unwrap();
        assert_eq!(warnings, [""; 0]);
        let area = contents(&bytes, &format!("iso:{path}"));
        assert_eq!(area.len(), 4096);
        let mut archive = Vec::new();
        lzma_rust2::XzReader::new(&area[start..], false)
            .read_to_end(&mut archive)
            .unwrap();
        host.put("area.cpio", &archive);
        let (_, unpacked) = host.build("[[files]]\nfrom = \"area.cpio\"\nunpack = true\nto = \"/\"\n");
        assert_eq!(read(&unpacked, "iso:/config.ign").as_bytes(), config);
    }
    let host = base(&[("/images/ignition.img", "too small")]);
    for (config, wanted) in [
        (
            "{\"ignition\": {\"version\": \"3.4.0\"}}",
            "and the area in images/ignition.img has 9",
        ),
        ("{}", "`ignition.version` is missing"),
        ("variant: fcos", "Butane makes one"),
    ] {
        host.put("config.ign", config.as_bytes());
        let error = changed(&host, "[base.answers]\nignition = \"config.ign\"\n").unwrap_err();
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn an_answer_file_that_does_not_fit_is_refused() {
    let host = base(&[("/casper/vmlinuz", "x")]);
    for (keys, wanted) in [
        (
            "preseed = \"answer\"",
            "these fit this base: `kickstart`, `autoinstall`, `nocloud`",
        ),
        ("", "needs an answer file"),
        ("autoinstall = \"\"", "a host path"),
        ("autoinstall = \"none\"", "cannot use \"none\""),
        (
            "autoinstall = \"answer\"\npreseed = \"answer\"",
            "are for different installers",
        ),
        (
            "kickstart = \"answer\"\nmeta_data = \"meta\"",
            "goes with `autoinstall`",
        ),
        ("pressed = \"answer\"", "did you mean `preseed`"),
    ] {
        let error = changed(&host, &format!("[base.answers]\n{keys}\n")).unwrap_err();
        assert!(error.contains(wanted), "{keys}: {error}");
    }
    // The base stays as it is, so that no half of an answer is in it.
    let (tree, _) = Tree::of(
        &std::fs::read(host.at("base.iso")).unwrap(),
        Place::parse(b"/").unwrap(),
    )
    .unwrap();
    assert!(tree.get(b"/nocloud").is_none());
}
