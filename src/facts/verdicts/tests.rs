//! Secure Boot's rules where no image of real programs shows them: facts by hand, with signatures of `authenticode`'s tests.

use super::*;
use crate::facts::cell::Medium;
use crate::facts::secure_boot::{Generation, Shim, revoked_x64};
use crate::facts::{
    EspFacts, LoaderFacts, MenuLoader, MenuProgram, Partition, PartitionKind, PartitionTable, ShimFacts, SignatureFacts,
};
use crate::formats::authenticode::{Hash, Signature, verify};
use crate::formats::fat::FatKind;
use crate::formats::pe;
use crate::ground::text;

const PROGRAM: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/formats/authenticode/tests/program.efi"
));
const CHAIN: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/formats/authenticode/tests/leaf-with-chain.p7"
));

fn certificate(der: &[u8]) -> Certificate {
    Certificate::from_der(der).unwrap()
}

fn root() -> Certificate {
    certificate(include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/formats/authenticode/tests/root.der"
    )))
}

fn stranger() -> Certificate {
    certificate(include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/formats/authenticode/tests/stranger.der"
    )))
}

/// Under `root`, as `verify` gives it.
fn signature() -> Signature {
    let program = PROGRAM.to_vec();
    let pe = pe::read(&program).unwrap();
    let digest = |hash: Hash| {
        let mut hasher = hash.hasher();
        pe.covered_bytes(&program, |bytes| hasher.update(bytes)).unwrap();
        Ok(hasher.finalize())
    };
    verify(CHAIN, &digest).unwrap()
}

fn generations(list: &[(&str, u32)]) -> Vec<Generation> {
    let one = |&(component, generation): &(&str, u32)| Generation {
        component: component.into(),
        generation,
    };
    list.iter().map(one).collect()
}

/// A program that is signed under `root` and by these authorities.
fn program(path: &str, authorities: &[Authority]) -> LoaderFacts {
    LoaderFacts {
        path: path.into(),
        machine: Some(pe::Machine::X64),
        authenticode_sha256: Some("0".repeat(64)),
        signatures: vec![SignatureFacts {
            signer: Some("Test Leaf".into()),
            issuer: Some("Test Intermediate".into()),
            authorities: authorities.to_vec(),
            fault: None,
            signature: Some(signature()),
        }],
        sbat: Some(generations(&[("sbat", 1), ("grub", 5)])),
        ..LoaderFacts::default()
    }
}

/// A shim of both years, whose vendor is `root`.
fn shim(version: (u32, u32)) -> LoaderFacts {
    let data = Shim {
        version: Some(version),
        vendors: vec![root()],
        asks: generations(&[("sbat", 1), ("shim", 4), ("grub", 5)]),
        ..Shim::default()
    };
    LoaderFacts {
        sbat: Some(generations(&[("sbat", 1), ("shim", 4)])),
        shim: Some(ShimFacts::new(data, pe::Machine::X64)),
        ..program("/EFI/BOOT/BOOTX64.EFI", &[Authority::Uefi2011, Authority::Uefi2023])
    }
}

/// An image with an MBR whose one partition is an ESP with these programs.
fn image(loaders: Vec<LoaderFacts>, menu_programs: Vec<MenuProgram>) -> Description {
    let facts = Common {
        mbr: Some(crate::facts::MbrFacts {
            boot_code: false,
            starts: None,
            disk_signature: 0,
        }),
        partitions: vec![Partition {
            table: PartitionTable::Mbr,
            sector_size: 512,
            number: 1,
            kind: PartitionKind::Esp,
            start: 1 << 20,
            length: 1 << 20,
            name: None,
            guid: None,
            attributes: None,
            active: Some(false),
            refused: None,
        }],
        esp: vec![EspFacts {
            offset: 1 << 20,
            length: 1 << 20,
            kind: FatKind::Fat16,
            sector_size: 512,
            cluster_size: 2048,
            label: String::new(),
            serial: 0,
            loaders,
        }],
        menu_programs,
        ..Common::default()
    };
    Description {
        facts,
        ..Description::default()
    }
}

/// The verdict on a stick.
fn verdict(facts: &Description, firmware: Firmware, trusted: &[Certificate]) -> (bool, String) {
    let wanted = Cell {
        firmware,
        medium: Medium::Usb,
    };
    let verdict = cells(facts, trusted).into_iter().find(|verdict| verdict.cell == wanted);
    let verdict = verdict.unwrap();
    (verdict.boots, verdict.reason)
}

/// Asserts a "no" with these words.
fn refused(facts: &Description, firmware: Firmware, trusted: &[Certificate], words: &str) {
    let (boots, reason) = verdict(facts, firmware, trusted);
    assert!(!boots && reason.contains(words), "{boots}: {reason}");
}

fn grub() -> LoaderFacts {
    program("/EFI/BOOT/grubx64.efi", &[])
}

