//! UDF is read as others have written it: volumes that mkudffs has made and Linux has filled, of every revision and kind of
//! partition that they can, and genisoimage's bridges.

use isobuild::inside::facts::cell::{Firmware, Medium};
use isobuild::inside::vm::Machine;
use qemu_tests::cpio::Archive;
use qemu_tests::inside::{self, ls, read};
use qemu_tests::linux::{self, MARK};
use qemu_tests::listing::{of_directory, same};
use qemu_tests::pins::{self, Inputs};
use qemu_tests::{odd, suite, tools, workspace};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn tests() -> suite::Tests {
    let mut trials = suite::program_tests(&[
        ("a bridge beside plain ISO 9660", &["genisoimage"], bridge),
        (
            "an empty disc with a virtual partition",
            &["mkudffs"],
            virtual_partition,
        ),
    ]);
    let mut missing = suite::missing(&["qemu-system-x86_64", "setpriv", "mkudffs"]);
    missing.extend(suite::missing_inputs()?);
    missing.extend(workspace::isobuild().err());
    let inputs = pins::load("qemu-tests")?;
    trials.push(suite::trial(
        "volumes that Linux has filled".to_owned(),
        missing,
        move || filled(&inputs),
    ));
    Ok(trials)
}

/// What mkudffs is told for each volume: revisions, block lengths, media, and forms of allocation descriptors.
const VOLUMES: [&[&str]; 6] = [
    &["--media-type=hd", "--udfrev=1.02", "--blocksize=2048", "--ad=short"],
    &["--media-type=hd", "--udfrev=1.50", "--blocksize=512", "--ad=long"],
    &["--media-type=hd", "--udfrev=2.01", "--blocksize=4096", "--ad=inicb"],
    &["--media-type=dvdram", "--udfrev=2.01", "--blocksize=2048"],
    &[
        "--media-type=cdrw",
        "--udfrev=1.50",
        "--blocksize=2048",
        "--packetlen=32",
        "--ad=inicb",
    ],
    &["--media-type=dvdrw", "--udfrev=2.01", "--blocksize=2048", "--noefe"],
];
const LENGTH: u64 = 8 << 20;

fn mkudffs(image: &Path, options: &[&str]) -> Result<(), String> {
    let file = fs::File::create(image).map_err(|e| e.to_string())?;
    file.set_len(LENGTH).map_err(|e| e.to_string())?;
    let mut mkudffs = Command::new(tools::find("mkudffs")?);
    mkudffs.args(["--utf8", "--label=grün"]).args(options).arg(image);
    let done = mkudffs.output().map_err(|e| e.to_string())?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!("{mkudffs:?}: {}", String::from_utf8_lossy(&done.stderr))),
    }
}

/// What the guest writes. The large file is in pieces, since others are written between its parts, and one has holes; names of both
/// widths, deleted ones among them; more names than a block has room for.
const WRITE: &str = r#"cd /mnt
for n in 0 1 1000 2047 2048 2049 100000; do head -c $n /bin/busybox > length-$n; done
for n in 1 2 3 4 5 6 7 8; do head -c 70000 /bin/busybox >> pieces; head -c 5000 /bin/busybox > between-$n; sync; done
rm between-2 between-5
dd if=/bin/busybox of=holes bs=1000 seek=200 count=3 2>/dev/null
mkdir -p names/deep/deeper/deepest empty
n=0; while [ $n -lt 300 ]; do echo $n > "names/a name that is long enough to fill blocks $n"; n=$((n+1)); done
echo x > "names/grün"; echo y > "names/日本語"; echo z > names/deep/deeper/deepest/file
rm "names/a name that is long enough to fill blocks 7"
ln -s ../names/grün names/link; ln -s /absolute/path absolute; ln -s . dot; ln -s .. names/up
ln length-1000 "second name"
mkfifo fifo; mknod device c 4 64
chmod 4755 length-1; chmod 1777 empty; chmod 600 length-1000; chown 1000:2000 length-2049
touch -d "2001-02-03 04:05:06" length-2047
cd /
"#;

const MODULES: [&str; 4] = ["virtio_blk", "cdrom", "crc-itu-t", "udf"];

fn filled(inputs: &Inputs) -> Result<(), String> {
    let dir = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
    let image = |number: usize| dir.path().join(format!("{number}.udf"));
    for (number, options) in VOLUMES.iter().enumerate() {
        mkudffs(&image(number), options)?;
    }
    let said = guest(dir.path(), inputs)?;
    let said = linux::said(&said)?;
    for (number, options) in VOLUMES.iter().enumerate() {
        compare(&image(number), &said, number).map_err(|e| format!("{options:?}: {e}"))?;
    }
    Ok(())
}

/// The letter of the virtio disk of a volume.
fn device(number: usize) -> String {
    format!("/dev/vd{}", char::from(b'a' + number as u8))
}

