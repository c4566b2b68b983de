//! `[email]`: the request as mail.

use super::attachments;
use crate::config::collections::OneOrMany;
use crate::config::read::{At, Doc};
use crate::config::shape::EmailShape;
use crate::config::template;
use crate::config::values::Address;
use crate::model::EmailChannel;
use std::path::Path;

/// Larger mails no provider takes.
const MOST_PADDING_MB: usize = 100;

/// Checks `[email]`. None: problems were noted.
pub fn email(shape: &EmailShape, folder: &Path, doc: &mut Doc) -> Option<EmailChannel> {
    for text in [&shape.subject, &shape.text, &shape.html].into_iter().flatten() {
        template::check(text, doc);
    }
    if let Some(subject) = shape.subject.as_ref().filter(|s| s.value.contains(['\n', '\r'])) {
        doc.problem(subject.span.clone(), "a subject is one line", None);
    }
    senseless(shape, doc);
    let attachments = attachments(shape.attachments.as_ref().map(|a| a.value.0.as_slice()), folder, doc);
    let all = |list: &Option<At<OneOrMany<Address>>>| -> Vec<String> {
        list.iter().flat_map(|l| &l.value.0).map(|a| a.value.0.clone()).collect()
    };
    let to = shape.to.as_ref()?;
    if to.value.0.is_empty() && !doc.has_problem_within(&to.span) {
        doc.problem(to.span.clone(), "`to` names nobody", "write the published address of the desk".to_owned());
    }
    Some(EmailChannel {
        to: all(&shape.to),
        cc: all(&shape.cc),
        bcc: all(&shape.bcc),
        subject: shape.subject.as_ref()?.value.clone(),
        text: text_with_token(&shape.text.as_ref()?.value),
        html: shape.html.as_ref().map(|h| template::html_with_token(h.value.clone())),
        attachments,
        system: shape.system.as_ref().map(|s| s.value.0.clone()),
        padding: shape.padding_mb.as_ref().map_or(0, |p| p.value.0 as u64 * 1_000_000),
        encoding: shape.encoding.as_ref().map(|e| e.value).unwrap_or_default(),
    })
}

/// Keys that make no sense together, or ask for too much.
fn senseless(shape: &EmailShape, doc: &mut Doc) {
    let blank = |text: &Option<At<String>>| text.as_ref().is_some_and(|t| is_blank(&t.value));
    if let Some(text) = shape.text.as_ref().filter(|_| blank(&shape.subject) && blank(&shape.text)) {
        let help = "write a subject or a text: one of them must carry the token".to_owned();
        doc.problem(text.span.clone(), "`subject` and `text` are both empty: nobody could find such a mail again", help);
    }
    if let Some(html) = shape.html.as_ref().filter(|_| blank(&shape.text)) {
        doc.problem(html.span.clone(), "`html` beside an empty `text`", "take one of them out".to_owned());
    }
    if let Some(padding) = shape.padding_mb.as_ref().filter(|p| p.value.0 > MOST_PADDING_MB) {
        doc.problem(padding.span.clone(), format!("`padding_mb` is at most {MOST_PADDING_MB}"), None);
    }
}

/// An empty text stays empty: the token then stands in the subject.
fn text_with_token(text: &str) -> String {
    if is_blank(text) { String::new() } else { template::with_token(text.to_owned()) }
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}
