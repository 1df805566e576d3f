//! A planned image as if it were written, for what is said of it by looking at it.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::ground::read_at::ReadAt;
use crate::ground::stamp;
use crate::output::{Piece, PieceSource};

/// All pieces of an image. What is encoded is in memory, files are opened when they are read.
pub(super) struct Preview<'p> {
    size: u64,
    pieces: Vec<Piece<'p>>,
    /// The file that was read last. A program is read from its beginning to its end.
    open: RefCell<Option<(&'p Path, File)>>,
}

impl<'p> Preview<'p> {
    /// The pieces by offset.
    pub(super) fn new<E>(size: u64, pieces: impl Iterator<Item = Result<Piece<'p>, E>>) -> Result<Self, E> {
        Ok(Self {
            size,
            pieces: pieces.collect::<Result<_, _>>()?,
            open: RefCell::new(None),
        })
    }

    /// Part of a piece, from its byte `start` on.
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

impl ReadAt for Preview<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64);
        let Some(end) = end.filter(|&end| end <= self.size) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        buffer.fill(0);
        let first = self
            .pieces
            .partition_point(|piece| piece.offset + piece.length <= offset);
        let here = self.pieces.iter().skip(first).take_while(|piece| piece.offset < end);
        for piece in here {
            let (start, stop) = (piece.offset.max(offset), (piece.offset + piece.length).min(end));
            let part = &mut buffer[(start - offset) as usize..(stop - offset) as usize];
            self.read(piece, start - piece.offset, part)?;
        }
        Ok(())
    }
}
