//! `isobuild sign`, judged by sbverify and osslsigncode; what OVMF makes of it is in `secure_boot_matrix`.

use qemu_tests::secure::Key;
use qemu_tests::verbs::Bench;
use qemu_tests::{forge, pins, suite};
use std::fs;

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::program_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    (
        "signatures that others verify",
        &["openssl", "sbverify", "osslsigncode"],
        verified,
    ),
    ("keys and programs that cannot sign or be signed", &["openssl"], refused),
];

/// A key of 3072 bits and the loader, in a directory.
fn bench() -> Bench {
    let bench = Bench::new("");
    Key::new(bench.directory.path(), "own", ("rsa:3072", "own", &[]), None).unwrap();
    bench.ends("loader -C .", 0);
    bench
}

const BY: &str = "--key own.key --cert own.pem";

fn verified() {
    let bench = bench();
    let shim = pins::load("debian-installer")
        .unwrap()
        .file("shimx64.efi.signed")
        .unwrap();
    fs::copy(shim, bench.path("shim.efi")).unwrap();
    for (program, before) in [
        ("BOOTX64.EFI", 0),
        ("BOOTIA32.EFI", 0),
        ("BOOTAA64.EFI", 0),
        ("shim.efi", 2),
    ] {
        for output in ["once.efi", "again.efi"] {
            bench.ends(&format!("sign {program} {output} {BY}"), 0);
        }
        let signed = fs::read(bench.path("once.efi")).unwrap();
        assert_eq!(signed, fs::read(bench.path("again.efi")).unwrap(), "{program}");
        let (is_good, said) = bench.program("sbverify --cert own.pem once.efi");
        assert!(is_good, "{program}: {said}");
        // osslsigncode does not read a table with more than one signature, as shim has it.
        if before == 0 {
            let (_, said) = bench.program("osslsigncode verify -CAfile own.pem -in once.efi");
            assert!(said.contains("Signature verification: ok"), "{program}: {said}");
            assert!(!said.contains("MISMATCH"), "{program}: {said}");
        }
        // PE32 has its directories 16 bytes earlier.
        if program != "BOOTIA32.EFI" {
            assert_eq!(forge::signatures(&signed).len(), before + 1, "{program}");
        }
    }
    // Over the file itself; nothing else is left in the directory.
    bench.ends(&format!("sign BOOTX64.EFI BOOTX64.EFI {BY}"), 0);
    bench.ends(&format!("sign BOOTX64.EFI once.efi {BY}"), 0);
    let (is_good, said) = bench.program("sbverify --cert own.pem once.efi");
    assert!(is_good, "{said}");
    assert_eq!(forge::signatures(&fs::read(bench.path("once.efi")).unwrap()).len(), 2);
}

fn refused() {
    let bench = bench();
    Key::new(bench.directory.path(), "other", ("rsa:2048", "other", &[]), None).unwrap();
    Key::new(bench.directory.path(), "small", ("rsa:1024", "small", &[]), None).unwrap();
    Key::new(
        bench.directory.path(),
        "curve",
        ("ec -pkeyopt ec_paramgen_curve:P-256", "curve", &[]),
        None,
    )
    .unwrap();
    let (is_made, said) = bench.program("openssl pkey -in own.key -aes256 -passout pass:x -out locked.key");
    assert!(is_made, "{said}");
    fs::write(bench.path("text"), "not a program").unwrap();
    for (input, key, certificate, words) in [
        (
            "BOOTX64.EFI",
            "other.key",
            "own.pem",
            "other.key: the key is not the one of the certificate",
        ),
        (
            "BOOTX64.EFI",
            "small.key",
            "small.pem",
            "small.key: the key has less than 2048 bits",
        ),
        (
            "BOOTX64.EFI",
            "curve.key",
            "curve.pem",
            "curve.key: this is not an RSA key",
        ),
        (
            "BOOTX64.EFI",
            "locked.key",
            "own.pem",
            "locked.key: the key is encrypted",
        ),
        ("BOOTX64.EFI", "own.pem", "own.pem", "own.pem: this is not an RSA key"),
        (
            "BOOTX64.EFI",
            "own.key",
            "own.key",
            "own.key: this is not an X.509 certificate",
        ),
        ("BOOTX64.EFI", "missing", "own.pem", "missing: No such file"),
        ("text", "own.key", "own.pem", "text: is not an EFI program"),
    ] {
        let said = bench.ends(&format!("sign {input} out.efi --key {key} --cert {certificate}"), 1);
        assert!(said.error.contains(words), "{words}: {}", said.error);
        assert!(!bench.path("out.efi").exists(), "{words}");
    }
}
