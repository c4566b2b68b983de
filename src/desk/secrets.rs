//! Keeps secrets out of everything that is shown: desks quote credentials in their error texts.

use super::filter::percent;
use super::scope::Value;
use super::settings::Settings;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// The texts to take out.
pub(crate) struct Masks(Vec<SecretString>);

impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masks(***)")
    }
}

impl Masks {
    /// Every secret of a desk, also as it is written in URLs and in Basic credentials.
    pub fn new(settings: &Settings) -> Masks {
        let mut texts: Vec<String> = Vec::new();
        for secret in settings.secrets() {
            let plain = secret.expose_secret().to_owned();
            for value in settings.params.values() {
                if let Value::Json(other) = value {
                    if let Some(user) = other.as_string() {
                        texts.push(STANDARD.encode(format!("{user}:{plain}")));
                    }
                }
            }
            texts.push(percent(&plain));
            texts.push(STANDARD.encode(&plain));
            texts.push(plain);
        }
        // Very short ones would only make messages unreadable, and hide nothing.
        texts.retain(|t| t.len() >= 4);
        texts.sort_by_key(|t| std::cmp::Reverse(t.len()));
        Masks(texts.into_iter().map(SecretString::from).collect())
    }

    /// The text without secrets.
    pub fn mask(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose_secret(), "***"))
    }
}
