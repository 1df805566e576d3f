//! What loaders would show, by configurations in the forms that distributions write.

mod arguments;

use super::{Entry, Loader, Menu, of_texts};

/// The files of a volume with their texts.
type Files<'f> = &'f [(&'f str, &'f str)];

const X64: (&str, &str) = ("/EFI/BOOT/BOOTX64.EFI", "");

/// The menu of a tree and of a FAT volume with a loader.
fn menu(tree: Files<'_>, esp: Files<'_>) -> Menu {
    of_texts(tree, &[esp, &[X64]].concat())
}

/// An entry in a line: firmware, configuration, menus and title, kernel, initrd, arguments; then what is unusual.
fn line(entry: &Entry) -> String {
    let way: Vec<&str> = entry.submenu.iter().chain([&entry.title]).map(String::as_str).collect();
    let mut line = format!(
        "{} {} [{}] {} {:?} [{}]",
        entry.firmware,
        entry.config,
        way.join(">"),
        entry.kernel.as_deref().unwrap_or("-"),
        entry.initrd,
        entry.cmdline
    )
    .replace('"', "");
    for (key, value) in [
        ("program", &entry.program),
        ("action", &entry.action),
        ("only", &entry.condition),
    ] {
        if let Some(value) = value {
            line += &format!(" {key}={value}");
        }
    }
    if entry.loopback {
        line += " loopback";
    }
    if !entry.missing.is_empty() {
        line += &format!(" missing={}", entry.missing.join(","));
    }
    line
}

fn lines(menu: &Menu) -> Vec<String> {
    menu.entries.iter().map(line).collect()
}

/// The entries of a grub.cfg in the tree, of both firmwares, without what is the same in all.
fn grub(text: &str, more: Files<'_>) -> (Vec<String>, Vec<String>) {
    let files = [more, &[("/boot/grub/grub.cfg", text), ("/k", ""), ("/i", "")]].concat();
    let menu = menu(&files, &[]);
    let of = |firmware: &str| {
        let start = format!("{firmware} iso:/boot/grub/grub.cfg ");
        let lines = lines(&menu).into_iter();
        lines
            .filter_map(|line| line.strip_prefix(&start).map(str::to_owned))
            .collect()
    };
    (of("bios"), of("uefi"))
}

