//! `isobuild loader`

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};

use crate::ground::text::visible_path;
use crate::resolve::loader::builtin;

use super::{Failure, Loader, print};

pub(super) fn run(arguments: &Loader) -> Result<(), Failure> {
    let directory = &arguments.directory;
    let failed = |path: &std::path::Path, action| {
        let path = path.to_owned();
        move |source| Failure::io(path, action, source)
    };
    fs::create_dir_all(directory).map_err(failed(directory, "making the directory"))?;
    let paths = builtin::EFI.map(|(_, name, _)| directory.join(name));
    // All or nothing: none of them is overwritten, and no sentence comes after a half.
    if let Some(there) = paths.iter().find(|path| fs::symlink_metadata(path).is_ok()) {
        let source = ErrorKind::AlreadyExists.into();
        return Err(failed(there, "writing")(source));
    }
    let mut said = String::new();
    for (path, (machine, _, program)) in paths.iter().zip(builtin::EFI) {
        let mut file = File::create_new(path).map_err(failed(path, "writing"))?;
        file.write_all(program)
            .and_then(|()| file.sync_all())
            .map_err(failed(path, "writing"))?;
        said += &format!("{}: for {machine}\n", visible_path(path));
    }
    print(&said)
}
