//! What could have misled a monitor and did not: told in the run's notes with the id of the catalogue's row, each only when
//! it happened in this run.

use super::Parts;
use super::journey::Journey;
use crate::model::{
    ActKind, ActState, Author, Channel, Looked, Observation, Outcome, ReceivedMail, ResultClass, SeenMail, Source, Stage, Ticket,
    TicketMessage,
};
use jiff::{SignedDuration, Timestamp};

/// Remarks of listeners that are kept for the runs that wait.
const MOST: usize = 512;
/// Clocks of desk and monitor need not agree to the second.
const SKEW: SignedDuration = SignedDuration::from_secs(2);
/// Mail that is there so soon is easily taken for older than the request.
const FAST: SignedDuration = SignedDuration::from_millis(300);

/// The kind of a remark on automatic mail that no run under way owns; its text is the sender's address.
pub(super) const STALE: &str = "stale";

/// Something about a listener.
#[derive(Debug, Clone)]
pub(super) struct Remark {
    account: String,
    at: Timestamp,
    kind: &'static str,
    text: String,
}

impl Parts {
    /// Keeps what a listener says of itself.
    pub(super) fn remark(&self, account: &str, kind: &'static str, text: &str) {
        let mut remarks = self.remarks.lock().unwrap_or_else(|e| e.into_inner());
        if remarks.len() >= MOST {
            remarks.pop_front();
        }
        remarks.push_back(Remark { account: account.to_owned(), at: self.clock.now(), kind, text: text.to_owned() });
    }
}

