//! A value and its place in the manifest's text.

use std::ops::Range;

use serde::{Deserialize, Deserializer};

/// A value and, if it came from a text, its place there: bytes of the text.
///
/// The same manifest can be read from TOML and built by code, whose values have no place.
#[derive(Clone, Debug, Default)]
pub struct At<T> {
    value: T,
    place: Option<Range<usize>>,
}

impl<T> At<T> {
    /// A value that stands there.
    pub(super) fn new(place: Option<Range<usize>>, value: T) -> Self {
        Self { value, place }
    }

    /// The value.
    pub fn get_ref(&self) -> &T {
        &self.value
    }

    /// Another value at the same place.
    pub fn map<U>(&self, change: impl FnOnce(&T) -> U) -> At<U> {
        At::new(self.span(), change(&self.value))
    }

    /// Its place, if it came from a text.
    pub fn span(&self) -> Option<Range<usize>> {
        self.place.clone()
    }
}

impl<T> From<T> for At<T> {
    fn from(value: T) -> Self {
        Self::new(None, value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<T>::deserialize(deserializer)?;
        Ok(Self::new(Some(spanned.span()), spanned.into_inner()))
    }
}

/// Two values are one whatever their places are: they are keys of tables.
impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for At<T> {}

impl<T: Ord> PartialOrd for At<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> Ord for At<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.value.cmp(&other.value)
    }
}
