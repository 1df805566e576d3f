//! The menu file, `/boot/isobuild/menu.cfg`: lines of `key = value`.
//!
//! ```text
//! # a comment
//! id = 00112233445566778899aabbccddeeff
//! title = ACME 1.4
//! timeout = 5
//! default = 1
//! serial = 115200
//!
//! entry = Install
//! kernel = /boot/vmlinuz
//! initrd = /boot/initrd.img
//! cmdline = quiet
//! firmware = bios uefi
//! ```
//!
//! What stands before the first `entry` concerns the menu. A value is everything behind the `=` and one space, to the
//! line's end. Keys that are not known are passed over, so that an older loader reads a newer file.

/// The path of the menu file in the image.
pub const PATH: &[u8] = b"/boot/isobuild/menu.cfg";

/// The most bytes that a menu file may have: what the BIOS front end sets aside for it.
pub const LARGEST: usize = 64 * 1024;

/// The most bytes of a program for BIOS that is not in Linux's form, and goes to 0x7c00.
pub const LARGEST_PROGRAM: u64 = 96 * 1024;

/// How many hexadecimal digits an image's id has.
pub const ID_LENGTH: usize = 32;

/// A menu, read where it stands.
#[derive(Clone, Copy)]
pub struct Menu<'a> {
    head: &'a [u8],
    entries: &'a [u8],
}

/// One entry, read where it stands.
#[derive(Clone, Copy, Default)]
pub struct Entry<'a> {
    /// What the menu shows.
    pub title: &'a [u8],
    lines: &'a [u8],
}

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Opens the firmware's set-up.
    FirmwareSetup,
    /// Starts the machine again.
    Reboot,
    /// Switches the machine off.
    PowerOff,
    /// Leaves this medium for the next one in the firmware's order.
    NextDevice,
    /// Shows the page about this machine.
    Machine,
}

impl<'a> Menu<'a> {
    /// Reads a menu file's bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        let first = Lines(bytes).scan(0, |at, line| {
            let start = *at;
            *at += line.len() + 1;
            Some((start, line))
        });
        let split = first
            .filter(|(_, line)| matches!(pair(line), Some((b"entry", _))))
            .map(|(start, _)| start)
            .next()
            .unwrap_or(bytes.len());
        let (head, entries) = bytes.split_at(split);
        Self { head, entries }
    }

    /// The image's id, if it is one.
    pub fn id(&self) -> Option<&'a [u8]> {
        value(self.head, b"id").filter(|id| is_id(id))
    }

    /// The title over the menu.
    pub fn title(&self) -> &'a [u8] {
        value(self.head, b"title").unwrap_or(b"isobuild")
    }

    /// Seconds until the default entry starts; `None` waits for ever.
    pub fn timeout(&self) -> Option<u32> {
        match value(self.head, b"timeout") {
            Some(text) => number(text),
            None => Some(5),
        }
    }

    /// The speed of the first serial port, if the console is to be there too.
    pub fn serial(&self) -> Option<u32> {
        value(self.head, b"serial").and_then(number).filter(|&speed| speed > 0)
    }

    /// The number of the entry that is chosen at first, counted from 0.
    pub fn default(&self) -> usize {
        let number = value(self.head, b"default").and_then(number).unwrap_or(1);
        (number as usize).saturating_sub(1)
    }

    /// The entries in their order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let mut rest = self.entries;
        core::iter::from_fn(move || {
            let (title, behind) = first_line(rest)?;
            let (_, title) = pair(title)?;
            let mut length = 0;
            for line in Lines(behind) {
                if matches!(pair(line), Some((b"entry", _))) {
                    break;
                }
                length += line.len() + 1;
            }
            let (lines, next) = behind.split_at(length.min(behind.len()));
            rest = next;
            Some(Entry { title, lines })
        })
    }
}

impl<'a> Entry<'a> {
    /// The path of a Linux kernel in the image.
    pub fn kernel(&self) -> Option<&'a [u8]> {
        value(self.lines, b"kernel")
    }

    /// The paths of the initrds, in the order in which the kernel unpacks them.
    pub fn initrds(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        values(self.lines, b"initrd")
    }

    /// The command line.
    pub fn command_line(&self) -> &'a [u8] {
        value(self.lines, b"cmdline").unwrap_or(b"")
    }

    /// The path of a program that UEFI starts: the one for a processor (`efi-x64`, `efi-ia32`, `efi-aa64`), else the only one.
    pub fn efi(&self, own: &'static [u8]) -> Option<&'a [u8]> {
        value(self.lines, own).or(value(self.lines, b"efi"))
    }

    /// Whether the entry has a unified kernel image for a processor. Such a program holds kernel, initrds and command line.
    pub fn is_unified(&self, own: &'static [u8]) -> bool {
        self.efi(own).is_some() && self.kernel().is_some()
    }

    /// The path of a program that BIOS starts.
    pub fn bios(&self) -> Option<&'a [u8]> {
        value(self.lines, b"bios")
    }

    /// Whether a firmware can start it: `bios`, `uefi`, `uefi-ia32` or `uefi-aa64`. An entry that does not say is for all.
    pub fn is_for(&self, firmware: &str) -> bool {
        value(self.lines, b"firmware").is_none_or(|words| {
            words
                .split(|&byte| byte == b' ')
                .any(|word| word == firmware.as_bytes())
        })
    }

    /// Whether it starts something that has a command line.
    pub fn is_editable(&self) -> bool {
        self.action().is_none()
    }

    /// What the entry does, if it starts nothing from the image.
    pub fn action(&self) -> Option<Action> {
        Some(match value(self.lines, b"action")? {
            b"firmware-setup" => Action::FirmwareSetup,
            b"reboot" => Action::Reboot,
            b"poweroff" => Action::PowerOff,
            b"next-device" => Action::NextDevice,
            b"machine" => Action::Machine,
            _ => return None,
        })
    }
}

