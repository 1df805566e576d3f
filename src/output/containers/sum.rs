//! A sum over the bytes of a disk. Two files in different forms with the same disk have the same sum.

use twox_hash::XxHash3_128;

use super::units::{Unit, Units, is_zero};
use crate::output::OutputError;
use crate::output::pipeline::Take;

/// So many bytes are hashed together. A unit of zeros is left out, so that holes need not be read.
const UNIT: usize = 64 << 10;

/// The hash of a unit, with the unit's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashed {
    number: u64,
    hash: u128,
}

/// The sum so far. Zeros at the end of the disk do not change it, because some forms round the length up to whole sectors.
pub struct DiskSum {
    units: Units,
    all: XxHash3_128,
}

impl Default for DiskSum {
    fn default() -> Self {
        Self {
            units: Units::new(UNIT),
            all: XxHash3_128::new(),
        }
    }
}

impl DiskSum {
    /// Bytes that are hashed together.
    pub const UNIT: u64 = UNIT as u64;

    /// The next bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let Self { units, all } = self;
        units
            .bytes(bytes, &mut |number, unit| take(all, number, unit))
            .unwrap_or(());
    }

    /// Hashes some bytes, which any thread can do, for [`Self::add`]. `offset` is a multiple of [`Self::UNIT`].
    pub fn hashed(offset: u64, bytes: &[u8]) -> Vec<Hashed> {
        let units = (offset / UNIT as u64..).zip(bytes.chunks(UNIT));
        units.filter_map(|(number, bytes)| hashed(number, bytes)).collect()
    }

    /// The hashes of the next bytes. What is between them and those before are zeros.
    pub fn add(&mut self, units: Vec<Hashed>) {
        units.into_iter().for_each(|unit| add(&mut self.all, unit));
    }

    /// So many zeros.
    pub fn zeros(&mut self, length: u64) {
        let Self { units, all } = self;
        units
            .zeros(length, &mut |number, unit| take(all, number, unit))
            .unwrap_or(());
    }

    /// The sum.
    pub fn finish(mut self) -> u128 {
        let Self { units, all } = &mut self;
        units.end(&mut |number, unit| take(all, number, unit)).unwrap_or(());
        self.all.finish_128()
    }
}

fn take(all: &mut XxHash3_128, number: u64, unit: Unit<'_>) -> Result<(), ()> {
    if let Unit::Bytes(bytes) = unit
        && let Some(unit) = hashed(number, bytes)
    {
        add(all, unit);
    }
    Ok(())
}

/// The hash of a unit without the zeros at its end. `None` if it is all zeros.
fn hashed(number: u64, bytes: &[u8]) -> Option<Hashed> {
    if is_zero(bytes) {
        return None;
    }
    let end = bytes.iter().rposition(|&byte| byte != 0)? + 1;
    let hash = XxHash3_128::oneshot(bytes.get(..end)?);
    Some(Hashed { number, hash })
}

fn add(all: &mut XxHash3_128, unit: Hashed) {
    all.write(&unit.number.to_le_bytes());
    all.write(&unit.hash.to_le_bytes());
}

impl Take for DiskSum {
    fn bytes(&mut self, bytes: &[u8], _offset: u64) -> Result<(), OutputError> {
        Self::bytes(self, bytes);
        Ok(())
    }

    fn zeros(&mut self, length: u64) -> Result<(), OutputError> {
        Self::zeros(self, length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(parts: &[(&[u8], u64)]) -> u128 {
        let mut sum = DiskSum::default();
        for &(bytes, zeros) in parts {
            sum.bytes(bytes);
            sum.zeros(zeros);
        }
        sum.finish()
    }

    #[test]
    fn only_bytes_and_their_places_count() {
        let bytes: Vec<u8> = (0..200_000u32).map(|at| (at * 7) as u8 | 1).collect();
        let whole = sum(&[(&bytes, 0)]);
        assert_eq!(
            sum(&[(&bytes[..5], 0), (&bytes[5..70_000], 0), (&bytes[70_000..], 0)]),
            whole
        );
        // Zeros at the end do not count, whether they are given as bytes or not, and those in front do.
        assert_eq!(sum(&[(&bytes, 10_000_000)]), whole);
        assert_eq!(sum(&[(&bytes, 0), (&[0; 300], 0)]), whole);
        assert_ne!(sum(&[(&[], 1), (&bytes, 0)]), whole);
        assert_ne!(sum(&[(&[], UNIT as u64), (&bytes, 0)]), whole);
        assert_eq!(
            sum(&[(&[], 70_000), (&bytes, 0)]),
            sum(&[(&[0; 70_000], 0), (&bytes, 0)])
        );
        let mut other = bytes.clone();
        other[199_999] ^= 2;
        assert_ne!(sum(&[(&other, 0)]), whole);
    }
}
