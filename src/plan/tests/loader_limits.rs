//! What the built-in loader cannot start, or shows otherwise than it is written.

use super::loader::{MENU, kernel, places, with_kernel};
use crate::resolve::loader::builtin;

/// The header says that an initrd may end with byte 0x7fff_ffff, and the kernel runs to byte 0x2ff_ffff.
#[test]
fn initrds_that_a_bios_has_no_room_for_take_it_away() {
    let host = with_kernel();
    host.put("second", b"070701");
    let room: u64 = 0x8000_0000 - 0x300_0000;
    let sparse = |length: u64| {
        let file = std::fs::File::create(host.at("big.img")).unwrap();
        std::io::Write::write_all(&mut &file, b"070701").unwrap();
        file.set_len(length).unwrap();
    };
    let manifest =
        "[[menu]]\nkernel = \"vmlinuz\"\ninitrd = [\"second\", \"big.img\"]\n[[menu]]\naction = \"reboot\"\n";
    for (length, fits) in [(room - 8, true), (room - 7, false)] {
        sparse(length);
        let resolved = host.resolve(manifest).unwrap();
        let described = super::plan(resolved.contents)
            .unwrap()
            .describe(&crate::plan::Late::default())
            .unwrap();
        for verdict in described
            .cells
            .iter()
            .filter(|verdict| !verdict.cell.to_string().contains("4kn"))
        {
            let cell = verdict.cell.to_string();
            match &cell[..5] {
                "bios-" => assert_eq!(verdict.boots, fits, "{cell}: {}", verdict.reason),
                "uefi-" if !cell.contains("ia32") && !cell.contains("aa64") => assert!(verdict.boots, "{cell}"),
                _ => {}
            }
            if cell == "bios-usb" && !fits {
                let (total, room) = ((room + 1).to_string(), room.to_string());
                assert!(
                    verdict.reason.contains(&total) && verdict.reason.contains(&room),
                    "{}",
                    verdict.reason
                );
            }
        }
    }
}

/// Told where it cannot be meant so.
#[test]
fn the_habits_of_other_loaders_are_warned_of() {
    let host = with_kernel();
    let warned = |manifest: &str, words: &str| {
        let (described, _) = host.build(manifest);
        let said = described.planned.warnings.iter().any(|warning| warning.contains(words));
        assert!(said || words.is_empty(), "{words}: {:?}", described.planned.warnings);
        assert!(
            !words.is_empty() || described.planned.warnings.is_empty(),
            "{:?}",
            described.planned.warnings
        );
    };
    let kernel = |more: &str| format!("[[menu]]\nkernel = \"vmlinuz\"\n{more}\n");
    warned(
        &kernel("cmdline = \"initrd=/x quiet\""),
        "`initrd=` in the command line loads nothing",
    );
    warned(&kernel("cmdline = \"quiet\"\ninitrd = \"initrd.img\""), "");
    warned(&kernel("cmdline = \"CDLABEL=A\\x20B\""), "TOML has made a character");
    // The built-in loader takes it as it is; GRUB on another medium would not.
    warned(
        &kernel("cmdline = 'CDLABEL=A\\x20B'"),
        "1 entry is not in /boot/grub/loopback.cfg",
    );
    warned(
        &kernel("title = \"\u{62a}\u{62b}\""),
        "characters that the loader cannot show",
    );
    warned(&kernel("title = \"Gr\u{fc}\u{df}e\""), "");
    warned(
        &format!("{}{}", kernel(""), kernel("")),
        "2 entries of the menu have the title \"Boot\"",
    );
    host.put("image.iso", b"no initrd");
    warned(&kernel("initrd = \"image.iso\""), "the kernel will not unpack it");
}

#[test]
fn what_the_loader_could_not_start_is_refused() {
    let host = with_kernel();
    host.put("text", b"not a kernel");
    host.put("elf", b"\x7fELF\x02\x01\x01");
    host.put("script", b"#!/bin/sh\n");
    host.put("empty", b"");
    let mut uki = builtin::EFI_X64.to_vec();
    let header = places(&uki, b".reloc\0\0")[0];
    uki[header..header + 8].copy_from_slice(b".initrd\0");
    host.put("uki", &uki);
    host.put("large", &vec![0; 100 << 10]);
    let mut arm = builtin::EFI_X64.to_vec();
    arm[68..70].copy_from_slice(&0x01C2_u16.to_le_bytes());
    host.put("arm", &arm);
    let taken = format!("{MENU}[[files]]\ntext = \"x\"\nto = \"/boot/isobuild/menu.cfg\"\n");
    let file = format!("{MENU}[[files]]\ntext = \"x\"\nto = \"/boot\"\n");
    let long = MENU.replace("quiet", &"x".repeat(101));
    let huge = "[[menu]]\naction = \"reboot\"\n"
        .repeat(2)
        .replace("action", &format!("title = \"{}\"\naction", "x".repeat(40_000)));
    for (manifest, says) in [
        ("[[menu]]\nkernel = \"text\"\n", "is not a Linux kernel"),
        ("[[menu]]\nefi = \"text\"\n", "is not an EFI program"),
        (
            "[[menu]]\nkernel = \"arm\"\n",
            "is for arm, and the built-in loader is for x64, ia32 and aa64",
        ),
        (
            "[[menu]]\nbios = \"large\"\n",
            "has 102400 bytes and no Linux-style header",
        ),
        (
            "[[menu]]\nbios = \"elf\"\n",
            "is an ELF program, not a program for a BIOS",
        ),
        ("[[menu]]\nbios = \"script\"\n", "is a script"),
        ("[[menu]]\nbios = \"empty\"\n", "is empty"),
        ("[[menu]]\nbios = \"arm\"\n", "has no Linux-style header"),
        (
            "[[menu]]\nkernel = \"vmlinuz\"\ninitrd = \"empty\"\n",
            "\"empty\" is empty",
        ),
        (
            "[[menu]]\nkernel = \"uki\"\ninitrd = \"initrd.img\"\n",
            "a unified kernel image with an initrd of its own",
        ),
        ("[[menu]]\nkernel = \"missing\"\n", "cannot use \"missing\""),
        ("[[menu]]\nkernel = \"iso:/missing\"\n", "/missing is not in the image"),
        (
            &taken,
            "/boot/isobuild/menu.cfg of [[files]] stands where the loader puts /boot/isobuild/menu.cfg",
        ),
        (&file, "/boot is a file of [[files]]"),
        (&long, "the command line has 101 bytes; \"vmlinuz\" takes 100"),
        (&huge, "the loader reads 65536 at most"),
    ] {
        let error = host.error(manifest);
        assert!(error.contains(says), "{says:?} is missing in\n{error}");
    }
}

/// Memtest86+ is one: 144 KB that a BIOS' loader starts as a kernel.
#[test]
fn a_program_with_a_linux_header_may_be_large() {
    let host = with_kernel();
    let mut program = kernel(3);
    program.resize(builtin::LARGEST_PROGRAM as usize + 1, 0);
    host.put("memtest.bin", &program);
    let (described, _) = host.build("[[menu]]\nbios = \"memtest.bin\"\n");
    assert_eq!(described.planned.menu[0].firmware.name(), "bios");
}
