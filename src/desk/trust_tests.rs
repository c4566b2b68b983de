//! Where a monitor could be led to say "lost" or "done" without having seen it: each against a scripted server.

use super::testing::*;
use crate::engine::ports::{Acted, Desk, Trouble};
use crate::model::{ReplyContent, ResultClass, TicketRef, View};

const ROW: &str = r#"{"id":7,"subject":"Parcel rpabc","created":"2026-11-25T03:00:00Z"}"#;
const OTHER: &str = r#"{"id":5,"subject":"x","created":"2026-11-25T03:00:00Z"}"#;
const LOGIN: &str =
    "<!DOCTYPE html>\n<html><head><title>Sign in\n to Desk</title></head><form><input name=p type=\"password\"></form></html>";

fn list(rows: &str) -> String {
    format!(r#"{{"items":[{rows}],"next":null}}"#)
}

async fn find_by(text: &str, script: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> (Result<usize, Trouble>, Vec<Asked>) {
    let server = Server::start(script).await;
    let found = desk(&server.url, text).find(&needle(), View::Normal).await.map(|f| f.len());
    (found, server.asked())
}

fn class(found: Result<usize, Trouble>) -> ResultClass {
    found.unwrap_err().class
}

fn hello() -> ReplyContent {
    ReplyContent { text: "Hello".to_owned(), html: None, attachments: vec![] }
}

async fn reply_by(text: &str, script: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> Result<(), Acted> {
    let server = Server::start(script).await;
    desk(&server.url, text).reply(&ticket(), &hello()).await.map(drop)
}

fn uncertain(result: &Result<(), Acted>) -> bool {
    matches!(result, Err(Acted::Uncertain(_)))
}

fn not_done(result: &Result<(), Acted>) -> bool {
    matches!(result, Err(Acted::NotDone(_)))
}

#[tokio::test]
async fn a_login_page_with_a_success_is_a_refused_login_and_any_other_page_a_broken_contract() {
    let trouble = find_by(&definition(""), |_, _| say(200, LOGIN)).await.0.unwrap_err();
    assert_eq!((trouble.class, trouble.fault), (ResultClass::Unauthorised, "desk-login-refused"));
    assert!(trouble.message.contains("a page to sign in (its title: sign in to desk)"), "{trouble}");
    let trouble = find_by(&definition(""), |_, _| say(200, "<html><title>Maintenance</title>")).await.0.unwrap_err();
    assert_eq!(trouble.class, ResultClass::BrokenContract);
    assert!(trouble.message.contains("an HTML page, not JSON (its title: maintenance)"), "{trouble}");
    // After a redirect to it, as most desks do.
    let text = definition("");
    let moved = find_by(&text, |_, n| match n {
        0 => Answer::Say(302, vec![("location", "/login".to_owned())], vec![]),
        _ => say(200, LOGIN),
    });
    assert_eq!(class(moved.await.0), ResultClass::Unauthorised);
    // The desk may have taken the answer before: nobody knows.
    assert!(uncertain(&reply_by(&definition(""), |_, _| say(200, LOGIN)).await));
}

#[tokio::test]
async fn a_page_that_says_404_is_no_word_of_the_api_on_the_ticket() {
    let id = ticket().reference;
    let read = async |status: u16, body: &'static str| {
        let server = Server::start(move |_, _| say(status, body)).await;
        desk(&server.url, &definition("")).read(&id).await
    };
    assert_eq!(read(404, r#"{"error":"no such ticket"}"#).await, Ok(None));
    assert_eq!(read(404, "").await, Ok(None));
    assert_eq!(read(404, "<html>nginx</html>").await.unwrap_err().class, ResultClass::BrokenContract);
    let declared = definition("").replacen("[outcome]", "[outcome]\ngone = { status = [404] }", 1);
    let server = Server::start(|_, _| say(404, "<html>gone</html>")).await;
    assert_eq!(desk(&server.url, &declared).read(&id).await, Ok(None));
    // The same for a search that says "nothing" by a status.
    let text = definition("").replacen("  rows = \"items\"", "  empty_status = [404]\n  rows = \"items\"", 1);
    assert_eq!(find_by(&text, |_, _| say(404, "{}")).await.0, Ok(0));
    assert_eq!(class(find_by(&text, |_, _| say(404, "<html>nginx</html>")).await.0), ResultClass::BrokenContract);
}

#[tokio::test]
async fn a_part_of_a_list_is_not_the_list() {
    let single = definition("").replacen("  page = { next_url = \"next\", max = 2 }\n", "", 1);
    assert_eq!(find_by(&single, |_, _| say(206, &list(ROW))).await.0, Ok(1));
    assert_eq!(class(find_by(&single, |_, _| say(206, &list(OTHER))).await.0), ResultClass::BrokenContract);
    assert_eq!(find_by(&single, |_, _| say(200, &list(OTHER))).await.0, Ok(0));
    // A desk that does not know our cursor gives its first page for ever.
    let cursor =
        definition("").replacen("{ next_url = \"next\", max = 2 }", "{ cursor = \"items[-1].id\", param = \"after\", max = 9 }", 1);
    let (found, asked) = find_by(&cursor, |_, _| say(200, &list(OTHER))).await;
    assert_eq!((class(found), asked.len()), (ResultClass::BrokenContract, 2));
    // An empty page with a cursor is not the end.
    let sparse = definition("").replacen("{ next_url = \"next\", max = 2 }", "{ cursor = \"next\", param = \"after\", max = 9 }", 1);
    let (found, _) = find_by(&sparse, |_, n| match n {
        0 => say(200, r#"{"items":[],"next":"c2"}"#),
        _ => say(200, &list(ROW)),
    })
    .await;
    assert_eq!(found, Ok(1));
}

#[tokio::test]
async fn the_key_of_a_steps_own_way_to_sign_in_is_on_every_page() {
    let text = definition("[auth.search]\nkind = \"query\"\nname = \"api_key\"\nvalue = \"${key}\"").replacen(
        "  rows = \"items\"",
        "  auth = \"search\"\n  rows = \"items\"",
        1,
    );
    let (_, asked) = find_by(&text, |_, n| match n {
        0 => say(200, r#"{"items":[],"next":"/api/tickets?page=2"}"#),
        _ => say(200, &list("")),
    })
    .await;
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|a| a.target.contains(&format!("api_key={SECRET}")) && a.header("authorization").is_none()), "{asked:?}");
}

#[tokio::test]
async fn a_desk_that_wants_quiet_gets_it_from_every_reader_and_still_takes_what_is_written() {
    let second =
        "[[find]]\n  [[find.step]]\n  get = \"/recent\"\n  rows = \"@\"\n  match = { field = \"a\", contains = \"${token}\" }\n[read]";
    let text = definition("").replacen("[read]", second, 1);
    let server = Server::start(|asked, _| match asked.method.as_str() {
        "POST" => say(201, r#"{"id":5}"#),
        _ => Answer::Say(429, vec![("retry-after", "120".to_owned())], vec![]),
    })
    .await;
    let desk = desk(&server.url, &text);
    for _ in 0..2 {
        let trouble = desk.find(&needle(), View::Normal).await.unwrap_err();
        assert_eq!(trouble.class, ResultClass::Throttled);
        assert!((60..=120).contains(&trouble.retry_after.unwrap().as_secs()), "{trouble:?}");
    }
    assert_eq!(desk.read(&ticket().reference).await.unwrap_err().class, ResultClass::Throttled);
    assert_eq!(server.asked().len(), 1, "neither the second way nor a later look asked again");
    desk.reply(&ticket(), &hello()).await.unwrap();
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_cached_list_is_still_a_list_when_it_is_used_again() {
    let text = definition("")
        .replacen("[record]", "  [[read.step]]\n  id = \"groups\"\n  get = \"/groups\"\n  rows = \"groups\"\n  cache = \"1h\"\n[record]\nqueue = { key = \"t:group\", in = \"groups:@\", by = \"id\", take = \"name\" }", 1);
    let server = Server::start(|asked, _| match asked.target.as_str() {
        "/api/groups" => say(200, r#"{"groups":[{"id":1,"name":"Billing"}]}"#),
        _ => say(200, r#"{"id":7,"group":1}"#),
    })
    .await;
    let desk = desk(&server.url, &text);
    for _ in 0..2 {
        assert_eq!(desk.read(&ticket().reference).await.unwrap().unwrap().queue.as_deref(), Some("Billing"));
    }
    assert_eq!(server.asked().iter().filter(|a| a.target == "/api/groups").count(), 1);
}

#[tokio::test]
async fn nothing_to_say_in_a_later_step_does_not_make_the_ticket_vanish() {
    let text = definition("").replacen(
        "[record]",
        "  [[read.step]]\n  id = \"who\"\n  get = \"/users/${t:user}\"\n  empty_status = [204]\n[record]\nchannel = \"who:kind\"",
        1,
    );
    let server =
        Server::start(|asked, _| if asked.target.contains("users") { say(204, "") } else { say(200, r#"{"id":7,"user":3}"#) }).await;
    let read = desk(&server.url, &text).read(&ticket().reference).await.unwrap().unwrap();
    assert_eq!((read.reference.id.as_str(), read.channel), ("7", None));
}

#[tokio::test]
async fn what_happens_before_the_change_is_no_change_and_an_ignored_failure_of_one_may_be() {
    let before =
        |step: &str| definition("").replacen("[reply]\nmessage_id = \"r:id\"\n", &format!("[reply]\nmessage_id = \"r:id\"\n{step}"), 1);
    let look = before("  [[reply.step]]\n  id = \"p\"\n  get = \"/profile\"\n");
    let upload = before("  [[reply.step]]\n  id = \"u\"\n  post = \"/uploads\"\n  prepares = true\n  body.raw = \"x\"\n");
    for text in [&look, &upload] {
        for status in [500, 200] {
            let result = reply_by(text, move |asked, _| match asked.target.as_str() {
                "/api/tickets/7/reply" => say(201, r#"{"id":5}"#),
                _ if status == 500 => say(500, ""),
                _ => Answer::Cut,
            });
            assert!(not_done(&result.await), "{status}");
        }
    }
    let none = before("  [[reply.step]]\n  id = \"p\"\n  get = \"/profile\"\n  empty_status = [204]\n");
    assert!(not_done(&reply_by(&none, |_, _| say(204, "")).await));
    let ignored = before("  [[reply.step]]\n  id = \"o\"\n  post = \"/draft\"\n  optional = true\n");
    let result = reply_by(&ignored, |asked, _| if asked.target.ends_with("/draft") { Answer::Cut } else { say(422, "{}") }).await;
    assert!(uncertain(&result), "{result:?}");
    // A proxy that gave up waiting says nothing about the desk behind it.
    assert!(uncertain(&reply_by(&definition(""), |_, _| say(408, "")).await));
}

#[tokio::test]
async fn a_secret_that_an_error_text_is_cut_in_is_not_shown_by_half() {
    let half: String = SECRET.chars().take(8).collect();
    for before in 180..205 {
        let body = format!(r#"{{"error":"{} {SECRET}"}}"#, "x".repeat(before));
        let trouble = find_by(&definition(""), move |_, _| say(400, &body)).await.0.unwrap_err();
        assert!(!trouble.message.contains(&half), "{before}: {trouble}");
    }
}

#[tokio::test]
async fn a_rule_that_does_not_fit_a_failures_body_does_not_rename_it() {
    let text = definition("").replacen("denied = { when = \"captcha\" }", "denied = { when = \"length(errors) == `2`\" }", 1);
    for body in ["{}", "<html>", ""] {
        assert_eq!(class(find_by(&text, move |_, _| say(503, body)).await.0), ResultClass::Unavailable, "{body}");
    }
    assert_eq!(class(find_by(&text, |_, _| say(400, r#"{"errors":[1,2]}"#)).await.0), ResultClass::Denied);
    assert_eq!(class(find_by(&text, |_, _| say(200, &list(ROW))).await.0), ResultClass::BrokenContract);
}

#[tokio::test]
async fn text_in_another_charset_is_not_read_as_what_the_desk_has_stored() {
    let mut body = list(ROW).into_bytes();
    let at = body.windows(6).position(|w| w == b"Parcel").unwrap();
    body[at] = 0xe9;
    let trouble = find_by(&definition(""), move |_, _| Answer::Say(200, vec![], body.clone())).await.0.unwrap_err();
    assert!(trouble.class == ResultClass::BrokenContract && trouble.message.contains("not UTF-8"), "{trouble}");
}

#[tokio::test]
async fn looking_for_a_value_that_is_missing_finds_no_empty_answer() {
    let text = definition("").replacen("key = {", "prefix = {}\nkey = {", 1).replacen(
        "contains = \"${token}\"",
        "contains = \"${prefix}${token}\"",
        1,
    );
    let trouble = find_by(&text, |_, _| say(200, &list(ROW))).await.0.unwrap_err();
    assert!(trouble.class == ResultClass::BrokenContract && trouble.message.contains("is missing"), "{trouble}");
}

#[tokio::test]
async fn cookies_of_the_desk_are_not_kept_and_a_move_to_https_says_what_to_change() {
    let server =
        Server::start(|_, _| Answer::Say(200, vec![("set-cookie", "session=abc; Path=/".to_owned())], list("").into_bytes())).await;
    let desk = desk(&server.url, &definition(""));
    for _ in 0..2 {
        desk.find(&needle(), View::Normal).await.unwrap();
    }
    assert!(server.asked().iter().all(|a| a.header("cookie").is_none()));
    let (moved, asked) =
        find_by(&definition(""), |_, _| Answer::Say(301, vec![("location", "https://127.0.0.1/api/tickets".to_owned())], vec![])).await;
    let trouble = moved.unwrap_err();
    assert_eq!((trouble.class, asked.len()), (ResultClass::BrokenContract, 1));
    assert!(trouble.message.contains("write the desk's address with https"), "{trouble}");
}

const FILES: &str = r#"
[messages]
  [[messages.step]]
  get = "/tickets/${id}/messages"
  rows = "@"
[message]
id = "id"
text = "text"
files = { each = "files", name = "name", url = "${item.url}" }
"#;

#[tokio::test]
async fn files_come_from_the_desks_own_hosts_with_its_credentials_and_a_login_page_is_none() {
    let stranger = Server::start(|_, _| say(200, "x")).await;
    let messages = async |url: &str, status: u16, body: &'static str| {
        let answer = format!(r#"[{{"id":1,"text":"t","files":[{{"name":"a.txt","url":"{url}"}}]}}]"#);
        let server =
            Server::start(move |asked, _| if asked.target.ends_with("/messages") { say(200, &answer) } else { say(status, body) }).await;
        let got = desk(&server.url, &definition(FILES)).messages(&ticket()).await;
        (got.map(|m| m[0].files[0].size), server.asked())
    };
    let (size, asked) = messages("/files/1?x=2", 200, "hello").await;
    assert_eq!((size, asked[1].target.as_str()), (Ok(Some(5)), "/files/1?x=2"));
    assert_eq!(asked[1].header("authorization"), Some(format!("Bearer {SECRET}")));
    assert_eq!(messages("/files/1", 404, "{}").await.0, Ok(Some(0)), "a link that leads nowhere gives nothing");
    assert_eq!(messages("/files/1", 404, "<html>nginx</html>").await.0.unwrap_err().class, ResultClass::BrokenContract);
    assert_eq!(messages("/files/1", 200, LOGIN).await.0.unwrap_err().class, ResultClass::Unauthorised);
    let elsewhere = messages(&format!("{}/files/1", stranger.url), 200, "x").await.0.unwrap_err();
    assert!(elsewhere.class == ResultClass::BrokenContract && elsewhere.message.contains("not among the desk's hosts"), "{elsewhere}");
    assert!(messages("//evil.test/x", 200, "x").await.0.is_err());
    assert!(stranger.asked().is_empty());
}

#[tokio::test]
async fn a_closed_connection_after_a_change_is_looked_into_once_and_never_repeated() {
    let server = Server::start(|asked, _| if asked.method == "PUT" { Answer::Cut } else { say(200, r#"{"id":7,"status":1}"#) }).await;
    let result = desk(&server.url, &definition("")).close(&ticket()).await;
    assert!(uncertain(&result), "{result:?}");
    assert_eq!(server.asked().iter().filter(|a| a.method == "PUT").count(), 1);
    let id = TicketRef { id: "7".to_owned(), number: "7".to_owned() };
    assert!(desk(&server.url, &definition("")).read(&id).await.unwrap().is_some());
}
