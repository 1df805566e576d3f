//! Manifests as a user would write them wrong.

use std::path::Path;

use super::*;

/// What the user reads of a manifest with faults.
fn faults(text: &str) -> String {
    match parse(Path::new("m.toml"), text) {
        Ok(document) => panic!("no fault in {:?}", document.manifest),
        Err(error) => error.to_string(),
    }
}

/// Each of these words stands in what the user reads.
fn shows(text: &str, words: &[&str]) {
    let shown = faults(text);
    for word in words {
        assert!(shown.contains(word), "{word:?} is missing in\n{shown}");
    }
}

fn good(text: &str) -> Document {
    parse(Path::new("m.toml"), text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_manifest_of_many_tables_is_good() {
    let document = good(
        r#"
        output = "dist/acme.iso"
        volume_id = "ACME_1_4"
        [iso]
        system_id = "LINUX"
        timestamp = 2026-01-01T00:00:00Z
        joliet = false
        [[files]]
        from = "rootfs/"
        to = "/live/"
        exclude = ["**/*.o"]
        mode = 0o600
        preserve = ["mode", "owner", "mtime"]
        [[files]]
        link = "live"
        to = "/l"
        [boot]
        loader = "none"
        [boot.bios]
        image = "iso:/live/isolinux.bin"
        emulation = "none"
        load_sectors = 4
        load_segment = 0
        info_table = "isolinux"
        mbr = "isohdpfx.bin"
        [boot.uefi]
        size = "64MiB"
        [boot.uefi.files]
        "/EFI/BOOT/BOOTX64.EFI" = "shimx64.efi.signed"
        [[boot.entry]]
        platform = 0xEF
        image = "efi.img"
        [disk]
        layout = "gpt"
        "#,
    );
    let manifest = &document.manifest;
    assert_eq!(
        (
            manifest.files.len(),
            manifest.iso.has_joliet(),
            manifest.iso.has_rock_ridge()
        ),
        (2, false, true)
    );
    assert!(document.warnings.is_empty());
    assert_eq!(
        manifest
            .boot
            .uefi
            .as_ref()
            .unwrap()
            .get_ref()
            .files
            .as_ref()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(*manifest.disk.layout.as_ref().unwrap().get_ref(), DiskLayout::Gpt);
}

#[test]
fn empty_bom_and_crlf_are_fine() {
    good("");
    good("\u{feff}volume_id = \"A\"\r\n\r\n[iso]\r\njoliet = false\r\n");
    // Editors on Windows end lines so.
    let document = good("[[files]]\r\nto = \"/x\"\r\ntext = \"\"\"\r\na\r\nb\r\n\"\"\"\r\n");
    let text = document.manifest.files[0].get_ref().text.as_ref().unwrap();
    assert_eq!(text.get_ref(), "a\nb\n");
    shows("volume_id = \"a\0b\"", &["m.toml:1:"]);
}

#[test]
fn all_syntax_errors_at_once_in_order_and_capped() {
    let text: String = (0..30).map(|n| format!("k{n} = = {n}\n")).collect();
    let shown = faults(&text);
    let lines: Vec<usize> = shown
        .lines()
        .filter_map(|line| line.strip_prefix("m.toml:")?.split(':').next()?.parse().ok())
        .collect();
    assert_eq!(lines, (1..=20).collect::<Vec<_>>(), "{shown}");
    assert!(shown.contains("and 10 more errors"), "{shown}");
}

#[test]
fn an_unknown_key_gets_a_suggestion() {
    shows(
        "voluem_id = \"A\"",
        &["m.toml:1:1", "no key `voluem_id`", "did you mean `volume_id`?"],
    );
    shows(
        "[iso]\nvolume_id = \"A\"",
        &["m.toml:2:1", "in [iso]", "belongs before the first [table]"],
    );
    shows("[boot]\nmbr = \"x\"", &["`mbr` is a key of [boot.bios]"]);
    shows(
        "[[files]]\nto = \"/\"\ntext = \"\"\nzzz = 1",
        &["no key `zzz` in [files]", "from, text, link"],
    );
}

#[test]
fn keys_and_values_of_later_versions_are_refused() {
    for text in [
        "[boot]\nloader = \"limine\"",
        "[[disk.partition]]\nname = \"p\"",
        "[iso]\nudf = true\n[disk]\npartition_offset = 16",
    ] {
        shows(text, &["is not supported yet"]);
    }
}

#[test]
fn duplicates_show_both_places() {
    let shown = faults("volume_id = \"A\"\noutput = \"x\"\nvolume_id = \"B\"\n");
    assert!(
        shown.contains("m.toml:3:1") && shown.contains("(line 1: first here)"),
        "{shown}"
    );
}

#[test]
fn wrong_types_are_all_told_in_one_run() {
    let text = "volume_id = 5\n[iso]\njoliet = \"no\"\n[[files]]\nto = \"/a\"\ntext = \"x\"\nuid = -1\ngid = 4294967296\nmode = 644\n[disk]\nlayout = \"univrsal\"\n";
    shows(
        text,
        &[
            "m.toml:1:13",
            "m.toml:3:10",
            "m.toml:7:7",
            "m.toml:8:7",
            "m.toml:9:8",
            "write 0o644",
            "did you mean \"universal\"?",
        ],
    );
    shows("[[files]]\ntext = \"x\"", &["the key `to` is missing", "m.toml:1:1"]);
    shows("[[files]]\ntext = \"x\"\nto = \"/x\"\nmode = 0o10000", &["0o7777"]);
    good("[[files]]\ntext = \"x\"\nto = \"/x\"\nmode = 0");
}

#[test]
fn nesting_is_limited_and_the_number_of_entries_is_not() {
    let deep = |depth| format!("a = {}{}", "[".repeat(depth), "]".repeat(depth));
    shows(&deep(100_000), &["m.toml:1:", "max recursion depth"]);
    shows(&deep(10), &["there is no key `a`"]);
    let many: String = (0..100_000)
        .map(|n| format!("[[files]]\nto = \"/{n}\"\ntext = \"\"\n"))
        .collect();
    assert_eq!(good(&many).manifest.files.len(), 100_000);
}

#[test]
fn identifiers_are_written_as_they_stand_or_refused() {
    shows(
        &format!("volume_id = \"{}\"", "v".repeat(33)),
        &["volume_id has 33 bytes", "holds 32", "§9.4.7"],
    );
    shows(
        &format!("[iso]\npublisher_id = \"{}\"", "p".repeat(129)),
        &["holds 128"],
    );
    assert!(good(&format!("volume_id = \"{}\"", "V".repeat(32))).warnings.is_empty());
    for label in ["cidata", "config-2"] {
        assert!(good(&format!("volume_id = {label:?}")).warnings.is_empty(), "{label}");
    }
    let document = good("volume_id = \"my data\"");
    let [warning] = &document.warnings[..] else {
        panic!("{:?}", document.warnings)
    };
    assert!(warning.message.contains("written as it stands"));
}

#[test]
fn paths_that_leave_the_image_are_refused() {
    for path in ["../x", "/a/../../b", ""] {
        shows(&format!("[[files]]\ntext = \"\"\nto = \"{path}\""), &["m.toml:3:6"]);
    }
    let document = good("[[files]]\ntext = \"\"\nto = 'a\\b'");
    assert!(document.warnings[0].message.contains("backslash"));
}

#[test]
fn newer_syntax_is_accepted() {
    good("iso = {\n  joliet = false,\n}\n[[files]]\nto = \"/x\"\ntext = \"\\e[0m\\x41\"\n");
}

#[test]
fn a_date_that_no_image_can_hold_is_refused() {
    shows(
        "[iso]\ntimestamp = 2156-01-01T00:00:00Z",
        &["1900 to 2155", "m.toml:2:13"],
    );
    shows("[iso]\ntimestamp = 2026-01-01", &["an offset"]);
}

#[test]
fn a_manifest_is_a_regular_text_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("latin1"), b"volume_id = \"\xfc\"").unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(path("fifo"))
            .status()
            .unwrap()
            .success()
    );
    std::fs::File::create(path("huge"))
        .unwrap()
        .set_len(LONGEST + 1)
        .unwrap();
    for (name, words) in [
        ("latin1", "byte 13 is not"),
        ("fifo", "not a regular file"),
        ("huge", "has more than"),
        (".", "a directory"),
        ("missing", "No such file"),
    ] {
        let error = load(&path(name)).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(load(Path::new("/dev/zero")).is_err());
}

#[test]
fn contents_and_boot_images_exclude_each_other() {
    shows(
        "[[files]]\nto = \"/x/\"\ntext = \"\"",
        &["needs one here", "m.toml:2:6"],
    );
    shows("[[files]]\nto = \"/x\"", &["needs one of `from`, `text` and `link`"]);
    shows(
        "[[files]]\nto = \"/x\"\ntext = \"\"\nlink = \"y\"",
        &["`text` and `link` exclude each other", "the other"],
    );
    shows(
        "[[files]]\nto = \"/x\"\ntext = \"\"\nsha256 = \"00\"",
        &["for a file of the host"],
    );
    shows(
        "[boot.bios]\nload_sectors = 4",
        &["needs an `image`, an `mbr`, or both"],
    );
    shows(
        "[boot.bios]\nmbr = \"x\"\n[disk]\nlayout = \"none\"",
        &["has no place", "by this"],
    );
    shows(
        "[boot.uefi]\nsize = \"1MiB\"",
        &["needs an `image`, `files` or a `uki`"],
    );
    shows(
        "[boot.uefi]\nimage = \"x\"\nsize = \"1MiB\"",
        &["the image has its own"],
    );
    shows(
        "[boot.uefi]\nsize = \"1000\"\n[boot.uefi.files]\n\"/a\" = \"b\"",
        &["a multiple of 4096"],
    );
    shows(
        "[boot.uefi.files]\n\"/a/\" = \"iso:b\"",
        &["a file needs a name", "is written `iso:/...`"],
    );
}

#[test]
fn nothing_of_a_manifest_steers_the_terminal() {
    let shown = faults("\"vol\\u001b[31m\" = 1\n# \u{202e}\nvolume_id = \"\u{9b}31m\"\nx = 2 # \u{9b}\n");
    assert!(!shown.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{shown:?}");
}

#[test]
fn a_test_is_what_it_says_or_the_default() {
    let default = good("").expectations;
    assert_eq!((default.timeout, default.hardware.memory), (60, 512));
    assert!(default.cells.is_none() && default.expect.is_none() && default.send.is_empty());
    let text = "[test]\ncells = [\"bios-cd\", \"uefi-usb\"]\nexpect = \"^login:$\"\nfail = [\"Oops\"]\ntimeout = 5\nmemory = \"1GiB\"\n\
        [[test.send]]\nafter = \"boot:\"\ntext = \"linux\\r\"\n[[test.send]]\nkeys = [\"down\", \"ret\"]\n";
    let meant = good(text).expectations;
    let cells: Vec<String> = meant.cells.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(cells, ["bios-cd", "uefi-usb"]);
    assert!(meant.expect.unwrap().is_match("some\nlogin:\n"));
    assert_eq!((meant.fail.len(), meant.timeout, meant.hardware.memory), (1, 5, 1024));
    assert_eq!(
        meant.hardware,
        Hardware {
            memory: 1024,
            ..Hardware::default()
        }
    );
    let text = "[test]\nnetwork = true\ndisks = [\"8GiB\", \"1MiB\"]\nqemu = [\"-cpu\", \"max\"]\n";
    let hardware = good(text).expectations.hardware;
    assert_eq!(
        (hardware.network, hardware.disks),
        (true, vec![8_589_934_592, 1_048_576])
    );
    assert_eq!(hardware.qemu, ["-cpu", "max"]);
    let [first, second] = meant.send.as_slice() else {
        panic!()
    };
    assert!(first.after.as_ref().unwrap().is_match("boot: "));
    assert_eq!(first.what, Typed::Text("linux\r".into()));
    assert_eq!(second.what, Typed::Keys(vec!["down".into(), "ret".into()]));
}

#[test]
fn a_test_that_means_nothing_is_refused() {
    for (line, said) in [
        ("cells = []", "would test nothing"),
        ("cells = [\"bios-floppy\"]", "the cells are bios-cd"),
        ("expect = \"(\"", "is no regular expression: unclosed group"),
        ("fail = [\"a\", \"*\"]", "is no regular expression"),
        ("timeout = 0", "in 0 s"),
        ("memory = \"1MB\"", "not a whole number of MiB"),
        ("memory = \"8MiB\"", "at least 16 MiB"),
        ("disks = [\"0\"]", "a disk needs more than 0 bytes"),
        ("disks = [\"1000\"]", "not a multiple of 4096 bytes"),
        ("disks = [\"9000PiB\"]", "9000PiB"),
        ("disks = [8]", "8 is an integer, and a string is wanted here"),
        ("network = \"user\"", "is wanted here"),
        ("[[test.send]]\nafter = \"x\"", "either `text`"),
        ("[[test.send]]\ntext = \"x\"\nkeys = [\"ret\"]", "either `text`"),
        ("[[test.send]]\nkeys = [\"Ret urn\"]", "not the name of a key"),
        ("[[test.send]]\nkey = [\"ret\"]", "did you mean `keys`"),
    ] {
        shows(&format!("[test]\n{line}"), &[said]);
    }
}
