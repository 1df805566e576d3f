//! shim's fallback, `fb*.efi`, and the lists that it reads (shim, `README.fallback`).

use crate::facts::LoaderFacts;

use super::loader_paths::{is_beside_loader, is_in_directory};

/// The longest list of shim's fallback that is read, in bytes.
pub(crate) const LONGEST_LIST: u64 = 64 << 10;

/// Whether the path is of a list that shim's fallback reads.
pub(crate) fn is_list(path: &str) -> bool {
    is_in_directory(path, ".CSV") && !path.to_ascii_uppercase().starts_with("/EFI/BOOT/")
}

/// Tells the fallback for each machine what the lists at these paths name: UTF-16 lines of a file in the list's directory, a title, options and
/// a comment. Of a directory's lists `BOOTX64.CSV` counts, and without it `BOOT.CSV`.
pub(crate) fn with_lists(loaders: &mut [LoaderFacts], lists: &[(String, Vec<u8>)]) {
    for loader in loaders {
        let Some((_, name)) = loader.path.rsplit_once('/') else {
            continue;
        };
        if !is_beside_loader(&loader.path) || !name.eq_ignore_ascii_case(&format!("fb{}.efi", loader.machine_word())) {
            continue;
        }
        let own = format!("BOOT{}.CSV", loader.machine_word().to_ascii_uppercase());
        let mut read = Vec::new();
        for wanted in [own.as_str(), "BOOT.CSV"] {
            for (path, bytes) in lists {
                let Some((directory, name)) = path.rsplit_once('/') else {
                    continue;
                };
                if name.eq_ignore_ascii_case(wanted) && !read.contains(&directory) {
                    read.push(directory);
                    let file = first_of_list(bytes);
                    loader.listed.extend(file.map(|file| format!("{directory}/{file}")));
                }
            }
        }
    }
}

fn first_of_list(bytes: &[u8]) -> Option<String> {
    let units: Vec<u16> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|unit| u16::from_le_bytes(*unit))
        .collect();
    let text = String::from_utf16_lossy(&units);
    let first = text.trim_start_matches('\u{feff}').lines().next()?;
    let file = first.split(',').next()?.trim();
    (!file.is_empty()).then(|| file.replace('\\', "/").trim_start_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::pe::Machine;

    #[test]
    fn a_list_names_a_file_beside_itself() {
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let fallback = |machine: Machine| LoaderFacts {
            path: format!("/EFI/BOOT/fb{machine}.efi"),
            machine: Some(machine),
            ..LoaderFacts::default()
        };
        let lists = [
            ("/EFI/acme/BOOT.CSV", utf16("old.efi,x,,\n")),
            (
                "/EFI/acme/bootx64.csv",
                utf16("\u{feff}shimx64.efi,Acme,,Comment\r\nsecond.efi,,,\n"),
            ),
            ("/EFI/b/BOOT.CSV", utf16("\\sub\\g.efi, G")),
            ("/EFI/c/BOOTX64.CSV", vec![0xFF]),
        ];
        let lists = lists.map(|(path, bytes)| (path.to_owned(), bytes));
        let mut loaders = [fallback(Machine::X64), fallback(Machine::Ia32)];
        with_lists(&mut loaders, &lists);
        assert_eq!(loaders[0].listed, ["/EFI/acme/shimx64.efi", "/EFI/b/sub/g.efi"]);
        assert_eq!(loaders[1].listed, ["/EFI/acme/old.efi", "/EFI/b/sub/g.efi"]);
        assert!(is_list("/efi/acme/BOOTX64.csv") && !is_list("/EFI/BOOT/BOOTX64.CSV") && !is_list("/EFI/a/b/BOOT.CSV"));
    }
}
