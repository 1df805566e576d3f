//! Fields in a structure that somebody else wrote.

/// Writes a field. One that the structure is too short for is left out.
pub(crate) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    let place = at.checked_add(value.len()).and_then(|end| bytes.get_mut(at..end));
    if let Some(place) = place {
        place.copy_from_slice(value);
    }
}
