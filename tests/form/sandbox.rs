//! The contact page of the sandbox, whatever its seed draws, healthy and with each of its switches.

use crate::server::*;
use replypath::engine::ways::{FormOrder, Stop, Thanks};
use replypath::model::{Fill, Outcome};
use replypath::sandbox::{self, Options, Sandbox};
use std::time::Duration;

async fn started(seed: u64, faults: &[&str]) -> Sandbox {
    sandbox::start(Options { seed, speed: 20.0, faults: faults.iter().map(|f| (*f).to_owned()).collect(), ..Options::default() })
        .await
        .unwrap()
}

fn request(sandbox: &Sandbox) -> FormOrder {
    let mut order = order(format!("{}/contact", sandbox.web));
    order.customer.address = "alice@customers.test".to_owned();
    order.form.fields = vec![label("What is it about?", choose("billing"))];
    order.form.attachments = vec![file("note.txt", "text/plain", b"one\ntwo")];
    order.form.number = Some(r"(?:number is |ticket=)(\S+?)[.\s]*$|(?:number is )([0-9A-Za-z-]+)".to_owned());
    order
}

async fn with(faults: &[&str]) -> Result<Thanks, Stop> {
    let sandbox = started(3, faults).await;
    let mut order = request(&sandbox);
    // Longer than a token lives where it is as short-lived as a captcha's.
    order.form.dwell = if faults.contains(&"form-captcha-expired") { Duration::from_secs(4) } else { Duration::ZERO };
    let sent = send(&order).await;
    sandbox.shutdown().await;
    sent
}

#[tokio::test]
async fn the_contact_page_takes_a_request_whatever_the_seed_draws() {
    for seed in 1..=12 {
        let sandbox = started(seed, &[]).await;
        let thanks = send(&request(&sandbox)).await.unwrap_or_else(|stop| panic!("seed {seed}: {stop:?}"));
        assert!(thanks.text.to_lowercase().contains("than"), "seed {seed}: {}", thanks.text);
        let found = sandbox.wait(Duration::from_secs(20), |s| s.tickets().into_iter().find(|t| t.subject.contains(TOKEN))).await;
        let ticket = found.unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert_eq!(ticket.requester, "alice@customers.test", "seed {seed}");
        assert_eq!(ticket.queue.as_str(), "Billing", "seed {seed}");
        sandbox.shutdown().await;
    }
}

#[tokio::test]
async fn each_switch_of_the_form_is_named() {
    for (fault, outcome, named, no_effect) in [
        ("form-does-not-load", Outcome::Fail, "form-does-not-load", true),
        ("form-contract-changed", Outcome::Fail, "form-contract-changed", true),
        ("form-captcha-expired", Outcome::Fail, "form-captcha-expired", true),
        ("form-submit-500", Outcome::Fail, "form-submit-500", false),
        ("form-consent-added", Outcome::Unknown, "form-probe-incomplete", true),
        ("form-moved-elsewhere", Outcome::Fail, "form-submit-refused", true),
    ] {
        let stop = with(&[fault]).await.unwrap_err();
        assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (outcome, named, no_effect), "{fault}: {stop:?}");
    }
    // These show later, at the desk or in the mailbox.
    for fault in ["honeypot-false-success", "form-replyto-ignored", "form-confirmation-missing"] {
        with(&[fault]).await.unwrap_or_else(|stop| panic!("{fault}: {stop:?}"));
    }
}

#[tokio::test]
async fn an_added_consent_is_what_changed_and_a_probe_can_give_it() {
    let (before, after) =
        (with(&[]).await.unwrap().seen.print.unwrap(), with(&["form-consent-added"]).await.unwrap_err().seen.print.unwrap());
    let changes = before.changes(&replypath::model::FormPrint { target: before.target.clone(), ..after });
    assert_eq!(changes, ["field added: I agree that my details are stored to answer my request (consent) (checkbox)*"]);
    let sandbox = started(3, &["form-consent-added"]).await;
    let mut order = request(&sandbox);
    order.form.fields.push(label("I agree", Fill::Tick(true)));
    send(&order).await.unwrap();
}

#[tokio::test]
async fn the_page_whose_form_is_a_script_in_a_frame_asks_for_a_browser() {
    let sandbox = started(1, &[]).await;
    let mut order = request(&sandbox);
    order.form.page = Some(format!("{}/shop/contact", sandbox.web));
    let stop = stopped(&order).await;
    assert_eq!((stop.outcome, stop.faults[0]), (Outcome::Unknown, "form-needs-browser"), "{stop:?}");
}
