//! The files that an image is made of, found and read.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::table::Asset;
use crate::facts::PartFacts;
use crate::formats::archive::{ArchiveEntry, Kind};
use crate::ground::stamp::Stamp;
use crate::ground::text;
use crate::manifest::{At, Text};
use crate::resolve::host::SourceBytes;
use crate::resolve::sources::Content;
use crate::resolve::unpack::Unpacking;
use crate::resolve::{Resolution, ResolveError};
use crate::tree::PayloadId;
use crate::tree::source::Source;

/// The largest file of a loader that is read, in bytes. Signed ones of GRUB have 4 MB.
const LARGEST: u64 = 64 << 20;

/// Symbolic links in a package that lead to one another are followed so far.
const LINKS: usize = 40;

/// What `boot.assets` names.
pub(in crate::resolve) enum Store {
    Directory(PathBuf),
    Package {
        entries: HashMap<Vec<u8>, ArchiveEntry>,
        unpacking: Box<Unpacking>,
    },
}

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::resolve::loader) struct Found {
    /// Which of `boot.assets` has it; none for the host's own.
    store: Option<usize>,
    /// Its path there.
    path: String,
}

impl Found {
    /// Another file of the same directory.
    pub(in crate::resolve::loader) fn beside(&self, name: &str) -> Self {
        let directory = self.path.rfind('/').map_or("", |slash| &self.path[..=slash]);
        Self {
            store: self.store,
            path: format!("{directory}{name}"),
        }
    }

    /// Its name without directories.
    pub(in crate::resolve::loader) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// A file that was read.
#[derive(Clone, Debug)]
pub(in crate::resolve::loader) struct Part {
    /// All of it.
    pub(in crate::resolve::loader) bytes: Arc<[u8]>,
    source: Source,
}

impl Resolution<'_> {
    /// Opens what `boot.assets` names. What cannot be used is reported.
    pub(in crate::resolve) fn open_assets(&mut self) -> Result<(), ResolveError> {
        for named in &self.document.manifest.boot.assets {
            if let Some(store) = self.store(named)? {
                self.assets.push(store);
            }
        }
        Ok(())
    }

    fn store(&mut self, named: &Text) -> Result<Option<Store>, ResolveError> {
        let path = self.host_path(named.get_ref());
        match path.metadata() {
            Ok(data) if data.is_dir() => return Ok(Some(Store::Directory(path))),
            Ok(_) => {}
            Err(error) => {
                self.missing(named, &error);
                return Ok(None);
            }
        }
        let Some((file, _)) = self.host.input(&path, None)? else {
            return Ok(None);
        };
        let Some((content, unpacking)) = self.content_of(named, &path, file)? else {
            return Ok(None);
        };
        let Content::Entries(entries) = content else {
            let message = format!(
                "{:?} is neither a directory nor a package of Debian or another archive",
                named.get_ref()
            );
            self.error(named, message, "has no files of loaders");
            return Ok(None);
        };
        let entries = entries.into_iter().map(|entry| (entry.path.clone(), entry)).collect();
        let unpacking = Box::new(unpacking);
        Ok(Some(Store::Package { entries, unpacking }))
    }

    /// Where an asset is: in what `boot.assets` names, in its order, else on the host.
    pub(in crate::resolve::loader) fn find_asset(&self, asset: &Asset) -> Option<Found> {
        let in_store = |store: usize| {
            let paths = asset.short.iter().chain(asset.places);
            let mut found = paths.map(|path| Found {
                store: Some(store),
                path: path.trim_start_matches('/').to_owned(),
            });
            found.find(|found| self.is_there(found))
        };
        (0..self.assets.len()).find_map(in_store).or_else(|| {
            let mut places = asset.places.iter().map(|place| Found {
                store: None,
                path: (*place).to_owned(),
            });
            places.find(|found| self.is_there(found))
        })
    }

    /// The same; what is missing is an error at `at`.
    pub(in crate::resolve::loader) fn asset<T>(&mut self, at: &At<T>, asset: &Asset) -> Option<Found> {
        let found = self.find_asset(asset);
        if found.is_none() {
            let help = "`boot.assets` names directories and packages in which such files are looked for first";
            self.error_with(at, asset.missing(), "needs it", help);
        }
        found
    }

    /// Whether a file is there.
    pub(in crate::resolve::loader) fn is_there(&self, found: &Found) -> bool {
        match found.store.and_then(|store| self.assets.get(store)) {
            Some(Store::Directory(directory)) => directory.join(&found.path).is_file(),
            Some(Store::Package { entries, .. }) => in_package(entries, &found.path).is_some(),
            None => PathBuf::from(&found.path).is_file(),
        }
    }

