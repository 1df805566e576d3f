//! EFI_SIGNATURE_LIST (UEFI 32.4.1.1): what firmware and shim keep certificates and hashes in.

use crate::formats::authenticode::Certificate;
use crate::ground::text;
use uuid::uuid;

/// Bytes in front of a list's signatures: SignatureType, SignatureListSize, SignatureHeaderSize, SignatureSize.
const HEADER: usize = 28;
/// Bytes of the owner's GUID in front of each signature.
const OWNER: usize = 16;

/// What the signatures of a list are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// EFI_CERT_X509_GUID: certificates in DER.
    X509,
    /// EFI_CERT_SHA256_GUID: hashes of programs.
    Sha256,
}

impl Kind {
    const fn guid(self) -> [u8; 16] {
        match self {
            Self::X509 => uuid!("a5c059a1-94e4-4aa7-87b5-ab155c2bf072"),
            Self::Sha256 => uuid!("c1c41626-504c-4092-aca9-41f936934328"),
        }
        .to_bytes_le()
    }
}

/// The certificates and the hashes, in hexadecimal, of lists that stand one behind the other. Lists of other kinds, and certificates that
/// cannot be read, are passed over.
pub(super) fn read(bytes: &[u8]) -> (Vec<Certificate>, Vec<String>) {
    let (mut certificates, mut hashes) = (Vec::new(), Vec::new());
    let mut rest = bytes;
    while let Some((kind, sizes)) = rest.get(..HEADER).and_then(<[u8]>::split_first_chunk::<16>) {
        let word = |at: usize| {
            let bytes = sizes.get(at..).and_then(<[u8]>::first_chunk);
            bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
        };
        let (list, header, each) = (word(0), word(4), word(8));
        let start = HEADER.saturating_add(header);
        let Some(body) = rest.get(start..list).filter(|_| each > OWNER) else {
            break;
        };
        for signature in body.chunks_exact(each).map(|signature| &signature[OWNER..]) {
            if *kind == Kind::X509.guid() {
                certificates.extend(Certificate::from_der(signature));
            } else if *kind == Kind::Sha256.guid() {
                hashes.push(text::hex(signature));
            }
        }
        rest = &rest[list..];
    }
    (certificates, hashes)
}

/// A list of signatures of one kind and length, all of one owner.
pub fn signature_list(kind: Kind, owner: [u8; 16], signatures: &[&[u8]]) -> Vec<u8> {
    let each = OWNER + signatures.first().map_or(0, |signature| signature.len());
    let size = HEADER + each * signatures.len();
    let sizes = [size, 0, each].map(|size| (size as u32).to_le_bytes());
    let mut list = [kind.guid().as_slice(), sizes.as_flattened()].concat();
    for signature in signatures {
        list.extend_from_slice(&owner);
        list.extend_from_slice(signature);
    }
    list
}
