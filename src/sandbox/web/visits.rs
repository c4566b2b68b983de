//! Who has a form open: sessions, and the tokens of forms with the names that their fields have.

use super::words::{Ask, Words};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// At most so many forms and sessions are remembered; the oldest are forgotten.
const LIMIT: usize = 20_000;

/// The names of one form's fields.
pub(crate) type Names = Vec<(Ask, String)>;

/// Why a token does not open the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Missing, forgotten, or another session's.
    Unknown,
    /// In a captcha's words: too old.
    Expired,
    /// In a captcha's words: used before.
    Used,
}

impl Refusal {
    /// What it says to people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Refusal::Unknown => "This form is no longer valid. Please load the page again.",
            Refusal::Expired => "The captcha could not be verified: expired-input-response. Please try again.",
            Refusal::Used => "The captcha could not be verified: timeout-or-duplicate. Please try again.",
        }
    }
}

#[derive(Debug)]
struct Visit {
    /// None for forms that are embedded: they have no cookie.
    session: Option<String>,
    names: Names,
    born: Instant,
    used: bool,
}

#[derive(Debug, Default)]
struct Book {
    visits: HashMap<String, Visit>,
    order: VecDeque<String>,
    /// The number of the last request of each session.
    sessions: HashMap<String, Option<String>>,
    session_order: VecDeque<String>,
}

/// All open forms.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    book: Mutex<Book>,
}

impl Visits {
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// True when the session is known.
    pub(crate) fn knows(&self, session: &str) -> bool {
        self.lock().sessions.contains_key(session)
    }

    /// Begins a session.
    pub(crate) fn begin(&self, session: String) {
        let mut book = self.lock();
        book.session_order.push_back(session.clone());
        book.sessions.insert(session, None);
        if book.session_order.len() > LIMIT
            && let Some(oldest) = book.session_order.pop_front()
        {
            book.sessions.remove(&oldest);
        }
    }

    /// Remembers the number of what a session sent.
    pub(crate) fn remember(&self, session: &str, number: &str) {
        if let Some(last) = self.lock().sessions.get_mut(session) {
            *last = Some(number.to_owned());
        }
    }

    /// The number of what the session sent last.
    pub(crate) fn last_number(&self, session: &str) -> Option<String> {
        self.lock().sessions.get(session).cloned().flatten()
    }

    /// Remembers an open form.
    pub(crate) fn open(&self, token: String, session: Option<String>, names: Names) {
        let mut book = self.lock();
        book.order.push_back(token.clone());
        book.visits.insert(token, Visit { session, names, born: Instant::now(), used: false });
        if book.order.len() > LIMIT
            && let Some(oldest) = book.order.pop_front()
        {
            book.visits.remove(&oldest);
        }
    }

    /// The names of the fields of the form with this token. `lifetime`: tokens are as short-lived as a captcha's.
    pub(crate) fn redeem(&self, token: &str, session: Option<&str>, lifetime: Option<Duration>) -> Result<Names, Refusal> {
        let mut book = self.lock();
        let visit = book.visits.get_mut(token).filter(|v| v.session.as_deref() == session).ok_or(Refusal::Unknown)?;
        if let Some(lifetime) = lifetime {
            if visit.born.elapsed() > lifetime {
                return Err(Refusal::Expired);
            }
            if visit.used {
                return Err(Refusal::Used);
            }
        }
        visit.used = true;
        Ok(visit.names.clone())
    }
}

/// Names for one visit's fields; `draw` gives letters and digits.
pub(crate) fn names(words: &Words, consent: bool, draw: impl Fn() -> String) -> Names {
    let asked = words.order.iter().copied().chain(consent.then_some(Ask::Consent));
    asked.map(|ask| (ask, if words.hashed_names { format!("f{}", draw()) } else { ask.key().to_owned() })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_its_own_form_in_its_own_session_only() {
        let visits = Visits::default();
        visits.begin("s1".into());
        visits.open("t1".into(), Some("s1".into()), vec![(Ask::Name, "n".into())]);
        assert_eq!(visits.redeem("t1", Some("s2"), None), Err(Refusal::Unknown));
        assert_eq!(visits.redeem("t1", None, None), Err(Refusal::Unknown));
        assert!(visits.redeem("t1", Some("s1"), None).is_ok());
        assert!(visits.redeem("t1", Some("s1"), None).is_ok(), "twice is no harm");
        assert_eq!(visits.redeem("t1", Some("s1"), Some(Duration::from_secs(60))), Err(Refusal::Used));
        visits.open("t2".into(), None, Vec::new());
        assert_eq!(visits.redeem("t2", None, Some(Duration::ZERO)), Err(Refusal::Expired));
    }
}
