//! `[boot.uefi.uki]` and `menu.uki`: one program of stub, kernel and initrds.

use std::path::Path;

use super::grow::changed;
use super::loader::with_kernel;
use super::{Host, extent, has};
use crate::formats::pe;
use crate::ground::stamp::Stamp;
use crate::look::import::{self, Choice};
use crate::look::menu;
use crate::manifest::parse;
use crate::plan::plan;
use crate::resolve::loader::builtin;
use crate::tree::source::Source;

/// A host with a kernel, an initrd of nine bytes, and a stub of that version.
fn with_stub(version: &str) -> Host {
    let host = with_kernel();
    host.put("nine", b"070701abc");
    host.put("stub", &[builtin::EFI_X64, version.as_bytes()].concat());
    host
}

const ALONE: &str = "volume_id = \"UKI\"\n[boot.uefi.uki]\nstub = \"stub\"\nkernel = \"vmlinuz\"\ninitrd = [\"nine\", \"initrd.img\"]\n\
                     cmdline = \"quiet\"\n";
const MENU: &str = "[boot.uefi]\nuki = { stub = \"stub\" }\n[[menu]]\naction = \"reboot\"\n[[menu]]\nkernel = \"vmlinuz\"\n\
                    initrd = \"initrd.img\"\ncmdline = \"quiet\"\nuki = true\n";

/// Name and bytes of each added section.
fn added(program: &[u8]) -> Vec<(String, Vec<u8>)> {
    let whole = pe::read(&program.to_vec()).unwrap();
    let sections = whole.sections.iter().skip_while(|section| section.name != ".osrel");
    sections
        .map(|section| {
            let start = section.offset as usize;
            (
                section.name.clone(),
                program[start..start + section.length as usize].to_vec(),
            )
        })
        .collect()
}

/// Title, kernel, program and command line of each entry that the built-in loader shows under a firmware.
fn shown(image: &[u8], firmware: &str) -> Vec<[String; 4]> {
    let entries = menu::read(&image.to_vec()).unwrap().entries.into_iter();
    let own = entries.filter(|entry| entry.firmware.name() == firmware && !entry.loopback);
    let text = |text: Option<String>| text.unwrap_or_default();
    own.map(|entry| [entry.title, text(entry.kernel), text(entry.program), entry.cmdline])
        .collect()
}

fn row(of: [&str; 4]) -> [String; 4] {
    of.map(str::to_owned)
}

#[test]
fn an_image_for_firmware_holds_all_of_it_once() {
    let host = with_stub("");
    let (described, image) = host.build(ALONE);
    let found = extent(&described, "iso:/EFI/BOOT/BOOTX64.EFI");
    assert_eq!(found.paths, ["esp:/EFI/BOOT/BOOTX64.EFI", "iso:/EFI/BOOT/BOOTX64.EFI"]);
    let program = image[found.offset as usize..][..found.length as usize].to_vec();
    let kernel = std::fs::read(host.at("vmlinuz")).unwrap();
    let initrd = std::fs::read(host.at("initrd.img")).unwrap();
    let sections = added(&program);
    let names: Vec<_> = sections.iter().map(|(name, _)| name.as_str()).collect();
    // The kernel here is a copy of the built-in loader, which has a `.sbat`.
    assert_eq!(names, [".osrel", ".cmdline", ".linux", ".initrd", ".sbat"]);
    let is = |number: usize, bytes: &[u8]| assert!(sections[number].1 == bytes, "{}", names[number]);
    is(0, b"ID=linux\nNAME=\"UKI\"\nPRETTY_NAME=\"UKI\"\n");
    is(1, b"quiet");
    is(2, &kernel);
    // The second begins at a multiple of four.
    is(3, &[&b"070701abc\0\0\0"[..], &initrd].concat());
    let paths = described.facts.extents.iter().flat_map(|extent| &extent.paths);
    assert!(
        !paths.clone().any(|path| path.contains("vmlinuz")),
        "{:?}",
        paths.collect::<Vec<_>>()
    );
    assert!(host.build(ALONE).1 == image, "the same bytes each time");
}

