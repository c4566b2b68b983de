//! Visitor and agent against the sandbox, over every transport: the same journey, and each fault under its own name.

use super::world::{World, attachment, key, line, order, saying, settings};
use replypath::desk::{DeskSet, built_in};
use replypath::engine::ports::{Desk, Desks, Needle};
use replypath::engine::ways::{ChatOrder, Chats, Push};
use replypath::model::{Capability, Outcome, ReplyContent, Speaker, Ticket, View};
use replypath::sandbox::{Options, Sandbox, start};
use std::sync::Arc;
use tempfile::TempDir;

const TRANSPORTS: [&str; 5] = ["http", "long-poll", "sse", "json-events", "actioncable"];

struct Stage {
    sandbox: Sandbox,
    world: World,
    desk: Arc<dyn Desk>,
    state: TempDir,
    transport: &'static str,
}

impl Stage {
    async fn new(transport: &'static str, faults: &[&str]) -> Stage {
        Stage::with(transport, Options { faults: faults.iter().map(|f| (*f).to_owned()).collect(), speed: 20.0, ..Options::default() })
            .await
    }

    async fn with(transport: &'static str, options: Options) -> Stage {
        let sandbox = start(options).await.unwrap();
        let (state, settings) = (tempfile::tempdir().unwrap(), of(&sandbox, transport));
        let desk = DeskSet::new(&settings).unwrap().desk("desk").unwrap();
        Stage { world: World::new(&settings, state.path()), desk, state, transport, sandbox }
    }

    /// What another process of this installation has: the same store, nothing in memory.
    fn restarted(&mut self) {
        self.world = World::new(&of(&self.sandbox, self.transport), self.state.path());
    }

    async fn ticket(&self, order: &ChatOrder, run: &str, leg: &str) -> Ticket {
        let needle = Needle {
            token: key().token(run, leg),
            subject: String::new(),
            address: order.customer.address.clone(),
            since: order.since,
            conversation: order.conversation.clone(),
            number: None,
        };
        let found = self.desk.find(&needle, View::Normal).await.unwrap();
        self.desk.read(&found.first().expect("a ticket").reference).await.unwrap().unwrap()
    }

    async fn answer(&self, ticket: &Ticket, run: &str, leg: &str, files: &[(&str, &[u8])]) {
        let content = ReplyContent {
            text: format!("It is on its way. {}", key().token(run, leg)),
            html: None,
            attachments: files.iter().map(|(name, bytes)| attachment(name, bytes)).collect(),
        };
        self.desk.reply(ticket, &content).await.unwrap();
    }
}

fn of(sandbox: &Sandbox, transport: &str) -> std::collections::BTreeMap<String, replypath::config::DeskSettings> {
    let text = built_in().iter().find(|(id, _)| *id == "sandbox").unwrap().1;
    settings(text, &[("url", &sandbox.web), ("chat_transport", transport)], &sandbox.api_key)
}

