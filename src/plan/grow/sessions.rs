//! The sessions of the base. The newest is changed; the older ones stay, with everything that they name.

use super::GrowError;
use super::hierarchy::Hierarchy;
use crate::formats::iso9660::{self, Descriptor, SECTOR, Session};
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;

/// What there is beside the volume descriptors in sector 16.
#[derive(Debug)]
pub(super) struct Sessions {
    /// The newest session's own descriptors, of which those in sector 16 are a copy.
    pub(super) copies: Vec<(u64, Descriptor)>,
    /// What the older sessions have.
    pub(super) older: Vec<Range>,
    pub(super) older_count: usize,
}

impl Sessions {
    pub(super) fn read(base: &dyn ReadAt) -> Result<Self, GrowError> {
        let mut sessions = iso9660::sessions(base)?;
        let Some(newest) = sessions.pop() else {
            return Err(GrowError::Bug("an image with volume descriptors has no session".into()));
        };
        if newest.start != 0 {
            return Err(GrowError::Unsupported(format!(
                "the image has {} sessions, and sector 16 has the descriptors of an older one, which a disk would show: such an image is not \
                 changed",
                sessions.len() + 1
            )));
        }
        let mut older = Vec::new();
        for session in &sessions {
            of_session(base, session, &mut older)?;
        }
        Ok(Self {
            copies: newest.copies,
            older,
            older_count: sessions.len(),
        })
    }
}

/// Adds what a session has: descriptors, path tables, directories and files.
fn of_session(base: &dyn ReadAt, session: &Session, found: &mut Vec<Range>) -> Result<(), GrowError> {
    for (offset, descriptor) in session.descriptors.iter().chain(&session.copies) {
        found.push(Range {
            offset: *offset,
            length: SECTOR,
        });
        let Descriptor::Volume(volume) = descriptor else {
            continue;
        };
        let hierarchy = Hierarchy::read(base, 0, *offset, volume)?;
        let used = hierarchy.listing.used();
        found.extend(used.map(|(offset, length)| Range { offset, length }));
        found.push(Range {
            offset: volume.path_table_l,
            length: volume.path_table_length,
        });
    }
    Ok(())
}

/// Adds other descriptors that lead to the directories of a known hierarchy.
pub(super) fn add_copies(copies: &[(u64, Descriptor)], hierarchies: &mut [Hierarchy]) {
    for (offset, descriptor) in copies {
        if let Descriptor::Volume(volume) = descriptor {
            for hierarchy in hierarchies.iter_mut() {
                hierarchy.is_also_of(0, *offset, volume);
            }
        }
    }
}

/// What a person should know of older sessions.
pub(super) fn warning(count: usize) -> Option<String> {
    let sessions = match count {
        0 => return None,
        1 => "an older session, which stays as it is".to_owned(),
        count => format!("{count} older sessions, which stay as they are"),
    };
    Some(format!(
        "the base has {sessions}: what is removed stays where one of them names it"
    ))
}
