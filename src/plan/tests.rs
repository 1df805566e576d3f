//! Manifests to images in memory: identity, the order of the image, what is stored once, and that `inspect` reads back what `plan` says.
//!
//! The names begin with the row of the list of bad inputs: `m` a manifest, `t` a tree, `f` a limit of a format.

mod answers;
mod archives;
mod areas;
mod base_boot;
mod boot;
mod damaged;
mod grow;
mod grow_esp;
mod grow_odd;
mod grow_texts;
mod grow_udf;
mod identity;
mod inputs;
mod json;
mod links;
mod loader;
mod loader_limits;
mod multi_sector;
mod names;
mod sign;
mod udf;
mod udf_damaged;
mod uki;

use std::fs;
use std::path::Path;

use super::*;
use crate::facts::{Description, Extent, PartitionKind, PartitionTable};
use crate::look::inspect::inspect;
use crate::manifest::parse;
use crate::output::{Interrupt, write};
use crate::resolve::{Environment, Resolved, contents};

/// The tree directory at the root of the image.
const TREE: &str = "[[files]]\nfrom = \"tree\"\nto = \"/\"\n";

/// A host directory with files that manifests name.
pub(crate) struct Host(tempfile::TempDir);

impl Host {
    pub(crate) fn new(files: &[(&str, &[u8])]) -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        for (name, content) in files {
            host.put(name, content);
        }
        host
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// The warnings of a manifest's image, on one line each.
    fn warnings(&self, manifest: &str) -> Vec<String> {
        self.build(manifest).0.planned.warnings
    }

    fn put(&self, name: &str, content: &[u8]) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn resolve(&self, manifest: &str) -> Result<Resolved<crate::tree::contents::Contents>, Box<dyn std::error::Error>> {
        let path = self.0.path().join("manifest.toml");
        let outputs = vec![self.0.path().join("out.iso")];
        let environment = Environment {
            source_date_epoch: None,
            outputs,
        };
        Ok(contents(&parse(&path, manifest)?, &environment)?)
    }

    /// The image of a manifest, and the plan's words for it. They are those that `inspect` has.
    pub(crate) fn build(&self, manifest: &str) -> (Description, Vec<u8>) {
        let resolved = self.resolve(manifest).unwrap_or_else(|error| panic!("{error}"));
        let plan = plan(resolved.contents).unwrap_or_else(|error| panic!("{error}"));
        let late = Late::default();
        write(
            &resolved.outputs[0].path,
            plan.size(),
            plan.pieces(&late),
            false,
            &mut |_| {},
            &Interrupt::default(),
        )
        .unwrap();
        let bytes = fs::read(&resolved.outputs[0].path).unwrap();
        let mut planned = plan.describe(&Late::default()).unwrap();
        // A plan does not know this; `door` reads the planned image for it.
        planned.facts.menu_programs = crate::look::started::menu_programs(&bytes, &planned.facts);
        planned.cells = crate::facts::verdicts::cells(&planned, &[]);
        assert_eq!(planned.facts, inspect(&bytes).unwrap().facts);
        (planned, bytes)
    }

    fn error(&self, manifest: &str) -> String {
        match self.resolve(manifest) {
            Ok(resolved) => match plan(resolved.contents) {
                Ok(_) => panic!("no error"),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        }
    }
}

fn extent<'d>(image: &'d Description, path: &str) -> &'d Extent {
    let found = image
        .facts
        .extents
        .iter()
        .find(|extent| extent.paths.iter().any(|known| known == path));
    found.unwrap_or_else(|| panic!("no extent is {path}"))
}

fn source<'d>(image: &'d Description, path: &str) -> Option<&'d str> {
    let extents = image.facts.extents.iter().zip(&image.planned.sources);
    let mut of_path = extents.filter(|(extent, _)| extent.paths.iter().any(|known| known == path));
    of_path.next().and_then(|(_, source)| source.as_deref())
}

fn has(warnings: &[String], words: &str) -> bool {
    warnings.iter().any(|warning| warning.contains(words))
}

const BOOT: &str = "[boot.bios]\nimage = \"bios.bin\"\n[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n";

fn host() -> Host {
    Host::new(&[
        ("bios.bin", &[1; 5000]),
        ("loader", &[2; 9000]),
        ("tree/a", b"a"),
        ("tree/b/c", b"c"),
    ])
}

