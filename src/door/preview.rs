//! A planned image that can be read before it is written.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::ground::range::Range;
use crate::ground::read_at::{ReadAt, end_within};
use crate::ground::stamp;
use crate::output::{Piece, PieceSource};

/// The pieces of an image. Metadata is encoded in memory; host files are opened when somebody reads them.
pub(super) struct Preview<'p> {
    size: u64,
    pieces: Vec<Piece<'p>>,
    /// The host file that was read last. It stays open because readers go through a program from its beginning to its end.
    open: RefCell<Option<(&'p Path, File)>>,
}

impl<'p> Preview<'p> {
    /// `pieces` come in the order of their offsets.
    pub(super) fn new<E>(size: u64, pieces: impl Iterator<Item = Result<Piece<'p>, E>>) -> Result<Self, E> {
        Ok(Self {
            size,
            pieces: pieces.collect::<Result<_, _>>()?,
            open: RefCell::new(None),
        })
    }

    /// Fills `buffer` from the byte `start` of a piece.
    fn read(&self, piece: &Piece<'p>, start: u64, buffer: &mut [u8]) -> io::Result<()> {
        match &piece.source {
            PieceSource::Bytes(bytes) => bytes.read_exact_at(buffer, start),
            PieceSource::Given(bytes) => bytes.read_exact_at(buffer, start),
            PieceSource::File { path, offset, .. } => {
                let mut open = self.open.borrow_mut();
                let file = match open.take().filter(|(known, _)| known == path) {
                    Some((_, file)) => file,
                    None => stamp::open(path)?,
                };
                let read = file.read_exact_at(buffer, offset + start);
                *open = Some((path, file));
                read
            }
        }
    }
}

fn range(piece: &Piece<'_>) -> Range {
    Range {
        offset: piece.offset,
        length: piece.length,
    }
}

impl ReadAt for Preview<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = end_within(self.size, offset, buffer)?;
        let wanted = Range {
            offset,
            length: end - offset,
        };
        buffer.fill(0);
        let first = self.pieces.partition_point(|piece| range(piece).end() <= offset);
        let here = self.pieces[first..].iter().take_while(|piece| piece.offset < end);
        for piece in here {
            let Some(both) = range(piece).overlap(wanted) else {
                continue;
            };
            let part = &mut buffer[(both.offset - offset) as usize..][..both.length as usize];
            self.read(piece, both.offset - piece.offset, part)?;
        }
        Ok(())
    }
}
