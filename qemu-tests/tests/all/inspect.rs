//! `inspect` says of our images what `plan` has said, of Debian's what other readers find, and of what is no image why not.

use qemu_tests::example::Example;
use qemu_tests::listing::{Entry, extract_by_bsdtar, of_directory};
use qemu_tests::pins;
use qemu_tests::{hash, odd, preserved, suite, workspace};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

/// Images of three other writers, and what is in their boot catalogs and partition tables.
const FOREIGN: [(&str, Judge); 3] = [
    ("grub-rescue.iso", grub_rescue),
    ("memtest.iso", memtest),
    ("ipxe.iso", ipxe),
];

type Judge = fn(&Value) -> Result<(), String>;

pub(crate) fn tests() -> suite::Tests {
    let mut trials = suite::program_tests(&[
        ("odd tree plan and inspect agree", &[], odd_tree),
        ("names cannot write on the terminal", &[], names),
        ("what is no image is refused by name", &["mkfifo"], no_image),
    ]);
    for example in Example::all()?.into_iter().map(Arc::new) {
        let (name, missing) = (format!("{} plan and inspect agree", example.name), example.missing());
        trials.push(suite::trial(name, missing, move || {
            agree(&example.manifest(), example.image()?)
        }));
    }
    for (name, judge) in FOREIGN {
        let mut missing = suite::missing(&["bsdtar"]);
        missing.extend(suite::missing_inputs()?);
        let inputs = pins::load("qemu-tests")?;
        missing.extend(workspace::isobuild().err());
        trials.push(suite::trial(format!("foreign {name}"), missing, move || {
            let image = inputs.file(name)?;
            let facts = described(&image)?;
            judge(&facts)?;
            every_byte_is_claimed(&facts, &image)?;
            every_file_is_where_it_says(&facts, &image)
        }));
    }
    Ok(trials)
}

fn isobuild(arguments: &[&str], path: &Path) -> Result<Output, String> {
    let mut command = Command::new(workspace::isobuild()?);
    command.args(arguments).arg(path);
    command.output().map_err(|e| format!("{command:?}: {e}"))
}

fn json_of(arguments: &[&str], path: &Path) -> Result<Value, String> {
    let output = isobuild(arguments, path)?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())
}

fn described(image: &Path) -> Result<Value, String> {
    json_of(&["inspect", "--json"], image)
}

/// The keys that only one of them can know.
const ONE_SIDED: [&str; 9] = [
    "source",
    "sha256",
    "warnings",
    "name_map",
    "menu",
    "parts",
    "changes",
    "grows",
    "moved_from",
];

/// Both ways, over every other key; and every byte of ours is part of something with a name.
fn agree(manifest: &Path, image: &Path) -> Result<(), String> {
    let mut plan = json_of(&["plan", "--json"], manifest)?;
    let mut inspect = described(image)?;
    every_byte_is_claimed(&inspect, image)?;
    if let Some(extent) = array(&inspect["extents"])
        .iter()
        .find(|extent| extent["what"] == "unknown")
    {
        return Err(format!("{extent}"));
    }
    forget(&mut plan);
    forget(&mut inspect);
    match difference("", &plan, &inspect) {
        None => Ok(()),
        Some(difference) => Err(difference),
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn forget(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !ONE_SIDED.contains(&key.as_str()));
            map.values_mut().for_each(forget);
        }
        Value::Array(items) => items.iter_mut().for_each(forget),
        _ => {}
    }
}

/// The first place where two values differ, as a JSON pointer.
fn difference(at: &str, plan: &Value, inspect: &Value) -> Option<String> {
    match (plan, inspect) {
        (Value::Object(a), Value::Object(b)) => a
            .keys()
            .chain(b.keys())
            .find_map(|key| difference(&format!("{at}/{key}"), &plan[key.as_str()], &inspect[key.as_str()])),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(n, (a, b))| difference(&format!("{at}/{n}"), a, b))
        }
        _ if plan == inspect => None,
        _ => Some(format!("{at}\n  plan:    {plan}\n  inspect: {inspect}")),
    }
}

/// Offset and length of an extent.
fn place(extent: &Value) -> Result<std::ops::Range<usize>, String> {
    let number = |key: &str| extent[key].as_u64().and_then(|number| usize::try_from(number).ok());
    let (offset, length) = number("offset")
        .zip(number("length"))
        .ok_or_else(|| extent.to_string())?;
    Ok(offset..offset + length)
}

