//! What the linker has made: the sections of an ELF file that are loaded.

use object::elf::R_X86_64_RELATIVE;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, SectionKind};

/// A linked program.
pub(crate) struct Sections {
    /// The address at which it is entered.
    pub(crate) entry: u64,
    /// The sections with an address, in its order.
    pub(crate) sections: Vec<Section>,
    /// Addresses of eight bytes that hold an address of the program, with that address.
    pub(crate) relocations: Vec<(u64, u64)>,
}

/// A section that is loaded.
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) address: u64,
    /// Bytes in memory; where they are more than [`Section::bytes`], zeros follow.
    pub(crate) size: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Section {
    /// The address behind the last byte in memory.
    pub(crate) fn end(&self) -> u64 {
        self.address + self.size
    }
}

/// What is in the file for the dynamic linker of an operating system.
const DYNAMIC: [&str; 6] = [".rela.dyn", ".dynamic", ".dynsym", ".dynstr", ".hash", ".gnu.hash"];

impl Sections {
    pub(crate) fn read(elf: &[u8]) -> Result<Self, String> {
        let file = ElfFile64::<object::Endianness>::parse(elf).map_err(|e| format!("the linked program: {e}"))?;
        let mut sections = Vec::new();
        let mut relocations = Vec::new();
        for section in file.sections() {
            let name = section.name().map_err(|e| e.to_string())?.to_owned();
            let bytes = section.data().map_err(|e| format!("{name}: {e}"))?;
            if name == ".rela.dyn" {
                relocations = relative(bytes)?;
            }
            if section.address() == 0 || section.size() == 0 || DYNAMIC.contains(&name.as_str()) {
                continue;
            }
            let bytes = match section.kind() {
                SectionKind::UninitializedData => Vec::new(),
                _ => bytes.to_vec(),
            };
            sections.push(Section {
                name,
                address: section.address(),
                size: section.size(),
                bytes,
            });
        }
        sections.sort_by_key(|section| section.address);
        Ok(Self {
            entry: file.entry(),
            sections,
            relocations,
        })
    }

    /// A section by its name.
    pub(crate) fn named(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }
}

/// `Elf64_Rela`: place, kind, value. A program that needs any other kind of relocation cannot be a PE image.
fn relative(bytes: &[u8]) -> Result<Vec<(u64, u64)>, String> {
    let mut relocations = Vec::new();
    for entry in bytes.as_chunks::<24>().0 {
        let [place, kind, value] = [0, 8, 16].map(|at| {
            let mut word = [0; 8];
            word.copy_from_slice(&entry[at..at + 8]);
            u64::from_le_bytes(word)
        });
        if kind != u64::from(R_X86_64_RELATIVE) {
            return Err(format!("a relocation of kind {kind:#x} at {place:#x}"));
        }
        relocations.push((place, value));
    }
    relocations.sort_unstable();
    Ok(relocations)
}
