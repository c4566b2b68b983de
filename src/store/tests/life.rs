//! A run's life with one instance.

use super::*;
use crate::engine::ports::{RunFilter, StoreError};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_new_run_is_due_at_once_comes_back_as_it_was_and_is_claimed_once() {
    let (store, clock) = store();
    let mut run = run("r1", "mail");
    run.observations = vec![look("queue a"), look("queue b").raw("text")];
    store.create_run(&run).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(start()));
    let claim = claim_one(&store, &clock).await;
    assert_eq!(claim.run, run);
    assert!(!claim.taken_over);
    assert!(claim_all(&store, &clock).await.is_empty());
    assert_eq!(store.next_due().await.unwrap(), None);
    assert!(store.claim(&run.id).await.unwrap().is_none(), "in hand already");
    assert_eq!(store.run(&run.id).await.unwrap(), Some(run));
    assert_eq!(store.run(&RunId("r2".to_owned())).await.unwrap(), None);
}

#[tokio::test]
async fn the_same_id_cannot_be_stored_twice() {
    let (store, _) = store();
    store.create_run(&run("r1", "mail")).await.unwrap();
    let error = store.create_run(&run("r1", "other")).await.unwrap_err().to_string();
    assert!(error.contains("r1") && error.contains("already"), "{error}");
    assert_eq!(store.run(&RunId("r1".to_owned())).await.unwrap().unwrap().probe.name, "mail");
}

#[tokio::test]
async fn a_step_at_an_old_epoch_is_a_conflict_and_changes_nothing() {
    let (store, clock) = store();
    store.create_run(&run("r1", "mail")).await.unwrap();
    let mut claim = claim_one(&store, &clock).await;
    claim.run.notes.push("first".to_owned());
    let next = store.commit(step(&claim.run, claim.epoch, Some(start()))).await.unwrap();
    assert_eq!(next, claim.epoch + 1);
    claim.run.notes.push("second".to_owned());
    claim.run.messages.push(message("rpsecond", None));
    let error = store.commit(step(&claim.run, claim.epoch, Some(start()))).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict(id) if id.0 == "r1"));
    assert_eq!(store.run(&claim.run.id).await.unwrap().unwrap().notes, ["first"]);
    assert_eq!(store.deliver("alice", &[Token("rpsecond".to_owned())], &[], &mail(1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_run_given_back_comes_again_when_it_is_due_and_not_before() {
    let (store, clock) = store();
    store.create_run(&run("r1", "mail")).await.unwrap();
    let claim = claim_one(&store, &clock).await;
    let due = crate::clock::after(start(), MINUTE);
    store.commit(step(&claim.run, claim.epoch, Some(due))).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(due));
    clock.advance(Duration::from_secs(59));
    assert!(claim_all(&store, &clock).await.is_empty());
    clock.advance(Duration::from_secs(1));
    assert!(!claim_one(&store, &clock).await.taken_over);
}

#[tokio::test]
async fn a_run_woken_while_it_is_in_hand_comes_again_at_once_and_only_once() {
    let (store, clock) = store();
    store.create_run(&run("r1", "chat")).await.unwrap();
    let later = Some(crate::clock::after(start(), MINUTE));
    let claim = claim_one(&store, &clock).await;
    store.wake(&claim.run.id).await.unwrap();
    let epoch = store.commit(Step { hold: true, ..step(&claim.run, claim.epoch, later) }).await.unwrap();
    store.commit(step(&claim.run, epoch, later)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(start()), "woken before both steps");
    let claim = claim_one(&store, &clock).await;
    store.commit(step(&claim.run, claim.epoch, later)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), later, "it has had its look");
    store.wake(&claim.run.id).await.unwrap();
    let claim = claim_one(&store, &clock).await;
    store.commit(step(&claim.run, claim.epoch, later)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), later);
    // A run that nobody will claim again is not woken.
    clock.advance(MINUTE);
    let claim = claim_one(&store, &clock).await;
    store.wake(&claim.run.id).await.unwrap();
    store.commit(step(&claim.run, claim.epoch, None)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), None);
}

#[tokio::test]
async fn a_run_kept_in_hand_can_be_moved_on_and_is_not_claimed_between() {
    let (store, clock) = store();
    store.create_run(&run("r1", "mail")).await.unwrap();
    let claim = claim_one(&store, &clock).await;
    let epoch = store.commit(Step { hold: true, durable: true, ..step(&claim.run, claim.epoch, Some(start())) }).await.unwrap();
    assert!(claim_all(&store, &clock).await.is_empty());
    store.commit(step(&claim.run, epoch, Some(start()))).await.unwrap();
    assert_eq!(claim_one(&store, &clock).await.epoch, epoch + 2, "a commit and a claim later");
}

