use super::super::style::Threading;
use super::super::{Author, Options, Place, Status, start};
use super::*;
use serde_json::json;

#[tokio::test]
async fn a_customers_mail_becomes_a_ticket_and_is_acknowledged() {
    let sandbox = sandbox(1, &[]).await;
    let ticket = write_in(&sandbox, 1, "word1@customers.test").await;
    assert_eq!((ticket.queue.as_str(), ticket.status, ticket.place), ("Billing", Status::New, Place::Normal));
    assert_eq!((ticket.requester.as_str(), ticket.requester_name.as_str()), ("alice@customers.test", "Alice Example"));
    assert!(ticket.messages[0].text.contains("wo bleibt mein Päckchen?"));
    let ack = mail_in(&sandbox, "INBOX", Incoming::is_automatic).await;
    assert_eq!(ack.header("In-Reply-To"), "<word1@customers.test>");
    assert!(ack.text().contains(sandbox.world.style.tongue.promise) && ack.text().contains(&ticket.number()));
    assert!(ack.header("From").ends_with("<billing@desk.test>"));
    let ticket = ticket_when(&sandbox, ticket.id, |t| t.messages.iter().any(|m| m.delivery.as_deref() == Some("sent"))).await;
    assert_eq!(ticket.messages[1].author, Author::System);
    assert!(ticket.history.iter().any(|e| e.kind == "automatic_reply" && e.who == sandbox.world.style.rules[1]));
}

