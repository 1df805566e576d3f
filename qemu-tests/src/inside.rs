//! What isobuild itself says is in an image, by `ls` and `cat`.

use crate::example::Example;
use crate::listing::{Entry, Listing, by_bsdtar, same};
use crate::preserved::Attributes;
use crate::suite::Test;
use crate::{hash, pins, suite, workspace};
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::{Command, Output};

/// Runs isobuild.
pub fn isobuild(arguments: &[&OsStr]) -> Result<Output, String> {
    let mut command = Command::new(workspace::isobuild()?);
    command
        .args(arguments)
        .output()
        .map_err(|e| format!("{command:?}: {e}"))
}

/// What succeeds without a word.
pub fn output(arguments: &[&OsStr]) -> Result<Vec<u8>, String> {
    let output = isobuild(arguments)?;
    if output.status.success() && output.stderr.is_empty() {
        return Ok(output.stdout);
    }
    Err(format!(
        "{arguments:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// What `ls -R --json` lists.
pub fn ls(image: &Path, path: &str) -> Result<Vec<Value>, String> {
    let arguments = [
        "ls".as_ref(),
        "-R".as_ref(),
        "--json".as_ref(),
        image.as_os_str(),
        path.as_ref(),
    ];
    let json: Value = serde_json::from_slice(&output(&arguments)?).map_err(|e| e.to_string())?;
    json.as_array().cloned().ok_or_else(|| json.to_string())
}

/// Tests of what `verb` gives back of a volume, which `read` is: the examples by their own lists, and images that other people built by
/// what bsdtar makes of them.
pub fn trials(verb: &str, read: fn(&Path, &str) -> Result<Listing, String>) -> Result<Vec<Test>, String> {
    let mut trials = Vec::new();
    for example in Example::all()? {
        let (name, missing) = (format!("{} {verb}", example.name), example.missing());
        trials.push(suite::trial(name, missing, move || {
            let tree = example.udf()?.map_or_else(|| example.iso(), Ok)?;
            same(&tree, &read(example.image()?, "")?)?;
            same(&example.iso()?, &read(example.image()?, "iso:")?)?;
            match example.has_esp() {
                true => same(&example.esp()?, &read(example.image()?, "esp:")?),
                false => Ok(()),
            }
        }));
    }
    for name in ["grub-rescue.iso", "memtest.iso", "ipxe.iso"] {
        let mut missing = suite::missing(&["bsdtar"]);
        missing.extend(suite::missing_inputs()?);
        missing.extend(workspace::isobuild().err());
        let inputs = pins::load("qemu-tests")?;
        trials.push(suite::trial(format!("foreign {name} {verb}"), missing, move || {
            let image = inputs.file(name)?;
            same(&by_bsdtar(&image)?, &read(&image, "")?)
        }));
    }
    Ok(trials)
}

/// Every file and link of a volume, read one by one.
pub fn read(image: &Path, volume: &str) -> Result<Listing, String> {
    contents(image, volume, &ls(image, &format!("{volume}/"))?)
}

/// The same for what [`ls`] has listed. Directories and devices have no content.
pub fn contents(image: &Path, volume: &str, items: &[Value]) -> Result<Listing, String> {
    let mut listing = Listing::new();
    for item in items {
        let path = bytes(item["path"].as_str().ok_or("no path")?);
        let entry = match item["type"].as_str() {
            Some("directory" | "other") => continue,
            Some("symlink") => {
                let target = bytes(item["target"].as_str().ok_or("no target")?);
                Entry::Link(String::from_utf8_lossy(&target).into_owned())
            }
            Some("file") => {
                let named = OsString::from_vec([volume.as_bytes(), &path].concat());
                let content = output(&["cat".as_ref(), image.as_os_str(), &named])?;
                if item["size"].as_u64() != Some(content.len() as u64) {
                    return Err(format!("{item} has {} bytes", content.len()));
                }
                Entry::File(hash::bytes(&content))
            }
            _ => return Err(item.to_string()),
        };
        listing.insert(String::from_utf8_lossy(&path).into_owned(), entry);
    }
    Ok(listing)
}

/// The bytes of a path in the JSON: `\xNN` is a byte that is no text, and a backslash is doubled.
pub fn bytes(path: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut left = path.as_bytes();
    while let Some((&first, rest)) = left.split_first() {
        left = rest;
        match (first, rest) {
            (b'\\', [b'\\', rest @ ..]) => {
                bytes.push(b'\\');
                left = rest;
            }
            (b'\\', [b'x', digits @ ..]) => {
                let (digits, rest) = digits.split_at(2);
                bytes.push(u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap());
                left = rest;
            }
            _ => bytes.push(first),
        }
    }
    bytes
}

/// The attributes of an item of [`ls`]. Its time has to be `mtime`.
pub fn attributes(item: &Value, mtime: i64) -> Result<Attributes, String> {
    let mode = item["mode"].as_str().and_then(|mode| mode.strip_prefix("0o"));
    let mode = mode.and_then(|mode| u32::from_str_radix(mode, 8).ok());
    let number = |key: &str| item[key].as_u64().ok_or_else(|| format!("no {key}: {item}"));
    let time = isobuild::inside::ground::time::Timestamp::from_unix(mtime).to_string();
    if item["modified"] != *time {
        return Err(format!("not of {time}: {item}"));
    }
    Ok(Attributes {
        mode: mode.ok_or_else(|| format!("no mode: {item}"))? & 0o7777,
        mtime,
        links: number("links")?,
        uid: number("uid")? as u32,
        gid: number("gid")? as u32,
    })
}
