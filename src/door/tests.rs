//! The library as another program uses it.

mod base_digests;
mod compact;

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

fn bytes(image: &Image) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.write_to(&mut bytes).unwrap();
    bytes
}

/// What a manifest says and what code says are one thing: the images are equal to the bit.
#[test]
fn the_same_parts_by_code_and_by_manifest_are_the_same_image() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("tree")).unwrap();
    std::fs::write(at("tree/a"), "a").unwrap();
    std::fs::write(at("tree/large"), vec![3; 100_000]).unwrap();
    let kernel = crate::resolve::loader::builtin::EFI_X64;
    std::fs::write(at("kernel.efi"), kernel).unwrap();
    let manifest = at("m.toml");
    let text = "volume_id = \"SAME\"\n[iso]\ntimestamp = 2026-01-01T00:00:00Z\n[disk]\nlayout = \"gpt\"\n\
                [[files]]\nfrom = \"tree\"\nto = \"/\"\n[[files]]\nfrom = \"tree/a\"\nto = \"/in/\"\n\
                [[files]]\ntext = \"hello\"\nto = \"/hello\"\n[[files]]\nlink = \"a\"\nto = \"/link\"\n\
                [[menu]]\ntitle = \"Program\"\nefi = \"kernel.efi\"\ncmdline = \"quiet\"\n[[menu]]\naction = \"poweroff\"\n";
    std::fs::write(&manifest, text).unwrap();
    let by_manifest = Image::from_manifest(&manifest).unwrap();
    let by_code = Builder::new("SAME")
        .timestamp(1_767_225_600)
        .layout(Layout::Gpt)
        .dir(at("tree"), "/")
        .file(at("tree/a"), "/in/")
        .bytes("hello", "/hello")
        .link("a", "/link")
        .menu(Menu::efi(at("kernel.efi")).title("Program").cmdline("quiet"))
        .menu(Menu::power_off())
        .build()
        .unwrap();
    assert!(bytes(&by_manifest) == bytes(&by_code));
    let (planned, found) = (by_code.facts().unwrap(), inspect_bytes(&bytes(&by_code)).unwrap());
    assert_eq!(planned.extents(), found.extents());
    assert_eq!((planned.size(), found.faults()), (by_code.size(), &[][..]));
    assert!(found.boots("uefi-usb".parse().unwrap()) && !found.boots("bios-usb".parse().unwrap()));
}

/// A source that counts what is read of it.
struct Counted(&'static AtomicU64, u64);

impl ReadAt for Counted {
    fn size(&self) -> u64 {
        self.1
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.fetch_add(buffer.len() as u64, Ordering::SeqCst);
        for (byte, at) in buffer.iter_mut().zip(offset..) {
            *byte = (at / 7) as u8;
        }
        Ok(())
    }
}

#[test]
fn a_source_is_read_when_it_is_written_a_piece_at_a_time() {
    static READ: AtomicU64 = AtomicU64::new(0);
    const LENGTH: u64 = 9_000_001;
    let image = Builder::new("SOURCE")
        .source(Counted(&READ, LENGTH), "/big")
        .build()
        .unwrap();
    assert_eq!(READ.load(Ordering::SeqCst), 0, "a data image has no identity to find");
    let written = bytes(&image);
    assert_eq!(READ.load(Ordering::SeqCst), LENGTH);
    let facts = image.facts().unwrap();
    let big = facts
        .extents()
        .iter()
        .find(|extent| extent.paths == ["iso:/big"])
        .unwrap();
    let found = &written[big.offset as usize..][..big.length as usize];
    assert!(big.length == LENGTH && (0..).zip(found).all(|(at, &byte)| byte == (at / 7) as u8));
    // A file that has exactly these bytes is left alone.
    let path = tempfile::tempdir().unwrap();
    let path = path.path().join("out.iso");
    image.write_file(&path, |_, _| {}).unwrap();
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();
    let mut passes = Vec::new();
    image
        .write_file(&path, |done, total| passes.push((done, total)))
        .unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), before);
    assert_eq!(passes, [], "nothing was written");
}

/// A source that cannot be read behind its first byte.
struct Broken;

impl ReadAt for Broken {
    fn size(&self) -> u64 {
        70_000
    }

    fn read_exact_at(&self, _: &mut [u8], offset: u64) -> io::Result<()> {
        Err(io::Error::other(format!("broken at {offset}")))
    }
}

#[test]
fn what_goes_wrong_has_a_place_and_a_cause() {
    let image = Builder::new("BROKEN").source(Broken, "/x").build().unwrap();
    let error = image.write_to(io::sink()).unwrap_err();
    let Error::Write(WriteError::Given { offset: 0, source }) = error else {
        panic!("{error}")
    };
    assert_eq!(source.to_string(), "broken at 0");
    // The identity of an image that boots is made of its sources.
    let boots = Builder::new("BROKEN").source(Broken, "/x").menu(Menu::reboot());
    let error = boots.build().unwrap_err();
    assert!(
        matches!(&error, Error::Input(InputError::Io { path, .. }) if path.as_os_str() == "/x"),
        "{error}"
    );
    let error = Builder::new("MISSING").file("no such file", "/x").build().unwrap_err();
    assert!(
        matches!(&error, Error::Manifest(faults) if faults.iter().count() == 1),
        "{error}"
    );
    let also_warned = Builder::new("lower case")
        .file("no such file", "/x")
        .build()
        .unwrap_err();
    let Error::Manifest(faults) = &also_warned else {
        panic!("{also_warned}")
    };
    assert_eq!(faults.iter().count(), 1);
    assert!(
        also_warned.to_string().contains("image: warning: volume_id"),
        "{also_warned}"
    );
    let odd = OsStr::from_bytes(b"odd\xff");
    let error = Builder::new("ODD").file(odd, "/x").build().unwrap_err();
    assert!(
        matches!(&error, Error::Input(InputError::Unusable { path, .. }) if path.as_os_str() == odd),
        "{error}"
    );
    let error = Builder::new("ODD").menu(Menu::linux(odd)).build().unwrap_err();
    assert!(
        matches!(&error, Error::Input(InputError::Unusable { path, .. }) if path.as_os_str() == odd),
        "{error}"
    );
    let error = Builder::new("PLAN")
        .bytes("", &format!("/{}", "n".repeat(256)))
        .build()
        .unwrap_err();
    assert!(matches!(&error, Error::Plan { .. }), "{error}");
    for seconds in [i64::MIN, i64::MAX, 5_869_641_600] {
        let error = Builder::new("DATE").timestamp(seconds).build().unwrap_err();
        assert!(error.to_string().contains("1900 to 2155"), "{error}");
    }
    /// Takes so many bytes.
    struct Full(usize);
    impl io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let image = Builder::new("FULL").bytes(vec![1; 3_000_000], "/x").build().unwrap();
    let error = image.write_to(Full(1_000_000)).unwrap_err();
    assert!(
        matches!(&error, Error::Input(InputError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull),
        "{error}"
    );
}
