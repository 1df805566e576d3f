//! Small installers that have the boot configurations, catalogs and tables of distributions' installers, as their build scripts make them. They
//! start the tests' own guest, which prints its kernel arguments.

mod genisoimage;
mod grub;
mod isolinux;
mod makefs;

pub use genisoimage::{coreos, opensuse, windows};
pub use grub::{fedora, proxmox, ubuntu};
pub use isolinux::{alpine, arch, debian, debian_live, nixos};
pub use makefs::freebsd;

use crate::initramfs::Initramfs;
use crate::tools::{GRUB_EFI, GRUB_PC, ISOLINUX, LDLINUX, SYSTEMD_BOOT};
use crate::verbs::Bench;
use crate::{linux, pins};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What makes them, beside the inputs.
pub const TOOLS: [&str; 9] = [
    "xorriso",
    "grub-mkimage",
    "mformat",
    "mmd",
    "mcopy",
    GRUB_PC,
    GRUB_EFI,
    ISOLINUX,
    LDLINUX,
];

/// What makes the other families, too.
pub const MORE_TOOLS: [&str; 6] = [
    "genisoimage",
    "implantisomd5",
    "isohybrid",
    "makefs",
    "grub-mkrescue",
    SYSTEMD_BOOT,
];

/// Arguments of every kernel.
const ARGUMENTS: &str = "console=ttyS0 panic=-1";

/// GRUB's modules for UEFI.
const MODULES: &str = "part_gpt part_msdos fat iso9660 normal boot linux configfile search search_label search_fs_file echo test all_video \
                       gzio ls cat halt reboot";

/// The tree of an installer, and the directory in which it is made.
pub struct Installer<'b> {
    bench: &'b Bench,
}

impl<'b> Installer<'b> {
    /// Makes a tree with a kernel and an initrd at these paths, a file that identifies the tree, and a directory whose sector is nearly full.
    pub fn new(bench: &'b Bench, kernel: &str, initrd: &str) -> Result<Self, String> {
        let installer = Self { bench };
        let inputs = pins::load("qemu-tests")?;
        let bytes = fs::read(inputs.file("vmlinuz")?).map_err(|e| e.to_string())?;
        installer.put(kernel, &bytes);
        installer.put(initrd, &guest(&inputs)?);
        installer.put("marker.txt", b"This is the base.\n");
        for number in 0..14 {
            let name = format!("full/a file with a name of some length, number {number}.txt");
            installer.put(&name, b"x");
        }
        Ok(installer)
    }

    /// A file of the tree.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.tree().join(path);
        fs::create_dir_all(path.parent().unwrap_or(&path)).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// A file of the host in the tree.
    pub fn copy(&self, path: &str, from: &str) {
        self.put(path, &fs::read(from).unwrap());
    }

    /// The directory that becomes the image.
    pub fn tree(&self) -> PathBuf {
        self.bench.path("tree")
    }

    /// Runs a program with the words of a line, in the bench's directory.
    pub fn run(&self, line: &str) {
        let (is_content, said) = self.bench.program(line);
        assert!(is_content, "{line}: {said}");
    }

    /// Writes a text file beside the tree.
    fn text(&self, name: &str, text: &str) {
        fs::write(self.bench.path(name), text).unwrap();
    }

    /// Makes GRUB for UEFI as `bootx64.efi`, with a built-in configuration.
    fn grub_efi(&self, prefix: &str, early: &str) {
        self.text("early.cfg", early);
        let options = "-O x86_64-efi -o bootx64.efi -c early.cfg";
        self.run(&format!("grub-mkimage {options} -p {prefix} {MODULES}"));
    }

    /// Makes GRUB's El Torito image for a BIOS at this path of the tree, with the same configuration.
    fn grub_pc(&self, path: &str, prefix: &str) {
        let to = self.tree().join(path);
        fs::create_dir_all(to.parent().unwrap_or(&to)).unwrap();
        self.run(&format!(
            "grub-mkimage -O i386-pc-eltorito -o tree/{path} -p {prefix} -c early.cfg iso9660 udf biosdisk normal linux configfile search \
             search_fs_file search_label part_gpt part_msdos echo test"
        ));
    }

    /// Makes a FAT volume of so many KiB as `esp.img`. Each file has a path in the volume and one beside the tree.
    fn esp(&self, kib: u32, files: &[(&str, &str)]) {
        let _ = fs::remove_file(self.bench.path("esp.img"));
        self.run(&format!("mformat -C -i esp.img -T {} -N 12345678 ::", kib * 2));
        let mut made = BTreeSet::new();
        for (to, from) in files {
            let parents: Vec<&Path> = Path::new(to).ancestors().skip(1).collect();
            for parent in parents.into_iter().rev().filter(|parent| **parent != *Path::new("")) {
                if made.insert(parent.to_owned()) {
                    self.run(&format!("mmd -i esp.img ::/{}", parent.display()));
                }
            }
            self.run(&format!("mcopy -i esp.img {from} ::/{to}"));
        }
    }

    /// Makes the FAT volume, and copies it to this path of the tree.
    fn esp_file(&self, path: &str, kib: u32, files: &[(&str, &str)]) {
        self.esp(kib, files);
        self.copy(path, &self.bench.path("esp.img").to_string_lossy());
    }

    /// Puts ISOLINUX and its first configuration into a directory of the tree.
    fn isolinux(&self, directory: &str, configuration: &str) {
        self.copy(&format!("{directory}/isolinux.bin"), ISOLINUX);
        self.copy(&format!("{directory}/ldlinux.c32"), LDLINUX);
        self.put(&format!("{directory}/isolinux.cfg"), configuration.as_bytes());
    }

    /// The path of ISOLINUX's MBR code.
    fn isohdpfx() -> String {
        let path = Path::new(ISOLINUX).with_file_name("isohdpfx.bin");
        path.display().to_string()
    }

    /// The path of GRUB's MBR code.
    fn boot_hybrid() -> String {
        let path = Path::new(GRUB_PC).with_file_name("boot_hybrid.img");
        path.display().to_string()
    }
}

/// The first program says its kernel's arguments, and of each volume that it can mount the files.
fn guest(inputs: &pins::Inputs) -> Result<Vec<u8>, String> {
    let modules = [
        &linux::VIRTIO_MODULES[..],
        &["virtio_blk", "cdrom", "nls_utf8", "isofs", "crc-itu-t", "udf"],
    ]
    .concat();
    // Kernel messages would break the guest's lines.
    let look = "echo 1 >/proc/sys/kernel/printk\n\
                say \"args $(cat /proc/cmdline)\"\n\
                [ -f /appended ] && say \"appended $(cat /appended)\"\n\
                for d in /dev/vd?*; do\n\
                mount -t udf -o ro $d /mnt 2>/dev/null || mount -t iso9660 -o ro $d /mnt 2>/dev/null || continue\n\
                for f in /mnt/marker.txt /mnt/new/* /mnt/full/*7*; do [ -f \"$f\" ] && say \"$d $f $(sha256sum <\"$f\")\"; done\n\
                umount /mnt\n\
                done\n";
    let init = format!("{}{look}{}", linux::preamble(&modules), linux::end());
    Ok(Initramfs::new(inputs, "", &modules, &init)?.finish())
}
