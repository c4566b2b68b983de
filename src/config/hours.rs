//! The values of a calendar: open hours of a day, and days.

use super::read::{Doc, FromToml, value_schema};
use jiff::civil::Date;
use std::ops::Range;
use toml::de::DeValue;

/// Open hours: begin and end in minutes since midnight; the end may be 24:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours(pub u16, pub u16);

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day(pub Date);

value_schema!(
    Hours => { "title": "hours", "type": "string", "pattern": "^[0-9]{1,2}:[0-9]{2} ?- ?[0-9]{1,2}:[0-9]{2}$" },
    Day => { "title": "day", "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" }
);

impl FromToml for Hours {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let Some(text) = value.as_str() else {
            doc.wrong(span, "hours such as \"09:00-17:00\"", value);
            return None;
        };
        match parse_hours(text) {
            Ok(hours) => Some(hours),
            Err(reason) => {
                doc.problem(span.clone(), format!("`{text}` are no open hours: {reason}"), "write them like \"09:00-17:00\"".to_owned());
                None
            }
        }
    }
}

impl FromToml for Day {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        // Written without quotes it is TOML's own date.
        let text = match value {
            DeValue::Datetime(day) => day.to_string(),
            _ => value.as_str().unwrap_or_default().to_owned(),
        };
        let day = text.parse::<Date>().ok().filter(|_| text.len() == 10);
        if day.is_none() {
            doc.wrong(span, "a day such as \"2026-12-25\"", value);
        }
        day.map(Day)
    }
}

/// Reads `09:00-17:00`.
fn parse_hours(text: &str) -> Result<Hours, &'static str> {
    let (begin, end) = text.split_once('-').ok_or("there is no `-` between begin and end")?;
    let (begin, end) = (minutes(begin.trim())?, minutes(end.trim())?);
    if begin >= end {
        return Err("the end is not after the begin; hours over midnight are two, to 24:00 and from 00:00 of the next day");
    }
    Ok(Hours(begin, end))
}

/// Minutes since midnight of `09:30`.
fn minutes(text: &str) -> Result<u16, &'static str> {
    const FORM: &str = "a time has hours and minutes, such as 09:30";
    let (hour, minute) = text.split_once(':').ok_or(FORM)?;
    let digits = |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour, 2) || !digits(minute, 2) || minute.len() != 2 {
        return Err(FORM);
    }
    let (hour, minute): (u16, u16) = (hour.parse().map_err(|_| FORM)?, minute.parse().map_err(|_| FORM)?);
    let all = hour * 60 + minute;
    if minute > 59 || all > 24 * 60 {
        return Err("a day has 24 hours of 60 minutes");
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_and_wrong_ones_refused() {
        assert_eq!(parse_hours("09:00-17:30"), Ok(Hours(540, 1_050)));
        assert_eq!(parse_hours("0:00 - 24:00"), Ok(Hours(0, 1_440)));
        for wrong in
            ["", "9-17", "09:00", "09:00-9:0", "17:00-09:00", "09:00-09:00", "09:60-10:00", "23:00-24:01", "09:00-17:00-18:00", "-:-"]
        {
            assert!(parse_hours(wrong).is_err(), "{wrong}");
        }
    }
}
