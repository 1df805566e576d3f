//! Where the tree, the layout and the standards meet: [`plan`] decides every address, [`encode`](Plan::encode) makes every byte.
//!
//! Both are pure. The order of the image, first to last:
//!
//! | region | why there |
//! |---|---|
//! | MBR, primary GPT | byte 0, 512 and 1024: UEFI 5.2 and 5.3; all inside ISO 9660's system area |
//! | volume descriptors | logical sector 16, ECMA-119 §7.7.2; El Torito's boot record is sector 17 |
//! | path tables, directories | parents before children, so that a reader that streams never looks back |
//! | continuation area | behind the directories that point into it |
//! | Joliet directories | a second index over the same files |
//! | boot catalog, hidden boot images | few and small |
//! | files under 64 KiB, then larger ones | in the order of their paths; the larger ones on 4 KiB, so that reflinks share their blocks |
//! | ESP | on 1 MiB as partitioning tools want it; near the end, so that El Torito's "to the end of the volume" fits it |
//! | backup GPT | the last logical sectors |
//!
//! With `layout = "multi-sector"` there are two GPTs, each at the places that its logical sectors give it: the second header at byte
//! 4096, where the first table has its array otherwise, which therefore stands behind the volume descriptors; two backup arrays, and
//! the two backup headers in the last 4096 bytes. A second ESP follows the first.

mod describe;
mod digests;
mod encode;
mod esp;
mod identity;
mod iso_tree;
pub mod layout;
mod partitions;
mod warnings;

use std::collections::HashSet;

use crate::facts::What;
use crate::formats::fat;
use crate::formats::iso9660::{Flavour, Hierarchy, MediaMd5, SECTOR, SYSTEM_AREA};
use crate::plan::layout::{Content, Layout, Overlap, Region, is_large, payload_alignment};
use crate::tree::PayloadId;
use crate::tree::contents::{BootBytes, Contents};

pub use iso_tree::IsoTree;

use identity::Identity;
use partitions::Entries;

/// A byte range of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
}

impl Span {
    /// The byte behind the last.
    pub fn end(&self) -> u64 {
        self.offset + self.length
    }
}

/// An image with every address decided.
pub struct Plan<'r> {
    contents: &'r Contents,
    iso: &'r IsoTree,
    primary: Hierarchy<'r>,
    joliet: Option<Hierarchy<'r>>,
    regions: Vec<Region>,
    size: u64,
    /// Byte offsets of nodes in the primary hierarchy: directories and file data.
    primary_nodes: Vec<u64>,
    /// The same for Joliet.
    joliet_nodes: Vec<u64>,
    continuation: u64,
    /// Where each payload is first; those that nothing stores have none.
    payloads: Vec<Option<u64>>,
    /// The ESP as BIOSes, CDs and disks with logical sectors of 512 bytes see it.
    esp: Option<Span>,
    /// The FAT volumes that are made here.
    volumes: Vec<esp::Volume>,
    catalog: Option<Span>,
    entries: Entries,
    identity: Identity,
    media_md5: Option<MediaMd5>,
    /// SHA-256 by payload.
    digests: Option<Vec<[u8; 32]>>,
}

