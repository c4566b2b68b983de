//! The catalogue of faults: what each id means and what to do about it; the text of `replypath faults ID`.

use crate::model::{Blame, Severity, Stage};
use serde::Deserialize;
use std::sync::LazyLock;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its id: lower-case words with hyphens.
    pub id: String,
    /// Where it can happen: `email`, `form`, `chat`.
    pub channels: Vec<String>,
    /// The stage at which it shows first.
    pub stage: Stage,
    /// Whose side.
    pub blame: Blame,
    /// How bad for the people who write in.
    pub severity: Severity,
    /// True when private content is exposed or reaches a stranger.
    #[serde(default)]
    pub security: bool,
    /// True for a variation that must not fail a run; it may stand in a note.
    #[serde(default)]
    pub harmless: bool,
    /// A few words for a line in the terminal.
    pub title: String,
    /// What the customer notices.
    pub customer_sees: String,
    /// What usually breaks.
    pub usual_cause: String,
    /// Where to look and what to do.
    pub look_at: String,
    /// What tells it from its look-alikes; may name other ids.
    pub separates: String,
}

#[derive(Deserialize)]
struct Catalogue {
    fault: Vec<Fault>,
}

// Part of the program and read by its tests: it cannot fail at run time.
static ALL: LazyLock<Vec<Fault>> =
    LazyLock::new(|| toml::from_str::<Catalogue>(include_str!("catalogue.toml")).map(|c| c.fault).unwrap_or_default());

/// The entry of that id.
pub fn fault(id: &str) -> Option<&'static Fault> {
    ALL.iter().find(|fault| fault.id == id)
}

