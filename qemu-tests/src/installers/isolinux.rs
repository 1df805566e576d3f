//! Installers with ISOLINUX for a BIOS, and GRUB or systemd-boot for UEFI. xorriso makes them.

use super::{ARGUMENTS, Installer};
use crate::tools::SYSTEMD_BOOT;
use crate::verbs::Bench;

/// Like Debian's. ISOLINUX' configurations include one another, the ESP with GRUB is a file of the tree, and MBR, GPT and Apple's map overlap
/// (isohybrid).
pub fn debian(bench: &Bench) -> Result<(), String> {
    let installer = Installer::new(bench, "install.amd/vmlinuz", "install.amd/initrd")?;
    installer.put(".disk/base_installable", b"");
    installer.isolinux("isolinux", "include menu.cfg\ndefault install\nprompt 0\ntimeout 10\n");
    installer.put("isolinux/menu.cfg", b"menu title Debian\ninclude txt.cfg\n");
    installer.put(
        "isolinux/txt.cfg",
        format!(
            "label install\n\tmenu label ^Install\n\tkernel /install.amd/vmlinuz\n\
             \tappend initrd=/install.amd/initrd {ARGUMENTS} vga=normal --- quiet\n"
        )
        .as_bytes(),
    );
    let configuration = format!(
        "set timeout=1\nmenuentry 'Install' {{\n    linux    /install.amd/vmlinuz {ARGUMENTS} --- quiet\n    initrd   /install.amd/initrd\n}}\n"
    );
    installer.put("boot/grub/grub.cfg", configuration.as_bytes());
    installer.put(".disk/info", b"Debian");
    let early = "search --file --set=root /.disk/info\nconfigfile ($root)/boot/grub/grub.cfg\n";
    installer.grub_efi("/boot/grub", early);
    // Fedora's and NixOS' volumes have a configuration of their own.
    installer.text("esp.cfg", &configuration);
    let files = [
        ("EFI/BOOT/BOOTX64.EFI", "bootx64.efi"),
        ("EFI/BOOT/grub.cfg", "esp.cfg"),
    ];
    installer.esp_file("boot/grub/efi.img", 2880, &files);
    installer.run(&format!(
        "xorriso -no_rc -as mkisofs -quiet -r -V Debian-Base -J -joliet-long -isohybrid-mbr {} -b isolinux/isolinux.bin -c isolinux/boot.cat \
         -boot-load-size 4 -boot-info-table -no-emul-boot -eltorito-alt-boot -e boot/grub/efi.img -no-emul-boot -isohybrid-gpt-basdat \
         -isohybrid-apm-hfsplus -o base.iso tree",
        Installer::isohdpfx()
    ));
    Ok(())
}

/// Like Debian's live images, which live-build makes. The ESP is a file of the tree, and a copy of it is appended for sticks. Partition 1 is a
/// volume of its own. There is no GPT.
pub fn debian_live(bench: &Bench) -> Result<(), String> {
    let installer = Installer::new(bench, "live/vmlinuz", "live/initrd.img")?;
    let entry = format!("boot=live components {ARGUMENTS} quiet splash");
    installer.isolinux(
        "isolinux",
        "include live.cfg\ndefault live-amd64\nprompt 0\ntimeout 10\n",
    );
    installer.put(
        "isolinux/live.cfg",
        format!(
            "label live-amd64\n\tmenu default\n\tlinux /live/vmlinuz\n\tinitrd /live/initrd.img\n\tappend {entry}\n"
        )
        .as_bytes(),
    );
    installer.put(".disk/info", b"Debian GNU/Linux Live\n");
    let configuration = format!(
        "set timeout=1\nmenuentry \"Live system (amd64)\" --hotkey=l {{\n\tlinux\t/live/vmlinuz {entry}\n\tinitrd\t/live/initrd.img\n}}\n"
    );
    installer.put("boot/grub/grub.cfg", configuration.as_bytes());
    installer.put("boot/grub/loopback.cfg", b"source /boot/grub/grub.cfg\n");
    let early = "search --set=root --file /.disk/info\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n";
    installer.grub_efi("/boot/grub", early);
    installer.esp_file("boot/grub/efi.img", 2880, &[("EFI/BOOT/BOOTX64.EFI", "bootx64.efi")]);
    installer.run(&format!(
        "xorriso -no_rc -as mkisofs -quiet -R -r -J -joliet-long -l -iso-level 3 -isohybrid-mbr {} -partition_offset 16 -V d-live \
         --modification-date=2023111422132000 -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table \
         -eltorito-alt-boot -e boot/grub/efi.img -no-emul-boot -append_partition 2 0x01 esp.img -o base.iso tree",
        Installer::isohdpfx()
    ));
    Ok(())
}

