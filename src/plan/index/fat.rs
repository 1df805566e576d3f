//! The EFI system partition: a FAT volume that is made here or ready, and with `layout = "multi-sector"` a second one for disks of larger
//! logical sectors.

use crate::facts::fat::{esp_facts, esp_faults, fat_what};
use crate::facts::{Common, EspFacts, Extent, What, esp_name};
use crate::formats::fat;
use crate::formats::iso9660::SECTOR;
use crate::ground::text;
use crate::plan::layout::{Content, IndexId, Need, Region, Where};
use crate::plan::{Late, Plan, PlanError};
use crate::tree::PayloadId;
use crate::tree::contents::{Contents, Esp, in_second_esp};

use super::{Index, not_mine};

/// Where partitions start: what partitioning tools use, and a multiple of every flash page.
const ALIGNMENT: u64 = 1 << 20;

/// The label of a volume that we make.
const LABEL: &str = "ESP";

/// Free bytes in a volume that we make, for keys and settings that are added on a stick. They are a hole in the image file.
const FREE: u64 = 1 << 20;

/// Logical sectors of the volumes, and what the names of their partitions and serial numbers are made of.
pub(super) const VOLUMES: [(u32, &str); 2] = [(512, "ESP"), (4096, "ESP-4Kn")];

/// A FAT volume.
#[derive(Debug)]
pub(in crate::plan) struct Fat {
    number: u8,
    volume: Volume,
}

#[derive(Debug)]
enum Volume {
    /// One that is made here.
    Made {
        plan: Box<fat::Plan>,
        /// Of the contents' files those that are in it: their number there, and how many bytes of which payload.
        files: Vec<(usize, PayloadId, u64)>,
        purpose: &'static str,
        sector_size: u32,
    },
    /// The bytes of a payload.
    Ready { payload: PayloadId, length: u64 },
}

/// The volumes of the contents.
pub(super) fn all(contents: &Contents) -> Result<Vec<Fat>, PlanError> {
    match &contents.esp {
        None => Ok(Vec::new()),
        Some(Esp::Image { payload, .. }) => {
            let length = contents.tree.payload(*payload).length;
            let payload = *payload;
            Ok(vec![Fat {
                number: 0,
                volume: Volume::Ready { payload, length },
            }])
        }
        Some(Esp::Files { files, size, .. }) => {
            let count = contents.tables.esps.len();
            let volumes = (0..).zip(VOLUMES).take(count);
            volumes
                .map(|(number, of)| made(contents, files, *size, number, of))
                .collect()
        }
    }
}

fn made(
    contents: &Contents,
    files: &[(Vec<String>, PayloadId)],
    size: Option<u64>,
    number: u8,
    (sector_size, purpose): (u32, &'static str),
) -> Result<Fat, PlanError> {
    let (mut root, mut held) = (Vec::new(), Vec::new());
    for (key, (path, payload)) in files.iter().enumerate() {
        if number == 0 || in_second_esp(path) {
            let length = contents.tree.payload(*payload).length;
            insert(&mut root, path, fat::Kind::File { length, key });
            held.push((key, *payload, length));
        }
    }
    let exact = size.filter(|_| number == 0);
    let plan = fat::plan(&fat::Volume {
        root,
        label: LABEL.into(),
        timestamp: contents.timestamp,
        size: exact.map_or(fat::Size::Fit { free: FREE }, fat::Size::Exact),
        sector_size,
    })?;
    let volume = Volume::Made {
        plan: Box::new(plan),
        files: held,
        purpose,
        sector_size,
    };
    Ok(Fat { number, volume })
}

fn insert(nodes: &mut Vec<fat::Node>, path: &[String], kind: fat::Kind) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        nodes.push(fat::Node {
            name: first.clone(),
            kind,
        });
        return;
    }
    // Two spellings of one directory are left to the FAT, which names both in its error.
    let known = nodes
        .iter()
        .position(|node| node.name == *first && matches!(node.kind, fat::Kind::Directory(_)));
    let index = known.unwrap_or_else(|| {
        nodes.push(fat::Node {
            name: first.clone(),
            kind: fat::Kind::Directory(Vec::new()),
        });
        nodes.len() - 1
    });
    if let fat::Kind::Directory(children) = &mut nodes[index].kind {
        insert(children, rest, kind);
    }
}

impl Fat {
    fn id(&self) -> IndexId {
        IndexId::Fat(self.number)
    }

    /// Whether it is made here.
    pub(in crate::plan) fn is_made(&self) -> bool {
        matches!(self.volume, Volume::Made { .. })
    }

