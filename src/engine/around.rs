//! Ports to what lies around a run: the desk's intake mailbox, and what else the configuration names.

use crate::model::{Account, IntakeSight, Probe, Token};
use async_trait::async_trait;
use jiff::Timestamp;

/// The desk's own intake mailboxes, where the operator grants a look. They are only ever read.
#[async_trait]
pub trait Intakes: Send + Sync {
    /// Looks for a mail by its Message-ID or token, in the inbox first, then in junk, then everywhere. Marks nothing as read.
    /// What could not be read is in the sight itself.
    async fn look(&self, intake: &str, message_id: Option<&str>, token: &Token, since: Timestamp, now: Timestamp) -> IntakeSight;
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
            trouble: Some(format!("no intake mailbox {intake:?} is configured")),
        }
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
