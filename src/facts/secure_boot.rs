//! Secure Boot: what an EFI program's signatures, and shim's own sections, say about who starts it.
//!
//! What firmware makes of it is in [`crate::facts::verdicts`]. The data that firmware is sold with is in `data/`, with its source
//! and licence.

mod authority;
mod revoked;
mod sbat;
mod shim;
mod sign;
mod signature_list;

pub use authority::Authority;
pub use revoked::{REVOKED_X64_DATE, is_revoked_x64, revoked_x64};
pub use sbat::{Generation, generations};
pub use shim::Shim;
pub use sign::{is_same_program, sign};
pub use signature_list::{Kind as SignatureKind, signature_list};
