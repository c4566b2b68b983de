//! Small secrets at rest: what makes a chat visitor the visitor is stored encrypted.
//!
//! The key lies in a file of its own beside the store, for the owner's eyes only, so that a copy of the database alone
//! opens nothing.

use crate::random;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD as BASE64;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::path::Path;

/// The file's name in the state folder.
pub const FILE_NAME: &str = "seal.key";
const KEY_LEN: usize = 32;

/// Encrypts and decrypts small texts with ChaCha20-Poly1305 (RFC 8439) and a random nonce each.
pub struct Seal {
    key: LessSafeKey,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

impl Seal {
    /// Opens the key of a state folder; makes it at the first call.
    ///
    /// # Errors
    /// In words: when the file cannot be read or made, or is no key.
    pub fn open(state: &Path) -> Result<Seal, String> {
        let path = state.join(FILE_NAME);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => make(&path)?,
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        };
        Seal::of(&bytes)
            .ok_or_else(|| format!("{} is no key of {KEY_LEN} bytes; remove it, and kept chat visitors begin anew", path.display()))
    }

    /// A key that is gone when it is dropped: for commands that store nothing.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn fleeting() -> Result<Seal, String> {
        Seal::of(&random::bytes::<KEY_LEN>().map_err(|e| e.to_string())?).ok_or_else(|| "the key does not fit".to_owned())
    }

    fn of(bytes: &[u8]) -> Option<Seal> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, bytes).ok()?;
        Some(Seal { key: LessSafeKey::new(key) })
    }

    /// Encrypts. Empty when the system gives no random bytes: then nothing is kept.
    pub fn seal(&self, text: &str) -> String {
        let Ok(nonce) = random::bytes::<NONCE_LEN>() else { return String::new() };
        let mut data = text.as_bytes().to_vec();
        if self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut data).is_err() {
            return String::new();
        }
        BASE64.encode([nonce.as_slice(), &data].concat())
    }

    /// Decrypts; none when it was sealed with another key or is damaged.
    pub fn unseal(&self, sealed: &str) -> Option<String> {
        let bytes = BASE64.decode(sealed).ok()?;
        let (nonce, data) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut data = data.to_vec();
        let plain = self.key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut data).ok()?;
        String::from_utf8(plain.to_vec()).ok()
    }
}

/// Makes the key file. Where another process was faster, its key is taken.
fn make(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("cannot make {}: {error}", path.display());
    let key = random::bytes::<KEY_LEN>().map_err(|e| e.to_string())?;
    let folder = path.parent().unwrap_or(Path::new("."));
    // Written whole under another name first: nobody may ever read half a key.
    let own = folder.join(format!("{FILE_NAME}.{}-{}", std::process::id(), random::hex::<4>().map_err(|e| e.to_string())?));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&own).map_err(failed)?;
    std::io::Write::write_all(&mut file, &key).and_then(|()| file.sync_all()).map_err(failed)?;
    let linked = std::fs::hard_link(&own, path);
    std::fs::remove_file(&own).map_err(failed)?;
    match linked {
        Ok(()) => Ok(key.to_vec()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => std::fs::read(path).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_with_the_same_folder_only() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sealed = Seal::open(a.path()).unwrap().seal("visitor secret");
        assert!(!sealed.contains("visitor"));
        assert_eq!(Seal::open(a.path()).unwrap().unseal(&sealed).as_deref(), Some("visitor secret"));
        assert_eq!(Seal::open(b.path()).unwrap().unseal(&sealed), None);
        assert_ne!(Seal::open(a.path()).unwrap().seal("x"), Seal::open(a.path()).unwrap().seal("x"));
    }

    #[test]
    fn damage_opens_nothing_and_a_bad_key_file_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let seal = Seal::open(dir.path()).unwrap();
        for damaged in ["", "AAAA", "not base64 !", &seal.seal("x")[1..]] {
            assert_eq!(seal.unseal(damaged), None);
        }
        std::fs::write(dir.path().join(FILE_NAME), b"short").unwrap();
        assert!(Seal::open(dir.path()).unwrap_err().contains("remove it"));
    }

    #[cfg(unix)]
    #[test]
    fn the_key_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        Seal::open(dir.path()).unwrap();
        let mode = std::fs::metadata(dir.path().join(FILE_NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
