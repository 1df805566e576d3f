//! `[[menu]]`, and the keys of `[boot]` that are for it.

use super::Checks;
use crate::facts::menu_file::MOST_ENTRIES;
use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::{At, Firmware, Loader, Manifest, MenuEntry};

impl Checks<'_> {
    /// Every fault of the menu and of what belongs to it.
    pub(super) fn menu(&mut self, manifest: &Manifest) {
        let boot = &manifest.boot;
        let loader = boot.loader.as_ref();
        if manifest.menu.is_empty() {
            if let Some(loader) = loader.filter(|loader| *loader.get_ref() != Loader::None) {
                let message = format!("{} needs a [[menu]]", loader.get_ref().name());
                self.error(loader, message, "has nothing to start");
            }
            let keys = [
                boot.firmware.as_ref().map(|value| ("firmware", value.span())),
                boot.timeout.as_ref().map(|value| ("timeout", value.span())),
                boot.default.as_ref().map(|value| ("default", value.span())),
                boot.serial.as_ref().map(|value| ("serial", value.span())),
                boot.theme.as_ref().map(|value| ("theme", value.span())),
                boot.assets
                    .first()
                    .filter(|_| !manifest.has_uki())
                    .map(|value| ("assets", value.span())),
            ];
            for (key, span) in keys.into_iter().flatten() {
                let message = format!("`{key}` is about a [[menu]], and there is none");
                self.diagnostics.push(Diagnostic::error(message, span, "of no menu"));
            }
            return;
        }
        if let Some(loader) = loader.filter(|loader| *loader.get_ref() == Loader::None) {
            self.error(loader, "a [[menu]] needs a loader that shows it", "this is none");
        }
        self.beside_loader(manifest);
        for entry in &manifest.menu {
            self.menu_entry(entry);
        }
        let is_own = manifest.loader() == Loader::Builtin;
        if let Some(entry) = manifest.menu.get(MOST_ENTRIES).filter(|_| is_own) {
            let message = format!("a menu of the built-in loader has {MOST_ENTRIES} entries at most");
            self.error(entry, message, "one too many");
        }
        self.of_others(manifest);
        self.menu_values(manifest);
    }

    /// What the loader brings along must not come from the manifest too.
    fn beside_loader(&mut self, manifest: &Manifest) {
        let boot = &manifest.boot;
        let name = manifest.loader().name();
        let starts = |by: fn(Firmware) -> bool| match &boot.firmware {
            Some(list) => list.get_ref().iter().any(|item| by(*item.get_ref())),
            None => true,
        };
        if let Some(bios) = &boot.bios
            && starts(|firmware| firmware == Firmware::Bios)
        {
            let message = format!("{name} brings its own [boot.bios]");
            let error = Diagnostic::error(message, bios.span(), "two for one place");
            self.diagnostics
                .push(error.with_help("without \"bios\" in `firmware` there is room for yours"));
        }
        if let Some(image) = boot.uefi.as_ref().and_then(|uefi| uefi.get_ref().image.as_ref())
            && starts(|firmware| firmware != Firmware::Bios)
        {
            let message = format!("{name} gets its own ESP; [boot.uefi.files] adds to it");
            self.error(image, message, "one ESP too many");
        }
        if !manifest.iso.has_rock_ridge()
            && !manifest.iso.is_stub()
            && let Some(first) = manifest.menu.first()
        {
            let message = format!("{name} finds its files by their Rock Ridge names: `rock_ridge` must be true");
            self.error(first, message, "could not be found");
        }
    }

    /// Keys that are for other people's loaders.
    fn of_others(&mut self, manifest: &Manifest) {
        let boot = &manifest.boot;
        for path in &boot.assets {
            self.not_empty(path, "a host path");
        }
        if let Some(path) = boot.assets.first()
            && manifest.loader() == Loader::Builtin
            && !manifest.has_uki()
        {
            let message = "`assets` is where files of other people's loaders are, and the built-in loader needs none";
            self.error(path, message, "of no use");
        }
        let theme = boot.theme.as_ref().and_then(|theme| theme.get_ref().file.as_ref());
        if let Some(file) = theme {
            self.image_path(file);
            if !matches!(manifest.loader(), Loader::Grub | Loader::IsolinuxGrub) {
                let message = format!(
                    "`theme.file` is a theme of GRUB's, which {} does not read",
                    manifest.loader().name()
                );
                self.error(file, message, "of another loader");
            }
        }
    }

    fn menu_entry(&mut self, at: &At<MenuEntry>) {
        let entry = at.get_ref();
        let one_file = [&entry.kernel, &entry.bios].into_iter().flatten();
        for path in one_file.chain(&entry.efi).chain(&entry.initrd) {
            self.reference(path);
            self.one_line(path, "a path");
        }
        if let Some(title) = &entry.title {
            self.one_line(title, "a title");
        }
        let program = entry.bios.as_ref().or(entry.efi.first());
        match (&entry.kernel, program, &entry.action) {
            (None, None, None) => {
                let message = "a [[menu]] entry needs a `kernel`, a program for `bios` or `efi`, or an `action`";
                self.error(at, message, "does nothing");
            }
            (Some(_), Some(other), _) => self.error(other, "`kernel` excludes `bios` and `efi`", "one too many"),
            (Some(other), _, Some(_)) | (None, Some(other), Some(_)) => {
                self.error(other, "an `action` starts nothing from the image", "one too many");
            }
            _ => {}
        }
        if let Some(initrd) = entry.initrd.first()
            && entry.kernel.is_none()
        {
            self.error(initrd, "`initrd` is for a `kernel`", "of no kernel");
        }
        self.unified(entry);
        if let Some(scan) = entry.iso_scan.as_ref().filter(|_| entry.kernel.is_none()) {
            self.error(scan, "`iso_scan` is for a `kernel`", "of no kernel");
        }
        if let Some(line) = &entry.cmdline {
            self.one_line(line, "a command line");
            if entry.action.is_some() {
                self.error(line, "an `action` has no command line", "for nobody");
            }
        }
    }

    /// The menu file has a line for each value.
    pub(super) fn one_line<T: std::fmt::Display>(&mut self, text: &At<T>, what: &str) {
        if text.get_ref().to_string().chars().any(char::is_control) {
            self.error(
                text,
                format!("{what} is one line without control characters"),
                "has one",
            );
        }
    }

    fn menu_values(&mut self, manifest: &Manifest) {
        let boot = &manifest.boot;
        if let Some(firmware) = boot.firmware.as_ref().filter(|list| list.get_ref().is_empty()) {
            self.error(firmware, "`firmware` names nothing that could start the image", "empty");
        }
        if let Some(timeout) = &boot.timeout
            && !(-1..=86_400).contains(timeout.get_ref())
        {
            let message = "`timeout` is seconds up to a day; 0 boots at once, -1 waits for ever";
            self.error(timeout, message, "not a time to wait");
        }
        if let Some(speed) = &boot.serial
            && (*speed.get_ref() == 0 || 115_200 % *speed.get_ref() != 0)
        {
            let message = "a PC's serial port has 115200 bits a second, or a whole part of that such as 9600";
            self.error(speed, message, "not a speed of it");
        }
        if let Some(default) = &boot.default
            && !manifest
                .menu
                .iter()
                .any(|entry| entry.get_ref().shown_title() == default.get_ref())
        {
            let message = format!("no [[menu]] entry has the title {:?}", default.get_ref());
            self.error(default, message, "not a title");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::manifest::{Action, Firmware, parse};

    fn faults(text: &str) -> String {
        match parse(Path::new("m.toml"), text) {
            Ok(document) => panic!("no fault in {:?}", document.manifest),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_key_of_a_menu_is_read() {
        let text = r#"
            [boot]
            loader = "builtin"
            firmware = ["uefi"]
            timeout = -1
            default = "Off"
            serial = 9600
            [[menu]]
            kernel = "vmlinuz"
            initrd = "initrd.img"
            cmdline = "quiet"
            [[menu]]
            title = "Two"
            kernel = "iso:/live/vmlinuz"
            initrd = ["ucode.img", "initrd.img"]
            [[menu]]
            title = "Memory test"
            bios = "memtest.bin"
            efi = "memtest.efi"
            [[menu]]
            title = "Off"
            action = "poweroff"
            [[menu]]
            action = "machine"
        "#;
        let manifest = parse(Path::new("m.toml"), text)
            .unwrap_or_else(|e| panic!("{e}"))
            .manifest;
        let firmware: Vec<_> = manifest.boot.firmware.iter().flat_map(|list| list.get_ref()).collect();
        assert!(matches!(firmware[..], [only] if *only.get_ref() == Firmware::Uefi));
        let entries: Vec<_> = manifest.menu.iter().map(|entry| entry.get_ref()).collect();
        let titles: Vec<_> = entries.iter().map(|entry| entry.shown_title()).collect();
        assert_eq!(titles, ["Boot", "Two", "Memory test", "Off", "About this machine"]);
        let initrds: Vec<Vec<_>> = entries
            .iter()
            .map(|entry| entry.initrd.iter().map(|named| named.get_ref().to_string()).collect())
            .collect();
        assert_eq!(
            initrds[..3],
            [vec!["initrd.img"], vec!["ucode.img", "initrd.img"], vec![]]
        );
        assert_eq!(
            &text[entries[0].initrd[0].span().unwrap()],
            "\"initrd.img\"",
            "it keeps its place"
        );
        assert_eq!(
            entries[3].action.as_ref().map(|action| *action.get_ref()),
            Some(Action::Poweroff)
        );
    }

    #[test]
    fn a_wrong_menu_is_told_with_its_mend() {
        let many = "[[menu]]\naction = \"reboot\"\n".repeat(65);
        for (text, says) in [
            (
                "[[menu]]\ntitle = \"x\"",
                "needs a `kernel`, a program for `bios` or `efi`, or an `action`",
            ),
            (
                "[[menu]]\nkernel = \"k\"\nefi = \"e\"",
                "`kernel` excludes `bios` and `efi`",
            ),
            (
                "[[menu]]\nkernel = \"k\"\naction = \"reboot\"",
                "an `action` starts nothing",
            ),
            (
                "[[menu]]\naction = \"reboot\"\ncmdline = \"x\"",
                "an `action` has no command line",
            ),
            ("[[menu]]\naction = \"fly\"", "fly"),
            ("[[menu]]\nefi = \"e\"\ninitrd = \"i\"", "`initrd` is for a `kernel`"),
            (
                "[[menu]]\nkernel = \"k\"\ncmdline = \"a\\nb\"",
                "a command line is one line",
            ),
            ("[[menu]]\nkernel = \"k\"\ntitle = \"a\\u0007\"", "a title is one line"),
            ("[[menu]]\nkernel = \"k\"\ninitrd = 5", "a string or a list of strings"),
            ("[[menu]]\nkernel = \"\"", "cannot be empty"),
            (&many, "64 entries at most"),
            (
                "[boot]\ntimeout = -2\n[[menu]]\naction = \"reboot\"",
                "-1 waits for ever",
            ),
            ("[boot]\nserial = 42\n[[menu]]\naction = \"reboot\"", "115200"),
            ("[boot]\nfirmware = []\n[[menu]]\naction = \"reboot\"", "names nothing"),
            (
                "[boot]\ndefault = \"Boot\"\n[[menu]]\naction = \"reboot\"",
                "no [[menu]] entry has the title \"Boot\"",
            ),
            (
                "[boot]\nloader = \"none\"\n[[menu]]\naction = \"reboot\"",
                "a [[menu]] needs a loader",
            ),
            ("[boot]\nloader = \"builtin\"", "needs a [[menu]]"),
            ("[boot]\ntimeout = 5", "`timeout` is about a [[menu]]"),
            (
                "[boot.bios]\nmbr = \"m\"\n[[menu]]\naction = \"reboot\"",
                "brings its own [boot.bios]",
            ),
            (
                "[boot.uefi]\nimage = \"m\"\n[[menu]]\naction = \"reboot\"",
                "gets its own ESP",
            ),
            (
                "[iso]\nrock_ridge = false\n[[menu]]\naction = \"reboot\"",
                "`rock_ridge` must be true",
            ),
        ] {
            let shown = faults(text);
            assert!(shown.contains(says), "{says:?} is missing in\n{shown}");
        }
        assert!(
            parse(
                Path::new("m.toml"),
                "[boot.uefi]\nsize = \"8MiB\"\n[[menu]]\naction = \"reboot\""
            )
            .is_ok()
        );
    }
}
