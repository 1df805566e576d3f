//! A cache of a file's pages. Readers look up one table entry at a time, and most entries share a page.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::read_at::{ReadAt, Shared};

/// Bytes of a page.
const PAGE: u64 = 64 << 10;
/// The cache keeps so many pages. A reader looks into a handful of tables in turn.
const PAGES: usize = 16;

/// A file and its cache.
#[derive(Debug)]
pub(crate) struct Pages {
    file: Shared,
    /// The page that was used last is at the end.
    kept: Mutex<Vec<(u64, Arc<[u8]>)>>,
}

impl Pages {
    pub(crate) fn new(file: Shared) -> Self {
        Self {
            file,
            kept: Mutex::default(),
        }
    }

    /// The file itself, for reads that need no cache.
    pub(crate) fn file(&self) -> &Shared {
        &self.file
    }

    /// The bytes of a table entry.
    pub(crate) fn array<const LENGTH: usize>(&self, offset: u64) -> io::Result<[u8; LENGTH]> {
        let mut bytes = [0; LENGTH];
        self.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn page(&self, number: u64) -> io::Result<Arc<[u8]>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = kept.iter().position(|page| page.0 == number) {
            let page = kept.remove(place);
            let bytes = page.1.clone();
            kept.push(page);
            return Ok(bytes);
        }
        let offset = number * PAGE;
        let length = self.file.size().saturating_sub(offset).min(PAGE);
        let bytes: Arc<[u8]> = self.file.read_vec_at(offset, length)?.into();
        if kept.len() == PAGES {
            kept.remove(0);
        }
        kept.push((number, bytes.clone()));
        Ok(bytes)
    }
}

impl ReadAt for Pages {
    fn size(&self) -> u64 {
        self.file.size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        let mut rest = buffer;
        while !rest.is_empty() {
            let page = self.page(offset / PAGE)?;
            let bytes = page.get((offset % PAGE) as usize..).unwrap_or_default();
            let length = bytes.len().min(rest.len());
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let (now, later) = rest.split_at_mut(length);
            now.copy_from_slice(&bytes[..length]);
            rest = later;
            offset += length as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_the_file() {
        let bytes: Vec<u8> = (0..40 * PAGE + 5).map(|at| (at >> 8) as u8 ^ at as u8).collect();
        let pages = Pages::new(Shared::new(bytes.clone()));
        for offset in [0, PAGE - 3, 39 * PAGE, 40 * PAGE - 1, 17 * PAGE, 2, 40 * PAGE] {
            let found = pages.read_vec_at(offset, 5).unwrap();
            assert_eq!(found, bytes[offset as usize..][..5]);
        }
        assert!(pages.read_exact_at(&mut [0; 5], 40 * PAGE + 1).is_err());
        assert!(pages.read_exact_at(&mut [0; 1], u64::MAX - 1).is_err());
        assert!(pages.kept.lock().unwrap().len() <= PAGES);
    }
}
