//! The text of a manifest.

/// Bytes of the longest list of sums that is looked at.
pub(super) const LONGEST_LIST: u64 = 64 << 20;

/// The text of a manifest in the making.
#[derive(Debug, Default)]
pub(super) struct Words {
    text: String,
    /// A table without a key is not written.
    pending: Option<String>,
}

impl Words {
    fn line(&mut self, line: &str) {
        if let Some(header) = self.pending.take() {
            self.text.push_str(&header);
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// `[name]`, if a key follows.
    pub(super) fn table(&mut self, name: &str) {
        self.pending = Some(format!("\n[{name}]\n"));
    }

    /// `[[name]]`
    pub(super) fn entry(&mut self, name: &str) {
        self.pending = Some(format!("\n[[{name}]]\n"));
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        let value = quoted(value);
        self.line(&format!("{key} = {value}"));
    }

    pub(super) fn bare(&mut self, key: &str, value: &str) {
        self.line(&format!("{key} = {value}"));
    }

    pub(super) fn list<S: AsRef<str>>(&mut self, key: &str, values: &[S]) {
        let values: Vec<String> = values.iter().map(|value| quoted(value.as_ref())).collect();
        self.line(&format!("{key} = [{}]", values.join(", ")));
    }

    /// Everything that was said apart.
    pub(super) fn append(&mut self, other: Self) {
        self.pending = None;
        self.text.push_str(&other.text);
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// A string of TOML, or a key that may be any text.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
