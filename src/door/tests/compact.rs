//! `base.compact`: the image equals the one that a manifest of the same files makes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::{Error, Image, bytes, inspect_bytes};

const BOOT: &str = "[boot.bios]\nimage = \"bios.bin\"\n[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n";

/// The inputs of the base: `tree`, and `gone`, which is removed later.
fn inputs() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir_all(at("tree/b/empty")).unwrap();
    fs::create_dir_all(at("gone/gone/deep")).unwrap();
    fs::write(at("bios.bin"), vec![1; 5000]).unwrap();
    fs::write(at("loader"), vec![2; 9000]).unwrap();
    fs::write(at("tree/a"), "a").unwrap();
    fs::write(at("tree/nothing"), "").unwrap();
    fs::write(at("tree/b/program"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(at("tree/b/program"), PermissionsExt::from_mode(0o750)).unwrap();
    fs::write(
        at("tree/b/large"),
        (0..300_000u32).map(|at| at as u8).collect::<Vec<_>>(),
    )
    .unwrap();
    fs::hard_link(at("tree/b/large"), at("tree/b/again")).unwrap();
    symlink("b/large", at("tree/link")).unwrap();
    fs::write(at("gone/gone/much"), vec![7; 3 << 20]).unwrap();
    fs::write(at("gone/gone/deep/less"), vec![8; 3000]).unwrap();
    directory
}

/// Writes a manifest of these trees.
fn manifest(directory: &Path, name: &str, trees: &[&str], keys: &str) -> PathBuf {
    let files = trees
        .iter()
        .map(|tree| format!("[[files]]\nfrom = \"{tree}\"\nto = \"/\"\npreserve = [\"mode\", \"hardlinks\"]\n"));
    let files: String = files.collect();
    let path = directory.join(name);
    fs::write(&path, format!("volume_id = \"SAME\"\n{keys}{files}{BOOT}")).unwrap();
    path
}

fn made(path: &Path) -> Image {
    Image::from_manifest(path).unwrap_or_else(|error| panic!("{error}"))
}

/// Plans the image of a base with these changes.
fn compacted(directory: &Path, keys: &str) -> Result<Image, Error> {
    let path = directory.join("compact.toml");
    fs::write(&path, format!("[base]\nimage = \"base.iso\"\ncompact = true\n{keys}")).unwrap();
    Image::from_manifest(&path)
}

#[test]
fn an_image_without_what_was_removed_is_as_if_it_had_never_been() {
    let directory = inputs();
    let directory = directory.path();
    for keys in [
        "",
        "[disk]\nlayout = \"multi-sector\"\n",
        "[disk]\nlayout = \"gpt\"\n",
        "[disk]\nlayout = \"mbr\"\n",
        "[disk]\nlayout = \"isohybrid\"\n",
        "[disk]\nlayout = \"none\"\n",
        "[iso]\nudf = true\n",
        "[iso]\njoliet = false\nimplant_md5 = true\n",
        "[iso]\niso9660 = \"stub\"\n",
    ] {
        if keys.contains("stub") {
            // Our UDF has no links. The base leaves the link out, but its identity depends on it.
            fs::remove_file(directory.join("tree/link")).unwrap();
        }
        let base = made(&manifest(directory, "base.toml", &["tree", "gone"], keys));
        fs::write(directory.join("base.iso"), bytes(&base)).unwrap();
        let all = compacted(directory, "").unwrap();
        let known = base.warnings();
        let unknown: Vec<String> = all
            .warnings()
            .into_iter()
            .filter(|said| !known.contains(said))
            .collect();
        assert_eq!(unknown, [""; 0], "{keys}");
        assert!(bytes(&all) == bytes(&base), "{keys}");
        let without = compacted(directory, "remove = [\"/gone\"]\n").unwrap();
        let never = made(&manifest(directory, "never.toml", &["tree"], keys));
        assert!(bytes(&without) == bytes(&never), "{keys}");
        assert!(without.size() + (3 << 20) <= base.size(), "{keys}");
        assert_eq!(inspect_bytes(&bytes(&without)).unwrap().faults(), [""; 0], "{keys}");
        // The plan knows the size before the image is written.
        assert_eq!(without.facts().unwrap().size(), without.size());
    }
}

#[test]
fn a_base_that_changes_while_it_is_read_is_refused() {
    let directory = inputs();
    let directory = directory.path();
    let base = made(&manifest(directory, "base.toml", &["tree"], ""));
    let path = directory.join("base.iso");
    fs::write(&path, bytes(&base)).unwrap();
    let image = compacted(directory, "[[files]]\ntext = \"new\"\nto = \"/b/new\"\n").unwrap();
    let mut other = bytes(&base);
    other.push(0);
    fs::write(&path, other).unwrap();
    let error = image.write_to(std::io::sink()).unwrap_err();
    assert!(error.to_string().contains("base.iso"), "{error}");
    // A base that is not an image.
    fs::write(&path, vec![0; 100_000]).unwrap();
    let error = compacted(directory, "").unwrap_err();
    assert!(error.to_string().contains("base.iso"), "{error}");
}
