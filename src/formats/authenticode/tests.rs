//! Signatures that sbsign and osslsigncode have made of `tests/program.efi` (`tests/make.sh`), as they are and changed.

use proptest::prelude::*;

use super::sign::KeyFault;
use super::*;
use crate::formats::pe;

const PROGRAM: &[u8] = include_bytes!("tests/program.efi");
const WITH_CHAIN: &[u8] = include_bytes!("tests/leaf-with-chain.p7");
const ALONE: &[u8] = include_bytes!("tests/leaf-alone.p7");
const CHILD: &[u8] = include_bytes!("tests/child.p7");
const ROOT: &[u8] = include_bytes!("tests/root.der");
const INTER: &[u8] = include_bytes!("tests/inter.der");
const LEAF: &[u8] = include_bytes!("tests/leaf.der");
/// Another key and the same name as `ROOT`.
const STRANGER: &[u8] = include_bytes!("tests/stranger.der");

fn certificate(der: &[u8]) -> Certificate {
    Certificate::from_der(der).unwrap()
}

fn verify_of(pkcs7: &[u8], program: &[u8]) -> Result<Signature, Fault> {
    let pe = pe::read(&program.to_vec()).unwrap();
    verify(pkcs7, &|hash| {
        let mut hasher = hash.hasher();
        pe.covered_bytes(&program.to_vec(), |bytes| hasher.update(bytes))
            .map_err(|fault| fault.to_string())?;
        Ok(hasher.finalize())
    })
}

/// Which of root, inter, leaf and stranger a signature leads to.
fn anchors(signature: &Signature) -> [bool; 4] {
    [ROOT, INTER, LEAF, STRANGER].map(|anchor| signature.leads_to(&certificate(anchor)))
}

#[test]
fn a_chain_ends_at_any_of_its_certificates() {
    let signature = verify_of(WITH_CHAIN, PROGRAM).unwrap();
    assert_eq!(signature.signers, [certificate(LEAF)]);
    assert_eq!(signature.signers[0].name(), "Test Leaf");
    assert_eq!(signature.signers[0].issuer_name(), "Test Intermediate");
    assert_eq!(anchors(&signature), [true, true, true, false]);
    // Without the one between nothing leads to the root.
    assert_eq!(anchors(&verify_of(ALONE, PROGRAM).unwrap()), [false, true, true, false]);
}

#[test]
fn every_hash_is_verified() {
    for pkcs7 in [
        &include_bytes!("tests/sha384.p7")[..],
        include_bytes!("tests/sha512.p7"),
    ] {
        assert_eq!(
            anchors(&verify_of(pkcs7, PROGRAM).unwrap()),
            [true, false, false, false]
        );
    }
}

/// RFC 5280 §4.2.1.9: `leaf` has signed the certificate, and may not.
#[test]
fn who_is_no_authority_issues_nothing() {
    let signature = verify_of(CHILD, PROGRAM).unwrap();
    assert_eq!(signature.signers[0].name(), "Test Child");
    assert_eq!(anchors(&signature), [false; 4]);
    // Seen in a boot of OVMF 2022.11 with `child` in db.
    assert!(!signature.leads_to(&signature.signers[0]));
}

#[test]
fn one_changed_byte_of_the_program_is_seen() {
    // The checksum and the entry of the certificate table are no part of it.
    let free = [0x98 + 64..0x98 + 68, 0x98 + 112 + 32..0x98 + 112 + 40];
    // What is read as headers has to stay; the stub's text and all behind the section table may be anything.
    for at in (2..0x3C).chain(free[0].clone()).chain(0x98 + 240 + 40..1024) {
        let mut program = PROGRAM.to_vec();
        program[at] ^= 1;
        let verified = verify_of(WITH_CHAIN, &program);
        match free.iter().any(|free| free.contains(&at)) {
            true => assert!(verified.is_ok(), "byte {at}"),
            false => assert_eq!(verified, Err(Fault::OtherBytes), "byte {at}"),
        }
    }
    let longer = [PROGRAM, b"x"].concat();
    assert_eq!(verify_of(WITH_CHAIN, &longer), Err(Fault::OtherBytes));
}

/// Each of the three digests that hold a signature together, found by its bytes.
#[test]
fn each_link_of_a_signature_counts() {
    use sha2::{Digest, Sha256};
    let place = |wanted: &[u8]| {
        let mut windows = WITH_CHAIN.windows(wanted.len());
        windows.position(|window| window == wanted).unwrap()
    };
    let with = |at: usize| {
        let mut pkcs7 = WITH_CHAIN.to_vec();
        pkcs7[at] ^= 1;
        verify_of(&pkcs7, PROGRAM)
    };
    let covered = [
        &PROGRAM[..0x98 + 64],
        &PROGRAM[0x98 + 68..0x98 + 144],
        &PROGRAM[0x98 + 152..],
    ];
    let digest = Sha256::digest(covered.concat());
    // In the content: the attributes are of another one then.
    assert_eq!(with(place(&digest)), Err(Fault::OtherContent));
    // RFC 2985 §5.3.2: behind the identifier a SET of an OCTET STRING of 32 bytes.
    let message_digest = place(b"\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x09\x04");
    assert_eq!(WITH_CHAIN[message_digest + 11..][..4], [0x31, 0x22, 0x04, 0x20]);
    assert_eq!(with(message_digest + 15), Err(Fault::OtherContent));
    // Any other attribute, here the signing time, is under the signer's key.
    let time = place(b"\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x09\x05");
    assert_eq!(with(time + 20), Err(Fault::NotMade("Test Leaf".into())));
    // The signature itself is the last field.
    assert_eq!(with(WITH_CHAIN.len() - 1), Err(Fault::NotMade("Test Leaf".into())));
}