#[test]
fn a_menu_starts_it_under_uefi_and_the_files_under_a_bios() {
    let host = with_stub("");
    let (described, image) = host.build(MENU);
    let restart = row(["Restart", "", "", ""]);
    let files = row(["Boot", "/boot/vmlinuz", "", "quiet"]);
    let program = row(["Boot", "", "/boot/vmlinuz.efi", ""]);
    assert_eq!(shown(&image, "bios"), [restart.clone(), files]);
    assert_eq!(shown(&image, "uefi"), [restart.clone(), program.clone()]);
    let found = extent(&described, "iso:/boot/vmlinuz.efi");
    let bytes = &image[found.offset as usize..][..found.length as usize];
    assert_eq!(added(bytes)[1], (".cmdline".to_owned(), b"quiet".to_vec()));
    // An import keeps the program as it is.
    let choice = Choice {
        says_esp_size: false,
        has_owners: true,
    };
    let imported = import::import(&image, "image.iso", choice).unwrap().manifest;
    assert!(!imported.contains("[[menu]]"), "{imported}");
    parse(Path::new("m.toml"), &imported).unwrap_or_else(|error| panic!("{error}"));
    // An image for UEFI alone does not hold the kernel as a file.
    let uefi = format!("[boot]\nfirmware = [\"uefi\"]\n{MENU}");
    let (described, image) = host.build(&uefi);
    assert_eq!(shown(&image, "uefi"), [restart, program]);
    let paths: Vec<_> = described
        .facts
        .extents
        .iter()
        .flat_map(|extent| &extent.paths)
        .collect();
    assert!(!paths.iter().any(|path| path.ends_with("/vmlinuz")), "{paths:?}");
}

#[test]
fn two_entries_of_one_kernel_are_two_programs() {
    let host = with_stub("");
    let second = "[[menu]]\ntitle = \"Other\"\nkernel = \"vmlinuz\"\ncmdline = \"loud\"\nuki = true\n";
    let (_, image) = host.build(&format!("[boot]\nfirmware = [\"uefi\"]\n{MENU}{second}"));
    let programs: Vec<_> = shown(&image, "uefi")
        .into_iter()
        .map(|[_, _, program, _]| program)
        .collect();
    assert_eq!(programs, ["", "/boot/vmlinuz.efi", "/boot/vmlinuz-2.efi"]);
}

#[test]
fn profiles_follow_what_is_for_all() {
    let host = with_stub("");
    host.put("release", b"ID=acme\n");
    host.put("splash", b"BM...");
    host.put("ucode", b"070701");
    host.put("sbat", b"acme,1,Acme,acme,1,https://example.org\n");
    let more = "title = \"Acme\"\nos_release = \"release\"\nuname = \"6.6\"\nsplash = \"splash\"\nmicrocode = \"ucode\"\nsbat = \"sbat\"\n\
                [[boot.uefi.uki.profile]]\ntitle = \"Repair it\"\ncmdline = \"rescue\"\n\
                [[boot.uefi.uki.profile]]\nid = \"x\"\ninitrd = \"nine\"\n";
    let (described, image) = host.build(&format!("{ALONE}{more}"));
    let found = extent(&described, "iso:/EFI/BOOT/BOOTX64.EFI");
    let sections = added(&image[found.offset as usize..][..found.length as usize]);
    let names: Vec<_> = sections.iter().map(|(name, _)| name.as_str()).collect();
    let for_all = [
        ".osrel", ".cmdline", ".uname", ".splash", ".linux", ".initrd", ".ucode", ".sbat",
    ];
    let profiles = [".profile", ".profile", ".cmdline", ".profile", ".initrd"];
    assert_eq!(names, [&for_all[..], &profiles].concat());
    let text = |number: usize| String::from_utf8(sections[number].1.clone()).unwrap();
    assert_eq!((text(0), text(2)), ("ID=acme\n".into(), "6.6".into()));
    assert!(
        text(7).ends_with("acme,1,Acme,acme,1,https://example.org\n"),
        "{}",
        text(7)
    );
    assert_eq!(text(8), "ID=main\n");
    assert_eq!(
        (text(9), text(10)),
        ("ID=repair-it\nTITLE=Repair it\n".into(), "rescue".into())
    );
    assert_eq!((text(11), text(12)), ("ID=x\nTITLE=x\n".into(), "070701abc".into()));
}