/// Like Arch Linux'. The appended ESP has systemd-boot and copies of kernel and initrd. The system searches for the volume by its date.
pub fn arch(bench: &Bench) -> Result<(), String> {
    let installer = Installer::new(
        bench,
        "arch/boot/x86_64/vmlinuz-linux",
        "arch/boot/x86_64/initramfs-linux.img",
    )?;
    let entry = format!("archisobasedir=arch archisosearchuuid=2023-11-14-22-13-20-00 {ARGUMENTS} quiet");
    installer.isolinux("boot/syslinux", "INCLUDE archiso_sys.cfg\n");
    installer.put(
        "boot/syslinux/archiso_sys.cfg",
        format!(
            "DEFAULT arch\nTIMEOUT 10\nLABEL arch\nMENU LABEL Arch Linux install medium\nLINUX /arch/boot/x86_64/vmlinuz-linux\n\
             INITRD /arch/boot/x86_64/initramfs-linux.img\nAPPEND {entry}\n"
        )
        .as_bytes(),
    );
    let loader = "timeout 1\ndefault 01-archiso-linux.conf\n";
    let one = format!(
        "title    Arch Linux install medium (x86_64, UEFI)\nlinux    /arch/boot/x86_64/vmlinuz-linux\n\
         initrd   /arch/boot/x86_64/initramfs-linux.img\noptions  {entry}\n"
    );
    for (path, text) in [("loader.conf", loader), ("entries/01-archiso-linux.conf", &one)] {
        installer.put(&format!("loader/{path}"), text.as_bytes());
    }
    let files = [
        ("EFI/BOOT/BOOTx64.EFI", SYSTEMD_BOOT),
        ("loader/loader.conf", "tree/loader/loader.conf"),
        (
            "loader/entries/01-archiso-linux.conf",
            "tree/loader/entries/01-archiso-linux.conf",
        ),
        ("arch/boot/x86_64/vmlinuz-linux", "tree/arch/boot/x86_64/vmlinuz-linux"),
        (
            "arch/boot/x86_64/initramfs-linux.img",
            "tree/arch/boot/x86_64/initramfs-linux.img",
        ),
    ];
    installer.esp(40 << 10, &files);
    installer.run(&format!(
        "xorriso -no_rc -as mkisofs -quiet -iso-level 3 -full-iso9660-filenames -joliet -joliet-long -rational-rock -volid ARCH_202311 \
         --modification-date=2023111422132000 -eltorito-boot boot/syslinux/isolinux.bin -eltorito-catalog boot/syslinux/boot.cat -no-emul-boot \
         -boot-load-size 4 -boot-info-table -isohybrid-mbr {} --mbr-force-bootable -partition_offset 16 \
         -append_partition 2 C12A7328-F81F-11D2-BA4B-00A0C93EC93B esp.img -isohybrid-gpt-basdat -eltorito-alt-boot \
         -e --interval:appended_partition_2:all:: -no-emul-boot -o base.iso tree",
        Installer::isohdpfx()
    ));
    Ok(())
}

