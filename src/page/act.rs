//! Runs started from the page and the API: marked as by hand, never two at once, at most one a minute for each probe.

use super::Pages;
use crate::clock::after;
use crate::model::{RunId, Trigger};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::PoisonError;
use std::time::Duration;

/// The time between two starts of one probe.
const APART: Duration = Duration::from_secs(60);
/// So many starts of all probes together within [`APART`]: real messages are sent.
const TOGETHER: usize = 20;

/// The starts of the last minute.
#[derive(Default)]
pub struct Starts {
    of_probe: BTreeMap<String, Timestamp>,
    all: VecDeque<Timestamp>,
}

impl Starts {
    /// Takes one start; or says when it may be tried again.
    fn take(&mut self, probe: &str, now: Timestamp) -> Result<(), Timestamp> {
        self.of_probe.retain(|_, at| after(*at, APART) > now);
        self.all.retain(|at| after(*at, APART) > now);
        if let Some(at) = self.of_probe.get(probe) {
            return Err(after(*at, APART));
        }
        if let Some(first) = self.all.front().filter(|_| self.all.len() >= TOGETHER) {
            return Err(after(*first, APART));
        }
        self.of_probe.insert(probe.to_owned(), now);
        self.all.push_back(now);
        Ok(())
    }

    fn give_back(&mut self, probe: &str) {
        if self.of_probe.remove(probe).is_some() {
            self.all.pop_back();
        }
    }
}

/// Why no run was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotStarted {
    /// No such probe.
    NoProbe,
    /// A run is under way.
    UnderWay(Option<RunId>),
    /// Too soon; so many seconds to wait.
    TooSoon(u64),
    /// The daemon is starting, reloading or ending, or its store fails.
    NotNow(String),
}

impl Pages {
    /// Starts a run of the probe by hand. `by` is who asks, for the log.
    ///
    /// # Errors
    /// Says why none was started.
    pub async fn start(&self, probe: &str, by: &str) -> Result<RunId, NotStarted> {
        let seats = self.board.seats();
        let seat = seats.get(probe).ok_or(NotStarted::NoProbe)?;
        let not_now = |why: &str| NotStarted::NotNow(why.to_owned());
        let (driver, account) = {
            let turn = self.turn.read().unwrap_or_else(PoisonError::into_inner);
            let turn = turn.as_ref().ok_or_else(|| not_now("the daemon is starting or ending"))?;
            (turn.driver.clone(), turn.accounts.get(&seat.probe.account).cloned().ok_or_else(|| not_now("its account is gone"))?)
        };
        match self.store.has_unfinished(probe).await {
            Ok(false) => {}
            Ok(true) => return Err(NotStarted::UnderWay(seat.running.keys().next_back().cloned())),
            Err(error) => return Err(not_now(&error.to_string())),
        }
        let now = self.clock.now();
        let taken = self.starts.lock().unwrap_or_else(PoisonError::into_inner).take(probe, now);
        taken.map_err(|at| NotStarted::TooSoon(u64::try_from(at.as_second() - now.as_second()).unwrap_or(0).max(1)))?;
        match driver.start_run(&seat.probe, &account, Trigger::Manual, None).await {
            Ok(run) => {
                tracing::info!(probe, %run, by, "started by hand");
                Ok(run)
            }
            Err(error) => {
                self.starts.lock().unwrap_or_else(PoisonError::into_inner).give_back(probe);
                Err(not_now(&error.to_string()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::at;

    #[test]
    fn a_probe_starts_once_a_minute_and_all_together_a_few_times() {
        let mut starts = Starts::default();
        assert_eq!(starts.take("a", at(0)), Ok(()));
        assert_eq!(starts.take("a", at(59)), Err(at(60)));
        assert_eq!(starts.take("a", at(60)), Ok(()));
        for n in 1..TOGETHER {
            assert_eq!(starts.take(&format!("p{n}"), at(61)), Ok(()));
        }
        assert_eq!(starts.take("one-more", at(62)), Err(at(120)));
        starts.give_back(&format!("p{}", TOGETHER - 1));
        assert_eq!(starts.take("one-more", at(62)), Ok(()));
        assert!(starts.take("later", at(121)).is_ok());
    }
}
