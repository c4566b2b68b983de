//! `[form]`: the request through a web form.

use super::{DeskOf, attachments, browser, only_with};
use crate::config::accounts::positive;
use crate::config::read::{At, Doc};
use crate::config::shape::{FieldShape, FormShape};
use crate::config::template::{self, FIELD_WORDS};
use crate::config::values::{Count, Word};
use crate::model::{FieldBy, Fill, FormBy, FormChannel, FormField};
use crate::problem::suggest;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

/// Checks `[form]`. None: problems were noted.
pub fn form(shape: &FormShape, span: &Range<usize>, folder: &Path, desk: Option<DeskOf<'_>>, doc: &mut Doc) -> Option<FormChannel> {
    for text in [&shape.subject, &shape.text].into_iter().flatten() {
        template::check(text, doc);
    }
    one_line(shape.subject.as_ref(), doc);
    let fields = shape.fields.iter().flat_map(|f| &f.value.0).filter_map(|f| field(f, doc)).collect();
    let attachments = attachments(shape.attachments.as_ref().map(|a| a.value.0.as_slice()), folder, doc);
    let attachments_in = shape.attachments_in.as_ref().and_then(|a| {
        let by = Finders { label: &a.value.label, name: &a.value.name, kind: &a.value.r#type, order: &a.value.order };
        by.one("`attachments_in`", &a.span, doc)
    });
    let by = by(shape, span, desk, doc);
    let dwell = shape.dwell.as_ref().map_or(Duration::from_secs(4), |d| d.value.0);
    let word = |s: &Option<At<String>>| s.as_ref().map(|s| s.value.clone());
    Some(FormChannel {
        page: shape.page.as_ref().map(|p| p.value.0.clone()),
        by: by?,
        subject: shape.subject.as_ref()?.value.clone(),
        text: template::with_token(shape.text.as_ref()?.value.clone()),
        fields,
        attachments,
        attachments_in,
        form: shape.form.as_ref().map(|f| f.value.0.clone()),
        submit: word(&shape.submit),
        thanks: word(&shape.thanks),
        number: shape.number.as_ref().map(|n| n.value.0.clone()),
        dwell,
    })
}

fn one_line(subject: Option<&At<String>>, doc: &mut Doc) {
    if let Some(subject) = subject.filter(|s| s.value.contains(['\n', '\r'])) {
        doc.problem(subject.span.clone(), "a subject is one line", None);
    }
}

/// How the form is filled in, with the keys that make no sense then refused.
fn by(shape: &FormShape, span: &Range<usize>, desk: Option<DeskOf<'_>>, doc: &mut Doc) -> Option<FormBy> {
    let in_browser = browser(shape.browser.as_ref(), doc);
    if !in_browser {
        let keys = [("frame", shape.frame.as_ref().map(|f| &f.span)), ("limit", shape.limit.as_ref().map(|l| &l.span))];
        only_with(&keys, "`browser = true`", doc);
    }
    if let Some(id) = &shape.recipe {
        return recipe(shape, id, in_browser, desk, doc);
    }
    if doc.lacks(&shape.page, span, "page") {
        let help = "add `page`: the address of the page with the form".to_owned();
        doc.problem(span.clone(), "`[form]` lacks the key `page`", help);
    }
    if !in_browser {
        return Some(FormBy::Page);
    }
    let frame = shape.frame.iter().flat_map(|f| &f.value.0).map(|f| f.value.0.clone()).collect();
    let limit = positive("limit", shape.limit.as_ref(), doc).unwrap_or(Duration::from_secs(60));
    Some(FormBy::Browser { frame, limit })
}

/// A recipe of the desk's definition, which says by itself where things go.
fn recipe(shape: &FormShape, id: &At<String>, in_browser: bool, desk: Option<DeskOf<'_>>, doc: &mut Doc) -> Option<FormBy> {
    if in_browser {
        let help = "keep one of both".to_owned();
        doc.problem(id.span.clone(), "`recipe` and `browser = true` stand together: a recipe needs no browser", help);
    }
    let foreign = [
        ("form", shape.form.as_ref().map(|v| &v.span)),
        ("submit", shape.submit.as_ref().map(|v| &v.span)),
        ("attachments_in", shape.attachments_in.as_ref().map(|v| &v.span)),
        ("thanks", shape.thanks.as_ref().map(|v| &v.span)),
        ("number", shape.number.as_ref().map(|v| &v.span)),
    ];
    for (key, span) in foreign.into_iter().filter_map(|(key, span)| Some((key, span?))) {
        let message = format!("with `recipe` there is no page to look at, so `{key}` says nothing");
        doc.problem(span.clone(), message, format!("take `{key}` out: the desk's definition says where things go"));
    }
    let Some(desk) = desk else {
        let help = "name a `desk`, or give the `page` of the form instead".to_owned();
        doc.problem(id.span.clone(), "`recipe` is of a desk's definition, but the probe names no `desk`", help);
        return None;
    };
    if let Some(facts) = desk.facts {
        let known = facts.recipes();
        let found = known.iter().find(|r| r.id == id.value);
        if found.is_some_and(|r| r.cors) && shape.page.is_none() {
            let message = format!("the recipe `{}` is sent as from the company's page, so it needs `page`", id.value);
            doc.problem(id.span.clone(), message, "add `page`: the address of the page on which the form stands".to_owned());
        }
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|r| r.id.as_str()).collect();
            let message = format!("the definition of desk `{}` has no recipe `{}`", desk.key.value, id.value);
            let help = if names.is_empty() {
                "it has none at all ([[create]]): give the `page` of the form instead".to_owned()
            } else {
                suggest(&id.value, &names, "recipes")
            };
            doc.problem(id.span.clone(), message, help);
        }
    }
    Some(FormBy::Recipe(id.value.clone()))
}

