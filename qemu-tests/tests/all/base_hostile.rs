//! Bases whose structures are damaged, or that are cut short. isobuild refuses to change them, or makes a right image of them: every name that
//! does not change leads to the same bytes as before, the new names are in every index that can be read, and there are no more faults than before.

use isobuild::inside::facts::{Changed, Extent, What};
use isobuild::inside::formats::iso9660::EntryKind;
use isobuild::inside::ground::read_at::ReadAt;
use isobuild::inside::look::contents::{Item, Place, Tree};
use isobuild::inside::look::inspect::inspect;
use isobuild::inside::manifest;
use isobuild::inside::output::{Interrupt, write};
use isobuild::inside::plan::Late;
use isobuild::inside::plan::grow::grow;
use isobuild::inside::resolve::{Environment, Goal, resolve};
use qemu_tests::suite;
use qemu_tests::verbs::Bench;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::AssertUnwindSafe;

/// How many damaged copies are made of each base.
const VARIANTS: u64 = 150;
/// The trees that are compared.
const INDEXES: [&str; 3] = ["iso:/", "joliet:/", "udf:/"];
/// The change. A directory outgrows its sector, and another is new. Every index can hold the names.
const CHANGE: &str = "[base]\nimage = \"variant.iso\"\nremove = [\"/gone\"]\n[base.kernel_args]\nappend = [\"added=1\"]\n\
    [[files]]\ntext = \"new\"\nto = \"/a.txt\"\n[[files]]\nfrom = \"many\"\nto = \"/b\"\n[[files]]\nfrom = \"many\"\nto = \"/new\"\n\
    [[files]]\ntext = \"esp\"\nto = \"esp:/new.txt\"\n";
/// How many files are in `many`.
const MANY: usize = 40;

type Make = fn(&Bench) -> Result<(), String>;

pub(crate) fn tests() -> suite::Tests {
    let bases: [(&str, Make, &[&str]); 5] = [
        ("ours", ours, &[]),
        ("with UDF", with_udf, &[]),
        (
            "a volume in a partition",
            xorriso,
            &["xorriso", "mformat", "mcopy", "mmd"],
        ),
        (
            "genisoimage's",
            genisoimage,
            &["genisoimage", "mformat", "mcopy", "mmd"],
        ),
        ("with sessions", sessions, &["xorriso", "mformat", "mcopy", "mmd"]),
    ];
    let trials = bases
        .into_iter()
        .map(|(name, make, tools)| suite::trial(name.to_owned(), suite::missing(tools), move || variants(make)));
    Ok(trials.collect())
}

