//! Installers with GRUB for a BIOS and for UEFI.

use super::{ARGUMENTS, Installer};
use crate::verbs::Bench;
use std::fs;

/// Like Ubuntu's. The ESP is appended, and partition 1 is a volume of its own. GRUB in the ESP reads the configuration in the tree. Another
/// configuration is for systems that start the image as a file.
pub fn ubuntu(bench: &Bench) -> Result<(), String> {
    let installer = Installer::new(bench, "casper/vmlinuz", "casper/initrd")?;
    let entry = format!(
        "\tset gfxpayload=keep\n\tlinux\t/casper/vmlinuz {ARGUMENTS} quiet ---\n\tinitrd\t/casper/initrd\n}}\n"
    );
    installer.put(".disk/info", b"Ubuntu-Server 22.04.4 LTS");
    installer.put(
        "boot/grub/grub.cfg",
        format!("set timeout=1\nmenuentry \"Try or Install\" {{\n{entry}menuentry \"Rescue\" {{\n{entry}").as_bytes(),
    );
    installer.put(
        "boot/grub/loopback.cfg",
        format!("menuentry \"Try or Install\" {{\n{entry}").as_bytes(),
    );
    let early = "search --set=root --file /.disk/info\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n";
    installer.grub_efi("/boot/grub", early);
    installer.grub_pc("boot/grub/eltorito.img", "/boot/grub");
    installer.esp(2880, &[("EFI/BOOT/BOOTX64.EFI", "bootx64.efi")]);
    installer.run(&format!(
        "xorriso -no_rc -as mkisofs -quiet -r -iso-level 3 -V Ubuntu-Base -J -joliet-long -c boot.catalog -b boot/grub/eltorito.img \
         -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info --grub2-mbr {} -append_partition 2 0xef esp.img \
         -appended_part_as_gpt --mbr-force-bootable -eltorito-alt-boot -e --interval:appended_partition_2:all:: -no-emul-boot \
         -partition_offset 16 -o base.iso tree",
        Installer::boot_hybrid()
    ));
    Ok(())
}

/// Like Fedora's, which lorax makes. The ESP has its own configuration, and the tree has a copy of it. The catalog has no name, the MD5 is
/// implanted, and GRUB and the installer search for the volume id.
pub fn fedora(bench: &Bench) -> Result<(), String> {
    let installer = Installer::new(bench, "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img")?;
    let label = "Fedora-S-dvd-x86_64-39";
    let linux = format!("\tlinux /images/pxeboot/vmlinuz inst.stage2=hd:LABEL={label} {ARGUMENTS}");
    let initrd = "\tinitrd /images/pxeboot/initrd.img\n}\n";
    let configuration = format!(
        "set default=\"0\"\nset timeout=1\nsearch --no-floppy --set=root -l '{label}'\n\
         menuentry 'Install Fedora 39' --class fedora {{\n{linux} quiet\n{initrd}\
         menuentry 'Test this media & install Fedora 39' {{\n{linux} rd.live.check quiet\n{initrd}\
         submenu 'Troubleshooting -->' {{\nmenuentry 'Rescue' {{\n{linux} inst.rescue quiet\n{initrd}}}\n"
    );
    installer.put("images/install.img", b"hsqs");
    installer.put(".discinfo", b"1700000000.000000\n39\nx86_64\nALL\n");
    installer.put("boot/grub2/grub.cfg", configuration.as_bytes());
    installer.put("EFI/BOOT/grub.cfg", configuration.as_bytes());
    installer.text("esp.cfg", &configuration);
    installer.grub_efi("/EFI/BOOT", "configfile $cmdpath/grub.cfg\n");
    let early = format!("search --no-floppy --set=root -l '{label}'\nconfigfile ($root)/boot/grub2/grub.cfg\n");
    installer.text("early.cfg", &early);
    installer.grub_pc("images/eltorito.img", "/boot/grub2");
    let files = [
        ("EFI/BOOT/BOOTX64.EFI", "bootx64.efi"),
        ("EFI/BOOT/grub.cfg", "esp.cfg"),
    ];
    installer.esp(4096, &files);
    installer.run(&format!(
        "xorriso -no_rc -as mkisofs -quiet -R -J -V {label} --grub2-mbr {} -partition_offset 16 -appended_part_as_gpt \
         -append_partition 2 C12A7328-F81F-11D2-BA4B-00A0C93EC93B esp.img -iso_mbr_part_type EBD0A0A2-B9E5-4433-87C0-68B6B72699C7 \
         -c boot.cat --boot-catalog-hide -b images/eltorito.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
         -eltorito-alt-boot -e --interval:appended_partition_2:all:: -no-emul-boot -o base.iso tree",
        Installer::boot_hybrid()
    ));
    installer.run("implantisomd5 base.iso");
    Ok(())
}

/// Like Proxmox', which grub-mkrescue makes. MBR, GPT, Apple's map and HFS+ overlap. One entry is shown only if there is an answer file.
pub fn proxmox(bench: &Bench) -> Result<(), String> {
    let installer = Installer::new(bench, "boot/linux26", "boot/initrd.img")?;
    let entry = format!("    linux /boot/linux26 ro {ARGUMENTS} quiet");
    let initrd = "    initrd /boot/initrd.img\n}\n";
    let configuration = format!(
        "insmod gzio\ninsmod iso9660\nset timeout=1\nif [ -f auto-installer-mode.toml ]; then\n\
         menuentry 'Install (Automated)' {{\n{entry} proxmox-start-auto-installer\n{initrd}fi\n\
         menuentry 'Install (Graphical)' {{\n{entry}\n{initrd}"
    );
    installer.put("boot/grub/grub.cfg", configuration.as_bytes());
    installer.put(".pve-cd-id.txt", b"5a9b6d3e-1111-2222-3333-444455556666\n");
    installer.put("auto-installer-capable", b"");
    installer.run("grub-mkrescue -o base.iso tree -- -volid PVE -volume_date uuid 2023111422132000");
    match fs::metadata(bench.path("base.iso")) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
