//! The certificates that firmware is sold with.

use std::fmt;
use std::sync::LazyLock;

use serde::{Serialize, Serializer};

use crate::formats::authenticode::Certificate;

/// Microsoft's certificate authorities whose signatures firmware takes, by what is in its `db`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Authority {
    /// Other people's programs, shim among them, until 2026.
    Uefi2011,
    /// The same since 2023.
    Uefi2023,
    /// Drivers on extension cards since 2023.
    OptionRom2023,
    /// Windows' own programs.
    Windows2011,
    /// The same since 2023.
    Windows2023,
}

impl Authority {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Uefi2011,
        Self::Uefi2023,
        Self::OptionRom2023,
        Self::Windows2011,
        Self::Windows2023,
    ];

    /// The certificate's subject.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uefi2011 => "Microsoft Corporation UEFI CA 2011",
            Self::Uefi2023 => "Microsoft UEFI CA 2023",
            Self::OptionRom2023 => "Microsoft Option ROM UEFI CA 2023",
            Self::Windows2011 => "Microsoft Windows Production PCA 2011",
            Self::Windows2023 => "Windows UEFI CA 2023",
        }
    }

    fn der(self) -> &'static [u8] {
        match self {
            Self::Uefi2011 => include_bytes!("data/uefi-ca-2011.der"),
            Self::Uefi2023 => include_bytes!("data/uefi-ca-2023.der"),
            Self::OptionRom2023 => include_bytes!("data/option-rom-uefi-ca-2023.der"),
            Self::Windows2011 => include_bytes!("data/windows-pca-2011.der"),
            Self::Windows2023 => include_bytes!("data/windows-uefi-ca-2023.der"),
        }
    }

    /// The certificate. `None` never: a test reads all of them.
    pub fn certificate(self) -> Option<&'static Certificate> {
        static CERTIFICATES: LazyLock<[Option<Certificate>; 5]> =
            LazyLock::new(|| Authority::ALL.map(|authority| Certificate::from_der(authority.der()).ok()));
        CERTIFICATES[self as usize].as_ref()
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl Serialize for Authority {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digests are those that Microsoft's list of certificates has for its files (SHA-256 of the whole DER).
    #[test]
    fn the_certificates_are_whole_and_have_their_names() {
        use sha2::{Digest, Sha256};
        let digests = ["48e99b99", "f6124e34", "e5be3e64", "e8e95f07", "076f1fea"];
        for (authority, digest) in Authority::ALL.into_iter().zip(digests) {
            let certificate = authority.certificate().unwrap();
            assert_eq!(certificate.name(), authority.name());
            assert_eq!(certificate.der(), authority.der());
            let found = crate::ground::text::hex(&Sha256::digest(authority.der())[..4]);
            assert_eq!(found, digest, "{authority}");
        }
    }
}
