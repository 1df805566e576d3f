//! A program with one more signature.

use sha2::Digest;

use crate::formats::authenticode::SigningKey;
use crate::formats::pe::Signable;

/// Signs a program. The signatures that it has stay, and the same program and key give the same bytes.
///
/// # Errors
/// The program cannot take a signature: in words that follow its name.
pub fn sign(program: Vec<u8>, key: &SigningKey) -> Result<Vec<u8>, String> {
    let signable = Signable::new(program).map_err(|fault| fault.to_string())?;
    let signature = key.sign(&digest(&signable)?)?;
    signable.with(&signature).map_err(|fault| fault.to_string())
}

/// Whether two programs are one apart from their signatures.
pub fn is_same_program(one: Vec<u8>, other: Vec<u8>) -> bool {
    let digest = |program| digest(&Signable::new(program).ok()?).ok();
    digest(one).is_some_and(|one| Some(one) == digest(other))
}

fn digest(program: &Signable) -> Result<[u8; 32], String> {
    let mut hasher = sha2::Sha256::new();
    program
        .covered_bytes(|bytes| hasher.update(bytes))
        .map_err(|fault| format!("cannot be hashed: {fault}"))?;
    Ok(hasher.finalize().into())
}