#[test]
fn grub_scripts_are_run() {
    for (text, wanted) in [
        (
            "menuentry 'A b' --class x { linux /k a  b\n initrd /i\n}",
            "[A b] /k [/i] [a b]",
        ),
        ("menuentry --hotkey=a --id z A {\nlinux /k\n}", "[A] /k [] []"),
        (
            "menuentry \"A\" $menuentry_id_option 'z' {\nlinuxefi /k\ninitrdefi /i /i\n}",
            "[A] /k [/i, /i] []",
        ),
        ("submenu B {\nmenuentry A {\nlinux16 /k\n}\n}", "[B>A] /k [] []"),
        (
            "set v=\"a b\"\nmenuentry A {\nlinux /k $v \"$v\" x${v}y\n}",
            "[A] /k [] [a b a b xa by]",
        ),
        ("linux=linuxefi\nmenuentry A {\n$linux /k a\n}", "[A] /k [] [a]"),
        ("menuentry A {\nset e=\nlinux /k $e \"\" b\n}", "[A] /k [] [ b]"),
        // As GRUB's grub_create_loader_cmdline joins words.
        (
            r"menuentry A { linux /k a\;b 'c d' e\\f 'g\h'
        }",
            r"[A] /k [] [a;b c d e\\f g\\h]",
        ),
        (
            "function f {\n linux /k $1 $2\n}\nmenuentry A {\nf x y\n}",
            "[A] /k [] [x y]",
        ),
        (
            "for i in 1 2; do\nmenuentry A$i {\nlinux /k $i\n}\ndone",
            "[A1] /k [] [2]; [A2] /k [] [2]",
        ),
        ("menuentry A {\nchainloader (hd0)+1\n}", "[A] - [] [] program=(hd0)+1"),
        (
            "menuentry A {\nreboot\n}\nmenuentry B {\nhalt\n}",
            "[A] - [] [] action=reboot; [B] - [] [] action=poweroff",
        ),
        ("menuentry A {\necho x\n}", "[A] - [] []"),
        ("linux /k a\ninitrd /i\nboot", "[] /k [/i] [a]"),
        (
            "menuentry A {\nlinux /missing\ninitrd /i /none\n}",
            "[A] /missing [/i, /none] [] missing=/missing,/none",
        ),
        (
            "search --set=root --label LABEL\nmenuentry A {\nlinux ($root)/k a\n}",
            "[A] (iso)/k [] [a]",
        ),
        ("search -u iso-uuid\nmenuentry A {\nlinux /k\n}", "[A] /k [] []"),
        ("menuentry A {\nlinux (hd1,gpt2)/k\n}", "[A] (hd1,gpt2)/k [] []"),
        ("menuentry A {\r\nlinux /k a\r\n}\r\n", "[A] /k [] [a]"),
        (
            "menuentry A {\nlinux /k $feature_x ${lang} b\n}",
            "[A] /k [] [${lang} b]",
        ),
        // Conditions.
        (
            "if [ x$a = x ] ; then\nmenuentry A {\nlinux /k\n}\nelse\nmenuentry B {\nlinux /k\n}\nfi",
            "[A] /k [] []",
        ),
        (
            "if [ -f /none ]; then\nset v=1\nmenuentry A {\nlinux /k $v\n}\nfi",
            "[A] /k [] [] only=if [ -f /none ]",
        ),
        ("if [ -f /k ]; then\nmenuentry A {\nlinux /k\n}\nfi", "[A] /k [] []"),
        (
            "if loadfont u; then\nmenuentry A {\nlinux /k\n}\nelse\nmenuentry B {\nlinux /k\n}\nfi",
            "[A] /k [] [] only=if loadfont u; [B] /k [] [] only=unless loadfont u",
        ),
        // What is broken spoils nothing else.
        ("}\nmenuentry A {\nlinux /k\n", "[A] /k [] []"),
    ] {
        let (bios, uefi) = grub(text, &[]);
        assert_eq!(bios.join("; "), wanted, "{text}");
        assert_eq!(uefi.join("; "), wanted, "{text}");
    }
    let (bios, uefi) = grub(
        "if [ \"$grub_platform\" = \"efi\" ]; then\nmenuentry A {\nfwsetup\n}\nelse\nmenuentry B {\nlinux16 /k\n}\nfi",
        &[],
    );
    assert_eq!(bios, ["[B] /k [] []"]);
    assert_eq!(uefi, ["[A] - [] [] action=firmware-setup"]);
}

#[test]
fn grub_is_followed_from_file_to_file() {
    let tree: Files<'_> = &[
        ("/.disk/info", "x"),
        ("/k", ""),
        (
            "/boot/grub/grub.cfg",
            "source $prefix/theme.cfg\nmenuentry A {\nlinux /k a\n}\nmenuentry More {\nconfigfile /boot/grub/more.cfg\n}",
        ),
        ("/boot/grub/x86_64-efi/grub.cfg", "source /boot/grub/grub.cfg"),
        ("/boot/grub/more.cfg", "menuentry B {\nlinux /k b\n}"),
        ("/boot/grub/loopback.cfg", "menuentry L {\nlinux /k iso=${iso_path}\n}"),
        ("/isolinux/isolinux.cfg", "label x\nkernel /k"),
    ];
    let esp: Files<'_> = &[(
        "/efi/debian/grub.cfg",
        "search --file --set=root /.disk/info\nset prefix=($root)/boot/grub\nsource $prefix/x86_64-efi/grub.cfg",
    )];
    let menu = menu(tree, esp);
    assert_eq!(
        lines(&menu),
        [
            "bios iso:/isolinux/isolinux.cfg [x] /k [] []",
            "uefi iso:/boot/grub/grub.cfg [A] /k [] [a]",
            "uefi iso:/boot/grub/more.cfg [More>B] /k [] [b]",
            "bios iso:/boot/grub/loopback.cfg [L] /k [] [iso=${iso_path}] loopback",
            "uefi iso:/boot/grub/loopback.cfg [L] /k [] [iso=${iso_path}] loopback",
        ]
    );
    assert_eq!(
        menu.notes,
        ["iso:/boot/grub/grub.cfg: leads to (iso)/boot/grub/theme.cfg, which is missing"]
    );
    let configs: Vec<&str> = menu.configurations.iter().map(|known| known.config.as_str()).collect();
    assert_eq!(
        configs,
        [
            "iso:/isolinux/isolinux.cfg",
            "esp:/efi/debian/grub.cfg",
            "iso:/boot/grub/x86_64-efi/grub.cfg",
            "iso:/boot/grub/grub.cfg",
            "iso:/boot/grub/more.cfg",
            "iso:/boot/grub/loopback.cfg",
        ]
    );
}

