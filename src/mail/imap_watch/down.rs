//! A mailbox that cannot be reached: since when, when it is tried again, and whether new settings change that.

use crate::mail::imap_session::Refusal;
use crate::model::ServerSettings;
use secrecy::ExposeSecret;
use std::hash::{BuildHasher, Hasher};
use std::time::Instant;

/// Trouble that goes on.
pub(super) struct Down {
    pub(super) since: Instant,
    pub(super) retry: Instant,
    pub(super) refusal: Refusal,
}

/// The same server, account and secret.
pub(super) fn same_server(a: &ServerSettings, b: &ServerSettings) -> bool {
    a.host == b.host
        && a.port == b.port
        && a.tls == b.tls
        && a.ca == b.ca
        && a.tls_name == b.tls_name
        && a.user == b.user
        && a.auth == b.auth
        && a.password.expose_secret() == b.password.expose_secret()
}

/// From 0 to 1, different each time: many mailboxes of one server must not come back at the same moment.
pub(super) fn jitter() -> f64 {
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    f64::from((random & 0xFFFF) as u16) / 65_536.0
}
