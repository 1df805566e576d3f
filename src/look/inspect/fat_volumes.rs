//! FAT volumes that firmware can reach, by partition or by boot catalog.

use crate::facts::{Common, Extent, Found, PartitionKind, PartitionTable};
use crate::formats::el_torito::Platform;
use crate::formats::fat;
use crate::formats::mbr;
use crate::ground::read_at::{ReadAt, Window};

use crate::facts::fat::{esp_facts, esp_faults, fat_extents};
use crate::facts::loader_paths::is_loader;
use crate::facts::loaders::{MAX_PROGRAMS, loaders_in};

/// How many FAT volumes are looked into: one a partition or boot entry, and nobody has more.
const VOLUMES: usize = 16;

/// Adds each FAT volume that a table or the boot catalog points at. The first is `esp:`, further ones are `esp2:` and so on.
pub(super) fn read(image: &dyn ReadAt, facts: &mut Common, found: &mut Found, claims: &mut Vec<Extent>) {
    for (offset, window, contents) in volumes(image, facts) {
        let number = facts.esp.len() + 1;
        claims.extend(fat_extents(&contents, offset, number));
        facts.faults.extend(esp_faults(&contents, offset));
        let loaders = loaders_in(&contents, &window);
        if loaders.len() == MAX_PROGRAMS {
            let beyond = format!("ESP at {offset}: of the programs in /EFI/BOOT {MAX_PROGRAMS} are looked at");
            found.remarks.push(beyond);
        }
        for entry in &mut facts.el_torito {
            if partitions_in(image, entry.offset)
                .iter()
                .any(|&(inside, _)| inside == offset)
            {
                entry.inside.push(offset);
            }
        }
        facts.esp.push(esp_facts(offset, &contents, loaders));
    }
}

/// The FAT volumes that tables and boot catalog point at: byte offset, bytes and contents.
pub(super) fn volumes<'i>(
    image: &'i dyn ReadAt,
    facts: &Common,
) -> impl Iterator<Item = (u64, Window<'i>, fat::Contents)> + use<'i> {
    let volume = move |candidate: Candidate| {
        let window = Window::new(image, candidate.offset, candidate.length);
        let contents = fat::read(&window).ok()?;
        let is_wanted = !candidate.needs_loader || contents.entries.iter().any(|entry| is_loader(&entry.path));
        is_wanted.then_some((candidate.offset, window, contents))
    };
    candidates(image, facts).into_iter().filter_map(volume).take(VOLUMES)
}

/// Where a FAT volume may begin.
struct Candidate {
    offset: u64,
    length: u64,
    /// It is a volume of no interest if there is no EFI loader in it: a BIOS' own floppy.
    needs_loader: bool,
}

/// Where a firmware would look: the whole disk if it is such a volume, partitions of the ESP's type, then boot images, then every other partition, since firmware takes a FAT
/// volume by its contents. EDK2 takes the boot images of every platform and emulation, and the partitions inside them.
fn candidates(image: &dyn ReadAt, facts: &Common) -> Vec<Candidate> {
    let of = |esp: bool, table: PartitionTable| {
        let partitions = facts.partitions.iter();
        let wanted =
            partitions.filter(move |p| (p.kind == PartitionKind::Esp) == esp && p.table == table && p.length > 0);
        wanted.map(|partition| (partition.start, partition.length, false))
    };
    let entries = facts.el_torito.iter();
    let entries = entries.flat_map(|entry| {
        // How long an EFI image is, its own boot sector says best.
        let itself = (entry.offset, u64::MAX, entry.platform != Platform::Uefi);
        let inside = partitions_in(image, entry.offset).into_iter();
        std::iter::once(itself).chain(inside.map(|(offset, length)| (offset, length, true)))
    });
    let esps = of(true, PartitionTable::Gpt).chain(of(true, PartitionTable::Mbr));
    let others = of(false, PartitionTable::Gpt).chain(of(false, PartitionTable::Mbr));
    let whole = facts.boot_sector.iter().map(|_| (0, u64::MAX, false));
    let mut candidates: Vec<Candidate> = Vec::new();
    for (offset, length, needs_loader) in whole.chain(esps).chain(entries).chain(others) {
        match candidates.iter_mut().find(|known| known.offset == offset) {
            Some(known) => known.needs_loader &= needs_loader,
            None => candidates.push(Candidate {
                offset,
                length,
                needs_loader,
            }),
        }
    }
    candidates
}

/// The partitions of the MBR at the start of a boot image, if it has one: offset in the image and length.
fn partitions_in(image: &dyn ReadAt, start: u64) -> Vec<(u64, u64)> {
    let mut sector = [0; 512];
    // The sector at 0 is the image's own.
    let read = start > 0 && image.read_exact_at(&mut sector, start).is_ok();
    let slots = match mbr::decode(&sector) {
        Some(mbr) if read => mbr.slots,
        _ => return Vec::new(),
    };
    let used = slots
        .iter()
        .filter(|slot| slot.kind != 0 && slot.start > 0 && slot.length > 0);
    let placed = used.map(|slot| (start + u64::from(slot.start) * 512, u64::from(slot.length) * 512));
    placed.collect()
}
