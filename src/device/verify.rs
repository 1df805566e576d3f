//! A medium against the image that was written to it.

use super::DeviceError;
use super::medium::Medium;
use super::touched::{Touch, touchable};
use crate::ground::read_at::ReadAt;
use crate::output::{BUFFER, Buffer, Interrupt};

/// Differences are counted in sectors of so many bytes.
const SECTOR: u64 = 512;

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Bytes of the image.
    pub size: u64,
    /// Bytes by which the medium is shorter.
    pub missing: u64,
    /// The byte offset of the first difference that is damage.
    pub first: Option<u64>,
    /// Sectors of 512 bytes with damage.
    pub different: u64,
    /// What was changed without harm, a sentence each.
    pub touched: Vec<&'static str>,
}

impl Comparison {
    /// Whether the medium does what the image does.
    pub fn is_sound(&self) -> bool {
        self.missing == 0 && self.first.is_none()
    }
}

/// Compares every byte of the image with the medium's. `progress` learns how many are done.
///
/// # Errors
/// When one of them cannot be read, or a signal asks to stop.
pub fn verify(
    image: &dyn ReadAt,
    medium: &mut Medium,
    progress: &mut dyn FnMut(u64),
    interrupt: &Interrupt,
) -> Result<Comparison, Fault> {
    let mut touches = touchable(image, &*medium);
    touches.sort_by_key(|touch| touch.offset);
    let shared = image.size().min(medium.size());
    let mut comparison = Comparison {
        size: image.size(),
        missing: image.size() - shared,
        ..Comparison::default()
    };
    let mut buffer = Buffer::new();
    let mut offset = 0;
    while offset < shared {
        if let Some(signal) = interrupt.requested() {
            return Err(Fault::Interrupted(signal));
        }
        progress(offset);
        let length = (shared - offset).min(BUFFER as u64);
        let ours = image.read_vec_at(offset, length).map_err(Fault::Image)?;
        // Whole sectors, so that they can come past the page cache.
        let whole = length
            .next_multiple_of(medium.sector_size())
            .min(medium.size() - offset);
        medium
            .read(&mut buffer, whole as usize, offset)
            .map_err(Fault::Medium)?;
        let theirs = buffer.get_mut(..length as usize).unwrap_or_default();
        if ours != theirs {
            for touch in &touches {
                if take_away(touch, offset, &ours, theirs) && !comparison.touched.contains(&touch.what) {
                    comparison.touched.push(touch.what);
                }
            }
            count(offset, &ours, theirs, &mut comparison);
        }
        offset += length;
    }
    progress(shared);
    Ok(comparison)
}

/// Why a comparison ended early.
#[derive(Debug)]
pub enum Fault {
    /// The image cannot be read.
    Image(std::io::Error),
    /// The medium cannot be read.
    Medium(DeviceError),
    /// A signal asked to stop.
    Interrupted(i32),
}

/// Makes equal what may differ by `touch`. Whether anything did.
fn take_away(touch: &Touch, offset: u64, ours: &[u8], theirs: &mut [u8]) -> bool {
    let mut found = false;
    for (index, mask) in touch.mask.iter().enumerate() {
        let place = (touch.offset + index as u64).checked_sub(offset);
        let place = place.and_then(|place| usize::try_from(place).ok());
        let Some((ours, theirs)) = place.and_then(|place| Some((ours.get(place)?, theirs.get_mut(place)?))) else {
            continue;
        };
        let difference = *ours ^ *theirs;
        found |= difference & mask != 0;
        *theirs ^= difference & mask;
    }
    found
}

fn count(offset: u64, ours: &[u8], theirs: &[u8], comparison: &mut Comparison) {
    let sectors = ours.chunks(SECTOR as usize).zip(theirs.chunks(SECTOR as usize));
    for (index, (ours, theirs)) in sectors.enumerate() {
        if let Some(place) = ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs) {
            comparison.different += 1;
            let first = offset + index as u64 * SECTOR + place as u64;
            comparison.first.get_or_insert(first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(image: &[u8], medium: &[u8]) -> Comparison {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), medium).unwrap();
        let mut medium = Medium::open_to_read(file.path()).unwrap();
        verify(&image.to_vec(), &mut medium, &mut |_| {}, &Interrupt::default()).unwrap()
    }

    #[test]
    fn differences_are_counted_and_the_first_is_named() {
        let image = vec![7; 3 << 20];
        let mut medium = vec![7; 4 << 20];
        assert!(compare(&image, &medium).is_sound());
        medium[(1 << 20) + 5] = 8;
        medium[(1 << 20) + 6] = 8;
        medium[(3 << 20) - 1] = 8;
        medium[3 << 20] = 8;
        let found = compare(&image, &medium);
        assert_eq!(
            (found.first, found.different, found.missing),
            (Some((1 << 20) + 5), 2, 0)
        );
        assert!(!found.is_sound());
        let found = compare(&image, &image[..1000]);
        assert_eq!((found.first, found.missing), (None, (3 << 20) - 1000));
        assert!(!found.is_sound());
    }

    #[test]
    fn only_the_bits_of_a_mask_may_differ() {
        let touch = Touch {
            offset: 10,
            mask: vec![0, 0xc0],
            what: "",
        };
        let ours = [0; 4];
        let mut theirs = [1, 2, 0x41, 0];
        // The chunk begins at 9, so that the mask's second byte is its third.
        assert!(take_away(&touch, 9, &ours, &mut theirs));
        assert_eq!(theirs, [1, 2, 1, 0]);
        assert!(!take_away(&touch, 9, &ours, &mut theirs));
        assert!(!take_away(&touch, 12, &ours, &mut theirs));
    }
}
