//! What Secure Boot is tried with: Debian's signed programs, others that our keys have signed, and forged ones.

use crate::forge::{self, EFI_GUID, PKCS_SIGNED_DATA, PKCS7_GUID};
use crate::secure::{self, Key};
use crate::{pins, workspace};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs and keys of all images, in a directory that is made anew by each run.
#[derive(Debug)]
pub struct Parts {
    directory: PathBuf,
    keys: BTreeMap<&'static str, Key>,
}

impl Parts {
    /// The file of a program.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.efi"))
    }

    /// One of the keys.
    pub fn key(&self, name: &str) -> Result<&Key, String> {
        self.keys.get(name).ok_or_else(|| format!("there is no key {name}"))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        fs::write(self.file(name), bytes).map_err(|e| format!("{name}: {e}"))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        fs::read(self.file(name)).map_err(|e| format!("{name}: {e}"))
    }

    fn sign(&self, from: &str, key: &str, to: &str, more: &[&str]) -> Result<(), String> {
        let more: Vec<&Key> = more.iter().map(|key| self.key(key)).collect::<Result<_, _>>()?;
        self.key(key)?.sign(&self.file(from), &self.file(to), &more)
    }

    /// Makes all of them.
    pub fn new() -> Result<Self, String> {
        let directory = workspace::target().join("qemu-tests/secure-boot");
        if directory.exists() {
            fs::remove_dir_all(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
        }
        fs::create_dir_all(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
        let mut parts = Self {
            keys: keys(&directory)?,
            directory,
        };
        let microsoft = Key::of_certificate(secure::of_microsoft("MicrosoftCorporationUEFICA2011")?);
        parts.keys.insert("microsoft", microsoft);
        parts.take_from_debian()?;
        parts.signed()?;
        parts.forged()?;
        Ok(parts)
    }

    /// The loader as it comes out of the program, and what Debian and Microsoft have signed.
    fn take_from_debian(&self) -> Result<(), String> {
        let loaders = self.directory.join("loaders");
        let mut isobuild = Command::new(workspace::isobuild()?);
        let said = isobuild
            .args(["loader", "-C"])
            .arg(&loaders)
            .output()
            .map_err(|e| e.to_string())?;
        if !said.status.success() {
            return Err(String::from_utf8_lossy(&said.stderr).into_owned());
        }
        let (installer, own) = (pins::load("debian-installer")?, pins::load("qemu-tests")?);
        for (name, file) in [
            ("loader", loaders.join("BOOTX64.EFI")),
            ("shim", installer.file("shimx64.efi.signed")?),
            ("grub", installer.file("gcdx64.efi.signed")?),
            ("fallback", own.file("fbx64.efi.signed")?),
            ("kernel", own.file("vmlinuz")?),
        ] {
            fs::copy(&file, self.file(name)).map_err(|e| format!("{}: {e}", file.display()))?;
        }
        let list: Vec<u8> = "\u{feff}shimx64.efi,acme,,\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        self.put("list", &list)?;
        for name in ["grub", "kernel"] {
            self.put(&format!("{name}-unsigned"), &forge::unsigned(&self.read(name)?))?;
        }
        Ok(())
    }

    /// What our keys sign.
    fn signed(&self) -> Result<(), String> {
        let older = forge::with_text(&self.read("grub-unsigned")?, "\ngrub,5,", "\ngrub,4,")?;
        self.put("grub-4-unsigned", &older)?;
        let nameless = forge::with_text(&self.read("loader")?, ".sbat\0\0\0", ".tabs\0\0\0")?;
        self.put("loader-nameless", &nameless)?;
        for (from, key, to) in [
            ("loader", "own", "own"),
            ("shim", "own", "shim-own"),
            ("grub-unsigned", "own", "grub-5"),
            ("grub-4-unsigned", "own", "grub-4"),
            ("loader-nameless", "own", "no-sbat"),
            ("loader", "microsofts-name", "microsofts-name"),
            ("loader", "debians-name", "debians-name"),
            ("loader", "leaf", "gap"),
            ("loader", "modules", "for-modules"),
            ("loader", "4096", "4096"),
            ("loader", "1024", "1024"),
            ("loader", "curve", "curve"),
            ("kernel-unsigned", "own", "kernel-own"),
            ("kernel-unsigned", "debians-name", "kernel-debians-name"),
        ] {
            self.sign(from, key, to, &[])?;
        }
        let own = self.key("own")?;
        let mut isobuild = Command::new(workspace::isobuild()?);
        isobuild
            .arg("sign")
            .arg(self.file("loader"))
            .arg(self.file("by-isobuild"));
        let said = isobuild
            .arg("--key")
            .arg(&own.key)
            .arg("--cert")
            .arg(&own.certificate)
            .output();
        let said = said.map_err(|e| e.to_string())?;
        if !said.status.success() {
            return Err(String::from_utf8_lossy(&said.stderr).into_owned());
        }
        self.sign("loader", "leaf", "chain", &["inter"])?;
        self.sign("loader", "child", "child", &["leaf", "inter"])?;
        self.sign("loader", "own", "certificate", &["microsoft"])
    }

    /// What nobody has signed, whatever it says.
    fn forged(&self) -> Result<(), String> {
        let (loader, shim, own) = (self.read("loader")?, self.read("shim")?, self.read("own")?);
        let of_shim = forge::signatures(&shim);
        let [of_2011, of_2023] = of_shim.as_slice() else {
            return Err(format!(
                "shim has {} signatures, not those of 2011 and 2023",
                of_shim.len()
            ));
        };
        let of_own = forge::signatures(&own);
        let by_guid = [&PKCS7_GUID[..], &of_own[0]].concat();
        for (name, program, entries) in [
            ("shim-2011", &shim, vec![(PKCS_SIGNED_DATA, of_2011.as_slice())]),
            ("shim-2023", &shim, vec![(PKCS_SIGNED_DATA, of_2023.as_slice())]),
            ("grafted", &loader, vec![(PKCS_SIGNED_DATA, of_2011.as_slice())]),
            (
                "name-alone",
                &loader,
                vec![(PKCS_SIGNED_DATA, forge::name_alone().as_slice())],
            ),
            ("by-guid", &own, vec![(EFI_GUID, by_guid.as_slice())]),
        ] {
            self.put(name, &forge::with_table(program, &entries))?;
        }
        self.put("shim-changed", &forge::changed(&shim))?;
        self.put("grub-changed", &forge::changed(&self.read("grub")?))?;
        self.put("longer", &[own, vec![b'x'; 512]].concat())
    }
}

/// Our keys. root has issued inter, inter leaf, and leaf, which is no authority, child.
fn keys(directory: &Path) -> Result<BTreeMap<&'static str, Key>, String> {
    const RSA: &str = "rsa:2048";
    const AUTHORITY: &[&str] = &["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"];
    const NO_AUTHORITY: &[&str] = &["basicConstraints=critical,CA:FALSE"];
    const MODULES: &[&str] = &["extendedKeyUsage=codeSigning,1.3.6.1.4.1.2312.16.1.2"];
    let mut keys = BTreeMap::new();
    for (key, of, issuer) in [
        ("own", (RSA, "own", &[][..]), None),
        (
            "microsofts-name",
            (RSA, "Microsoft Corporation UEFI CA 2011", &[]),
            None,
        ),
        ("debians-name", (RSA, "Debian Secure Boot CA", &[]), None),
        ("root", (RSA, "root", AUTHORITY), None),
        ("inter", (RSA, "inter", AUTHORITY), Some("root")),
        ("leaf", (RSA, "leaf", NO_AUTHORITY), Some("inter")),
        ("child", (RSA, "child", NO_AUTHORITY), Some("leaf")),
        ("modules", (RSA, "modules", MODULES), None),
        ("4096", ("rsa:4096", "4096", &[]), None),
        ("1024", ("rsa:1024", "1024", &[]), None),
        ("curve", ("ec -pkeyopt ec_paramgen_curve:P-256", "curve", &[]), None),
    ] {
        let issuer = issuer.and_then(|issuer| keys.get(issuer));
        let made = Key::new(directory, key, of, issuer)?;
        keys.insert(key, made);
    }
    Ok(keys)
}
