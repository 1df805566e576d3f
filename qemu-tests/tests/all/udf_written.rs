//! The UDF that isobuild writes, by other people's readers: an odd tree as a bridge and as a stub, an image that boots, and images that were
//! changed in place, one of them genisoimage's. They find the names that the plan promises, and the bytes of the host.

use isobuild::inside::facts::cell::{Firmware, Medium};
use isobuild::inside::vm::{Machine, Scratch};
use qemu_tests::example::Example;
use qemu_tests::initramfs::Initramfs;
use qemu_tests::linux;
use qemu_tests::listing::{Entry, Listing, files_only, of_directory, same};
use qemu_tests::pins::{self, Inputs};
use qemu_tests::preserved;
use qemu_tests::tools::LIBUDFREAD;
use qemu_tests::{hash, inside, odd, suite, tools, workspace};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// An ESP that ends with a file and free space which UDF does not have.
const ESP: &str = "[boot.uefi]\nsize = \"12MiB\"\n[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"tree/lengths/65537\"\n\
                   \"/outside\" = \"tree/lengths/2047\"\n";

/// What the manifest says beside the tree: the indexes, the tables, and whether there is an ESP.
const KINDS: [(&str, &str, bool); 4] = [
    ("bridge", "[iso]\nudf = true\n", false),
    ("stub", "[iso]\niso9660 = \"stub\"\n", false),
    ("universal", "[iso]\nudf = true\n[disk]\nlayout = \"universal\"\n", true),
    (
        "multi-sector",
        "[iso]\nudf = true\n[disk]\nlayout = \"multi-sector\"\n",
        true,
    ),
];

/// Names of 242 bytes in one directory: their descriptors cross blocks at many places.
const LONG: usize = 60;

/// The one of them that is changed in place, too.
const GROWN: usize = 2;

type Judge = fn(&Subject) -> Result<(), String>;

const JUDGES: [(&str, &[&str], Judge); 6] = [
    ("udfinfo", &["udfinfo"], udfinfo),
    ("7z", &["7z"], seven_zip),
    ("pycdlib", &[], pycdlib),
    ("libudfread", &["python3", LIBUDFREAD], libudfread),
    ("grub-fstest", &["grub-fstest"], grub),
    ("isobuild", &[], isobuild),
];

pub(crate) fn tests() -> suite::Tests {
    let mut trials = Vec::new();
    let unbuilt: Vec<String> = workspace::isobuild().err().into_iter().collect();
    for (kind, more, has_esp) in KINDS {
        for (judge, needs, judged) in JUDGES {
            let missing = [suite::missing(needs), unbuilt.clone()].concat();
            trials.push(suite::trial(format!("{kind} {judge}"), missing, move || {
                let dir = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
                judged(&Subject::new(dir.path(), more, has_esp)?)
            }));
        }
    }
    for (judge, needs, judged) in JUDGES {
        let missing = [suite::missing(needs), unbuilt.clone()].concat();
        trials.push(suite::trial(format!("grown {judge}"), missing.clone(), move || {
            let dir = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
            let (_, more, has_esp) = KINDS[GROWN];
            judged(&Subject::new(dir.path(), more, has_esp)?.grown(dir.path())?)
        }));
        // GRUB compares files of the odd tree.
        if judge != "grub-fstest" {
            let missing = [missing, suite::missing(&["genisoimage"])].concat();
            trials.push(suite::trial(
                format!("genisoimage, grown {judge}"),
                missing,
                move || {
                    let dir = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
                    judged(&Subject::of_genisoimage(dir.path())?.grown(dir.path())?)
                },
            ));
        }
    }
    let examples = Example::all()?.into_iter().filter(Example::is_stub);
    for example in examples.map(Arc::new) {
        // GRUB compares files of a tree of the host's.
        for (judge, needs, judged) in JUDGES.into_iter().filter(|(judge, ..)| *judge != "grub-fstest") {
            let missing = [suite::missing(needs), example.missing()].concat();
            let (name, example) = (format!("{} {judge}", example.name), Arc::clone(&example));
            trials.push(suite::trial(name, missing, move || judged(&Subject::of(&example)?)));
        }
    }
    let mut missing = suite::missing(&["qemu-system-x86_64", "setpriv"]);
    missing.extend(suite::missing_inputs()?);
    missing.extend(unbuilt);
    let inputs = Arc::new(pins::load("qemu-tests")?);
    for (name, kind) in [
        ("linux guest", Kind::Plain),
        ("linux guest, a large file", Kind::Large),
        ("linux guest, grown", Kind::Grown),
    ] {
        let inputs = Arc::clone(&inputs);
        let test = suite::trial(name.to_owned(), missing.clone(), move || linux(&inputs, kind));
        trials.push(test.long_if(kind != Kind::Plain));
    }
    Ok(trials)
}

