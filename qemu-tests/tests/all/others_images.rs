//! Images of genisoimage and xorriso with relocated directories, sessions, several GPT entries and files over 4 GiB: what comes out is what
//! went in.

use qemu_tests::listing::{of_directory, same};
use qemu_tests::suite;
use qemu_tests::verbs::{Bench, Said};
use std::fs;
use std::os::unix::fs::symlink;

pub(crate) fn tests() -> suite::Tests {
    let mut tests = suite::program_tests(TESTS);
    tests.extend(suite::long(suite::program_tests(LONG)));
    Ok(tests)
}

const TESTS: &[suite::ProgramTest] = &[
    ("deep directories of genisoimage", &["genisoimage"], deep_genisoimage),
    ("deep directories of xorriso", &["xorriso"], deep_xorriso),
    ("sessions of genisoimage", &["genisoimage"], sessions_of_genisoimage),
    ("sessions of xorriso", &["xorriso"], sessions_of_xorriso),
    ("a partition offset is no session", &["xorriso"], partition_offset),
    (
        "a GPT with an entry for basic data",
        &["xorriso", "mformat"],
        basic_data,
    ),
];

const LONG: &[suite::ProgramTest] = &[(
    "a file of more than 4 GiB by UDF and by sections",
    &["genisoimage"],
    large,
)];

/// Twelve levels deep, four more than ECMA-119 §7.8.2.2 allows, with files and a link on the way.
fn deep_tree() -> Bench {
    let bench = Bench::new("");
    let mut path = bench.path("tree");
    for level in 1..=12 {
        path.push(format!("level {level}"));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("file"), format!("of level {level}")).unwrap();
        symlink("../../usr//lib", path.join("link")).unwrap();
    }
    bench
}

/// Runs a program with the words of a line.
fn run(line: &str, bench: &Bench) {
    let (is_content, said) = bench.program(line);
    assert!(is_content, "{line}: {said}");
}

/// Extracts the image and compares the result with the tree. The emptied directory that held the deep ones must not show.
fn is_whole(bench: &Bench, image: &str) {
    bench.ends(&format!("extract {image} -C out"), 0);
    let (wanted, found) = (of_directory(&bench.path("tree")), of_directory(&bench.path("out")));
    same(&wanted.unwrap(), &found.unwrap()).unwrap_or_else(|reason| panic!("{reason}"));
    let listed = bench.ends(&format!("ls {image}"), 0).out;
    assert!(!listed.to_lowercase().contains("rr_moved"), "{listed}");
}

fn deep_genisoimage() {
    let bench = deep_tree();
    run("genisoimage -quiet -R -o deep.iso tree", &bench);
    is_whole(&bench, "deep.iso");
}

fn deep_xorriso() {
    let bench = deep_tree();
    run(
        "xorriso -outdev deep.iso -compliance deep_paths_off:rec_mtime -map tree /",
        &bench,
    );
    is_whole(&bench, "deep.iso");
}

/// The first session has `one`, the second `one` with other bytes and `two`.
fn are_sessions(bench: &Bench, image: &str) {
    let Said {
        out: listed,
        error: said,
        ..
    } = bench.ends(&format!("ls {image}"), 0);
    assert!(listed.contains("one") && listed.contains("two"), "{listed}");
    assert!(said.contains("--session"), "{said}");
    assert_eq!(bench.ends(&format!("cat {image} /one"), 0).out, "second");
    assert_eq!(bench.ends(&format!("cat {image} /one --session 1"), 0).out, "first");
    let Said { out: listed, .. } = bench.ends(&format!("ls {image} --session 1"), 0);
    assert!(listed.contains("one") && !listed.contains("two"), "{listed}");
    // Every reader accepts it, so it is not a fault.
    bench.ends(&format!("check {image}"), 0);
}

fn two_trees() -> Bench {
    let bench = Bench::new("");
    for (tree, file, text) in [("a", "one", "first"), ("b", "one", "second"), ("b", "two", "2")] {
        fs::create_dir_all(bench.path(tree)).unwrap();
        fs::write(bench.path(tree).join(file), text).unwrap();
    }
    bench
}

