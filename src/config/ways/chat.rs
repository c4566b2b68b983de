//! `[chat]`: the request by live chat.

use super::form::exactly_one;
use super::{DeskOf, attachments, browser, only_with};
use crate::config::accounts::positive;
use crate::config::read::{At, Doc};
use crate::config::shape::{ChatReadShape, ChatShape, StepShape};
use crate::config::template::{self, LINE_WORDS, WORDS};
use crate::model::{AnswerBy, Capability, ChatBy, ChatChannel, Visitor, WhenOffline, Widget, WidgetStep};
use crate::problem::suggest;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

/// Checks `[chat]`. None: problems were noted.
pub fn chat(shape: &ChatShape, span: &Range<usize>, folder: &Path, desk: Option<DeskOf<'_>>, doc: &mut Doc) -> Option<ChatChannel> {
    for text in [&shape.text, &shape.hand_over].into_iter().flatten() {
        template::check(text, doc);
    }
    let prechat = shape.prechat.iter().flat_map(|p| &p.value.entries).map(|(key, answer)| {
        let text = At { value: answer.value.0.clone(), span: answer.span.clone() };
        template::check(&text, doc);
        (key.value.clone(), text.value)
    });
    let prechat = prechat.collect();
    if shape.hand_over.is_none() {
        only_with(&[("bot_turns", shape.bot_turns.as_ref().map(|b| &b.span))], "`hand_over`", doc);
    }
    let attachments = attachments(shape.attachments.as_ref().map(|a| a.value.0.as_slice()), folder, doc);
    let by = by(shape, span, desk, doc);
    let answer = shape.answer.as_ref().map_or(AnswerBy::Chat, |a| a.value);
    if let Some(pushed) = shape.pushed.as_ref().filter(|p| p.value && answer == AnswerBy::Email) {
        let help = "take `pushed` out, or write answer = \"chat\"".to_owned();
        doc.problem(pushed.span.clone(), "with answer = \"email\" nothing is pushed into the window", help);
    }
    Some(ChatChannel {
        page: shape.page.as_ref().map(|p| p.value.0.clone()),
        by: by?,
        text: template::with_token(shape.text.as_ref()?.value.clone()),
        attachments,
        prechat,
        hand_over: shape.hand_over.as_ref().map(|h| h.value.clone()),
        bot_turns: shape.bot_turns.as_ref().map_or(3, |b| u32::try_from(b.value.0).unwrap_or(u32::MAX)),
        when_offline: shape.when_offline.as_ref().map_or(WhenOffline::Fail, |w| w.value),
        answer,
        visitor: shape.visitor.as_ref().map_or(Visitor::Fresh, |v| v.value),
        reload: shape.reload.as_ref().is_some_and(|r| r.value),
        pushed: shape.pushed.as_ref().map_or(answer == AnswerBy::Chat, |p| p.value),
    })
}

/// How the visitor chats, with the keys that make no sense then refused.
fn by(shape: &ChatShape, span: &Range<usize>, desk: Option<DeskOf<'_>>, doc: &mut Doc) -> Option<ChatBy> {
    if browser(shape.browser.as_ref(), doc) {
        return widget(shape, span, doc).map(ChatBy::Widget);
    }
    let keys = [
        ("limit", shape.limit.as_ref().map(|v| &v.span)),
        ("open", shape.open.as_ref().map(|v| &v.span)),
        ("say", shape.say.as_ref().map(|v| &v.span)),
        ("leave", shape.leave.as_ref().map(|v| &v.span)),
        ("read", shape.read.as_ref().map(|v| &v.span)),
    ];
    only_with(&keys, "`browser = true`", doc);
    const HELP: &str = "drive its chat bubble with `browser = true`, or use a definition that has `[chat]`";
    match desk {
        None => {
            let help = "name a `desk` that has a chat, or drive a chat bubble with `browser = true`".to_owned();
            doc.problem(span.clone(), "without a `desk` nobody knows how to chat", help);
        }
        Some(DeskOf { key, facts: Some(facts) }) if !facts.capabilities().contains(&Capability::Chat) => {
            let message = format!("desk `{}` has no chat: its definition has no `[chat]`", key.value);
            doc.problem(key.span.clone(), message, HELP.to_owned());
        }
        Some(_) => {}
    }
    Some(ChatBy::Desk)
}