impl Journey<'_> {
    /// The domains of the desk as far as this run knows them, lower case.
    fn desk_domains(&self) -> Vec<String> {
        let probe = &self.run.probe;
        let written: Vec<&String> = match &probe.channel {
            Channel::Email(email) => email.to.iter().chain(&email.bcc).chain(&email.system).collect(),
            Channel::Form(_) | Channel::Chat(_) => Vec::new(),
        };
        let known = probe.expect.from.iter().chain(&probe.expect.reply_to).chain(&self.run.senders);
        written.into_iter().chain(known).filter_map(|address| domain(address)).collect()
    }

    /// An address in a domain of the desk.
    fn is_from_the_desk(&self, address: &str) -> bool {
        domain(address).is_some_and(|d| self.desk_domains().contains(&d))
    }

    /// Mail from elsewhere that names no message of this run and holds its tokens in quoted text alone: somebody else's,
    /// who was written to as well or got it forwarded.
    pub(super) fn is_quote_of_stranger(&self, mail: &ReceivedMail) -> bool {
        let known = self.desk_domains();
        let named: Vec<&String> = mail.in_reply_to.iter().chain(&mail.references).chain(&mail.message_id).collect();
        let ours = self.run.all_ids();
        let tokens = self.tokens();
        !known.is_empty()
            && mail.bounce.is_none()
            && !named.iter().any(|id| ours.contains(id))
            && domain(&mail.from).is_none_or(|d| !known.contains(&d))
            && !crate::check::same_address(&mail.from, &self.run.address)
            && tokens.iter().any(|t| mail.tokens.contains(t))
            && !tokens.iter().any(|t| mail.new_tokens.contains(t))
    }

    /// Mail from our own address in the ticket that this run did not write: a responder of the account's own answers the
    /// desk. Whatever follows from it proves nothing against the desk.
    pub(super) fn judge_own_responder(&mut self, ticket: &Ticket, messages: &[TicketMessage]) {
        let Some(ours) = domain(&self.run.address).filter(|_| self.run.chat.is_none()) else { return };
        let (own, tokens) = (self.own_ids(), self.tokens());
        let from_us =
            |m: &&TicketMessage| m.author == Some(Author::Customer) && m.message_id.as_deref().and_then(domain).is_some_and(|d| d == ours);
        let told = |m: &&TicketMessage| tokens.iter().any(|t| t.is_in(&m.text) || m.html.as_deref().is_some_and(|h| t.is_in(h)));
        let strange = |m: &&TicketMessage| !told(m) && m.message_id.as_ref().is_none_or(|id| !own.contains(id));
        let all = messages.iter().filter(from_us).count();
        let unknown = messages.iter().filter(from_us).filter(strange).count();
        let written = self.run.acts.iter().filter(|a| matches!(a.kind, ActKind::Send | ActKind::FollowUp)).count();
        if unknown == 0 || all <= written {
            return;
        }
        let stages = [Stage::Acknowledge, Stage::Reply, Stage::Return];
        let Some(stage) = stages.into_iter().find(|s| self.takes(*s)) else { return };
        let place = format!("ticket {}", ticket.reference.number);
        let seen = Observation::new(self.now(), Some(stage), Source::Desk, place, "mail of our address that is not ours", Looked::Found);
        self.observe(seen.class(ResultClass::Ok).fact("messages", unknown));
        let found = "mail from it that the run did not write stands in the ticket";
        self.check(stage, "own address", Outcome::Unknown, "only the run writes from its address", found);
        self.overrule(stage, "mon-own-responder-loops");
        // An answer to the responder's mail hangs on that mail.
        if self.outcome(Stage::Return) == Some(Outcome::Fail) {
            self.overrule(Stage::Return, "mon-own-responder-loops");
        }
    }

    /// Notes what the listener of the run's mailbox had to get over since the run began.
    pub(super) fn note_listener(&mut self) {
        let (account, started) = (self.run.probe.account.clone(), self.run.started);
        let remarks: Vec<Remark> = {
            let remarks = self.parts.remarks.lock().unwrap_or_else(|e| e.into_inner());
            remarks.iter().filter(|r| r.account == account && r.at >= started).cloned().collect()
        };
        if remarks.iter().any(|r| r.kind == STALE && self.is_from_the_desk(&r.text)) {
            self.note("automatic mail of the desk that belongs to no run under way was ignored (mon-stale-match)");
        }
        let position = self.run.position;
        let renumbered = |m: &SeenMail| {
            m.mail.key.folder.eq_ignore_ascii_case("INBOX") && position.is_some_and(|p| p.uidvalidity != m.mail.key.uidvalidity)
        };
        if self.run.mails.iter().any(renumbered) {
            self.note("the inbox was numbered anew meanwhile (UIDVALIDITY); its mail was found by its marks (mon-uidvalidity)");
        }
        for (kind, row) in [("uidvalidity-changed", "mon-uidvalidity"), ("idle-dead", "mon-idle-dead")] {
            if let Some(remark) = remarks.iter().find(|r| r.kind == kind) {
                self.note(format!("{} ({row})", remark.text));
            }
        }
    }

    /// Notes mail of the desk that was there when the provider had hardly taken the request.
    pub(super) fn note_fast_mail(&mut self) {
        let sent = self.run.acts.iter().find(|a| a.kind == ActKind::Send).and_then(|a| a.result);
        let first = self.run.mails.iter().filter(|m| m.role.is_from_desk()).map(|m| m.seen).min();
        if let (Some(sent), Some(first)) = (sent, first)
            && first <= sent + FAST
        {
            let millis = first.duration_since(sent).as_millis();
            self.note(format!("mail of the desk came {millis} ms after the request was taken, and was matched (mon-too-fast-missed)"));
        }
    }

    /// Notes that nothing was tested because nothing left.
    pub(super) fn note_unsent(&mut self) {
        let refused = matches!(self.act(ActKind::Send, ""), Some(ActState::Failed(_)));
        if refused && self.outcome(Stage::Send) == Some(Outcome::Unknown) {
            self.note("nothing was sent, so nothing after it was tested: no stage counts as well (mon-green-when-send-fails)");
        }
    }

    /// Notes that the desk's search did not know a ticket that was there already.
    pub(super) fn note_late_search(&mut self, ticket: &Ticket) {
        let Some(created) = ticket.created.filter(|c| *c >= self.run.started - SKEW) else { return };
        let missed = |o: &&crate::model::Observation| {
            o.stage == Some(Stage::Land) && o.source == Source::Desk && o.result == Looked::Empty && o.place == "view normal"
        };
        let last = self.run.observations.iter().filter(missed).map(|o| o.at).max();
        if let Some(last) = last.filter(|at| *at > created + SKEW) {
            let seconds = last.duration_since(created).as_secs();
            self.note(format!("the desk's search did not know the ticket for {seconds} s after it was made (mon-index-lag)"));
        }
    }
}

/// What stands behind the `@`, lower case.
fn domain(address: &str) -> Option<String> {
    address.trim().rsplit_once('@').map(|(_, d)| d.to_ascii_lowercase())
}
