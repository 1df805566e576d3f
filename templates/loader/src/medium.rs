//! Whether a medium is the one that this image was written to.

use crate::disk::Disk;
use crate::iso9660::{self, Extent};
use crate::line::Failure;
use crate::menu_file::{LARGEST, Menu, PATH};

/// The path of the file in the ESP that holds the image's id.
pub const ID_PATH: &[u8] = b"/EFI/BOOT/isobuild.id";

/// Finds the menu file in the medium's ISO 9660 tree and reads it with [`read_menu`].
///
/// # Errors
/// There is none, or what [`read_menu`] says.
pub fn menu_of<'a, D: Disk + ?Sized>(disk: &mut D, id: Option<&[u8]>, into: &'a mut [u8]) -> Result<Menu<'a>, Failure> {
    let file = iso9660::find(disk, PATH)?;
    read_menu(disk, file, id, into)
}

/// Reads a menu file and confirms the image by its id, where there is one to compare with.
///
/// # Errors
/// The medium has failed, the file is too large, or it is another image's.
pub fn read_menu<'a, D: Disk + ?Sized>(
    disk: &mut D,
    file: Extent,
    id: Option<&[u8]>,
    into: &'a mut [u8],
) -> Result<Menu<'a>, Failure> {
    let length = usize::try_from(file.length).ok().filter(|&length| length <= LARGEST);
    let Some(room) = length.and_then(|length| into.get_mut(..length)) else {
        return Err(Failure::new()
            .bytes(PATH)
            .text(" is larger than ")
            .size(LARGEST as u64)
            .text("."));
    };
    disk.read(file.offset, room)?;
    let menu = Menu::new(room);
    match id {
        Some(id) if menu.id() != Some(id) => Err(Failure::of("The boot medium is another image's: its id differs.")),
        _ => Ok(menu),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Volume;
    use std::vec;

    const ID: &[u8] = b"00112233445566778899aabbccddeeff";

    #[test]
    fn a_medium_is_known_by_its_id() {
        let mut volume = Volume::new(&[("boot/isobuild/menu.cfg", b"id = 00112233445566778899aabbccddeeff\n")]);
        let mut room = vec![0; LARGEST];
        for id in [Some(ID), None] {
            assert_eq!(
                menu_of(&mut volume, id, &mut room).map(|menu| menu.id()).ok(),
                Some(Some(ID))
            );
        }
        let other = [b'a'; 32];
        let failure = menu_of(&mut volume, Some(&other), &mut room).err().unwrap();
        assert!(failure.as_str().contains("its id differs"), "{}", failure.as_str());
    }

    #[test]
    fn a_menu_file_beyond_the_limit_is_refused() {
        let mut volume = Volume::new(&[("boot/isobuild/menu.cfg", &vec![b'#'; LARGEST + 1])]);
        let failure = menu_of(&mut volume, None, &mut vec![0; LARGEST]).err().unwrap();
        assert_eq!(failure.as_str(), "/boot/isobuild/menu.cfg is larger than 64 KiB.");
    }
}
