//! A data manifest, its payload and the directory of its output: what stands at the output path, whatever becomes of a build.

use crate::workspace;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// What is at the output path before some of the runs.
pub const OLD: &[u8] = b"the old image";

/// Before a command: mounts that nobody else sees, and that go with it.
pub const NAMESPACE: [&str; 3] = ["unshare", "--map-root-user", "--mount"];

/// How the output comes to be: the ways differ in their system calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// `O_TMPFILE`, and writes past the page cache, where the file system has them.
    Best,
    /// A file with a hidden name, and writes through the page cache. Only x86-64 has `open`, by which both are asked for.
    Named,
}

impl Way {
    /// Those of this machine.
    pub const ALL: &[Self] = if cfg!(target_arch = "x86_64") {
        &[Self::Best, Self::Named]
    } else {
        &[Self::Best]
    };

    fn injection(self) -> &'static [&'static str] {
        match self {
            Self::Best => &[],
            Self::Named => &["-e", "inject=open:error=EOPNOTSUPP"],
        }
    }
}

/// A data manifest, its payload and the directory of its output.
#[derive(Debug)]
pub struct Place {
    directory: TempDir,
    /// The image that a build makes if nothing fails.
    pub complete: Vec<u8>,
}

impl Place {
    /// In a directory of its own, which goes with it.
    #[expect(clippy::new_without_default, reason = "it runs a build")]
    pub fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let payload: Vec<u8> = (0..600_001_u32).flat_map(|i| i.to_le_bytes()).collect();
        fs::write(directory.path().join("payload.bin"), payload).unwrap();
        let manifest = "output = \"out/image.iso\"\n[[files]]\nfrom = \"payload.bin\"\nto = \"/\"\n";
        fs::write(directory.path().join("data.toml"), manifest).unwrap();
        let mut place = Self {
            directory,
            complete: Vec::new(),
        };
        let output = place.build(&[]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        place.complete = fs::read(place.image()).unwrap();
        assert!(place.complete.len() > 2_400_004);
        place
    }

    /// A path in that directory.
    pub fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The output path.
    pub fn image(&self) -> PathBuf {
        self.at("out/image.iso")
    }

    /// `wrapper isobuild data.toml`.
    pub fn build(&self, wrapper: &[&str]) -> Command {
        let program = workspace::isobuild().unwrap();
        let mut words = wrapper.iter().map(OsStr::new).chain([program.as_os_str()]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg(self.at("data.toml")).stdin(Stdio::null());
        command
    }

    /// The same under strace; with what it logged.
    pub fn strace(&self, way: Way, arguments: &[&str]) -> (Output, String) {
        let log = self.at("strace.log");
        let mut wrapper = vec!["strace", "-f", "-y", "-o", log.to_str().unwrap()];
        wrapper.extend(way.injection());
        wrapper.extend(arguments);
        let output = self.build(&wrapper).output().unwrap();
        (output, fs::read_to_string(log).unwrap())
    }

    /// Puts the old image in place, or nothing.
    pub fn reset(&self, old: bool) {
        fs::remove_dir_all(self.at("out")).unwrap();
        fs::create_dir(self.at("out")).unwrap();
        if old {
            fs::write(self.image(), OLD).unwrap();
        }
    }

    /// What the output path shows.
    pub fn shows(&self, old: bool) -> Shows {
        match fs::read(self.image()) {
            Ok(image) if image == self.complete => Shows::Complete,
            Ok(image) if old && image == OLD => Shows::Before,
            Err(error) if !old && error.kind() == std::io::ErrorKind::NotFound => Shows::Before,
            other => panic!("neither old nor complete: {:?}", other.map(|image| image.len())),
        }
    }

    /// How many files besides the image are in its directory.
    pub fn left(&self) -> usize {
        let names = fs::read_dir(self.at("out"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        names.filter(|name| name != "image.iso").count()
    }

    /// A run that nothing hinders is as good as ever.
    pub fn rebuilds(&self) {
        let output = self.build(&[]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(self.shows(false), Shows::Complete);
    }
}

/// What the output path shows; anything else fails the test at once.
#[derive(Debug, PartialEq)]
pub enum Shows {
    /// The old image, or nothing where there was none.
    Before,
    /// The new image, to the last byte.
    Complete,
}

/// What a build has said. A panic is never an answer.
pub fn stderr(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    text
}
