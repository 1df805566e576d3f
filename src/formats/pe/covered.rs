//! What a signature of a program covers ("Calculating the PE Image Hash"): its headers without the checksum and the entry of the
//! certificate table, its sections in the order of the file, and what is behind them without the certificate table.

use std::fmt;
use std::io;

use crate::ground::read_at::ReadAt;

use super::Pe;

/// How much is read at once, in bytes.
const PIECE: usize = 1 << 16;

/// Why it cannot be said what a signature covers.
#[derive(Debug)]
pub enum CoverFault {
    /// Its headers, sections and certificate table are longer than the file, or not inside it.
    Layout,
    /// It cannot be read.
    Io(io::Error),
}

impl fmt::Display for CoverFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout => out.write_str("its headers, sections and certificates do not fit into the file"),
            Self::Io(error) => write!(out, "it cannot be read: {error}"),
        }
    }
}

impl Pe {
    /// Gives `take` all bytes that a signature of `file`, whose headers these are, covers, in their order.
    pub fn covered_bytes(&self, file: &dyn ReadAt, mut take: impl FnMut(&[u8])) -> Result<(), CoverFault> {
        let mut piece = vec![0; PIECE];
        for (start, end) in self.covered(file.size()).ok_or(CoverFault::Layout)? {
            let mut at = start;
            while at < end {
                let length = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
                let piece = &mut piece[..length];
                file.read_exact_at(piece, at).map_err(CoverFault::Io)?;
                take(piece);
                at += length as u64;
            }
        }
        Ok(())
    }

    /// The stretches that are hashed, one after the other: first byte and end. `None` if they are not in a file of `size` bytes, or if
    /// together they are longer than it.
    fn covered(&self, size: u64) -> Option<Vec<(u64, u64)>> {
        let places = &self.places;
        let mut stretches = vec![(0, places.checksum)];
        let behind_checksum = places.checksum + 4;
        match places.directory {
            Some(entry) => stretches.extend([(behind_checksum, entry), (entry + 8, places.headers_end)]),
            None => stretches.push((behind_checksum, places.headers_end)),
        }
        let mut sections: Vec<_> = self.sections.iter().filter(|section| section.stored > 0).collect();
        sections.sort_by_key(|section| section.offset);
        let mut summed = places.headers_end;
        for section in sections {
            stretches.push((section.offset, section.offset + section.stored));
            summed += section.stored;
        }
        // Counted, not looked up: what is behind the sections begins where as many bytes end as have been hashed.
        let end = size.checked_sub(places.certificates.1)?;
        match summed <= end {
            true => stretches.push((summed, end)),
            // The sections lie over each other. EDK2 fails if the certificates have no room behind them.
            false => return None,
        }
        let is_inside = |&(start, end): &(u64, u64)| start <= end && end <= size;
        stretches.iter().all(is_inside).then_some(stretches)
    }
}
