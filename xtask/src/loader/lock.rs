//! The lock beside an image: what it was made of, and by which compiler.

use super::{Image, read, sources};
use qemu_tests::hash;
use std::collections::BTreeMap;
use std::fmt;

/// A lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lock {
    /// As `rustc --version` says.
    pub(crate) compiler: String,
    flags: String,
    image: String,
    sources: BTreeMap<String, String>,
}

impl Lock {
    /// The lock of an image that has these bytes.
    pub(crate) fn of(image: &Image, compiler: &str, bytes: &[u8]) -> Result<Self, String> {
        let mut digests = BTreeMap::new();
        for path in image.sources()? {
            let name = path.to_string_lossy().replace('\\', "/");
            digests.insert(name, hash::bytes(&read(&sources().join(&path))?));
        }
        Ok(Self {
            compiler: compiler.to_owned(),
            flags: image.flags(),
            image: hash::bytes(bytes),
            sources: digests,
        })
    }

    /// Reads what [`fmt::Display`] writes.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut values = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (key, value) = line
                .split_once(" = ")
                .ok_or_else(|| format!("no lock's line: {line}"))?;
            values.insert(key.to_owned(), value.to_owned());
        }
        let mut take = |key: &str| values.remove(key).ok_or_else(|| format!("no {key}"));
        Ok(Self {
            compiler: take("compiler")?,
            flags: take("flags")?,
            image: take("image")?,
            sources: values,
        })
    }

    /// What differs between this lock and what is there now.
    pub(crate) fn difference(&self, now: &Self) -> Option<String> {
        if self.flags != now.flags {
            return Some("the compiler's flags have changed".to_owned());
        }
        let names = self.sources.keys().chain(now.sources.keys());
        if let Some(name) = names
            .into_iter()
            .find(|name| self.sources.get(*name) != now.sources.get(*name))
        {
            return Some(format!("templates/loader/{name} has changed since it was built"));
        }
        (self.image != now.image).then(|| "it is not the image that was locked".to_owned())
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "# Written by `cargo xtask loader`. SHA-256 of the image and of each source in templates/loader/."
        )?;
        writeln!(
            out,
            "compiler = {}\nflags = {}\nimage = {}",
            self.compiler, self.flags, self.image
        )?;
        self.sources
            .iter()
            .try_for_each(|(name, digest)| writeln!(out, "{name} = {digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_read_as_it_is_written_and_knows_what_changed() {
        let lock = Lock {
            compiler: "rustc 1.95.0 (x)".to_owned(),
            flags: "-a -b".to_owned(),
            image: "00".to_owned(),
            sources: BTreeMap::from([("src/lib.rs".to_owned(), "11".to_owned())]),
        };
        assert_eq!(Lock::parse(&lock.to_string()), Ok(lock.clone()));
        assert_eq!(lock.difference(&lock), None);
        let mut now = lock.clone();
        now.sources.insert("src/new.rs".to_owned(), "22".to_owned());
        let difference = lock.difference(&now).unwrap_or_default();
        assert!(difference.contains("src/new.rs has changed"), "{difference}");
        now = Lock {
            image: "33".to_owned(),
            ..lock.clone()
        };
        assert!(lock.difference(&now).is_some());
    }
}
