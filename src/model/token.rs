//! Tokens: the mark by which replypath knows its own messages.

use ring::hmac;
use serde::{Deserialize, Serialize};

const PREFIX: &str = "rp";
const NONCE: usize = 10;
const MAC: usize = 6;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The secret from which an installation makes its tokens. Lives in the store.
pub struct TokenKey(hmac::Key, Vec<u8>);

impl TokenKey {
    /// Builds the key from stored bytes (32 of them are right).
    pub fn new(bytes: &[u8]) -> TokenKey {
        TokenKey(hmac::Key::new(hmac::HMAC_SHA256, bytes), bytes.to_vec())
    }

    /// A token for one message of one run: the same for the same `run` and `leg`.
    pub fn token(&self, run: &str, leg: &str) -> Token {
        let seed = hmac::sign(&self.0, format!("nonce|{run}|{leg}").as_bytes());
        let nonce = letters(seed.as_ref(), NONCE);
        let mac = self.mac(&nonce);
        Token(format!("{PREFIX}{nonce}{mac}"))
    }

    /// Every token of this installation that stands in `text` as a word of its own, in order, each once.
    ///
    /// Words of the right shape that were made with another key are not returned.
    pub fn recognise(&self, text: &str) -> Vec<Token> {
        let mut found: Vec<Token> = Vec::new();
        for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
            if word.len() != PREFIX.len() + NONCE + MAC {
                continue;
            }
            let word = word.to_ascii_lowercase();
            let Some(rest) = word.strip_prefix(PREFIX) else { continue };
            let (nonce, mac) = rest.split_at(NONCE);
            if self.mac(nonce) == mac && !found.iter().any(|t| t.0 == word) {
                found.push(Token(word));
            }
        }
        found
    }

    fn mac(&self, nonce: &str) -> String {
        letters(hmac::sign(&self.0, format!("mac|{nonce}").as_bytes()).as_ref(), MAC)
    }
}

impl Clone for TokenKey {
    fn clone(&self) -> Self {
        TokenKey::new(&self.1)
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(***)")
    }
}

fn letters(bytes: &[u8], count: usize) -> String {
    bytes.iter().take(count).map(|b| char::from(ALPHABET[usize::from(b & 31)])).collect()
}

/// One message's mark: 18 lower-case letters and digits, safe in subjects, search languages and ticket titles.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub String);

impl Token {
    /// The token's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when the token stands in `text`, whatever the case.
    pub fn is_in(&self, text: &str) -> bool {
        text.to_ascii_lowercase().contains(&self.0)
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_again_in_any_text_and_no_other_key_knows_it() {
        let key = TokenKey::new(b"one");
        let token = key.token("run1", "send");
        let text = format!("[desk.test #2] Re: Parcel ({}), thanks", token.0.to_uppercase());
        assert_eq!(key.recognise(&text), vec![token.clone()]);
        assert!(TokenKey::new(b"two").recognise(&text).is_empty());
        assert_ne!(token, key.token("run1", "reply"));
        assert!(key.recognise("rpaaaaaaaaaabbbbbb").is_empty());
    }
}
