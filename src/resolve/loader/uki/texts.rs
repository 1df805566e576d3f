//! The texts in a unified kernel image.

use crate::formats::pe::Pe;
use crate::ground::read_at::ReadAt;

/// A default os-release(5). `ID=linux` is its value for systems without an id.
pub(super) fn os_release(title: &str) -> Vec<u8> {
    let mut quoted = String::new();
    for letter in title.chars() {
        if matches!(letter, '"' | '$' | '\\' | '`') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    format!("ID=linux\nNAME=\"{quoted}\"\nPRETTY_NAME=\"{quoted}\"\n").into_bytes()
}

/// `.profile`: the name for programs, and the one for menus. systemd-boot shows a title in brackets behind the image's own.
pub(super) fn profile(id: &str, title: Option<&str>) -> String {
    let title = title.map_or_else(String::new, |title| format!("TITLE={title}\n"));
    format!("ID={id}\n{title}")
}

/// The kernel's version, as `uname -r` shows it. An x86 kernel has a pointer to it in its header (Linux, Documentation/arch/x86/boot.rst,
/// `kernel_version`). Other kernels have it in their banner (init/version.c), which cannot be found in a compressed kernel.
pub(super) fn uname(kernel: &dyn ReadAt) -> Option<String> {
    let is_x86 = kernel.read_vec_at(0x202, 4).is_ok_and(|magic| magic == b"HdrS");
    let text = match is_x86 {
        true => {
            let field: [u8; 2] = kernel.read_vec_at(0x20E, 2).ok()?.try_into().ok()?;
            text_at(kernel, u64::from(u16::from_le_bytes(field)) + 0x200)?
        }
        false => banner(kernel)?,
    };
    let word = text.split(|byte| byte.is_ascii_whitespace() || *byte == 0).next()?;
    let word = str::from_utf8(word).ok()?;
    let is_version = word.starts_with(|letter: char| letter.is_ascii_digit()) && !word.contains(char::is_control);
    is_version.then(|| word.to_owned())
}

/// The longest version that Linux has (include/linux/utsname.h).
const LONGEST_VERSION: u64 = 64;

fn text_at(kernel: &dyn ReadAt, at: u64) -> Option<Vec<u8>> {
    let length = kernel.size().checked_sub(at)?.min(LONGEST_VERSION);
    kernel.read_vec_at(at, length).ok()
}

/// The text behind `Linux version `, if it begins with a digit.
fn banner(kernel: &dyn ReadAt) -> Option<Vec<u8>> {
    const MARK: &[u8] = b"Linux version ";
    const PIECE: u64 = 1 << 20;
    let mut start = 0;
    while start < kernel.size() {
        let length = (kernel.size() - start).min(PIECE);
        let piece = kernel.read_vec_at(start, length).ok()?;
        for (at, _) in piece
            .windows(MARK.len())
            .enumerate()
            .filter(|(_, bytes)| *bytes == MARK)
        {
            let text = text_at(kernel, start + (at + MARK.len()) as u64)?;
            if text.first().is_some_and(u8::is_ascii_digit) {
                return Some(text);
            }
        }
        // Pieces overlap, because the mark may cross a border.
        start += PIECE - MARK.len() as u64;
    }
    None
}

/// The text of a section, without the zeros behind it.
pub(super) fn section(program: &Pe, file: &dyn ReadAt, name: &str) -> Option<Vec<u8>> {
    let section = program.section(name)?;
    let bytes = file.read_vec_at(section.offset, section.length).ok()?;
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    Some(bytes[..end].to_vec())
}

/// The first line of every list of generations (shim, SBAT.md).
const FIRST: &str = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md";

/// Checks that every line has a component and a generation, as `.sbat` needs them.
pub(super) fn is_sbat(text: &[u8]) -> Result<(), String> {
    let text = str::from_utf8(text).map_err(|_| "it is not UTF-8")?;
    let mut lines = text.lines().filter(|line| !line.is_empty()).peekable();
    if lines.peek().is_none() {
        return Err("it has no lines".into());
    }
    for line in lines {
        let mut fields = line.split(',');
        let component = fields.next().unwrap_or_default();
        let generation: Option<u32> = fields.next().and_then(|number| number.parse().ok());
        if component.is_empty() || generation.is_none_or(|number| number == 0) || line.contains(char::is_control) {
            return Err(format!(
                "{line:?} is not a component, its generation and more, with commas between"
            ));
        }
    }
    Ok(())
}

/// Joins lists, without lines that are there already.
pub(super) fn sbat(lists: &[Vec<u8>]) -> Vec<u8> {
    let mut all = vec![FIRST.to_owned()];
    for list in lists {
        let list = String::from_utf8_lossy(list);
        for line in list
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("sbat,"))
        {
            if !all.iter().any(|other| other == line) {
                all.push(line.to_owned());
            }
        }
    }
    all.push(String::new());
    all.join("\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_says_its_version() {
        let mut x86 = vec![0; 0x400];
        x86[0x202..0x206].copy_from_slice(b"HdrS");
        x86[0x20E..0x210].copy_from_slice(&0x80_u16.to_le_bytes());
        x86[0x280..0x29A].copy_from_slice(b"6.1.0-50-amd64 (debian) #1");
        assert_eq!(uname(&x86).as_deref(), Some("6.1.0-50-amd64"));
        x86[0x20E..0x210].copy_from_slice(&0xFFFF_u16.to_le_bytes());
        assert_eq!(uname(&x86), None);
        let mut arm = vec![0; (1 << 20) - 5];
        arm.extend_from_slice(b"Linux version %s\0Linux version 6.12.1 (gcc)");
        assert_eq!(uname(&arm).as_deref(), Some("6.12.1"));
        assert_eq!(uname(&vec![0; 100]), None);
    }

    /// os-release(5): quotation marks, `$`, backslashes and backticks have a backslash before them.
    #[test]
    fn a_title_is_quoted() {
        let text = String::from_utf8(os_release("A \"$b\" `c` \\")).unwrap();
        assert_eq!(text.lines().last(), Some(r#"PRETTY_NAME="A \"\$b\" \`c\` \\""#));
    }

    #[test]
    fn generations_are_joined() {
        let stub =
            b"sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\nsystemd,1,a\n".to_vec();
        let joined = sbat(&[
            stub,
            b"sbat,1,x\nlinux,1,b".to_vec(),
            b"systemd,1,a\nmine,2,c\n".to_vec(),
        ]);
        let text = String::from_utf8(joined).unwrap();
        assert_eq!(text, format!("{FIRST}\nsystemd,1,a\nlinux,1,b\nmine,2,c\n"));
        assert!(is_sbat(b"mine,1,Me,mine,1,https://example.org\n").is_ok());
        for wrong in [
            &b""[..],
            b"\n",
            b"mine",
            b"mine,x",
            b"mine,0",
            b",1",
            b"\xff,1",
            b"a,1,\x07",
        ] {
            assert!(is_sbat(wrong).is_err(), "{wrong:?}");
        }
    }
}
