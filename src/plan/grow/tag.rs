//! The digest that SUSE's tagmedia has put into the base.

use crate::formats::iso9660::{MediaTag, VolumeDescriptor};
use crate::ground::shift::Shift;

/// The digest of tagmedia's, and what of it does not hold.
pub(super) fn tag(volume: &VolumeDescriptor, shift: &Shift, warnings: &mut Vec<String>) -> Option<MediaTag> {
    let tag = MediaTag::decode(&volume.application_use).map(|tag| match tag.partition() {
        Some(partition) => tag.with_partition(shift.range(partition)),
        None => tag,
    });
    let Some(tag) = tag.filter(MediaTag::fits) else {
        warnings.push(
            "the digest in the volume descriptor (tagmedia) no longer holds: it is one that is not made here".into(),
        );
        return None;
    };
    if let Some(signature) = tag.signature() {
        warnings.push(format!(
            "the signature at byte {signature} over the digest in the volume descriptor (tagmedia) no longer holds"
        ));
    }
    Some(tag)
}
