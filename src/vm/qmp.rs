//! QEMU's control socket, as far as a picture of the screen and a few keys need it.

use std::fmt::Display;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::MachineError;

/// Writes what the machine shows now to a PNG file, or to one in PPM if its name ends so.
pub(super) fn screendump(socket: &Path, picture: &Path) -> Result<(), MachineError> {
    let is_ppm = picture.extension().is_some_and(|end| end == "ppm");
    let arguments = json!({"filename": picture, "format": if is_ppm { "ppm" } else { "png" }});
    command(socket, &json!({"execute": "screendump", "arguments": arguments})).map(drop)
}

/// Presses and releases keys of the keyboard one after the other, by QEMU's names for them: `a`, `down`, `ret`.
pub(super) fn press(socket: &Path, keys: &[String]) -> Result<(), MachineError> {
    let press = |key: &String| {
        let keys = [json!({"type": "qcode", "data": key})];
        json!({"execute": "send-key", "arguments": {"keys": keys}})
    };
    keys.iter().try_for_each(|key| {
        command(socket, &press(key))?;
        // Firmware looks at its keyboard a few times a second, and a full buffer drops keys.
        std::thread::sleep(Duration::from_millis(250));
        Ok(())
    })
}

/// What the machine does: `running`, `shutdown`, `guest-panicked` and others of QEMU's RunState.
pub(super) fn status(socket: &Path) -> Result<String, MachineError> {
    let answer = command(socket, &json!({"execute": "query-status"}))?;
    let status = answer.get("status").and_then(Value::as_str);
    status
        .map(str::to_owned)
        .ok_or_else(|| control("query-status: there is no status"))
}

/// Reads memory of the machine by way of a file.
pub(super) fn memory(socket: &Path, address: u64, length: usize, file: &Path) -> Result<Vec<u8>, MachineError> {
    let arguments = json!({"val": address, "size": length, "filename": file});
    command(socket, &json!({"execute": "pmemsave", "arguments": arguments}))?;
    std::fs::read(file).map_err(MachineError::io(file))
}

fn command(socket: &Path, command: &Value) -> Result<Value, MachineError> {
    let mut stream = connect(socket)?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .map_err(control)?;
    let mut replies = BufReader::new(stream.try_clone().map_err(control)?);
    // QEMU greets first, and takes no other command before this one.
    execute(&mut stream, &mut replies, &json!({"execute": "qmp_capabilities"}))?;
    execute(&mut stream, &mut replies, command)
}

/// QEMU is there before its socket is.
fn connect(socket: &Path) -> Result<UnixStream, MachineError> {
    let started = Instant::now();
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => return Ok(stream),
            Err(error) if started.elapsed() > Duration::from_secs(1) => return Err(control(error)),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn execute(stream: &mut UnixStream, replies: &mut impl BufRead, command: &Value) -> Result<Value, MachineError> {
    writeln!(stream, "{command}").map_err(control)?;
    // The greeting and events come in between.
    loop {
        let mut line = String::new();
        if replies.read_line(&mut line).map_err(control)? == 0 {
            return Err(control("it has closed its control socket"));
        }
        let mut reply: Value = serde_json::from_str(&line).map_err(control)?;
        if let Some(value) = reply.get_mut("return") {
            return Ok(value.take());
        }
        if let Some(error) = reply.get("error") {
            return Err(control(format!("{command}: {error}")));
        }
    }
}

fn control(why: impl Display) -> MachineError {
    MachineError::Control(why.to_string())
}