/// Extents are sorted and disjoint, and what is in none of them is zero.
fn every_byte_is_claimed(facts: &Value, image: &Path) -> Result<(), String> {
    let bytes = fs::read(image).map_err(|e| e.to_string())?;
    let mut end = 0;
    for extent in array(&facts["extents"]) {
        let place = place(extent)?;
        let gap = bytes
            .get(end..place.start)
            .ok_or_else(|| format!("{extent} begins before {end}"))?;
        if gap.iter().any(|&byte| byte != 0) {
            return Err(format!("bytes between {end} and {} are in no extent", place.start));
        }
        end = place.end;
    }
    match bytes.get(end..) {
        Some(rest) if end > 0 && rest.iter().all(|&byte| byte == 0) => Ok(()),
        _ => Err(format!("bytes behind {end} are in no extent, or there are none")),
    }
}

/// What bsdtar extracts is what stands in the file's extents, but for the ESP, which is described by what is in it.
fn every_file_is_where_it_says(facts: &Value, image: &Path) -> Result<(), String> {
    let bytes = fs::read(image).map_err(|e| e.to_string())?;
    let dir = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
    extract_by_bsdtar(image, dir.path())?;
    let mut compared = 0;
    for (path, entry) in of_directory(dir.path())? {
        let Entry::File(digest) = entry else { continue };
        let name = json!(format!("iso:{path}"));
        let extents = array(&facts["extents"])
            .iter()
            .filter(|extent| array(&extent["paths"]).contains(&name));
        let places = extents.map(place).collect::<Result<Vec<_>, _>>()?;
        let held = places.iter().filter_map(|place| bytes.get(place.clone()));
        if hash::bytes(&held.collect::<Vec<_>>().concat()) != digest && !path.ends_with("/efi.img") {
            return Err(format!("{path} is not in {places:?}"));
        }
        compared += 1;
    }
    if compared == 0 {
        Err("no file was compared".to_owned())
    } else {
        Ok(())
    }
}

/// `found`, at a JSON pointer, is `wanted`.
fn is(facts: &Value, pointer: &str, wanted: &Value) -> Result<(), String> {
    match facts.pointer(pointer) {
        Some(found) if found == wanted => Ok(()),
        found => Err(format!("{pointer} is {found:?}, expected {wanted}")),
    }
}

fn boots(facts: &Value, wanted: &[&str]) -> Result<(), String> {
    let cells = array(&facts["cells"]).iter().filter(|cell| cell["boots"] == true);
    let cells: Vec<&str> = cells.filter_map(|cell| cell["cell"].as_str()).collect();
    if cells != wanted {
        return Err(format!("boots {cells:?}, expected {wanted:?}"));
    }
    is(facts, "/faults", &json!([]))
}

/// xorriso, for BIOS alone: GRUB's image and boot code.
fn grub_rescue(facts: &Value) -> Result<(), String> {
    is(facts, "/filesystems", &json!(["iso9660", "rock-ridge"]))?;
    is(facts, "/el_torito/0/platform", &json!("bios"))?;
    is(facts, "/el_torito/1", &Value::Null).or_else(|_| match array(&facts["el_torito"]).len() {
        1 => Ok(()),
        entries => Err(format!("{entries} boot entries")),
    })?;
    is(facts, "/partitions/0/type", &json!("0xcd"))?;
    boots(facts, &["bios-cd", "bios-usb", "bios-disk"])
}

/// xorriso, with a floppy for BIOS, and an ESP behind the volume that a slot of the MBR names.
fn memtest(facts: &Value) -> Result<(), String> {
    is(facts, "/filesystems", &json!(["iso9660", "rock-ridge", "joliet"]))?;
    is(facts, "/el_torito/0/emulation", &json!("floppy-1.44"))?;
    is(facts, "/el_torito/0/length", &json!(1_474_560))?;
    is(facts, "/el_torito/1/platform", &json!("uefi"))?;
    is(facts, "/partitions/1/type", &json!("esp"))?;
    is(facts, "/esp/0/loaders/0/machine", &json!("x64"))?;
    boots(
        facts,
        &["bios-cd", "bios-usb", "bios-disk", "uefi-cd", "uefi-usb", "uefi-disk"],
    )
}

