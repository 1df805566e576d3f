//! Programs that machines with Microsoft's list of revoked hashes (`dbx`) refuse, whoever has signed them.

use crate::ground::text;

/// Sorted hexadecimal digests under two comments, of which the second is the date.
const LIST: &str = include_str!("data/revoked-x64.txt");

/// The date of the list.
pub const REVOKED_X64_DATE: &str = "2026-06-30";

/// The hashes of the list.
pub fn revoked_x64() -> impl Iterator<Item = [u8; 32]> {
    LIST.lines().filter_map(text::sha256_from_hex)
}

/// Whether a program for x64 with this SHA-256 Authenticode hash, in lower-case hexadecimal, is on the list.
pub fn is_revoked_x64(hash: &str) -> bool {
    LIST.lines().any(|line| line == hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_of_its_date_and_has_all_hashes() {
        let mut lines = LIST.lines();
        assert!(lines.next().unwrap().starts_with("# "));
        assert_eq!(lines.next().unwrap(), format!("# {REVOKED_X64_DATE}"));
        let hashes: Vec<&str> = lines.collect();
        assert_eq!((hashes.len(), revoked_x64().count()), (443, 443));
        assert!(hashes.is_sorted());
        assert!(hashes.iter().all(|hash| hash.len() == 64));
        // The first of Microsoft's list for x64: a shim.
        assert!(is_revoked_x64(
            "80b4d96931bf0d02fd91a61e19d14f1da452e66db2408ca8604d411f92659f0a"
        ));
        assert!(!is_revoked_x64("# 2026-06-30x"));
        assert!(!is_revoked_x64(&"0".repeat(64)));
    }
}
