//! The stable JSON of facts, where its form is not that of the types: typed values are their words.

use std::fmt::Display;

use serde::{Serialize, Serializer};

use super::{FileSystem, PartitionKind, PartitionTable, What};
use crate::formats::pe::Machine;

/// The word of a value.
pub(super) fn word<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// The word of a machine; `none` where there is no PE header.
pub(super) fn machine<S: Serializer>(machine: &Option<Machine>, serializer: S) -> Result<S::Ok, S::Error> {
    match machine {
        Some(machine) => serializer.collect_str(machine),
        None => serializer.serialize_str("none"),
    }
}

impl Serialize for What {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for PartitionTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for PartitionKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for FileSystem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
