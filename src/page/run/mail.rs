//! The mails that came back: headers with those marked that tell of threading, origin and machines, text, files. Nothing of
//! a mail is ever rendered as HTML.

use super::evidence::block;
use crate::model::{MailRole, Run, SeenMail};
use crate::page::frame::moment;
use crate::report::look;
use maud::{Markup, html};

/// Headers that matter for threading, origin, filters and responders, lower case.
const MARKED: [&str; 18] = [
    "message-id",
    "in-reply-to",
    "references",
    "auto-submitted",
    "precedence",
    "x-auto-response-suppress",
    "return-path",
    "reply-to",
    "from",
    "subject",
    "date",
    "dkim-signature",
    "authentication-results",
    "received-spf",
    "x-spam-status",
    "x-spam-flag",
    "list-id",
    "content-type",
];

/// So many headers of a mail are shown.
const HEADERS: usize = 120;

/// What a mail is to its run, in words.
pub fn role(role: MailRole) -> &'static str {
    match role {
        MailRole::Acknowledgement => "Automatic reply",
        MailRole::Answer => "The agent's answer",
        MailRole::Bounce => "Bounce",
        MailRole::ClosingNotice => "Closing notice",
        MailRole::Own => "Our own mail",
        MailRole::Other => "Other mail with our token",
    }
}

/// Every mail of the run in the mailbox.
pub fn answers(run: &Run) -> Markup {
    html! {
        @if run.mails.is_empty() && run.chat.is_none() { p.faint { "No mail of this run was seen in the mailbox." } }
        @for mail in &run.mails { (one(run, mail)) }
        @if let Some(chat) = &run.chat {
            h3 { "Conversation" }
            div.scroll tabindex="0" { table.log {
                thead { tr { th scope="col" { "Who" } th scope="col" { "Pushed" } th scope="col" { "Stored" } th scope="col" { "Text" } } }
                tbody { @for line in &chat.lines { tr {
                    @let time = |at: Option<jiff::Timestamp>| at.map_or_else(|| "never".to_owned(), |at| look::offset(run.started, at));
                    td { (line.speaker.map_or("not told", speaker)) }
                    td { (time(line.pushed)) } td { (time(line.stored)) }
                    td { (super::evidence::text(&line.text)) @for file in &line.files { p.faint { "File: " (file.name) } } }
                } } }
            } }
        }
    }
}

fn speaker(who: crate::model::Speaker) -> &'static str {
    match who {
        crate::model::Speaker::Visitor => "visitor",
        crate::model::Speaker::Agent => "agent",
        crate::model::Speaker::Bot => "bot",
        crate::model::Speaker::System => "system",
    }
}

fn one(run: &Run, seen: &SeenMail) -> Markup {
    let m = &seen.mail;
    html! {
        h3 { (role(seen.role)) @if m.in_junk { " " b.broken { "in " (m.key.folder) } } }
        dl.facts {
            dt { "Seen" } dd { (moment(seen.seen)) ", " (look::offset(run.started, seen.seen)) ", in " (m.key.folder) "/" (m.key.uid) }
            @if let Some(bounce) = &m.bounce {
                dt { "Bounce" }
                dd { @for part in [&bounce.status, &bounce.recipient, &bounce.diagnostic].into_iter().flatten() { (part) " " } }
            }
            @for file in &m.attachments {
                dt { "File" } dd { (file.name) ", " (file.content_type) @if let Some(size) = file.size { ", " (size) " bytes" } }
            }
        }
        div.scroll tabindex="0" { table.headers {
            thead { tr { th scope="col" { "Header" } th scope="col" { "Value" } } }
            tbody { @for (name, value) in m.headers.iter().take(HEADERS) {
                @if MARKED.contains(&name.to_ascii_lowercase().as_str()) { tr { th scope="row" { mark { (name) } } td { (value) } } }
                @else { tr { th scope="row" { (name) } td { (value) } } }
            } }
        } }
        @if m.headers.len() > HEADERS { p.faint { "Truncated: " (m.headers.len() - HEADERS) " more headers" } }
        (block(&m.text))
        @if m.html.is_some() { p.faint { "It has an HTML part too, which is not shown: its text stands above." } }
    }
}
