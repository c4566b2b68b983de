//! Everything that is known of one run, for `show`.

use super::human::{self, Around, entry_at};
use super::look::{self, FAINT, Look, STRONG, paint, style_of};
use super::ways;
use crate::model::{ActKind, ActState, Looked, Message, Observation, Outcome, Run, RunReport, SeenMail, Stage, Trigger};
use jiff::Timestamp;

/// Headers of a mail that tell something about its way and its threading, lower case.
const HEADERS: [&str; 17] = [
    "from",
    "reply-to",
    "to",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "return-path",
    "auto-submitted",
    "precedence",
    "x-auto-response-suppress",
    "authentication-results",
    "x-spam-status",
    "x-spam-flag",
    "list-id",
    "received",
];

/// The whole story: verdict, stages with checks, messages, mails, evidence in the order of time, leftovers.
pub fn render(run: &Run, around: &Around, look: Look) -> String {
    let report = RunReport::of(run);
    let mut out = human::line(&report, look::columns(&report.probe), look);
    let ended = run.finished.map(|at| format!(", ended {}", look::time(at))).unwrap_or_default();
    let until = run.until.map(|s| format!(", only until {s}")).unwrap_or_default();
    let way = format!("by {} through {}, started {}{until}", report.channel, report.gateway, started_by(run));
    out.push_str(&format!("{} {}  {way}\n", paint(FAINT, "run"), run.id));
    if let Some(parent) = &run.parent {
        out.push_str(&format!("    asked for by {parent}\n"));
    }
    out.push_str(&format!("    {}{ended}\n", look::time(run.started)));
    out.push_str(&human::block(&report, around, look));
    section(&mut out, "Stages", &stages(run, look));
    section(&mut out, "Form", &ways::form(run, look));
    section(&mut out, "Conversation", &ways::conversation(run, look));
    section(&mut out, "Messages that we wrote", &messages(&run.messages, look));
    section(&mut out, "Acts", &acts(run));
    section(&mut out, "Tickets", &tickets(run));
    section(&mut out, "Mails", &run.mails.iter().map(|m| mail(m, run.started, look)).collect::<String>());
    section(&mut out, "Evidence", &evidence(run, around, look));
    section(&mut out, "From outside the run", &outside(&report, look));
    section(&mut out, "Left over", &leftovers(run));
    out
}

/// Every control, look and run beside this one.
fn outside(report: &RunReport, look: Look) -> String {
    let line = |fact: &crate::model::ContextReport| {
        let outcome = fact.outcome.as_deref().unwrap_or("-");
        let row = vec![
            (style_of(outcome), format!("  {outcome}")),
            (FAINT, fact.kind.clone()),
            (STRONG, look::safe(&fact.about)),
            (anstyle::Style::new(), look::safe(&fact.found)),
        ];
        row.into_iter().chain([(FAINT, fact.run.clone().unwrap_or_default())]).collect()
    };
    look::table_within(report.context.iter().map(line).collect(), &[4], look)
}

fn started_by(run: &Run) -> &'static str {
    match run.trigger {
        Trigger::Scheduled => "by schedule",
        Trigger::Manual => "by hand",
        Trigger::Control => "as a control",
    }
}

fn section(out: &mut String, title: &str, text: &str) {
    if !text.is_empty() {
        out.push_str(&format!("\n{}\n{text}", paint(STRONG, title)));
    }
}

fn stages(run: &Run, look: Look) -> String {
    let mut out = String::new();
    for stage in RunReport::of(run).stages {
        let known = Stage::parse(&stage.stage);
        let record = known.and_then(|s| run.stages.get(&s)).cloned().unwrap_or_default();
        let limit = known.filter(|s| run.probe.takes(*s)).map(|s| run.probe.limit(s));
        let limit = limit.map(|l| format!("of {}", look::interval(l))).unwrap_or_default();
        let since = record.opened.map(|at| format!("from {}", look::offset(run.started, at))).unwrap_or_default();
        let took = stage.duration_seconds.map(look::duration).unwrap_or_default();
        let outcome = if record.opened.is_some() && record.outcome.is_none() { "waiting" } else { stage.outcome.as_str() };
        let line = format!(
            "  {} {} {took:>6} {} {}",
            paint(style_of(outcome), format!("{outcome:<11}")),
            format_args!("{:<11}", stage.stage),
            paint(FAINT, format!("{limit:<8}")),
            paint(FAINT, since)
        );
        out.push_str(line.trim_end());
        out.push('\n');
        for check in &record.checks {
            let word = check.outcome.as_str();
            out.push_str(&format!("      {} {}\n", paint(style_of(word), format!("{word:<11}")), look::safe(&check.check)));
            if check.outcome == Outcome::Pass {
                continue;
            }
            out.push_str(&entry_at(6, "expected", &check.expected, look));
            out.push_str(&entry_at(6, "found", &check.found, look));
        }
    }
    out
}

