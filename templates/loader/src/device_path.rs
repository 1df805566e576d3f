//! UEFI device paths as bytes (UEFI 2.10 §10.3): nodes of type, subtype, length and what they say.

/// The type of a node that ends a path (§10.3.1).
const END: u8 = 0x7f;
/// Type and subtype of a serial port's node (§10.3.4.15).
const UART: [u8; 2] = [3, 14];

/// The bytes of a path from its start to the first node that `is`, or to the node that ends it.
fn up_to(path: &[u8], is: impl Fn([u8; 2]) -> bool) -> &[u8] {
    let mut length = 0;
    while let Some(&[kind, subtype, low, high]) = path.get(length..).and_then(|rest| rest.first_chunk()) {
        let node = usize::from(u16::from_le_bytes([low, high]));
        if kind == END || is([kind, subtype]) || node < 4 {
            break;
        }
        length += node;
    }
    path.get(..length).unwrap_or(path)
}

/// Whether a console, a path of any number of instances, is on a serial port. How the port is set up does not count.
pub fn is_on_port(console: &[u8], port: &[u8]) -> bool {
    let is_uart = |node| node == UART;
    let place = up_to(port, is_uart);
    let mut rest = console;
    while !rest.is_empty() {
        let instance = up_to(rest, |_| false);
        if up_to(instance, is_uart) == place && instance.get(place.len()..place.len() + 2) == Some(&UART) {
            return true;
        }
        // The node that ends an instance; what ends the path ends the bytes too.
        rest = rest.get(instance.len() + 4..).unwrap_or(&[]);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const SCREEN: &[u8] = &[2, 1, 6, 0, 9, 9];
    const PORT: &[u8] = &[1, 1, 5, 0, 7];
    const OTHER: &[u8] = &[1, 1, 5, 0, 8];
    const NEXT: &[u8] = &[0x7f, 1, 4, 0];
    const LAST: &[u8] = &[0x7f, 0xff, 4, 0];

    /// A serial port's node at this speed.
    fn uart(speed: u8) -> Vec<u8> {
        [&[3, 14, 19, 0][..], &[speed; 15]].concat()
    }

    #[test]
    fn a_console_is_on_the_port_that_one_of_its_instances_names() {
        let port = [PORT, &uart(1)].concat();
        let terminal = [3, 10, 4, 0];
        let on = [SCREEN, NEXT, PORT, &uart(2), &terminal, LAST].concat();
        assert!(is_on_port(&on, &port));
        let elsewhere = [SCREEN, NEXT, OTHER, &uart(1), &terminal, LAST].concat();
        assert!(!is_on_port(&elsewhere, &port));
        // A device at the same place that is no serial port.
        assert!(!is_on_port(&[PORT, SCREEN, LAST].concat(), &port));
        assert!(!is_on_port(&[PORT, LAST].concat(), &port));
        for bytes in [&[][..], LAST, NEXT, &[0x7f], &[3, 14], &[1, 1, 0, 0]] {
            assert!(!is_on_port(bytes, &port), "{bytes:?}");
        }
        for length in 0..on.len() {
            is_on_port(&on[..length], &port);
            is_on_port(&on, &on[..length]);
        }
    }
}
