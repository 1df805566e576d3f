//! What has changed of the volume goes into the draft: directories, which move if they have no room where they are, and what the volume's
//! descriptors say.

use super::{Open, UdfVolume};
use crate::facts::What;
use crate::formats::iso9660::SECTOR;
use crate::formats::udf;
use crate::formats::udf::edit::{self, Totals};
use crate::ground::read_at::ReadAt;
use crate::ground::shift::Shift;
use crate::plan::grow::GrowError;
use crate::plan::grow::draft::Draft;
use crate::plan::grow::gone::Gone;

impl UdfVolume {
    /// Writes every changed directory, that of the root behind all others: 7-Zip looks for the last anchor behind the last block that
    /// belongs to a file or a directory, over zeros.
    pub(in crate::plan::grow) fn finish(&mut self, draft: &mut Draft, gone: &mut Gone) -> Result<(), GrowError> {
        let is_longer = draft.end() > draft.cut().next_multiple_of(SECTOR);
        let root = self.listing.find(b"/").and_then(|root| self.file_entry(root));
        let open = std::mem::take(&mut self.open);
        let (of_root, others): (Vec<_>, Vec<_>) = open.into_iter().partition(|(own, _)| Some(*own) == root);
        let is_longer = others.into_iter().try_fold(is_longer, |is_longer, (own, open)| {
            Ok::<_, GrowError>(self.write_directory(draft, own, open, gone)? || is_longer)
        })?;
        self.open.extend(of_root);
        if let Some(root) = root
            && (is_longer || self.open.contains_key(&root))
        {
            self.opened(draft, root)?;
            if let Some(mut open) = self.open.remove(&root) {
                open.room = open.room.filter(|_| !is_longer);
                self.write_directory(draft, root, open, gone)?;
            }
        }
        Ok(())
    }

    /// Writes a directory: where it is, if it has room there. Whether it took new room.
    fn write_directory(
        &mut self,
        draft: &mut Draft,
        own: u64,
        mut open: Open,
        gone: &mut Gone,
    ) -> Result<bool, GrowError> {
        let partition = self.partition.offset;
        let shown = [self.shown(&open.path)];
        let length = edit::directory_length(&open.names);
        let (place, room) = match open.room.filter(|&(_, room)| room >= length) {
            Some(place) => place,
            None => (draft.take(length), length.next_multiple_of(SECTOR)),
        };
        let is_new = open.room.is_none_or(|(old, _)| old != place);
        if is_new && let Some(&(entry, _)) = self.names_of.get(&own) {
            // What was in the file entry is no place of its own.
            let mut places = self.listing.forget(entry);
            places.retain(|(offset, _)| offset.is_multiple_of(SECTOR));
            gone.add(places, &open.path);
        }
        let mut bytes = edit::directory(&open.names, place, partition)?;
        bytes.resize(room as usize, 0);
        draft.write(place, &bytes, What::UdfDirectory, &shown)?;
        open.entry.set_content(place, length, partition)?;
        let entry = open.entry.encode(own, partition)?;
        draft.write(own, &entry, What::UdfFileEntry, &shown)?;
        Ok(is_new)
    }

    /// Writes the end of the partition and the totals into the descriptors, and anchors that have moved with their new places.
    pub(in crate::plan::grow) fn set_end(&self, draft: &mut Draft, shift: &Shift) -> Result<(), GrowError> {
        let is_longer = shift.by > 0;
        let totals = Totals {
            end: match is_longer {
                true => shift.end(self.partition.end()).max(shift.filled),
                false => self.partition.end(),
            },
            ..self.totals
        };
        for (offset, what, bytes) in edit::descriptors_with(draft, &self.volume, &totals)? {
            let what = match what {
                udf::What::Integrity => What::UdfIntegrity,
                _ => What::UdfVolumeDescriptors,
            };
            draft.write(offset, &bytes, what, &[])?;
        }
        for &anchor in self.anchors.iter().filter(|_| is_longer) {
            let offset = shift.start(anchor);
            let bytes = edit::moved_anchor(draft.read_vec_at(offset, SECTOR)?, offset)?;
            draft.write(offset, &bytes, What::UdfAnchor, &[])?;
        }
        Ok(())
    }
}
