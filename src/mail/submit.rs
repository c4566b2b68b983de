//! Handing in mail at the accounts' submission servers: the [`Submission`] port over lettre.
//!
//! The answer must be truthful, because a message is never handed in twice: `Err` means that nothing was
//! sent for certain, [`Submitted::Uncertain`] that the end of the data may have left without an answer.

use super::smtp::{Answer, Failure, Progress, Session, Step};
use super::{compose, human, wire, x509};
use crate::engine::ports::{Submission, Submitted, Trouble};
use crate::model::{Account, OutgoingMail, ResultClass, SubmissionSettings, TlsMode};
use async_trait::async_trait;
use lettre::Address;
use rustls::ClientConfig;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Connections that one account may have at once; providers count them.
const AT_ONCE: usize = 4;
/// A connection that nobody used for so long is closed; servers drop theirs after a few minutes.
const KEEP_IDLE: Duration = Duration::from_secs(30);
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(5);

type Tls = Result<Option<Arc<ClientConfig>>, String>;

/// Submission for all accounts, with kept connections.
pub struct SmtpSubmission {
    pools: RwLock<BTreeMap<String, Arc<Pool>>>,
}

/// The connections of one account.
struct Pool {
    settings: SubmissionSettings,
    tls: Tls,
    slots: Semaphore,
    idle: Mutex<Idle>,
}

/// Connections that nobody uses just now, and since when.
#[derive(Default)]
struct Idle {
    sessions: Vec<(Session, Instant)>,
    /// A task is there that will close them: one, however many messages go out.
    swept: bool,
}

/// A message ready to go.
struct Parcel {
    from: Address,
    to: Vec<Address>,
    content: Vec<u8>,
}

impl SmtpSubmission {
    /// Submission for these accounts, by key. Connects to nothing yet.
    pub fn new(accounts: &BTreeMap<String, Account>) -> SmtpSubmission {
        SmtpSubmission { pools: RwLock::new(pools(accounts)) }
    }

    /// Takes on other accounts. What is being handed in goes on with the old settings.
    pub fn reload(&self, accounts: &BTreeMap<String, Account>) {
        let fresh = pools(accounts);
        *self.pools.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }

    fn pool(&self, account: &str) -> Result<Arc<Pool>, Trouble> {
        let pools = self.pools.read().unwrap_or_else(PoisonError::into_inner);
        pools.get(account).cloned().ok_or_else(|| unavailable(format!("there is no account `{account}` in the configuration")))
    }
}

fn pools(accounts: &BTreeMap<String, Account>) -> BTreeMap<String, Arc<Pool>> {
    // One set of authorities for all accounts that trust the same.
    let mut configs: BTreeMap<Option<PathBuf>, Result<Arc<ClientConfig>, String>> = BTreeMap::new();
    let mut pools = BTreeMap::new();
    for (name, account) in accounts {
        let settings = account.submission.clone();
        let tls = match settings.server.tls {
            TlsMode::None => Ok(None),
            _ => {
                let ca = &settings.server.ca;
                configs.entry(ca.clone()).or_insert_with(|| wire::tls_config(ca.as_deref())).clone().map(Some)
            }
        };
        let pool = Pool { settings, tls, slots: Semaphore::new(AT_ONCE), idle: Mutex::default() };
        pools.insert(name.clone(), Arc::new(pool));
    }
    pools
}

#[async_trait]
impl Submission for SmtpSubmission {
    async fn submit(&self, account: &str, mail: &OutgoingMail) -> Result<Submitted, Trouble> {
        let pool = self.pool(account)?;
        let parcel = pack(mail)?;
        let limit = pool.settings.timeout;
        let place = pool.place();
        let slot = tokio::time::timeout(limit, pool.slots.acquire()).await;
        let Ok(Ok(_slot)) = slot else {
            return Err(unavailable(format!("{place}: {AT_ONCE} other messages were still being handed in after {}", seconds(limit))));
        };
        pool.hand_in(&parcel, tokio::time::sleep(limit)).await
    }

