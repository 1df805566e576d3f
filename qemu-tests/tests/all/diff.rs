//! `diff` names what differs between two images, and nothing else.

use qemu_tests::example::Example;
use qemu_tests::inside::isobuild;
use qemu_tests::{suite, tools, workspace};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::program_tests(&[
        ("the same bytes", &[], the_same),
        ("names", &[], names),
        ("names in UDF alone", &[], udf),
        ("bytes that no name has", &[], bytes),
        ("structures", &[], structures),
        ("compressed contents", &["xorriso"], compressed),
        ("what is no image", &[], no_image),
    ]))
}

/// What `diff --json` says; the exit code has to agree.
fn diff(a: &Path, b: &Path) -> Value {
    let done = isobuild(&["diff".as_ref(), "--json".as_ref(), a.as_os_str(), b.as_os_str()]).unwrap();
    let difference: Value = serde_json::from_slice(&done.stdout).unwrap();
    let code = if difference["identical"] == true { 0 } else { 5 };
    assert_eq!(
        done.status.code(),
        Some(code),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    // What people see says so too, and neither falls.
    let shown = isobuild(&["diff".as_ref(), a.as_os_str(), b.as_os_str()]).unwrap();
    assert_eq!(shown.status.code(), Some(code));
    difference
}

fn image(dir: &Path, name: &str, more: &str) -> PathBuf {
    let manifest = dir.join("manifest.toml");
    let files = format!("volume_id = \"SAME\"\n[[files]]\nfrom = \"tree\"\nto = \"/\"\npreserve = [\"mode\"]\n{more}");
    fs::write(&manifest, files).unwrap();
    let image = dir.join(name);
    let done = isobuild(&[manifest.as_os_str(), "-o".as_ref(), image.as_os_str()]).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    image
}

fn tree(dir: &Path) -> PathBuf {
    let tree = dir.join("tree");
    fs::create_dir_all(tree.join("directory")).unwrap();
    for name in ["changed", "directory/gone", "longer", "mode", "same"] {
        fs::write(tree.join(name), format!("{name} content")).unwrap();
    }
    symlink("old", tree.join("link")).unwrap();
    tree
}

fn the_same() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    tree(dir.path());
    let (a, b) = (image(dir.path(), "a.iso", ""), image(dir.path(), "b.iso", ""));
    let nothing = json!({"identical": true, "structures": [], "names": [], "different_bytes": 0, "bytes": []});
    assert_eq!(diff(&a, &b), nothing);
}

fn names() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let tree = tree(dir.path());
    let a = image(dir.path(), "a.iso", "");
    fs::write(tree.join("changed"), "changed CONTENT").unwrap();
    fs::write(tree.join("longer"), "longer content and more").unwrap();
    fs::remove_file(tree.join("directory/gone")).unwrap();
    fs::write(tree.join("directory/new"), "new").unwrap();
    fs::set_permissions(tree.join("mode"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(tree.join("link")).unwrap();
    symlink("new", tree.join("link")).unwrap();
    let b = image(dir.path(), "b.iso", "");
    let found = diff(&a, &b);
    let old_mode = "0o100644";
    let wanted = json!([
        {"path": "iso:/changed", "what": "content", "a": "from byte 8 on"},
        {"path": "iso:/directory/gone", "what": "only in a"},
        {"path": "iso:/directory/new", "what": "only in b"},
        {"path": "iso:/link", "what": "target", "a": "old", "b": "new"},
        {"path": "iso:/longer", "what": "content", "a": "14 bytes", "b": "23 bytes"},
        {"path": "iso:/mode", "what": "mode", "a": old_mode, "b": "0o100600"},
    ]);
    assert_eq!(found["names"], wanted);
    assert_eq!(found["structures"], json!([]));
}

/// Which index names what differs: UDF's, where it alone has the files.
fn udf() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let tree = tree(dir.path());
    let image = |name: &str| image(dir.path(), name, "[iso]\niso9660 = \"stub\"\n");
    let a = image("a.iso");
    fs::write(tree.join("changed"), "changed CONTENT").unwrap();
    fs::remove_file(tree.join("directory/gone")).unwrap();
    let found = diff(&a, &image("b.iso"));
    let wanted = json!([
        {"path": "udf:/changed", "what": "content", "a": "from byte 8 on"},
        {"path": "udf:/directory/gone", "what": "only in a"},
    ]);
    assert_eq!(found["names"], wanted);
}

