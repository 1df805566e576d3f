//! Words of GRUB's script language, each with its place in the text (GRUB manual, "Shell-like scripting": Words, Quoting).

use std::ops::Range;

/// What a word is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Characters that stand for themselves, with quotes and backslashes taken away.
    Text(Vec<u8>),
    /// `$name` or `${name}`. Outside of double quotes its value is split at blanks.
    Variable {
        /// Without the sign and the braces.
        name: Vec<u8>,
        /// It is in double quotes.
        quoted: bool,
    },
}

/// A word as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// Where it is in the text, with its quotes.
    pub(crate) place: Range<usize>,
    pub(crate) parts: Vec<Part>,
}

impl Word {
    /// The text of the word; `None` if it has a variable.
    pub(crate) fn plain(&self) -> Option<&[u8]> {
        match self.parts.as_slice() {
            [] => Some(b""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// What the text consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Word(Word),
    /// The end of a line, or a semicolon.
    End,
    /// `{`
    Open,
    /// `}`
    Close,
}

/// Whether the byte ends a word outside of quotes.
fn ends_word(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\r' | b'\n' | b'{' | b'}' | b'|' | b'&' | b';' | b'<' | b'>'
    )
}

/// The tokens of a text. A carriage return is a blank: GRUB drops it when it reads a line. What follows a quote that is not closed belongs
/// to the last word.
pub(crate) fn tokens(text: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    while let Some(&byte) = text.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' => at += 1,
            b'\\' if line_end(text, at + 1) > 0 => at += 1 + line_end(text, at + 1),
            b'#' => at += text[at..].iter().take_while(|&&byte| byte != b'\n').count(),
            // GRUB knows neither pipes nor redirections; they end a command here.
            b'\n' | b';' | b'|' | b'&' | b'<' | b'>' => {
                tokens.push(Token::End);
                at += 1;
            }
            b'{' => {
                tokens.push(Token::Open);
                at += 1;
            }
            b'}' => {
                tokens.push(Token::Close);
                at += 1;
            }
            _ => {
                let word = word(text, at);
                at = word.place.end;
                tokens.push(Token::Word(word));
            }
        }
    }
    tokens
}

/// The length of the line break at `at`: 1 for LF, 2 for CR LF, 0 for any other bytes.
fn line_end(text: &[u8], at: usize) -> usize {
    match text.get(at..).unwrap_or_default() {
        [b'\n', ..] => 1,
        [b'\r', b'\n', ..] => 2,
        _ => 0,
    }
}

/// The parts of a word while it is read.
#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn push(&mut self, byte: u8) {
        match self.0.last_mut() {
            Some(Part::Text(text)) => text.push(byte),
            _ => self.0.push(Part::Text(vec![byte])),
        }
    }
}

/// The word that begins at `start`.
fn word(text: &[u8], start: usize) -> Word {
    let mut parts = Parts::default();
    let mut at = start;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\'' => {
                at += 1;
                while let Some(&byte) = text.get(at).filter(|&&byte| byte != b'\'') {
                    parts.push(byte);
                    at += 1;
                }
                at += 1;
            }
            b'"' => at = double_quoted(text, at + 1, &mut parts),
            b'\\' => match (line_end(text, at + 1), text.get(at + 1)) {
                (0, Some(&escaped)) => {
                    parts.push(escaped);
                    at += 2;
                }
                (0, None) => at += 1,
                (end, _) => at += 1 + end,
            },
            b'$' => at = variable(text, at, false, &mut parts),
            _ if ends_word(byte) => break,
            _ => {
                parts.push(byte);
                at += 1;
            }
        }
    }
    Word {
        place: start..at.min(text.len()),
        parts: parts.0,
    }
}

/// Reads up to the closing double quote. Inside, a backslash escapes only `$`, `"`, `\\` and a line break.
fn double_quoted(text: &[u8], mut at: usize, parts: &mut Parts) -> usize {
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'$' => at = variable(text, at, true, parts),
            b'\\' => match text.get(at + 1) {
                Some(&escaped @ (b'$' | b'"' | b'\\')) => {
                    parts.push(escaped);
                    at += 2;
                }
                _ if line_end(text, at + 1) > 0 => at += 1 + line_end(text, at + 1),
                _ => {
                    parts.push(byte);
                    at += 1;
                }
            },
            _ => {
                parts.push(byte);
                at += 1;
            }
        }
    }
    at
}

/// A variable, or a dollar sign that stands for itself.
fn variable(text: &[u8], at: usize, quoted: bool, parts: &mut Parts) -> usize {
    let behind = text.get(at + 1..).unwrap_or_default();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let (start, length, end) = match behind {
        [b'{', rest @ ..] => match rest.iter().position(|&byte| !is_name(&byte) && !is_special(byte)) {
            Some(length) if rest[length] == b'}' && length > 0 => (at + 2, length, at + 3 + length),
            _ => (at, 0, at + 1),
        },
        [first, ..] if first.is_ascii_digit() || is_special(*first) => (at + 1, 1, at + 2),
        rest => {
            let length = rest.iter().take_while(|byte| is_name(byte)).count();
            (at + 1, length, at + 1 + length)
        }
    };
    match length {
        0 => {
            parts.push(b'$');
            at + 1
        }
        length => {
            let name = text[start..start + length].to_vec();
            parts.0.push(Part::Variable { name, quoted });
            end
        }
    }
}

/// The parameters of a function that have no name: `$@`, `$*`, `$#`, `$?`.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'@' | b'*' | b'#' | b'?')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens as text: a word's parts in brackets, variables with their sign.
    fn shown(text: &str) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Part::Variable { name, quoted: false } => format!("<{}>", String::from_utf8_lossy(name)),
            Part::Variable { name, quoted: true } => format!("<\"{}\">", String::from_utf8_lossy(name)),
        };
        let token = |token: &Token| match token {
            Token::Word(word) => format!("[{}]", word.parts.iter().map(part).collect::<String>()),
            Token::End => "|".into(),
            Token::Open => "{".into(),
            Token::Close => "}".into(),
        };
        tokens(text.as_bytes()).iter().map(token).collect()
    }

    #[test]
    fn words_are_those_of_grub() {
        for (text, wanted) in [
            ("linux /a  b\tc", "[linux][/a][b][c]"),
            ("a # no word\nb#word", "[a]|[b#word]"),
            ("'a b'\"c d\"e", "[a bc de]"),
            (r"a\;b a\ b", "[a;b][a b]"),
            (r#""a\"b\x20\\" 'a\b'"#, r#"[a"b\x20\][a\b]"#),
            ("a\\\nb \\\nc", "[ab][c]"),
            ("a\\\r\nb\r\n", "[ab]|"),
            ("$a${b}c \"$d e\" '$f'", "[<a><b>c][<\"d\"> e][$f]"),
            ("$ ${} ${a $1 $12 $@", "[$][$]{}[$]{[a][<1>][<1>2][<@>]"),
            ("menuentry 'x' {\n}", "[menuentry][x]{|}"),
            ("\u{feff}a", "[a]"),
            ("'open", "[open]"),
            ("\"open $x", "[open <\"x\">]"),
            ("a\\", "[a]"),
        ] {
            assert_eq!(shown(text), wanted, "{text}");
        }
    }
}
