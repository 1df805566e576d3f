//! Each example's golden plan and digest, and the same image from another place and user.

use qemu_tests::example::{Example, build};
use qemu_tests::pins::{self, State};
use qemu_tests::{hash, suite, tools, workspace};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

fn main() -> ExitCode {
    suite::run(trials())
}

type Test = fn(&Example) -> Result<(), String>;

fn trials() -> Result<Vec<libtest_mimic::Trial>, String> {
    let mut trials = Vec::new();
    for example in Example::all()?.into_iter().map(Arc::new) {
        let tests: [(&str, Test); 3] = [
            ("golden plan", golden_plan),
            ("golden digest", golden_digest),
            ("same bytes elsewhere", same_bytes_elsewhere),
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
                missing.extend(suite::missing(&["setpriv"]));
            }
            let example = Arc::clone(&example);
            let name = format!("{} {name}", example.name);
            trials.push(suite::trial(name, missing, move || test(&example)));
        }
    }
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

/// Builds a copy of the example whose every property but the contents is another one: its place, the order in which its
/// files were made, their times and the bits that a umask takes, the user where we may change it, locale and time zone.
fn same_bytes_elsewhere(example: &Example) -> Result<(), String> {
    let expected = hash::file(example.image()?)?;
    let elsewhere = tempfile::tempdir().map_err(|e| e.to_string())?;
    let fail = |e: std::io::Error| e.to_string();
    let home = elsewhere.path().join("wo anders");
    copy_backwards(&example.dir, &home).map_err(fail)?;
    let program = elsewhere.path().join("isobuild");
    fs::copy(workspace::isobuild()?, &program).map_err(fail)?;
    let mut command = Command::new("/bin/sh");
    let root = fs::metadata("/proc/self").map_err(fail)?.uid() == 0;
    if root {
        give_away(elsewhere.path()).map_err(fail)?;
        command = Command::new(tools::find("setpriv")?);
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "/bin/sh"]);
    }
    command.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(&program);
    command
        .env_clear()
        .env("TZ", "Pacific/Kiritimati")
        .env("LC_ALL", "tr_TR.UTF-8");
    command.current_dir(elsewhere.path());
    let image = elsewhere.path().join("other-name.iso");
    build(&mut command, &home.join("manifest.toml"), &image)?;
    // The mode shows that the other umask was in force.
    let mode = fs::metadata(&image).map_err(fail)?.permissions().mode() & 0o777;
    if mode != 0o600 {
        return Err(format!("the image has the mode {mode:o} under umask 077"));
    }
    if hash::file(&image)? == expected {
        return Ok(());
    }
    Err(format!(
        "other bytes: cmp {} {}",
        example.image()?.display(),
        elsewhere.keep().display()
    ))
}

fn copy_backwards(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    let mut entries = fs::read_dir(from)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.file_name()));
    for entry in entries {
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_backwards(&entry.path(), &copy)?;
        } else {
            fs::copy(entry.path(), &copy)?;
            let executable = entry.metadata()?.permissions().mode() & 0o100;
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o600 | executable))?;
        }
    }
    Ok(())
}

fn give_away(path: &Path) -> std::io::Result<()> {
    chown(path, Some(65534), Some(65534))?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            give_away(&entry?.path())?;
        }
    }
    Ok(())
}
