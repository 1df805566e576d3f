//! Signatures of programs (Windows Authenticode Portable Executable Signature Format): PKCS #7 (RFC 2315) with X.509 certificates
//! (RFC 5280), verified as firmware does it.
//!
//! The rule is EDK2's (`AuthenticodeVerify` on OpenSSL 1.1.1): a chain ends at an anchor, whether that is a root or not; time does
//! not count; the first embedded certificate that can be an issuer by its name is taken for one. A signature that is malformed, or of
//! an algorithm that is not read here, is not good, and its [`Fault`] says why.
//!
//! RSA with SHA-256, SHA-384 and SHA-512; [`SigningKey`] signs with SHA-256. EDK2 and shim are built without elliptic curves.

mod certificate;
mod chain;
mod der;
mod sign;
mod signed_data;

use x509_cert::der::asn1::ObjectIdentifier;

pub use certificate::Certificate;
pub use sign::SigningKey;
pub use signed_data::{Fault, Signature, verify};

/// A hash algorithm of signatures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hash {
    /// FIPS 180-4, 32 bytes.
    Sha256,
    /// FIPS 180-4, 48 bytes.
    Sha384,
    /// FIPS 180-4, 64 bytes.
    Sha512,
}

impl Hash {
    /// A hasher for this algorithm, which takes bytes in pieces.
    pub fn hasher(self) -> Box<dyn sha2::digest::DynDigest> {
        match self {
            Self::Sha256 => Box::new(sha2::Sha256::default()),
            Self::Sha384 => Box::new(sha2::Sha384::default()),
            Self::Sha512 => Box::new(sha2::Sha512::default()),
        }
    }

    /// The digest of all parts, one after the other.
    fn of(self, parts: &[&[u8]]) -> Box<[u8]> {
        let mut hasher = self.hasher();
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finalize()
    }

    /// RFC 5754 §2: the hash that an identifier of a digest algorithm names.
    fn of_digest(algorithm: ObjectIdentifier) -> Option<Self> {
        match algorithm.to_string().as_str() {
            "2.16.840.1.101.3.4.2.1" => Some(Self::Sha256),
            "2.16.840.1.101.3.4.2.2" => Some(Self::Sha384),
            "2.16.840.1.101.3.4.2.3" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// RFC 5754 §3.2: the hash that an identifier of an RSA signature (PKCS #1 v1.5) names.
    fn of_rsa_signature(algorithm: ObjectIdentifier) -> Option<Self> {
        match algorithm.to_string().as_str() {
            "1.2.840.113549.1.1.11" => Some(Self::Sha256),
            "1.2.840.113549.1.1.12" => Some(Self::Sha384),
            "1.2.840.113549.1.1.13" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// RFC 8017 §8.2.2: whether `key` has made `signature` of `digest`.
    fn is_signed(self, key: &rsa::PublicKey, digest: &[u8], signature: &[u8]) -> bool {
        let scheme = match self {
            Self::Sha256 => rsa::Pkcs1v15Sign::new::<sha2::Sha256>(),
            Self::Sha384 => rsa::Pkcs1v15Sign::new::<sha2::Sha384>(),
            Self::Sha512 => rsa::Pkcs1v15Sign::new::<sha2::Sha512>(),
        };
        key.verify(scheme, digest, signature).is_ok()
    }
}

#[cfg(test)]
mod tests;
