//! Ways to sign in that begin with a call: what it gives is kept until the desk refuses it.

use super::definition::{Auth, AuthKind, Step};
use super::flow::{Ended, Runner, picked};
use super::outcome::Failure;
use super::scope::{Scope, Value};
use crate::model::ResultClass;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

/// What logins gave, by the name of their `[auth.NAME]`.
#[derive(Default)]
pub(crate) struct Logins {
    known: Mutex<BTreeMap<String, Vec<(String, Value)>>>,
    /// One login at a time: many operations begin at once.
    turn: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Logins(***)")
    }
}

impl Logins {
    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Vec<(String, Value)>>> {
        self.known.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Puts what a login gave into a scope, as `login.NAME`.
    pub fn tell(&self, auth: &str, scope: &mut Scope<'_>) {
        for (name, value) in self.known().get(auth).into_iter().flatten() {
            scope.set(format!("login.{name}"), value.clone());
        }
    }
}

impl Runner {
    /// Signs in where the step's way to sign in begins with a call that was not made yet.
    pub(super) async fn log_in(&self, step: &Step) -> Result<(), Ended> {
        let Some((auth, login)) = self.login_of(step) else { return Ok(()) };
        let _turn = self.settings.logins.turn.lock().await;
        if self.settings.logins.known().contains_key(&auth.name) {
            return Ok(());
        }
        let scope = Scope::new(self.settings.params.clone());
        let call = super::call::build(&self.definition, &self.settings, login, &scope)?;
        let place = call.url.path().to_owned();
        let told = |f: Failure| Failure { message: format!("signing in at {place}: {}", f.message), no_effect: true, gone: false, ..f };
        let (reply, body) = match self.exchange(login, &call).await {
            Ok(answered) => answered,
            Err(Ended::Empty) => return Err(told(Failure::contract("the desk answered with nothing")).into()),
            Err(Ended::Failed(failure)) => return Err(told(failure).into()),
        };
        let picks = picked(login, &body, Some(&reply)).map_err(told)?;
        for (_, value) in &picks {
            if let Value::Secret(secret) = value {
                self.masks.learn(secret);
            }
        }
        self.settings.logins.known().insert(auth.name.clone(), picks);
        Ok(())
    }

    fn login_of(&self, step: &Step) -> Option<(&Auth, &Step)> {
        let name = step.auth.as_ref().or(self.settings.auth.as_ref())?;
        let auth = self.definition.auths.iter().find(|a| a.name == *name)?;
        match &auth.kind {
            AuthKind::Login { step, .. } => Some((auth, step)),
            _ => None,
        }
    }

    /// Forgets a login that the desk refuses: the next call signs in anew.
    pub(super) fn refused(&self, step: &Step, failure: &Failure) {
        if failure.class == ResultClass::Unauthorised
            && let Some((auth, _)) = self.login_of(step)
        {
            self.settings.logins.known().remove(&auth.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Server, definition, desk, say};
    use crate::engine::ports::Desk;
    use crate::model::{ResultClass, TicketRef};
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn text() -> String {
        let login = "kind = \"login\"\nname = \"Authorization\"\nvalue = \"Bearer ${login.token}\"\n  [auth.agent.login]\n  post = \"/login\"\n  \
                     body.json = { key = \"${key}\" }\n  pick = { token = \"token\" }\n  secret = [\"token\"]";
        definition("").replace("kind = \"bearer\"\ntoken = \"${key}\"", login)
    }

    #[tokio::test]
    async fn a_login_is_made_once_and_again_when_the_desk_refuses_what_it_gave() {
        let given = AtomicUsize::new(0);
        let server = Server::start(move |asked, _| match asked.method.as_str() {
            "POST" => say(200, &format!("{{\"token\":\"word-number-{}\"}}", given.fetch_add(1, Ordering::SeqCst))),
            _ if asked.header("authorization").as_deref() == Some("Bearer word-number-1") => say(200, r#"{"id":"7"}"#),
            _ => say(401, r#"{"error":"word-number-0 ran out"}"#),
        })
        .await;
        let desk = desk(&server.url, &text());
        let id = TicketRef { id: "7".to_owned(), number: "7".to_owned() };
        let trouble = desk.read(&id).await.unwrap_err();
        assert_eq!(trouble.class, ResultClass::Unauthorised);
        assert!(!trouble.message.contains("word-number"), "{}", trouble.message);
        for _ in 0..3 {
            desk.read(&id).await.unwrap().unwrap();
        }
        assert_eq!(server.asked().iter().filter(|a| a.method == "POST").count(), 2);
        assert_eq!(server.asked().last().unwrap().header("authorization").as_deref(), Some("Bearer word-number-1"));
    }

    #[tokio::test]
    async fn a_login_that_fails_is_told_as_that_and_nothing_else_is_asked() {
        let server = Server::start(|_, _| say(403, r#"{"error":"wrong password"}"#)).await;
        let desk = desk(&server.url, &text());
        let trouble = desk.read(&TicketRef { id: "7".to_owned(), number: "7".to_owned() }).await.unwrap_err();
        assert_eq!(trouble.class, ResultClass::Denied);
        assert!(trouble.message.contains("signing in at /api/login"), "{}", trouble.message);
        assert_eq!(server.asked().len(), 1);
    }
}
