//! `isobuild cat`

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;

use isobuild::contents::{self, Place};
use isobuild::error::Error;
use isobuild::iso9660::EntryKind;
use isobuild::read_at::ReadAt;
use isobuild::text;

use super::Cat;
use super::inspect::open;
use super::ls::{failed, tree};

/// What is read and written at once.
const PIECE: u64 = 1 << 20;

pub(super) fn run(arguments: &Cat) -> Result<(), Error> {
    let image = open(&arguments.image)?;
    let failed = |error| failed(&arguments.image, error);
    let refused = |why: String| Error::input(&arguments.image, why);
    let place = Place::parse(arguments.path.as_bytes()).map_err(refused)?;
    let (extents, length) = match place {
        Place::Partition(number) => {
            let (start, length) = contents::partition(&image, number).map_err(failed)?;
            (vec![(start, length)], length)
        }
        place => {
            let (tree, path) = tree(&image, place).map_err(failed)?;
            let item = tree.find(&path, true).map_err(failed)?;
            if item.kind != EntryKind::File {
                return Err(refused(format!("{}: it is no file", text::visible(&path))));
            }
            (item.extents.clone(), item.length)
        }
    };
    let held = extents
        .iter()
        .fold(0u64, |sum, &(_, length)| sum.saturating_add(length));
    let inside = extents
        .iter()
        .all(|&(at, length)| at.checked_add(length).is_some_and(|end| end <= image.size()));
    if held != length || !inside {
        return Err(refused(format!(
            "{} has {length} bytes, and not all of them are in the image: it is cut short",
            text::visible(arguments.path.as_bytes())
        )));
    }
    for (start, length) in extents {
        let mut at = start;
        while at < start + length {
            let piece = PIECE.min(start + length - at);
            let bytes = image.read_vec_at(at, piece).map_err(|source| Error::Io {
                path: arguments.image.clone(),
                action: "reading",
                source,
            })?;
            match io::stdout().write_all(&bytes) {
                // A reader that has seen enough is no error.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                result => result.map_err(|source| Error::Io {
                    path: "standard output".into(),
                    action: "writing",
                    source,
                })?,
            }
            at += piece;
        }
    }
    Ok(())
}
