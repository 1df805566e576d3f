//! The identity of an image: what GUIDs, serial numbers and signatures are made of.
//!
//! A SHA-256 over everything that was planned: each path, kind, length and attribute, and what stands for each content. Two images
//! with the same content have the same identity on every host, and no clock or random number is needed. Host paths, the output's name
//! and the order of the manifest do not enter.

use sha2::{Digest, Sha256};

use crate::formats::el_torito::boot_info;
use crate::formats::gpt::{Guid, version_4};
use crate::tree::contents::{BootBytes, Contents, Esp};
use crate::tree::{Kind, Patch, PayloadId};

/// The digest that all identifying fields come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity([u8; 32]);

impl Identity {
    pub(super) fn of(contents: &Contents) -> Self {
        let mut sum = Sum(Sha256::new());
        for text in contents.identifiers.all() {
            sum.bytes(text.as_bytes());
        }
        sum.number(contents.timestamp.unix() as u64);
        for (name, value) in [
            ("rock_ridge", contents.rock_ridge),
            ("joliet", contents.joliet),
            ("implant_md5", contents.implant_md5),
        ] {
            sum.field(name, u64::from(value));
        }
        // Both came later: an image without them keeps its identity.
        if contents.udf {
            sum.field("udf", 1);
            sum.field("stub", u64::from(contents.readme.is_some()));
        }
        sum.bytes(b"sha256sums");
        sum.number(u64::from(contents.checksums.is_some()));
        sum.bytes(b"layout");
        sum.bytes(contents.tables.word.as_bytes());
        sum.bytes(b"boot_code");
        let mut code = contents.boot_code.map_or(Vec::new(), |code| code.to_vec());
        if let Some(patch) = contents.boot_code_patch {
            boot_info::clear_mbr(&mut code, patch == Patch::Grub2);
        }
        sum.bytes(&code);
        sum.field("boot_code_patch", patch(contents.boot_code_patch));
        sum.tree(contents);
        sum.boot(contents);
        Self(sum.0.finalize().into())
    }

    /// A GUID for one `purpose`.
    pub(super) fn guid(&self, purpose: &str) -> Guid {
        let digest = self.derive(purpose);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        version_4(bytes)
    }

    /// A number for one `purpose`; never zero, which readers take for "none".
    pub(super) fn number(&self, purpose: &str) -> u32 {
        let digest = self.derive(purpose);
        u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]).max(1)
    }

    /// Eight bytes for one `purpose`.
    pub(super) fn bytes(&self, purpose: &str) -> [u8; 8] {
        let [a, b, c, d, e, f, g, h, ..] = self.derive(purpose);
        [a, b, c, d, e, f, g, h]
    }

    /// The image's id for the boot loader: 32 hexadecimal digits.
    pub(super) fn image_id(&self) -> String {
        crate::ground::text::hex(&self.derive("image")[..16])
    }

    fn derive(&self, purpose: &str) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.0)
            .chain_update(purpose)
            .finalize()
            .into()
    }
}

/// Fields into the digest, each with its length, so that no two sequences of fields look alike.
struct Sum(Sha256);

impl Sum {
    fn number(&mut self, value: u64) {
        self.0.update(value.to_le_bytes());
    }

    /// A number with its name.
    fn field(&mut self, name: &str, value: u64) {
        self.bytes(name.as_bytes());
        self.number(value);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn payload(&mut self, contents: &Contents, id: PayloadId) {
        let payload = contents.tree.payload(id);
        self.number(payload.length);
        self.0.update(payload.digest);
        self.number(patch(payload.patched.as_ref().map(|patched| patched.patch)));
    }

    fn tree(&mut self, contents: &Contents) {
        for id in contents.tree.in_order() {
            let node = contents.tree.node(id);
            self.bytes(&contents.tree.path(id));
            let attributes = &node.attributes;
            self.number(u64::from(attributes.mode));
            self.number(u64::from(attributes.uid) << 32 | u64::from(attributes.gid));
            self.number(attributes.mtime.unix() as u64);
            match &node.kind {
                Kind::Directory(_) => self.number(1),
                Kind::File(payload) => {
                    self.number(2);
                    self.payload(contents, *payload);
                }
                Kind::Symlink(target) => {
                    self.number(3);
                    self.bytes(target);
                }
                Kind::Device { block, major, minor } => {
                    self.number(4 + u64::from(*block));
                    self.number(u64::from(*major) << 32 | u64::from(*minor));
                }
            }
        }
    }

    fn boot(&mut self, contents: &Contents) {
        match &contents.esp {
            None => self.number(0),
            Some(Esp::Files { files, size, .. }) => {
                self.number(1 + files.len() as u64);
                self.number(size.unwrap_or(0));
                for (path, payload) in files {
                    self.bytes(path.join("/").as_bytes());
                    self.payload(contents, *payload);
                }
            }
            Some(Esp::Image { payload, .. }) => self.payload(contents, *payload),
        }
        for boot in &contents.boot {
            self.field("platform", u64::from(boot.platform.code()));
            self.bytes(b"emulation");
            self.bytes(boot.emulation.to_string().as_bytes());
            self.field("system_type", u64::from(boot.system_type));
            self.field("load_segment", u64::from(boot.load_segment));
            self.field("load_sectors", u64::from(boot.sectors));
            match boot.image {
                BootBytes::Esp => self.bytes(b"ESP"),
                BootBytes::Payload(payload) => {
                    self.bytes(b"image");
                    self.payload(contents, payload);
                }
            }
        }
    }
}

fn patch(patch: Option<Patch>) -> u64 {
    match patch {
        None => 0,
        Some(Patch::Isolinux) => 1,
        Some(Patch::Grub2) => 2,
    }
}
