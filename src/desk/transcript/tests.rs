//! What a recording keeps and what it must not, and that a replay notices a change.

use super::{Recorded, Subject, Transcript, record, replay};
use crate::desk::Definition;
use crate::desk::testing::{Answer, Asked, SECRET, Server, definition, say, settings};
use base64::Engine;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const STRANGER: &str = "eve.of-elsewhere@elsewhere.test";
const COOKIE: &str = "cookie-value-77";

/// A definition that sends the secret in a header, a query, and a body.
fn text() -> String {
    let more = "[auth.q]\nkind = \"query\"\nname = \"apikey\"\nvalue = \"${key}\"";
    definition(more)
        .replacen(
            "  get = \"/health\"",
            "  id = \"h\"\n  get = \"/health\"\n  auth = \"q\"\n  pick = { sid = \"sid\" }\n  secret = [\"sid\"]",
            1,
        )
        .replacen("[health]\n", "[health]\nsay = \"known as ${h:me}\"\n", 1)
        .replacen("{ text = \"${reply.text}\" }", "{ text = \"${reply.text}\", by = \"${key}\" }", 1)
}

fn subject() -> Subject {
    Subject {
        token: "rpabc".to_owned(),
        subject: "Parcel rpabc".to_owned(),
        address: "C.Ustomer@customers.test".to_owned(),
        name: "C".to_owned(),
        since: "2026-11-25T02:59:00Z".parse().unwrap(),
    }
}

/// A desk that quotes the secret wherever it can, and shows other people's tickets in its lists.
async fn server() -> Server {
    let closed = AtomicBool::new(false);
    Server::start(move |asked: &Asked, _| {
        let status = if closed.load(Ordering::SeqCst) { 2 } else { 1 };
        match (asked.method.as_str(), asked.target.split('?').next().unwrap_or_default()) {
            ("GET", "/api/health") => {
                let body = format!(r#"{{"me":"agent {STRANGER}","sid":"picked-secret-1","echo":"picked-secret-1 {SECRET}","csrf_token":"t0ken-in-answer"}}"#);
                Answer::Say(200, vec![("set-cookie", format!("s={COOKIE}")), ("x-request-id", COOKIE.to_owned())], body.into_bytes())
            }
            ("GET", "/api/tickets") => say(
                200,
                &format!(
                    r#"{{"items":[{{"id":5,"subject":"Private words","created":"2026-11-25T03:00:00Z","from":"{STRANGER}"}},
                    {{"id":7,"subject":"Parcel rpabc","created":"2026-11-25T03:00:00Z"}}],"next":null}}"#
                ),
            ),
            ("GET", _) => say(
                200,
                &format!(
                    r#"{{"id":7,"subject":"Parcel rpabc","status":{status},"from":"c.ustomer@customers.test","created":1795578461,"tags":["{STRANGER}","{SECRET}"],"url":"http://{}/x"}}"#,
                    asked.header("host").unwrap()
                ),
            ),
            ("POST", _) => say(201, r#"{"id":"m1"}"#),
            _ => {
                closed.store(true, Ordering::SeqCst);
                say(200, "{}")
            }
        }
    })
    .await
}

async fn recorded(server: &Server, write: bool) -> Recorded {
    let text = text();
    let definition = Definition::parse("desks/test.toml", &text).unwrap_or_else(|p| panic!("{}", crate::problem::render(&p, false)));
    record(Arc::new(definition), &settings(&server.url, &text), &subject(), None, write).await.unwrap()
}

fn names(recorded: &Recorded) -> Vec<String> {
    recorded.transcripts.iter().map(|t| t.operation.name()).collect()
}