#[test]
fn what_is_no_signature_says_why() {
    let malformed = |pkcs7: &[u8]| matches!(verify_of(pkcs7, PROGRAM), Err(Fault::Malformed(_)));
    // Microsoft's name as an attribute of a distinguished name, and nothing else.
    let name = b"Microsoft Corporation UEFI CA 2011";
    let planted = [b"\x06\x03\x55\x04\x03\x0C".as_slice(), &[name.len() as u8], name].concat();
    assert!(malformed(&planted));
    assert!(malformed(b""));
    assert!(malformed(ROOT));
    for length in 0..WITH_CHAIN.len() {
        assert!(malformed(&WITH_CHAIN[..length]), "{length} bytes");
    }
    // A SignedData of data (RFC 2315 §14) in place of a program's.
    let mut data = WITH_CHAIN.to_vec();
    let indirect = b"\x06\x0A\x2B\x06\x01\x04\x01\x82\x37\x02\x01\x04";
    let at = data.windows(12).position(|window| window == indirect).unwrap();
    data[at + 11] = 5;
    assert_eq!(
        verify_of(&data, PROGRAM),
        Err(Fault::Content("1.3.6.1.4.1.311.2.1.5".into()))
    );
    let padded = [WITH_CHAIN, &[0; 7]].concat();
    assert!(verify_of(&padded, PROGRAM).is_ok(), "padding of the certificate table");
}

#[test]
fn certificates_are_read_from_der_and_pem_alone() {
    let root = certificate(ROOT);
    assert_eq!(Certificate::from_file(include_bytes!("tests/root.pem")).unwrap(), root);
    assert_eq!(Certificate::from_file(ROOT).unwrap(), root);
    assert!(!root.is_for_modules());
    assert!(certificate(include_bytes!("tests/modules.der")).is_for_modules());
    let key = Certificate::from_file(b"-----BEGIN PRIVATE KEY-----\n").unwrap_err();
    assert!(key.to_string().ends_with("it is PEM of something else"), "{key}");
    for bytes in [
        b"".as_slice(),
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        &ROOT[..ROOT.len() - 1],
    ] {
        let fault = Certificate::from_file(bytes).unwrap_err();
        assert!(
            fault.to_string().starts_with("this is not an X.509 certificate"),
            "{fault}"
        );
    }
}

const KEY: &[u8] = include_bytes!("tests/root.key");

#[test]
fn what_is_signed_is_verified_and_the_same_each_time() {
    use sha2::{Digest, Sha256};
    let key = SigningKey::new(KEY, certificate(ROOT)).unwrap();
    let covered = [
        &PROGRAM[..0x98 + 64],
        &PROGRAM[0x98 + 68..0x98 + 144],
        &PROGRAM[0x98 + 152..],
    ];
    let digest: [u8; 32] = Sha256::digest(covered.concat()).into();
    let signature = key.sign(&digest).unwrap();
    assert_eq!(
        anchors(&verify_of(&signature, PROGRAM).unwrap()),
        [true, false, false, false]
    );
    assert_eq!(key.sign(&digest).unwrap(), signature);
    assert_eq!(format!("{key:?}"), "SigningKey(Test Root)", "a key is in no log");
}

#[test]
fn keys_of_another_kind_are_refused() {
    let fault = |key: &[u8], der: &[u8]| SigningKey::new(key, certificate(der)).unwrap_err();
    assert_eq!(fault(KEY, STRANGER), KeyFault::OfAnother);
    assert_eq!(fault(b"", ROOT), KeyFault::Malformed);
    assert_eq!(fault(ROOT, ROOT), KeyFault::Malformed);
    assert_eq!(
        fault(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", ROOT),
        KeyFault::Encrypted
    );
    let pem = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n";
    assert_eq!(fault(pem, ROOT), KeyFault::Encrypted);
}

proptest! {
    /// Whoever changes something else in the signer's certificate, such as its name, has nobody's word for it any more.
    #[test]
    fn no_change_makes_another_signer(at in 0..WITH_CHAIN.len(), byte: u8) {
        let mut pkcs7 = WITH_CHAIN.to_vec();
        pkcs7[at] = byte;
        if let Ok(signature) = verify_of(&pkcs7, PROGRAM) {
            let is_same = signature.signers == [certificate(LEAF)];
            prop_assert!(is_same || anchors(&signature) == [false; 4]);
            prop_assert!(!signature.leads_to(&certificate(STRANGER)));
        }
    }

    #[test]
    fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(verify_of(&bytes, PROGRAM).is_err());
        let _ = Certificate::from_file(&bytes);
    }
}
