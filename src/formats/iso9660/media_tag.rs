//! The digest that SUSE's tagmedia puts into a volume, and that checkmedia and its installers check a medium by.
//!
//! It is a list of assignments in the primary volume descriptor's application use field (§9.4.33), as in `check=1;pad=150;sha256sum=...`. The
//! field counts as spaces while the digest is made, and the first 512 bytes of the image as zeros, since partition tables are written there later.
//! So do `pad` logical sectors at the end, which some drives do not read. A second digest can be that of a partition, and a signature over the
//! field can stand in a sector that is named. Source: the README of checkmedia, which accepted images that were changed here.

use md5::Md5;
use sha2::digest::DynDigest;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::media_md5::{FIELD, FIELD_LENGTH, PIECE, first_digits};
use super::{SECTOR, SYSTEM_AREA};
use crate::ground::range::Range;
use crate::ground::text::hex;

/// The unit of the addresses in the text, in bytes.
const BLOCK: u64 = 512;
/// The MBR, which counts as zeros.
const MBR: Range = Range { offset: 0, length: 512 };
/// Where the field is in an image.
const PLACE: Range = Range {
    offset: SYSTEM_AREA + FIELD as u64,
    length: FIELD_LENGTH as u64,
};
/// The sector of a signature begins with a mark of so many bytes. The rest counts as zeros.
const MARK: u64 = 64;
/// The hexadecimal digits of all fragments together.
const DIGITS: u64 = 60;

type Hasher = Box<dyn DynDigest + Send>;

/// What the field says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaTag {
    algorithm: Algorithm,
    /// Bytes at the end of the volume that count as zeros.
    padding: u64,
    /// What the second digest is of.
    partition: Option<Range>,
    /// The offset of the sector with a signature.
    signature: Option<u64>,
    /// How many fragments there are: digests of the volume's beginning, each up to another place.
    fragments: u64,
    field: [u8; FIELD_LENGTH],
}

/// An algorithm; the number is the length of its digest in hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Md5 = 32,
    Sha224 = 56,
    Sha256 = 64,
    Sha384 = 96,
    Sha512 = 128,
}

impl Algorithm {
    fn of(digest: &str) -> Option<Self> {
        let all = [Self::Md5, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];
        let is_hex = digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        all.into_iter().find(|&one| is_hex && one as usize == digest.len())
    }

    fn hasher(self) -> Hasher {
        match self {
            Self::Md5 => Box::new(Md5::default()),
            Self::Sha224 => Box::new(Sha224::default()),
            Self::Sha256 => Box::new(Sha256::default()),
            Self::Sha384 => Box::new(Sha384::default()),
            Self::Sha512 => Box::new(Sha512::default()),
        }
    }
}

/// Whether the value of a key is the digest of the volume. isomd5sum's key is `ISO MD5SUM`.
fn is_sum(key: &str) -> bool {
    ["md5sum", "sha1sum", "sha224sum", "sha256sum", "sha384sum", "sha512sum"].contains(&key)
}

/// Splits an assignment into its key in lower case and its value.
fn assignment(part: &str) -> Option<(String, &str)> {
    let (key, value) = part.split_once('=')?;
    Some((key.trim().to_ascii_lowercase(), value.trim()))
}

impl MediaTag {
    /// Whether a field has such a digest, even if this program does not know the algorithm.
    pub fn is_in(field: &[u8]) -> bool {
        let text = String::from_utf8_lossy(field);
        let mut keys = text.split(';').filter_map(assignment);
        keys.any(|(key, _)| is_sum(&key))
    }

    /// Reads a field. The result is `None` if it has no digest, a digest of an unknown algorithm, or digests of two algorithms.
    pub fn decode(field: &[u8; FIELD_LENGTH]) -> Option<Self> {
        let text = str::from_utf8(field).ok()?.trim_end_matches([' ', '\0']);
        let all: Vec<(String, &str)> = text.split(';').filter_map(assignment).collect();
        let value = |wanted: &str| all.iter().find(|(key, _)| key == wanted).map(|(_, value)| *value);
        let number = |key: &str| value(key).and_then(|value| value.parse::<u32>().ok()).map(u64::from);
        let mut sums = all.iter().filter(|(key, _)| is_sum(key)).map(|(_, digest)| *digest);
        let digest = sums.next()?;
        if sums.any(|other| other.len() != digest.len()) {
            return None;
        }
        let partition = value("partition").and_then(|value| {
            let mut numbers = value
                .splitn(3, ',')
                .map(|number| number.parse::<u32>().ok().map(u64::from));
            Some(Range {
                offset: numbers.next()?? * BLOCK,
                length: numbers.next()?? * BLOCK,
            })
        });
        Some(Self {
            algorithm: Algorithm::of(digest)?,
            padding: number("pad").unwrap_or(0) * SECTOR,
            partition: partition.filter(|range| range.length > 0),
            signature: number("signature")
                .filter(|&block| block > 0)
                .map(|block| block * BLOCK),
            fragments: number("fragment count").filter(|&count| count <= DIGITS).unwrap_or(0),
            field: *field,
        })
    }

