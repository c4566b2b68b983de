//! Chat bubbles.

use crate::kit::{Kit, here, key, kit};
use crate::site::{Answer, Site};
use jiff::Timestamp;
use replypath::engine::ways::{ChatOrder, ChatView, Chats, Customer, Push, Saying};
use replypath::model::{AnswerBy, ChatBy, ChatChannel, Outcome, RunId, Speaker, Visitor, WhenOffline, Widget, WidgetStep};
use std::collections::BTreeMap;
use std::time::Duration;

const SHOP: &str =
    r#"<!doctype html><title>Shop</title><h1>Our shop</h1><iframe id="chat" src="/embed" width="400" height="600"></iframe>"#;
/// A bubble with questions before the chat; what is stored is loaded, the rest is pushed.
const WIDGET: &str = r#"<!doctype html><chat-box></chat-box><script>
const root = document.querySelector('chat-box').attachShadow({ mode: 'open' });
const begun = () => sessionStorage.getItem('begun');
root.innerHTML = `<button id="bubble">Chat</button><div id="panel" hidden><div id="ask">
  <input id="name" placeholder="Name"><button id="start">Start</button></div>
  <div id="talk" hidden><ol id="lines"></ol><textarea id="text"></textarea></div></div>`;
const el = id => root.getElementById(id);
let count = 0;
const draw = line => { count++; const li = document.createElement('li'); li.className = line.who; li.textContent = line.text; el('lines').append(li); };
const talk = async () => {
  el('ask').hidden = true; el('talk').hidden = false;
  for (const line of await (await fetch('/chat/stored')).json()) draw(line);
  setInterval(async () => { for (const line of await (await fetch('/chat/pushed?after=' + count)).json()) draw(line); }, 200);
};
el('bubble').onclick = () => { el('panel').hidden = false; if (begun()) talk(); };
el('start').onclick = () => { sessionStorage.setItem('begun', el('name').value); talk(); };
el('text').onkeydown = event => {
  if (event.key !== 'Enter') return;
  event.preventDefault();
  fetch('/chat/say', { method: 'POST', body: el('text').value }); el('text').value = '';
};
</script>"#;

async fn site() -> Site {
    Site::start(&[
        ("GET /shop", Answer::Page(SHOP.to_owned())),
        ("GET /embed", Answer::Page(WIDGET.to_owned())),
        ("GET /no-chat", Answer::Page("<!doctype html><h1>Our shop</h1>".to_owned())),
        ("GET /refused", Answer::Page(SHOP.replace("/embed", "/strict"))),
        ("GET /strict", Answer::Status(200, "<p>no", &[("content-type", "text/html"), ("x-frame-options", "DENY")])),
    ])
    .await
}

pub fn order(run: &str, page: String, limit: Duration) -> ChatOrder {
    let inside = |path: &str| format!("chat-box >>> {path}");
    ChatOrder {
        run: RunId(run.to_owned()),
        probe: "chat".to_owned(),
        desk: None,
        customer: Customer { address: "ada@customers.test".to_owned(), name: "Ada".to_owned() },
        chat: ChatChannel {
            page: Some(page),
            by: ChatBy::Widget(Widget {
                open: vec![
                    WidgetStep::Frame("#chat".to_owned()),
                    WidgetStep::Click(inside("#bubble")),
                    WidgetStep::Write { into: inside("#name"), text: "Ada".to_owned() },
                    WidgetStep::Click(inside("#start")),
                    WidgetStep::WaitFor(inside("#text")),
                ],
                say: vec![WidgetStep::Write { into: inside("#text"), text: "${line}".to_owned() }, WidgetStep::Press("Enter".to_owned())],
                close: Vec::new(),
                frame: vec!["#chat".to_owned()],
                line: inside("#lines li"),
                agent: Some(inside("li.agent")),
                bot: Some(inside("li.bot")),
                limit,
            }),
            text: String::new(),
            attachments: Vec::new(),
            prechat: BTreeMap::new(),
            hand_over: None,
            bot_turns: 0,
            when_offline: WhenOffline::Fail,
            answer: AnswerBy::Chat,
            visitor: Visitor::Fresh,
            reload: true,
            pushed: true,
        },
        conversation: None,
        sealed: None,
        since: Timestamp::now(),
    }
}

pub fn line(run: &str, leg: &str) -> Saying {
    let token = key().token(run, leg);
    Saying { text: format!("Where is my parcel 😀 {token}"), token, attachments: Vec::new() }
}

