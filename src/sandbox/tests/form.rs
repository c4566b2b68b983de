//! The contact page and the embedded form, with every switch of the form.

use super::super::{Channel, Place, Status};
use super::browser::{Answer, between, call, json};
use super::*;
use serde_json::json as value;

/// A contact form as a visitor has it.
struct Page {
    cookie: String,
    html: String,
}

async fn load(sandbox: &Sandbox) -> Page {
    let answer = call("GET", &format!("{}/contact", sandbox.web), &[], b"").await;
    assert_eq!(answer.status, 200);
    Page { cookie: answer.cookie(), html: answer.text() }
}

impl Page {
    /// The name of the input whose label holds a word.
    fn named(&self, label: &str) -> String {
        let mut labels = self.html.split("<label ").skip(1);
        let found = labels.find(|l| between(l, ">", "</label>").to_lowercase().contains(label));
        between(found.unwrap_or_else(|| panic!("no {label} in {}", self.html)), "for=\"i-", "\"").to_owned()
    }

    fn hidden(&self) -> (String, String) {
        let input = between(&self.html, "<input type=\"hidden\" ", ">");
        (between(input, "name=\"", "\"").to_owned(), between(input, "value=\"", "\"").to_owned())
    }

    /// Every field filled in as a person would.
    fn filled(&self, word: &str) -> Vec<(String, String)> {
        vec![
            self.hidden(),
            (self.named("name"), "Alice Example".into()),
            (self.named("e-mail"), "alice@customers.test".into()),
            (self.named("about"), "billing".into()),
            (self.named("subject"), format!("Überweisung {word}")),
            (self.named("message"), format!("Guten Tag,\r\nwo ist mein Geld? {word}")),
        ]
    }

