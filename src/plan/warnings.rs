//! What the user should know of a plan: what an index had to change, or what some reader will not show.

use crate::formats::fat;
use crate::formats::iso9660::{self, Identifiers, IsoNode};
use crate::formats::udf::write::{self as udf, VolumeDescription};
use crate::ground::text;
use crate::ground::time::Timestamp;

use super::Plan;
use super::index::iso::Iso;
use super::index::udf::Udf;

/// Linux drops a name of so many bytes or more, and shows the identifier of the record instead.
const LINUX_NAME: usize = 254;

impl Plan {
    /// What the user should know of the image. In the order: the manifest's own, those of ISO 9660, of Rock Ridge, of Joliet, of UDF, of the ESP.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.contents.warnings.clone();
        warnings.extend(self.too_deep());
        warnings.extend(self.long_names());
        warnings.extend(self.moved_dates());
        warnings.extend(self.left_out());
        warnings.extend(self.long_targets());
        warnings.extend(self.replaced_characters());
        warnings.extend(self.cut_identifiers());
        warnings.extend(self.left_out_of_udf());
        warnings.extend(self.cut_label());
        warnings.extend(self.case_collisions());
        warnings.extend(self.mapped_names());
        let (_, clamped) = fat::clamped(self.contents.timestamp);
        if clamped && self.indexes.fats.iter().any(|volume| volume.is_made()) {
            warnings.push("FAT dates reach from 1980 to 2107: those of the ESP were moved there".into());
        }
        warnings
    }

    fn shown(&self, node: IsoNode) -> String {
        text::visible(&self.node_path(node))
    }

    fn too_deep(&self) -> Option<String> {
        let node = self.indexes.iso.hierarchy.too_deep()?;
        Some(format!(
            "{} is more than 8 levels deep (ECMA-119 §7.8.2.2): readers without Rock Ridge may not see it",
            self.shown(node)
        ))
    }

    fn long_names(&self) -> Option<String> {
        let nodes = self.iso.iter();
        let mut long = nodes.filter(|(_, node)| self.contents.rock_ridge && node.name.len() >= LINUX_NAME);
        let (first, _) = long.next()?;
        let count = 1 + long.count();
        Some(format!(
            "{count} {} {LINUX_NAME} bytes or more, and Linux does not show such a name: {} first",
            if count == 1 { "name has" } else { "names have" },
            self.shown(first)
        ))
    }

    /// Of dates that UDF cannot record, ISO 9660 cannot record any.
    fn moved_dates(&self) -> Option<String> {
        let (is_recordable, range): (fn(Timestamp) -> bool, _) = match self.contents.readme {
            None => (
                iso9660::is_recordable,
                "of 1900 to 2155, which ISO 9660 cannot record (ECMA-119 §10.1.6)",
            ),
            Some(_) => (
                udf::is_recordable,
                "of the years 1 to 9999, which UDF cannot record (ECMA-167 1/7.3)",
            ),
        };
        let mut moved = self.iso.iter().filter(|(_, node)| !is_recordable(node.posix.mtime));
        let (first, node) = moved.next()?;
        Some(format!(
            "{} {range}, moved to the nearest end: {} of {} first",
            match 1 + moved.count() {
                1 => "1 date outside".to_owned(),
                count => format!("{count} dates outside"),
            },
            node.posix.mtime,
            self.shown(first)
        ))
    }

    /// Of our indexes only Rock Ridge holds links and devices.
    fn left_out(&self) -> Option<String> {
        let nodes = self.iso.iter();
        let mut links =
            nodes.filter(|(_, node)| !matches!(node.kind, iso9660::Kind::Directory | iso9660::Kind::File { .. }));
        let (first, _) = links.next()?;
        let (first, count) = (self.shown(first), 1 + links.count());
        let links_are = if count == 1 {
            "link or device is"
        } else {
            "links or devices are"
        };
        match (self.contents.rock_ridge, self.contents.joliet) {
            // Beside UDF each kind has a warning of its own.
            (false, _) if self.contents.udf => None,
            (false, _) => Some(format!(
                "{count} {links_are} left out: only Rock Ridge can hold them; {first} first"
            )),
            (true, true) => Some(format!(
                "{count} {links_are} in the Rock Ridge tree alone: Joliet, which Windows reads, cannot hold them; {first} first"
            )),
            (true, false) => None,
        }
    }

    /// 7-Zip refuses a UDF volume with a symbolic link, and Windows has no device of Linux.
    fn left_out_of_udf(&self) -> Vec<String> {
        type IsOfKind = fn(&iso9660::Kind) -> bool;
        let kinds: [(IsOfKind, _); 2] = [
            (
                |kind| matches!(kind, iso9660::Kind::Symlink { .. }),
                ["symbolic link is", "symbolic links are"],
            ),
            (
                |kind| matches!(kind, iso9660::Kind::Device { .. }),
                ["device is", "devices are"],
            ),
        ];
        let left_out = kinds.into_iter().filter_map(|(is_of_kind, [one, more])| {
            let (count, first) = self.indexes.udf.as_ref()?.left_out(is_of_kind)?;
            let are = if count == 1 { one } else { more };
            let first = self.shown(first);
            Some(match self.contents.rock_ridge {
                true => format!("{count} {are} not in the UDF index, which Windows and 7-Zip read: {first} first"),
                false => format!("{count} {are} left out: only Rock Ridge can hold them; {first} first"),
            })
        });
        left_out.collect()
    }

    /// xorriso does not list a link with a longer target.
    fn long_targets(&self) -> Option<String> {
        const LONGEST: usize = 1024;
        let nodes = self.iso.iter();
        let mut long = nodes.filter(|(_, node)| {
            let is_long = |target: &[u8]| self.contents.rock_ridge && target.len() > LONGEST;
            matches!(&node.kind, iso9660::Kind::Symlink { target } if is_long(target))
        });
        let (first, _) = long.next()?;
        Some(format!(
            "{} links have targets of more than {LONGEST} bytes, which not every reader takes: {} first",
            1 + long.count(),
            self.shown(first)
        ))
    }

    /// The identifiers by their keys, the one that everybody sets first.
    fn identifiers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let keys = [
            "volume_id",
            "system_id",
            "volume_set_id",
            "publisher_id",
            "preparer_id",
            "application_id",
        ];
        let mut fields = self.contents.identifiers.all();
        fields.swap(0, 1);
        keys.into_iter().zip(fields)
    }

    /// Joliet has all of them in UCS-2, and UDF the first.
    fn replaced_characters(&self) -> Vec<String> {
        let (joliet, udf) = (self.indexes.joliet.is_some(), self.indexes.udf.is_some());
        let replaced = self.identifiers().filter_map(|(name, text)| {
            let indexes = match (joliet, udf && name == "volume_id") {
                (true, true) => "Joliet and UDF hold",
                (true, false) => "Joliet holds",
                (false, true) => "UDF holds",
                (false, false) => return None,
            };
            let count = text.chars().filter(|&letter| letter > '\u{ffff}').count();
            let characters = if count == 1 { "character" } else { "characters" };
            (count > 0).then(|| format!("{name} has {count} {characters} above U+FFFF, for which {indexes} \"_\""))
        });
        replaced.collect()
    }

    /// The Joliet descriptor has the same fields in UCS-2.
    fn cut_identifiers(&self) -> Vec<String> {
        let fields = self.identifiers().zip(Identifiers::JOLIET_LENGTHS);
        let cut = fields.filter(|((_, text), limit)| self.indexes.joliet.is_some() && text.chars().count() > *limit);
        cut.map(|((name, text), limit)| {
            let kept: String = text.chars().take(limit).collect();
            format!(
                "the Joliet copy of {name} holds {limit} characters and is cut to \"{}\"",
                text::visible(kept.as_bytes())
            )
        })
        .collect()
    }

    /// Two of the descriptors of UDF have less room for the name of the volume than the others.
    fn cut_label(&self) -> Option<String> {
        self.indexes.udf.as_ref()?;
        let label = &self.contents.identifiers.volume;
        let kept = VolumeDescription::short_label(label);
        (kept != label).then(|| {
            format!(
                "volume_id is cut to \"{}\" in two descriptors of UDF; where readers look for it, it is whole",
                text::visible(kept.as_bytes())
            )
        })
    }

    fn case_collisions(&self) -> Vec<String> {
        let (joliet, udf) = (&self.indexes.joliet, &self.indexes.udf);
        let indexes = [
            ("Joliet", joliet.as_ref().map(|index| index.hierarchy.case_collisions())),
            ("UDF", udf.as_ref().map(|index| index.case_collisions.as_slice())),
        ];
        let collisions = indexes.into_iter().filter_map(|(index, collisions)| {
            let collisions = collisions?;
            let &(first, second) = collisions.first()?;
            Some(format!(
                "{} {index} {} only in case from another, {} and {} first: Windows shows one of each",
                collisions.len(),
                if collisions.len() == 1 {
                    "name differs"
                } else {
                    "names differ"
                },
                self.shown(first),
                self.shown(second),
            ))
        });
        collisions.collect()
    }

    fn mapped_names(&self) -> Vec<String> {
        // A level-3 identifier is upper case and short; with Rock Ridge nobody reads it.
        let primary = Some(&self.indexes.iso).filter(|_| !self.contents.rock_ridge);
        let of_iso9660 = |index: Option<&Iso>| index.map_or(0, |index| index.hierarchy.mappings().len());
        let indexes = [
            ("a plain ISO 9660", of_iso9660(primary)),
            ("a Joliet", of_iso9660(self.indexes.joliet.as_ref())),
            ("a UDF", self.indexes.udf.as_ref().map_or(0, Udf::mapped_count)),
        ];
        indexes
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(index, count)| {
                let names = if count == 1 { "name is not" } else { "names are not" };
                format!("{count} {names} possible in {index} index and mapped to others; `plan --json` lists them as name_map")
            })
            .collect()
    }
}
