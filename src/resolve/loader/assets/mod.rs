//! The files of other people's loaders: where they are found, and which of them an image is made of.
//!
//! `boot.assets` comes first, in its order: directories, and packages of Debian or other archives, which are read as they are. Then come
//! the places where distributions install them.

mod find;
mod installed;
mod table;

pub(in crate::resolve) use find::Store;
pub(in crate::resolve::loader) use find::{Found, Part};
pub use installed::installed;
pub(in crate::resolve::loader) use table::{
    Asset, GRUB_EFI, GRUB_PC, GRUB_SIGNED, ISOHDPFX, ISOLINUX, MOK_MANAGER, SHIM, STUB, SYSLINUX_MODULES, SYSTEMD_BOOT,
};
