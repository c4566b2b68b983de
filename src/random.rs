//! Random bytes of the system, for keys, nonces and names that nobody shall guess.

use ring::rand::{SecureRandom, SystemRandom};

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes; is /dev/urandom there?")]
pub struct NoRandom;

/// `N` bytes.
///
/// # Errors
/// When the system gives none.
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0u8; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}

/// Twice `N` letters and digits (hexadecimal).
///
/// # Errors
/// When the system gives none.
pub fn hex<const N: usize>() -> Result<String, NoRandom> {
    Ok(bytes::<N>()?.iter().map(|b| format!("{b:02x}")).collect())
}
