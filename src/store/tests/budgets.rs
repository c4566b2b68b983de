//! Send budgets.

use super::*;
use crate::engine::ports::BudgetAnswer;

fn wait(seconds: u64, limit: &str) -> BudgetAnswer {
    BudgetAnswer::Wait { at: crate::clock::after(start(), Duration::from_secs(seconds)), limit: limit.to_owned() }
}

#[tokio::test]
async fn a_window_slides_and_says_when_there_is_room_again() {
    let (store, clock) = store();
    let budget = Budget(vec![Rate { count: 2, per: Duration::from_secs(3600) }]);
    let take = async || store.budget_take("account alice", &budget, clock.now()).await.unwrap();
    assert_eq!(take().await, BudgetAnswer::Taken);
    clock.advance(Duration::from_secs(600));
    assert_eq!(take().await, BudgetAnswer::Taken);
    assert_eq!(take().await, wait(3600, "2 messages per 1h of account alice"));
    clock.advance(Duration::from_secs(2999));
    assert_eq!(take().await, wait(3600, "2 messages per 1h of account alice"));
    clock.advance(Duration::from_secs(1));
    assert_eq!(take().await, BudgetAnswer::Taken, "a refused one has used nothing up");
    assert_eq!(take().await, wait(4200, "2 messages per 1h of account alice"));
    assert_eq!(store.budget_take("account bob", &budget, clock.now()).await.unwrap(), BudgetAnswer::Taken);
}

#[tokio::test]
async fn every_rate_must_hold_and_the_longest_wait_is_told() {
    let (store, clock) = store();
    let budget = Budget(vec![Rate { count: 1, per: Duration::from_secs(90) }, Rate { count: 2, per: Duration::from_secs(86_400) }]);
    let take = async || store.budget_take("desk:rt", &budget, clock.now()).await.unwrap();
    assert_eq!(take().await, BudgetAnswer::Taken);
    assert_eq!(take().await, wait(90, "1 message per 1m30s of desk rt"));
    clock.advance(Duration::from_secs(90));
    assert_eq!(take().await, BudgetAnswer::Taken);
    assert_eq!(take().await, wait(86_400, "2 messages per 1d of desk rt"));
}

#[tokio::test]
async fn no_rates_are_no_limit_and_a_rate_of_none_never_has_room() {
    let (store, clock) = store();
    for _ in 0..100 {
        assert_eq!(store.budget_take("a", &Budget::default(), clock.now()).await.unwrap(), BudgetAnswer::Taken);
    }
    let never = Budget(vec![Rate { count: 0, per: Duration::from_secs(60) }]);
    assert!(matches!(store.budget_take("a", &never, clock.now()).await.unwrap(), BudgetAnswer::Wait { .. }));
}

#[tokio::test]
async fn a_clock_set_back_does_not_open_the_budget() {
    let (store, clock) = store();
    let budget = Budget(vec![Rate { count: 1, per: Duration::from_secs(60) }]);
    store.budget_take("a", &budget, clock.now()).await.unwrap();
    let earlier = start() - jiff::SignedDuration::from_hours(1);
    assert!(matches!(store.budget_take("a", &budget, earlier).await.unwrap(), BudgetAnswer::Wait { .. }));
}
