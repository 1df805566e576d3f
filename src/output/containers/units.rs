//! Cuts the bytes of an image into units of one length for containers and compressors.

/// Takes bytes and zeros in any lengths, and gives units.
#[derive(Debug)]
pub(super) struct Units {
    unit: usize,
    /// The number of the next unit.
    number: u64,
    /// The bytes of the next unit that have come so far.
    part: Vec<u8>,
}

/// What is in a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit<'a> {
    /// So many units of zeros.
    Zeros(u64),
    /// The bytes of one unit.
    Bytes(&'a [u8]),
}

impl Units {
    pub(super) fn new(unit: usize) -> Self {
        Self {
            unit,
            number: 0,
            part: Vec::new(),
        }
    }

    /// Takes bytes. `give` gets each complete unit with its number.
    pub(super) fn bytes<E>(
        &mut self,
        mut bytes: &[u8],
        give: &mut dyn FnMut(u64, Unit<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(self.unit - self.part.len()));
            bytes = rest;
            if now.len() == self.unit {
                self.give(now, give)?;
                continue;
            }
            self.part.extend(now);
            if self.part.len() == self.unit {
                let part = std::mem::take(&mut self.part);
                self.give(&part, give)?;
                self.part = part;
                self.part.clear();
            }
        }
        Ok(())
    }

    /// Takes zeros.
    pub(super) fn zeros<E>(
        &mut self,
        mut length: u64,
        give: &mut dyn FnMut(u64, Unit<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.part.is_empty() {
            let now = length.min((self.unit - self.part.len()) as u64);
            self.bytes(&vec![0; now as usize], give)?;
            length -= now;
        }
        let units = length / self.unit as u64;
        if units > 0 {
            give(self.number, Unit::Zeros(units))?;
            self.number += units;
        }
        self.part
            .resize(self.part.len() + (length % self.unit as u64) as usize, 0);
        Ok(())
    }

    /// Gives the last bytes, which are shorter than a unit.
    pub(super) fn end<E>(&mut self, give: &mut dyn FnMut(u64, Unit<'_>) -> Result<(), E>) -> Result<(), E> {
        match std::mem::take(&mut self.part) {
            part if part.is_empty() => Ok(()),
            part => self.give(&part, give),
        }
    }

    fn give<E>(&mut self, bytes: &[u8], give: &mut dyn FnMut(u64, Unit<'_>) -> Result<(), E>) -> Result<(), E> {
        let number = self.number;
        self.number += 1;
        // An incomplete unit is the last one. It is given even if it is zero, because its length matters.
        match bytes.len() == self.unit && is_zero(bytes) {
            true => give(number, Unit::Zeros(1)),
            false => give(number, Unit::Bytes(bytes)),
        }
    }
}

/// Whether all bytes are zero. The first page that is not ends the search.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    const STEP: usize = 4096;
    bytes
        .chunks(STEP)
        .all(|page| page.iter().fold(0, |any, byte| any | byte) == 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The units of pieces, each a length and what its bytes are.
    fn units(unit: usize, pieces: &[(usize, u8)]) -> Vec<(u64, Vec<u8>)> {
        let mut units = Units::new(unit);
        let mut all = Vec::new();
        let mut give = |number, unit_of: Unit<'_>| -> Result<(), ()> {
            match unit_of {
                Unit::Zeros(count) => all.extend((number..number + count).map(|number| (number, vec![0; unit]))),
                Unit::Bytes(bytes) => all.push((number, bytes.to_vec())),
            }
            Ok(())
        };
        for &(length, byte) in pieces {
            match byte {
                0 => units.zeros(length as u64, &mut give).unwrap(),
                byte => units.bytes(&vec![byte; length], &mut give).unwrap(),
            }
        }
        units.end(&mut give).unwrap();
        all
    }

    proptest! {
        #[test]
        fn units_are_the_bytes(unit in 1usize..9, pieces in prop::collection::vec((0usize..20, 0u8..3), 0..20)) {
            let whole: Vec<u8> = pieces.iter().flat_map(|&(length, byte)| vec![byte; length]).collect();
            let wanted: Vec<(u64, Vec<u8>)> = (0..).zip(whole.chunks(unit).map(<[u8]>::to_vec)).collect();
            prop_assert_eq!(units(unit, &pieces), wanted);
        }
    }

    #[test]
    fn a_byte_at_the_end_is_seen() {
        let mut bytes = vec![0; 10_000];
        assert!(is_zero(&bytes));
        bytes[9_999] = 1;
        assert!(!is_zero(&bytes) && is_zero(&[]));
    }
}
