//! The core image for BIOS: what loads the rest, what decompresses it, and the kernel with its modules, compressed.

use std::io::Write as _;

use lzma_rust2::{EncodeMode, LzmaOptions, LzmaWriter, MfType};

use super::module_area::{Width, encode};
use super::{Embedded, GrubError, kernel, wrong};

/// The files that a core image is made of.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// What El Torito loads, `cdboot.img`: it loads the rest from a disc.
    pub cdboot: &'a [u8],
    /// What a stick's boot code loads, `diskboot.img`.
    pub diskboot: &'a [u8],
    /// `lzma_decompress.img`.
    pub decompressor: &'a [u8],
    /// `kernel.img`.
    pub kernel: &'a [u8],
}

/// An El Torito sector, of which `cdboot.img` is one.
const CD_SECTOR: usize = 2048;
/// A sector of a disk, of which `diskboot.img` is one.
const SECTOR: usize = 512;

/// Fields of `lzma_decompress.img`.
const COMPRESSED_LENGTH: usize = 8;
const LENGTH: usize = 12;

/// The last entry of the list of blocks in `diskboot.img`: the first sector, their count, and the segment to load them to.
const BLOCKS: usize = SECTOR - 12;
/// Real-mode segment of byte 0x8200, behind `diskboot.img` at 0x8000.
const SEGMENT: u16 = 0x820;

/// What is loaded at 0x8200 ends before 0x78000, where GRUB's stack and buffers are.
const ROOM: usize = 0x78000 - 0x8200;

/// As GRUB's decompressor expects it: these literal and position bits, this dictionary, neither header nor end marker.
fn options() -> LzmaOptions {
    LzmaOptions {
        dict_size: 1 << 16,
        lc: 3,
        lp: 0,
        pb: 2,
        mode: EncodeMode::Normal,
        nice_len: 273,
        mf: MfType::Bt4,
        depth_limit: 0,
        ..LzmaOptions::default()
    }
}

/// The image for El Torito without emulation. GRUB's boot code for sticks starts it too.
///
/// # Errors
/// A file is not what its name says, or the image is too large.
pub fn el_torito(images: &Images<'_>, embedded: &Embedded<'_>) -> Result<Vec<u8>, GrubError> {
    if images.cdboot.len() != CD_SECTOR {
        let length = images.cdboot.len();
        return Err(wrong("cdboot.img", format!("has {length} bytes, not {CD_SECTOR}")));
    }
    if images.diskboot.len() != SECTOR {
        let length = images.diskboot.len();
        return Err(wrong("diskboot.img", format!("has {length} bytes, not {SECTOR}")));
    }
    if images.decompressor.len() < SECTOR {
        return Err(wrong("lzma_decompress.img", "is too short"));
    }
    let mut unpacked = kernel::flat(images.kernel)?;
    unpacked.extend(encode(embedded, Width::Bits32));
    let compressed = compress(&unpacked)?;
    let mut core = images.decompressor.to_vec();
    core[COMPRESSED_LENGTH..][..4].copy_from_slice(&(compressed.len() as u32).to_le_bytes());
    core[LENGTH..][..4].copy_from_slice(&(unpacked.len() as u32).to_le_bytes());
    core.extend(compressed);
    if core.len() > ROOM {
        return Err(GrubError::TooLarge {
            length: core.len(),
            room: ROOM,
        });
    }
    let mut image = images.cdboot.to_vec();
    image.extend_from_slice(images.diskboot);
    let sectors = core.len().div_ceil(SECTOR) as u16;
    let blocks = &mut image[CD_SECTOR + BLOCKS..];
    blocks[8..10].copy_from_slice(&sectors.to_le_bytes());
    blocks[10..12].copy_from_slice(&SEGMENT.to_le_bytes());
    image.extend(core);
    Ok(image)
}

fn compress(bytes: &[u8]) -> Result<Vec<u8>, GrubError> {
    let packed = LzmaWriter::new_no_header(Vec::new(), &options(), false).and_then(|mut writer| {
        writer.write_all(bytes)?;
        writer.finish()
    });
    packed.map_err(|error| wrong("kernel.img", format!("cannot be compressed: {error}")))
}
