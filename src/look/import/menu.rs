//! The built-in loader's menu as `[boot]` and `[[menu]]`.

use super::Importing;
use super::words::Words;
use crate::facts::MenuLoader;
use crate::facts::menu_file;

/// The manifest's words for firmware, with the loader's program in the ESP; that for BIOS is in the tree.
const FIRMWARE: [(&str, &str); 4] = [
    ("bios", "/boot/isobuild/bios.img"),
    ("uefi", "/EFI/BOOT/BOOTX64.EFI"),
    ("uefi-ia32", "/EFI/BOOT/BOOTIA32.EFI"),
    ("uefi-aa64", "/EFI/BOOT/BOOTAA64.EFI"),
];
/// What the loader has in the ESP beside its programs.
const ID: &str = "/EFI/BOOT/isobuild.id";

impl Importing<'_> {
    /// Says the menu, if the image has the built-in loader, unsigned, and its menu file. Whether it does.
    pub(super) fn menu(&mut self) -> bool {
        let path = format!("/{}", menu_file::PATH.join("/"));
        let Some(item) = self.tree.get(path.as_bytes()) else {
            return false;
        };
        let Some(bytes) = item.bytes(self.image, menu_file::LARGEST as u64) else {
            return false;
        };
        let loaders: Vec<_> = self.facts.esp.iter().flat_map(|volume| &volume.loaders).collect();
        let own = loaders
            .iter()
            .filter(|loader| loader.menu() == Some(MenuLoader::Builtin));
        if own.into_iter().any(|loader| !loader.signatures.is_empty()) {
            return false;
        }
        let Ok(text) = String::from_utf8(bytes) else {
            return false;
        };
        let Some(said) = said(&text) else {
            return false;
        };
        let has = |path: &str| self.tree.get(path.as_bytes()).is_some();
        let firmware: Vec<&str> = FIRMWARE
            .iter()
            .filter(|(_, path)| has(path))
            .map(|(word, _)| *word)
            .collect();
        self.words.table("boot");
        self.words.list("firmware", &firmware);
        self.words.append(said);
        let brought = [path.as_str(), ID].into_iter().chain(FIRMWARE.map(|(_, path)| path));
        self.brought.extend(brought.map(|path| path.as_bytes().to_vec()));
        true
    }

    /// Whether a file of the ESP is the built-in loader's own.
    pub(super) fn is_loaders(&self, path: &str) -> bool {
        let mut own = FIRMWARE.iter().map(|(_, path)| *path).chain([ID]);
        own.any(|own| own.eq_ignore_ascii_case(path))
    }
}

/// The lines of a menu file as the keys of `[boot]` and tables of `[[menu]]`. `None` if it has a line that the manifest has no key for.
fn said(text: &str) -> Option<Words> {
    let mut words = Words::default();
    let pairs = |part: &str| -> Vec<(String, String)> {
        part.lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once(" = "))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    };
    let mut parts = text.split("\n\n").map(pairs);
    let head = parts.next()?;
    let entries: Vec<_> = parts.filter(|entry| !entry.is_empty()).collect();
    let titles: Vec<&str> = entries
        .iter()
        .map(|entry| {
            entry
                .iter()
                .find(|(key, _)| key == "entry")
                .map(|(_, value)| value.as_str())
        })
        .collect::<Option<_>>()?;
    for (key, value) in &head {
        match key.as_str() {
            "timeout" => words.bare("timeout", &value.parse::<i64>().ok()?.to_string()),
            "serial" => words.bare("serial", &value.parse::<u32>().ok()?.to_string()),
            "default" => {
                let number: usize = value.parse().ok()?;
                words.text("default", titles.get(number.checked_sub(1)?)?);
            }
            "id" | "title" => {}
            _ => return None,
        }
    }
    for (entry, title) in entries.iter().zip(titles) {
        words.entry("menu");
        words.text("title", title);
        let (mut initrds, mut programs) = (Vec::new(), Vec::new());
        for (key, value) in entry {
            match key.as_str() {
                "kernel" | "bios" => words.text(key, &format!("iso:{value}")),
                "initrd" => initrds.push(format!("iso:{value}")),
                "efi" | "efi-x64" | "efi-ia32" | "efi-aa64" => programs.push(format!("iso:{value}")),
                "action" | "cmdline" => words.text(key, value),
                // Which firmware shows an entry follows from what it starts.
                "entry" | "firmware" => {}
                _ => return None,
            }
        }
        // The manifest has no words for a unified kernel image that exists already.
        if entry.iter().any(|(key, _)| key == "kernel") && !programs.is_empty() {
            return None;
        }
        for (key, paths) in [("initrd", initrds), ("efi", programs)] {
            match paths.as_slice() {
                [] => {}
                [one] => words.text(key, one),
                all => words.list(key, all),
            }
        }
    }
    Some(words)
}
