//! What the image says of its own bytes: the SHA-256 of every payload, and the MD5 of the whole. Both are made of bytes that come by.

use sha2::{Digest, Sha256};

use super::Plan;
use crate::formats::iso9660::MediaMd5;
use crate::ground::text;
use crate::plan::layout::Content;
use crate::tree::PayloadId;
use crate::tree::contents::Checksums;

/// Digests in the making. Payloads that stand nowhere are empty.
pub struct Digests {
    /// Where payloads begin and end, by offset.
    places: Vec<(u64, u64, PayloadId)>,
    /// The place that comes next, or is being read.
    next: usize,
    at: u64,
    sha256: Sha256,
    digests: Vec<[u8; 32]>,
}

impl Plan<'_> {
    /// Whether the image is to carry the sum of its own bytes; they have to be summed before they are written.
    pub fn wants_media_md5(&self) -> bool {
        self.contents.implant_md5
    }

    /// Implants the sum of all bytes that [`encode`](Plan::encode) makes without it.
    pub fn implant(&mut self, media_md5: MediaMd5) {
        self.media_md5 = Some(media_md5);
    }

    /// What has to see all bytes that [`encode`](Plan::encode) makes before [`fill_in`](Plan::fill_in); none where nothing asks for digests.
    pub fn digests(&self) -> Option<Digests> {
        self.contents.checksums.as_ref()?;
        let places = self.regions.iter().filter_map(|region| match region.content {
            // A second copy is the same bytes.
            Content::Payload(id) if self.payloads[id] == Some(region.offset) => {
                Some((region.offset, region.offset + region.length, id))
            }
            _ => None,
        });
        Some(Digests {
            places: places.collect(),
            next: 0,
            at: 0,
            sha256: Sha256::new(),
            digests: vec![Sha256::digest([]).into(); self.payloads.len()],
        })
    }

    /// Gives the list of the tree's files its digests.
    pub fn fill_in(&mut self, digests: Digests) {
        self.digests = Some(digests.digests);
    }

    /// Writes the digests that are known into the bytes of the list.
    pub(super) fn fill_list(&self, list: &Checksums, bytes: &mut [u8]) {
        for &(at, payload) in &list.places {
            if let Some(digest) = self.digests.as_ref().and_then(|digests| digests.get(payload)) {
                let digits = text::hex(digest);
                bytes[at..at + digits.len()].copy_from_slice(digits.as_bytes());
            }
        }
    }
}

impl Digests {
    /// Takes the next bytes of the image.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while let Some(&(start, end, id)) = self.places.get(self.next)
            && !bytes.is_empty()
        {
            let inside = self.at >= start;
            let edge = if inside { end } else { start };
            let (now, rest) = bytes.split_at((bytes.len() as u64).min(edge - self.at) as usize);
            if inside {
                self.sha256.update(now);
            }
            self.at += now.len() as u64;
            bytes = rest;
            if self.at == end {
                self.digests[id] = self.sha256.finalize_reset().into();
                self.next += 1;
            }
        }
        self.at += bytes.len() as u64;
    }
}
