//! The indexes of an image: all that it says about its tree, and which of them to believe.

use crate::facts::FileSystem;
use crate::formats::iso9660::{self, EntryKind, Flavour, Iso9660Error, Session, VolumeKind, Walk};
use crate::formats::udf::{self, Kind, Volume};
use crate::ground::read_at::ReadAt;

use super::InspectError;
use super::disk::is_disk;

/// What one index says.
#[derive(Debug)]
pub(crate) enum Index {
    /// A hierarchy of ISO 9660.
    Iso(Walk),
    /// UDF.
    Udf(Volume),
}

/// Everything that an image says about its tree.
pub(crate) struct Indexes {
    /// The ISO 9660 volumes, the oldest first; none in an image of UDF alone, and on a disk.
    pub(crate) sessions: Vec<Session>,
    /// Which of them is read, from 0.
    pub(crate) session: usize,
    /// The primary hierarchy first.
    pub(crate) all: Vec<Index>,
    /// Indexes that are announced and cannot be read.
    pub(crate) faults: Vec<String>,
}

/// What is asked of an image that can have several sessions: a number from 1, the oldest; none is the newest.
pub(crate) type Number = Option<usize>;

/// Reads every index of a session. UDF has no sessions; it is read beside the newest.
///
/// # Errors
/// When there is no index, or there are not so many sessions.
pub(crate) fn read(image: &dyn ReadAt, number: Number) -> Result<Indexes, InspectError> {
    let announced = udf::is_announced(image)?;
    let sessions = match iso9660::sessions(image) {
        Err(Iso9660Error::NotIso9660(_)) if announced || is_disk(image)? => Vec::new(),
        Err(error @ Iso9660Error::NotIso9660(_)) => {
            return Err(InspectError::NotAnImage(format!(
                "{error}; there is no partition, and no file system begins with the first byte"
            )));
        }
        sessions => sessions?,
    };
    let has_primary = |session: &Session| session.volume(VolumeKind::Primary).is_some();
    if !announced && !sessions.last().is_none_or(has_primary) {
        let message = "there is no primary volume descriptor in logical sector 16 or behind it (ECMA-119 §9.4)";
        return Err(InspectError::NotAnImage(message.into()));
    }
    let count = sessions.len().max(1);
    let session = match number {
        None => count - 1,
        Some(number) if (1..=count).contains(&number) => number - 1,
        Some(number) => {
            let message = match count {
                1 => format!("there is one session, and no session {number}"),
                _ => format!("there are {count} sessions, 1 the oldest, and no session {number}"),
            };
            return Err(InspectError::NotAnImage(message));
        }
    };
    let mut indexes = Indexes {
        sessions,
        session,
        all: Vec::new(),
        faults: Vec::new(),
    };
    indexes.hierarchies(image)?;
    // Without an announcement it is looked for where ISO 9660 has poor names alone.
    let is_poor = !indexes.sessions.is_empty()
        && indexes
            .all
            .iter()
            .all(|index| index.flavour() != Some(Flavour::RockRidge));
    if session + 1 == count && (announced || is_poor) {
        indexes.udf(image, announced)?;
    }
    Ok(indexes)
}

impl Indexes {
    /// The image is a disk: there is neither ISO 9660 nor UDF.
    pub(crate) fn is_disk(&self) -> bool {
        self.all.is_empty()
    }

    /// The volumes of the session that is read: the first of each kind (ECMA-119 §7.7.2).
    fn hierarchies(&mut self, image: &dyn ReadAt) -> Result<(), InspectError> {
        let Some(session) = self.sessions.get(self.session) else {
            return Ok(());
        };
        for kind in [VolumeKind::Primary, VolumeKind::Joliet, VolumeKind::Enhanced] {
            if let Some(volume) = session.volume(kind) {
                self.all.push(Index::Iso(iso9660::walk(image, volume)?));
            }
        }
        Ok(())
    }

    fn udf(&mut self, image: &dyn ReadAt, announced: bool) -> Result<(), InspectError> {
        let no_anchor = || {
            let fault = "the image says that it has UDF, but UDF's anchor is missing (ECMA-167 3/8.4.2.1)";
            InspectError::NotAnImage(fault.into())
        };
        let primary = self
            .sessions
            .last()
            .and_then(|session| session.volume(VolumeKind::Primary));
        let end = primary.map_or(image.size(), |primary| primary.space);
        let fault = match udf::read(image, end).map_err(InspectError::from) {
            Ok(Some(volume)) => {
                self.all.push(Index::Udf(volume));
                return Ok(());
            }
            Ok(None) if announced => no_anchor(),
            Err(error) if announced => error,
            _ => return Ok(()),
        };
        if self.all.is_empty() {
            return Err(fault);
        }
        self.faults.push(fault.to_string());
        Ok(())
    }

