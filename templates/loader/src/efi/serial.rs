//! A serial port by Serial I/O (UEFI 2.10 §12.8), where the firmware's own console is not on it.

use crate::firmware::{Firmware, nodes, wide};
use crate::tables::*;
use core::ptr::{NonNull, null_mut};
use isobuild_loader::device_path::is_on_port;
use isobuild_loader::terminal::Port;

/// How long the port may take for a byte that it sends, in microseconds.
const TIMEOUT: u32 = 100_000;

/// The first serial port that the firmware has.
pub(crate) struct Serial(NonNull<SerialIo>);

impl Serial {
    /// Sets the port up, if there is one that the firmware's console is not on. What is there is on it already.
    pub(crate) fn open(firmware: &Firmware, speed: u32) -> Option<Self> {
        const NO_PARITY: u32 = 1;
        const ONE_STOP_BIT: u32 = 1;
        const READY: u32 = 3;
        let mut handles = [null_mut(); 16];
        let &handle = firmware.handles(Some(&SERIAL_IO), &mut handles).first()?;
        let port = nodes(firmware.protocol::<u8>(handle, &DEVICE_PATH)?);
        let mut console = [0; 2048];
        let length = firmware.variable_bytes(&wide::<8>("ConOut"), &mut console);
        // A path that does not fit: nobody has so many consoles, and a menu that is there twice does no harm.
        if length.is_some_and(|length| is_on_port(&console[..length], port)) {
            return None;
        }
        let io = firmware.protocol::<SerialIo>(handle, &SERIAL_IO)?;
        let port = io.as_ptr();
        // SAFETY: the firmware's protocol, called as §12.8 says. 8 bits; DTR and RTS.
        unsafe {
            let set = (*port).set_attributes;
            if set(port, u64::from(speed), 0, TIMEOUT, NO_PARITY, 8, ONE_STOP_BIT) != 0 {
                return None;
            }
            ((*port).set_control)(port, READY);
        }
        Some(Self(io))
    }
}

impl Port for Serial {
    fn send(&mut self, bytes: &[u8]) {
        let port = self.0.as_ptr();
        let mut length = bytes.len();
        // SAFETY: as above.
        unsafe { ((*port).write)(port, &mut length, bytes.as_ptr()) };
    }

    fn receive(&mut self) -> Option<u8> {
        const INPUT_BUFFER_EMPTY: u32 = 0x100;
        let port = self.0.as_ptr();
        let (mut control, mut byte, mut length) = (0, 0, 1);
        // SAFETY: as above. A read of what is not there yet would wait.
        unsafe {
            if ((*port).get_control)(port, &mut control) != 0 || control & INPUT_BUFFER_EMPTY != 0 {
                return None;
            }
            let status = ((*port).read)(port, &mut length, &mut byte);
            (status == 0 && length == 1).then_some(byte)
        }
    }
}
