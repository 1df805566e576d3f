//! Path tables of an existing volume (§7.9, §10.4), with directories that move, come and go.

/// An entry of a path table, §10.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathEntry {
    /// §10.4.6
    pub identifier: Vec<u8>,
    /// §10.4.3: the directory's first logical block.
    pub block: u32,
    /// §10.4.4: the parent's number, from 1.
    pub parent: u16,
}

/// The entries of a path table of type L.
pub fn path_entries(table: &[u8]) -> Vec<PathEntry> {
    let mut entries = Vec::new();
    let mut rest = table;
    while let Some(&[length, _, a, b, c, d, e, f]) = rest.first_chunk()
        && length > 0
        && let Some(identifier) = rest.get(8..8 + usize::from(length))
    {
        entries.push(PathEntry {
            identifier: identifier.to_vec(),
            block: u32::from_le_bytes([a, b, c, d]),
            parent: u16::from_le_bytes([e, f]),
        });
        rest = rest
            .get(8 + usize::from(length).next_multiple_of(2)..)
            .unwrap_or_default();
    }
    entries
}

/// A path table of type L or M.
pub fn path_table(entries: &[PathEntry], little: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend([entry.identifier.len() as u8, 0]);
        match little {
            true => {
                bytes.extend(entry.block.to_le_bytes());
                bytes.extend(entry.parent.to_le_bytes());
            }
            false => {
                bytes.extend(entry.block.to_be_bytes());
                bytes.extend(entry.parent.to_be_bytes());
            }
        }
        bytes.extend(&entry.identifier);
        if entry.identifier.len() % 2 == 1 {
            bytes.push(0);
        }
    }
    bytes
}

/// Adds a directory below the one at `parent`, and gives the children of what follows their new numbers. None if the parent's number does
/// not fit the table (§10.4.4), or the parent is not there.
pub fn add_to_path_table(entries: &mut Vec<PathEntry>, parent: u32, identifier: &[u8], block: u32) -> Option<()> {
    let parent = entries.iter().position(|entry| entry.block == parent)?;
    let number = u16::try_from(parent + 1).ok()?;
    // §7.9.1: by the parent's number, then by identifier.
    let is_before = |entry: &&PathEntry| (entry.parent, entry.identifier.as_slice()) <= (number, identifier);
    let at = entries.iter().skip(1).take_while(is_before).count() + 1;
    for entry in entries.iter_mut().filter(|entry| usize::from(entry.parent) > at) {
        entry.parent = entry.parent.checked_add(1)?;
    }
    entries.insert(
        at,
        PathEntry {
            identifier: identifier.to_vec(),
            block,
            parent: number,
        },
    );
    Some(())
}

/// Takes a directory away, which none that is left is in.
pub fn remove_from_path_table(entries: &mut Vec<PathEntry>, block: u32) {
    let Some(at) = entries
        .iter()
        .position(|entry| entry.block == block)
        .filter(|&at| at > 0)
    else {
        return;
    };
    entries.remove(at);
    for entry in entries.iter_mut().filter(|entry| usize::from(entry.parent) > at + 1) {
        entry.parent -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(identifier: &str, block: u32, parent: u16) -> PathEntry {
        PathEntry {
            identifier: if identifier.is_empty() {
                vec![0]
            } else {
                identifier.into()
            },
            block,
            parent,
        }
    }

    /// / (1) holds A (2) and C (3); A holds X (4), C holds Y (5), and Y holds Z (6).
    fn entries() -> Vec<PathEntry> {
        vec![
            entry("", 20, 1),
            entry("A", 21, 1),
            entry("C", 22, 1),
            entry("X", 23, 2),
            entry("Y", 24, 3),
            entry("Z", 25, 5),
        ]
    }

    #[test]
    fn path_tables_stay_in_order() {
        let mut table = entries();
        add_to_path_table(&mut table, 20, b"B", 30).unwrap();
        // B is number 3, so that C, Y and Z are one further.
        let wanted = [
            entry("", 20, 1),
            entry("A", 21, 1),
            entry("B", 30, 1),
            entry("C", 22, 1),
            entry("X", 23, 2),
            entry("Y", 24, 4),
            entry("Z", 25, 6),
        ];
        assert_eq!(table, wanted);
        remove_from_path_table(&mut table, 30);
        assert_eq!(table, entries());
        add_to_path_table(&mut table, 25, b"DEEP", 31).unwrap();
        assert_eq!(table.last(), Some(&entry("DEEP", 31, 6)));
        assert_eq!(add_to_path_table(&mut table, 99, b"LOST", 32), None);
        for little in [true, false] {
            let bytes = path_table(&table, little);
            // Each entry is 8 bytes and an identifier of even length (10.4).
            assert_eq!(bytes.len(), 6 * 10 + 12);
            assert_eq!(
                bytes[..10],
                if little {
                    [1, 0, 20, 0, 0, 0, 1, 0, 0, 0]
                } else {
                    [1, 0, 0, 0, 0, 20, 0, 1, 0, 0]
                }
            );
        }
        assert_eq!(path_entries(&path_table(&table, true)), table);
        assert_eq!(path_entries(&[255; 40]), []);
    }
}
