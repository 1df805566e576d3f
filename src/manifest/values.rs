//! Paths, sizes, dates and regular expressions out of a manifest's strings.

use std::ffi::OsStr;

use serde::{Deserialize, Deserializer};

use crate::ground::time::{Civil, Timestamp};

/// The date of an image whose manifest gives none: 2000-01-01T00:00:00Z. Every format on the image can hold it.
pub const DEFAULT_TIMESTAMP: Timestamp = Timestamp::from_unix(946_684_800);

/// ECMA-119 §10.1.6 counts years in one byte from 1900.
const YEARS: std::ops::RangeInclusive<i64> = 1900..=2155;

/// A path in the image or in the ESP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePath {
    /// From the root; none for the root itself.
    pub components: Vec<String>,
    /// Whether it is written as a directory: it ends in `/`, or is the root.
    pub directory: bool,
}

/// Takes a path of an image apart. `//` and `.` mean nothing; `/` is the only separator.
///
/// # Errors
/// What an image path cannot be, in words.
pub fn image_path(text: &str) -> Result<ImagePath, String> {
    // Other keys name files of the image so.
    let text = text.strip_prefix("iso:").unwrap_or(text);
    if text.is_empty() {
        return Err("a path in the image cannot be empty".into());
    }
    if text.contains('\0') {
        return Err("a path in the image cannot hold a NUL character".into());
    }
    let components: Vec<String> = text
        .split('/')
        .filter(|component| !matches!(*component, "" | "."))
        .map(str::to_owned)
        .collect();
    if components.iter().any(|component| component == "..") {
        return Err("a path in the image cannot go up with `..`".into());
    }
    let directory = components.is_empty() || text.ends_with('/') || text.ends_with("/.");
    Ok(ImagePath { components, directory })
}

/// The number of the FAT volume, from 1, and the path in it, of `esp:/...` and `esp2:/...`.
pub fn esp_path(text: &str) -> Option<(usize, &str)> {
    let (volume, path) = text.split_once(':')?;
    let number = match volume.strip_prefix("esp")? {
        "" => 1,
        digits => digits.parse().ok().filter(|&number| number > 0)?,
    };
    path.starts_with('/').then_some((number, path))
}

/// Explains a path that only a shell would expand. A manifest takes paths as they are.
pub fn of_a_shell(path: &str) -> Option<&'static str> {
    match path {
        _ if path == "~" || path.starts_with("~/") => Some(
            "`~` is a shell's word for your home directory; a manifest takes paths as they are, relative to its own directory",
        ),
        _ if path.contains('$') => Some("`$` names a variable in a shell; a manifest takes paths as they are"),
        _ if path.contains(['*', '?', '[']) => Some(
            "patterns such as `*` are a shell's; `from` takes one file or directory, and `exclude` leaves some of it out",
        ),
        _ => None,
    }
}

/// Units of sizes: powers of 1024, and of 1000.
const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

/// Bytes of a size such as `"64MiB"`.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let unit = text[digits.len()..].trim();
    let factor = match unit {
        "" => 1,
        unit => match UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, factor)) => *factor,
            None => {
                return Err(format!(
                    "{text:?} is no size: write a number and a unit, such as \"64MiB\""
                ));
            }
        },
    };
    let number: u64 = digits
        .trim()
        .parse()
        .map_err(|_| format!("{text:?} is no size such as \"64MiB\""))?;
    number
        .checked_mul(factor)
        .ok_or_else(|| format!("{text:?} is more than 16 EiB"))
}

/// The volume identifier of an image called `stem`: upper case, digits and `_`, at most 32.
pub fn default_volume_id(stem: &str) -> String {
    let id: String = stem
        .chars()
        .map(|letter| letter.to_ascii_uppercase())
        .map(|letter| {
            if letter.is_ascii_uppercase() || letter.is_ascii_digit() {
                letter
            } else {
                '_'
            }
        })
        .take(32)
        .collect();
    if id.is_empty() { "IMAGE".into() } else { id }
}

/// A date of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Date {
    /// One that an image can hold.
    Instant(Timestamp),
    /// One that it cannot hold, or that depends on the time zone. The message says why.
    Wrong(String),
}