    /// What is where in the volume.
    fn parts(&self) -> Vec<Region> {
        let (plan, files) = match &self.volume {
            Volume::Ready { payload, length } => {
                return vec![Region {
                    offset: 0,
                    length: *length,
                    content: Content::Payload(*payload),
                }];
            }
            Volume::Made { plan, files, .. } => (plan, files),
        };
        let own = (0..).zip(plan.regions()).map(|(number, region)| Region {
            offset: region.offset,
            length: region.length,
            content: Content::Structure {
                index: self.id(),
                what: fat_what(&region.what, 1).0,
                number,
            },
        });
        let stored = files.iter().filter_map(|&(key, payload, length)| {
            Some(Region {
                offset: plan.file_offset(key)?,
                length,
                content: Content::Payload(payload),
            })
        });
        own.chain(stored).collect()
    }
}

impl Index for Fat {
    fn needs(&self, what: What, ask: &mut dyn FnMut(Need)) {
        if what == What::FatBootSector {
            let length = match &self.volume {
                Volume::Made { plan, .. } => plan.size(),
                Volume::Ready { length, .. } => length.next_multiple_of(SECTOR),
            };
            ask(Need {
                inside: self.parts(),
                ..Need::new(0, length, Where::Next(ALIGNMENT))
            });
        }
    }

    fn holds(&self) -> Vec<PayloadId> {
        match &self.volume {
            Volume::Made { files, .. } => files.iter().map(|&(_, payload, _)| payload).collect(),
            Volume::Ready { payload, .. } => vec![*payload],
        }
    }

    fn encode(&self, piece: (What, u32), plan: &Plan, _late: &Late) -> Result<Vec<u8>, PlanError> {
        let Volume::Made { plan: fat, purpose, .. } = &self.volume else {
            return Err(not_mine(piece));
        };
        let start = plan.places.volume(self.id())?.offset;
        Ok(fat.encode(piece.1 as usize, start, plan.identity.number(purpose)))
    }

    fn describe(&self, plan: &Plan, _late: &Late, facts: &mut Common) -> Result<(), PlanError> {
        let offset = plan.places.volume(self.id())?.offset;
        match (&self.volume, &plan.contents.esp) {
            (Volume::Ready { .. }, Some(Esp::Image { contents, loaders, .. })) => {
                facts.faults.extend(esp_faults(contents, offset));
                facts.esp.push(esp_facts(offset, contents, loaders.clone()));
            }
            (
                Volume::Made {
                    plan: fat,
                    purpose,
                    sector_size,
                    ..
                },
                Some(esp),
            ) => facts.esp.push(EspFacts {
                offset,
                length: fat.size(),
                kind: fat.kind(),
                sector_size: *sector_size,
                cluster_size: fat.cluster_size(),
                label: LABEL.into(),
                serial: plan.identity.number(purpose),
                // All of them are under /EFI, and what is there is in each volume.
                loaders: esp.loaders().to_vec(),
            }),
            _ => return Err(PlanError::Bug("a FAT volume has no ESP".into())),
        }
        Ok(())
    }

    fn piece_names(&self, (_, number): (What, u32), _plan: &Plan) -> Vec<String> {
        let Volume::Made { plan, .. } = &self.volume else {
            return Vec::new();
        };
        let region = plan.regions().get(number as usize);
        region.map_or(Vec::new(), |region| {
            fat_what(&region.what, usize::from(self.number) + 1).1
        })
    }
}

impl Plan {
    /// Whether a payload is the ready ESP.
    pub(in crate::plan) fn is_ready_esp(&self, id: PayloadId) -> bool {
        matches!(&self.contents.esp, Some(Esp::Image { payload, .. }) if *payload == id)
    }

    /// The names that FAT volumes have for the bytes of a payload at this offset.
    pub(in crate::plan) fn esp_paths(&self, id: PayloadId, offset: u64) -> Result<Vec<String>, PlanError> {
        let Some(Esp::Files { files, .. }) = &self.contents.esp else {
            return Ok(Vec::new());
        };
        let mut paths = Vec::new();
        for volume in &self.indexes.fats {
            let Volume::Made { plan, files: held, .. } = &volume.volume else {
                continue;
            };
            let start = self.places.volume(volume.id())?.offset;
            for &(key, ..) in held.iter().filter(|(_, payload, _)| *payload == id) {
                let at = plan.file_offset(key).map(|at| start + at);
                if let (true, Some((path, _))) = (at == Some(offset), files.get(key)) {
                    let name = esp_name(usize::from(volume.number) + 1);
                    paths.push(format!("{name}/{}", text::lossless(path.join("/").as_bytes())));
                }
            }
        }
        Ok(paths)
    }

    /// What is in the ready ESP that begins at `start`. Where the volume is a file of the tree too, its name covers what no FAT structure
    /// points at.
    pub(in crate::plan) fn ready_extents(&self, start: u64, is_named: bool) -> Vec<Extent> {
        let Some(Esp::Image { extents, .. }) = &self.contents.esp else {
            return Vec::new();
        };
        let inner = extents
            .iter()
            .filter(|extent| !(is_named && extent.what == What::Unknown));
        inner
            .map(|extent| Extent {
                offset: extent.offset + start,
                ..extent.clone()
            })
            .collect()
    }
}