#[tokio::test]
async fn a_recording_holds_no_secret_no_cookie_no_address_and_no_strangers_words() {
    let server = server().await;
    let found = recorded(&server, true).await;
    assert_eq!(names(&found), ["health", "find-normal", "read", "reply", "close"]);
    assert_eq!(found.remarks, [""; 0]);
    let host = server.url.trim_start_matches("http://");
    let basic = base64::engine::general_purpose::STANDARD.encode(SECRET);
    for transcript in &found.transcripts {
        let text = serde_json::to_string(transcript).unwrap();
        let lower = text.to_lowercase();
        for hidden in
            [SECRET, &basic, COOKIE, "picked-secret-1", "t0ken-in-answer", "elsewhere.test", "customers.test", "private words", host]
        {
            assert!(!lower.contains(&hidden.to_lowercase()), "{hidden} in {text}");
        }
    }
    let all = serde_json::to_string(&found.transcripts).unwrap();
    for kept in [
        "https://desk.invalid/api/health?apikey=***",
        "customer@redacted.invalid",
        "stranger-1@redacted.invalid",
        "Parcel rpabc",
        r#""by":"***""#,
    ] {
        assert!(all.contains(kept), "{kept} in {all}");
    }
    // Ids and times of strangers' tickets stay, so that the search is played as it was.
    assert!(all.contains(r#"{"id":5,"subject":"…","created":"2026-11-25T03:00:00Z","from":"…"}"#), "{all}");
    assert_eq!(found.transcripts[2].result["ticket"]["requester"], "customer@redacted.invalid");
}

#[tokio::test]
async fn without_leave_to_write_nothing_is_written() {
    let server = server().await;
    assert_eq!(names(&recorded(&server, false).await), ["health", "find-normal", "read"]);
    assert!(server.asked().iter().all(|a| a.method == "GET"));
}

#[tokio::test]
async fn a_ticket_of_somebody_else_is_read_and_left_alone() {
    let server = server().await;
    let text = text();
    let definition = Arc::new(Definition::parse("desks/test.toml", &text).unwrap());
    let subject = Subject { address: "other@customers.test".to_owned(), ..subject() };
    let found = record(definition, &settings(&server.url, &text), &subject, None, true).await.unwrap();
    assert_eq!(names(&found), ["health", "find-normal", "read"]);
    assert!(found.remarks[0].contains("its requester is not other@customers.test"), "{:?}", found.remarks);
    assert!(server.asked().iter().all(|a| a.method == "GET"));
}

async fn differences(transcripts: &[Transcript], text: &str) -> Vec<String> {
    let definition = Arc::new(Definition::parse("desks/test.toml", text).unwrap());
    let mut out = Vec::new();
    for transcript in transcripts {
        if let Some(difference) = replay(&definition, transcript).await.unwrap() {
            out.extend(difference.lines.into_iter().map(|l| format!("{}: {l}", difference.operation)));
        }
    }
    out
}

#[tokio::test]
async fn a_replay_is_the_same_until_the_definition_reads_differently() {
    let server = server().await;
    let transcripts = recorded(&server, true).await.transcripts;
    drop(server);
    // As files.
    let json = serde_json::to_string(&transcripts).unwrap();
    let transcripts: Vec<Transcript> = serde_json::from_str(&json).unwrap();
    assert_eq!(differences(&transcripts, &text()).await, [""; 0]);
    let cases = [
        ("\"1\" = \"open\"", "\"1\" = \"new\"", "read: ticket.status: recorded \"open\", now \"new\""),
        ("subject = \"t:subject\"", "", "read: ticket.subject: recorded \"Parcel rpabc\", now nothing"),
        ("get = \"/tickets\"", "get = \"/cases\"", "this call was not recorded: GET https://desk.invalid/api/cases?q=rpabc"),
        ("{ q = \"${token}\" }", "{ search = \"${token}\" }", "recorded was https://desk.invalid/api/tickets?q=rpabc"),
        ("by = \"${key}\"", "who = \"${key}\"", "it was recorded with another body"),
        ("message_id = \"r:id\"", "message_id = \"r:nr\"", "reply: message_id: recorded \"m1\", now nothing"),
    ];
    for (from, to, said) in cases {
        assert!(text().contains(from), "{from}");
        let found = differences(&transcripts, &text().replacen(from, to, 1)).await;
        assert!(found.iter().any(|l| l.contains(said)), "{from}: {found:?}");
    }
}

#[tokio::test]
async fn a_recording_of_another_definition_or_format_is_refused() {
    let server = server().await;
    let mut transcript = recorded(&server, false).await.transcripts.remove(0);
    let definition = Arc::new(Definition::parse("desks/test.toml", &text()).unwrap());
    transcript.definition = "other".to_owned();
    assert!(replay(&definition, &transcript).await.unwrap_err().contains("the definition `other`, not `test`"));
    transcript.format = 2;
    assert!(replay(&definition, &transcript).await.unwrap_err().contains("format 1, not 2"));
}