/// Waits until the listener has told of what is wanted.
pub async fn heard(kit: &mut Kit, run: &RunId, wanted: impl Fn(&ChatView) -> bool) -> ChatView {
    let wait = async {
        loop {
            match kit.browsers.heard(run) {
                Some(view) if wanted(&view) => return view,
                _ => drop(kit.events.recv().await),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(120), wait).await.expect("it is heard")
}

#[tokio::test]
async fn a_conversation_in_a_frame_and_a_shadow_root_both_ways() {
    if !here() {
        return;
    }
    let (site, mut kit) = (site().await, kit(1));
    let order = order("w1", site.url("/shop"), Duration::from_secs(240));
    let offer = kit.browsers.offer(&order).await.expect("an offer");
    assert_eq!(offer.offered, Some(true));
    assert!(site.posted().is_empty(), "an offer changes nothing");
    let first = line("w1", "send");
    kit.browsers.begin(&order, &first).await.expect("begun");
    assert!(site.posted()[0].1.ends_with(&first.text), "{:?}", site.posted());
    site.say("bot", "I am a robot");
    let token = key().token("w1", "reply");
    site.say("agent", &format!("It is on its way {token}"));
    let view = heard(&mut kit, &order.run, |view| view.lines.iter().any(|l| l.tokens.contains(&token))).await;
    assert!(matches!(view.push, Push::Open(_)));
    let speakers: Vec<_> = view.lines.iter().map(|l| l.speaker).collect();
    assert_eq!(speakers, [Some(Speaker::Visitor), Some(Speaker::Bot), Some(Speaker::Agent)], "{view:?}");
    assert!(view.lines.iter().all(|l| l.pushed.is_some()));
    let begun = kit.browsers.reload(&order).await.expect("still there");
    assert!(begun.seen.facts.contains_key("lines_after_reload"));
    let second = line("w1", "follow_up");
    kit.browsers.say(&order, &second).await.expect("said");
    let view = kit.browsers.look(&order).await.expect("a view");
    assert_eq!(view.lines.len(), 4, "{view:?}");
    assert!(view.lines.iter().all(|l| l.stored.is_some()));
    kit.browsers.leave(&order).await.expect("left");
    assert!(kit.browsers.heard(&order.run).is_none());
    kit.until(|left| left.is_empty()).await;
}

#[tokio::test]
async fn an_answer_that_is_stored_and_never_pushed_is_told_apart() {
    if !here() {
        return;
    }
    let (site, kit) = (site().await, kit(1));
    let order = order("w2", site.url("/shop"), Duration::from_secs(240));
    kit.browsers.begin(&order, &line("w2", "send")).await.expect("begun");
    site.fall_silent();
    let token = key().token("w2", "reply");
    site.say("agent", &format!("Hello {token}"));
    kit.browsers.reload(&order).await.expect("still there");
    let view = kit.browsers.look(&order).await.expect("a view");
    let answer = view.lines.iter().find(|l| l.tokens.contains(&token)).expect("the answer");
    assert!(answer.pushed.is_none() && answer.stored.is_some(), "{answer:?}");
}

#[tokio::test]
async fn a_conversation_that_a_reload_loses_is_named() {
    if !here() {
        return;
    }
    let (site, kit) = (site().await, kit(1));
    let order = order("w3", site.url("/shop"), Duration::from_secs(240));
    kit.browsers.begin(&order, &line("w3", "send")).await.expect("begun");
    site.forget();
    let stop = kit.browsers.reload(&order).await.expect_err("lost");
    assert_eq!((stop.outcome, stop.faults[0]), (Outcome::Fail, "chat-history-lost-on-return"), "{stop:?}");
    assert_eq!(site.posted().len(), 1, "nothing is said twice");
}

#[tokio::test]
async fn no_chat_a_refused_frame_and_a_lost_session_are_different_things() {
    if !here() {
        return;
    }
    let (site, kit) = (site().await, kit(1));
    let limit = Duration::from_secs(240);
    let offer = kit.browsers.offer(&order("w4", site.url("/no-chat"), limit)).await.expect("an offer");
    assert_eq!(offer.offered, Some(false));
    let stop = kit.browsers.offer(&order("w5", site.url("/refused"), limit)).await.expect_err("a refusal");
    assert_eq!((stop.outcome, stop.faults[0]), (Outcome::Fail, "chat-frame-refused"), "{stop:?}");
    let stop = kit.browsers.look(&order("w6", site.url("/shop"), limit)).await.expect_err("no session");
    assert_eq!((stop.outcome, stop.faults[0]), (Outcome::Unknown, "browser-session-gone"));
    let stop = kit.browsers.say(&order("w6", site.url("/shop"), limit), &line("w6", "x")).await.expect_err("no session");
    assert!(stop.no_effect && stop.faults[0] == "browser-session-gone");
    kit.until(|left| left.is_empty()).await;
}
