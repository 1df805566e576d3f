//! Installers that genisoimage makes. Other programs add the tables.

use super::{ARGUMENTS, Installer};
use crate::tools::{ISOLINUX, LDLINUX};
use crate::verbs::Bench;
use std::fs;
use std::path::Path;

/// The words by which mkmedia finds the place of the second volume.
const MAGIC: &[u8] = b"7984fc91-a43f-4e45-bf27-6d3aa08b24cd";

/// The offset at which `wanted` first occurs, from byte `from` on.
fn find(bytes: &[u8], wanted: &[u8], from: usize) -> Result<usize, String> {
    let mut places = bytes.get(from..).unwrap_or_default().windows(wanted.len());
    let at = places.position(|window| window == wanted);
    at.map(|at| from + at)
        .ok_or_else(|| "the bytes are not there".to_owned())
}

/// Like openSUSE's, which mkmedia makes. genisoimage runs twice. In the second run, a file without a name contains the descriptors and directories
/// of the first run, so that partition 2 is a volume of its own with the same files. Partition 1 is the ESP.
pub fn opensuse(bench: &Bench) -> Result<(), String> {
    let loader = "boot/x86_64/loader";
    let installer = Installer::new(bench, &format!("{loader}/linux"), &format!("{loader}/initrd"))?;
    let entry = format!("{ARGUMENTS} splash=silent quiet showopts");
    installer.isolinux(loader, "");
    let configuration =
        format!("default linux\nlabel linux\n  kernel linux\n  append initrd=initrd {entry}\nprompt 1\ntimeout 10\n");
    installer.put(&format!("{loader}/isolinux.cfg"), configuration.as_bytes());
    // openSUSE's ISOLINUX looks in its own directory too, Debian's only in those of these names: a stub leads it there.
    let stub = format!("default loader\nlabel loader\n  config /{loader}/isolinux.cfg /{loader}/\n");
    installer.put("boot/isolinux/isolinux.cfg", stub.as_bytes());
    installer.copy("boot/isolinux/ldlinux.c32", LDLINUX);
    let configuration = format!(
        "set timeout=1\nsearch --no-floppy --file /{loader}/linux --set\nmenuentry 'Installation' {{\n  linux /{loader}/linux {entry}\n\
         \x20 initrd /{loader}/initrd\n}}\n"
    );
    installer.put("EFI/BOOT/grub.cfg", configuration.as_bytes());
    installer.text("esp.cfg", &configuration);
    installer.grub_efi("/EFI/BOOT", "configfile $cmdpath/grub.cfg\n");
    let files = [
        ("EFI/BOOT/bootx64.efi", "bootx64.efi"),
        ("EFI/BOOT/grub.cfg", "esp.cfg"),
    ];
    installer.esp_file("boot/x86_64/efi", 2880, &files);
    installer.put("glump", &[MAGIC, &vec![0; 2048 - MAGIC.len()]].concat());
    installer.text(
        "sort",
        &format!("tree/boot/x86_64/efi 1000001\ntree/glump 1000000\ntree/{loader}/isolinux.bin 3\n"),
    );
    let command = format!(
        "genisoimage -quiet -l -r -f -pad -input-charset utf8 -V openSUSE-Leap-15.5 -publisher openSUSE -p mkmedia -J -joliet-long \
         -no-emul-boot -boot-load-size 4 -boot-info-table -b {loader}/isolinux.bin -eltorito-alt-boot -no-emul-boot -boot-load-size 5760 \
         -e boot/x86_64/efi -c boot/x86_64/boot.catalog -hide glump -hide-joliet glump -hide boot.catalog -hide-joliet boot.catalog -sort sort \
         -o base.iso tree"
    );
    installer.run(&command);
    let read = || fs::read(bench.path("base.iso")).map_err(|e| e.to_string());
    let first = read()?;
    let at = find(&first, MAGIC, 0)?;
    installer.put("glump", &first[..at + 2048]);
    installer.run(&command);
    let mut image = read()?;
    // The volume descriptor before the copy of the magic words is that of partition 2.
    let mut descriptor = find(&image, b"\x01CD001", 0x9000)?;
    while image
        .get(descriptor - 0x8000 + at..)
        .is_none_or(|rest| !rest.starts_with(MAGIC))
    {
        descriptor = find(&image, b"\x01CD001", descriptor + 1)?;
    }
    let second = (descriptor - 0x8000) as u32 / 512;
    let esp = fs::read(bench.path("esp.img")).map_err(|e| e.to_string())?;
    let esp_at = find(&image, &esp[..4096], 0)? as u32 / 512;
    let record = find(&image, b"ISOLINUX.BIN;1", 0)? - 33;
    let isolinux = u32::from_le_bytes(image[record + 2..record + 6].try_into().map_err(|_| "no extent")?);
    image.resize(image.len().next_multiple_of(1 << 20), 0);
    let code = fs::read(Path::new(ISOLINUX).with_file_name("isohdpfx.bin")).map_err(|e| e.to_string())?;
    image[..512].fill(0);
    image[..432].copy_from_slice(&code[..432]);
    image[432..436].copy_from_slice(&(isolinux * 4).to_le_bytes());
    image[440..444].copy_from_slice(&0x3A2B_1C0D_u32.to_le_bytes());
    let end = (image.len() / 512) as u32;
    let slots = [
        (0, 0xEF, esp_at, (esp.len() / 512) as u32),
        (0x80, 0x17, second, end - second),
    ];
    for (slot, (active, kind, start, count)) in image[446..].chunks_exact_mut(16).zip(slots) {
        slot[..8].copy_from_slice(&[active, 0xFE, 0xFF, 0xFF, kind, 0xFE, 0xFF, 0xFF]);
        slot[8..12].copy_from_slice(&start.to_le_bytes());
        slot[12..16].copy_from_slice(&count.to_le_bytes());
    }
    image[510..512].copy_from_slice(&[0x55, 0xAA]);
    fs::write(bench.path("base.iso"), image).map_err(|e| e.to_string())
}