/// An image and what is in its UDF volume.
struct Subject {
    tree: PathBuf,
    image: PathBuf,
    label: String,
    files: Listing,
    /// How many names have their file in common with an earlier one.
    linked: usize,
    /// By the path in the tree of the host.
    renamed: BTreeMap<String, String>,
}

impl Subject {
    fn new(dir: &Path, more: &str, has_esp: bool) -> Result<Self, String> {
        // pycdlib and the guest have a path a line.
        let esp = if has_esp { ESP } else { "" };
        let mut more = format!("preserve = [\"hardlinks\"]\n{more}{esp}");
        let long = |number: usize| format!("{}{number}", "long".repeat(60));
        for name in (10..10 + LONG).map(long) {
            more += &format!("[[files]]\ntext = \"{name}\"\nto = \"/long/{name}\"\n");
        }
        let (tree, image) = odd::image(dir, &["new\nline"], &more)?;
        let manifest = dir.join("odd.toml");
        let plan = inside::isobuild(&["plan".as_ref(), "--json".as_ref(), manifest.as_os_str()])?;
        let plan: Value = serde_json::from_slice(&plan.stdout).map_err(|e| e.to_string())?;
        let renamed = renamed(&plan)?;
        let mut files = Listing::new();
        for (path, entry) in files_only(&of_directory(&tree)?) {
            files.insert(in_udf(&renamed, &path), entry);
        }
        for name in (10..10 + LONG).map(long) {
            files.insert(format!("/long/{name}"), Entry::file(name.as_bytes()));
        }
        if has_esp {
            // What is under /EFI is in the tree too.
            let loader = files.get("/lengths/65537").cloned().ok_or("no loader")?;
            files.insert("/EFI/BOOT/BOOTX64.EFI".to_owned(), loader);
        }
        Ok(Self {
            tree,
            image,
            label: "ODD".to_owned(),
            files,
            linked: 1,
            renamed,
        })
    }

    /// A bridge as genisoimage makes it: beside Joliet and Rock Ridge, and a file that has two names.
    fn of_genisoimage(dir: &Path) -> Result<Self, String> {
        let tree = dir.join("tree");
        for length in [0, 1, 2047, 2048, 2049, 100_000] {
            let path = tree.join(format!("lengths/{length}"));
            fs::create_dir_all(tree.join("lengths")).map_err(|e| e.to_string())?;
            fs::write(path, vec![b'x'; length]).map_err(|e| e.to_string())?;
        }
        let image = dir.join("genisoimage.iso");
        let mut genisoimage = Command::new(tools::find("genisoimage")?);
        genisoimage.args(["-quiet", "-R", "-J", "-D", "-udf", "-V", "ODD", "-o"]);
        run(genisoimage.arg(&image).arg(&tree))?;
        Ok(Self {
            files: files_only(&of_directory(&tree)?),
            tree,
            image,
            label: "ODD".to_owned(),
            linked: 0,
            renamed: BTreeMap::new(),
        })
    }

