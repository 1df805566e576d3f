//! Compares the words that `plan` and `inspect` share with the bytes that a standard demands. If both sides used the same wrong word, they
//! would still agree with each other.

use qemu_tests::example::Example;
use qemu_tests::{inside, suite, workspace};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

pub(crate) fn tests() -> suite::Tests {
    let mut trials = suite::program_tests(&[("every emulation, platform and type", &[], every_kind)]);
    for example in Example::all()?.into_iter().map(Arc::new) {
        let (name, missing) = (format!("{} words", example.name), example.missing());
        trials.push(suite::trial(name, missing, move || judge(example.image()?).map(drop)));
    }
    Ok(trials)
}

/// The bytes at an offset in each extent of a name. ECMA-119 §8.1 and §9.4, Joliet §1.3 (by the escape sequence, §9.5.1), El Torito 2.0
/// figure 7, UEFI 5.2.1 and 5.3.2, Microsoft's FAT specification §3.1 and §4 (the media byte begins a table).
const BEGIN: [(&str, usize, &[u8]); 23] = [
    ("master boot record", 510, b"\x55\xaa"),
    ("GPT header", 0, b"EFI PART"),
    ("backup GPT header", 0, b"EFI PART"),
    ("primary volume descriptor", 0, b"\x01CD001\x01"),
    ("Joliet volume descriptor", 0, b"\x02CD001\x01"),
    ("Joliet volume descriptor", 88, b"%/"),
    ("boot record", 0, b"\0CD001\x01EL TORITO SPECIFICATION"),
    ("volume descriptor set terminator", 0, b"\xffCD001\x01"),
    ("path table L", 0, b"\x01\0"),
    ("path table M", 0, b"\x01\0"),
    // The identifier of the first record is the byte 00 (§7.6.2).
    ("directory", 32, b"\x01\0"),
    ("Joliet directory", 32, b"\x01\0"),
    ("boot catalog", 30, b"\x55\xaa"),
    ("FAT boot sector", 510, b"\x55\xaa"),
    ("FAT backup boot sector", 510, b"\x55\xaa"),
    ("FAT file system information", 0, b"RRaA"),
    // ECMA-167 2/9.1.2, then the identifiers and the version of tags: 3/7.2.1 and 4/7.2.1.
    ("UDF volume recognition", 0, b"\0BEA01\x01"),
    ("UDF anchor", 0, b"\x02\0\x02\0"),
    ("UDF volume descriptors", 0, b"\x01\0\x02\0"),
    ("UDF logical volume integrity", 0, b"\x09\0\x02\0"),
    ("UDF file set descriptor", 0, b"\0\x01\x02\0"),
    ("UDF file entry", 0, b"\x05\x01\x02\0"),
    ("UDF directory", 0, b"\x01\x01\x02\0"),
];

/// Extents that have no fixed bytes at their beginning.
const BY_FIELDS: [&str; 11] = [
    "boot image",
    "GPT partition entry array",
    "backup GPT partition entry array",
    "Joliet path table L",
    "Joliet path table M",
    "continuation area",
    "file",
    "file allocation table 1",
    "file allocation table 2",
    "FAT root directory",
    "FAT directory",
];

struct Image {
    bytes: Vec<u8>,
    facts: Value,
}

impl Image {
    fn u16(&self, at: usize) -> u64 {
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]).into()
    }

    fn u32(&self, at: usize) -> u64 {
        self.u16(at) | self.u16(at + 2) << 16
    }

    fn u64(&self, at: usize) -> u64 {
        self.u32(at) | self.u32(at + 4) << 32
    }

    fn has(&self, at: usize, bytes: &[u8]) -> bool {
        self.bytes[at..].starts_with(bytes)
    }

    /// Where the extent of a name begins.
    fn extent(&self, what: &str) -> Option<usize> {
        let extents = self.list("extents");
        extents
            .iter()
            .find(|extent| extent["what"] == what)
            .map(|extent| number(extent, "offset"))
    }

    fn list(&self, key: &str) -> &[Value] {
        self.facts[key].as_array().map_or(&[], Vec::as_slice)
    }
}

