//! A plan in the words of [`crate::facts`], without a byte of the image having been written.

mod esp;

use std::collections::HashMap;
use std::path::Path;

use crate::facts::boot_code::mbr_facts;
use crate::facts::boot_images::boot_length;
use crate::facts::extents::settle;
use crate::facts::fat::fat_what;
use crate::facts::partitions::{gpt_partition, mbr_partition};
use crate::facts::verdicts;
use crate::facts::{
    BootCatalog, BootEntry, Counts, Description, Extent, GptFacts, Identifiers, InfoTable, MappedName, What,
};
use crate::formats::iso9660;
use crate::ground::text;
use crate::plan::layout::Content;
use crate::tree::contents::{BootBytes, BootImage};
use crate::tree::source::{Giver, Source};
use crate::tree::{Payload, PayloadId};

use super::encode::Structures;
use super::{Plan, PlanError};

impl Plan<'_> {
    /// All but what grows with the tree, the extents and the map of names: what a build reports.
    pub fn facts(&self) -> Result<Description, PlanError> {
        let contents = self.contents;
        let ids = &contents.identifiers;
        let structures = self.structures()?;
        let mut facts = Description {
            volume_id: ids.volume.clone(),
            size: self.size,
            media_md5: self.media_md5.as_ref().map(|implanted| implanted.md5.clone()),
            identifiers: Identifiers {
                system_id: ids.system.clone(),
                volume_set_id: ids.volume_set.clone(),
                publisher_id: ids.publisher.clone(),
                preparer_id: ids.preparer.clone(),
                application_id: ids.application.clone(),
                created: contents.timestamp.to_string(),
            },
            filesystems: self.filesystems(),
            counts: self.counts(),
            boot_catalog: self.boot_catalog(&structures),
            el_torito: self.boot_entries()?,
            mbr: self.entries.slots.map(|_| {
                let code = self.contents.boot_code.unwrap_or([0; 440]);
                mbr_facts(&code, self.identity.number("disk"))
            }),
            esp: self.esp_facts(),
            menu: contents.menu.clone(),
            menu_programs: contents.menu_programs.clone(),
            owner: contents.owner.clone(),
            faults: self.esp_faults(),
            ..Description::default()
        };
        facts.gpt = structures.gpt.iter().map(|gpt| gpt_facts(&gpt.header)).collect();
        facts.partitions = self.partition_facts();
        facts.warnings = self.warnings();
        if verdicts::needs_extents(&facts) {
            facts.extents = self.extents();
        }
        facts.cells = verdicts::cells(&facts, &[]);
        Ok(facts)
    }

    /// Everything, every extent included.
    pub fn describe(&self) -> Result<Description, PlanError> {
        Ok(Description {
            extents: self.extents(),
            name_map: self.name_map(),
            ..self.facts()?
        })
    }

    fn filesystems(&self) -> Vec<String> {
        let mut names = vec!["iso9660".to_owned()];
        if self.contents.rock_ridge {
            names.push("rock-ridge".into());
        }
        if self.contents.joliet {
            names.push("joliet".into());
        }
        names
    }

    /// Without Rock Ridge links and devices are not in the image.
    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for node in &self.iso.tree.nodes {
            match node.kind {
                iso9660::Kind::Directory => counts.directories += 1,
                iso9660::Kind::File { .. } => counts.files += 1,
                _ if !self.contents.rock_ridge => {}
                iso9660::Kind::Symlink { .. } => counts.symlinks += 1,
                _ => counts.others += 1,
            }
        }
        counts
    }

    fn boot_catalog(&self, structures: &Structures) -> Option<BootCatalog> {
        let (span, bytes) = (self.catalog?, structures.catalog.as_ref()?);
        let checksum = u16::from_le_bytes([*bytes.get(28)?, *bytes.get(29)?]);
        Some(BootCatalog {
            offset: span.offset,
            length: span.length,
            checksum,
            refused: None,
        })
    }

    fn boot_entries(&self) -> Result<Vec<BootEntry>, PlanError> {
        self.contents.boot.iter().map(|boot| self.boot_entry(boot)).collect()
    }

    fn boot_entry(&self, boot: &BootImage) -> Result<BootEntry, PlanError> {
        let span = self.boot_span(boot.image);
        let load_sectors = self.load_sectors(boot.image, boot.sectors);
        let info_table = match boot.image {
            BootBytes::Payload(id) if self.contents.tree.payload(id).patched.is_some() => {
                let bytes = self.filled(id)?;
                crate::formats::el_torito::boot_info::read(&bytes, span.offset).map(|table| InfoTable {
                    length: table.length,
                    checksum: table.checksum,
                })
            }
            _ => None,
        };
        Ok(BootEntry {
            platform: boot.platform.to_string(),
            emulation: boot.emulation.to_string(),
            bootable: true,
            load_sectors,
            load_segment: boot.load_segment,
            offset: span.offset,
            length: boot_length(
                boot.platform,
                boot.emulation,
                load_sectors,
                boot.disk_length,
                self.size - span.offset,
            ),
            info_table,
            inside: Vec::new(),
        })
    }

    fn partition_facts(&self) -> Vec<crate::facts::Partition> {
        let mut partitions = Vec::new();
        for (index, slot) in self.entries.slots.iter().flatten().enumerate() {
            partitions.extend(mbr_partition(index, slot, super::partitions::SECTOR));
        }
        for plan in &self.entries.gpt {
            let table = plan.table(self.size, &self.identity);
            for (index, partition) in table.partitions.iter().enumerate() {
                let number = index as u32 + 1;
                partitions.push(gpt_partition(number, partition, table.sector_size));
            }
        }
        partitions
    }

    fn name_map(&self) -> Vec<MappedName> {
        let indexes = [("iso9660", Some(&self.primary)), ("joliet", self.joliet.as_ref())];
        let mapped = indexes
            .into_iter()
            .filter_map(|(index, hierarchy)| Some((index, hierarchy?)));
        mapped
            .flat_map(|(index, hierarchy)| {
                hierarchy.mappings().iter().map(move |mapping| MappedName {
                    path: text::lossless(&self.node_path(mapping.node)),
                    index: index.into(),
                    name: mapping.identifier.clone(),
                })
            })
            .collect()
    }

    /// The path of a node of the ISO tree.
    pub(super) fn node_path(&self, node: usize) -> Vec<u8> {
        self.path_in(node, |node| self.iso.tree.nodes[node].name.to_vec())
    }

    fn path_in(&self, mut node: usize, name: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
        let mut components = Vec::new();
        while node != 0 {
            components.push(name(node));
            node = self.iso.tree.nodes[node].parent;
        }
        if components.is_empty() {
            return b"/".to_vec();
        }
        let mut path = Vec::new();
        for name in components.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        path
    }

    /// The path that the richest index holds: the name itself with Rock Ridge, else Joliet's, else the level-3 identifier.
    fn richest_path(&self, node: usize) -> String {
        let path = self.path_in(node, |node| {
            if self.contents.rock_ridge {
                return self.iso.tree.nodes[node].name.to_vec();
            }
            self.joliet.as_ref().unwrap_or(&self.primary).name(node).into_bytes()
        });
        format!("iso:{}", text::lossless(&path))
    }

    fn extents(&self) -> Vec<Extent> {
        let mut names: HashMap<PayloadId, Vec<usize>> = HashMap::new();
        for (node, payload) in self.iso.payloads.iter().enumerate() {
            if let Some(payload) = payload {
                names.entry(*payload).or_default().push(node);
            }
        }
        let mut claims = Vec::with_capacity(self.regions.len());
        for region in &self.regions {
            let mut extent = Extent {
                offset: region.offset,
                length: region.length,
                what: What::File,
                paths: Vec::new(),
                source: None,
            };
            match region.content {
                Content::Structure(what) => extent.what = what,
                Content::Directory(node) => {
                    extent.what = What::Directory;
                    extent.paths.push(self.primary_path(node));
                }
                Content::JolietDirectory(node) => {
                    extent.what = What::JolietDirectory;
                    extent.paths.extend(self.joliet.as_ref().map(|joliet| {
                        let path = self.path_in(node, |node| joliet.name(node).into_bytes());
                        format!("iso:{}", text::lossless(&path))
                    }));
                }
                Content::Gpt(_, what) => extent.what = what,
                Content::Fat(volume, index) => {
                    let regions = self.volumes.get(volume).map(|volume| volume.fat.regions());
                    let Some(region) = regions.and_then(|regions| regions.get(index)) else {
                        continue;
                    };
                    (extent.what, extent.paths) = fat_what(&region.what, volume + 1);
                }
                Content::Payload(id) => {
                    let payload = self.contents.tree.payload(id);
                    extent.source = Some(source(payload, &self.contents.base));
                    let nodes = names.get(&id);
                    if self.payloads[id] == Some(region.offset) {
                        extent.paths = nodes.into_iter().flatten().map(|&n| self.richest_path(n)).collect();
                    }
                    if self.is_esp_image(id) {
                        let named = !extent.paths.is_empty();
                        claims.extend(self.esp_image_extents(region.offset, named, &extent));
                        if !named {
                            continue;
                        }
                    } else if nodes.is_none() && !self.in_volume(region.offset) {
                        extent.what = What::BootImage;
                        extent.length = self.hidden_length(id, region.length);
                    }
                    extent.paths.extend(self.esp_paths(id, region.offset));
                }
            }
            claims.push(extent);
        }
        settle(claims)
    }

    /// Directories of the primary hierarchy are named as it names them: by Rock Ridge, or by identifier.
    fn primary_path(&self, node: usize) -> String {
        let path = self.path_in(node, |node| match self.contents.rock_ridge {
            true => self.iso.tree.nodes[node].name.to_vec(),
            false => self.primary.name(node).into_bytes(),
        });
        format!("iso:{}", text::lossless(&path))
    }

    /// How much of a boot image without a name can be told from the image alone: what the firmware loads, what its own table
    /// says, and all up to the last byte that is not zero.
    fn hidden_length(&self, id: PayloadId, length: u64) -> u64 {
        let images = self.contents.boot.iter();
        let told = images.filter(|boot| boot.image == BootBytes::Payload(id)).map(|boot| {
            let loaded = boot_length(boot.platform, boot.emulation, boot.sectors, boot.disk_length, 0);
            loaded.max(boot.end)
        });
        let table = if self.contents.tree.payload(id).patched.is_some() {
            length
        } else {
            0
        };
        told.max().unwrap_or(0).max(table)
    }
}

