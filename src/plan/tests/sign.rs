//! `[boot.sign]`: the built-in loader with a signature.

use std::os::unix::fs::PermissionsExt;

use super::{Host, host};
use crate::facts::Description;

const CERTIFICATE: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/formats/authenticode/tests/root.der"
));
const MENU: &str = "[[menu]]\naction = \"machine\"\n";
const SIGN: &str = "[boot.sign]\nkey = \"secret/own.key\"\ncert = \"own.pem\"\n";

fn with_key() -> Host {
    let host = host();
    host.put(
        "secret/own.key",
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/formats/authenticode/tests/root.key"
        )),
    );
    host.put("own.pem", CERTIFICATE);
    host
}

/// The programs in the first ESP, and who has signed them.
fn loaders(described: &Description) -> Vec<(&str, Option<&str>)> {
    let loaders = described.facts.esp[0].loaders.iter();
    loaders
        .map(|loader| {
            let signature = loader.signatures.first();
            (loader.path.as_str(), signature.and_then(|one| one.signer.as_deref()))
        })
        .collect()
}

fn verdict(described: &Description, cell: &str) -> bool {
    let verdict = described.cells.iter().find(|verdict| verdict.cell.to_string() == cell);
    verdict.is_some_and(|verdict| verdict.boots)
}

#[test]
fn every_loader_is_signed_and_the_owner_starts_it() {
    let host = with_key();
    let manifest = format!("{SIGN}{MENU}");
    let (described, image) = host.build(&manifest);
    let signed = [
        "/EFI/BOOT/BOOTAA64.EFI",
        "/EFI/BOOT/BOOTIA32.EFI",
        "/EFI/BOOT/BOOTX64.EFI",
    ];
    assert_eq!(loaders(&described), signed.map(|path| (path, Some("Test Root"))));
    assert_eq!(host.build(&manifest).1, image, "the same bytes each time");
    // The key, and where it is, are in nothing that is made.
    let resolved = host.resolve(&manifest).unwrap();
    let plan = crate::plan::plan(resolved.contents)
        .unwrap()
        .describe(&crate::plan::Late::default())
        .unwrap();
    let json = serde_json::to_string(&plan).unwrap();
    assert!(!json.contains("secret") && !json.contains("own.key"), "{json}");
    assert!(verdict(&plan, "secure-boot-own-usb"));
    assert!(!verdict(&plan, "secure-boot-usb"));
    // The image alone does not say whom its owner trusts.
    let seen = crate::look::inspect::inspect(&image).unwrap();
    assert!(!verdict(&seen, "secure-boot-own-usb"));
}

#[test]
fn behind_a_shim_the_loader_is_what_the_shim_starts() {
    let host = with_key();
    let vendor = [&0_u32.to_le_bytes()[..], &[0; 12]].concat();
    let shim = crate::formats::pe::tests::program_of(&[(".vendor_cert", &vendor)]);
    host.put("shim", &shim);
    host.put("grub", &crate::formats::pe::tests::program_of(&[(".text", b"grub")]));
    let files = "[boot.uefi.files]\n\"/EFI/BOOT/bootx64.efi\" = \"shim\"\n";
    let (described, _) = host.build(&format!("{SIGN}{files}{MENU}"));
    let paths: Vec<_> = loaders(&described);
    assert!(paths.contains(&("/EFI/BOOT/bootx64.efi", None)), "{paths:?}");
    assert!(
        paths.contains(&("/EFI/BOOT/grubx64.efi", Some("Test Root"))),
        "{paths:?}"
    );
    // What the manifest puts there stays.
    let both = format!("{files}\"/EFI/BOOT/GRUBX64.EFI\" = \"grub\"\n{MENU}");
    let (described, _) = host.build(&both);
    assert!(loaders(&described).contains(&("/EFI/BOOT/GRUBX64.EFI", None)));
    assert!(
        !loaders(&described)
            .iter()
            .any(|(path, _)| *path == "/EFI/BOOT/grubx64.efi")
    );
}

#[test]
fn a_unified_kernel_image_is_signed_too() {
    let host = with_key();
    host.put("vmlinuz", &super::loader::kernel(1));
    host.put("stub", crate::resolve::loader::builtin::EFI_X64);
    let uki = "[boot.uefi.uki]\nstub = \"stub\"\nkernel = \"vmlinuz\"\n";
    let (described, _) = host.build(&format!("{SIGN}{uki}"));
    assert_eq!(loaders(&described), [("/EFI/BOOT/BOOTX64.EFI", Some("Test Root"))]);
    assert!(verdict(&described, "secure-boot-own-usb"));
    let (described, _) = host.build(uki);
    assert_eq!(loaders(&described), [("/EFI/BOOT/BOOTX64.EFI", None)]);
    assert!(!verdict(&described, "secure-boot-own-usb"));
}