#[test]
fn a_prefix_without_a_search_is_either_volume() {
    let config = "menuentry A {\nlinux /k\ninitrd /e\n}";
    let menu = menu(
        &[("/k", ""), ("/EFI/BOOT/grub.cfg", config)],
        &[("/EFI/BOOT/grub.cfg", config), ("/e", "")],
    );
    assert_eq!(
        lines(&menu),
        [
            "uefi esp:/EFI/BOOT/grub.cfg [A] /k [/e] []",
            "uefi iso:/EFI/BOOT/grub.cfg [A] /k [/e] [] missing=/e",
        ]
    );
}

#[test]
fn isolinux_is_read_as_its_menu_shows_it() {
    let tree: Files<'_> = &[
        ("/k", ""),
        ("/isolinux/i", ""),
        ("/isolinux/chain.c32", ""),
        (
            "/isolinux/isolinux.cfg",
            "# comment\npath \nINCLUDE menu.cfg\ndefault vesamenu.c32\n",
        ),
        (
            "/isolinux/menu.cfg",
            "append all\r\nLabel one\r\n\tmenu label ^Install\r\n\tkernel /k\r\n\tappend vga=788 initrd=i,/none --- quiet \r\n\
             text help\n label no\n endtext\nmenu begin more\n\tmenu title More ^options\n\tlabel two\n\tLINUX ::/k\n\
             \tmenu include sub.cfg\nmenu end\nlabel three\n\tCOM32 chain.c32\n\tAPPEND hd0 0\nlabel four\n\tkernel /k\n\
             label five\n\tkernel k.bin\nlabel six\n\tlocalboot 0x80\nlabel seven\n\tkernel /k\n\tappend -\n\
             label help\n\tconfig prompt.cfg\nlabel gone\n\tconfig gone.cfg\nmenu clear\ninclude none.cfg\n",
        ),
        (
            "/isolinux/sub.cfg",
            "label sub\n\tkernel /k\n\tinitrd i\n\tappend x=\\y \"a  b\"\n",
        ),
        (
            "/isolinux/prompt.cfg",
            "include menu.cfg\nlabel prompted\nkernel ../k\n",
        ),
    ];
    let menu = menu(tree, &[]);
    assert_eq!(
        lines(&menu),
        [
            "bios iso:/isolinux/menu.cfg [Install] /k [/isolinux/i, /none] [vga=788 --- quiet] missing=/none",
            "bios iso:/isolinux/menu.cfg [More options>two] /k [] [all]",
            "bios iso:/isolinux/sub.cfg [More options>sub] /k [/isolinux/i] [x=\\y a b]",
            "bios iso:/isolinux/menu.cfg [three] - [] [hd0 0] program=/isolinux/chain.c32",
            "bios iso:/isolinux/menu.cfg [four] /k [] [all]",
            "bios iso:/isolinux/menu.cfg [five] - [] [all] program=k.bin missing=k.bin",
            "bios iso:/isolinux/menu.cfg [six] - [] [all] action=next-device",
            "bios iso:/isolinux/menu.cfg [seven] /k [] []",
            "bios iso:/isolinux/prompt.cfg [prompted] /k [] [all]",
        ]
    );
    assert_eq!(
        menu.notes,
        [
            "iso:/isolinux/menu.cfg: includes none.cfg, which is missing",
            "iso:/isolinux/menu.cfg: leads to gone.cfg, which is missing",
        ]
    );
}

