//! The chat of the definition `matrix` against a Synapse, both directions.
//!
//! `SYNAPSE_URL=http://127.0.0.1:8008 SYNAPSE_USER=support SYNAPSE_PASSWORD=… cargo test --test chat matrix -- --ignored`

use super::world::{World, key, line, order, saying};
use replypath::config::ParamValue;
use replypath::desk::{DeskSet, built_in};
use replypath::engine::ports::{Desks, Needle};
use replypath::engine::ways::{ChatOrder, Chats, Push};
use replypath::model::{ReplyContent, Speaker, TicketStatus, View};
use secrecy::SecretString;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Matrix homeserver that lets visitors register"]
async fn a_room_is_a_conversation_in_both_directions() {
    let word = |name: &str| std::env::var(name).unwrap();
    let text = built_in().iter().find(|(id, _)| *id == "matrix").unwrap().1;
    let mut settings = super::world::settings(text, &[("url", &word("SYNAPSE_URL")), ("user", &word("SYNAPSE_USER"))], "unused");
    let params = &mut settings.get_mut("desk").unwrap().params;
    params.remove("key");
    params.insert("password".to_owned(), ParamValue::Secret(SecretString::from(word("SYNAPSE_PASSWORD"))));
    let state = tempfile::tempdir().unwrap();
    let (world, desks) = (World::new(&settings, state.path()), DeskSet::new(&settings).unwrap());
    let desk = desks.desk("desk").unwrap();
    println!("{:?}", desk.health().await.unwrap());
    let run = format!("run{}", std::process::id());
    let mut order: ChatOrder = order(&run);
    assert_eq!(world.chats.offer(&order).await.unwrap().offered, None);
    assert_eq!(desk.agents_available().await.unwrap(), None);
    let begun = world.chats.begin(&order, &saying(&run, "send")).await.unwrap();
    (order.conversation, order.sealed) = (begun.conversation.clone(), begun.sealed);
    let needle = Needle {
        token: key().token(&run, "send"),
        subject: String::new(),
        address: order.customer.address.clone(),
        since: order.since,
        conversation: order.conversation.clone(),
        number: None,
    };
    let found = desk.find(&needle, View::Normal).await.unwrap();
    let ticket = desk.read(&found[0].reference).await.unwrap().unwrap();
    assert_eq!((ticket.requester.clone(), ticket.status), (begun.visitor, Some(TicketStatus::Open)));
    assert!(desk.messages(&ticket).await.unwrap()[0].text.contains(needle.token.as_str()));

    let answer = key().token(&run, "reply");
    desk.reply(&ticket, &ReplyContent { text: format!("It left us today. {answer}"), html: None, attachments: Vec::new() }).await.unwrap();
    let view = world.heard(&order, "the answer", |v| line(v, &answer).is_some_and(|l| l.pushed.is_some())).await;
    assert_eq!(line(&view, &answer).unwrap().speaker, Some(Speaker::Agent));
    let seen = world.chats.look(&order).await.unwrap();
    assert!(line(&seen, &answer).unwrap().stored.is_some() && matches!(seen.push, Push::Open(_)), "{seen:?}");
    assert_eq!(seen.lines.len(), 2);
    world.chats.say(&order, &saying(&run, "follow_up")).await.unwrap();
    assert_eq!(desk.messages(&ticket).await.unwrap().len(), 3);
    assert_eq!(world.chats.reload(&order).await.unwrap().conversation, order.conversation);
    world.chats.leave(&order).await.unwrap();
    desk.close(&ticket).await.unwrap();
}