/// Like Fedora CoreOS'. The configurations reserve space for kernel arguments, and a file says where. isohybrid adds the tables.
pub fn coreos(bench: &Bench) -> Result<(), String> {
    const ROOM: usize = 1139;
    let installer = Installer::new(bench, "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img")?;
    let label = "fedora-coreos-39";
    let arguments = format!("{ARGUMENTS} quiet coreos.liveiso={label} ignition.firstboot ignition.platform.id=metal");
    let area = format!("{arguments}\n{}", "#".repeat(ROOM - arguments.len() - 1));
    let isolinux = "default linux\ntimeout 10\nlabel linux\n  kernel /images/pxeboot/vmlinuz\n  append initrd=/images/pxeboot/initrd.img,/images/ignition.img ";
    let grub = "set timeout=1\nmenuentry 'Fedora CoreOS (Live)' {\n\tlinux /images/pxeboot/vmlinuz ";
    let rest = "\n\tinitrd /images/pxeboot/initrd.img /images/ignition.img\n}\n";
    installer.isolinux("isolinux", &format!("{isolinux}{area} COREOS_KARG_EMBED_AREA\n"));
    installer.put(
        "EFI/fedora/grub.cfg",
        format!("{grub}{area} COREOS_KARG_EMBED_AREA{rest}").as_bytes(),
    );
    let file = |path: &str, offset: usize| {
        format!("{{\"end\": \"\\n\", \"offset\": {offset}, \"pad\": \"#\", \"path\": \"{path}\"}}")
    };
    let (one, other) = (
        file("EFI/fedora/grub.cfg", grub.len()),
        file("isolinux/isolinux.cfg", isolinux.len()),
    );
    let json = format!("{{\"default\": \"{arguments}\", \"files\": [{one}, {other}], \"size\": {ROOM}}}\n");
    installer.put("coreos/kargs.json", json.as_bytes());
    installer.put("coreos/igninfo.json", b"{\"file\": \"images/ignition.img\"}\n");
    installer.put("images/ignition.img", &vec![0; 262_144]);
    installer.grub_efi(
        "/EFI/fedora",
        &format!("search --label \"{label}\" --set root --no-floppy\nconfigfile ($root)/EFI/fedora/grub.cfg\n"),
    );
    installer.esp_file("images/efiboot.img", 4096, &[("EFI/BOOT/BOOTX64.EFI", "bootx64.efi")]);
    installer.run(&format!(
        "genisoimage -quiet -V {label} -rational-rock -J -joliet-long -eltorito-boot isolinux/isolinux.bin -eltorito-catalog isolinux/boot.cat \
         -no-emul-boot -boot-load-size 4 -boot-info-table -eltorito-alt-boot -efi-boot images/efiboot.img -no-emul-boot -o base.iso tree"
    ));
    installer.run("isohybrid --uefi base.iso");
    Ok(())
}

/// Like Windows'. UDF has all files, ISO 9660 has only a text, and there is no partition table. GRUB replaces Microsoft's loaders.
pub fn windows(bench: &Bench) -> Result<(), String> {
    let installer = Installer::new(bench, "sources/boot.wim", "sources/install.wim")?;
    installer.put("README.TXT", b"This disc contains a \"UDF\" file system.\r\n");
    installer.put("bootmgr", b"MZ");
    let configuration = format!(
        "set timeout=1\nmenuentry Windows {{\n  linux /sources/boot.wim {ARGUMENTS} windows=1 quiet\n  initrd /sources/install.wim\n}}\n"
    );
    installer.put("boot/grub/grub.cfg", configuration.as_bytes());
    let early = "search --no-floppy --file /sources/boot.wim --set root\nconfigfile ($root)/boot/grub/grub.cfg\n";
    // Its modules have UDF in place of ISO 9660, whose tree would be found first.
    installer.text("early.cfg", early);
    installer.run(&format!(
        "grub-mkimage -O x86_64-efi -o bootx64.efi -c early.cfg -p /boot/grub {}",
        super::MODULES.replace("iso9660", "udf")
    ));
    installer.run(
        "grub-mkimage -O i386-pc-eltorito -o tree/boot/etfsboot.com -c early.cfg -p /boot/grub udf biosdisk normal linux configfile search \
         search_fs_file echo test",
    );
    installer.esp_file(
        "efi/microsoft/boot/efisys.bin",
        2880,
        &[("EFI/BOOT/BOOTX64.EFI", "bootx64.efi")],
    );
    installer.copy("efi/boot/bootx64.efi", &bench.path("bootx64.efi").to_string_lossy());
    let hidden = ["boot", "efi", "sources", "bootmgr", "marker.txt", "boot.cat", "full"];
    let hidden: Vec<String> = hidden.iter().map(|name| format!("-hide {name}")).collect();
    installer.run(&format!(
        "genisoimage -quiet -udf -iso-level 4 -D -N -relaxed-filenames -allow-lowercase -V CCCOMA_X64FRE_EN-US_DV9 -b boot/etfsboot.com \
         -no-emul-boot -boot-load-size 4 -boot-info-table -c boot/boot.cat -eltorito-alt-boot -e efi/microsoft/boot/efisys.bin -no-emul-boot {} \
         -o base.iso tree",
        hidden.join(" ")
    ));
    Ok(())
}