/// A script beside the manifest.
fn script(host: &Host, text: &str) {
    host.put("sign.sh", format!("#!/bin/sh\n{text}\n").as_bytes());
    std::fs::set_permissions(host.at("sign.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

const COMMAND: &str = "[boot.sign]\ncommand = [\"./sign.sh\", \"{in}\", \"--to={out}\"]\n";

#[test]
fn a_command_signs_in_the_manifests_directory() {
    let host = with_key();
    // What the key would make of it.
    let manifest = format!("{SIGN}{MENU}");
    let (_, by_key) = host.build(&manifest);
    let key = crate::formats::authenticode::SigningKey::new(
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/formats/authenticode/tests/root.key"
        )),
        crate::formats::authenticode::Certificate::from_der(CERTIFICATE).unwrap(),
    )
    .unwrap();
    for (_, name, program) in crate::resolve::loader::builtin::EFI {
        let signed = crate::facts::secure_boot::sign(program.to_vec(), &key).unwrap();
        host.put(&format!("{name}.plain"), program);
        host.put(&format!("{name}.signed"), &signed);
    }
    script(
        &host,
        "for plain in *.plain; do cmp -s $1 $plain && cp ${plain%.plain}.signed ${2#--to=}; done; true",
    );
    let (described, by_command) = host.build(&format!("{COMMAND}cert = \"own.pem\"\n{MENU}"));
    assert_eq!(loaders(&described).len(), 3);
    assert!(
        loaders(&described)
            .iter()
            .all(|(_, signer)| *signer == Some("Test Root"))
    );
    assert_eq!(by_command, by_key);
    let stranger = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/formats/authenticode/tests/stranger.der"
    ));
    host.put("other.pem", stranger);
    let error = host.error(&format!("{COMMAND}cert = \"other.pem\"\n{MENU}"));
    assert!(error.contains("has not signed under Test Root (`cert`)"), "{error}");
}

#[test]
fn a_command_that_does_something_else_is_an_error() {
    let host = with_key();
    for (text, words) in [
        ("exit 3", "\"./sign.sh\" has ended with exit status: 3"),
        (
            "echo one >&2; echo no token >&2; exit 1",
            "has ended with exit status: 1: no token",
        ),
        ("true", "has not made \"{out}\""),
        ("cp \"$1\" \"${2#--to=}\"", "has not signed it"),
        (
            "echo x > \"${2#--to=}\"",
            "has made something else than the program with a signature",
        ),
        (
            "head -c 2000 \"$1\" > \"${2#--to=}\"",
            "has made something else than the program with a signature",
        ),
    ] {
        script(&host, text);
        let error = host.error(&format!("{COMMAND}{MENU}"));
        assert!(error.contains(words), "{text}: {error}");
    }
    let error = host.error(&format!(
        "[boot.sign]\ncommand = [\"no-such-program\", \"{{in}}\", \"{{out}}\"]\n{MENU}"
    ));
    assert!(error.contains("\"no-such-program\" cannot be run"), "{error}");
}

#[test]
fn what_cannot_sign_is_underlined() {
    let host = with_key();
    host.put(
        "stranger.pem",
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/formats/authenticode/tests/stranger.der"
        )),
    );
    for (sign, words) in [
        (
            "key = \"secret/own.key\"",
            "`sign` needs the certificate of the key (`cert`)",
        ),
        (
            "cert = \"own.pem\"",
            "`sign` needs a `key` and its `cert`, or a `command`",
        ),
        ("key = \"\"\ncert = \"own.pem\"", "host path"),
        (
            "key = \"none\"\ncert = \"own.pem\"",
            "cannot use \"none\": No such file",
        ),
        (
            "key = \"secret\"\ncert = \"own.pem\"",
            "cannot use \"secret\": is not a file",
        ),
        ("key = \"own.pem\"\ncert = \"own.pem\"", "this is not an RSA key"),
        (
            "key = \"secret/own.key\"\ncert = \"secret/own.key\"",
            "this is not an X.509 certificate",
        ),
        (
            "key = \"secret/own.key\"\ncert = \"stranger.pem\"",
            "the key is not the one of the certificate",
        ),
        ("command = [\"x\", \"{in}\"]", "the command needs \"{out}\""),
        ("command = [\"{in}{out}\"]", "the command needs \"{in}\""),
        ("command = []", "the command needs \"{in}\""),
        (
            "key = \"secret/own.key\"\ncert = \"own.pem\"\ncommand = [\"x\", \"{in}\", \"{out}\"]",
            "has a `key` already",
        ),
    ] {
        let error = host.error(&format!("[boot.sign]\n{sign}\n{MENU}"));
        assert!(error.contains(words), "{sign}: {error}");
    }
    let error = host.error(&format!("{SIGN}[[files]]\ntext = \"x\"\nto = \"/x\"\n"));
    assert!(error.contains("is there with a [[menu]]"), "{error}");
}
