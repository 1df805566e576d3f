//! `isobuild cat`

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;

use super::Failure;
use crate::formats::iso9660::EntryKind;
use crate::ground::text;
use crate::look::contents::{self, CopyError, Place, Tree};

use super::Cat;
use super::ls::failed;
use super::open::open;
use super::show;

pub(super) fn run(arguments: &Cat) -> Result<(), Failure> {
    let image = open(&arguments.image)?;
    let failed = |error| failed(&arguments.image, error);
    let refused = |why: String| Failure::input(&arguments.image, why);
    let place = Place::parse(arguments.path.as_bytes()).map_err(refused)?;
    let item = match place {
        Place::Partition(number) => contents::partition(&image, number).map_err(failed)?,
        place => {
            let (tree, path) = Tree::of_session(&image, place, arguments.session).map_err(failed)?;
            show::notes(&tree.notes);
            let item = tree.find(&path, true).map_err(failed)?;
            if item.kind != EntryKind::File {
                return Err(refused(format!("{}: it is no file", text::visible(&path))));
            }
            item.clone()
        }
    };
    match item.copy(&image, &mut |bytes| io::stdout().write_all(bytes)) {
        // A reader that has seen enough is no error.
        Err(CopyError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(CopyError::Write(source)) => Err(Failure::io("standard output", "writing", source)),
        Err(CopyError::Read(source)) => Err(Failure::io(&arguments.image, "reading", source)),
        Err(CopyError::Damaged(why)) => Err(refused(format!("{}: {why}", text::visible(arguments.path.as_bytes())))),
        Ok(()) => Ok(()),
    }
}