/// The steps of a chat bubble.
fn widget(shape: &ChatShape, span: &Range<usize>, doc: &mut Doc) -> Option<Widget> {
    if let Some(kept) = shape.visitor.as_ref().filter(|v| v.value == Visitor::Kept) {
        let help = "take `visitor` out, or chat by the desk's definition".to_owned();
        doc.problem(kept.span.clone(), "in a browser every run is somebody new: it begins with an empty profile", help);
    }
    let lacking = |key: &str, why: &str, doc: &mut Doc| {
        doc.problem(span.clone(), format!("`[chat]` lacks the key `{key}`, which `browser = true` needs"), why.to_owned());
    };
    if doc.lacks(&shape.page, span, "page") {
        lacking("page", "add `page`: the address of the page with the chat bubble", doc);
    }
    if doc.lacks(&shape.open, span, "open") {
        lacking("open", "add [[chat.open]] tables: the steps from the page to the field for the first line", doc);
    }
    if doc.lacks(&shape.say, span, "say") {
        lacking("say", "add [[chat.say]] tables: the steps that write ${line} and send it", doc);
    }
    if doc.lacks(&shape.read, span, "read") {
        lacking("read", "add [chat.read]: where the lines of the conversation are", doc);
    }
    let open = steps(shape.open.as_ref().map(|s| s.value.0.as_slice()), WORDS, doc);
    let say = steps(shape.say.as_ref().map(|s| s.value.0.as_slice()), LINE_WORDS, doc);
    let close = steps(shape.leave.as_ref().map(|s| s.value.0.as_slice()), WORDS, doc);
    if let Some(steps) = &shape.say {
        let writes = |s: &WidgetStep| matches!(s, WidgetStep::Write { text, .. } if text.contains("${line}"));
        if !doc.has_problem_within(&steps.span) && say.len() == steps.value.0.len() && !say.iter().any(writes) {
            let help = "add a step such as { write = \"${line}\", into = \"textarea\" }".to_owned();
            doc.problem(steps.span.clone(), "`say` writes `${line}` nowhere, so nothing would be said", help);
        }
    }
    let empty = ChatReadShape::default();
    let read = shape.read.as_ref().map_or(&empty, |r| &r.value);
    let limit = positive("limit", shape.limit.as_ref(), doc).unwrap_or(Duration::from_secs(300));
    Some(Widget {
        open,
        say,
        close,
        frame: read.frame.iter().flat_map(|f| &f.value.0).map(|f| f.value.0.clone()).collect(),
        line: read.line.as_ref()?.value.0.clone(),
        agent: read.agent.as_ref().map(|a| a.value.0.clone()),
        bot: read.bot.as_ref().map(|b| b.value.0.clone()),
        limit,
    })
}

fn steps(steps: Option<&[At<StepShape>]>, words: &[&str], doc: &mut Doc) -> Vec<WidgetStep> {
    steps.unwrap_or_default().iter().filter_map(|s| step(s, words, doc)).collect()
}

/// One step. None: problems were noted.
fn step(entry: &At<StepShape>, words: &[&str], doc: &mut Doc) -> Option<WidgetStep> {
    let shape = &entry.value;
    for text in [&shape.write, &shape.choose].into_iter().flatten() {
        template::check_words(text, words, doc);
    }
    let write = shape.write.as_ref().zip(shape.into.as_ref());
    let choose = shape.choose.as_ref().zip(shape.of.as_ref());
    for (one, other, names) in [
        (shape.write.as_ref().map(|v| &v.span), shape.into.as_ref().map(|v| &v.span), ("write", "into")),
        (shape.choose.as_ref().map(|v| &v.span), shape.of.as_ref().map(|v| &v.span), ("choose", "of")),
    ] {
        match (one, other) {
            (Some(span), None) if !doc.table_has_problem(&entry.span) => {
                doc.problem(span.clone(), format!("`{}` goes with `{}`: in which element?", names.0, names.1), None);
            }
            (None, Some(span)) if !doc.table_has_problem(&entry.span) => {
                doc.problem(span.clone(), format!("`{}` goes with `{}`", names.1, names.0), None);
            }
            _ => {}
        }
    }
    if let Some(key) = shape.press.as_ref().filter(|k| !known_key(&k.value)) {
        let help = suggest(&key.value, &KEYS, "keys beside single characters");
        doc.problem(key.span.clone(), format!("there is no key `{}`", key.value), help);
    }
    let given: Vec<WidgetStep> = [
        shape.frame.as_ref().map(|f| WidgetStep::Frame(f.value.clone())),
        shape.wait_for.as_ref().map(|w| WidgetStep::WaitFor(w.value.0.clone())),
        shape.click.as_ref().map(|c| WidgetStep::Click(c.value.0.clone())),
        write.map(|(text, into)| WidgetStep::Write { into: into.value.0.clone(), text: text.value.clone() }),
        choose.map(|(option, of)| WidgetStep::Choose { of: of.value.0.clone(), option: option.value.clone() }),
        shape.press.as_ref().map(|p| WidgetStep::Press(p.value.clone())),
    ]
    .into_iter()
    .flatten()
    .collect();
    exactly_one(given, "a step", "says what to do", &["frame", "wait_for", "click", "write", "choose", "press"], &entry.span, doc)
}

/// Keys by the names that browsers give them (UI Events KeyboardEvent key values).
const KEYS: [&str; 8] = ["Enter", "Tab", "Escape", "Space", "Backspace", "ArrowUp", "ArrowDown", "Delete"];

fn known_key(key: &str) -> bool {
    KEYS.contains(&key) || key.chars().count() == 1
}