/// Makes a directory with the tree of a base.
fn bench() -> Bench {
    let bench = Bench::new("");
    let grub = "menuentry \"Install\" {\n\tlinux /a.txt quiet ---\n\tinitrd /b/c.txt\n}\n";
    for (name, content) in [
        ("tree/a.txt", &b"old"[..]),
        ("tree/b/c.txt", b"c"),
        ("tree/b/d/e.txt", &[5; 9000]),
        ("tree/empty.txt", b""),
        ("tree/gone/x.txt", &[7; 4000]),
        ("tree/gone/y/z.txt", b"z"),
        ("tree/boot/grub/grub.cfg", grub.as_bytes()),
        ("loader.efi", &[2; 5000]),
        ("bios.bin", &[1; 3000]),
    ] {
        let path = bench.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    fs::create_dir(bench.path("many")).unwrap();
    for number in 0..MANY {
        fs::write(bench.path(&format!("many/file{number:02}.txt")), format!("{number}")).unwrap();
    }
    bench
}

fn built(bench: &Bench, keys: &str) -> Result<(), String> {
    let manifest = format!(
        "output = \"base.iso\"\n{keys}[[files]]\nfrom = \"tree\"\nto = \"/\"\n[boot.bios]\nimage = \"bios.bin\"\n\
         [boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader.efi\"\n"
    );
    fs::write(bench.path("m.toml"), manifest).map_err(|e| e.to_string())?;
    bench.ends("m.toml", 0);
    Ok(())
}

fn ours(bench: &Bench) -> Result<(), String> {
    built(bench, "")
}

fn with_udf(bench: &Bench) -> Result<(), String> {
    built(bench, "[iso]\nudf = true\n[disk]\nlayout = \"isohybrid\"\n")
}

fn xorriso(bench: &Bench) -> Result<(), String> {
    runs(
        bench,
        "xorriso -no_rc -as mkisofs -quiet -r -J -V HOSTILE -c boot.cat -b b/d/e.txt -no-emul-boot -boot-load-size 4 -boot-info-table \
         -append_partition 2 0xef esp.img -appended_part_as_gpt -eltorito-alt-boot -e --interval:appended_partition_2:all:: -no-emul-boot \
         -partition_offset 16 -o base.iso tree",
    )
}

fn genisoimage(bench: &Bench) -> Result<(), String> {
    runs(
        bench,
        "genisoimage -quiet -R -J -udf -V HOSTILE -c boot.cat -b b/d/e.txt -no-emul-boot -boot-load-size 4 -boot-info-table -eltorito-alt-boot \
         -e efi.img -no-emul-boot -o base.iso tree",
    )
}

fn sessions(bench: &Bench) -> Result<(), String> {
    runs(
        bench,
        "xorriso -no_rc -as mkisofs -quiet -r -J -V HOSTILE -c boot.cat -b b/d/e.txt -no-emul-boot -boot-load-size 4 -eltorito-alt-boot \
         -e efi.img -no-emul-boot -o base.iso tree",
    )?;
    for name in ["second", "third"] {
        let add = format!("xorriso -no_rc -dev base.iso -boot_image any keep -map loader.efi /{name} -commit");
        let (is_content, said) = bench.program(&add);
        assert!(is_content, "{said}");
    }
    Ok(())
}

/// Makes a FAT volume beside the tree and a copy in it, and runs the program that makes the base.
fn runs(bench: &Bench, last: &str) -> Result<(), String> {
    for line in [
        "mformat -C -i esp.img -T 360 -N 12345678 ::",
        "mmd -i esp.img ::/EFI ::/EFI/BOOT",
        "mcopy -i esp.img loader.efi ::/EFI/BOOT/BOOTX64.EFI",
        "cp esp.img tree/efi.img",
        last,
    ] {
        let (is_content, said) = bench.program(line);
        assert!(is_content, "{line}: {said}");
    }
    Ok(())
}

/// Pseudorandom numbers, the same on every machine.
struct Noise(u64);

impl Noise {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % end.max(1)
    }
}

fn variants(make: Make) -> Result<(), String> {
    let bench = bench();
    make(&bench)?;
    let base = fs::read(bench.path("base.iso")).map_err(|e| e.to_string())?;
    let described = inspect(&base).map_err(|e| e.to_string())?;
    let is_structure = |extent: &&Extent| !matches!(extent.what, What::File | What::Unknown) && extent.length > 0;
    let structures: Vec<&Extent> = described.facts.extents.iter().filter(is_structure).collect();
    let mut refused = 0;
    for seed in 0..VARIANTS {
        let mut noise = Noise(seed * 7919 + 1);
        let mut variant = base.clone();
        for _ in 0..=noise.below(3) {
            let extent = structures[noise.below(structures.len())];
            let at = extent.offset as usize + noise.below(extent.length as usize);
            let values = [
                0,
                1,
                0x7F,
                0x80,
                0xFF,
                noise.below(256) as u8,
                variant[at].wrapping_add(1),
            ];
            let value = values[noise.below(values.len())];
            let length = [1, 1, 1, 4][noise.below(4)];
            variant.iter_mut().skip(at).take(length).for_each(|byte| *byte = value);
        }
        if seed % 10 == 9 {
            let length = noise.below(variant.len());
            variant.truncate(length);
        }
        fs::write(bench.path("variant.iso"), &variant).map_err(|e| e.to_string())?;
        let tried = std::panic::catch_unwind(AssertUnwindSafe(|| changed(&bench, &variant)));
        match tried {
            Ok(Some(said)) => {
                assert!(
                    !said.is_empty() && !said.contains("contradicts itself"),
                    "variant {seed}: {said}"
                );
                refused += 1;
            }
            Ok(None) => {}
            Err(panic) => {
                let said = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                let kept = std::env::temp_dir().join(format!("hostile-{seed}.iso"));
                let _ = fs::write(&kept, &variant);
                return Err(format!("variant {seed}, kept as {}: {said}", kept.display()));
            }
        }
    }
    println!("{refused} of {VARIANTS} refused");
    // The damage does harm, and does not make every base unusable.
    assert!((1..VARIANTS * 9 / 10).contains(&refused), "{refused}");
    Ok(())
}

