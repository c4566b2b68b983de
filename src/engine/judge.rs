//! Queue and format: the ticket lies where the right people look, and shows what the customer wrote.

use super::journey::{Journey, Walk};
use super::land::in_words;
use super::ports::{Desk, Trouble};
use super::reply::Unread;
use crate::check;
use crate::model::{Capability, HistoryEntry, Looked, Observation, Outcome, ResultClass, Source, Stage, Ticket, TicketMessage, TicketRef};
use jiff::Timestamp;

/// What a look at the ticket gave.
struct Sight {
    ticket: Ticket,
    messages: Option<Vec<TicketMessage>>,
}

impl Journey<'_> {
    /// Reads the ticket while `queue` or `format` is open. A wrong value may still be put right by a rule, so only the
    /// limit makes it final.
    pub(super) async fn judge_ticket(&mut self) -> Walk<Option<Timestamp>> {
        let open: Vec<Stage> = [Stage::Queue, Stage::Format].into_iter().filter(|s| self.is_open(*s)).collect();
        let (Some(first), Some(reference), Some(desk)) = (open.first().copied(), self.run.ticket.clone(), self.desk()) else {
            return Ok(None);
        };
        let deadline = open.iter().map(|s| self.deadline(*s)).min().unwrap_or_else(|| self.now());
        if !self.poll_due("ticket") {
            return Ok(Some(self.poll_next("ticket")));
        }
        let looked_at = self.now();
        match look(&*desk, &reference).await {
            Ok(Some(sight)) => {
                self.poll_again("ticket", first, true, None);
                self.saw_ticket(first, &sight.ticket);
                self.knows_ids(&sight.ticket, sight.messages.as_deref().unwrap_or_default());
                if self.belongs_to_a_stranger(&sight.ticket) {
                    return Ok(Some(self.now()));
                }
                for stage in open {
                    let final_look = looked_at >= self.deadline(stage);
                    match stage {
                        Stage::Queue if self.waits_for_person(&sight.ticket, final_look).await? => {}
                        Stage::Queue => self.judge_queue(&*desk, &sight.ticket, final_look).await,
                        _ => self.judge_format(&sight, final_look),
                    }
                }
            }
            Ok(None) => {
                self.poll_again("ticket", first, true, None);
                if looked_at >= deadline {
                    for stage in open {
                        self.check(stage, "ticket", Outcome::Fail, "the ticket is still there", "it is gone");
                        self.fail(stage, &["ticket-vanished"]);
                    }
                }
            }
            Err(trouble) => {
                self.poll_again("ticket", first, false, trouble.retry_after);
                self.trouble(first, Source::Desk, &format!("ticket {}", reference.number), "fields", &trouble);
                for stage in open {
                    if self.now() >= self.grace(stage) {
                        self.check(stage, "ticket", Outcome::Unknown, "the ticket can be read", in_words(&trouble));
                        self.unknown(stage, trouble.fault);
                    }
                }
            }
        }
        Ok(Some(self.poll_next("ticket")))
    }

    /// Our request in somebody else's ticket: said at once, since a stranger reads it and gets its answer.
    fn belongs_to_a_stranger(&mut self, ticket: &Ticket) -> bool {
        let Some(have) = ticket.requester.clone() else { return false };
        let want = self.run.probe.expect.requester.clone().unwrap_or_else(|| self.run.address.clone());
        if self.is_requester(ticket, &have) || self.is_forms_own(&have) || !self.is_strangers(ticket) {
            return false;
        }
        let stage = if self.takes(Stage::Format) { Stage::Format } else { Stage::Queue };
        self.check(stage, "requester", Outcome::Fail, want, "somebody else, in a ticket that is not this run's");
        self.fail(stage, &["merged-into-strangers-ticket"]);
        // Nothing more is done to it: every further word of ours would reach the stranger.
        for stage in [Stage::Queue, Stage::Acknowledge, Stage::Reply, Stage::Return, Stage::FollowUp] {
            self.not_reached(stage);
        }
        true
    }

    fn saw_ticket(&mut self, stage: Stage, ticket: &Ticket) {
        self.note_late_search(ticket);
        let mut seen =
            Observation::new(self.now(), Some(stage), Source::Desk, format!("ticket {}", ticket.reference.number), "fields", Looked::Found)
                .class(ResultClass::Ok);
        let fields = [
            ("queue", ticket.queue.clone()),
            ("status", ticket.status_text.clone()),
            ("requester", ticket.requester.clone()),
            ("subject", ticket.subject.clone()),
            ("priority", ticket.priority.clone()),
            ("created", ticket.created.map(|t| t.to_string())),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                seen = seen.fact(name, value);
            }
        }
        self.observe(seen);
    }

    async fn judge_queue(&mut self, desk: &dyn Desk, ticket: &Ticket, final_look: bool) {
        let Some(want) = self.run.probe.expect.queue.clone() else {
            self.check(Stage::Queue, "queue", Outcome::Pass, "any queue", ticket.queue.clone().unwrap_or_default());
            self.close(Stage::Queue, Outcome::Pass);
            return;
        };
        match &ticket.queue {
            Some(have) if have.eq_ignore_ascii_case(&want) => {
                self.check(Stage::Queue, "queue", Outcome::Pass, want, have.clone());
                self.close(Stage::Queue, Outcome::Pass);
            }
            Some(have) if final_look => {
                let moves = self.moves(desk, &ticket.reference).await;
                self.wrong_queue(&want, have, &moves);
            }
            Some(_) => {}
            None if final_look => {
                self.check(Stage::Queue, "queue", Outcome::Unknown, want, "the desk does not tell the queue");
                self.unknown(Stage::Queue, "cannot-tell");
            }
            None => {}
        }
    }

    /// Changes of the queue, from the ticket's history; empty where there is none.
    pub(super) async fn moves(&mut self, desk: &dyn Desk, reference: &TicketRef) -> Vec<HistoryEntry> {
        if !desk.capabilities().contains(&Capability::History) {
            return Vec::new();
        }
        match desk.history(reference).await {
            Ok(entries) => {
                let moves: Vec<HistoryEntry> = entries
                    .into_iter()
                    .filter(|e| e.field.as_deref() == Some("queue") && e.old.as_deref().is_some_and(|o| !o.is_empty()))
                    .collect();
                for entry in &moves {
                    let seen = Observation::new(
                        self.now(),
                        Some(Stage::Queue),
                        Source::Desk,
                        format!("history of {}", reference.number),
                        "queue",
                        Looked::Found,
                    )
                    .fact("who", entry.who.clone())
                    .fact("from", entry.old.clone().unwrap_or_default())
                    .fact("to", entry.new.clone().unwrap_or_default());
                    self.observe(seen);
                }
                moves
            }
            Err(trouble) => {
                self.trouble(Stage::Queue, Source::Desk, &format!("history of {}", reference.number), "queue", &trouble);
                Vec::new()
            }
        }
    }

    /// The ticket is in another queue to the end: a move names the rule, no move the default.
    pub(super) fn wrong_queue(&mut self, want: &str, have: &str, moves: &[HistoryEntry]) {
        if let Some(away) = moves.iter().find(|m| m.old.as_deref().is_some_and(|o| o.eq_ignore_ascii_case(want))) {
            if by_machine(&away.who) {
                self.check(Stage::Queue, "queue", Outcome::Fail, want, format!("{have}; moved there from {want} by {}", away.who));
                self.fail(Stage::Queue, &["rule-order-wins"]);
            } else {
                self.check(Stage::Queue, "queue", Outcome::Pass, want, format!("first {want}, then moved to {have} by {}", away.who));
                self.note(format!("{} moved the ticket from {want} to {have}", away.who));
                self.close(Stage::Queue, Outcome::Pass);
            }
            return;
        }
        self.check(Stage::Queue, "queue", Outcome::Fail, want, have);
        if moves.is_empty() && self.desk().is_some_and(|d| d.capabilities().contains(&Capability::History)) {
            self.fail(Stage::Queue, &["default-queue-instead"]);
        } else if moves.is_empty() {
            self.fail(Stage::Queue, &["default-queue-instead", "rule-order-wins"]);
        } else {
            self.fail(Stage::Queue, &["rule-order-wins"]);
        }
    }

    fn judge_format(&mut self, sight: &Sight, final_look: bool) {
        let mut findings = Findings::default();
        self.fields(&sight.ticket, &mut findings);
        self.content(sight, &mut findings);
        if findings.checks.iter().any(|c| c.1 != Outcome::Pass) && !final_look {
            return;
        }
        self.take_findings(Stage::Format, findings);
    }

    /// Writes checks and decides their stage by them.
    pub(super) fn take_findings(&mut self, stage: Stage, findings: Findings) {
        let bad = findings.checks.iter().any(|c| c.1 == Outcome::Fail);
        let unclear = findings.checks.iter().any(|c| c.1 == Outcome::Unknown);
        for (name, outcome, expected, found) in findings.checks {
            self.check(stage, &name, outcome, expected, found);
        }
        if bad {
            self.fail(stage, &findings.hints);
        } else if unclear {
            self.unknown(stage, "cannot-tell");
        } else {
            self.close(stage, Outcome::Pass);
        }
    }

    fn fields(&self, ticket: &Ticket, out: &mut Findings) {
        let expect = &self.run.probe.expect;
        let requester = expect.requester.clone().unwrap_or_else(|| self.run.address.clone());
        match &ticket.requester {
            Some(have) if self.is_requester(ticket, have) => out.pass("requester", &requester, have),
            Some(have) => out.fail("requester", &requester, have, self.requester_fault(have)),
            None if expect.requester.is_some() => out.unknown("requester", &requester),
            None => {}
        }
        let written = self.run.messages.first().map(|m| m.subject.clone()).unwrap_or_default();
        match &ticket.subject {
            // A chat has no subject.
            _ if written.is_empty() => {}
            Some(have) => match check::compare_subject(&written, have) {
                None => out.pass("subject", &written, have),
                Some(d) => out.fail("subject", &written, &d.found, d.fault),
            },
            None => out.unknown("subject", &written),
        }
        self.optional_field(out, "priority", expect.priority.as_deref(), ticket.priority.as_deref(), "priority-wrong");
        self.optional_field(out, "channel", expect.channel.as_deref(), ticket.channel.as_deref(), "fields-wrong");
        for (name, want) in &expect.fields {
            self.optional_field(out, &format!("field {name}"), Some(want), ticket.fields.get(name).map(String::as_str), "fields-wrong");
        }
        if !expect.tags.is_empty() {
            let want = expect.tags.join(", ");
            match &ticket.tags {
                Some(tags) if expect.tags.iter().all(|t| tags.contains(t)) => out.pass("tags", &want, &tags.join(", ")),
                Some(tags) => out.fail("tags", &want, &tags.join(", "), "tags-missing"),
                None => out.unknown("tags", &want),
            }
        }
        self.created(ticket, out);
    }

    /// A ticket that was there before the run, or that somebody else asked for and that has another subject.
    fn is_strangers(&self, ticket: &Ticket) -> bool {
        let written = self.run.messages.first().map(|m| m.subject.as_str()).unwrap_or_default();
        let older = ticket.created.is_some_and(|c| c < self.run.started - jiff::SignedDuration::from_mins(1));
        let other = ticket.subject.as_deref().is_some_and(|s| check::compare_subject(written, s).is_some());
        older || other
    }

    fn created(&self, ticket: &Ticket, out: &mut Findings) {
        let Some(created) = ticket.created else { return };
        let within = self.run.probe.expect.created_within;
        let landed = self.run.stages.get(&Stage::Land).and_then(|r| r.closed).unwrap_or(self.run.started);
        let latest = crate::clock::after(landed, within);
        let earliest = self.run.started - jiff::SignedDuration::try_from(within).unwrap_or_default();
        let expected = format!("between {earliest:.0} and {latest:.0}");
        if created > latest {
            out.fail("created", &expected, &created.to_string(), "created-in-the-future");
        } else if created < earliest {
            let fault = if self.is_strangers(ticket) && ticket.requester.as_deref().is_some_and(|r| !self.is_requester(ticket, r)) {
                "merged-into-strangers-ticket"
            } else {
                "created-wrong"
            };
            out.fail("created", &expected, &created.to_string(), fault);
        } else {
            out.pass("created", &expected, &created.to_string());
        }
    }

    fn optional_field(&self, out: &mut Findings, name: &str, want: Option<&str>, have: Option<&str>, fault: &'static str) {
        match (want, have) {
            (None, _) => {}
            (Some(want), Some(have)) if have.eq_ignore_ascii_case(want) => out.pass(name, want, have),
            (Some(want), Some(have)) => out.fail(name, want, have, fault),
            (Some(want), None) => out.unknown(name, want),
        }
    }

    fn content(&self, sight: &Sight, out: &mut Findings) {
        let request = self.run.probe.channel.request();
        let Some(token) = self.token(Stage::Send) else { return };
        let written = super::special::readable(&self.run.probe, &self.fill(request.text, &token));
        let Some(messages) = &sight.messages else { return };
        // The customer's own message: the first that carries the token and was not written by an agent or the desk.
        let customers = |m: &&TicketMessage| !matches!(m.author, Some(crate::model::Author::Agent | crate::model::Author::System));
        let first = messages.iter().filter(customers).find(|m| token.is_in(&m.text)).or_else(|| messages.iter().find(customers));
        let Some(first) = first else {
            out.fail("text", &first_line(&written), "the ticket has no message of the customer", "format-differs");
            return;
        };
        match check::compare_text(&written, &first.text) {
            None => out.pass("text", &first_line(&written), "as written"),
            Some(d) => {
                let html_only = request.html.is_some_and(|h| html_wins(&self.fill(h, &token), &first.text));
                if html_only {
                    out.pass("text", &first_line(&written), "the HTML part's text");
                } else {
                    out.fail("text", &first_line(&written), &d.found, d.fault);
                }
            }
        }
        if self.run.probe.expect.attachments && !request.attachments.is_empty() {
            let expected: Vec<_> = request.attachments.iter().map(crate::model::OutgoingAttachment::expected).collect();
            for (name, verdict) in check::compare_attachments(&expected, &self.files_of_request(first, messages)) {
                let check = format!("attachment {name}");
                match verdict {
                    Ok(found) => out.pass(&check, "same bytes", &found),
                    Err(Some(found)) => out.fail(&check, "same bytes", &found, self.file_fault()),
                    Err(None) => out.unknown(&check, "same bytes"),
                }
            }
        }
    }

    /// Reads a ticket just before something is done to it, and proves that it is this run's: it carries one of the
    /// run's tokens and belongs to the identity that the run used. `Err`: why not.
    pub(super) async fn guarded_ticket(&mut self, desk: &dyn Desk, reference: &TicketRef) -> Result<Ticket, Unread> {
        let ticket = match desk.read(reference).await {
            Ok(Some(ticket)) => ticket,
            Ok(None) => return Err(Unread::gone(reference)),
            Err(trouble) => {
                let why = format!("ticket {} could not be read: {}", reference.number, in_words(&trouble));
                return Err(Unread { why, ..Unread::of(&trouble) });
            }
        };
        if !self.run.asked_for(&ticket) {
            let whose = if ticket.requester.is_some() { "belongs to another requester" } else { "does not tell who asked for it" };
            return Err(Unread::not_ours(format!("ticket {} {whose}", reference.number)));
        }
        let tokens = self.tokens();
        if tokens.iter().any(|t| ticket.subject.as_deref().is_some_and(|s| t.is_in(s))) {
            return Ok(ticket);
        }
        match desk.messages(&ticket).await {
            Ok(messages) if messages.iter().any(|m| tokens.iter().any(|t| t.is_in(&m.text))) => Ok(ticket),
            Ok(_) => Err(Unread::not_ours(format!("ticket {} carries no token of this run", reference.number))),
            Err(trouble) => {
                let why = format!("the messages of ticket {} could not be read: {}", reference.number, in_words(&trouble));
                Err(Unread { why, ..Unread::of(&trouble) })
            }
        }
    }
}

