//! The initrds of an entry.

use crate::formats::recognise::Form;
use crate::ground::read_at::ReadAt;
use crate::manifest::{At, Reference};
use crate::resolve::Resolution;
use crate::resolve::ResolveError;
use crate::tree::PayloadId;

/// An initrd in the image.
pub(in crate::resolve) struct Initrd {
    /// Where it is.
    pub(in crate::resolve) path: Vec<u8>,
    /// In bytes.
    pub(in crate::resolve) length: u64,
}

impl Resolution<'_> {
    /// Puts initrds into the tree, in their order.
    pub(super) fn initrds(&mut self, files: &[(&At<Reference>, PayloadId)]) -> Vec<Initrd> {
        let placed = files.iter().filter_map(|(named, payload)| {
            let path = self.boot_place(named, *payload)?;
            let length = self.tree.payload(*payload).length;
            Some(Initrd { path, length })
        });
        placed.collect()
    }

    /// The files of initrds. An empty file is an error. A file that no kernel recognises gives a warning.
    pub(in crate::resolve) fn initrd_files<'r>(
        &mut self,
        initrds: &'r [At<Reference>],
    ) -> Result<Vec<(&'r At<Reference>, PayloadId)>, ResolveError> {
        let mut files = Vec::new();
        for named in initrds {
            let Some(payload) = self.reference(named)? else {
                continue;
            };
            let length = self.tree.payload(payload).length;
            let name = named.get_ref();
            if length == 0 {
                self.error(named, format!("{name:?} is empty"), "this initrd");
                continue;
            }
            let (bytes, _) = self.open(payload)?;
            if !is_initrd(bytes.as_ref()) {
                let message = format!(
                    "{name:?} begins neither as a cpio archive, nor as one that Linux decompresses, nor as a file system: the \
                     kernel will not unpack it"
                );
                self.warn(named, message, "this initrd");
            }
            files.push((named, payload));
        }
        Ok(files)
    }
}

/// Whether Linux would unpack it (init/initramfs.c, lib/decompress.c) or mount it (init/do_mounts_rd.c).
pub(in crate::resolve) fn is_initrd(bytes: &dyn ReadAt) -> bool {
    let is_taken = |form: &Form| {
        use Form::*;
        let unpacked = matches!(form, Cpio | Gzip | OldGzip | Bzip2 | Lzma | Xz | Lzop | OldLz4 | Zstd);
        unpacked || matches!(form, Squashfs | Cramfs | Romfs | Erofs | Minix | Ext)
    };
    let forms = Form::all(bytes).unwrap_or_default();
    forms.iter().any(is_taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_takes_is_known_by_its_beginning() {
        let at = |offset: usize, magic: &[u8]| [&vec![0; offset], magic, &[0; 64]].concat();
        for known in [
            at(0, b"070701"),
            at(0, b"\x1f\x8b\x08"),
            at(0, b"\x02\x21\x4c\x18"),
            at(0, b"hsqs"),
            at(0x438, b"\x53\xef"),
            at(0x400, b"\xe2\xe1\xf5\xe0"),
        ] {
            assert!(is_initrd(&known));
        }
        // lz4's newer frame is not Linux's, and zeros are nobody's.
        for unknown in [at(0, b"\x04\x22\x4d\x18"), at(0, b"ISO"), vec![0; 4096], b"07".to_vec()] {
            assert!(!is_initrd(&unknown));
        }
    }
}
