//! Fields of a primary volume descriptor that [`VolumeDescriptor`](super::VolumeDescriptor) does not have, because images of ours leave them blank.

use super::record::read_volume_date;
use crate::ground::text;
use crate::ground::time::Timestamp;

/// The fields that are not blank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FurtherFields {
    /// §9.4.27: when the volume was made.
    pub created: Option<Timestamp>,
    /// §9.4.28: when the volume was changed last. GRUB and Linux use it as the UUID of the volume.
    pub modified: Option<Timestamp>,
    /// §9.4.29: from when on the volume is out of date.
    pub expires: Option<Timestamp>,
    /// §9.4.30: from when on the volume may be used.
    pub effective: Option<Timestamp>,
    /// §9.4.24 to §9.4.26: what a file holds (copyright, abstract, bibliography), and its name.
    pub files: Vec<(&'static str, String)>,
}

impl FurtherFields {
    /// Reads them from a primary volume descriptor.
    pub fn read(descriptor: &[u8; 2048]) -> Self {
        let date = |at: usize| descriptor[at..].first_chunk::<17>().and_then(read_volume_date);
        let named = [
            ("copyright", &descriptor[702..739]),
            ("abstract", &descriptor[739..776]),
            ("bibliography", &descriptor[776..813]),
        ];
        let files = named.into_iter().filter_map(|(what, field)| {
            let name = text::lossless(field);
            let name = name.trim_end_matches([' ', '\0']);
            (!name.is_empty()).then(|| (what, name.to_owned()))
        });
        Self {
            created: date(813),
            modified: date(830),
            expires: date(847),
            effective: date(864),
            files: files.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The field positions are those of ECMA-119 §9.4, table 9: 703 to 881, counted from 1 there.
    #[test]
    fn fields_are_where_the_standard_has_them() {
        let mut descriptor = [b' '; 2048];
        assert_eq!(FurtherFields::read(&descriptor), FurtherFields::default());
        descriptor[702..711].copy_from_slice(b"COPYING.;");
        descriptor[776..779].copy_from_slice(b"BIB");
        descriptor[830..847].copy_from_slice(b"2021013015000100\0");
        descriptor[847..864].copy_from_slice(b"0000000000000000\0");
        descriptor[864..881].copy_from_slice(b"1970010101000000\x04");
        let fields = FurtherFields::read(&descriptor);
        assert_eq!(fields.modified.unwrap().to_string(), "2021-01-30T15:00:01Z");
        assert_eq!((fields.expires, fields.effective.unwrap().unix()), (None, 0));
        let files = [
            ("copyright", "COPYING.;".to_owned()),
            ("bibliography", "BIB".to_owned()),
        ];
        assert_eq!(fields.files, files);
    }
}
