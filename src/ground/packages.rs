//! Packages of the host's distribution: which one has what is missing, and which version of one is installed.

use std::fs;
use std::path::Path;

/// The package of each distribution, in the order of [`DISTRIBUTIONS`]; empty where a distribution has no such package.
pub(crate) type Packages = [&'static str; DISTRIBUTIONS.len()];

/// The word in os-release, and the name for people.
const DISTRIBUTIONS: [(&str, &str); 6] = [
    ("debian", "Debian, Ubuntu"),
    ("fedora", "Fedora"),
    ("arch", "Arch"),
    ("suse", "openSUSE"),
    ("alpine", "Alpine"),
    ("homebrew", "Homebrew"),
];

/// `package NAME` for this system, or for all that are known.
pub(crate) fn named(packages: &Packages) -> String {
    package(packages, here())
}

/// This distribution's package.
pub(crate) fn of_this_host(packages: &Packages) -> Option<&'static str> {
    let here = here()?;
    let all = DISTRIBUTIONS.iter().zip(packages);
    let mut own = all.filter(|((id, _), package)| *id == here && !package.is_empty());
    own.next().map(|(_, package)| *package)
}

/// The version of an installed package, where the distribution keeps that in text: dpkg's and pacman's.
pub(crate) fn version(package: &str) -> Option<String> {
    let status = fs::read_to_string("/var/lib/dpkg/status").unwrap_or_default();
    in_dpkg(&status, package).or_else(|| in_pacman(Path::new("/var/lib/pacman/local"), package))
}

fn here() -> Option<&'static str> {
    distribution(&fs::read_to_string("/etc/os-release").unwrap_or_default())
}

fn package(packages: &Packages, here: Option<&str>) -> String {
    let all = || DISTRIBUTIONS.iter().zip(packages);
    let own = all().find(|((id, _), package)| Some(*id) == here && !package.is_empty());
    if let Some((_, package)) = own {
        return format!("package {package}");
    }
    let named = all().filter(|(_, package)| !package.is_empty());
    let named: Vec<String> = named
        .map(|((_, name), package)| format!("{package} on {name}"))
        .collect();
    format!("package {}", named.join("; "))
}

/// The distribution's family, from the text of its os-release file.
fn distribution(os_release: &str) -> Option<&'static str> {
    if cfg!(target_os = "macos") {
        return Some("homebrew");
    }
    let value = |key: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let ids = value("ID=") + " " + &value("ID_LIKE=");
    let known = |id: &str| DISTRIBUTIONS.iter().map(|(known, _)| *known).find(|known| id == *known);
    ids.split_whitespace().find_map(known)
}

/// deb822(5): paragraphs of fields.
fn in_dpkg(status: &str, package: &str) -> Option<String> {
    let mut paragraphs = status.split("\n\n");
    let paragraph = paragraphs.find(|text| text.lines().any(|line| line.strip_prefix("Package: ") == Some(package)))?;
    let field = |name: &str| paragraph.lines().find_map(|line| line.strip_prefix(name));
    let is_installed = field("Status: ").is_some_and(|status| status.ends_with(" installed"));
    field("Version: ").filter(|_| is_installed).map(str::to_owned)
}

/// A directory for each package: name, version and release.
fn in_pacman(local: &Path, package: &str) -> Option<String> {
    let entries = fs::read_dir(local).ok()?.flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.find_map(|name| {
        let mut parts = name.rsplitn(3, '-');
        let (release, version, own) = (parts.next()?, parts.next()?, parts.next()?);
        (own == package).then(|| format!("{version}-{release}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const QEMU: Packages = ["qemu-system-x86", "qemu-system-x86-core", "", "", "", "qemu"];

    #[test]
    fn a_package_is_named_for_this_distribution_or_for_all() {
        let debian = "PRETTY_NAME=\"Debian\"\nID=debian\n";
        let rocky = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n";
        if cfg!(not(target_os = "macos")) {
            assert_eq!(distribution(debian), Some("debian"));
            assert_eq!(distribution(rocky), Some("fedora"));
            assert_eq!(distribution("ID=nixos\n"), None);
        }
        assert_eq!(package(&QEMU, Some("debian")), "package qemu-system-x86");
        let all = "package qemu-system-x86 on Debian, Ubuntu; qemu-system-x86-core on Fedora; qemu on Homebrew";
        assert_eq!(package(&QEMU, None), all);
        // If the distribution has no such package, the names of the others help to find one.
        assert_eq!(package(&QEMU, Some("alpine")), all);
    }

    #[test]
    fn the_version_is_that_of_the_installed_package() {
        let status = "Package: shim\nStatus: deinstall ok config-files\nVersion: 1\n\n\
                      Package: shim-signed\nStatus: install ok installed\nVersion: 1.51~1+15.8\n";
        assert_eq!(in_dpkg(status, "shim-signed").as_deref(), Some("1.51~1+15.8"));
        assert_eq!(in_dpkg(status, "shim"), None);
        assert_eq!(in_dpkg(status, "shim-sig"), None);
        let local = tempfile::tempdir().unwrap();
        for name in ["grub-2:2.12-1", "grub-btrfs-4.13-1", "ALPM_DB_VERSION"] {
            fs::create_dir(local.path().join(name)).unwrap();
        }
        assert_eq!(in_pacman(local.path(), "grub").as_deref(), Some("2:2.12-1"));
        assert_eq!(in_pacman(local.path(), "btrfs"), None);
    }
}
