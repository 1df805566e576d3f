//! `[ ... ]` (GRUB manual, `test`): true, false, or not known here.

/// A word of the expression, and whether all of it is known.
pub(super) type Word = (Vec<u8>, bool);

/// What is asked about a file.
pub(super) enum Asked {
    /// `-f`, `-e`, `-s`: there is a file, or, for `-e`, a directory.
    There,
    /// `-d`
    Directory,
}

/// The value of the expression; `None` if it depends on something unknown. `file` answers for a path.
pub(super) fn test(words: &[Word], file: &mut dyn FnMut(&[u8], Asked) -> Option<bool>) -> Option<bool> {
    let is = |word: &Word, text: &[u8]| word.1 && word.0 == text;
    // `-o` binds weaker than `-a`. Parentheses are as good as unknown: no installer has any.
    if words.iter().any(|word| is(word, b"(") || is(word, b")")) {
        return None;
    }
    let any = words.split(|word| is(word, b"-o")).map(|words| {
        let all = words.split(|word| is(word, b"-a")).map(|words| one(words, file));
        all.reduce(and).flatten()
    });
    any.reduce(or).flatten()
}

fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

/// One comparison.
fn one(words: &[Word], file: &mut dyn FnMut(&[u8], Asked) -> Option<bool>) -> Option<bool> {
    let known = words.iter().all(|(_, known)| *known);
    let texts: Vec<&[u8]> = words.iter().map(|(text, _)| text.as_slice()).collect();
    match texts.as_slice() {
        [b"!", ..] => one(&words[1..], file).map(|holds| !holds),
        _ if !known => None,
        [] => Some(false),
        [b"-f" | b"-e" | b"-s", path] => file(path, Asked::There),
        [b"-d", path] => file(path, Asked::Directory),
        [b"-n", text] => Some(!text.is_empty()),
        [b"-z", text] => Some(text.is_empty()),
        [text] => Some(!text.is_empty()),
        [a, b"=" | b"==", b] => Some(a == b),
        [a, b"!=", b] => Some(a != b),
        [a, b"<", b] => Some(a < b),
        [a, b">", b] => Some(a > b),
        [a, operator, b] => {
            let number = |text: &[u8]| str::from_utf8(text).ok()?.trim().parse::<i64>().ok();
            let (a, b) = (number(a)?, number(b)?);
            match *operator {
                b"-eq" => Some(a == b),
                b"-ne" => Some(a != b),
                b"-lt" => Some(a < b),
                b"-le" => Some(a <= b),
                b"-gt" => Some(a > b),
                b"-ge" => Some(a >= b),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_true_false_or_unknown() {
        let said = |text: &str| {
            let words = text.split(' ').filter(|word| !word.is_empty());
            let words: Vec<Word> = words
                .map(|word| (word.replace('~', "").into_bytes(), !word.starts_with('?')))
                .collect();
            test(&words, &mut |path, asked| match (path, asked) {
                (b"/there", Asked::There) | (b"/d", Asked::Directory) => Some(true),
                (b"/unknown", _) => None,
                _ => Some(false),
            })
        };
        // `~` is an empty word, `?` one that is not known.
        for (text, wanted) in [
            ("", Some(false)),
            ("~", Some(false)),
            ("a", Some(true)),
            ("?", None),
            ("a = a", Some(true)),
            ("xefi == xpc", Some(false)),
            ("a != a", Some(false)),
            ("?a = a", None),
            ("! a = b", Some(true)),
            ("! ?", None),
            ("-f /there", Some(true)),
            ("-f /missing", Some(false)),
            ("-s /unknown", None),
            ("-d /d", Some(true)),
            ("! -d /there", Some(true)),
            ("-z ~", Some(true)),
            ("-n ~", Some(false)),
            ("2 -lt 10", Some(true)),
            ("2 -ge 10", Some(false)),
            ("a -lt 10", None),
            ("a = b -o c = c", Some(true)),
            ("a = a -a c = d", Some(false)),
            ("? -a c = d", Some(false)),
            ("? -o c = c", Some(true)),
            ("? -o c = d", None),
            ("a b c d", None),
        ] {
            assert_eq!(said(text), wanted, "{text}");
        }
    }
}
