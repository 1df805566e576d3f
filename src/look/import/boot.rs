//! Boot images, boot code and the ESP as `[boot]`.

use super::words::{Words, quoted};
use super::{BOOT, Choice, ESP, Importing};
use crate::facts::{BootEntry, Common, PartitionKind, PartitionTable, What};
use crate::formats::el_torito::{Emulation, Platform, boot_info};
use crate::formats::iso9660::{EntryKind, SYSTEM_AREA};
use crate::ground::range::Range;
use crate::ground::read_at::Window;
use crate::look::contents::{Item, Tree};

/// Bytes of boot code in an MBR.
const CODE: u64 = 440;

impl Importing<'_> {
    /// Says everything that firmware starts. Behind it stand the tables that have names of their own.
    pub(super) fn boot(&mut self, is_ours: bool, choice: Choice) -> Words {
        let mut rest = Words::default();
        let facts = self.facts;
        let is_esp = |entry: &BootEntry| facts.esp.iter().any(|volume| volume.offset == entry.offset);
        let mut entries = facts.el_torito.iter().enumerate().filter(|(_, entry)| {
            let is_said = match entry.platform {
                Platform::Bios => is_ours,
                Platform::Uefi => is_esp(entry),
                _ => false,
            };
            !is_said
        });
        let first = entries.next();
        let bios = first.filter(|(number, entry)| *number == 0 && entry.platform == Platform::Bios);
        let code = facts.mbr.as_ref().is_some_and(|mbr| mbr.boot_code) && !is_ours;
        if bios.is_some() || code {
            rest.table("boot.bios");
            if let Some((_, entry)) = bios {
                self.boot_image(entry, "bios", &mut rest);
            }
            if code {
                let name = "mbr.bin";
                self.boot.push((
                    name.into(),
                    Range {
                        offset: 0,
                        length: CODE,
                    },
                ));
                rest.text("mbr", &format!("{BOOT}/{name}"));
            }
        }
        self.esp(is_ours, choice, &mut rest);
        let others = first.filter(|_| bios.is_none()).into_iter().chain(entries);
        for (number, entry) in others {
            rest.entry("boot.entry");
            rest.bare("platform", &entry.platform.code().to_string());
            self.boot_image(entry, &format!("entry{}", number + 1), &mut rest);
        }
        rest
    }

    /// The image of an entry, and how it is started.
    fn boot_image(&mut self, entry: &BootEntry, name: &str, words: &mut Words) {
        if !entry.bootable {
            let said = format!(
                "the boot catalog marks the entry at byte {} as not bootable",
                entry.offset
            );
            self.left_out.push(said);
        }
        let length = match &entry.info_table {
            Some(table) => table.length.into(),
            None => entry.length,
        };
        let image = self.part(entry.offset, length, &format!("{name}.img"));
        words.text("image", &image);
        if entry.emulation != Emulation::None {
            words.text("emulation", &entry.emulation.to_string());
        }
        let default = if entry.platform == Platform::Uefi {
            None
        } else {
            Some(4)
        };
        if default != Some(entry.load_sectors) {
            words.bare("load_sectors", &entry.load_sectors.to_string());
        }
        if entry.load_segment != 0 {
            words.bare("load_segment", &entry.load_segment.to_string());
        }
        if entry.info_table.is_some() {
            let window = Window::new(self.image, entry.offset, length);
            let kind = match boot_info::has_block_list(&window, entry.offset) {
                true => "grub2",
                false => "isolinux",
            };
            words.text("info_table", kind);
        }
    }

    /// What names bytes of the image: a file of the tree, or a part beside it.
    fn part(&mut self, offset: u64, length: u64, name: &str) -> String {
        let named = self.files_at.get(&offset);
        if let Some(path) = named.and_then(|item| str::from_utf8(&item.path).ok()) {
            return format!("iso:{path}");
        }
        let extents = self.facts.extents.iter();
        let mut hidden = extents.filter(|extent| extent.what == What::BootImage && extent.offset == offset);
        let length = hidden.next().map_or(length, |extent| extent.length.max(length));
        let length = length.min(self.image.size().saturating_sub(offset));
        self.boot.push((name.to_owned(), Range { offset, length }));
        format!("{BOOT}/{name}")
    }

    /// The first FAT volume that a UEFI entry of the catalog starts: by its files, if they are those of the tree, else as it is.
    fn esp(&mut self, is_ours: bool, choice: Choice, words: &mut Words) {
        let facts = self.facts;
        let Some(volume) = facts.esp.first() else {
            return;
        };
        let Ok(contents) = Tree::esp(self.image, 1) else {
            return;
        };
        let files: Vec<&Item> = contents
            .items()
            .iter()
            .filter(|item| item.kind == EntryKind::File)
            .collect();
        let twin = |file: &Item| {
            let same = self.files_at.get(&file.extents.first()?.0?)?;
            String::from_utf8(same.path.clone()).ok()
        };
        let is_named = self.files_at.contains_key(&volume.offset);
        let is_of_files = is_ours || (!is_named && files.iter().any(|file| twin(file).is_some()));
        if !is_of_files {
            words.table("boot.uefi");
            let image = self.part(volume.offset, volume.length, "esp.img");
            words.text("image", &image);
            return;
        }
        words.table("boot.uefi");
        if choice.says_esp_size {
            words.text("size", &format!("{}KiB", volume.length / 1024));
        }
        words.table("boot.uefi.files");
        for file in files {
            let Ok(path) = str::from_utf8(&file.path) else {
                self.left_out.push(format!(
                    "esp:{} has no name that is text",
                    crate::ground::text::visible(&file.path)
                ));
                continue;
            };
            if is_ours && self.is_loaders(path) {
                continue;
            }
            let from = match twin(file) {
                Some(twin) => format!("iso:{twin}"),
                None => {
                    self.esp.push(file.clone());
                    format!("{ESP}{path}")
                }
            };
            words.text(&quoted(path), &from);
        }
    }
}

/// The word for the tables of an image. A GPT counts where the MBR leads to it.
pub(super) fn layout(facts: &Common) -> &'static str {
    let slots: Vec<_> = facts
        .partitions
        .iter()
        .filter(|partition| partition.table == PartitionTable::Mbr)
        .collect();
    let has = |kind: &PartitionKind| slots.iter().any(|slot| slot.kind == *kind);
    let is_active = slots.iter().any(|slot| slot.active == Some(true));
    let is_whole = slots
        .iter()
        .any(|slot| slot.start < SYSTEM_AREA && slot.length > SYSTEM_AREA);
    match (facts.gpt.len(), has(&PartitionKind::Protective)) {
        (2.., true) => "multi-sector",
        (1, true) if is_active => "universal",
        (1, true) => "gpt",
        _ if slots.is_empty() => "none",
        _ if is_whole => "isohybrid",
        _ => "mbr",
    }
}