#[test]
fn entries_of_other_loaders() {
    let tree: Files<'_> = &[
        ("/k", ""),
        (
            "/boot/isobuild/menu.cfg",
            "id = 0\ndefault = 1\n\nentry = Linux\nkernel = /k\ninitrd = /none\ncmdline = a  b=c\n\nentry = Test\nbios = /t\nefi-x64 = /t64\nfirmware = bios uefi\n\nentry = Off\naction = poweroff\n",
        ),
        ("/boot/loader.conf", "# c\nkernel=\"k2\"\nconsole=\"comconsole\"\n"),
        ("/boot/k2/kernel.gz", ""),
    ];
    let esp: Files<'_> = &[
        ("/k", ""),
        (
            "/loader/entries/a.conf",
            "title   Arch\nsort-key 1\nlinux /K\ninitrd /i\ninitrd /k\noptions a\noptions b\n",
        ),
        ("/loader/entries/b.conf", "# x\r\nefi /shell.efi\r\n"),
    ];
    let menu = menu(tree, esp);
    assert_eq!(
        lines(&menu),
        [
            "bios iso:/boot/isobuild/menu.cfg [Linux] /k [/none] [a  b=c] missing=/none",
            "bios iso:/boot/isobuild/menu.cfg [Test] - [] [] program=/t missing=/t",
            "bios iso:/boot/isobuild/menu.cfg [Off] - [] [] action=poweroff",
            "bios iso:/boot/loader.conf [FreeBSD] /boot/k2/kernel [] [kernel=k2 console=comconsole]",
            "uefi esp:/loader/entries/a.conf [Arch] /K [/i, /k] [a b] missing=/i",
            "uefi esp:/loader/entries/b.conf [b] - [] [] program=/shell.efi missing=/shell.efi",
            "uefi iso:/boot/isobuild/menu.cfg [Linux] /k [/none] [a  b=c] missing=/none",
            "uefi iso:/boot/isobuild/menu.cfg [Test] - [] [] program=/t64 missing=/t64",
            "uefi iso:/boot/isobuild/menu.cfg [Off] - [] [] action=poweroff",
            "uefi iso:/boot/loader.conf [FreeBSD] /boot/k2/kernel [] [kernel=k2 console=comconsole]",
        ]
    );
    assert_eq!(menu.configurations[0].loader, Loader::Builtin);
}

#[test]
fn a_hostile_configuration_ends() {
    let deep = "menuentry A {\n".repeat(1000);
    let doubling = format!("set a=x\n{}menuentry A {{\nlinux /k $a\n}}", "set a=$a$a\n".repeat(64));
    let large = "#".repeat((1 << 20) + 1);
    let calls = "function f {\nf; f; f; f\n}\nf";
    let many = "source /boot/grub/b.cfg\n".repeat(1000);
    let entries = "menuentry A$i {\nlinux /k $i\n}\n".to_owned();
    let each = (0..64).fold(String::new(), |all, _| {
        format!("for i in 1 2 3 4 5 6 7 8; do\n{all}done\n")
    });
    for (text, wanted) in [
        ("source /boot/grub/grub.cfg", "leads to itself"),
        (
            "menuentry A {\nconfigfile /boot/grub/grub.cfg\n}",
            "has menus in menus, of which 16 are read",
        ),
        ("source /boot/grub/b.cfg", "leads to itself"),
        (&deep, "line 65: what stands here is nested deeper than is read"),
        (
            &large,
            "is not read: it has 1.0 MiB, and no configuration has more than 1 MiB",
        ),
        ("\u{feff}menuentry A {\nlinux /k\n}", ""),
        (calls, ""),
        (&doubling, ""),
        (&many, ""),
        (&format!("{each}{entries}"), "is not read to its end"),
    ] {
        let menu = menu(
            &[
                ("/boot/grub/grub.cfg", text),
                (
                    "/boot/grub/b.cfg",
                    "menuentry B {\nlinux /k\n}\nsource /boot/grub/b.cfg\nsource /boot/grub/grub.cfg\n",
                ),
            ],
            &[],
        );
        let shown = &text[..text.len().min(60)];
        assert!(
            wanted.is_empty() || menu.notes.iter().any(|note| note.contains(wanted)),
            "{shown}: {:?}",
            menu.notes
        );
        let bytes: usize = menu.entries.iter().map(|entry| entry.cmdline.len()).sum();
        assert!(bytes < 1 << 20, "{shown}: {bytes}");
    }
}