async fn look(desk: &dyn Desk, reference: &TicketRef) -> Result<Option<Sight>, Trouble> {
    let Some(ticket) = desk.read(reference).await? else { return Ok(None) };
    let messages = if desk.capabilities().contains(&Capability::Messages) { Some(desk.messages(&ticket).await?) } else { None };
    Ok(Some(Sight { ticket, messages }))
}

/// Checks that are written only once the stage can be decided by them.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) checks: Vec<(String, Outcome, String, String)>,
    pub(super) hints: Vec<&'static str>,
}

impl Findings {
    pub(super) fn pass(&mut self, name: &str, expected: &str, found: &str) {
        self.checks.push((name.to_owned(), Outcome::Pass, expected.to_owned(), found.to_owned()));
    }

    pub(super) fn fail(&mut self, name: &str, expected: &str, found: &str, fault: &'static str) {
        self.checks.push((name.to_owned(), Outcome::Fail, expected.to_owned(), found.to_owned()));
        if !self.hints.contains(&fault) {
            self.hints.push(fault);
        }
    }

    pub(super) fn unknown(&mut self, name: &str, expected: &str) {
        self.unclear(name, expected, "the desk does not tell");
    }

    pub(super) fn unclear(&mut self, name: &str, expected: &str, found: &str) {
        self.checks.push((name.to_owned(), Outcome::Unknown, expected.to_owned(), found.to_owned()));
    }
}

/// Desks that show the HTML part show its words instead of the text part's.
fn html_wins(html: &str, shown: &str) -> bool {
    check::compare_text(&mail_parser::decoders::html::html_to_text(html), shown).is_none()
}

/// A rule, trigger or the system itself, as desks call them.
fn by_machine(who: &str) -> bool {
    let who = who.to_lowercase();
    who.is_empty() || ["system", "rule", "trigger", "automat", "scheduler", "workflow", "rt_system", "bot"].iter().any(|w| who.contains(w))
}

pub(super) fn first_line(text: &str) -> String {
    let line = text.lines().find(|l| !l.trim().is_empty()).unwrap_or("");
    let short: String = line.chars().take(80).collect();
    if short.len() < line.len() { format!("{short}…") } else { short }
}
