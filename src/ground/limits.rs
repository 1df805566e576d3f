//! What a reader may take for a volume that can be hostile: an honest one has each of its structures once, and says little that is
//! wrong.

/// Notes beyond this are counted only.
const NOTES: usize = 100;
/// Memory for the names of a volume of any size. A larger one gets [`MEMORY_FACTOR`] times its own.
pub(crate) const MEMORY: u64 = 16 << 20;
/// The shortest record of a name becomes an entry of about eight times its size.
const MEMORY_FACTOR: u64 = 8;
/// How often the structures of a volume can be read over.
pub(crate) const READ_FACTOR: u64 = 2;

/// What is wrong with a volume, up to a number that a reader of the list can bear.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    list: Vec<String>,
    more: usize,
}

impl Notes {
    pub(crate) fn add(&mut self, note: String) {
        match self.list.len() < NOTES {
            true => self.list.push(note),
            false => self.more += 1,
        }
    }

    /// The last one counts those that were left out.
    pub(crate) fn finish(mut self) -> Vec<String> {
        if self.more > 0 {
            self.list.push(format!("and {} more", self.more));
        }
        self.list
    }
}

impl From<Vec<String>> for Notes {
    fn from(list: Vec<String>) -> Self {
        Self { list, more: 0 }
    }
}

/// What is left of the bytes to read and to hold.
#[derive(Debug)]
pub(crate) struct Limits {
    memory: u64,
    unread: u64,
    too_many: usize,
}

impl Limits {
    /// For a volume in so many bytes.
    pub(crate) fn new(size: u64) -> Self {
        Self {
            memory: size.saturating_mul(MEMORY_FACTOR).max(MEMORY),
            unread: size.saturating_mul(READ_FACTOR),
            too_many: 0,
        }
    }

    /// Whether so many bytes more may be read; once not, none.
    pub(crate) fn may_read(&mut self, length: u64) -> bool {
        let left = self.unread.checked_sub(length);
        self.unread = left.unwrap_or(0);
        left.is_some()
    }

    /// Whether nothing more may be read.
    pub(crate) fn is_read_over(&self) -> bool {
        self.unread == 0
    }

    /// Whether so many bytes more may be held; what may not is a name that is left out.
    pub(crate) fn may_hold(&mut self, length: u64) -> bool {
        let left = self.memory.checked_sub(length);
        self.too_many += usize::from(left.is_none());
        self.memory = left.unwrap_or(self.memory);
        left.is_some()
    }

    /// Says what the limits have kept from being read. `structures` are the volume's, as a note begins with them. The result is how
    /// many names are left out.
    pub(crate) fn finish(self, structures: &str, notes: &mut Notes) -> usize {
        if self.is_read_over() {
            notes.list.push(format!(
                "{structures} overlap: more of them than the image has bytes; the rest is not read"
            ));
        }
        if self.too_many > 0 {
            notes.list.push(format!(
                "{} more names, which a volume of this size cannot hold, are left out",
                self.too_many
            ));
        }
        self.too_many
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_up_is_said() {
        let mut limits = Limits::new(10);
        assert!(limits.may_read(19) && !limits.is_read_over());
        assert!(!limits.may_read(2) && limits.is_read_over() && !limits.may_read(1));
        assert!(limits.may_hold(MEMORY - 1) && !limits.may_hold(2) && limits.may_hold(1));
        let mut notes = Notes::from(vec!["first".into()]);
        assert_eq!(limits.finish("its structures", &mut notes), 1);
        for number in 0..NOTES {
            notes.add(number.to_string());
        }
        let notes = notes.finish();
        assert_eq!(notes.len(), NOTES + 1);
        assert!(notes[1].starts_with("its structures overlap") && notes[2].starts_with("1 more names"));
        assert_eq!(notes[NOTES], "and 3 more");
    }
}