fn gpt_facts(header: &[u8]) -> GptFacts {
    let word = |at: usize| {
        let bytes = header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        u32::from_le_bytes(bytes.unwrap_or_default())
    };
    let guid = header
        .get(56..72)
        .and_then(|bytes| bytes.try_into().ok())
        .unwrap_or_default();
    GptFacts {
        sector_size: header.len() as u64,
        disk_guid: crate::formats::gpt::Guid::from_bytes(guid).to_string(),
        header_crc32: word(16),
        entries_crc32: word(88),
        refused: None,
    }
}

/// Where the bytes of a payload come from, for people: a host path relative to the manifest, and the path in it if it is an archive.
fn source(payload: &Payload, base: &Path) -> String {
    let relative = |path: &Path| crate::ground::text::visible_path(path.strip_prefix(base).unwrap_or(path));
    match &payload.source {
        Source::File {
            member: Some(member), ..
        } => match member.path.is_empty() {
            true => relative(&member.archive),
            false => format!(
                "{}:{}",
                relative(&member.archive),
                crate::ground::text::visible(&member.path)
            ),
        },
        Source::File { path, .. } => relative(path),
        Source::Bytes(_, Giver::Manifest) => "manifest".into(),
        Source::Bytes(_, Giver::List) => "the list of files".into(),
        Source::Bytes(_, Giver::Loader) => "built-in loader".into(),
    }
}
