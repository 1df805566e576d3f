//! Digests of a changed image in its volume descriptor.

use std::fs;

use sha2::{Digest, Sha256};

use super::{Builder, Image, bytes};
use crate::ground::text::hex;

/// The application use field of the primary volume descriptor.
const FIELD: std::ops::Range<usize> = 0x8373..0x8573;

/// SUSE's tagmedia computes the digest of the whole volume. The boot record and the last three sectors count as zeros, and the field as spaces.
#[test]
fn the_digest_of_a_changed_image_is_true() {
    let directory = tempfile::tempdir().unwrap();
    let mut base = bytes(&Builder::new("SUSE").bytes("a", "/a").build().unwrap());
    let text = format!("check=1;pad=3;sha256sum={};signature=80", "0".repeat(64));
    base[FIELD].fill(b' ');
    base[FIELD][..text.len()].copy_from_slice(text.as_bytes());
    fs::write(directory.path().join("base.iso"), &base).unwrap();
    let manifest = directory.path().join("m.toml");
    let change = "[base]\nimage = \"base.iso\"\n[[files]]\ntext = \"new\"\nto = \"/new\"\n";
    fs::write(&manifest, change).unwrap();
    let image = Image::from_manifest(&manifest).unwrap();
    let said = "the signature at byte 40960 over the digest in the volume descriptor (tagmedia) no longer holds";
    assert_eq!(image.warnings(), [said]);
    let image = bytes(&image);
    let mut covered = image.clone();
    assert_eq!(
        u32::from_le_bytes(image[0x8050..0x8054].try_into().unwrap()) as usize * 2048,
        image.len()
    );
    let padding = covered.len() - 3 * 2048;
    covered[..512].fill(0);
    covered[FIELD].fill(b' ');
    covered[padding..].fill(0);
    // The sector of the signature keeps its first 64 bytes alone.
    covered[40_960 + 64..40_960 + 2048].fill(0);
    let wanted = format!(
        "check=1;pad=3;sha256sum={};signature=80",
        hex(&Sha256::digest(&covered))
    );
    assert_eq!(String::from_utf8_lossy(&image[FIELD]).trim_end(), wanted);
    // A digest that isobuild does not make.
    let text = format!("sha1sum={}", "0".repeat(40));
    base[FIELD].fill(b' ');
    base[FIELD][..text.len()].copy_from_slice(text.as_bytes());
    fs::write(directory.path().join("base.iso"), &base).unwrap();
    let warnings = Image::from_manifest(&manifest).unwrap().warnings();
    assert!(
        warnings[0].contains("no longer holds: isobuild cannot make one of its kind"),
        "{warnings:?}"
    );
}

/// The field of the base is blank, and nothing else in its sector changes.
#[test]
fn a_sum_alone_is_implanted() {
    let directory = tempfile::tempdir().unwrap();
    let base = bytes(&Builder::new("BASE").bytes("a", "/a").build().unwrap());
    fs::write(directory.path().join("base.iso"), &base).unwrap();
    let manifest = directory.path().join("m.toml");
    fs::write(&manifest, "iso.implant_md5 = true\n[base]\nimage = \"base.iso\"\n").unwrap();
    let image = bytes(&Image::from_manifest(&manifest).unwrap());
    assert!(image[FIELD].starts_with(b"ISO MD5SUM = "));
    assert!(image[..FIELD.start] == base[..FIELD.start] && image[FIELD.end..] == base[FIELD.end..]);
}
