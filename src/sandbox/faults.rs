//! The switches: every one changes what the desk or the mail provider does, and tells nobody.

use super::Error;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::sync::watch;

/// Bits of the queues that a switch touches: Support, Billing, Sales.
const EVERY: u8 = 0b111;
/// Only the first queue: the one whose mailbox breaks while the others go on.
const FIRST: u8 = 0b001;
/// The addresses that are aliases of the main one.
const ALIASES: u8 = 0b110;
/// Every queue, and not to be narrowed to one: what breaks serves all of them.
const WHOLE: u8 = 0b1000_0111;

macro_rules! switches {
    ($($name:ident, $id:literal, $scope:expr, $what:literal;)*) => {
        /// One switch; the ids are those of the fault catalogue where it has the fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Fault { $(#[doc = $what] $name,)* }

        const ALL: &[Fault] = &[$(Fault::$name,)*];
        const SCOPES: &[u8] = &[$($scope,)*];
        const LIST: &[(&str, &str)] = &[$(($id, $what),)*];
    };
}

switches! {
    PollerHung, "poller-hung", FIRST, "the poller of one intake mailbox (Support) stops fetching";
    DeskWorkerDown, "desk-worker-down", WHOLE, "no background job of the desk runs: no fetching, no acknowledgement, no outgoing mail; the API answers";
    FetchedNotTicketed, "fetched-not-ticketed", EVERY, "mail is fetched and marked as read, and no ticket is made";
    DeskSpamView, "desk-spam-view", EVERY, "new tickets are put into the suspended view, cause 'detected as spam'";
    ForwarderLost, "forwarder-lost", FIRST, "the published address (support@) is accepted and forwarded nowhere; the desk's own address works";
    DefaultQueueInstead, "default-queue-instead", EVERY, "every new ticket goes to the default queue, Support";
    RuleOrderWins, "rule-order-wins", EVERY, "a second rule moves each new ticket to another queue";
    Mojibake, "mojibake", EVERY, "subjects and texts are decoded as Latin-1 whatever their charset";
    HtmlEscapedTwice, "html-escaped-twice", EVERY, "text and HTML of incoming mail are escaped once more before they are stored";
    AttachmentDroppedIn, "attachment-dropped-in", EVERY, "the last attachment of an incoming mail is dropped";
    CreatedInTheFuture, "created-in-the-future", WHOLE, "the API gives times of creation two hours ahead";
    DoubleFetchDuplicates, "double-fetch-duplicates", EVERY, "two pollers fetch the same mailbox: a new mail becomes two tickets";
    AckConditionBroken, "ack-condition-broken", WHOLE, "the rule that acknowledges matches nobody";
    AckPlaceholderRaw, "ack-placeholder-raw", WHOLE, "the acknowledgement's variables are not filled in";
    ReplyStaysInternal, "reply-stays-internal", WHOLE, "an agent's reply is stored as an internal note and not mailed";
    ReplyFailsUnnoticed, "reply-fails-unnoticed", WHOLE, "the mail server refuses agents' replies; the message carries the failure, nobody is told";
    ReplyWithAttachmentLost, "reply-with-attachment-lost", WHOLE, "agents' replies leave without their attachments";
    ReplySentManyTimes, "reply-sent-many-times", WHOLE, "an agent's reply is delivered four times";
    ReturnInSpam, "return-in-spam", WHOLE, "the customer's provider puts agents' replies into Junk";
    ReturnNotThreaded, "return-not-threaded", WHOLE, "agents' replies carry neither In-Reply-To nor References";
    ReplyFromNoreply, "reply-from-noreply", WHOLE, "agents' replies come from a noreply address without Reply-To";
    FollowUpOpensNewTicket, "follow-up-opens-new-ticket", EVERY, "the desk ignores threading headers and subject tags of incoming mail";
    ClosedNotReopened, "closed-not-reopened", WHOLE, "a follow-up to a closed ticket is stored and the ticket stays closed";
    AnswerQuotedOut, "answer-quoted-out", EVERY, "the visible text of an answer that quotes is cut away altogether";
    MxRejectsAlias, "mx-rejects-alias", ALIASES, "the desk's mail server answers 550 5.1.1 for all published addresses but support@";
    MxGreylists, "mx-greylists", EVERY, "the desk's mail server defers mail of each new pair of sender and recipient with 451 for half a minute";
    MxCertExpired, "mx-cert-expired", WHOLE, "the desk's mail server offers STARTTLS with a certificate that expired three days ago";
    MergedIntoStrangersTicket, "merged-into-strangers-ticket", EVERY, "a follow-up is appended to the newest ticket of somebody else";
    FirstMailMerged, "first-mail-merged", EVERY, "a first mail is appended to the newest ticket of somebody else";
    NoteLeaks, "note-leaks", WHOLE, "internal notes are mailed to the customer";
    MonSendQuota, "mon-send-quota", WHOLE, "the customer's submission server answers 550 5.4.5 after the data";
    MonUidvalidity, "mon-uidvalidity", WHOLE, "the customer's mailboxes get a new UIDVALIDITY and UIDs from 1: at once, and before every third delivery";
    MonIdleDead, "mon-idle-dead", WHOLE, "the customer's IMAP server accepts IDLE and never notifies";
    DeletedComesBack, "deleted-comes-back", WHOLE, "the mail of a deleted ticket is imported again by a later poll";
    CloseSendsNotice, "close-sends-notice", WHOLE, "closing a ticket mails a notice to the customer";
    SubmissionDown, "submission-refused", WHOLE, "the customer's submission server greets with 554 and takes nothing";
    IndexLag, "mon-index-lag", WHOLE, "the search of the API finds a ticket only six seconds after it was made; the list has it at once";
    SmallPages, "mon-first-page-only", WHOLE, "the API gives two tickets a page, its search is a minute behind, and each new ticket is followed by three of strangers";
    AutomatedIgnored, "mon-probe-looks-automated", EVERY, "the customer's provider marks all mail as a machine's, and the desk suspends or drops such mail";
    StaleMatch, "mon-stale-match", WHOLE, "the customer's provider delivers mails of closed tickets again while a new request waits";
    TokenInQuote, "mon-token-in-quote", WHOLE, "the desk's mails quote all that went before, and a stranger's automatic mail quotes the request";
    TooFast, "mon-too-fast-missed", WHOLE, "everything happens at once: the acknowledgement is there before the request is answered with 250";
    GreenWhenSendFails, "mon-green-when-send-fails", WHOLE, "the customer's submission server takes nothing, hour by hour";
    OwnResponderLoops, "mon-own-responder-loops", WHOLE, "the customer's provider answers every mail by itself, acknowledgements too";
    BlocksProbe, "mon-desk-blocks-probe", EVERY, "a sender's second and later new tickets are suspended, cause 'detected as email loop'";
    CharsetCrashesImport, "charset-crashes-import", EVERY, "mail with a part in another charset than UTF-8 or ASCII is fetched and lost";
    AliasNotRecognised, "alias-not-recognised", EVERY, "mail whose first To is not the address of the queue is fetched and ignored";
    IntakeJunkNotPolled, "intake-junk-not-polled", EVERY, "mail is filed into the Junk folder of the intake mailbox, where no poller looks";
    DmarcFailSuspended, "dmarc-fail-suspended", EVERY, "mail that came through a published address is suspended, cause 'failed email authentication'";
    OversizeDiscarded, "oversize-discarded", EVERY, "mail of more than 10 MB is fetched and lost";
    EmptySubjectLost, "empty-subject-lost", EVERY, "mail without a subject is fetched and lost";
    EmptyBodyJamsIntake, "empty-body-jams-intake", EVERY, "the poller stands still at a mail without text";
    IntakeBacklog, "intake-backlog", EVERY, "mail waits before it is fetched, each one longer than the one before";
    IntakeOauthExpired, "intake-oauth-expired", FIRST, "the desk's login at one intake mailbox (Support) is refused: invalid_grant";
    FetchNotScheduled, "fetch-not-scheduled", FIRST, "the mail of one intake mailbox (Support) is fetched only when somebody opens the page for agents";
    SubjectBreaksHeaders, "subject-encoding-breaks-headers", EVERY, "a subject is cut at its first special character, the rest stands in the text";
    AckNotForForwarded, "ack-not-for-forwarded", EVERY, "only mail to the desk's own address is acknowledged, not mail to the published one";
    AckSuppressedForClass, "ack-suppressed-for-class", EVERY, "senders of one class (the first account) are not acknowledged";
    AckLoop, "ack-loop", WHOLE, "every incoming mail is acknowledged, follow-ups and automatic ones too";
    ReplyToLastWriter, "reply-to-last-writer", EVERY, "another customer writes into each new ticket, and agents' replies go to him";
    ReturnDkimMissing, "return-dkim-missing", WHOLE, "the desk's mail is not signed any more; the customer's provider puts it into Junk";
    OwnFirstMail, "reply-to-own-first-mail", WHOLE, "the desk forgets the Message-IDs of customers' mails";
    ReplyToAckOpensTicket, "reply-to-ack-opens-ticket", EVERY, "an answer to an acknowledgement opens a new ticket";
    MovedTicketSplits, "moved-ticket-splits", EVERY, "a follow-up is looked for only in the queue that fetched it";
    ClosedRefuses, "closed-refuses", EVERY, "a follow-up to a closed ticket opens a new one";
    OooClosesTicket, "ooo-closes-ticket", WHOLE, "an automatic mail of the customer closes the ticket";
    PlusTagLost, "plus-tag-lost", EVERY, "the desk's mail server refuses sub-addresses (support+tag@) with 550 5.1.1";
    OutboundRefused, "outbound-refused", WHOLE, "the mail server refuses all mail of the desk, acknowledgements too";
    DeskApiThrottled, "desk-throttled", WHOLE, "every second call of the desk's API answers 429 with Retry-After";
    DeskApiDown, "desk-api-down", WHOLE, "every call of the desk's API answers 503";
    DeskLoginRefused, "desk-login-refused", WHOLE, "every call of the desk's API answers 401";
    MailboxLoginRefused, "mailbox-login-refused", WHOLE, "the customer's IMAP server refuses every login and drops open sessions";
    FormDoesNotLoad, "form-does-not-load", WHOLE, "the form's configuration answers 401 and the contact page says 'not authorized' instead of its fields";
    FormCorsRefused, "form-cors-refused", WHOLE, "the form's endpoint answers 500 without cross-origin headers to whatever another site's page submits";
    FormContractChanged, "form-contract-changed", WHOLE, "the form's server demands a fingerprint that no form sends, and the hidden token has another name";
    FormCaptchaExpired, "form-captcha-expired", WHOLE, "the form refuses tokens that are older than two seconds or were used before, as a captcha does";
    FormSubmit500, "form-submit-500", WHOLE, "submitting the form answers 500";
    FormConsentAdded, "form-consent-added", WHOLE, "the form has a new required field: consent";
    FormMovedElsewhere, "form-moved-elsewhere", WHOLE, "the form is submitted to another host, where nobody answers";
    HoneypotFalseSuccess, "honeypot-false-success", WHOLE, "the form says thanks and discards the request";
    FormReplytoIgnored, "form-replyto-ignored", WHOLE, "the desk takes the sender of form mail, noreply@, as the requester";
    FormConfirmationMissing, "form-confirmation-missing", WHOLE, "requests by form are not acknowledged by mail";
    ChatFrameRefused, "chat-frame-refused", WHOLE, "the chat's frame forbids every page to embed it";
    ChatNotOffered, "chat-not-offered", WHOLE, "no agent is there, and the chat says so";
    ChatOfferedWithNoAgent, "chat-offered-with-no-agent", WHOLE, "no agent is there, and the chat is offered nevertheless";
    ChatThrottled, "chat-throttled", WHOLE, "beginning a conversation answers 429 with Retry-After";
    ChatPrechatDeadEnd, "chat-prechat-dead-end", WHOLE, "a visitor who has a closed conversation cannot begin another: nothing happens";
    ChatOfflineNoteNowhere, "chat-offline-note-nowhere", WHOLE, "no agent is there, and messages left for later are taken and discarded";
    ChatWaitingNotShown, "chat-waiting-not-shown", WHOLE, "agents' screens are not told of a new conversation; the list has it";
    BotNeverHandsOver, "bot-never-hands-over", WHOLE, "a bot has every conversation, promises a person and keeps it";
    BotTalksOverAgent, "bot-talks-over-agent", WHOLE, "the bot goes on answering after an agent has taken over";
    ChatAttachmentNotTransferred, "chat-attachment-not-transferred", WHOLE, "the links of files in a chat answer 404, for visitors and agents";
    ChatConnectedNoFanout, "chat-connected-no-fanout", WHOLE, "lines are stored and pushed to nobody; every socket stays open";
    ChatAgentLineInvisible, "chat-agent-line-invisible", WHOLE, "agents' lines never reach the visitor, neither pushed nor in the history";
    ChatHistoryLostOnReturn, "chat-history-lost-on-return", WHOLE, "a visitor who comes back is not given the conversation again";
    ChatSocketSilent, "chat-socket-silent", WHOLE, "sockets, event streams and long polls are accepted and never answered";
    ChatSocketDrops, "chat-socket-drops", WHOLE, "every socket and event stream is closed after three seconds; a new one works";
    OkGreylisted, "ok-greylisted", EVERY, "the desk's mail server defers mail of each new pair of sender and recipient for some seconds";
    OkSubjectTag, "ok-subject-tag", WHOLE, "the desk tags the subjects of all mail, in and out";
    OkMaintenance, "ok-maintenance", WHOLE, "the desk's API answers 503 with Retry-After for some seconds";
    OkAgentMovedIt, "ok-agent-moved-it", EVERY, "an agent moves each new ticket to another queue after a while";
    OkIndexLag, "ok-index-lag", WHOLE, "the search of the API finds a ticket only after a minute; the list has it at once";
    OkReencoded, "ok-reencoded", WHOLE, "relays turn quoted-printable into base64, all else into quoted-printable, and wrap lines anew";
    OkClosingNotice, "ok-closing-notice", WHOLE, "closing a ticket mails a survey to the customer";
    OkBranding, "ok-branding", WHOLE, "the desk's mails have a logo, a legal text, and links that are counted";
    OkForeignMail, "ok-foreign-mail", WHOLE, "newsletters and strangers' mails come into the customers' mailboxes";
    OkProviderThrottle, "ok-provider-throttle", WHOLE, "the customer's submission server refuses mail for now: too many";
    OkCertRotated, "ok-cert-rotated", WHOLE, "the desk's mail server has a new, valid certificate";
    OkPolicyClosed, "ok-policy-closed", EVERY, "by the desk's policy a follow-up to a closed ticket opens a new one";
    OkIdleDrop, "ok-idle-drop", WHOLE, "the customer's IMAP server drops every IDLE after two seconds";
    OkOneSlowRun, "ok-one-slow-run", EVERY, "one mail waits five seconds before it is fetched, the others do not";
}