/// An image on disk is up to date if it is newer than the newest of these files.
#[test]
fn every_file_in_it_counts() {
    let host = with_stub("");
    host.put("splash", b"BM...");
    let manifest = format!("{ALONE}splash = \"splash\"\n");
    for newest in ["vmlinuz", "nine", "stub", "splash"] {
        // Writing makes this file the newest.
        let bytes = std::fs::read(host.at(newest)).unwrap();
        host.put(newest, &bytes);
        let written = Stamp::of(&std::fs::metadata(host.at(newest)).unwrap());
        let plan = plan(host.resolve(&manifest).unwrap().contents).unwrap();
        let mut members = plan.sources().filter_map(|source| match source {
            Source::File { member, .. } => member.as_ref(),
            _ => None,
        });
        assert_eq!(members.next().unwrap().stamp, written, "{newest}");
    }
}

/// systemd-boot shows each profile of an image in `/EFI/Linux`, by these titles (measured with 257).
#[test]
fn the_menu_of_systemd_boot_has_the_profiles() {
    let host = with_stub("");
    host.put("loader.conf", b"default *@repair-it\n");
    let files =
        "[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n\"/loader/loader.conf\" = \"loader.conf\"\n";
    let profile =
        "to = \"/EFI/Linux/acme.efi\"\n[[boot.uefi.uki.profile]]\ntitle = \"Repair it\"\ncmdline = \"rescue\"\n";
    let (_, image) = host.build(&format!("{ALONE}{profile}{files}"));
    let program = "/EFI/Linux/acme.efi";
    let titles = [
        row(["UKI", "", program, "quiet"]),
        row(["UKI (Repair it)", "", program, "rescue"]),
    ];
    assert_eq!(shown(&image, "uefi"), titles);
    let entries = menu::read(&image).unwrap().entries;
    let default: Vec<&str> = entries
        .iter()
        .filter(|entry| entry.is_default)
        .map(|entry| entry.title.as_str())
        .collect();
    assert_eq!(default, ["UKI (Repair it)"]);
}

#[test]
fn what_an_old_stub_does_not_read_is_told() {
    let host = with_stub("#### LoaderInfo: systemd-stub 252.39-1 ####");
    host.put("ucode", b"070701");
    let more = "microcode = \"ucode\"\n[[boot.uefi.uki.profile]]\ntitle = \"Rescue\"\ncmdline = \"rescue\"\n";
    let warnings = host.warnings(&format!("{ALONE}{more}"));
    for words in [
        "systemd-stub 252 does not read `microcode`",
        "systemd-stub 252 does not know profiles",
    ] {
        assert!(has(&warnings, words), "{words:?} is missing in {warnings:?}");
    }
    // It is told once, however many images there are.
    let entry = "[[menu]]\nkernel = \"vmlinuz\"\nuki = true\n";
    let two = format!(
        "[boot.uefi.uki]\nstub = \"stub\"\nmicrocode = \"ucode\"\n{entry}title = \"A\"\n{entry}title = \"B\"\n"
    );
    let warnings = host.warnings(&two);
    let told = warnings
        .iter()
        .filter(|warning| warning.contains("does not read `microcode`"));
    assert_eq!(told.count(), 1, "{warnings:?}");
    host.put("stub", &[builtin::EFI_X64, b"LoaderInfo: systemd-stub 257.9"].concat());
    assert_eq!(host.warnings(&format!("{ALONE}{more}")), [""; 0]);
}

