//! An example directory: its manifest, what is expected of the image, and the image.
//!
//! `test.toml` beside a manifest says which cells boot and what they show, and lists every file of the image by hand:
//!
//! ```toml
//! cells  = ["bios-cd", "uefi-usb"]
//! expect = ["Linux version", "login:"] # on the serial port
//! [answers]                            # if a menu has to be answered
//! bios = { after = "boot:", keys = ["s", "ret"] }
//! [iso]
//! "/isolinux/isolinux.bin" = { from = "inputs/isolinux.bin", info_table = "isolinux" }
//! "/motd"                  = { text = "hello\n" }
//! "/link"                  = { link = "motd" }
//! "/id"                    = { text = "{id}" } # the image's id, where the built-in loader looks for it; in a path, the name of GRUB's id file
//! "/core.img"              = { made = "grub" } # made by isobuild; the group of that name compares what is made so
//! [esp]
//! "/EFI/BOOT/BOOTX64.EFI"  = { from = "inputs/shimx64.efi.signed" }
//! ```
//!
//! What is in `[udf]` is there beside what is in `[iso]`, which is a README then. `expect` may be a table of what each firmware shows.

use crate::boot_info::InfoTable;
use crate::listing::{Entry, Listing};
use crate::pins::{self, State};
use crate::workspace;
use isobuild::inside::facts::cell::{Cell, Firmware};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// One example.
#[derive(Debug)]
pub struct Example {
    /// The name of its directory.
    pub name: String,
    /// The directory.
    pub dir: PathBuf,
    /// The cells that boot.
    pub cells: Vec<Cell>,
    /// What the serial port shows, the last of it when the system is up.
    pub expect: Expect,
    /// How the menus of the loaders are answered.
    pub answers: Answers,
    /// Entries of the boot catalog: one for BIOS and one for UEFI, unless `test.toml` says another number.
    pub boot_images: usize,
    iso: BTreeMap<String, Origin>,
    udf: BTreeMap<String, Origin>,
    esp: BTreeMap<String, Origin>,
    image: OnceLock<Result<PathBuf, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    #[serde(default)]
    cells: Vec<String>,
    #[serde(default)]
    expect: Expect,
    #[serde(default)]
    answers: Answers,
    boot_images: Option<usize>,
    iso: BTreeMap<String, Origin>,
    #[serde(default)]
    udf: BTreeMap<String, Origin>,
    #[serde(default)]
    esp: BTreeMap<String, Origin>,
}

/// What the serial port shows.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Expect {
    /// Under every firmware.
    Same(Vec<String>),
    /// By firmware, since each starts another program.
    Each {
        /// SeaBIOS.
        bios: Vec<String>,
        /// OVMF.
        uefi: Vec<String>,
    },
}

impl Default for Expect {
    fn default() -> Self {
        Self::Same(Vec::new())
    }
}

impl Expect {
    /// What it shows under a firmware.
    pub fn under(&self, firmware: Firmware) -> &[String] {
        match (self, firmware) {
            (Self::Same(all), _) => all,
            (Self::Each { bios, .. }, Firmware::Bios) => bios,
            (Self::Each { uefi, .. }, _) => uefi,
        }
    }
}

/// By firmware, since each starts another loader.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// SeaBIOS.
    pub bios: Option<Answer>,
    /// OVMF, with and without Secure Boot.
    pub uefi: Option<Answer>,
}

/// What is pressed when a menu is there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The serial port has shown this.
    pub after: String,
    /// QEMU's names of the keys.
    pub keys: Vec<String>,
}

/// Where the bytes of a file in the image come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Origin {
    File {
        from: PathBuf,
        /// The table that isobuild writes into it.
        info_table: Option<InfoTable>,
        /// Where isobuild writes the image's id into it.
        image_id: Option<usize>,
    },
    Text {
        text: String,
    },
    Link {
        link: String,
    },
    /// It is there, and a group of tests compares such files with what others make.
    Made {
        #[serde(rename = "made")]
        _by: String,
    },
}

impl Example {
    /// Reads the expectations of every example.
    pub fn all() -> Result<Vec<Self>, String> {
        workspace::examples()?.iter().map(|name| Self::load(name)).collect()
    }

    /// Reads the expectations of one example.
    pub fn load(name: &str) -> Result<Self, String> {
        let dir = workspace::root().join("examples").join(name);
        let path = dir.join("test.toml");
        let fail = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        let text = fs::read_to_string(&path).map_err(|e| fail(&e))?;
        let read: Expectation = toml::from_str(&text).map_err(|e| fail(&e))?;
        let cells: Result<_, _> = read.cells.iter().map(|cell| cell.parse()).collect();
        let cells: Vec<Cell> = cells.map_err(|e: String| fail(&e))?;
        if cells.iter().any(|cell| read.expect.under(cell.firmware).is_empty()) {
            return Err(fail(&"cells without expect would pass whatever they show"));
        }
        Ok(Self {
            name: name.to_owned(),
            dir,
            cells,
            expect: read.expect,
            answers: read.answers,
            boot_images: read.boot_images.unwrap_or(2),
            iso: read.iso,
            udf: read.udf,
            esp: read.esp,
            image: OnceLock::new(),
        })
    }

