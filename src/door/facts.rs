//! What an image says of itself, for other programs.

use std::path::Path;

use super::{Cell, Error, Extent, Partition, ReadAt, Verdict};
use crate::facts::Description;
use crate::ground::text;
use crate::look::inspect as look;
use crate::look::open::{self, Name};

/// What an image says of itself: the same words for one that is planned and one that is read.
///
/// ```
/// let image = isobuild::Builder::new("NOTES").bytes("hello\n", "/hello.txt").build()?;
/// let mut bytes = Vec::new();
/// image.write_to(&mut bytes)?;
/// let (planned, found) = (image.facts()?, isobuild::inspect_bytes(&bytes)?);
/// assert_eq!(planned.extents(), found.extents());
/// let hello = found.extents().iter().find(|extent| extent.paths == ["iso:/hello.txt"]).unwrap();
/// assert_eq!(&bytes[hello.offset as usize..][..hello.length as usize], b"hello\n");
/// # Ok::<(), isobuild::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Facts(pub(super) Description);

impl Facts {
    /// ECMA-119 §9.4.7, without its padding.
    pub fn volume_id(&self) -> &str {
        &self.0.facts.volume_id
    }

    /// Of the image, in bytes.
    pub fn size(&self) -> u64 {
        self.0.facts.size
    }

    /// Sorted, disjoint, and covering every byte that is not zero padding.
    pub fn extents(&self) -> &[Extent] {
        &self.0.facts.extents
    }

    /// The entries of every partition table, by table, sector size and number.
    pub fn partitions(&self) -> &[Partition] {
        &self.0.facts.partitions
    }

    /// A verdict for each firmware and medium, with its reason.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.0.cells
    }

    /// Whether a firmware starts the image from a medium, by the rules of the firmware.
    pub fn boots(&self, cell: Cell) -> bool {
        self.0.cells.iter().any(|verdict| verdict.cell == cell && verdict.boots)
    }

    /// What a person should know before using the image.
    pub fn warnings(&self) -> Vec<&str> {
        self.0.warnings().map(String::as_str).collect()
    }

    /// Structures that contradict their standard.
    pub fn faults(&self) -> &[String] {
        &self.0.facts.faults
    }

    /// Everything, as `isobuild inspect --json` has it: its form is stable.
    pub fn to_json(&self) -> String {
        // Only a map whose keys are not strings cannot become JSON. A description has no maps.
        text::json(&self.0).unwrap_or_default()
    }
}

/// What the image in a file or on a disk says of itself. It may be compressed with gzip, xz, zstd or bzip2, and need not be of this crate.
///
/// # Errors
/// [`Error::Input`] if it is not an image.
///
/// ```no_run
/// let facts = isobuild::inspect("debian-13-amd64-netinst.iso")?;
/// for verdict in facts.verdicts() {
///     println!("{}: {}", verdict.cell, verdict.reason);
/// }
/// # Ok::<(), isobuild::Error>(())
/// ```
pub fn inspect(path: impl AsRef<Path>) -> Result<Facts, Error> {
    let path = path.as_ref();
    let image = open::open(path, Name::Needless, &mut |_, _| true).map_err(|error| Error::opened(path, error))?;
    described(path, &image)
}

/// What an image says of itself that is held in memory, or read in another way.
///
/// # Errors
/// [`Error::Input`] if it is not an image.
///
/// ```
/// let error = isobuild::inspect_bytes(&vec![0; 1 << 20]).unwrap_err();
/// assert!(matches!(error, isobuild::Error::Input(_)));
/// ```
pub fn inspect_bytes(image: &dyn ReadAt) -> Result<Facts, Error> {
    described(Path::new("image"), image)
}

fn described(path: &Path, image: &dyn ReadAt) -> Result<Facts, Error> {
    let described = look::inspect(image).map_err(|error| Error::inspected(path, error))?;
    Ok(Facts(described))
}
