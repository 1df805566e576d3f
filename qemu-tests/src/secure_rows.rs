//! Images and machines for Secure Boot, and which boots on which, as was seen in boots of OVMF 2022.11 and shim 16.1.

use crate::secure;
use crate::secure_parts::Parts;
use std::path::{Path, PathBuf};

/// What a machine trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Microsoft's certificates of one year.
    Of2011,
    /// Of the later one.
    Of2023,
    /// Of both.
    Both,
    /// One of our keys alone.
    Own(&'static str),
    /// Microsoft's of both years, and one of our keys in `db`.
    Db(&'static str),
    /// The same as a Machine Owner Key.
    Mok(&'static str),
}

use Store::{Both, Db, Mok, Of2011, Of2023, Own};

/// A file in the ESP, in `/EFI/BOOT` if it is not said, and a program.
pub type File = (&'static str, &'static str);

/// An image, and on which machines it boots.
#[derive(Debug)]
pub struct Row {
    /// What it is called.
    pub name: &'static str,
    /// What is in it.
    pub files: &'static [File],
    /// The kernel that the menu starts; the page about the machine otherwise.
    pub kernel: Option<&'static str>,
    /// On which machines it boots, and on which not.
    pub boots: &'static [(Store, bool)],
}

const fn row(name: &'static str, files: &'static [File], boots: &'static [(Store, bool)]) -> Row {
    Row {
        name,
        files,
        kernel: None,
        boots,
    }
}

const fn kernel(
    name: &'static str,
    kernel: &'static str,
    files: &'static [File],
    boots: &'static [(Store, bool)],
) -> Row {
    Row {
        name,
        files,
        kernel: Some(kernel),
        boots,
    }
}

const BOOT: &str = "BOOTX64.EFI";
/// What shim starts.
pub const GRUB: &str = "grubx64.efi";

/// The lines of the two tables of boots, and a few that were measured for this one.
pub const ROWS: &[Row] = &[
    row(
        "unsigned",
        &[(BOOT, "loader")],
        &[(Of2011, false), (Of2023, false), (Both, false), (Own("own"), false)],
    ),
    row(
        "shim of 2011",
        &[(BOOT, "shim-2011"), (GRUB, "grub")],
        &[(Of2011, true), (Of2023, false), (Both, true), (Own("own"), false)],
    ),
    row(
        "shim of 2023",
        &[(BOOT, "shim-2023"), (GRUB, "grub")],
        &[(Of2011, false), (Of2023, true), (Both, true), (Own("own"), false)],
    ),
    row(
        "shim of both",
        &[(BOOT, "shim"), (GRUB, "grub")],
        &[
            (Of2011, true),
            (Of2023, true),
            (Both, true),
            (Own("own"), false),
            (Mok("own"), true),
        ],
    ),
    row(
        "shim of both and own",
        &[(BOOT, "shim-own"), (GRUB, "grub")],
        &[(Own("own"), true), (Of2011, true)],
    ),
    row(
        "own key",
        &[(BOOT, "own")],
        &[(Of2011, false), (Of2023, false), (Own("own"), true), (Db("own"), true)],
    ),
    row(
        "signed by isobuild",
        &[(BOOT, "by-isobuild")],
        &[(Own("own"), true), (Both, false)],
    ),
    row(
        "shim and own key",
        &[(BOOT, "shim"), (GRUB, "own")],
        &[
            (Of2011, false),
            (Of2023, false),
            (Own("own"), false),
            (Mok("own"), true),
            (Db("own"), true),
        ],
    ),
    row(
        "shim and unsigned",
        &[(BOOT, "shim"), (GRUB, "grub-unsigned")],
        &[(Both, false)],
    ),
    row("shim alone", &[(BOOT, "shim")], &[(Both, false)]),
    row(
        "shim and fallback",
        &[(BOOT, "shim"), (GRUB, "grub"), ("fbx64.efi", "fallback")],
        &[(Both, false)],
    ),
    row(
        "shim, fallback and a list",
        &[
            (BOOT, "shim"),
            ("fbx64.efi", "fallback"),
            ("/EFI/acme/shimx64.efi", "shim"),
            ("/EFI/acme/grubx64.efi", "grub"),
            ("/EFI/acme/BOOTX64.CSV", "list"),
        ],
        &[(Both, true), (Own("own"), false)],
    ),
    row(
        "shim and an older GRUB",
        &[(BOOT, "shim"), (GRUB, "grub-4")],
        &[(Mok("own"), false)],
    ),
    row(
        "shim and the same GRUB",
        &[(BOOT, "shim"), (GRUB, "grub-5")],
        &[(Mok("own"), true)],
    ),
    row(
        "shim and no generation",
        &[(BOOT, "shim"), (GRUB, "no-sbat")],
        &[(Mok("own"), false)],
    ),
    row(
        "shim and Debian's name",
        &[(BOOT, "shim"), (GRUB, "debians-name")],
        &[(Both, false)],
    ),
    row(
        "shim and changed GRUB",
        &[(BOOT, "shim"), (GRUB, "grub-changed")],
        &[(Both, false)],
    ),
    row(
        "changed shim",
        &[(BOOT, "shim-changed"), (GRUB, "grub")],
        &[(Both, false)],
    ),
    row("Microsoft's name", &[(BOOT, "microsofts-name")], &[(Both, false)]),
    row("Microsoft's name alone", &[(BOOT, "name-alone")], &[(Both, false)]),
    row(
        "Microsoft's certificate",
        &[(BOOT, "certificate")],
        &[(Both, false), (Own("own"), true)],
    ),
    row("another's signature", &[(BOOT, "grafted")], &[(Both, false)]),
    row("GRUB without shim", &[(BOOT, "grub")], &[(Both, false)]),
    row(
        "chain",
        &[(BOOT, "chain")],
        &[
            (Both, false),
            (Own("root"), true),
            (Own("inter"), true),
            (Own("leaf"), true),
        ],
    ),
    row(
        "chain with a gap",
        &[(BOOT, "gap")],
        &[(Own("root"), false), (Own("inter"), true), (Own("leaf"), true)],
    ),
    row(
        "shim and chain",
        &[(BOOT, "shim"), (GRUB, "chain")],
        &[(Mok("root"), true), (Both, false)],
    ),
    row(
        "issued by no authority",
        &[(BOOT, "child")],
        &[(Own("root"), false), (Own("leaf"), false), (Own("child"), false)],
    ),
    row(
        "signature by GUID",
        &[(BOOT, "by-guid")],
        &[(Own("own"), true), (Both, false)],
    ),
    row("bytes behind the table", &[(BOOT, "longer")], &[(Own("own"), false)]),
    row("key for modules", &[(BOOT, "for-modules")], &[(Own("modules"), true)]),
    row(
        "shim and key for modules",
        &[(BOOT, "shim"), (GRUB, "for-modules")],
        &[(Mok("modules"), false), (Db("modules"), false)],
    ),
    row("key of 4096 bits", &[(BOOT, "4096")], &[(Own("4096"), true)]),
    row("key of 1024 bits", &[(BOOT, "1024")], &[(Own("1024"), true)]),
    row(
        "shim and elliptic curve",
        &[(BOOT, "shim"), (GRUB, "curve")],
        &[(Mok("curve"), false)],
    ),
    row("elliptic curve", &[(BOOT, "curve")], &[(Own("curve"), false)]),
    kernel(
        "Debian's kernel",
        "kernel",
        &[(BOOT, "shim"), (GRUB, "own")],
        &[(Mok("own"), true), (Both, false)],
    ),
    kernel(
        "unsigned kernel",
        "kernel-unsigned",
        &[(BOOT, "shim"), (GRUB, "own")],
        &[(Mok("own"), false)],
    ),
    kernel(
        "kernel of Debian's name",
        "kernel-debians-name",
        &[(BOOT, "shim"), (GRUB, "own")],
        &[(Mok("own"), false)],
    ),
    kernel(
        "own kernel",
        "kernel-own",
        &[(BOOT, "own")],
        &[(Own("own"), true), (Of2023, false)],
    ),
    kernel(
        "own key and Debian's kernel",
        "kernel",
        &[(BOOT, "own")],
        &[(Own("own"), false)],
    ),
];

impl Store {
    /// In words.
    pub fn name(self) -> String {
        match self {
            Of2011 => "2011".into(),
            Of2023 => "2023".into(),
            Both => "both".into(),
            Own(key) => format!("{key} alone"),
            Db(key) => format!("both and {key}"),
            Mok(key) => format!("both and MOK {key}"),
        }
    }

    /// The cells of which one has to boot for this machine to boot, and whom its owner trusts.
    pub fn cells(self) -> (&'static [&'static str], Option<&'static str>) {
        const EITHER: &[&str] = &["secure-boot-2011-usb", "secure-boot-2023-usb"];
        match self {
            Of2011 => (&EITHER[..1], None),
            Of2023 => (&EITHER[1..], None),
            Both => (EITHER, None),
            Own(key) => (&["secure-boot-own-usb"], Some(key)),
            Db(key) | Mok(key) => (EITHER, Some(key)),
        }
    }

    /// Its variables, as a file in the directory.
    pub fn variables(self, parts: &Parts, directory: &Path) -> Result<PathBuf, String> {
        let microsofts = |names: &[&str]| -> Result<Vec<_>, String> {
            names.iter().map(|name| secure::of_microsoft(name)).collect()
        };
        let of_2011 = ["MicrosoftWindowsProductionPCA2011", "MicrosoftCorporationUEFICA2011"];
        let of_2023 = ["WindowsUEFICA2023", "MicrosoftUEFICA2023"];
        let mut db: Vec<PathBuf> = match self {
            Of2011 => microsofts(&of_2011)?,
            Of2023 => microsofts(&of_2023)?,
            Both | Db(_) | Mok(_) => microsofts(&[of_2011, of_2023].concat())?,
            Own(_) => Vec::new(),
        };
        let mut mok = Vec::new();
        match self {
            Own(key) | Db(key) => db.push(parts.key(key)?.certificate.clone()),
            Mok(key) => mok.push(parts.key(key)?.certificate.clone()),
            Of2011 | Of2023 | Both => {}
        }
        let file = directory.join("variables.fd");
        secure::variables(&file, &db, &mok)?;
        Ok(file)
    }
}
