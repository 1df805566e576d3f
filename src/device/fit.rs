//! Whether an image can boot from a medium at all, before anything of that is overwritten.

use super::DeviceError;
use super::payload::Payload;
use super::target::{Kind, Target};
use crate::formats::recognise::Form;

/// Makes sure that the image has room, and that its partition table is one for the medium's sectors.
///
/// # Errors
/// [`DeviceError::Refused`] with what would fit.
pub fn fits(target: &Target, payload: &Payload) -> Result<(), DeviceError> {
    if target.is_optical() {
        // An empty disc does not say how much it takes, and firmware looks at El Torito there.
        return Ok(());
    }
    let mut reasons = Vec::new();
    if let (Some(room), Some(size)) = (target.size(), payload.size())
        && room < size
    {
        let missing = size - room;
        reasons.push(format!(
            "it is too small: the image has {size} bytes, and it has room for {room}; {missing} are missing"
        ));
    }
    if let Kind::Disk { .. } = target.kind() {
        reasons.extend(wrong_sectors(payload.head(), target.sector_size()));
    }
    match reasons.is_empty() {
        true => Ok(()),
        false => Err(DeviceError::Refused {
            path: target.path().to_owned(),
            reasons,
        }),
    }
}

/// UEFI 5.3.2: a GPT's header is in LBA 1, so that an image has a table for each size of sector that it has a header for. An MBR counts
/// in sectors of 512 bytes where nothing else is said.
fn wrong_sectors(head: &[u8], sector_size: u64) -> Option<String> {
    let is_signed = head.get(510..512) == Some(&[0x55, 0xaa]);
    let mut tables: Vec<u64> = Vec::new();
    tables.extend(
        [512, 2048, 4096]
            .into_iter()
            .filter(|&sector| Form::Gpt(sector).is_shown_by(head)),
    );
    let has_entries = head
        .get(446..510)
        .is_some_and(|entries| entries.iter().any(|&byte| byte != 0));
    if tables.is_empty() && is_signed && has_entries {
        tables.push(512);
    }
    if tables.is_empty() || tables.contains(&sector_size) {
        return None;
    }
    let sizes: Vec<String> = tables.iter().map(u64::to_string).collect();
    Some(format!(
        "its sectors have {sector_size} bytes, and the image's partition table counts in sectors of {}, so that nothing in it would \
         be found; an image of the layout \"multi-sector\" would fit",
        sizes.join(" and ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_for_its_own_sectors() {
        let mut head = vec![0; 8192];
        assert_eq!(wrong_sectors(&head, 4096), None);
        head[510] = 0x55;
        head[511] = 0xaa;
        assert_eq!(wrong_sectors(&head, 4096), None);
        head[450] = 0xef;
        assert!(wrong_sectors(&head, 4096).unwrap().contains("sectors of 512"));
        assert_eq!(wrong_sectors(&head, 512), None);
        head[4096..4104].copy_from_slice(b"EFI PART");
        assert_eq!(wrong_sectors(&head, 4096), None);
        assert!(wrong_sectors(&head, 512).unwrap().contains("sectors of 4096,"));
        head[512..520].copy_from_slice(b"EFI PART");
        assert_eq!(wrong_sectors(&head, 512), None);
        assert_eq!(wrong_sectors(&[], 4096), None);
    }
}