    /// The same after it was changed in place: a file goes, another gets other bytes, and directories come.
    fn grown(mut self, dir: &Path) -> Result<Self, String> {
        let mut manifest = format!(
            "output = \"grown.iso\"\n[base]\nimage = {:?}\nremove = [\"/lengths/2047\"]\n",
            self.image
        );
        self.files.remove("/lengths/2047").ok_or("no file to remove")?;
        fs::remove_file(self.tree.join("lengths/2047")).map_err(|e| e.to_string())?;
        fs::write(self.tree.join("lengths/1"), "/lengths/1").map_err(|e| e.to_string())?;
        let names = (0..40).map(|number| format!("/grown/deep/{}{number}", "name ".repeat(40)));
        for path in names.chain(["/lengths/1".to_owned(), "/grown/one".to_owned()]) {
            manifest += &format!("[[files]]\ntext = \"{path}\"\nto = \"{path}\"\n");
            self.files.insert(path.clone(), Entry::file(path.as_bytes()));
        }
        let path = dir.join("grown.toml");
        fs::write(&path, manifest).map_err(|e| e.to_string())?;
        let built = inside::isobuild(&[path.as_os_str()])?;
        if !built.status.success() {
            return Err(String::from_utf8_lossy(&built.stderr).into_owned());
        }
        self.image = dir.join("grown.iso");
        Ok(self)
    }

    fn of(example: &Example) -> Result<Self, String> {
        let image = example.image()?.to_owned();
        let facts = inside::isobuild(&["inspect".as_ref(), "--json".as_ref(), image.as_os_str()])?;
        let facts: Value = serde_json::from_slice(&facts.stdout).map_err(|e| e.to_string())?;
        Ok(Self {
            tree: example.dir.clone(),
            image,
            label: facts["volume_id"].as_str().ok_or("no label")?.to_owned(),
            files: example.udf()?.ok_or("no files in UDF")?,
            linked: 0,
            renamed: BTreeMap::new(),
        })
    }
}

/// The names that UDF has in another form, by their paths.
fn renamed(plan: &Value) -> Result<BTreeMap<String, String>, String> {
    let mut renamed = BTreeMap::new();
    for mapped in plan["name_map"].as_array().ok_or("no map of names")? {
        let text = |key: &str| mapped[key].as_str().ok_or_else(|| mapped.to_string());
        if text("index")? == "udf" {
            let path = inside::bytes(text("path")?);
            renamed.insert(String::from_utf8_lossy(&path).into_owned(), text("name")?.to_owned());
        }
    }
    match renamed.is_empty() {
        true => Err("no name has another form".to_owned()),
        false => Ok(renamed),
    }
}

/// The path that UDF has for one of the tree.
fn in_udf(renamed: &BTreeMap<String, String>, path: &str) -> String {
    let (mut host, mut udf) = (String::new(), String::new());
    for name in path.split('/').skip(1) {
        host = format!("{host}/{name}");
        udf = format!("{udf}/{}", renamed.get(&host).map_or(name, String::as_str));
    }
    udf
}

fn run(command: &mut Command) -> Result<(String, String), String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok((text(&output.stdout), text(&output.stderr))),
        false => Err(format!(
            "{command:?}: {}\n{}{}",
            output.status,
            text(&output.stdout),
            text(&output.stderr)
        )),
    }
}

/// Nothing to warn of, both anchors, and the counts.
fn udfinfo(subject: &Subject) -> Result<(), String> {
    let (said, warnings) = run(Command::new(tools::find("udfinfo")?).arg(&subject.image))?;
    let anchors = said.lines().filter(|line| line.ends_with("type=ANCHOR")).count();
    let files = format!("numfiles={}", subject.files.len() - subject.linked);
    let label = format!("label={}", subject.label);
    let wanted = ["udfrev=1.02", "integrity=closed", "freeblocks=0", &label, &files];
    let lacking: Vec<_> = wanted
        .iter()
        .filter(|&&line| !said.lines().any(|said| said == line))
        .collect();
    match (anchors, warnings.as_str(), lacking.as_slice()) {
        (2, "", []) => Ok(()),
        _ => Err(format!("{anchors} anchors, without {lacking:?}\n{warnings}{said}")),
    }
}