    /// What there is to say of sessions that are not read.
    pub(crate) fn of_sessions(&self) -> Option<String> {
        let count = self.sessions.len();
        let label = |session: &Session| {
            let volume = session.volume(VolumeKind::Primary);
            volume.map_or(String::new(), |volume| volume.identifiers.volume.clone())
        };
        let all: Vec<String> = self
            .sessions
            .iter()
            .enumerate()
            .map(|(at, session)| format!("{} is {:?}", at + 1, label(session)))
            .collect();
        (count > 1).then(|| {
            format!(
                "there are {count} sessions ({}); session {} is read, and --session reads another",
                all.join(", "),
                self.session + 1
            )
        })
    }
}

impl Index {
    fn flavour(&self) -> Option<Flavour> {
        match self {
            Self::Iso(walk) => Some(walk.flavour),
            Self::Udf(_) => None,
        }
    }

    pub(crate) fn is_iso9660(&self) -> bool {
        matches!(self, Self::Iso(_))
    }

    pub(crate) fn is_joliet(&self) -> bool {
        self.flavour() == Some(Flavour::Joliet)
    }

    pub(crate) fn is_udf(&self) -> bool {
        matches!(self, Self::Udf(_))
    }

    /// As it is called in sentences.
    pub(crate) fn name(&self) -> &'static str {
        match self.flavour() {
            Some(Flavour::RockRidge) => "Rock Ridge",
            Some(Flavour::Joliet) => "Joliet",
            Some(Flavour::Enhanced) => "enhanced ISO 9660",
            Some(Flavour::Plain) => "ISO 9660",
            None => "UDF",
        }
    }

    /// How its paths are asked for.
    pub(super) fn place(&self) -> &'static str {
        match self.flavour() {
            Some(Flavour::Joliet) => "joliet:",
            Some(_) => "iso:",
            None => "udf:",
        }
    }

    /// Identifiers alone.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.flavour(), Some(Flavour::Plain | Flavour::Enhanced))
    }

    /// By how much it can say of a name.
    fn rank(&self) -> u8 {
        match self.flavour() {
            Some(Flavour::RockRidge) => 4,
            None => 3,
            Some(Flavour::Joliet) => 2,
            Some(Flavour::Enhanced) => 1,
            Some(Flavour::Plain) => 0,
        }
    }

    /// What contradicts its standard.
    pub(crate) fn notes(&self) -> &[String] {
        match self {
            Self::Iso(walk) => &walk.notes,
            Self::Udf(volume) => &volume.notes,
        }
    }

    /// What the standard allows, or readers do not mind, and the entries do not show.
    pub(crate) fn remarks(&self) -> &[String] {
        match self {
            Self::Iso(walk) => &walk.remarks,
            Self::Udf(volume) => &volume.remarks,
        }
    }

    /// Names that have no entry.
    pub(crate) fn left_out(&self) -> usize {
        match self {
            Self::Iso(walk) => walk.left_out,
            Self::Udf(volume) => volume.left_out,
        }
    }

    fn is_damaged(&self) -> bool {
        self.left_out() > 0 || !self.notes().is_empty()
    }

    /// Whether a README is all that an index of ISO 9660 names, as in an image that leaves its files to UDF.
    pub(super) fn is_stub(&self) -> bool {
        matches!(self, Self::Iso(walk) if iso9660::is_stub(&walk.entries))
    }

    /// What it is.
    pub(crate) fn file_system(&self) -> FileSystem {
        self.flavour().map_or(FileSystem::Udf, FileSystem::from)
    }

    /// How many files it names.
    pub(super) fn files(&self) -> usize {
        match self {
            Self::Iso(walk) => walk
                .entries
                .iter()
                .filter(|entry| entry.kind == EntryKind::File)
                .count(),
            Self::Udf(volume) => volume.entries.iter().filter(|entry| entry.kind == Kind::File).count(),
        }
    }
}

/// Which index gives the tree: the one that says most of a name, unless it is damaged or holds no file and another names more. UDF
/// says little more than Joliet, so that it gives way to any index that names more files but to a stub.
pub(crate) fn best(indexes: &[Index]) -> Option<usize> {
    let has_udf = indexes.iter().any(Index::is_udf);
    let files = |index: &Index| if has_udf && index.is_stub() { 0 } else { index.files() };
    let files: Vec<usize> = indexes.iter().map(files).collect();
    let mut ranked: Vec<usize> = (0..indexes.len()).collect();
    ranked.sort_by_key(|&at| std::cmp::Reverse(indexes[at].rank()));
    let mut ranked = ranked.into_iter();
    let mut best = ranked.next()?;
    for at in ranked {
        let yields = indexes[best].is_damaged() || files[best] == 0 || indexes[best].flavour().is_none();
        // Names that no path can hold count too.
        if yields && files[at] > files[best] + indexes[best].left_out() {
            best = at;
        }
    }
    Some(best)
}
