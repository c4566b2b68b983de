//! A mailbox that cannot be reached: since when, when it is tried again, and whether new settings change that.

use crate::mail::imap_session::Refusal;
use crate::mail::stream::Limits;
use crate::model::ServerSettings;
use secrecy::ExposeSecret;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

/// The longest pause while somebody waits for an answer.
const HURRIED_PAUSE: Duration = Duration::from_secs(2);

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

/// How long to wait before the next connection, before jitter.
pub(super) fn pause(limits: &Limits, lasting: bool, hurry: bool, broken: u32, refused: u32) -> Duration {
    let doubled = |first: Duration, times: u32, most: Duration| first.saturating_mul(1 << times.min(10)).min(most);
    if refused > 0 && lasting {
        // Repeating a wrong password gets accounts locked.
        return doubled(limits.backoff_last, refused - 1, limits.refused_last.max(limits.backoff_last));
    }
    if lasting {
        return limits.backoff_last;
    }
    let pause = doubled(limits.backoff_first, broken, limits.backoff_last);
    if hurry { pause.min(HURRIED_PAUSE) } else { pause }
}

/// From 0 to 1, different each time: many mailboxes of one server must not come back at the same moment.
pub(super) fn jitter() -> f64 {
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    f64::from((random & 0xFFFF) as u16) / 65_536.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_is_tried_ever_more_rarely_and_a_broken_connection_soon() {
        let limits = Limits::default();
        let seconds = |lasting, hurry, broken, refused| pause(&limits, lasting, hurry, broken, refused).as_secs_f64();
        // A wrong password in a hurry is no less wrong.
        let refused: Vec<f64> = (1..=8).map(|n| seconds(true, true, 0, n)).collect();
        assert_eq!(refused, [30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0]);
        assert_eq!((seconds(true, true, 5, 0), seconds(true, false, u32::MAX, u32::MAX)), (30.0, 900.0));
        let broken: Vec<f64> = (0..=8).map(|n| seconds(false, false, n, 0)).collect();
        assert_eq!(broken, [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0]);
        assert_eq!((seconds(false, true, 8, 0), seconds(false, false, u32::MAX, 0)), (2.0, 30.0));
    }
}
