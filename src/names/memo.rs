//! What was looked up stays known for a while: one look, however many ask, and those who come meanwhile share it.

use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock};
use tokio::sync::Mutex;

/// One place: locked while it is looked at, so that the others wait for that look.
type Slot<V> = Arc<Mutex<Option<(Timestamp, V)>>>;

/// Looks by place.
pub struct Memo<V> {
    fresh_for: SignedDuration,
    slots: Lock<HashMap<String, Slot<V>>>,
}

impl<V: Clone> Memo<V> {
    /// Each look is good for so long.
    pub fn new(fresh_for: SignedDuration) -> Memo<V> {
        Memo { fresh_for, slots: Lock::default() }
    }

    /// What was seen there not long ago, or else what `look` sees now.
    pub async fn get(&self, place: &str, now: Timestamp, look: impl Future<Output = V>) -> V {
        let slot = self.slot(place);
        let mut seen = slot.lock().await;
        if let Some((at, value)) = seen.as_ref()
            && self.is_fresh(*at, now)
        {
            return value.clone();
        }
        let value = look.await;
        *seen = Some((now, value.clone()));
        drop(seen);
        self.forget_old(now);
        value
    }

    fn slot(&self, place: &str) -> Slot<V> {
        self.slots.lock().unwrap_or_else(|e| e.into_inner()).entry(place.to_owned()).or_default().clone()
    }

    /// A clock that was set back makes nothing fresh for longer.
    fn is_fresh(&self, at: Timestamp, now: Timestamp) -> bool {
        now.duration_since(at).abs() < self.fresh_for
    }

    /// Places that nobody looks at any more take no room.
    fn forget_old(&self, now: Timestamp) {
        self.slots.lock().unwrap_or_else(|e| e.into_inner()).retain(|_, slot| match slot.try_lock() {
            Ok(seen) => seen.as_ref().is_some_and(|(at, _)| self.is_fresh(*at, now)),
            Err(_) => true,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn many_who_ask_share_one_look_until_it_is_old() {
        let (memo, looks) = (Memo::new(SignedDuration::from_secs(60)), AtomicU32::new(0));
        let look = || async {
            // Others come while this look is under way.
            tokio::task::yield_now().await;
            looks.fetch_add(1, Ordering::SeqCst) + 1
        };
        let at = |second| Timestamp::from_second(second).unwrap();
        let all = futures_util::future::join_all((0..50).map(|n| memo.get("a", at(n % 3), look()))).await;
        assert_eq!(all, vec![1; 50]);
        assert_eq!(memo.get("b", at(0), look()).await, 2, "another place is another look");
        assert_eq!(memo.get("a", at(59), look()).await, 1);
        assert_eq!(memo.get("a", at(60), look()).await, 3);
        assert_eq!(memo.slots.lock().unwrap().len(), 1, "what is old is forgotten");
        assert_eq!(memo.get("a", at(-1), look()).await, 4, "a clock that was set back makes nothing fresh for longer");
    }
}
