//! What is wrong with a volume that can be read all the same.

/// What is wrong with a volume, up to a number that a reader of the list can bear.
#[derive(Debug, Default)]
pub(super) struct Notes(pub(super) Vec<String>);

impl Notes {
    const MOST: usize = 100;

    pub(super) fn add(&mut self, note: String) {
        match self.0.len() {
            ..Self::MOST => self.0.push(note),
            Self::MOST => self.0.push("there is more wrong with this volume".to_owned()),
            _ => {}
        }
    }
}