/// Changes a variant and looks at the image. The result is why it was refused, if it was.
fn changed(bench: &Bench, variant: &dyn ReadAt) -> Option<String> {
    let output = bench.path("changed.iso");
    let environment = Environment {
        source_date_epoch: None,
        outputs: vec![output.clone()],
    };
    let document = manifest::parse(&bench.path("change.toml"), CHANGE).unwrap();
    let resolved = match resolve(&document, &environment) {
        Ok(Goal::Grown(resolved)) => resolved,
        Ok(Goal::New(_)) => panic!("no base"),
        Err(error) => return Some(error.to_string()),
    };
    let grown = match grow(resolved.contents) {
        Ok(grown) => grown,
        Err(error) => return Some(error.to_string()),
    };
    let late = Late::default();
    write(
        &output,
        grown.size(),
        grown.pieces(&late),
        false,
        &mut |_| {},
        &Interrupt::default(),
    )
    .unwrap();
    let image = fs::read(&output).unwrap();
    // The program looks at what is planned before it writes anything, and so at every structure.
    if let Err(error) = inspect(&image) {
        assert!(inspect(variant).is_err(), "{error}");
        return Some(error.to_string());
    }
    let changes = grown.changed();
    is_right(variant, &image, &changes);
    None
}

fn is_right(before: &dyn ReadAt, after: &dyn ReadAt, changes: &Changed) {
    let (known, found) = (inspect(before).unwrap().facts, inspect(after).unwrap().facts);
    assert!(
        found.faults.len() <= known.faults.len(),
        "{:?} before, {:?} after",
        known.faults,
        found.faults
    );
    let (best, _) = Tree::of(before, Place::parse(b"iso:/").unwrap()).unwrap();
    for index in INDEXES {
        let place = || Place::parse(index.as_bytes()).unwrap();
        let Ok((old, _)) = Tree::of(before, place()) else {
            continue;
        };
        let (new, _) = Tree::of(after, place()).unwrap_or_else(|error| panic!("{index}: {error}"));
        let now: BTreeMap<&[u8], &Item> = new.items().iter().map(|item| (item.path.as_slice(), item)).collect();
        for item in old.items() {
            let path = item.path.as_slice();
            let lower = path.to_ascii_lowercase();
            let changes_by_name =
                [&b"/a.txt"[..], b"/boot/grub/grub.cfg"].contains(&lower.as_slice()) || lower.starts_with(b"/gone");
            // A damaged extent can share bytes with a structure that changes.
            let is_shared = item.extents.iter().any(|&(offset, length)| {
                let Some(start) = offset else { return false };
                let touches = |change: &Extent| change.offset < start + length && start < change.offset + change.length;
                changes.extents.iter().any(touches)
            });
            if changes_by_name || is_shared || item.kind != EntryKind::File {
                continue;
            }
            let text = String::from_utf8_lossy(path);
            let other = now.get(path).unwrap_or_else(|| panic!("{index}: {text} is gone"));
            assert_eq!(other.kind, item.kind, "{index}: {text}");
            if let Some(wanted) = content(before, item) {
                assert!(
                    content(after, other).as_ref() == Some(&wanted),
                    "{index}: {text} has another content"
                );
            }
        }
        // isobuild warns and adds nothing to an index that does not have the files of the others, or has them by other names.
        let names = |tree: &Tree| -> BTreeSet<Vec<u8>> {
            tree.items().iter().map(|item| item.path.to_ascii_lowercase()).collect()
        };
        if !names(&old).contains(&b"/b/c.txt"[..]) || best.find(b"/b/c.txt", false).is_err() {
            continue;
        }
        let lower = names(&new);
        for number in 0..MANY {
            for directory in ["/b", "/new"] {
                let path = format!("{directory}/file{number:02}.txt");
                assert!(lower.contains(path.as_bytes()), "{index}: {path} is not there");
            }
        }
    }
}

fn content(image: &dyn ReadAt, item: &Item) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let copied = item.copy(image, &mut |piece| {
        content.extend_from_slice(piece);
        Ok(())
    });
    copied.is_ok().then_some(content)
}
