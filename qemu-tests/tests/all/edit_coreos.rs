//! `edit` of an image of Fedora CoreOS: kernel arguments and Ignition's configuration go into the areas that are reserved for them, and the image is
//! to the bit what coreos-installer would make of it.

use qemu_tests::verbs::Bench;
use qemu_tests::{installers, suite, tools};
use std::fs;
use std::process::Command;

/// Options of both programs that mean the same.
const ROWS: [(&str, &[&str], &[&str]); 6] = [
    (
        "an argument more",
        &["--kernel-arg", "coreos.inst.install_dev=/dev/vda"],
        &["kargs", "modify", "--append", "coreos.inst.install_dev=/dev/vda"],
    ),
    (
        "arguments more and less",
        &["--kernel-arg", "a=1", "--kernel-arg", "b", "--remove-arg", "quiet"],
        &[
            "kargs", "modify", "--append", "a=1", "--append", "b", "--delete", "quiet",
        ],
    ),
    (
        "another value",
        &["--replace-arg", "ignition.platform.id=qemu"],
        &["kargs", "modify", "--replace", "ignition.platform.id=metal=qemu"],
    ),
    (
        "a short configuration",
        &["--answers", "ignition=short.ign"],
        &["ignition", "embed", "--ignition-file", "short.ign"],
    ),
    (
        "a configuration that needs padding in the archive",
        &["--answers", "ignition=odd.ign"],
        &["ignition", "embed", "--ignition-file", "odd.ign"],
    ),
    (
        "a configuration of users and units",
        &["--answers", "ignition=server.ign"],
        &["ignition", "embed", "--ignition-file", "server.ign"],
    ),
];

const SERVER: &str = r#"{
  "ignition": { "version": "3.4.0" },
  "passwd": { "users": [ { "name": "core", "sshAuthorizedKeys": [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGKjzDqQe3oV0rJx0fWkz1uHnqvYxJpQ0mXU6tBqvZkd admin@example.org" ] } ] },
  "storage": { "files": [ { "path": "/etc/hostname", "mode": 420, "contents": { "source": "data:,node1" } } ] },
  "systemd": { "units": [ { "name": "hello.service", "enabled": true,
    "contents": "[Unit]\nAfter=network-online.target\n\n[Service]\nExecStart=/usr/bin/podman run --rm quay.io/podman/hello\n" } ] }
}
"#;

pub(crate) fn tests() -> suite::Tests {
    let mut missing = suite::missing(&installers::TOOLS);
    missing.extend(suite::missing(&["isohybrid"]));
    missing.extend(suite::missing_inputs()?);
    missing.extend(tools::from_crates("coreos-installer").err());
    let test = suite::trial("every byte is coreos-installer's".to_owned(), missing, every_byte);
    Ok(vec![test.long()])
}

/// What coreos-installer prints.
fn theirs_of(bench: &Bench, words: &[&str]) -> Result<String, String> {
    let mut program = Command::new(tools::from_crates("coreos-installer")?);
    program.current_dir(bench.directory.path()).arg("iso").args(words);
    let said = program.output().map_err(|error| error.to_string())?;
    assert!(
        said.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&said.stderr)
    );
    String::from_utf8(said.stdout).map_err(|error| error.to_string())
}

fn with_users(count: usize) -> String {
    let users = (0..count).map(|number| format!("{{\"name\": \"user-{}\"}}", number * number));
    let users = users.collect::<Vec<_>>().join(", ");
    format!("{{\"ignition\": {{\"version\": \"3.3.0\"}}, \"passwd\": {{\"users\": [{users}]}}}}")
}

fn every_byte() -> Result<(), String> {
    let bench = Bench::new("");
    installers::coreos(&bench)?;
    let bytes = |name: &str| fs::read(bench.path(name)).map_err(|error| error.to_string());
    let base = bytes("base.iso")?;
    let short = "{\"ignition\": {\"version\": \"3.3.0\"}}  ";
    let odd = format!("{short}\n");
    assert_eq!((short.len() % 4, odd.len() % 4), (0, 1));
    for (name, text) in [("short.ign", short), ("odd.ign", &odd), ("server.ign", SERVER)] {
        fs::write(bench.path(name), text).map_err(|error| error.to_string())?;
    }
    for (row, ours, theirs) in ROWS {
        for name in ["ours.iso", "theirs.iso"] {
            fs::write(bench.path(name), &base).map_err(|error| error.to_string())?;
        }
        bench.ends(&format!("edit ours.iso {} -q", ours.join(" ")), 0);
        theirs_of(&bench, &[theirs, &["theirs.iso"]].concat())?;
        let (ours, theirs) = (bytes("ours.iso")?, bytes("theirs.iso")?);
        assert_ne!(ours, base, "{row}");
        let differs = (0..base.len()).find(|&at| ours.get(at) != theirs.get(at));
        assert_eq!((differs, ours.len()), (None, theirs.len()), "{row}");
        bench.ends("undo ours.iso -q", 0);
        assert!(bytes("ours.iso")? == base, "{row}: undo");
    }
    // In a long text the two encoders of LZMA choose among ways of the same length, or nearly so, each in its own order.
    let longest = with_users(4000);
    fs::write(bench.path("longest.ign"), &longest).map_err(|error| error.to_string())?;
    bench.ends("edit ours.iso --answers ignition=longest.ign -q", 0);
    assert_eq!(theirs_of(&bench, &["ignition", "show", "ours.iso"])?, longest);
    bench.ends("undo ours.iso -q", 0);
    bench.ends("edit ours.iso --kernel-arg a=1 --answers ignition=short.ign -q", 0);
    assert!(theirs_of(&bench, &["kargs", "show", "ours.iso"])?.contains(" a=1"));
    theirs_of(&bench, &["reset", "ours.iso"])?;
    assert!(bytes("ours.iso")? == base, "reset");
    // More than fits into the areas: they become larger, and coreos-installer goes on with them.
    let long = "x".repeat(1600);
    bench.ends(&format!("edit ours.iso --kernel-arg long={long} -q --undo other"), 0);
    theirs_of(&bench, &["kargs", "modify", "--append", "last", "ours.iso"])?;
    let shown = theirs_of(&bench, &["kargs", "show", "ours.iso"])?;
    assert!(shown.trim_end().ends_with(&format!("long={long} last")), "{shown}");
    let menu = bench.ends("menu ours.iso", 0).out;
    assert_eq!(menu.matches(&format!("long={long} last")).count(), 2, "{menu}");
    Ok(())
}
