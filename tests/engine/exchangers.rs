//! Mail exchangers as a careful sender sees them: an expired certificate fails `accept`, everything else is told and proves nothing.

use crate::world::World;
use crate::*;
use async_trait::async_trait;
use replypath::engine::ports::Exchangers;

#[async_trait]
impl Exchangers for World {
    async fn look(&self, domain: &str, given: &[String], _: Timestamp) -> Vec<ExchangerSight> {
        let mut state = self.state.lock().unwrap();
        state.looks.push(format!("{domain} {}", given.join(" ")));
        state.exchangers.clone()
    }
}

fn sight(refused: Option<&str>, trouble: Option<&str>) -> ExchangerSight {
    let not_after = trouble.is_none().then(|| "2026-11-22T00:00:00Z".parse().unwrap());
    let words = |words: Option<&str>| words.map(str::to_owned);
    ExchangerSight { host: "mx1.desk.test:25".into(), not_after, refused: words(refused), trouble: words(trouble) }
}

/// A run of a probe that asks for a look (or not), at a desk with these exchangers.
async fn run(asks: bool, sights: Vec<ExchangerSight>, change: impl FnOnce(&mut world::Weather)) -> (Run, Vec<String>) {
    let trial = Trial::new().await;
    trial.world.weather(change);
    trial.world.state.lock().unwrap().exchangers = sights;
    let mut probe = probe();
    let Channel::Email(email) = &mut probe.channel else { unreachable!("a probe by mail") };
    email.check_exchangers = asks;
    email.exchangers = vec!["mx1.desk.test:25".into()];
    let run = trial.run(&probe).await;
    let looks = trial.world.state.lock().unwrap().looks.clone();
    (run, looks)
}

fn verdict(run: &Run) -> (Verdict, Option<Stage>, Option<&str>) {
    let diagnosis = run.diagnosis.as_ref().unwrap();
    (diagnosis.verdict, diagnosis.stage, diagnosis.fault.as_deref())
}

#[tokio::test]
async fn an_expired_certificate_fails_accept_whether_our_own_mail_came_through_or_not() {
    let expired = (Verdict::Fail, Some(Stage::Accept), Some("mx-cert-expired"));
    for lost in [false, true] {
        let (run, looks) = run(true, vec![sight(None, None), sight(Some("expired"), None)], |w| w.intake_dead = lost).await;
        assert_eq!(verdict(&run), expired, "lost: {lost}");
        assert_eq!(looks, ["desk.test mx1.desk.test:25"], "one look a run");
        assert_eq!(run.context.exchangers.len(), 2);
        let checks = &run.stages[&Stage::Accept].checks;
        assert!(checks.iter().any(|c| c.found == "mx1.desk.test:25: the certificate ended on 2026-11-22"), "{checks:?}");
    }
}

#[tokio::test]
async fn what_our_own_look_cannot_judge_or_lax_senders_live_with_is_told_and_proves_nothing() {
    for (refused, trouble) in [
        (Some("unknown issuer"), None),
        (Some("wrong name"), None),
        (Some("no STARTTLS"), None),
        (None, Some("no connection")),
        (None, None),
    ] {
        let sights = vec![sight(refused, trouble)];
        let (run, _) = run(true, sights.clone(), |_| {}).await;
        assert_eq!(verdict(&run), (Verdict::Pass, None, None), "{refused:?} {trouble:?}");
        assert_eq!(run.context.exchangers, sights);
    }
}

#[tokio::test]
async fn nobody_looks_unless_the_probe_asks_and_something_was_sent() {
    let (passed, looks) = run(false, vec![sight(Some("expired"), None)], |_| {}).await;
    assert_eq!((verdict(&passed).0, looks.len()), (Verdict::Pass, 0));
    let (unsent, looks) = run(true, vec![sight(Some("expired"), None)], |w| w.submission_refuses = true).await;
    assert_eq!((verdict(&unsent).0, verdict(&unsent).1, looks.len()), (Verdict::Unknown, Some(Stage::Send), 0));
}
