//! The ways in that a probe can take: mail, a web form, a live chat. Exactly one.

mod chat;
mod email;
mod form;
mod sense;

pub use sense::refuse_senseless;

use super::accounts::in_words;
use super::catalog::DeskDefinition;
use super::read::{At, Doc};
use super::shape::ProbeShape;
use crate::model::{AnswerBy, Channel, OutgoingAttachment, WhenOffline};
use reqwest::Url;
use std::ops::Range;
use std::path::Path;

const LARGEST_FILE: u64 = 10 * 1024 * 1024;

/// Where the answer to the customer comes, which decides what else makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In by mail, back by mail.
    Email,
    /// In through a form, back by mail.
    Form,
    /// In by chat, back into the chat window.
    Chat,
    /// In by chat, back by mail: always, or when no chat is offered.
    ChatMail {
        /// Always.
        always: bool,
    },
}

impl Way {
    /// The way that a probe's tables name; the first of several.
    pub fn of(shape: &ProbeShape) -> Way {
        let chat = match (&shape.email, &shape.form, &shape.chat) {
            (None, None, Some(chat)) => &chat.value,
            (None, Some(_), _) => return Way::Form,
            _ => return Way::Email,
        };
        let always = chat.answer.as_ref().is_some_and(|a| a.value == AnswerBy::Email);
        let offline = chat.when_offline.as_ref().is_some_and(|w| w.value == WhenOffline::Message);
        if always || offline { Way::ChatMail { always } } else { Way::Chat }
    }

    /// In by chat.
    pub fn is_chat(self) -> bool {
        matches!(self, Way::Chat | Way::ChatMail { .. })
    }

    /// The word of the channel.
    pub fn word(self) -> &'static str {
        match self {
            Way::Email => "email",
            Way::Form => "form",
            Way::Chat | Way::ChatMail { .. } => "chat",
        }
    }
}

/// The desk of a probe, as far as it is known.
#[derive(Clone, Copy)]
pub struct DeskOf<'a> {
    /// Its key and its place in the file.
    pub key: &'a At<String>,
    /// What its definition can do; none when it could not be read.
    pub facts: Option<&'a dyn DeskDefinition>,
}

/// Makes the channel of a probe. None: problems were noted.
pub fn channel(shape: &ProbeShape, folder: &Path, desk: Option<DeskOf<'_>>, doc: &mut Doc) -> Option<Channel> {
    let email = shape.email.as_ref().map(|e| (e.span.clone(), email::email(&e.value, folder, doc).map(Channel::Email)));
    let form = shape.form.as_ref().map(|f| (f.span.clone(), form::form(&f.value, &f.span, folder, desk, doc).map(Channel::Form)));
    let chat = shape.chat.as_ref().map(|c| {
        let chat = chat::chat(&c.value, &c.span, folder, desk, doc);
        (c.span.clone(), chat.map(|chat| Channel::Chat(Box::new(chat))))
    });
    let ways: Vec<_> =
        [("email", email), ("form", form), ("chat", chat)].into_iter().filter_map(|(name, way)| Some((name, way?))).collect();
    if let [(first, _), (second, (span, _)), ..] = &ways[..] {
        let help = "a probe takes one way in: move one of them into a file of its own".to_owned();
        doc.problem(span.clone(), format!("`[{first}]` and `[{second}]` stand together"), help);
        return None;
    }
    let whole = 0..doc.text.len();
    let none = [doc.lacks(&shape.email, &whole, "email"), doc.lacks(&shape.form, &whole, "form"), doc.lacks(&shape.chat, &whole, "chat")];
    if none == [true; 3] {
        doc.problem(None, "the probe has no way in", "add a table [email], [form] or [chat]".to_owned());
    }
    ways.into_iter().next().and_then(|(_, (_, channel))| channel)
}

/// A word for gateways: the domain or host that the customer writes to.
pub fn place_of(channel: &Channel) -> String {
    let page = |page: Option<&String>| page.and_then(|p| Url::parse(p).ok()).and_then(|u| u.host_str().map(str::to_owned));
    let host = match channel {
        Channel::Email(email) => email.to.first().and_then(|to| to.rsplit_once('@')).map(|(_, domain)| domain.to_owned()),
        Channel::Form(form) => page(form.page.as_ref()),
        Channel::Chat(chat) => page(chat.page.as_ref()),
    };
    host.unwrap_or_default().to_lowercase().replace(['.', ':', '[', ']'], "-")
}

/// Refuses keys that go with another one, which is not there.
fn only_with(keys: &[(&str, Option<&Range<usize>>)], with: &str, doc: &mut Doc) {
    for (key, span) in keys {
        if let Some(span) = span {
            doc.problem((*span).clone(), format!("`{key}` goes with {with}"), format!("add {with}, or take `{key}` out"));
        }
    }
}

/// Refuses `browser = true` in a build without browsers. True when a browser is asked for.
fn browser(key: Option<&At<bool>>, doc: &mut Doc) -> bool {
    let Some(key) = key.filter(|b| b.value) else { return false };
    if !cfg!(feature = "browser") {
        let help = "use a build with the feature `browser`, or take it out".to_owned();
        doc.problem(key.span.clone(), "this replypath was built without browsers", help);
    }
    true
}

/// Reads the files to attach; each that cannot be taken is noted.
pub fn attachments(paths: Option<&[At<String>]>, folder: &Path, doc: &mut Doc) -> Vec<OutgoingAttachment> {
    let mut files = Vec::new();
    for path in paths.unwrap_or_default() {
        let file = folder.join(&path.value);
        let size = std::fs::metadata(&file).map(|m| m.len());
        let reason = match size {
            Ok(size) if size > LARGEST_FILE => format!("it has {size} bytes, at most {LARGEST_FILE} (10 MB) are allowed"),
            _ => match std::fs::read(&file) {
                Ok(bytes) => {
                    let name = file.file_name().map_or_else(|| path.value.clone(), |n| n.to_string_lossy().into_owned());
                    files.push(OutgoingAttachment { content_type: media_type(&name).to_owned(), name, bytes });
                    continue;
                }
                Err(error) => in_words(&error),
            },
        };
        let help = "a relative path starts beside the probe file".to_owned();
        doc.problem(path.span.clone(), format!("the file `{}` cannot be attached: {reason}", path.value), help);
    }
    files
}

fn media_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    match extension.as_str() {
        "txt" | "log" | "md" => "text/plain",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "xml" => "application/xml",
        "zip" => "application/zip",
        "ics" => "text/calendar",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => "application/octet-stream",
    }
}
