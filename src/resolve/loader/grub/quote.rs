//! Words of GRUB's language (its manual, §16.2 "Quoting"), and what becomes of them on the way to a kernel.

/// A word that stands for these bytes and nothing else.
pub(in crate::resolve::loader) fn word(bytes: &[u8]) -> Vec<u8> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./,:=+@%".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(is_plain) {
        return bytes.to_vec();
    }
    quoted(bytes)
}

/// The same, in quotes in any case: all stands for itself between single ones, but for a single one.
pub(in crate::resolve::loader) fn quoted(bytes: &[u8]) -> Vec<u8> {
    let mut out = b"'".to_vec();
    for &byte in bytes {
        match byte {
            b'\'' => out.extend_from_slice(b"'\\''"),
            byte => out.push(byte),
        }
    }
    out.push(b'\'');
    out
}

/// Why GRUB cannot give a command line to a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::resolve::loader) enum Refused {
    /// GRUB writes a backslash before them.
    #[error("GRUB puts a backslash before each {0}, so the kernel would see another command line")]
    Escaped(&'static str),
    /// The quotes are not around a whole argument or its value.
    #[error(
        "GRUB puts quotes around whole arguments, and these stand elsewhere: {0:?} would reach the kernel in another form"
    )]
    Quotes(char),
}

/// The arguments of a command line. GRUB joins them again: one with blanks gets double quotes around it, which the kernel takes for the same as
/// quotes around the value (Linux, `lib/cmdline.c`, `next_arg`).
///
/// # Errors
/// The line has characters that GRUB changes (measured with 2.06 under BIOS and UEFI).
pub(in crate::resolve::loader) fn arguments(line: &str) -> Result<Vec<String>, Refused> {
    let mut words = Vec::new();
    let (mut word, mut in_quotes) = (String::new(), false);
    for character in line.chars().chain([' ']) {
        match character {
            '"' => {
                in_quotes = !in_quotes;
                word.push(character);
            }
            ' ' if !in_quotes => {
                if !word.is_empty() {
                    words.push(argument(&word)?);
                    word.clear();
                }
            }
            '\\' => return Err(Refused::Escaped("backslash")),
            '\'' => return Err(Refused::Escaped("single quote")),
            character => word.push(character),
        }
    }
    match in_quotes {
        true => Err(Refused::Quotes('"')),
        false => Ok(words),
    }
}

/// An argument without its quotes, which are around all of it or around its value.
fn argument(word: &str) -> Result<String, Refused> {
    let inside = match word.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(whole) => whole.to_owned(),
        None => match word
            .split_once("=\"")
            .and_then(|(name, value)| Some((name, value.strip_suffix('"')?)))
        {
            Some((name, value)) if !name.contains('=') => format!("{name}={value}"),
            _ => word.to_owned(),
        },
    };
    match inside.contains('"') || inside.is_empty() {
        true => Err(Refused::Quotes('"')),
        false => Ok(inside),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::menu::of_texts;
    use proptest::prelude::*;

    #[test]
    fn a_command_line_goes_word_by_word() {
        for (line, words) in [
            ("", &[][..]),
            ("quiet  splash ", &["quiet", "splash"]),
            (
                r#"a="two words" "b=c d" e="f" root=UUID=1 $x `y` ;"#,
                &["a=two words", "b=c d", "e=f", "root=UUID=1", "$x", "`y`", ";"],
            ),
        ] {
            assert_eq!(arguments(line).unwrap(), words, "{line}");
        }
        for (line, why) in [
            (r"a=\x20", "backslash"),
            ("a='b'", "single quote"),
            (r#"a="b"#, "quotes around whole"),
            (r#"a="b"c"#, "quotes around whole"),
            (r#"a=b"c d""#, "quotes around whole"),
            (r#"a="b" c=d"e"f"#, "quotes around whole"),
            (r#""""#, "quotes around whole"),
        ] {
            let error = arguments(line).unwrap_err().to_string();
            assert!(error.contains(why), "{line}: {error}");
        }
    }

    proptest! {
        /// The reader of GRUB's language finds the text in a title, and nothing of it is a command.
        #[test]
        fn a_title_is_a_title(title in "[ -~é\u{4e2d}]{1,40}") {
            let text = format!("menuentry {} --id entry-1 {{\n\tlinux /boot/k\n}}\n", String::from_utf8(quoted(title.as_bytes())).unwrap());
            let menu = of_texts(&[("/boot/grub/grub.cfg", &text), ("/boot/k", "")], &[]);
            let first = menu.entries.iter().find(|entry| entry.title == title);
            prop_assert!(first.is_some_and(|entry| entry.kernel.as_deref() == Some("/boot/k")), "{:?}", menu.entries);
            prop_assert!(menu.entries.iter().all(|entry| entry.title == title), "{:?}", menu.entries);
        }

        /// It finds the same of a word.
        #[test]
        fn a_word_is_a_word(value in "[ -~]{1,40}") {
            let text = format!("menuentry x {{\n\tlinux /boot/k {}\n}}\n", String::from_utf8(word(value.as_bytes())).unwrap());
            let menu = of_texts(&[("/boot/grub/grub.cfg", &text), ("/boot/k", "")], &[]);
            let shown = match value.contains(' ') {
                true => format!("\"{value}\""),
                false => value.clone(),
            };
            // What GRUB escapes on its way to the kernel is refused before it comes here.
            prop_assume!(!value.contains(['\\', '\'', '"']));
            prop_assert_eq!(&menu.entries[0].cmdline, &shown);
        }
    }
}
