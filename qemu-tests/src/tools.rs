//! The programs and firmware that the tests run, each with the Debian package that brings it. `cargo xtask setup` installs
//! from this table; a test asks [`find`] or [`file`] and names what is missing.

use crate::workspace;
use std::path::PathBuf;

/// One thing the tests need from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// The name of a program on the path, or the absolute path of a file.
    pub name: &'static str,
    /// The Debian package that holds it, or the crate with its version.
    pub package: &'static str,
}

const fn tool(name: &'static str, package: &'static str) -> Tool {
    Tool { name, package }
}

/// UEFI firmware with Secure Boot, 4 MiB flash: what Debian and libvirt take for q35.
pub const OVMF_SECURE_CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd";
/// The same firmware without Secure Boot and SMM.
pub const OVMF_CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
/// Variables with no keys enrolled: Secure Boot is off.
pub const OVMF_VARS: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
/// Variables with Microsoft's keys enrolled: Secure Boot is on.
pub const OVMF_VARS_MS: &str = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd";
/// UEFI firmware of a 32-bit PC.
pub const OVMF_IA32_CODE: &str = "/usr/share/OVMF/OVMF32_CODE_4M.secboot.fd";
/// UEFI firmware of QEMU's ARM machine.
pub const AAVMF_CODE: &str = "/usr/share/AAVMF/AAVMF_CODE.fd";

/// A library that reads UDF, where Debian keeps it.
pub const LIBUDFREAD: &str = "/usr/lib/x86_64-linux-gnu/libudfread.so.0";

/// Bochs' own BIOS, which shares no line with SeaBIOS.
pub const BOCHS_BIOS: &str = "/usr/share/bochs/BIOS-bochs-latest";
/// The BIOS of its display.
pub const BOCHS_VGA_BIOS: &str = "/usr/share/vgabios/vgabios.bin";

/// GRUB's parts for a BIOS: this one starts a disc.
pub const GRUB_PC: &str = "/usr/lib/grub/i386-pc/cdboot.img";
/// GRUB's parts for UEFI on a 64-bit PC.
pub const GRUB_EFI: &str = "/usr/lib/grub/x86_64-efi/kernel.img";
/// A font of GRUB's.
pub const GRUB_FONT: &str = "/usr/share/grub/unicode.pf2";
/// The same for a 32-bit one.
pub const GRUB_IA32: &str = "/usr/lib/grub/i386-efi/kernel.img";
/// ISOLINUX, beside which its boot code for sticks is.
pub const ISOLINUX: &str = "/usr/lib/ISOLINUX/isolinux.bin";
/// systemd-boot for UEFI on a 64-bit PC.
pub const SYSTEMD_BOOT: &str = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
/// What ISOLINUX loads first.
pub const LDLINUX: &str = "/usr/lib/syslinux/modules/bios/ldlinux.c32";

/// Everything the tests and the benchmark run.
pub const TOOLS: [Tool; 74] = [
    tool("taskset", "util-linux"),
    tool("script", "bsdutils"),
    tool("qemu-system-x86_64", "qemu-system-x86"),
    tool("/usr/share/seabios/bios-256k.bin", "seabios"),
    tool(OVMF_CODE, "ovmf"),
    tool(OVMF_SECURE_CODE, "ovmf"),
    tool(OVMF_VARS, "ovmf"),
    tool(OVMF_VARS_MS, "ovmf"),
    tool(OVMF_IA32_CODE, "ovmf-ia32"),
    tool("qemu-img", "qemu-utils"),
    tool("dmg2img", "dmg2img"),
    tool("qemu-system-aarch64", "qemu-system-arm"),
    tool(AAVMF_CODE, "qemu-efi-aarch64"),
    tool("xorriso", "xorriso"),
    tool("grub-mkimage", "grub-common"),
    tool(GRUB_PC, "grub-pc-bin"),
    tool(GRUB_EFI, "grub-efi-amd64-bin"),
    tool(GRUB_IA32, "grub-efi-ia32-bin"),
    tool(GRUB_FONT, "grub-common"),
    tool(SYSTEMD_BOOT, "systemd-boot-efi"),
    tool("objcopy", "binutils"),
    tool("file", "file"),
    tool(ISOLINUX, "isolinux"),
    tool(LDLINUX, "syslinux-common"),
    tool("genisoimage", "genisoimage"),
    tool("isoinfo", "genisoimage"),
    tool("bsdtar", "libarchive-tools"),
    tool("7z", "p7zip-full"),
    tool("sgdisk", "gdisk"),
    tool("sfdisk", "fdisk"),
    tool("fsck.vfat", "dosfstools"),
    tool("mcopy", "mtools"),
    tool("mdir", "mtools"),
    tool("mformat", "mtools"),
    tool("mmd", "mtools"),
    tool("mkudffs", "udftools"),
    tool("udfinfo", "udftools"),
    tool(LIBUDFREAD, "libudfread0"),
    tool("grub-fstest", "grub-common"),
    tool("checkisomd5", "isomd5sum"),
    tool("implantisomd5", "isomd5sum"),
    tool("sha256sum", "coreutils"),
    tool("md5sum", "coreutils"),
    // What `cargo xtask fuzz` links with.
    tool("g++", "g++"),
    tool("strace", "strace"),
    tool("losetup", "mount"),
    tool("dmsetup", "dmsetup"),
    tool("mount", "mount"),
    tool("umount", "mount"),
    tool("swapon", "mount"),
    tool("swapoff", "mount"),
    tool("mkswap", "util-linux"),
    tool("partx", "util-linux"),
    tool("blkid", "util-linux"),
    tool("wipefs", "util-linux"),
    tool("mkfs.ext4", "e2fsprogs"),
    tool("e2fsck", "e2fsprogs"),
    tool("debugfs", "e2fsprogs"),
    tool("mkfs.vfat", "dosfstools"),
    tool("syslinux", "syslinux"),
    tool("tar", "tar"),
    tool("gzip", "gzip"),
    tool("xz", "xz-utils"),
    tool("zstd", "zstd"),
    tool("bzip2", "bzip2"),
    tool("setpriv", "util-linux"),
    tool("unshare", "util-linux"),
    tool("dpkg-deb", "dpkg"),
    tool("fdisk", "fdisk"),
    tool("python3", "python3-venv"),
    tool("sbsign", "sbsigntool"),
    tool("sbverify", "sbsigntool"),
    tool("osslsigncode", "osslsigncode"),
    tool("openssl", "openssl"),
];

