//! Each example's golden plan and digest, and the same image from another place and user.

use qemu_tests::example::{Example, build};
use qemu_tests::pins::{self, State};
use qemu_tests::{hash, odd, suite, tools, workspace};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// The programs that a build in other surroundings needs.
const ELSEWHERE: &[&str] = &["setpriv", "unshare", "taskset"];

type Test = fn(&Example) -> Result<(), String>;

pub(crate) fn tests() -> suite::Tests {
    let mut trials = Vec::new();
    for example in Example::all()?.into_iter().map(Arc::new) {
        let tests: [(&str, Test); 3] = [
            ("golden plan", golden_plan),
            ("golden digest", golden_digest),
            ("same bytes elsewhere", |example| {
                same_bytes_elsewhere(&example.manifest(), example.image()?)
            }),
        ];
        for (name, test) in tests {
            let mut missing = example.missing();
            if name.starts_with("golden")
                && let Some(reason) = unpinned(&example)?
            {
                trials.push(suite::ignored(format!("{} {name}", example.name), &reason));
                continue;
            }
            if name == "same bytes elsewhere" {
                missing.extend(suite::missing(ELSEWHERE));
            }
            let example = Arc::clone(&example);
            let name = format!("{} {name}", example.name);
            trials.push(suite::trial(name, missing, move || test(&example)));
        }
    }
    let mut missing = suite::missing(ELSEWHERE);
    missing.extend(workspace::isobuild().err());
    trials.push(suite::trial(
        "odd tree same bytes elsewhere".to_owned(),
        missing,
        || {
            let dir = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
            let (_, image) = odd::image(dir.path(), &[], "")?;
            same_bytes_elsewhere(&dir.path().join("odd.toml"), &image)
        },
    ));
    Ok(trials)
}

/// A golden image is one of the pinned inputs. When the archive has gone on, there is nothing to compare with.
fn unpinned(example: &Example) -> Result<Option<String>, String> {
    match pins::load(&example.name)?.state()? {
        State::Differ(files) => Ok(Some(format!(
            "other than pinned: {} (cargo xtask bless {})",
            files.join(", "),
            example.name
        ))),
        State::Pinned | State::Missing(_) => Ok(None),
    }
}

fn isobuild(arguments: &[&str], path: &Path) -> Result<Vec<u8>, String> {
    // From the root, so that no path of this machine gets into what is printed.
    let path = path.strip_prefix(workspace::root()).unwrap_or(path);
    let mut command = Command::new(workspace::isobuild()?);
    let (verb, options) = arguments.split_at(1);
    let output = command
        .args(verb)
        .arg(path)
        .args(options)
        .current_dir(workspace::root())
        .output()
        .map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}\n{stderr}", output.status))
}

fn golden_plan(example: &Example) -> Result<(), String> {
    let path = example.dir.join("plan.txt");
    let golden = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let plan = isobuild(&["plan"], &example.manifest())?;
    let plan = String::from_utf8(plan).map_err(|e| e.to_string())?;
    if plan == golden {
        return Ok(());
    }
    let line = plan.lines().zip(golden.lines()).take_while(|(a, b)| a == b).count();
    let at = |text: &str| text.lines().nth(line).unwrap_or("(end)").to_owned();
    Err(format!(
        "{}:{}: the plan differs (cargo xtask bless {} if it is meant to)\n- {}\n+ {}",
        path.display(),
        line + 1,
        example.name,
        at(&golden),
        at(&plan)
    ))
}

fn golden_digest(example: &Example) -> Result<(), String> {
    let path = example.dir.join("image.sha256");
    let golden = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let digest = hash::file(example.image()?)?;
    if golden.split_whitespace().next() == Some(&digest) {
        return Ok(());
    }
    Err(format!(
        "the image is {digest}, {} says {} (cargo xtask bless {} if it is meant to)",
        path.display(),
        golden.trim_end(),
        example.name
    ))
}

/// Builds a copy of the manifest's directory whose every property but the contents is another one: its place, the order in which
/// its files were made, their times and the bits that a umask takes, the user where we may change it, locale, time zone, the
/// host's name and the number of its processors.
fn same_bytes_elsewhere(manifest: &Path, image: &Path) -> Result<(), String> {
    let expected = hash::file(image)?;
    let elsewhere = tempfile::tempdir().map_err(|e| e.to_string())?;
    let fail = |e: std::io::Error| e.to_string();
    let home = elsewhere.path().join("wo anders");
    let dir = manifest.parent().unwrap_or(manifest);
    copy_backwards(dir, &home, &mut HashMap::new()).map_err(fail)?;
    let program = elsewhere.path().join("isobuild");
    fs::copy(workspace::isobuild()?, &program).map_err(fail)?;
    let root = fs::metadata("/proc/self").map_err(fail)?.uid() == 0;
    let mut command = Command::new(tools::find("unshare")?);
    command.args(["--uts", if root { "--fork" } else { "--map-root-user" }]);
    let rename = "echo elsewhere > /proc/sys/kernel/hostname && umask 077 && exec \"$@\"";
    command.args(["/bin/sh", "-c", rename, "sh", "taskset", "1"]);
    if root {
        give_away(elsewhere.path()).map_err(fail)?;
        command.args(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command.arg(&program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TZ", "Pacific/Kiritimati")
        .env("LC_ALL", "tr_TR.UTF-8");
    command.current_dir(elsewhere.path());
    let other = elsewhere.path().join("other-name.iso");
    build(
        &mut command,
        &home.join(manifest.file_name().unwrap_or_default()),
        &other,
    )?;
    // The mode shows that the other umask was in force.
    let mode = fs::metadata(&other).map_err(fail)?.permissions().mode() & 0o777;
    if mode != 0o600 {
        return Err(format!("the image has the mode {mode:o} under umask 077"));
    }
    if hash::file(&other)? == expected {
        return Ok(());
    }
    Err(format!(
        "other bytes: cmp {} {}",
        image.display(),
        elsewhere.keep().display()
    ))
}

/// With links as they are; `known` holds the copies of files by their number.
fn copy_backwards(from: &Path, to: &Path, known: &mut HashMap<u64, PathBuf>) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    let mut entries = fs::read_dir(from)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.file_name()));
    for entry in entries {
        let copy = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_backwards(&entry.path(), &copy, known)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &copy)?;
        } else if let Some(first) = known.get(&entry.metadata()?.ino()) {
            fs::hard_link(first, &copy)?;
        } else {
            fs::copy(entry.path(), &copy)?;
            let executable = entry.metadata()?.permissions().mode() & 0o100;
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o600 | executable))?;
            known.insert(entry.metadata()?.ino(), copy);
        }
    }
    Ok(())
}

fn give_away(path: &Path) -> std::io::Result<()> {
    lchown(path, Some(65534), Some(65534))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give_away(&entry?.path())?;
        }
    }
    Ok(())
}
