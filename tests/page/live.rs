//! `/events`.

use crate::kit::{World, at, between};
use crate::runs::blank;
use futures_util::StreamExt;
use replypath::daemon::Watcher;
use replypath::engine::ports::RunEvent;
use replypath::model::{Trigger, Verdict};
use std::pin::Pin;
use std::time::Duration;

/// A reader of the stream.
struct Reader {
    bytes: Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<axum::body::Bytes>> + Send>>,
    text: String,
}

impl Reader {
    async fn new(world: &World, last: Option<&str>) -> Reader {
        let mut asked = world.client.get(world.url("/events"));
        if let Some(last) = last {
            asked = asked.header("last-event-id", last);
        }
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert_eq!(answer.headers()["x-accel-buffering"], "no");
        Reader { bytes: Box::pin(answer.bytes_stream()), text: String::new() }
    }

    /// The next event as (kind, id, data); none at the end of the stream.
    async fn next(&mut self) -> Option<(String, String, String)> {
        while !self.text.contains("\n\n") {
            let more = tokio::time::timeout(Duration::from_secs(60), self.bytes.next()).await.expect("an event in time")?;
            self.text.push_str(std::str::from_utf8(&more.unwrap()).unwrap());
        }
        let (event, rest) = self.text.split_once("\n\n").map(|(e, r)| (e.to_owned(), r.to_owned())).unwrap();
        self.text = rest;
        let field = |name: &str| event.lines().find_map(|l| l.strip_prefix(&format!("{name}: "))).unwrap_or_default().to_owned();
        Some((field("event"), field("id"), field("data")))
    }

    async fn kind(&mut self) -> String {
        self.next().await.expect("an event").0
    }
}

#[tokio::test]
async fn a_finished_run_is_told_at_once_and_silence_has_a_beat() {
    let world = World::new(&["billing"]).await;
    let mut reader = Reader::new(&world, None).await;
    assert_eq!((reader.kind().await.as_str(), reader.kind().await.as_str()), ("hello", "beat"));
    world.run("r1", "billing", Verdict::Fail, 0).await;
    let (kind, id, data) = reader.next().await.unwrap();
    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
    assert_eq!((kind.as_str(), &data["run"], &data["stage"], &data["verdict"]), ("run", &"r1".into(), &"return".into(), &"fail".into()));
    assert!(!data.to_string().contains("alice"), "no evidence");
    assert!(id.contains('-'));
    let control = blank("rcontrol", world.probe("billing"), Trigger::Control, at(0));
    world.pages.observe(&RunEvent::Started(Box::new(control)));
    // The reader may just be about to wait: the clock is moved until it has heard.
    let beat = tokio::select! {
        beat = reader.kind() => beat,
        () = async { loop { world.clock.advance(Duration::from_secs(16)); tokio::task::yield_now().await; } } => String::new(),
    };
    assert_eq!(beat, "beat", "and nothing of a control");
}

#[tokio::test]
async fn a_page_carries_the_last_event_that_it_may_know_of() {
    let world = World::new(&["billing"]).await;
    for verdict in [Verdict::Pass, Verdict::Fail] {
        let page = world.page("/").await;
        let told = between(&page, "data-told=\"", "\"");
        assert_eq!(Reader::new(&world, None).await.next().await.unwrap().1, told, "nothing happened since");
        world.run(&format!("r{verdict:?}"), "billing", verdict, 0).await;
        assert_ne!(Reader::new(&world, None).await.next().await.unwrap().1, told);
    }
}

#[tokio::test]
async fn who_was_away_gets_what_was_missed_or_is_told_to_read_again() {
    let world = World::new(&["billing"]).await;
    let mut reader = Reader::new(&world, None).await;
    reader.kind().await;
    reader.kind().await;
    world.run("r1", "billing", Verdict::Pass, 0).await;
    let (_, first, _) = reader.next().await.unwrap();
    drop(reader);
    for n in 2..=4 {
        world.run(&format!("r{n}"), "billing", Verdict::Pass, 60 * n).await;
    }
    let mut back = Reader::new(&world, Some(&first)).await;
    assert_eq!((back.kind().await.as_str(), back.kind().await.as_str()), ("hello", "beat"));
    for n in 2..=4 {
        assert!(back.next().await.unwrap().2.contains(&format!("\"r{n}\"")));
    }
    for stale in ["0-1", "nonsense", &format!("{}-99", first.split('-').next().unwrap())] {
        assert_eq!(Reader::new(&world, Some(stale)).await.kind().await, "reset", "{stale}");
    }
    for n in 0..600 {
        world.run(&format!("s{n}"), "billing", Verdict::Pass, 1_000 + n).await;
    }
    assert_eq!(Reader::new(&world, Some(&first)).await.kind().await, "reset", "that is no longer known");
}

#[tokio::test]
async fn streams_end_with_the_daemon_and_are_bounded() {
    let world = World::new(&["billing"]).await;
    let mut readers = Vec::new();
    for _ in 0..200 {
        readers.push(Reader::new(&world, None).await);
    }
    assert_eq!(world.get("/events").await.status(), 503);
    let mut last = readers.pop().unwrap();
    world.pages.close();
    last.kind().await;
    last.kind().await;
    assert_eq!(last.next().await, None, "the end");
}