#[tokio::test]
async fn the_api_tells_a_ticket_as_the_contract_says() {
    let sandbox = sandbox(2, &[]).await;
    let ticket = write_in(&sandbox, 0, "word2@customers.test").await;
    let (status, list) = api(&sandbox, "GET", "/tickets?search=WORD2%40customers&view=normal&page=1", Value::Null).await;
    assert_eq!(status, 200);
    assert_eq!(list["tickets"][0]["id"], ticket.id);
    assert_eq!(list["tickets"][0]["number"], ticket.number());
    assert_eq!(list["tickets"][0]["view"], "normal");
    assert_eq!(list["next_page"], Value::Null);
    let path = format!("/tickets/{}", ticket.id);
    let (_, one) = api(&sandbox, "GET", &path, Value::Null).await;
    let one = &one["ticket"];
    for key in [
        "id",
        "number",
        "subject",
        "queue",
        "status",
        "requester",
        "priority",
        "tags",
        "channel",
        "created",
        "view",
        "hold_cause",
        "fields",
    ] {
        assert!(one.get(key).is_some(), "{key} is told");
    }
    assert!(one["created"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    let (_, messages) = api(&sandbox, "GET", &format!("{path}/messages"), Value::Null).await;
    assert_eq!(messages["messages"][0]["author"], "customer");
    assert_eq!(messages["messages"][0]["message_id"], "word2@customers.test");
    let (_, history) = api(&sandbox, "GET", &format!("{path}/history"), Value::Null).await;
    assert_eq!(history["history"][0]["kind"], "created");
    assert_eq!(api(&sandbox, "GET", "/health", Value::Null).await.1["desk"], "sandbox");
    let wrong = http(&format!("{}/health", sandbox.api), "wrong", "GET", &Value::Null).await;
    assert_eq!(wrong.0, 401);
    assert!(wrong.1["error"].is_string());
}

#[tokio::test]
async fn pages_of_tickets_are_linked_and_newest_first() {
    let sandbox = sandbox(3, &[]).await;
    sandbox.plant_foreign_tickets(60);
    let mut url = format!("{}/tickets?search=order", sandbox.api);
    let mut ids: Vec<u64> = Vec::new();
    loop {
        let (_, page) = http(&url, &sandbox.api_key, "GET", &Value::Null).await;
        ids.extend(page["tickets"].as_array().unwrap().iter().map(|t| t["id"].as_u64().unwrap()));
        match page["next_page"].as_str() {
            Some(next) => url = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(ids.len(), 60);
    assert!(ids.windows(2).all(|w| w[0] > w[1]));
}

#[tokio::test]
async fn an_answer_returns_with_files_and_history_for_every_habit_of_threading() {
    let seeds = [Threading::Classic, Threading::TicketId, Threading::ParentOnly]
        .map(|habit| (habit, (0..).find(|seed| super::super::style::Style::draw(*seed).threading == habit).unwrap()));
    for (habit, seed) in seeds {
        let sandbox = sandbox(seed, &[]).await;
        let ticket = write_in(&sandbox, 0, "word3@customers.test").await;
        let body = json!({ "text": "Es kommt morgen.\nGrüße", "html": null,
            "files": [{ "name": "plan.bin", "content_type": "application/octet-stream", "data": base64("\u{0}binary") }] });
        let (status, made) = api(&sandbox, "POST", &format!("/tickets/{}/reply", ticket.id), body).await;
        assert_eq!(status, 201);
        let answer = mail_in(&sandbox, "INBOX", |m| m.text().contains("Es kommt morgen.")).await;
        assert!(answer.text().contains("wo bleibt mein Päckchen?"), "history is quoted");
        assert!(answer.text().contains(&format!("https://desk.test/t/{}", ticket.number())));
        assert!(answer.parsed().body_html(0).unwrap().contains("Grüße"));
        assert_eq!(answer.parsed().attachment(0).unwrap().contents(), b"\0binary");
        assert!(!answer.is_automatic());
        let ack = mail_in(&sandbox, "INBOX", Incoming::is_automatic).await;
        let own = format!("<ticket-{}@desk.test>", ticket.id);
        match habit {
            Threading::Classic => assert!(answer.header("References").contains("<word3@customers.test>")),
            Threading::ParentOnly => {
                assert_eq!((answer.header("In-Reply-To").as_str(), answer.header("References").as_str()), ("<word3@customers.test>", ""));
            }
            Threading::TicketId => {
                assert_eq!((answer.header("In-Reply-To").as_str(), answer.header("References")), ("", own.clone()));
                assert!(ack.header("References").contains(&own), "the acknowledgement names the id as well");
            }
        }
        let sent = ticket_when(&sandbox, ticket.id, |t| {
            t.messages.iter().any(|m| Some(m.id) == made["message"]["id"].as_u64() && m.delivery.as_deref() == Some("sent"))
        })
        .await;
        assert_eq!(sent.status, Status::Waiting);
        let file = sent.messages.iter().flat_map(|m| &m.files).next().unwrap().id;
        let (_, bytes) = http_bytes(&format!("{}/files/{file}", sandbox.api), &sandbox.api_key, "GET", &Value::Null).await;
        assert_eq!(bytes, b"\0binary");
    }
}

#[tokio::test]
async fn follow_ups_join_by_reference_or_by_subject_tag_and_reopen() {
    let sandbox = sandbox(4, &[]).await;
    let ticket = write_in(&sandbox, 2, "word4@customers.test").await;
    let path = format!("/tickets/{}", ticket.id);
    let ack = mail_in(&sandbox, "INBOX", Incoming::is_automatic).await;
    let tagged = ack.parsed().subject().unwrap().to_owned();
    let to_ack = format!("In-Reply-To: {}\r\n", ack.header("Message-ID"));
    let ways = [
        ("own", "Re: something", "References: <word4@customers.test>\r\n"),
        ("ack", "Re: something", to_ack.as_str()),
        ("tag", tagged.as_str(), ""),
        ("rt", "Re: x", &format!("References: <ticket-{}@desk.test>\r\n", ticket.id)),
    ];
    for (at, (word, subject, headers)) in ways.into_iter().enumerate() {
        assert_eq!(api(&sandbox, "PATCH", &path, json!({ "status": "closed" })).await.1["ticket"]["status"], "closed");
        let raw = mail("alice@customers.test", "sales@desk.test", subject, &format!("{word}@x"), headers, &format!("follow {word}"));
        submit(&sandbox, "sales@desk.test", &raw).await;
        let joined = ticket_when(&sandbox, ticket.id, |t| t.messages.iter().any(|m| m.text.contains(&format!("follow {word}")))).await;
        assert_eq!(joined.status, Status::Open, "reopened by {word}");
        assert_eq!(joined.history.iter().filter(|e| e.kind == "follow_up").count(), at + 1);
    }
    assert_eq!(sandbox.tickets().len(), 1);
}

#[tokio::test]
async fn html_charsets_and_attachments_reach_the_agent_as_written() {
    let sandbox = sandbox(5, &[]).await;
    let raw = "From: alice@customers.test\r\nTo: support@desk.test\r\nSubject: =?iso-8859-1?Q?St=F6rung?=\r\nMessage-ID: <m5@x>\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n\
        --c\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n\
        --c\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Bold</p>\r\n--c--\r\n\
        --b\r\nContent-Type: text/plain; charset=utf-8; name=note.txt\r\nContent-Disposition: attachment; filename=note.txt\r\n\r\nplain file\r\n\
        --b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n\
        --b--\r\n";
    submit(&sandbox, "support@desk.test", raw).await;
    let ticket = ticket_with(&sandbox, "Störung").await;
    let message = &ticket.messages[0];
    assert_eq!((ticket.subject.as_str(), message.text.trim()), ("Störung", "Grüße"));
    assert_eq!(message.html.as_deref().unwrap().trim(), "<p>Bold</p>");
    let files: Vec<(&str, &str, &[u8])> =
        message.files.iter().map(|f| (f.name.as_str(), f.content_type.as_str(), f.bytes.as_slice())).collect();
    assert_eq!(files[0], ("note.txt", "text/plain", b"plain file".as_slice()));
    assert_eq!(files[1], ("a.png", "image/png", b"\x89PNG\r\n\x1a\n".as_slice()));
}

#[tokio::test]
async fn automatic_mail_is_not_acknowledged_and_system_addresses_work() {
    let sandbox = sandbox(6, &[]).await;
    let raw = mail("alice@customers.test", "support@in.desk.test", "Away", "m6@x", "Auto-Submitted: auto-replied\r\n", "I am away m6");
    submit(&sandbox, "support@in.desk.test", &raw).await;
    let ticket = ticket_with(&sandbox, "away m6").await;
    assert!(!ticket.history.iter().any(|e| e.kind == "automatic_reply"));
    assert_eq!(sandbox.received_by_mx()[0].to, ["support@in.desk.test"]);
}

#[tokio::test]
async fn closing_moving_tagging_and_deleting_do_what_they_say_and_send_nothing() {
    let sandbox = sandbox(7, &[]).await;
    let ticket = write_in(&sandbox, 0, "word7@customers.test").await;
    mail_in(&sandbox, "INBOX", Incoming::is_automatic).await;
    let path = format!("/tickets/{}", ticket.id);
    let (_, changed) = api(&sandbox, "PATCH", &path, json!({ "queue": "sales", "add_tags": ["probe"] })).await;
    assert_eq!((&changed["ticket"]["queue"], &changed["ticket"]["tags"]), (&json!("Sales"), &json!(["probe"])));
    assert_eq!(api(&sandbox, "PATCH", &path, json!({ "queue": "nowhere" })).await.0, 422);
    assert_eq!(api(&sandbox, "POST", &format!("{path}/notes"), json!({ "text": "only for us" })).await.0, 201);
    api(&sandbox, "PATCH", &path, json!({ "status": "closed" })).await;
    let closed = api(&sandbox, "GET", "/tickets?view=closed", Value::Null).await.1;
    assert_eq!(closed["tickets"][0]["id"], ticket.id);
    assert_eq!(api(&sandbox, "DELETE", &path, Value::Null).await.0, 204);
    assert_eq!(api(&sandbox, "GET", &path, Value::Null).await.0, 404);
    assert_eq!(api(&sandbox, "GET", "/tickets?view=deleted", Value::Null).await.1["tickets"][0]["status"], "deleted");
    let kinds: Vec<&str> = sandbox.tickets()[0].history.iter().map(|e| e.kind).collect();
    assert_eq!(kinds, ["created", "automatic_reply", "queue", "note", "status"]);
    // A second ticket's acknowledgement is a later mail: nothing else came before it.
    write_in(&sandbox, 0, "word7b@customers.test").await;
    sandbox.wait(LIMIT, |s| (read_all(s, "INBOX").len() >= 2).then_some(())).await.unwrap();
    assert!(read_all(&sandbox, "INBOX").iter().all(Incoming::is_automatic));
}

#[tokio::test]
async fn the_agent_answers_by_himself_in_his_queues_only() {
    let options = Options { agent: true, agent_queues: vec!["Sales".into()], speed: 10.0, ..Options::default() };
    let sandbox = start(options).await.unwrap();
    let other = write_in(&sandbox, 0, "word8@customers.test").await;
    let ticket = write_in(&sandbox, 2, "word9@customers.test").await;
    let answered = ticket_when(&sandbox, ticket.id, |t| t.messages.iter().any(|m| m.author == Author::Agent)).await;
    assert_eq!(answered.status, Status::Waiting);
    mail_in(&sandbox, "INBOX", |m| m.text().contains(sandbox.world.style.tongue.answer)).await;
    let untouched = ticket_when(&sandbox, other.id, |_| true).await;
    assert!(untouched.messages.iter().all(|m| m.author != Author::Agent));
}

#[tokio::test]
async fn everything_ends_with_the_sandbox() {
    let sandbox = sandbox(9, &[]).await;
    let (smtp, imap, api) = (sandbox.smtp, sandbox.imap, sandbox.api.clone());
    let mut open = Talk::to(imap).await;
    open.line().await;
    sandbox.shutdown().await;
    assert_eq!(open.line().await, "", "the open connection ended");
    for address in [smtp, imap, api.trim_start_matches("http://").trim_end_matches("/api/v1").parse().unwrap()] {
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens at {address}");
    }
}
