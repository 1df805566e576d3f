//! A program for UEFI: GRUB's kernel, a relocatable object, linked for address 0, and the modules behind it.

mod apply;

use object::{Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget, SectionIndex, SymbolSection};

use super::kernel::{Part, part};
use super::module_area::{Width, encode};
use super::{Embedded, GrubError, wrong};

/// Sections of the program are multiples of it, in the file as in memory. The headers take the first.
pub const PAGE: usize = 4096;

/// The time in the headers of all programs that grub-mkimage makes: the first second of 2015.
pub const TIME: u32 = 0x54A4_8E00;

const NAME: &str = "kernel.img";

/// All of a kernel in memory is some 120 KB.
const LARGEST: usize = 16 << 20;

/// A linked program. Addresses count from the image's first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// The code, at [`PAGE`].
    pub text: Vec<u8>,
    /// Data, and zeros for what has no value at first; behind the code.
    pub data: Vec<u8>,
    /// The modules, behind the data.
    pub modules: Vec<u8>,
    /// Where the program begins.
    pub entry: u32,
    /// Fields that hold addresses of the image, which firmware changes if it loads the image elsewhere: where each is, and whether it has 64
    /// bits.
    pub fixups: Vec<(u32, bool)>,
}

/// The kernel's sections at their addresses.
struct Layout {
    /// All bytes, those of the headers too.
    image: Vec<u8>,
    /// Address of each section that is loaded, by its number.
    sections: Vec<(SectionIndex, u64)>,
    data: usize,
}

/// Links a kernel, and lays the modules behind it.
///
/// # Errors
/// The kernel is not a relocatable object of a processor that UEFI has, or has relocations of an unknown kind.
pub fn link(kernel: &[u8], embedded: &Embedded<'_>) -> Result<Linked, GrubError> {
    let file = object::File::parse(kernel).map_err(|error| wrong(NAME, format!("is not an ELF file: {error}")))?;
    if file.kind() != object::ObjectKind::Relocatable {
        return Err(wrong(NAME, "is not a relocatable object, as GRUB's for UEFI is"));
    }
    let mut layout = lay_out(&file)?;
    let mut fixups = Vec::new();
    for index in 0..layout.sections.len() {
        relocate(&file, &mut layout, index, &mut fixups)?;
    }
    let entry = file
        .symbols()
        .find(|symbol| matches!(symbol.name(), Ok("_start" | "start")));
    let entry = entry.ok_or_else(|| wrong(NAME, "has no symbol _start"))?;
    let entry = layout.address_of(&entry)? as u32;
    let width = if file.is_64() { Width::Bits64 } else { Width::Bits32 };
    let mut modules = encode(embedded, width);
    modules.resize(modules.len().next_multiple_of(PAGE), 0);
    Ok(Linked {
        text: layout.image[PAGE..layout.data].to_vec(),
        data: layout.image[layout.data..].to_vec(),
        modules,
        entry,
        fixups,
    })
}

/// Gives each section its address: code first, on a page of their own data, and behind it zeros.
fn lay_out(file: &object::File<'_>) -> Result<Layout, GrubError> {
    let mut layout = Layout {
        image: vec![0; PAGE],
        sections: Vec::new(),
        data: PAGE,
    };
    for wanted in [Part::Code, Part::Data, Part::Zeros] {
        if wanted == Part::Data {
            layout.pad(PAGE);
            layout.data = layout.image.len();
        }
        for section in file.sections().filter(|section| part(section) == Some(wanted)) {
            let align = section.align().clamp(1, PAGE as u64) as usize;
            layout.pad(align);
            layout.sections.push((section.index(), layout.image.len() as u64));
            let end = (layout.image.len() as u64).saturating_add(section.size());
            if end > LARGEST as u64 {
                return Err(wrong(NAME, "is too large for a kernel of GRUB"));
            }
            let data = section
                .data()
                .map_err(|error| wrong(NAME, format!("is damaged: {error}")))?;
            layout.image.extend_from_slice(data);
            layout.image.resize(end as usize, 0);
        }
    }
    layout.pad(PAGE);
    Ok(layout)
}

impl Layout {
    fn pad(&mut self, align: usize) {
        self.image.resize(self.image.len().next_multiple_of(align), 0);
    }

    fn address(&self, section: SectionIndex) -> Option<u64> {
        let known = self.sections.iter().find(|(index, _)| *index == section);
        known.map(|(_, address)| *address)
    }

    fn address_of<'d>(&self, symbol: &impl ObjectSymbol<'d>) -> Result<u64, GrubError> {
        let section = match symbol.section() {
            SymbolSection::Section(index) => self.address(index),
            _ => None,
        };
        let name = symbol.name().unwrap_or_default();
        let section =
            section.ok_or_else(|| wrong(NAME, format!("needs the symbol {name:?}, which it does not have")))?;
        Ok(section.wrapping_add(symbol.address()))
    }
}

/// Fills in the addresses that one section names.
fn relocate(
    file: &object::File<'_>,
    layout: &mut Layout,
    index: usize,
    fixups: &mut Vec<(u32, bool)>,
) -> Result<(), GrubError> {
    let (section, start) = layout.sections[index];
    let section = file.section_by_index(section);
    let section = section.map_err(|error| wrong(NAME, format!("is damaged: {error}")))?;
    for (offset, relocation) in section.relocations() {
        let (RelocationFlags::Elf { r_type }, RelocationTarget::Symbol(symbol)) =
            (relocation.flags(), relocation.target())
        else {
            return Err(wrong(NAME, "has a relocation without a symbol"));
        };
        let symbol = file.symbol_by_index(symbol);
        let symbol = symbol.map_err(|error| wrong(NAME, format!("is damaged: {error}")))?;
        let target = layout.address_of(&symbol)?;
        let at = start.wrapping_add(offset);
        let field = apply::Field {
            architecture: file.architecture(),
            kind: r_type,
            at,
            target: target.wrapping_add_signed(relocation.addend()),
        };
        let place = usize::try_from(at).ok().and_then(|at| layout.image.get_mut(at..));
        let place = place.ok_or_else(|| wrong(NAME, "has a relocation outside of its sections"))?;
        let is_wide = field.apply(place).map_err(|what| wrong(NAME, what))?;
        fixups.extend(is_wide.map(|is_wide| (at as u32, is_wide)));
    }
    Ok(())
}
