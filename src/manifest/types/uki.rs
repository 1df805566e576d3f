//! `[boot.uefi.uki]`: unified kernel images (UAPI.5).

use serde::Deserialize;

use super::{At, Reference, Text, one_or_many};

/// What the unified kernel images of the menu consist of beside kernel, initrds and command line; and with `kernel` one that firmware starts
/// without a loader.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Uki {
    /// A Linux kernel: host path or `iso:/...`.
    pub kernel: Option<At<Reference>>,
    /// Its initrds, one or a list.
    #[serde(deserialize_with = "one_or_many")]
    pub initrd: Vec<At<Reference>>,
    /// Its command line.
    pub cmdline: Option<Text>,
    /// What it is called. Default: the volume identifier.
    pub title: Option<Text>,
    /// Its path in the ESP. Default: what firmware starts.
    pub to: Option<Text>,
    /// Other ways to start it.
    pub profile: Vec<At<Profile>>,
    /// The program that it begins with. Default: systemd-stub of `boot.assets` or of the host.
    pub stub: Option<At<Reference>>,
    /// Updates of the processor's microcode, one archive or a list.
    #[serde(deserialize_with = "one_or_many")]
    pub microcode: Vec<At<Reference>>,
    /// A file as os-release(5) describes it. Default: one with the title.
    pub os_release: Option<At<Reference>>,
    /// The kernel's version. Default: what the kernel says.
    pub uname: Option<Text>,
    /// A picture that is shown before the kernel starts: BMP.
    pub splash: Option<At<Reference>>,
    /// Lines for `.sbat`, behind those of the stub and of the kernel: CSV.
    pub sbat: Option<At<Reference>>,
}

/// `[[boot.uefi.uki.profile]]`: what is different if the unified kernel image is started this way.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// What a menu shows.
    pub title: Option<Text>,
    /// Its name for programs. Default: the title in small letters.
    pub id: Option<Text>,
    /// The kernel's command line.
    pub cmdline: Option<Text>,
    /// The kernel's initrds, one or a list, in place of the others.
    #[serde(deserialize_with = "one_or_many")]
    pub initrd: Vec<At<Reference>>,
}

impl Profile {
    /// The id of the image's first profile, which is what it is without others.
    pub const MAIN: &str = "main";

    /// See [`Self::id`]. `None` without a letter or digit to make one of.
    pub fn id(&self) -> Option<String> {
        if let Some(id) = &self.id {
            return Some(id.get_ref().clone());
        }
        let title = self.title.as_ref()?.get_ref().to_lowercase();
        let words = title.split(|letter: char| !letter.is_ascii_alphanumeric());
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        (!words.is_empty()).then(|| words.join("-"))
    }
}