    async fn send(&self, sandbox: &Sandbox, fields: &[(String, String)], file: Option<(&str, &[u8])>) -> Answer {
        let mut body = Vec::new();
        for (name, value) in fields {
            body.extend(format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
        }
        let (name, bytes) = file.unwrap_or(("", b""));
        let field = self.named("file");
        let head =
            format!("--XX\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\nContent-Type: image/png\r\n\r\n");
        body.extend(head.bytes());
        body.extend(bytes);
        body.extend(b"\r\n--XX--\r\n");
        let headers = [("Cookie", self.cookie.as_str()), ("Content-Type", "multipart/form-data; boundary=XX")];
        call("POST", &format!("{}/contact", sandbox.web), &headers, &body).await
    }
}

async fn number_thanked(sandbox: &Sandbox, page: &Page, sent: &Answer) -> String {
    assert_eq!(sent.status, 303, "{}", sent.text());
    let place = sent.header("location").unwrap();
    let thanks = call("GET", &format!("{}{place}", sandbox.web), &[("Cookie", &page.cookie)], b"").await;
    between(&thanks.text(), "<strong>SB-", "</strong>").to_owned()
}

#[tokio::test]
async fn a_request_by_the_contact_page_becomes_a_ticket_and_is_answered_by_mail() {
    for seed in 0..6 {
        let sandbox = sandbox(seed, &[]).await;
        let page = load(&sandbox).await;
        let sent = page.send(&sandbox, &page.filled("formword1"), Some(("bild ä.png", b"\x89PNG\x00\r\n--X"))).await;
        let number = number_thanked(&sandbox, &page, &sent).await;
        let ticket = ticket_with(&sandbox, "formword1").await;
        assert_eq!(ticket.number(), format!("SB-{number}"));
        assert_eq!((ticket.channel, ticket.queue.as_str(), ticket.status), (Channel::Form, "Billing", Status::New));
        assert_eq!((ticket.requester.as_str(), ticket.requester_name.as_str()), ("alice@customers.test", "Alice Example"));
        assert_eq!(ticket.subject, "Überweisung formword1");
        assert_eq!(ticket.messages[0].text.trim_end(), "Guten Tag,\nwo ist mein Geld? formword1");
        assert_eq!(ticket.messages[0].files[0].name, "bild ä.png");
        assert_eq!(*ticket.messages[0].files[0].bytes, b"\x89PNG\x00\r\n--X");
        let ack = mail_in(&sandbox, "INBOX", Incoming::is_automatic).await;
        assert!(ack.text().contains(&ticket.number()) && ack.header("From").contains("billing@desk.test"));
        let (_, told) = api(&sandbox, "GET", &format!("/tickets/{}", ticket.id), Value::Null).await;
        assert_eq!(told["ticket"]["channel"], "form");
        api(&sandbox, "POST", &format!("/tickets/{}/reply", ticket.id), value!({ "text": "Es ist unterwegs." })).await;
        mail_in(&sandbox, "INBOX", |m| m.text().contains("Es ist unterwegs.")).await;
    }
}

#[tokio::test]
async fn a_form_that_is_wrong_or_a_strangers_is_shown_again() {
    let sandbox = sandbox(1, &[]).await;
    let page = load(&sandbox).await;
    let mut fields = page.filled("formword2");
    fields[2].1 = "alice at customers".into();
    let again = page.send(&sandbox, &fields, None).await;
    assert_eq!(again.status, 422);
    assert!(again.text().contains("not a valid e-mail address") && again.text().contains("wo ist mein Geld? formword2"));
    let stranger = Page { cookie: load(&sandbox).await.cookie, html: page.html.clone() };
    assert_eq!(stranger.send(&sandbox, &page.filled("formword2"), None).await.status, 422);
    let mut fields = page.filled("formword2");
    fields.push((
        ["website", "homepage", "company_fax"].iter().find(|n| page.html.contains(&format!("\"{n}\""))).unwrap().to_string(),
        "x".into(),
    ));
    assert_eq!(page.send(&sandbox, &fields, None).await.status, 303, "a trap says thanks");
    assert!(sandbox.tickets().is_empty());
    assert_eq!(page.send(&sandbox, &page.filled("formword2"), None).await.status, 303);
    assert_eq!(sandbox.tickets().len(), 1);
}

async fn configured(sandbox: &Sandbox) -> Answer {
    call("GET", &format!("{}/form/config", sandbox.web), &[("Origin", "https://shop.test")], b"").await
}

async fn submit_json(sandbox: &Sandbox, config: &Value, word: &str) -> Answer {
    let body = value!({ "token": config["token"], "files": [{ "name": "a.bin", "type": "application/octet-stream", "data": base64("\u{0}x") }],
        "fields": { "name": "Alice", "email": "Alice@customers.test", "topic": "sales", "subject": "Frage", "message": format!("Hallo {word}") } });
    json("POST", &format!("{}/form/submit", sandbox.web), &[("Origin", "https://shop.test")], &body).await
}

#[tokio::test]
async fn the_embedded_form_is_configured_and_submitted_across_origins() {
    let sandbox = sandbox(2, &[]).await;
    let url = format!("{}/form/submit", sandbox.web);
    let preflight = call("OPTIONS", &url, &[("Origin", "https://shop.test"), ("Access-Control-Request-Method", "POST")], b"").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, Some("https://shop.test")));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("Content-Type"));
    let config = configured(&sandbox).await;
    assert_eq!(config.header("access-control-allow-origin"), Some("https://shop.test"));
    let config = config.json();
    assert_eq!(config["endpoint"], url);
    let types: Vec<&str> = config["fields"].as_array().unwrap().iter().map(|f| f["type"].as_str().unwrap()).collect();
    assert!(["text", "email", "select", "textarea", "file"].iter().all(|t| types.contains(t)), "{types:?}");
    let sent = submit_json(&sandbox, &config, "formword3").await;
    let ticket = ticket_with(&sandbox, "formword3").await;
    assert_eq!(sent.json()["ticket"]["number"], ticket.number());
    assert_eq!((ticket.channel, ticket.queue.as_str(), ticket.messages[0].files.len()), (Channel::Form, "Sales", 1));
    mail_in(&sandbox, "INBOX", Incoming::is_automatic).await;
    let empty = json("POST", &url, &[], &value!({ "token": config["token"], "fields": { "email": "x" } })).await;
    assert_eq!(empty.status, 200);
    assert!(empty.json()["errors"]["email"].is_string() && empty.json()["errors"]["message"].is_string());
    assert_eq!(json("POST", &url, &[], &value!({ "token": "guessed", "fields": {} })).await.status, 401);
}

/// Both ways through the form: whether the page's form was thanked, and the status and body of the JSON form.
async fn both(sandbox: &Sandbox, word: &str) -> (u16, u16, Value) {
    let page = load(sandbox).await;
    let sent = page.send(sandbox, &page.filled(word), None).await;
    let config = configured(sandbox).await.json();
    let json = submit_json(sandbox, &config, word).await;
    (sent.status, json.status, json.json())
}

#[tokio::test]
async fn switches_of_the_form_refuse_and_stop_refusing() {
    for (fault, page, json) in [
        ("form-submit-500", 500, 500),
        ("form-contract-changed", 422, 401),
        ("form-cors-refused", 303, 500),
        ("form-consent-added", 422, 200),
        ("form-captcha-expired", 303, 200),
        ("honeypot-false-success", 303, 200),
    ] {
        let sandbox = sandbox(3, &[fault]).await;
        let got = both(&sandbox, "formword4").await;
        assert_eq!((got.0, got.1), (page, json), "{fault}: {got:?}");
        let tickets = sandbox.tickets().len();
        let wanted = match fault {
            "form-captcha-expired" => 2,
            "form-cors-refused" => 1,
            _ => 0,
        };
        assert_eq!(tickets, wanted, "{fault}");
        sandbox.set_fault(fault, false).unwrap();
        let got = both(&sandbox, "formword5").await;
        assert_eq!((got.0, got.1), (303, 200), "{fault} is off");
        assert!(got.2["ticket"]["number"].is_string());
        assert_eq!(sandbox.tickets().len(), tickets + 2);
    }
}

