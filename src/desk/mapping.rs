//! From answers to tickets, messages and changes. A field that is absent is none, never a guess.

use super::definition::{Over, Step};
use super::path::{Json, json, null, scalar, string};
use super::recipe::{Decode, EntryMap, Field, MessageMap, Record, Source, TimeKind, Timed};
use super::scope::Scope;
use crate::model::{Attachment, Author, HistoryEntry, Ticket, TicketMessage, TicketRef, TicketStatus};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousTimestamp, TimeZone};
use std::collections::BTreeMap;

/// Reads fields in a scope, with a row in hand.
pub(crate) struct Mapper<'s, 'a> {
    pub scope: &'s Scope<'a>,
    pub row: Json,
}

impl Mapper<'_, '_> {
    /// The value at a place.
    pub fn source(&self, source: &Source) -> Result<Json, String> {
        match source {
            Source::Row(path) => path.eval(&self.row),
            Source::Step(step, path) => self.scope.answer(step).map_or_else(|| Ok(null()), |answer| path.eval(answer)),
        }
    }

    /// A field's value before mapping to text.
    fn raw(&self, field: &Field) -> Result<Option<String>, String> {
        match field {
            Field::From { source, decode, .. } => Ok(scalar(&decoded(self.source(source)?, decode)?).filter(|t| !t.is_empty())),
            other => self.text(other),
        }
    }

    /// A field's value as text; none when absent, null, empty or not in the map.
    pub fn text(&self, field: &Field) -> Result<Option<String>, String> {
        let found = match field {
            Field::Fixed(value) => Some(value.clone()),
            Field::First(all) => {
                let mut found = None;
                for one in all {
                    found = self.text(one)?;
                    if found.is_some() {
                        break;
                    }
                }
                found
            }
            Field::From { map, other, not, .. } => {
                let raw = self.raw(field)?;
                let raw = if *not { raw.map(|t| (t == "false" || t == "0").to_string()) } else { raw };
                match (map, raw) {
                    (Some(map), Some(raw)) => map.iter().find(|(k, _)| *k == raw).map(|(_, v)| v.clone()).or_else(|| other.clone()),
                    (_, raw) => raw,
                }
            }
            Field::If { when, then, otherwise } => {
                let template = if self.source(when)?.is_truthy() { then } else { otherwise };
                template.as_ref().map(|t| t.string(self.scope)).transpose()?.flatten()
            }
            Field::Equals { source, with, then, otherwise } => match (scalar(&self.source(source)?), with.string(self.scope)?) {
                // Who wrote it cannot be told when either side is unknown.
                (None, _) | (_, None) => None,
                (Some(a), Some(b)) if a.trim().eq_ignore_ascii_case(b.trim()) => then.string(self.scope)?,
                _ => otherwise.as_ref().map(|t| t.string(self.scope)).transpose()?.flatten(),
            },
            Field::LookUp { key, within, by, take } => {
                let key = scalar(&self.source(key)?);
                let within = self.source(within)?;
                let mut found = None;
                for candidate in within.as_array().into_iter().flatten() {
                    if key.is_some() && scalar(&by.eval(candidate)?) == key {
                        found = scalar(&take.eval(candidate)?);
                        break;
                    }
                }
                found
            }
        };
        Ok(found.filter(|t| !t.is_empty()))
    }

    /// As `text`, for a field that need not be mapped.
    pub fn maybe(&self, field: &Option<Field>) -> Result<Option<String>, String> {
        field.as_ref().map(|f| self.text(f)).transpose().map(Option::flatten)
    }

    /// A time.
    pub fn timed(&self, field: &Option<Timed>) -> Result<Option<Timestamp>, String> {
        let Some(timed) = field else { return Ok(None) };
        self.text(&timed.field)?.map(|text| time(&text, &timed.kind)).transpose()
    }

    /// The ticket. The error is a broken contract.
    pub fn ticket(&self, record: &Record) -> Result<Ticket, String> {
        let id = self.text(&record.id)?.ok_or("the answer has no ticket id")?;
        let tags = match &record.tags {
            None => None,
            Some(source) => self.source(source)?.as_array().map(|tags| tags.iter().filter_map(scalar).collect()),
        };
        let mut fields = BTreeMap::new();
        if let Some(source) = &record.fields_from {
            let all = self.source(source)?;
            for (name, value) in all.as_object().into_iter().flatten() {
                fields.extend(scalar(value).map(|v| (name.clone(), v)));
            }
        }
        for (name, field) in &record.fields {
            fields.extend(self.text(field)?.map(|v| (name.clone(), v)));
        }
        Ok(Ticket {
            reference: TicketRef { number: self.maybe(&record.number)?.unwrap_or_else(|| id.clone()), id },
            subject: self.maybe(&record.subject)?,
            queue: self.maybe(&record.queue)?,
            status: self.maybe(&record.status)?.as_deref().and_then(status),
            status_text: record.status.as_ref().map(|f| self.raw(f)).transpose()?.flatten(),
            requester: self.maybe(&record.requester)?,
            priority: self.maybe(&record.priority)?,
            tags,
            channel: self.maybe(&record.channel)?,
            created: self.timed(&record.created)?,
            hold_cause: self.maybe(&record.hold_cause)?,
            fields,
        })
    }

