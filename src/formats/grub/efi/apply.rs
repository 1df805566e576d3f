//! One relocation: the System V ABI's supplements for i386, x86-64 and AArch64, as far as GRUB's kernels have them.

use object::Architecture;
use object::elf;

/// A field that depends on an address.
pub(super) struct Field {
    /// Which processor's.
    pub(super) architecture: Architecture,
    /// The type of the relocation.
    pub(super) kind: elf::RelocationType,
    /// The field's own address, P.
    pub(super) at: u64,
    /// What it names, S + A; where the addend is in the field itself, S.
    pub(super) target: u64,
}

impl Field {
    /// Writes the field, which `place` begins with. A field that holds an address of the image comes back: whether it is a wide one.
    pub(super) fn apply(&self, place: &mut [u8]) -> Result<Option<bool>, String> {
        let relative = self.target.wrapping_sub(self.at);
        match (self.architecture, self.kind) {
            (Architecture::I386, elf::R_386_32) => {
                let address = word(place)?.wrapping_add(self.target as u32);
                put(place, &address.to_le_bytes())?;
                Ok(Some(false))
            }
            (Architecture::I386, elf::R_386_PC32 | elf::R_386_PLT32) => {
                let value = word(place)?.wrapping_add(relative as u32);
                put(place, &value.to_le_bytes())?;
                Ok(None)
            }
            (Architecture::X86_64, elf::R_X86_64_64) | (Architecture::Aarch64, elf::R_AARCH64_ABS64) => {
                put(place, &self.target.to_le_bytes())?;
                Ok(Some(true))
            }
            (Architecture::X86_64, elf::R_X86_64_PC32 | elf::R_X86_64_PLT32)
            | (Architecture::Aarch64, elf::R_AARCH64_PREL32) => {
                put(place, &signed(relative, 32)?.to_le_bytes()[..4])?;
                Ok(None)
            }
            (Architecture::Aarch64, kind) => {
                let instruction = self.instruction(kind, word(place)?)?;
                put(place, &instruction.to_le_bytes())?;
                Ok(None)
            }
            (_, kind) => Err(unknown(kind)),
        }
    }

    /// An instruction of AArch64 with its immediate value.
    fn instruction(&self, kind: elf::RelocationType, instruction: u32) -> Result<u32, String> {
        let relative = self.target.wrapping_sub(self.at);
        // The low twelve bits of an address, in units of what is loaded or stored.
        let low = |scale: u32| {
            let low = (self.target & 0xFFF) as u32;
            match low & ((1 << scale) - 1) {
                0 => Ok(instruction & !(0xFFF << 10) | (low >> scale) << 10),
                _ => Err(format!("loads from {:#x}, which is not aligned", self.target)),
            }
        };
        match kind {
            elf::R_AARCH64_CALL26 | elf::R_AARCH64_JUMP26 => {
                let words = signed(relative, 28)? >> 2;
                Ok(instruction & !0x03FF_FFFF | words as u32 & 0x03FF_FFFF)
            }
            elf::R_AARCH64_ADR_PREL_PG_HI21 => {
                let pages = (self.target >> 12).wrapping_sub(self.at >> 12) as u32;
                let (low, high) = (pages & 3, pages >> 2 & 0x7_FFFF);
                Ok(instruction & !(3 << 29 | 0x7_FFFF << 5) | low << 29 | high << 5)
            }
            elf::R_AARCH64_ADD_ABS_LO12_NC | elf::R_AARCH64_LDST8_ABS_LO12_NC => low(0),
            elf::R_AARCH64_LDST16_ABS_LO12_NC => low(1),
            elf::R_AARCH64_LDST32_ABS_LO12_NC => low(2),
            elf::R_AARCH64_LDST64_ABS_LO12_NC => low(3),
            elf::R_AARCH64_LDST128_ABS_LO12_NC => low(4),
            kind => Err(unknown(kind)),
        }
    }
}

