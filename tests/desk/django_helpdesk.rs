//! The definition for django-helpdesk, verb by verb, on a real one. Skipped unless these are set: `REPLYPATH_TEST_HD_URL`,
//! `REPLYPATH_TEST_HD_USER` and `_PASSWORD` (a staff account). Queues `Support` and `Billing` take requests by the public form.

use replypath::config::{DeskSettings, DeskSource, ParamValue};
use replypath::desk::{Definition, HttpDesk, built_in};
use replypath::engine::ports::{Desk, Needle};
use replypath::model::{Author, Budget, OutgoingAttachment, ReplyContent, TicketRef, TicketStatus, Token, TokenKey, View};
use reqwest::multipart::{Form, Part};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const CUSTOMER: &str = "customer7@helpdesk.test";

fn setting(name: &str) -> Option<String> {
    std::env::var(format!("REPLYPATH_TEST_HD_{name}")).ok().filter(|v| !v.is_empty())
}

fn settings() -> Option<DeskSettings> {
    let text = built_in().iter().find(|(id, _)| *id == "django-helpdesk")?.1;
    let params = BTreeMap::from([
        ("url".to_owned(), ParamValue::Plain(toml::Value::String(setting("URL")?))),
        ("user".to_owned(), ParamValue::Plain(toml::Value::String(setting("USER")?))),
        ("password".to_owned(), ParamValue::Secret(SecretString::from(setting("PASSWORD")?))),
    ]);
    Some(DeskSettings {
        name: "helpdesk".to_owned(),
        definition: "django-helpdesk".to_owned(),
        source: DeskSource { origin: "built-in:django-helpdesk".to_owned(), text: text.to_owned() },
        params,
        budget: Budget::default(),
        ca: None,
        timeout: Duration::from_secs(20),
    })
}

fn file(name: &str, kind: &str, bytes: Vec<u8>) -> OutgoingAttachment {
    OutgoingAttachment { name: name.to_owned(), content_type: kind.to_owned(), bytes }
}

/// Writes in by the public form, as a person with a browser would.
async fn write_in(url: &str, token: &str, file: &OutgoingAttachment) {
    let browser = reqwest::Client::builder().cookie_store(true).redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
    let page = browser.get(format!("{url}/tickets/submit/")).send().await.unwrap().text().await.unwrap();
    let csrf = page.split("csrfmiddlewaretoken\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let billing = page.split("\">Billing</option>").next().unwrap().rsplit('"').next().unwrap().to_owned();
    let form = Form::new()
        .text("csrfmiddlewaretoken", csrf)
        .text("queue", billing)
        .text("title", format!("Parcel {token} é"))
        .text("body", format!("Where is {token}? 100 % “sure”"))
        .text("priority", "2")
        .text("submitter_email", CUSTOMER)
        .part("attachment", Part::bytes(file.bytes.clone()).file_name(file.name.clone()).mime_str(&file.content_type).unwrap());
    let answer = browser.post(format!("{url}/tickets/submit/")).header("referer", format!("{url}/tickets/submit/")).multipart(form);
    assert_eq!(answer.send().await.unwrap().status(), 302);
}

#[tokio::test]
async fn every_verb_works_on_a_real_django_helpdesk() {
    let Some(settings) = settings() else { return };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let definition = Definition::parse("built-in:django-helpdesk", &settings.source.text).unwrap();
    assert_eq!(definition.check_params(&settings.params), vec![]);
    let desk = HttpDesk::new(Arc::new(definition), &settings).unwrap();
    println!("{:?}", desk.health().await.unwrap());
    let run = jiff::Timestamp::now().to_string();
    let token = TokenKey::new(b"a key of the tests, 32 bytes long").token(&run, "send").0;
    let needle = |token: &str| Needle {
        token: Token(token.to_owned()),
        subject: String::new(),
        address: CUSTOMER.to_owned(),
        since: jiff::Timestamp::now(),
        conversation: None,
        number: None,
    };
    assert_eq!(desk.find(&needle(&token), View::Normal).await.unwrap(), vec![]);
    let note = file("note.txt", "text/plain", b"hello from the form".to_vec());
    write_in(&setting("URL").unwrap(), &token, &note).await;

    let found = desk.find(&needle(&token), View::Normal).await.unwrap();
    assert_eq!(found.len(), 1);
    let id = found[0].reference.clone();
    let ticket = desk.read(&id).await.unwrap().unwrap();
    assert_eq!((ticket.queue.as_deref(), ticket.requester.as_deref()), (Some("Billing"), Some(CUSTOMER)));
    assert_eq!((ticket.subject.clone(), ticket.status), (Some(format!("Parcel {token} é")), Some(TicketStatus::Open)));
    assert_eq!((ticket.priority.as_deref(), ticket.channel.as_deref()), (Some("high"), Some("form")));
    let age = jiff::Timestamp::now().duration_since(ticket.created.unwrap());
    assert!(age.as_secs().abs() < 120, "{age:?}");
    let messages = desk.messages(&ticket).await.unwrap();
    assert_eq!((messages.len(), messages[0].author, messages[0].public), (1, Some(Author::Customer), Some(true)));
    assert!(messages[0].text.contains(&format!("Where is {token}? 100 % “sure”")), "{}", messages[0].text);
    assert_eq!(messages[0].files[0].sha256, note.expected().sha256);

    let picture = file("a b.png", "image/png", (0..=255).collect());
    let text = "An answer <b>& more</b> “é” {{ ticket }} 100%".to_owned();
    let content = ReplyContent { text: text.clone(), html: None, attachments: vec![picture.clone(), note.clone()] };
    desk.reply(&ticket, &content).await.unwrap();
    let messages = desk.messages(&ticket).await.unwrap();
    let answer = messages.last().unwrap();
    assert_eq!((messages.len(), answer.author, answer.public), (2, Some(Author::Agent), Some(true)));
    assert_eq!(answer.delivery.as_deref(), Some("sent"));
    assert!(answer.text.starts_with("An answer <b>& more</b> “é” "), "{}", answer.text);
    let mut hashes: Vec<_> = answer.files.iter().map(|f| f.sha256.clone()).collect();
    let mut wanted = vec![picture.expected().sha256, note.expected().sha256];
    hashes.sort();
    wanted.sort();
    assert_eq!(hashes, wanted);
    assert_eq!(desk.read(&id).await.unwrap().unwrap().subject, ticket.subject, "an answer does not rename the ticket");
    desk.note(&ticket, "between us").await.unwrap();
    assert_eq!(desk.messages(&ticket).await.unwrap().last().unwrap().public, Some(false));

    desk.close(&ticket).await.unwrap();
    assert_eq!(desk.read(&id).await.unwrap().unwrap().status, Some(TicketStatus::Closed));
    assert_eq!(desk.find(&needle(&token), View::Normal).await.unwrap().len(), 1, "closed tickets are found as well");
    desk.delete(&ticket).await.unwrap();
    assert_eq!(desk.read(&id).await.unwrap(), None);
    assert_eq!(desk.find(&needle(&token), View::Normal).await.unwrap(), vec![]);
    assert_eq!(desk.read(&TicketRef { id: "99999999".to_owned(), number: "1".to_owned() }).await.unwrap(), None);
}
