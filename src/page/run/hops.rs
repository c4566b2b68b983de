//! The way of each mail through the servers, by its Received headers (RFC 5321 section 4.4), and where time was lost.

use super::mail::role;
use crate::model::{Run, SeenMail};
use crate::page::brief::seconds;
use crate::report::look;
use jiff::Timestamp;
use maud::{Markup, html};

/// So many hops of a mail are shown.
const HOPS: usize = 50;

/// One server that took the mail.
#[derive(Debug, Clone, PartialEq)]
struct Hop {
    from: String,
    by: String,
    at: Option<Timestamp>,
}

/// Every mail's hops, the first server first.
pub fn hops(run: &Run) -> Markup {
    html! {
        p.faint { "Times are those of the servers' own clocks, so a gap may be a little wrong or negative." }
        @if run.mails.is_empty() { p.faint { "No mail of this run was seen in the mailbox." } }
        @for mail in &run.mails { (one(mail)) }
    }
}

fn one(seen: &SeenMail) -> Markup {
    let (hops, before) = timed(read(&seen.mail.headers), seen.mail.date);
    html! {
        h3 { (role(seen.role)) ": " (seen.mail.subject) }
        div.scroll tabindex="0" { table.log {
            thead { tr { th scope="col" { "By" } th scope="col" { "From" } th scope="col" { "At" } th scope="col" { "After" } } }
            tbody {
                @if let Some(date) = seen.mail.date { tr { td { "written (Date header)" } td { (seen.mail.from) } td { (clock(date)) } td {} } }
                @for (hop, gap) in &hops { tr { td { (hop.by) } td { (hop.from) } td { (hop.at.map(clock).unwrap_or_default()) } td { (gap) } } }
                @if let Some(at) = seen.mail.received { tr {
                    td { "mailbox (" (seen.mail.key.folder) ")" } td {} td { (clock(at)) } td { @if let Some(was) = before { (gap(was, at)) } }
                } }
            }
        } }
    }
}

/// Each hop with the time since the one before it, and the time of the last.
fn timed(hops: Vec<Hop>, written: Option<Timestamp>) -> (Vec<(Hop, String)>, Option<Timestamp>) {
    let mut before = written;
    let told = hops.into_iter().map(|hop| {
        let since = before.zip(hop.at).map(|(was, at)| gap(was, at)).unwrap_or_default();
        before = hop.at.or(before);
        (hop, since)
    });
    (told.collect(), before)
}

fn clock(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn gap(was: Timestamp, at: Timestamp) -> String {
    if at < was { format!("-{}", look::duration(seconds(at, was))) } else { format!("+{}", look::duration(seconds(was, at))) }
}

/// The hops, oldest first: each server puts its own header on top.
fn read(headers: &[(String, String)]) -> Vec<Hop> {
    let received = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("received"));
    let mut hops: Vec<Hop> = received.map(|(_, value)| hop(value)).take(HOPS).collect();
    hops.reverse();
    hops
}

fn hop(value: &str) -> Hop {
    let (trace, date) = value.rsplit_once(';').unwrap_or((value, ""));
    let words: Vec<&str> = trace.split_whitespace().collect();
    let after = |key: &str| {
        let at = words.iter().position(|w| w.eq_ignore_ascii_case(key))?;
        words.get(at + 1).map(|w| w.trim_matches(['(', ')', ';']).to_owned())
    };
    Hop { from: after("from").unwrap_or_default(), by: after("by").unwrap_or_default(), at: time(date) }
}

/// A date of RFC 5322; the zone in letters that some servers put behind it is a comment.
fn time(text: &str) -> Option<Timestamp> {
    let plain = text.split('(').next().unwrap_or_default().trim();
    jiff::fmt::rfc2822::parse(plain).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_read_oldest_first_with_their_times() {
        let header = |value: &str| ("Received".to_owned(), value.to_owned());
        let headers = [
            header(
                "from mx.provider.test (mx.provider.test [192.0.2.7]) by imap.provider.test with LMTP id 9; Wed, 25 Nov 2026 09:00:07 +0100 (CET)",
            ),
            ("Subject".to_owned(), "by nobody".to_owned()),
            header("from desk (localhost) by mx.provider.test; Wed, 25 Nov 2026 08:00:02 +0000"),
            header("nonsense"),
        ];
        let hops = read(&headers);
        let told: Vec<_> = hops.iter().map(|h| (h.by.as_str(), h.from.as_str(), h.at.map(|t| t.to_string()))).collect();
        assert_eq!(
            told,
            [
                ("", "", None),
                ("mx.provider.test", "desk", Some("2026-11-25T08:00:02Z".to_owned())),
                ("imap.provider.test", "mx.provider.test", Some("2026-11-25T08:00:07Z".to_owned())),
            ]
        );
        assert_eq!(
            (gap(hops[1].at.unwrap(), hops[2].at.unwrap()), gap(hops[2].at.unwrap(), hops[1].at.unwrap())),
            ("+5.0s".to_owned(), "-5.0s".to_owned())
        );
    }
}
