//! Which form of a page is the one to write in with.

use super::page::{Control, Form, Page, plain};
use crate::model::{FieldBy, FormChannel};

/// The form that the probe means: the one of its selector, else the one that fits best.
pub(super) fn form(page: &Page, channel: &FormChannel) -> Option<usize> {
    if channel.form.is_some() {
        return page.forms.iter().position(|f| f.chosen);
    }
    let scored = page.forms.iter().enumerate().map(|(index, form)| (score(form, channel), index));
    // Of equal ones the first.
    scored.filter(|(score, _)| *score > 0).max_by_key(|(score, index)| (*score, usize::MAX - index)).map(|(_, index)| index)
}

/// True when the page wants people to sign in.
pub(super) fn wants_login(page: &Page) -> bool {
    page.forms.iter().any(|form| form.controls.iter().any(|c| c.kind == "password" && c.is_field()))
}

fn score(form: &Form, channel: &FormChannel) -> i32 {
    let fields: Vec<&Control> = form.controls.iter().filter(|c| c.is_field()).collect();
    let is = |kind: &str| fields.iter().any(|c| c.kind == kind);
    let named = channel.fields.iter().filter(|wanted| fields.iter().any(|c| fits(c, &wanted.by))).count();
    let mut score = i32::try_from(named).unwrap_or(i32::MAX / 2).saturating_mul(10);
    if is("textarea") {
        score += 8;
    }
    if is("email") || fields.iter().any(|c| plain(c.label()).contains("mail")) {
        score += 3;
    }
    if is("file") && !channel.attachments.is_empty() {
        score += 3;
    }
    if is("password") {
        score -= 30;
    }
    let alone = fields.iter().filter(|c| c.takes_text()).count() <= 1;
    if alone && !is("textarea") {
        // A newsletter or a search has one field.
        score -= 12;
    }
    let words = form.words.as_str();
    let any = |list: &[&str]| list.iter().any(|w| words.contains(w));
    if any(&["search", "suche", "login", "signin", "sign-in", "newsletter", "subscribe", "mailchimp", "comment"]) {
        score -= 9;
    }
    if any(&["contact", "kontakt", "support", "ticket", "enquir", "inquir", "feedback", "request", "helpdesk"]) {
        score += 4;
    }
    score
}

fn fits(control: &Control, by: &FieldBy) -> bool {
    match by {
        FieldBy::Label(label) => {
            let wanted = plain(label);
            control.labels.iter().chain([&control.group]).any(|l| plain(l).contains(&wanted))
        }
        FieldBy::Name(name) => control.name == *name,
        FieldBy::Type(kind) => control.kind == *kind,
        FieldBy::Order(_) => false,
    }
}
