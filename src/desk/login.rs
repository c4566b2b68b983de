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
