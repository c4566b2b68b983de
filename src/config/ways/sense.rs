//! What a way in means for the rest of a probe: usual times, and keys that say nothing there.

use super::Way;
use crate::config::read::{At, Doc};
use crate::config::shape::{FormShape, ProbeShape};
use crate::config::values::show_period;
use crate::model::{FollowUpTo, LimitMillis, Probe, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

/// People who chat expect seconds.
const CHAT_LIMIT: Duration = Duration::from_secs(60);
const CHAT_SETTLE: Duration = Duration::from_secs(10);

impl Way {
    /// The limits of a probe: those that are given, and for chats their own defaults.
    pub fn limits(self, mut given: BTreeMap<Stage, LimitMillis>) -> BTreeMap<Stage, LimitMillis> {
        if !self.is_chat() {
            return given;
        }
        let by_mail = |stage| matches!(self, Way::ChatMail { .. }) && matches!(stage, Stage::Return | Stage::FollowUp);
        for stage in Stage::ALL.into_iter().filter(|s| *s != Stage::CleanUp && !by_mail(*s)) {
            given.entry(stage).or_insert(LimitMillis(CHAT_LIMIT));
        }
        given
    }

    /// How long to wait for duplicates when the probe does not say, by the account's poll interval.
    pub fn settle(self, poll: Duration) -> Duration {
        match self {
            Way::Chat => (poll * 2).min(CHAT_SETTLE),
            Way::Email | Way::Form | Way::ChatMail { .. } => poll * 2,
        }
    }
}

/// Refuses what makes no sense in this way in.
pub fn refuse_senseless(shape: &ProbeShape, way: Way, stages: &BTreeSet<Stage>, limits: &BTreeMap<Stage, LimitMillis>, doc: &mut Doc) {
    follow_up_to(shape, way, doc);
    if way == Way::Chat {
        no_mail(shape, doc);
    }
    if let Some(form) = shape.form.as_ref().filter(|_| way == Way::Form) {
        let send = limits.get(&Stage::Send).map_or(Probe::default_limit(Stage::Send), |l| l.0);
        dwell(&form.value, send, doc);
    }
    let reload = shape.chat.as_ref().and_then(|c| c.value.reload.as_ref());
    if let Some(reload) = reload.filter(|r| r.value && !stages.contains(&Stage::FollowUp)) {
        let help = "take `reload` out, or take the stage `follow_up`".to_owned();
        doc.problem(reload.span.clone(), "`reload` needs the stage `follow_up`, which is left out", help);
    }
}

/// Only a mail can be answered, and the customer has no mail of their own where they wrote into a form or a window.
fn follow_up_to(shape: &ProbeShape, way: Way, doc: &mut Doc) {
    let Some(to) = shape.follow_up.as_ref().and_then(|f| f.value.to.as_ref()) else { return };
    let (message, help) = match (way, to.value) {
        (Way::Chat, _) => ("in a chat the follow-up is the next line, which answers no mail", "take `to` out"),
        (Way::Form | Way::ChatMail { .. }, FollowUpTo::Own) => (
            "the customer sent no mail that could be answered: the request went in another way",
            "write to = \"agent\" or \"acknowledgement\"",
        ),
        _ => return,
    };
    doc.problem(to.span.clone(), message, help.to_owned());
}

/// Where the answer comes into the chat window, nothing can be asked of a mail.
fn no_mail(shape: &ProbeShape, doc: &mut Doc) {
    fn place<T>(value: &Option<At<T>>) -> Option<&Range<usize>> {
        value.as_ref().map(|v| &v.span)
    }
    let expect = shape.expect.as_ref().map(|e| &e.value);
    let reply = shape.reply.as_ref().map(|r| &r.value);
    let keys = [
        ("from", expect.and_then(|e| place(&e.from))),
        ("reply_to", expect.and_then(|e| place(&e.reply_to))),
        ("html", reply.and_then(|r| place(&r.html))),
    ];
    for (key, span) in keys.into_iter().filter_map(|(key, span)| Some((key, span?))) {
        let help = format!("take `{key}` out, or write answer = \"email\" in [chat]");
        doc.problem(span.clone(), format!("`{key}` is of mail, but the answer comes into the chat window"), help);
    }
}

/// A form that is looked at for longer than sending may take can never be in time.
fn dwell(form: &FormShape, send: Duration, doc: &mut Doc) {
    let limit = form.limit.as_ref().map_or(Duration::from_secs(60), |l| l.value.0);
    let Some(dwell) = &form.dwell else { return };
    let (name, most) =
        if form.browser.as_ref().is_some_and(|b| b.value) && limit < send { ("limit", limit) } else { ("limits.send", send) };
    if dwell.value.0 >= most {
        let message = format!("`dwell` ({}) leaves no time to submit: `{name}` is {}", show_period(dwell.value.0), show_period(most));
        doc.problem(dwell.span.clone(), message, "a person takes some seconds".to_owned());
    }
}
