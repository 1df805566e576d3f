//! What a loaded PE program says of entries for other machines: the Microsoft PE Format, and the section `.compat` as Linux's
//! `arch/x86/boot/header.S` describes it.

use crate::disk::little_endian;

/// The machine type of 32-bit x86.
pub const IA32: u64 = 0x014c;

/// Bytes of the signature and the COFF header.
const COFF_HEADER: u64 = 24;
const SECTION_HEADER: u64 = 40;

/// The entry for `machine` of a program that is for another one: an offset into the program as it is in memory.
pub fn compatible_entry(program: &[u8], machine: u64) -> Option<usize> {
    let number = |at: u64, length: u64| -> Option<u64> {
        let field = program.get(usize::try_from(at).ok()?..usize::try_from(at + length).ok()?)?;
        Some(field.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    };
    let signature = number(60, 4)?;
    if number(signature, 4)? != little_endian::<4>(b"PE\0\0", 0) || number(signature + 4, 2)? == machine {
        return None;
    }
    let sections = signature + COFF_HEADER + number(signature + 20, 2)?;
    for section in 0..number(signature + 6, 2)? {
        let header = sections + SECTION_HEADER * section;
        if number(header, 8)? != little_endian::<8>(b".compat\0", 0) {
            continue;
        }
        let mut at = number(header + 12, 4)?;
        let end = at + number(header + 8, 4)?;
        // Each entry: its kind, its length in bytes; behind these, of kind 1, a machine type and an entry's address.
        while at < end {
            let (kind, length) = (number(at, 1)?, number(at + 1, 1)?);
            if kind == 1 && length >= 8 && number(at + 2, 2)? == machine {
                let entry = usize::try_from(number(at + 4, 4)?).ok()?;
                return (entry < program.len()).then_some(entry);
            }
            if kind == 0 || length == 0 {
                break;
            }
            at += length;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    /// A program for x86-64 of two sections, the second of them `.compat` at 0x800 with these entries.
    fn program(entries: &[u8]) -> Vec<u8> {
        let mut program = vec![0; 0x1000];
        let mut put = |at: usize, bytes: &[u8]| program[at..at + bytes.len()].copy_from_slice(bytes);
        put(60, &[0x80]);
        put(0x80, b"PE\0\0\x64\x86\x02\0");
        put(0x94, &[0xf0, 0]);
        let sections = 0x98 + 0xf0;
        put(sections, b".text");
        put(sections + 40, b".compat");
        put(sections + 48, &(entries.len() as u32).to_le_bytes());
        put(sections + 52, &0x800_u32.to_le_bytes());
        put(0x800, entries);
        program
    }

    #[test]
    fn a_64_bit_kernel_says_where_its_32_bit_entry_is() {
        let linux = [1, 8, 0x4c, 1, 0x90, 3, 0, 0, 0, 0];
        assert_eq!(compatible_entry(&program(&linux), IA32), Some(0x390));
        assert_eq!(compatible_entry(&program(&linux), 0x8664), None, "it is for that one");
        let second = [&[2, 4, 9, 9, 1, 8, 0x64, 0xaa, 1, 1, 0, 0][..], &linux].concat();
        assert_eq!(compatible_entry(&program(&second), IA32), Some(0x390));
    }

    #[test]
    fn a_program_without_one_or_a_broken_one_has_none() {
        for entries in [
            &[][..],
            &[0],
            &[1, 0, 0x4c, 1],
            &[1, 8, 0x4c, 1, 0, 0, 1, 0],
            &[3, 2, 1, 8, 0x64, 0xaa, 0, 0, 0, 0],
        ] {
            assert_eq!(compatible_entry(&program(entries), IA32), None, "{entries:?}");
        }
        let whole = program(&[1, 8, 0x4c, 1, 0x90, 3, 0, 0]);
        for length in 0..0x808 {
            assert_eq!(compatible_entry(&whole[..length], IA32), None, "{length}");
        }
        let mut far = whole;
        far[60..64].fill(0xff);
        assert_eq!(compatible_entry(&far, IA32), None);
    }
}
