//! Images of GRUB 2, made of its kernel and its modules as `grub-mkimage` makes them: the core image for El Torito, and a program for UEFI.
//!
//! Source: the images that grub-mkimage 2.06 makes, taken apart; GRUB's manual §7, "Core image".

pub mod bios;
pub mod efi;
mod kernel;
mod module_area;
pub mod modules;

pub use module_area::{Embedded, prefix};

/// Why no image can be made of these files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrubError {
    /// A file of the loader is not what it should be; the words go on from its name.
    #[error("{file} {what}")]
    Wrong {
        /// Its name.
        file: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// `moddep.lst` does not know a module.
    #[error("this GRUB has no module {0:?}")]
    NoModule(String),
    /// The image is larger than there is room for.
    #[error("the core image would have {length} bytes compressed, and there is room for {room}")]
    TooLarge {
        /// In bytes.
        length: usize,
        /// In bytes.
        room: usize,
    },
}

fn wrong(file: &'static str, what: impl Into<String>) -> GrubError {
    let what = what.into();
    GrubError::Wrong { file, what }
}