    async fn doctor(&self, account: &str) -> Result<Vec<String>, Trouble> {
        let pool = self.pool(account)?;
        let place = pool.place();
        let look = tokio::time::timeout(pool.settings.timeout, pool.examine());
        match look.await {
            Ok(Ok(lines)) => Ok(lines),
            Ok(Err(failure)) => match outcome(&place, !pool.settings.server.user.is_empty(), failure) {
                Err(trouble) => Err(trouble),
                Ok(said) => Err(unavailable(format!("{place}: {said:?}"))),
            },
            Err(_) => Err(unavailable(format!("{place}: no answer within {}", seconds(pool.settings.timeout)))),
        }
    }
}

impl Pool {
    fn place(&self) -> String {
        format!("{}:{}", self.settings.server.host, self.settings.server.port)
    }

    async fn open(&self) -> Result<Session, Failure> {
        match &self.tls {
            Ok(tls) => Session::open(&self.settings.server, tls.as_ref()).await,
            Err(e) => Err(Failure::NotOffered(Step::Tls, e.clone())),
        }
    }

    /// Hands in until `limit` is over, and says truthfully what that means.
    async fn hand_in(self: &Arc<Self>, parcel: &Parcel, limit: impl Future<Output = ()>) -> Result<Submitted, Trouble> {
        let place = self.place();
        let allowed = seconds(self.settings.timeout);
        let progress = Progress::default();
        tokio::select! {
            biased;
            result = self.deliver(parcel, &progress) => match result {
                Ok(answer) => Ok(Submitted::Accepted(line(&answer))),
                Err(failure) => outcome(&place, !self.settings.server.user.is_empty(), failure),
            },
            () = limit => {
                if progress.may_be_sent() {
                    Ok(Submitted::Uncertain(format!("{place}: no answer to the data within {allowed}")))
                } else {
                    Err(unavailable(format!("{place}: the message could not be handed in within {allowed}; nothing was sent")))
                }
            }
        }
    }

    /// Hands in over a kept connection or a new one.
    async fn deliver(self: &Arc<Self>, parcel: &Parcel, progress: &Progress) -> Result<Answer, Failure> {
        if let Some(mut session) = self.kept()
            && session.reset().await
        {
            match session.send(&parcel.from, &parcel.to, &parcel.content, progress).await {
                // The server gave the connection up between two messages: nothing was sent, a new one may be tried.
                Err(failure) if stale(&failure) && !progress.may_be_sent() => {}
                result => return self.done(session, result),
            }
        }
        let mut session = self.open().await?;
        let result = session.send(&parcel.from, &parcel.to, &parcel.content, progress).await;
        self.done(session, result)
    }

    fn done(self: &Arc<Self>, session: Session, result: Result<Answer, Failure>) -> Result<Answer, Failure> {
        let usable = match &result {
            Ok(_) => true,
            Err(Failure::Answered(_, answer)) => answer.code != 421,
            Err(_) => false,
        };
        if usable {
            self.keep(session);
        }
        result
    }

    fn kept(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // The one used last is the one most likely alive.
        idle.sessions.pop().filter(|(_, since)| since.elapsed() < KEEP_IDLE).map(|(session, _)| session)
    }

