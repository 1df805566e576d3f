use super::*;
use crate::ground::time::Timestamp;
use crate::look::contents::Attributes;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

const IMAGE: &[u8] = b"0123456789";

fn item(path: &str, kind: EntryKind) -> Item {
    Item::empty(path.into(), kind)
}

fn file(path: &str) -> Item {
    Item {
        length: 10,
        extents: vec![(Some(0), 10)],
        ..item(path, EntryKind::File)
    }
}

fn link(path: &str, target: &str) -> Item {
    item(path, EntryKind::Symlink(target.into()))
}

fn attributes(mode: u32) -> Option<Attributes> {
    Some(Attributes {
        mode,
        links: 1,
        uid: Some(0),
        gid: Some(0),
        serial: 0,
    })
}

/// A directory to extract into, inside another one.
struct Nest(tempfile::TempDir);

impl Nest {
    fn new() -> Self {
        let nest = Self(tempfile::tempdir().unwrap());
        fs::create_dir(nest.inside("")).unwrap();
        fs::create_dir(nest.outside("")).unwrap();
        nest
    }

    fn inside(&self, path: &str) -> std::path::PathBuf {
        self.0.path().join("inside").join(path)
    }

    fn outside(&self, path: &str) -> std::path::PathBuf {
        self.0.path().join("outside").join(path)
    }

    fn extract(&self, items: &[Item]) -> Result<Report, ExtractError> {
        let items: Vec<&Item> = items.iter().collect();
        let directory = open(&self.inside("")).unwrap();
        let report = extract(&IMAGE.to_vec(), &items, &directory, false, &mut |_| true);
        assert_eq!(fs::read_dir(self.outside("")).unwrap().count(), 0, "something got out");
        assert_eq!(fs::read_dir(self.0.path()).unwrap().count(), 2, "something got out");
        report
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused_and_the_rest_is_made() {
    let nest = Nest::new();
    let paths = [
        "/../escaped",
        "/a/../../escaped",
        "/a/..",
        "/..",
        "/.",
        "",
        "/a/./b",
        "/x/",
        "/nul\0",
    ];
    let mut items: Vec<Item> = paths
        .iter()
        .flat_map(|path| [file(path), item(path, EntryKind::Directory)])
        .collect();
    items.push(link("/../link", "x"));
    items.push(file("/good"));
    let report = nest.extract(&items).unwrap();
    assert_eq!(report.faults.len(), items.len() - 1, "{:?}", report.faults);
    assert_eq!((report.files, report.bytes), (1, 10));
    assert_eq!(fs::read(nest.inside("good")).unwrap(), IMAGE);
}

#[test]
fn nothing_goes_through_a_symbolic_link() {
    let nest = Nest::new();
    let outside = nest.outside("");
    symlink(&outside, nest.inside("there")).unwrap();
    let items = [
        item("/there", EntryKind::Directory),
        file("/there/file"),
        link("/there/link", "x"),
        // Both in the image: the link would come first by name.
        link("/own", outside.to_str().unwrap()),
        file("/own/file"),
    ];
    let report = nest.extract(&items).unwrap();
    let faulty: Vec<&str> = report
        .faults
        .iter()
        .map(|fault| fault.split(':').next().unwrap())
        .collect();
    assert_eq!(faulty, ["/there", "/there/file", "/there/link", "/own"]);
    assert!(nest.inside("own/file").is_file());

    // A further name of what was a file when it was made, and a link since.
    let nest = Nest::new();
    let names = |path: &str| Item {
        posix: attributes(0o100_644).map(|posix| Attributes {
            links: 2,
            serial: 7,
            ..posix
        }),
        ..file(path)
    };
    nest.extract(&[names("/first"), names("/second")]).unwrap();
    assert_eq!(fs::metadata(nest.inside("second")).unwrap().nlink(), 2);
}

#[test]
fn what_is_there_stays_and_nobody_gains_rights() {
    let nest = Nest::new();
    fs::write(nest.inside("file"), "mine").unwrap();
    fs::create_dir(nest.inside("directory")).unwrap();
    let set_id = Item {
        posix: attributes(0o106_755),
        modified: Timestamp::from_unix(1_000_000_000),
        ..file("/set-id")
    };
    let device = Item {
        posix: attributes(0o020_666),
        ..item("/device", EntryKind::Other(Some((1, 3))))
    };
    let twice = file("/twice");
    let items = [
        file("/file"),
        item("/directory", EntryKind::Directory),
        set_id,
        device,
        twice.clone(),
        twice,
    ];
    let report = nest.extract(&items).unwrap();
    assert_eq!(fs::read(nest.inside("file")).unwrap(), b"mine");
    let made = fs::metadata(nest.inside("set-id")).unwrap();
    assert_eq!(
        (made.permissions().mode() & 0o7777, made.mtime()),
        (0o755, 1_000_000_000)
    );
    assert!(!nest.inside("device").exists());
    let faulty: Vec<&str> = report
        .faults
        .iter()
        .map(|fault| fault.split(':').next().unwrap())
        .collect();
    assert_eq!(faulty, ["/file", "/device", "/twice"]);
}

#[test]
fn directories_that_forbid_writing_are_filled_first() {
    let nest = Nest::new();
    let directory = Item {
        posix: attributes(0o040_555),
        modified: Timestamp::from_unix(1_000_000_000),
        ..item("/directory", EntryKind::Directory)
    };
    let items = [directory, file("/directory/file"), link("/directory/link", "file")];
    assert_eq!(nest.extract(&items).unwrap().faults, [""; 0]);
    let made = fs::metadata(nest.inside("directory")).unwrap();
    assert_eq!(
        (made.permissions().mode() & 0o7777, made.mtime()),
        (0o555, 1_000_000_000)
    );
    assert_eq!(fs::read(nest.inside("directory/link")).unwrap(), IMAGE);
    fs::set_permissions(nest.inside("directory"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn contents_made_to_fill_disks_are_refused_before_anything_is_made() {
    let nest = Nest::new();
    let items: Vec<Item> = (0..1001).map(|number| file(&format!("/{number}"))).collect();
    assert!(matches!(nest.extract(&items), Err(ExtractError::TooLarge(_))));
    assert_eq!(fs::read_dir(nest.inside("")).unwrap().count(), 0);
    // Names of one file count once.
    let same: Vec<Item> = items
        .into_iter()
        .map(|item| Item {
            posix: attributes(0o100_644).map(|posix| Attributes {
                links: 1001,
                serial: 7,
                ..posix
            }),
            ..item
        })
        .collect();
    assert_eq!(nest.extract(&same).unwrap().files, 1001);
}

#[test]
fn a_content_that_is_cut_short_leaves_no_file() {
    let nest = Nest::new();
    let short = Item {
        length: 11,
        ..file("/short")
    };
    let beyond = Item {
        extents: vec![(Some(5), 10)],
        ..file("/beyond")
    };
    let report = nest.extract(&[short, beyond, file("/good")]).unwrap();
    assert_eq!((report.faults.len(), report.files), (2, 1));
    assert!(!nest.inside("short").exists() && !nest.inside("beyond").exists());
}

#[test]
fn a_stop_leaves_no_half_of_a_file() {
    let nest = Nest::new();
    let (first, second) = (file("/first"), file("/second"));
    let directory = open(&nest.inside("")).unwrap();
    let stopped = extract(&IMAGE.to_vec(), &[&first, &second], &directory, false, &mut |done| {
        done < 20
    });
    assert!(matches!(stopped, Err(ExtractError::Stopped)));
    assert!(nest.inside("first").exists() && !nest.inside("second").exists());
}