    /// Reads a file, which the plan names as a part of the image from now on. None if it is missing, which is reported at `at`.
    pub(in crate::resolve::loader) fn part<T>(
        &mut self,
        at: &At<T>,
        found: &Found,
    ) -> Result<Option<Part>, ResolveError> {
        let (source, length) = match found.store.and_then(|store| self.assets.get(store)) {
            Some(Store::Package { entries, unpacking }) => {
                let Some((path, place)) = in_package(entries, &found.path) else {
                    return self.lacks_part(at, found);
                };
                (unpacking.source(place, path), place.length)
            }
            store => {
                let path = match store {
                    Some(Store::Directory(directory)) => directory.join(&found.path),
                    _ => PathBuf::from(&found.path),
                };
                if !path.is_file() {
                    return self.lacks_part(at, found);
                }
                let Some((_, data)) = self.host.input(&path, None)? else {
                    return Ok(None);
                };
                let source = Source::File {
                    path: Arc::from(path),
                    stamp: Stamp::of(&data),
                    offset: 0,
                    member: None,
                };
                (source, data.len())
            }
        };
        let shown = source.shown(&self.base);
        if length > LARGEST {
            let message = format!("{shown} has {length} bytes, and no file of a loader has more than {LARGEST}");
            self.error(at, message, "this loader");
            return Ok(None);
        }
        let bytes: Arc<[u8]> = SourceBytes::open(&source)?.read(0, length as usize)?.into();
        let sha256 = text::hex(&Sha256::digest(&bytes));
        if !self.used.iter().any(|part| part.path == shown) {
            self.used.push(PartFacts { path: shown, sha256 });
        }
        Ok(Some(Part { bytes, source }))
    }

    fn lacks_part<T>(&mut self, at: &At<T>, found: &Found) -> Result<Option<Part>, ResolveError> {
        let message = format!("{} is missing, beside which the loader's other files are", found.path);
        self.error(at, message, "this loader");
        Ok(None)
    }

    /// A part as it is, for the image.
    pub(in crate::resolve::loader) fn part_payload(&mut self, part: &Part) -> Result<PayloadId, ResolveError> {
        self.host
            .sourced(&mut self.tree, part.source.clone(), part.bytes.len() as u64)
    }
}

/// The path and place of a file in a package, symbolic links followed.
fn in_package<'e>(
    entries: &'e HashMap<Vec<u8>, ArchiveEntry>,
    path: &str,
) -> Option<(&'e [u8], crate::ground::spool::Place)> {
    let mut at = path.as_bytes().to_vec();
    for _ in 0..LINKS {
        let entry = entries.get(&at)?;
        match &entry.kind {
            Kind::File(place) => return Some((&entry.path, *place)),
            Kind::Link(target) => at = target.clone(),
            Kind::Symlink(target) => {
                let directory = at.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
                let whole = match target.strip_prefix(b"/") {
                    Some(absolute) => absolute.to_vec(),
                    None => [&at[..directory], target].concat(),
                };
                at = plain(&whole);
            }
            _ => return None,
        }
    }
    None
}

/// A path without `.` and `..`.
fn plain(path: &[u8]) -> Vec<u8> {
    let mut components: Vec<&[u8]> = Vec::new();
    for name in path.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => drop(components.pop()),
            name => components.push(name),
        }
    }
    components.join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::spool::Place;
    use crate::ground::time::Timestamp;

    #[test]
    fn links_of_a_package_are_followed_inside_it() {
        let place = Place {
            spooled: false,
            offset: 7,
            length: 1,
        };
        let entry = |path: &str, kind| ArchiveEntry {
            path: path.into(),
            kind,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: Timestamp::from_unix(0),
        };
        let symlink = |target: &str| Kind::Symlink(target.into());
        let entries = [
            entry("usr/lib/shim/shim.efi.real", Kind::File(place)),
            entry("usr/lib/shim/shim.efi", symlink("shim.efi.real")),
            entry("usr/share/shim.efi", symlink("../lib/./shim/shim.efi")),
            entry("usr/absolute", symlink("/usr/share/shim.efi")),
            entry("usr/hard", Kind::Link("usr/absolute".into())),
            entry("usr/out", symlink("../../etc/passwd")),
            entry("usr/loop", symlink("loop")),
        ];
        let entries = entries.into_iter().map(|entry| (entry.path.clone(), entry)).collect();
        for path in [
            "usr/lib/shim/shim.efi.real",
            "usr/lib/shim/shim.efi",
            "usr/share/shim.efi",
            "usr/absolute",
            "usr/hard",
        ] {
            let (found, at) = in_package(&entries, path).unwrap();
            assert_eq!((found, at), (&b"usr/lib/shim/shim.efi.real"[..], place), "{path}");
        }
        for path in ["usr/out", "usr/loop", "usr/lib", "nothing"] {
            assert_eq!(in_package(&entries, path), None, "{path}");
        }
    }
}
