//! `[base]`: what excludes it.

use super::super::{At, Base, KernelArgs, Manifest, Text};
use super::Checks;
use crate::ground::text::sha256_from_hex;
use crate::manifest::diagnostic::Diagnostic;

impl Checks<'_> {
    /// Identifiers, boot set-up and tables are the base's.
    pub(super) fn base(&mut self, manifest: &Manifest) {
        let Some(at) = &manifest.base else {
            return;
        };
        let base = at.get_ref();
        self.not_empty(&base.image, "a host path");
        if let Some(digest) = &base.sha256
            && sha256_from_hex(digest.get_ref()).is_none()
        {
            self.error(digest, "a SHA-256 has 64 hexadecimal digits", "not a SHA-256");
        }
        for pattern in &base.remove {
            self.not_empty(pattern, "a pattern of paths");
        }
        if let Some(args) = &base.kernel_args {
            self.kernel_args(args);
        }
        let (iso, boot) = (&manifest.iso, &manifest.boot);
        let texts = [
            ("volume_id", &manifest.volume_id),
            ("iso.system_id", &iso.system_id),
            ("iso.volume_set_id", &iso.volume_set_id),
            ("iso.publisher_id", &iso.publisher_id),
            ("iso.preparer_id", &iso.preparer_id),
            ("iso.application_id", &iso.application_id),
            ("iso.sha256sums", &iso.sha256sums),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                self.beside_base(at, key, value);
            }
        }
        let switches = [
            ("iso.rock_ridge", &iso.rock_ridge),
            ("iso.joliet", &iso.joliet),
            ("iso.udf", &iso.udf),
        ];
        for (key, value) in switches {
            if let Some(value) = value {
                self.beside_base(at, key, value);
            }
        }
        if let Some(value) = &iso.iso9660 {
            self.beside_base(at, "iso.iso9660", value);
        }
        if let Some(entry) = manifest.menu.first() {
            self.beside_base(at, "[[menu]]", entry);
        }
        if let Some(value) = &boot.loader {
            self.beside_base(at, "boot.loader", value);
        }
        if let Some(value) = &boot.bios {
            self.beside_base(at, "[boot.bios]", value);
        }
        if let Some(value) = &boot.uefi {
            self.beside_base(at, "[boot.uefi]", value);
        }
        if let Some(value) = boot.entry.first() {
            self.beside_base(at, "[[boot.entry]]", value);
        }
        if let Some(value) = &boot.sign {
            self.beside_base(at, "[boot.sign]", value);
        }
        if let Some(value) = &manifest.disk.layout {
            self.beside_base(at, "disk.layout", value);
        }
    }

    /// An argument is one word of a command line, or has its blanks in quotes.
    fn kernel_args(&mut self, at: &At<KernelArgs>) {
        let args = at.get_ref();
        for argument in args.append.iter().chain(&args.remove) {
            self.argument(argument);
        }
        for (name, value) in &args.replace {
            self.argument(name);
            if name.get_ref().contains('=') {
                self.error(name, "this is the name of an argument, without its value", "has a `=`");
            }
            self.argument_value(value);
        }
        for pattern in &args.entries {
            self.not_empty(pattern, "a pattern of titles");
        }
        if args.append.is_empty() && args.remove.is_empty() && args.replace.is_empty() {
            self.error(
                at,
                "[base.kernel_args] needs `append`, `remove` or `replace`",
                "changes nothing",
            );
        }
    }

    fn argument(&mut self, argument: &Text) {
        self.not_empty(argument, "an argument");
        self.argument_value(argument);
    }

    fn argument_value(&mut self, argument: &Text) {
        let text = argument.get_ref();
        if text.chars().any(char::is_control) {
            let message = "an argument is in one line, and has no control characters";
            self.error(argument, message, "this argument");
        }
        let mut is_quoted = false;
        let is_blank = |letter: char| {
            is_quoted ^= letter == '"';
            letter == ' ' && !is_quoted
        };
        if text.contains(is_blank) {
            let message = "this is more than one argument: give each in quotes of its own";
            self.error(argument, message, "has a blank");
        } else if !text.matches('"').count().is_multiple_of(2) {
            self.error(argument, "a quote in this argument is not closed", "this argument");
        }
    }

    fn beside_base<T>(&mut self, base: &At<Base>, key: &str, value: &At<T>) {
        let message = format!("`{key}` beside `[base]` is not supported yet: an image that is changed keeps its own");
        let error = Diagnostic::error(message, value.span(), "the base has its own");
        self.diagnostics
            .push(error.with_label(base.span(), "the image that is changed"));
    }
}