/// It tests every file, and extracts what the host has.
fn seven_zip(subject: &Subject) -> Result<(), String> {
    let out = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
    let command = |verb: &str| -> Result<Command, String> {
        let mut command = Command::new(tools::find("7z")?);
        command
            .env("LC_ALL", "C.UTF-8")
            .args([verb, "-tudf", "-y"])
            .arg(&subject.image);
        Ok(command)
    };
    run(&mut command("t")?)?;
    let mut to = std::ffi::OsString::from("-o");
    to.push(out.path());
    run(command("x")?.arg(to))?;
    same(&subject.files, &of_directory(out.path())?)
}

/// A listing of lines "SHA-256 PATH".
fn listing(lines: &str) -> Listing {
    let pairs = lines.lines().filter_map(|line| line.split_once(' '));
    pairs
        .map(|(sha256, path)| (path.to_owned(), Entry::File(sha256.to_owned())))
        .collect()
}

fn pycdlib(subject: &Subject) -> Result<(), String> {
    let mut python = Command::new(tools::from_pypi("python")?);
    python.args(["-c", include_str!("pycdlib_udf.py")]).arg(&subject.image);
    same(&subject.files, &listing(&run(&mut python)?.0))
}

fn libudfread(subject: &Subject) -> Result<(), String> {
    let mut python = Command::new(tools::find("python3")?);
    python.args(["-c", include_str!("udfread_tree.py"), LIBUDFREAD]);
    same(&subject.files, &listing(&run(python.arg(&subject.image))?.0))
}

/// It compares files with the host's; it looks for UDF before ISO 9660.
fn grub(subject: &Subject) -> Result<(), String> {
    let lengths = fs::read_dir(subject.tree.join("lengths")).map_err(|e| e.to_string())?;
    let names = fs::read_dir(subject.tree.join("names")).map_err(|e| e.to_string())?;
    for entry in lengths.chain(names) {
        let host = entry.map_err(|e| e.to_string())?.path();
        let path = format!(
            "/{}",
            host.strip_prefix(&subject.tree)
                .map_err(|e| e.to_string())?
                .to_string_lossy()
        );
        let mut grub = Command::new(tools::find("grub-fstest")?);
        let inside = format!("(loop0){}", in_udf(&subject.renamed, &path));
        run(grub.arg(&subject.image).arg("cmp").arg(&inside).arg(&host))?;
    }
    let (names, _) = run(Command::new(tools::find("grub-fstest")?)
        .arg(&subject.image)
        .args(["ls", "(loop0)/names/"]))?;
    // ISO 9660 has another name for it, and Rock Ridge the host's.
    match names.contains("trailing space_") {
        true => Ok(()),
        false => Err(format!("GRUB has read another index: {names}")),
    }
}

/// What isobuild itself reads, and that it finds no fault.
fn isobuild(subject: &Subject) -> Result<(), String> {
    let facts = inside::output(&["inspect".as_ref(), "--json".as_ref(), subject.image.as_os_str()])?;
    let facts: Value = serde_json::from_slice(&facts).map_err(|e| e.to_string())?;
    if facts["faults"] != serde_json::json!([]) {
        return Err(facts["faults"].to_string());
    }
    same(&subject.files, &inside::read(&subject.image, "udf:")?)
}

/// Modules of the kernel's, in the order in which they need each other, behind those of [`linux`].
const MODULES: [&str; 4] = ["virtio_blk", "cdrom", "crc-itu-t", "udf"];

/// The image as a disk, at the begin of a larger disk, and as a disc.
const DEVICES: [&str; 3] = ["/dev/vda", "/dev/vdb", "/dev/sr0"];

/// How much larger the larger disk is: no multiple of anything that is looked for before the end.
const BEHIND: u64 = 37 * 512 + (91 << 20);

/// The large file, of which the ends of what one file entry's extents hold, and what 32 bits count to, are not zero.
const LARGE: &str = "large";
const LARGE_LENGTH: u64 = 4_700_000_001;
const MARKED: [u64; 5] = [0, 0x3fff_f800 - 3, 0xffff_f800 - 3, 0xffff_ffff - 3, LARGE_LENGTH - 7];

/// What Linux reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// With the large file.
    Large,
    /// Changed in place.
    Grown,
}

