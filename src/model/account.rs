//! A customer identity and the mail servers behind it.

use super::millis;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// A generic customer: an address at a common mail provider, with its mailbox.
#[derive(Debug, Clone)]
pub struct Account {
    /// The account's key in the configuration.
    pub name: String,
    /// The mail address.
    pub address: String,
    /// The name that stands beside the address.
    pub display_name: String,
    /// Further addresses that deliver into this mailbox.
    pub aliases: Vec<String>,
    /// Where mail is read.
    pub mailbox: MailboxSettings,
    /// Where mail is handed in.
    pub submission: SubmissionSettings,
    /// How many messages this account may send.
    pub budget: Budget,
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// Plain, then STARTTLS, which must succeed.
    Starttls,
    /// No encryption; for loopback and tests.
    None,
}

/// How to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMethod {
    /// SASL PLAIN (RFC 4616); for IMAP the LOGIN command where the server has no PLAIN.
    Plain,
    /// SASL LOGIN (SMTP) or the LOGIN command (IMAP).
    Login,
    /// SASL XOAUTH2 with a bearer token as password.
    Xoauth2,
}

/// One server and how to sign in there.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Protection of the connection.
    pub tls: TlsMode,
    /// A PEM file with the only authorities to trust; none: the system's.
    pub ca: Option<PathBuf>,
    /// The name to expect in the certificate when it is not `host`.
    pub tls_name: Option<String>,
    /// Login name.
    pub user: String,
    /// Password or bearer token.
    pub password: SecretString,
    /// The way to sign in.
    pub auth: AuthMethod,
}

/// The mailbox of an account.
#[derive(Debug, Clone)]
pub struct MailboxSettings {
    /// The IMAP server.
    pub server: ServerSettings,
    /// How often to look when nothing pushes.
    pub poll: Duration,
    /// How often to look into the junk folders while an answer is awaited.
    pub junk_poll: Duration,
}

/// The submission server of an account.
#[derive(Debug, Clone)]
pub struct SubmissionSettings {
    /// The SMTP server. An empty `user` means: without signing in.
    pub server: ServerSettings,
    /// The longest that handing in one message may take.
    pub timeout: Duration,
}

/// At most `count` messages in any `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Messages.
    pub count: u32,
    /// The sliding window, stored in milliseconds.
    #[serde(with = "millis")]
    pub per: Duration,
}

/// Every rate must hold; an empty list is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget(pub Vec<Rate>);

/// A mailbox from which a desk fetches its mail. It is only ever read.
#[derive(Debug, Clone)]
pub struct Intake {
    /// Its key.
    pub name: String,
    /// How to read it.
    pub mailbox: MailboxSettings,
    /// The login is the desk's own: when it is refused, the desk can fetch nothing either.
    pub desk_login: bool,
}
