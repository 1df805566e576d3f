//! Machines as the tests of this repository want them, beside those of `run` and `test`.

use std::path::Path;
use std::time::Duration;

use super::Machine;
use crate::facts::cell::Medium;

impl Machine {
    /// Adds an image as a medium, which is written to if the machine can and does; the firmware tries the first one first.
    pub fn medium(self, image: &Path, medium: Medium) -> Self {
        self.drive(image, "raw", medium, false)
    }

    /// Adds a file in a form that QEMU reads. QEMU does not change it.
    pub fn container(self, file: &Path, format: &'static str, medium: Medium) -> Self {
        self.drive(file, format, medium, true)
    }

    /// Starts this kernel itself instead of a medium.
    pub fn kernel(mut self, kernel: &Path, initrd: &Path, cmdline: &str) -> Self {
        self.kernel = Some((kernel.into(), initrd.into(), cmdline.to_owned()));
        self
    }

    /// With so many MiB of memory.
    pub fn memory(mut self, mib: u64) -> Self {
        self.memory = mib;
        self
    }

    /// That may take so long for all it has to show.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Whose UEFI begins with the variables of this file instead of its own. The file stays as it is.
    pub fn variables(mut self, file: &Path) -> Self {
        self.variables = Some(file.into());
        self
    }
}
