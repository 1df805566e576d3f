//! `cargo xtask inputs`: an example's files out of Debian packages, into its ignored directory `inputs`, and what is made of them.
//!
//! Files that are there with the pinned digests are left alone, without a look at the network. When the archive no longer
//! has the pinned version, the one it has is taken and the difference is said: the image still has to build and boot, only
//! its golden digest means nothing until `cargo xtask bless` pins anew.

use crate::setup::Apt;
use crate::shell;
use qemu_tests::example::build;
use qemu_tests::initramfs::Initramfs;
use qemu_tests::pins::{self, Inputs, Package, PinnedFile, State};
use qemu_tests::{hash, inside, stand_in, tools, workspace};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Fetches the inputs of one example, or of all and of the tests.
pub(crate) fn run(name: Option<&str>) -> Result<(), String> {
    for name in names(name)? {
        fetch(&pins::load(&name)?)?;
    }
    Ok(())
}

fn names(name: Option<&str>) -> Result<Vec<String>, String> {
    if let Some(name) = name {
        return Ok(vec![name.to_owned()]);
    }
    let mut names = workspace::examples()?;
    names.push("qemu-tests".to_owned());
    Ok(names)
}

fn fetch(inputs: &Inputs) -> Result<(), String> {
    let name = &inputs.name;
    if inputs.packages.is_empty() {
        println!("inputs: {name} needs none");
        return Ok(());
    }
    if inputs.fetched()? != State::Pinned {
        packages(inputs)?;
    }
    make(inputs)?;
    match inputs.state()? {
        State::Pinned => println!("inputs: {name} has its {} files", inputs.files().count()),
        State::Differ(files) => println!("inputs: {name}: not as pinned: {}", files.join(", ")),
        State::Missing(files) => return Err(format!("{name}: still missing: {}", files.join(", "))),
    }
    Ok(())
}

/// Downloads every package and takes its files out.
fn packages(inputs: &Inputs) -> Result<(), String> {
    for tool in ["apt-get", "apt-cache", "dpkg-deb", "tar"] {
        if tools::on_path(tool).is_none() {
            return Err(by_hand(inputs, tool));
        }
    }
    for package in &inputs.packages {
        let deb = download(package)?;
        extract(&deb, package, &inputs.dir)?;
        if let Some(pin) = &package.version {
            let has = version(&deb)?;
            if has != *pin {
                println!(
                    "inputs: {}: the archive has {} {has}, pinned is {pin}; the golden digest cannot be compared \
                     (cargo xtask bless {} pins what is there)",
                    inputs.name, package.name, inputs.name
                );
            }
        }
    }
    Ok(())
}

/// Packs and builds what is made of the files that are there.
fn make(inputs: &Inputs) -> Result<(), String> {
    let home = inputs.pins.parent().unwrap_or(&inputs.dir);
    for packed in &inputs.packed {
        let mut archive = Initramfs::default();
        for file in &packed.files {
            let from = home.join(&file.from);
            let bytes = std::fs::read(&from).map_err(|e| format!("{}: {e}", from.display()))?;
            archive.file(&file.to, &bytes);
        }
        put(&inputs.dir.join(&packed.name), &archive.finish())?;
    }
    for made in &inputs.stand_ins {
        put(&inputs.dir.join(&made.name), &stand_in::bios(made.sectors, &made.says)?)?;
    }
    for image in &inputs.built {
        let manifest = home.join(&image.manifest);
        let to = inputs.dir.join(&image.name);
        if image.keep && !is_made(&to)? {
            continue;
        }
        match image.partition {
            None => build(&mut Command::new(workspace::isobuild()?), &manifest, &to)?,
            Some(number) => {
                let scratch = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
                let whole = scratch.path().join("whole.iso");
                build(&mut Command::new(workspace::isobuild()?), &manifest, &whole)?;
                let place = format!("partition:{number}");
                put(
                    &to,
                    &inside::output(&["cat".as_ref(), whole.as_os_str(), place.as_ref()])?,
                )?;
            }
        }
        if image.keep {
            put(&record(&to), hash::file(&to)?.as_bytes())?;
        }
    }
    Ok(())
}

/// Where the digest of an image is that was made here.
fn record(image: &Path) -> PathBuf {
    image.with_added_extension("made")
}

/// Whether an image may be made anew: it is missing, or is what was made the last time. isobuild may have changed since then.
fn is_made(image: &Path) -> Result<bool, String> {
    if !image.exists() {
        return Ok(true);
    }
    let Ok(made) = std::fs::read_to_string(record(image)) else {
        return Ok(false);
    };
    Ok(made == hash::file(image)?)
}

/// Writes a file, and makes its directory.
fn put(to: &Path, bytes: &[u8]) -> Result<(), String> {
    let parent = to.parent().unwrap_or(to);
    let written = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(to, bytes));
    written.map_err(|e| format!("{}: {e}", to.display()))
}