impl Fault {
    fn id(self) -> &'static str {
        LIST[self as usize].0
    }
}

/// Every switch: its id and what it does.
pub fn faults() -> &'static [(&'static str, &'static str)] {
    LIST
}

/// Which switches are on, and for which queues.
#[derive(Debug)]
pub(crate) struct Switches {
    on: Vec<AtomicU8>,
    changed: watch::Sender<u64>,
}

impl Switches {
    pub(crate) fn new() -> Switches {
        Switches { on: ALL.iter().map(|_| AtomicU8::new(0)).collect(), changed: watch::Sender::new(0) }
    }

    /// True when the switch is on for any queue.
    pub(crate) fn on(&self, fault: Fault) -> bool {
        self.on[fault as usize].load(Ordering::Relaxed) != 0
    }

    /// True when the switch is on for the queue with this index.
    pub(crate) fn hits(&self, fault: Fault, queue: usize) -> bool {
        self.on[fault as usize].load(Ordering::Relaxed) & (1 << queue.min(7)) != 0
    }

    /// Turns one switch. `id` is a fault's id, or `ID@QUEUE` (`poller-hung@billing`) for another queue than the
    /// switch's own choice.
    ///
    /// # Errors
    /// When there is no such switch or queue, and when the switch cannot be turned for one queue alone.
    pub(crate) fn set(&self, id: &str, on: bool, queues: &[&str]) -> Result<Fault, Error> {
        let (name, queue) = id.split_once('@').map_or((id, None), |(n, q)| (n, Some(q)));
        let fault = ALL.iter().copied().find(|f| f.id() == name).ok_or_else(|| Error::NoSuchFault(id.to_owned()))?;
        let mask = match queue {
            None if on => SCOPES[fault as usize],
            None => u8::MAX,
            Some(_) if SCOPES[fault as usize] == WHOLE => return Err(Error::NotOneQueue(name.to_owned())),
            Some(queue) => {
                let place = queues.iter().position(|q| q.eq_ignore_ascii_case(queue));
                1 << place.ok_or_else(|| Error::NoSuchFault(id.to_owned()))?.min(7)
            }
        };
        let cell = &self.on[fault as usize];
        if on {
            cell.fetch_or(mask, Ordering::SeqCst)
        } else {
            cell.fetch_and(!mask, Ordering::SeqCst)
        };
        self.changed.send_modify(|n| *n += 1);
        Ok(fault)
    }

