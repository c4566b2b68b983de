//! The shipped definition of Chatwoot against a server that answers in Chatwoot's shapes: what is pushed is seen as pushed.

use crate::server::{Asked, Does, Server, json, text};
use crate::world::{World, line, order, saying, settings};
use replypath::config::ParamValue;
use replypath::desk::built_in;
use replypath::engine::ways::Chats;
use replypath::model::Speaker;
use secrecy::SecretString;

const PAGE: &str = "<script>window.authToken = 'visitor.jwt.1'\nwindow.chatwootPubsubToken = 'pubsub-7'</script>";

/// The agent's line as the stream brings it, and one of the same visitor's other conversation.
fn pushed() -> Vec<u8> {
    let identifier = r#"{\"channel\":\"RoomChannel\",\"pubsub_token\":\"pubsub-7\"}"#;
    let message = |conversation: u32, id: u32, content: &str| {
        format!(
            r#"{{"identifier":"{identifier}","message":{{"event":"message.created","data":{{"id":{id},"content":"{content}","message_type":1,"content_type":"text","created_at":1779000000,"conversation_id":{conversation},"sender":{{"id":3,"name":"Kim","type":"user"}}}}}}}}"#
        )
    };
    let confirmed = format!(r#"{{"identifier":"{identifier}","type":"confirm_subscription"}}"#);
    let frames = [r#"{"type":"welcome"}"#.to_owned(), confirmed, message(11, 899, "another matter"), message(12, 901, "On its way.")];
    frames.iter().flat_map(|f| text(f.as_bytes())).collect()
}

fn answer(asked: &Asked, first: &str) -> Does {
    match asked.line.split('?').next().unwrap_or_default() {
        "GET /widget" => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n{PAGE}", PAGE.len());
            Does::Bytes(head.into_bytes())
        }
        "POST /api/v1/widget/conversations" | "GET /api/v1/widget/conversations" => json(r#"{"id":12,"inbox_id":1,"status":"open"}"#),
        "GET /api/v1/widget/messages" => json(&format!(
            r#"{{"payload":[{{"id":900,"content":"{first}","message_type":0,"created_at":1779000000,"conversation_id":12}}],"meta":{{}}}}"#
        )),
        "GET /cable HTTP/1.1" => Does::Socket(pushed()),
        other => Does::Json(404, format!(r#"{{"error":"no {other}"}}"#)),
    }
}

async fn chatwoot(tabs: bool) -> (Server, World, tempfile::TempDir) {
    let first = saying("run1", "send").text;
    let server = Server::start(move |asked, number| match asked.line.split('?').next() {
        // The second tab starts from zero.
        Some("GET /api/v1/widget/conversations") if tabs && number > 0 => json(r#"{"id":13,"inbox_id":1,"status":"open"}"#),
        _ => answer(asked, &first),
    })
    .await;
    let text = built_in().iter().find(|(id, _)| *id == "chatwoot").expect("a definition").1;
    let mut settings = settings(text, &[("url", &server.url), ("website_token", "w")], "unused");
    let params = &mut settings.get_mut("desk").unwrap().params;
    params.remove("key");
    params.insert("account".to_owned(), ParamValue::Plain(toml::Value::Integer(1)));
    params.insert("access_token".to_owned(), ParamValue::Secret(SecretString::from("agents-key")));
    let state = tempfile::tempdir().unwrap();
    let world = World::new(&settings, state.path());
    (server, world, state)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agents_line_on_the_stream_is_seen_as_pushed() {
    let (server, world, _state) = chatwoot(false).await;
    let (order, said) = (order("run1"), saying("run1", "send"));
    let begun = world.chats.begin(&order, &said).await.unwrap_or_else(|stop| panic!("{stop}: {:#?}", server.asked("")));
    assert_eq!(begun.conversation.as_deref(), Some("12"));
    let view = world.heard(&order, "the agent's line", |v| v.lines.iter().any(|l| l.text == "On its way.")).await;
    let agents = view.lines.iter().find(|l| l.text == "On its way.").unwrap();
    assert!(agents.pushed.is_some() && agents.stored.is_none(), "{agents:?}");
    assert_eq!(agents.speaker, Some(Speaker::Agent));
    assert!(line(&view, &said.token).is_some_and(|l| l.stored.is_some()));
    assert!(view.lines.iter().all(|l| l.text != "another matter"), "{view:#?}");
    let cable = &server.asked("GET /cable")[0];
    assert!(!cable.head.contains("agents-key") && !cable.line.contains("pubsub"), "{cable:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_tab_that_starts_from_zero_is_told_while_the_first_stays_open() {
    for (lost, then) in [(true, "13"), (false, "12")] {
        let (server, world, _state) = chatwoot(lost).await;
        let mut order = order("run1");
        let begun = world.chats.begin(&order, &saying("run1", "send")).await.unwrap_or_else(|stop| panic!("{stop}"));
        (order.conversation, order.sealed) = (begun.conversation, begun.sealed);
        let again = world.chats.reload(&order).await.unwrap_or_else(|stop| panic!("{stop}"));
        assert_eq!(again.conversation.as_deref(), Some(then));
        assert_eq!(again.in_second_window, lost);
        // Begun once, then one window beside the first, and the first once more unless the second was lost already.
        assert_eq!(server.asked("GET /widget").len(), if lost { 2 } else { 3 });
    }
}
