//! What could have misled a monitor and did not: told in the run's notes with the id of the catalogue's row, each only when
//! it happened in this run.

use super::Parts;
use super::journey::Journey;
use crate::model::{ActKind, ActState, Looked, Outcome, Source, Stage, Ticket};
use jiff::{SignedDuration, Timestamp};

/// Remarks of listeners that are kept for the runs that wait.
const MOST: usize = 512;
/// Clocks of desk and monitor need not agree to the second.
const SKEW: SignedDuration = SignedDuration::from_secs(2);
/// Mail that is there so soon is easily taken for older than the request.
const FAST: SignedDuration = SignedDuration::from_millis(300);

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
    /// Notes what the listener of the run's mailbox had to get over since the run began.
    pub(super) fn note_listener(&mut self) {
        let (account, started) = (self.run.probe.account.clone(), self.run.started);
        let remarks: Vec<Remark> = {
            let remarks = self.parts.remarks.lock().unwrap_or_else(|e| e.into_inner());
            remarks.iter().filter(|r| r.account == account && r.at >= started).cloned().collect()
        };
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
