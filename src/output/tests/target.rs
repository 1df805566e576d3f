//! The place of the image: what stood there, links, directories, and what is refused.

use super::*;

#[test]
fn an_old_image_is_replaced_or_untouched() {
    let host = TempDir::new().unwrap();
    let target = host.path().join("image");
    let other_name = host.path().join("hard link");
    fs::write(&target, "old, and longer than the new one").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o400)).unwrap();
    fs::hard_link(&target, &other_name).unwrap();

    let missing = host.path().join("missing");
    let stamp = Stamp {
        dev: 0,
        ino: 0,
        size: 1,
        mtime: (0, 0),
        ctime: (0, 0),
    };
    let source = PieceSource::File {
        path: &missing,
        stamp: &stamp,
        offset: 0,
    };
    let error = plain(
        &target,
        4,
        &[Piece {
            offset: 3,
            length: 1,
            source,
        }],
    )
    .unwrap_err();
    assert!(
        matches!(&error, OutputError::Changed { path, .. } if *path == missing),
        "{error}"
    );
    assert_eq!(fs::read(&target).unwrap(), b"old, and longer than the new one");

    plain(&target, 3, &[memory(0, b"new")]).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"new");
    assert_eq!(fs::read(&other_name).unwrap(), b"old, and longer than the new one");
    assert_eq!(names(host.path()), ["hard link", "image"]);

    // What the umask of this very run says, as no test changes it.
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let umask = status
        .lines()
        .find_map(|line| line.strip_prefix("Umask:"))
        .unwrap()
        .trim();
    let umask = u32::from_str_radix(umask, 8).unwrap();
    assert_eq!(fs::metadata(&target).unwrap().mode() & 0o7777, 0o666 & !umask);
}

#[test]
fn directories_are_made() {
    let host = TempDir::new().unwrap();
    plain(&host.path().join("a/b/../c/image"), 3, &[memory(0, b"new")]).unwrap();
    assert_eq!(fs::read(host.path().join("a/c/image")).unwrap(), b"new");
    fs::write(host.path().join("file"), "").unwrap();
    let error = plain(&host.path().join("file/image"), 3, &[]).unwrap_err();
    assert!(matches!(error, OutputError::Io { .. }), "{error}");
}

#[test]
fn links_of_the_target_are_kept() {
    let host = TempDir::new().unwrap();
    let at = |name: &str| host.path().join(name);
    fs::create_dir(at("store")).unwrap();
    fs::write(at("store/image"), "old").unwrap();
    symlink("store/image", at("link")).unwrap();
    symlink("link", at("link to link")).unwrap();
    symlink(at("store/new"), at("dangling")).unwrap();
    symlink("made/new", at("into nowhere")).unwrap();
    for (link, file) in [
        ("link to link", "store/image"),
        ("dangling", "store/new"),
        ("into nowhere", "made/new"),
    ] {
        let content = format!("through {link}");
        plain(&at(link), content.len() as u64, &[memory(0, content.as_bytes())]).unwrap();
        assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink());
        assert!(fs::symlink_metadata(at(file)).unwrap().is_file());
        assert_eq!(fs::read_to_string(at(file)).unwrap(), content);
    }
    assert_eq!(names(&at("store")), ["image", "new"]);
    symlink("loop", at("loop")).unwrap();
    let error = plain(&at("loop"), 1, &[]).unwrap_err();
    assert!(matches!(error, OutputError::Io { .. }), "{error}");
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let host = TempDir::new().unwrap();
    let at = |name: &str| host.path().join(name);
    fs::create_dir(at("directory")).unwrap();
    symlink("directory", at("link")).unwrap();
    assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    let before = names(host.path());
    for (target, expected) in [
        (at("directory"), "a directory"),
        (at("link"), "a directory"),
        (at("missing/"), "a directory"),
        (at("missing/."), "a directory"),
        (at("directory/.."), "a directory"),
        (PathBuf::new(), "a directory"),
        (at("fifo"), "a FIFO"),
        (at("socket"), "a socket"),
        ("/dev/null".into(), "a character device"),
    ] {
        let error = plain(&target, 1, &[]).unwrap_err();
        assert!(
            matches!(error, OutputError::Refused { what, .. } if what == expected),
            "{error}"
        );
    }
    assert_eq!(names(host.path()), before);
    assert!(names(&at("directory")).is_empty());
}
