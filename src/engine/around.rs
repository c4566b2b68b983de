//! Ports to what lies around a run: the desk's intake mailbox, and what else the configuration names.

use super::ports::Trouble;
use crate::model::{Account, ExchangerSight, IntakeSight, Probe, ResultClass, Token};
use async_trait::async_trait;
use jiff::Timestamp;

/// The desk's own intake mailboxes, where the operator grants a look. They are only ever read.
#[async_trait]
pub trait Intakes: Send + Sync {
    /// Looks for a mail by its Message-ID or token, in the inbox first, then in junk, then everywhere. Marks nothing as read.
    /// What could not be read is in the sight itself.
    async fn look(&self, intake: &str, message_id: Option<&str>, token: &Token, since: Timestamp, now: Timestamp) -> IntakeSight;
    /// Signs in, for `doctor`, and says what is there. Changes nothing.
    async fn doctor(&self, intake: &str) -> Result<Vec<String>, Trouble>;
}

/// Names, certificates and reachability as a careful sender sees them.
#[async_trait]
pub trait Exchangers: Send + Sync {
    /// Looks at each mail exchanger: those given (`HOST:PORT`), or those that the DNS names for `domain`.
    async fn look(&self, domain: &str, given: &[String], now: Timestamp) -> Vec<ExchangerSight>;
}

/// No intake mailbox is configured.
pub struct NoIntakes;

#[async_trait]
impl Intakes for NoIntakes {
    async fn look(&self, intake: &str, _: Option<&str>, _: &Token, _: Timestamp, now: Timestamp) -> IntakeSight {
        IntakeSight {
            at: now,
            place: None,
            folder: String::new(),
            unread_before: 0,
            shared_login_refused: false,
            trouble: Some(no_intake(intake)),
        }
    }

    async fn doctor(&self, intake: &str) -> Result<Vec<String>, Trouble> {
        Err(Trouble::new(ResultClass::Unavailable, "mailbox-unavailable", no_intake(intake)))
    }
}

/// What is said of an intake mailbox that nobody configured.
pub fn no_intake(intake: &str) -> String {
    format!("no intake mailbox {intake:?} is configured")
}

/// Nothing is looked at.
pub struct NoExchangers;

#[async_trait]
impl Exchangers for NoExchangers {
    async fn look(&self, _: &str, _: &[String], _: Timestamp) -> Vec<ExchangerSight> {
        Vec::new()
    }
}

/// What the configuration names: for controls, which write from other accounts and run other probes.
pub trait Directory: Send + Sync {
    /// The account of that key.
    fn account(&self, key: &str) -> Option<Account>;
    /// The probe of that name.
    fn probe(&self, name: &str) -> Option<Probe>;
}

/// A directory that never changes.
#[derive(Default)]
pub struct FixedDirectory {
    /// By key.
    pub accounts: std::collections::BTreeMap<String, Account>,
    /// By name.
    pub probes: std::collections::BTreeMap<String, Probe>,
}

impl Directory for FixedDirectory {
    fn account(&self, key: &str) -> Option<Account> {
        self.accounts.get(key).cloned()
    }

    fn probe(&self, name: &str) -> Option<Probe> {
        self.probes.get(name).cloned()
    }
}