#[tokio::test]
async fn runs_come_in_the_order_in_which_they_are_due_and_never_more_than_asked_for() {
    let (store, clock) = store();
    for (id, seconds) in [("r1", 30), ("r2", 10), ("r3", 20)] {
        store.create_run(&run(id, id)).await.unwrap();
        let claim = claim_one(&store, &clock).await;
        let due = crate::clock::after(start(), Duration::from_secs(seconds));
        store.commit(step(&claim.run, claim.epoch, Some(due))).await.unwrap();
    }
    clock.advance(MINUTE);
    let two = store.claim_due(clock.now(), 2, false).await.unwrap();
    assert_eq!(two.iter().map(|c| c.run.id.0.as_str()).collect::<Vec<_>>(), ["r2", "r3"]);
    assert_eq!(claim_one(&store, &clock).await.run.id.0, "r1");
}

#[tokio::test]
async fn observations_are_added_replaced_and_cut_without_writing_the_kept_ones() {
    let (store, clock) = store();
    store.create_run(&run("r1", "mail")).await.unwrap();
    let mut claim = claim_one(&store, &clock).await;
    claim.run.observations = vec![look("a"), look("b")];
    let epoch = store.commit(step(&claim.run, claim.epoch, Some(start()))).await.unwrap();
    // What is said to be kept is not written: the change to `a` must not arrive, the one to `b` must.
    claim.run.observations = vec![look("changed"), look("b2"), look("c")];
    let kept = Step { observations_kept: 1, ..step(&claim.run, epoch, Some(start())) };
    let epoch = store.commit(kept).await.unwrap();
    let places = |run: &Run| run.observations.iter().map(|o| o.place.clone()).collect::<Vec<_>>();
    assert_eq!(places(&store.run(&claim.run.id).await.unwrap().unwrap()), ["a", "b2", "c"]);
    claim.run.observations.truncate(1);
    let epoch = store.commit(Step { observations_kept: 1, ..step(&claim.run, epoch, Some(start())) }).await.unwrap();
    assert_eq!(places(&store.run(&claim.run.id).await.unwrap().unwrap()), ["a"]);
    let error = store.commit(Step { observations_kept: 3, ..step(&claim.run, epoch, None) }).await.unwrap_err().to_string();
    assert!(error.contains("3 observations"), "{error}");
}

#[tokio::test]
async fn a_text_longer_than_16_kb_is_cut_even_when_nobody_cut_it_before() {
    let (store, _) = store();
    let mut run = run("r1", "mail");
    run.observations = vec![Observation { raw: Some("ä".repeat(20_000)), ..look("a") }];
    store.create_run(&run).await.unwrap();
    let raw = store.run(&run.id).await.unwrap().unwrap().observations[0].raw.clone().unwrap();
    assert!(raw.len() < 16_100 && raw.ends_with("[cut]"), "{}", raw.len());
}

#[tokio::test]
async fn a_mail_goes_to_the_run_that_owns_its_token_or_its_message_id_and_makes_it_due() {
    let (store, clock) = store();
    for id in ["r1", "r2"] {
        store.create_run(&run(id, id)).await.unwrap();
        let claim = claim_one(&store, &clock).await;
        store.commit(step(&claim.run, claim.epoch, Some(crate::clock::after(start(), MINUTE)))).await.unwrap();
    }
    let tokens = [Token("rpstranger".to_owned()), Token("rpr1".to_owned())];
    assert_eq!(store.deliver("alice", &tokens, &[], &mail(1)).await.unwrap(), Some(RunId("r1".to_owned())));
    let ids = ["x@y".to_owned(), "r2@customer.test".to_owned()];
    assert_eq!(store.deliver("alice", &[], &ids, &mail(2)).await.unwrap(), Some(RunId("r2".to_owned())));
    assert_eq!(store.deliver("alice", &tokens[..1], &ids[..1], &mail(3)).await.unwrap(), None);
    let claims = claim_all(&store, &clock).await;
    assert_eq!(claims.len(), 2);
    for claim in claims {
        let uid = if claim.run.id.0 == "r1" { 1 } else { 2 };
        assert_eq!(claim.deliveries.iter().map(|d| &d.1).collect::<Vec<_>>(), [&mail(uid)]);
    }
}

