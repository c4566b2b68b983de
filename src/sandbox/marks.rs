//! What single switches remember while they are on.

use super::faults::Fault;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::Instant;

/// Pairs of sender and recipient that a greylist knows at most.
const PAIR_LIMIT: usize = 10_000;
/// Delivered mails that are kept for delivering them again.
const PAST_LIMIT: usize = 60;
/// A responder answers one account at most so often in [`RESPONDER_WINDOW`]: two of them must not fill the memory.
const RESPONDER_LIMIT: u32 = 12;
const RESPONDER_WINDOW: Duration = Duration::from_secs(60);

/// A mail that was delivered to a customer.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub(crate) to: String,
    pub(crate) message_id: String,
    pub(crate) raw: Arc<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Kept {
    greylist: HashMap<String, Instant>,
    maintenance: Option<Instant>,
    slow_run_taken: bool,
    backlog: u32,
    past: VecDeque<Past>,
    responder: HashMap<String, (Instant, u32)>,
}

/// The memory of all switches.
#[derive(Debug, Default)]
pub(crate) struct Marks(Mutex<Kept>);

impl Marks {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// A switch was turned: it begins anew.
    pub(crate) fn begin_anew(&self, fault: Fault) {
        let mut kept = self.kept();
        match fault {
            Fault::MxGreylists | Fault::OkGreylisted => kept.greylist.clear(),
            Fault::OkMaintenance => kept.maintenance = None,
            Fault::OkOneSlowRun => kept.slow_run_taken = false,
            Fault::IntakeBacklog => kept.backlog = 0,
            _ => {}
        }
    }

    /// True while a new pair of sender and recipient has not waited for `wait` since its first attempt.
    pub(crate) fn defers(&self, from: &str, to: &str, wait: Duration) -> bool {
        let greylist = &mut self.kept().greylist;
        if greylist.len() > PAIR_LIMIT {
            greylist.clear();
        }
        let first = *greylist.entry(format!("{from} {to}").to_ascii_lowercase()).or_insert_with(Instant::now);
        first.elapsed() < wait
    }

    /// What is left of a maintenance of this length; it begins with the first call.
    pub(crate) fn maintenance(&self, length: Duration) -> Option<Duration> {
        let began = *self.kept().maintenance.get_or_insert_with(Instant::now);
        length.checked_sub(began.elapsed()).filter(|left| !left.is_zero())
    }

    /// True for the first caller.
    pub(crate) fn takes_slow_run(&self) -> bool {
        !std::mem::replace(&mut self.kept().slow_run_taken, true)
    }

    /// How many mails waited in the backlog before this one.
    pub(crate) fn backlog(&self) -> u32 {
        let kept = &mut self.kept();
        kept.backlog += 1;
        kept.backlog - 1
    }

    pub(crate) fn keep(&self, past: Past) {
        let kept = &mut self.kept().past;
        kept.push_back(past);
        if kept.len() > PAST_LIMIT {
            kept.pop_front();
        }
    }

    /// Mails that were delivered to an address, newest first.
    pub(crate) fn past(&self, to: &str) -> Vec<Past> {
        self.kept().past.iter().rev().filter(|p| p.to.eq_ignore_ascii_case(to)).cloned().collect()
    }

    /// True when the responder of an account may answer once more.
    pub(crate) fn may_respond(&self, account: &str) -> bool {
        let responder = &mut self.kept().responder;
        let (began, count) = responder.entry(account.to_ascii_lowercase()).or_insert_with(|| (Instant::now(), 0));
        if began.elapsed() > RESPONDER_WINDOW {
            (*began, *count) = (Instant::now(), 0);
        }
        *count += 1;
        *count <= RESPONDER_LIMIT
    }
}
