//! The names in a directory.

use super::descriptor::{Allocation, FILE_IDENTIFIER, TAG, Tag};
use super::text::compressed_unicode;
use super::u16_at;
use crate::ground::read_at::ReadAt;

/// ECMA-167 4/14.4.3.
const HIDDEN: u8 = 0x01;
pub(super) const DELETED: u8 = 0x04;
pub(super) const PARENT: u8 = 0x08;
/// Before the implementation use and the identifier, ECMA-167 4/14.4.
pub(super) const FIXED: usize = TAG + 22;
/// UDF 2.3.13: the file that holds blocks which cannot be used.
const NO_FILE: &str = "Non-Allocatable Space";
/// What is read at once; more than the longest descriptor.
const WINDOW: u64 = 256 << 10;

/// A file identifier descriptor, ECMA-167 4/14.4.
pub(super) struct Name {
    pub(super) name: Vec<u8>,
    /// Where its file entry is.
    pub(super) icb: Allocation,
}

/// The names in the content of a directory, and what is wrong with it. What is no descriptor ends it.
pub(super) fn names(content: &dyn ReadAt, mut each: impl FnMut(Name)) -> Vec<String> {
    let mut faults = Vec::new();
    let mut unsound = 0;
    let mut at = 0;
    let (mut window, mut start) = (Vec::new(), 0);
    while at < content.size() {
        let mut here = window.get((at - start) as usize..).unwrap_or_default();
        if here.len() < length(here).unwrap_or(FIXED) && start + (window.len() as u64) < content.size() {
            start = at;
            window = match content.read_vec_at(at, WINDOW.min(content.size() - at)) {
                Ok(bytes) => bytes,
                Err(error) => {
                    faults.push(error.to_string());
                    break;
                }
            };
            here = &window;
        }
        let whole = length(here).and_then(|length| here.get(..length));
        let Some((descriptor, tag)) = whole.and_then(|descriptor| Some((descriptor, tag_of(descriptor)?))) else {
            faults.push(format!("there is no file identifier descriptor at byte {at} of it"));
            break;
        };
        at += descriptor.len() as u64;
        unsound += usize::from(!tag.crc);
        let name = parse(descriptor);
        if let Some(name) = name {
            each(name);
        }
    }
    match unsound {
        0 => {}
        1 => faults.push("the checksum of a name is wrong".into()),
        count => faults.push(format!("the checksums of {count} names are wrong")),
    }
    faults
}

pub(super) fn tag_of(descriptor: &[u8]) -> Option<Tag> {
    Tag::parse(descriptor).filter(|tag| tag.identifier == FILE_IDENTIFIER)
}

/// ECMA-167 4/14.4.9: a multiple of four.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let identifier = usize::from(*bytes.get(19)?);
    let use_length = usize::from(u16_at(bytes, 36)?);
    Some((FIXED + use_length + identifier).next_multiple_of(4))
}

/// The name in a whole descriptor. Deleted ones, the parent and what is no file have none.
fn parse(descriptor: &[u8]) -> Option<Name> {
    let characteristics = *descriptor.get(18)?;
    if characteristics & (DELETED | PARENT) != 0 {
        return None;
    }
    let start = FIXED + usize::from(u16_at(descriptor, 36)?);
    let identifier = descriptor.get(start..start + usize::from(*descriptor.get(19)?))?;
    let name = compressed_unicode(identifier);
    if characteristics & HIDDEN != 0 && name == NO_FILE {
        return None;
    }
    Some(Name {
        name: name.into_bytes(),
        icb: Allocation::long(descriptor.get(20..)?)?,
    })
}
