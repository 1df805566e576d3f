//! `[base.answers]`: an installer's answer file, put where that installer looks, and the arguments that it needs.

use std::path::Path;

use super::original::Original;
use super::{Edits, ignition};
use crate::ground::text;
use crate::manifest::{Answers, At, Files};
use crate::resolve::{Resolution, ResolveError};
use crate::tree::source::Giver;

/// What can be asked of an installer.
struct Kind {
    /// As in the manifest.
    key: &'static str,
    /// Whether the installer is in the image.
    fits: fn(&Original<'_>) -> bool,
    /// Where the file goes.
    to: &'static str,
    /// Arguments of the kernels.
    args: fn(&Original<'_>) -> Vec<String>,
}

/// Where user-data and meta-data are, for cloud-init.
const SEED: &str = "/nocloud/";

/// Every kind.
const KINDS: [Kind; 10] = [
    Kind {
        key: "preseed",
        fits: |original| original.has("/.disk/base_installable") || original.has("/.disk/udeb_include"),
        to: "/preseed.cfg",
        // Installation guide, appendix B.2: `auto` asks for the network before the questions that the file answers.
        args: |_| {
            ["auto=true", "priority=critical", "preseed/file=/cdrom/preseed.cfg"]
                .map(String::from)
                .into()
        },
    },
    Kind {
        key: "kickstart",
        fits: |original| {
            original.has("/images/install.img") || original.is_given("inst.stage2=") || original.is_given("inst.repo=")
        },
        to: "/ks.cfg",
        args: |original| {
            vec![format!(
                "inst.ks=hd:LABEL={}:/ks.cfg",
                udev_escaped(&original.menu.label)
            )]
        },
    },
    Kind {
        key: "autoinstall",
        fits: |original| original.has("/casper"),
        to: "/nocloud/user-data",
        args: |original| std::iter::once("autoinstall".into()).chain(seed(original)).collect(),
    },
    Kind {
        key: "autoyast",
        fits: |original| original.is_suse() && !original.has("/LiveOS"),
        to: "/autoinst.xml",
        args: |original| {
            vec![format!(
                "autoyast=label://{}/autoinst.xml",
                percent_encoded(&original.menu.label)
            )]
        },
    },
    Kind {
        key: "agama",
        fits: |original| original.is_suse() && original.has("/LiveOS"),
        to: "/agama.json",
        args: |original| {
            vec![format!(
                "inst.auto=label://{}/agama.json",
                percent_encoded(&original.menu.label)
            )]
        },
    },
    Kind {
        key: "ignition",
        fits: |original| ignition::is_fcos(original.tree),
        to: "",
        args: |_| Vec::new(),
    },
    Kind {
        key: "proxmox",
        fits: |original| original.tree.items().iter().any(|item| is_proxmox_id(&item.path)),
        to: "/answer.toml",
        args: |_| Vec::new(),
    },
    Kind {
        key: "apkovl",
        fits: |original| original.has("/.alpine-release"),
        to: "/localhost.apkovl.tar.gz",
        args: |_| Vec::new(),
    },
    Kind {
        key: "unattend",
        fits: |original| original.has("/sources/boot.wim"),
        to: "/autounattend.xml",
        args: |_| Vec::new(),
    },
    Kind {
        key: "nocloud",
        fits: |original| seed(original).is_some(),
        to: "/nocloud/user-data",
        args: |original| seed(original).into_iter().collect(),
    },
];

/// The end of a name that Alpine's initramfs looks for in the root of every medium.
const OVERLAY: &str = ".apkovl.tar.gz";

impl Resolution<'_> {
    /// Adds the file to the tree, or to the edits; the result is the arguments that kernels need.
    pub(super) fn answers(
        &mut self,
        at: &At<Answers>,
        original: &Original<'_>,
        edits: &mut Edits,
    ) -> Result<Vec<String>, ResolveError> {
        let answers = at.get_ref();
        let Some((key, file)) = answers.given().next() else {
            return Ok(Vec::new());
        };
        let Some(kind) = KINDS.iter().find(|kind| kind.key == key) else {
            return Ok(Vec::new());
        };
        if !(kind.fits)(original) {
            let fitting = KINDS.iter().filter(|kind| (kind.fits)(original));
            let fitting: Vec<String> = fitting.map(|kind| format!("`{}`", kind.key)).collect();
            let help = match fitting.as_slice() {
                [] => "no installer that takes answers is known in this base".to_owned(),
                [one] => format!("{one} fits this base"),
                more => format!("these fit this base: {}", more.join(", ")),
            };
            self.error_with(
                file,
                format!("the base has no installer that reads a file of the kind `{key}`"),
                "does not fit",
                &help,
            );
            return Ok(Vec::new());
        }
        match key {
            "ignition" => self.ignition(file, original, edits)?,
            "apkovl" => {
                let name = Path::new(file.get_ref()).file_name().and_then(|name| name.to_str());
                let name = name.filter(|name| name.ends_with(OVERLAY));
                self.answer(file, &name.map_or(kind.to.to_owned(), |name| format!("/{name}")))?;
            }
            "proxmox" => {
                self.answer(file, kind.to)?;
                // The installer's GRUB and its fetcher look for this one.
                self.given(file, "/auto-installer-mode.toml", "mode = \"iso\"\n")?;
            }
            "autoinstall" | "nocloud" => {
                self.answer(file, kind.to)?;
                match &answers.meta_data {
                    Some(meta_data) => self.answer(meta_data, &format!("{SEED}meta-data"))?,
                    // cloud-init takes a directory without one for no seed.
                    None => self.given(file, &format!("{SEED}meta-data"), "")?,
                }
            }
            _ => self.answer(file, kind.to)?,
        }
        Ok((kind.args)(original))
    }

    /// A file of the host at this path of the image.
    fn answer(&mut self, file: &At<String>, to: &str) -> Result<(), ResolveError> {
        let entry = Files {
            from: Some(file.clone()),
            to: file.map(|_| to.to_owned()),
            ..Files::default()
        };
        self.add_files(self.document.manifest.files.len() as u32, &At::from(entry))
    }

    fn given(&mut self, file: &At<String>, to: &str, text: &str) -> Result<(), ResolveError> {
        let entry = Files {
            text: Some(text.to_owned().into()),
            to: file.map(|_| to.to_owned()),
            ..Files::default()
        };
        self.add_files(self.document.manifest.files.len() as u32, &At::from(entry))
    }

    /// Ignition's configuration in the area that Fedora CoreOS reserves for it.
    fn ignition(&mut self, file: &At<String>, original: &Original<'_>, edits: &mut Edits) -> Result<(), ResolveError> {
        let path = self.host_path(file.get_ref());
        let Some(payload) = self.host.named(&mut self.tree, &path)? else {
            return Ok(());
        };
        let config = crate::resolve::host::read_whole(self.tree.payload(payload))?;
        match ignition::area(original.image, original.tree, &config) {
            Ok((path, content)) => {
                let payload = self.host.inline(&mut self.tree, &content, Giver::Manifest);
                edits.tree.push((path, payload));
            }
            Err(why) => self.error(file, why, "this configuration"),
        }
        Ok(())
    }
}

/// The argument by which cloud-init finds the directory, in the live systems whose mount points are known.
fn seed(original: &Original<'_>) -> Option<String> {
    let medium = [
        ("/casper", "/cdrom"),
        ("/live", "/run/live/medium"),
        ("/arch", "/run/archiso/bootmnt"),
        ("/LiveOS", "/run/initramfs/live"),
    ];
    let (_, mounted) = medium.iter().find(|(directory, _)| original.has(directory))?;
    Some(format!("ds=nocloud;s={mounted}{SEED}"))
}

/// `/.pve-cd-id.txt` and those of the other products.
fn is_proxmox_id(path: &[u8]) -> bool {
    path.starts_with(b"/.") && path.ends_with(b"-cd-id.txt")
}

/// A label as udev names it under /dev/disk/by-label.
fn udev_escaped(label: &str) -> String {
    escaped(label, b"#+-.:=@_", "\\x")
}

/// A label as the host of a URL.
fn percent_encoded(label: &str) -> String {
    escaped(label, b"-._~", "%")
}

/// Letters, digits and `kept` stand for themselves; other bytes are two hexadecimal digits behind a mark. What is not ASCII stays, as udev
/// does with UTF-8.
fn escaped(label: &str, kept: &[u8], mark: &str) -> String {
    let mut escaped = String::new();
    for letter in label.chars() {
        let stays = !letter.is_ascii() || letter.is_ascii_alphanumeric() || kept.contains(&(letter as u8));
        match stays {
            true => escaped.push(letter),
            false => escaped.push_str(&format!("{mark}{}", text::hex(&[letter as u8]))),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_written_as_their_readers_want_them() {
        // `udevadm test-builtin blkid` says `ID_FS_LABEL_ENC=Rocky\x209\x2f1`.
        assert_eq!(udev_escaped("Rocky 9/1"), "Rocky\\x209\\x2f1");
        assert_eq!(udev_escaped("Fedora-S_39"), "Fedora-S_39");
        // RFC 3986 §2.1.
        assert_eq!(percent_encoded("SLE 15:x"), "SLE%2015%3ax");
    }
}
