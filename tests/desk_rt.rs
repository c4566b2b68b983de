//! The definition for Request Tracker, verb by verb, on a real one. Skipped unless these are set:
//! `REPLYPATH_TEST_RT_URL`, `REPLYPATH_TEST_RT_TOKEN` (or `_USER` and `_PASSWORD`), `REPLYPATH_TEST_RT_SMTP` (host:port of
//! the desk's MX), and where they differ from `support@desk.test`, `General`, `Billing`: `_ADDRESS`, `_QUEUE`, `_OTHER_QUEUE`.

use lettre::message::{Attachment, MultiPart, header::ContentType};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use replypath::config::{DeskSettings, DeskSource, ParamValue};
use replypath::desk::{Definition, HttpDesk, built_in};
use replypath::engine::ports::{Acted, Desk, FoundTicket, Needle};
use replypath::model::{
    Author, Budget, OutgoingAttachment, ReplyContent, ResultClass, TicketMessage, TicketRef, TicketStatus, Token, TokenKey, View,
};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CUSTOMER: &str = "customer7@customers.test";

fn setting(name: &str) -> Option<String> {
    std::env::var(format!("REPLYPATH_TEST_RT_{name}")).ok().filter(|v| !v.is_empty())
}

fn desk(token: Option<String>) -> HttpDesk {
    let text = built_in().iter().find(|(id, _)| *id == "rt").unwrap().1;
    let definition = Definition::parse("built-in:rt", text).unwrap();
    let mut params = BTreeMap::from([("url".to_owned(), ParamValue::Plain(toml::Value::String(setting("URL").unwrap())))]);
    if let Some(token) = token.or_else(|| setting("TOKEN")) {
        params.insert("token".to_owned(), ParamValue::Secret(SecretString::from(token)));
    } else {
        params.insert("user".to_owned(), ParamValue::Plain(toml::Value::String(setting("USER").unwrap())));
        params.insert("password".to_owned(), ParamValue::Secret(SecretString::from(setting("PASSWORD").unwrap())));
    }
    assert_eq!(definition.check_params(&params), vec![]);
    let settings = DeskSettings {
        name: "rt".to_owned(),
        definition: "rt".to_owned(),
        source: DeskSource { origin: "built-in:rt".to_owned(), text: text.to_owned() },
        params,
        budget: Budget::default(),
        ca: None,
        timeout: Duration::from_secs(20),
    };
    HttpDesk::new(Arc::new(definition), &settings).unwrap()
}

async fn send(subject: &str, text: &str, html: &str, files: &[OutgoingAttachment]) {
    let smtp = setting("SMTP").unwrap();
    let (host, port) = smtp.rsplit_once(':').unwrap();
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(port.parse().unwrap()).build();
    let mut parts = MultiPart::mixed().multipart(MultiPart::alternative_plain_html(text.to_owned(), html.to_owned()));
    for file in files {
        let kind = ContentType::parse(&file.content_type).unwrap();
        parts = parts.singlepart(Attachment::new(file.name.clone()).body(file.bytes.clone(), kind));
    }
    let message = Message::builder()
        .from(CUSTOMER.parse().unwrap())
        .to(setting("ADDRESS").unwrap_or_else(|| "support@desk.test".to_owned()).parse().unwrap())
        .subject(subject)
        .message_id(None)
        .multipart(parts)
        .unwrap();
    transport.send(message).await.unwrap();
}

