//! Modules of SYSLINUX 5 and later: ELF shared objects that name the others that they need (System V ABI, "Dynamic Section").

use object::{Object, ObjectSection};

/// `d_tag` of a needed library, and of the end.
const NEEDED: u32 = 1;
const END: u32 = 0;

/// The file names of the modules that a module needs. `None` if the file is not a module.
pub fn needed(module: &[u8]) -> Option<Vec<String>> {
    let file = object::File::parse(module).ok()?;
    let section = |name: &str| file.section_by_name(name)?.data().ok();
    let (dynamic, names) = (section(".dynamic")?, section(".dynstr")?);
    let word = |entry: &[u8], at: usize| Some(u32::from_le_bytes(*entry.get(at..)?.first_chunk()?));
    let mut needed = Vec::new();
    for entry in dynamic.chunks_exact(8) {
        match (word(entry, 0)?, word(entry, 4)?) {
            (END, _) => break,
            (NEEDED, at) => {
                let name = names.get(at as usize..)?.split(|&byte| byte == 0).next()?;
                needed.push(String::from_utf8(name.to_vec()).ok()?);
            }
            _ => {}
        }
    }
    Some(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_module_needs_nothing() {
        for bytes in [&b""[..], b"\x7fELF", b"menu.c32"] {
            assert_eq!(needed(bytes), None);
        }
    }
}
