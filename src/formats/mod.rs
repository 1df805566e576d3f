//! The leaves: each knows one standard, and neither the tree, the manifest, the host nor another leaf.

pub mod android_sparse;
pub mod apm;
pub mod archive;
pub mod authenticode;
pub mod c32;
pub mod digest_list;
pub mod dmg;
pub mod el_torito;
pub mod ext4;
pub mod fat;
pub mod gpt;
pub mod grub;
pub mod gzip;
pub mod iso9660;
pub mod mbr;
pub mod pe;
pub mod qcow2;
pub mod recognise;
pub mod udf;
pub mod vdi;
pub mod vhd;
pub mod vhdx;
pub mod vmdk;
pub mod xz;