    /// The partition that the second digest is of.
    pub fn partition(&self) -> Option<Range> {
        self.partition
    }

    /// The offset of the sector with a signature over the field.
    pub fn signature(&self) -> Option<u64> {
        self.signature
    }

    /// The same tag with another place of its partition.
    #[must_use]
    pub fn with_partition(self, partition: Range) -> Self {
        let partition = self.partition.map(|_| partition);
        Self { partition, ..self }
    }

    /// The field with these digests. The result is `None` if they do not fit into it.
    fn field(&self, volume: &str, partition: &str, fragments: &str) -> Option<[u8; FIELD_LENGTH]> {
        let text = str::from_utf8(&self.field).ok()?.trim_end_matches([' ', '\0']);
        let parts = text.split(';').map(|part| {
            let Some((key, value)) = assignment(part) else {
                return part.to_owned();
            };
            let new = match (key.as_str(), self.partition) {
                (key, _) if is_sum(key) => volume.to_owned(),
                ("partition", Some(range)) => {
                    format!("{},{},{partition}", range.offset / BLOCK, range.length / BLOCK)
                }
                ("fragment sums", _) => fragments.to_owned(),
                _ => return part.to_owned(),
            };
            let before = part.len() - part.trim_end().len();
            let kept = &part[..part.len() - before - value.len()];
            format!("{kept}{new}")
        });
        let parts: Vec<String> = parts.collect();
        let text = parts.join(";");
        let mut field = [self.field[FIELD_LENGTH - 1]; FIELD_LENGTH];
        field.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(field)
    }

    /// Whether the values fit into the field: the place of a partition can get more digits.
    pub fn fits(&self) -> bool {
        let digits = "0".repeat(self.algorithm as usize);
        self.field(&digits, &digits, &"0".repeat(DIGITS as usize)).is_some()
    }
}

/// The digests of a volume whose bytes come by.
pub struct TagSumming {
    tag: MediaTag,
    volume: Hasher,
    partition: Hasher,
    at: u64,
    /// The length of the volume without its padding, in bytes.
    length: u64,
    /// The length of the padding, in bytes.
    padding: u64,
    piece: Vec<u8>,
    part: u64,
    fragments: String,
}

impl TagSumming {
    /// For a volume of so many bytes, as its primary descriptor says (§9.4.9).
    pub fn new(tag: MediaTag, volume: u64) -> Self {
        let padding = tag.padding.min(volume);
        Self {
            volume: tag.algorithm.hasher(),
            partition: tag.algorithm.hasher(),
            at: 0,
            length: volume - padding,
            padding,
            piece: Vec::with_capacity(PIECE as usize),
            part: 0,
            fragments: String::new(),
            tag,
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = PIECE as usize - self.piece.len();
            let (now, rest) = bytes.split_at(bytes.len().min(room));
            self.piece.extend_from_slice(now);
            bytes = rest;
            if self.piece.len() == PIECE as usize {
                self.end_piece();
            }
        }
    }

    fn end_piece(&mut self) {
        let here = Range {
            offset: self.at,
            length: self.piece.len() as u64,
        };
        let signature = self.tag.signature.map(|start| Range {
            offset: start + MARK,
            length: SECTOR - MARK,
        });
        for (range, byte) in [(Some(MBR), 0), (Some(PLACE), b' '), (signature, 0)] {
            if let Some((start, end)) = range.and_then(|range| within(range, here)) {
                self.piece[start..end].fill(byte);
            }
        }
        let covered = Range {
            offset: 0,
            length: self.length,
        };
        if let Some((start, end)) = within(covered, here) {
            self.volume.update(&self.piece[start..end]);
        }
        if let Some((start, end)) = self.tag.partition.and_then(|range| within(range, here)) {
            self.partition.update(&self.piece[start..end]);
        }
        self.end_part(here);
        self.at = here.end();
        self.piece.clear();
    }

    /// Adds a fragment if a new part of the volume begins in this piece.
    fn end_part(&mut self, here: Range) {
        if self.tag.fragments == 0 || here.offset >= self.length {
            return;
        }
        let part = here.offset / (self.length / (self.tag.fragments + 1)).max(1);
        if part == self.part || part > self.tag.fragments {
            return;
        }
        self.part = part;
        let digest = self.volume.box_clone().finalize();
        self.fragments += &first_digits(&digest, (DIGITS / self.tag.fragments) as usize);
    }

