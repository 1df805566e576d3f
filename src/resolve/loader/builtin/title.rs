//! Which characters the loader shows, as a picture of their own or as the letter that people read for them.

/// Code page 437 from 0x80, which a PC's text screen has.
const CODE_PAGE_437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
    αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// Whether a title may have the character.
pub fn shows(character: char) -> bool {
    match character {
        ' '..='~' => true,
        // The letters of Latin-1 and of Latin Extended-A have plain ones for lookalikes.
        'Ĳ' | 'ĳ' | 'ĸ' | 'Ŋ' | 'ŋ' => false,
        '\u{c0}'..='\u{17e}' => character.is_alphabetic(),
        character => CODE_PAGE_437.contains(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the table of the loader itself, which a letter is in or not.
    #[test]
    fn what_is_shown_is_in_the_loaders_table() {
        let table = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/loader/src/glyphs.rs"));
        let missing: String = ('\u{a0}'..='\u{25ff}')
            .filter(|&c| shows(c) && !table.contains(c))
            .collect();
        assert_eq!(missing, "\u{a0}", "it is written as an escape there");
        for hidden in ['ت', '中', '\u{301}', '€', '\u{7f}'] {
            assert!(!shows(hidden), "{hidden}");
        }
    }
}