fn messages(messages: &[Message], look: Look) -> String {
    let mut rows = Vec::new();
    for m in messages {
        let turn = if m.turn > 0 { format!(" {}", m.turn) } else { String::new() };
        rows.push(vec![
            (look::FAINT, format!("  {}{turn}", m.stage)),
            (STRONG, m.token.to_string()),
            (look::FAINT, m.message_id.as_ref().map(|id| format!("<{}>", look::safe(id))).unwrap_or_default()),
            (anstyle::Style::new(), look::safe(&m.subject)),
        ]);
    }
    look::table_within(rows, &[2], look)
}

fn acts(run: &Run) -> String {
    let rows: Vec<_> = run
        .acts
        .iter()
        .map(|a| {
            let target = if a.target.is_empty() { String::new() } else { format!(" {}", look::safe(&a.target)) };
            vec![
                (FAINT, format!("  {:>7}", look::offset(run.started, a.intent))),
                (anstyle::Style::new(), format!("{}{target}", kind_word(a.kind))),
                (FAINT, look::safe(&state_word(&a.state))),
            ]
        })
        .collect();
    look::table(&rows)
}

fn kind_word(kind: ActKind) -> &'static str {
    match kind {
        ActKind::Send => "send",
        ActKind::Reply => "reply",
        ActKind::CloseFirst => "close before the follow-up",
        ActKind::HandOver => "ask for a person",
        ActKind::FollowUp => "follow-up",
        ActKind::Leave => "leave the chat",
        ActKind::Mark => "mark",
        ActKind::MoveFirst => "move before the follow-up",
        ActKind::Note => "internal note",
        ActKind::Second => "second customer",
        ActKind::Control => "control",
        ActKind::Close => "close",
        ActKind::Delete => "delete",
    }
}

fn state_word(state: &ActState) -> String {
    match state {
        ActState::Intent => "begun".to_owned(),
        ActState::Done => "done".to_owned(),
        ActState::Failed(why) => format!("failed: {why}"),
        ActState::Uncertain => "uncertain: no answer came, never done again".to_owned(),
        ActState::FoundDone => "found done later".to_owned(),
    }
}

fn tickets(run: &Run) -> String {
    let mut all = run.tickets.clone();
    if let Some(main) = &run.ticket
        && !all.contains(main)
    {
        all.insert(0, main.clone());
    }
    all.iter()
        .map(|t| {
            let mark = if Some(t) == run.ticket.as_ref() { "" } else { "  (a further one)" };
            format!(
                "  {}{}{mark}\n",
                look::safe(&t.number),
                if t.id == t.number { String::new() } else { format!(" (id {})", look::safe(&t.id)) }
            )
        })
        .collect()
}

