//! What systemd-boot cannot show or start.

use crate::ground::text;
use crate::manifest::{Action, At, MenuEntry, Reference};
use crate::resolve::Resolution;
use crate::resolve::menu::{Entry, Start};

/// Characters that no name in a FAT has (Microsoft's FAT specification, "FAT Long Directory Entries").
const NOT_IN_FAT: &[u8] = b"\"*:<>?\\|";

/// Judges an entry; what is wrong is said.
pub(in crate::resolve::loader) fn judge(resolution: &mut Resolution<'_>, entry: &mut Entry<'_>) {
    let said = entry.said;
    let paths: Vec<&[u8]> = match &entry.start {
        Start::Linux {
            kernel,
            initrds,
            unified,
        } => {
            let initrds = initrds.iter().map(|initrd| &initrd.path[..]);
            let unified = unified.iter().map(|(_, path)| &path[..]);
            std::iter::once(&kernel.path[..])
                .chain(initrds)
                .chain(unified)
                .collect()
        }
        Start::Programs { efi, .. } => efi.iter().map(|(_, path)| &path[..]).collect(),
        Start::Action(_) => Vec::new(),
    };
    let is_unfit = |path: &&&[u8]| str::from_utf8(path).is_err() || path.iter().any(|byte| NOT_IN_FAT.contains(byte));
    if let (Some(path), Some(at)) = (paths.iter().find(is_unfit), named(said)) {
        let message = format!(
            "{}: systemd-boot reads its files from the ESP, a FAT, which has no such name",
            text::visible(path)
        );
        resolution.error(at, message, "a path that it cannot be told");
    }
}

/// The file that an entry is about.
fn named(said: &MenuEntry) -> Option<&At<Reference>> {
    said.kernel.as_ref().or(said.efi.first())
}

/// The first version of systemd-boot that has entries for reboot and poweroff.
const HAS_POWER: u32 = 255;

impl Resolution<'_> {
    /// Warns of actions that systemd-boot of this version does not have.
    pub(super) fn warn_of_actions(&mut self, version: Option<u32>) {
        let document = self.document;
        let is_missing = |action: Action| match action {
            Action::FirmwareSetup => false,
            Action::Reboot | Action::Poweroff => version.is_none_or(|version| version < HAS_POWER),
            Action::NextDevice | Action::Machine => true,
        };
        let entries = document.manifest.menu.iter().map(At::get_ref);
        let missing: Vec<_> = entries
            .filter_map(|entry| entry.action.as_ref())
            .filter(|action| is_missing(*action.get_ref()))
            .collect();
        if let Some(first) = missing.first() {
            let words: Vec<&str> = missing.iter().map(|action| action.get_ref().word()).collect();
            let which = version.map_or(String::new(), |version| format!(" {version}"));
            let message = format!("systemd-boot{which} does not show the actions {}", words.join(", "));
            self.warn(first, message, "not in its menu");
        }
    }
}
