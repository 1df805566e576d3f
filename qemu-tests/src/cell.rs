//! A cell: one firmware with one medium. The names are those of isobuild's own `check` and `test`.

use std::fmt;
use std::str::FromStr;

/// What starts the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// SeaBIOS.
    Bios,
    /// OVMF with no keys enrolled.
    Uefi,
    /// OVMF with Microsoft's keys enrolled: it refuses what they did not sign.
    SecureBoot,
}

/// What the image is to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// A disc in an AHCI drive: sectors of 2048 bytes, read-only.
    Cd,
    /// A stick with sectors of 512 bytes, on which El Torito does not count.
    Usb,
    /// A virtio disk with sectors of 512 bytes.
    Disk,
}

/// One firmware with one medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// What starts the machine.
    pub firmware: Firmware,
    /// What the image is to the machine.
    pub medium: Medium,
}

const FIRMWARE: [(&str, Firmware); 3] = [
    ("bios", Firmware::Bios),
    ("uefi", Firmware::Uefi),
    ("secure-boot", Firmware::SecureBoot),
];

const MEDIA: [(&str, Medium); 3] = [("cd", Medium::Cd), ("usb", Medium::Usb), ("disk", Medium::Disk)];

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("{text:?} is no cell that the tests can boot");
        let (firmware, medium) = text.rsplit_once('-').ok_or_else(unknown)?;
        let (_, firmware) = FIRMWARE.into_iter().find(|f| f.0 == firmware).ok_or_else(unknown)?;
        let (_, medium) = MEDIA.into_iter().find(|m| m.0 == medium).ok_or_else(unknown)?;
        Ok(Self { firmware, medium })
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let firmware = FIRMWARE.iter().find(|f| f.1 == self.firmware).map_or("", |f| f.0);
        let medium = MEDIA.iter().find(|m| m.1 == self.medium).map_or("", |m| m.0);
        write!(out, "{firmware}-{medium}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_reads_as_it_is_written() {
        for (_, firmware) in FIRMWARE {
            for (_, medium) in MEDIA {
                let cell = Cell { firmware, medium };
                assert_eq!(cell.to_string().parse(), Ok(cell));
            }
        }
    }

    #[test]
    fn what_is_no_cell_is_refused() {
        for text in ["", "bios", "bios-", "-cd", "usb-bios", "bios-usb-4kn", "BIOS-cd"] {
            assert!(text.parse::<Cell>().is_err(), "{text}");
        }
    }
}
