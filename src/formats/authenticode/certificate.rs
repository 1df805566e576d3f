//! X.509 certificates (RFC 5280), as far as a chain of them depends on it.

use std::fmt;

use rsa::PublicKey;
use rsa::traits::PublicKeyParts;
use x509_cert::certificate::{CertificateInner, Raw, Version};
use x509_cert::der::asn1::{BmpString, ObjectIdentifier};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::referenced::OwnedToRef;
use x509_cert::der::{self, Decode, DecodeOwned, DecodePem, Encode, Tag, Tagged};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier,
};
use x509_cert::name::Name;

use super::Hash;
use super::der::{Element, nth};

/// The longest RSA key that is read, in bits. Larger ones take more time than they are worth.
const LARGEST_KEY: u32 = 4096;
/// X.520, 2.5.4.3.
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
/// Red Hat's extended key usage for keys that sign kernel modules alone, which shim takes for nothing else.
const MODULE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.2312.16.1.2");
/// RFC 5280 §4.2: extensions that OpenSSL 1.1.1 knows, so that they may be critical: key usage, subject alternative name, basic
/// constraints, name constraints, CRL distribution points, policies, their mappings and constraints, extended key usage, inhibit any
/// policy, Netscape's type.
const KNOWN_EXTENSIONS: [&str; 11] = [
    "2.5.29.15",
    "2.5.29.17",
    "2.5.29.19",
    "2.5.29.30",
    "2.5.29.31",
    "2.5.29.32",
    "2.5.29.33",
    "2.5.29.36",
    "2.5.29.37",
    "2.5.29.54",
    "2.16.840.1.113730.1.1",
];

/// A certificate, by its bytes.
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    /// TBSCertificate, which is what its issuer has signed.
    signed: Vec<u8>,
    fields: CertificateInner<Raw>,
    /// `None` if it is not an RSA key, or one of a size that is not read.
    key: Option<PublicKey>,
}

/// Why bytes are not a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFault(String);

impl fmt::Display for CertificateFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "this is not an X.509 certificate in DER or PEM: {}", self.0)
    }
}

impl From<der::Error> for CertificateFault {
    fn from(error: der::Error) -> Self {
        Self(error.to_string())
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Certificate({})", self.name())
    }
}

impl Certificate {
    /// Reads DER. What is behind the certificate does not count.
    pub fn from_der(bytes: &[u8]) -> Result<Self, CertificateFault> {
        let whole = Element::first(bytes)?;
        let fields = CertificateInner::<Raw>::from_der(whole.whole)?;
        let key = PublicKey::try_from(fields.tbs_certificate().subject_public_key_info().owned_to_ref()).ok();
        Ok(Self {
            signed: nth(&whole.elements()?, 0)?.whole.to_vec(),
            der: whole.whole.to_vec(),
            key: key.filter(|key| key.n().bit_width() <= LARGEST_KEY),
            fields,
        })
    }

    /// Reads what a person has in a file: DER, or PEM (RFC 7468) with text around it, of which the first certificate counts.
    pub fn from_file(bytes: &[u8]) -> Result<Self, CertificateFault> {
        const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
        let text = String::from_utf8_lossy(bytes);
        match text.find(BEGIN) {
            Some(start) => {
                let parsed = CertificateInner::<Raw>::from_pem(text[start..].as_bytes())?;
                Self::from_der(&parsed.to_der()?)
            }
            None if text.contains("-----BEGIN ") => Err(CertificateFault("it is PEM of something else".into())),
            None => Self::from_der(bytes),
        }
    }

    /// All of its bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The subject's common name; without one, the whole subject (RFC 4514).
    pub fn name(&self) -> String {
        shown(self.subject())
    }

    /// The issuer's common name; without one, the whole name (RFC 4514).
    pub fn issuer_name(&self) -> String {
        shown(self.issuer())
    }

    /// Whether the key may sign kernel modules and nothing else, for shim.
    pub fn is_for_modules(&self) -> bool {
        let usages = self.extension::<ExtendedKeyUsage>();
        usages.is_some_and(|usages| usages.0.contains(&MODULE_SIGNING))
    }

    pub(super) fn key(&self) -> Option<&PublicKey> {
        self.key.as_ref()
    }

    fn subject(&self) -> &Name {
        self.fields.tbs_certificate().subject()
    }

