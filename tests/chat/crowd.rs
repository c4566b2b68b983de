//! Many chats at once: every line is heard, by one light task each.
//!
//! `cargo test --test chat crowd -- --nocapture` prints the memory of a chat; server and visitors share the process, so
//! it is an upper bound.

use super::server::{Asked, Does, Server, json, text};
use super::world::{World, order, saying, settings};
use futures_util::StreamExt;
use replypath::engine::ways::{ChatOrder, Chats, Push};
use std::collections::HashSet;

/// As many as one core has to bear.
const CROWD: usize = 1000;

const DESK: &str = include_str!("crowd.toml");

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Resident memory in KiB (proc(5), statm).
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4
}

/// One core: everything runs on the thread of the test.
#[tokio::test]
async fn a_thousand_visitors_are_heard_at_once_without_a_thread_each() {
    for transport in ["sse", "json-events"] {
        crowd(transport).await;
    }
}

async fn crowd(transport: &str) {
    let server = Server::start(|asked: &Asked, number| {
        let frame = format!("{{\"id\":\"g\",\"text\":\"hello {number}\"}}");
        if asked.is("POST /begin") {
            json("{\"id\":\"c1\"}")
        } else if asked.is("GET /socket") {
            Does::Socket(text(frame.as_bytes()))
        } else {
            Does::Holds(format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {frame}\n\n").into_bytes())
        }
    })
    .await;
    let state = tempfile::tempdir().unwrap();
    let world = World::new(&settings(DESK, &[("url", &server.url), ("transport", transport)], "agents-key"), state.path());
    let (threads_before, memory) = (threads(), resident());
    let orders: Vec<ChatOrder> = (0..CROWD).map(|n| order(&format!("run{n}"))).collect();
    let begun: Vec<_> = orders.iter().map(|order| (order, saying(&order.run.0, "send"))).collect();
    // Some at a time, as visitors come; they all stay.
    let all = begun.iter().map(|(order, first)| world.chats.begin(order, first));
    let mut all = futures_util::stream::iter(all).buffer_unordered(50);
    while let Some(one) = all.next().await {
        one.unwrap();
    }
    let mut silent: HashSet<String> = orders.iter().map(|o| o.run.0.clone()).collect();
    silent.retain(|run| world.chats.heard(&replypath::model::RunId(run.clone())).is_none_or(|v| v.lines.len() != 1));
    while !silent.is_empty() {
        silent.remove(&world.moved().await.0);
    }
    let views: Vec<_> = orders.iter().filter_map(|o| world.chats.heard(&o.run)).collect();
    assert_eq!(views.len(), CROWD);
    assert!(views.iter().all(|v| v.lines.len() == 1 && v.lines[0].pushed.is_some() && matches!(v.push, Push::Open(_))));
    // A resolver's helper may come; nothing grows with the visitors.
    assert!(threads() <= threads_before + 8, "{} threads, {threads_before} before", threads());
    println!("{transport}: {} KiB for each chat, its server's side included", resident().saturating_sub(memory) / CROWD);
}
