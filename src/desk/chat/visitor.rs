//! What makes the visitor the visitor: values that the desk gave, and cookies. Stored encrypted, never shown.

use super::recipe::ChatRecipe;
use crate::desk::jar::{Cookie, Jar};
use crate::desk::path::{Json, scalar, string, to_serde};
use crate::desk::scope::{Scope, Value};
use crate::seal::Seal;
use jmespath::Variable;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// Shorter texts are no secrets, and hiding them would make messages unreadable.
const SHORTEST_SECRET: usize = 4;

/// One visitor of one desk.
#[derive(Debug, Default)]
pub(crate) struct Visitor {
    /// Cookies.
    pub jar: Arc<Jar>,
    known: Mutex<Known>,
}

/// What the desk gave.
#[derive(Default)]
struct Known {
    /// The picks of `identity`.
    identity: BTreeMap<String, Json>,
    conversation: Option<String>,
    visitor: Option<String>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").field("conversation", &self.conversation).finish_non_exhaustive()
    }
}

/// As it is sealed.
#[derive(Serialize, Deserialize)]
struct Stored {
    identity: BTreeMap<String, serde_json::Value>,
    cookies: Vec<Cookie>,
    visitor: Option<String>,
}

impl Visitor {
    /// The visitor as it was sealed; none when the seal cannot be opened.
    pub fn unsealed(seal: &Seal, sealed: &str, conversation: Option<&str>) -> Option<Visitor> {
        let stored: Stored = serde_json::from_str(&seal.unseal(sealed)?).ok()?;
        let json = |value: serde_json::Value| Variable::try_from(value).ok().map(Arc::new);
        let identity = stored.identity.into_iter().filter_map(|(name, value)| Some((name, json(value)?))).collect();
        let known = Known { identity, conversation: conversation.map(str::to_owned), visitor: stored.visitor };
        Some(Visitor { jar: Arc::new(Jar::of(stored.cookies)), known: Mutex::new(known) })
    }

    /// The visitor, encrypted; none when nothing makes it one, or nothing can be encrypted.
    pub fn sealed(&self, seal: &Seal) -> Option<String> {
        let known = self.known();
        let identity: BTreeMap<String, serde_json::Value> = known.identity.iter().map(|(k, v)| (k.clone(), to_serde(v))).collect();
        let stored = Stored { identity, cookies: self.jar.cookies(), visitor: known.visitor.clone() };
        if stored.identity.is_empty() && stored.cookies.is_empty() {
            return None;
        }
        let text = serde_json::to_string(&stored).ok()?;
        Some(seal.seal(&text)).filter(|sealed| !sealed.is_empty())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Takes over what a step picked, and makes it a variable of the steps after it.
    pub fn learn(&self, recipe: &ChatRecipe, scope: &mut Scope<'_>) {
        {
            let mut known = self.known();
            for name in &recipe.identity {
                let json = match scope.var(name) {
                    Some(Value::Json(json)) => json,
                    Some(Value::Secret(secret)) => string(secret.expose_secret()),
                    _ => continue,
                };
                known.identity.insert(name.clone(), json);
            }
            let text = |name: &Option<String>| match scope.var(name.as_deref()?)? {
                Value::Json(json) => scalar(&json).filter(|t| !t.is_empty()),
                _ => None,
            };
            known.conversation = text(&recipe.conversation).or_else(|| known.conversation.take());
            known.visitor = text(&recipe.visitor).or_else(|| known.visitor.take());
        }
        self.tell(scope);
    }

    /// Puts what is known into a scope.
    pub fn tell(&self, scope: &mut Scope<'_>) {
        let known = self.known();
        for (name, value) in &known.identity {
            scope.set(name.clone(), Value::Json(value.clone()));
        }
        scope.set_some("conversation", known.conversation.as_deref());
        scope.set_some("visitor", known.visitor.as_deref());
    }

    /// The conversation's id.
    pub fn conversation(&self) -> Option<String> {
        self.known().conversation.clone()
    }

    /// Sets the conversation's id: as stored with the run, or none before one is begun.
    pub fn set_conversation(&self, id: Option<String>) {
        self.known().conversation = id;
    }

    /// The visitor's id as agents may see it.
    pub fn visitor(&self) -> Option<String> {
        self.known().visitor.clone()
    }

    /// The text without what must not be shown.
    pub fn hide(&self, text: &str) -> String {
        let known = self.known();
        let open = |value: &String| Some(value) == known.visitor.as_ref() || Some(value) == known.conversation.as_ref();
        let identity = known.identity.values().filter_map(scalar).filter(|v| !open(v));
        let secrets = identity.chain(self.jar.secrets()).filter(|s| s.len() >= SHORTEST_SECRET);
        secrets.fold(text.to_owned(), |text, secret| text.replace(&secret, "***"))
    }
}
