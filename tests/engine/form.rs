//! Requests through a web form.

use crate::web::FormWeather;
use crate::{Trial, account, diagnosis, finish, probe as mail_probe};
use replypath::engine::ports::Store;
use replypath::engine::ways::Stop;
use replypath::model::*;
use std::time::Duration;

pub fn probe() -> Probe {
    let mut probe = mail_probe();
    probe.channel = Channel::Form(FormChannel {
        page: Some("https://desk.test/contact".into()),
        by: FormBy::Page,
        subject: "Where is my parcel? (${token})".into(),
        text: "Hello,\nwhere is my parcel? Grüße\n\nReference: ${token}".into(),
        fields: Vec::new(),
        attachments: Vec::new(),
        attachments_in: None,
        form: None,
        submit: None,
        thanks: None,
        number: None,
        dwell: Duration::ZERO,
    });
    probe
}

fn is(run: &Run, stage: Stage) -> Option<Outcome> {
    run.stages.get(&stage).and_then(|r| r.outcome)
}

fn found(run: &Run, stage: Stage, check: &str) -> String {
    run.stages[&stage].checks.iter().find(|c| c.check == check).map(|c| c.found.clone()).unwrap_or_default()
}

async fn run_in(change: impl FnOnce(&mut FormWeather)) -> (Trial, Run) {
    let trial = Trial::new().await;
    trial.world.weather(|w| change(&mut w.form));
    let run = trial.run(&probe()).await;
    (trial, run)
}

fn refused(fault: &'static str) -> Stop {
    Stop::failed(fault, ResultClass::BrokenContract, "the form answered 422")
}

#[tokio::test]
async fn a_healthy_form_passes_every_stage_and_nothing_is_left() {
    let (trial, run) = run_in(|_| {}).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    for stage in Stage::ALL {
        assert_eq!(is(&run, stage), Some(Outcome::Pass), "{stage}");
    }
    assert!(found(&run, Stage::Accept, "thank-you").contains("ticket 1"));
    let state = trial.world.state.lock().unwrap();
    assert_eq!((state.web.submitted, state.submitted.len(), state.replies.len(), state.closes), (1, 1, 1, 1));
    assert!(state.inbox.is_empty() && state.tickets.len() == 1 && state.tickets.iter().all(|t| t.closed));
}

#[tokio::test]
async fn a_page_that_does_not_answer_is_a_fault_only_while_our_own_network_works() {
    let unreachable = || Stop::unknown("form-page-unreachable", ResultClass::Unavailable, "no answer in time").passing();
    let (trial, run) = run_in(|w| w.page = Some((unreachable(), usize::MAX))).await;
    assert_eq!(diagnosis(&run), (Verdict::Fail, Some(Stage::Send), vec!["form-does-not-load"]), "{:#?}", run.diagnosis);
    assert_eq!(trial.world.state.lock().unwrap().web.submitted, 0);

    let (_, run) = run_in(|w| (w.page, w.page_cuts_network) = (Some((unreachable(), usize::MAX)), true)).await;
    assert_eq!(diagnosis(&run), (Verdict::Unknown, Some(Stage::Send), vec!["form-page-unreachable"]), "{:#?}", run.diagnosis);

    let (trial, run) = run_in(|w| w.page = Some((unreachable(), 3))).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "it came back within the limit: {:#?}", run.diagnosis);
    assert_eq!(trial.world.state.lock().unwrap().web.submitted, 1);
}

#[tokio::test]
async fn what_keeps_only_us_out_is_unknown_with_advice_and_nothing_is_submitted() {
    for fault in ["form-captcha", "form-bot-protection", "form-login-wall"] {
        let stop = Stop::unknown(fault, ResultClass::Denied, "a captcha is there").advice("exempt the probe");
        let (trial, run) = run_in(|w| w.page = Some((stop, usize::MAX))).await;
        assert_eq!(diagnosis(&run), (Verdict::Unknown, Some(Stage::Send), vec![fault]), "{:#?}", run.diagnosis);
        assert!(found(&run, Stage::Send, "filled in").ends_with("; exempt the probe"));
        assert_eq!((is(&run, Stage::Land), trial.world.state.lock().unwrap().web.submitted), (Some(Outcome::NotReached), 0));
    }
    // Seen only once it was submitted.
    let stop = Stop::unknown("form-sender-refused", ResultClass::Denied, "the address has no MX");
    let (trial, run) = run_in(|w| w.submit = Some((stop, false, usize::MAX))).await;
    assert_eq!(diagnosis(&run), (Verdict::Unknown, Some(Stage::Accept), vec!["form-sender-refused"]), "{:#?}", run.diagnosis);
    assert_eq!((is(&run, Stage::Land), trial.world.state.lock().unwrap().web.submitted), (Some(Outcome::NotReached), 1));
}

