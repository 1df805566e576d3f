//! What the types cannot say: lengths, ranges, keys that exclude each other.

mod base;
mod menu;
mod sign;
mod uki;

use std::path::Path;

use super::{
    At, Boot, Date, DiskLayout, Files, InfoTable, Manifest, Reference, Text, Uefi, esp_path, image_path, parse_size,
};
use crate::formats::el_torito::Platform;
use crate::ground::text::sha256_from_hex;
use crate::manifest::diagnostic::Diagnostic;

/// Labels that other programs demand, although ECMA-119 has no lower case: cloud-init's NoCloud and OpenStack's configuration drive, Proxmox
/// VE's automatic installation, Ignition and Combustion.
const LABELS: [&str; 5] = ["cidata", "config-2", "proxmox-ais", "ignition", "combustion"];

/// `stat` has twelve permission bits.
const MODES: u32 = 0o7777;

/// FAT clusters and partitions are multiples of it.
const ALIGNMENT: u64 = 4096;

/// Every fault that the manifest alone shows; `text` is what it was read from.
pub(super) fn check(manifest: &Manifest, text: &str) -> Vec<Diagnostic> {
    let mut checks = Checks {
        text,
        diagnostics: Vec::new(),
    };
    checks.identifiers(manifest);
    checks.indexes(manifest);
    checks.base(manifest);
    for entry in &manifest.files {
        checks.files(entry.get_ref(), manifest.base.is_some());
    }
    checks.boot(&manifest.boot, !manifest.menu.is_empty());
    checks.menu(manifest);
    checks.sign(manifest);
    checks.uki(manifest);
    checks.boot_code(manifest);
    checks.diagnostics
}

struct Checks<'t> {
    text: &'t str,
    diagnostics: Vec<Diagnostic>,
}