async fn found(desk: &HttpDesk, token: &Token) -> FoundTicket {
    let needle = Needle {
        token: token.clone(),
        subject: String::new(),
        address: CUSTOMER.to_owned(),
        since: jiff::Timestamp::UNIX_EPOCH,
        conversation: None,
        number: None,
    };
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(60) {
        let mut all = desk.find(&needle, View::Normal).await.unwrap();
        if let Some(one) = all.pop() {
            assert!(all.is_empty(), "more than one ticket carries {token}");
            return one;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    panic!("no ticket with {token} after a minute");
}

fn expected(files: &[OutgoingAttachment]) -> Vec<(String, Option<u64>, Option<String>)> {
    files.iter().map(|f| f.expected()).map(|f| (f.name, f.size, f.sha256)).collect()
}

fn seen(message: &TicketMessage) -> Vec<(String, Option<u64>, Option<String>)> {
    message.files.iter().map(|f| (f.name.clone(), f.size, f.sha256.clone())).collect()
}

#[tokio::test]
async fn every_verb_of_the_definition_works_on_a_real_request_tracker() {
    if setting("URL").is_none() || setting("SMTP").is_none() {
        println!("skipped: REPLYPATH_TEST_RT_URL and REPLYPATH_TEST_RT_SMTP are not set");
        return;
    }
    let desk = desk(None);
    let health = desk.health().await.unwrap();
    println!("health: {health:?}");
    let key = TokenKey::new(jiff::Timestamp::now().to_string().as_bytes());
    let (in_subject, in_text) = (key.token("rt", "subject"), key.token("rt", "text"));
    let files = vec![
        OutgoingAttachment {
            name: "bill.txt".into(), content_type: "text/plain; charset=utf-8".into(), bytes: "Zeile äöü\nend\n".into()
        },
        OutgoingAttachment { name: "photo.png".into(), content_type: "image/png".into(), bytes: (0..=255).cycle().take(3000).collect() },
    ];
    let subject = format!("Päckchen verloren – 小包 {in_subject}");
    send(&subject, &format!("Grüße, it's {in_text} & 'quoted'\n"), "<p>Grüße, <b>bold</b></p>", &files).await;

    let ticket = found(&desk, &in_subject).await;
    assert_eq!(ticket.strategy, "subject");
    let same = found(&desk, &in_text).await;
    assert_eq!((same.strategy.as_str(), &same.reference.id), ("content", &ticket.reference.id));

    let read = desk.read(&ticket.reference).await.unwrap().unwrap();
    println!("read: {read:?}");
    assert_eq!(read.subject.as_deref(), Some(subject.as_str()));
    assert_eq!(read.queue, Some(setting("QUEUE").unwrap_or_else(|| "General".to_owned())));
    assert_eq!((read.status, read.status_text.as_deref()), (Some(TicketStatus::New), Some("new")));
    assert_eq!(read.requester.as_deref(), Some(CUSTOMER));
    assert!(read.created.is_some() && read.tags.is_none() && read.channel.is_none());

    let messages = desk.messages(&read).await.unwrap();
    println!("messages: {messages:#?}");
    assert_eq!(messages.len(), 1);
    assert_eq!((messages[0].author, messages[0].public), (Some(Author::Customer), Some(true)));
    assert!(messages[0].text.contains(&format!("Grüße, it's {in_text} & 'quoted'")));
    assert!(messages[0].html.as_deref().unwrap().contains("<b>bold</b>"));
    assert_eq!(seen(&messages[0]), expected(&files));

    let answer =
        ReplyContent { text: "Ihr Päckchen".into(), html: Some("<p>Ihr <i>Päckchen</i> 小包</p>".into()), attachments: files.clone() };
    desk.reply(&read, &answer).await.unwrap();
    desk.reply(&read, &ReplyContent { text: "zweite Ä\nLine".into(), html: None, attachments: vec![] }).await.unwrap();
    desk.note(&read, "only for us").await.unwrap();
    let messages = desk.messages(&read).await.unwrap();
    println!("after replies: {messages:#?}");
    assert_eq!(messages.len(), 4);
    assert_eq!((messages[1].author, messages[1].public), (Some(Author::Agent), Some(true)));
    assert!(messages[1].html.as_deref().unwrap().contains("<i>Päckchen</i> 小包"));
    assert_eq!(seen(&messages[1]), expected(&files));
    assert!(messages[2].text.contains("zweite Ä\nLine"));
    assert_eq!((messages[3].public, messages[3].text.as_str()), (Some(false), "only for us"));
    for sent in &messages[1..3] {
        assert_eq!(sent.delivery.as_deref(), Some("sent"));
        assert!(sent.message_id.as_deref().unwrap().starts_with("rt-"));
    }

    let other = setting("OTHER_QUEUE").unwrap_or_else(|| "Billing".to_owned());
    desk.move_to(&read, &other).await.unwrap();
    assert!(matches!(desk.move_to(&read, "No such queue").await, Err(Acted::NotDone(_))));
    assert_eq!(desk.read(&ticket.reference).await.unwrap().unwrap().queue, Some(other));

    desk.close(&read).await.unwrap();
    let closed = desk.read(&ticket.reference).await.unwrap().unwrap();
    assert_eq!((closed.status, closed.status_text.as_deref()), (Some(TicketStatus::Closed), Some("resolved")));
    assert_eq!(found(&desk, &in_subject).await.reference.id, ticket.reference.id);

    let history = desk.history(&ticket.reference).await.unwrap();
    let kinds: Vec<(&str, Option<&str>)> = history.iter().map(|h| (h.kind.as_str(), h.field.as_deref())).collect();
    println!("history: {kinds:?}");
    assert_eq!(kinds[0].0, "Create");
    assert!(kinds.contains(&("Status", Some("status"))) && kinds.iter().any(|(_, f)| *f == Some("queue")));

    desk.delete(&read).await.unwrap();
    assert_eq!(desk.read(&ticket.reference).await.unwrap().unwrap().status, Some(TicketStatus::Deleted));
    let needle = Needle {
        token: in_subject,
        subject,
        address: CUSTOMER.to_owned(),
        since: jiff::Timestamp::UNIX_EPOCH,
        conversation: None,
        number: None,
    };
    assert_eq!(desk.find(&needle, View::Normal).await.unwrap(), vec![]);
    let never = TicketRef { id: "99999999".into(), number: "99999999".into() };
    assert_eq!(desk.read(&never).await.unwrap(), None);

    let stranger = self::desk(Some("1-1-wrongwrongwrong".to_owned()));
    let trouble = stranger.find(&needle, View::Normal).await.unwrap_err();
    println!("wrong token: {trouble}");
    assert_eq!((trouble.class, trouble.fault), (ResultClass::Unauthorised, "desk-login-refused"));
    assert!(!trouble.message.contains("wrongwrong"));
}