#[tokio::test]
async fn the_contract_changes_under_the_forms() {
    let sandbox = sandbox(4, &[]).await;
    let before = load(&sandbox).await.hidden().0;
    sandbox.set_fault("form-contract-changed", true).unwrap();
    assert_ne!(load(&sandbox).await.hidden().0, before);
    sandbox.set_fault("form-contract-changed", false).unwrap();
    sandbox.set_fault("form-consent-added", true).unwrap();
    let page = load(&sandbox).await;
    let mut fields = page.filled("formword6");
    assert!(page.send(&sandbox, &fields, None).await.text().contains("aria-invalid"));
    fields.push((page.named("consent"), "yes".into()));
    assert_eq!(page.send(&sandbox, &fields, None).await.status, 303);
    let config = configured(&sandbox).await.json();
    assert!(config["fields"].as_array().unwrap().iter().any(|f| f["name"] == "consent" && f["required"] == true));
    assert!(submit_json(&sandbox, &config, "formword6").await.json()["errors"]["consent"].is_string());
    sandbox.set_fault("form-consent-added", false).unwrap();
    sandbox.set_fault("form-moved-elsewhere", true).unwrap();
    let elsewhere = sandbox.web.replace("127.0.0.1", "127.0.0.2");
    assert!(load(&sandbox).await.html.contains(&format!("action=\"{elsewhere}/contact\"")));
    assert_eq!(configured(&sandbox).await.json()["endpoint"], format!("{elsewhere}/form/submit"));
    sandbox.set_fault("form-moved-elsewhere", false).unwrap();
    sandbox.set_fault("form-does-not-load", true).unwrap();
    let page = load(&sandbox).await.html;
    assert!(page.contains("Not authorized") && !page.contains("<form"));
    assert_eq!(configured(&sandbox).await.status, 401);
    sandbox.set_fault("form-does-not-load", false).unwrap();
    assert!(load(&sandbox).await.html.contains("<form"));
}

#[tokio::test]
async fn a_captcha_refuses_old_tokens_and_those_that_were_used() {
    // So fast that two seconds have passed before anybody can answer.
    let faults = vec!["form-captcha-expired".to_owned()];
    let sandbox = start(Options { seed: 5, faults, speed: 1e9, ..Options::default() }).await.unwrap();
    let page = load(&sandbox).await;
    let sent = page.send(&sandbox, &page.filled("formword7"), None).await;
    assert!(sent.status == 422 && sent.text().contains("captcha") && sent.text().contains("expired-input-response"));
    let config = configured(&sandbox).await.json();
    let sent = submit_json(&sandbox, &config, "formword7").await;
    assert!(sent.json()["errors"]["captcha"].as_str().unwrap().contains("expired-input-response"));
    let sandbox =
        start(Options { seed: 5, faults: vec!["form-captcha-expired".to_owned()], speed: 0.01, ..Options::default() }).await.unwrap();
    let config = configured(&sandbox).await.json();
    assert!(submit_json(&sandbox, &config, "formword8").await.json()["ticket"].is_object());
    assert!(submit_json(&sandbox, &config, "formword8").await.json()["errors"]["captcha"].as_str().unwrap().contains("duplicate"));
}

#[tokio::test]
async fn form_mail_belongs_to_its_writer_unless_reply_to_is_ignored() {
    let sandbox = sandbox(6, &["form-replyto-ignored"]).await;
    both(&sandbox, "formword9").await;
    let ticket = ticket_with(&sandbox, "formword9").await;
    assert_eq!((ticket.requester.as_str(), ticket.place), ("noreply@desk.test", Place::Normal));
    let ack = ticket_when(&sandbox, ticket.id, |t| t.messages.iter().any(|m| m.delivery.is_some())).await;
    assert!(ack.messages[1].delivery.as_deref().unwrap().starts_with("failed"));
    assert!(read_all(&sandbox, "INBOX").is_empty());
    sandbox.set_fault("form-replyto-ignored", false).unwrap();
    both(&sandbox, "formword10").await;
    assert_eq!(ticket_with(&sandbox, "formword10").await.requester, "alice@customers.test");
}

#[tokio::test]
async fn the_confirmation_of_form_requests_can_be_missing_alone() {
    let sandbox = sandbox(7, &["form-confirmation-missing"]).await;
    both(&sandbox, "formword11").await;
    let ticket = ticket_with(&sandbox, "formword11").await;
    assert_eq!(ticket.messages.len(), 1);
    let mailed = write_in(&sandbox, 0, "word12@customers.test").await;
    mail_in(&sandbox, "INBOX", |m| m.text().contains(&mailed.number())).await;
    sandbox.set_fault("form-confirmation-missing", false).unwrap();
    both(&sandbox, "formword13").await;
    let ticket = ticket_with(&sandbox, "formword13").await;
    mail_in(&sandbox, "INBOX", |m| m.is_automatic() && m.text().contains(&ticket.number())).await;
}
