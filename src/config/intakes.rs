//! `[intakes.KEY]` and `[calendars.KEY]` of `replypath.toml`.

use super::accounts::{Workshop, check_key};
use super::collections::OneOrMany;
use super::hours::Hours;
use super::read::{At, Doc};
use super::shape::{CalendarShape, IntakeShape};
use super::times::zone;
use crate::model::Calendar;
use crate::model::Intake;

impl Workshop<'_> {
    /// An intake mailbox, when everything about it is right.
    pub fn intake(&mut self, key: &At<String>, shape: &At<IntakeShape>) -> Option<Intake> {
        check_key("an intake", key, &mut self.doc);
        let mailbox = self.mailbox(&shape.value.imap.as_ref()?.value)?;
        let desk_login = shape.value.desk_login.as_ref().is_some_and(|d| d.value);
        Some(Intake { name: key.value.clone(), mailbox, desk_login })
    }

    /// Business hours, when everything about them is right.
    pub fn calendar(&mut self, key: &At<String>, shape: &At<CalendarShape>) -> Option<Calendar> {
        check_key("a calendar", key, &mut self.doc);
        let at = shape.span.clone();
        let shape = &shape.value;
        let days = [&shape.mon, &shape.tue, &shape.wed, &shape.thu, &shape.fri, &shape.sat, &shape.sun];
        let hours = days.map(|day| open_hours(day.as_ref(), &mut self.doc));
        let unread = days.iter().any(|day| day.as_ref().is_some_and(|d| self.doc.has_problem_within(&d.span)));
        if hours.iter().all(Vec::is_empty) && !unread && !self.doc.table_has_problem(&at) {
            let help = "write hours such as mon = \"09:00-17:00\"".to_owned();
            self.doc.problem(at, "a calendar without open hours: nobody could ever answer in time", help);
        }
        zone(shape.zone.as_ref(), &mut self.doc)?;
        Some(Calendar {
            name: key.value.clone(),
            zone: shape.zone.as_ref()?.value.clone(),
            hours,
            holidays: shape.holidays.iter().flat_map(|h| &h.value.0).map(|d| d.value.0).collect(),
        })
    }
}

/// A day's hours in their order; those that overlap are noted.
fn open_hours(day: Option<&At<OneOrMany<Hours>>>, doc: &mut Doc) -> Vec<(u16, u16)> {
    let mut all: Vec<&At<Hours>> = day.iter().flat_map(|d| &d.value.0).collect();
    all.sort_by_key(|h| h.value.0);
    for pair in all.windows(2) {
        if let [first, second] = pair
            && second.value.0 < first.value.1
        {
            doc.problem(second.span.clone(), "these hours overlap with others of the same day", "write them as one".to_owned());
        }
    }
    all.iter().map(|h| (h.value.0, h.value.1)).collect()
}
