//! `[email]`: the request as mail.

use super::attachments;
use crate::config::collections::OneOrMany;
use crate::config::read::{At, Doc};
use crate::config::shape::EmailShape;
use crate::config::template;
use crate::config::values::Address;
use crate::model::EmailChannel;
use std::path::Path;

/// Checks `[email]`. None: problems were noted.
pub fn email(shape: &EmailShape, folder: &Path, doc: &mut Doc) -> Option<EmailChannel> {
    for text in [&shape.subject, &shape.text, &shape.html].into_iter().flatten() {
        template::check(text, doc);
    }
    if let Some(subject) = shape.subject.as_ref().filter(|s| s.value.contains(['\n', '\r'])) {
        doc.problem(subject.span.clone(), "a subject is one line", None);
    }
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
        text: template::with_token(shape.text.as_ref()?.value.clone()),
        html: shape.html.as_ref().map(|h| template::html_with_token(h.value.clone())),
        attachments,
        system: shape.system.as_ref().map(|s| s.value.0.clone()),
        padding: shape.padding_mb.as_ref().map_or(0, |p| p.value.0 as u64 * 1_000_000),
        encoding: shape.encoding.as_ref().map(|e| e.value).unwrap_or_default(),
        ..EmailChannel::default()
    })
}
