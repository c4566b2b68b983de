//! `/events`: what happens, as server-sent events (WHATWG HTML, section 9.2). A reader that was away for a short while names
//! the last event that it had and gets what it missed; one that was away for longer is told to read the page again.

use crate::clock::{Clock, after};
use crate::engine::ports::RunEvent;
use crate::model::{Trigger, Verdict};
use axum::response::sse::Event;
use futures_util::Stream;
use futures_util::stream;
use serde_json::json;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// So many past events are kept for readers that come back.
const KEPT: usize = 512;
/// A sign of life when nothing happens; the page calls three missing ones "not live".
const BEAT: Duration = Duration::from_secs(15);
/// So many readers at once.
const READERS: usize = 200;

#[derive(Debug, Clone)]
struct Told {
    id: u64,
    kind: &'static str,
    data: String,
}

/// What happened of late, and who listens.
pub struct Live {
    /// Ids of another life of the daemon mean nothing in this one.
    life: String,
    past: Mutex<VecDeque<Told>>,
    newest: watch::Sender<u64>,
    closed: watch::Sender<bool>,
    readers: AtomicUsize,
    clock: Arc<dyn Clock>,
}

impl Live {
    /// With nothing told yet; `life` names this life of the daemon in event ids.
    pub fn new(clock: Arc<dyn Clock>) -> Live {
        let life = format!("{:x}", clock.now().as_microsecond());
        Live {
            life,
            past: Mutex::default(),
            newest: watch::Sender::new(0),
            closed: watch::Sender::new(false),
            readers: AtomicUsize::new(0),
            clock,
        }
    }

    fn past(&self) -> MutexGuard<'_, VecDeque<Told>> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what happened in a run; nothing of its evidence.
    pub fn observe(&self, event: &RunEvent) {
        let run = event.run();
        if run.trigger == Trigger::Control {
            return;
        }
        let (kind, stage) = match event {
            RunEvent::Started(_) => ("run", None),
            RunEvent::Stage(_, stage) => ("stage", Some(stage.as_str())),
            RunEvent::Finished(_) | RunEvent::Late(_) => ("run", run.diagnosis.as_ref().and_then(|d| d.stage).map(|s| s.as_str())),
        };
        let verdict = run.diagnosis.as_ref().map(|d| Verdict::as_str(d.verdict));
        self.tell(kind, json!({ "run": run.id, "probe": run.probe.name, "stage": stage, "verdict": verdict }).to_string());
    }

    /// The id of the newest event. A page carries it, so that its script sees what happened before it listened.
    pub fn newest(&self) -> String {
        format!("{}-{}", self.life, *self.newest.borrow())
    }

    /// The configuration, a pause or a due time changed, or the history is read.
    pub fn changed(&self) {
        self.tell("probe", "{}".to_owned());
    }

    fn tell(&self, kind: &'static str, data: String) {
        let mut past = self.past();
        let id = past.back().map_or(*self.newest.borrow(), |t| t.id) + 1;
        past.push_back(Told { id, kind, data });
        while past.len() > KEPT {
            past.pop_front();
        }
        drop(past);
        self.newest.send_replace(id);
    }

    /// Ends all streams: the daemon stops.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    /// The events from now on, or from the one after `last`. None when too many listen already.
    pub fn listen(self: &Arc<Live>, last: Option<&str>) -> Option<impl Stream<Item = Result<Event, Infallible>> + Send + use<>> {
        let seat = Seat::take(self.clone())?;
        let newest = *self.newest.borrow();
        let known = last.and_then(|id| id.rsplit_once('-')).filter(|(life, _)| *life == self.life).and_then(|(_, n)| n.parse().ok());
        let oldest = self.past().front().map_or(newest + 1, |t| t.id);
        let missed = known.filter(|n: &u64| *n <= newest && n + 1 >= oldest);
        let mut waiting = VecDeque::from([self.hello(last.is_some() && missed.is_none(), missed.unwrap_or(newest))]);
        waiting.push_back(self.beat());
        let reader =
            Reader { newest: self.newest.subscribe(), closed: self.closed.subscribe(), seen: missed.unwrap_or(newest), waiting, seat };
        Some(stream::unfold(reader, Reader::next))
    }

    /// `reset`: what was missed is no longer known, so the whole page must be read again.
    fn hello(&self, reset: bool, seen: u64) -> Event {
        let kind = if reset { "reset" } else { "hello" };
        Event::default().event(kind).retry(Duration::from_secs(3)).id(format!("{}-{seen}", self.life)).data("{}")
    }

    fn beat(&self) -> Event {
        Event::default().event("beat").data(json!({ "now": format!("{:.0}", self.clock.now()) }).to_string())
    }

    fn after(&self, seen: u64) -> Vec<Told> {
        self.past().iter().filter(|t| t.id > seen).cloned().collect()
    }
}

/// A place among the readers; given back when it is dropped.
struct Seat(Arc<Live>);

impl Seat {
    fn take(live: Arc<Live>) -> Option<Seat> {
        let before = live.readers.fetch_add(1, Ordering::Relaxed);
        let seat = Seat(live);
        (before < READERS).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Reader {
    newest: watch::Receiver<u64>,
    closed: watch::Receiver<bool>,
    seen: u64,
    waiting: VecDeque<Event>,
    seat: Seat,
}

impl Reader {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Reader)> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some((Ok(event), self));
            }
            let live = self.seat.0.clone();
            self.newest.mark_unchanged();
            let told = live.after(self.seen);
            if let Some(last) = told.last() {
                self.seen = last.id;
                let event = |t: Told| Event::default().event(t.kind).id(format!("{}-{}", live.life, t.id)).data(t.data);
                self.waiting.extend(told.into_iter().map(event));
                continue;
            }
            let beat_at = after(live.clock.now(), BEAT);
            tokio::select! {
                _ = self.closed.wait_for(|closed| *closed) => return None,
                _ = self.newest.changed() => {}
                () = live.clock.sleep_until(beat_at) => self.waiting.push_back(live.beat()),
            }
        }
    }
}
