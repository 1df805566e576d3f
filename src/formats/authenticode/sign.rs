//! Signing a program: PKCS #7 with Authenticode's content, by RSA (PKCS #1 v1.5) with SHA-256.
//!
//! There is no signing time in it, so that the same program, key and certificate give the same bytes. The crate `rsa` was open to the
//! Marvin attack before 0.10 (RUSTSEC-2023-0071): whoever could time many answers of a service that decrypts or signs learned its key. Here
//! nobody waits for the answer but the key's owner, the exponentiation takes the same time whatever the key is since 0.10, and it is blinded.

use std::fmt;

use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs1v15;
use rsa::pkcs8::DecodePrivateKey;
use rsa::signature::{SignatureEncoding, Signer};
use rsa::traits::PublicKeyParts;
use sha2::Sha256;
use x509_cert::der::asn1::{Any, ObjectIdentifier};
use x509_cert::der::{self, Encode, Tag, TagNumber};

use super::signed_data::{INDIRECT_DATA, MESSAGE_DIGEST, SIGNED_DATA};
use super::{Certificate, Hash};

/// RFC 5754 §2.2.
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
/// RFC 8017, appendix C.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// RFC 2985 §5.3.1.
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
/// Authenticode, SPC_PE_IMAGE_DATAOBJ.
const PE_IMAGE_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.15");
/// The smallest key, in bits, that firmware which follows NIST SP 800-131A takes.
const SMALLEST_KEY: u32 = 2048;

/// A key and its certificate.
pub struct SigningKey {
    key: pkcs1v15::SigningKey<Sha256>,
    certificate: Certificate,
}

/// Shows the name and not the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SigningKey({})", self.certificate.name())
    }
}

/// Why somebody cannot sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyFault {
    /// The key is under a passphrase.
    Encrypted,
    /// The bytes are not an RSA key in PKCS #8 or PKCS #1.
    Malformed,
    /// The certificate is of another key.
    OfAnother,
    /// The key has too few bits, or too many.
    Size,
}

impl fmt::Display for KeyFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Encrypted => "the key is encrypted; `openssl pkey` decrypts it, and a `command` can sign with it",
            Self::Malformed => "this is not an RSA key in PEM or DER (PKCS #8 or PKCS #1)",
            Self::OfAnother => "the key is not the one of the certificate",
            Self::Size => "the key has less than 2048 bits or more than 4096",
        })
    }
}

impl SigningKey {
    /// Reads a key, in PEM or DER, that belongs to the certificate.
    pub fn new(key: &[u8], certificate: Certificate) -> Result<Self, KeyFault> {
        let text = str::from_utf8(key).ok().map(str::trim_start);
        let key = match text {
            Some(text) if text.contains("ENCRYPTED") => return Err(KeyFault::Encrypted),
            Some(text) if text.starts_with("-----BEGIN RSA") => rsa::PrivateKey::from_pkcs1_pem(text).ok(),
            Some(text) => rsa::PrivateKey::from_pkcs8_pem(text).ok(),
            None => {
                let of_pkcs1 = || rsa::PrivateKey::from_pkcs1_der(key).ok();
                rsa::PrivateKey::from_pkcs8_der(key).ok().or_else(of_pkcs1)
            }
        };
        let key = key.ok_or(KeyFault::Malformed)?;
        let bits = key.n().bit_width();
        if bits < SMALLEST_KEY || certificate.key().is_none() {
            return Err(KeyFault::Size);
        }
        match certificate.key() == Some(key.as_public_key()) {
            true => Ok(Self {
                key: pkcs1v15::SigningKey::new(key),
                certificate,
            }),
            false => Err(KeyFault::OfAnother),
        }
    }

    /// The signature, in DER, of a program with this SHA-256 hash.
    ///
    /// # Errors
    /// The structure is longer than DER can say, or the system gives no random numbers for the blinding.
    pub fn sign(&self, digest: &[u8; 32]) -> Result<Vec<u8>, String> {
        self.signed_data(digest).map_err(|error| error.to_string())
    }

    fn signed_data(&self, digest: &[u8; 32]) -> Result<Vec<u8>, SignFault> {
        let sha256 = sequence(&[oid(SHA256)?, null()?])?;
        // SpcIndirectDataContent: that it is a PE image, and the digest.
        let content = [
            sequence(&[oid(PE_IMAGE_DATA)?, image_data()?])?,
            sequence(&[sha256.clone(), element(Tag::OctetString, &[digest])?])?,
        ]
        .concat();
        let attribute = |kind, value: Vec<u8>| sequence(&[oid(kind)?, element(Tag::Set, &[&value])?]);
        let digest = Hash::Sha256.of(&[&content]);
        let mut attributes = [
            attribute(CONTENT_TYPE, oid(INDIRECT_DATA)?)?,
            attribute(MESSAGE_DIGEST, element(Tag::OctetString, &[&digest])?)?,
        ];
        // X.690 §11.6: the elements of a SET OF are in the order of their encodings.
        attributes.sort();
        let attributes = attributes.concat();
        let signature = self.key.try_sign(&element(Tag::Set, &[&attributes])?);
        let signature = signature.map_err(|error| SignFault(error.to_string()))?.to_vec();

        let version = element(Tag::Integer, &[&[1]])?;
        let certificate = &self.certificate;
        let signer = sequence(&[
            version.clone(),
            sequence(&[certificate.issuer_der()?, certificate.serial_der()?])?,
            sha256.clone(),
            element(context(0), &[&attributes])?,
            sequence(&[oid(RSA)?, null()?])?,
            element(Tag::OctetString, &[&signature])?,
        ])?;
        let content = element(Tag::Sequence, &[&content])?;
        let signed_data = sequence(&[
            version,
            element(Tag::Set, &[&sha256])?,
            sequence(&[oid(INDIRECT_DATA)?, element(context(0), &[&content])?])?,
            element(context(0), &[certificate.der()])?,
            element(Tag::Set, &[&signer])?,
        ])?;
        sequence(&[oid(SIGNED_DATA)?, element(context(0), &[&signed_data])?])
    }
}

/// SpcPeImageData: no flags, and the file name that Microsoft's tools write there. Nobody reads it.
fn image_data() -> Result<Vec<u8>, SignFault> {
    let obsolete: Vec<u8> = "<<<Obsolete>>>".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let primitive = |number, bytes: &[u8]| {
        let constructed = false;
        element(
            Tag::ContextSpecific {
                constructed,
                number: TagNumber(number),
            },
            &[bytes],
        )
    };
    let link = element(context(2), &[&primitive(0, &obsolete)?])?;
    sequence(&[element(Tag::BitString, &[&[0]])?, element(context(0), &[&link])?])
}

struct SignFault(String);

impl fmt::Display for SignFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<der::Error> for SignFault {
    fn from(error: der::Error) -> Self {
        Self(error.to_string())
    }
}

fn element(tag: Tag, parts: &[&[u8]]) -> Result<Vec<u8>, SignFault> {
    Ok(Any::new(tag, parts.concat())?.to_der()?)
}

fn sequence(parts: &[Vec<u8>]) -> Result<Vec<u8>, SignFault> {
    element(Tag::Sequence, &[&parts.concat()])
}

fn oid(identifier: ObjectIdentifier) -> Result<Vec<u8>, SignFault> {
    Ok(identifier.to_der()?)
}

fn null() -> Result<Vec<u8>, SignFault> {
    Ok(der::asn1::Null.to_der()?)
}

/// `[number]`, constructed.
fn context(number: u32) -> Tag {
    Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(number),
    }
}
