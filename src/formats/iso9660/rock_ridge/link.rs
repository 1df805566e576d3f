//! The target of a symbolic link as SL entries, RRIP 1.12 §4.1.3.

use super::{CONTINUE, entry};

/// The longest component area of one SL entry, §4.1.3.
const COMPONENTS: usize = 250;

/// §4.1.3.1: `.`, `..` and `/`.
pub(super) const CURRENT: u8 = 0x02;
pub(super) const PARENT: u8 = 0x04;
pub(super) const ROOT: u8 = 0x08;

/// A component of a link's target, §4.1.3.1.
struct Component {
    flags: u8,
    text: Vec<u8>,
}

/// SL, §4.1.3. Where a target needs several entries, they are divided inside a component if that can be: libarchive 3.6 loses the
/// slash between two entries that each hold whole components.
pub(super) fn entries(target: &[u8]) -> Vec<Vec<u8>> {
    let mut entries: Vec<Vec<Component>> = vec![Vec::new()];
    let mut room = COMPONENTS;
    for mut component in components(target) {
        while component.text.len() + 2 > room {
            // At least one byte to either side of the division.
            let here = room.saturating_sub(2).min(component.text.len().saturating_sub(1));
            if here > 0 {
                let rest = component.text.split_off(here);
                let text = std::mem::replace(&mut component.text, rest);
                push(
                    &mut entries,
                    Component {
                        flags: component.flags | CONTINUE,
                        text,
                    },
                );
            } else if let Some(stolen) = entries.last_mut().and_then(|entry| divide_last(entry)) {
                room = COMPONENTS - 2 - stolen.text.len();
                entries.push(vec![stolen]);
                continue;
            }
            entries.push(Vec::new());
            room = COMPONENTS;
        }
        room -= component.text.len() + 2;
        push(&mut entries, component);
    }
    let last = entries.len() - 1;
    let encoded = entries.iter().enumerate().map(|(index, components)| {
        let mut payload = vec![if index < last { CONTINUE } else { 0 }];
        for component in components {
            payload.extend([component.flags, component.text.len() as u8]);
            payload.extend(&component.text);
        }
        entry(b"SL", &payload)
    });
    encoded.collect()
}

fn push(entries: &mut [Vec<Component>], component: Component) {
    if let Some(entry) = entries.last_mut() {
        entry.push(component);
    }
}

/// Moves the end of an entry's last component into the next entry: its last byte, or nothing of a single one.
fn divide_last(entry: &mut [Component]) -> Option<Component> {
    let last = entry
        .last_mut()
        .filter(|last| last.flags == 0 && !last.text.is_empty())?;
    last.flags |= CONTINUE;
    let text = last.text.split_off((last.text.len() - 1).max(1));
    Some(Component { flags: 0, text })
}

/// The components between the slashes. Two slashes in a row leave an empty one, which readers show as it was.
fn components(target: &[u8]) -> Vec<Component> {
    let flagged = |flags| Component {
        flags,
        text: Vec::new(),
    };
    let mut components = Vec::new();
    let relative = match target.strip_prefix(b"/") {
        Some(rest) => {
            components.push(flagged(ROOT));
            rest
        }
        None => target,
    };
    if relative.is_empty() {
        return components;
    }
    components.extend(relative.split(|&byte| byte == b'/').map(|text| match text {
        b"." => flagged(CURRENT),
        b".." => flagged(PARENT),
        text => Component {
            flags: 0,
            text: text.to_vec(),
        },
    }));
    components
}
