//! Any bytes at all: an answer, in bounded time and space.

use super::*;

/// A small volume with a bit of everything.
fn sample(size: Size) -> Vec<u8> {
    let deep = directory("a", vec![directory("b", vec![file("a long name.txt", 9000, 0)])]);
    let volume = volume(vec![deep, file("FILE.TXT", 5000, 1), file("empty", 0, 2)], size, 512);
    let plan = plan(&volume).unwrap();
    let sparse = sparse(&volume, &plan);
    sparse.read_vec_at(0, plan.size()).unwrap()
}

fn offset_of(bytes: &[u8], what: &What) -> usize {
    let contents = read(&bytes.to_vec()).unwrap();
    contents
        .regions
        .iter()
        .find(|region| region.what == *what)
        .unwrap()
        .offset as usize
}

/// What every answer must satisfy.
fn check_bounds(bytes: &dyn ReadAt) {
    let Ok(contents) = read(bytes) else { return };
    assert!(contents.notes.len() <= 101);
    if contents.notes.is_empty() {
        // Whatever the other reader says: it comes to an end.
        let _ = agrees(bytes, &contents);
    }
    let clusters = contents.size / u64::from(contents.cluster_size);
    let held: u64 = contents
        .entries
        .iter()
        .flat_map(|entry| &entry.extents)
        .map(|e| e.1)
        .sum();
    assert!(held <= clusters * u64::from(contents.cluster_size));
    assert!(contents.entries.len() as u64 <= bytes.size() / 32);
    for entry in &contents.entries {
        assert!(entry.path.starts_with('/') && entry.path.len() <= 4096);
        assert!(
            entry
                .path
                .split('/')
                .skip(1)
                .all(|name| !matches!(name, "" | "." | ".."))
        );
    }
}

#[test]
fn no_bit_of_the_metadata_can_make_it_fall() {
    let bytes = sample(Size::Fit { free: 0 });
    let metadata: Vec<usize> = read(&bytes)
        .unwrap()
        .regions
        .iter()
        .flat_map(|region| region.offset..region.offset + region.length.min(512))
        .map(|at| at as usize)
        .collect();
    let mut damaged = bytes;
    for at in metadata {
        for bit in 0..8 {
            damaged[at] ^= 1 << bit;
            check_bounds(&damaged);
            damaged[at] ^= 1 << bit;
        }
    }
}

#[test]
fn no_truncation_can_make_it_fall() {
    let bytes = sample(Size::Fit { free: 0 });
    for length in (0..bytes.len()).step_by(97) {
        check_bounds(&bytes[..length].to_vec());
    }
}

proptest! {
    #[test]
    fn no_damage_can_make_it_fall(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..200),
        tail in any::<prop::sample::Index>(),
    ) {
        let mut bytes = sample(Size::Fit { free: 0 });
        let metadata = 40_960.min(bytes.len());
        for (at, value) in damage {
            let at = at.index(metadata);
            bytes[at] = value;
        }
        bytes.truncate(bytes.len() - tail.index(bytes.len() / 2));
        check_bounds(&bytes);
    }

    #[test]
    fn no_boot_sector_can_make_it_fall(fields in prop::collection::vec(any::<u8>(), 80)) {
        let mut bytes = sample(Size::Exact(MIB));
        bytes[11..91].copy_from_slice(&fields);
        check_bounds(&bytes);
        // Most of these are refused at the first field; these get further.
        bytes[11..13].copy_from_slice(&512_u16.to_le_bytes());
        bytes[13] = 1 << (fields[2] % 8);
        bytes[16] = fields[5] % 3 + 1;
        bytes[21] = 0xF8;
        check_bounds(&bytes);
        bytes[17..24].copy_from_slice(&[0; 7]);
        bytes[21] = 0xF8;
        bytes[38..40].copy_from_slice(&[0; 2]);
        check_bounds(&bytes);
    }
}

#[test]
fn loops_and_cross_links_are_noted() {
    let bytes = sample(Size::Fit { free: 0 });
    let contents = read(&bytes).unwrap();
    let root = offset_of(&bytes, &What::RootDirectory);
    let path = |name: &str| contents.entries.iter().find(|e| e.path.ends_with(name)).unwrap();
    let short = |name: &[u8; 11]| {
        root + 32
            * bytes[root..]
                .chunks(32)
                .position(|entry| entry.starts_with(name))
                .unwrap()
    };
    let cluster = |at: usize| u16::from_le_bytes([bytes[at + 26], bytes[at + 27]]);

    // A directory that is its own child.
    let deep = path("/a/b").extents[0].0 as usize;
    let first = cluster(short(b"A          "));
    let mut looped = bytes.clone();
    for entry in (deep + 64..deep + 4096)
        .step_by(32)
        .filter(|at| bytes[*at + 11] == 0x20)
    {
        looped[entry + 11] = 0x10;
        looped[entry + 26..entry + 28].copy_from_slice(&first.to_le_bytes());
    }
    let notes = read(&looped).unwrap().notes.join("\n");
    assert!(notes.contains("which another or itself has already"), "{notes}");

    // A file that begins where another does.
    let mut crossed = bytes.clone();
    let at = short(b"FILE    TXT");
    crossed[at + 26..at + 28].copy_from_slice(&first.to_le_bytes());
    let notes = read(&crossed).unwrap().notes.join("\n");
    assert!(notes.contains("/FILE.TXT runs into cluster"), "{notes}");

    // A file that is longer than its chain, and one that is shorter.
    for (length, wanted) in [(70_000_u32, "but clusters for 8192"), (1, "more clusters than")] {
        let mut wrong = bytes.clone();
        wrong[at + 28..at + 32].copy_from_slice(&length.to_le_bytes());
        let notes = read(&wrong).unwrap().notes.join("\n");
        assert!(notes.contains(wanted), "{notes}");
    }
}

