//! How long an image is that stands on something longer.

use crate::formats::recognise::Form;

/// As many bytes of the start of an image say how long it is.
pub const HEAD: u64 = 64 << 10;

/// How many bytes an image says that it has: ECMA-119 §8.4.8, Volume Space Size, in sectors of 2048; UEFI 5.3.2, AlternateLBA, the
/// last sector of the disk.
pub fn declared_size(head: &[u8]) -> Option<u64> {
    let number = |offset: usize, length: usize| -> Option<u64> {
        let bytes = head.get(offset..offset + length)?;
        Some(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    };
    let is_primary = Form::Iso9660.is_shown_by(head) && head.get(0x8000) == Some(&1);
    let volume = is_primary.then(|| Some(number(0x8000 + 80, 4)? * 2048));
    let tables = [512, 4096].map(|sector| {
        let header = Form::Gpt(sector as u64)
            .is_shown_by(head)
            .then(|| number(sector + 32, 8));
        header.flatten()?.checked_add(1)?.checked_mul(sector as u64)
    });
    tables.into_iter().flatten().chain(volume.flatten()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_of_volume_and_tables_counts() {
        let mut image = vec![0; 3 << 20];
        image[0x8000..0x8006].copy_from_slice(b"\x01CD001");
        image[0x8050..0x8054].copy_from_slice(&1536u32.to_le_bytes());
        assert_eq!(declared_size(&image), Some(3 << 20));
        image[512..520].copy_from_slice(b"EFI PART");
        image[544..552].copy_from_slice(&9999u64.to_le_bytes());
        assert_eq!(declared_size(&image), Some(10000 * 512));
        image[544..552].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(declared_size(&image), Some(3 << 20));
        assert_eq!(declared_size(&image[..0x8040]), None);
    }
}
