//! What a screen shows for a character that it has no picture of.

/// Code page 437 from 0x80: what a PC's text screen can show.
const CODE_PAGE_437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
    αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// Letters by the plain letter that people read for them. Each row's first is the plain one.
const LOOKALIKES: [&str; 44] = [
    "AÀÁÂÃÄÅĀĂĄ",
    "aàáâãäåāăą",
    "CÇĆĈĊČ",
    "cçćĉċč",
    "DÐĎĐ",
    "dðďđ",
    "EÈÉÊËĒĔĖĘĚ",
    "eèéêëēĕėęě",
    "GĜĞĠĢ",
    "gĝğġģ",
    "HĤĦ",
    "hĥħ",
    "IÌÍÎÏĨĪĬĮİ",
    "iìíîïĩīĭįı",
    "JĴ",
    "jĵ",
    "KĶ",
    "kķ",
    "LĹĻĽĿŁ",
    "lĺļľŀł",
    "NÑŃŅŇ",
    "nñńņňŉ",
    "OÒÓÔÕÖØŌŎŐŒ",
    "oòóôõöøōŏőœ",
    "RŔŖŘ",
    "rŕŗř",
    "SŚŜŞŠ",
    "sśŝşšß",
    "TŢŤŦÞ",
    "tţťŧþ",
    "UÙÚÛÜŨŪŬŮŰŲ",
    "uùúûüũūŭůűų",
    "WŴ",
    "wŵ",
    "YÝŶŸ",
    "yýÿŷ",
    "ZŹŻŽ",
    "zźżž",
    "'‘’‚‛",
    "\"“”„",
    "-‐‑‒–—―",
    " \u{a0}\u{2009}",
    ".…·•",
    "x×",
];

/// The byte that a PC's text screen shows for a character.
pub fn code_page_437(character: char) -> Option<u8> {
    if (' '..='~').contains(&character) {
        return u8::try_from(u32::from(character)).ok();
    }
    let position = CODE_PAGE_437.chars().position(|shown| shown == character)?;
    u8::try_from(0x80 + position).ok()
}

/// The ASCII character that people read for another; `?` where there is none.
pub fn plain(character: char) -> char {
    if (' '..='~').contains(&character) {
        return character;
    }
    let row = LOOKALIKES.iter().find(|row| row.contains(character));
    row.and_then(|row| row.chars().next()).unwrap_or('?')
}

/// The byte that a PC's text screen shows for any character.
pub fn on_pc_screen(character: char) -> u8 {
    code_page_437(character).unwrap_or(plain(character) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_page_is_whole() {
        assert_eq!(CODE_PAGE_437.chars().count(), 128);
        for (character, byte) in [
            ('Ç', 0x80),
            ('é', 0x82),
            ('│', 0xb3),
            ('─', 0xc4),
            ('┌', 0xda),
            ('█', 0xdb),
            ('ß', 0xe1),
            ('~', 0x7e),
        ] {
            assert_eq!(code_page_437(character), Some(byte), "{character}");
        }
    }

    #[test]
    fn a_letter_without_a_picture_shows_as_the_one_people_read_for_it() {
        for (character, shown) in [
            ('ř', 'r'),
            ('Ł', 'L'),
            ('—', '-'),
            ('…', '.'),
            ('漢', '?'),
            ('a', 'a'),
            ('\n', '?'),
        ] {
            assert_eq!(plain(character), shown, "{character}");
        }
        assert_eq!(on_pc_screen('ü'), 0x81);
        assert_eq!(on_pc_screen('ž'), b'z');
    }
}
