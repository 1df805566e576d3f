//! Fedora CoreOS reserves an area for Ignition's configuration: an initrd that every entry of its menus loads. coreos-installer fills it with
//! a cpio archive of one file, compressed by xz, and with zeros up to its end.

use serde::Deserialize;

use crate::formats::archive::cpio;
use crate::formats::xz;
use crate::ground::read_at::ReadAt;
use crate::look::contents::Tree as ImageTree;

/// Where the area is, in newer images.
const INFO: &[u8] = b"/coreos/igninfo.json";
/// The area, where nothing else is said.
const FILE: &str = "images/ignition.img";
/// The name of the configuration in the archive.
const NAME: &[u8] = b"config.ign";
/// The preset of the encoder: its dictionary has 64 MiB.
const PRESET: u32 = 9;
/// A longer description is not read.
const LONGEST: u64 = 64 << 10;
/// A longer area is not one. Fedora's has 256 KiB.
const LARGEST: u64 = 64 << 20;

/// `igninfo.json`.
#[derive(Debug, Deserialize)]
struct Info {
    file: String,
    #[serde(default)]
    offset: Option<usize>,
    #[serde(default)]
    length: Option<usize>,
}

impl Info {
    fn read(image: &dyn ReadAt, tree: &ImageTree) -> Result<Self, String> {
        let described = tree.get(INFO).filter(|item| item.length <= LONGEST);
        match described.and_then(|item| item.bytes(image, u64::MAX)) {
            Some(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| format!("/coreos/igninfo.json of the base: {error}"))
            }
            None => Ok(Self {
                file: FILE.into(),
                offset: None,
                length: None,
            }),
        }
    }

    fn path(&self) -> Vec<u8> {
        [b"/", self.file.trim_start_matches('/').as_bytes()].concat()
    }
}

/// The file of the tree that holds the area.
pub(super) fn path(image: &dyn ReadAt, tree: &ImageTree) -> Option<Vec<u8>> {
    Info::read(image, tree).ok().map(|info| info.path())
}

/// Whether the image has such an area.
pub(super) fn is_fcos(tree: &ImageTree) -> bool {
    tree.get(INFO).is_some() || tree.get(format!("/{FILE}").as_bytes()).is_some()
}

/// The file that holds the area, and its bytes with this configuration in it.
///
/// # Errors
/// Why that is not possible, as a sentence.
pub(super) fn area(image: &dyn ReadAt, tree: &ImageTree, config: &[u8]) -> Result<(Vec<u8>, Vec<u8>), String> {
    check(config)?;
    let info = Info::read(image, tree)?;
    let path = info.path();
    let item = tree.get(&path).filter(|item| item.length <= LARGEST);
    let bytes = item.and_then(|item| item.bytes(image, u64::MAX));
    let mut bytes = bytes.ok_or_else(|| format!("the base has no {} that can be read", info.file))?;
    let start = info.offset.unwrap_or(0);
    let end = info
        .length
        .map_or(Some(bytes.len()), |length| start.checked_add(length));
    let area = end.and_then(|end| bytes.get_mut(start..end));
    let area = area.ok_or_else(|| format!("the area ends behind {} of the base", info.file))?;
    let packed = packed(config).map_err(|error| format!("xz: {error}"))?;
    let Some((used, free)) = area.split_at_mut_checked(packed.len()) else {
        return Err(format!(
            "it takes {} bytes, and the area in {} has {}",
            packed.len(),
            info.file,
            area.len()
        ));
    };
    used.copy_from_slice(&packed);
    free.fill(0);
    Ok((path, bytes))
}

/// Ignition's specification: JSON, with its version in `ignition.version`.
fn check(config: &[u8]) -> Result<(), String> {
    let value: serde_json::Value = serde_json::from_slice(config).map_err(|error| {
        format!("not an Ignition configuration, which is JSON ({error}): Butane makes one of its YAML")
    })?;
    match value.pointer("/ignition/version") {
        Some(serde_json::Value::String(_)) => Ok(()),
        _ => Err("not an Ignition configuration: `ignition.version` is missing".into()),
    }
}

/// The archive as coreos-installer writes it, which begins a new block of xz behind a file that needs padding. The bytes are
/// the same too for texts of up to some 3 KB; in longer ones the encoder here finds other matches than liblzma's, which unpack to the same bytes.
fn packed(config: &[u8]) -> std::io::Result<Vec<u8>> {
    let (file, trailer) = (cpio::file(NAME, 0o600, config), cpio::trailer());
    match config.len() % 4 {
        0 => xz::blocks(&[&[file, trailer].concat()], PRESET),
        _ => xz::blocks(&[&file, &trailer], PRESET),
    }
}
