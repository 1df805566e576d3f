//! Flat images: the sections at their addresses, and nothing else.

use super::sections::Sections;

/// The image of a program that is loaded to `base` and entered at its first byte.
pub(crate) fn image(elf: &Sections, base: u64) -> Result<Vec<u8>, String> {
    let mut image = Vec::new();
    if elf.entry != base {
        return Err(format!("it is entered at {:#x}, not at {base:#x}", elf.entry));
    }
    for section in &elf.sections {
        let offset = section
            .address
            .checked_sub(base)
            .and_then(|offset| usize::try_from(offset).ok());
        let offset = offset.ok_or_else(|| format!("{} lies below the image", section.name))?;
        if offset < image.len() {
            return Err(format!("{} overlaps what is before it", section.name));
        }
        if section.bytes.len() as u64 != section.size {
            return Err(format!("{} is not in the file", section.name));
        }
        image.resize(offset, 0);
        image.extend_from_slice(&section.bytes);
    }
    Ok(image)
}
