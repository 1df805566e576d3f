//! The form in which an image is written: the container around its bytes, and the compression.

use std::ffi::OsStr;
use std::path::Path;

use crate::formats::vhd;

/// What stands around the bytes of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// Nothing.
    Raw,
    /// Nothing: a disk.
    Img,
    /// QEMU's.
    Qcow2,
    /// Virtual PC's and Hyper-V's first.
    Vhd(vhd::Kind),
    /// Hyper-V's second.
    Vhdx,
    /// VMware's, stream-optimized.
    Vmdk,
    /// Apple's, compressed with zlib.
    Dmg,
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compressor {
    /// RFC 1952.
    Gzip,
    /// The .xz file format.
    Xz,
    /// RFC 8878.
    Zstd,
}

impl Compressor {
    /// As people call it, and its suffix.
    const ALL: [(Self, &str, &str); 3] = [
        (Self::Gzip, "gzip", "gz"),
        (Self::Xz, "xz", "xz"),
        (Self::Zstd, "zstd", "zst"),
    ];

    /// As people call it.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|known| known.0 == self)
            .map_or("", |known| known.1)
    }

    /// The least level, the greatest, and the one that is usual.
    pub fn levels(self) -> (u32, u32, u32) {
        match self {
            Self::Gzip => (1, 9, 6),
            Self::Xz => (0, 9, 6),
            Self::Zstd => (1, 22, 3),
        }
    }

    fn of_suffix(suffix: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|known| known.2.eq_ignore_ascii_case(suffix));
        found.map(|known| known.0)
    }
}

/// In which form an image is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFormat {
    /// What stands around its bytes.
    pub container: Container,
    /// How the whole file is compressed.
    pub compressor: Option<Compressor>,
    /// How hard it is compressed. Default: what is usual.
    pub level: Option<u32>,
}

/// Containers by their suffix, which is their name.
const CONTAINERS: [(&str, Container); 9] = [
    ("raw", Container::Raw),
    ("iso", Container::Raw),
    ("img", Container::Img),
    ("qcow2", Container::Qcow2),
    ("vhd", Container::Vhd(vhd::Kind::Dynamic)),
    ("vhd-fixed", Container::Vhd(vhd::Kind::Fixed)),
    ("vhdx", Container::Vhdx),
    ("vmdk", Container::Vmdk),
    ("dmg", Container::Dmg),
];

/// Suffixes of forms that are not written. A file with such a name and other bytes would mislead.
const NOT_WRITTEN: [&str; 17] = [
    "7z", "bz2", "cab", "cpio", "hdd", "lz", "lz4", "lzma", "nrg", "qcow", "qed", "rar", "tar", "tgz", "vdi", "wim",
    "zip",
];

impl FileFormat {
    /// The bytes of the image alone.
    pub const RAW: Self = Self {
        container: Container::Raw,
        compressor: None,
        level: None,
    };

    /// The form that the suffixes of a file's name mean. What is no suffix of a form means the bytes alone.
    ///
    /// # Errors
    /// The suffix of a form that is not written.
    pub fn of_path(path: &Path) -> Result<Self, String> {
        let (container, compressor) = suffixes(path);
        if let Some(suffix) = container
            && let Some(refused) = NOT_WRITTEN.iter().find(|name| name.eq_ignore_ascii_case(suffix))
        {
            return Err(format!(
                "no image is written as .{refused}; the form `raw` writes its bytes under any name"
            ));
        }
        Ok(Self {
            container: container.and_then(of_suffix).unwrap_or(Container::Raw),
            compressor,
            level: None,
        })
    }

    /// The same with a level, if the file is compressed.
    ///
    /// # Errors
    /// The compression has no such level.
    pub fn with_level(self, level: Option<u32>) -> Result<Self, String> {
        let Some((compressor, level)) = self.compressor.zip(level) else {
            return Ok(self);
        };
        let (least, greatest, _) = compressor.levels();
        match (least..=greatest).contains(&level) {
            true => Ok(Self {
                level: Some(level),
                ..self
            }),
            false => Err(format!(
                "{} has levels from {least} to {greatest}, not {level}",
                compressor.name()
            )),
        }
    }

