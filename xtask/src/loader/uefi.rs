//! Images by rustc for UEFI's own targets: no toolchain that a contributor has brings a core library for them, so that it is built
//! with them, by a compiler whose sources Debian packages. The packages are unpacked under `target/`; nothing is installed.

use super::{read, sources};
use crate::inputs;
use crate::shell;
use qemu_tests::pins::Package;
use qemu_tests::{hash, workspace};
use std::path::PathBuf;
use std::process::Command;

/// What `rustc --version` of [`PACKAGES`] says.
pub(crate) const VERSION: &str = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)";

/// Debian 12's security archive: the compiler, what it is linked with, the library for build scripts, the library's sources,
/// and the linker. Name, version and SHA-256.
const PACKAGES: [(&str, &str, &str); 6] = [
    (
        "rustc-web",
        RUST,
        "8fefe1d6377fe4082f5a9d2a47e095e2d20319eaab9754bd2f0275155c9adf90",
    ),
    (
        "rust-web-src",
        RUST,
        "9de8597c464d0a9283672973ed7e50092b49a92b95861429043fe8b57468a208",
    ),
    (
        "libstd-rust-web-dev",
        RUST,
        "e38dbeaaad673fc63fb47c5140cf34da271ac71c3ecafc828b762c2fb01fe77a",
    ),
    (
        "libstd-rust-web-1.96",
        RUST,
        "3755f30434ae29574c91b0beb86632bee401607b0ac35c3e52810f9a53fae0d1",
    ),
    (
        "libllvm22",
        LLVM,
        "729ec3e943d320515c2bbdc96acfffd7ce34861e62bd5c42726bf586d644dfe2",
    ),
    (
        "lld-22",
        LLVM,
        "13103b3fb3195bfeade9835d3906a4cc91002010f9013d98aa1fc55b841d07b4",
    ),
];
const RUST: &str = "1.96.0+dfsg1-1~deb12u2";
const LLVM: &str = "1:22.1.8-1~deb12u1";

/// Flags of cargo. The features give the functions of C's library that compiled code calls.
const CARGO: [&str; 5] = [
    "--release",
    "--locked",
    "--features=firmware",
    "-Zbuild-std=core,compiler_builtins",
    "-Zbuild-std-features=compiler-builtins-mem",
];

/// Flags of rustc: neither a time nor a name of a file with symbols in the image.
const FLAGS: [&str; 3] = [
    "-Clinker-flavor=lld-link",
    "-Clink-arg=/Brepro",
    "-Clink-arg=/DEBUG:NONE",
];

/// All flags but those that hide this machine's paths.
pub(crate) fn flags(target: &str) -> String {
    let target = format!("--target={target}");
    [&CARGO[..], &[&target], &FLAGS].concat().join(" ")
}

/// The compiler, unpacked.
pub(crate) struct Compiler {
    root: PathBuf,
}

impl Compiler {
    /// Downloads and unpacks it, unless it is there.
    pub(crate) fn fetch() -> Result<Self, String> {
        let root = workspace::target().join("uefi-compiler");
        let compiler = Self { root };
        if compiler.version().is_ok_and(|version| version == VERSION) {
            return Ok(compiler);
        }
        println!("loader: bringing {VERSION} here");
        // Unpacked elsewhere first: what is there is whole.
        let scratch = tempfile::tempdir_in(workspace::target()).map_err(|e| format!("a temporary directory: {e}"))?;
        for (name, version, digest) in PACKAGES {
            let deb = inputs::download(&Package {
                name: name.to_owned(),
                version: Some(version.to_owned()),
                architecture: None,
                meta: false,
                files: Vec::new(),
            })?;
            if hash::file(&deb)? != digest {
                return Err(format!("{name} {version} is not what it was: {}", deb.display()));
            }
            shell::output(Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(scratch.path()))?;
        }
        let _ = std::fs::remove_dir_all(&compiler.root);
        let unpacked = scratch.keep();
        std::fs::rename(&unpacked, &compiler.root).map_err(|e| format!("{}: {e}", compiler.root.display()))?;
        match compiler.version()? {
            version if version == VERSION => Ok(compiler),
            version => Err(format!("the packages hold {version}, not {VERSION}")),
        }
    }

    /// The image of a front end for a target.
    pub(crate) fn build(&self, front: &str, target: &str) -> Result<Vec<u8>, String> {
        let out = workspace::target().join("uefi");
        let library = self.root.join("usr/src/rustc-1.96.0");
        let link = self.root.join("usr/lib/rustlib/src/rust");
        let here = sources();
        let remap = [(&library, "/rust"), (&link, "/rust"), (&here, "loader")]
            .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
        let remap = remap.iter().map(String::as_str);
        let flags: Vec<&str> = FLAGS.into_iter().chain(remap).collect();
        let linker = format!("CARGO_TARGET_{}_LINKER", target.replace('-', "_").to_uppercase());

        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--quiet", "--bin", front, "--target", target, "--target-dir"])
            .arg(&out)
            .args(CARGO)
            .current_dir(&here);
        for name in ["RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
            cargo.env_remove(name);
        }
        self.with_libraries(&mut cargo)
            .env("RUSTC", self.rustc())
            // The library's sources use what is not stable, and cargo builds them only on request.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .env(linker, self.root.join("usr/bin/lld-link-22"));
        shell::output(&mut cargo)?;
        read(&out.join(target).join("release").join(format!("{front}.efi")))
    }

    fn rustc(&self) -> PathBuf {
        self.root.join("usr/bin/rustc")
    }

    fn version(&self) -> Result<String, String> {
        let mut rustc = Command::new(self.rustc());
        let version = shell::output(self.with_libraries(&mut rustc).arg("--version"))?;
        Ok(String::from_utf8_lossy(&version).trim().to_owned())
    }

    fn with_libraries<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("LD_LIBRARY_PATH", self.root.join("usr/lib/x86_64-linux-gnu"))
    }
}
