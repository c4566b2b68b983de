//! This run beside the last good one of the same probe: what changed.

use crate::model::{MailRole, Outcome, Run};
use crate::page::brief::{Cell, cells, outcome_word};
use crate::page::frame::{View, moment};
use crate::report::look;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Headers that differ in every mail.
const ALWAYS: [&str; 9] =
    ["message-id", "in-reply-to", "references", "date", "received", "subject", "dkim-signature", "arc-seal", "arc-message-signature"];

/// The comparison.
pub fn compare(view: View<'_>, run: &Run, good: Option<&Run>) -> Markup {
    let Some(good) = good else { return html! { p { "No earlier run of this reply path passed, so there is nothing to compare with." } } };
    html! {
        p { "Beside " a href=(view.base.run(good.id.as_str())) { "the run of " (moment(good.started)) } ", the last one that passed before." }
        div.scroll tabindex="0" { table.log {
            thead { tr { th scope="col" { "Stage" } th scope="col" { "Last good" } th scope="col" { "This run" } th scope="col" { "Change" } } }
            tbody { @for (was, is) in cells(good).iter().zip(cells(run)) {
                @if !(skipped(was) && skipped(&is)) { tr {
                    th scope="row" { (is.stage) } td data-label="Last good" { (told(was)) } td.(is.outcome.map_or("waiting", Outcome::as_str)) data-label="This run" { (told(&is)) } td { (change(was, &is)) }
                } }
            } }
        } }
        @if good.probe != run.probe { p { b { "The probe itself was changed between the two runs." } } }
        @for role in [MailRole::Acknowledgement, MailRole::Answer] {
            @let changed = headers(good, run, role);
            @if !changed.is_empty() {
                h3 { (super::mail::role(role)) ": headers that changed" }
                div.scroll tabindex="0" { table.headers {
                    thead { tr { th scope="col" { "Header" } th scope="col" { "Last good" } th scope="col" { "This run" } } }
                    tbody { @for (name, was, is) in changed { tr { th scope="row" { (name) } td { (was) } td { (is) } } } }
                } }
            }
        }
    }
}

fn skipped(cell: &Cell) -> bool {
    cell.outcome == Some(Outcome::Skipped)
}

fn told(cell: &Cell) -> String {
    let took = cell.seconds.map(|s| format!(" {}", look::duration(s))).unwrap_or_default();
    format!("{}{took}", outcome_word(cell.outcome))
}

fn change(was: &Cell, is: &Cell) -> String {
    if was.outcome != is.outcome {
        return format!("{} instead of {}", outcome_word(is.outcome), outcome_word(was.outcome));
    }
    match was.seconds.zip(is.seconds) {
        // Less than that is chance.
        Some((was, is)) if is > was * 2.0 && is - was > 2.0 => format!("{:.1} times as long", is / was.max(0.1)),
        Some((was, is)) if was > is * 2.0 && was - is > 2.0 => "faster".to_owned(),
        _ => String::new(),
    }
}

/// Headers of the first mail of that role that are new, gone or changed.
fn headers(good: &Run, run: &Run, role: MailRole) -> Vec<(String, String, String)> {
    let of = |run: &Run| -> Option<BTreeMap<String, String>> {
        let mail = run.mails.iter().find(|m| m.role == role)?;
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in mail.mail.headers.iter().take(120) {
            let name = name.to_ascii_lowercase();
            if !ALWAYS.contains(&name.as_str()) {
                all.entry(name).or_insert_with(|| value.clone());
            }
        }
        Some(all)
    };
    let Some((was, is)) = of(good).zip(of(run)) else { return Vec::new() };
    let tokens: Vec<&str> = good.messages.iter().chain(&run.messages).map(|m| m.token.as_str()).collect();
    // Tokens and the marks between parts (RFC 2046 section 5.1.1) differ in every mail.
    let without_boundary = |value: &str| value.split("boundary=").next().unwrap_or_default().to_owned();
    let plain = |value: &str| tokens.iter().fold(without_boundary(value), |text, token| text.replace(token, "TOKEN"));
    let names: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let pair = |name: &String| {
        let (a, b) = (was.get(name).cloned().unwrap_or_default(), is.get(name).cloned().unwrap_or_default());
        (plain(&a) != plain(&b)).then(|| (name.clone(), a, b))
    };
    names.into_iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Stage;
    use crate::report::sample;

    #[test]
    fn what_changed_is_said_in_words() {
        let cell = |outcome, seconds| Cell { stage: Stage::Return, outcome: Some(outcome), seconds: Some(seconds) };
        assert_eq!(change(&cell(Outcome::Pass, 1.0), &cell(Outcome::Fail, 30.0)), "FAIL instead of ok");
        assert_eq!(change(&cell(Outcome::Pass, 10.0), &cell(Outcome::Pass, 25.0)), "2.5 times as long");
        assert_eq!(change(&cell(Outcome::Pass, 1.0), &cell(Outcome::Pass, 2.5)), "", "chance");
        assert_eq!(change(&cell(Outcome::Pass, 9.0), &cell(Outcome::Pass, 1.0)), "faster");
    }

    #[test]
    fn headers_that_always_differ_are_no_change() {
        let with = |headers: &[(&str, &str)]| {
            let mut run = sample::failed();
            let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let mail = crate::model::ReceivedMail { headers, ..Default::default() };
            run.mails.push(crate::model::SeenMail { role: MailRole::Answer, seen: sample::at(3), mail });
            run
        };
        let good =
            with(&[("Message-ID", "<1@x>"), ("Auto-Submitted", "no"), ("X-Old", "1"), ("Content-Type", "multipart/mixed; boundary=a")]);
        let bad = with(&[
            ("Message-ID", "<2@x>"),
            ("auto-submitted", "auto-replied"),
            ("X-New", "1"),
            ("Content-Type", "multipart/mixed; boundary=b"),
        ]);
        let told = headers(&good, &bad, MailRole::Answer);
        let names: Vec<&str> = told.iter().map(|(n, ..)| n.as_str()).collect();
        assert_eq!(names, ["auto-submitted", "x-new", "x-old"]);
        assert_eq!((told[0].1.as_str(), told[0].2.as_str()), ("no", "auto-replied"));
    }
}
