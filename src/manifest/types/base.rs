//! `[base]` and the tables below it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{At, Text};

/// `[base]`: an existing image that is changed. What it has stays where it is, and every way that it boots stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// Host path of the image, compressed or not.
    pub image: Text,
    /// Its SHA-256; the image is refused when it differs.
    pub sha256: Option<Text>,
    /// Host directory with the bytes of its files, by their paths in the image. They take the place of those that the image has, or, in a
    /// skeleton that `import` made, of zeros.
    pub fill: Option<Text>,
    /// Patterns of paths in it that go. A directory goes with all that is in it.
    #[serde(default)]
    pub remove: Vec<Text>,
    /// `true`: the image is laid out anew, and takes no more space than its contents need. `false`: what the base has stays where it is.
    #[serde(default)]
    pub compact: bool,
    /// Other arguments for its kernels.
    pub kernel_args: Option<At<KernelArgs>>,
    /// The answer file of its installer.
    pub answers: Option<At<Answers>>,
    /// Other kernels, and more initrds.
    pub boot: Option<At<BaseBoot>>,
}

/// `[base.boot]`: what the base's menus load.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BaseBoot {
    /// Host path of a kernel that takes the place of every one that is started.
    pub kernel: Option<Text>,
    /// Host paths of initrds that are loaded behind each entry's own.
    pub initrd_append: Vec<Text>,
}

/// `[base.answers]`: an answer file by its kind, as a host path. It goes where the installer looks, with the arguments that it needs.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answers {
    /// debian-installer.
    pub preseed: Option<Text>,
    /// Anaconda: Fedora, Red Hat and relatives.
    pub kickstart: Option<Text>,
    /// Ubuntu's Subiquity: the user-data.
    pub autoinstall: Option<Text>,
    /// YaST: SUSE up to 15.
    pub autoyast: Option<Text>,
    /// SUSE from 16 on.
    pub agama: Option<Text>,
    /// Fedora CoreOS: a configuration in JSON, as Butane makes it.
    pub ignition: Option<Text>,
    /// Proxmox' automatic installer.
    pub proxmox: Option<Text>,
    /// Alpine's archive of `/etc`.
    pub apkovl: Option<Text>,
    /// Windows Setup.
    pub unattend: Option<Text>,
    /// cloud-init in a live system: the user-data.
    pub nocloud: Option<Text>,
    /// What goes beside the user-data of `autoinstall` or `nocloud`. Default: an empty file.
    pub meta_data: Option<Text>,
}

impl Answers {
    /// The place of a file by its key.
    pub fn named(&mut self, key: &str) -> Option<&mut Option<Text>> {
        Some(match key {
            "preseed" => &mut self.preseed,
            "kickstart" => &mut self.kickstart,
            "autoinstall" => &mut self.autoinstall,
            "autoyast" => &mut self.autoyast,
            "agama" => &mut self.agama,
            "ignition" => &mut self.ignition,
            "proxmox" => &mut self.proxmox,
            "apkovl" => &mut self.apkovl,
            "unattend" => &mut self.unattend,
            "nocloud" => &mut self.nocloud,
            "meta_data" => &mut self.meta_data,
            _ => return None,
        })
    }

    /// The files that are given, each with its key.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &Text)> {
        let all = [
            ("preseed", &self.preseed),
            ("kickstart", &self.kickstart),
            ("autoinstall", &self.autoinstall),
            ("autoyast", &self.autoyast),
            ("agama", &self.agama),
            ("ignition", &self.ignition),
            ("proxmox", &self.proxmox),
            ("apkovl", &self.apkovl),
            ("unattend", &self.unattend),
            ("nocloud", &self.nocloud),
        ];
        all.into_iter().filter_map(|(key, file)| Some((key, file.as_ref()?)))
    }
}

/// `[base.kernel_args]`: in every boot configuration of the tree and of the FAT volumes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelArgs {
    /// Arguments that are added, unless they are there.
    pub append: Vec<Text>,
    /// Arguments that are removed.
    pub remove: Vec<Text>,
    /// Values for arguments of the form `name=value`, by name.
    pub replace: BTreeMap<Text, Text>,
    /// Patterns of the titles of the entries that are meant. Default: all that start a kernel.
    pub entries: Vec<Text>,
}
