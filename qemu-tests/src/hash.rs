//! SHA-256 of files and ranges of files, in lower-case hexadecimal as `sha256sum` prints it.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The digest of some bytes.
pub fn bytes(data: &[u8]) -> String {
    hex(&Sha256::digest(data))
}

/// The digest of a whole file.
pub fn file(path: &Path) -> Result<String, String> {
    let mut file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    reader(&mut file, u64::MAX).map_err(|e| format!("{}: {e}", path.display()))
}

/// The digest of a range of a file; the range lies inside it.
pub fn range(path: &Path, offset: u64, length: u64) -> Result<String, String> {
    let fail = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut file = File::open(path).map_err(fail)?;
    if file.metadata().map_err(fail)?.len() < offset.saturating_add(length) {
        return Err(format!("{}: ends before {offset} + {length}", path.display()));
    }
    file.seek(SeekFrom::Start(offset)).map_err(fail)?;
    reader(&mut file, length).map_err(fail)
}

fn reader(source: &mut impl Read, length: u64) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    let mut source = source.take(length);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(buffer.get(..n).unwrap_or_default()),
        }
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
