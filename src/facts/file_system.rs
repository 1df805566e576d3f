//! What is in a partition or on a whole disk, by magic numbers: a name for people, and the label that somebody has given it.

use std::io;

use crate::formats::recognise::Form;
use crate::ground::read_at::ReadAt;
use crate::ground::text;

/// What a form is called, and where its label is: offset and length of bytes that end with a zero or spaces.
fn words(form: Form) -> Option<(&'static str, Option<(u64, u64)>)> {
    Some(match form {
        Form::Ext => ("ext", Some((0x478, 16))),
        Form::Xfs => ("XFS", Some((108, 12))),
        Form::Btrfs => ("btrfs", Some((0x1012b, 256))),
        Form::Luks => ("LUKS", None),
        Form::Squashfs => ("squashfs", None),
        Form::Erofs => ("EROFS", Some((0x400 + 64, 16))),
        Form::F2fs => ("F2FS", None),
        Form::Lvm => ("LVM", None),
        Form::Swap => ("swap", Some((0x41c, 16))),
        Form::Ntfs => ("NTFS", None),
        Form::ExFat => ("exFAT", None),
        Form::Fat32 => ("FAT", Some((71, 11))),
        Form::Fat => ("FAT", Some((43, 11))),
        Form::Ufs => ("UFS", None),
        Form::Hfs => ("HFS", None),
        Form::Iso9660 => ("ISO 9660", Some((0x8028, 32))),
        Form::Udf => ("UDF", None),
        Form::Raid => ("RAID", Some((0x1020, 32))),
        _ => return None,
    })
}

/// The kind and the label of what begins here. `None` if it is not recognised.
pub(crate) fn recognise(bytes: &dyn ReadAt) -> io::Result<Option<(&'static str, Option<String>)>> {
    let Some((kind, label)) = Form::all(bytes)?.into_iter().find_map(words) else {
        return Ok(None);
    };
    let label = match label {
        Some((offset, length)) if offset + length <= bytes.size() => bytes.read_vec_at(offset, length)?,
        _ => Vec::new(),
    };
    let length = label.iter().position(|&byte| byte == 0).unwrap_or(label.len());
    let label = text::visible(label.get(..length).unwrap_or_default().trim_ascii());
    // Programs that make a FAT volume without a label write this in its place.
    let label = Some(label).filter(|label| !label.is_empty() && label != "NO NAME");
    Ok(Some((kind, label)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_numbers_and_labels() {
        let mut bytes = vec![0; 0x11000];
        assert_eq!(recognise(&bytes).unwrap(), None);
        bytes[0x8001..0x8006].copy_from_slice(b"CD001");
        bytes[0x8028..0x8048].copy_from_slice(b"DEBIAN_\x1b                        ");
        let debian = Some("DEBIAN_\\u{1b}".to_owned());
        assert_eq!(recognise(&bytes).unwrap(), Some(("ISO 9660", debian)));
        bytes[82..90].copy_from_slice(b"FAT32   ");
        bytes[71..82].copy_from_slice(b"NO NAME    ");
        assert_eq!(recognise(&bytes).unwrap(), Some(("FAT", None)));
        bytes[0x438..0x43a].copy_from_slice(b"\x53\xef");
        bytes[0x478..0x47c].copy_from_slice(b"root");
        assert_eq!(recognise(&bytes).unwrap(), Some(("ext", Some("root".to_owned()))));
        assert_eq!(recognise(&vec![0u8; 3]).unwrap(), None);
    }
}