/// Fills the volumes in `dir`, and says what Linux then reads in them.
fn guest(dir: &Path, inputs: &Inputs) -> Result<String, String> {
    let mut script = linux::preamble(&[&linux::VIRTIO_MODULES[..], &MODULES].concat());
    for number in 0..VOLUMES.len() {
        let device = device(number);
        script += &format!("mount -t udf {device} /mnt || say failed\n{WRITE}umount /mnt\n");
        script += &format!("mount -t udf -o ro {device} /mnt || say failed\n");
        script += &linux::describe(&device, true);
        script += "umount /mnt\n";
    }
    script += linux::end();
    let mut archive = Archive::default();
    let file = |name: &str| -> Result<Vec<u8>, String> {
        let path: PathBuf = inputs.file(name)?;
        fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))
    };
    archive.file("busybox", &file("busybox")?);
    archive.file("init", script.as_bytes());
    archive.directory("modules");
    for module in linux::VIRTIO_MODULES.into_iter().chain(MODULES) {
        archive.file(&format!("modules/{module}.ko"), &file(&format!("{module}.ko"))?);
    }
    let initrd = dir.join("initrd");
    fs::write(&initrd, archive.finish()).map_err(|e| e.to_string())?;
    let logs = workspace::target().join("qemu-tests/logs/udf");
    let mut machine = Machine::new(Firmware::Bios);
    for number in 0..VOLUMES.len() {
        machine = machine.medium(&dir.join(format!("{number}.udf")), Medium::Disk);
    }
    let kernel = inputs.file("vmlinuz")?;
    let mut guest = machine
        .kernel(&kernel, &initrd, "console=ttyS0 quiet panic=-1")
        .start(&logs)?;
    guest.wait_for(&[&format!("{MARK} end")])?;
    guest.wait_for_end()?;
    Ok(guest.serial())
}

fn facts(image: &Path) -> Result<Value, String> {
    let facts = inside::output(&["inspect".as_ref(), "--json".as_ref(), image.as_os_str()])?;
    serde_json::from_slice(&facts).map_err(|e| e.to_string())
}

fn compare(image: &Path, said: &[&str], number: usize) -> Result<(), String> {
    let facts = facts(image)?;
    if facts["filesystems"] != serde_json::json!(["udf"]) || facts["volume_id"] != "grün" {
        return Err(format!("{} {}", facts["filesystems"], facts["volume_id"]));
    }
    if facts["faults"] != serde_json::json!([]) {
        return Err(facts["faults"].to_string());
    }
    let (listing, attributes) = linux::found(said, &device(number))?;
    if listing.len() < 300 {
        return Err(format!("the guest has written {} files", listing.len()));
    }
    let items = ls(image, "udf:/")?;
    let others = |item: &&Value| item["type"] == "other";
    let mut special: Vec<String> = items
        .iter()
        .filter(others)
        .map(|item| item["path"].to_string())
        .collect();
    special.sort();
    if special != ["\"/device\"", "\"/fifo\""] {
        return Err(format!("{special:?}"));
    }
    let device = items.iter().find(|item| item["path"] == "/device").ok_or("no device")?;
    if device["device"] != serde_json::json!([4, 64]) {
        return Err(device.to_string());
    }
    same(&listing, &inside::contents(image, "udf:", &items)?)?;
    for item in &items {
        let path = item["path"].as_str().ok_or("no path")?;
        let wanted = attributes
            .get(path)
            .ok_or_else(|| format!("{path} is not in the guest's list"))?;
        let mut found = inside::attributes(item, wanted.mtime)?;
        // What a directory counts, Linux reckons; links have no permissions there.
        if item["type"] != "file" {
            found.links = wanted.links;
        }
        if found != *wanted {
            return Err(format!("{path} is {found:?}, expected {wanted:?}"));
        }
    }
    match attributes.len() == items.len() + 1 {
        true => Ok(()),
        false => Err(format!("{} names, and {} in the guest", items.len(), attributes.len())),
    }
}

/// genisoimage's UDF 1.02 over the same extents. Without Rock Ridge it is the richest index.
fn bridge() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let (tree, image) = odd::bridge(dir.path()).unwrap();
    let wanted = of_directory(&tree).unwrap();
    for place in ["", "udf:"] {
        let found = read(&image, place).unwrap();
        same(&wanted, &found).unwrap_or_else(|reason| panic!("{place}: {reason}"));
    }
    let iso = ls(&image, "iso:/").unwrap();
    assert!(
        iso.iter()
            .any(|item| item["path"].as_str().unwrap().starts_with("/LENGTHS")),
        "{iso:?}"
    );
}

/// mkudffs writes the table of a virtual partition; nothing here can fill such a disc.
fn virtual_partition() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    for revision in ["1.50", "2.01"] {
        let image = dir.path().join(format!("{revision}.udf"));
        let udfrev = format!("--udfrev={revision}");
        mkudffs(&image, &["--media-type=cdr", "--blocksize=2048", &udfrev, "--closed"]).unwrap();
        // The table is in the last block that is written, and the image of a disc ends there.
        let bytes = fs::read(&image).unwrap();
        let end = bytes.iter().rposition(|&byte| byte != 0).unwrap();
        fs::write(&image, &bytes[..(end + 1).next_multiple_of(2048)]).unwrap();
        let names = ls(&image, "/").unwrap();
        assert!(names.iter().all(|item| item["path"] == "/lost+found"), "{names:?}");
    }
}
