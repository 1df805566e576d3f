//! What ISOLINUX's language cannot say, and what ISOLINUX cannot start.

use crate::ground::text;
use crate::resolve::Resolution;
use crate::resolve::menu::{Entry, Start};

/// Judges an entry; what is wrong is said.
pub(in crate::resolve::loader) fn judge(resolution: &mut Resolution<'_>, entry: &mut Entry<'_>) {
    let said = entry.said;
    if let Some(title) = &said.title
        && let Some(why) = unfit_title(title.get_ref())
    {
        resolution.error(title, why, "not a title for it");
    }
    if let Some(line) = &said.cmdline
        && let Some(why) = unfit_line(line.get_ref())
    {
        resolution.error(line, why, "not as it stands here");
    }
    if let (Some(line), Start::Linux { kernel, initrds, .. }) = (&said.cmdline, &entry.start) {
        // `BOOT_IMAGE=/vmlinuz LINE initrd=/a,/b`
        let names: usize = initrds.iter().map(|initrd| initrd.path.len() + 1).sum();
        let own = "BOOT_IMAGE= ".len() + kernel.path.len() + if names > 0 { " initrd=".len() + names - 1 } else { 0 };
        let length = own + line.get_ref().len();
        if let Some(limit) = kernel.program.command_line.filter(|&limit| length > limit) {
            let message = format!(
                "the command line has {length} bytes with the {own} that ISOLINUX adds for the files' names; the kernel takes {limit} by its header"
            );
            resolution.error(line, message, "too long");
        }
    }
    let paths: Vec<&[u8]> = match &entry.start {
        Start::Linux { kernel, initrds, .. } => {
            let initrds = initrds.iter().map(|initrd| &initrd.path[..]);
            std::iter::once(&kernel.path[..]).chain(initrds).collect()
        }
        Start::Programs { bios, .. } => bios.iter().map(|bios| &bios.path[..]).collect(),
        Start::Action(_) => Vec::new(),
    };
    let unfit = paths.iter().find(|path| path.iter().any(|byte| b" ,".contains(byte)));
    let named = said.kernel.as_ref().or(said.bios.as_ref());
    if let (Some(path), Some(at)) = (unfit, named) {
        let message = format!(
            "{}: ISOLINUX ends a path at a blank, and a list of initrds has commas between them",
            text::visible(path)
        );
        resolution.error(at, message, "a path that it cannot be told");
    }
}

/// Whether a title or a command line cannot be said.
#[cfg(test)]
pub(in crate::resolve::loader) fn refuses(title: &str, line: &str) -> bool {
    unfit_title(title).is_some() || unfit_line(line).is_some()
}

/// Why a title cannot be one.
fn unfit_title(title: &str) -> Option<&'static str> {
    title
        .contains('^')
        .then_some("ISOLINUX takes `^` for the mark of a hotkey, and does not show it")
}

/// Why a command line cannot stand behind APPEND.
fn unfit_line(line: &str) -> Option<&'static str> {
    let has = |word: &str| line.split(' ').any(|other| other.starts_with(word));
    match line {
        "-" => Some("ISOLINUX takes `-` for no command line at all"),
        _ if has("initrd=") => Some("ISOLINUX takes `initrd=` for the name of the initrd; the key `initrd` says it"),
        _ => None,
    }
}
