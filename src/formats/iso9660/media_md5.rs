//! The MD5 sum that isomd5sum implants into a volume, and that installers let their users check a medium by.
//!
//! It is a text in the primary volume descriptor's application use field (§9.4.33), which counts as spaces while the sum is made.
//! The last 15 logical sectors are left out, since drives fail to read the end of a disc that was written track at once. Sums of the beginning,
//! three digits for each twentieth or so of the volume, let a check end soon after the first damage.

use md5::{Digest, Md5};

use super::{SECTOR, SYSTEM_AREA};

/// §9.4.33: the first byte of the application use field in a volume descriptor.
pub const FIELD: usize = 883;
/// §9.4.33: its length in bytes.
pub const FIELD_LENGTH: usize = 512;
/// The first byte of the field in an image, and the byte behind its last: the primary descriptor is the first of all.
const START: u64 = SYSTEM_AREA + FIELD as u64;
const END: u64 = START + FIELD_LENGTH as u64;
/// Bytes at the end of the volume that no sum covers.
const SKIPPED: u64 = 15 * SECTOR;
/// Sums of the beginning that there are at most; a volume has one part more.
const FRAGMENTS: u64 = 20;
/// Hexadecimal digits of each.
const DIGITS: usize = 3;
/// What isomd5sum reads at once. The sum of the beginning up to a part goes to the end of the first piece that begins in that part.
pub(super) const PIECE: u64 = 32 * 1024;
const SPACES: [u8; FIELD_LENGTH] = [b' '; FIELD_LENGTH];

/// What the field says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaMd5 {
    /// In 32 hexadecimal digits.
    pub md5: String,
    /// Three digits of each sum of the beginning, one behind the other.
    pub fragments: String,
    /// Bytes at the end that are not covered.
    pub skipped: u64,
}

impl MediaMd5 {
    /// The field.
    pub fn encode(&self) -> [u8; FIELD_LENGTH] {
        let text = format!(
            "ISO MD5SUM = {};SKIPSECTORS = {};RHLISOSTATUS=0;FRAGMENT SUMS = {};FRAGMENT COUNT = {FRAGMENTS};\
             THIS IS NOT THE SAME AS RUNNING MD5SUM ON THIS ISO!!",
            self.md5,
            self.skipped / SECTOR,
            self.fragments,
        );
        let mut field = SPACES;
        for (place, byte) in field.iter_mut().zip(text.bytes()) {
            *place = byte;
        }
        field
    }

    /// What a field says; none where no sum is implanted.
    pub fn decode(field: &[u8]) -> Option<Self> {
        let text = str::from_utf8(field).ok()?;
        let value = |key: &str| {
            let values = text.split(';').filter_map(|part| part.split_once('='));
            values
                .into_iter()
                .find_map(|(name, value)| (name.trim() == key).then(|| value.trim()))
        };
        let is_hex = |text: &&str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(Self {
            md5: value("ISO MD5SUM")
                .filter(|md5| md5.len() == 32)
                .filter(is_hex)?
                .to_ascii_lowercase(),
            fragments: value("FRAGMENT SUMS").filter(is_hex).unwrap_or_default().into(),
            skipped: u64::from(value("SKIPSECTORS")?.parse::<u32>().ok()?) * SECTOR,
        })
    }

    /// Between which bytes the first difference from another sum lies, by the sums of the beginning, of `length` bytes that are summed. None
    /// where there are no such sums.
    pub fn first_difference(&self, other: &Self, length: u64) -> Option<(u64, u64)> {
        let whole = FRAGMENTS as usize * DIGITS;
        if self.fragments.len() != whole || other.fragments.len() != whole {
            return None;
        }
        let parts = self
            .fragments
            .as_bytes()
            .chunks(DIGITS)
            .zip(other.fragments.as_bytes().chunks(DIGITS));
        let same = parts.take_while(|(a, b)| a == b).count() as u64;
        let part = length / (FRAGMENTS + 1);
        // The sum up to a part takes in some of it.
        let to = if same == FRAGMENTS {
            length
        } else {
            (same + 1) * part + 2 * PIECE
        };
        Some((same * part, to.min(length)))
    }

    /// Spaces, as the field is while there is no sum yet.
    pub fn absent() -> [u8; FIELD_LENGTH] {
        SPACES
    }
}

