//! Keeps secrets out of everything that is shown: desks quote credentials in their error texts.

use super::definition::{AuthKind, Definition};
use super::filter::{escape_html, percent};
use super::scope::Scope;
use super::settings::Settings;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use std::collections::VecDeque;
use std::sync::Mutex;

/// Secrets of answers that are remembered; older ones are of runs long over.
const MAX_LEARNED: usize = 300;

/// The texts to take out.
pub(crate) struct Masks {
    known: Vec<SecretString>,
    /// Picked from answers while the desk was used.
    learned: Mutex<VecDeque<SecretString>>,
}

impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masks(***)")
    }
}

impl Masks {
    /// Every secret of a desk, also as it is written in URLs, forms, JSON, HTML and Basic credentials.
    pub fn new(definition: &Definition, settings: &Settings) -> Masks {
        let mut texts: Vec<String> = Vec::new();
        let scope = Scope::new(settings.params.clone());
        for auth in &definition.auths {
            if let AuthKind::Basic { user, password } = &auth.kind
                && let (Ok(Some(user)), Ok(Some(password))) = (user.string(&scope), password.string(&scope))
            {
                texts.extend(based(&format!("{user}:{password}")));
            }
        }
        for secret in settings.secrets() {
            texts.extend(forms(secret.expose_secret()));
        }
        Masks { known: by_length(texts), learned: Mutex::default() }
    }

    /// Remembers a secret that an answer gave.
    pub fn learn(&self, secret: &SecretString) {
        let mut learned = self.learned.lock().unwrap_or_else(|e| e.into_inner());
        for text in by_length(forms(secret.expose_secret())) {
            if !learned.iter().any(|l| l.expose_secret() == text.expose_secret()) {
                learned.push_back(text);
            }
        }
        while learned.len() > MAX_LEARNED {
            learned.pop_front();
        }
    }

    /// The text without secrets.
    pub fn mask(&self, text: &str) -> String {
        let without = |text: String, secret: &SecretString| text.replace(secret.expose_secret(), "***");
        let text = self.known.iter().fold(text.to_owned(), without);
        let learned = self.learned.lock().unwrap_or_else(|e| e.into_inner());
        learned.iter().fold(text, without)
    }
}

/// A secret as it is written in URLs, forms, JSON, HTML and base64.
fn forms(plain: &str) -> Vec<String> {
    let mut texts = vec![plain.to_owned(), percent(plain), percent(plain).to_ascii_lowercase(), percent(plain).replace("%20", "+")];
    texts.push(form(plain));
    texts.push(escape_html(plain));
    let json = serde_json::Value::String(plain.to_owned()).to_string();
    let json = json.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned();
    texts.push(json.replace('/', "\\/"));
    texts.push(json);
    texts.extend(based(plain));
    texts
}

/// The longest first, so that no part is left of a secret that holds another. Very short ones would only make messages
/// unreadable, and hide nothing.
fn by_length(mut texts: Vec<String>) -> Vec<SecretString> {
    texts.retain(|t| t.len() >= 4);
    texts.sort();
    texts.dedup();
    texts.sort_by_key(|t| std::cmp::Reverse(t.len()));
    texts.into_iter().map(SecretString::from).collect()
}

/// As a form or a query holds it.
fn form(text: &str) -> String {
    let url = reqwest::Url::parse_with_params("http://x/", [("k", text)]);
    url.ok().and_then(|u| Some(u.query()?.strip_prefix("k=")?.to_owned())).unwrap_or_default()
}

/// Base64 in its alphabets (RFC 4648 sections 4 and 5), without padding, which then is left to stand.
fn based(text: &str) -> [String; 2] {
    [STANDARD_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(text)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ParamValue;
    use std::collections::BTreeMap;

    #[test]
    fn a_secret_is_hidden_in_every_form_in_which_an_answer_may_quote_it() {
        let text = super::super::testing::definition("[auth.other]\nkind = \"basic\"\nuser = \"me@x.test/token\"\npassword = \"${key}\"");
        let definition = Definition::parse("x", &text).unwrap();
        let secret = r#"p q/"r\<s>&~é+tt"#;
        let params = BTreeMap::from([
            ("url".to_owned(), ParamValue::Plain(toml::Value::String("http://127.0.0.1:1".to_owned()))),
            ("key".to_owned(), ParamValue::Secret(SecretString::from(secret))),
        ]);
        let masks = Masks::new(&definition, &Settings::new(&definition, &params).unwrap());
        let basic = format!("me@x.test/token:{secret}");
        for quoted in [
            secret.to_owned(),
            percent(secret),
            reqwest::Url::parse_with_params("http://x.test/", [("k", secret)]).unwrap().query().unwrap()[2..].to_owned(),
            escape_html(secret),
            serde_json::Value::String(secret.to_owned()).to_string(),
            base64::engine::general_purpose::STANDARD.encode(secret),
            base64::engine::general_purpose::STANDARD.encode(&basic),
            base64::engine::general_purpose::URL_SAFE.encode(&basic),
        ] {
            let shown = masks.mask(&format!("bad <{quoted}>"));
            assert!(shown.len() < 15 && shown.starts_with("bad <") && shown.contains("***"), "{quoted}: {shown}");
        }
    }
}
