//! Any bytes as an EFI program with signatures and shim's sections; such as are no program as a signature alone and as a certificate. What a
//! signature covers is never more than there is.

#![no_main]

use isobuild::inside::facts::secure_boot::{self, Authority, Shim};
use isobuild::inside::formats::authenticode::{self, Certificate, Hash, Signature};
use isobuild::inside::formats::pe::{self, AttributeCertificate, Pe};
use isobuild::inside::ground::read_at::ReadAt;
use libfuzzer_sys::fuzz_target;

/// The digest of a program, of no more than its bytes.
fn digest(pe: &Pe, file: &dyn ReadAt, hash: Hash) -> Result<Box<[u8]>, String> {
    let mut hasher = hash.hasher();
    let mut covered = 0;
    let result = pe.covered_bytes(file, |bytes| {
        covered += bytes.len();
        hasher.update(bytes);
    });
    assert!(covered as u64 <= file.size());
    result.map_err(|fault| fault.to_string())?;
    Ok(hasher.finalize())
}

/// No input has a signature of Microsoft's: the corpus has none, and nobody else can make one.
fn is_nobodys(signature: &Signature) {
    assert!(!signature.signers.is_empty());
    for authority in Authority::ALL {
        let certificate = authority.certificate().expect("a test reads all of them");
        assert!(!signature.leads_to(certificate));
    }
}

fuzz_target!(|input: &[u8]| {
    let file = input.to_vec();
    let Some(pe) = pe::read(&file) else {
        if let Ok(signature) = authenticode::verify(input, &|hash| Ok(hash.hasher().finalize())) {
            is_nobodys(&signature);
        }
        if let Ok(certificate) = Certificate::from_file(input) {
            assert!(!certificate.der().is_empty());
        }
        return;
    };
    for entry in pe.certificate_table(&file).entries {
        if let AttributeCertificate::Pkcs7(pkcs7) = entry
            && let Ok(signature) = authenticode::verify(&pkcs7, &|hash| digest(&pe, &file, hash))
        {
            is_nobodys(&signature);
        }
    }
    let _ = secure_boot::generations(&pe, &file);
    let _ = Shim::read(&pe, &file);
});
