//! `cargo xtask loader`: builds the built-in boot loader into the images that the program embeds.
//!
//! The sources stand in `templates/loader/`, the images beside it in `templates/images/`, each with a lock: the compiler, its
//! flags and the digest of every source file. Nothing but rustc and its own linker takes part, so the same compiler gives the
//! same bytes everywhere. The images are compiled for Linux's ELF target, which every toolchain has, and turned into what
//! firmware starts here: a PE image (`pe`) or a flat one (`flat`).

#[cfg(test)]
mod agreement;
mod flat;
mod hazards;
mod lock;
mod pe;
mod sections;

use crate::shell;
use qemu_tests::workspace;
use sections::Sections;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An image that the program embeds.
struct Image {
    /// The file in `templates/images/`.
    file: &'static str,
    /// The front end: a directory of `src/`, with a linker script of the same name.
    front: &'static str,
    /// Whether it is linked to run anywhere.
    relocatable: bool,
    /// Turns the linked program into what firmware starts.
    convert: fn(&Sections) -> Result<Vec<u8>, String>,
}

const IMAGES: [Image; 3] = [
    Image {
        file: "bios.img",
        front: "bios",
        relocatable: false,
        convert: |elf| flat::image(elf, 0x7c00),
    },
    Image {
        file: "mbr.img",
        front: "mbr",
        relocatable: false,
        convert: |elf| flat::image(elf, 0x600),
    },
    Image {
        file: "bootx64.efi",
        front: "efi",
        relocatable: true,
        convert: pe::image,
    },
];

/// Flags of every call of the compiler.
const FLAGS: [&str; 13] = [
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
const LINK: [&str; 5] = [
    "-Clink-arg=-znognustack",
    "-Clink-arg=--build-id=none",
    "-Clink-arg=--gc-sections",
    "-Clink-arg=--hash-style=sysv",
    "-Clink-arg=--no-dynamic-linker",
];

/// The files that the program embeds, relative to the repository.
pub(crate) fn files() -> impl Iterator<Item = String> {
    IMAGES.iter().map(|image| format!("templates/images/{}", image.file))
}

/// Builds all images and writes them with their locks.
pub(crate) fn build() -> Result<(), String> {
    let compiler = Compiler::pinned()?;
    for image in &IMAGES {
        let bytes = image.build(&compiler)?;
        let lock = lock::Lock::of(image, &compiler.version, &bytes)?;
        write(&images().join(image.file), &bytes)?;
        write(&lock_file(image), lock.to_string().as_bytes())?;
        println!("{}: {} bytes", image.file, bytes.len());
    }
    Ok(())
}

/// Compares the images with their locks, and with what this compiler makes of the sources if it is the lock's.
pub(crate) fn check() -> Result<(), String> {
    let compiler = Compiler::pinned();
    for image in &IMAGES {
        let path = lock_file(image);
        let locked = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let bytes = read(&images().join(image.file))?;
        let locked = lock::Lock::parse(&locked).map_err(|e| format!("{}: {e}", path.display()))?;
        let now = lock::Lock::of(image, &locked.compiler, &bytes)?;
        if let Some(difference) = locked.difference(&now) {
            return Err(format!("{}: {difference}; run `cargo xtask loader`", image.file));
        }
        match &compiler {
            Ok(compiler) if compiler.version == locked.compiler => {
                if image.build(compiler)? != bytes {
                    return Err(format!(
                        "{} is not what its sources give; run `cargo xtask loader`",
                        image.file
                    ));
                }
                println!("{}: rebuilt, the same {} bytes", image.file, bytes.len());
            }
            Ok(compiler) => println!(
                "{}: not rebuilt: {} is here, not {}",
                image.file, compiler.version, locked.compiler
            ),
            Err(reason) => println!("{}: not rebuilt: {reason}", image.file),
        }
    }
    Ok(())
}

impl Image {
    fn build(&self, compiler: &Compiler) -> Result<Vec<u8>, String> {
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
            let main = format!("src/{0}/main.rs", self.front);
            let script = format!("-Clink-arg=-Tsrc/{0}/{0}.ld", self.front);
            let name = format!("--crate-name=isobuild_{}", self.front);
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
        hazards::check(&elf).map_err(|e| format!("{}: {e}", self.file))?;
        (self.convert)(&elf).map_err(|e| format!("{}: {e}", self.file))
    }

    /// The source files it is made of, relative to `templates/loader/`.
    fn sources(&self) -> Result<Vec<PathBuf>, String> {
        let mut files = list(&sources().join("src"))?;
        files.extend(list(&sources().join("src").join(self.front))?);
        files.sort();
        Ok(files)
    }
}

/// The files of a directory, without those of its directories.
fn list(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let error = |e| format!("{}: {e}", directory.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if path.is_file() {
            let path = path.strip_prefix(sources()).map_err(|e| e.to_string())?;
            files.push(path.to_owned());
        }
    }
    Ok(files)
}

/// The compiler that `rust-toolchain.toml` names.
struct Compiler {
    command: Vec<String>,
    version: String,
}

impl Compiler {
    /// Asks rustup for it by name, since `cargo xtask` hands its own choice down; without rustup the one in the path has to be it.
    fn pinned() -> Result<Self, String> {
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

fn sources() -> PathBuf {
    workspace::root().join("templates/loader")
}

fn images() -> PathBuf {
    workspace::root().join("templates/images")
}

fn lock_file(image: &Image) -> PathBuf {
    images().join(format!("{}.lock", image.file))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}
