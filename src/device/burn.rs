//! Burning a disc: the work of a program that is installed, called with the options that leave a disc which reads as the image.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The programs, the one that copes with most discs first, and the Debian package of each.
const BURNERS: [(&str, &str); 4] = [
    ("xorriso", "xorriso"),
    ("cdrskin", "cdrskin"),
    ("growisofs", "growisofs"),
    ("wodim", "wodim"),
];

/// A burner that is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burner {
    name: &'static str,
    program: PathBuf,
}

impl Burner {
    /// The first that is found on `path`, the value of `PATH`.
    pub fn find(path: &std::ffi::OsStr) -> Option<Self> {
        BURNERS.iter().find_map(|&(name, _)| {
            let mut files = std::env::split_paths(path).map(|directory| directory.join(name));
            let program = files.find(|file| file.is_file())?;
            Some(Self { name, program })
        })
    }

    /// What to install where none is found.
    pub fn missing() -> String {
        let packages: Vec<&str> = BURNERS.iter().map(|&(_, package)| package).collect();
        format!(
            "no burner is installed; one of these packages has one: {}",
            packages.join(", ")
        )
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its arguments. The disc is written at once and closed: a CD that is written track at once ends with two sectors that cannot be read.
    pub fn arguments(&self, image: &Path, drive: &Path) -> Vec<OsString> {
        let with = |before: &str, path: &Path| {
            let mut word = OsString::from(before);
            word.push(path);
            word
        };
        let words = |words: &[&str]| -> Vec<OsString> { words.iter().map(OsString::from).collect() };
        match self.name {
            "xorriso" | "cdrskin" => {
                let mut arguments = match self.name {
                    "xorriso" => words(&["-as", "cdrecord", "-v"]),
                    _ => words(&["-v"]),
                };
                arguments.push(with("dev=", drive));
                arguments.extend(words(&["blank=as_needed", "-sao"]));
                arguments.push(image.into());
                arguments
            }
            "growisofs" => {
                let mut disc = with("", drive);
                disc.push("=");
                disc.push(image);
                let mut arguments = words(&["-dvd-compat", "-Z"]);
                arguments.push(disc);
                arguments
            }
            _ => {
                let mut arguments = words(&["-v", "-sao"]);
                arguments.push(with("dev=", drive));
                arguments.extend(words(&["-data"]));
                arguments.push(image.into());
                arguments
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_burner_that_is_there_gets_its_own_words() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().as_os_str().to_owned();
        assert_eq!(Burner::find(&path), None);
        let line = |name: &str| {
            std::fs::write(directory.path().join(name), "").unwrap();
            let burner = Burner::find(&path).unwrap();
            assert_eq!(burner.program(), directory.path().join(name));
            let arguments = burner.arguments(Path::new("/a b.iso"), Path::new("/dev/sr0"));
            arguments
                .iter()
                .map(|word| word.to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(line("wodim"), ["-v", "-sao", "dev=/dev/sr0", "-data", "/a b.iso"]);
        assert_eq!(line("growisofs"), ["-dvd-compat", "-Z", "/dev/sr0=/a b.iso"]);
        assert_eq!(
            line("cdrskin"),
            ["-v", "dev=/dev/sr0", "blank=as_needed", "-sao", "/a b.iso"]
        );
        assert_eq!(line("xorriso")[..4], ["-as", "cdrecord", "-v", "dev=/dev/sr0"]);
    }
}
