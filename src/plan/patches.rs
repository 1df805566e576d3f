//! Payloads that carry addresses, the image's id or digests: they are encoded like pieces of an index.

use std::borrow::Cow;

use crate::formats::el_torito::boot_info;
use crate::ground::text;
use crate::output::PieceSource;
use crate::tree::contents::Checksums;
use crate::tree::source::Source;
use crate::tree::{Patch, Patched, PayloadId};

use super::{Late, Plan, PlanError};

impl Plan {
    /// The bytes of a payload, or where they are.
    pub(super) fn payload(&self, id: PayloadId, late: &Late) -> Result<PieceSource<'_>, PlanError> {
        let payload = self.contents.tree.payload(id);
        let is_list = self.contents.checksums.as_ref().is_some_and(|list| list.payload == id);
        if payload.patched.is_some() || payload.image_id.is_some() || is_list {
            return Ok(PieceSource::Bytes(Cow::Owned(self.filled(id, late)?)));
        }
        Ok(match &payload.source {
            Source::Bytes(bytes, _) => PieceSource::Bytes(Cow::Borrowed(bytes)),
            Source::Given(bytes) => PieceSource::Given(bytes),
            Source::File {
                path, stamp, offset, ..
            } => PieceSource::File {
                path,
                stamp,
                offset: *offset,
            },
        })
    }

    /// Bytes in memory with the image's id, the digests of other payloads and the addresses filled in.
    pub(super) fn filled(&self, id: PayloadId, late: &Late) -> Result<Vec<u8>, PlanError> {
        let payload = self.contents.tree.payload(id);
        let mut bytes = match (&payload.patched, &payload.source) {
            (Some(Patched { bytes, .. }), _) => bytes.to_vec(),
            (None, Source::Bytes(bytes, _)) => bytes.to_vec(),
            (None, Source::File { .. } | Source::Given(_)) => {
                return Err(PlanError::Bug(format!("payload {} is not in memory", id.index())));
            }
        };
        // The id first: the boot information table's sum covers it.
        if let Some(at) = payload.image_id {
            let digits = self.identity.image_id();
            bytes[at..at + digits.len()].copy_from_slice(digits.as_bytes());
        }
        if let Some(list) = self.contents.checksums.as_ref().filter(|list| list.payload == id) {
            fill_list(list, late, &mut bytes);
        }
        match payload.patched.as_ref().map(|patched| patched.patch) {
            Some(Patch::Isolinux) => boot_info::patch_isolinux(&mut bytes, self.places.stored(id)?)?,
            Some(Patch::Grub2) => boot_info::patch_grub2(&mut bytes, self.places.stored(id)?)?,
            None => {}
        }
        Ok(bytes)
    }
}

/// Writes the digests that are known into the bytes of the list.
fn fill_list(list: &Checksums, late: &Late, bytes: &mut [u8]) {
    for &(at, payload) in &list.places {
        if let Some(digest) = late.digests.as_ref().and_then(|digests| digests.get(payload.index())) {
            let digits = text::hex(digest);
            bytes[at..at + digits.len()].copy_from_slice(digits.as_bytes());
        }
    }
}