impl Date {
    /// An instant, in seconds since 1970.
    pub(crate) fn from_unix(seconds: i64) -> Self {
        in_range(Timestamp::from_unix(seconds.clamp(-(1 << 40), 1 << 40))).map_or_else(Self::Wrong, Self::Instant)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let date = toml::value::Datetime::deserialize(deserializer)?;
        Ok(timestamp(&date).map_or_else(Self::Wrong, Self::Instant))
    }
}

fn timestamp(date: &toml::value::Datetime) -> Result<Timestamp, String> {
    let (Some(day), Some(time), Some(offset)) = (date.date, date.time, date.offset) else {
        return Err("a date needs a day, a time and an offset, such as 2026-01-01T00:00:00Z".into());
    };
    let minutes = match offset {
        toml::value::Offset::Z => 0,
        toml::value::Offset::Custom { minutes } => i64::from(minutes),
    };
    let civil = Civil {
        year: day.year.into(),
        month: day.month,
        day: day.day,
        hour: time.hour,
        minute: time.minute,
        second: time.second.unwrap_or(0),
    };
    in_range(Timestamp::from_unix(Timestamp::from_civil(civil).unix() - minutes * 60))
}

/// The date that the variable `SOURCE_DATE_EPOCH` gives; none where it is not set.
///
/// # Errors
/// What is wrong with its value, in words.
pub fn source_date_epoch(value: Option<&OsStr>) -> Result<Option<Timestamp>, String> {
    let Some(value) = value else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let seconds = match text.parse::<i64>() {
        Ok(seconds) if text.bytes().all(|digit| digit.is_ascii_digit()) => seconds,
        _ => {
            return Err(format!(
                "{value:?} is not a number of seconds since 1970-01-01T00:00:00Z"
            ));
        }
    };
    // Calendar arithmetic is safe far beyond the year 2155.
    in_range(Timestamp::from_unix(seconds.min(1 << 40))).map(Some)
}

fn in_range(at: Timestamp) -> Result<Timestamp, String> {
    match YEARS.contains(&at.civil().year) {
        true => Ok(at),
        false => Err(format!(
            "{at} is outside of 1900 to 2155, the years that ISO 9660 can record (ECMA-119 §10.1.6)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_paths_are_normalised() {
        let path = |text: &str| {
            let path = image_path(text).unwrap();
            (path.components.join("/"), path.directory)
        };
        assert_eq!(path("/a//b/./c"), ("a/b/c".into(), false));
        assert_eq!(path("a/b/"), ("a/b".into(), true));
        assert_eq!(path("/a/."), ("a".into(), true));
        for root in ["/", ".", "./", "//"] {
            assert_eq!(path(root), (String::new(), true));
        }
        assert_eq!(path("a\\b"), ("a\\b".into(), false));
        for wrong in ["", "..", "../x", "/a/../../b", "a\0"] {
            assert!(image_path(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("1 GB"), Ok(1_000_000_000));
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_size("0B"), Ok(0));
        for wrong in ["", "MiB", "1M", "-1MiB", "1.5GiB", "99999999999TiB", "64MiBx"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_default_volume_id_is_made_of_d_characters() {
        assert_eq!(default_volume_id("acme-1.4"), "ACME_1_4");
        assert_eq!(default_volume_id(&"x".repeat(40)), "X".repeat(32));
        assert_eq!(default_volume_id(""), "IMAGE");
    }

    #[test]
    fn dates_do_not_depend_on_a_time_zone() {
        let parse = |text: &str| timestamp(&text.parse().unwrap()).map(|at| at.to_string());
        assert_eq!(parse("2026-01-01T00:00:00Z"), Ok("2026-01-01T00:00:00Z".into()));
        assert_eq!(parse("2026-01-01T01:30:00+01:30"), Ok("2026-01-01T00:00:00Z".into()));
        for wrong in [
            "2026-01-01T00:00:00",
            "2026-01-01",
            "12:00:00",
            "2156-01-01T00:00:00Z",
            "1899-12-31T23:59:59Z",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(DEFAULT_TIMESTAMP.to_string(), "2000-01-01T00:00:00Z");
    }

    #[test]
    fn source_date_epoch_is_a_number_or_an_error() {
        let read = |text: &str| source_date_epoch(Some(OsStr::new(text)));
        assert_eq!(source_date_epoch(None), Ok(None));
        assert_eq!(read("0"), Ok(Some(Timestamp::from_unix(0))));
        for wrong in [
            "",
            "-1",
            "x",
            "1.5",
            " 1",
            "+1",
            "9223372036854775807",
            "99999999999999999999",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