#[tokio::test]
async fn a_refused_submission_fails_at_accept_and_is_not_repeated() {
    for fault in ["form-cors-refused", "form-captcha-expired", "form-submit-refused"] {
        let (trial, run) = run_in(|w| w.submit = Some((refused(fault), false, usize::MAX))).await;
        assert_eq!(diagnosis(&run), (Verdict::Fail, Some(Stage::Accept), vec![fault]), "{:#?}", run.diagnosis);
        assert_eq!((is(&run, Stage::Send), is(&run, Stage::Land)), (Some(Outcome::Pass), Some(Outcome::NotReached)));
        assert_eq!(trial.world.state.lock().unwrap().web.submitted, 1);
    }
}

#[tokio::test]
async fn a_throttled_submission_is_tried_again_since_it_was_certainly_not_taken() {
    let mut stop = Stop::unknown("form-throttled", ResultClass::Throttled, "the form answered 429").passing();
    stop.retry_after = Some(Duration::from_secs(5));
    let (trial, run) = run_in(|w| w.submit = Some((stop, false, 1))).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    let state = trial.world.state.lock().unwrap();
    assert_eq!((state.web.submitted, state.tickets.len()), (2, 1));
}

#[tokio::test]
async fn an_error_page_after_the_submission_fails_and_the_ticket_that_came_all_the_same_is_closed() {
    let stop = || Stop::failed("form-submit-500", ResultClass::Unavailable, "the form answered 500").uncertain();
    for stored in [true, false] {
        let (trial, run) = run_in(|w| w.submit = Some((stop(), stored, usize::MAX))).await;
        assert_eq!(diagnosis(&run), (Verdict::Fail, Some(Stage::Accept), vec!["form-submit-500"]), "{:#?}", run.diagnosis);
        let state = trial.world.state.lock().unwrap();
        assert_eq!((state.web.submitted, state.closes), (1, usize::from(stored)));
        assert!(state.inbox.is_empty(), "its confirmation is removed too");
    }
}

#[tokio::test]
async fn a_submission_without_an_answer_is_looked_for_and_never_repeated() {
    let stop = || Stop::unknown("form-page-unreachable", ResultClass::Unavailable, "the connection broke").uncertain();
    for stored in [true, false] {
        let (trial, run) = run_in(|w| w.submit = Some((stop(), stored, usize::MAX))).await;
        let (verdict, stage, _) = diagnosis(&run);
        // The thank-you was never seen, so even a request that landed proves no pass.
        assert_eq!(verdict, Verdict::Unknown, "{:#?}", run.diagnosis);
        assert_eq!(is(&run, Stage::Land), Some(if stored { Outcome::Pass } else { Outcome::NotReached }));
        assert_eq!(is(&run, Stage::Return), Some(if stored { Outcome::Pass } else { Outcome::NotReached }));
        assert_eq!(stage, Some(if stored { Stage::Accept } else { Stage::Send }));
        assert_eq!(trial.world.state.lock().unwrap().web.submitted, 1);
    }
}

