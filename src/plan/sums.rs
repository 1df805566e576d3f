//! What the image says of its own bytes: the SHA-256 of every payload, and the MD5 of the whole. Both are made of bytes that come by.

use sha2::{Digest, Sha256};

use super::Plan;
use crate::formats::iso9660::{FIELD_LENGTH, MediaMd5};
use crate::plan::layout::Content;
use crate::tree::PayloadId;

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

/// What depends on the bytes of the image, and is found by passes over them: the digests first, then the MD5, which covers their list.
#[derive(Debug, Default)]
pub struct Late {
    /// The SHA-256 of each payload.
    pub digests: Option<Vec<[u8; 32]>>,
    /// The MD5 of the whole.
    pub media_md5: Option<MediaMd5>,
    /// The application use field (ECMA-119 §9.4.33) with a digest as tagmedia makes it.
    pub media_tag: Option<[u8; FIELD_LENGTH]>,
}

impl Plan {
    /// Whether the image is to carry the sum of its own bytes.
    pub fn wants_media_md5(&self) -> bool {
        self.contents.implant_md5
    }

    /// What has to see all bytes that [`pieces`](Plan::pieces) makes. `None` if nothing asks for digests.
    pub fn digests(&self) -> Option<Digests> {
        self.contents.checksums.as_ref()?;
        let places = self.regions().iter().filter_map(|region| match region.content {
            // A second copy is the same bytes.
            Content::Payload(id) if self.places.payload(id) == Some(region.offset) => {
                Some((region.offset, region.offset + region.length, id))
            }
            _ => None,
        });
        Some(Digests {
            places: places.collect(),
            next: 0,
            at: 0,
            sha256: Sha256::new(),
            digests: vec![Sha256::digest([]).into(); self.contents.tree.payloads().len()],
        })
    }
}

impl Digests {
    /// The SHA-256 of each payload.
    pub fn finish(self) -> Vec<[u8; 32]> {
        self.digests
    }

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
                self.digests[id.index()] = self.sha256.finalize_reset().into();
                self.next += 1;
            }
        }
        self.at += bytes.len() as u64;
    }
}
