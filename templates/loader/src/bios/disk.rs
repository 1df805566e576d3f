//! Media by INT 13h.

use crate::real_mode::{BUFFER, BUFFER_LENGTH, Registers, SCRATCH, bytes, interrupt, peek, poke, segment};
use isobuild_loader::disk::{Disk, unreadable};
use isobuild_loader::line::Failure;

/// How often one sector is tried before the medium counts as unreadable there.
const TRIES: usize = 5;

/// Where the packet of an extended read is put down.
const PACKET: usize = SCRATCH;
/// Where a drive's parameters are put down.
const PARAMETERS: usize = SCRATCH + 0x40;

/// How sectors are addressed.
#[derive(Clone, Copy)]
pub(crate) enum Addressing {
    /// By their number.
    Packets,
    /// By cylinder, head and sector.
    Geometry { heads: u64, sectors: u64 },
}

/// A drive of the BIOS.
pub(crate) struct BiosDisk {
    pub drive: u8,
    pub sector_size: usize,
    pub addressing: Addressing,
}

impl BiosDisk {
    /// A drive that takes packets, if there is one of this number.
    pub(crate) fn with_packets(drive: u8) -> Option<Self> {
        let edx = u32::from(drive);
        let here = interrupt(
            0x13,
            Registers {
                eax: 0x4100,
                ebx: 0x55aa,
                edx,
                ..Registers::default()
            },
        );
        if here.failed() || here.ebx as u16 != 0xaa55 || here.ecx & 1 == 0 {
            return None;
        }
        let (sector_size, _) = parameters(drive)?;
        Some(Self {
            drive,
            sector_size,
            addressing: Addressing::Packets,
        })
    }

    /// Bytes of the whole medium, where the BIOS knows.
    pub(crate) fn length(&self) -> Option<u64> {
        match self.addressing {
            Addressing::Packets => parameters(self.drive).map(|(size, sectors)| size as u64 * sectors),
            Addressing::Geometry { .. } => None,
        }
    }

    /// Reads whole sectors to the buffer.
    fn sectors(&self, first: u64, count: usize) -> bool {
        let drive = u32::from(self.drive);
        let result = match self.addressing {
            Addressing::Packets => {
                poke(PACKET, 16u16);
                poke(PACKET + 2, count as u16);
                poke(PACKET + 4, u32::from(segment(BUFFER)) << 16);
                poke(PACKET + 8, first);
                interrupt(
                    0x13,
                    Registers {
                        eax: 0x4200,
                        edx: drive,
                        ds: segment(PACKET),
                        ..Registers::default()
                    },
                )
            }
            Addressing::Geometry { heads, sectors } => {
                let (track, sector) = (first / sectors, first % sectors + 1);
                let (cylinder, head) = (track / heads, track % heads);
                if cylinder > 1023 {
                    return false;
                }
                let ecx = (cylinder as u32 & 0xff) << 8 | (cylinder as u32 >> 8) << 6 | sector as u32;
                let edx = (head as u32) << 8 | drive;
                let eax = 0x0200 | count as u32;
                interrupt(
                    0x13,
                    Registers {
                        eax,
                        ecx,
                        edx,
                        es: segment(BUFFER),
                        ..Registers::default()
                    },
                )
            }
        };
        if result.failed() {
            interrupt(
                0x13,
                Registers {
                    edx: drive,
                    ..Registers::default()
                },
            );
        }
        !result.failed()
    }

    /// How many sectors from `first` on one call can read.
    fn reach(&self, first: u64) -> usize {
        // INT 13h extensions: one packet has 127 sectors at most.
        let room = (BUFFER_LENGTH / self.sector_size).min(127);
        match self.addressing {
            Addressing::Packets => room,
            // Not beyond the track's end.
            Addressing::Geometry { sectors, .. } => room.min((sectors - first % sectors) as usize),
        }
    }
}

impl Disk for BiosDisk {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), Failure> {
        let size = self.sector_size;
        let mut done = 0;
        while done < into.len() {
            let at = offset + done as u64;
            let (first, skip) = (at / size as u64, (at % size as u64) as usize);
            let rest = &mut into[done..];
            let mut count = (skip + rest.len()).div_ceil(size).min(self.reach(first));
            // What fails in one piece may still be read sector by sector.
            if !self.sectors(first, count) {
                count = 1;
                if !(0..TRIES).any(|_| self.sectors(first, count)) {
                    return Err(unreadable(at));
                }
            }
            let length = rest.len().min(count * size - skip);
            // SAFETY: the buffer is the disk's alone, and calls are over.
            let buffer = unsafe { bytes(BUFFER, BUFFER_LENGTH) };
            rest[..length].copy_from_slice(&buffer[skip..skip + length]);
            done += length;
        }
        Ok(())
    }
}

/// INT 13h function 0x48: bytes of a sector, and how many there are.
fn parameters(drive: u8) -> Option<(usize, u64)> {
    poke(PARAMETERS, 30u16);
    let result = interrupt(
        0x13,
        Registers {
            eax: 0x4800,
            edx: u32::from(drive),
            ds: segment(SCRATCH),
            esi: (PARAMETERS - SCRATCH) as u32,
            ..Registers::default()
        },
    );
    let size = usize::from(peek::<u16>(PARAMETERS + 24));
    let usable = size.is_power_of_two() && (512..=4096).contains(&size);
    (!result.failed() && usable).then(|| (size, peek(PARAMETERS + 16)))
}