/// What a user without Debian's tools has to do himself.
fn by_hand(inputs: &Inputs, tool: &str) -> String {
    let mut text =
        format!("{tool} is not installed, so these files of Debian 12 packages have to be put in place by hand:\n");
    for (package, file) in inputs.files() {
        let version = package.version.as_deref().unwrap_or("any version");
        let to = inputs.dir.join(&file.name);
        text += &format!("  {} ({version}) {} -> {}\n", package.name, file.path, to.display());
    }
    text
}

/// Brings the package into the cache: the pinned version if the archive still has it, else the one it has.
pub(crate) fn download(package: &Package) -> Result<PathBuf, String> {
    let name = if package.meta {
        resolve_meta(&package.name)?
    } else {
        package.name.clone()
    };
    if let Some(architecture) = &package.architecture {
        return download_foreign(&name, architecture);
    }
    let pinned = package.version.as_ref().map(|version| format!("{name}={version}"));
    let wanted = pinned.as_ref().unwrap_or(&name);
    let first = match download_as(&name, wanted) {
        Ok(deb) => return Ok(deb),
        Err(reason) => reason,
    };
    // The machine's lists may be older than the pins, or than the archive.
    if let Some(apt) = Apt::find() {
        apt.update()?;
        if let Ok(deb) = download_as(&name, wanted) {
            return Ok(deb);
        }
    }
    match pinned {
        Some(_) => download_as(&name, &name),
        None => Err(first),
    }
}

/// A package of another processor's, by lists of its own: this system's have that processor's packages in none.
fn download_foreign(name: &str, architecture: &str) -> Result<PathBuf, String> {
    let lists = workspace::target().join("inputs").join(format!("lists-{architecture}"));
    for directory in ["state/lists/partial", "cache/archives/partial"] {
        let directory = lists.join(directory);
        std::fs::create_dir_all(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    }
    let place = |key: &str, directory: &str| format!("{key}={}", lists.join(directory).display());
    let options = [
        format!("APT::Architecture={architecture}"),
        format!("APT::Architectures={architecture}"),
        place("Dir::State", "state"),
        place("Dir::Cache", "cache"),
        "Dir::State::status=/dev/null".to_owned(),
        "APT::Sandbox::User=root".to_owned(),
    ];
    let options: Vec<String> = options
        .into_iter()
        .flat_map(|option| ["-o".to_owned(), option])
        .collect();
    let cache = cache_of(&format!("{name}_{architecture}"))?;
    if let Ok(deb) = newest(&cache, name) {
        return Ok(deb);
    }
    shell::output(Command::new("apt-get").args(["update", "--quiet"]).args(&options))?;
    let mut apt = Command::new("apt-get");
    apt.args(["download", "--quiet"])
        .args(&options)
        .arg(name)
        .current_dir(&cache);
    shell::output(&mut apt)?;
    newest(&cache, name)
}

/// Where a package is kept.
fn cache_of(wanted: &str) -> Result<PathBuf, String> {
    let cache = workspace::target()
        .join("inputs")
        .join(wanted.replace(['=', ':', '/'], "_"));
    std::fs::create_dir_all(&cache).map_err(|e| format!("{}: {e}", cache.display()))?;
    Ok(cache)
}

/// apt-get keeps a package that is there already, so that the cache needs no look-up of its own.
fn download_as(name: &str, wanted: &str) -> Result<PathBuf, String> {
    let cache = cache_of(wanted)?;
    // Downloading as apt's own user needs a directory that it can write to; the signature is checked either way.
    let mut apt = Command::new("apt-get");
    apt.args(["download", "--quiet", "-o", "APT::Sandbox::User=root", wanted])
        .current_dir(&cache);
    shell::output(&mut apt)?;
    newest(&cache, name)
}

/// The package in a directory of the cache that was fetched last.
fn newest(cache: &Path, name: &str) -> Result<PathBuf, String> {
    let mut debs = Vec::new();
    for entry in std::fs::read_dir(cache).map_err(|e| format!("{}: {e}", cache.display()))? {
        let entry = entry.map_err(|e| format!("{}: {e}", cache.display()))?;
        let modified = entry.metadata().and_then(|m| m.modified()).map_err(|e| e.to_string())?;
        if entry.file_name().to_string_lossy().starts_with(&format!("{name}_")) {
            debs.push((modified, entry.path()));
        }
    }
    let newest = debs.into_iter().max().map(|(_, path)| path);
    newest.ok_or_else(|| format!("apt-get download {name} left nothing in {}", cache.display()))
}

/// Debian's `linux-image-cloud-amd64` holds nothing and depends on the package with the kernel.
fn resolve_meta(name: &str) -> Result<String, String> {
    let text = shell::output(Command::new("apt-cache").args(["depends", "--important", name]))?;
    let text = String::from_utf8_lossy(&text);
    let depends = text.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    depends
        .map(str::to_owned)
        .ok_or_else(|| format!("apt-cache depends {name}: no dependency"))
}

/// The version of the package that [`run`] takes files from.
pub(crate) fn fetched_version(package: &Package) -> Result<String, String> {
    version(&download(package)?)
}

/// The version of a package that is in the cache.
fn version(deb: &Path) -> Result<String, String> {
    let text = shell::output(Command::new("dpkg-deb").arg("--field").arg(deb).arg("Version"))?;
    Ok(String::from_utf8_lossy(&text).trim().to_owned())
}

/// Puts the files of a package into the inputs' directory. The package is unpacked once for all of them.
fn extract(deb: &Path, package: &Package, dir: &Path) -> Result<(), String> {
    let scratch = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
    if package.files.iter().any(|file| !file.is_package()) {
        unpack(deb, package, scratch.path())?;
    }
    for file in &package.files {
        if file.is_package() {
            place(deb, file, dir).map_err(|e| format!("{}: {e}", deb.display()))?;
            continue;
        }
        let found = matching(scratch.path(), &file.path)?;
        let [from] = &found[..] else {
            return Err(format!(
                "{}: {} matches {} files",
                deb.display(),
                file.path,
                found.len()
            ));
        };
        place(from, file, dir).map_err(|e| format!("{}: {}: {e}", deb.display(), file.path))?;
    }
    Ok(())
}

/// Unpacks those members of a package that are asked for, or may be.
fn unpack(deb: &Path, package: &Package, to: &Path) -> Result<(), String> {
    let mut dpkg = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(deb)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("dpkg-deb: {e}"))?;
    let archive = dpkg.stdout.take().ok_or("dpkg-deb: no stdout")?;
    let status = Command::new("tar")
        .args([
            "--extract",
            "--file=-",
            "--wildcards",
            "--no-wildcards-match-slash",
            "--directory",
        ])
        .arg(to)
        .args(
            package
                .files
                .iter()
                .filter(|file| !file.is_package())
                .map(|file| format!(".{}", file.path)),
        )
        .stdin(Stdio::from(archive))
        .status()
        .map_err(|e| format!("tar: {e}"))?;
    let unpacked = dpkg.wait().map_err(|e| format!("dpkg-deb: {e}"))?;
    match status.success() && unpacked.success() {
        true => Ok(()),
        false => Err(format!("{}: not all of its files are in it", deb.display())),
    }
}