    /// Its manifest.
    pub fn manifest(&self) -> PathBuf {
        self.dir.join("manifest.toml")
    }

    /// Is there an ESP to look into?
    pub fn has_esp(&self) -> bool {
        !self.esp.is_empty()
    }

    /// What is missing to build it, as sentences.
    pub fn missing(&self) -> Vec<String> {
        let inputs = pins::load(&self.name).and_then(|inputs| inputs.state());
        let inputs = match inputs {
            Ok(State::Missing(_)) => Some(format!(
                "the inputs of {0} are missing (cargo xtask inputs {0})",
                self.name
            )),
            Ok(State::Pinned | State::Differ(_)) => None,
            Err(reason) => Some(reason),
        };
        inputs.into_iter().chain(workspace::isobuild().err()).collect()
    }

    /// The image, built on the first call of this run.
    pub fn image(&self) -> Result<&Path, String> {
        let image = self.image.get_or_init(|| {
            let dir = workspace::target().join("qemu-tests/images");
            fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
            let image = dir.join(format!("{}.iso", self.name));
            build(&mut Command::new(workspace::isobuild()?), &self.manifest(), &image)?;
            Ok(image)
        });
        image.as_deref().map_err(Clone::clone)
    }

    /// What a reader of the ISO tree has to find.
    pub fn iso(&self) -> Result<Listing, String> {
        self.listing(&self.iso)
    }

    /// What a reader of UDF has to find, if the image leaves its tree to UDF.
    pub fn udf(&self) -> Result<Option<Listing>, String> {
        match self.udf.is_empty() {
            true => Ok(None),
            false => self.listing(&self.udf).map(Some),
        }
    }

    /// Whether ISO 9660 holds a README alone.
    pub fn is_stub(&self) -> bool {
        !self.udf.is_empty()
    }

    /// What a reader of the ESP has to find.
    pub fn esp(&self) -> Result<Listing, String> {
        self.listing(&self.esp)
    }

    fn listing(&self, origins: &BTreeMap<String, Origin>) -> Result<Listing, String> {
        let mut listing = Listing::new();
        for (path, origin) in origins {
            let path = &match path.contains("{id}") {
                true => path.replace("{id}", &image_id(&read(self.image()?)?)?),
                false => path.clone(),
            };
            let entry = match origin {
                Origin::Made { .. } => Entry::file(&by_bsdtar(self.image()?, path)?),
                Origin::Text { text } if text.contains("{id}") => {
                    let id = image_id(&read(self.image()?)?)?;
                    Entry::file(text.replace("{id}", &id).as_bytes())
                }
                Origin::Text { text } => Entry::file(text.as_bytes()),
                Origin::Link { link } => Entry::Link(link.clone()),
                Origin::File {
                    from,
                    info_table,
                    image_id: place,
                } => {
                    let mut bytes = read(&self.dir.join(from))?;
                    if let Some(place) = *place {
                        let id = image_id(&read(self.image()?)?)?;
                        let room = bytes.get_mut(place..place + id.len());
                        room.ok_or("no place for the id")?.copy_from_slice(id.as_bytes());
                    }
                    match info_table {
                        Some(table) => Entry::file(&table.patched(&bytes, &read(self.image()?)?)?),
                        None => Entry::file(&bytes),
                    }
                }
            };
            listing.insert(path.clone(), entry);
        }
        Ok(listing)
    }
}

/// A file of the image as bsdtar reads it.
fn by_bsdtar(image: &Path, path: &str) -> Result<Vec<u8>, String> {
    let mut command = Command::new("bsdtar");
    command.arg("-xOf").arg(image).arg(path.trim_start_matches('/'));
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// The image's id, from the menu file of the built-in loader, the first line of the image that begins with `id = `; or from the configuration
/// in which GRUB looks for its file.
fn image_id(image: &[u8]) -> Result<String, String> {
    let keys: [&[u8]; 2] = [b"\nid = ", b"--file /boot/isobuild/"];
    let behind = |key: &&[u8]| Some(image.windows(key.len()).position(|bytes| bytes == *key)? + key.len());
    let at = keys.iter().find_map(behind);
    let id = at.and_then(|at| image.get(at..at + 32));
    let id = id.filter(|id| id.iter().all(u8::is_ascii_hexdigit) && id.iter().any(|digit| *digit != b'0'));
    let id = id.ok_or("the image has no id")?;
    Ok(String::from_utf8_lossy(id).into_owned())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Runs `isobuild MANIFEST -o IMAGE`; `command` is the program with whatever surrounds it.
pub fn build(command: &mut Command, manifest: &Path, image: &Path) -> Result<(), String> {
    let output = command
        .arg(manifest)
        .arg("-o")
        .arg(image)
        .arg("-q")
        .output()
        .map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}\n{stderr}", output.status))
}
