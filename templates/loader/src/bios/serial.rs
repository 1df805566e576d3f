//! The first serial port of a PC.

use crate::real_mode::{input, out};
use isobuild_loader::terminal::Port;

const PORT: u16 = 0x3f8;
const LINE_STATUS: u16 = PORT + 5;

/// The first serial port.
pub(crate) struct Serial(());

impl Serial {
    /// Sets the port up, if there is one.
    pub(crate) fn open(speed: u32) -> Option<Self> {
        let divisor = (115_200 / speed.clamp(50, 115_200)).max(1);
        out(PORT + 1, 0);
        out(PORT + 3, 0x80);
        out(PORT, divisor as u8);
        out(PORT + 1, (divisor >> 8) as u8);
        // Eight bits, no parity; DTR and RTS; the buffers on and empty.
        out(PORT + 3, 3);
        out(PORT + 4, 3);
        out(PORT + 2, 7);
        // The scratch register keeps a value only where there is a port.
        out(PORT + 7, 0x5a);
        (input(PORT + 7) == 0x5a).then_some(Self(()))
    }
}

impl Port for Serial {
    fn send(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            for _ in 0..100_000 {
                if input(LINE_STATUS) & 0x20 != 0 {
                    break;
                }
            }
            out(PORT, byte);
        }
    }

    fn receive(&mut self) -> Option<u8> {
        (input(LINE_STATUS) & 1 != 0).then(|| input(PORT))
    }
}
