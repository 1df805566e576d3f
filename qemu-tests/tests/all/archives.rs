//! Archives as others write them: the image of what is unpacked is, to the byte, that of the tree that was packed.

use qemu_tests::example::build;
use qemu_tests::suite::Test;
use qemu_tests::{odd, pins, preserved, suite, tools, workspace};
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{FileExt, chown};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;

/// A line that packs the directory that it is run in into `$ARCHIVE`, the tools that it needs, what its format has, and how the odd
/// names begin that it does not take.
type Packer = (&'static str, &'static [&'static str], Keeps, &'static [&'static str]);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// All that a manifest can preserve, hard links and numbers of any size too.
    All,
    /// The same, with time since 1970 alone.
    Since1970,
    /// The same, with owners of 18 bits alone.
    SmallOwners,
    /// Modes without set-id bits, and times.
    ModeAndTime,
    /// Names and bytes.
    Content,
}

const PACKERS: [Packer; 16] = [
    ("tar --format=gnu -cf $ARCHIVE .", &["tar"], Keeps::All, &[]),
    ("tar --format=gnu --sparse -cf $ARCHIVE .", &["tar"], Keeps::All, &[]),
    ("tar --format=posix -cf $ARCHIVE .", &["tar"], Keeps::All, &[]),
    ("tar --format=posix --sparse -cf $ARCHIVE .", &["tar"], Keeps::All, &[]),
    ("tar -czf $ARCHIVE .", &["tar", "gzip"], Keeps::All, &[]),
    ("tar -cJf $ARCHIVE .", &["tar", "xz"], Keeps::All, &[]),
    ("tar --zstd -cf $ARCHIVE .", &["tar", "zstd"], Keeps::All, &[]),
    ("tar -cjf $ARCHIVE .", &["tar", "bzip2"], Keeps::All, &[]),
    ("bsdtar -cf $ARCHIVE .", &["bsdtar"], Keeps::All, &[]),
    (
        "bsdtar --format gnutar -cf $ARCHIVE .",
        &["bsdtar"],
        Keeps::Since1970,
        &[],
    ),
    (
        "bsdtar --format newc -cf $ARCHIVE .",
        &["bsdtar"],
        Keeps::Since1970,
        &[],
    ),
    (
        "bsdtar --format newc -czf $ARCHIVE .",
        &["bsdtar"],
        Keeps::Since1970,
        &[],
    ),
    (
        "bsdtar --format odc -cf $ARCHIVE .",
        &["bsdtar"],
        Keeps::SmallOwners,
        &[],
    ),
    (
        "bsdtar --format zip -cf $ARCHIVE .",
        &["bsdtar"],
        Keeps::ModeAndTime,
        &["back"],
    ),
    (
        "xorriso -outdev $ARCHIVE -hardlinks on -map . / -commit",
        &["xorriso"],
        Keeps::Since1970,
        &["longest", "link 5", "link 7"],
    ),
    (
        "7z a -tzip $ARCHIVE . && mv $ARCHIVE.zip $ARCHIVE",
        &["7z"],
        Keeps::Content,
        &["longest", "back"],
    ),
];

pub(crate) fn tests() -> suite::Tests {
    let mut trials: Vec<Test> = PACKERS.iter().map(trial).collect();
    let mut missing = suite::missing(&["qemu-system-x86_64", tools::OVMF_CODE]);
    missing.extend(suite::missing_inputs()?);
    missing.extend(workspace::isobuild().err());
    trials.push(suite::trial(
        "an image with another menu boots".into(),
        missing,
        remastered,
    ));
    Ok(trials)
}

fn trial(packer: &'static Packer) -> Test {
    let (line, needs, ..) = packer;
    let mut missing = suite::missing(needs);
    missing.extend(workspace::isobuild().err());
    suite::trial(format!("packed by {line}"), missing, || same(packer))
}

/// A tree of odd names and of attributes, as far as the packer's format has them.
fn tree(keeps: Keeps, without: &[&str]) -> Result<TempDir, String> {
    let fail = |error: std::io::Error| error.to_string();
    let place = tempfile::tempdir_in(workspace::target()).map_err(fail)?;
    let tree = place.path().join("tree");
    preserved::make(&tree.join("attributes")).map_err(fail)?;
    fs::create_dir(tree.join("odd")).map_err(fail)?;
    odd::make_without(&tree.join("odd"), without).map_err(fail)?;
    if matches!(keeps, Keeps::ModeAndTime | Keeps::Content) {
        for name in ["attributes/set-uid", "attributes/second name", "odd/hard link"] {
            fs::remove_file(tree.join(name)).map_err(fail)?;
        }
        fs::remove_dir_all(tree.join("attributes/directory")).map_err(fail)?;
    }
    let file = |name: &str| File::create(tree.join(name)).map_err(fail);
    let holes = file("holes")?;
    holes.set_len(3 << 20).map_err(fail)?;
    holes.write_all_at(b"between two holes", 1_234_567).map_err(fail)?;
    file("a hole")?.set_len(100_000).map_err(fail)?;
    if matches!(keeps, Keeps::All | Keeps::Since1970) {
        file("owner")?;
        // Numbers that ustar's octal digits do not hold; only root can give a file away.
        let _ = chown(tree.join("owner"), Some(3_000_000), Some(4_000_000));
    }
    if keeps == Keeps::All {
        let before = FileTimes::new().set_modified(UNIX_EPOCH - Duration::from_secs(5));
        file("before 1970")?.set_times(before).map_err(fail)?;
    }
    Ok(place)
}

fn same(&(line, _, keeps, without): &Packer) -> Result<(), String> {
    let place = tree(keeps, without)?;
    let archive = place.path().join("archive");
    let packed = Command::new("sh")
        .args(["-ec", line])
        .env("ARCHIVE", &archive)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "Asia/Kathmandu")
        .current_dir(place.path().join("tree"))
        .output()
        .map_err(|error| error.to_string())?;
    if !packed.status.success() {
        return Err(format!("{}: {}", line, String::from_utf8_lossy(&packed.stderr)));
    }
    let preserve = match keeps {
        Keeps::All | Keeps::Since1970 | Keeps::SmallOwners => "\"mode\", \"owner\", \"mtime\", \"hardlinks\"",
        Keeps::ModeAndTime => "\"mode\", \"mtime\"",
        Keeps::Content => "",
    };
    let image = |name: &str, from: &str| {
        let manifest = format!("volume_id = \"V\"\n[[files]]\n{from}\nto = \"/\"\npreserve = [{preserve}]\n");
        built(place.path(), name, &manifest)
    };
    let wanted = image("wanted", "from = \"tree\"")?;
    let unpacked = image("unpacked", "from = \"archive\"\nunpack = true")?;
    match unpacked == wanted {
        true => Ok(()),
        false => Err(difference(place.path())),
    }
}

fn built(place: &Path, name: &str, manifest: &str) -> Result<Vec<u8>, String> {
    let (file, image) = (place.join(format!("{name}.toml")), place.join(format!("{name}.iso")));
    fs::write(&file, manifest).map_err(|error| error.to_string())?;
    build(&mut Command::new(workspace::isobuild()?), &file, &image)?;
    fs::read(image).map_err(|error| error.to_string())
}

/// Somebody else's image by its tree, with a file of it replaced, and its own loaders. By its menu it is silent at the serial port.
fn remastered() -> Result<(), String> {
    let place = tempfile::tempdir_in(workspace::target()).map_err(|error| error.to_string())?;
    let manifest = place.path().join("menu.toml");
    let text = r#"
        [iso]
        joliet = false
        [[files]]
        from = "IMAGE"
        unpack = true
        to = "/"
        exclude = ["/boot.cat", "/isolinux.cfg"]
        [[files]]
        text = "SERIAL 0 115200\nDEFAULT ipxe.krn\n"
        to = "/isolinux.cfg"
        [boot.bios]
        image = "iso:/isolinux.bin"
        info_table = "isolinux"
        [boot.uefi]
        image = "iso:/efi.img"
        [test]
        cells = ["bios-cd", "uefi-usb"]
        expect = "Loading ipxe.krn|iPXE initialising"
    "#;
    let image = pins::load("qemu-tests")?.file("ipxe.iso")?;
    fs::write(&manifest, text.replace("IMAGE", &image.display().to_string())).map_err(|error| error.to_string())?;
    let tested = Command::new(workspace::isobuild()?).arg("test").arg(&manifest).output();
    let tested = tested.map_err(|error| error.to_string())?;
    match tested.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{}{}",
            String::from_utf8_lossy(&tested.stdout),
            String::from_utf8_lossy(&tested.stderr)
        )),
    }
}

/// In the program's own words.
fn difference(place: &Path) -> String {
    let isobuild = workspace::isobuild().unwrap_or_default();
    let said = Command::new(isobuild)
        .args(["diff", "wanted.iso", "unpacked.iso"])
        .current_dir(place)
        .output();
    match said {
        Ok(said) => format!("the images differ:\n{}", String::from_utf8_lossy(&said.stdout)),
        Err(error) => error.to_string(),
    }
}