    /// The form of a name such as `qcow2` or `img.zst`.
    ///
    /// # Errors
    /// There is no such form. The sentence names those that there are.
    pub fn of_name(name: &str) -> Result<Self, String> {
        let found = || {
            let (container, compressor) = match name.rsplit_once('.') {
                Some((container, suffix)) => (container, Some(Compressor::of_suffix(suffix)?)),
                None => (name, None),
            };
            let container = CONTAINERS.iter().find(|known| known.0 == container)?.1;
            Some(Self {
                container,
                compressor,
                level: None,
            })
        };
        found().ok_or_else(|| {
            let names: Vec<&str> = CONTAINERS.iter().map(|known| known.0).collect();
            format!(
                "`{name}` is not a form of a file; the forms are {}, and for compressed files .gz, .xz or .zst behind one of them",
                names.join(", ")
            )
        })
    }

    /// The name of the form.
    pub fn name(&self) -> String {
        let container = CONTAINERS.iter().find(|known| known.1 == self.container);
        let container = container.map_or("", |known| known.0);
        let suffix = Compressor::ALL.iter().find(|known| Some(known.0) == self.compressor);
        suffix.map_or(container.to_owned(), |known| format!("{container}.{}", known.2))
    }

    /// Whether the file has the image's bytes as they are.
    pub fn is_plain(&self) -> bool {
        self.compressor.is_none() && matches!(self.container, Container::Raw | Container::Img)
    }
}

/// The suffix of a container, and the compression behind it.
fn suffixes(path: &Path) -> (Option<&str>, Option<Compressor>) {
    let compressor = path.extension().and_then(OsStr::to_str).and_then(Compressor::of_suffix);
    let inner = match compressor {
        Some(_) => path.file_stem().map(Path::new),
        None => Some(path),
    };
    (inner.and_then(Path::extension).and_then(OsStr::to_str), compressor)
}

fn of_suffix(suffix: &str) -> Option<Container> {
    let known = CONTAINERS.iter().find(|known| known.0.eq_ignore_ascii_case(suffix));
    known.map(|known| known.1)
}

/// A file's name without the suffixes that say its form. What is left over from another suffix goes too.
pub fn stem(path: &Path) -> &OsStr {
    let (_, compressor) = suffixes(path);
    let name = match compressor {
        Some(_) => path.file_stem(),
        None => path.file_name(),
    };
    name.map(Path::new).and_then(Path::file_stem).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_path(path: &str) -> String {
        FileFormat::of_path(Path::new(path)).map_or_else(|error| error, |format| format.name())
    }

    #[test]
    fn suffixes_mean_a_form() {
        for (path, name) in [
            ("a.iso", "raw"),
            ("a", "raw"),
            ("a.bin", "raw"),
            ("out/a.b.img", "img"),
            ("a.IMG.ZST", "img.zst"),
            ("a.qcow2", "qcow2"),
            ("a.vhd", "vhd"),
            ("a.vhdx.gz", "vhdx.gz"),
            ("a.vmdk", "vmdk"),
            ("a.dmg.xz", "dmg.xz"),
            ("a.xz", "raw.xz"),
            (".qcow2", "raw"),
            ("a.vdi", "no image is written as .vdi;"),
            ("a.tar.gz", "no image is written as .tar;"),
            ("a.iso.bz2", "no image is written as .bz2;"),
        ] {
            let of_path = of_path(path);
            let said = if name.ends_with(';') {
                &of_path[..name.len()]
            } else {
                &of_path
            };
            assert_eq!(said, name, "{path}");
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in CONTAINERS
            .map(|known| known.0)
            .into_iter()
            .filter(|&name| name != "iso")
        {
            assert_eq!(FileFormat::of_name(name).unwrap().name(), name);
            let compressed = format!("{name}.xz");
            assert_eq!(FileFormat::of_name(&compressed).unwrap().name(), compressed);
        }
        assert_eq!(FileFormat::of_name("iso"), Ok(FileFormat::RAW));
        for wrong in ["", "qcow", "img.bz2", ".gz", "gz", "img.gz.xz"] {
            assert!(FileFormat::of_name(wrong).unwrap_err().contains("vhd-fixed"), "{wrong}");
        }
    }

    #[test]
    fn a_stem_has_no_suffix_of_a_form() {
        for (path, wanted) in [
            ("dist/acme.iso", "acme"),
            ("acme.img.zst", "acme"),
            ("acme-1.4.qcow2", "acme-1.4"),
            ("acme.gz", "acme"),
            ("acme", "acme"),
            ("acme.bin", "acme"),
        ] {
            assert_eq!(stem(Path::new(path)), wanted, "{path}");
        }
    }
}
