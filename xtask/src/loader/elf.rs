//! Images by the pinned rustc: compiled for Linux's ELF target, which every toolchain has, linked by rustc's own linker, and
//! turned into what firmware starts here: a PE image (`pe`) or a flat one (`flat`). Nothing else takes part.

use super::sections::Sections;
use super::{hazards, read, sources};
use crate::shell;
use qemu_tests::workspace;
use std::process::Command;

/// How an image is linked and converted.
pub(crate) struct Recipe {
    /// Whether it is linked to run anywhere.
    pub(crate) relocatable: bool,
    /// Turns the linked program into what firmware starts.
    pub(crate) convert: fn(&Sections) -> Result<Vec<u8>, String>,
}

/// Flags of every call of the compiler.
pub(crate) const FLAGS: [&str; 13] = [
    "--edition=2024",
    "--target=x86_64-unknown-linux-gnu",
    "-Copt-level=s",
    "-Clto=fat",
    "-Ccodegen-units=1",
    "-Cpanic=abort",
    "-Cno-redzone=y",
    "-Cstrip=symbols",
    "-Cdebuginfo=0",
    "-Crelro-level=off",
    "-Cforce-frame-pointers=n",
    "-Clinker=rust-lld",
    "-Clinker-flavor=ld.lld",
];

/// Flags of the linker.
pub(crate) const LINK: [&str; 5] = [
    "-Clink-arg=-znognustack",
    "-Clink-arg=--build-id=none",
    "-Clink-arg=--gc-sections",
    "-Clink-arg=--hash-style=sysv",
    "-Clink-arg=--no-dynamic-linker",
];

impl Recipe {
    /// The image of a front end.
    pub(crate) fn build(&self, front: &str, compiler: &Compiler) -> Result<Vec<u8>, String> {
        let out = tempfile::tempdir().map_err(|e| format!("a temporary directory: {e}"))?;
        let library = out.path().join("libisobuild_loader.rlib");
        let program = out.path().join("loader.elf");
        let model = if self.relocatable { "pic" } else { "static" };
        let model = format!("-Crelocation-model={model}");
        let small = (!self.relocatable).then_some("-Ccode-model=small");
        let flags: Vec<&str> = FLAGS.into_iter().chain([model.as_str()]).chain(small).collect();
        let remap = format!("--remap-path-prefix={}=loader", sources().display());

        compiler.run(|rustc| {
            rustc.args([
                "--crate-type=rlib",
                "--crate-name=isobuild_loader",
                "src/lib.rs",
                &remap,
            ]);
            rustc.args(&flags).arg("-o").arg(&library);
        })?;
        compiler.run(|rustc| {
            let main = format!("src/{0}/main.rs", front);
            let script = format!("-Clink-arg=-Tsrc/{0}/{0}.ld", front);
            let name = format!("--crate-name=isobuild_{}", front);
            rustc
                .args(["--crate-type=bin", &name, &main, &remap, &script])
                .args(&flags)
                .args(LINK);
            rustc.arg(if self.relocatable {
                "-Clink-arg=-pie"
            } else {
                "-Clink-arg=-no-pie"
            });
            let mut library_flag = std::ffi::OsString::from("--extern=isobuild_loader=");
            library_flag.push(&library);
            rustc.arg(library_flag).arg("-o").arg(&program);
        })?;

        let elf = read(&program)?;
        let elf = Sections::read(&elf)?;
        hazards::check(&elf)?;
        (self.convert)(&elf)
    }
}

/// The compiler that `rust-toolchain.toml` names.
pub(crate) struct Compiler {
    command: Vec<String>,
    /// As `rustc --version` says.
    pub(crate) version: String,
}

impl Compiler {
    /// Asks rustup for it by name, since `cargo xtask` hands its own choice down; without rustup the one in the path has to be it.
    pub(crate) fn pinned() -> Result<Self, String> {
        let path = workspace::root().join("rust-toolchain.toml");
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let channel = text.lines().find_map(|line| line.strip_prefix("channel = "));
        let channel = channel.ok_or("rust-toolchain.toml names no channel")?.trim_matches('"');
        let by_rustup = ["rustup", "run", channel, "rustc"].map(String::from).to_vec();
        for command in [by_rustup, vec!["rustc".to_owned()]] {
            let mut compiler = Self {
                command,
                version: String::new(),
            };
            if let Ok(version) = shell::output(compiler.rustc().arg("--version")) {
                compiler.version = String::from_utf8_lossy(&version).trim().to_owned();
                if compiler.version.starts_with(&format!("rustc {channel} ")) {
                    return Ok(compiler);
                }
            }
        }
        Err(format!("rustc {channel} is not here"))
    }

    fn rustc(&self) -> Command {
        let mut rustc = Command::new(&self.command[0]);
        rustc.args(&self.command[1..]).current_dir(sources());
        // What the caller's environment says about compiling is about programs for this machine.
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC_BOOTSTRAP",
            "RUSTC_WRAPPER",
        ] {
            rustc.env_remove(name);
        }
        rustc
    }

    fn run(&self, arguments: impl FnOnce(&mut Command)) -> Result<(), String> {
        let mut rustc = self.rustc();
        arguments(&mut rustc);
        shell::output(&mut rustc).map(drop)
    }
}