fn bytes() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    tree(dir.path());
    let a = image(dir.path(), "a.iso", "");
    let whole = fs::read(&a).unwrap();
    let b = dir.path().join("b.iso");
    let mut changed = whole.clone();
    // The system area, which a data image has no use for, holds two bytes more; the image is longer by three.
    changed[100] = 1;
    changed[5000] = 1;
    changed.extend([0; 3]);
    fs::write(&b, changed).unwrap();
    let found = diff(&a, &b);
    assert_eq!(found["names"], json!([]));
    assert_eq!(found["different_bytes"], 5);
    let length = whole.len();
    let wanted = json!([
        {"offset": 100, "bytes": 2, "what": "zeros between extents"},
        {"offset": length, "bytes": 3, "what": "only the second image is so long"},
    ]);
    assert_eq!(found["bytes"], wanted);
    let size = json!([{"at": "size", "a": length.to_string(), "b": (length + 3).to_string()}]);
    assert_eq!(found["structures"], size);
    let found = diff(&b, &a);
    assert_eq!(found["bytes"][1]["what"], "only the first image is so long", "{found}");
}

/// A boot catalog, a GPT and an ESP in one of them.
fn structures() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    tree(dir.path());
    let data = image(dir.path(), "a.iso", "");
    let hello = Example::load("hello").unwrap();
    let found = diff(&data, hello.image().unwrap());
    let has = |key: &str| {
        found["structures"]
            .as_array()
            .unwrap()
            .iter()
            .any(|fact| fact["at"] == key)
    };
    for key in ["volume_id", "el_torito 1", "gpt 1", "esp 1", "mbr", "boot_catalog"] {
        assert!(has(key), "{key}: {found}");
    }
    let esp = json!({"path": "esp:/EFI/BOOT/BOOTX64.EFI", "what": "only in b"});
    assert!(found["names"].as_array().unwrap().contains(&esp), "{found}");
}

fn compressed() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let tree = tree(dir.path());
    let xorriso = |name: &str| {
        let image = dir.path().join(name);
        let mut xorriso = Command::new(tools::find("xorriso").unwrap());
        xorriso.arg("-outdev").arg(&image).arg("-map").arg(&tree);
        xorriso.args(["/", "-set_filter_r", "--zisofs", "/", "--"]);
        assert!(xorriso.output().unwrap().status.success());
        image
    };
    fs::write(tree.join("large"), vec![7; 100_000]).unwrap();
    let time = fs::metadata(tree.join("large")).unwrap().modified().unwrap();
    let a = xorriso("a.iso");
    let mut content = vec![7; 100_000];
    content[50_000] = 8;
    fs::write(tree.join("large"), content).unwrap();
    let file = fs::File::options().append(true).open(tree.join("large")).unwrap();
    file.set_modified(time).unwrap();
    let found = diff(&a, &xorriso("b.iso"));
    let wanted = json!([{"path": "iso:/large", "what": "content", "a": "its content is compressed"}]);
    assert_eq!(found["names"], wanted);
}

fn no_image() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    tree(dir.path());
    let a = image(dir.path(), "a.iso", "");
    let none = dir.path().join("none");
    fs::write(&none, "text").unwrap();
    for (left, right) in [(&a, &none), (&none, &a), (&none, &none)] {
        let done = isobuild(&["diff".as_ref(), left.as_os_str(), right.as_os_str()]).unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains("none: it is text, not an image"), "{said}");
    }
}
