//! QEMU's control socket, as far as a picture of the screen and a few keys need it.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Writes what the machine shows now to a PNG file.
pub fn screendump(socket: &Path, png: &Path) -> Result<(), String> {
    let arguments = json!({"filename": png, "format": "png"});
    command(socket, &json!({"execute": "screendump", "arguments": arguments}))
}

/// Presses and releases keys of the keyboard one after the other, by QEMU's names for them: `a`, `down`, `ret`.
pub fn press(socket: &Path, keys: &[String]) -> Result<(), String> {
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

/// Reads memory of the machine by way of a file.
pub fn memory(socket: &Path, address: u64, length: usize, file: &Path) -> Result<Vec<u8>, String> {
    let arguments = json!({"val": address, "size": length, "filename": file});
    command(socket, &json!({"execute": "pmemsave", "arguments": arguments}))?;
    std::fs::read(file).map_err(|e| format!("QMP: {}: {e}", file.display()))
}

fn command(socket: &Path, command: &Value) -> Result<(), String> {
    let mut stream = UnixStream::connect(socket).map_err(|e| format!("QMP: {e}"))?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .map_err(|e| format!("QMP: {e}"))?;
    let mut replies = BufReader::new(stream.try_clone().map_err(|e| format!("QMP: {e}"))?);
    // QEMU greets first, and takes no other command before this one.
    execute(&mut stream, &mut replies, &json!({"execute": "qmp_capabilities"}))?;
    execute(&mut stream, &mut replies, command)
}

fn execute(stream: &mut UnixStream, replies: &mut impl BufRead, command: &Value) -> Result<(), String> {
    writeln!(stream, "{command}").map_err(|e| format!("QMP: {e}"))?;
    // The greeting and events come in between.
    loop {
        let mut line = String::new();
        if replies.read_line(&mut line).map_err(|e| format!("QMP: {e}"))? == 0 {
            return Err("QMP: QEMU closed the socket".to_owned());
        }
        let reply: Value = serde_json::from_str(&line).map_err(|e| format!("QMP: {e}"))?;
        if reply.get("return").is_some() {
            return Ok(());
        }
        if let Some(error) = reply.get("error") {
            return Err(format!("QMP: {command}: {error}"));
        }
    }
}
