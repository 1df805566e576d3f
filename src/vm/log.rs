//! What a machine says, as text: logs are bytes that firmware, loaders and systems send to a terminal.

use std::fs;
use std::path::Path;

/// The upper half of code page 437, which EDK2 sends its frames in.
const UPPER: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// A log as text; one that is not there has none.
pub(super) fn read(path: &Path) -> String {
    text(&fs::read(path).unwrap_or_default())
}

/// The last words of QEMU itself, without those about what it waits for.
pub(super) fn qemu(logs: &Path, lines: usize) -> Vec<String> {
    let said = read(&logs.join("qemu.log"));
    let said = said
        .lines()
        .filter(|line| !line.contains(": info: "))
        .map(|line| format!("{line}\n"));
    tail(&said.collect::<String>(), lines)
}

/// Bytes of a terminal. What stands between two escape sequences or line ends is UTF-8, or else code page 437.
pub(super) fn text(bytes: &[u8]) -> String {
    let pieces = bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\x1b'));
    let text = |piece: &[u8]| match std::str::from_utf8(piece) {
        Ok(text) => text.to_owned(),
        Err(_) => piece.iter().map(|&byte| code_page_437(byte)).collect(),
    };
    pieces.map(text).collect()
}

/// The character of a byte: below 128 that of ASCII.
pub(super) fn code_page_437(byte: u8) -> char {
    let upper = byte.checked_sub(0x80).and_then(|index| UPPER.chars().nth(index.into()));
    upper.unwrap_or(char::from(byte))
}

/// Longer lines are cut: a guest may well draw over one line for minutes.
const WIDTH: usize = 160;

/// The last lines that have something in them. A guest draws with escape sequences, which a terminal that shows a failure must not obey.
pub(super) fn tail(text: &str, lines: usize) -> Vec<String> {
    let plain = plain(text);
    let all: Vec<&str> = plain
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    let from = all.len().saturating_sub(lines);
    let printable = |line: &&str| {
        let shown = line.chars().take(WIDTH).map(|c| if c.is_control() { '.' } else { c });
        shown.chain((line.chars().count() > WIDTH).then_some('…')).collect()
    };
    all.get(from..).unwrap_or_default().iter().map(printable).collect()
}

/// What a terminal has been sent without its escape sequences (ECMA-48, 5.4: CSI, parameters, a final byte), and with plain line ends
/// wherever it goes to another row.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => match rest.next() {
                Some('[') => {
                    let last = rest.find(|c| ('@'..='~').contains(c));
                    // The cursor goes to another row, or the screen is cleared.
                    if matches!(last, Some('A' | 'B' | 'E' | 'F' | 'H' | 'J' | 'd' | 'f')) && !out.ends_with('\n') {
                        out.push('\n');
                    }
                }
                // A character set is chosen by two characters.
                Some('(' | ')') => drop(rest.next()),
                _ => {}
            },
            '\r' if rest.peek() == Some(&'\n') => {}
            // Rows that are drawn over each other were seen one after the other.
            '\r' => out.push('\n'),
            '\0' => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_not_part_of_what_is_said() {
        assert_eq!(
            plain("\x1b[2J\x1b[01;01Hone\r\n\x1b[0;37;40mtwo\x1b(B\rthree\0"),
            "\none\ntwo\nthree"
        );
        assert_eq!(plain("a\x1b[3;1Hb\x1b[1;5Hc\x1b[Kd"), "a\nb\ncd");
        assert_eq!(plain("cut \x1b["), "cut ");
        assert_eq!(plain("cut \x1b"), "cut ");
    }

    #[test]
    fn a_tail_is_harmless_and_short() {
        assert_eq!(tail("one\n\n  two  \n\x07three\n \n", 2), ["  two", ".three"]);
        assert_eq!(tail("", 3), Vec::<String>::new());
        let long = tail(&"ä".repeat(WIDTH + 1), 1).remove(0);
        assert_eq!(long, "ä".repeat(WIDTH) + "…");
    }

    #[test]
    fn frames_of_both_kinds_are_read() {
        assert_eq!(UPPER.chars().count(), 128);
        // \xc4\xbf alone would be a character in UTF-8.
        assert_eq!(
            text(b"\xda\xc4\xc4\xbf\x1b[H\xe2\x94\x82 \xc3\xa4\n\xb3"),
            "┌──┐\x1b[H│ ä\n│"
        );
    }
}
