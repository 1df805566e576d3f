//! What a kernel or program says about who can start it.

use crate::formats::pe::{self, Machine};
use crate::ground::read_at::ReadAt;

/// The first bytes of a file, as far as firmware and loader look at them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// The Linux/x86 boot protocol's version, of a kernel that is loaded high.
    pub(crate) boot_protocol: Option<u16>,
    /// The longest command line that the boot protocol's header allows.
    pub(crate) command_line: Option<usize>,
    /// Where a boot loader puts such a kernel and its initrds.
    pub(crate) memory: Option<Memory>,
    /// An EFI program, and for which processors' firmware: its own first.
    pub(crate) efi: Vec<Machine>,
    /// A unified kernel image with an initrd of its own.
    pub(crate) has_initrd: bool,
}

/// The addresses of a kernel that is loaded high.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Bytes of the real-mode part with its boot sector.
    setup: u64,
    /// The last byte that an initrd may occupy.
    pub(crate) initrd_last: u64,
    /// Where the kernel runs, and the memory that it needs there.
    runs_at: u64,
    needs: u64,
}

impl Memory {
    /// The first byte that an initrd may occupy: behind a kernel of so many bytes, and behind what it unpacks itself to.
    pub(crate) fn initrd_first(&self, kernel: u64) -> u64 {
        let loaded = header::HIGH + kernel.saturating_sub(self.setup);
        let runs = self.runs_at.max(header::HIGH).saturating_add(self.needs);
        loaded.max(runs)
    }
}

/// Linux, Documentation/arch/x86/boot.rst: the set-up header, from the beginning of the file.
mod header {
    pub(super) const MAGIC: u64 = 0x202;
    pub(super) const VERSION: u64 = 0x206;
    pub(super) const LOAD_FLAGS: u64 = 0x211;
    pub(super) const COMMAND_LINE: u64 = 0x238;
    pub(super) const SETUP_SECTORS: u64 = 0x1F1;
    pub(super) const INITRD_LAST: u64 = 0x22C;
    pub(super) const RUNS_AT: u64 = 0x258;
    pub(super) const NEEDS: u64 = 0x260;
    /// Where the protected-mode part is loaded.
    pub(super) const HIGH: u64 = 0x10_0000;
    /// The first versions that say how far up an initrd may be, and where the kernel runs.
    pub(super) const SAYS_INITRD: u16 = 0x0203;
    pub(super) const SAYS_PLACE: u16 = 0x020A;
    /// How far up an initrd may be where the header does not say.
    pub(super) const LAST_OF_OLD: u64 = 0x37FF_FFFF;
    /// The first version whose command line has an address of its own.
    pub(super) const OLDEST: u16 = 0x0202;
    /// The first version that says how long a command line may be; 255 bytes before.
    pub(super) const SAYS_LENGTH: u16 = 0x0206;
}

/// Reads what a file says about itself. A file that says nothing is a program for BIOS at best.
pub(crate) fn read(file: &dyn ReadAt) -> Program {
    let boot_protocol = boot_protocol(file);
    let command_line = boot_protocol.map(|version| match version >= header::SAYS_LENGTH {
        true => bytes::<4>(file, header::COMMAND_LINE).map_or(255, |field| u32::from_le_bytes(field) as usize),
        false => 255,
    });
    let pe = pe::read(file);
    Program {
        boot_protocol,
        command_line,
        memory: boot_protocol.map(|version| memory(file, version)),
        has_initrd: pe.as_ref().is_some_and(|pe| pe.section(".initrd").is_some()),
        efi: pe.map_or_else(Vec::new, |pe| [&[pe.machine][..], &pe.compatible].concat()),
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

fn memory(file: &dyn ReadAt, version: u16) -> Memory {
    let word = |offset| bytes::<4>(file, offset).map_or(0, |field| u64::from(u32::from_le_bytes(field)));
    let sectors = bytes::<1>(file, header::SETUP_SECTORS).map_or(0, |[sectors]| sectors);
    let says_place = version >= header::SAYS_PLACE;
    Memory {
        // 0 stands for 4.
        setup: (u64::from(if sectors == 0 { 4 } else { sectors }) + 1) * 512,
        initrd_last: match version >= header::SAYS_INITRD {
            true => word(header::INITRD_LAST),
            false => header::LAST_OF_OLD,
        },
        runs_at: match says_place {
            true => bytes::<8>(file, header::RUNS_AT).map_or(0, u64::from_le_bytes),
            false => header::HIGH,
        },
        needs: if says_place { word(header::NEEDS) } else { 0 },
    }
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
            memory: None,
            efi: Vec::new(),
            has_initrd: false,
        };
        assert_eq!(read(&file), nobody);
        assert_eq!(read(&vec![0u8; 3]), nobody);
        file[0x202..0x206].copy_from_slice(b"HdrS");
        file[0x206..0x208].copy_from_slice(&0x020f_u16.to_le_bytes());
        file[0x211] = 1;
        file[0x238..0x23c].copy_from_slice(&2047_u32.to_le_bytes());
        file[0x1f1] = 27;
        file[0x22c..0x230].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
        file[0x258..0x260].copy_from_slice(&0x100_0000_u64.to_le_bytes());
        file[0x260..0x264].copy_from_slice(&0x300_0000_u32.to_le_bytes());
        let linux = Program {
            boot_protocol: Some(0x020f),
            command_line: Some(2047),
            memory: Some(Memory {
                setup: 28 * 512,
                initrd_last: 0x7fff_ffff,
                runs_at: 0x100_0000,
                needs: 0x300_0000,
            }),
            ..nobody.clone()
        };
        assert_eq!(read(&file), linux);
        // Behind what it unpacks itself to; a larger one behind itself.
        let memory = linux.memory.unwrap();
        assert_eq!(memory.initrd_first(10 << 20), 0x400_0000);
        assert_eq!(memory.initrd_first(0x800_0000), 0x10_0000 + 0x800_0000 - 28 * 512);
        file[0x211] = 0;
        assert_eq!(read(&file), nobody, "a zImage is loaded low, where the loader is");
        assert_eq!(
            read(&crate::resolve::loader::builtin::EFI_X64.to_vec()).efi,
            [Machine::X64]
        );
    }
}