/// Why an image cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// What ISO 9660, Rock Ridge or Joliet cannot hold.
    #[error(transparent)]
    Iso9660(#[from] crate::formats::iso9660::Iso9660Error),
    /// What a FAT cannot hold.
    #[error("the ESP: {0}")]
    Fat(#[from] fat::FatError),
    /// What a GPT cannot hold.
    #[error(transparent)]
    Gpt(#[from] crate::formats::gpt::GptError),
    /// What an MBR cannot hold.
    #[error(transparent)]
    Mbr(#[from] crate::formats::mbr::MbrError),
    /// What a boot catalog cannot hold.
    #[error(transparent)]
    ElTorito(#[from] crate::formats::el_torito::ElToritoError),
    /// Two structures that want the same bytes.
    #[error(transparent)]
    Overlap(#[from] Overlap),
    /// More than ISO 9660 can number.
    #[error(
        "the image would have {0} bytes; ISO 9660 numbers logical blocks of 2048 bytes with 32 bits, which is \
         8796093020160 bytes at most (ECMA-119 §9.4.9)"
    )]
    TooLarge(u128),
}

/// Decides where everything goes.
pub fn plan<'r>(contents: &'r Contents, iso: &'r IsoTree) -> Result<Plan<'r>, PlanError> {
    check_total(contents)?;
    let flavour = if contents.rock_ridge {
        Flavour::RockRidge
    } else {
        Flavour::Plain
    };
    let primary = Hierarchy::plan(&iso.tree, flavour)?;
    let joliet = match contents.joliet {
        true => Some(Hierarchy::plan(&iso.tree, Flavour::Joliet)?),
        false => None,
    };
    let fats = esp::plan(contents)?;
    let mut layout = Layout::default();
    let mut addresses = Addresses {
        primary: vec![0; iso.tree.nodes.len()],
        joliet: vec![0; if joliet.is_some() { iso.tree.nodes.len() } else { 0 }],
        payloads: vec![None; contents.tree.payloads().len()],
        continuation: 0,
    };
    partitions::place_primary(&mut layout, &contents.tables);
    layout.reserve(SYSTEM_AREA);
    place_descriptors(&mut layout, contents);
    partitions::place_behind_descriptors(&mut layout, &contents.tables);
    let catalog = place_metadata(&mut layout, &mut addresses, contents, &primary, joliet.as_ref());
    let in_esp = esp::payloads(contents);
    for payload in data_order(contents, iso) {
        if !in_esp.contains(&payload) {
            place_payload(&mut layout, &mut addresses, contents, payload);
        }
    }
    let payload_end = layout.end();
    let (esp, volumes) = esp::place(&mut layout, &mut addresses, contents, fats);
    let spans: Vec<Span> = esp
        .into_iter()
        .chain(volumes.iter().skip(1).map(|volume| volume.span))
        .collect();
    let (size, entries) = partitions::place(&mut layout, contents, payload_end, &spans)?;
    if u32::try_from(size / SECTOR).is_err() {
        return Err(PlanError::TooLarge(u128::from(size)));
    }
    for (node, payload) in iso.payloads.iter().enumerate() {
        let offset = payload.and_then(|payload| addresses.payloads[payload]).unwrap_or(0);
        if payload.is_some() {
            addresses.primary[node] = offset;
            if let Some(slot) = addresses.joliet.get_mut(node) {
                *slot = offset;
            }
        }
    }
    let identity = Identity::of(contents);
    Ok(Plan {
        contents,
        iso,
        primary,
        joliet,
        regions: layout.into_regions()?,
        size,
        primary_nodes: addresses.primary,
        joliet_nodes: addresses.joliet,
        continuation: addresses.continuation,
        payloads: addresses.payloads,
        esp,
        volumes,
        catalog,
        entries,
        identity,
        media_md5: None,
        digests: None,
    })
}

impl Plan<'_> {
    /// Of the image, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// Addresses as they are found.
struct Addresses {
    primary: Vec<u64>,
    joliet: Vec<u64>,
    payloads: Vec<Option<u64>>,
    continuation: u64,
}

/// All payloads together must leave room for 32-bit block numbers; beyond it sums of 64 bits are not safe either.
fn check_total(contents: &Contents) -> Result<(), PlanError> {
    let lengths = contents
        .tree
        .payloads()
        .iter()
        .map(|payload| u128::from(payload.length));
    let total: u128 = lengths.sum();
    match total > u128::from(u32::MAX) * u128::from(SECTOR) {
        true => Err(PlanError::TooLarge(total)),
        false => Ok(()),
    }
}

fn place_descriptors(layout: &mut Layout, contents: &Contents) {
    let descriptors = [
        (What::PrimaryDescriptor, true),
        (What::BootRecord, !contents.boot.is_empty()),
        (What::JolietDescriptor, contents.joliet),
        (What::Terminator, true),
    ];
    for (what, _) in descriptors.into_iter().filter(|(_, there)| *there) {
        layout.place(Content::Structure(what), SECTOR, SECTOR);
    }
}

fn place_metadata(
    layout: &mut Layout,
    addresses: &mut Addresses,
    contents: &Contents,
    primary: &Hierarchy<'_>,
    joliet: Option<&Hierarchy<'_>>,
) -> Option<Span> {
    let mut structure = |what, length| layout.place(Content::Structure(what), length, SECTOR);
    structure(What::PathTableL, primary.path_table_length());
    structure(What::PathTableM, primary.path_table_length());
    if let Some(joliet) = joliet {
        structure(What::JolietPathTableL, joliet.path_table_length());
        structure(What::JolietPathTableM, joliet.path_table_length());
    }
    for &node in primary.directories() {
        let length = primary.directory_length(node);
        addresses.primary[node] = layout.place(Content::Directory(node), length, SECTOR);
    }
    addresses.continuation = layout.place(
        Content::Structure(What::ContinuationArea),
        primary.continuation_length(),
        SECTOR,
    );
    for &node in joliet.iter().flat_map(|joliet| joliet.directories()) {
        let length = joliet.map_or(0, |joliet| joliet.directory_length(node));
        addresses.joliet[node] = layout.place(Content::JolietDirectory(node), length, SECTOR);
    }
    if contents.boot.is_empty() {
        return None;
    }
    let length = SECTOR;
    let offset = layout.place(Content::Structure(What::BootCatalog), length, SECTOR);
    Some(Span { offset, length })
}

/// Payloads outside the ESP: boot images without a name first, then small files, then large ones, each in the order of their paths.
fn data_order(contents: &Contents, iso: &IsoTree) -> Vec<PayloadId> {
    let named: HashSet<PayloadId> = iso.payloads.iter().flatten().copied().collect();
    let hidden = contents.boot.iter().filter_map(|boot| match boot.image {
        BootBytes::Payload(payload) if !named.contains(&payload) => Some(payload),
        _ => None,
    });
    let files = iso.payloads.iter().flatten().copied();
    let (large, small): (Vec<_>, Vec<_>) = files.partition(|&id| is_large(contents.tree.payload(id).length));
    hidden.chain(small).chain(large).collect()
}

fn place_payload(layout: &mut Layout, addresses: &mut Addresses, contents: &Contents, id: PayloadId) {
    let length = contents.tree.payload(id).length;
    if length > 0 && addresses.payloads[id].is_none() {
        let offset = layout.place(Content::Payload(id), length, payload_alignment(length));
        addresses.payloads[id] = Some(offset);
    }
}

#[cfg(test)]
pub(crate) mod tests;