/// genisoimage and isohybrid: the ESP is in no partition table.
fn ipxe(facts: &Value) -> Result<(), String> {
    is(facts, "/filesystems", &json!(["iso9660", "rock-ridge", "joliet"]))?;
    is(facts, "/el_torito/0/platform", &json!("bios"))?;
    is(facts, "/el_torito/1/platform", &json!("uefi"))?;
    is(facts, "/partitions/0/type", &json!("0x17"))?;
    boots(facts, &["bios-cd", "bios-usb", "bios-disk", "uefi-cd", "uefi-disk"])
}

/// Every name of the odd tree, and one that keeps its attributes.
fn odd_tree() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    preserved::make(&dir.path().join("kept")).unwrap();
    let (_, image) = odd::image(dir.path(), &[], &preserved::manifest("kept", "/kept")).unwrap();
    agree(&dir.path().join("odd.toml"), &image).unwrap_or_else(|reason| panic!("{reason}"));
}

/// What a terminal would obey is escaped in the text; the JSON has every byte of the name.
fn names() {
    const NAMES: [&[u8]; 6] = [
        b"escape \x1b[2J",
        b"new\nline",
        "bidi \u{202e}txt.exe".as_bytes(),
        "c1 \u{9b}2J".as_bytes(),
        b"invalid \xff",
        b"back\\xslash",
    ];
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    fs::create_dir(dir.path().join("tree")).unwrap();
    for name in NAMES {
        fs::write(dir.path().join("tree").join(OsStr::from_bytes(name)), name).unwrap();
    }
    fs::write(dir.path().join("m.toml"), "[[files]]\nfrom = \"tree\"\nto = \"/\"\n").unwrap();
    let built = isobuild(&["-q"], &dir.path().join("m.toml")).unwrap();
    assert!(built.status.success(), "{built:?}");
    let image = dir.path().join("m.iso");
    for output in [
        isobuild(&["inspect"], &image),
        isobuild(&["plan"], &dir.path().join("m.toml")),
    ] {
        let output = output.unwrap();
        for bytes in [output.stdout, output.stderr] {
            let text = String::from_utf8(bytes).unwrap();
            let obeyed = |c: &char| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c);
            assert_eq!(text.chars().find(obeyed), None, "{text}");
            assert!(!text.lines().any(|line| line.starts_with("line")), "{text}");
        }
    }
    let facts = described(&image).unwrap();
    let mut paths: Vec<Vec<u8>> = array(&facts["extents"])
        .iter()
        .filter(|extent| extent["what"] == "file")
        .flat_map(|extent| array(&extent["paths"]))
        .map(|path| unescaped(path.as_str().unwrap().strip_prefix("iso:/").unwrap()))
        .collect();
    paths.sort_unstable();
    let mut names = NAMES.map(<[u8]>::to_vec);
    names.sort_unstable();
    assert_eq!(paths, names);
}

/// The bytes of a path in the JSON, where `\xNN` stands for a byte that is no text and a backslash is doubled.
fn unescaped(path: &str) -> Vec<u8> {
    let mut pieces = path.split('\\');
    let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
    while let Some(piece) = pieces.next() {
        match piece.strip_prefix('x') {
            Some(escaped) => {
                bytes.push(u8::from_str_radix(&escaped[..2], 16).unwrap());
                bytes.extend(&escaped.as_bytes()[2..]);
            }
            None => {
                assert_eq!(piece, "", "{path}");
                bytes.push(b'\\');
                bytes.extend(pieces.next().unwrap().as_bytes());
            }
        }
    }
    bytes
}

fn no_image() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("empty"), "").unwrap();
    fs::write(at("short"), [0; 20_000]).unwrap();
    fs::write(at("packed"), b"\x1f\x8b\x08\0\0\0\0\0").unwrap();
    assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
    let cases = [
        (at("empty"), "0 bytes are too few"),
        (at("short"), "20000 bytes are too few"),
        (at("packed"), "compressed with gzip"),
        (at("fifo"), "neither a file nor a disk"),
        ("/dev/zero".into(), "neither a file nor a disk"),
        (dir.path().into(), "is a directory"),
        (at("missing"), "No such file"),
    ];
    for (path, words) in cases {
        let output = isobuild(&["inspect"], &path).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(words) && said.contains(path.to_str().unwrap()), "{said}");
    }
}