#[tokio::test]
async fn thanks_without_a_ticket_are_told_apart_by_what_other_probes_saw() {
    let (_, run) = run_in(|w| w.discards = true).await;
    let (verdict, stage, candidates) = diagnosis(&run);
    assert_eq!((verdict, stage), (Verdict::Fail, Some(Stage::Land)));
    assert_eq!(candidates, ["honeypot-false-success", "desk-spam-view", "desk-worker-down"]);

    // A mail lands meanwhile: the desk works.
    let trial = Trial::new().await;
    trial.world.weather(|w| w.form.discards = true);
    let (engine, store, _heard) = trial.world.engine(trial.dir.path(), "one").await;
    let intake = engine.start_intake();
    let form = engine.start_run(&probe(), &account(), Trigger::Manual, None).await.unwrap();
    trial.world.clock.advance(Duration::from_secs(1));
    let mut mail = mail_probe();
    mail.name = "mail".into();
    let mail = engine.start_run(&mail, &account(), Trigger::Manual, None).await.unwrap();
    assert_eq!(diagnosis(&finish(&trial.world, &engine, &store, &mail).await).0, Verdict::Pass);
    let run = finish(&trial.world, &engine, &store, &form).await;
    intake.abort();
    assert_eq!(diagnosis(&run), (Verdict::Fail, Some(Stage::Land), vec!["honeypot-false-success", "desk-spam-view"]));
}

#[tokio::test]
async fn a_ticket_of_the_forms_own_sender_is_named_and_closed_by_the_number_of_the_thank_you() {
    for (requester, fault) in [
        ("noreply@forms.test", "form-replyto-ignored"),
        ("www@desk.test", "form-replyto-ignored"),
        ("eve@elsewhere.test", "requester-wrong"),
    ] {
        let (trial, run) = run_in(|w| w.requester = Some(requester.into())).await;
        let (verdict, stage, candidates) = diagnosis(&run);
        assert_eq!((verdict, stage, candidates), (Verdict::Fail, Some(Stage::Format), vec![fault]), "{requester}");
        assert_eq!(trial.world.state.lock().unwrap().closes, 1);
    }
}

#[tokio::test]
async fn a_missing_confirmation_is_named_for_forms() {
    let (_, run) = run_in(|w| w.no_mail = true).await;
    let (verdict, stage, candidates) = diagnosis(&run);
    assert_eq!((verdict, stage), (Verdict::Fail, Some(Stage::Acknowledge)), "{:#?}", run.diagnosis);
    assert_eq!(candidates, ["form-confirmation-missing", "ack-condition-broken"]);
    assert!(is(&run, Stage::Return).is_some_and(|o| o != Outcome::NotReached));
}

#[tokio::test]
async fn a_confirmation_that_names_only_the_ticket_is_ours_once_the_desks_address_is_known() {
    // From the probe's expectation, or from the answer, which carries a token.
    for from in [Some("support@desk.test"), None] {
        let trial = Trial::new().await;
        trial.world.weather(|w| (w.form.plain_mail, w.no_threading_id) = (true, true));
        let mut probe = probe();
        probe.expect.from = from.map(str::to_owned);
        probe.policy.threading = Require::Ignored;
        let run = trial.run(&probe).await;
        assert_eq!(diagnosis(&run).0, Verdict::Pass, "{from:?}: {:#?}", run.diagnosis);
        let acknowledged = run.mails.iter().filter(|m| m.role == MailRole::Acknowledgement).count();
        assert_eq!((acknowledged, trial.world.state.lock().unwrap().inbox.len()), (1, 0), "{from:?}");
        assert_eq!(run.senders, ["support@desk.test"]);
    }
}

#[tokio::test]
async fn mail_of_strangers_is_never_ours_by_a_number_or_by_an_address_alone() {
    let trial = Trial::new().await;
    trial.world.weather(|w| (w.form.plain_mail, w.no_threading_id) = (true, true));
    let mail =
        |from: &str, subject: &str| format!("From: {from}\r\nTo: alice@customers.test\r\nSubject: {subject}\r\n\r\nHello\r\n").into_bytes();
    let strangers = [
        mail("shop@elsewhere.test", "[desk #1] Your order"),
        mail("support@desk.test", "[desk #2] Another request"),
        mail("support@desk.test", "1 thing to know"),
        mail("support@desk.test.elsewhere.test", "[desk #1] Pay now"),
    ];
    trial.world.state.lock().unwrap().after_submission = strangers.to_vec();
    let mut probe = probe();
    probe.expect.from = Some("support@desk.test".into());
    probe.policy.threading = Require::Ignored;
    let run = trial.run(&probe).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    assert_eq!(trial.world.state.lock().unwrap().inbox.len(), strangers.len(), "they stay where they are");
    assert!(run.mails.iter().all(|m| !m.mail.subject.contains("order") && !m.mail.subject.contains("Pay")));
}