    /// One message, without its files.
    pub fn message(&self, map: &MessageMap) -> Result<TicketMessage, String> {
        let id = self.text(&map.id)?.ok_or("a message has no id")?;
        let mut html = self.maybe(&map.html)?;
        let mut text = self.maybe(&map.text)?;
        if let Some((body, kind)) = &map.body {
            let body = self.text(body)?;
            if self.text(kind)?.is_some_and(|k| k.to_ascii_lowercase().contains("html")) { html = body } else { text = body }
        }
        let text = text.or_else(|| html.as_deref().map(mail_parser::decoders::html::html_to_text)).unwrap_or_default();
        Ok(TicketMessage {
            id,
            public: self.maybe(&map.public)?.map(|p| matches!(p.as_str(), "true" | "1")),
            author: self.maybe(&map.author)?.as_deref().and_then(author),
            text,
            html,
            at: self.timed(&map.at)?,
            files: Vec::new(),
            message_id: self.maybe(&map.message_id)?.map(|m| bare(&m)).filter(|m| !m.is_empty()),
            delivery: self.maybe(&map.delivery)?,
        })
    }

    /// One change.
    pub fn entry(&self, map: &EntryMap) -> Result<HistoryEntry, String> {
        Ok(HistoryEntry {
            at: self.timed(&map.at)?,
            who: self.maybe(&map.who)?.unwrap_or_default(),
            kind: self.maybe(&map.kind)?.unwrap_or_default(),
            field: self.maybe(&map.field)?,
            old: self.maybe(&map.old)?,
            new: self.maybe(&map.new)?,
        })
    }

    /// The rows of a message's files, with what can be told without fetching them.
    pub fn files(&self, map: &super::recipe::FilesMap) -> Result<Vec<(Json, Attachment)>, String> {
        let rows = self.source(&map.each)?;
        let mut out = Vec::new();
        for row in rows.as_array().into_iter().flatten() {
            let size = map.size.as_ref().map(|p| p.eval(row)).transpose()?.and_then(|v| scalar(&v)).and_then(|t| t.trim().parse().ok());
            let kind = map.kind.as_ref().map(|p| p.eval(row)).transpose()?.and_then(|v| scalar(&v));
            let attachment = Attachment {
                name: scalar(&map.name.eval(row)?).unwrap_or_default(),
                content_type: kind.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase(),
                size,
                sha256: None,
            };
            out.push((row.clone(), attachment));
        }
        Ok(out)
    }
}

/// The scope of each row of the main step: the row itself under the step's name, the row's answers of repeated
/// steps under theirs, and what stood between it and the next row as `trail`.
pub(crate) fn row_scopes<'a>(main: &str, steps: &[Step], scope: &Scope<'a>) -> Vec<(Scope<'a>, Json)> {
    let rows = scope.answer(main).and_then(|a| a.as_array().cloned()).unwrap_or_default();
    let mut out = Vec::new();
    for (index, row) in rows.into_iter().enumerate() {
        let mut inner = scope.clone();
        for step in steps {
            if matches!(&step.each, Some(Over::Step(over, None)) if over == main) {
                let answer = scope.answer(&step.id).and_then(|a| a.as_array()?.get(index).cloned());
                inner.set_step(step.id.clone(), answer.unwrap_or_else(null));
            }
        }
        let trail = scope.answer(&format!("{main}.trail")).and_then(|t| t.as_array()?.get(index).cloned());
        inner.set_step("trail", trail.unwrap_or_else(null));
        inner.set_step(main, row.clone());
        out.push((inner, row));
    }
    out
}

/// Applies decoders; null stays null.
fn decoded(value: Json, decode: &[Decode]) -> Result<Json, String> {
    let mut value = value;
    for step in decode {
        let Some(text) = scalar(&value) else { return Ok(value) };
        value = match step {
            Decode::Base64 => string(String::from_utf8_lossy(&base64_bytes(&text)?).into_owned()),
            Decode::Json => json(&text).map_err(|e| format!("a value is no JSON: {e}"))?,
            Decode::Html => string(mail_parser::decoders::html::html_to_text(&text)),
        };
    }
    Ok(value)
}

/// Base64 as desks write it: with line ends (RFC 2045 section 6.8).
pub(crate) fn base64_bytes(text: &str) -> Result<Vec<u8>, String> {
    let packed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(packed).map_err(|e| format!("a value is no base64: {e}"))
}

/// A time in one of the four ways in which desks write it. Of the hour that comes twice when summer time ends, the first is taken.
pub(crate) fn time(text: &str, kind: &TimeKind) -> Result<Timestamp, String> {
    read_time(text, kind, |ambiguous| ambiguous.compatible())
}

