//! GRUB's kernel, an ELF file, as the bytes in memory that it stands for.

use object::{Object, ObjectSection, SectionFlags, elf};

use super::{GrubError, wrong};

/// How the sections of the kernel come to lie: code, then data, then zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Code,
    Data,
    Zeros,
}

/// What a section is part of. `None` for those that are not loaded.
pub(super) fn part<'d>(section: &impl ObjectSection<'d>) -> Option<Part> {
    let SectionFlags::Elf { sh_flags, .. } = section.flags() else {
        return None;
    };
    let is = |flag: elf::SectionFlags| sh_flags.0 & flag.0 != 0;
    match section.kind() {
        _ if !is(elf::SHF_ALLOC) => None,
        object::SectionKind::UninitializedData => Some(Part::Zeros),
        _ if is(elf::SHF_EXECINSTR) => Some(Part::Code),
        _ => Some(Part::Data),
    }
}

/// An executable kernel from its first byte to the last that is not zero at first: GRUB's for BIOS.
pub(super) fn flat(kernel: &[u8]) -> Result<Vec<u8>, GrubError> {
    const NAME: &str = "kernel.img";
    /// All of a kernel is some 30 KB.
    const LARGEST: u64 = 1 << 20;
    let file = object::File::parse(kernel).map_err(|error| wrong(NAME, format!("is not an ELF file: {error}")))?;
    let is_loaded = |section: &object::Section<'_, '_>| matches!(part(section), Some(Part::Code | Part::Data));
    let sections: Vec<_> = file.sections().filter(is_loaded).collect();
    let first = sections.iter().map(|section| section.address()).min();
    let first = first.ok_or_else(|| wrong(NAME, "has no code"))?;
    let mut bytes = Vec::new();
    for section in sections {
        let data = section
            .data()
            .map_err(|error| wrong(NAME, format!("is damaged: {error}")))?;
        let start = section.address() - first;
        let end = start.saturating_add(data.len() as u64);
        if end > LARGEST {
            return Err(wrong(NAME, "is too large for a kernel of GRUB"));
        }
        let (start, end) = (start as usize, end as usize);
        bytes.resize(bytes.len().max(end), 0);
        bytes[start..end].copy_from_slice(data);
    }
    Ok(bytes)
}
