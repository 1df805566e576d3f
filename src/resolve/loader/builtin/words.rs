//! Warnings about titles that the loader cannot show.

use super::shows;
use crate::resolve::Resolution;

/// Warns of titles that the loader cannot show.
pub(in crate::resolve) fn warn_of_titles(resolution: &mut Resolution<'_>) {
    let menu = &resolution.document.manifest.menu;
    let hidden: Vec<_> = menu
        .iter()
        .filter_map(|entry| entry.get_ref().title.as_ref())
        .filter(|title| !title.get_ref().chars().all(shows))
        .collect();
    if let Some(first) = hidden.first() {
        let message = match hidden.len() {
            1 => "the title has characters that the loader cannot show".to_owned(),
            count => format!("{count} titles have characters that the loader cannot show"),
        };
        resolution.warn_with(
            first,
            message,
            "shown as ?",
            "Latin letters, signs and frames are shown",
        );
    }
}