/// The titles of the default entries under UEFI.
fn defaults(tree: Files<'_>, esp: Files<'_>) -> Vec<String> {
    let entries = menu(tree, esp).entries.into_iter();
    let own = entries.filter(|entry| entry.is_default && entry.firmware.name() == "uefi");
    own.map(|entry| entry.title).collect()
}

#[test]
fn a_menu_says_what_starts_by_itself() {
    let entries =
        "menuentry 'A' { linux /k }\nmenuentry 'B' --id b { linux /k }\nsubmenu 'C' { menuentry 'D' { linux /k } }\n";
    for (default, title) in [
        ("", "A"),
        ("set default=b\n", "B"),
        ("set default=B\n", "B"),
        ("set default=1\n", "B"),
        ("set default=\"1>0\"\n", "B"),
        ("set default=none\n", "A"),
        ("set default=9\n", "A"),
    ] {
        let text = format!("{default}{entries}");
        let found = defaults(&[("/boot/grub/grub.cfg", &text), ("/k", "")], &[]);
        assert_eq!(found, [title], "{default:?}");
    }
    let text = format!("set default=${{lang}}\n{entries}");
    assert_eq!(defaults(&[("/boot/grub/grub.cfg", &text)], &[]), [""; 0]);
    let lead = "search --set=root --label LABEL\nconfigfile ($root)/boot/grub/grub.cfg\n";
    let text = format!("set default=b\n{entries}");
    let found = defaults(&[("/boot/grub/grub.cfg", &text)], &[("/boot/grub/grub.cfg", lead)]);
    assert_eq!(found, ["B"]);
    let entry = "title Linux\nlinux /k\n";
    let systemd = [
        ("/loader/loader.conf", "timeout 3\ndefault entry-2*\n"),
        ("/loader/entries/entry-1.conf", "title One\nlinux /k\n"),
        ("/loader/entries/entry-2-x64.conf", entry),
        ("/k", ""),
    ];
    assert_eq!(defaults(&[], &systemd), ["Linux"]);
    let other = systemd.map(|(path, text)| (path, text.replace("title One", "title One\narchitecture ia32")));
    let other: Vec<(&str, &str)> = other.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let titles: Vec<_> = menu(&[], &other).entries.into_iter().map(|entry| entry.title).collect();
    assert_eq!(titles, ["Linux"]);
    let own = "default = 2\n\nentry = A\nkernel = /k\n\nentry = B\nkernel = /k\nefi-x64 = /u\n";
    let files = [("/boot/isobuild/menu.cfg", own), ("/k", ""), ("/u", "")];
    assert_eq!(defaults(&files, &[]), ["B"]);
    let unified = menu(&files, &[])
        .entries
        .into_iter()
        .filter(|entry| entry.program.is_some());
    let files: Vec<_> = unified
        .map(|entry| (entry.firmware.name(), entry.kernel, entry.cmdline))
        .collect();
    assert_eq!(files, [("uefi", None, String::new())]);
}
