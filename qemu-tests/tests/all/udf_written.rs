//! The UDF that isobuild writes, by other people's readers: an odd tree as a bridge and as a stub, and an image that boots. They find the
//! names that the plan promises, and the bytes of the host.

use qemu_tests::listing::{Entry, Listing, files_only, of_directory, same};
use qemu_tests::tools::LIBUDFREAD;
use qemu_tests::{inside, odd, suite, tools, workspace};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the manifest says beside the tree: the volume, and whether its image boots.
const KINDS: [(&str, &str); 4] = [
    ("bridge", "[iso]\nudf = true\n"),
    ("stub", "[iso]\niso9660 = \"stub\"\n"),
    ("universal", "[iso]\nudf = true\n[disk]\nlayout = \"universal\"\n"),
    ("multi-sector", "[iso]\nudf = true\n[disk]\nlayout = \"multi-sector\"\n"),
];

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
    for (kind, more) in KINDS {
        for (judge, needs, judged) in JUDGES {
            let missing = [suite::missing(needs), unbuilt.clone()].concat();
            trials.push(suite::trial(format!("{kind} {judge}"), missing, move || {
                let dir = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
                judged(&Subject::new(dir.path(), more)?)
            }));
        }
    }
    Ok(trials)
}

/// An image and what is in its UDF volume.
struct Subject {
    tree: PathBuf,
    image: PathBuf,
    files: Listing,
    /// By the path in the tree of the host.
    renamed: BTreeMap<String, String>,
}

impl Subject {
    fn new(dir: &Path, more: &str) -> Result<Self, String> {
        // pycdlib and the guest have a path a line.
        let more = format!("preserve = [\"hardlinks\"]\n{more}");
        let (tree, image) = odd::image(dir, &["new\nline"], &more)?;
        let manifest = dir.join("odd.toml");
        let plan = inside::isobuild(&["plan".as_ref(), "--json".as_ref(), manifest.as_os_str()])?;
        let plan: Value = serde_json::from_slice(&plan.stdout).map_err(|e| e.to_string())?;
        let renamed = renamed(&plan)?;
        let mut files = Listing::new();
        for (path, entry) in files_only(&of_directory(&tree)?) {
            files.insert(in_udf(&renamed, &path), entry);
        }
        Ok(Self {
            tree,
            image,
            files,
            renamed,
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
    // Two names of one file.
    let files = format!("numfiles={}", subject.files.len() - 1);
    let wanted = ["udfrev=1.02", "integrity=closed", "label=ODD", "freeblocks=0", &files];
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