/// Runs a journey over every transport, side by side.
async fn everywhere<F: Future<Output = ()> + Send + 'static>(journey: fn(&'static str) -> F) {
    let all: Vec<_> = TRANSPORTS.map(|t| (t, tokio::spawn(journey(t)))).into_iter().collect();
    for (transport, one) in all {
        one.await.unwrap_or_else(|e| panic!("{transport}: {e}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_see_every_line_and_file_over_every_transport() {
    everywhere(whole_journey).await;
}

async fn whole_journey(transport: &'static str) {
    let mut stage = Stage::new(transport, &[]).await;
    assert!(stage.desk.capabilities().contains(&Capability::Presence) && stage.desk.capabilities().contains(&Capability::Chat));
    assert_eq!(stage.desk.agents_available().await.unwrap(), Some(true));
    let mut order = order("run1");
    assert_eq!(stage.world.chats.offer(&order).await.unwrap().offered, Some(true));

    let mut first = saying("run1", "send");
    first.attachments.push(attachment("parcel.txt", b"parcel 4711"));
    let begun = stage.world.chats.begin(&order, &first).await.unwrap();
    order.conversation = begun.conversation.clone();
    order.sealed = begun.sealed.clone();
    let visitor = begun.visitor.expect("a visitor");
    assert!(order.conversation.is_some() && !order.sealed.as_ref().unwrap().contains(&visitor));
    let ticket = stage.ticket(&order, "run1", "send").await;
    assert_eq!(ticket.fields.get("conversation"), order.conversation.as_ref());
    let messages = stage.desk.messages(&ticket).await.unwrap();
    assert_eq!(messages[0].files[0].sha256, first.attachments[0].expected().sha256, "{transport}");

    stage.answer(&ticket, "run1", "reply", &[("label.txt", b"label 42")]).await;
    let token = key().token("run1", "reply");
    let pushes = transport != "http";
    let view = stage
        .world
        .heard(&order, "the answer", |v| line(v, &token).is_some_and(|l| if pushes { l.pushed.is_some() } else { l.stored.is_some() }))
        .await;
    assert!(view.lines.iter().all(|l| pushes || l.pushed.is_none()), "{transport}: nothing can be pushed by polling");
    let seen = stage.world.chats.look(&order).await.unwrap();
    let answer = line(&seen, &token).unwrap();
    assert_eq!((answer.speaker, answer.stored.is_some()), (Some(Speaker::Agent), true), "{transport}");
    assert_eq!(seen.lines.iter().filter(|l| l.text == answer.text).count(), 1, "{transport}: one line, however it is seen");
    assert_eq!(matches!(seen.push, Push::Open(_)), pushes, "{transport}: {:?}", seen.push);
    let file = stage.world.chats.file(&order, answer, "label.txt").await.unwrap();
    assert_eq!(file.sha256, attachment("label.txt", b"label 42").expected().sha256);
    let own = line(&seen, &first.token).unwrap();
    assert_eq!(own.speaker, Some(Speaker::Visitor));
    assert!(own.shown.is_some() && matches!(seen.agents, Push::Open(_)), "{transport}: agents are told of who waits: {own:?}");

    // Another process goes on with what was stored.
    stage.restarted();
    assert!(stage.world.chats.heard(&order.run).is_none());
    stage.world.chats.say(&order, &saying("run1", "follow_up")).await.unwrap();
    assert_eq!(stage.ticket(&order, "run1", "follow_up").await.reference, ticket.reference);
    let reloaded = stage.world.chats.reload(&order).await.unwrap();
    assert_eq!((reloaded.conversation, reloaded.visitor), (order.conversation.clone(), Some(visitor)), "{transport}");
    stage.answer(&ticket, "run1", "late", &[]).await;
    let late = key().token("run1", "late");
    stage.world.heard(&order, "the second answer", |v| line(v, &late).is_some_and(|l| l.pushed.is_some() || !pushes)).await;

    stage.world.chats.leave(&order).await.unwrap();
    assert!(stage.world.chats.heard(&order.run).is_none(), "{transport}: nobody listens any more");
    let closed = stage.desk.read(&ticket.reference).await.unwrap().unwrap();
    assert_eq!(closed.status_text.as_deref(), Some("closed"), "{transport}");
    stage.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_and_never_pushed_is_seen_as_that() {
    everywhere(never_pushed).await;
}

async fn never_pushed(transport: &'static str) {
    let stage = Stage::new(transport, &["chat-connected-no-fanout"]).await;
    let mut order = order("run2");
    let begun = match stage.world.chats.begin(&order, &saying("run2", "send")).await {
        // Its own echo is one of the events that do not come.
        Err(stop) if transport == "json-events" => return assert_eq!(stop.outcome, Outcome::Fail),
        begun => begun.unwrap(),
    };
    (order.conversation, order.sealed) = (begun.conversation, begun.sealed);
    let ticket = stage.ticket(&order, "run2", "send").await;
    stage.answer(&ticket, "run2", "reply", &[]).await;
    let view = stage.world.chats.look(&order).await.unwrap();
    let answer = line(&view, &key().token("run2", "reply")).expect("it is stored");
    assert!(answer.stored.is_some() && answer.pushed.is_none(), "{transport}: {answer:?}");
    match (transport, &view.push) {
        ("http", Push::None) => {}
        // Open since before the answer: its silence means something.
        (_, Push::Open(since)) => assert!(*since < answer.at.unwrap(), "{transport}"),
        (_, other) => panic!("{transport}: {other:?}"),
    }
}

#[tokio::test]
async fn whether_chat_is_offered_and_may_be_shown_is_seen_before_anything_is_said() {
    let stage = Stage::new("http", &["chat-not-offered"]).await;
    let offer = stage.world.chats.offer(&order("run3")).await.unwrap();
    assert_eq!((offer.offered, stage.desk.agents_available().await.unwrap()), (Some(false), Some(false)));
    let refused = stage.world.chats.begin(&order("run3"), &saying("run3", "send")).await.unwrap_err();
    assert_eq!((refused.outcome, refused.faults[0], refused.no_effect), (Outcome::Fail, "chat-not-offered", true), "{refused}");
    stage.world.chats.leave_message(&order("run3"), &saying("run3", "send")).await.unwrap();
    assert_eq!(stage.ticket(&order("run3"), "run3", "send").await.requester.as_deref(), Some("alice@customers.test"));

    let stage = Stage::new("http", &["chat-frame-refused"]).await;
    let refused = stage.world.chats.offer(&order("run4")).await.unwrap_err();
    assert_eq!((refused.outcome, refused.faults[0]), (Outcome::Fail, "chat-frame-refused"), "{refused}");
    assert!(refused.found.contains("http://shop.test"), "{refused}");

    let stage = Stage::new("http", &["chat-offered-with-no-agent"]).await;
    let offer = stage.world.chats.offer(&order("run5")).await.unwrap();
    assert_eq!((offer.offered, stage.desk.agents_available().await.unwrap()), (Some(true), Some(false)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desk_that_takes_no_more_conversations_leaves_the_run_unknown() {
    for transport in ["http", "json-events"] {
        let stage = Stage::new(transport, &["chat-throttled"]).await;
        let stop = stage.world.chats.begin(&order("run6"), &saying("run6", "send")).await.unwrap_err();
        assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (Outcome::Unknown, "chat-throttled", true), "{transport}: {stop}");
        assert!(stage.sandbox.tickets().is_empty());
    }
}

#[tokio::test]
async fn a_kept_visitor_comes_back_as_himself_and_meets_what_only_such_visitors_meet() {
    let mut stage = Stage::new("http", &[]).await;
    let mut before = order("run7");
    let begun = stage.world.chats.begin(&before, &saying("run7", "send")).await.unwrap();
    (before.conversation, before.sealed) = (begun.conversation.clone(), begun.sealed.clone());
    stage.world.chats.leave(&before).await.unwrap();
    stage.restarted();
    let kept = ChatOrder { sealed: begun.sealed.clone(), ..order("run8") };
    let again = stage.world.chats.begin(&kept, &saying("run8", "send")).await.unwrap();
    assert_eq!(again.visitor, begun.visitor);
    assert!(again.conversation.is_some() && again.conversation != begun.conversation);
    let after = ChatOrder { conversation: again.conversation, sealed: again.sealed.clone(), ..kept };
    stage.world.chats.leave(&after).await.unwrap();

    stage.sandbox.set_fault("chat-prechat-dead-end", true).unwrap();
    let third = ChatOrder { sealed: again.sealed, ..order("run9") };
    let stop = stage.world.chats.begin(&third, &saying("run9", "send")).await.unwrap_err();
    assert_eq!((stop.outcome, stop.faults[0]), (Outcome::Fail, "chat-prechat-dead-end"), "{stop}");
    stage.world.chats.begin(&order("run10"), &saying("run10", "send")).await.expect("a new visitor gets through");
}

#[tokio::test]
async fn a_reload_that_finds_nothing_and_a_file_that_is_not_there_are_told_as_that() {
    let stage = Stage::new("sse", &["chat-history-lost-on-return"]).await;
    let mut order = order("run11");
    let begun = stage.world.chats.begin(&order, &saying("run11", "send")).await.unwrap();
    (order.conversation, order.sealed) = (begun.conversation, begun.sealed);
    assert_eq!(stage.world.chats.reload(&order).await.unwrap().conversation, None);

    stage.sandbox.set_fault("chat-attachment-not-transferred", true).unwrap();
    let ticket = stage.ticket(&order, "run11", "send").await;
    stage.answer(&ticket, "run11", "reply", &[("label.txt", b"label 42")]).await;
    let view = stage.world.chats.look(&order).await.unwrap();
    let answer = line(&view, &key().token("run11", "reply")).unwrap();
    let file = stage.world.chats.file(&order, answer, "label.txt").await.unwrap();
    assert_eq!((file.size, file.sha256), (None, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_accepts_and_says_nothing_has_a_name() {
    let stage = Stage::new("json-events", &["chat-socket-silent"]).await;
    let stop = stage.world.chats.begin(&order("run12"), &saying("run12", "send")).await.unwrap_err();
    assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (Outcome::Fail, "chat-socket-silent", true), "{stop}");

    // The line travels by another way; the socket that should bring the answer is silent.
    let stage = Stage::new("actioncable", &["chat-socket-silent"]).await;
    let mut order = order("run13");
    let begun = stage.world.chats.begin(&order, &saying("run13", "send")).await.unwrap();
    (order.conversation, order.sealed) = (begun.conversation, begun.sealed);
    let view = stage.world.heard(&order, "the silence", |v| matches!(&v.push, Push::Broken(why) if why.contains("says nothing"))).await;
    assert_eq!(view.seen.facts["push_fault"], "chat-socket-silent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_are_dropped_again_and_again_lose_no_line() {
    let all = ["sse", "json-events", "actioncable"].map(|t| tokio::spawn(dropped(t)));
    for one in all {
        one.await.unwrap();
    }
}

async fn dropped(transport: &'static str) {
    let stage = Stage::new(transport, &["chat-socket-drops"]).await;
    let mut order = order("run14");
    let begun = stage.world.chats.begin(&order, &saying("run14", "send")).await.unwrap();
    (order.conversation, order.sealed) = (begun.conversation, begun.sealed);
    let ticket = stage.ticket(&order, "run14", "send").await;
    stage.world.heard(&order, "the break", |v| matches!(v.push, Push::Broken(_))).await;
    stage.answer(&ticket, "run14", "reply", &[]).await;
    let token = key().token("run14", "reply");
    let view =
        stage.world.heard(&order, "the line after the break", |v| line(v, &token).is_some() && matches!(v.push, Push::Open(_))).await;
    let answer = line(&view, &token).unwrap();
    // Whichever way it came: nothing is concluded from its not being pushed.
    let Push::Open(since) = view.push else { panic!("{transport}: it is open again") };
    assert!(answer.pushed.is_some() || since >= answer.at.unwrap(), "{transport}: {answer:?}, open since {since}");
}