/// Every file that Linux finds by UDF is the host's, with its modes, owners and times, and hard links are one file.
fn linux(inputs: &Inputs, kind: Kind) -> Result<(), String> {
    let has_large = kind == Kind::Large;
    let dir = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
    let kept = dir.path().join("kept");
    preserved::make(&kept).map_err(|e| e.to_string())?;
    let mut more = String::new();
    if has_large {
        let large = fs::File::create(dir.path().join(LARGE)).map_err(|e| e.to_string())?;
        large.set_len(LARGE_LENGTH).map_err(|e| e.to_string())?;
        for at in MARKED {
            large.write_all_at(b"isobuil", at).map_err(|e| e.to_string())?;
        }
        more += &format!("[[files]]\nfrom = \"{LARGE}\"\nto = \"/\"\n");
    }
    more += &preserved::manifest("kept", "/kept");
    let mut subject = Subject::new(dir.path(), &format!("{more}{}", KINDS[0].1), false)?;
    for (path, entry) in files_only(&of_directory(&kept)?) {
        subject.files.insert(format!("/kept{path}"), entry);
    }
    if has_large {
        let digest = hash::file(&dir.path().join(LARGE)).map_err(|e| e.to_string())?;
        subject.files.insert(format!("/{LARGE}"), Entry::File(digest));
    }
    if kind == Kind::Grown {
        subject = subject.grown(dir.path())?;
    }
    let attributes = preserved::attributes(&kept).map_err(|e| e.to_string())?;
    // The large file once is enough.
    let devices = if has_large { &DEVICES[..1] } else { &DEVICES };
    let serial = guest(dir.path(), &subject.image, inputs, devices)?;
    let said = linux::said(&serial)?;
    for device in devices {
        let (read, found) = linux::found(&said, device)?;
        same(&subject.files, &read).map_err(|e| format!("{device}:\n{e}"))?;
        for (name, wanted) in &attributes {
            let path = format!("/kept/{name}");
            let found = found.get(&path).ok_or_else(|| format!("{path} is not there"))?;
            if found != wanted {
                return Err(format!("{device}: {path} is {found:?}, expected {wanted:?}"));
            }
        }
        let twice = ["/lengths/2049", "/hard link"].map(|path| found.get(path).map(|of| of.links));
        if twice != [Some(2), Some(2)] {
            return Err(format!("{device}: the two names of one file count {twice:?}"));
        }
    }
    Ok(())
}

fn guest(dir: &Path, image: &Path, inputs: &Inputs, devices: &[&str]) -> Result<String, String> {
    let modules = [&linux::VIRTIO_MODULES[..], &MODULES, &linux::DISC_MODULES].concat();
    let mut script = linux::preamble(&modules);
    for device in devices {
        script += &linux::wait_for(device);
        script += &format!("mount -t udf -o ro {device} /mnt || say failed\n");
        script += &linux::describe(device, true);
        script += "umount /mnt\n";
    }
    script += linux::end();
    let initrd = dir.join("initrd");
    let archive = Initramfs::new(inputs, "", &modules, &script)?.finish();
    fs::write(&initrd, archive).map_err(|e| e.to_string())?;
    let logs = workspace::target()
        .join("qemu-tests/logs")
        .join(format!("udf-written-{}", devices.len()));
    let disk = Scratch::new(image, Medium::Disk, dir)?;
    let mut machine = Machine::new(Firmware::Bios).scratch(&disk);
    if devices.len() > 1 {
        machine = linux::disc(machine.medium(&larger(dir, image)?, Medium::Disk), image);
    }
    let serial = linux::run(machine, inputs, &initrd, &logs)?;
    disk.check_unwritten()?;
    Ok(serial)
}

/// The image at the begin of a larger medium.
fn larger(dir: &Path, image: &Path) -> Result<PathBuf, String> {
    let larger = dir.join("larger");
    let length = fs::copy(image, &larger).map_err(|e| e.to_string())?;
    let file = fs::OpenOptions::new()
        .write(true)
        .open(&larger)
        .map_err(|e| e.to_string())?;
    file.set_len((length + BEHIND).next_multiple_of(512))
        .map_err(|e| e.to_string())?;
    Ok(larger)
}
