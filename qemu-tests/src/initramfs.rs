//! A first root file system for a guest: programs of the host with the libraries that they need, a kernel's modules, and a script.

use crate::cpio::Archive;
use crate::pins::Inputs;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A root file system under construction.
#[derive(Debug, Default)]
pub struct Initramfs {
    archive: Archive,
    /// What is in it.
    names: BTreeSet<PathBuf>,
}

impl Initramfs {
    /// One with busybox, these modules of a kernel from a folder of the inputs, and the first program.
    pub fn new(inputs: &Inputs, folder: &str, modules: &[&str], init: &str) -> Result<Self, String> {
        let mut new = Self::default();
        new.file("/busybox", &read(&inputs.file("busybox")?)?);
        new.file("/init", init.as_bytes());
        for module in modules {
            let from = inputs.file(&format!("{folder}{module}.ko"))?;
            new.file(&format!("/modules/{module}.ko"), &read(&from)?);
        }
        Ok(new)
    }

    /// A file, which may be run.
    pub fn file(&mut self, path: &str, bytes: &[u8]) {
        let path = Path::new(path);
        if self.names.contains(path) {
            return;
        }
        self.directories(path);
        self.archive.file(&name(path), bytes);
        self.names.insert(path.to_owned());
    }

    /// A program of the host at this path, and every library that it is linked with at the path where it is there.
    pub fn program(&mut self, path: &str, program: &Path) -> Result<(), String> {
        self.file(path, &read(program)?);
        for library in libraries(program)? {
            self.file(&library.to_string_lossy(), &read(&library)?);
        }
        Ok(())
    }

    /// The archive.
    pub fn finish(self) -> Vec<u8> {
        self.archive.finish()
    }

    fn directories(&mut self, path: &Path) {
        let mut above: Vec<&Path> = path
            .ancestors()
            .skip(1)
            .filter(|path| path.parent().is_some())
            .collect();
        above.reverse();
        for directory in above {
            if self.names.insert(directory.to_owned()) {
                self.archive.directory(&name(directory));
            }
        }
    }
}

fn name(path: &Path) -> String {
    path.to_string_lossy().trim_start_matches('/').to_owned()
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// What ldd(1) says: lines of `name => path (address)`, and of `path (address)` for the linker itself.
fn libraries(program: &Path) -> Result<Vec<PathBuf>, String> {
    let output = Command::new("ldd")
        .arg(program)
        .output()
        .map_err(|e| format!("ldd: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = text.lines().flat_map(|line| line.split_whitespace());
    Ok(words.filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}
