//! Texts of the base that change with it: configurations, and lists of sums.

use super::Host;
use super::grow::{changed, host, read};

/// A menu of GRUB's in the tree, one of systemd-boot's in the ESP, and arguments that change in both.
#[test]
fn arguments_change_in_the_tree_and_in_the_esp() {
    let grub = "set timeout=5\nmenuentry \"Install\" {\n\tlinux /a quiet ---\n}\nmenuentry \"Rescue\" {\n\tlinux /a rescue\n}\n";
    let host = Host::new(&[
        ("loader", &[2; 9000]),
        ("tree/a", b"a"),
        ("tree/boot/grub/grub.cfg", grub.as_bytes()),
        ("entry.conf", b"title Install\nlinux /a\noptions quiet x=1\n"),
    ]);
    let boot =
        "[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n\"/loader/entries/a.conf\" = \"entry.conf\"\n";
    let (_, base) = host.build(&format!("[[files]]\nfrom = \"tree\"\nto = \"/\"\n{boot}"));
    host.put("base.iso", &base);
    let keys = "[base.kernel_args]\nappend = [\"console=ttyS0\"]\nremove = [\"quiet\"]\nreplace = { x = \"2\" }\n";
    let (after, bytes, warnings) = changed(&host, keys).unwrap();
    assert_eq!((warnings, &after.facts.faults[..]), (Vec::new(), &[][..]));
    let wanted = grub
        .replace("quiet ---", "console=ttyS0 ---")
        .replace("rescue\n", "rescue console=ttyS0\n");
    assert_eq!(read(&bytes, "iso:/boot/grub/grub.cfg"), wanted);
    assert_eq!(read(&bytes, "joliet:/boot/grub/grub.cfg"), wanted);
    assert_eq!(
        read(&bytes, "esp:/loader/entries/a.conf"),
        "title Install\nlinux /a\noptions x=2 console=ttyS0\n"
    );
    let changes = after.planned.changed.unwrap();
    assert!(
        changes
            .extents
            .iter()
            .any(|extent| extent.paths == ["esp:/loader/entries/a.conf"])
    );

    let (_, bytes, _) = changed(&host, &format!("{keys}entries = [\"Res*\"]\n")).unwrap();
    let wanted = grub.replace("rescue\n", "rescue console=ttyS0\n");
    assert_eq!(read(&bytes, "iso:/boot/grub/grub.cfg"), wanted);
    for (keys, wanted) in [
        (
            "append = [\"a\"]\nentries = [\"None*\"]",
            "no entry of the base's menus has a title like `None*`",
        ),
        ("append = [\"a b\"]", "more than one argument"),
        ("append = [\"a\\nb\"]", "control characters"),
        ("append = [\"a=\\\"b\"]", "is not closed"),
        ("replace = { \"a=b\" = \"c\" }", "without its value"),
        ("entries = [\"*\"]", "needs `append`"),
    ] {
        let error = changed(&host, &format!("[base.kernel_args]\n{keys}\n")).unwrap_err();
        assert!(error.contains(wanted), "{keys}: {error}");
    }
    let (.., warnings) = changed(
        &host,
        "[base.kernel_args]\nremove = [\"none\"]\nappend = [\"rescue\"]\n",
    )
    .unwrap();
    assert!(
        warnings[0].contains("no kernel of the base has the argument `none`"),
        "{warnings:?}"
    );
    let there = "[base.kernel_args]\nappend = [\"quiet\"]\nentries = [\"Install\"]\n";
    let (_, bytes, warnings) = changed(&host, there).unwrap();
    assert!(
        warnings[0].contains("every kernel that is meant has `quiet` already"),
        "{warnings:?}"
    );
    assert_eq!(read(&bytes, "iso:/boot/grub/grub.cfg"), grub);
    // A variable that nobody can edit here.
    host.put(
        "tree/boot/grub/grub.cfg",
        b"args=quiet\nmenuentry A {\nlinux /a $args\n}\n",
    );
    let (_, base) = host.build(&format!("[[files]]\nfrom = \"tree\"\nto = \"/\"\n{boot}"));
    host.put("base.iso", &base);
    let (.., warnings) = changed(&host, "[base.kernel_args]\nremove = [\"quiet\"]\n").unwrap();
    assert!(
        warnings[0].contains("\"A\" in iso:/boot/grub/grub.cfg are not as asked"),
        "{warnings:?}"
    );
}

