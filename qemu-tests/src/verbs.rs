//! isobuild's verbs about machines as a user types them, in a directory with a manifest.

use crate::{tools, workspace};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What the machines of a PC need.
pub const PC: &[&str] = &[
    "qemu-system-x86_64",
    "setpriv",
    "/usr/share/seabios/bios-256k.bin",
    tools::OVMF_CODE,
    tools::OVMF_VARS,
];

/// What the others need.
pub const OTHERS: &[&str] = &[
    "qemu-system-x86_64",
    "qemu-system-aarch64",
    tools::OVMF_IA32_CODE,
    tools::AAVMF_CODE,
];

/// A directory with a manifest, and what isobuild says when it is run there.
pub struct Bench {
    /// Removed with its value.
    pub directory: tempfile::TempDir,
}

/// The exit code, and what stands on standard output and standard error.
#[derive(Debug)]
pub struct Said {
    /// None if a signal has ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub error: String,
}

/// A menu on the screen and on the serial port.
pub const MENU: &str =
    "[boot]\ntimeout = -1\nserial = 115200\n[[menu]]\naction = \"machine\"\n[[menu]]\naction = \"poweroff\"\n";

impl Bench {
    /// A directory with this manifest as `m.toml`.
    pub fn new(manifest: &str) -> Self {
        let directory = tempfile::tempdir_in(workspace::target()).unwrap();
        fs::write(directory.path().join("m.toml"), manifest).unwrap();
        Self { directory }
    }

    /// A directory with this manifest and so many MiB of noise, and the image of both as `image.iso`.
    pub fn with_noise(manifest: &str, mib: usize) -> Self {
        let bench = Self::new(&format!("{manifest}[[files]]\nfrom = \"noise\"\nto = \"/\"\n"));
        let mut state: u64 = 1;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u32
        });
        let noise: Vec<u8> = noise.take(mib << 18).flat_map(u32::to_le_bytes).collect();
        fs::write(bench.path("noise"), noise).unwrap();
        let said = bench.run("m.toml -o image.iso");
        assert_eq!(said.code, Some(0), "{said:?}");
        bench
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Isobuild, to be run there with the words of a line.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(workspace::isobuild().unwrap());
        command
            .args(line.split_whitespace())
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs it.
    pub fn run(&self, line: &str) -> Said {
        said(self.command(line))
    }

    /// Runs it, and it must end with this code.
    pub fn ends(&self, line: &str, code: i32) -> Said {
        let said = self.run(line);
        assert_eq!(said.code, Some(code), "{line}: {said:?}");
        said
    }

    /// Runs another program there with the words of a line: whether it is content, and all that it says.
    pub fn program(&self, line: &str) -> (bool, String) {
        let mut words = line.split_whitespace();
        let program = tools::find(words.next().unwrap()).unwrap();
        let output = Command::new(program)
            .args(words)
            .current_dir(self.directory.path())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// A file in it as text.
    pub fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap()).into_owned()
    }
}

/// Runs a command to its end.
pub fn said(mut command: Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said {
        code: output.status.code(),
        out: text(output.stdout),
        error: text(output.stderr),
    }
}

impl Said {
    /// What is in a stream, or everything that was said.
    pub fn has(&self, words: &[&str]) {
        for word in words {
            assert!(
                self.out.contains(word) || self.error.contains(word),
                "{word:?} is not in {self:#?}"
            );
        }
    }
}
