//! Ten thousand damaged images, ours and Debian's: `inspect` and `ls` neither fall nor read without end nor take much memory.

use crate::MEMORY;
use isobuild::inside::facts::{Description, What};
use isobuild::inside::ground::read_at::ReadAt;
use isobuild::inside::look::contents::{Place, Tree};
use isobuild::inside::look::inspect::inspect;
use qemu_tests::example::Example;
use qemu_tests::pins;
use qemu_tests::{odd, suite, workspace};
use std::cell::Cell;
use std::io;
use std::path::Path;

/// Damaged images that are made of each.
const IMAGES: u64 = 2000;
/// Beside the image itself.
const MOST_MEMORY: usize = 64 << 20;

pub(crate) fn tests() -> suite::Tests {
    let mut trials = Vec::new();
    for example in Example::all()?
        .into_iter()
        .filter(|example| example.missing().is_empty())
    {
        let name = format!("damaged {}", example.name);
        // The longest, and those with the same structures.
        let is_long = ["debian-installer", "remaster-debian", "remaster-ubuntu"].contains(&example.name.as_str());
        trials.push(suite::trial(name, Vec::new(), move || damage(example.image()?)).long_if(is_long));
    }
    for (name, more) in [
        ("damaged odd tree", ""),
        ("damaged UDF odd tree", "[iso]\nudf = true\n"),
        ("damaged stub odd tree", "[iso]\niso9660 = \"stub\"\n"),
    ] {
        let missing = workspace::isobuild().err().into_iter().collect();
        trials.push(suite::trial(name.to_owned(), missing, move || {
            let dir = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
            damage(&odd::image(dir.path(), &[], more)?.1)
        }));
    }
    trials.push(
        suite::trial(
            "damaged UDF bridge".to_owned(),
            suite::missing(&["genisoimage"]),
            || {
                let dir = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
                damage(&odd::bridge(dir.path())?.1)
            },
        )
        .long(),
    );
    for name in ["grub-rescue.iso", "memtest.iso", "ipxe.iso"] {
        let (missing, inputs) = (suite::missing_inputs()?, pins::load("qemu-tests")?);
        let test = suite::trial(format!("damaged {name}"), missing, move || damage(&inputs.file(name)?));
        trials.push(test.long_if(name == "grub-rescue.iso"));
    }
    Ok(trials)
}

/// An image with other bytes in some places, and what was read of it.
struct Damaged<'a> {
    bytes: &'a [u8],
    size: usize,
    edits: Vec<(usize, u8)>,
    read: Cell<u64>,
    calls: Cell<u64>,
}

impl ReadAt for Damaged<'_> {
    fn size(&self) -> u64 {
        self.size as u64
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read.set(self.read.get() + buffer.len() as u64);
        self.calls.set(self.calls.get() + 1);
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(buffer.len()).filter(|&end| end <= self.size);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(&self.bytes[start..end]);
        for &(at, value) in self.edits.iter().filter(|(at, _)| (start..end).contains(at)) {
            buffer[at - start] = value;
        }
        Ok(())
    }
}

/// xorshift64*, seeded: the same images on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        number as usize % end
    }
}

/// Makes [`IMAGES`] damaged images of the one at `path`, and describes each.
fn damage(path: &Path) -> Result<(), String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let places = structures(&inspect(&bytes).map_err(|e| e.to_string())?);
    let mut random = Random(0x1509_660E);
    let (mut described, mut most) = (0, (0, 0, 0));
    for number in 0..IMAGES {
        let image = damaged(&bytes, &places, &mut random);
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        let facts = inspect(&image);
        let root = || b"/".to_vec();
        for place in [Place::Iso(root()), Place::Udf(root()), Place::Esp(1, root())] {
            let _ = Tree::of(&image, place);
        }
        let taken = MEMORY.peak_usage().saturating_sub(before);
        let seen = (taken, image.read.get(), image.calls.get());
        most = (most.0.max(seen.0), most.1.max(seen.1), most.2.max(seen.2));
        let limits = (MOST_MEMORY, 8 * image.size() + (16 << 20), image.size() / 16 + 100_000);
        if seen.0 > limits.0 || seen.1 > limits.1 || seen.2 > limits.2 {
            return Err(format!(
                "image {number} takes {seen:?} of {limits:?}: {:?}",
                image.edits
            ));
        }
        if let Ok(facts) = facts {
            described += 1;
            disjoint(&facts).map_err(|reason| format!("image {number}: {reason}: {:?}", image.edits))?;
        }
    }
    println!(
        "{}: {described} of {IMAGES} described; at most {} KiB of memory, {} KiB read in {} calls",
        path.display(),
        most.0 >> 10,
        most.1 >> 10,
        most.2
    );
    if described < IMAGES / 2 {
        return Err(format!("only {described} of {IMAGES} can be described at all"));
    }
    Ok(())
}

/// Places of what is read as a structure: everything but contents.
fn structures(described: &Description) -> Vec<(usize, usize)> {
    let contents = |what| matches!(what, What::File | What::BootImage | What::Unknown);
    let extents = described.facts.extents.iter().filter(|extent| !contents(extent.what));
    extents
        .map(|extent| (extent.offset as usize, extent.length as usize))
        .collect()
}

fn damaged<'a>(bytes: &'a [u8], places: &[(usize, usize)], random: &mut Random) -> Damaged<'a> {
    let mut edits = Vec::new();
    for _ in 0..=random.below(8) {
        let (start, length) = match random.below(10) {
            0 => (0, bytes.len()),
            _ => places[random.below(places.len())],
        };
        let at = start + random.below(length);
        match random.below(4) {
            // A bit; a byte; a number of 32 bits at its greatest; a piece of another structure.
            0 | 1 => edits.push((at, bytes[at] ^ 1 << random.below(8))),
            2 => edits.push((at, [0, 1, 0x7F, 0x80, 0xFF][random.below(5)])),
            _ => {
                let (from, room) = places[random.below(places.len())];
                let from = from + random.below(room);
                let value = |n: usize| {
                    if random.0 & 1 == 0 {
                        Some(&0xFF)
                    } else {
                        bytes.get(from + n)
                    }
                };
                let all = (0..4).filter_map(|n| Some((at + n, *value(n)?)));
                edits.extend(all.filter(|(at, _)| *at < bytes.len()));
            }
        }
    }
    let size = match random.below(10) {
        0 => bytes.len() - random.below(bytes.len() / 2),
        _ => bytes.len(),
    };
    Damaged {
        bytes,
        size,
        edits,
        read: Cell::new(0),
        calls: Cell::new(0),
    }
}

/// What is promised of the extents of any image.
fn disjoint(described: &Description) -> Result<(), String> {
    let mut end = 0;
    for extent in &described.facts.extents {
        if extent.offset < end || extent.length == 0 || extent.offset + extent.length > described.facts.size {
            return Err(format!("{extent:?} behind {end} in {} bytes", described.facts.size));
        }
        end = extent.offset + extent.length;
    }
    Ok(())
}
