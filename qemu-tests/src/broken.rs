//! Copies of an image with one thing wrong in each, as bytes that are changed by hand: nothing here knows isobuild's own structures.
//!
//! They are made of the example `hello`, whose places are looked up in its own bytes: the boot catalog by the boot record, the ESP by
//! the GPT.

const SECTOR: usize = 2048;
const BOOT_RECORD: usize = 17 * SECTOR;
/// Slots of the MBR.
const SLOTS: usize = 446;
/// Sectors of a GPT's header and entries.
const GPT: usize = 33 * 512;
/// UEFI 5.3.3: of a partition entry.
const ENTRY: usize = 128;

/// When an image is booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boots {
    /// Each time.
    Always,
    /// By `cargo xtask ci --full`: another is like it.
    Full,
}

use Boots::{Always, Full};

/// What is done to an image.
pub type Break = fn(&mut [u8]);

/// Each with its name, and whether it is booted in every cell without `--full`.
pub const BROKEN: [(&str, Boots, Break); 27] = [
    ("whole", Always, |_| {}),
    ("El Torito erased", Always, |image| {
        image[BOOT_RECORD + 7..BOOT_RECORD + SECTOR].fill(0)
    }),
    ("boot catalog's checksum wrong", Full, |image| {
        let catalog = catalog(image);
        image[catalog + 0x1C] ^= 1;
    }),
    ("BIOS entry not bootable", Full, |image| {
        let catalog = catalog(image);
        image[catalog + 0x20] = 0;
    }),
    ("UEFI entry not bootable", Full, |image| {
        let catalog = catalog(image);
        image[catalog + 0x60] = 0;
    }),
    ("UEFI entry counts 1", Full, |image| {
        let catalog = catalog(image);
        image[catalog + 0x66..catalog + 0x68].copy_from_slice(&[1, 0]);
    }),
    ("UEFI entry for a BIOS", Always, |image| {
        let catalog = catalog(image);
        image[catalog + 0x41] = 0;
    }),
    ("UEFI entry without a section header", Always, |image| {
        let catalog = catalog(image);
        image.copy_within(catalog + 0x60..catalog + 0x80, catalog + 0x40);
        image[catalog + 0x60..catalog + 0x80].fill(0);
    }),
    ("UEFI entry that its header does not count", Always, |image| {
        let catalog = catalog(image);
        image[catalog + 0x42..catalog + 0x44].fill(0);
    }),
    ("UEFI entry counts 4", Always, |image| {
        let catalog = catalog(image);
        image[catalog + 0x66..catalog + 0x68].copy_from_slice(&[4, 0]);
    }),
    ("ESP outside the volume", Always, |image| {
        let catalog = catalog(image);
        image[catalog + 0x66..catalog + 0x68].copy_from_slice(&[1, 0]);
        // ECMA-119 §9.4.9, in both byte orders.
        let blocks = (esp(image).0 / 4) as u32;
        image[16 * SECTOR + 80..16 * SECTOR + 84].copy_from_slice(&blocks.to_le_bytes());
        image[16 * SECTOR + 84..16 * SECTOR + 88].copy_from_slice(&blocks.to_be_bytes());
    }),
    ("MBR without boot code", Full, |image| image[..440].fill(0)),
    ("driver descriptor without boot code", Always, |image| {
        image[..440].fill(0);
        image[..8].copy_from_slice(b"ER\x02\0\0\0\x90\x90");
    }),
    ("MBR without 55 AA", Full, |image| image[510..512].fill(0)),
    ("protective slot at 0", Always, |image| {
        image[SLOTS + 8..SLOTS + 12].fill(0)
    }),
    ("GPT erased", Always, |image| erase_gpt(image)),
    ("primary GPT damaged", Full, |image| image[512 + 56] ^= 1),
    ("backup GPT missing", Always, |image| {
        let end = image.len();
        image[end - GPT..].fill(0);
    }),
    ("both GPTs damaged", Full, |image| {
        let end = image.len();
        image[512 + 56] ^= 1;
        image[end - 512 + 56] ^= 1;
    }),
    ("GPT entries overlap", Always, |image| {
        let (start, _) = esp(image);
        entries(image, |entries| {
            // The first partition now ends inside the second.
            entries[40..48].copy_from_slice(&(start + 8).to_le_bytes());
        });
    }),
    ("ESP of another type", Full, |image| {
        entries(image, |entries| entries[ENTRY] ^= 0xFF);
    }),
    ("GPT entry behind the last usable", Full, |image| {
        let beyond = (image.len() / 512) as u64;
        entries(image, |entries| {
            entries[ENTRY + 40..ENTRY + 48].copy_from_slice(&beyond.to_le_bytes())
        });
    }),
    ("MBR alone, with an ESP", Full, |image| {
        let esp = esp(image);
        erase_gpt(image);
        slots(image, &[(0xEF, esp.0, esp.1)]);
    }),
    ("MBR alone, with FAT", Full, |image| {
        let esp = esp(image);
        erase_gpt(image);
        slots(image, &[(0x0C, esp.0, esp.1)]);
    }),
    ("MBR alone, entries overlap", Full, |image| {
        let esp = esp(image);
        erase_gpt(image);
        slots(image, &[(0x83, 64, esp.0 + esp.1 - 64), (0xEF, esp.0, esp.1)]);
    }),
    ("MBR alone, an empty type overlaps", Full, |image| {
        let esp = esp(image);
        erase_gpt(image);
        slots(image, &[(0, 64, esp.0 + esp.1 - 64), (0xEF, esp.0, esp.1)]);
    }),
    ("loader of another machine", Full, |image| {
        // PE §2.3: the machine is behind the signature.
        let header = [b"PE\0\0".as_slice(), &[0x64, 0x86]].concat();
        while let Some(at) = find(image, &header) {
            image[at + 5] = 0xAA;
        }
    }),
];

