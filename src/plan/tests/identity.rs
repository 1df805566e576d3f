//! What changes the bytes of an image, and what changes its identity.

use super::*;

#[test]
fn nothing_but_what_goes_in_makes_the_bytes() {
    let one = "[[files]]\nfrom = \"tree/a\"\nto = \"/x\"\n[[files]]\nfrom = \"tree/b\"\nto = \"/y\"\n";
    let other = "[[files]]\nfrom = \"renamed/./b\"\nto = \"y/\"\n[[files]]\ntext = \"a\"\nto = \"//x\"\n";
    let here = host();
    let there = Host::new(&[("bios.bin", &[1; 5000]), ("loader", &[2; 9000]), ("renamed/b/c", b"c")]);
    let (_, first) = here.build(&format!("volume_id = \"V\"\n{one}{BOOT}"));
    let (_, second) = there.build(&format!(
        "output = \"elsewhere/n.iso\"\nvolume_id = \"V\"\n{other}{BOOT}"
    ));
    assert!(first == second);
}

#[test]
fn another_content_is_another_identity() {
    let host = host();
    let manifest = format!("[[files]]\nfrom = \"tree\"\nto = \"/\"\n{BOOT}");
    let identity = || {
        let (described, _) = host.build(&manifest);
        (
            described.facts.gpt[0].disk_guid.clone(),
            described.facts.esp[0].serial,
            described.facts.mbr.unwrap().disk_signature,
        )
    };
    let before = identity();
    assert_eq!(before, identity());
    for (name, content) in [
        ("tree/a", b"A"),
        ("tree/b/c", b"C"),
        ("loader", b"L"),
        ("bios.bin", b"B"),
    ] {
        let known = identity();
        host.put(name, content);
        let now = identity();
        assert!(now.0 != known.0 && now.1 != known.1 && now.2 != known.2, "{name}");
    }
    // Of a large file the ends count, and its digest where the manifest gives it.
    let mut large = vec![7; 3 << 20];
    host.put("tree/a", &large);
    let known = identity();
    large[1 << 20] = 8;
    host.put("tree/a", &large);
    assert_eq!(identity(), known);
    *large.last_mut().unwrap() = 8;
    host.put("tree/a", &large);
    assert_ne!(identity(), known);
}

/// Two manifests that differ in one setting make two images.
#[test]
fn every_setting_is_part_of_the_identity() {
    let host = host();
    host.put("floppy", &vec![1; 1_474_560]);
    let iso = |line: &str| format!("[iso]\n{line}\n[boot.bios]\nimage = \"bios.bin\"\n");
    let bios = |lines: &str| format!("[boot.bios]\nimage = \"bios.bin\"\n{lines}\n");
    let entry = |lines: &str| format!("{}[[boot.entry]]\nimage = \"floppy\"\n{lines}\n", bios(""));
    let manifests = [
        bios(""),
        bios("load_sectors = 5"),
        bios("load_segment = 5"),
        bios("info_table = \"isolinux\""),
        bios("info_table = \"grub2\""),
        bios("mbr = \"tree/a\""),
        bios("[disk]\nlayout = \"mbr\""),
        iso("joliet = false"),
        iso("rock_ridge = false"),
        iso("implant_md5 = true"),
        iso("sha256sums = \"/SHA256SUMS\""),
        iso("timestamp = 2001-01-01T00:00:00Z"),
        iso("system_id = \"X\""),
        iso("publisher_id = \"X\""),
        iso("application_id = \"X\""),
        entry("platform = 0"),
        entry("platform = 1"),
        entry("platform = 0\nemulation = \"floppy-1.44\""),
        entry("platform = 0\nload_sectors = 1"),
        entry("platform = 0\nload_segment = 1"),
        format!(
            "{}[boot.uefi]\nsize = \"2MiB\"\nfiles = {{ \"/EFI/X\" = \"tree/a\" }}\n",
            bios("")
        ),
        format!(
            "{}[boot.uefi]\nsize = \"3MiB\"\nfiles = {{ \"/EFI/X\" = \"tree/a\" }}\n",
            bios("")
        ),
    ];
    let mut known: Vec<(u32, &String)> = Vec::new();
    for manifest in &manifests {
        let signature = host.build(manifest).0.facts.mbr.map(|mbr| mbr.disk_signature).unwrap();
        if let Some((_, other)) = known.iter().find(|(one, _)| *one == signature) {
            panic!("the same identity:\n{other}\n{manifest}");
        }
        known.push((signature, manifest));
    }
}
