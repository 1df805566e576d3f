//! A sum over the bytes of a disk. Two files in different forms with the same disk have the same sum.

use twox_hash::XxHash3_128;

use super::units::{Unit, Units, is_zero};
use crate::output::OutputError;
use crate::output::pipeline::Take;

/// So many bytes are hashed together. A unit of zeros is left out, so that holes need not be read.
const UNIT: usize = 64 << 10;

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
    /// The next bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let Self { units, all } = self;
        units
            .bytes(bytes, &mut |number, unit| add(all, number, unit))
            .unwrap_or(());
    }

    /// So many zeros.
    pub fn zeros(&mut self, length: u64) {
        let Self { units, all } = self;
        units
            .zeros(length, &mut |number, unit| add(all, number, unit))
            .unwrap_or(());
    }

    /// The sum.
    pub fn finish(mut self) -> u128 {
        let Self { units, all } = &mut self;
        units.end(&mut |number, unit| add(all, number, unit)).unwrap_or(());
        self.all.finish_128()
    }
}

fn add(all: &mut XxHash3_128, number: u64, unit: Unit<'_>) -> Result<(), ()> {
    let Unit::Bytes(bytes) = unit else { return Ok(()) };
    if is_zero(bytes) {
        return Ok(());
    }
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    all.write(&number.to_le_bytes());
    all.write(&XxHash3_128::oneshot(&bytes[..end]).to_le_bytes());
    Ok(())
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
