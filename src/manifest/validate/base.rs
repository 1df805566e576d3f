//! `[base]`: what excludes it.

use std::ops::Range;

use super::super::{Answers, At, KernelArgs, Manifest, Text};
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
        if let Some(fill) = &base.fill {
            self.not_empty(fill, "a host directory");
        }
        for pattern in &base.remove {
            self.not_empty(pattern, "a pattern of paths");
        }
        if let Some(args) = &base.kernel_args {
            self.kernel_args(args);
        }
        if let Some(answers) = &base.answers {
            self.answers(answers);
        }
        if let Some(boot) = &base.boot {
            let files = boot.get_ref();
            for file in files.kernel.iter().chain(&files.initrd_append) {
                self.not_empty(file, "a host path");
            }
            if files.kernel.is_none() && files.initrd_append.is_empty() {
                self.error(boot, "[base.boot] needs `kernel` or `initrd_append`", "changes nothing");
            }
        }
        for (key, span) in beside(manifest) {
            let message =
                format!("`{key}` beside `[base]` is not supported yet: an image that is changed keeps its own");
            let error = Diagnostic::error(message, span, "the base has its own");
            self.diagnostics
                .push(error.with_label(at.span(), "the image that is changed"));
        }
    }

    /// An installer reads one answer file.
    fn answers(&mut self, at: &At<Answers>) {
        let answers = at.get_ref();
        let given: Vec<_> = answers.given().collect();
        for (_, file) in &given {
            self.not_empty(file, "a host path");
        }
        match given.as_slice() {
            [] => self.error(at, "[base.answers] needs an answer file", "has none"),
            [_] => {}
            [(first, _), (second, file), ..] => {
                let message = format!("`{first}` and `{second}` are for different installers: give one answer file");
                self.error(file, message, "a second one");
            }
        }
        if let Some(meta_data) = &answers.meta_data {
            self.not_empty(meta_data, "a host path");
            if answers.autoinstall.is_none() && answers.nocloud.is_none() {
                let message = "`meta_data` goes with `autoinstall` or `nocloud`";
                self.error(meta_data, message, "there is neither");
            }
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
}

/// The keys in the manifest that a changed image cannot obey, since it keeps the base's setting; each with its place.
fn beside(manifest: &Manifest) -> Vec<(&'static str, Option<Range<usize>>)> {
    fn place<T>(value: Option<&At<T>>) -> Option<Option<Range<usize>>> {
        value.map(At::span)
    }
    let (iso, boot) = (&manifest.iso, &manifest.boot);
    let keys = [
        ("volume_id", place(manifest.volume_id.as_ref())),
        ("iso.system_id", place(iso.system_id.as_ref())),
        ("iso.volume_set_id", place(iso.volume_set_id.as_ref())),
        ("iso.publisher_id", place(iso.publisher_id.as_ref())),
        ("iso.preparer_id", place(iso.preparer_id.as_ref())),
        ("iso.application_id", place(iso.application_id.as_ref())),
        ("iso.rock_ridge", place(iso.rock_ridge.as_ref())),
        ("iso.joliet", place(iso.joliet.as_ref())),
        ("iso.udf", place(iso.udf.as_ref())),
        ("iso.iso9660", place(iso.iso9660.as_ref())),
        ("iso.sha256sums", place(iso.sha256sums.as_ref())),
        ("[[menu]]", place(manifest.menu.first())),
        ("boot.loader", place(boot.loader.as_ref())),
        ("boot.firmware", place(boot.firmware.as_ref())),
        ("boot.timeout", place(boot.timeout.as_ref())),
        ("boot.default", place(boot.default.as_ref())),
        ("boot.serial", place(boot.serial.as_ref())),
        ("[boot.bios]", place(boot.bios.as_ref())),
        ("[boot.uefi]", place(boot.uefi.as_ref())),
        ("[[boot.entry]]", place(boot.entry.first())),
        ("[boot.sign]", place(boot.sign.as_ref())),
        ("disk.layout", place(manifest.disk.layout.as_ref())),
    ];
    keys.into_iter()
        .filter_map(|(key, place)| Some((key, place?)))
        .collect()
}
