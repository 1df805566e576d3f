//! What a kernel or program says about who can start it.

use crate::pe::{self, Machine};
use crate::read_at::ReadAt;

/// The first bytes of a file, as far as firmware and loader look at them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The Linux/x86 boot protocol's version, of a kernel that is loaded high.
    pub boot_protocol: Option<u16>,
    /// The longest command line that the boot protocol's header allows.
    pub command_line: Option<usize>,
    /// An EFI program, and for which processors' firmware: its own first.
    pub efi: Vec<Machine>,
}

/// Linux, Documentation/arch/x86/boot.rst: the set-up header, from the beginning of the file.
mod header {
    pub(super) const MAGIC: u64 = 0x202;
    pub(super) const VERSION: u64 = 0x206;
    pub(super) const LOAD_FLAGS: u64 = 0x211;
    pub(super) const COMMAND_LINE: u64 = 0x238;
    /// The first version whose command line has an address of its own.
    pub(super) const OLDEST: u16 = 0x0202;
    /// The first version that says how long a command line may be; 255 bytes before.
    pub(super) const SAYS_LENGTH: u16 = 0x0206;
}

/// Reads what a file says about itself. A file that says nothing is a program for BIOS at best.
pub fn read(file: &dyn ReadAt) -> Program {
    let boot_protocol = boot_protocol(file);
    let command_line = boot_protocol.map(|version| match version >= header::SAYS_LENGTH {
        true => bytes::<4>(file, header::COMMAND_LINE).map_or(255, |field| u32::from_le_bytes(field) as usize),
        false => 255,
    });
    Program {
        boot_protocol,
        command_line,
        efi: pe::read(file).map_or_else(Vec::new, |pe| [&[pe.machine][..], &pe.compatible].concat()),
    }
}

fn boot_protocol(file: &dyn ReadAt) -> Option<u16> {
    if &bytes::<4>(file, header::MAGIC)? != b"HdrS" {
        return None;
    }
    let version = u16::from_le_bytes(bytes(file, header::VERSION)?);
    let [flags] = bytes(file, header::LOAD_FLAGS)?;
    (version >= header::OLDEST && flags & 1 != 0).then_some(version)
}

fn bytes<const N: usize>(file: &dyn ReadAt, offset: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_says_who_can_start_it() {
        let mut file = vec![0; 0x400];
        let nobody = Program {
            boot_protocol: None,
            command_line: None,
            efi: Vec::new(),
        };
        assert_eq!(read(&file), nobody);
        assert_eq!(read(&vec![0u8; 3]), nobody);
        file[0x202..0x206].copy_from_slice(b"HdrS");
        file[0x206..0x208].copy_from_slice(&0x020f_u16.to_le_bytes());
        file[0x211] = 1;
        file[0x238..0x23c].copy_from_slice(&2047_u32.to_le_bytes());
        let linux = Program {
            boot_protocol: Some(0x020f),
            command_line: Some(2047),
            efi: Vec::new(),
        };
        assert_eq!(read(&file), linux);
        file[0x211] = 0;
        assert_eq!(read(&file), nobody, "a zImage is loaded low, where the loader is");
        assert_eq!(read(&crate::boot::EFI_X64.to_vec()).efi, [Machine::X64]);
    }
}