    fn issuer(&self) -> &Name {
        self.fields.tbs_certificate().issuer()
    }

    /// PKCS #7 names a certificate by its issuer and serial number, both in DER.
    pub(super) fn is_named(&self, issuer: &[u8], serial: &[u8]) -> bool {
        self.issuer_der().is_ok_and(|own| own == issuer) && self.serial_der().is_ok_and(|own| own == serial)
    }

    /// The issuer's name in DER.
    pub(super) fn issuer_der(&self) -> der::Result<Vec<u8>> {
        self.issuer().to_der()
    }

    /// The serial number in DER.
    pub(super) fn serial_der(&self) -> der::Result<Vec<u8>> {
        self.fields.tbs_certificate().serial_number().to_der()
    }

    /// Whether subject and issuer are one.
    pub(super) fn is_self_issued(&self) -> bool {
        self.subject() == self.issuer()
    }

    /// Whether the certificate says that `issuer` has issued it: by the name and, if both have one, by the key's identifier.
    pub(super) fn names(&self, issuer: &Self) -> bool {
        if self.issuer() != issuer.subject() {
            return false;
        }
        let wanted = self
            .extension::<AuthorityKeyIdentifier>()
            .and_then(|id| id.key_identifier);
        let is = issuer.extension::<SubjectKeyIdentifier>().map(|id| id.0);
        wanted.zip(is).is_none_or(|(wanted, is)| wanted == is)
    }

    /// Whether `issuer` has signed it.
    pub(super) fn is_signed_by(&self, issuer: &Self) -> bool {
        // RFC 5280 §4.1.1.2: the algorithm stands in what is signed too, and OpenSSL wants both to be one.
        if self.fields.signature_algorithm() != self.fields.tbs_certificate().signature() {
            return false;
        }
        let hash = Hash::of_rsa_signature(self.fields.signature_algorithm().oid);
        let signature = self.fields.signature().as_bytes();
        match (hash, issuer.key(), signature) {
            (Some(hash), Some(key), Some(signature)) => hash.is_signed(key, &hash.of(&[&self.signed]), signature),
            _ => false,
        }
    }

    /// OpenSSL's `check_chain_extensions`: whether it may stand in a chain at all.
    pub(super) fn has_known_extensions_only(&self) -> bool {
        let extensions = self.fields.tbs_certificate().extensions();
        let is_known = |id: ObjectIdentifier| KNOWN_EXTENSIONS.contains(&id.to_string().as_str());
        extensions
            .into_iter()
            .flatten()
            .all(|extension| !extension.critical || is_known(extension.extn_id))
    }

    /// OpenSSL's `X509_check_ca`: whether it may issue others, with `below` authorities between it and the signer. The last of a chain
    /// may be of the kinds that were before basic constraints.
    pub(super) fn may_issue(&self, is_last: bool, below: usize) -> bool {
        let usage = self.extension::<KeyUsage>();
        if usage.is_some_and(|usage| !usage.key_cert_sign()) {
            return false;
        }
        match self.extension::<BasicConstraints>() {
            Some(constraints) => {
                let length = constraints.path_len_constraint;
                constraints.ca && length.is_none_or(|length| below <= usize::from(length))
            }
            None => {
                let is_old = self.fields.tbs_certificate().version() == Version::V1 && self.is_self_issued();
                is_last && (is_old || usage.is_some())
            }
        }
    }

    /// The first extension of a kind, if it can be read.
    fn extension<T: DecodeOwned + AssociatedOid>(&self) -> Option<T> {
        let extensions = self.fields.tbs_certificate().extensions()?;
        let found = extensions.iter().find(|extension| extension.extn_id == T::OID)?;
        T::from_der(found.extn_value.as_bytes()).ok()
    }
}

fn shown(name: &Name) -> String {
    let attributes = name.iter().filter(|attribute| attribute.oid == COMMON_NAME);
    let text = |value: &der::Any| match value.tag() {
        // X.520: UTF8String, PrintableString, TeletexString, IA5String; big-endian UTF-16.
        Tag::BmpString => BmpString::from_der(&value.to_der().ok()?)
            .ok()
            .map(|text| text.to_string()),
        _ => Some(String::from_utf8_lossy(value.value()).into_owned()),
    };
    let mut names = attributes.filter_map(|attribute| text(&attribute.value));
    names.next().unwrap_or_else(|| name.to_string())
}