fn number(value: &Value, key: &str) -> usize {
    value[key].as_u64().unwrap_or_else(|| panic!("{key} of {value}")) as usize
}

fn expect(is_so: bool, what: &Value) -> Result<(), String> {
    match is_so {
        true => Ok(()),
        false => Err(format!("the bytes do not say so: {what}")),
    }
}

/// Judges every word of an image that a standard has bytes for.
fn judge(path: &Path) -> Result<Image, String> {
    let said = inside::isobuild(&[OsStr::new("inspect"), OsStr::new("--json"), path.as_os_str()])?;
    let image = Image {
        bytes: fs::read(path).map_err(|error| error.to_string())?,
        facts: serde_json::from_slice(&said.stdout).map_err(|error| error.to_string())?,
    };
    expect(number(&image.facts, "size") == image.bytes.len(), &image.facts["size"])?;
    extents(&image)?;
    filesystems(&image)?;
    catalog(&image)?;
    partitions(&image)?;
    volumes(&image)?;
    Ok(image)
}

fn extents(image: &Image) -> Result<(), String> {
    for extent in image.list("extents") {
        let what = extent["what"].as_str().ok_or("an extent without a name")?;
        let mut rows = BEGIN.iter().filter(|(name, ..)| *name == what).peekable();
        expect(rows.peek().is_some() || BY_FIELDS.contains(&what), extent)?;
        let offset = number(extent, "offset");
        expect(rows.all(|(_, at, bytes)| image.has(offset + at, bytes)), extent)?;
    }
    // ECMA-119 §9.4.13 to §9.4.18: the descriptors say where their tables and their roots are; the M tables by the other order of bytes.
    for (descriptor, prefix) in [
        ("primary volume descriptor", ""),
        ("Joliet volume descriptor", "Joliet "),
    ] {
        let Some(at) = image.extent(descriptor) else { continue };
        let place = |name: &str| image.extent(&format!("{prefix}{name}")).unwrap_or_default() as u64 / 2048;
        let of_m = u64::from(u32::from_be_bytes(
            image.bytes[at + 148..][..4].try_into().unwrap_or_default(),
        ));
        let said = (image.u32(at + 140), of_m, image.u32(at + 158));
        let directory = image.extent(if prefix.is_empty() {
            "directory"
        } else {
            "Joliet directory"
        });
        let found = (
            place("path table L"),
            place("path table M"),
            directory.unwrap_or_default() as u64 / 2048,
        );
        if said != found {
            return Err(format!("{descriptor}: {said:?} and not {found:?}"));
        }
    }
    Ok(())
}

fn filesystems(image: &Image) -> Result<(), String> {
    let holds = |words: &[u8]| {
        image.bytes[..image.bytes.len().min(1 << 20)]
            .windows(words.len())
            .any(|at| at == words)
    };
    for name in image.list("filesystems") {
        let is_so = match name.as_str().unwrap_or_default() {
            "iso9660" => image.has(32_769, b"CD001"),
            "joliet" => [&b"%/@"[..], b"%/C", b"%/E"].iter().any(|level| {
                image
                    .extent("Joliet volume descriptor")
                    .is_some_and(|at| image.has(at + 88, level))
            }),
            // RRIP 1.12 §4.3 and its predecessor: the identifier of the extension in the root's ER entry.
            "rock-ridge" => holds(b"RRIP_1991A") || holds(b"IEEE_P1282"),
            // ECMA-167 3/9.1.
            "udf" => image
                .extent("UDF volume recognition")
                .is_some_and(|at| image.has(at + 2048 + 1, b"NSR02")),
            _ => false,
        };
        expect(is_so, name)?;
    }
    Ok(())
}