#[tokio::test]
async fn another_form_than_in_the_last_good_run_explains_more_than_its_refusal() {
    let trial = Trial::new().await;
    assert_eq!(diagnosis(&trial.run(&probe()).await).0, Verdict::Pass);
    trial.world.weather(|w| {
        w.form.more = Some("consent (checkbox)*".into());
        w.form.submit = Some((refused("form-submit-refused"), false, usize::MAX));
    });
    let run = trial.run(&probe()).await;
    assert_eq!(diagnosis(&run), (Verdict::Fail, Some(Stage::Accept), vec!["form-contract-changed", "form-submit-refused"]));
    assert_eq!(found(&run, Stage::Accept, "form"), "field added: consent (checkbox)*");
    assert!(run.diagnosis.as_ref().unwrap().summary.contains("field added: consent"), "{:?}", run.diagnosis);

    // It cannot be filled in: the probe does not fit any more, and no customer is hurt.
    let mut incomplete = Stop::unknown("form-probe-incomplete", ResultClass::BrokenContract, "nothing for the field consent");
    incomplete.seen.print = Some(crate::web::print(Some(&"consent (checkbox)*".to_owned())));
    trial.world.weather(|w| w.form.page = Some((incomplete, usize::MAX)));
    let run = trial.run(&probe()).await;
    assert_eq!(diagnosis(&run), (Verdict::Unknown, Some(Stage::Send), vec!["form-contract-changed", "form-probe-incomplete"]));

    // It is taken all the same: a note.
    trial.world.weather(|w| (w.form.page, w.form.submit) = (None, None));
    let run = trial.run(&probe()).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass);
    assert!(run.notes.iter().any(|n| n.contains("field added: consent")), "{:?}", run.notes);
    // And from then on it is the form.
    let run = trial.run(&probe()).await;
    assert!(run.notes.iter().all(|n| !n.contains("consent")), "{:?}", run.notes);
}

/// The process dies at every act, before or after its effect, and a new one goes on.
#[tokio::test]
async fn death_at_any_act_submits_nothing_twice() {
    for before in [true, false] {
        for call in 1..=4 {
            let trial = Trial::new().await;
            let run = trial.run_with_death(&probe(), before, call).await;
            let case = format!("death {} act {call}: {:#?}", if before { "before" } else { "after" }, run.diagnosis);
            let state = trial.world.state.lock().unwrap();
            assert!(state.web.submitted <= 1 && state.submitted.len() <= 1 && state.replies.len() <= 1 && state.closes <= 1, "{case}");
            // Acts: 1 submission, 2 reply, 3 follow-up, 4 close. Whoever died in the submission never saw the thank-you.
            let unknown = call == 1 || before && call <= 3;
            assert_eq!(diagnosis(&run).0, if unknown { Verdict::Unknown } else { Verdict::Pass }, "{case}");
            assert!(diagnosis(&run).2.iter().all(|c| *c == "act-uncertain"), "{case}");
            // Closing is not tried again either: what it left is told.
            let open = state.tickets.iter().filter(|t| !t.closed).count();
            assert_eq!(open, usize::from(before && call == 4), "{case}");
            assert!(open == 0 || run.leftovers.iter().any(|l| l.what == "ticket 1"), "{case}");
        }
    }
}

#[tokio::test]
async fn the_last_good_run_tells_from_where_the_desk_writes() {
    let trial = Trial::new().await;
    assert_eq!(diagnosis(&trial.run(&probe()).await).0, Verdict::Pass);
    trial.world.weather(|w| w.form.discards = true);
    let run = trial.run(&probe()).await;
    assert_eq!(run.senders, ["support@desk.test"]);
    let (_, store, _) = trial.world.engine(trial.dir.path(), "look").await;
    assert_eq!(
        store.last_with("support", Verdict::Pass, Some(&run.id)).await.unwrap().map(|r| r.senders),
        Some(vec!["support@desk.test".to_owned()])
    );
}