/// What only the tests of `cargo xtask ci --full` run besides.
pub const FULL_TOOLS: [Tool; 10] = [
    tool("bochs-bin", "bochs"),
    tool(BOCHS_BIOS, "bochsbios"),
    tool(BOCHS_VGA_BIOS, "vgabios"),
    tool("isohybrid", "syslinux-utils"),
    tool("makefs", "makefs"),
    tool("grub-mkrescue", "grub-common"),
    // `FROM_CRATES` is built with these.
    tool("pkg-config", "pkg-config"),
    tool("/usr/include/openssl/ssl.h", "libssl-dev"),
    tool("/usr/include/lzma.h", "liblzma-dev"),
    tool("/usr/include/zstd.h", "libzstd-dev"),
];

/// The release of pycdlib that judges, and of what puts a key into UEFI's variables: they come from PyPI into a virtual
/// environment of their own.
pub const FROM_PYPI: [&str; 2] = ["pycdlib==1.22.0", "virt-firmware==24.11"];

/// The interpreter of that virtual environment.
pub fn venv_python() -> PathBuf {
    workspace::target().join("venv/bin/python")
}

/// The program of that name on the path. Debian keeps `sgdisk` and `fsck.vfat` in a directory that is not on the path of a
/// plain user, so that one is searched too.
pub fn on_path(name: &str) -> Option<PathBuf> {
    if name.starts_with('/') {
        return Some(PathBuf::from(name)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// The path of a program or file of [`TOOLS`], or the sentence that names what is missing.
pub fn find(name: &str) -> Result<PathBuf, String> {
    let package = TOOLS
        .iter()
        .chain(&FULL_TOOLS)
        .find(|tool| tool.name == name)
        .map_or(name, |tool| tool.package);
    on_path(name).ok_or_else(|| format!("{name} is not installed (Debian package {package}; cargo xtask setup)"))
}

/// A program of the virtual environment with [`FROM_PYPI`], such as `python`, or the sentence that names what is missing.
pub fn from_pypi(program: &str) -> Result<PathBuf, String> {
    let path = venv_python().with_file_name(program);
    if path.is_file() {
        return Ok(path);
    }
    Err(format!(
        "{program} is not installed in {} ({} of PyPI; cargo xtask setup)",
        path.parent().unwrap_or(&path).display(),
        FROM_PYPI.join(", ")
    ))
}

/// What the tests of `cargo xtask ci --full` have from crates.io, in the target directory: a program, and its crate.
pub const FROM_CRATES: [Tool; 2] = [
    tool("coreos-installer", "coreos-installer@0.27.0"),
    tool("hadris", "hadris-cli@3.0.0-rc.2"),
];

/// Where they are kept.
pub fn crates_root() -> PathBuf {
    workspace::target().join("judges")
}

/// A program of [`FROM_CRATES`], or the sentence that names what is missing.
pub fn from_crates(program: &str) -> Result<PathBuf, String> {
    let path = crates_root().join("bin").join(program);
    let wanted = FROM_CRATES.iter().find(|tool| tool.name == program);
    match path.is_file() {
        true => Ok(path),
        false => Err(format!(
            "{} is missing ({} of crates.io; cargo xtask setup --full)",
            path.display(),
            wanted.map_or(program, |tool| tool.package)
        )),
    }
}

/// Is a missing tool a failure? Continuous integration sets `CI`, and there nothing may be skipped.
pub fn required() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}
