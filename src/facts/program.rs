//! EFI programs, and who has signed them.

use serde::Serialize;

use super::json;
use crate::facts::secure_boot::{Authority, Generation, Shim};
use crate::formats::authenticode::Signature;
use crate::formats::pe::Machine;

/// An EFI program at a path that firmware or shim looks at.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LoaderFacts {
    /// In the FAT.
    pub path: String,
    /// The machine that the PE header names; none where there is no PE header.
    #[serde(serialize_with = "json::machine")]
    pub machine: Option<Machine>,
    /// The SHA-256 hash that lists of revoked programs have, in hexadecimal, of a program with signatures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticode_sha256: Option<String>,
    /// In the order of the certificate table; each is verified.
    pub signatures: Vec<SignatureFacts>,
    /// Why firmware takes none of the signatures, however good they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_table: Option<String>,
    /// The generations in its `.sbat` section, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sbat: Option<Vec<Generation>>,
    /// If it is shim's fallback: what the lists in the volume, `/EFI/*/BOOTX64.CSV`, name first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listed: Vec<String>,
    /// What shim was built with, if the program is shim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shim: Option<ShimFacts>,
    /// Whether it is a unified kernel image, which holds the Linux kernel that it starts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unified: bool,
}

impl LoaderFacts {
    /// The machine as it is called in sentences and in names of files, such as `x64`.
    pub fn machine_word(&self) -> String {
        self.machine.map_or("none".into(), |machine| machine.to_string())
    }

    /// Which loader with a menu it is. Its `.sbat` names the component. systemd-boot and systemd's stub name the same one, so unified kernel
    /// images are left out.
    pub fn menu(&self) -> Option<MenuLoader> {
        let known = |component: &str| match component {
            "isobuild" => Some(MenuLoader::Builtin),
            "grub" => Some(MenuLoader::Grub),
            "systemd" | "systemd-boot" => Some(MenuLoader::SystemdBoot),
            _ => None,
        };
        let mut generations = self.sbat.iter().flatten().filter(|_| !self.unified);
        generations.find_map(|generation| known(&generation.component))
    }
}

/// A loader that shows a menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MenuLoader {
    /// isobuild's own.
    Builtin,
    /// GRUB 2.
    Grub,
    /// systemd-boot.
    SystemdBoot,
}

/// A program that a menu starts under UEFI on a 64-bit PC.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MenuProgram {
    /// The loader that shows the menu.
    pub menu: MenuLoader,
    /// The title of the entry.
    pub title: String,
    /// Whether the entry is the one that starts by itself.
    pub is_default: bool,
    /// The program, whose path is in the volume that the loader reads.
    pub program: LoaderFacts,
    /// Whether the loader starts it as a kernel.
    #[serde(skip)]
    pub is_kernel: bool,
}

/// A signature of a program.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SignatureFacts {
    /// The common name in the certificate of whoever has signed.
    pub signer: Option<String>,
    /// The common name of whoever has issued the signer's certificate.
    pub issuer: Option<String>,
    /// Which authorities of firmware as it is sold the signature leads to.
    pub authorities: Vec<Authority>,
    /// Why it is not good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The verified signature, which can be held against other anchors too. `None` if it is not good.
    #[serde(skip)]
    pub signature: Option<Signature>,
}

/// What shim was built with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShimFacts {
    /// `16.1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The common names of the certificates that it trusts by itself.
    pub vendors: Vec<String>,
    /// The file beside it that it starts.
    pub starts: String,
    /// The least generations that it starts.
    pub asks: Vec<Generation>,
    /// The same with the certificates themselves.
    #[serde(skip)]
    pub data: Shim,
}

impl ShimFacts {
    /// What a shim for this machine says.
    pub fn new(data: Shim, machine: Machine) -> Self {
        let usual = || format!("grub{machine}.efi");
        Self {
            version: data.version.map(|(major, minor)| format!("{major}.{minor}")),
            vendors: data.vendors.iter().map(|vendor| vendor.name()).collect(),
            starts: data.starts.clone().unwrap_or_else(usual),
            asks: data.asks.clone(),
            data,
        }
    }
}
