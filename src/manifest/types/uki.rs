//! `[boot.uefi.uki]`: unified kernel images (UAPI.5).

use serde::Deserialize;

use super::{At, Reference, Text, one_or_many};

/// With `kernel`, a unified kernel image that firmware starts without a loader. The keys from `stub` on also apply to the unified kernel images
/// of the menu.
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
    /// Its name for people. Default: the volume identifier.
    pub title: Option<Text>,
    /// Its path in the ESP. Default: the path that firmware starts, such as `/EFI/BOOT/BOOTX64.EFI`.
    pub to: Option<Text>,
    /// Other ways to start it.
    pub profile: Vec<At<Profile>>,
    /// The program that it begins with. Default: systemd-stub of `boot.assets` or of the host.
    pub stub: Option<At<Reference>>,
    /// Updates of the processor's microcode, one archive or a list.
    #[serde(deserialize_with = "one_or_many")]
    pub microcode: Vec<At<Reference>>,
    /// A file in the form of os-release(5). Default: a text with the title.
    pub os_release: Option<At<Reference>>,
    /// The kernel's version. Default: what the kernel says.
    pub uname: Option<Text>,
    /// A picture that is shown before the kernel starts: BMP.
    pub splash: Option<At<Reference>>,
    /// Lines of CSV for `.sbat`. They follow the lines of the stub and of the kernel.
    pub sbat: Option<At<Reference>>,
}

/// `[[boot.uefi.uki.profile]]`: another way to start the unified kernel image.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// What a menu shows.
    pub title: Option<Text>,
    /// Its name for programs. Default: the title in small letters.
    pub id: Option<Text>,
    /// The kernel's command line.
    pub cmdline: Option<Text>,
    /// Initrds, one or a list. They replace those of the image.
    #[serde(deserialize_with = "one_or_many")]
    pub initrd: Vec<At<Reference>>,
}

impl Profile {
    /// The id of the first profile, which has the image's own command line and initrds.
    pub const MAIN: &str = "main";

    /// The id, or the one that is made of the title. `None` if the title has neither letters nor digits.
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
