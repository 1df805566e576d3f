//! What words become: variables are replaced by their values.

use super::shell::{Shell, Value};
use super::words::{Part, Word};

/// How long a word may become.
const LONGEST_WORD: usize = 64 << 10;

impl Shell<'_, '_> {
    /// Expands a word. An unquoted variable with blanks makes several words, and an empty one makes none.
    pub(super) fn words(&mut self, word: &Word) -> Vec<Value> {
        let mut words: Vec<Value> = Vec::new();
        // Quotes make a word of nothing.
        let mut current: Option<Value> = match word.parts.is_empty() || word.plain().is_some() {
            true => Some((Vec::new(), true)),
            false => None,
        };
        let mut length = 0;
        for part in &word.parts {
            match part {
                Part::Text(text) => {
                    current.get_or_insert((Vec::new(), true)).0.extend_from_slice(text);
                    length += text.len();
                }
                Part::Variable { name, quoted } => {
                    let (value, known) = self.value(name);
                    length += value.len();
                    if *quoted {
                        let current = current.get_or_insert((Vec::new(), true));
                        current.0.extend_from_slice(&value);
                        current.1 &= known;
                        continue;
                    }
                    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n');
                    for (number, piece) in value.split(is_blank).enumerate() {
                        if number > 0 {
                            words.extend(current.take());
                        }
                        if !piece.is_empty() {
                            let current = current.get_or_insert((Vec::new(), true));
                            current.0.extend_from_slice(piece);
                            current.1 &= known;
                        }
                    }
                }
            }
            if length > LONGEST_WORD {
                break;
            }
        }
        self.reading.expand(length);
        words.extend(current);
        words
    }

    /// The value of a variable. One that was never set is empty; in loopback.cfg the caller may have set it, so it is unknown.
    pub(super) fn value(&self, name: &[u8]) -> Value {
        match self.variables.get(name) {
            Some(value) => value.clone(),
            None if self.loopback => ([b"${", name, b"}"].concat(), false),
            None => (Vec::new(), true),
        }
    }

    pub(super) fn set(&mut self, name: &[u8], mut value: Value) {
        if self.doubt.is_false {
            return;
        }
        if name == b"root" {
            self.is_chosen = true;
            // A device may be set with its parentheses.
            if let [b'(', device @ .., b')'] = value.0.as_slice() {
                value.0 = device.to_vec();
            }
        }
        self.variables.insert(name.to_vec(), value);
    }

    pub(super) fn root(&self) -> Vec<u8> {
        self.value(b"root").0
    }
}