/// A list of sums in each form, of which the lines change whose files do: the wanted digests are those of md5sum and sha256sum.
#[test]
fn lists_of_sums_stay_true() {
    let host = Host::new(&[
        ("tree/a.txt", b"old\n"),
        ("tree/b.txt", b"b\n"),
        ("tree/dir/c.txt", b"c\n"),
        ("tree/gone", b"gone\n"),
        (
            "tree/md5sum.txt",
            b"# a comment\n\
              d4ba39e6a2c4d8b21e4f6e0d5c0f4d4a  ./a.txt\n\
              3b5d5c3712955042212316173ccf37be  ./b.txt\n\
              00000000000000000000000000000000  ./gone\n",
        ),
        (
            "tree/dir/a.sha256",
            b"0000000000000000000000000000000000000000000000000000000000000000 *c.txt\n",
        ),
        ("tree/dir/a.sha256.asc", b"signed"),
        // As Arch Linux has it.
        (
            "tree/dir/airootfs.sha512",
            format!("{}  c.txt\n", "0".repeat(128)).as_bytes(),
        ),
        (
            "tree/.treeinfo",
            b"[checksums]\na.txt = sha256:0000000000000000000000000000000000000000000000000000000000000000\n",
        ),
    ]);
    let (_, base) = host.build("[[files]]\nfrom = \"tree\"\nto = \"/\"\n");
    host.put("base.iso", &base);
    let keys = "remove = [\"/gone\"]\n[[files]]\ntext = \"new\\n\"\nto = \"/a.txt\"\n\
                [[files]]\ntext = \"new\\n\"\nto = \"/dir/c.txt\"\n[[files]]\ntext = \"new\\n\"\nto = \"/added.txt\"\n";
    let (_, bytes, warnings) = changed(&host, keys).unwrap();
    // echo new | md5sum; echo new | sha256sum
    let (md5, sha256) = (
        "9cd599a3523898e6a12e13ec787da50a",
        "7aa7a5359173d05b63cfd682e3c38487f3cb4f7f1d60659fe59fab1505977d4c",
    );
    assert_eq!(
        read(&bytes, "iso:/md5sum.txt"),
        format!("# a comment\n{md5}  ./a.txt\n{md5}  ./added.txt\n3b5d5c3712955042212316173ccf37be  ./b.txt\n")
    );
    assert_eq!(read(&bytes, "iso:/dir/a.sha256"), format!("{sha256} *c.txt\n"));
    let sha512 = "89a7486a4b6ae7142af0e6643ae428f8fa8395516a488c03c134c5b3fbc0d26f\
                  4bb40e757a41894a4171a2afa5eb418bbf2db1c67a04b07f205007cb9d829dfe";
    assert_eq!(read(&bytes, "iso:/dir/airootfs.sha512"), format!("{sha512}  c.txt\n"));
    assert_eq!(
        read(&bytes, "iso:/.treeinfo"),
        format!("[checksums]\na.txt = sha256:{sha256}\n")
    );
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("/dir/a.sha256.asc no longer holds")),
        "{warnings:?}"
    );
}

/// What fits into the sectors of a file stays there, in every index; zeros follow. Nothing else moves.
#[test]
fn a_text_stays_where_it_is_if_it_fits() {
    let start = "menuentry A {\n\tlinux /a quiet splash\n}\n";
    for (text, keys, grows) in [
        (start.to_owned(), "append = [\"x=1\"]\n", false),
        (start.to_owned(), "remove = [\"quiet\", \"splash\"]\n", false),
        // The last byte of a sector, and one more.
        (
            format!("{start}{}", "#".repeat(2044 - start.len())),
            "append = [\"x=1\"]\n",
            false,
        ),
        (
            format!("{start}{}", "#".repeat(2045 - start.len())),
            "append = [\"x=1\"]\n",
            true,
        ),
    ] {
        let host = host("universal");
        host.put("tree/boot/grub/grub.cfg", text.as_bytes());
        let boot = "[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n[iso]\nudf = true\n";
        let (_, base) = host.build(&format!("[[files]]\nfrom = \"tree\"\nto = \"/\"\n{boot}"));
        host.put("base.iso", &base);
        let (after, bytes, warnings) = changed(&host, &format!("[base.kernel_args]\n{keys}")).unwrap();
        assert_eq!((warnings, &after.facts.faults[..]), (Vec::new(), &[][..]));
        assert_eq!(bytes.len() > base.len(), grows, "{keys}: {}", text.len());
        let wanted = match keys.starts_with("append") {
            true => text.replace("splash", "splash x=1"),
            false => text.replace(" quiet splash", ""),
        };
        for index in ["iso", "joliet", "udf"] {
            assert_eq!(read(&bytes, &format!("{index}:/boot/grub/grub.cfg")), wanted, "{index}");
        }
        if !grows {
            let place = base.windows(9).position(|window| window == b"menuentry").unwrap();
            assert!(bytes[place..].starts_with(wanted.as_bytes()));
            let sector = &bytes[place + wanted.len()..(place + 1).next_multiple_of(2048)];
            assert!(sector.iter().all(|&byte| byte == 0), "{keys}");
        }
    }
}
