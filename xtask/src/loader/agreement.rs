//! The program and its boot loader are two workspaces that share no code: what the one writes, the other reads. Here they meet.

use isobuild::inside::facts::menu_file as written;
use isobuild::inside::resolve::loader::builtin;
use isobuild_loader::{editor, medium, menu, menu_file};

#[test]
fn they_agree_on_places_and_limits() {
    let image_path = |path: [&str; 3]| format!("/{}", path.join("/"));
    assert_eq!(image_path(written::PATH).as_bytes(), menu_file::PATH);
    assert_eq!(image_path(builtin::ID_PATH).as_bytes(), medium::ID_PATH);
    assert_eq!(builtin::NO_ID.len(), menu_file::ID_LENGTH);
    assert_eq!(written::LARGEST, menu_file::LARGEST);
    assert_eq!(written::MOST_ENTRIES, menu::MOST_ENTRIES);
    assert_eq!(builtin::LARGEST_PROGRAM, menu_file::LARGEST_PROGRAM);
    assert_eq!(builtin::LONGEST_COMMAND_LINE, editor::LONGEST);
}

#[test]
fn the_loader_reads_the_menu_that_the_program_writes() {
    let lines = |lines: &[(&'static str, &str)]| {
        lines
            .iter()
            .map(|(key, value)| (*key, value.as_bytes().to_vec()))
            .collect()
    };
    let (mut bytes, id) = builtin::render(&builtin::MenuFile {
        title: "ACME = 1".to_owned(),
        timeout: -1,
        default: 2,
        serial: Some(9600),
        entries: vec![
            builtin::MenuFileEntry {
                title: " a = b ".to_owned(),
                lines: lines(&[
                    ("kernel", "/boot/a b"),
                    ("initrd", "/1"),
                    ("initrd", "/2 "),
                    ("cmdline", " x=y  z"),
                ]),
            },
            builtin::MenuFileEntry {
                title: "Off".to_owned(),
                lines: lines(&[("action", "poweroff")]),
            },
        ],
    });
    assert_eq!(menu_file::Menu::new(&bytes).id(), None, "it is not known yet");
    bytes[id].copy_from_slice(b"00112233445566778899aabbccddeeff");
    let read = menu_file::Menu::new(&bytes);
    assert_eq!(read.id(), Some(&b"00112233445566778899aabbccddeeff"[..]));
    assert_eq!(
        (read.title(), read.timeout(), read.default(), read.serial()),
        (&b"ACME = 1"[..], None, 1, Some(9600))
    );
    let entries: Vec<_> = read.entries().collect();
    let [first, second] = &entries[..] else {
        panic!("{} entries", entries.len());
    };
    assert_eq!(
        (first.title, first.kernel(), first.command_line()),
        (&b" a = b "[..], Some(&b"/boot/a b"[..]), &b" x=y  z"[..])
    );
    assert_eq!(first.initrds().collect::<Vec<_>>(), [&b"/1"[..], b"/2 "]);
    assert_eq!(second.action(), Some(menu_file::Action::PowerOff));
    for (action, read) in [
        (
            isobuild::inside::manifest::Action::FirmwareSetup,
            menu_file::Action::FirmwareSetup,
        ),
        (isobuild::inside::manifest::Action::Reboot, menu_file::Action::Reboot),
        (
            isobuild::inside::manifest::Action::Poweroff,
            menu_file::Action::PowerOff,
        ),
        (
            isobuild::inside::manifest::Action::NextDevice,
            menu_file::Action::NextDevice,
        ),
        (isobuild::inside::manifest::Action::Machine, menu_file::Action::Machine),
    ] {
        let text = format!("entry = x\naction = {}\n", action.word());
        let menu = menu_file::Menu::new(text.as_bytes());
        assert_eq!(menu.entries().next().and_then(|entry| entry.action()), Some(read));
    }
}
