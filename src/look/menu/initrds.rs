//! Where the initrds of kernels stand in the texts of configurations, and texts with one more behind them.

use super::{Loader, entries, grub, own, syslinux};

/// The last initrd of a kernel, as it stands in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initrds {
    /// What menus show of the entry, as in [`Arguments`](super::arguments::Arguments). Empty for what counts for every entry of the text.
    pub titles: Vec<String>,
    /// Where the next one goes.
    pub end: usize,
    /// What stands before the name of the next one, with the directory of the last one.
    pub before: String,
    /// What stands behind it, such as a quote.
    pub after: &'static str,
}

/// The initrds of every kernel that has some.
fn initrds(loader: Loader, text: &[u8]) -> Vec<Initrds> {
    match loader {
        Loader::Grub => grub::initrds(text),
        Loader::Syslinux => syslinux::initrds(text),
        Loader::SystemdBoot => entries::initrds(text),
        Loader::Builtin => own::initrds(text),
        // It has modules instead.
        Loader::Freebsd => Vec::new(),
    }
}

/// The text with more initrds behind the last one of each kernel that `is_meant`, in its directory. Names are plain: letters, digits, dots,
/// hyphens and underscores. The second result is the first byte that moves.
pub fn with_more(
    loader: Loader,
    text: &[u8],
    names: &[String],
    is_meant: &dyn Fn(&[String]) -> bool,
) -> (Vec<u8>, Option<usize>) {
    let mut found = initrds(loader, text);
    found.retain(|initrds| is_meant(&initrds.titles));
    found.sort_by_key(|initrds| initrds.end);
    let mut changed = Vec::with_capacity(text.len());
    let mut at = 0;
    for initrds in &found {
        changed.extend_from_slice(text.get(at..initrds.end).unwrap_or_default());
        for name in names {
            changed.extend([initrds.before.as_str(), name, initrds.after].concat().bytes());
        }
        at = initrds.end;
    }
    changed.extend_from_slice(text.get(at..).unwrap_or_default());
    (changed, found.first().map(|initrds| initrds.end))
}

/// The part of a path up to its last slash.
pub(super) fn directory(path: &str) -> &str {
    path.rfind('/').map_or("", |at| &path[..=at])
}
