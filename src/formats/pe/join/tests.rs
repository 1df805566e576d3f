//! Adds sections to programs made by hand.

use super::*;
use crate::formats::pe::tests::program_of;
use proptest::prelude::*;

/// A program whose sections have these addresses in memory, with the alignments that systemd's stub has.
fn stub(sections: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let plain: Vec<_> = sections.iter().map(|(name, bytes, _)| (*name, *bytes)).collect();
    let mut program = program_of(&plain);
    let (optional, table) = (0x98, 0x98 + 112 + 16 * 8);
    program[optional + 32..optional + 36].copy_from_slice(&4096_u32.to_le_bytes());
    program[optional + 36..optional + 40].copy_from_slice(&512_u32.to_le_bytes());
    for (number, (.., memory)) in sections.iter().enumerate() {
        let at = table + 40 * number + 12;
        program[at..at + 4].copy_from_slice(&memory.to_le_bytes());
    }
    program
}

fn added(name: &str, length: u64) -> Added<'_> {
    Added {
        name,
        length,
        is_code: name == ".linux",
    }
}

/// The joined program, each added section filled with its number from 1.
fn whole(joined: &Joined, sections: &[Added<'_>]) -> Vec<u8> {
    let mut whole = joined.head.clone();
    whole.resize(joined.length as usize, 0);
    for (number, (place, section)) in joined.places.iter().zip(sections).enumerate() {
        whole[*place as usize..][..section.length as usize].fill(number as u8 + 1);
    }
    whole
}

/// By hand: headers of 1024 bytes, 512 bytes of code, and then the two added sections. The first of them replaces one of the program's.
#[test]
fn sections_go_behind_those_of_the_program() {
    let program = stub(&[(".text", b"code", 0x1000), (".sbat", b"old", 0x2000)]);
    let sections = [added(".sbat", 300), added(".linux", 5000)];
    let joined = join(&program, &sections, false).unwrap();
    assert_eq!(
        (joined.head.len(), &joined.places[..], joined.length),
        (1536, &[1536, 2048][..], 2048 + 5120)
    );
    let whole = whole(&joined, &sections);
    let pe = read(&whole).unwrap();
    let places: Vec<_> = pe
        .sections
        .iter()
        .map(|section| (section.name.as_str(), section.offset, section.length, section.stored))
        .collect();
    assert_eq!(
        places,
        [
            (".text", 1024, 4, 512),
            (".sbat", 1536, 300, 512),
            (".linux", 2048, 5000, 5120)
        ]
    );
    assert_eq!(
        (&whole[1024..1028], whole[1536], whole[2048 + 4999]),
        (&b"code"[..], 1, 2)
    );
    let table = 0x98 + 112 + 128;
    let field = |at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().unwrap());
    // Address and flags of .sbat and of .linux.
    assert_eq!((field(table + 40 + 12), field(table + 40 + 36)), (0x2000, 0x4000_0040));
    assert_eq!((field(table + 80 + 12), field(table + 80 + 36)), (0x3000, 0x6000_0020));
    // SizeOfImage; no symbols; three sections.
    assert_eq!((field(0x98 + 56), field(0x84 + 8), whole[0x86]), (0x5000, 0, 3));
}

/// "Section Table": 40 bytes each, from byte 392; a page has room for 92 of them.
#[test]
fn headers_take_the_room_before_the_first_section() {
    let program = stub(&[(".text", b"code", 0x1000)]);
    let names: Vec<String> = (0..92).map(|number| format!(".n{number}")).collect();
    let sections: Vec<_> = names.iter().map(|name| added(name, 1)).collect();
    let joined = join(&program, &sections[..91], true).unwrap();
    assert_eq!(joined.head.len(), 4096 + 512);
    assert_eq!(join(&program, &sections, true).err(), Some(JoinFault::NoRoom));
}

#[test]
fn what_cannot_be_joined_says_why() {
    let fault = |program: &[u8], sections: &[Added<'_>]| join(program, sections, true).unwrap_err();
    let plain = stub(&[(".text", b"code", 0x1000)]);
    let linux = [added(".linux", 1)];
    assert_eq!(fault(b"MZ", &linux), JoinFault::NotAProgram);
    assert_eq!(
        fault(&stub(&[(".longer_name", b"x", 0x1000)]), &linux),
        JoinFault::LongName
    );
    assert_eq!(fault(&plain, &[added(".nine_chars", 1)]), JoinFault::LongName);
    assert_eq!(fault(&plain, &[added(".linux", 1 << 32)]), JoinFault::TooLong);
    assert_eq!(
        fault(&plain, &[added(".a", (1 << 32) - 8192), added(".b", 8192)]),
        JoinFault::TooLong
    );
    let mut outside = plain.clone();
    outside[392 + 20..392 + 24].copy_from_slice(&0xFFFF_0000_u32.to_le_bytes());
    assert_eq!(fault(&outside, &linux), JoinFault::Broken);
    let mut alignment = plain;
    alignment[0x98 + 36] = 3;
    assert_eq!(fault(&alignment, &linux), JoinFault::Broken);
}

proptest! {
    /// A damaged stub is an error, or the joined program reads back.
    #[test]
    fn a_damaged_program_is_joined_or_refused(damage in prop::collection::vec((0_usize..1600, any::<u8>()), 1..12)) {
        let mut program = stub(&[(".text", &[7; 300], 0x1000), (".data", &[8; 200], 0x2000), (".sbat", b"old", 0x3000)]);
        for (at, byte) in damage {
            if let Some(place) = program.get_mut(at) {
                *place = byte;
            }
        }
        let sections = [added(".sbat", 9), added(".linux", 700)];
        if let Ok(joined) = join(&program, &sections, true) {
            prop_assert!(joined.length < 1 << 20);
            let whole = whole(&joined, &sections);
            let pe = read(&whole).unwrap();
            let last = pe.sections.last().unwrap();
            prop_assert_eq!((last.name.as_str(), last.offset, last.length), (".linux", joined.places[1], 700));
        }
    }
}