    /// Keeps a connection for the next message, but not for long.
    fn keep(self: &Arc<Self>, session: Session) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.sessions.push((session, Instant::now()));
        if std::mem::replace(&mut idle.swept, true) {
            return;
        }
        drop(idle);
        let pool = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(KEEP_IDLE).await;
                let Some(old) = pool.upgrade().map(|pool| pool.outdated()) else { return };
                let Some(old) = old else { return };
                for session in old {
                    let _ = tokio::time::timeout(GOODBYE, session.quit()).await;
                }
            }
        });
    }

    /// Takes the connections out that were idle for too long; none when there are no connections left to watch.
    fn outdated(&self) -> Option<Vec<Session>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.sessions.is_empty() {
            idle.swept = false;
            return None;
        }
        let (old, young) = idle.sessions.drain(..).partition(|(_, since)| since.elapsed() >= KEEP_IDLE);
        idle.sessions = young;
        let old: Vec<(Session, Instant)> = old;
        Some(old.into_iter().map(|(session, _)| session).collect())
    }

    async fn examine(&self) -> Result<Vec<String>, Failure> {
        let server = &self.settings.server;
        let mut session = self.open().await?;
        let mut lines = vec![match server.tls {
            TlsMode::Implicit => "TLS from the first byte".to_owned(),
            TlsMode::Starttls => "TLS by STARTTLS".to_owned(),
            TlsMode::None => "no encryption".to_owned(),
        }];
        if let Some(end) = session.certificate().and_then(x509::not_after) {
            lines.push(format!("certificate valid until {end}"));
        }
        lines.push(if server.user.is_empty() { "without signing in".to_owned() } else { format!("signed in as {}", server.user) });
        for offer in session.offers().await? {
            let keyword = offer.split([' ', '=']).next().unwrap_or_default().to_ascii_uppercase();
            match keyword.as_str() {
                "SIZE" => lines.push(match offer.split(' ').nth(1).and_then(|s| s.parse::<u64>().ok()) {
                    Some(size) if size > 0 => format!("takes messages up to {size} bytes"),
                    _ => "names no limit of size".to_owned(),
                }),
                "AUTH" | "8BITMIME" | "SMTPUTF8" | "STARTTLS" | "PIPELINING" | "DSN" => lines.push(format!("offers {offer}")),
                _ => {}
            }
        }
        session.quit().await;
        Ok(lines)
    }
}

/// The bytes and the envelope, after the check that it looks like a person's mail.
fn pack(mail: &OutgoingMail) -> Result<Parcel, Trouble> {
    let unwritable =
        |e: String| Trouble::new(ResultClass::BrokenContract, "submission-refused", format!("the mail cannot be written: {e}"));
    let content = compose::compose(mail).map_err(|e| unwritable(e.to_string()))?;
    // A holiday notice is to be seen as what it is.
    if let Some(reason) = human::looks_automated(&content).filter(|_| !mail.automatic) {
        let message = format!("the mail would be taken for a machine's: {reason}; nothing was sent");
        return Err(Trouble::new(ResultClass::Denied, "mon-probe-looks-automated", message));
    }
    let address = |a: &String| a.trim().parse::<Address>().map_err(|e| unwritable(format!("`{a}`: {e}")));
    let mut to: Vec<Address> = Vec::new();
    for recipient in mail.to.iter().chain(&mail.cc).chain(&mail.bcc) {
        let recipient = address(recipient)?;
        if !to.contains(&recipient) {
            to.push(recipient);
        }
    }
    Ok(Parcel { from: address(&mail.from)?, to, content })
}

/// True when a kept connection was found dead before the message began.
fn stale(failure: &Failure) -> bool {
    match failure {
        Failure::Broken(step, _) => *step == Step::Sender,
        Failure::Answered(step, answer) => *step == Step::Sender && answer.code == 421,
        Failure::NotOffered(..) => false,
    }
}

/// What a failure means for the engine.
fn outcome(place: &str, signed_in: bool, failure: Failure) -> Result<Submitted, Trouble> {
    match failure {
        Failure::Broken(Step::End, e) => Ok(Submitted::Uncertain(format!("{place}: {}: {e}", Step::End))),
        Failure::Broken(Step::Tls, e) => {
            Err(unavailable(format!("{place}: TLS failed: {e}; check `tls`, `ca` and `tls_name`; nothing was sent")))
        }
        Failure::Broken(step, e) => Err(unavailable(format!("{place}: while {step}: {e}; nothing was sent"))),
        Failure::NotOffered(Step::SignIn, e) => {
            Err(Trouble::new(ResultClass::Unauthorised, "submission-login-refused", format!("{place}: {e}")))
        }
        Failure::NotOffered(step, e) => Err(unavailable(format!("{place}: while {step}: {e}"))),
        Failure::Answered(step @ (Step::Connect | Step::Tls | Step::Greeting), answer) => {
            let message = format!("{place}: while {step} the server answered {}; nothing was sent", line(&answer));
            let refused = answer.code >= 500;
            Err(if refused { Trouble::new(ResultClass::Denied, "submission-refused", message) } else { unavailable(message) })
        }
        Failure::Answered(Step::SignIn, answer) => Err(login_trouble(place, &answer)),
        Failure::Answered(_, answer) if !signed_in && wants_login(&answer) => Err(login_trouble(place, &answer)),
        Failure::Answered(step, answer) => Ok(refusal(&step, answer)),
    }
}

