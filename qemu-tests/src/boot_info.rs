//! The boot info table that isobuild writes into a loader's first sector, computed a second time from the image alone.
//!
//! Both loaders read their own place from it. It is 56 bytes at byte 8: four 32-bit numbers, and 40 zero bytes. GRUB 2 also
//! wants a 64-bit number at byte 2548.

use serde::Deserialize;

/// Which loader the table is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InfoTable {
    /// The table at byte 8.
    Isolinux,
    /// The same, and the first 512-byte sector behind GRUB's own.
    Grub2,
}

const TABLE: std::ops::Range<usize> = 8..64;
const GRUB2: std::ops::Range<usize> = 2548..2556;

impl InfoTable {
    /// The loader as it has to be in this image: the host's bytes with the numbers of the place where the image holds it.
    pub fn patched(self, host: &[u8], image: &[u8]) -> Result<Vec<u8>, String> {
        let mut bytes = host.to_vec();
        self.write(&mut bytes, 0)?;
        let at = self.find(&bytes, image).ok_or("the loader is nowhere in the image")?;
        self.write(&mut bytes, at / 2048)?;
        Ok(bytes)
    }

    /// The byte offset of the logical block from which on the image holds these bytes but for the numbers.
    fn find(self, bytes: &[u8], image: &[u8]) -> Option<usize> {
        let behind = if self == Self::Grub2 { GRUB2.end } else { TABLE.end };
        let between = TABLE.end..if self == Self::Grub2 { GRUB2.start } else { TABLE.end };
        (0..image.len()).step_by(2048).find(|&at| {
            image.get(at..).is_some_and(|rest| {
                rest.get(..TABLE.start) == bytes.get(..TABLE.start)
                    && rest.get(between.clone()) == bytes.get(between.clone())
                    && rest.get(behind..bytes.len()) == bytes.get(behind..)
            })
        })
    }

    fn write(self, bytes: &mut [u8], block: usize) -> Result<(), String> {
        let short = || format!("a loader of {} bytes has no room for the table", bytes.len());
        let sum = checksum(bytes.get(TABLE.end..).ok_or_else(short)?);
        let number = |n: usize| u32::try_from(n).map_err(|e| e.to_string());
        let mut table = Vec::new();
        for n in [16, number(block)?, number(bytes.len())?, sum] {
            table.extend_from_slice(&n.to_le_bytes());
        }
        table.resize(TABLE.len(), 0);
        bytes.get_mut(TABLE).ok_or("too short")?.copy_from_slice(&table);
        if self == Self::Grub2 {
            let sector = number(block)?.to_le_bytes();
            let sector = u64::from(u32::from_le_bytes(sector)) * 4 + 5;
            bytes
                .get_mut(GRUB2)
                .ok_or("too short")?
                .copy_from_slice(&sector.to_le_bytes());
        }
        Ok(())
    }
}

/// The sum of the 32-bit numbers behind the table, the last one padded with zeros.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.chunks(4).fold(0, |sum: u32, word| {
        let mut padded = [0; 4];
        padded.iter_mut().zip(word).for_each(|(to, from)| *to = *from);
        sum.wrapping_add(u32::from_le_bytes(padded))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three blocks; the loader is in the last one, with a table that nobody has filled in.
    fn image(host: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 2 * 2048];
        image.extend_from_slice(host);
        image[2 * 2048 + 8..2 * 2048 + 64].fill(0x55);
        image
    }

    #[test]
    fn the_numbers_are_those_of_the_place() {
        let host: Vec<u8> = (0..70).collect();
        let patched = InfoTable::Isolinux.patched(&host, &image(&host)).unwrap();
        assert_eq!(patched[..8], host[..8]);
        assert_eq!(patched[8..20], [16, 0, 0, 0, 2, 0, 0, 0, 70, 0, 0, 0]);
        // 0x43424140 + 0x00004544
        assert_eq!(patched[20..24], [0x84, 0x86, 0x42, 0x43]);
        assert!(patched[24..64].iter().all(|&byte| byte == 0));
        assert_eq!(patched[64..], host[64..]);
    }

    #[test]
    fn a_loader_with_another_byte_is_not_found() {
        let host: Vec<u8> = (0..70).collect();
        let mut image = image(&host);
        image[2 * 2048 + 66] ^= 1;
        assert!(InfoTable::Isolinux.patched(&host, &image).is_err());
        assert!(InfoTable::Isolinux.patched(&host[..60], &image).is_err());
    }
}
