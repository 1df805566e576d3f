//! The digest that SUSE's tagmedia has put into the base.

use crate::formats::iso9660::{MediaTag, VolumeDescriptor};
use crate::ground::shift::Shift;

/// The digest, with the new place of its partition. It warns of what cannot be made anew: the digest itself, which is `None` then, or a signature.
pub(super) fn renewable(volume: &VolumeDescriptor, shift: &Shift, warnings: &mut Vec<String>) -> Option<MediaTag> {
    let tag = MediaTag::decode(&volume.application_use).map(|tag| match tag.partition() {
        Some(partition) => tag.with_partition(shift.range(partition)),
        None => tag,
    });
    let Some(tag) = tag.filter(MediaTag::fits) else {
        warnings.push(
            "the digest in the volume descriptor (tagmedia) no longer holds: isobuild cannot make one of its kind"
                .into(),
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
