//! The sandbox's embedded form and chat bubble, as different seeds word them.

use crate::kit::{field, here, key, kit, order};
use crate::widgets;
use replypath::engine::ways::{Chats, Forms};
use replypath::model::{ChatBy, FieldBy, Fill, Outcome, OutgoingAttachment, Speaker, Widget, WidgetStep};
use replypath::sandbox::{Options, Sandbox, start};
use std::time::Duration;

async fn sandbox(seed: u64, faults: &[&str]) -> Sandbox {
    let faults = faults.iter().map(|f| (*f).to_owned()).collect();
    start(Options { seed, faults, ..Options::default() }).await.expect("a sandbox")
}

#[tokio::test]
async fn the_embedded_form_of_every_seed_becomes_a_ticket_with_its_file() {
    if !here() {
        return;
    }
    let kit = kit(1);
    for seed in 1..=4 {
        let sandbox = sandbox(seed, &[]).await;
        let mut order = order(&format!("s{seed}"), format!("{}/shop/contact", sandbox.web), &["iframe.form"]);
        order.customer.address = sandbox.accounts[0].address.clone();
        order.form.fields = vec![field(FieldBy::Type("select".into()), Fill::Choose("Billing".into()))];
        order.form.number = Some(r"number is (\S+)\.".into());
        order.form.attachments =
            vec![OutgoingAttachment { name: "note.txt".into(), content_type: "text/plain".into(), bytes: b"attached".to_vec() }];
        let filled = kit.browsers.fill_in(&order).await.unwrap_or_else(|stop| panic!("seed {seed}: {stop:?}"));
        let thanks = filled.submit().await.unwrap_or_else(|stop| panic!("seed {seed}: {stop:?}"));
        let tickets = sandbox.tickets();
        let [ticket] = &tickets[..] else { panic!("seed {seed}: {tickets:?}") };
        assert_eq!(thanks.number.as_deref(), Some(ticket.number().as_str()), "seed {seed}");
        let told = format!("{ticket:?}");
        for part in [order.token.as_str(), "note.txt", sandbox.accounts[0].address.as_str(), "Billing"] {
            assert!(told.contains(part), "seed {seed}: no {part} in {told}");
        }
        sandbox.shutdown().await;
    }
}

#[tokio::test]
async fn faults_of_the_embedded_form_are_named() {
    if !here() {
        return;
    }
    let kit = kit(1);
    let cases =
        [("form-does-not-load", "form-does-not-load"), ("form-cors-refused", "form-cors-refused"), ("form-submit-500", "form-submit-500")];
    for (switch, fault) in cases {
        let sandbox = sandbox(5, &[switch]).await;
        let mut order = order(&format!("f{switch}"), format!("{}/shop/contact", sandbox.web), &["iframe.form"]);
        order.customer.address = sandbox.accounts[0].address.clone();
        let stop = match kit.browsers.fill_in(&order).await {
            Ok(filled) => filled.submit().await.expect_err(switch),
            Err(stop) => stop,
        };
        assert_eq!((stop.outcome, stop.faults[0]), (Outcome::Fail, fault), "{stop:?}");
        assert!(stop.seen.facts.contains_key("screenshot") && stop.seen.facts.contains_key("console"), "{stop:?}");
        assert!(switch != "form-does-not-load" || stop.found.contains("answered 401"), "{}", stop.found);
        sandbox.shutdown().await;
    }
}

fn bubble() -> Widget {
    let inside = |path: &str| format!("chat-widget >>> {path}");
    let write = |field: &str, text: &str| WidgetStep::Write { into: inside(&format!("form:not([hidden]) {field}")), text: text.to_owned() };
    Widget {
        open: vec![
            WidgetStep::Frame("iframe.chat".to_owned()),
            WidgetStep::Click(inside("button.bubble")),
            WidgetStep::WaitFor(inside("form:not([hidden]) textarea")),
            write("input[name=name]", "Ada"),
            write("input[name=email]", "alice@customers.test"),
        ],
        say: vec![write("textarea", "${line}"), WidgetStep::Click(inside("form:not([hidden]) button[type=submit]"))],
        close: vec![WidgetStep::Click(inside("button[aria-label='End the chat']"))],
        frame: vec!["iframe.chat".to_owned()],
        line: inside("li"),
        agent: Some(inside("li[data-from=agent]")),
        bot: Some(inside("li:is([data-from=bot], [data-from=system])")),
        limit: Duration::from_secs(240),
    }
}

/// An agent answers the only ticket through the desk's API.
async fn answer(sandbox: &Sandbox, text: &str) {
    let id = sandbox.tickets()[0].id;
    let said = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client")
        .post(format!("{}/tickets/{id}/reply", sandbox.api))
        .bearer_auth(&sandbox.api_key)
        .json(&serde_json::json!({ "text": text }))
        .send()
        .await
        .expect("an answer");
    assert_eq!(said.status(), 201);
}

#[tokio::test]
async fn the_bubble_carries_lines_both_ways_and_over_a_reload() {
    if !here() {
        return;
    }
    let (sandbox, mut kit) = (sandbox(3, &[]).await, kit(1));
    let mut order = widgets::order("sc", format!("{}/shop/chat", sandbox.web), Duration::from_secs(240));
    order.chat.by = ChatBy::Widget(bubble());
    assert_eq!(kit.browsers.offer(&order).await.expect("an offer").offered, Some(true));
    let first = widgets::line("sc", "send");
    kit.browsers.begin(&order, &first).await.expect("begun");
    let token = key().token("sc", "reply");
    answer(&sandbox, &format!("It is on its way {token}")).await;
    let view = widgets::heard(&mut kit, &order.run, |view| view.lines.iter().any(|l| l.tokens.contains(&token))).await;
    let reply = view.lines.iter().find(|l| l.tokens.contains(&token)).expect("the answer");
    assert!(reply.speaker == Some(Speaker::Agent) && reply.pushed.is_some(), "{view:?}");
    let own = view.lines.iter().find(|l| l.tokens.contains(&first.token)).expect("the first line");
    assert_eq!(own.speaker, Some(Speaker::Visitor), "{view:?}");
    kit.browsers.reload(&order).await.expect("still there");
    let second = widgets::line("sc", "follow_up");
    kit.browsers.say(&order, &second).await.expect("said");
    assert_eq!(sandbox.tickets().len(), 1);
    assert!(format!("{:?}", sandbox.tickets()).contains(second.token.as_str()));
    kit.browsers.leave(&order).await.expect("left");
    kit.until(|left| left.is_empty()).await;
    sandbox.shutdown().await;
}
