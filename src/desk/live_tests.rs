//! The interpreter against a scripted server: result classes, pages, hosts, writing calls, secrets.

use super::testing::*;
use crate::engine::ports::{Acted, Desk, Trouble};
use crate::model::{OutgoingAttachment, ReplyContent, ResultClass, TicketStatus, View};
use std::time::Duration;

const ROW: &str = r#"{"id":7,"subject":"Parcel RPABC","created":"2026-11-25T03:00:00Z"}"#;

async fn find(script: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> Result<usize, Trouble> {
    let server = Server::start(script).await;
    desk(&server.url, &definition("")).find(&needle(), View::Normal).await.map(|f| f.len())
}

fn list(rows: &str) -> String {
    format!(r#"{{"items":[{rows}],"next":null}}"#)
}

#[tokio::test]
async fn each_of_the_seven_result_classes_is_told_from_the_others() {
    assert_eq!(find(|_, _| say(200, &list(ROW))).await, Ok(1));
    assert_eq!(find(|_, _| say(200, &list(""))).await, Ok(0));
    for (status, body, class, fault) in [
        (429, r#"{"error":"slow down"}"#, ResultClass::Throttled, "desk-throttled"),
        (401, r#"{"error":"who?"}"#, ResultClass::Unauthorised, "desk-login-refused"),
        (500, "oops", ResultClass::Unavailable, "desk-api-down"),
        (503, "", ResultClass::Unavailable, "desk-api-down"),
        (403, r#"{"error":"no"}"#, ResultClass::Denied, "desk-denied"),
        (200, r#"{"captcha":true}"#, ResultClass::Denied, "desk-denied"),
        (404, "{}", ResultClass::BrokenContract, "desk-contract-broken"),
        (422, "{}", ResultClass::BrokenContract, "desk-contract-broken"),
        (200, "<html>login page</html>", ResultClass::BrokenContract, "desk-contract-broken"),
        (302, "", ResultClass::BrokenContract, "desk-contract-broken"),
    ] {
        let trouble = find(move |_, _| say(status, body)).await.unwrap_err();
        assert_eq!((trouble.class, trouble.fault), (class, fault), "{status} {body}: {trouble}");
        assert!(trouble.message.contains("helpdesk") && trouble.message.contains("GET /api/tickets"), "{trouble}");
    }
    let down = desk("http://127.0.0.1:1", &definition("")).find(&needle(), View::Normal).await.unwrap_err();
    assert_eq!(down.class, ResultClass::Unavailable);
}

#[tokio::test]
async fn a_missing_list_or_field_is_a_broken_contract_and_never_an_empty_answer() {
    for body in [r#"{}"#, r#"{"items":null}"#, r#"{"items":{}}"#, r#"{"tickets":[]}"#, "[]", "", "null"] {
        let trouble = find(move |_, _| say(200, body)).await.unwrap_err();
        assert_eq!(trouble.class, ResultClass::BrokenContract, "{body}");
    }
    let renamed = find(|_, _| say(200, &list(r#"{"id":7,"title":"Parcel rpabc","created":"2026-11-25T03:00:00Z"}"#))).await;
    assert!(renamed.unwrap_err().message.contains("no row has the field `subject`"));
    let no_id = find(|_, _| say(200, &list(r#"{"subject":"rpabc","created":"2026-11-25T03:00:00Z"}"#))).await;
    assert_eq!(no_id.unwrap_err().class, ResultClass::BrokenContract);
}

#[tokio::test]
async fn only_rows_with_the_token_that_are_not_older_than_asked_count() {
    let rows = [
        ROW,
        r#"{"id":8,"subject":"other","created":"2026-11-25T03:00:00Z"}"#,
        r#"{"id":9,"subject":"rpabc","created":"2026-11-25T02:59:59Z"}"#,
        r#"{"id":10,"subject":null,"created":"2026-11-25T04:00:00Z"}"#,
    ];
    assert_eq!(find(move |_, _| say(200, &list(&rows.join(",")))).await, Ok(1));
}

#[tokio::test]
async fn pages_are_followed_up_to_the_maximum_and_what_was_not_seen_proves_nothing() {
    let page = |asked: &Asked, rows: &str| {
        let host = asked.header("host").unwrap();
        say(200, &format!(r#"{{"items":[{rows}],"next":"http://{host}/api/tickets?q=rpabc&page=2"}}"#))
    };
    let second =
        find(move |asked, n| page(asked, if n == 1 { ROW } else { r#"{"id":1,"subject":"x","created":"2026-11-25T03:00:00Z"}"# })).await;
    assert_eq!(second, Ok(1));
    let server = Server::start(move |asked, _| page(asked, r#"{"id":1,"subject":"x","created":"2026-11-25T03:00:00Z"}"#)).await;
    let trouble = desk(&server.url, &definition("")).find(&needle(), View::Normal).await.unwrap_err();
    assert_eq!(trouble.class, ResultClass::BrokenContract);
    assert!(trouble.message.contains("more pages"), "{trouble}");
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn every_way_of_paging_asks_for_the_right_next_page() {
    for (page, headers, expected) in [
        (r#"{ number = "p", size = 1, max = 3 }"#, vec![], "p=2"),
        (r#"{ offset = "start", size = 1, max = 3 }"#, vec![], "start=1"),
        (r#"{ cursor = "items[-1].id", param = "after", max = 3 }"#, vec![], "after=5"),
        (
            r#"{ link_header = true, max = 3 }"#,
            vec![("link", r#"</api/tickets?x=1>; rel="prev", </api/tickets?z=2>; rel="next""#.to_owned())],
            "z=2",
        ),
    ] {
        let text = definition("").replace(r#"{ next_url = "next", max = 2 }"#, page);
        let server = Server::start(move |_, n| match n {
            0 => Answer::Say(200, headers.clone(), list(r#"{"id":5,"subject":"x","created":"2026-11-25T03:00:00Z"}"#).into_bytes()),
            _ => say(200, &list("")),
        })
        .await;
        assert_eq!(desk(&server.url, &text).find(&needle(), View::Normal).await, Ok(vec![]), "{page}");
        let targets: Vec<String> = server.asked().into_iter().map(|a| a.target).collect();
        assert_eq!(targets.len(), 2, "{page}");
        assert!(targets[1].contains(expected), "{page}: {targets:?}");
    }
}

#[tokio::test]
async fn a_list_without_order_is_read_from_its_end() {
    let text = definition("")
        .replace(r#"{ next_url = "next", max = 2 }"#, r#"{ last_from_count = "count", number = "page", size = 10, max = 2 }"#);
    let server = Server::start(|asked, _| {
        let rows = if asked.target.contains("page=5") { ROW } else { "" };
        say(200, &format!(r#"{{"count":45,"items":[{rows}]}}"#))
    })
    .await;
    assert_eq!(desk(&server.url, &text).find(&needle(), View::Normal).await.unwrap().len(), 1);
    let targets: Vec<String> = server.asked().into_iter().map(|a| a.target).collect();
    assert!(targets[1].contains("page=4") && targets[2].contains("page=5") && targets.len() == 3, "{targets:?}");
}

#[tokio::test]
async fn credentials_never_leave_the_listed_hosts() {
    let stranger = Server::start(|_, _| say(200, &list(ROW))).await;
    let url = stranger.url.clone();
    let next = find(move |_, _| say(200, &format!(r#"{{"items":[],"next":"{url}/api/tickets"}}"#))).await.unwrap_err();
    assert_eq!(next.class, ResultClass::BrokenContract);
    assert!(next.message.contains("not among the desk's hosts"), "{next}");
    let url = stranger.url.clone();
    let moved = find(move |_, _| Answer::Say(302, vec![("location", format!("{url}/api/tickets"))], vec![])).await.unwrap_err();
    assert_eq!(moved.class, ResultClass::BrokenContract);
    let user = find(|asked, _| {
        let host = asked.header("host").unwrap();
        say(200, &format!(r#"{{"items":[],"next":"http://someone@{host}/api/tickets"}}"#))
    })
    .await;
    assert_eq!(user.unwrap_err().class, ResultClass::BrokenContract);
    assert!(stranger.asked().is_empty());
}

#[tokio::test]
async fn a_get_follows_redirects_on_its_own_host_with_its_credentials() {
    let server = Server::start(|asked, n| match n {
        0 => Answer::Say(307, vec![("location", "/api/moved?a=b".to_owned())], vec![]),
        _ => say(if asked.target == "/api/moved?a=b" { 200 } else { 404 }, &list(ROW)),
    })
    .await;
    assert_eq!(desk(&server.url, &definition("")).find(&needle(), View::Normal).await.unwrap().len(), 1);
    assert!(server.asked().iter().all(|a| a.header("authorization") == Some(format!("Bearer {SECRET}"))));
    let circle = find(|_, _| Answer::Say(302, vec![("location", "/api/tickets".to_owned())], vec![])).await.unwrap_err();
    assert!(circle.message.contains("circle"), "{circle}");
}

#[tokio::test]
async fn a_throttled_answer_says_how_long_to_wait() {
    for (value, seconds) in [(Some("17"), 17..=17), (None, 33..=33), (Some("soon"), 33..=33)] {
        let headers = value.map(|v| ("retry-after", v.to_owned())).into_iter().collect::<Vec<_>>();
        let trouble = find(move |_, _| Answer::Say(429, headers.clone(), vec![])).await.unwrap_err();
        assert!(seconds.contains(&trouble.retry_after.unwrap().as_secs()), "{value:?}");
    }
    // A date (RFC 9110 section 5.6.7), an hour ahead.
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let date = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let trouble = find(move |_, _| Answer::Say(429, vec![("retry-after", date.clone())], vec![])).await.unwrap_err();
    assert!((3000..=3600).contains(&trouble.retry_after.unwrap().as_secs()), "{trouble:?}");
    let busy = find(|_, _| Answer::Say(503, vec![("retry-after", "5".to_owned())], vec![])).await.unwrap_err();
    assert_eq!((busy.class, busy.retry_after), (ResultClass::Unavailable, Some(Duration::from_secs(5))));
}

/// Gzip (RFC 1952) of a run of zeros, made of the longest repeats of deflate's fixed code (RFC 1951 section 3.2.6).
fn bomb(megabytes: usize) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut bits: Vec<bool> = vec![true, true, false];
    bits.extend([false, false, true, true, false, false, false, false]);
    for _ in 0..megabytes * 1024 * 1024 / 258 {
        bits.extend([true, true, false, false, false, true, false, true]);
        bits.extend([false; 5]);
    }
    bits.extend([false; 7]);
    for chunk in bits.chunks(8) {
        out.push(chunk.iter().enumerate().map(|(i, b)| u8::from(*b) << i).sum());
    }
    out.extend([0; 8]);
    out
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_cut_off_also_when_it_is_packed() {
    let plain = find(|_, _| Answer::Say(200, vec![], vec![b' '; 17 * 1024 * 1024])).await.unwrap_err();
    let packed = bomb(64);
    assert!(packed.len() < 1024 * 1024);
    let packed = find(move |_, _| Answer::Say(200, vec![("content-encoding", "gzip".to_owned())], packed.clone())).await.unwrap_err();
    for trouble in [plain, packed] {
        assert_eq!(trouble.class, ResultClass::BrokenContract);
        assert!(trouble.message.contains("larger than 16 MiB"), "{trouble}");
    }
}

async fn reply(text: &str, script: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> (Result<(), Acted>, usize) {
    let server = Server::start(script).await;
    let content = ReplyContent { text: "Hello".to_owned(), html: None, attachments: vec![] };
    let result = desk(&server.url, text).reply(&ticket(), &content).await;
    (result.map(|r| assert_eq!(r.message_id.as_deref(), Some("5"))), server.asked().len())
}

#[tokio::test]
async fn a_reply_is_uncertain_exactly_when_the_desk_may_have_taken_it() {
    let text = definition("");
    assert_eq!(reply(&text, |_, _| say(201, r#"{"id":5}"#)).await, (Ok(()), 1));
    for status in [400, 401, 403, 404, 409, 422, 429] {
        let (result, calls) = reply(&text, move |_, _| say(status, "{}")).await;
        assert!(matches!(result, Err(Acted::NotDone(_))) && calls == 1, "{status}: {result:?}");
    }
    for status in [500, 502, 503, 302, 307] {
        let (result, calls) = reply(&text, move |_, _| Answer::Say(status, vec![("location", "/api/x".to_owned())], vec![])).await;
        assert!(matches!(result, Err(Acted::Uncertain(_))) && calls == 1, "{status}: {result:?}");
    }
    let (cut, calls) = reply(&text, |_, _| Answer::Cut).await;
    assert!(matches!(&cut, Err(Acted::Uncertain(t)) if t.class == ResultClass::Unavailable) && calls == 1, "{cut:?}");
    // A success of another shape: the desk did something, but what?
    for body in ["", "<html>", "{}"] {
        let (result, _) = reply(&text, move |_, _| say(200, body)).await;
        assert!(matches!(&result, Err(Acted::Uncertain(t)) if t.class == ResultClass::BrokenContract), "{body}: {result:?}");
    }
}

#[tokio::test]
async fn a_reply_that_never_left_is_certainly_not_done() {
    let content = ReplyContent { text: "Hello".to_owned(), html: None, attachments: vec![] };
    let refused = desk("http://127.0.0.1:1", &definition("")).reply(&ticket(), &content).await.unwrap_err();
    assert!(matches!(refused, Acted::NotDone(t) if t.fault == "desk-api-down"));
    // Plain HTTP where TLS is expected: the handshake fails.
    let server = Server::start(|_, _| say(201, r#"{"id":5}"#)).await;
    let tls = desk(&server.url.replace("http://", "https://"), &definition("")).reply(&ticket(), &content).await.unwrap_err();
    assert!(matches!(tls, Acted::NotDone(_)), "{tls:?}");
}

#[tokio::test]
async fn a_silent_desk_leaves_a_reply_uncertain_after_the_time_out() {
    let server = Server::start(|_, _| Answer::Silent).await;
    let text = definition("");
    let mut settings = settings(&server.url, &text);
    settings.timeout = Duration::from_millis(1500);
    let parsed = super::Definition::parse("x", &text).unwrap();
    let desk = super::HttpDesk::new(std::sync::Arc::new(parsed), &settings).unwrap();
    let content = ReplyContent { text: "Hello".to_owned(), html: None, attachments: vec![] };
    let result = desk.reply(&ticket(), &content).await.unwrap_err();
    assert!(matches!(&result, Acted::Uncertain(t) if t.message.contains("no answer in time")), "{result:?}");
}

#[tokio::test]
async fn after_one_change_a_later_refusal_is_not_nothing_happened() {
    let second = "  [[reply.step]]\n  put = \"/tickets/${id}\"\n  body.json = { status = 1 }\n[close]";
    let text = definition("").replacen("[close]", second, 1);
    let (result, calls) = reply(&text, |asked, _| if asked.method == "POST" { say(201, r#"{"id":5}"#) } else { say(400, "{}") }).await;
    assert!(matches!(result, Err(Acted::Uncertain(_))) && calls == 2, "{result:?}");
    // An upload by itself changes nothing.
    let upload = "[reply]\n  [[reply.step]]\n  id = \"u\"\n  post = \"/uploads\"\n  prepares = true\n  body.raw = \"x\"\n  [[reply.step]]";
    let text = definition("").replacen("[reply]\nmessage_id = \"r:id\"\n  [[reply.step]]", upload, 1);
    let (result, calls) = reply(&text, |asked, _| say(if asked.target.ends_with("/uploads") { 201 } else { 400 }, "{}")).await;
    assert!(matches!(result, Err(Acted::NotDone(_))) && calls == 2, "{result:?}");
}

#[tokio::test]
async fn a_broken_connection_is_tried_again_for_reading_only() {
    let server = Server::start(|_, n| if n == 0 { Answer::Cut } else { say(200, &list(ROW)) }).await;
    assert_eq!(desk(&server.url, &definition("")).find(&needle(), View::Normal).await.unwrap().len(), 1);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn closing_is_believed_only_after_reading_again() {
    for (status, good) in [(2, true), (1, false)] {
        let server = Server::start(move |asked, _| match asked.method.as_str() {
            "PUT" => say(200, r#"["Status changed"]"#),
            _ => say(200, &format!(r#"{{"id":7,"status":{status}}}"#)),
        })
        .await;
        let result = desk(&server.url, &definition("")).close(&ticket()).await;
        assert_eq!(result.is_ok(), good, "{result:?}");
        assert!(good || matches!(&result, Err(Acted::NotDone(t)) if t.message.contains("`open`, not `closed`")), "{result:?}");
    }
    let server = Server::start(|asked, _| if asked.method == "PUT" { say(200, "") } else { say(500, "") }).await;
    assert!(matches!(desk(&server.url, &definition("")).close(&ticket()).await, Err(Acted::Uncertain(_))));
}

#[tokio::test]
async fn a_desk_that_quotes_our_secret_does_not_get_it_into_messages() {
    let echo = |asked: &Asked, _: usize| say(401, &format!(r#"{{"error":"bad {} {}"}}"#, asked.header("authorization").unwrap(), SECRET));
    let server = Server::start(echo).await;
    let desk = desk(&server.url, &definition(""));
    let content = ReplyContent { text: "Hello".to_owned(), html: None, attachments: vec![] };
    let texts = [
        desk.find(&needle(), View::Normal).await.unwrap_err().to_string(),
        desk.reply(&ticket(), &content).await.unwrap_err().to_string(),
        desk.health().await.unwrap_err().to_string(),
        format!("{desk:?}"),
    ];
    for text in texts {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[tokio::test]
async fn a_ticket_is_read_with_absent_fields_as_unknown_and_gone_as_none() {
    let id = ticket().reference;
    let server =
        Server::start(|_, _| say(200, r#"{"id":7.0,"status":2,"from":"c@customers.test","created":1795579200,"tags":["a",3]}"#)).await;
    let read = desk(&server.url, &definition("")).read(&id).await.unwrap().unwrap();
    assert_eq!((read.reference.id.as_str(), read.reference.number.as_str()), ("7", "7"));
    assert_eq!((read.status, read.status_text.as_deref()), (Some(TicketStatus::Closed), Some("2")));
    assert_eq!((read.subject, read.queue, read.channel), (None, None, None));
    assert_eq!(read.tags, Some(vec!["a".to_owned(), "3".to_owned()]));
    assert_eq!(read.created.unwrap().to_string(), "2026-11-25T04:00:00Z");
    for status in [404, 410] {
        let server = Server::start(move |_, _| say(status, "{}")).await;
        assert_eq!(desk(&server.url, &definition("")).read(&id).await, Ok(None));
    }
    let server = Server::start(|_, _| say(200, r#"{"created":"yesterday","id":7}"#)).await;
    let trouble = desk(&server.url, &definition("")).read(&id).await.unwrap_err();
    assert_eq!(trouble.class, ResultClass::BrokenContract);
}

#[tokio::test]
async fn an_id_from_the_desk_cannot_address_anything_else() {
    let server = Server::start(|_, _| say(404, "{}")).await;
    let desk = desk(&server.url, &definition(""));
    let id = |id: &str| crate::model::TicketRef { id: id.to_owned(), number: "x".to_owned() };
    assert_eq!(desk.read(&id("../users/1?x=y#z")).await, Ok(None));
    assert_eq!(server.asked()[0].target, "/api/tickets/..%2Fusers%2F1%3Fx%3Dy%23z");
    for bad in ["", ".", ".."] {
        assert_eq!(desk.read(&id(bad)).await.unwrap_err().class, ResultClass::BrokenContract, "{bad:?}");
    }
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_view_without_a_search_is_not_an_empty_one_unless_the_normal_search_covers_it() {
    let server = Server::start(|_, _| say(200, &list(ROW))).await;
    assert!(desk(&server.url, &definition("")).find(&needle(), View::Spam).await.is_err());
    let text = definition("").replacen("[[find]]", "[[find]]\nincludes = [\"closed\"]", 1);
    let covered = desk(&server.url, &text);
    assert_eq!(covered.find(&needle(), View::Closed).await.unwrap().len(), 1);
    assert_eq!(covered.views(), [View::Normal]);
}

#[tokio::test]
async fn strategies_are_tried_in_order_and_a_failed_one_forbids_an_empty_answer() {
    let other = "[[find]]\nid = \"second\"\n  [[find.step]]\n  get = \"/recent\"\n  rows = \"@\"\n  match = { field = \"title\", contains = \"${token}\", id = \"key\" }\n[read]";
    let text = definition("").replacen("[read]", other, 1);
    let run = async |first: (u16, String), second: &'static str| {
        let server =
            Server::start(move |asked, _| if asked.target == "/api/recent" { say(200, second) } else { say(first.0, &first.1) }).await;
        desk(&server.url, &text).find(&needle(), View::Normal).await
    };
    let hit = r#"[{"key":"K-1","title":"rpabc"}]"#;
    assert_eq!(run((200, list(ROW)), hit).await.unwrap()[0].strategy, "find1");
    let second = run((200, list("")), hit).await.unwrap();
    assert_eq!((second[0].strategy.as_str(), second[0].reference.id.as_str()), ("second", "K-1"));
    assert_eq!(run((500, String::new()), hit).await.unwrap().len(), 1);
    assert_eq!(run((500, String::new()), "[]").await.unwrap_err().class, ResultClass::Unavailable);
    assert_eq!(run((200, list("")), "[]").await, Ok(vec![]));
}

#[tokio::test]
async fn steps_pick_look_up_and_say_empty_as_declared() {
    let text = definition("").replacen(
        "  [[find.step]]\n  get = \"/tickets\"\n  query = { q = \"${token}\" }",
        "  [[find.step]]\n  id = \"who\"\n  get = \"/users\"\n  query = { email = \"${customer.email}\" }\n  empty_if = \"length(users) == `0`\"\n  empty_status = [204]\n  pick = { uid = \"users[0].id\" }\n  [[find.step]]\n  get = \"/users/${who.uid}/tickets\"",
        1,
    );
    let run = async |status: u16, users: &'static str| {
        let server =
            Server::start(move |asked, _| if asked.target.starts_with("/api/users?") { say(status, users) } else { say(200, &list(ROW)) })
                .await;
        let result = desk(&server.url, &text).find(&needle(), View::Normal).await.map(|f| f.len());
        (result, server.asked().into_iter().map(|a| a.target).collect::<Vec<_>>())
    };
    let (found, targets) = run(200, r#"{"users":[{"id":44}]}"#).await;
    assert_eq!((found, targets), (Ok(1), vec!["/api/users?email=c%40customers.test".to_owned(), "/api/users/44/tickets".to_owned()]));
    assert_eq!(run(200, r#"{"users":[]}"#).await.0, Ok(0));
    assert_eq!(run(204, "").await.0, Ok(0));
    // The declared empty is `users = []`; no `users` at all is something else.
    assert_eq!(run(200, "{}").await.0.unwrap_err().class, ResultClass::BrokenContract);
    assert_eq!(run(200, r#"{"users":[{}]}"#).await.0.unwrap_err().class, ResultClass::BrokenContract);
}

#[tokio::test]
async fn a_body_keeps_types_repeats_over_files_and_leaves_out_what_is_empty() {
    let body = r#"body.json = { id = "${id|int}", text = "${reply.text}", html = "${reply.html}", kind = 2, none = "${ticket.queue|omit_empty}", list = { "$each" = "files", "$as" = { n = "${item.name}", d = "${item.bytes|base64}" } }, keyed = { "$each" = "files", "$omit_empty" = true, "$as" = { "$key" = "${item.name}", "$value" = "${item.bytes|data_url:item.type}" } } }"#;
    let text = definition("").replacen(r#"body.json = { text = "${reply.text}" }"#, body, 1);
    let server = Server::start(|_, _| say(201, r#"{"id":5}"#)).await;
    let desk = desk(&server.url, &text);
    let file = OutgoingAttachment { name: "a.txt".to_owned(), content_type: "text/plain".to_owned(), bytes: b"hi".to_vec() };
    for attachments in [vec![file], vec![]] {
        desk.reply(&ticket(), &ReplyContent { text: "a <b>\nc".to_owned(), html: None, attachments }).await.unwrap();
    }
    let bodies: Vec<String> = server.asked().into_iter().map(|a| a.body).collect();
    assert_eq!(
        bodies[0],
        r#"{"id":7,"text":"a <b>\nc","html":"<p>a &lt;b&gt;<br>c</p>","kind":2,"list":[{"n":"a.txt","d":"aGk="}],"keyed":{"a.txt":"data:text/plain;base64,aGk="}}"#
    );
    assert!(bodies[1].ends_with(r#""kind":2,"list":[]}"#), "{}", bodies[1]);
}

#[tokio::test]
async fn request_tracker_tells_from_the_transactions_after_a_message_whether_its_mail_left() {
    let rt = super::built_in().iter().find(|(id, _)| *id == "rt").unwrap().1;
    let row = |id: u32, kind: &str, who: &str, data: &str| {
        format!(
            r#"{{"id":"{id}","Type":"{kind}","Creator":{{"EmailAddress":"{who}"}},"Created":"2026-11-25T03:47:4{}Z","Data":"{data}"}}"#,
            id % 10
        )
    };
    let rows = [
        row(0, "Create", "c@customers.test", ""),
        row(1, "EmailRecord", "", "<auto@desk>"),
        row(2, "Correspond", "agent@desk.test", "No Subject"),
        row(3, "EmailRecord", "", "<out@desk>"),
        row(4, "Correspond", "agent@desk.test", "No Subject"),
        row(5, "SystemError", "", "Sending the previous mail has failed."),
        row(6, "Correspond", "agent@desk.test", "No Subject"),
        row(7, "Status", "", ""),
        row(8, "EmailRecord", "", "<of-the-closing@desk>"),
    ]
    .join(",");
    let server = Server::start(move |asked, _| {
        let files = r#"{"count":2,"items":[{"id":"9","Filename":"","ContentType":"text/plain","Content":"Hé","MessageId":"m@customers.test"},{"id":"10","Filename":"a.bin","ContentType":"x/y","ContentLength":"3"}]}"#;
        match asked.target.as_str() {
            t if t.contains("/history") => say(200, &format!(r#"{{"count":9,"total":null,"items":[{rows}]}}"#)),
            t if t.contains("/attachment/10") => say(200, r#"{"Content":"AAEC\n"}"#),
            _ => say(200, files),
        }
    })
    .await;
    let definition = super::Definition::parse("rt", rt).unwrap();
    let mut settings = settings(&server.url, rt);
    let key = settings.params.remove("key").unwrap();
    settings.params.insert("token".to_owned(), key);
    let desk = super::HttpDesk::new(std::sync::Arc::new(definition), &settings).unwrap();
    let messages = desk.messages(&ticket()).await.unwrap();
    let told: Vec<(Option<&str>, Option<&str>)> = messages.iter().map(|m| (m.message_id.as_deref(), m.delivery.as_deref())).collect();
    assert_eq!(
        told,
        [
            (Some("m@customers.test"), Some("sent")),
            (Some("out@desk"), Some("sent")),
            (None, Some("failed: Sending the previous mail has failed.")),
            (None, None),
        ]
    );
    let file = OutgoingAttachment { name: "a.bin".to_owned(), content_type: "x/y".to_owned(), bytes: vec![0, 1, 2] }.expected();
    assert_eq!(messages[0].files, [file]);
    assert!(server.asked().iter().all(|a| a.header("authorization") == Some(format!("token {SECRET}"))));
    // Four messages with the same file: one fetch.
    assert_eq!(server.asked().iter().filter(|a| a.target.contains("/attachment/10")).count(), 1);
}

#[tokio::test]
async fn the_page_for_agents_is_opened_once_with_the_credentials_and_is_not_read() {
    let server = Server::start(|_, _| say(200, "<html>Tickets</html>")).await;
    let page = "[visit]\n  [[visit.step]]\n  get = \"/agent\"\n  as = \"ignored\"\n";
    assert_eq!(desk(&server.url, &definition(page)).visit().await, Ok(true));
    let asked = server.asked();
    assert_eq!(asked.iter().map(|a| a.target.as_str()).collect::<Vec<_>>(), ["/api/agent"]);
    assert_eq!(asked[0].header("authorization"), Some(format!("Bearer {SECRET}")));
    assert_eq!(desk(&server.url, &definition("")).visit().await, Ok(false), "no page, no call");
    assert_eq!(server.asked().len(), 1);
}
