//! `[base] fill`: a directory with the bytes of the base's files.

use std::path::PathBuf;

use super::path_of;
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;
use crate::ground::stamp::Stamp;
use crate::ground::text::{self, visible_path};
use crate::look::parts::parts;
use crate::manifest::At;
use crate::resolve::{Resolution, ResolveError};
use crate::tree::PayloadId;
use crate::tree::source::Source;

/// Payloads, and the bytes of the base that they take the place of.
type Fills = Vec<(Range, PayloadId, Vec<u8>)>;

/// How many files an error names.
const NAMED: usize = 3;

impl Resolution<'_> {
    /// Every file that can be taken out of the base has to be in the directory, as long as it is there.
    pub(super) fn fill(&mut self, at: &At<String>, image: &dyn ReadAt) -> Result<Fills, ResolveError> {
        let directory = self.host_path(at.get_ref());
        let unusable = |error: &dyn std::fmt::Display| ResolveError::input(&directory, error.to_string());
        let parts = parts(image).map_err(|error| unusable(&error))?;
        let mut fills = Vec::new();
        let mut missing: Vec<PathBuf> = Vec::new();
        for part in parts {
            let relative = part.path.strip_prefix(b"/").unwrap_or(&part.path);
            let path = directory.join(path_of(relative));
            if !path.exists() {
                missing.push(path);
                continue;
            }
            let Some((file, data)) = self.host.input(&path, None)? else {
                continue;
            };
            if data.len() != part.length() {
                let message = format!(
                    "{} has {} bytes, and its place in the base has {}",
                    visible_path(&path),
                    data.len(),
                    part.length()
                );
                self.error(at, message, "a file of another length");
                continue;
            }
            let mut offset = 0;
            for range in part.ranges {
                let source = Source::File {
                    path: path.as_path().into(),
                    stamp: Stamp::of(&data),
                    offset,
                    member: None,
                };
                let payload = self.host.part(&mut self.tree, &file, source, range.length)?;
                fills.push((range, payload, part.path.clone()));
                offset += range.length;
            }
        }
        self.say_what_is_missing(at, &missing);
        fills.sort_by_key(|(range, ..)| range.offset);
        Ok(fills)
    }

    fn say_what_is_missing(&mut self, at: &At<String>, missing: &[PathBuf]) {
        if missing.is_empty() {
            return;
        }
        let named: Vec<String> = missing
            .iter()
            .take(NAMED)
            .map(|path| visible_path(path).to_string())
            .collect();
        let more = match missing.len().saturating_sub(NAMED) {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        let message = format!("missing: {}{more}", text::visible(named.join(", ").as_bytes()));
        self.error(at, message, "not every file of the base is here");
    }
}