/// A refused login; a 4xx is the server's own trouble (RFC 4954 section 6: 454).
fn login_trouble(place: &str, answer: &Answer) -> Trouble {
    let message = format!("{place}: the login was refused: {}", line(answer));
    if answer.code >= 500 {
        Trouble::new(ResultClass::Unauthorised, "submission-login-refused", format!("{message}; check `user`, the password and `auth`"))
    } else {
        unavailable(message)
    }
}

/// RFC 4954 section 6: 530 5.7.0.
fn wants_login(answer: &Answer) -> bool {
    answer.code == 530
}

/// A no to the message itself. Nothing was taken (RFC 5321 section 4.2.1).
fn refusal(step: &Step, answer: Answer) -> Submitted {
    let Answer { code, status, text } = answer;
    let fault = if is_quota(status.as_deref(), &text) {
        "mon-send-quota"
    } else if code < 500 {
        return Submitted::Deferred { code, text };
    } else if names_recipient(step, code, status.as_deref(), &text) {
        "mx-rejects-alias"
    } else {
        "submission-refused"
    };
    Submitted::Refused { code, status, text, fault }
}

/// True when our own provider says that we send too much: 5.4.5, or such words under a policy status or none.
fn is_quota(status: Option<&str>, text: &str) -> bool {
    const WORDS: [&str; 16] = [
        "daily sending",
        "daily user sending",
        "sending limit",
        "sending quota",
        "send limit",
        "send quota",
        "sending rate",
        "rate limit",
        "rate-limit",
        "ratelimit",
        "quota exceeded",
        "limit exceeded",
        "exceeded the limit",
        "too many messages",
        "too many emails",
        "messages per hour",
    ];
    let text = text.to_lowercase();
    match status {
        // 5.1.90 is Microsoft's daily limit of recipients.
        Some("5.4.5" | "4.4.5" | "5.1.90") => true,
        // 5.2.2 "mailbox full, quota exceeded" is the recipient's quota, not ours.
        Some(s) if s.starts_with("5.7.") || s.starts_with("4.7.") || s.starts_with("5.4.") => WORDS.iter().any(|w| text.contains(w)),
        Some(_) => false,
        None => WORDS[..8].iter().any(|w| text.contains(w)),
    }
}

/// True when a 5xx is about the recipient: X.1.1-6 and X.1.10, X.2.1 (RFC 3463, RFC 7505), or a bare 550 to RCPT.
fn names_recipient(step: &Step, code: u16, status: Option<&str>, text: &str) -> bool {
    let at_recipient = matches!(step, Step::Recipient(_));
    match status {
        // 5.1.7 and 5.1.8 are about the sender.
        Some("5.1.0" | "5.1.1" | "5.1.2" | "5.1.3" | "5.1.4" | "5.1.6" | "5.1.10") => *step != Step::Sender,
        Some(s) => at_recipient && s.starts_with("5.2."),
        None => {
            let text = text.to_lowercase();
            let policy = ["relay", "spam", "policy", "denied", "blocked", "authenticat", "sender"].iter().any(|w| text.contains(w));
            at_recipient && matches!(code, 550 | 551 | 553) && !policy
        }
    }
}

fn unavailable(message: String) -> Trouble {
    Trouble::new(ResultClass::Unavailable, "submission-unavailable", message)
}

fn line(answer: &Answer) -> String {
    format!("{} {}", answer.code, answer.text).trim_end().to_owned()
}

fn seconds(limit: Duration) -> String {
    format!("{} s", limit.as_secs_f64())
}

#[cfg(test)]
#[path = "submit_tests.rs"]
mod tests;
