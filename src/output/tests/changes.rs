//! Sources that are not what they were when the image was planned.

use super::*;

/// Changes a source of 40 MiB when so many bytes of the image are done, and expects an error that names it.
fn changed_at(done: u64, change: impl Fn(&Path) + Sync, words: &str) {
    // Written, written with a digest, and only digested.
    for (hash, written) in [(false, true), (true, true), (true, false)] {
        let host = TempDir::new().unwrap();
        let planned = Planned::new(host.path().join("source"), bytes(40 * MIB, 1));
        let small = Planned::new(host.path().join("small"), bytes(100, 1));
        let target = host.path().join("image");
        let mut changed = false;
        let mut progress = |now| {
            if now >= done && !changed {
                changed = true;
                change(&planned.path);
            }
        };
        let pieces = [planned.whole(4096), small.whole(41 * MIB)];
        let none = Interrupt::default();
        let result = match written {
            true => write(&target, 42 * MIB, made(&pieces), hash, &mut progress, &none).map(drop),
            false => digest(&target, 42 * MIB, made(&pieces), &mut |_| {}, &mut progress, &none),
        };
        let error = result.unwrap_err();
        assert!(
            matches!(&error, OutputError::Changed { path, .. } if *path == planned.path),
            "{error}"
        );
        assert!(error.to_string().contains(words), "{error}");
        assert!(
            names(host.path())
                .iter()
                .all(|name| name == "source" || name == "small")
        );
    }
}

fn open_to_write(path: &Path) -> fs::File {
    fs::OpenOptions::new().write(true).open(path).unwrap()
}

#[test]
fn a_source_that_is_replaced() {
    let replace = |path: &Path| {
        let other = path.with_extension("new");
        fs::copy(path, &other).unwrap();
        fs::rename(other, path).unwrap();
    };
    changed_at(0, replace, "another file has taken its place");
    // The open file is still the old one, but it lost its name.
    changed_at(MIB, replace, "ctime");
    changed_at(0, |path| fs::remove_file(path).unwrap(), "it is gone");
    let fifo = |path: &Path| {
        fs::remove_file(path).unwrap();
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    changed_at(0, fifo, "no regular file");
}

#[test]
fn a_source_that_shrinks() {
    for done in [0, MIB] {
        changed_at(done, |path| open_to_write(path).set_len(30 * MIB).unwrap(), "shrank");
        changed_at(done, |path| open_to_write(path).set_len(0).unwrap(), "shrank");
    }
}

#[test]
fn a_source_that_grows() {
    for done in [0, MIB] {
        let append = |path: &Path| open_to_write(path).write_all_at(b"x", 40 * MIB).unwrap();
        changed_at(done, append, "grew");
    }
}

#[test]
fn a_source_that_is_modified() {
    let overwrite = |path: &Path| open_to_write(path).write_all_at(b"!", 5).unwrap();
    let chmod = |path: &Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    // The content is another, and the times are set back: only ctime tells.
    let forge = |path: &Path| {
        let times = fs::FileTimes::new().set_modified(fs::metadata(path).unwrap().modified().unwrap());
        let file = open_to_write(path);
        file.write_all_at(b"!", 5).unwrap();
        file.set_times(times).unwrap();
    };
    for done in [0, MIB] {
        changed_at(done, overwrite, "mtime");
        changed_at(done, chmod, "ctime");
        changed_at(done, forge, "ctime");
    }
}