/// Every entry: faults in the order of the journey, then our own side's, then the harmless ones.
pub fn all() -> &'static [Fault] {
    &ALL
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const CATALOGUED: &str = "form-does-not-load chat-frame-refused form-cors-refused form-contract-changed form-captcha-expired \
        mx-greylists mx-cert-expired mx-rejects-alias chat-offered-with-no-agent chat-prechat-dead-end poller-hung desk-worker-down \
        intake-oauth-expired fetched-not-ticketed charset-crashes-import alias-not-recognised intake-junk-not-polled desk-spam-view \
        dmarc-fail-suspended forwarder-lost oversize-discarded empty-subject-lost empty-body-jams-intake double-fetch-duplicates \
        honeypot-false-success chat-offline-note-nowhere default-queue-instead rule-order-wins chat-waiting-not-shown \
        bot-never-hands-over form-replyto-ignored mojibake subject-encoding-breaks-headers html-escaped-twice attachment-dropped-in \
        chat-attachment-not-transferred ack-condition-broken ack-not-for-forwarded ack-suppressed-for-class ack-loop \
        ack-placeholder-raw form-confirmation-missing reply-to-last-writer reply-stays-internal note-leaks bot-talks-over-agent \
        reply-fails-unnoticed reply-with-attachment-lost reply-sent-many-times return-in-spam return-dkim-missing \
        return-not-threaded chat-connected-no-fanout chat-agent-line-invisible follow-up-opens-new-ticket reply-to-own-first-mail \
        reply-to-ack-opens-ticket merged-into-strangers-ticket moved-ticket-splits closed-not-reopened closed-refuses \
        ooo-closes-ticket answer-quoted-out chat-history-lost-on-return plus-tag-lost fetch-not-scheduled intake-backlog \
        created-in-the-future deleted-comes-back close-sends-notice mon-stale-match mon-token-in-quote mon-too-fast-missed \
        mon-green-when-send-fails mon-restart-forgets mon-uidvalidity mon-idle-dead mon-index-lag mon-first-page-only \
        mon-send-quota mon-probe-looks-automated mon-desk-blocks-probe mon-own-responder-loops mon-alarm-on-same-path";
    const HARMLESS: &str = "ok-greylisted ok-subject-tag ok-maintenance ok-agent-moved-it ok-index-lag ok-reencoded ok-closing-notice \
        ok-branding ok-foreign-mail ok-provider-throttle ok-cert-rotated ok-policy-closed ok-idle-drop ok-one-slow-run";
    const OURS_OF_MONITOR: &str = "form-page-unreachable form-captcha form-bot-protection form-login-wall form-sender-refused \
        form-probe-incomplete form-needs-browser form-throttled form-page-oversize chat-throttled \
        chat-visitor-refused chat-prechat-changed chat-unreachable chat-visitor-lost browser-missing \
        browser-busy browser-crashed browser-limit-reached browser-session-gone browser-confused \
        mon-no-such-way";
    const OURS: &str = "mailbox-login-refused mailbox-unavailable mailbox-full submission-login-refused submission-unavailable \
        submission-refused desk-api-down desk-login-refused desk-throttled desk-denied desk-contract-broken act-uncertain interrupted \
        budget-exhausted desk-gone reply-not-written cannot-tell reply-from-noreply reply-wrong-sender format-differs requester-wrong priority-wrong tags-missing \
        fields-wrong links-missing no-human-answer promise-broken late-arrival request-lost \
        ticket-vanished created-wrong reply-not-stored reply-marked-automatic \
        form-tls-broken form-submit-500 form-submit-refused form-thanks-missing chat-not-offered \
        chat-widget-down chat-server-error chat-shown-to-stranger chat-socket-silent chat-socket-refused chat-line-not-stored";

    #[test]
    fn every_id_is_there_once_and_no_other() {
        let catalogued: Vec<&str> = CATALOGUED.split_whitespace().collect();
        let harmless: Vec<&str> = HARMLESS.split_whitespace().collect();
        assert_eq!((catalogued.len(), harmless.len()), (84, 14));
        let mut wanted =
            [catalogued, harmless.clone(), OURS_OF_MONITOR.split_whitespace().chain(OURS.split_whitespace()).collect()].concat();
        let mut found: Vec<&str> = all().iter().map(|f| f.id.as_str()).collect();
        wanted.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, wanted);
        for fault in all() {
            assert_eq!(fault.harmless, harmless.contains(&fault.id.as_str()), "{}", fault.id);
            assert_eq!(super::fault(&fault.id), Some(fault));
        }
        assert_eq!(fault("no-such-fault"), None);
    }

    #[test]
    fn the_file_is_read_without_an_error() {
        toml::from_str::<Catalogue>(include_str!("catalogue.toml")).map(|c| c.fault.len()).unwrap();
    }

    #[test]
    fn every_text_says_something_and_fits_its_place() {
        for fault in all() {
            let id = &fault.id;
            assert!(fault.title.chars().count() <= 72 && !fault.title.ends_with('.'), "{id}: title is a line, not a sentence");
            for text in [&fault.customer_sees, &fault.usual_cause, &fault.look_at, &fault.separates] {
                let length = text.chars().count();
                assert!((8..=420).contains(&length), "{id}: {length} characters: {text}");
                assert!(text.ends_with(['.', '?', ')']), "{id}: {text}");
                assert!(!text.contains("  ") && text.trim() == text, "{id}: {text}");
            }
            let channels: BTreeSet<&str> = fault.channels.iter().map(String::as_str).collect();
            assert!(!channels.is_empty() && channels.is_subset(&BTreeSet::from(["email", "form", "chat"])), "{id}: {channels:?}");
            assert_eq!(channels.len(), fault.channels.len(), "{id}");
        }
    }

    #[test]
    fn what_is_private_is_security_and_what_is_ours_never_blames_the_desk() {
        let security: Vec<&str> = all().iter().filter(|f| f.security).map(|f| f.id.as_str()).collect();
        assert_eq!(security, ["reply-to-last-writer", "note-leaks", "chat-shown-to-stranger", "merged-into-strangers-ticket"]);
        for fault in all() {
            if fault.id.starts_with("mon-") {
                assert!(matches!(fault.blame, Blame::Monitor | Blame::Provider), "{}", fault.id);
            }
            if fault.harmless {
                assert_eq!(fault.severity, Severity::Minor, "{}", fault.id);
            }
        }
        // The troubles of the ports: each proves nothing about the desk.
        for id in OURS_OF_MONITOR.split_whitespace().chain(OURS.split_whitespace().take(16)) {
            assert!(matches!(fault(id).unwrap().blame, Blame::Monitor | Blame::Provider), "{id}");
        }
    }

    #[test]
    fn an_id_named_in_a_text_exists() {
        let known: BTreeSet<&str> = all().iter().map(|f| f.id.as_str()).collect();
        let firsts: BTreeSet<&str> = known.iter().filter_map(|id| id.split('-').next()).collect();
        for fault in all() {
            for text in [&fault.usual_cause, &fault.look_at, &fault.separates] {
                for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
                    let parts = word.split('-').count();
                    let looks_like_an_id = parts >= 3 && word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
                    if looks_like_an_id && word.split('-').next().is_some_and(|first| firsts.contains(first)) {
                        assert!(known.contains(word), "{}: {word}", fault.id);
                    }
                }
            }
        }
    }
}