#[tokio::test]
async fn the_same_mail_is_taken_in_once_even_when_it_is_handed_in_again_later() {
    let (store, clock) = store();
    store.create_run(&run("r1", "mail")).await.unwrap();
    let token = [Token("rpr1".to_owned())];
    for _ in 0..2 {
        assert!(store.deliver("alice", &token, &[], &mail(1)).await.unwrap().is_some());
    }
    store.deliver("bob", &token, &[], &mail(1)).await.unwrap();
    let claim = claim_one(&store, &clock).await;
    assert_eq!(claim.deliveries.len(), 2, "one for alice, one for bob's mailbox");
    let taken: Vec<i64> = claim.deliveries.iter().map(|d| d.0).collect();
    let later = Some(crate::clock::after(start(), MINUTE));
    store.commit(Step { taken: &taken, ..step(&claim.run, claim.epoch, later) }).await.unwrap();
    store.deliver("alice", &token, &[], &mail(1)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), later, "known mail wakes nobody");
    clock.advance(MINUTE);
    assert!(claim_one(&store, &clock).await.deliveries.is_empty());
}

#[tokio::test]
async fn mail_that_comes_while_the_run_is_in_hand_makes_it_due_when_it_is_given_back() {
    let (store, clock) = store();
    store.create_run(&run("r1", "mail")).await.unwrap();
    let claim = claim_one(&store, &clock).await;
    store.deliver("alice", &[Token("rpr1".to_owned())], &[], &mail(1)).await.unwrap();
    let later = Some(crate::clock::after(start(), MINUTE));
    store.commit(step(&claim.run, claim.epoch, later)).await.unwrap();
    let claim = claim_one(&store, &clock).await;
    assert_eq!(claim.deliveries.len(), 1);
    // Not even the end of the run may bury a mail that nobody has looked at.
    let mut run = claim.run;
    finish(&mut run, Verdict::Pass, clock.now());
    store.commit(step(&run, claim.epoch, None)).await.unwrap();
    let claim = claim_one(&store, &clock).await;
    store.commit(Step { taken: &[claim.deliveries[0].0], ..step(&run, claim.epoch, None) }).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), None);
}

