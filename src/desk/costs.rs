//! What a definition costs: the calls that each of its operations needs at worst, and what the desk takes.

use super::create::{Create, Limit, Recipe};
use super::definition::{Definition, Over, Page, PageKind, Step};
use crate::model::View;

impl Definition {
    /// The ways to write in without mail, by the desk's own API: what `[form] recipe` can name.
    pub fn recipes(&self) -> Vec<Recipe> {
        self.creates.iter().map(Create::told).collect()
    }

    /// How many calls the desk takes.
    pub fn limit(&self) -> Option<Limit> {
        self.limit
    }

    /// Every step.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        let lists = [&self.read, &self.messages, &self.history, &self.reply, &self.note_steps, &self.close, &self.delete];
        let more = [&self.move_to, &self.mark, &self.health, &self.visit];
        let finds = self.finds.iter().flat_map(|f| &f.steps);
        finds.chain(lists.into_iter().chain(more).flatten()).chain(self.creates.iter().flat_map(|c| &c.steps))
    }

    /// Calls of each operation at worst, for one look or one act; files of messages and redirects are not counted.
    pub fn calls(&self) -> Vec<(String, u64)> {
        let sum = |steps: &[Step]| steps.iter().map(Step::most).sum::<u64>();
        let find = self.finds.iter().filter(|f| f.view == View::Normal).map(|f| sum(&f.steps)).sum();
        let before = if self.message.as_ref().is_some_and(|m| m.needs_read) { sum(&self.read) } else { 0 };
        let mut out = vec![("find".to_owned(), find), ("read".to_owned(), sum(&self.read))];
        if self.message.is_some() {
            out.push(("messages".to_owned(), before + sum(&self.messages)));
        }
        // Some desks are asked again whether they did it.
        let after = |steps: &[Step]| if steps.iter().any(|s| s.verify.is_some()) { sum(&self.read) } else { 0 };
        let acts = [("history", &self.history), ("reply", &self.reply), ("close", &self.close), ("delete", &self.delete)];
        out.extend(acts.into_iter().filter(|(_, s)| !s.is_empty()).map(|(name, steps)| (name.to_owned(), sum(steps) + after(steps))));
        out.extend(self.creates.iter().map(|c| (format!("create {}", c.id), c.told().calls)));
        out
    }
}

impl Step {
    /// Calls of the step at worst: pages, times repetitions. Redirects and a second try of a broken connection are left out.
    pub fn most(&self) -> u64 {
        let pages = match &self.page {
            None => 1,
            // The first page tells the count; the last ones are read after it.
            Some(Page { kind: PageKind::LastFromCount { .. }, max, .. }) => *max as u64 + 1,
            Some(page) => page.max as u64,
        };
        let times = match &self.each {
            Some(Over::Step(..)) => self.max as u64,
            // A reply or a form has few files; each is one call.
            Some(Over::Files) | None => 1,
        };
        pages * times
    }
}

#[cfg(test)]
mod tests {
    use crate::desk::{Definition, Limit, LimitScope, built_in};
    use std::time::Duration;

    fn calls(id: &str) -> String {
        let text = built_in().iter().find(|(i, _)| *i == id).unwrap().1;
        let calls = Definition::parse(id, text).unwrap_or_else(|p| panic!("{}", crate::problem::render(&p, false))).calls();
        calls.iter().map(|(operation, calls)| format!("{operation} {calls}")).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn pages_repetitions_questions_before_and_second_looks_are_counted() {
        assert_eq!(calls("rt"), "find 6, read 2, messages 55, history 5, reply 2, close 3, delete 1");
        assert_eq!(calls("django-helpdesk"), "find 4, read 3, messages 1, reply 1, close 4, delete 1");
        assert!(calls("sandbox").ends_with("create form 4"), "{}", calls("sandbox"));
    }

    #[test]
    fn a_limit_allows_what_is_done_rarely_enough() {
        let limit = Limit { count: 6, per: Duration::from_secs(12 * 3600), scope: LimitScope::Ip };
        assert!(limit.allows(Duration::from_secs(2 * 3600)));
        assert!(!limit.allows(Duration::from_secs(2 * 3600 - 1)));
        assert_eq!(limit.to_string(), "6 in 12h for each network address");
    }
}