#[test]
fn regions_stand_in_the_order_that_is_promised() {
    let host = host();
    host.put("tree/large", &[3; 100_000]);
    host.put("tree/z", &[4; 65_535]);
    let (described, bytes) = host.build(&format!("[[files]]\nfrom = \"tree\"\nto = \"/\"\n{BOOT}"));
    let whats: Vec<What> = described.facts.extents.iter().map(|extent| extent.what).collect();
    let mut expected = whats.clone();
    expected.dedup();
    let order = [
        What::MasterBootRecord,
        What::GptHeader,
        What::GptEntries,
        What::PrimaryDescriptor,
        What::BootRecord,
        What::JolietDescriptor,
        What::Terminator,
        What::PathTableL,
        What::PathTableM,
        What::JolietPathTableL,
        What::JolietPathTableM,
        What::Directory,
        What::ContinuationArea,
        What::JolietDirectory,
        What::BootCatalog,
        What::BootImage,
        What::File,
        What::FatBootSector,
        What::FatTable1,
        What::FatTable2,
        What::FatRootDirectory,
        What::FatDirectory,
        What::File,
        What::BackupGptEntries,
        What::BackupGptHeader,
    ];
    assert_eq!(expected, order);
    let at = |path| extent(&described, path).offset;
    assert!(at("iso:/a") < at("iso:/z") && at("iso:/z") < at("iso:/large"));
    assert!(at("iso:/large").is_multiple_of(4096));
    assert!(described.facts.esp[0].offset.is_multiple_of(1 << 20));
    assert_eq!(described.facts.extents.last().unwrap().offset + 512, bytes.len() as u64);
    // §9.4.9: the volume space covers the whole image.
    let space = u32::from_le_bytes(bytes[32768 + 80..][..4].try_into().unwrap());
    assert_eq!(u64::from(space) * 2048, described.facts.size);
}

#[test]
fn a_file_of_both_trees_is_stored_once() {
    let host = host();
    let esp =
        "[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"iso:/y\"\n\"/x\" = \"iso:/y\"\n\"/again\" = \"loader\"\n";
    let (described, _) = host.build(&format!("[[files]]\nfrom = \"loader\"\nto = \"/y\"\n{esp}"));
    let shared = extent(&described, "iso:/y");
    assert_eq!(
        shared.paths,
        ["esp:/EFI/BOOT/BOOTX64.EFI", "iso:/EFI/BOOT/BOOTX64.EFI", "iso:/y"]
    );
    // A FAT has no second name for a file, so a second one is a copy, and the plan shows it.
    for copy in ["esp:/x", "esp:/again"] {
        let copy = extent(&described, copy);
        assert_eq!((copy.paths.len(), copy.length), (1, 9000));
    }
}

#[test]
fn an_esp_over_32_mib_reaches_to_the_end_of_the_volume() {
    let host = host();
    let uefi = "[boot.uefi]\nsize = \"40MiB\"\n[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n";
    let (described, bytes) = host.build(uefi);
    let entry = &described.facts.el_torito[0];
    assert_eq!((entry.load_sectors, described.facts.esp[0].length), (1, 40 << 20));
    assert_eq!(entry.offset + entry.length, bytes.len() as u64);
}

#[test]
fn every_profile_has_its_own_tables() {
    let host = host();
    let slots = |layout: &str| {
        let (described, bytes) = host.build(&format!("{BOOT}[disk]\nlayout = \"{layout}\"\n"));
        let slots: Vec<(u8, u8)> = (0..4)
            .map(|slot| (bytes[446 + slot * 16], bytes[446 + slot * 16 + 4]))
            .collect();
        (slots, described.facts.gpt.len())
    };
    assert_eq!(slots("universal"), (vec![(0, 0xEE), (0x80, 0), (0, 0), (0, 0)], 1));
    assert_eq!(slots("gpt"), (vec![(0, 0xEE), (0, 0), (0, 0), (0, 0)], 1));
    assert_eq!(slots("mbr"), (vec![(0, 0xEF), (0x80, 0), (0, 0), (0, 0)], 0));
    assert_eq!(slots("isohybrid"), (vec![(0x80, 0), (0, 0xEF), (0, 0), (0, 0)], 0));
    assert_eq!(slots("none"), (vec![(0, 0); 4], 0));
    assert_eq!(slots("multi-sector"), (vec![(0, 0xEE), (0x80, 0), (0, 0), (0, 0)], 2));
}

