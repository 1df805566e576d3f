//! Loop devices: files that the kernel shows as disks.

use crate::tools;
use crate::verbs::Bench;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The sentence that says what loop devices lack here: they are root's.
pub fn missing() -> Option<String> {
    let control = fs::OpenOptions::new().read(true).write(true).open("/dev/loop-control");
    control
        .err()
        .map(|error| format!("/dev/loop-control cannot be opened ({error}); loop devices need root"))
}

/// A loop device over a file, detached with its value.
#[derive(Debug)]
pub struct Loop {
    /// The node.
    pub path: PathBuf,
}

impl Loop {
    /// A file of `size` bytes, all a hole if it is not there yet, as a disk with sectors of so many bytes.
    pub fn new(file: &Path, size: u64, sector_size: u32) -> Self {
        let open = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(file);
        open.and_then(|file| file.set_len(size)).unwrap();
        Self::attach(&["--sector-size", &sector_size.to_string()], file)
    }

    /// A disk of `size` bytes that holds the bench's image already.
    pub fn with_image(bench: &Bench, size: u64) -> Self {
        let disk = Self::new(&bench.path("disk"), size, 512);
        disk.write(&fs::read(bench.path("image.iso")).unwrap(), 0);
        disk
    }

    /// A file as a disk that cannot be written to.
    pub fn read_only(file: &Path) -> Self {
        Self::attach(&["--read-only"], file)
    }

    /// A file as a disk that goes past the file's cache.
    pub fn direct(file: &Path) -> Self {
        Self::attach(&["--direct-io=on"], file)
    }

    fn attach(arguments: &[&str], file: &Path) -> Self {
        let mut losetup = vec!["--find", "--show", "--partscan"];
        losetup.extend(arguments);
        losetup.push(file.to_str().unwrap());
        Self {
            path: output("losetup", &losetup).trim().into(),
        }
    }

    /// The node as text.
    pub fn name(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Bytes of the disk, past nobody's cache: its file has them.
    pub fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        File::open(&self.path)
            .unwrap()
            .read_exact_at(&mut bytes, offset)
            .unwrap();
        bytes
    }

    /// Writes to the disk as any program does.
    pub fn write(&self, bytes: &[u8], offset: u64) {
        let disk = fs::OpenOptions::new().write(true).open(&self.path).unwrap();
        disk.write_all_at(bytes, offset).unwrap();
        disk.sync_all().unwrap();
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        run("losetup", &["--detach", self.name()]);
    }
}

/// A file system that is mounted at a directory, until its value is dropped.
#[derive(Debug)]
pub struct Mounted {
    at: PathBuf,
}

impl Mounted {
    /// `mount ARGUMENTS DIRECTORY`; the directory is made.
    pub fn new(arguments: &[&str], at: &Path) -> Self {
        fs::create_dir_all(at).unwrap();
        let arguments = [arguments, &[at.to_str().unwrap()]].concat();
        assert!(run("mount", &arguments), "mount {arguments:?}");
        Self { at: at.into() }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // It may have been unmounted by what was tested.
        run("umount", &["--quiet", self.at.to_str().unwrap()]);
    }
}

/// Runs one of [`tools::TOOLS`], and says whether it was content.
pub fn run(program: &str, arguments: &[&str]) -> bool {
    command(program, arguments).status.success()
}

/// What one of them writes; it has to be content.
pub fn output(program: &str, arguments: &[&str]) -> String {
    let output = command(program, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn command(program: &str, arguments: &[&str]) -> Output {
    let program = tools::find(program).unwrap();
    Command::new(program).args(arguments).output().unwrap()
}
