//! The names in a directory.

use super::descriptor::{Allocation, FILE_IDENTIFIER, TAG, Tag};
use super::text::compressed_unicode;
use super::u16_at;
use crate::ground::read_at::ReadAt;

/// ECMA-167 4/14.4.3.
const HIDDEN: u8 = 0x01;
const DELETED: u8 = 0x04;
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

/// The names in the content of a directory, and what is wrong with it, if anything is: the rest is not read then.
pub(super) fn names(content: &dyn ReadAt, mut each: impl FnMut(Name)) -> Option<String> {
    let mut at = 0;
    let (mut window, mut start) = (Vec::new(), 0);
    while at < content.size() {
        let mut here = window.get((at - start) as usize..).unwrap_or_default();
        if here.len() < length(here).unwrap_or(FIXED) && start + (window.len() as u64) < content.size() {
            start = at;
            window = match content.read_vec_at(at, WINDOW.min(content.size() - at)) {
                Ok(bytes) => bytes,
                Err(error) => return Some(error.to_string()),
            };
            here = &window;
        }
        let whole = length(here).and_then(|length| here.get(..length));
        let Some((descriptor, name)) = whole.and_then(|descriptor| Some((descriptor, parse(descriptor)?))) else {
            return Some(format!("there is no file identifier descriptor at byte {at} of it"));
        };
        at += descriptor.len() as u64;
        if let Some(name) = name {
            each(name);
        }
    }
    None
}

/// ECMA-167 4/14.4.9: a multiple of four.
fn length(bytes: &[u8]) -> Option<usize> {
    let identifier = usize::from(*bytes.get(19)?);
    let use_length = usize::from(u16_at(bytes, 36)?);
    Some((FIXED + use_length + identifier).next_multiple_of(4))
}

/// A whole descriptor; of deleted ones, the parent and what is no file there is no name.
fn parse(descriptor: &[u8]) -> Option<Option<Name>> {
    let tag = Tag::parse(descriptor)?;
    if tag.identifier != FILE_IDENTIFIER {
        return None;
    }
    let characteristics = *descriptor.get(18)?;
    if characteristics & (DELETED | PARENT) != 0 {
        return Some(None);
    }
    let start = FIXED + usize::from(u16_at(descriptor, 36)?);
    let identifier = descriptor.get(start..start + usize::from(*descriptor.get(19)?))?;
    let name = compressed_unicode(identifier);
    if characteristics & HIDDEN != 0 && name == NO_FILE {
        return Some(None);
    }
    Some(Some(Name {
        name: name.into_bytes(),
        icb: Allocation::long(descriptor.get(20..)?)?,
    }))
}