#[test]
fn one_partition_holds_the_payload_and_ends_before_the_esp() {
    let (described, _) = host().build(BOOT);
    let gpt: Vec<_> = described
        .facts
        .partitions
        .iter()
        .filter(|partition| partition.table == PartitionTable::Gpt)
        .collect();
    let [payload, esp] = gpt[..] else { panic!("{gpt:?}") };
    assert_eq!(
        (payload.name.as_deref(), &payload.kind),
        (Some("iso9660"), &PartitionKind::Linux)
    );
    // UEFI 5.3.3 and the Discoverable Partitions Specification: read-only is bit 60, no-automount bit 63.
    assert_eq!(payload.attributes, Some(1 << 60 | 1 << 63));
    assert!(payload.start + payload.length <= esp.start);
    assert_eq!(
        (&esp.kind, esp.start, esp.length),
        (
            &PartitionKind::Esp,
            described.facts.esp[0].offset,
            described.facts.esp[0].length
        )
    );
    let empty = described
        .facts
        .partitions
        .iter()
        .find(|partition| partition.kind == PartitionKind::Empty)
        .unwrap();
    assert_eq!((empty.start, empty.length, empty.active), (0, 512, Some(true)));
}

#[test]
fn data_images_read_back_with_and_without_each_index() {
    let host = host();
    for keys in [
        "",
        "joliet = false",
        "rock_ridge = false",
        "rock_ridge = false\njoliet = false",
    ] {
        let link = "[[files]]\nlink = \"a\"\nto = \"/a link\"\n";
        let (described, bytes) = host.build(&format!(
            "[iso]\n{keys}\n[[files]]\nfrom = \"tree\"\nto = \"/\"\n{link}"
        ));
        assert_eq!(described.facts.size, bytes.len() as u64);
        assert!(described.cells.iter().all(|cell| !cell.boots), "{keys}");
    }
}

#[test]
fn boot_images_that_no_firmware_could_start_are_refused() {
    let host = host();
    host.put("empty", b"");
    host.put("grub.img", &[0; 2555]);
    for (keys, words) in [
        ("image = \"missing\"", "cannot use \"missing\""),
        ("image = \"tree\"", "not a regular file"),
        ("image = \"empty\"", "cannot be empty"),
        ("image = \"iso:/nothing\"", "/nothing is not in the image"),
        (
            "image = \"bios.bin\"\nemulation = \"floppy-1.44\"",
            "exactly 1474560 bytes",
        ),
        ("image = \"bios.bin\"\nemulation = \"hard-disk\"", "no 55 aa"),
        (
            "image = \"grub.img\"\ninfo_table = \"grub2\"",
            "2556 to 33553920 bytes, and this has 2555",
        ),
        ("image = \"bios.bin\"\nmbr = \"loader\"", "this is 9000 bytes"),
    ] {
        let error = host.error(&format!("[boot.bios]\n{keys}\n"));
        assert!(error.contains(words) && error.contains("manifest.toml:"), "{error}");
    }
    let twice = "[boot.bios]\nimage = \"bios.bin\"\ninfo_table = \"isolinux\"\n\
                 [[boot.entry]]\nplatform = 0\nimage = \"bios.bin\"\ninfo_table = \"grub2\"\n";
    assert!(host.error(twice).contains("tables of two loaders"));
}

#[test]
fn dates_that_cannot_be_recorded_are_told() {
    let host = host();
    let path = host.0.path().join("tree/a");
    let file = fs::File::options().write(true).open(&path).unwrap();
    // 2156-01-01T00:00:00Z, which some file systems cannot keep either: what this one made of it decides.
    let far = std::time::UNIX_EPOCH + std::time::Duration::from_secs(5_869_584_000);
    file.set_times(fs::FileTimes::new().set_modified(far)).unwrap();
    let beyond = !crate::formats::iso9660::is_recordable(crate::ground::time::Timestamp::from_unix(mtime(&path)));
    let (described, _) = host.build("[[files]]\nfrom = \"tree\"\nto = \"/\"\npreserve = [\"mtime\"]\n");
    assert_eq!(
        described
            .planned
            .warnings
            .iter()
            .any(|warning| warning.contains("outside of 1900 to 2155")),
        beyond
    );
}

fn mtime(path: &Path) -> i64 {
    std::os::unix::fs::MetadataExt::mtime(&fs::metadata(path).unwrap())
}
