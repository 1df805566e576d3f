//! Packages of Debian, deb(5): an ar archive of two tar archives, one about the package and one of its files.

use super::{ArchiveError, Input, Kind, Listing, wrong};
use crate::ground::decompress::{Behind, Compression};
use crate::ground::read_at::{Pieces, ReadAt};

const MAGIC: &[u8] = b"!<arch>\n";
/// ar(5): the bytes of a member's header.
const HEADER: u64 = 60;

/// A member of an ar archive.
struct Member {
    name: String,
    offset: u64,
    length: u64,
}

/// The members of an ar archive, deb(5)'s kind: names of up to 16 bytes, perhaps with a slash at the end.
fn members(bytes: &dyn ReadAt) -> Result<Vec<Member>, ArchiveError> {
    let mut members = Vec::new();
    let mut at = MAGIC.len() as u64;
    while at < bytes.size() {
        let header = bytes.read_vec_at(at, HEADER).map_err(ArchiveError::of)?;
        if !header.ends_with(b"`\n") {
            return Err(wrong(format!("is damaged: no header of a member at byte {at}")));
        }
        let text = |field: &[u8]| String::from_utf8_lossy(field).trim_end().to_owned();
        let digits = text(&header[48..58]);
        let length: u64 = digits
            .parse()
            .map_err(|_| wrong(format!("is damaged: a member has {digits:?} bytes")))?;
        let offset = at + HEADER;
        let end = offset.checked_add(length).filter(|&end| end <= bytes.size());
        let end = end.ok_or_else(|| wrong("is cut short"))?;
        members.push(Member {
            name: text(&header[..16]).trim_end_matches('/').to_owned(),
            offset,
            length,
        });
        at = end.next_multiple_of(2);
    }
    Ok(members)
}

/// The files of a package.
///
/// # Errors
/// The archive cannot be read, is damaged or cut short, or is an ar archive of another kind.
pub(super) fn read(input: &Input) -> Result<Listing, ArchiveError> {
    let members = members(input.bytes)?;
    if members.first().is_none_or(|first| first.name != "debian-binary") {
        return Err(wrong("is an ar archive, but not a package of Debian"));
    }
    let is_data = |name: &str| name == "data.tar" || name.starts_with("data.tar.");
    let member = members.iter().find(|member| is_data(&member.name));
    let member = member.ok_or_else(|| wrong("is a package without data.tar"))?;
    let start = input.bytes.read_vec_at(member.offset, member.length.min(16));
    let place = match Compression::of(&start.map_err(ArchiveError::of)?) {
        Some(_) if input.spooled => {
            return Err(wrong("is a package that is compressed once more; decompress it first"));
        }
        Some(compression) => {
            // The decoder may run in a thread of its own, and `input` may not.
            let bytes = input.bytes.read_vec_at(member.offset, member.length);
            let bytes = bytes.map_err(ArchiveError::of)?;
            input
                .spool
                .append(&mut compression.reader(&bytes[..], &Behind::default()))?
        }
        None => input.place(member.offset, member.length)?,
    };
    let decompressed;
    let bytes: &dyn ReadAt = match place.spooled && !input.spooled {
        true => {
            decompressed = input.spool.bytes()?;
            &decompressed
        }
        false => input.bytes,
    };
    let inside = Pieces::new(bytes, [(Some(place.offset), place.length)]);
    let mut listing = super::tar(&Input {
        bytes: &inside,
        spooled: place.spooled,
        spool: input.spool,
    })?;
    // Its places count from the tar archive's beginning.
    for entry in &mut listing.entries {
        if let Kind::File(file) = &mut entry.kind
            && file.spooled == place.spooled
        {
            file.offset += place.offset;
        }
    }
    Ok(listing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::spool::Spool;

    /// deb(5), by hand: headers of 60 bytes, members on even bytes.
    fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        for (name, bytes) in members {
            file.extend(format!("{name:16}{:12}{:6}{:6}{:8}{:<10}`\n", 0, 0, 0, 100_644, bytes.len()).into_bytes());
            file.extend_from_slice(bytes);
            file.resize(file.len().next_multiple_of(2), b'\n');
        }
        file
    }

    fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, bytes) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, *bytes).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn listed(file: &Vec<u8>) -> Result<(String, String), String> {
        let spool = Spool::new(file.len() as u64);
        let input = Input {
            bytes: file,
            spooled: false,
            spool: &spool,
        };
        let listing = read(&input).map_err(|error| error.to_string())?;
        let entry = &listing.entries[0];
        let Kind::File(place) = entry.kind else {
            panic!("{entry:?}")
        };
        let bytes = match place.spooled {
            true => spool.bytes().unwrap().read_vec_at(place.offset, place.length),
            false => file.read_vec_at(place.offset, place.length),
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ok((text(&entry.path), text(&bytes.unwrap())))
    }

    #[test]
    fn files_of_a_package_compressed_or_not() {
        let control = gzip(&tar_of(&[("./control", b"Package: shim\n")]));
        let data = tar_of(&[("./usr/lib/shim.efi", b"a shim")]);
        for (name, data) in [("data.tar", data.clone()), ("data.tar.gz/", gzip(&data))] {
            let file = ar(&[("debian-binary", b"2.0\n"), ("control.tar.gz", &control), (name, &data)]);
            assert_eq!(
                listed(&file),
                Ok(("usr/lib/shim.efi".into(), "a shim".into())),
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_no_package_is_refused() {
        let whole = ar(&[("debian-binary", b"2.0\n"), ("data.tar", &tar_of(&[("a", b"b")]))]);
        for (file, why) in [
            (ar(&[("a.o/", b"x")]), "not a package of Debian"),
            (ar(&[("debian-binary", b"2.0\n")]), "without data.tar"),
            (whole[..whole.len() - 600].to_vec(), "cut short"),
            ([&whole[..], &[b'x'; 60]].concat(), "damaged"),
            (MAGIC.to_vec(), "not a package of Debian"),
        ] {
            let error = listed(&file).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