/// El Torito 2.0 §2: validation entry, default entry, then sections of a header (platform in its second byte) and its entries.
fn catalog(image: &Image) -> Result<(), String> {
    let Some(start) = image.extent("boot catalog") else {
        return expect(image.list("el_torito").is_empty(), &image.facts["el_torito"]);
    };
    let mut entries = vec![(image.bytes[start + 1], start + 32)];
    let mut header = start + 64;
    while matches!(image.bytes[header], 0x90 | 0x91) {
        let count = image.u16(header + 2) as usize;
        entries.extend((1..=count).map(|number| (image.bytes[header + 1], header + 32 * number)));
        let is_last = image.bytes[header] == 0x91;
        header += 32 * (count + 1);
        if is_last {
            break;
        }
    }
    let facts = image.list("el_torito");
    expect(facts.len() == entries.len(), &image.facts["el_torito"])?;
    for (fact, (platform, at)) in facts.iter().zip(entries) {
        let platform = match platform {
            0 => "bios",
            1 => "ppc",
            2 => "mac",
            0xEF => "uefi",
            _ => "?",
        };
        let emulation = match image.bytes[at + 1] & 0x0F {
            0 => "none",
            1 => "floppy-1.2",
            2 => "floppy-1.44",
            3 => "floppy-2.88",
            4 => "hard-disk",
            _ => "?",
        };
        let is_so = fact["platform"] == platform
            && fact["emulation"] == emulation
            && fact["bootable"] == (image.bytes[at] == 0x88)
            && number(fact, "load_segment") as u64 == image.u16(at + 2)
            && number(fact, "load_sectors") as u64 == image.u16(at + 6)
            && number(fact, "offset") as u64 == image.u32(at + 8) * 2048;
        expect(is_so, fact)?;
    }
    Ok(())
}

/// UEFI 5.2.1 and 5.3.3. A type's GUID is in little-endian groups.
fn partitions(image: &Image) -> Result<(), String> {
    const ESP: &[u8] = b"\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b";
    const LINUX: &[u8] = b"\xaf\x3d\xc6\x0f\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4";
    for fact in image.list("partitions") {
        let (sector, slot) = (number(fact, "sector_size"), number(fact, "number") - 1);
        let (first, length, kind, active) = match fact["table"].as_str() {
            Some("mbr") => {
                let at = 446 + 16 * slot;
                let kind = match image.bytes[at + 4] {
                    0xEE => "protective",
                    0xEF => "esp",
                    0 => "empty",
                    _ => "?",
                };
                let (first, sectors) = (image.u32(at + 8), image.u32(at + 12));
                (first, sectors, kind, Value::from(image.bytes[at] == 0x80))
            }
            Some("gpt") => {
                let at = image.u64(sector + 72) as usize * sector + 128 * slot;
                let kind = match () {
                    () if image.has(at, ESP) => "esp",
                    () if image.has(at, LINUX) => "linux",
                    () => "?",
                };
                let (first, last) = (image.u64(at + 32), image.u64(at + 40));
                expect(number(fact, "attributes") as u64 == image.u64(at + 48), fact)?;
                (first, last + 1 - first, kind, Value::Null)
            }
            _ => return Err(format!("an unknown table: {fact}")),
        };
        let sector = sector as u64;
        let is_so = fact["type"] == kind
            && fact["active"] == active
            && number(fact, "start") as u64 == first * sector
            && number(fact, "length") as u64 == length * sector;
        expect(is_so, fact)?;
    }
    Ok(())
}