#[test]
fn own_cells_are_there_for_whoever_names_a_certificate() {
    let facts = image(vec![shim((16, 1)), grub()], Vec::new());
    let of_owner = |trusted: &[Certificate]| {
        let verdicts = cells(&facts, trusted);
        verdicts
            .iter()
            .filter(|verdict| verdict.cell.firmware == Firmware::SecureBootOwn)
            .count()
    };
    assert_eq!((of_owner(&[]), of_owner(&[root()])), (0, 5));
    assert!(verdict(&facts, Firmware::SecureBoot, &[]).0);
    assert!(verdict(&facts, Firmware::SecureBootOwn, &[root()]).0);
    refused(
        &facts,
        Firmware::SecureBootOwn,
        &[stranger()],
        "a PC with its owner's certificates alone refuses it",
    );
}

#[test]
fn a_shim_of_one_year_is_no_shim_of_the_other() {
    let mut old = shim((16, 1));
    old.signatures[0].authorities = vec![Authority::Uefi2011];
    let facts = image(vec![old, grub()], Vec::new());
    assert!(verdict(&facts, Firmware::SecureBoot2011, &[]).0);
    for firmware in [Firmware::SecureBoot2023, Firmware::SecureBoot] {
        refused(
            &facts,
            firmware,
            &[],
            "BOOTX64.EFI, which is signed under Microsoft Corporation UEFI CA 2011 alone, and a PC with the certificates of 2023 alone \
             refuses it; mend: a shim with both signatures",
        );
    }
    assert!(verdict(&facts, Firmware::SecureBoot2023, &[root()]).0);
}

#[test]
fn revoked_programs_are_refused_whoever_has_signed_them() {
    let hash = text::hex(&revoked_x64().next().unwrap());
    for revoked in 0..2 {
        let mut loaders = vec![shim((16, 1)), grub()];
        loaders[revoked].authenticode_sha256 = Some(hash.clone());
        let facts = image(loaders, Vec::new());
        refused(
            &facts,
            Firmware::SecureBoot,
            &[root()],
            "machines with the list of 2026-06-30 refuse it",
        );
    }
}

#[test]
fn shim_refuses_what_it_was_built_to_refuse() {
    let with = |change: &dyn Fn(&mut Shim)| {
        let mut shim = shim((16, 1));
        change(&mut shim.shim.as_mut().unwrap().data);
        image(vec![shim, grub()], Vec::new())
    };
    let by_hash = with(&|data| data.denied_hashes.push("0".repeat(64)));
    refused(
        &by_hash,
        Firmware::SecureBoot,
        &[],
        "which this shim has on its list of revoked programs",
    );
    let by_certificate = with(&|data| data.denied.push(root()));
    refused(
        &by_certificate,
        Firmware::SecureBoot,
        &[],
        "which is signed under Test Root, and this shim refuses that",
    );
    let of_another = with(&|data| data.vendors = vec![stranger()]);
    refused(
        &of_another,
        Firmware::SecureBoot,
        &[],
        "which starts only where the key is enrolled (MOK)",
    );
}

#[test]
fn generations_are_asked_for() {
    let mut old = shim((16, 1));
    old.sbat = Some(generations(&[("sbat", 1), ("shim", 3)]));
    let facts = image(vec![old, grub()], Vec::new());
    refused(
        &facts,
        Firmware::SecureBoot,
        &[],
        "a shim that refuses itself: it asks for shim generation 4, and has 3",
    );
    assert!(
        verdict(&facts, Firmware::Uefi, &[]).0,
        "without Secure Boot nobody asks"
    );
    let mut grub = grub();
    grub.sbat = None;
    let facts = image(vec![shim((16, 1)), grub], Vec::new());
    refused(&facts, Firmware::SecureBoot, &[], "which has no section .sbat");
}

#[test]
fn the_second_stage_is_for_the_same_machine() {
    let mut other = grub();
    other.machine = Some(pe::Machine::Ia32);
    let facts = image(vec![shim((16, 1)), other], Vec::new());
    for firmware in [Firmware::Uefi, Firmware::SecureBoot] {
        refused(
            &facts,
            firmware,
            &[],
            "which is not a program for x64: its machine is ia32",
        );
    }
}

/// Seen in boots of OVMF: with a list the fallback starts what it names, without one it resets the machine.
#[test]
fn shims_fallback_starts_what_a_list_names() {
    let with = |listed: &[&str]| {
        let fallback = LoaderFacts {
            listed: listed.iter().map(|path| (*path).to_owned()).collect(),
            ..program("/EFI/BOOT/fbx64.efi", &[])
        };
        let installed = LoaderFacts {
            path: "/EFI/acme/shimx64.efi".into(),
            ..shim((16, 1))
        };
        let second = program("/EFI/acme/grubx64.efi", &[]);
        image(vec![shim((16, 1)), fallback, installed, second], Vec::new())
    };
    let listed = with(&["/EFI/ACME/SHIMX64.EFI", "/EFI/other/x.efi"]);
    for firmware in [Firmware::Uefi, Firmware::SecureBoot] {
        let (boots, reason) = verdict(&listed, firmware, &[]);
        assert!(boots && reason.contains("starts /EFI/acme/grubx64.efi"), "{reason}");
        refused(&with(&[]), firmware, &[], "which resets the machine again and again");
        refused(&with(&["/EFI/acme/none.efi"]), firmware, &[], "and that is not there");
    }
}