impl Checks<'_> {
    fn error<T>(&mut self, at: &At<T>, message: impl Into<String>, label: &str) {
        self.diagnostics.push(Diagnostic::error(message, at.span(), label));
    }

    fn identifiers(&mut self, manifest: &Manifest) {
        let iso = &manifest.iso;
        let fields = [
            ("volume_id", &manifest.volume_id, 32, "9.4.7"),
            ("system_id", &iso.system_id, 32, "9.4.6"),
            ("volume_set_id", &iso.volume_set_id, 128, "9.4.20"),
            ("publisher_id", &iso.publisher_id, 128, "9.4.21"),
            ("preparer_id", &iso.preparer_id, 128, "9.4.22"),
            ("application_id", &iso.application_id, 128, "9.4.23"),
        ];
        for (name, value, limit, clause) in fields {
            let Some(value) = value else { continue };
            let length = value.get_ref().len();
            if length > limit {
                let message = format!("{name} has {length} bytes; its field holds {limit} (ECMA-119 §{clause})");
                self.error(value, message, "too long");
            }
        }
        let is_d_character = |letter: char| matches!(letter, 'A'..='Z' | '0'..='9' | '_');
        if let Some(volume) = &manifest.volume_id
            && !volume.get_ref().chars().all(is_d_character)
            && !LABELS.contains(&volume.get_ref().as_str())
        {
            let message = "volume_id is written as it stands; ECMA-119 §9.4.7 has A-Z, 0-9 and _ alone";
            self.diagnostics
                .push(Diagnostic::warning(message, volume.span(), "other characters"));
        }
        self.outputs(manifest);
        if let Some(list) = &iso.sha256sums {
            self.image_path(list);
            if image_path(list.get_ref()).is_ok_and(|path| path.directory) {
                self.error(list, "the list of digests needs a name", "this is a directory");
            }
        }
        if let Some(date) = &iso.timestamp
            && let Date::Wrong(message) = date.get_ref()
        {
            self.error(date, message.clone(), "this date");
        }
    }

    fn outputs(&mut self, manifest: &Manifest) {
        let mut formats = Vec::new();
        for (number, output) in manifest.output.iter().enumerate() {
            let name = output.get_ref();
            if name.is_empty() || name.ends_with('/') {
                self.error(output, "`output` is the image's file name", "not a file name");
            } else if manifest.output[..number].contains(output) {
                self.error(output, "two outputs have one name", "named before");
            }
            match manifest.file_format(Path::new(name)) {
                Ok(format) => formats.push(format),
                Err(message) => self.error(output, message, "this output"),
            }
        }
        if manifest.output.is_empty() {
            formats.extend(manifest.file_format(Path::new("image.iso")).ok());
        }
        if let Some(level) = &manifest.level
            && !formats.is_empty()
            && formats.iter().all(|format| format.compressor.is_none())
        {
            let message = "`level` says how hard a file is compressed, and none is";
            self.diagnostics
                .push(Diagnostic::warning(message, level.span(), "changes nothing"));
        }
    }

    fn indexes(&mut self, manifest: &Manifest) {
        let iso = &manifest.iso;
        if let Some(tree) = iso.iso9660.as_ref().filter(|_| iso.is_stub()) {
            for (key, value, wanted) in [
                ("udf", &iso.udf, true),
                ("rock_ridge", &iso.rock_ridge, false),
                ("joliet", &iso.joliet, false),
            ] {
                if let Some(value) = value.as_ref().filter(|value| *value.get_ref() != wanted) {
                    let message =
                        format!("`iso9660 = \"stub\"` leaves the tree to UDF alone: `{key}` must be {wanted}");
                    self.error(value, message, "contradicts it");
                }
            }
            if !manifest.menu.is_empty() {
                let name = manifest.loader().name();
                let message = format!("{name} reads ISO 9660, and a stub has no files for it");
                self.error(tree, message, "could not be started");
            }
        }
        let starts_linux = manifest.menu.iter().any(|entry| entry.get_ref().kernel.is_some());
        if let Some(udf) = iso.udf.as_ref().filter(|udf| *udf.get_ref() && starts_linux) {
            let message = "Linux mounts a medium with UDF as UDF unless it is told the type: a live system then finds neither links \
                           nor owners, and an initrd without the udf module finds nothing";
            let warning = Diagnostic::warning(message, udf.span(), "and the menu starts Linux");
            self.diagnostics
                .push(warning.with_help("mount it with `-t iso9660` there, or leave UDF out"));
        }
    }

    fn files(&mut self, entry: &Files, has_base: bool) {
        self.one_of(entry);
        self.image_path(&entry.to);
        if esp_path(entry.to.get_ref()).is_some() && !has_base {
            let message = "`esp:/...` is a path in the EFI system partition of a `[base]`";
            let error = Diagnostic::error(message, entry.to.span(), "there is no base");
            self.diagnostics
                .push(error.with_help("[boot.uefi.files] puts files into the partition of a new image"));
        }
        let has_name = entry.from.is_some() || !image_path(entry.to.get_ref()).is_ok_and(|path| path.directory);
        if !has_name {
            self.error(
                &entry.to,
                "what has no name of its own needs one here",
                "this is a directory",
            );
        }
        if let Some(from) = &entry.from {
            self.not_empty(from, "a host path");
        } else {
            for pattern in &entry.exclude {
                self.error(
                    pattern,
                    "`exclude` is for directories and archives",
                    "nothing to leave out",
                );
            }
            for kept in &entry.preserve {
                self.error(kept, "`preserve` is for files of the host", "nothing to preserve");
            }
            if let Some(unpack) = &entry.unpack {
                self.error(unpack, "`unpack` is for an archive of the host", "nothing to unpack");
            }
        }
        if let Some(link) = &entry.link {
            self.not_empty(link, "the target of a link");
            if link.get_ref().contains('\0') {
                self.error(link, "the target of a link cannot hold a NUL character", "");
            }
        }
        if let Some(mode) = &entry.mode {
            self.mode(mode);
        }
        if let Some(digest) = &entry.sha256 {
            if entry.from.is_none() {
                self.error(digest, "`sha256` is for a file of the host", "nothing to check");
            } else if sha256_from_hex(digest.get_ref()).is_none() {
                self.error(digest, "a SHA-256 has 64 hexadecimal digits", "not a SHA-256");
            }
        }
    }

    /// Exactly one of `from`, `text` and `link`.
    fn one_of(&mut self, entry: &Files) {
        let given = [("from", &entry.from), ("text", &entry.text), ("link", &entry.link)];
        let given: Vec<(&str, &Text)> = given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)))
            .collect();
        match given.as_slice() {
            [] if entry.given.is_some() => {}
            [] => {
                let message = "a [[files]] entry needs one of `from`, `text` and `link`";
                self.error(&entry.to, message, "nothing goes here");
            }
            [_] => {}
            [(first, value), (second, other), ..] => {
                let message = format!("`{first}` and `{second}` exclude each other");
                let diagnostic = Diagnostic::error(message, other.span(), "one content too many");
                self.diagnostics.push(diagnostic.with_label(value.span(), "the other"));
            }
        }
    }

    fn mode(&mut self, mode: &At<u32>) {
        let value = *mode.get_ref();
        let written = mode.span().and_then(|span| self.text.get(span)).unwrap_or_default();
        if value != 0 && !written.is_empty() && !written.starts_with("0o") {
            let help = match written.chars().all(|digit| digit.is_digit(8)) {
                true => format!("write 0o{written}"),
                false => "write it as 0o644".to_owned(),
            };
            let message = format!("a mode is octal, and {written} is not written so");
            self.diagnostics
                .push(Diagnostic::error(message, mode.span(), "not octal").with_help(help));
        } else if value > MODES {
            self.error(
                mode,
                format!("{written} has more than the twelve permission bits, 0o7777"),
                "too large",
            );
        }
    }

    /// A path in the image or in the ESP.
    fn image_path(&mut self, path: &Text) {
        if let Err(message) = image_path(path.get_ref()) {
            self.error(path, message, "this path");
        } else if path.get_ref().contains('\\') {
            let message = "a backslash is a character of the name here; paths are divided by `/`";
            self.diagnostics
                .push(Diagnostic::warning(message, path.span(), "this path"));
        }
    }

    /// A host path or `iso:/...`.
    fn reference(&mut self, named: &At<Reference>) {
        match named.get_ref() {
            Reference::Host(path) if path.is_empty() => self.error(named, "a path cannot be empty", "empty"),
            Reference::Host(_) => {}
            Reference::Image(path) if !path.starts_with('/') => self.error(
                named,
                "a path in the image is written `iso:/...`",
                "no `/` behind `iso:`",
            ),
            Reference::Image(path) => {
                if let Err(message) = image_path(path) {
                    self.error(named, message, "this path");
                }
            }
        }
    }

    fn not_empty(&mut self, text: &Text, what: &str) {
        if text.get_ref().is_empty() {
            self.error(text, format!("{what} cannot be empty"), "empty");
        }
    }

    fn boot(&mut self, boot: &Boot, with_loader: bool) {
        if let Some(bios) = &boot.bios {
            let at = bios;
            let bios = bios.get_ref();
            for path in bios.image.iter().chain(&bios.mbr) {
                self.reference(path);
            }
            if bios.image.is_none() && bios.mbr.is_none() {
                self.error(at, "[boot.bios] needs an `image`, an `mbr`, or both", "starts nothing");
            }
            if let (Some(table), None) = (&bios.info_table, &bios.image)
                && *table.get_ref() != InfoTable::None
            {
                self.error(
                    table,
                    "`info_table` is for an `image`, and there is none",
                    "nothing to patch",
                );
            }
        }
        if let Some(uefi) = &boot.uefi {
            self.uefi(uefi, with_loader);
        }
        for entry in boot.entry.iter().map(At::get_ref) {
            self.reference(&entry.image);
        }
        self.load_sectors(boot);
    }

    /// El Torito §2.2: a BIOS that loads no sector starts nothing. UEFI 13.3.2.1: for an ESP it means all that follows.
    fn load_sectors(&mut self, boot: &Boot) {
        let default = boot.bios.iter().map(|bios| &bios.get_ref().load_sectors);
        let others = boot.entry.iter().map(At::get_ref);
        let others = others.filter(|entry| Platform::from_code(*entry.platform.get_ref()) != Platform::Uefi);
        for count in default.chain(others.map(|entry| &entry.load_sectors)).flatten() {
            if *count.get_ref() == 0 {
                self.error(
                    count,
                    "a boot image of no sectors starts nothing (El Torito §2.2)",
                    "this count",
                );
            }
        }
    }

    /// Boot code of a stick without a place for it.
    fn boot_code(&mut self, manifest: &Manifest) {
        let code = manifest.boot.bios.as_ref().and_then(|bios| bios.get_ref().mbr.as_ref());
        if let (Some(code), Some(layout)) = (code, &manifest.disk.layout)
            && *layout.get_ref() == DiskLayout::None
        {
            let message = "`mbr` is the boot code of a disk, and this image is laid out as none";
            let diagnostic = Diagnostic::error(message, code.span(), "has no place");
            self.diagnostics.push(diagnostic.with_label(layout.span(), "by this"));
        }
    }

    /// Beside a loader `size` alone is of use too.
    fn uefi(&mut self, at: &At<Uefi>, with_loader: bool) {
        let uefi = at.get_ref();
        match (&uefi.image, &uefi.files) {
            (Some(image), Some(_)) => {
                self.error(
                    image,
                    "`image` and `files` exclude each other in [boot.uefi]",
                    "one ESP too many",
                );
            }
            (None, None) if !with_loader && uefi.uki.is_none() => {
                self.error(at, "[boot.uefi] needs an `image`, `files` or a `uki`", "starts nothing");
            }
            _ => {}
        }
        if let Some(image) = &uefi.image {
            self.reference(image);
        }
        for (to, from) in uefi.files.iter().flatten() {
            self.image_path(to);
            if image_path(to.get_ref()).is_ok_and(|path| path.directory) {
                self.error(to, "a file needs a name of its own", "this is a directory");
            }
            self.reference(from);
        }
        let Some(size) = &uefi.size else { return };
        match parse_size(size.get_ref()) {
            Err(message) => self.error(size, message, "this size"),
            Ok(bytes) if !bytes.is_multiple_of(ALIGNMENT) => {
                self.error(
                    size,
                    format!("an ESP has a multiple of {ALIGNMENT} bytes, not {bytes}"),
                    "this size",
                );
            }
            Ok(_) if uefi.image.is_some() => {
                self.error(
                    size,
                    "`size` is for an ESP that is made of `files`",
                    "the image has its own",
                );
            }
            Ok(_) => {}
        }
    }
}
