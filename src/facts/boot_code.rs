//! What the first 440 bytes of a disk are: code that starts something, code that starts a partition, or no code at all.

use crate::facts::{MbrFacts, Starts};

/// What one boot code says of the sector that it was read from.
pub(crate) fn mbr_facts(code: &[u8; 440], disk_signature: u32) -> MbrFacts {
    MbrFacts {
        boot_code: is_code(code),
        starts: starts(code),
        disk_signature,
    }
}

/// Inside Macintosh: Devices, 3-12: a driver descriptor record begins with `ER`, holds the number of drivers at offset 16, and has eight bytes
/// for each driver from 18. As instructions the two letters are harmless, so some writers put code behind them. grub-mkrescue fills bytes 8
/// to 26 with no-operations, the number included.
fn is_code(code: &[u8; 440]) -> bool {
    let behind = match code {
        [b'E', b'R', ..] => {
            let drivers = usize::from(u16::from_be_bytes([code[16], code[17]]));
            let behind = 18 + 8 * drivers;
            // The sector cannot hold so many drivers, so this is not their number. genisoimage leaves random bytes before offset 32.
            if behind <= 512 { behind.min(code.len()) } else { 32 }
        }
        _ => 0,
    };
    code[behind..].iter().any(|&byte| byte != 0)
}

/// By the messages of the code. syslinux' `mbr.bin` and Windows' start the active partition, syslinux' `gptmbr.bin` the one that is marked in
/// the GPT; isohybrid's begins with the messages of the first, and starts the image.
fn starts(code: &[u8; 440]) -> Option<Starts> {
    let says = |words: &str| code.windows(words.len()).any(|at| at == words.as_bytes());
    if says("isolinux.bin missing") {
        return None;
    }
    if says("Missing OS\r\n") && says("Multiple active partitions") {
        return Some(Starts::LegacyBootable);
    }
    let is_active =
        says("Missing operating system") && (says("Multiple active partitions") || says("Invalid partition table"));
    is_active.then_some(Starts::ActivePartition)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(parts: &[(usize, &[u8])]) -> [u8; 440] {
        let mut code = [0; 440];
        for (at, bytes) in parts {
            code[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        code
    }

    #[test]
    fn a_driver_descriptor_is_no_code() {
        for (bytes, wanted) in [
            (code(&[]), false),
            (code(&[(0, b"\xeb\xfe")]), true),
            // Blocks of 512 bytes, 1200 of them, no driver.
            (code(&[(0, b"ER\x02\0\0\0\x04\xb0")]), false),
            // One driver at block 64.
            (
                code(&[(0, b"ER\x08\0\0\0\x04\xb0"), (16, &[0, 1, 0, 0, 0, 64, 0, 1, 0, 1])]),
                false,
            ),
            // As genisoimage -hfs -part wrote it.
            (
                code(&[
                    (0, b"ER\x02\0\0\0\x06\xe4\0\x01\0\x01\x1e\x7f"),
                    (16, b"\x30\x6c\x0b\xfc\x2f\x56\0\0\x30\x6c\x0b\xfc\x2f\x56"),
                ]),
                false,
            ),
            // As isohybrid writes it: the code goes on behind the descriptor.
            (code(&[(0, b"ER\x08\0\0\0\x90\x90"), (32, b"\x33\xed\xfa")]), true),
            // As grub-mkrescue writes it, to the jump at 26 and the code behind the BIOS parameter block.
            (
                code(&[
                    (0, b"ER\x08\0\xeb\x02\xff\xff"),
                    (8, &[0x90; 18]),
                    (26, b"\xeb\x49\x24\x12"),
                    (117, b"\xea\x79\x7c\0\0"),
                ]),
                true,
            ),
        ] {
            assert_eq!(mbr_facts(&bytes, 0).boot_code, wanted);
        }
    }
}
