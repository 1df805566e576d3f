//! The UDF that isobuild writes, by other people's readers: an odd tree as a bridge and as a stub, an image that boots, and images that were
//! changed in place, one of them genisoimage's. They find the names that the plan promises, and the bytes of the host.

mod guest;
mod subject;

use guest::{Kind, linux};
use qemu_tests::example::Example;
use qemu_tests::listing::{Entry, Listing, of_directory, same};
use qemu_tests::tools::LIBUDFREAD;
use qemu_tests::{inside, pins, suite, tools, workspace};
use serde_json::Value;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use subject::{Subject, in_udf};

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