/// An entry of a menu that starts a kernel.
fn started_by(menu: MenuLoader, title: &str, is_default: bool, program: LoaderFacts) -> MenuProgram {
    MenuProgram {
        menu,
        title: title.into(),
        is_default,
        program,
        is_kernel: true,
    }
}

/// GRUB and systemd-boot ask shim to verify a kernel, whatever the version of shim. GRUB does not start a kernel without a shim.
#[test]
fn other_loaders_ask_shim() {
    let kernel = |path: &str| started_by(MenuLoader::Grub, "Linux", true, program(path, &[]));
    let unsigned = LoaderFacts {
        signatures: Vec::new(),
        ..program("/boot/other", &[])
    };
    let facts = image(vec![shim((15, 8)), grub()], vec![kernel("/boot/vmlinuz")]);
    let (boots, reason) = verdict(&facts, Firmware::SecureBoot, &[]);
    assert!(boots && reason.contains("its menu starts /boot/vmlinuz"), "{reason}");
    let other = started_by(MenuLoader::Grub, "Linux", true, unsigned.clone());
    let facts = image(vec![shim((15, 8)), grub()], vec![other]);
    let says = "whose menu does not start /boot/other, which is not signed";
    refused(&facts, Firmware::SecureBoot, &[], says);
    // The menu of another loader does not count.
    let other = started_by(MenuLoader::SystemdBoot, "Linux", true, unsigned);
    let facts = image(vec![shim((15, 8)), grub()], vec![other]);
    assert!(verdict(&facts, Firmware::SecureBoot, &[]).0);
    // The machine's owner has signed loader and kernel.
    let alone = LoaderFacts {
        path: "/EFI/BOOT/BOOTX64.EFI".into(),
        ..grub()
    };
    let facts = image(vec![alone.clone()], vec![kernel("/boot/vmlinuz")]);
    refused(
        &facts,
        Firmware::SecureBootOwn,
        &[root()],
        "which GRUB has shim verify, and there is no shim",
    );
    let systemd = LoaderFacts {
        sbat: Some(generations(&[("sbat", 1), ("systemd", 1)])),
        ..alone
    };
    let entry = started_by(MenuLoader::SystemdBoot, "Linux", true, program("/boot/vmlinuz", &[]));
    let facts = image(vec![systemd.clone()], vec![entry.clone()]);
    assert!(verdict(&facts, Firmware::SecureBootOwn, &[root()]).0);
    // systemd's stub does not show a menu.
    let unified = LoaderFacts {
        unified: true,
        ..systemd
    };
    assert_eq!(unified.menu(), None);
}

/// The built-in loader behind shim, with a menu of a kernel that is signed under the shim's vendor alone and of something unsigned.
#[test]
fn a_menu_starts_what_shim_lets_it() {
    let mut own = grub();
    own.sbat = Some(generations(&[("sbat", 1), ("isobuild", 1)]));
    let entry = |title, is_default, program| started_by(MenuLoader::Builtin, title, is_default, program);
    let unsigned = || LoaderFacts {
        signatures: Vec::new(),
        ..program("/boot/memtest", &[])
    };
    let menu = |kernel_first| {
        vec![
            entry("Install", kernel_first, program("/boot/vmlinuz", &[])),
            entry("Memory test", !kernel_first, unsigned()),
        ]
    };
    let facts = image(vec![shim((16, 1)), own.clone()], menu(true));
    let (boots, reason) = verdict(&facts, Firmware::SecureBoot, &[]);
    assert!(boots, "{reason}");
    assert!(
        reason.contains("its menu starts /boot/vmlinuz, signed under the shim's own Test Root"),
        "{reason}"
    );
    assert!(
        reason.ends_with("Secure Boot does not start \"Memory test\" of the menu"),
        "{reason}"
    );
    let facts = image(vec![shim((16, 1)), own.clone()], menu(false));
    refused(
        &facts,
        Firmware::SecureBoot,
        &[],
        "whose menu does not start /boot/memtest, which is not signed",
    );
    // Before version 16 shim leaves kernels to the firmware.
    let facts = image(vec![shim((15, 8)), own], menu(true));
    refused(
        &facts,
        Firmware::SecureBoot,
        &[],
        "whose menu does not start /boot/vmlinuz, which is signed by Test Leaf",
    );
    assert!(verdict(&facts, Firmware::SecureBoot, &[root()]).0);
}
