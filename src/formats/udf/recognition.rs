//! The volume recognition sequence (ECMA-167 2/8): that there is UDF.

use std::io;

use crate::ground::read_at::ReadAt;

/// ECMA-167 2/8.2: where the sequence begins, behind 16 sectors of 2048 bytes.
const START: u64 = 32 << 10;

/// The length of a descriptor (ECMA-167 2/9.1).
const SECTOR: u64 = 2048;

/// Descriptors that are looked at.
const SEQUENCE: u64 = 64;

/// Whether the image says that it holds UDF.
pub fn is_announced(image: &dyn ReadAt) -> io::Result<bool> {
    Ok(recognition_sequence(image)?.is_some())
}

/// Byte offset and length of the descriptors that announce UDF, if it is announced.
pub fn recognition_sequence(image: &dyn ReadAt) -> io::Result<Option<(u64, u64)>> {
    // ECMA-167 2/8.3: a descriptor begins a sector, where sectors are longer than itself.
    for step in [SECTOR, 2 * SECTOR] {
        let (mut start, mut announced) = (None, false);
        for number in 0..SEQUENCE {
            let mut identifier = [0; 5];
            let offset = START + number * step;
            if offset + SECTOR > image.size() {
                break;
            }
            image.read_exact_at(&mut identifier, offset + 1)?;
            match &identifier {
                b"CD001" if start.is_none() => continue,
                b"BEA01" | b"BOOT2" | b"CDW02" => {}
                b"NSR02" | b"NSR03" => announced = true,
                b"TEA01" if announced => {
                    let start = start.unwrap_or(offset);
                    return Ok(Some((start, offset + SECTOR - start)));
                }
                _ => break,
            }
            start = start.or(Some(offset));
        }
    }
    Ok(None)
}
