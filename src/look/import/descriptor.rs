//! Fields of the primary volume descriptor other than its identifiers.

use super::Importing;
use crate::formats::iso9660::{FIELD, FIELD_LENGTH, FurtherFields, MediaMd5, SYSTEM_AREA};
use crate::ground::text::visible;
use crate::ground::time::Timestamp;

impl Importing<'_> {
    /// The date for `iso.timestamp`: that of the last change, because it is the volume's UUID, and boot configurations search for that. What has no
    /// key is left out.
    pub(super) fn timestamp(&mut self) -> String {
        let created = self.facts.identifiers.created.clone();
        let descriptor = self.image.read_vec_at(SYSTEM_AREA, 2048).unwrap_or_default();
        let Some(descriptor) = descriptor
            .first_chunk::<2048>()
            .filter(|bytes| bytes[..6] == *b"\x01CD001")
        else {
            return created;
        };
        let fields = FurtherFields::read(descriptor);
        let created = fields.created.map_or(created, |date| date.to_string());
        let modified = fields.modified.map_or(created, |date| date.to_string());
        let other = |date: Option<Timestamp>| date.map(|date| date.to_string()).filter(|date| *date != modified);
        let dates = [
            ("creation date", other(fields.created)),
            ("expiration date", other(fields.expires)),
            ("effective date", other(fields.effective)),
        ];
        let dates = dates.into_iter();
        let dates = dates.filter_map(|(what, date)| Some(format!("its own {what}, {}", date?)));
        let files = fields
            .files
            .iter()
            .map(|(what, name)| format!("a {what} file identifier: {}", visible(name.as_bytes())));
        self.left_out.extend(dates.chain(files));
        let application_use = &descriptor[FIELD..FIELD + FIELD_LENGTH];
        let is_blank = application_use.iter().all(|byte| [0, b' '].contains(byte));
        if !is_blank && MediaMd5::decode(application_use).is_none() {
            let printable = application_use.iter().take_while(|byte| (b' '..=b'~').contains(byte));
            let text: String = printable.take(40).map(|&byte| char::from(byte)).collect();
            self.left_out.push(format!(
                "data in the application use field of its volume descriptor: {}",
                text.trim_end()
            ));
        }
        modified
    }
}
