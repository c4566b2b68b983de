//! A holiday notice as the customer's answer: whatever the desk does with it, the ticket's state must be what it was.

use super::follow_up::carries;
use super::journey::{Journey, Walk};
use super::ports::Desk;
use super::reply::Unread;
use crate::model::{ActKind, ActState, Looked, Observation, Outcome, ResultClass, Source, Stage, Ticket, TicketStatus};
use jiff::Timestamp;

const BEFORE: &str = "state before the automatic answer";
const UNCHANGED: &str = "an automatic answer changes nothing";

impl Journey<'_> {
    /// Remembers the ticket's state once, just before the notice is sent. Some: it could not be read yet.
    pub(super) async fn remember_state(&mut self, desk: &dyn Desk) -> Option<Timestamp> {
        if self.state_before().is_some() || self.now() >= self.deadline(Stage::FollowUp) {
            return None;
        }
        match self.read_messages(desk).await {
            Ok((ticket, _)) => {
                let seen = Observation::new(self.now(), Some(Stage::FollowUp), Source::Desk, place(&ticket), BEFORE, Looked::Found);
                self.observe(seen.class(ResultClass::Ok).fact("state", word(&ticket)));
                None
            }
            Err(_) => {
                self.poll_again("follow_up", Stage::FollowUp, false, None);
                Some(self.poll_next("follow_up"))
            }
        }
    }

    fn state_before(&self) -> Option<String> {
        let seen = self.run.observations.iter().find(|o| o.looked_for == BEFORE && o.result == Looked::Found)?;
        seen.facts.get("state").and_then(|s| s.as_str()).map(str::to_owned)
    }

    /// The notice may join the ticket or be thrown away: both are right as long as the state stays.
    pub(super) async fn look_after_notice(&mut self, desk: &dyn Desk) -> Walk<Option<Timestamp>> {
        let last = self.now() >= self.deadline(Stage::FollowUp);
        let (Some(before), Some(token)) = (self.state_before(), self.token(Stage::FollowUp)) else {
            self.check(Stage::FollowUp, "state", Outcome::Unknown, UNCHANGED, "the state before it could not be read");
            self.unknown(Stage::FollowUp, "cannot-tell");
            return Ok(Some(self.now()));
        };
        match self.read_messages(desk).await {
            Ok((ticket, messages)) => {
                self.poll_again("follow_up", Stage::FollowUp, true, None);
                let (after, joined) = (word(&ticket), messages.iter().any(|m| carries(m, &token)));
                if after != before {
                    self.check(Stage::FollowUp, "state", Outcome::Fail, format!("{UNCHANGED}: {before}"), after);
                    self.fail(Stage::FollowUp, &["ooo-closes-ticket"]);
                    return Ok(Some(self.now()));
                }
                if let Some(decided) = self.look_for_second_ticket(desk, &token).await {
                    return decided;
                }
                if self.act(ActKind::FollowUp, "") == Some(&ActState::Uncertain) {
                    if joined {
                        self.set_act(ActKind::FollowUp, "", ActState::FoundDone);
                    } else if last {
                        self.check(Stage::FollowUp, "state", Outcome::Unknown, UNCHANGED, "nobody knows whether it was sent");
                        self.unknown(Stage::FollowUp, "act-uncertain");
                        return Ok(Some(self.now()));
                    }
                }
                // A rule may run a little after the mail was taken in.
                if joined && self.poll_count(SEEN) > 0 || last {
                    let found = if joined { "in the ticket" } else { "not in the ticket, as desks do with automatic mail" };
                    self.check(
                        Stage::FollowUp,
                        "state",
                        Outcome::Pass,
                        format!("{UNCHANGED}: {before}"),
                        format!("{after}; it is {found}"),
                    );
                    self.close(Stage::FollowUp, Outcome::Pass);
                    return Ok(Some(self.now()));
                }
                if joined {
                    self.poll_after(SEEN, true, self.run.probe.settle);
                    let again = self.poll_next(SEEN).min(self.deadline(Stage::FollowUp));
                    self.poll_after("follow_up", true, self.run.probe.settle);
                    return Ok(Some(again));
                }
            }
            Err(unread) => return self.state_unread(unread),
        }
        Ok(Some(self.poll_next("follow_up")))
    }

    fn state_unread(&mut self, unread: Unread) -> Walk<Option<Timestamp>> {
        self.poll_again("follow_up", Stage::FollowUp, false, None);
        if self.now() >= self.grace(Stage::FollowUp) {
            self.unread(Stage::FollowUp, "state", UNCHANGED, unread);
            return Ok(Some(self.now()));
        }
        Ok(Some(self.poll_next("follow_up")))
    }
}

/// Set once the notice was seen in the ticket.
const SEEN: &str = "automatic answer seen";

fn place(ticket: &Ticket) -> String {
    format!("ticket {}", ticket.reference.number)
}

/// The state in the desk's own word, or in ours.
fn word(ticket: &Ticket) -> String {
    let status = ticket.status.map_or("unknown", |s| match s {
        TicketStatus::Closed => "closed",
        _ => "open",
    });
    ticket.status_text.clone().unwrap_or_else(|| status.to_owned())
}
