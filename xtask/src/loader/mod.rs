//! `cargo xtask loader`: builds the built-in boot loader into the images that the program embeds.
//!
//! The sources stand in `templates/loader/`, the images beside it in `templates/images/`, each with a lock: the compiler, its
//! flags and the digest of every source file. The images for BIOS and for UEFI on x86-64 are built by the pinned rustc
//! ([`elf`]), those for the other two by a compiler that can build a core library for them ([`uefi`]). The same compiler gives
//! the same bytes everywhere.

#[cfg(test)]
mod agreement;
mod elf;
mod flat;
mod hazards;
mod lock;
mod pe;
mod sections;
mod uefi;
#[cfg(test)]
mod uefi_tables;

use qemu_tests::workspace;
use std::path::{Path, PathBuf};

/// An image that the program embeds.
struct Image {
    /// The file in `templates/images/`.
    file: &'static str,
    /// The front end: a directory of `src/`.
    front: &'static str,
    recipe: Recipe,
}

/// How an image is built.
enum Recipe {
    Elf(elf::Recipe),
    /// For this target.
    Uefi(&'static str),
}

const IMAGES: [Image; 5] = [
    Image {
        file: "bios.img",
        front: "bios",
        recipe: Recipe::Elf(elf::Recipe {
            relocatable: false,
            convert: |elf| flat::image(elf, 0x7c00),
        }),
    },
    Image {
        file: "mbr.img",
        front: "mbr",
        recipe: Recipe::Elf(elf::Recipe {
            relocatable: false,
            convert: |elf| flat::image(elf, 0x600),
        }),
    },
    Image {
        file: "bootx64.efi",
        front: "efi",
        recipe: Recipe::Elf(elf::Recipe {
            relocatable: true,
            convert: pe::image,
        }),
    },
    Image {
        file: "bootia32.efi",
        front: "efi",
        recipe: Recipe::Uefi("i686-unknown-uefi"),
    },
    Image {
        file: "bootaa64.efi",
        front: "efi",
        recipe: Recipe::Uefi("aarch64-unknown-uefi"),
    },
];

/// The compilers, each if it is here, or why it is not.
struct Compilers {
    elf: Result<elf::Compiler, String>,
    uefi: Result<uefi::Compiler, String>,
}

/// The files that the program embeds, relative to the repository.
pub(crate) fn files() -> impl Iterator<Item = String> {
    IMAGES.iter().map(|image| format!("templates/images/{}", image.file))
}

/// Builds all images and writes them with their locks.
pub(crate) fn build() -> Result<(), String> {
    let compilers = Compilers {
        elf: elf::Compiler::pinned(),
        uefi: uefi::Compiler::fetch(),
    };
    for image in &IMAGES {
        let bytes = image.build(&compilers)?;
        let lock = lock::Lock::of(image, image.compiler(&compilers)?, &bytes)?;
        write(&images().join(image.file), &bytes)?;
        write(&lock_file(image), lock.to_string().as_bytes())?;
        println!("{}: {} bytes", image.file, bytes.len());
    }
    Ok(())
}

/// Compares the images with their locks, and with what the lock's compiler makes of the sources: where it is here, or, `full`,
/// brought here for it.
pub(crate) fn check(full: bool) -> Result<(), String> {
    let compilers = Compilers {
        elf: elf::Compiler::pinned(),
        uefi: match full {
            true => Ok(uefi::Compiler::fetch()?),
            false => Err("`cargo xtask ci --full` brings its compiler here".to_owned()),
        },
    };
    for image in &IMAGES {
        let path = lock_file(image);
        let locked = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let bytes = read(&images().join(image.file))?;
        let locked = lock::Lock::parse(&locked).map_err(|e| format!("{}: {e}", path.display()))?;
        let now = lock::Lock::of(image, &locked.compiler, &bytes)?;
        if let Some(difference) = locked.difference(&now) {
            return Err(format!("{}: {difference}; run `cargo xtask loader`", image.file));
        }
        match image.compiler(&compilers) {
            Ok(version) if version == locked.compiler => {
                if image.build(&compilers)? != bytes {
                    return Err(format!(
                        "{} is not what its sources give; run `cargo xtask loader`",
                        image.file
                    ));
                }
                println!("{}: rebuilt, the same {} bytes", image.file, bytes.len());
            }
            Ok(version) => println!(
                "{}: not rebuilt: {version} is here, not {}",
                image.file, locked.compiler
            ),
            Err(reason) => println!("{}: not rebuilt: {reason}", image.file),
        }
    }
    Ok(())
}

impl Image {
    fn build(&self, compilers: &Compilers) -> Result<Vec<u8>, String> {
        let built = match &self.recipe {
            Recipe::Elf(recipe) => recipe.build(self.front, compilers.elf.as_ref()?),
            Recipe::Uefi(target) => compilers.uefi.as_ref()?.build(self.front, target),
        };
        built.map_err(|e| format!("{}: {e}", self.file))
    }

    /// The version of the compiler that builds it.
    fn compiler<'a>(&self, compilers: &'a Compilers) -> Result<&'a str, String> {
        Ok(match &self.recipe {
            Recipe::Elf(_) => &compilers.elf.as_ref()?.version,
            Recipe::Uefi(_) => compilers.uefi.as_ref().map(|_| uefi::VERSION)?,
        })
    }

    /// The flags that it is built with.
    fn flags(&self) -> String {
        match &self.recipe {
            Recipe::Elf(_) => [&elf::FLAGS[..], &elf::LINK].concat().join(" "),
            Recipe::Uefi(target) => uefi::flags(target),
        }
    }

    /// The source files it is made of, relative to `templates/loader/`.
    fn sources(&self) -> Result<Vec<PathBuf>, String> {
        let mut files = list(&sources().join("src"))?;
        files.extend(list(&sources().join("src").join(self.front))?);
        if let Recipe::Uefi(_) = self.recipe {
            // Its settings are the package's.
            files.extend(["Cargo.toml", "Cargo.lock"].map(PathBuf::from));
        }
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
