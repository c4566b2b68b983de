//! The one clock that engine, schedule and sandbox are handed, so that tests can drive it.

use jiff::Timestamp;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Wall time and waiting.
#[async_trait::async_trait]
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// Returns when `now()` is `until` or later. Cancel safe.
    async fn sleep_until(&self, until: Timestamp);
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

#[async_trait::async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // Microseconds are what the store keeps; anything finer would not survive a restart.
        let now = Timestamp::now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    async fn sleep_until(&self, until: Timestamp) {
        // In steps of at most a minute: a wall clock that is set meanwhile is noticed.
        loop {
            let left = until.as_microsecond() - self.now().as_microsecond();
            let Ok(left) = u64::try_from(left) else { return };
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_micros(left).min(Duration::from_secs(60))).await;
        }
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: Arc<Mutex<Timestamp>>,
    moved: watch::Sender<Timestamp>,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> ManualClock {
        ManualClock { now: Arc::new(Mutex::new(start)), moved: watch::Sender::new(start) }
    }

    /// Moves the clock on and wakes all who wait.
    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap_or_else(|e| e.into_inner());
        *now += jiff::SignedDuration::try_from(by).unwrap_or_default();
        self.moved.send_replace(*now);
    }
}

#[async_trait::async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(|e| e.into_inner())
    }

    async fn sleep_until(&self, until: Timestamp) {
        let mut moved = self.moved.subscribe();
        // The sender lives in self, so waiting cannot end by its drop.
        let _ = moved.wait_for(|now| *now >= until).await;
    }
}

/// `at` plus a duration, without overflow.
pub fn after(at: Timestamp, by: Duration) -> Timestamp {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    at.as_microsecond().checked_add(micros).and_then(|m| Timestamp::from_microsecond(m).ok()).unwrap_or(Timestamp::MAX)
}
