//! PKCS #7 SignedData (RFC 2315 §9) with Authenticode's SpcIndirectDataContent in it.

use std::fmt;

use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Error, Tag};

use super::der::{Element, nth};
use super::{Certificate, Hash, chain};

/// RFC 2315 §14.
pub(super) const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// Authenticode, SPC_INDIRECT_DATA_OBJID.
pub(super) const INDIRECT_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.4");
/// RFC 2985 §5.3.2.
pub(super) const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
/// How many certificates a signature may carry here. Real ones have up to six.
const MAX_CERTIFICATES: usize = 16;
/// How many signers one may have here. Authenticode has one.
const MAX_SIGNERS: usize = 4;

/// A good signature: each of its signers has signed the program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    /// Whose keys have signed it; at least one.
    pub signers: Vec<Certificate>,
    /// All certificates in it.
    pub certificates: Vec<Certificate>,
}

impl Signature {
    /// Whether firmware that trusts `anchor` alone takes it.
    pub fn leads_to(&self, anchor: &Certificate) -> bool {
        let leads = |signer| chain::leads(signer, &self.certificates, anchor);
        self.signers.iter().all(leads)
    }
}

/// Why a signature is not good, in words that follow the program's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The bytes are something else, or broken.
    Malformed(String),
    /// It signs something that is not a program.
    Content(String),
    /// It has an algorithm that is not read here, by its object identifier.
    Algorithm(String),
    /// It carries too much.
    TooMany(&'static str, usize),
    /// It is of a program with another hash.
    OtherBytes,
    /// Its attributes are of another content than it has.
    OtherContent,
    /// It does not carry its signer's certificate.
    NoCertificate,
    /// The signer's key, by the certificate's name, has not made it.
    NotMade(String),
    /// The program cannot be hashed.
    NoHash(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(out, "has a signature that is not PKCS #7 as Authenticode has it: {why}"),
            Self::Content(kind) => write!(out, "has a signature of content of the type {kind}, not of a program"),
            Self::Algorithm(oid) => match oid.as_str() {
                "1.3.14.3.2.26" | "1.2.840.113549.1.1.5" => {
                    out.write_str("has a signature with SHA-1, which is not taken any more")
                }
                oid => write!(
                    out,
                    "has a signature with the algorithm {oid}, which is not one of RSA with SHA-256, SHA-384 or SHA-512"
                ),
            },
            Self::TooMany(what, most) => write!(out, "has a signature with more than {most} {what}, which is not read"),
            Self::OtherBytes => out.write_str("carries a signature of other bytes: it was changed after it was signed"),
            Self::OtherContent => out.write_str(
                "has a signature that contradicts itself: the digest in its attributes is of something else",
            ),
            Self::NoCertificate => out.write_str("has a signature without the certificate of whoever made it"),
            Self::NotMade(name) => write!(out, "names {name}, which has not signed it"),
            Self::NoHash(why) => write!(out, "has a signature that covers nothing: {why}"),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// Verifies a signature in DER of a program. What is behind it, as the padding of the certificate table, does not count. `program` gives
/// the program's digest by an algorithm.
pub fn verify(pkcs7: &[u8], program: &dyn Fn(Hash) -> Result<Box<[u8]>, String>) -> Result<Signature, Fault> {
    let content_info = Element::first(pkcs7)?.elements()?;
    let kind = nth(&content_info, 0)?.object_identifier()?;
    if kind != SIGNED_DATA {
        return Err(Fault::Content(kind.to_string()));
    }
    // version, digestAlgorithms, contentInfo, then [0] certificates, [1] crls, both optional, and signerInfos.
    let fields = Element::first(nth(&content_info, 1)?.content())?.elements()?;
    let content = indirect_data(nth(&fields, 2)?)?;
    let certificates = certificates(&fields)?;
    let signer_infos = fields.get(3..).and_then(<[Element<'_>]>::last);
    let signer_infos = signer_infos.filter(|last| last.is(Tag::Set));
    let signer_infos = signer_infos.map_or(Ok(Vec::new()), Element::elements)?;
    if signer_infos.is_empty() {
        return Err(Fault::Malformed("it has no signer".into()));
    }
    if signer_infos.len() > MAX_SIGNERS {
        return Err(Fault::TooMany("signers", MAX_SIGNERS));
    }
    let signers = signer_infos
        .iter()
        .map(|info| signer(info, content.content(), &certificates))
        .collect::<Result<Vec<_>, _>>()?;
    // This comes last because it reads the whole program.
    is_of_program(&content, program)?;
    Ok(Signature { signers, certificates })
}

/// The SpcIndirectDataContent in a ContentInfo.
fn indirect_data<'a>(content_info: &Element<'a>) -> Result<Element<'a>, Fault> {
    let content_info = content_info.elements()?;
    let kind = nth(&content_info, 0)?.object_identifier()?;
    if kind != INDIRECT_DATA {
        return Err(Fault::Content(kind.to_string()));
    }
    Ok(Element::first(nth(&content_info, 1)?.content())?)
}

/// SpcIndirectDataContent: data, and messageDigest, which is an algorithm and the digest of the program.
fn is_of_program(content: &Element<'_>, program: &dyn Fn(Hash) -> Result<Box<[u8]>, String>) -> Result<(), Fault> {
    let digest_info = nth(&content.elements()?, 1)?.elements()?;
    let hash = digest_algorithm(nth(&digest_info, 0)?)?;
    let digest = nth(&digest_info, 1)?.content_of(Tag::OctetString)?;
    match *program(hash).map_err(Fault::NoHash)? == *digest {
        true => Ok(()),
        false => Err(Fault::OtherBytes),
    }
}

fn certificates(fields: &[Element<'_>]) -> Result<Vec<Certificate>, Fault> {
    let Some(set) = fields.get(3).filter(|field| field.is_context(0)) else {
        return Ok(Vec::new());
    };
    let elements = set.elements()?;
    if elements.len() > MAX_CERTIFICATES {
        return Err(Fault::TooMany("certificates", MAX_CERTIFICATES));
    }
    let read = |element: &Element<'_>| {
        Certificate::from_der(element.whole).map_err(|fault| Fault::Malformed(fault.to_string()))
    };
    elements.iter().map(read).collect()
}

fn digest_algorithm(element: &Element<'_>) -> Result<Hash, Fault> {
    let algorithm = element.algorithm()?;
    Hash::of_digest(algorithm).ok_or_else(|| Fault::Algorithm(algorithm.to_string()))
}

/// SignerInfo: version, issuerAndSerialNumber, digestAlgorithm, `[0]` authenticatedAttributes, which are optional,
/// digestEncryptionAlgorithm, encryptedDigest. `content` is what is signed, without its own header (RFC 2315 §9.3).
fn signer(info: &Element<'_>, content: &[u8], certificates: &[Certificate]) -> Result<Certificate, Fault> {
    let fields = info.elements()?;
    let name = nth(&fields, 1)?.elements()?;
    let (issuer, serial) = (nth(&name, 0)?.whole, nth(&name, 1)?.whole);
    let hash = digest_algorithm(nth(&fields, 2)?)?;
    let attributes = fields.get(3).filter(|field| field.is_context(0));
    let behind = 3 + usize::from(attributes.is_some());
    let encrypted = nth(&fields, behind + 1)?.content_of(Tag::OctetString)?;
    let digest = match attributes {
        Some(attributes) => {
            if *message_digest(attributes)? != *hash.of(&[content]) {
                return Err(Fault::OtherContent);
            }
            // RFC 2315 §9.3: hashed with the tag of a SET in place of [0].
            hash.of(&[&[0x31], &attributes.whole[1..]])
        }
        None => hash.of(&[content]),
    };
    let signer = certificates
        .iter()
        .find(|certificate| certificate.is_named(issuer, serial));
    let signer = signer.ok_or(Fault::NoCertificate)?;
    match signer.key() {
        Some(key) if hash.is_signed(key, &digest, encrypted) => Ok(signer.clone()),
        Some(_) => Err(Fault::NotMade(signer.name())),
        None => Err(Fault::Algorithm(nth(&fields, behind)?.algorithm()?.to_string())),
    }
}

/// RFC 2985 §5.3.2: the attribute's one value.
fn message_digest<'a>(attributes: &Element<'a>) -> Result<&'a [u8], Fault> {
    for attribute in attributes.elements()? {
        let attribute = attribute.elements()?;
        if nth(&attribute, 0)?.object_identifier()? == MESSAGE_DIGEST {
            let values = nth(&attribute, 1)?.elements()?;
            return Ok(nth(&values, 0)?.content_of(Tag::OctetString)?);
        }
    }
    Err(Fault::Malformed("its attributes have no message digest".into()))
}