/// The files below `root` at a path in which `*` stands for a part of a name.
fn matching(root: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let mut found = vec![root.to_owned()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for directory in found.iter().filter(|path| path.is_dir()) {
            for entry in std::fs::read_dir(directory).map_err(|e| e.to_string())? {
                let entry = entry.map_err(|e| e.to_string())?;
                if is_like(part, &entry.file_name().to_string_lossy()) {
                    next.push(entry.path());
                }
            }
        }
        found = next;
    }
    Ok(found)
}

/// Whether a name has the form of one with at most one `*`.
fn is_like(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
    }
}

/// A build that runs meanwhile sees the old file or the new one, never half of it.
fn place(from: &Path, file: &PinnedFile, dir: &Path) -> Result<(), String> {
    let metadata = from.symlink_metadata().map_err(|e| e.to_string())?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Err("it is a link or empty".to_owned());
    }
    let to = dir.join(&file.name);
    if to.is_file() && hash::file(&to)? == hash::file(from)? {
        return Ok(());
    }
    let parent = to.parent().unwrap_or(dir);
    std::fs::create_dir_all(parent).map_err(|e| format!("{}: {e}", parent.display()))?;
    let part = parent.join(format!("{}.part", file.name.replace('/', "_")));
    std::fs::copy(from, &part)
        .and_then(|_| std::fs::rename(&part, &to))
        .map_err(|e| format!("{}: {e}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_image_that_was_made_here_is_made_anew() {
        let scratch = tempfile::tempdir().unwrap();
        let image = scratch.path().join("a.iso");
        assert_eq!(is_made(&image), Ok(true));
        put(&image, b"made").unwrap();
        assert_eq!(is_made(&image), Ok(false));
        put(
            &scratch.path().join("a.iso.made"),
            hash::file(&image).unwrap().as_bytes(),
        )
        .unwrap();
        assert_eq!(is_made(&image), Ok(true));
        put(&image, b"somebody's own").unwrap();
        assert_eq!(is_made(&image), Ok(false));
    }

    #[test]
    fn a_star_is_a_part_of_a_name() {
        assert!(
            is_like("vmlinuz-*", "vmlinuz-6.1") && is_like("*", "a") && is_like("a*c", "abbc") && is_like("a", "a")
        );
        assert!(!is_like("vmlinuz-*", "vmlinux-6.1") && !is_like("ab*bc", "abc") && !is_like("a", "ab"));
    }
}
