//! Reading a boot catalog of any writer.
//!
//! Nothing it says is trusted with time: at most 64 boot entries are read, and a bounded number of records.

use crate::ground::read_at::ReadAt;

use super::catalog::{
    BOOTABLE, Catalog, CatalogEntry, Emulation, FINAL_HEADER, HEADER, KEY, Platform, RECORD, Section, VALIDATION, sum,
};
use super::{ElToritoError, SECTOR};

/// Boot entries that are read from a catalog of any length.
const MAX_ENTRIES: usize = 64;
/// Records that are read, extensions and empty sections included.
const MAX_RECORDS: u64 = 512;
/// Figure 6: more selection criteria for the entry in front.
const EXTENSION: u8 = 0x44;

/// A catalog as it was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decoded {
    /// What it lists. A section that says it has more entries than follow has those that follow.
    pub catalog: Catalog,
    /// Bytes it occupies, in whole sectors.
    pub length: u64,
    /// The validation entry's checksum word, as stored.
    pub checksum: u16,
    /// Whether the validation entry's words sum to zero: EDK2 takes no other catalog.
    pub valid: bool,
    /// What is not as El Torito wants it, a sentence each.
    pub faults: Vec<String>,
}

/// Reads the catalog at byte `catalog` of `image`.
///
/// Other writers leave out the final header, or count entries that are not there; that is a fault, not an error.
pub fn decode(image: &dyn ReadAt, catalog: u64) -> Result<Decoded, ElToritoError> {
    let mut reader = Reader {
        image,
        catalog,
        next: 0,
        faults: Vec::new(),
    };
    let validation = reader.record()?;
    if validation[0] != VALIDATION {
        return Err(ElToritoError::NoValidation {
            offset: catalog,
            found: validation[0],
        });
    }
    let checksum = u16::from_le_bytes([validation[0x1C], validation[0x1D]]);
    if sum(&validation) != 0 {
        let right = checksum.wrapping_sub(sum(&validation));
        reader.fault(format!("its checksum is {checksum:04x}, not {right:04x}"));
    }
    if !validation.ends_with(&KEY) {
        let [.., first, second] = validation;
        reader.fault(format!("its key bytes are {first:02x} {second:02x}, not 55 aa"));
    }
    let mut sections = vec![Section {
        platform: Platform::from_code(validation[1]),
        id: id(&validation[0x04..0x1C]),
        entries: vec![reader.entry()?],
    }];

    let mut entries = 1;
    let mut last_header = None;
    while let Some(header) = reader.record_if(|kind| matches!(kind, HEADER | FINAL_HEADER)) {
        let (number, count) = (sections.len(), u16::from_le_bytes([header[2], header[3]]));
        let mut section = Section {
            platform: Platform::from_code(header[1]),
            id: id(&header[0x04..]),
            entries: Vec::new(),
        };
        while section.entries.len() < usize::from(count) && entries < MAX_ENTRIES {
            let Some(entry) = reader.section_entry() else { break };
            section.entries.push(entry);
            entries += 1;
        }
        let found = section.entries.len();
        if found < usize::from(count) {
            reader.fault(format!("section {number} announces {count} entries; {found} were read"));
        }
        sections.push(section);
        last_header = Some(header[0]);
        if header[0] == FINAL_HEADER || entries == MAX_ENTRIES {
            break;
        }
    }
    let length = (reader.next * RECORD as u64).next_multiple_of(SECTOR);
    reader.unannounced(&mut sections, MAX_ENTRIES - entries);
    if last_header == Some(HEADER) {
        reader.fault("the last section header is 90, more headers follow, not 91".to_owned());
    }
    Ok(Decoded {
        catalog: Catalog { sections },
        length,
        checksum,
        valid: sum(&validation) == 0,
        faults: reader.faults,
    })
}

/// Text up to the first NUL; bytes that are no UTF-8 are replaced.
fn id(field: &[u8]) -> String {
    let text = field.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// Reads one record after the other.
struct Reader<'a> {
    image: &'a dyn ReadAt,
    catalog: u64,
    /// The number of the next record.
    next: u64,
    faults: Vec<String>,
}

