//! The built-in loader's menu file, as far as an image shows it.

/// Where it is in the image.
pub const PATH: [&str; 3] = ["boot", "isobuild", "menu.cfg"];

/// The most entries that the loader shows.
pub const MOST_ENTRIES: usize = 64;

/// The most bytes that it may have: what the loader sets aside for it.
pub const LARGEST: usize = 64 << 10;

/// Key and value of each line of an entry.
type Lines<'a> = Vec<(&'a [u8], &'a [u8])>;

/// What stands before the entries, and each entry that the loader shows.
fn parts(menu: &[u8]) -> (Lines<'_>, Vec<Lines<'_>>) {
    let lines = menu.split(|&byte| byte == b'\n').filter_map(pair);
    let mut entries: Vec<Lines<'_>> = vec![Vec::new()];
    for (key, value) in lines {
        if key == b"entry" {
            entries.push(Vec::new());
        }
        if let Some(entry) = entries.last_mut() {
            entry.push((key, value));
        }
    }
    let head = entries.remove(0);
    entries.truncate(MOST_ENTRIES);
    (head, entries)
}

/// The lines of each entry that the loader shows, in their order.
pub fn entries(menu: &[u8]) -> Vec<Lines<'_>> {
    parts(menu).1
}

/// The number of the default entry, from 1.
pub fn default(menu: &[u8]) -> usize {
    let (head, _) = parts(menu);
    let value = head.iter().find(|(key, _)| *key == b"default");
    let number = value.and_then(|(_, number)| str::from_utf8(number).ok()?.parse().ok());
    number.unwrap_or(1)
}

/// `key = value`, without the blanks around the sign.
pub(crate) fn pair(line: &[u8]) -> Option<(&[u8], &[u8])> {
    if line.starts_with(b"#") {
        return None;
    }
    let at = line.iter().position(|&byte| byte == b'=')?;
    let (key, value) = (line[..at].trim_ascii(), &line[at + 1..]);
    Some((key, value.strip_prefix(b" ").unwrap_or(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_menu_has_so_many_entries_and_a_default() {
        let menu =
            b"# default = 9\nid = 0\ndefault = 3\n\nentry = A\nkernel = /old\n\nentry = B = b\nkernel = /boot/a b\n";
        assert_eq!(default(menu), 3);
        let line = |key: &'static [u8], value: &'static [u8]| (key, value);
        let b = [line(b"entry", b"B = b"), line(b"kernel", b"/boot/a b")];
        assert_eq!(entries(menu)[1], b);
        assert_eq!((default(b""), entries(b"").len()), (1, 0));
        assert_eq!(entries(&b"entry = x\nkernel = /k\n".repeat(100)).len(), 64);
    }
}
