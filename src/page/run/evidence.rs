//! What was written, what the desk made of it, and where the two differ.

use super::diff;
use crate::engine;
use crate::model::{Channel, Looked, Message, Observation, Outcome, OutgoingAttachment, Party, Run, Source, Stage};
use crate::page::frame::{View, moment};
use maud::{Markup, html};
use serde_json::Value;

/// The longest text on a page, in bytes; the rest is named, not shown.
const LONGEST: usize = 20_000;

/// A text as it is, cut where it is too long for a page.
pub fn cut(text: &str) -> (&str, usize) {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (&text[..end], text.len() - end)
}

/// A long text with its line ends.
pub fn block(content: &str) -> Markup {
    let (shown, left) = cut(content);
    html! { pre { (shown) } @if left > 0 { p.faint { "Truncated: " (left) " more bytes" } } }
}

/// A text in a cell: on one line when it is one, else with its line ends.
pub fn text(content: &str) -> Markup {
    if content.contains('\n') {
        block(content)
    } else {
        html! { (cut(content).0) }
    }
}

/// A fact's value.
pub fn value(value: &Value) -> Markup {
    match value {
        Value::String(content) => text(content),
        other => text(&other.to_string()),
    }
}

/// What we wrote for a message, from its template; none where a person or a bot's turn wrote it.
fn written(run: &Run, message: &Message) -> Option<String> {
    let template = match (message.stage, message.party, message.turn) {
        (Stage::Send, _, 0) => engine::first_text(&run.probe),
        (Stage::Reply, Party::Agent, 0) => run.probe.reply.text.clone(),
        (Stage::FollowUp, _, 0) => run.probe.follow_up.text.clone(),
        _ => return None,
    };
    Some(engine::fill(&template, &message.token, run))
}

/// The messages that the run wrote, and where to.
pub fn sent(run: &Run) -> Markup {
    html! {
        dl.facts {
            dt { "From" } dd { @if let Some(name) = &run.display_name { (name) " " } (run.address) }
            @match &run.probe.channel {
                Channel::Email(mail) => {
                    dt { "To" } dd { (mail.to.join(", ")) }
                    @if !mail.cc.is_empty() { dt { "Cc" } dd { (mail.cc.join(", ")) } }
                },
                Channel::Form(form) => { @if let Some(page) = &form.page { dt { "Form" } dd { (page) } } },
                Channel::Chat(chat) => { @if let Some(page) = &chat.page { dt { "Page" } dd { (page) } } },
            }
        }
        @for message in &run.messages {
            h3 { (message.stage) @if message.turn > 0 { " " (message.turn) } ", by " (if message.party == Party::Customer { "the customer" } else { "the agent" }) }
            dl.facts {
                @if !message.subject.is_empty() { dt { "Subject" } dd { (message.subject) } }
                @if let Some(id) = &message.message_id { dt { "Message-ID" } dd { code { "<" (id) ">" } } }
                dt { "Token" } dd { code { (message.token) } }
                @if message.stage == Stage::Send && message.turn == 0 { (files(run.probe.channel.request().attachments)) }
                @if message.stage == Stage::Reply { (files(&run.probe.reply.attachments)) }
            }
            @if let Some(text) = written(run, message) { (block(&text)) }
        }
    }
}

fn files(files: &[OutgoingAttachment]) -> Markup {
    html! {
        @for file in files { dt { "File" } dd { (file.name) ", " (file.content_type) ", " (file.bytes.len()) " bytes" } }
    }
}

/// What the desk showed of the ticket, as it gave it.
pub fn ticket(view: View<'_>, run: &Run) -> Markup {
    let of_desk = |o: &&Observation| o.source == Source::Desk && o.result == Looked::Found;
    let mut looks: Vec<&Observation> = run.observations.iter().filter(of_desk).collect();
    looks.sort_by_key(|o| o.at);
    html! {
        @for ticket in &run.tickets { p { "Ticket " b { (ticket.number) } @if ticket.id != ticket.number { " (id " (ticket.id) ")" } } }
        @if looks.is_empty() { p.faint { "The desk showed nothing of it." } }
        @for o in looks {
            h3 { (o.place) ", " (o.looked_for) @if let Some(stage) = o.stage { ", for " (stage) } }
            p.faint { (moment(o.at)) @if o.times > 1 { ", the same " (o.times) " times until " (moment(o.last)) } }
            (facts(view, run, o))
            @if let Some(raw) = &o.raw { (block(raw)) }
        }
    }
}

/// The facts of a look; pictures as pictures.
pub fn facts(view: View<'_>, run: &Run, o: &Observation) -> Markup {
    html! {
        @if !o.facts.is_empty() { dl.facts { @for (name, fact) in &o.facts {
            dt { (name) }
            dd {
                @match fact.as_str().filter(|_| name == "screenshot").and_then(super::super::picture::name_of) {
                    Some(picture) => { img.picture loading="lazy" alt=(format!("The browser at {}", o.place)) src=(view.base.to(&format!("runs/{}/pictures/{picture}", run.id))); },
                    None => (value(fact)),
                }
            }
        } } }
    }
}

/// Line by line where what came differs from what was sent: the answer, and every check that failed on texts.
pub fn differences(run: &Run) -> Markup {
    let reply = run.messages.iter().find(|m| m.stage == Stage::Reply && m.turn == 0).and_then(|m| written(run, m));
    let answer = run.mails.iter().find(|m| m.role == crate::model::MailRole::Answer);
    let failed = run.stages.iter().flat_map(|(s, r)| r.checks.iter().map(move |c| (*s, c)));
    let failed: Vec<_> = failed.filter(|(_, c)| c.outcome == Outcome::Fail).collect();
    html! {
        p.faint { del { "Struck out" } " was expected and is missing; " ins { "marked" } " was found and not expected." }
        @if let Some((reply, answer)) = reply.as_ref().zip(answer) {
            h3 { "The agent's answer, as written and as the customer got it" }
            (diff::lines(reply, &answer.mail.new_text))
        }
        @for (stage, check) in &failed {
            h3 { (stage) ": " (check.check) }
            (diff::lines(&check.expected, &check.found))
        }
        @if failed.is_empty() && (reply.is_none() || answer.is_none()) { p { "Nothing differs." } }
    }
}
