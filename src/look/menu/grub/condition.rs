//! `[ ... ]` (GRUB manual, `test`): true, false, or not known here.

/// A word of the expression, and whether all of it is known.
pub(super) type Word = (Vec<u8>, bool);

/// What is asked about a file.
pub(super) enum Asked {
    /// `-f`
    File,
    /// `-e`, `-s`: there is a file or a directory.
    There,
    /// `-d`
    Directory,
}

/// What has been read of an expression, or of one in parentheses. GRUB reads terms in order, and terms without `-a` between them are as good as
/// with it. So an empty expression is true, and `[ ${unset} ]` too.
struct Terms {
    /// Those before the last `-o`.
    or: Option<bool>,
    /// Those behind it.
    and: Option<bool>,
    /// An odd number of `!` is before the next term.
    is_negated: bool,
}

impl Terms {
    fn new() -> Self {
        Self {
            or: Some(false),
            and: Some(true),
            is_negated: false,
        }
    }

    fn add(&mut self, term: Option<bool>) {
        self.and = and(self.and, term.map(|holds| holds != self.is_negated));
        self.is_negated = false;
    }

    fn value(&self) -> Option<bool> {
        or(self.or, self.and)
    }
}

/// The value of the expression; `None` if it depends on something unknown. `file` answers for a path.
pub(super) fn test(words: &[Word], file: &mut dyn FnMut(&[u8], Asked) -> Option<bool>) -> Option<bool> {
    let mut rest = words;
    let mut open = Vec::new();
    let mut terms = Terms::new();
    while let [word, behind @ ..] = rest {
        if let [a, operator, b, behind @ ..] = rest
            && let Some(compare) = comparison(operator)
        {
            let known = a.1 && b.1;
            terms.add(known.then(|| compare(&a.0, &b.0)).flatten());
            rest = behind;
            continue;
        }
        if let [word, (of, known), behind @ ..] = rest
            && let Some(holds) = unary(word, of, file)
        {
            terms.add(holds.filter(|_| *known));
            rest = behind;
            continue;
        }
        rest = behind;
        match word {
            (_, false) => terms.add(None),
            (text, true) => match text.as_slice() {
                b"!" => terms.is_negated = !terms.is_negated,
                b"-a" => {}
                b"-o" => (terms.or, terms.and) = (terms.value(), Some(true)),
                b"(" => open.push(std::mem::replace(&mut terms, Terms::new())),
                // What is behind one too many does not count.
                b")" => match open.pop() {
                    Some(outer) => {
                        let inner = std::mem::replace(&mut terms, outer);
                        terms.add(inner.value());
                    }
                    None => break,
                },
                text => terms.add(Some(!text.is_empty())),
            },
        }
    }
    while let Some(outer) = open.pop() {
        let inner = std::mem::replace(&mut terms, outer);
        terms.add(inner.value());
    }
    terms.value()
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

/// Compares two words; `None` for what is not known here.
type Comparison = fn(&[u8], &[u8]) -> Option<bool>;

/// What a word between two others says of them.
fn comparison(operator: &Word) -> Option<Comparison> {
    if !operator.1 {
        return None;
    }
    let compare: Comparison = match operator.0.as_slice() {
        b"=" | b"==" => |a, b| Some(a == b),
        b"!=" => |a, b| Some(a != b),
        b"<" => |a, b| Some(a < b),
        b">" => |a, b| Some(a > b),
        b"<=" => |a, b| Some(a <= b),
        b">=" => |a, b| Some(a >= b),
        b"-eq" => |a, b| Some(number(a) == number(b)),
        b"-ne" => |a, b| Some(number(a) != number(b)),
        b"-lt" => |a, b| Some(number(a) < number(b)),
        b"-le" => |a, b| Some(number(a) <= number(b)),
        b"-gt" => |a, b| Some(number(a) > number(b)),
        b"-ge" => |a, b| Some(number(a) >= number(b)),
        b"-pgt" | b"-plt" | b"-nt" | b"-ot" => |_, _| None,
        _ => return None,
    };
    Some(compare)
}

/// As C's `strtol` reads it: what begins with digits is a number, by its prefix of base 8, 10 or 16, and anything else is 0.
fn number(text: &[u8]) -> i64 {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        digits => (1, digits),
    };
    let (base, digits) = match digits {
        [b'0', b'x' | b'X', digits @ ..] => (16, digits),
        [b'0', digits @ ..] => (8, digits),
        digits => (10, digits),
    };
    let values = digits.iter().map_while(|&digit| char::from(digit).to_digit(base));
    values.fold(0_i64, |value, digit| {
        value.saturating_mul(base.into()).saturating_add(digit.into())
    }) * sign
}