/// Whether a text is an image's id: 32 hexadecimal digits, not all of them zero.
pub fn is_id(text: &[u8]) -> bool {
    text.len() == ID_LENGTH && text.iter().all(u8::is_ascii_hexdigit) && text.iter().any(|&digit| digit != b'0')
}

/// The lines of a file, without what ends them.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (line, rest) = first_line(self.0)?;
        self.0 = rest;
        Some(line)
    }
}

fn first_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if bytes.is_empty() {
        return None;
    }
    let end = bytes.iter().position(|&byte| byte == b'\n');
    let end = end.unwrap_or(bytes.len());
    Some((&bytes[..end], bytes.get(end + 1..).unwrap_or(&[])))
}

/// A line's key and value.
fn pair(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let equals = line.iter().position(|&byte| byte == b'=')?;
    let value = &line[equals + 1..];
    let key = line[..equals].trim_ascii();
    (!key.starts_with(b"#")).then(|| (key, value.strip_prefix(b" ").unwrap_or(value)))
}

fn values<'a>(lines: &'a [u8], key: &'static [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    Lines(lines)
        .filter_map(pair)
        .filter(move |(found, _)| *found == key)
        .map(|(_, value)| value)
}

fn value<'a>(lines: &'a [u8], key: &'static [u8]) -> Option<&'a [u8]> {
    values(lines, key).next()
}

/// A decimal number and nothing else.
fn number(text: &[u8]) -> Option<u32> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u32, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const FILE: &[u8] =
        b"# isobuild\nid = 00112233445566778899aabbccddeeff\ntitle = ACME\ntimeout = -1\r\ndefault = 2\n\
        serial = 115200\n\nentry = Install = now\nkernel = /boot/vmlinuz\ninitrd = /a\ninitrd =  b \ncmdline = a=b  c\n\
        \nentry = Off\naction = poweroff\n#kernel = /x\nnew-key = 1";

    #[test]
    fn a_menu_is_read_where_it_stands() {
        let menu = Menu::new(FILE);
        assert_eq!(menu.id(), Some(&b"00112233445566778899aabbccddeeff"[..]));
        assert_eq!((menu.title(), menu.timeout()), (&b"ACME"[..], None));
        assert_eq!((menu.serial(), menu.default()), (Some(115_200), 1));
        let entries: Vec<_> = menu.entries().collect();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].title, b"Install = now");
        assert_eq!(entries[0].kernel(), Some(&b"/boot/vmlinuz"[..]));
        assert_eq!(entries[0].initrds().collect::<Vec<_>>(), [&b"/a"[..], b" b "]);
        assert_eq!(entries[0].command_line(), b"a=b  c");
        assert_eq!(
            (entries[0].action(), entries[0].efi(b"efi-x64"), entries[0].bios()),
            (None, None, None)
        );
        assert_eq!(
            (entries[1].action(), entries[1].kernel()),
            (Some(Action::PowerOff), None)
        );
    }

    #[test]
    fn a_program_may_be_for_one_processor() {
        let menu = Menu::new(b"entry = x\nefi-x64 = /a\nefi-ia32 = /b\nentry = y\nefi = /c\n");
        let by = |own| {
            menu.entries()
                .map(|entry| entry.efi(own).map(<[u8]>::to_vec))
                .collect::<Vec<_>>()
        };
        let path = |path: &[u8]| Some(path.to_vec());
        assert_eq!(by(b"efi-x64"), [path(b"/a"), path(b"/c")]);
        assert_eq!(by(b"efi-ia32"), [path(b"/b"), path(b"/c")]);
        assert_eq!(by(b"efi-aa64"), [None, path(b"/c")]);
    }

    #[test]
    fn a_kernel_may_have_a_program_that_holds_all_of_it() {
        let menu = Menu::new(
            b"entry = x\nkernel = /k\ninitrd = /i\nefi-x64 = /u\nentry = y\nkernel = /k\nentry = z\nefi = /p\n",
        );
        let unified: Vec<_> = menu
            .entries()
            .map(|entry| [&b"efi-x64"[..], b"efi-ia32"].map(|own| entry.is_unified(own)))
            .collect();
        assert_eq!(unified, [[true, false], [false; 2], [false; 2]]);
    }

    #[test]
    fn what_is_missing_or_wrong_has_a_sensible_value() {
        let menu = Menu::new(b"id = 0000\ntimeout = 99999999999\nserial = 0\n");
        assert_eq!((menu.id(), menu.timeout(), menu.serial()), (None, None, None));
        assert_eq!(menu.entries().count(), 0);
        let menu = Menu::new(b"");
        assert_eq!(
            (menu.timeout(), menu.default(), menu.title()),
            (Some(5), 0, &b"isobuild"[..])
        );
        assert!(!is_id(&[b'0'; 32]), "zeros are the place of an id, not an id");
    }
}