/// The ESP without the name that firmware starts: for images of any origin.
pub fn without_loader(image: &mut [u8]) {
    while let Some(at) = find(image, b"BOOTX64 EFI") {
        image[at + 6] = b'5';
    }
}

fn find(image: &[u8], bytes: &[u8]) -> Option<usize> {
    image.windows(bytes.len()).position(|window| window == bytes)
}

fn number<const N: usize>(image: &[u8], at: usize) -> [u8; N] {
    image[at..at + N].try_into().unwrap_or([0; N])
}

/// El Torito figure 7.
fn catalog(image: &[u8]) -> usize {
    u32::from_le_bytes(number(image, BOOT_RECORD + 0x47)) as usize * SECTOR
}

/// First LBA and length of the ESP, the second entry of the GPT.
fn esp(image: &[u8]) -> (u64, u64) {
    let entry = 1024 + ENTRY;
    let (start, last) = (number(image, entry + 32), number(image, entry + 40));
    let (start, last) = (u64::from_le_bytes(start), u64::from_le_bytes(last));
    (start, last - start + 1)
}

fn erase_gpt(image: &mut [u8]) {
    let end = image.len();
    image[512..512 + GPT].fill(0);
    image[end - GPT..].fill(0);
}

/// Changes the entries of both tables and makes their checksums right again.
fn entries(image: &mut [u8], change: impl Fn(&mut [u8])) {
    let end = image.len();
    for (header, entries) in [(512, 1024), (end - 512, end - GPT)] {
        change(&mut image[entries..entries + 128 * ENTRY]);
        let crc = crc32(&image[entries..entries + 128 * ENTRY]);
        image[header + 88..header + 92].copy_from_slice(&crc.to_le_bytes());
        image[header + 16..header + 20].fill(0);
        let crc = crc32(&image[header..header + 92]);
        image[header + 16..header + 20].copy_from_slice(&crc.to_le_bytes());
    }
}

/// The slots of the MBR: type, first LBA and length.
fn slots(image: &mut [u8], slots: &[(u8, u64, u64)]) {
    image[SLOTS..SLOTS + 64].fill(0);
    for (number, &(kind, start, length)) in slots.iter().enumerate() {
        let at = SLOTS + 16 * number;
        image[at] = if number == 0 { 0x80 } else { 0 };
        image[at + 4] = kind;
        image[at + 8..at + 12].copy_from_slice(&(start as u32).to_le_bytes());
        image[at + 12..at + 16].copy_from_slice(&(length as u32).to_le_bytes());
    }
}

/// UEFI 5.3.2: the CRC of Ethernet.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_the_one_of_ethernet() {
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
    }
}
