//! The built-in loader's menu file, as far as an image shows it: what it starts, and whether somebody asks for the signatures of that.

use super::LoaderFacts;

/// Where it is in the image.
pub const PATH: [&str; 3] = ["boot", "isobuild", "menu.cfg"];

/// The most entries that the loader shows.
pub const MOST_ENTRIES: usize = 64;

/// The most bytes that it may have: what the loader sets aside for it.
pub const LARGEST: usize = 64 << 10;

/// Whether the built-in loader is there and something is signed. Otherwise nobody asks for the signatures of what the menu starts.
pub(crate) fn is_asked_for(loaders: &[LoaderFacts]) -> bool {
    let is_own = loaders.iter().any(LoaderFacts::is_built_in);
    is_own && loaders.iter().any(|loader| !loader.signatures.is_empty())
}

/// What an entry starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// What the menu shows.
    pub title: String,
    /// It is the entry that starts by itself.
    pub is_default: bool,
    /// The path in the image, with the slash at its beginning.
    pub path: Vec<u8>,
}

/// Key and value of each line of an entry.
type Lines<'a> = Vec<(&'a [u8], &'a [u8])>;

/// What stands before the entries, and each entry that the loader shows.
fn parts(menu: &[u8]) -> (Lines<'_>, Vec<Lines<'_>>) {
    let lines = menu.split(|&byte| byte == b'\n').filter_map(pair);
    let mut entries: Vec<Lines<'_>> = vec![Vec::new()];
    for (key, value) in lines {
        if key == b"entry" {
            entries.push(Vec::new());
        }
        if let Some(entry) = entries.last_mut() {
            entry.push((key, value));
        }
    }
    let head = entries.remove(0);
    entries.truncate(MOST_ENTRIES);
    (head, entries)
}

/// The lines of each entry that the loader shows, in their order.
pub fn entries(menu: &[u8]) -> Vec<Lines<'_>> {
    parts(menu).1
}

/// The entries that UEFI on a 64-bit PC starts something with, in their order.
pub fn started(menu: &[u8]) -> Vec<Started> {
    let (head, entries) = parts(menu);
    let value = |entry: &Lines<'_>, wanted: &[u8]| {
        let found = entry.iter().find(|(key, _)| *key == wanted);
        found.map(|(_, value)| value.to_vec())
    };
    let default = value(&head, b"default").and_then(|number| str::from_utf8(&number).ok()?.parse().ok());
    let default: usize = default.unwrap_or(1);
    let started = |(number, entry): (usize, &Lines<'_>)| {
        let firmware = value(entry, b"firmware");
        let is_for_uefi = firmware.is_none_or(|words| words.split(|&byte| byte == b' ').any(|word| word == b"uefi"));
        // A program beside a kernel is the kernel with all that belongs to it.
        let keys = [&b"efi-x64"[..], b"efi", b"kernel"];
        let path = keys.into_iter().find_map(|key| value(entry, key));
        let is_action = value(entry, b"action").is_some();
        let path = path.filter(|_| is_for_uefi && !is_action)?;
        let title = value(entry, b"entry").unwrap_or_default();
        Some(Started {
            title: String::from_utf8_lossy(&title).into_owned(),
            is_default: number == default,
            path,
        })
    };
    (1..).zip(&entries).filter_map(started).collect()
}

/// `key = value`, without the blanks around the sign.
pub(crate) fn pair(line: &[u8]) -> Option<(&[u8], &[u8])> {
    if line.starts_with(b"#") {
        return None;
    }
    let at = line.iter().position(|&byte| byte == b'=')?;
    let (key, value) = (line[..at].trim_ascii(), &line[at + 1..]);
    Some((key, value.strip_prefix(b" ").unwrap_or(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_uefi_starts_is_read_from_the_menu() {
        let menu = b"# default = 9\nid = 0\ndefault = 3\n\nentry = Set-up\naction = firmware-setup\n\nentry = BIOS\nkernel = /old\n\
                     firmware = bios uefi-ia32\n\nentry = Linux = best\nkernel = /boot/a b\ninitrd = /i\n\nentry = Test\nbios = /t.bin\n\
                     efi-ia32 = /t32\nefi-x64 = /t64\n\nentry = Shell\nefi = /s\nfirmware = uefi\n\nentry = Unified\nkernel = /k\n\
                     efi-x64 = /u\n";
        let entry = |title: &str, is_default, path: &str| Started {
            title: title.into(),
            is_default,
            path: path.into(),
        };
        assert_eq!(
            started(menu),
            [
                entry("Linux = best", true, "/boot/a b"),
                entry("Test", false, "/t64"),
                entry("Shell", false, "/s"),
                entry("Unified", false, "/u")
            ]
        );
        assert_eq!(started(b""), []);
        assert_eq!(started(b"entry = x\nkernel = /k"), [entry("x", true, "/k")]);
        assert_eq!(started(&b"entry = x\nkernel = /k\n".repeat(100)).len(), 64);
    }
}
