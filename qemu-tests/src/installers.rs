//! Small installers with the structure of two families of distributions: boot configurations, catalogs and tables as their build scripts make
//! them. Their system is the tests' own guest, which says what it was started with.

use crate::initramfs::Initramfs;
use crate::tools::{GRUB_EFI, GRUB_PC, ISOLINUX, LDLINUX};
use crate::verbs::Bench;
use crate::{linux, pins};
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

/// GRUB's modules for UEFI.
const MODULES: &str = "part_gpt part_msdos fat iso9660 normal boot linux configfile search search_label search_fs_file echo test all_video \
                       gzio ls cat halt reboot";

/// The tree of an installer, and the directory in which it is made.
pub struct Installer<'b> {
    bench: &'b Bench,
}

impl<'b> Installer<'b> {
    /// A tree with a kernel and an initrd in one directory, and a file that tells the tree.
    pub fn new(bench: &'b Bench, directory: &str) -> Result<Self, String> {
        let installer = Self { bench };
        let inputs = pins::load("qemu-tests")?;
        let kernel = fs::read(inputs.file("vmlinuz")?).map_err(|e| e.to_string())?;
        installer.put(&format!("{directory}/vmlinuz"), &kernel);
        installer.put(&format!("{directory}/initrd"), &guest(&inputs)?);
        installer.put("marker.txt", b"This is the base.\n");
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

    /// A FAT volume of some KiB with these files, as `esp.img`.
    fn esp(&self, kib: u32, files: &[(&str, &str)]) {
        let _ = fs::remove_file(self.bench.path("esp.img"));
        self.run(&format!("mformat -C -i esp.img -T {} -N 12345678 ::", kib * 2));
        self.run("mmd -i esp.img ::/EFI ::/EFI/BOOT");
        for (to, from) in files {
            self.run(&format!("mcopy -i esp.img {from} ::/EFI/BOOT/{to}"));
        }
    }
}

/// The first program says its kernel's arguments, and of each volume that it can mount the files.
fn guest(inputs: &pins::Inputs) -> Result<Vec<u8>, String> {
    let modules = [
        &linux::VIRTIO_MODULES[..],
        &["virtio_blk", "cdrom", "nls_utf8", "isofs"],
    ]
    .concat();
    let look = "say \"args $(cat /proc/cmdline)\"\n\
                [ -f /appended ] && say \"appended $(cat /appended)\"\n\
                for d in /dev/vd?*; do\n\
                mount -t iso9660 -o ro $d /mnt 2>/dev/null || continue\n\
                for f in /mnt/marker.txt /mnt/new/*; do [ -f \"$f\" ] && say \"$d $f $(sha256sum <\"$f\")\"; done\n\
                umount /mnt\n\
                done\n";
    let init = format!("{}{look}{}", linux::preamble(&modules), linux::end());
    Ok(Initramfs::new(inputs, "", &modules, &init)?.finish())
}

/// As Ubuntu's: GRUB for both firmwares, an ESP that is appended, and a volume of its own in partition 1. The ESP's configuration leads to the
/// tree, and one more is for systems that start the image as a file.
pub fn ubuntu(bench: &Bench) -> Result<(), String> {
    let installer = Installer::new(bench, "casper")?;
    let entry = "\tset gfxpayload=keep\n\tlinux\t/casper/vmlinuz console=ttyS0 panic=-1 quiet ---\n\tinitrd\t/casper/initrd\n}\n";
    installer.put(".disk/info", b"Ubuntu-Server 22.04.4 LTS");
    installer.put(
        "boot/grub/grub.cfg",
        format!("set timeout=1\nmenuentry \"Try or Install\" {{\n{entry}menuentry \"Rescue\" {{\n{entry}").as_bytes(),
    );
    installer.put(
        "boot/grub/loopback.cfg",
        format!("menuentry \"Try or Install\" {{\n{entry}").as_bytes(),
    );
    // A directory with no room in its sector.
    for number in 0..14 {
        installer.put(
            &format!("full/a file with a name of some length, number {number}.txt"),
            b"x",
        );
    }
    fs::write(
        bench.path("early.cfg"),
        "search --set=root --file /.disk/info\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n",
    )
    .unwrap();
    installer.run(&format!(
        "grub-mkimage -O x86_64-efi -o bootx64.efi -p /boot/grub -c early.cfg {MODULES}"
    ));
    installer.run(
        "grub-mkimage -O i386-pc-eltorito -o tree/boot/grub/eltorito.img -p /boot/grub -c early.cfg iso9660 biosdisk normal linux configfile \
         search search_fs_file part_gpt echo test",
    );
    installer.esp(2880, &[("BOOTX64.EFI", "bootx64.efi")]);
    let pc = Path::new(GRUB_PC).with_file_name("boot_hybrid.img");
    installer.run(&format!(
        "xorriso -no_rc -as mkisofs -quiet -r -iso-level 3 -V Ubuntu-Base -J -joliet-long -c boot.catalog -b boot/grub/eltorito.img \
         -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info --grub2-mbr {} -append_partition 2 0xef esp.img \
         -appended_part_as_gpt --mbr-force-bootable -eltorito-alt-boot -e --interval:appended_partition_2:all:: -no-emul-boot \
         -partition_offset 16 -o base.iso tree",
        pc.display()
    ));
    Ok(())
}

/// As Debian's: ISOLINUX with configurations that include one another, GRUB in an ESP that is a file of the tree, and MBR, GPT and Apple's map
/// over the same places (isohybrid).
pub fn debian(bench: &Bench) -> Result<(), String> {
    let installer = Installer::new(bench, "install.amd")?;
    installer.put(".disk/base_installable", b"");
    let append = "append initrd=/install.amd/initrd console=ttyS0 panic=-1 vga=normal --- quiet\n";
    installer.put(
        "isolinux/isolinux.cfg",
        b"include menu.cfg\ndefault install\nprompt 0\ntimeout 10\n",
    );
    installer.put("isolinux/menu.cfg", b"menu title Debian\ninclude txt.cfg\n");
    installer.put(
        "isolinux/txt.cfg",
        format!("label install\n\tmenu label ^Install\n\tkernel /install.amd/vmlinuz\n\t{append}").as_bytes(),
    );
    installer.copy("isolinux/isolinux.bin", ISOLINUX);
    installer.copy("isolinux/ldlinux.c32", LDLINUX);
    let config = "set timeout=1\nmenuentry 'Install' {\n    linux    /install.amd/vmlinuz console=ttyS0 panic=-1 --- quiet\n    initrd   /install.amd/initrd\n}\n";
    installer.put("boot/grub/grub.cfg", config.as_bytes());
    installer.put(".disk/info", b"Debian");
    fs::write(
        bench.path("early.cfg"),
        "search --file --set=root /.disk/info\nconfigfile ($root)/boot/grub/grub.cfg\n",
    )
    .unwrap();
    installer.run(&format!(
        "grub-mkimage -O x86_64-efi -o bootx64.efi -p /boot/grub -c early.cfg {MODULES}"
    ));
    // Fedora's and NixOS' volumes have a configuration of their own.
    fs::write(bench.path("esp.cfg"), config).unwrap();
    installer.esp(2880, &[("BOOTX64.EFI", "bootx64.efi"), ("grub.cfg", "esp.cfg")]);
    installer.copy("boot/grub/efi.img", &bench.path("esp.img").to_string_lossy());
    installer.run(&format!(
        "xorriso -no_rc -as mkisofs -quiet -r -V Debian-Base -J -joliet-long -isohybrid-mbr {} -b isolinux/isolinux.bin -c isolinux/boot.cat \
         -boot-load-size 4 -boot-info-table -no-emul-boot -eltorito-alt-boot -e boot/grub/efi.img -no-emul-boot -isohybrid-gpt-basdat \
         -isohybrid-apm-hfsplus -o base.iso tree",
        Path::new(ISOLINUX).with_file_name("isohdpfx.bin").display()
    ));
    Ok(())
}