fn mail(seen: &SeenMail, started: Timestamp, look: Look) -> String {
    let m = &seen.mail;
    let role = serde_json::to_value(seen.role).ok().and_then(|v| v.as_str().map(|s| s.replace('_', " "))).unwrap_or_default();
    let junk = if m.in_junk { "  JUNK" } else { "" };
    let mut out = format!(
        "  {:>7}  {}  {}/{}{}\n",
        look::offset(started, seen.seen),
        paint(STRONG, role),
        look::safe(&m.key.folder),
        m.key.uid,
        paint(look::BAD, junk)
    );
    for (name, value) in m.headers.iter().filter(|(name, _)| HEADERS.contains(&name.to_ascii_lowercase().as_str())) {
        out.push_str(&named(name, value, look));
    }
    if let Some(bounce) = &m.bounce {
        let parts = [bounce.status.as_deref(), bounce.recipient.as_deref(), bounce.diagnostic.as_deref()];
        out.push_str(&format!(
            "           {} {}\n",
            paint(FAINT, "bounce:"),
            look::safe(&parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
        ));
    }
    for file in &m.attachments {
        let size = file.size.map(|s| format!(" {s} bytes")).unwrap_or_default();
        out.push_str(&format!("           {} {}{size}\n", paint(FAINT, "file:"), look::safe(&file.name)));
    }
    out
}

fn evidence(run: &Run, around: &Around, look: Look) -> String {
    let mut all: Vec<&Observation> = run.observations.iter().collect();
    all.sort_by_key(|o| o.at);
    all.into_iter().map(|o| observation(o, run.started, around, look)).collect()
}

fn observation(o: &Observation, started: Timestamp, around: &Around, look: Look) -> String {
    let (style, word) = match o.result {
        Looked::Found => (look::GOOD, "found"),
        Looked::Empty => (FAINT, "nothing"),
        Looked::CouldNotLook => (look::UNSURE, "could not look"),
    };
    let source = serde_json::to_value(o.source).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    let stage = o.stage.map(Stage::as_str).unwrap_or_default();
    let again = if o.times > 1 { format!("  {} times, last {}", o.times, look::offset(started, o.last)) } else { String::new() };
    let mut out = format!(
        "  {:>7}  {} {} {}, {}{}\n",
        look::offset(started, o.at),
        paint(FAINT, format!("{stage:<11} {source:<10}")),
        paint(style, format!("{word:<7}")),
        look::safe(&o.place),
        look::safe(&o.looked_for),
        paint(FAINT, again)
    );
    // A form has a section of its own.
    for (name, value) in o.facts.iter().filter(|(name, _)| *name != "print") {
        if let Some(picture) = value.as_str().filter(|_| name == "screenshot") {
            // A path is of use only whole.
            out.push_str(&format!("           {} {}\n", paint(FAINT, "screenshot:"), look::safe(&around.picture(picture))));
            continue;
        }
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        out.push_str(&named(name, &value, look));
    }
    for line in o.raw.as_deref().unwrap_or_default().lines() {
        out.push_str(&format!("           {} {}\n", paint(FAINT, look.bar()), look::safe(line)));
    }
    out
}

/// One line of a mail or of an observation, cut at the look's width.
fn named(name: &str, value: &str, look: Look) -> String {
    let name = look::safe(name);
    let room = look.width.saturating_sub(13 + look::columns(&name)).max(30);
    let value = look::cut(&look::safe(value).replace(['\n', '\t'], " "), room, look);
    format!("           {} {value}\n", paint(FAINT, format!("{name}:")))
}

fn leftovers(run: &Run) -> String {
    run.leftovers.iter().map(|l| format!("  {}: {}\n", look::safe(&l.what), look::safe(&l.why))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_run_is_told_with_checks_evidence_and_leftovers() {
        let mut run = sample::failed();
        run.leftovers.push(crate::model::Leftover { what: "mail Junk/7".to_owned(), why: "no right to delete".to_owned() });
        let text = render(&run, &Around::default(), Look::PLAIN);
        let text = anstream::adapter::strip_str(&text).to_string();
        for part in [
            "fail        return         30s of 10m   from +3.0s\n",
            "        fail        folder\n",
            "| expected  INBOX\n",
            "    +30s  return      mailbox    found   Junk, rpaaaa\n",
            "           folder: Junk\n           | From: help@desk.test\n           | Subject: Re: Invoice\n",
            "Left over\n  mail Junk/7: no right to delete\n",
            "Tickets\n  12\n",
        ] {
            assert!(text.contains(part.trim_start_matches("    ")), "{part}\n in\n{text}");
        }
    }

    #[test]
    fn a_form_and_a_conversation_have_their_own_parts() {
        let plain = |run| anstream::adapter::strip_str(&render(&run, &Around::default(), Look::PLAIN)).to_string();
        let form = plain(sample::submitted());
        assert!(form.contains("\nForm\n  | submit    POST https://shop.test/contact") && !form.contains("print:"), "{form}");
        assert!(form.contains("           screenshot: screenshots/r-failed-send.png\n"), "{form}");
        let chat = plain(sample::chatted());
        assert!(chat.contains("\nConversation\n  conversation c17, visitor v4"), "{chat}");
    }
}