/// Like Alpine's. The ESP has 1440 KiB and is a file of the tree. GRUB finds the medium by its volume id.
pub fn alpine(bench: &Bench) -> Result<(), String> {
    let installer = Installer::new(bench, "boot/vmlinuz-lts", "boot/initramfs-lts")?;
    let (label, entry) = (
        "alpine-std-3.19.0",
        format!("modules=loop,squashfs,sd-mod,usb-storage {ARGUMENTS} quiet"),
    );
    installer.isolinux(
        "boot/syslinux",
        &format!(
            "TIMEOUT 10\nPROMPT 1\nDEFAULT lts\nLABEL lts\n\tMENU LABEL Linux lts\n\tKERNEL /boot/vmlinuz-lts\n\
             \tINITRD /boot/initramfs-lts\n\tAPPEND {entry}\n"
        ),
    );
    installer.put(".alpine-release", b"alpine-std-3.19.0 231207\n");
    let configuration = format!(
        "set timeout=1\nmenuentry \"Linux lts\" {{\nlinux\t/boot/vmlinuz-lts {entry}\ninitrd\t/boot/initramfs-lts\n}}\n"
    );
    installer.put("boot/grub/grub.cfg", configuration.as_bytes());
    let early = format!(
        "search --no-floppy --set=root --label \"{label}\"\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n"
    );
    installer.grub_efi("/boot/grub", &early);
    installer.esp_file("boot/grub/efi.img", 1440, &[("efi/boot/bootx64.efi", "bootx64.efi")]);
    installer.run(&format!(
        "xorriso -no_rc -as mkisofs -quiet -full-iso9660-filenames -joliet -joliet-long -rational-rock -sysid LINUX -volid {label} \
         -isohybrid-mbr {} -eltorito-boot boot/syslinux/isolinux.bin -eltorito-catalog boot/syslinux/boot.cat -no-emul-boot -boot-load-size 4 \
         -boot-info-table -eltorito-alt-boot -e boot/grub/efi.img -no-emul-boot -isohybrid-gpt-basdat -o base.iso tree",
        Installer::isohdpfx()
    ));
    Ok(())
}

/// Like NixOS'. The ESP has GRUB's configuration, and the tree has a copy of it.
pub fn nixos(bench: &Bench) -> Result<(), String> {
    let installer = Installer::new(bench, "boot/bzImage", "boot/initrd")?;
    let entry = format!("init=/nix/store/0123456789-nixos/init root=LABEL=nixos-minimal {ARGUMENTS} quiet");
    installer.isolinux(
        "isolinux",
        &format!(
            "TIMEOUT 10\nDEFAULT boot\nLABEL boot\nMENU LABEL NixOS Installer\nLINUX /boot/bzImage\nAPPEND {entry}\nINITRD /boot/initrd\n"
        ),
    );
    installer.put("EFI/nixos-installer-image", b"");
    let configuration = format!(
        "set timeout=1\nsearch --set=root --file /EFI/nixos-installer-image\n\
         menuentry 'NixOS Installer' --class installer {{\n  linux /boot/bzImage ${{isoboot}} {entry}\n  initrd /boot/initrd\n}}\n"
    );
    installer.put("EFI/boot/grub.cfg", configuration.as_bytes());
    installer.text("esp.cfg", &configuration);
    installer.put("boot/grub/loopback.cfg", b"source /EFI/boot/grub.cfg\n");
    installer.grub_efi("/EFI/boot", "configfile $cmdpath/grub.cfg\n");
    let files = [
        ("EFI/boot/bootx64.efi", "bootx64.efi"),
        ("EFI/boot/grub.cfg", "esp.cfg"),
    ];
    installer.esp_file("boot/efi.img", 4096, &files);
    installer.run(&format!(
        "xorriso -no_rc -as mkisofs -quiet -iso-level 3 -volid nixos-minimal -full-iso9660-filenames -joliet -joliet-long \
         -eltorito-boot isolinux/isolinux.bin -eltorito-catalog .boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table \
         -isohybrid-mbr {} -eltorito-alt-boot -e boot/efi.img -no-emul-boot -isohybrid-gpt-basdat -r -o base.iso tree",
        Installer::isohdpfx()
    ));
    Ok(())
}