#[test]
fn paths_do_not_grow_without_end() {
    let nest = |top: &str, last: &str| {
        let first = vec![directory(last, Vec::new())];
        let long = |n: usize| format!("{n:0249}");
        vec![directory(
            top,
            (0..12).fold(first, |nodes, n| vec![directory(long(n), nodes)]),
        )]
    };
    // The innermost directory of one becomes the outermost of the other.
    let root = [nest("ONE", "LINK"), nest("OTHER", "END")].concat();
    let volume = volume(root, Size::Fit { free: 0 }, 512);
    let plan = plan(&volume).unwrap();
    let mut bytes = sparse(&volume, &plan).read_vec_at(0, plan.size()).unwrap();
    let entry = |name: &[u8]| bytes.chunks(32).position(|entry| entry.starts_with(name)).unwrap() * 32;
    let (link, other) = (entry(b"LINK       "), entry(b"OTHER      "));
    bytes.copy_within(other + 26..other + 28, link + 26);
    bytes[other] = 0xE5;
    let contents = read(&bytes).unwrap();
    let notes = contents.notes.join("\n");
    assert!(notes.contains("are longer than 4096 bytes"), "{notes}");
    assert!(contents.entries.len() > 14 && contents.entries.iter().all(|e| e.path.len() <= 4096));
}

#[test]
fn tables_and_copies_that_differ_are_noted() {
    let bytes = sample(Size::Exact(300 * MIB));
    let notes = |at: usize, value: u8| {
        let mut wrong = bytes.clone();
        wrong[at] ^= value;
        read(&wrong).unwrap().notes.join("\n")
    };
    let second = offset_of(&bytes, &What::Table(2));
    assert!(notes(second + 100, 1).contains("allocation table 2 differs"));
    assert!(notes(512 + 488, 1).contains("FSInfo counts"));
    assert!(notes(512, 1).contains("points at no FSInfo"));
    assert!(notes(6 * 512 + 11, 1).contains("the backup boot sector has other fields"));
    // The name of the program that made the volume, and code.
    assert_eq!((notes(6 * 512 + 3, 1), notes(6 * 512 + 100, 1)), Default::default());
    assert_eq!(notes(3, 0), "");
}

#[test]
fn names_on_a_volume_cannot_leave_it() {
    let mut bytes = sample(Size::Fit { free: 0 });
    let root = offset_of(&bytes, &What::RootDirectory);
    let at = root
        + 32 * bytes[root..]
            .chunks(32)
            .position(|e| e.starts_with(b"FILE    TXT"))
            .unwrap();
    for (raw, shown) in [
        (b"A./../X EXE", "/A_____X.EXE"),
        (b"           ", "/_"),
        (b"A       . .", "/A._ _"),
        (b"\x05BC     T\x1bT", "/\u{fffd}BC.T_T"),
    ] {
        bytes[at..at + 11].copy_from_slice(raw);
        let contents = read(&bytes).unwrap();
        assert!(
            contents.entries.iter().any(|e| e.path == shown),
            "{:?}",
            contents.entries
        );
        check_bounds(&bytes);
    }
}

#[test]
fn what_is_no_fat_says_which_field() {
    let bytes = sample(Size::Fit { free: 0 });
    for (at, value, field) in [
        (510, 0, "Signature_word"),
        (11, 1, "BPB_BytsPerSec"),
        (13, 3, "BPB_SecPerClus"),
        (14, 0, "BPB_RsvdSecCnt"),
        (16, 0, "BPB_NumFATs"),
        (21, 1, "BPB_Media"),
        (22, 0, "BPB_FATSz32"),
    ] {
        let mut wrong = bytes.clone();
        wrong[at] = value;
        let error = read(&wrong).unwrap_err();
        match field {
            // Without BPB_FATSz16 the 32 bits in place of drive number and serial count.
            "BPB_FATSz32" => assert!(matches!(error, FatError::NotFat { .. }), "{error}"),
            _ => assert!(
                matches!(error, FatError::NotFat { field: f, .. } if f == field),
                "{error}"
            ),
        }
    }
    assert!(matches!(read(&vec![0; 511]), Err(FatError::Io { .. })));
}
