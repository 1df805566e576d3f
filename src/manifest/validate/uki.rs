//! `[boot.uefi.uki]` and `menu.uki`: unified kernel images.

use super::Checks;
use crate::manifest::{At, Manifest, MenuEntry, Profile, Text, Uki, image_path};

impl Checks<'_> {
    pub(super) fn uki(&mut self, manifest: &Manifest) {
        let Some(at) = manifest.uki() else { return };
        let uki = at.get_ref();
        let files = [&uki.kernel, &uki.stub, &uki.os_release, &uki.splash, &uki.sbat];
        for path in files.into_iter().flatten().chain(&uki.initrd).chain(&uki.microcode) {
            self.reference(path);
            self.one_line(path, "a path");
        }
        self.lines(&[
            (&uki.cmdline, "a command line"),
            (&uki.title, "a title"),
            (&uki.uname, "a version"),
        ]);
        match &uki.kernel {
            Some(_) => self.with_kernel(at),
            None => self.without_kernel(uki),
        }
        if !manifest.has_uki() {
            let message = "[boot.uefi.uki] needs a `kernel`, or a [[menu]] entry with `uki = true`";
            self.error(at, message, "makes no unified kernel image");
        }
        if let Some(image) = manifest
            .boot
            .uefi
            .as_ref()
            .and_then(|uefi| uefi.get_ref().image.as_ref())
            && uki.kernel.is_some()
        {
            let message = "`image` is a ready ESP, and [boot.uefi.uki] puts a file into one that is made";
            self.error(image, message, "cannot be both");
        }
    }

    fn with_kernel(&mut self, at: &At<Uki>) {
        let uki = at.get_ref();
        if let Some(to) = &uki.to {
            self.image_path(to);
            if image_path(to.get_ref()).is_ok_and(|path| path.directory) {
                self.error(to, "a file needs a name of its own", "this is a directory");
            }
        }
        let mut ids: Vec<String> = Vec::new();
        for profile in &uki.profile {
            let said = profile.get_ref();
            said.initrd.iter().for_each(|path| self.reference(path));
            self.lines(&[
                (&said.cmdline, "a command line"),
                (&said.title, "a title"),
                (&said.id, "an id"),
            ]);
            match said.id() {
                None => self.error(profile, "a profile needs a `title`", "has no name"),
                Some(id) if ids.contains(&id) || id == Profile::MAIN => {
                    let message = format!("another profile has the id {id:?}");
                    self.error(profile, message, "one too many");
                }
                Some(id) => ids.push(id),
            }
            if said.cmdline.is_none() && said.initrd.is_empty() {
                self.error(
                    profile,
                    "a profile has a `cmdline` or an `initrd` of its own",
                    "changes nothing",
                );
            }
        }
    }

    /// Refuses keys that need `kernel`.
    fn without_kernel(&mut self, uki: &Uki) {
        let texts = [("cmdline", &uki.cmdline), ("title", &uki.title), ("to", &uki.to)];
        for (key, text) in texts {
            if let Some(text) = text {
                let message = format!("`{key}` is for the `kernel` of [boot.uefi.uki]; a [[menu]] entry has its own");
                self.error(text, message, "of no kernel");
            }
        }
        if let Some(initrd) = uki.initrd.first() {
            let message = "`initrd` is for the `kernel` of [boot.uefi.uki]; a [[menu]] entry has its own";
            self.error(initrd, message, "of no kernel");
        }
        if let Some(profile) = uki.profile.first() {
            let message = "a profile is another way to start the `kernel` of [boot.uefi.uki]";
            self.error(profile, message, "of no kernel");
        }
    }

    /// `uki` of an entry.
    pub(super) fn unified(&mut self, entry: &MenuEntry) {
        if let (Some(uki), None) = (&entry.uki, &entry.kernel) {
            self.error(uki, "`uki` is for a `kernel`", "of no kernel");
        }
    }

    fn lines(&mut self, texts: &[(&Option<Text>, &str)]) {
        for (text, what) in texts {
            if let Some(text) = text {
                self.one_line(text, what);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::manifest::parse;

    #[test]
    fn a_wrong_unified_kernel_image_is_told() {
        let alone = "[boot.uefi.uki]\nkernel = \"k\"\n";
        let profile = "[[boot.uefi.uki.profile]]\n";
        for (text, says) in [
            (
                "[boot.uefi.uki]\nsplash = \"s\"\n",
                "needs a `kernel`, or a [[menu]] entry",
            ),
            ("[boot.uefi.uki]\ncmdline = \"s\"\n", "`cmdline` is for the `kernel`"),
            ("[boot.uefi.uki]\ninitrd = \"s\"\n", "`initrd` is for the `kernel`"),
            (
                "[boot.uefi.uki]\nkernel = \"k\"\ncmdline = \"a\\nb\"\n",
                "a command line is one line",
            ),
            (
                "[boot.uefi.uki]\nkernel = \"k\"\nto = \"/EFI/\"\n",
                "needs a name of its own",
            ),
            (
                "[boot.uefi]\nimage = \"i\"\nuki = { kernel = \"k\" }\n",
                "is a ready ESP",
            ),
            (
                &format!("{alone}{profile}cmdline = \"x\"\n"),
                "a profile needs a `title`",
            ),
            (&format!("{alone}{profile}title = \"X\"\n"), "changes nothing"),
            (
                &format!("{alone}{profile}title = \"A b\"\ncmdline = \"1\"\n{profile}id = \"a-b\"\ncmdline = \"2\"\n"),
                "another profile has the id \"a-b\"",
            ),
            ("[[menu]]\nefi = \"e\"\nuki = true\n", "`uki` is for a `kernel`"),
        ] {
            match parse(Path::new("m.toml"), text) {
                Ok(document) => panic!("no fault in {:?}", document.manifest),
                Err(error) => assert!(error.to_string().contains(says), "{says:?} is missing in\n{error}"),
            }
        }
        let whole = format!(
            "{alone}initrd = [\"i\"]\ncmdline = \"quiet\"\nto = \"/EFI/Linux/x.efi\"\nmicrocode = \"u\"\n{profile}title = \"Rescue\"\n\
             cmdline = \"rescue\"\n[boot]\nassets = [\"a\"]\nsign = {{ key = \"k\", cert = \"c\" }}\n"
        );
        parse(Path::new("m.toml"), &whole).unwrap_or_else(|error| panic!("{error}"));
    }
}