fn unknown(kind: elf::RelocationType) -> String {
    format!("has a relocation of type {kind}, which is not known here")
}

/// A distance, if a field of so many bits holds it.
fn signed(distance: u64, bits: u32) -> Result<i64, String> {
    let distance = distance as i64;
    let limit = 1_i64 << (bits - 1);
    match (-limit..limit).contains(&distance) {
        true => Ok(distance),
        false => Err(format!("reaches {distance} bytes far, and the field has {bits} bits")),
    }
}

fn word(place: &[u8]) -> Result<u32, String> {
    let bytes = place.first_chunk::<4>().ok_or("has a relocation at its end")?;
    Ok(u32::from_le_bytes(*bytes))
}

fn put(place: &mut [u8], bytes: &[u8]) -> Result<(), String> {
    let place = place.get_mut(..bytes.len()).ok_or("has a relocation at its end")?;
    place.copy_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(
        architecture: Architecture,
        kind: elf::RelocationType,
        at: u64,
        target: u64,
        before: u32,
    ) -> Result<(u32, Option<bool>), String> {
        let mut place = [&before.to_le_bytes()[..], &[0; 4]].concat();
        let field = Field {
            architecture,
            kind,
            at,
            target,
        };
        let fixup = field.apply(&mut place)?;
        Ok((word(&place).unwrap(), fixup))
    }

    /// The values are by hand, from the formulas of the supplements.
    #[test]
    fn fields_hold_what_the_supplements_say() {
        use Architecture::{Aarch64, I386, X86_64};
        for (architecture, kind, at, target, before, after, fixup) in [
            (I386, elf::R_386_32, 0x1010, 0x2000, 0x24, 0x2024, Some(false)),
            (I386, elf::R_386_PC32, 0x1010, 0x2000, 0xFFFF_FFFC, 0xFEC, None),
            (X86_64, elf::R_X86_64_64, 0x1010, 0xD004, 7, 0xD004, Some(true)),
            (X86_64, elf::R_X86_64_PC32, 0x2000, 0x1000, 7, 0xFFFF_F000, None),
            // bl, to four instructions further; and back.
            (
                Aarch64,
                elf::R_AARCH64_CALL26,
                0x1000,
                0x1010,
                0x9400_0000,
                0x9400_0004,
                None,
            ),
            (
                Aarch64,
                elf::R_AARCH64_JUMP26,
                0x1010,
                0x1000,
                0x1400_0000,
                0x17FF_FFFC,
                None,
            ),
            // adrp x0, five pages further: low two bits 01, the rest 1.
            (
                Aarch64,
                elf::R_AARCH64_ADR_PREL_PG_HI21,
                0x1FFC,
                0x6123,
                0x9000_0000,
                0xB000_0020,
                None,
            ),
            // add x0, x0, #0x123; ldr x0, [x0, #0x128].
            (
                Aarch64,
                elf::R_AARCH64_ADD_ABS_LO12_NC,
                0,
                0x6123,
                0x9100_0000,
                0x9104_8C00,
                None,
            ),
            (
                Aarch64,
                elf::R_AARCH64_LDST64_ABS_LO12_NC,
                0,
                0x6128,
                0xF940_0000,
                0xF940_9400,
                None,
            ),
        ] {
            let found = applied(architecture, kind, at, target, before);
            assert_eq!(found, Ok((after, fixup)), "{architecture:?} {kind}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        use Architecture::{Aarch64, X86_64};
        for (architecture, kind, target, why) in [
            (X86_64, elf::R_X86_64_GOTPCREL, 0, "type 9"),
            (X86_64, elf::R_X86_64_PC32, 1 << 40, "32 bits"),
            (Aarch64, elf::R_AARCH64_CALL26, 1 << 30, "28 bits"),
            (Aarch64, elf::R_AARCH64_LDST64_ABS_LO12_NC, 0x6124, "not aligned"),
        ] {
            let error = applied(architecture, kind, 0, target, 0).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
