//! Which assets this host has, for `doctor`.

use std::path::Path;

use super::table::{Asset, all};
use crate::facts::LoaderFacts;
use crate::facts::loaders::loader_facts;
use crate::ground::installed::Installed;
use crate::ground::packages;
use crate::ground::read_at::FileAt;
use crate::ground::stamp;

/// All of them: where the host has them, the version of their package, and who has signed them.
pub fn installed() -> Vec<Installed> {
    all().map(find).collect()
}

fn find(asset: &Asset) -> Installed {
    let place = asset.places.iter().find(|place| Path::new(place).is_file());
    let found = match place {
        Some(place) => Ok(shown(asset, place)),
        None => Err(asset.missing()),
    };
    let installed = Installed::new(asset.name, &asset.packages, found);
    Installed {
        version: installed
            .package
            .filter(|_| place.is_some())
            .and_then(packages::version),
        signed_by: place.map_or_else(Vec::new, |place| signers(Path::new(place))),
        ..installed
    }
}

/// The file, or the directory that it stands for.
fn shown(asset: &Asset, place: &str) -> String {
    match place.rsplit_once('/') {
        Some((directory, _)) if asset.is_directory() => directory.to_owned(),
        _ => place.to_owned(),
    }
}

/// The names in the certificates of good signatures; what is wrong with the others.
fn signers(path: &Path) -> Vec<String> {
    let file = stamp::open(path).and_then(FileAt::new);
    let facts = file.map_or_else(|_| LoaderFacts::default(), |file| loader_facts("", &file));
    let signatures = facts.signatures.into_iter();
    signatures.filter_map(|one| one.signer.or(one.fault)).collect()
}