/// genisoimage writes the second session to a file of its own. A burner writes it behind the first, at the block that it was made for.
fn sessions_of_genisoimage() {
    let bench = two_trees();
    run("genisoimage -quiet -R -o disc.iso a", &bench);
    let disc = bench.path("disc.iso");
    let blocks = fs::metadata(&disc).unwrap().len().div_ceil(2048).next_multiple_of(16);
    run(
        &format!("genisoimage -quiet -R -M disc.iso -C 0,{blocks} -o more.iso b"),
        &bench,
    );
    let more = fs::read(bench.path("more.iso")).unwrap();
    let mut both = fs::read(&disc).unwrap();
    both.resize(blocks as usize * 2048, 0);
    both.extend(&more);
    fs::write(&disc, both).unwrap();
    are_sessions(&bench, "disc.iso");
    // Its addresses count from the start of the disc, so alone it is useless.
    let said = bench.run("ls more.iso").error;
    assert!(said.contains("session"), "{said}");
}

fn sessions_of_xorriso() {
    let bench = two_trees();
    run("xorriso -outdev disc.iso -map a /", &bench);
    run("xorriso -dev disc.iso -overwrite on -map b / -commit", &bench);
    are_sessions(&bench, "disc.iso");
}

/// xorriso writes a second set of descriptors, of the same tree, for the partition that begins at 32 KiB.
fn partition_offset() {
    let bench = two_trees();
    run(
        "xorriso -as mkisofs -quiet -R -partition_offset 16 -o offset.iso b",
        &bench,
    );
    let Said {
        out: listed,
        error: said,
        ..
    } = bench.ends("ls offset.iso", 0);
    assert!(listed.contains("one") && listed.contains("two"), "{listed}");
    assert!(!said.contains("session"), "{said}");
    assert_eq!(bench.ends("cat offset.iso /one", 0).out, "second");
}

/// isohybrid's GPT has two overlapping entries for basic data. Its MBR has no slot of type EE, so nobody reads that GPT (UEFI 5.2.3). `check`
/// must warn, and must not call it a fault.
fn basic_data() {
    let bench = two_trees();
    run("mformat -C -f 2880 -i b/efi.img ::", &bench);
    fs::write(bench.path("b/bios.img"), [0xEB; 4096]).unwrap();
    fs::write(bench.path("mbr"), [0xEB; 432]).unwrap();
    run(
        "xorriso -as mkisofs -quiet -R -isohybrid-mbr mbr -b bios.img -c boot.cat -no-emul-boot -boot-load-size 4 \
         -boot-info-table -eltorito-alt-boot -e efi.img -no-emul-boot -isohybrid-gpt-basdat -o basdat.iso b",
        &bench,
    );
    let Said { error: said, .. } = bench.ends("check basdat.iso", 0);
    assert!(said.contains("nobody reads this GPT"), "{said}");
    let Said { out: facts, .. } = bench.ends("inspect --json basdat.iso", 0);
    assert_eq!(facts.matches("\"type\": \"basic-data\"").count(), 2, "{facts}");
}

/// ISO 9660 of level 3 holds the file in two sections (ECMA-119 §6.5.1), UDF in several allocations. The file is a hole, so it costs little.
fn large() {
    let bench = Bench::new("");
    fs::create_dir(bench.path("tree")).unwrap();
    let large = fs::File::create(bench.path("tree/large")).unwrap();
    large.set_len((4 << 30) + 5).unwrap();
    drop(large);
    fs::write(bench.path("tree/small"), "small").unwrap();
    run(
        "genisoimage -quiet -R -udf -allow-limited-size -iso-level 3 -o large.iso tree",
        &bench,
    );
    let Said { out: listed, .. } = bench.ends("ls -l large.iso", 0);
    assert!(listed.contains("4294967301"), "{listed}");
    let part = bench.ends("cat large.iso /small", 0);
    assert_eq!(part.out, "small");
    fs::remove_file(bench.path("large.iso")).unwrap();
}