impl Reader<'_> {
    fn fault(&mut self, sentence: String) {
        self.faults.push(format!("boot catalog: {sentence}"));
    }

    fn peek(&self) -> Result<[u8; RECORD], ElToritoError> {
        let mut record = [0; RECORD];
        let unreadable = |why: String| ElToritoError::Unreadable(self.catalog, why);
        let offset = self
            .catalog
            .checked_add(self.next * RECORD as u64)
            .ok_or_else(|| unreadable("it is past the end".to_owned()))?;
        let read = self.image.read_exact_at(&mut record, offset);
        read.map_err(|error| unreadable(error.to_string()))?;
        Ok(record)
    }

    fn record(&mut self) -> Result<[u8; RECORD], ElToritoError> {
        let record = self.peek()?;
        self.next += 1;
        Ok(record)
    }

    /// The next record if its first byte is wanted. Past the end of the image and past the limit there is none.
    fn record_if(&mut self, wanted: impl Fn(u8) -> bool) -> Option<[u8; RECORD]> {
        let record = self.peek().ok().filter(|record| wanted(record[0]))?;
        if self.next >= MAX_RECORDS {
            self.fault(format!("it goes on past {MAX_RECORDS} records; the rest is not read"));
            return None;
        }
        self.next += 1;
        Some(record)
    }

    /// Figure 3.
    fn entry(&mut self) -> Result<CatalogEntry, ElToritoError> {
        let record = self.record()?;
        Ok(self.boot_entry(&record))
    }

    /// Figure 5, and the extensions of Figure 6 behind it, whose criteria mean something to one vendor only.
    fn section_entry(&mut self) -> Option<CatalogEntry> {
        let record = self.record_if(|kind| !matches!(kind, HEADER | FINAL_HEADER | EXTENSION))?;
        while self.record_if(|kind| kind == EXTENSION).is_some() {}
        Some(self.boot_entry(&record))
    }

    /// EDK2 looks at no header: it takes every record of the first sector that is marked bootable and has an address. What no header counts
    /// goes to the section before.
    fn unannounced(&mut self, sections: &mut [Section], most: usize) {
        let records = (SECTOR / RECORD as u64).saturating_sub(self.next);
        let mut found = 0;
        for _ in 0..records {
            let Ok(record) = self.record() else { return };
            let has_address = record[8..12].iter().any(|&byte| byte != 0);
            if record[0] != BOOTABLE || !has_address || found == most {
                continue;
            }
            found += 1;
            let entry = self.boot_entry(&record);
            let number = self.next;
            self.fault(format!(
                "record {number} is a boot entry that no section header announces; EDK2 takes it, and other firmware need not"
            ));
            if let Some(section) = sections.last_mut() {
                section.entries.push(entry);
            }
        }
    }

    /// Bits 4 to 7 of the media type are flags, of drivers in the image and of an extension behind the entry.
    fn boot_entry(&mut self, record: &[u8; RECORD]) -> CatalogEntry {
        let [indicator, media, segment @ .., _, _] = record.first_chunk::<6>().unwrap_or(&[0; 6]);
        let number = self.next;
        if !matches!(*indicator, BOOTABLE | 0) {
            self.fault(format!(
                "record {number} has boot indicator {indicator:02x}, not 88 or 00"
            ));
        }
        let emulation = Emulation::from_code(media & 0x0F).unwrap_or_else(|| {
            self.fault(format!("record {number} has the reserved media type {media:02x}"));
            Emulation::None
        });
        CatalogEntry {
            bootable: *indicator == BOOTABLE,
            emulation,
            load_segment: u16::from_le_bytes(*segment),
            system_type: record[4],
            sectors: u16::from_le_bytes([record[6], record[7]]),
            offset: u64::from(u32::from_le_bytes([record[8], record[9], record[10], record[11]])) * SECTOR,
        }
    }
}