/// One field. None: problems were noted.
fn field(entry: &At<FieldShape>, doc: &mut Doc) -> Option<FormField> {
    let shape = &entry.value;
    for text in [&shape.write, &shape.choose].into_iter().flatten() {
        let text = At { value: text.value.0.clone(), span: text.span.clone() };
        template::check_words(&text, FIELD_WORDS, doc);
    }
    let finders = Finders { label: &shape.label, name: &shape.name, kind: &shape.r#type, order: &shape.order };
    let by = finders.one("a field", &entry.span, doc);
    let word = |w: &At<Word>| w.value.0.clone();
    let fills: Vec<Fill> = [
        shape.write.as_ref().map(|w| Fill::Write(word(w))),
        shape.choose.as_ref().map(|c| Fill::Choose(word(c))),
        shape.tick.as_ref().map(|t| Fill::Tick(t.value)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let fill = exactly_one(fills, "a field", "says what to do with it", &["write", "choose", "tick"], &entry.span, doc);
    Some(FormField { by: by?, fill: fill? })
}

/// The keys by which a field is found.
struct Finders<'a> {
    label: &'a Option<At<String>>,
    name: &'a Option<At<String>>,
    kind: &'a Option<At<String>>,
    order: &'a Option<At<Count>>,
}

impl Finders<'_> {
    /// The one that is given.
    fn one(&self, what: &str, span: &Range<usize>, doc: &mut Doc) -> Option<FieldBy> {
        for text in [self.label, self.name, self.kind].into_iter().flatten().filter(|t| t.value.trim().is_empty()) {
            doc.problem(text.span.clone(), format!("{what} cannot be found by an empty text"), None);
        }
        let given: Vec<FieldBy> = [
            self.label.as_ref().map(|l| FieldBy::Label(l.value.clone())),
            self.name.as_ref().map(|n| FieldBy::Name(n.value.clone())),
            self.kind.as_ref().map(|k| FieldBy::Type(k.value.to_ascii_lowercase())),
            self.order.as_ref().map(|o| FieldBy::Order(u32::try_from(o.value.0).unwrap_or(u32::MAX))),
        ]
        .into_iter()
        .flatten()
        .collect();
        exactly_one(given, what, "says which one it is", &["label", "name", "type", "order"], span, doc)
    }
}

/// The only value given; none or several are noted, unless something of the entry was refused already.
pub fn exactly_one<T>(given: Vec<T>, what: &str, says: &str, keys: &[&str], span: &Range<usize>, doc: &mut Doc) -> Option<T> {
    let count = given.len();
    let mut given = given.into_iter();
    if count == 1 {
        return given.next();
    }
    if count > 1 || !doc.table_has_problem(span) {
        let (last, rest) = keys.split_last()?;
        let words = format!("{} and `{last}`", rest.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", "));
        let amount = if count == 0 { "none is there".to_owned() } else { format!("{count} are there") };
        doc.problem(span.clone(), format!("in {what} exactly one of {words} {says}; {amount}"), None);
    }
    None
}
