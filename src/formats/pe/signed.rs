//! Adding a signature to a program: "Process for Generating the Authenticode PE Image Hash" and the certificate table behind it.

use std::fmt;

use super::{Pe, read};

/// "The Attribute Certificate Table": entries begin at multiples of so many bytes.
const ALIGNMENT: usize = 8;

/// A program that can take one more signature.
#[derive(Clone, Debug)]
pub struct Signable {
    pe: Pe,
    bytes: Vec<u8>,
    /// Where its headers have place and size of the table.
    directory: usize,
}

/// Why a program cannot be signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnsignableFault {
    /// It is not a program.
    NotAProgram,
    /// Its headers have no entry for a certificate table.
    NoDirectory,
    /// Its certificate table is not at its end, or not whole.
    Table,
    /// It is longer than the fields of a program can say.
    TooLong,
}

impl fmt::Display for UnsignableFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotAProgram => "is not an EFI program",
            Self::NoDirectory => "has no room for a signature in its headers",
            Self::Table => "has a certificate table that is broken, or has bytes behind it",
            Self::TooLong => "is longer than a program can be",
        })
    }
}

impl Signable {
    /// Takes the bytes of a program. Signatures that it has stay.
    pub fn new(mut bytes: Vec<u8>) -> Result<Self, UnsignableFault> {
        let pe = read(&bytes).ok_or(UnsignableFault::NotAProgram)?;
        let directory = pe.places.directory.and_then(|at| usize::try_from(at).ok());
        let directory = directory.ok_or(UnsignableFault::NoDirectory)?;
        let (offset, size) = pe.places.certificates;
        if size == 0 {
            // What is padded is signed too.
            bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        } else if offset + size != bytes.len() as u64
            || offset % ALIGNMENT as u64 != 0
            || pe.certificate_table(&bytes).fault.is_some()
        {
            return Err(UnsignableFault::Table);
        }
        Ok(Self { pe, bytes, directory })
    }

    /// Gives `take` what the signature covers.
    pub fn covered_bytes(&self, take: impl FnMut(&[u8])) -> Result<(), super::CoverFault> {
        self.pe.covered_bytes(&self.bytes, take)
    }

    /// The program with the signature, PKCS #7 in DER, behind those that it has.
    pub fn with(self, pkcs7: &[u8]) -> Result<Vec<u8>, UnsignableFault> {
        const PKCS_SIGNED_DATA: u16 = 2;
        const REVISION: u16 = 0x0200;
        let Self {
            pe,
            mut bytes,
            directory,
        } = self;
        let too_long = |_| UnsignableFault::TooLong;
        let start = match pe.places.certificates {
            (_, 0) => bytes.len(),
            (offset, _) => usize::try_from(offset).map_err(too_long)?,
        };
        let length = u32::try_from(pkcs7.len() + 8).map_err(too_long)?;
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&REVISION.to_le_bytes());
        bytes.extend_from_slice(&PKCS_SIGNED_DATA.to_le_bytes());
        bytes.extend_from_slice(pkcs7);
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        let table = [start, bytes.len() - start].map(u32::try_from);
        let [start, size] = table;
        let (start, size) = (start.map_err(too_long)?, size.map_err(too_long)?);
        let mut put = |at: usize, value: u32| {
            if let Some(field) = bytes.get_mut(at..at + 4) {
                field.copy_from_slice(&value.to_le_bytes());
            }
        };
        put(directory, start);
        put(directory + 4, size);
        let checksum = usize::try_from(pe.places.checksum).map_err(too_long)?;
        put(checksum, 0);
        let sum = sum(&bytes);
        if let Some(field) = bytes.get_mut(checksum..checksum + 4) {
            field.copy_from_slice(&sum.to_le_bytes());
        }
        Ok(bytes)
    }
}

/// "Optional Header", CheckSum, as Microsoft's ImageHlp makes it: the ones' complement sum of the file's 16-bit words, and its length.
fn sum(file: &[u8]) -> u32 {
    let words = file
        .chunks(2)
        .map(|word| u32::from(word[0]) | u32::from(*word.get(1).unwrap_or(&0)) << 8);
    let fold = |sum: u32| (sum & 0xFFFF) + (sum >> 16);
    let sum = words.fold(0_u32, |sum, word| fold(sum + word));
    // A program that is longer than its 32-bit fields was refused.
    fold(sum).wrapping_add(file.len() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::pe::AttributeCertificate;
    use crate::formats::pe::tests::program_of;

    fn signed(program: Vec<u8>, certificate: &[u8]) -> Vec<u8> {
        Signable::new(program).unwrap().with(certificate).unwrap()
    }

    #[test]
    fn a_signature_goes_behind_those_that_are_there() {
        let mut program = program_of(&[(".text", b"code")]);
        program.extend_from_slice(b"odd");
        let once = signed(program.clone(), b"first");
        let twice = signed(once.clone(), b"the second");
        let table = read(&twice).unwrap().certificate_table(&twice);
        let entries = [b"first".to_vec(), b"the second".to_vec()].map(AttributeCertificate::Pkcs7);
        assert_eq!((table.entries.as_slice(), table.fault), (&entries[..], None));
        assert!(twice.len().is_multiple_of(8));
        let covered = |file: &[u8]| {
            let mut covered = Vec::new();
            Signable::new(file.to_vec())
                .unwrap()
                .covered_bytes(|bytes| covered.extend_from_slice(bytes))
                .unwrap();
            covered
        };
        assert_eq!(covered(&program), covered(&twice));
        assert_eq!(covered(&once), covered(&twice));
    }

    /// By hand: words that add up to 0xFFFF are nothing, a carry goes back to the lowest bit, and the length is added.
    #[test]
    fn the_checksum_is_of_words_and_the_length() {
        assert_eq!(sum(&[0xFF, 0xFF]), 0xFFFF + 2);
        assert_eq!(sum(&[0xFF, 0xFF, 1, 0]), 1 + 4);
        assert_eq!(sum(&[0x34, 0x12, 0x78]), 0x1234 + 0x78 + 3);
    }

    #[test]
    fn what_takes_no_signature_says_why() {
        let fault = |program: Vec<u8>| Signable::new(program).unwrap_err();
        assert_eq!(fault(b"MZ".to_vec()), UnsignableFault::NotAProgram);
        let mut few = program_of(&[]);
        few[0x98 + 108] = 4;
        assert_eq!(fault(few), UnsignableFault::NoDirectory);
        let mut behind = signed(program_of(&[]), b"first");
        behind.push(0);
        assert_eq!(fault(behind), UnsignableFault::Table);
    }
}
