//! "The Attribute Certificate Table": the signatures of a program, as they stand in its file.

use std::fmt;

use uuid::uuid;

use crate::ground::read_at::ReadAt;

use super::Pe;

/// The longest table that is read, in bytes. A signature has about 10 KiB.
const MAX_TABLE: u64 = 1 << 20;
/// The most entries that are read. Nobody has more than three.
const MAX_ENTRIES: usize = 16;
/// UEFI 32.2.4, EFI_CERT_TYPE_PKCS7_GUID.
const PKCS7_GUID: [u8; 16] = uuid!("4aafd29d-68df-49ee-8aa9-347d375665a7").to_bytes_le();

/// An entry of the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AttributeCertificate {
    /// PKCS #7 in DER, of the type 0002 (WIN_CERT_TYPE_PKCS_SIGNED_DATA) or of 0EF1 (WIN_CERT_TYPE_EFI_GUID) with the GUID of PKCS #7.
    Pkcs7(Vec<u8>),
    /// Another type, which signs nothing for UEFI.
    Other(u16),
}

/// All entries that can be read, and what is wrong behind them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CertificateTable {
    /// In the order of the table.
    pub entries: Vec<AttributeCertificate>,
    /// Why firmware takes none of the entries, however good they are: EDK2 walks the table to its very end.
    pub fault: Option<TableFault>,
}

/// Why firmware takes no entry of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TableFault {
    /// It does not lie in the file.
    Outside,
    /// Its entries do not end where it ends.
    Length,
    /// It is longer, or has more entries, than anybody needs, and is not read.
    TooLong,
}

impl fmt::Display for TableFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside => out.write_str("has a certificate table that is not inside the file"),
            Self::Length => out.write_str("has a certificate table that does not end where its entries end"),
            Self::TooLong => write!(
                out,
                "has a certificate table of more than {MAX_ENTRIES} entries or {MAX_TABLE} bytes, which is not read"
            ),
        }
    }
}

impl Pe {
    /// Reads the table of the file that these headers are of.
    pub fn certificate_table(&self, file: &dyn ReadAt) -> CertificateTable {
        let (offset, size) = self.places.certificates;
        if size == 0 {
            return CertificateTable::default();
        }
        let fault = |fault| CertificateTable {
            entries: Vec::new(),
            fault: Some(fault),
        };
        if size > MAX_TABLE {
            return fault(TableFault::TooLong);
        }
        match file.read_vec_at(offset, size) {
            Ok(table) => entries(&table),
            Err(_) => fault(TableFault::Outside),
        }
    }
}

/// EDK2's way through the table (DxeImageVerificationHandler): an entry that is too short ends it.
fn entries(table: &[u8]) -> CertificateTable {
    let mut rest = table;
    let mut found = CertificateTable::default();
    // dwLength, wRevision, wCertificateType, then the certificate; the next entry is 8-byte aligned.
    while let Some(&[a, b, c, d, _, _, kind, kind_high]) = rest.first_chunk() {
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let Some(certificate) = rest.get(8..length).filter(|certificate| !certificate.is_empty()) else {
            break;
        };
        if found.entries.len() == MAX_ENTRIES {
            found.fault = Some(TableFault::TooLong);
            return found;
        }
        let kind = u16::from_le_bytes([kind, kind_high]);
        found.entries.push(match (kind, certificate.strip_prefix(&PKCS7_GUID)) {
            (0x0002, _) => AttributeCertificate::Pkcs7(certificate.to_vec()),
            (0x0EF1, Some(certificate)) => AttributeCertificate::Pkcs7(certificate.to_vec()),
            _ => AttributeCertificate::Other(kind),
        });
        rest = match rest.get(length.next_multiple_of(8)..) {
            Some(rest) => rest,
            // EDK2 steps over the end if the padding of the last entry is missing.
            None => {
                found.fault = Some(TableFault::Length);
                return found;
            }
        };
    }
    if !rest.is_empty() {
        found.fault = Some(TableFault::Length);
    }
    found
}
