//! What a run that went through a form or by chat has to tell: the form as it was, the conversation line by line.

use super::human::entry;
use super::look::{self, FAINT, Look, STRONG};
use crate::model::{ChatLine, ChatMemory, Run, Speaker};
use anstyle::Style;
use jiff::Timestamp;

/// The conversation as a table: when, who, whether pushed and stored, the text. Empty without one.
pub fn conversation(run: &Run, look: Look) -> String {
    let Some(chat) = &run.chat else { return String::new() };
    let mut out = about(chat);
    if chat.lines.is_empty() {
        return out;
    }
    // Only some desks tell when the agents were told.
    let shown = chat.lines.iter().any(|l| l.shown.is_some());
    let mut head = vec!["  SEEN", "WHO", "PUSHED", "STORED"];
    head.extend(shown.then_some("AGENTS"));
    head.push("TEXT");
    let mut rows = vec![head.into_iter().map(|h| (FAINT, h.to_owned())).collect::<Vec<_>>()];
    let mut lines: Vec<&ChatLine> = chat.lines.iter().collect();
    // Lines that came with one look are told apart by the desk's own times, where it gives them.
    lines.sort_by_key(|l| (l.at.is_none(), l.at, first_seen(l)));
    for line in lines {
        let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| look::offset(run.started, at));
        let mut row = vec![
            (FAINT, format!("  {}", time(first_seen(line)))),
            (STRONG, who(line.speaker).to_owned()),
            (FAINT, time(line.pushed)),
            (FAINT, time(line.stored)),
        ];
        row.extend(shown.then(|| (FAINT, time(line.shown))));
        row.push((Style::new(), text(line)));
        rows.push(row);
    }
    out.push_str(&look::table_within(rows, &[], look));
    out
}

fn about(chat: &ChatMemory) -> String {
    let word = |name: &str, value: &Option<String>| value.as_ref().map(|v| format!("{name} {}", look::safe(v)));
    let parts = [
        word("conversation", &chat.conversation),
        word("visitor", &chat.visitor),
        chat.offline.then(|| "no chat was offered: a message was left".to_owned()),
        (chat.turns > 0).then(|| format!("a person was asked for {}", times(chat.turns))),
        chat.reloaded.then(|| "the window was reloaded".to_owned()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("  {}\n", parts.join(", ")) }
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// When this line was first seen, on whichever path.
pub fn first_seen(line: &ChatLine) -> Option<Timestamp> {
    [line.pushed, line.stored, line.shown].into_iter().flatten().min()
}

/// The word for a speaker.
pub fn who(speaker: Option<Speaker>) -> &'static str {
    match speaker {
        Some(Speaker::Visitor) => "visitor",
        Some(Speaker::Agent) => "agent",
        Some(Speaker::Bot) => "bot",
        Some(Speaker::System) => "system",
        None => "?",
    }
}

/// A line's text on one line, with its files.
fn text(line: &ChatLine) -> String {
    let words: Vec<&str> = line.text.split_whitespace().collect();
    let mut text = look::safe(&words.join(" "));
    for file in &line.files {
        let size = file.size.map_or_else(|| "not to be had".to_owned(), |s| format!("{s} bytes"));
        text.push_str(&format!(" [{}, {size}]", look::safe(&file.name)));
    }
    text.trim_start().to_owned()
}

/// The form as it was seen last: its fields, what was hidden, where it was submitted. Empty without one.
pub fn form(run: &Run, look: Look) -> String {
    let Some(print) = run.form_print() else { return String::new() };
    let mut out = entry("submit", &print.target, look);
    for (n, field) in print.fields.iter().enumerate() {
        out.push_str(&entry(if n == 0 { "fields" } else { "" }, field, look));
    }
    out.push_str(&entry("hidden", &print.hidden.join(", "), look));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_conversation_tells_who_said_what_and_how_it_came() {
        let expected = "\n  conversation c17, visitor v4, a person was asked for once
  SEEN   WHO      PUSHED  STORED  TEXT
  +1.0s  visitor  -       +1.0s   Hello rpaaaa
  +2.0s  bot      +2.0s   +3.0s   I am a bot. [a.csv, 12 bytes]
  +5.0s  agent    -       +5.0s   Hello \u{fffd}[31m Alice [b.png, not to be had]
";
        assert_eq!(plain(&conversation(&sample::chatted(), Look::PLAIN)), expected.trim_start_matches('\n'));
        assert_eq!(conversation(&sample::passed(), Look::PLAIN), "");
    }

    #[test]
    fn where_agents_are_told_that_has_a_column() {
        let mut run = sample::chatted();
        run.chat.as_mut().unwrap().lines[0].shown = Some(sample::at(2));
        let text = plain(&conversation(&run, Look::PLAIN));
        assert!(text.contains("STORED  AGENTS  TEXT\n") && text.contains("+1.0s   +2.0s   Hello rpaaaa\n"), "{text}");
    }

    #[test]
    fn a_form_is_told_as_it_was_seen_last() {
        let text = plain(&form(&sample::submitted(), Look::PLAIN));
        let expected = "  | submit    POST https://shop.test/contact (multipart)\n  | fields    E-mail (email)*\n  |           Message (textarea)*\n\
                        \x20 | hidden    csrf\n";
        assert_eq!(text, expected);
        assert_eq!(form(&sample::passed(), Look::PLAIN), "");
    }
}
