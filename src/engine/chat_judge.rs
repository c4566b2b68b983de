//! What the lines of a conversation decide: the greeting, and the agent's answer by push and from the store.

use super::chat::LOOKS;
use super::journey::{Journey, Walk};
use super::judge::{Findings, first_line};
use super::land::LastLook;
use super::ports::Trouble;
use super::ways::Push;
use crate::check;
use crate::clock::after;
use crate::model::{ActKind, Attachment, ChatLine, Outcome, OutgoingAttachment, ReplyMode, ResultClass, Speaker, Stage};
use jiff::Timestamp;
use std::time::Duration;

const TEMPLATE: &str = "template filled in";
const FILLED: &str = "no raw template variable";

impl Journey<'_> {
    pub(super) fn lines(&self) -> &[ChatLine] {
        self.run.chat.as_ref().map_or(&[], |c| &c.lines)
    }

    /// True for a line that a person of the desk said, or replypath as one.
    pub(super) fn is_answer(&self, line: &ChatLine) -> bool {
        match (self.run.probe.reply.mode, self.token(Stage::Reply)) {
            (ReplyMode::Post, Some(token)) => !matches!(line.speaker, Some(Speaker::Visitor | Speaker::Bot)) && token.is_in(&line.text),
            (ReplyMode::Post, None) if self.run.probe.desk.is_some() => false,
            // A person's answer has no token, and without a desk only a person can answer.
            (ReplyMode::Post, None) | (ReplyMode::Await, _) => line.speaker == Some(Speaker::Agent),
        }
    }

    /// The agent's answer as the visitor has it.
    pub(super) fn answer_line(&self) -> Option<&ChatLine> {
        self.lines().iter().find(|l| self.is_answer(l))
    }

    /// Greetings, confirmations and what a bot says: whatever came from the desk and is no answer.
    pub(super) fn greetings(&self) -> Vec<&ChatLine> {
        let own = self.tokens();
        let posts = self.run.probe.reply.mode == ReplyMode::Post;
        let greets = |l: &&ChatLine| match l.speaker {
            Some(Speaker::Bot | Speaker::System) => true,
            Some(Speaker::Visitor) => false,
            // Some desks greet in the name of an agent, and some do not say who speaks.
            Some(Speaker::Agent) => posts && !self.is_answer(l),
            None => !own.iter().any(|t| t.is_in(&l.text)),
        };
        self.lines().iter().filter(greets).collect()
    }

    /// Decides what the lines seen so far decide; after the last look for `last` that stage's is final.
    pub(super) async fn judge_lines(&mut self, last: Option<Stage>) {
        if self.is_open(Stage::Acknowledge) && self.by_chat(Stage::Acknowledge) {
            self.judge_greeting(last == Some(Stage::Acknowledge));
        }
        if self.is_open(Stage::Return) && self.by_chat(Stage::Return) {
            self.judge_answer_line(last == Some(Stage::Return)).await;
        }
        self.judge_bot();
    }

    fn judge_greeting(&mut self, final_look: bool) {
        let stage = Stage::Acknowledge;
        let lines: Vec<String> = self.greetings().iter().map(|l| l.text.clone()).collect();
        let want = self.run.probe.expect.acknowledge_text.clone();
        let fits = lines.iter().find(|l| want.as_ref().is_none_or(|w| check::compare_text(w, l).is_none()));
        let Some(line) = fits.or_else(|| lines.first().filter(|_| final_look)) else { return };
        let mut hints: Vec<&str> = Vec::new();
        self.check(stage, "greeting", Outcome::Pass, "a greeting, a bot or a confirmation", first_line(line));
        if let Some(want) = want {
            let outcome = if fits.is_some() { Outcome::Pass } else { Outcome::Fail };
            self.check(stage, "text", outcome, want, first_line(line));
            if fits.is_none() {
                hints.push("format-differs");
            }
        }
        if let Some(raw) = self.raw_greeting() {
            self.check(stage, TEMPLATE, Outcome::Fail, FILLED, raw);
            hints.push("ack-placeholder-raw");
        }
        self.conclude(stage, &hints);
    }

    /// The first template variable that stands in a greeting as it was written.
    fn raw_greeting(&self) -> Option<String> {
        self.greetings().iter().find_map(|line| check::raw_placeholder(&line.text))
    }

    /// A bot may be faster than the greeting, which is read then too.
    fn judge_late_greeting(&mut self) {
        let passed = self.by_chat(Stage::Acknowledge) && self.outcome(Stage::Acknowledge) == Some(Outcome::Pass);
        if let Some(raw) = self.raw_greeting().filter(|_| passed) {
            self.check(Stage::Acknowledge, TEMPLATE, Outcome::Fail, FILLED, raw);
            self.fail(Stage::Acknowledge, &["ack-placeholder-raw"]);
        }
    }

    /// The answer is there when it was pushed and is stored; each is judged by itself.
    async fn judge_answer_line(&mut self, final_look: bool) {
        let stage = Stage::Return;
        let Some(line) = self.answer_line().cloned() else { return };
        let mut findings = Findings::default();
        let remark = self.pushed(&line, &mut findings);
        self.stored(&line, &mut findings);
        self.files_of_answer(&mut findings).await;
        if findings.checks.iter().any(|c| c.1 != Outcome::Pass) && !final_look {
            return;
        }
        if let (ReplyMode::Post, Some(token)) = (self.run.probe.reply.mode, self.token(Stage::Reply)) {
            let written = self.fill(&self.run.probe.reply.text, &token);
            match check::compare_text(&written, &line.text) {
                None => findings.pass("text", &first_line(&written), "as the agent wrote it"),
                Some(d) => findings.fail("text", &first_line(&written), &d.found, d.fault),
            }
        }
        if let Some(remark) = remark {
            self.note(remark);
        }
        self.take_findings(stage, findings);
    }

    /// When the answer was written, as far as we know.
    fn answered_at(&self, line: &ChatLine) -> Option<Timestamp> {
        let act = super::ports::act(&self.run, ActKind::Reply, "").map(|a| a.intent);
        act.or(line.at).or(line.stored)
    }

    /// Judges the push path. Some: a remark, where it is not judged.
    fn pushed(&self, line: &ChatLine, out: &mut Findings) -> Option<String> {
        const EXPECTED: &str = "the answer is pushed to the visitor";
        if self.chat().is_none_or(|c| !c.pushed) {
            return None;
        }
        let written = self.answered_at(line);
        if let Some(at) = line.pushed {
            let lag = written.map_or_else(String::new, |w| format!(" {} after it was written", span(w, at)));
            out.pass("pushed", EXPECTED, &format!("pushed{lag}"));
            return None;
        }
        match self.pushes.as_ref().map(|p| &p.0) {
            Some(Push::Open(since)) if written.is_some_and(|at| *since <= at) => {
                let causes = self.causes_without_push();
                out.fail("pushed", EXPECTED, "the connection was open all the time and the answer was not pushed", causes[0]);
                out.hints.extend(causes.into_iter().skip(1));
            }
            // A window that connects again reads the conversation anew: the visitor has it, and by which way nobody knows.
            Some(Push::Open(since)) if line.stored.is_some() => {
                let since = format!("{since:.0}");
                return Some(format!("whether the answer was pushed is not known: the connection was opened anew at {since}"));
            }
            Some(Push::Open(since)) => out.unclear("pushed", EXPECTED, &format!("the connection was opened anew at {since:.0}")),
            Some(Push::Broken(why)) => out.unclear("pushed", EXPECTED, &format!("the push path was broken: {why}")),
            Some(Push::None) => {}
            None => out.unclear("pushed", EXPECTED, "nobody listened"),
        }
        None
    }

    /// Nothing at all is pushed, or nothing in this direction.
    fn causes_without_push(&self) -> Vec<&'static str> {
        if self.pushes_seen() {
            return vec!["chat-agent-line-invisible"];
        }
        if self.silence_seen() { vec!["chat-connected-no-fanout"] } else { vec!["chat-connected-no-fanout", "chat-agent-line-invisible"] }
    }

    /// Something was pushed to somebody in this conversation.
    pub(super) fn pushes_seen(&self) -> bool {
        self.lines().iter().any(|l| is_pushed(l) || l.shown.is_some())
    }

    /// Something else that should have been pushed to visitor or agents was not, although they listened.
    pub(super) fn silence_seen(&self) -> bool {
        let Some((push, agents)) = &self.pushes else { return false };
        let listened = |path: &Push, at: Option<Timestamp>| matches!(path, Push::Open(since) if at.is_some_and(|at| *since <= at));
        let of_desk = |l: &&ChatLine| !self.is_answer(l) && !matches!(l.speaker, Some(Speaker::Visitor) | None);
        let to_visitor = self.lines().iter().filter(of_desk).any(|l| l.pushed.is_none() && listened(push, l.at));
        let said = super::ports::act(&self.run, ActKind::Send, "").map(|a| a.intent);
        let untold = self.lines().iter().all(|l| l.shown.is_none());
        to_visitor || untold && listened(agents, said)
    }

    fn stored(&self, line: &ChatLine, out: &mut Findings) {
        const EXPECTED: &str = "the answer stands in the visitor's conversation after a reload";
        if line.stored.is_some() {
            out.pass("stored", EXPECTED, "it stands there");
            return;
        }
        let looked = self.run.polls.get(LOOKS).and_then(|p| p.answered);
        let looked_after = line.pushed.is_some_and(|pushed| looked.is_some_and(|at| at > pushed));
        // A conversation of which nothing is stored cannot be looked at.
        let readable = self.lines().iter().any(|l| l.stored.is_some());
        if looked_after && readable {
            out.fail("stored", EXPECTED, "it was pushed, and it is not in the stored conversation", "chat-line-not-stored");
        } else {
            out.unclear("stored", EXPECTED, "the stored conversation could not be looked at");
        }
    }

    /// Compares the files of the answer by their bytes, which are fetched once.
    async fn files_of_answer(&mut self, out: &mut Findings) {
        let expected: Vec<Attachment> = self.run.probe.reply.attachments.iter().map(OutgoingAttachment::expected).collect();
        if expected.is_empty() {
            return;
        }
        let mut found = Vec::new();
        let first = self.lines().iter().position(|l| self.is_answer(l)).unwrap_or_default();
        for index in first..self.lines().len() {
            let line = self.lines()[index].clone();
            if line.speaker == Some(Speaker::Visitor) {
                continue;
            }
            for file in &line.files {
                match self.file_of(&line, file).await {
                    Ok(known) => {
                        if let Some(place) = self.memory().lines[index].files.iter_mut().find(|f| f.name == known.name) {
                            place.clone_from(&known);
                        }
                        found.push(known);
                    }
                    Err(stop) if stop.outcome == Outcome::Fail => {
                        out.fail(&format!("attachment {}", file.name), "same bytes", &stop.found, "chat-attachment-not-transferred");
                        return;
                    }
                    Err(stop) => {
                        out.unclear(&format!("attachment {}", file.name), "same bytes", &stop.found);
                        return;
                    }
                }
            }
        }
        for (name, verdict) in check::compare_attachments(&expected, &found) {
            let check = format!("attachment {name}");
            match verdict {
                Ok(found) => out.pass(&check, "same bytes", &found),
                Err(Some(found)) => out.fail(&check, "same bytes", &found, "chat-attachment-not-transferred"),
                Err(None) => out.unknown(&check, "same bytes"),
            }
        }
    }

    async fn file_of(&self, line: &ChatLine, file: &Attachment) -> Result<Attachment, super::ways::Stop> {
        if file.sha256.is_some() {
            return Ok(file.clone());
        }
        match self.chat_order() {
            Some(order) => self.parts.chats.file(&order, line, &file.name).await,
            None => Ok(file.clone()),
        }
    }

    /// A bot that goes on talking after a person has answered.
    fn judge_bot(&mut self) {
        let Some(place) = self.lines().iter().position(|l| self.is_answer(l)) else { return };
        let answer = &self.lines()[place];
        let later = |(index, l): &(usize, &ChatLine)| match (l.at, answer.at) {
            (Some(at), Some(answered)) if at != answered => at > answered,
            _ => *index > place,
        };
        let bots = self.lines().iter().enumerate().filter(|(_, l)| l.speaker == Some(Speaker::Bot));
        let Some(words) = bots.filter(later).map(|(_, l)| first_line(&l.text)).next() else { return };
        if self.takes(Stage::Reply) && self.outcome(Stage::Reply) != Some(Outcome::Fail) {
            self.check(Stage::Reply, "bot is silent", Outcome::Fail, "no bot speaks after a person has answered", words);
            self.fail(Stage::Reply, &["bot-talks-over-agent"]);
        }
    }

    // ------------------------------------------------------------------------------- at the end

    /// Once everything was seen: what came twice, and whether a bot went on talking.
    pub(super) async fn settle_chat(&mut self) {
        if !self.by_chat(Stage::Return) || self.outcome(Stage::Return) != Some(Outcome::Pass) || !self.has_window() {
            return;
        }
        if let Some(order) = self.chat_order() {
            // Everything was seen already: what cannot be looked at now changes nothing.
            let _ = self.look_at_chat(&order).await;
        }
        self.judge_bot();
        self.judge_late_greeting();
        let posts = self.run.probe.reply.mode == ReplyMode::Post;
        let mut ids: Vec<&str> = self.lines().iter().filter(|l| posts && self.is_answer(l)).filter_map(|l| l.id.as_deref()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() > 1 {
            let found = format!("{} lines", ids.len());
            self.check(Stage::Return, "once", Outcome::Fail, "the answer once", found);
            self.fail(Stage::Return, &["reply-sent-many-times"]);
        }
    }

    /// Looks at the stored conversation once more, at or after the stage's deadline.
    pub(super) async fn last_look_at_chat(&mut self, stage: Stage) -> Walk<LastLook> {
        let name = format!("last look for {stage}");
        if !self.poll_due(&name) {
            return Ok(LastLook::Again(self.poll_next(&name)));
        }
        let Some(order) = self.chat_order().filter(|_| self.has_window()) else {
            let why = "nobody knows the conversation: its beginning was never answered";
            return Ok(LastLook::Trouble(Trouble::new(ResultClass::Unavailable, "act-uncertain", why)));
        };
        match self.look_at_chat(&order).await {
            Ok(()) => Ok(LastLook::Done),
            Err(stop) => {
                self.poll_after(&name, false, Duration::from_secs(1));
                let grace = after(self.deadline(stage), Duration::from_secs(5)).max(self.grace(stage));
                if self.now() < grace {
                    return Ok(LastLook::Again(self.poll_next(&name)));
                }
                let stop = self.weigh(stop).await;
                if stop.outcome == Outcome::Fail {
                    self.stopped(stage, "conversation", "the visitor can read the conversation", &stop);
                    return Ok(LastLook::Done);
                }
                let fault = stop.faults.first().copied().unwrap_or("cannot-tell");
                Ok(LastLook::Trouble(Trouble::new(stop.class, fault, stop.found)))
            }
        }
    }

    /// No line of the desk came, and the conversation could be looked at.
    pub(super) async fn line_missing(&mut self, stage: Stage) -> Walk<()> {
        let limit = self.run.probe.limit(stage);
        if stage == Stage::Acknowledge {
            self.check(stage, "greeting", Outcome::Fail, format!("a greeting, a bot or a confirmation within {limit:?}"), "none");
            let causes = self.causes_without_acknowledgement();
            self.fail(stage, &causes);
            return Ok(());
        }
        self.check(
            stage,
            "answer",
            Outcome::Fail,
            format!("the visitor has the agent's answer within {limit:?}"),
            "neither pushed nor stored",
        );
        self.fail(stage, &["chat-agent-line-invisible"]);
        Ok(())
    }
}

fn span(from: Timestamp, to: Timestamp) -> String {
    let micros = to.as_microsecond().saturating_sub(from.as_microsecond()).max(0);
    format!("{:?}", Duration::from_millis(u64::try_from(micros / 1000).unwrap_or(0)))
}

/// The line was pushed to the visitor by the desk's own doing: the echo of what the visitor says is only an answer to it.
pub(super) fn is_pushed(line: &ChatLine) -> bool {
    line.pushed.is_some() && line.speaker != Some(Speaker::Visitor)
}
