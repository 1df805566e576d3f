//! `/boot/grub/loopback.cfg`: the menu for a GRUB on another medium that starts the image from its file, as multi-boot sticks do. It is in every
//! image with a menu, whoever shows that.

use super::grub::config;
use crate::resolve::Resolution;
use crate::resolve::menu::Menu;
use crate::tree::source::Giver;

/// Where every GRUB looks for it.
const PATH: [&str; 3] = ["boot", "grub", "loopback.cfg"];

/// Puts it into the tree, unless `[[files]]` has done so.
pub(super) fn install(resolution: &mut Resolution<'_>, menu: &Menu<'_>) {
    let lost: Vec<_> = menu.entries.iter().filter(|entry| !config::is_sayable(entry)).collect();
    if let Some(first) = lost.first().and_then(|entry| entry.said.cmdline.as_ref()) {
        let count = lost.len();
        let entries = if count == 1 {
            "1 entry is".to_owned()
        } else {
            format!("{count} entries are")
        };
        let message = format!(
            "{entries} not in /boot/grub/loopback.cfg, the menu for a GRUB on another medium: GRUB would change the command line"
        );
        resolution.warn(first, message, "GRUB puts backslashes before backslashes and quotes");
    }
    let is_theirs = resolution.tree.find(PATH.map(str::as_bytes)).is_some();
    if let Some(text) = config::loopback(menu).filter(|_| !is_theirs) {
        let payload = resolution
            .host
            .inline(&mut resolution.tree, &text, Giver::MadeFor("GRUB"));
        resolution.place_own(&PATH, payload);
    }
}