    /// The ids of the switches that are on.
    pub(crate) fn active(&self) -> Vec<&'static str> {
        ALL.iter().filter(|f| self.on(**f)).map(|f| f.id()).collect()
    }

    /// True when any of these is on for the queue.
    pub(crate) fn any(&self, faults: &[Fault], queue: usize) -> bool {
        faults.iter().any(|f| self.hits(*f, queue))
    }

    /// A receiver that changes whenever a switch is turned.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Returns once `free` holds; asked anew whenever a switch is turned.
    pub(crate) async fn wait_until(&self, free: impl Fn(&Switches) -> bool) {
        let mut turned = self.watch();
        while !free(self) {
            if turned.changed().await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_of_the_fault_matrix_has_its_switch() {
        let rows: toml::Table = toml::from_str(include_str!("../../tests/matrix/expected.toml")).unwrap();
        let known: BTreeSet<&str> = faults().iter().map(|(id, _)| *id).collect();
        assert_eq!(known.len(), faults().len(), "no id stands twice");
        let rows = ["row", "harmless"].iter().flat_map(|kind| rows[*kind].as_array().unwrap());
        let elsewhere = |row: &toml::Value| row.get("proved_by").is_some();
        let wanted: Vec<&str> = rows.filter(|r| !elsewhere(r)).map(|r| r["fault"].as_str().unwrap()).collect();
        assert!(wanted.len() > 90, "{} rows", wanted.len());
        let missing: Vec<&str> = wanted.into_iter().filter(|id| !known.contains(id)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_switch_touches_its_own_queues_unless_one_is_named() {
        let switches = Switches::new();
        let queues = ["Support", "Billing", "Sales"];
        switches.set("poller-hung", true, &queues).unwrap();
        assert!(switches.hits(Fault::PollerHung, 0) && !switches.hits(Fault::PollerHung, 1));
        switches.set("poller-hung@billing", true, &queues).unwrap();
        assert!(switches.hits(Fault::PollerHung, 1));
        assert_eq!(switches.active(), ["poller-hung"]);
        switches.set("poller-hung", false, &queues).unwrap();
        assert!(!switches.on(Fault::PollerHung));
        assert!(switches.set("poller-hung@nowhere", true, &queues).is_err());
        assert!(switches.set("no-such-fault", true, &queues).is_err());
        assert!(matches!(switches.set("desk-api-down@billing", true, &queues), Err(Error::NotOneQueue(_))));
        assert!(!switches.on(Fault::DeskApiDown));
    }
}