/// As `time`, but the later one where a local time comes twice: for saying that something is surely too old.
pub(crate) fn latest(text: &str, kind: &TimeKind) -> Result<Timestamp, String> {
    read_time(text, kind, |ambiguous| ambiguous.later())
}

type Decide = fn(AmbiguousTimestamp) -> Result<Timestamp, jiff::Error>;

fn read_time(text: &str, kind: &TimeKind, decide: Decide) -> Result<Timestamp, String> {
    let text = text.trim();
    let wrong = || format!("`{}` is no time of the declared kind", text.chars().take(40).collect::<String>());
    match kind {
        TimeKind::Rfc3339 => text.parse().map_err(|_| wrong()),
        TimeKind::EpochS | TimeKind::EpochMs => {
            let number: f64 = text.parse().map_err(|_| wrong())?;
            let seconds = if *kind == TimeKind::EpochMs { number / 1000.0 } else { number };
            // Outside the years 2000 to 9999 it is surely in another unit.
            if !(946_684_800.0..253_402_300_800.0).contains(&seconds) {
                return Err(wrong());
            }
            Timestamp::from_microsecond((seconds * 1e6).round() as i64).map_err(|_| wrong())
        }
        TimeKind::Naive(zone) => {
            // A time that names its own offset needs no zone, and the declared one would make it wrong.
            if let Ok(known) = text.parse() {
                return Ok(known);
            }
            let civil: DateTime = text.parse().map_err(|_| wrong())?;
            let zone = TimeZone::get(zone).map_err(|e| e.to_string())?;
            decide(zone.to_ambiguous_timestamp(civil)).map_err(|_| wrong())
        }
    }
}

fn status(word: &str) -> Option<TicketStatus> {
    Some(match word {
        "new" => TicketStatus::New,
        "open" => TicketStatus::Open,
        "waiting" => TicketStatus::Waiting,
        "closed" => TicketStatus::Closed,
        "spam" => TicketStatus::Spam,
        "bot" => TicketStatus::Bot,
        "deleted" => TicketStatus::Deleted,
        _ => return None,
    })
}

/// The common word of a status.
pub(crate) fn status_word(status: TicketStatus) -> &'static str {
    match status {
        TicketStatus::New => "new",
        TicketStatus::Open => "open",
        TicketStatus::Waiting => "waiting",
        TicketStatus::Closed => "closed",
        TicketStatus::Spam => "spam",
        TicketStatus::Bot => "bot",
        TicketStatus::Deleted => "deleted",
    }
}

fn author(word: &str) -> Option<Author> {
    match word {
        "customer" => Some(Author::Customer),
        "agent" => Some(Author::Agent),
        "system" => Some(Author::System),
        _ => None,
    }
}

/// A Message-ID without angle brackets.
pub(crate) fn bare(id: &str) -> String {
    id.trim().trim_start_matches('<').trim_end_matches('>').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, kind: TimeKind) -> Option<String> {
        time(text, &kind).ok().map(|t| t.to_string())
    }

    #[test]
    fn a_time_is_read_as_declared_and_refused_when_it_is_in_another_unit() {
        let same = Some("2026-11-25T03:47:41Z".to_owned());
        for text in ["2026-11-25T03:47:41Z", "2026-11-25T04:47:41+01:00", "2026-11-25T04:47:41+0100", "2026-11-25 03:47:41Z"] {
            assert_eq!(at(text, TimeKind::Rfc3339), same, "{text}");
        }
        assert_eq!(at("2026-11-25 03:47:41", TimeKind::Rfc3339), None, "a time without a zone is not taken for UTC");
        assert_eq!(at("1795578461", TimeKind::EpochS), same);
        assert_eq!(at("1795578461000", TimeKind::EpochMs), same);
        assert_eq!(at("1795578461000", TimeKind::EpochS), None);
        assert_eq!(at("1795578461", TimeKind::EpochMs), None);
    }

    #[test]
    fn a_local_time_takes_the_offset_of_its_zone_on_that_day_unless_it_names_one() {
        let berlin = || TimeKind::Naive("Europe/Berlin".to_owned());
        assert_eq!(at("2026-11-25 03:47:41", berlin()).unwrap(), "2026-11-25T02:47:41Z");
        assert_eq!(at("2026-07-25T03:47:41", berlin()).unwrap(), "2026-07-25T01:47:41Z");
        assert_eq!(at("2026-11-25T03:47:41+05:00", berlin()).unwrap(), "2026-11-24T22:47:41Z");
        assert_eq!(at("2026-11-25T03:47:41Z", berlin()).unwrap(), "2026-11-25T03:47:41Z");
        // The hour that comes twice: a ticket is too old only when it is so in both.
        assert_eq!(at("2026-10-25 02:30:00", berlin()).unwrap(), "2026-10-25T00:30:00Z");
        assert_eq!(latest("2026-10-25 02:30:00", &berlin()).unwrap().to_string(), "2026-10-25T01:30:00Z");
    }
}