#[test]
fn what_cannot_be_in_one_is_refused() {
    let host = with_stub("");
    let ia32 = builtin::EFI[1].2;
    host.put("stub32", ia32);
    host.put("text", b"a text");
    let made = {
        let (described, image) = host.build(ALONE);
        let found = extent(&described, "iso:/EFI/BOOT/BOOTX64.EFI");
        image[found.offset as usize..][..found.length as usize].to_vec()
    };
    host.put("made", &made);
    let mut old = vec![0; 0x400];
    old[0x202..0x206].copy_from_slice(b"HdrS");
    old[0x206] = 15;
    old[0x207] = 2;
    old[0x211] = 1;
    host.put("old", &old);
    let with = |from: &str, to: &str| ALONE.replace(from, to);
    for (manifest, says) in [
        (with("\"stub\"", "\"text\""), "the stub is not an EFI program"),
        (
            with("\"stub\"", "\"stub32\""),
            "the stub is for ia32, and the kernel is for x64",
        ),
        (
            with("\"stub\"", "\"made\""),
            "the stub is a unified kernel image already",
        ),
        (
            with("\"vmlinuz\"", "\"made\""),
            "no other can be in a unified kernel image",
        ),
        (
            with("\"vmlinuz\"", "\"old\""),
            "no other can be in a unified kernel image",
        ),
        (with("\"vmlinuz\"", "\"text\""), "is not a Linux kernel"),
        (with("quiet", &"x".repeat(101)), "the command line has 101 bytes"),
        (format!("{ALONE}splash = \"text\"\n"), "is not a BMP"),
        (format!("{ALONE}sbat = \"text\"\n"), "is not a list of generations"),
        (
            format!("{ALONE}[disk]\nlayout = \"multi-sector\"\n"),
            "/EFI/BOOT/BOOTX64.EFI would be in the image twice",
        ),
        (
            format!("{ALONE}[[menu]]\naction = \"reboot\"\n"),
            "firmware starts the built-in loader from /EFI/BOOT/BOOTX64.EFI",
        ),
        (
            format!("[boot]\nfirmware = [\"uefi\"]\n{MENU}iso_scan = true\n"),
            "its command line is in the unified kernel image",
        ),
    ] {
        let error = host.error(&manifest);
        assert!(error.contains(says), "{says:?} is missing in\n{error}");
    }
    // Here they do not get in each other's way.
    let beside = format!("[boot]\nfirmware = [\"bios\"]\n{ALONE}[[menu]]\naction = \"reboot\"\n");
    host.build(&beside.replace("volume_id = \"UKI\"\n", ""));
    host.build(&format!(
        "{}to = \"/EFI/Linux/acme.efi\"\n[[menu]]\naction = \"reboot\"\n",
        ALONE
    ));
}

#[test]
fn a_base_keeps_its_programs_and_says_so() {
    let host = with_stub("");
    let (_, image) = host.build(MENU);
    host.put("base.iso", &image);
    let args = "[base.kernel_args]\nappend = [\"extra=1\"]\n";
    let (_, _, warnings) = changed(&host, args).unwrap();
    let says = "/boot/vmlinuz.efi is a unified kernel image; its command line stays as it is";
    assert!(has(&warnings, says), "{warnings:?}");
    host.put("more.cpio", b"070701more");
    let (_, _, warnings) = changed(&host, "[base.boot]\ninitrd_append = [\"more.cpio\"]\n").unwrap();
    assert!(
        has(&warnings, "; its kernel and initrds stay as they are"),
        "{warnings:?}"
    );
    // This base has no menu.
    let (_, image) = host.build(ALONE);
    host.put("base.iso", &image);
    let (_, _, warnings) = changed(&host, args).unwrap();
    assert!(
        has(&warnings, "no configuration of the base starts a kernel that is meant"),
        "{warnings:?}"
    );
    assert!(
        has(&warnings, "/EFI/BOOT/BOOTX64.EFI is a unified kernel image"),
        "{warnings:?}"
    );
}