#[tokio::test]
async fn tokens_of_messages_written_later_are_known_after_the_commit() {
    let (store, clock) = store();
    store.create_run(&run("r1", "mail")).await.unwrap();
    let mut claim = claim_one(&store, &clock).await;
    claim.run.messages.push(message("rpreply", None));
    let epoch = store.commit(step(&claim.run, claim.epoch, Some(start()))).await.unwrap();
    assert!(store.deliver("alice", &[Token("rpreply".to_owned())], &[], &mail(1)).await.unwrap().is_some());
    claim.run.messages[1].message_id = Some("late@desk.test".to_owned());
    store.commit(step(&claim.run, epoch, Some(start()))).await.unwrap();
    assert!(store.deliver("alice", &[], &["late@desk.test".to_owned()], &mail(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn watched_accounts_are_those_of_runs_under_way_each_with_its_earliest_position() {
    let (store, clock) = store();
    let position =
        |seconds: u64, uid_next| Position { uidvalidity: 7, uid_next, at: crate::clock::after(start(), Duration::from_secs(seconds)) };
    for (id, account, place) in [
        ("r1", "bob", Some(position(5, 50))),
        ("r2", "bob", Some(position(3, 30))),
        ("r3", "eve", None),
        ("r4", "alice", Some(position(9, 90))),
    ] {
        let mut run = run(id, id);
        run.probe.account = account.to_owned();
        run.position = place;
        store.create_run(&run).await.unwrap();
    }
    let all = store.watched_accounts().await.unwrap();
    assert_eq!(all, [("alice".to_owned(), position(9, 90)), ("bob".to_owned(), position(3, 30))]);
    let claim = store.claim(&RunId("r2".to_owned())).await.unwrap().unwrap();
    assert_eq!(store.watched_accounts().await.unwrap(), all, "in hand is under way too");
    let mut run = claim.run;
    finish(&mut run, Verdict::Pass, clock.now());
    store.commit(step(&run, claim.epoch, None)).await.unwrap();
    assert_eq!(store.watched_accounts().await.unwrap()[1].1, position(5, 50));
}

#[tokio::test]
async fn pauses_skips_and_starts_are_remembered() {
    let (store, clock) = store();
    store.set_paused(Some("a"), true, start()).await.unwrap();
    store.set_paused(None, true, start()).await.unwrap();
    assert_eq!(store.paused().await.unwrap(), ["*", "a"]);
    store.set_paused(Some("a"), false, start()).await.unwrap();
    assert_eq!(store.paused().await.unwrap(), ["*"]);
    store.set_paused(None, false, start()).await.unwrap();
    assert!(store.paused().await.unwrap().is_empty());

    assert_eq!(store.last_start("mail").await.unwrap(), None);
    store.create_run(&Run { trigger: Trigger::Manual, ..run("r1", "mail") }).await.unwrap();
    assert_eq!(store.last_start("mail").await.unwrap(), None, "only the schedule counts");
    store.create_run(&run("r2", "mail")).await.unwrap();
    assert_eq!(store.last_start("mail").await.unwrap(), Some(start()));
    clock.advance(MINUTE);
    store.record_skip("mail", "overlap", clock.now()).await.unwrap();
    assert_eq!(store.last_start("mail").await.unwrap(), Some(clock.now()));
}

#[tokio::test]
async fn a_probe_has_unfinished_runs_until_the_last_one_has_its_verdict() {
    let (store, clock) = store();
    store.create_run(&run("r1", "mail")).await.unwrap();
    assert!(store.has_unfinished("mail").await.unwrap());
    assert!(!store.has_unfinished("other").await.unwrap());
    let mut claim = claim_one(&store, &clock).await;
    finish(&mut claim.run, Verdict::Fail, clock.now());
    store.commit(step(&claim.run, claim.epoch, Some(crate::clock::after(start(), MINUTE)))).await.unwrap();
    assert!(!store.has_unfinished("mail").await.unwrap(), "watched, but finished");
}

#[tokio::test]
async fn the_finished_among_many_runs_are_told_apart() {
    let (store, clock) = store();
    ended(&store, &clock, run("r1", "mail"), Verdict::Fail).await;
    store.create_run(&run("r2", "mail")).await.unwrap();
    ended(&store, &clock, run("r3", "mail"), Verdict::Pass).await;
    let ids: Vec<RunId> = ["r3", "r2", "r9", "r1"].map(|id| RunId(id.to_owned())).to_vec();
    assert_eq!(store.finished_among(&ids).await.unwrap(), [ids[0].clone(), ids[3].clone()]);
    assert!(store.finished_among(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn runs_are_listed_newest_first_and_filtered() {
    let (store, clock) = store();
    for (number, (id, name, verdict)) in
        [("r1", "a", Verdict::Pass), ("r2", "a", Verdict::Fail), ("r3", "b", Verdict::Unknown)].into_iter().enumerate()
    {
        let started = crate::clock::after(start(), Duration::from_secs(number as u64));
        ended(&store, &clock, Run { started, ..run(id, name) }, verdict).await;
    }
    store.create_run(&Run { started: crate::clock::after(start(), MINUTE), ..run("r4", "b") }).await.unwrap();
    let list = async |filter: RunFilter| store.runs(&filter).await.unwrap().iter().map(|r| r.id.0.clone()).collect::<Vec<_>>().join(" ");
    let all = RunFilter { limit: 10, ..RunFilter::default() };
    assert_eq!(list(all.clone()).await, "r4 r3 r2 r1");
    assert_eq!(list(RunFilter { limit: 2, ..all.clone() }).await, "r4 r3");
    assert_eq!(list(RunFilter { probe: Some("a".to_owned()), ..all.clone() }).await, "r2 r1");
    assert_eq!(list(RunFilter { not_passed: true, ..all.clone() }).await, "r3 r2");
    assert_eq!(list(RunFilter { since: Some(crate::clock::after(start(), Duration::from_secs(1))), ..all }).await, "r4 r3 r2");
}

#[tokio::test]
async fn a_closed_store_is_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let store = open(dir.path(), "me", &clock);
    store.create_run(&run("r1", "mail")).await.unwrap();
    assert!(store.run(&RunId("r1".to_owned())).await.unwrap().is_some());
    drop(store);
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, [crate::store::FILE_NAME], "the write-ahead log was put into the file");
}

#[tokio::test]
async fn the_token_key_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path(), "one", &clock()).token_key().await.unwrap().token("r1", "send");
    let again = open(dir.path(), "two", &clock()).token_key().await.unwrap();
    assert_eq!(again.recognise(first.as_str()), [first]);
    let (other, _) = store();
    assert_ne!(other.token_key().await.unwrap().token("r1", "send"), again.token("r1", "send"));
}

#[tokio::test]
async fn fifty_steps_at_once_are_all_stored() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let store = open(dir.path(), "me", &clock);
    for number in 0..50 {
        store.create_run(&run(&format!("r{number}"), "mail")).await.unwrap();
    }
    let mut tasks = Vec::new();
    for claim in claim_all(&store, &clock).await {
        let store = Arc::clone(&store);
        tasks.push(tokio::spawn(async move {
            let mut run = claim.run;
            run.acts.push(act(0, ActState::Intent));
            store.commit(Step { durable: true, ..step(&run, claim.epoch, None) }).await.unwrap();
            run.id
        }));
    }
    assert_eq!(tasks.len(), 50);
    for task in tasks {
        let id = task.await.unwrap();
        assert_eq!(store.run(&id).await.unwrap().unwrap().acts.len(), 1);
    }
}

/// Passwords live in `Account`, whose secret type cannot be serialised: this compiles only while that is so.
#[test]
fn what_is_stored_cannot_hold_a_password() {
    trait Answer {
        const SERIALISES: bool = false;
    }
    impl<T> Answer for T {}
    struct Asked<T>(std::marker::PhantomData<T>);
    #[allow(dead_code)]
    impl<T: serde::Serialize> Asked<T> {
        const SERIALISES: bool = true;
    }
    // The inherent constant wins where its bound holds; the trait's is the fallback.
    const { assert!(Asked::<Run>::SERIALISES) };
    const { assert!(!<Asked<Account>>::SERIALISES) };
    const { assert!(!<Asked<secrecy::SecretString>>::SERIALISES) };
}

#[tokio::test]
async fn controls_stand_in_no_list_have_no_standing_and_block_nobody() {
    let (store, clock) = store();
    let control = |id: &str| Run { trigger: crate::model::Trigger::Control, ..run(id, "a") };
    ended(&store, &clock, run("r1", "a"), Verdict::Pass).await;
    clock.advance(MINUTE);
    ended(&store, &clock, Run { started: clock.now(), ..control("r2") }, Verdict::Pass).await;
    store.create_run(&Run { started: clock.now(), ..control("r3") }).await.unwrap();
    store.create_run(&Run { trigger: crate::model::Trigger::Control, ..run("r4", "control plain") }).await.unwrap();
    let list = async |filter: RunFilter| store.runs(&filter).await.unwrap().iter().map(|r| r.id.0.clone()).collect::<Vec<_>>();
    assert_eq!(list(RunFilter { limit: 10, ..RunFilter::default() }).await, ["r1"]);
    assert_eq!(list(RunFilter { limit: 10, controls: true, ..RunFilter::default() }).await.len(), 4);
    let last = async |verdict, not: Option<&str>| {
        let not = not.map(|id| RunId(id.to_owned()));
        store.last_with("a", verdict, not.as_ref()).await.unwrap().map(|run| run.id.0)
    };
    assert_eq!(last(Verdict::Pass, None).await.as_deref(), Some("r1"));
    assert_eq!(last(Verdict::Pass, Some("r9")).await.as_deref(), Some("r1"));
    assert_eq!((last(Verdict::Pass, Some("r1")).await, last(Verdict::Fail, None).await), (None, None));
    assert!(!store.has_unfinished("a").await.unwrap());
    assert_eq!(store.standings().await.unwrap().iter().map(|s| s.probe.as_str()).collect::<Vec<_>>(), ["a"]);
}

#[tokio::test]
async fn runs_in_short_are_what_the_whole_runs_are_in_short() {
    let (store, clock) = store();
    let by_hand = Run { trigger: Trigger::Manual, ..run("by-hand", "mail") };
    let control = Run { trigger: Trigger::Control, ..run("control", "mail") };
    for (begun, verdict) in [
        (run("passed", "mail"), Verdict::Pass),
        (run("failed", "mail"), Verdict::Fail),
        (by_hand, Verdict::Fail),
        (control, Verdict::Pass),
        (run("other", "form"), Verdict::Pass),
    ] {
        clock.advance(Duration::from_secs(60));
        ended(&store, &clock, Run { started: clock.now(), ..begun }, verdict).await;
    }
    clock.advance(Duration::from_secs(60));
    store.create_run(&Run { started: clock.now(), ..run("open", "mail") }).await.unwrap();
    let filter = RunFilter { probe: Some("mail".to_owned()), limit: 9, ..RunFilter::default() };
    let whole: Vec<Brief> = store.runs(&filter).await.unwrap().iter().map(Brief::of).collect();
    let names: Vec<&str> = whole.iter().map(|b| b.id.as_str()).collect();
    assert_eq!(names, ["open", "by-hand", "failed", "passed"]);
    assert_eq!(store.briefs("mail", 9).await.unwrap(), whole);
    assert_eq!(store.briefs("mail", 2).await.unwrap(), whole[..2]);
}
