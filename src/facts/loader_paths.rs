//! Where firmware and shim look for programs in an ESP.

/// Whether the name at `path` in the ESP is one that firmware starts by default, UEFI 3.5.1.1, or that shim starts, which is beside
/// it as `grubx64.efi`.
pub(crate) fn is_loader(path: &str) -> bool {
    let upper = path.to_ascii_uppercase();
    let named = ["/EFI/BOOT/BOOT", "/EFI/BOOT/GRUB"];
    is_beside_loader(path) && named.iter().any(|start| upper.starts_with(start))
}

/// Whether the path is of a program beside those: what shim starts has the name that shim was built with.
pub(super) fn is_beside_loader(path: &str) -> bool {
    let upper = path.to_ascii_uppercase();
    upper.starts_with("/EFI/BOOT/") && upper.ends_with(".EFI") && upper.matches('/').count() == 3
}

/// Whether the path is of a file with this end in a directory of `/EFI`.
pub(super) fn is_in_directory(path: &str, end: &str) -> bool {
    let upper = path.to_ascii_uppercase();
    upper.starts_with("/EFI/") && upper.ends_with(end) && upper.matches('/').count() == 3
}