/// What a word before another says of it, if it says something; inside, `None` for what is not known.
fn unary(word: &Word, of: &[u8], file: &mut dyn FnMut(&[u8], Asked) -> Option<bool>) -> Option<Option<bool>> {
    if !word.1 {
        return None;
    }
    Some(match word.0.as_slice() {
        b"-f" => file(of, Asked::File),
        b"-e" | b"-s" => file(of, Asked::There),
        b"-d" => file(of, Asked::Directory),
        b"-n" => Some(!of.is_empty()),
        b"-z" => Some(of.is_empty()),
        _ => return None,
    })
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
                (b"/there", Asked::There | Asked::File) | (b"/d", Asked::Directory | Asked::There) => Some(true),
                (b"/unknown", _) => None,
                _ => Some(false),
            })
        };
        // `~` is an empty word, `?` one that is not known.
        for (text, wanted) in [
            ("?", None),
            ("?a = a", None),
            ("! ?", None),
            ("-f /there", Some(true)),
            ("-f /missing", Some(false)),
            ("-f /d", Some(false)),
            ("-e /d", Some(true)),
            ("-s /unknown", None),
            ("-d /d", Some(true)),
            ("! -d /there", Some(true)),
            ("xefi == xpc", Some(false)),
            ("a != a", Some(false)),
            ("a = a -a c = d", Some(false)),
            ("? -a c = d", Some(false)),
            ("? -o c = c", Some(true)),
            ("? -o c = d", None),
            ("( ? ) -a c = d", Some(false)),
            ("b -pgt a", None),
            // The rest is what GRUB 2.06 said in a machine.
            ("", Some(true)),
            ("~", Some(false)),
            ("a", Some(true)),
            ("!", Some(true)),
            ("-z", Some(true)),
            ("-z ~", Some(true)),
            ("-n ~", Some(false)),
            ("= x", Some(true)),
            ("x =", Some(true)),
            ("-a x", Some(true)),
            ("x -o", Some(true)),
            ("x y", Some(true)),
            ("~ y", Some(false)),
            ("x ~", Some(false)),
            ("~ -o x", Some(true)),
            ("x -a ~", Some(false)),
            ("! x = y", Some(true)),
            ("( x = y ) -o x", Some(true)),
            ("x = y -o x = x -a x = y", Some(false)),
            ("3 -gt 2 -a b -lt c", Some(false)),
            ("a -lt 10", Some(true)),
            ("a -eq 0", Some(true)),
            ("5x -eq 5", Some(true)),
            ("0x10 -eq 16", Some(true)),
            ("( x )", Some(true)),
            ("( ~ ) -o x", Some(true)),
            ("x -o ( ~ )", Some(true)),
            ("abc < abd", Some(true)),
            ("abc > abd", Some(false)),
            ("! ( x )", Some(false)),
            ("! ! x", Some(true)),
            ("~ -o ~ -a x", Some(false)),
            ("-d", Some(true)),
            ("x -a -o ~", Some(true)),
            ("-n ~ x", Some(false)),
            ("-n x ~", Some(false)),
            ("! -n ~", Some(true)),
            ("! x -o x", Some(true)),
            ("! ~ -a ~", Some(false)),
            ("-1 -lt 1", Some(true)),
            ("010 -eq 8", Some(true)),
            ("a <= b", Some(true)),
            ("( x -a ~ )", Some(false)),
            ("( x = y ) x", Some(false)),
            ("! ( ~ ) -a x", Some(true)),
            ("x ]", Some(true)),
            ("x ] y", Some(true)),
            ("99999999999999999999 -eq 1", Some(false)),
            ("~ -lt 1", Some(true)),
            ("-o ~", Some(true)),
            ("-a ~", Some(false)),
            ("a = a = a", Some(true)),
            ("a = a b", Some(true)),
            ("! a = a b", Some(false)),
            ("-f", Some(true)),
            ("-f = -f", Some(true)),
            ("( = (", Some(true)),
            ("! = !", Some(true)),
            ("! = x", Some(false)),
        ] {
            assert_eq!(said(text), wanted, "{text}");
        }
    }
}
