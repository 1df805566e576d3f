//! The terminal of a machine's serial port: what it shows goes to a log, what is typed goes to the machine.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use super::MachineError;

/// An open terminal. Its reader ends with the machine.
#[derive(Debug)]
pub(super) struct Terminal {
    stream: UnixStream,
}

impl Terminal {
    /// Connects to the socket that QEMU waits at before it starts the machine, and writes to `log` what comes. The wait ends with
    /// the error of `runs`.
    pub(super) fn open(
        socket: &Path,
        log: &Path,
        runs: &mut dyn FnMut() -> Result<(), MachineError>,
    ) -> Result<Self, MachineError> {
        let started = Instant::now();
        let stream = loop {
            runs()?;
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) if started.elapsed() > Duration::from_secs(20) => return Err(serial_port(&error)),
                Err(_) => sleep(Duration::from_millis(20)),
            }
        };
        let mut file = File::create(log).map_err(MachineError::io(log))?;
        let mut reader = stream.try_clone().map_err(MachineError::io(log))?;
        spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if file.write_all(buffer.get(..length).unwrap_or_default()).is_err() {
                    break;
                }
            }
        });
        Ok(Self { stream })
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), MachineError> {
        self.stream.write_all(bytes).map_err(|error| serial_port(&error))
    }
}

fn serial_port(error: &std::io::Error) -> MachineError {
    MachineError::Control(format!("serial port: {error}"))
}