    /// The field with its new values.
    pub fn finish(mut self) -> [u8; FIELD_LENGTH] {
        if !self.piece.is_empty() {
            self.end_piece();
        }
        let zeros = [0; SECTOR as usize];
        for _ in 0..self.padding / SECTOR {
            self.volume.update(&zeros);
        }
        let (volume, partition) = (hex(&self.volume.finalize()), hex(&self.partition.finalize()));
        let field = self.tag.field(&volume, &partition, &self.fragments);
        // `fits` was asked before.
        field.unwrap_or(self.tag.field)
    }
}

/// The bytes of a piece that are in a range, counted from the piece's first.
fn within(range: Range, piece: Range) -> Option<(usize, usize)> {
    let (start, end) = (range.offset.max(piece.offset), range.end().min(piece.end()));
    (start < end).then(|| ((start - piece.offset) as usize, (end - piece.offset) as usize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::Digest;

    fn tag(text: &str) -> [u8; FIELD_LENGTH] {
        let mut field = [b' '; FIELD_LENGTH];
        field[..text.len()].copy_from_slice(text.as_bytes());
        field
    }

    /// The new text, with the volume in pieces of a length.
    fn summed(text: &str, bytes: &[u8], volume: u64, piece: usize) -> String {
        let mut summing = TagSumming::new(MediaTag::decode(&tag(text)).unwrap(), volume);
        bytes.chunks(piece).for_each(|bytes| summing.update(bytes));
        String::from_utf8(summing.finish().to_vec())
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// The regions are put together by hand, after checkmedia's description of the format.
    #[test]
    fn digests_are_of_the_regions_that_the_format_has() {
        let bytes: Vec<u8> = (0..400_000_u32).map(|number| (number / 3) as u8).collect();
        // 150 sectors of 2048 bytes are the volume; 20 of them are padding; the signature is in the sector at 512 * 200 = 102400.
        let volume = [
            &[0; 512][..],
            &bytes[512..0x8373],
            &[b' '; 512],
            &bytes[0x8573..102_464],
            &[0; 1984],
            &bytes[104_448..266_240],
            &[0; 40_960],
        ]
        .concat();
        assert_eq!(volume.len(), 307_200);
        // From 512 * 50 on, as long as 512 * 600; padding and the end of the volume do not matter to it.
        let partition = [&volume[25_600..266_240], &bytes[266_240..332_800]].concat();
        let zeros = "0".repeat(64);
        let text = format!("check=1;pad=20;SHA256SUM = {zeros};partition=50,600,{zeros};signature=200;x");
        let wanted = format!(
            "check=1;pad=20;SHA256SUM = {};partition=50,600,{};signature=200;x",
            hex(&Sha256::digest(&volume)),
            hex(&Sha256::digest(&partition))
        );
        for piece in [1000, 400_000] {
            assert_eq!(summed(&text, &bytes, 307_200, piece), wanted);
        }
        let zeros = "0".repeat(128);
        assert_eq!(
            summed(&format!("sha512sum={zeros}"), &volume, 307_200, 1 << 20),
            format!("sha512sum={}", hex(&Sha512::digest(&volume)))
        );
    }

    #[test]
    fn what_is_not_known_is_left_alone() {
        let two = format!("md5sum={0};sha256sum={0}{0}", "0".repeat(32));
        for text in [
            &two,
            "",
            "md5sum=1",
            "sha1sum=0000000000000000000000000000000000000000",
            "ISO MD5SUM = 0",
        ] {
            assert_eq!(MediaTag::decode(&tag(text)), None, "{text}");
        }
        assert!(MediaTag::is_in(&tag("pad=1;sha1sum=0")) && !MediaTag::is_in(&tag("ISO MD5SUM = 0")));
        let zeros = "0".repeat(128);
        let long = format!("sha512sum={zeros};partition=1,2,{zeros};{}", "x".repeat(226));
        let moved = MediaTag::decode(&tag(&long)).unwrap();
        assert!(moved.fits());
        let range = Range {
            offset: 1 << 20,
            length: 1 << 30,
        };
        assert!(!moved.with_partition(range).fits());
        // Padding and places beyond the volume.
        let zeros = "0".repeat(32);
        let text =
            format!("md5sum={zeros};pad=4294967295;partition=4294967295,4294967295,{zeros};signature=4294967295");
        let empty = "d41d8cd98f00b204e9800998ecf8427e"; // of no bytes
        assert!(summed(&text, &[7; 9000], 0, 9000).starts_with(&format!("md5sum={empty};pad=4294967295;")));
    }
}
