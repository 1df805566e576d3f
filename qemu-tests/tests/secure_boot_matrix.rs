//! Whom Secure Boot starts: `check` against real firmware with variables that virt-fw-vars has made, over images of Debian's signed programs,
//! of forged ones and of our own keys. What is expected was seen in boots of OVMF 2022.11 and shim 16.1.

use isobuild::cell::Firmware;
use isobuild::vm::Machine;
use isobuild::vm::Scratch;
use libtest_mimic::Trial;
use qemu_tests::forge::{self, EFI_GUID, PKCS_SIGNED_DATA, PKCS7_GUID};
use qemu_tests::secure::{self, Key};
use qemu_tests::{pins, suite, system, tools, workspace};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;
use std::time::Duration;

fn main() -> ExitCode {
    suite::run_without(is_long, Ok(trials()))
}

/// What a machine trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Store {
    /// Microsoft's certificates of one year.
    Of2011,
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
type File = (&'static str, &'static str);

/// An image, and on which machines it boots.
struct Row {
    name: &'static str,
    files: &'static [File],
    /// The kernel that the menu starts; the page about the machine otherwise.
    kernel: Option<&'static str>,
    boots: &'static [(Store, bool)],
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
const GRUB: &str = "grubx64.efi";

/// The lines of the two tables of boots, and a few that were measured for this one.
const ROWS: &[Row] = &[
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

/// What is booted without `--full`: one of each kind of outcome.
const SHORT: [(&str, Store); 5] = [
    ("shim of 2023", Of2011),
    ("shim of 2023", Of2023),
    ("shim and an older GRUB", Mok("own")),
    ("signed by isobuild", Own("own")),
    ("own kernel", Own("own")),
];

fn is_long(name: &str) -> bool {
    let is_short = |(row, store): &(&str, Store)| name == boot_name(row, *store);
    name.starts_with("boot: ") && !SHORT.iter().any(is_short)
}

fn boot_name(row: &str, store: Store) -> String {
    format!("boot: {row} on {}", store.name())
}

fn trials() -> Vec<Trial> {
    let mut missing = system::missing(Firmware::SecureBoot);
    missing.extend(suite::missing(&["openssl", "sbsign"]));
    missing.extend(tools::from_pypi("virt-fw-vars").err());
    let mut trials = Vec::new();
    for row in ROWS {
        let name = format!("verdict: {}", row.name);
        trials.push(suite::trial(name, missing.clone(), || row.judged(parts()?)));
        for &(store, boots) in row.boots {
            let name = boot_name(row.name, store);
            trials.push(suite::trial(name, missing.clone(), move || {
                row.booted(parts()?, store, boots)
            }));
        }
    }
    trials
}

impl Store {
    fn name(self) -> String {
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
    fn cells(self) -> (&'static [&'static str], Option<&'static str>) {
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
    fn variables(self, parts: &Parts, directory: &Path) -> Result<PathBuf, String> {
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

impl Row {
    /// The image, in the directory.
    fn image(&self, parts: &Parts, directory: &Path) -> Result<PathBuf, String> {
        let mut manifest = "[boot]\nserial = 115200\nfirmware = [\"uefi\"]\n".to_owned();
        manifest += match self.kernel {
            Some(_) => {
                "timeout = 0\n[[menu]]\nkernel = \"linux\"\ncmdline = \"console=ttyS0 earlyprintk=serial panic=0\"\n"
            }
            None => "timeout = 0\n[[menu]]\naction = \"machine\"\n",
        };
        if let Some(kernel) = self.kernel {
            fs::copy(parts.file(kernel), directory.join("linux")).map_err(|e| format!("{kernel}: {e}"))?;
        }
        manifest += "[boot.uefi.files]\n";
        for (name, part) in self.files {
            let directory = if name.starts_with('/') { "" } else { "/EFI/BOOT/" };
            manifest += &format!("\"{directory}{name}\" = {:?}\n", parts.file(part));
        }
        let path = directory.join("manifest.toml");
        fs::write(&path, manifest).map_err(|e| e.to_string())?;
        let image = directory.join("image.iso");
        qemu_tests::example::build(&mut Command::new(workspace::isobuild()?), &path, &image)?;
        Ok(image)
    }

    /// What `check` says of the image, and `plan` before it was there.
    fn judged(&self, parts: &Parts) -> Result<(), String> {
        let directory = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
        let image = self.image(parts, directory.path())?;
        let manifest = directory.path().join("manifest.toml");
        for &(store, boots) in self.boots {
            let (cells, trusted) = store.cells();
            for (verb, subject) in [("check", &image), ("plan", &manifest)] {
                let mut isobuild = Command::new(workspace::isobuild()?);
                isobuild.arg(verb).arg(subject).arg("--json");
                if let Some(key) = trusted {
                    isobuild.arg("--trust").arg(&parts.key(key)?.certificate);
                }
                let output = isobuild.output().map_err(|e| e.to_string())?;
                let said: serde_json::Value =
                    serde_json::from_slice(&output.stdout).map_err(|e| format!("{verb}: {e}"))?;
                let verdicts = said["cells"].as_array().into_iter().flatten();
                let verdicts: Vec<_> = verdicts
                    .filter(|verdict| verdict["cell"].as_str().is_some_and(|cell| cells.contains(&cell)))
                    .collect();
                if verdicts.len() != cells.len() {
                    return Err(format!("{verb}: {} verdicts on {cells:?}", verdicts.len()));
                }
                if verdicts.iter().any(|verdict| verdict["boots"] == true) != boots {
                    return Err(format!(
                        "{verb}, {}: wanted {boots}, and it says {verdicts:#?}",
                        store.name()
                    ));
                }
            }
        }
        Ok(())
    }

    /// What the firmware makes of it.
    fn booted(&self, parts: &Parts, store: Store, boots: bool) -> Result<(), String> {
        let directory = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
        let image = self.image(parts, directory.path())?;
        let medium = Scratch::new(&image, isobuild::cell::Medium::Usb, directory.path())?;
        let name = boot_name(self.name, store).replace(['\'', ' ', ':'], "-");
        let logs = workspace::target().join("qemu-tests/logs").join(name);
        let mut guest = Machine::new(Firmware::SecureBoot)
            .variables(&store.variables(parts, directory.path())?)
            .deadline(Duration::from_secs(120))
            .scratch(&medium)
            .start(&logs)?;
        let is_grub = self
            .files
            .iter()
            .any(|(name, part)| name.ends_with(GRUB) && part.starts_with("grub"));
        let expected = match self.kernel {
            Some(_) => "Linux version",
            None if is_grub => "GNU GRUB",
            None => "Free memory",
        };
        match (guest.wait_for(&[expected]), boots) {
            (Ok(()), true) => Ok(()),
            (Ok(()), false) => Err(format!("{expected:?} is there, and Secure Boot should refuse it")),
            (Err(error), true) => Err(error.to_string()),
            // Not that nothing happens in time: a refusal is said.
            (Err(error), false) => match error.to_string() {
                said if said.contains("the machine says") => Ok(()),
                said => Err(said),
            },
        }
    }
}

/// The programs and keys of all images, in a directory that is made anew by each run.
struct Parts {
    directory: PathBuf,
    keys: BTreeMap<&'static str, Key>,
}

/// Made once, by whichever test is the first.
fn parts() -> Result<&'static Parts, String> {
    static PARTS: OnceLock<Result<Parts, String>> = OnceLock::new();
    PARTS.get_or_init(Parts::new).as_ref().map_err(Clone::clone)
}

impl Parts {
    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.efi"))
    }

    fn key(&self, name: &str) -> Result<&Key, String> {
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

    fn new() -> Result<Self, String> {
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
