//! A program with one more signature.

use sha2::Digest;

use crate::authenticode::Identity;
use crate::pe::Signable;

/// Signs a program. The signatures that it has stay, and the same program and identity give the same bytes.
///
/// # Errors
/// The program cannot take a signature: in words that follow its name.
pub fn sign(program: Vec<u8>, identity: &Identity) -> Result<Vec<u8>, String> {
    let signable = Signable::new(program).map_err(|fault| fault.to_string())?;
    let mut hasher = sha2::Sha256::new();
    signable
        .covered_bytes(|bytes| hasher.update(bytes))
        .map_err(|fault| format!("cannot be hashed: {fault}"))?;
    let signature = identity.sign(&hasher.finalize().into())?;
    signable.with(&signature).map_err(|fault| fault.to_string())
}