/// The first hexadecimal digit of so many bytes, as C's `%x` writes them: without a 0 in front.
pub(super) fn first_digits(digest: &[u8], count: usize) -> String {
    let digits = digest
        .iter()
        .take(count)
        .map(|&byte| if byte < 16 { byte } else { byte >> 4 });
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// The sum of a volume whose bytes come by.
pub struct Summing {
    md5: Md5,
    at: u64,
    /// Of what is summed.
    length: u64,
    skipped: u64,
    part: u64,
    fragments: String,
}

impl Summing {
    /// For a volume of so many bytes, as its primary descriptor says (§9.4.9).
    pub fn new(volume: u64) -> Self {
        Self::without(volume, SKIPPED)
    }

    /// The same for other `skipped` bytes at the end.
    pub fn without(volume: u64, skipped: u64) -> Self {
        Self {
            md5: Md5::new(),
            at: 0,
            length: volume.saturating_sub(skipped),
            skipped,
            part: 0,
            fragments: String::new(),
        }
    }

    /// Takes the next bytes. What is in the field counts as spaces.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.at < self.length {
            let piece_end = (self.at - self.at % PIECE + PIECE).min(self.length);
            let next = [START, END].into_iter().find(|&edge| edge > self.at);
            let end = next.unwrap_or(u64::MAX).min(piece_end);
            let (now, rest) = bytes.split_at(bytes.len().min((end - self.at) as usize));
            match (START..END).contains(&self.at) {
                true => self.md5.update(&SPACES[..now.len()]),
                false => self.md5.update(now),
            }
            self.at += now.len() as u64;
            bytes = rest;
            if self.at == piece_end {
                self.end_piece();
            }
        }
    }

    fn end_piece(&mut self) {
        let start = (self.at - 1) / PIECE * PIECE;
        let part = start / (self.length / (FRAGMENTS + 1)).max(1);
        if part == self.part || part > FRAGMENTS {
            return;
        }
        self.part = part;
        let digits = first_digits(&self.md5.clone().finalize(), DIGITS);
        // In a small volume a piece can take in a whole part, whose sum nobody looks at. Each is looked for at its place.
        let place = (part as usize - 1) * DIGITS;
        let skipped = std::iter::repeat_n('0', place.saturating_sub(self.fragments.len()));
        self.fragments.extend(skipped.chain(digits.chars()));
    }

    /// What to implant.
    pub fn finish(mut self) -> MediaMd5 {
        let digits = FRAGMENTS as usize * DIGITS;
        let skipped = std::iter::repeat_n('0', digits.saturating_sub(self.fragments.len()));
        self.fragments.extend(skipped);
        MediaMd5 {
            md5: crate::ground::text::hex(&self.md5.finalize()),
            fragments: self.fragments,
            skipped: self.skipped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The volume in pieces of a length.
    fn sum(volume: &[u8], piece: usize) -> MediaMd5 {
        let mut summing = Summing::new(volume.len() as u64);
        volume.chunks(piece).for_each(|bytes| summing.update(bytes));
        summing.finish()
    }

    #[test]
    fn the_field_and_the_end_do_not_count() {
        let volume: Vec<u8> = (0..3_000_000_u32).map(|number| (number / 7) as u8).collect();
        let whole = sum(&volume, volume.len());
        assert_eq!((whole.md5.len(), whole.fragments.len()), (32, 60));
        assert_eq!(sum(&volume, 1), whole);
        assert_eq!(sum(&volume, 33_333), whole);
        let with = |at: usize| {
            let mut volume = volume.clone();
            volume[at] ^= 1;
            sum(&volume, 1 << 20)
        };
        let end = volume.len() - SKIPPED as usize;
        for at in [START as usize, END as usize - 1, end] {
            assert_eq!(with(at), whole, "{at}");
        }
        for at in [0, START as usize - 1, END as usize, end - 1] {
            assert_ne!(with(at).md5, whole.md5, "{at}");
        }
        for at in [0, 40_000, 1_500_000, end - 1] {
            let (from, to) = with(at).first_difference(&whole, end as u64).unwrap();
            assert!(
                (from..to).contains(&(at as u64)) && to - from < 300_000,
                "{at} in {from}..{to}"
            );
        }
    }

    #[test]
    fn the_field_reads_back() {
        for length in [2_000_000, 400_000, 40_000] {
            let sum = sum(&vec![7; length], 4096);
            assert_eq!(sum.fragments.len(), 60);
            assert_eq!(MediaMd5::decode(&sum.encode()), Some(sum));
        }
        for field in [
            MediaMd5::absent().to_vec(),
            vec![0; FIELD_LENGTH],
            b"ISO MD5SUM = 12;SKIPSECTORS = 15;".to_vec(),
            [
                b"ISO MD5SUM = ".to_vec(),
                vec![b'z'; 32],
                b";SKIPSECTORS = 15;".to_vec(),
            ]
            .concat(),
            [b"ISO MD5SUM = ".to_vec(), vec![b'a'; 32], b";SKIPSECTORS = x;".to_vec()].concat(),
        ] {
            assert_eq!(MediaMd5::decode(&field), None);
        }
    }
}