/// Microsoft's FAT specification §3.5: the number of clusters makes the type. PE §3.1: the program's machine.
fn volumes(image: &Image) -> Result<(), String> {
    for volume in image.list("esp") {
        let at = number(volume, "offset");
        let sectors = |short: usize, long: usize| match image.u16(at + short) {
            0 => image.u32(at + long),
            sectors => sectors,
        };
        let (sector, roots) = (image.u16(at + 11), image.u16(at + 17));
        let tables = u64::from(image.bytes[at + 16]) * sectors(22, 36);
        let data = sectors(19, 32) - image.u16(at + 14) - tables - (roots * 32).div_ceil(sector);
        let kind = match data / u64::from(image.bytes[at + 13]) {
            0..=4084 => "FAT12",
            4085..=65_524 => "FAT16",
            _ => "FAT32",
        };
        let cluster = sector * u64::from(image.bytes[at + 13]);
        let is_so = volume["type"] == kind
            && number(volume, "sector_size") as u64 == sector
            && number(volume, "cluster_size") as u64 == cluster;
        expect(is_so, volume)?;
        for loader in volume["loaders"].as_array().into_iter().flatten() {
            let path = format!("esp:{}", loader["path"].as_str().unwrap_or_default());
            let is_it = |extent: &&Value| {
                extent["paths"]
                    .as_array()
                    .is_some_and(|paths| paths.iter().any(|one| *one == path))
            };
            let extents = image.list("extents").iter().find(is_it);
            let file = extents.map(|extent| number(extent, "offset")).ok_or(path)?;
            let header = file + image.u32(file + 0x3C) as usize;
            let machine = match image.u16(header + 4) {
                0x8664 => "x64",
                0x014C => "ia32",
                0xAA64 => "aa64",
                _ => "?",
            };
            expect(image.has(header, b"PE\0\0") && loader["machine"] == machine, loader)?;
        }
    }
    Ok(())
}

/// The examples lack these: every emulation and platform, an MBR alone, and the three types of FAT.
fn every_kind() {
    let place = tempfile::tempdir_in(workspace::target()).unwrap();
    let mut words = BTreeSet::new();
    let mut build = |manifest: &str| {
        fs::write(place.path().join("m.toml"), manifest).unwrap();
        let mut isobuild = Command::new(workspace::isobuild().unwrap());
        let built = isobuild
            .args(["-q", "m.toml", "-o", "m.iso"])
            .current_dir(&place)
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let image = judge(&place.path().join("m.iso")).unwrap_or_else(|reason| panic!("{manifest}\n{reason}"));
        let keys = [
            ("el_torito", "platform"),
            ("el_torito", "emulation"),
            ("partitions", "type"),
            ("esp", "type"),
        ];
        for (list, key) in keys {
            words.extend(
                image
                    .list(list)
                    .iter()
                    .filter_map(|one| one[key].as_str().map(str::to_owned)),
            );
        }
    };
    let mut disk = vec![0; 1 << 20];
    // One partition of type 0C from sector 63, in slot 1.
    disk[446..462].copy_from_slice(&[0x80, 1, 1, 0, 0x0c, 0, 0, 0, 63, 0, 0, 0, 0xc1, 7, 0, 0]);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    fs::write(place.path().join("disk"), &disk).unwrap();
    for (name, length) in [("12", 1_228_800), ("144", 1_474_560), ("288", 2_949_120)] {
        fs::write(place.path().join(name), vec![7; length]).unwrap();
    }
    build(
        "[boot.bios]\nimage = \"disk\"\nemulation = \"hard-disk\"\nload_sectors = 1\nload_segment = 0x07e0\n\
         [[boot.entry]]\nplatform = 0\nimage = \"12\"\nemulation = \"floppy-1.2\"\n\
         [[boot.entry]]\nplatform = 1\nimage = \"144\"\nemulation = \"floppy-1.44\"\n\
         [[boot.entry]]\nplatform = 2\nimage = \"288\"\nemulation = \"floppy-2.88\"\n",
    );
    let menu = "[[menu]]\naction = \"poweroff\"\n[boot.uefi]\n";
    build(&format!("{menu}size = \"3MiB\"\n[disk]\nlayout = \"mbr\"\n"));
    build(&format!("{menu}size = \"32MiB\"\n"));
    build(&format!("{menu}size = \"600MiB\"\n"));
    let wanted = [
        "FAT12",
        "FAT16",
        "FAT32",
        "bios",
        "empty",
        "esp",
        "floppy-1.2",
        "floppy-1.44",
        "floppy-2.88",
        "hard-disk",
        "linux",
        "mac",
        "none",
        "ppc",
        "protective",
        "uefi",
    ];
    let missing: Vec<&&str> = wanted.iter().filter(|word| !words.contains(**word)).collect();
    assert!(missing.is_empty(), "{missing:?} did not come up in {words:?}");
}
