//! Entries of a zip, and a zip against itself.

use std::io::{Cursor, Write};

use ::zip::CompressionMethod;
use ::zip::write::{SimpleFileOptions, ZipWriter};

use super::*;

pub(super) fn zip_of(add: impl Fn(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    add(&mut zip);
    zip.finish().unwrap().into_inner()
}

pub(super) fn zip_sample() -> Vec<u8> {
    zip_of(|zip| {
        let date = ::zip::DateTime::from_date_and_time(2020, 2, 29, 12, 30, 58).unwrap();
        let options = SimpleFileOptions::default().last_modified_time(date);
        zip.add_directory("d", options.unix_permissions(0o700)).unwrap();
        for (name, method) in [
            ("d/stored", CompressionMethod::Stored),
            ("d/deflated", CompressionMethod::Deflated),
        ] {
            zip.start_file(name, options.compression_method(method).unix_permissions(0o755))
                .unwrap();
            zip.write_all(&[b'z'; 3000]).unwrap();
        }
        zip.add_symlink("link", "d/stored", options).unwrap();
    })
}

#[test]
fn every_kind_of_entry_of_a_zip() {
    let expected = [
        "d 700 0:0 1582979458 directory",
        "d/stored 755 0:0 1582979458 file of 3000 bytes",
        "d/deflated 755 0:0 1582979458 file of 3000 bytes",
        "link 777 0:0 1582979458 link d/stored",
    ];
    assert_eq!(listed(&zip_sample()).unwrap(), expected);
    assert_eq!(listed(&zip_of(|_| {})).unwrap(), Vec::<String>::new());
}

#[test]
fn a7_a_zip_that_contradicts_itself_is_an_error() {
    let good = zip_sample();
    let find = |what: &[u8], from: usize| from + good[from..].windows(what.len()).position(|at| at == what).unwrap();
    let local = find(b"d/stored", 0);
    let central = find(b"d/stored", find(b"PK\x01\x02", 0));
    let changed = |at: usize, bytes: &[u8]| {
        let mut archive = good.clone();
        archive[at..at + bytes.len()].copy_from_slice(bytes);
        refusal(&archive)
    };
    assert!(changed(local, b"d/stolen").contains("another name in its own header"));
    // The central header is 46 bytes before the name: flags at 8, method at 10, sum at 16.
    let entry = central - 46;
    assert!(changed(entry + 8, &[1]).contains("encrypted"));
    let method = changed(entry + 10, &[9]);
    assert!(method.contains("compressed by"), "{method}");
    assert!(changed(entry + 16, &[0, 0, 0, 0]).contains("damaged"));
    assert!(changed(local + 100, b"!").contains("damaged"));
    for length in (30..good.len()).step_by(7) {
        listed(&good[..length]).expect_err("it is cut short");
    }
}
