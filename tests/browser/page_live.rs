//! What happens on a page that stays open: a run ends, the daemon dies and comes back.

use crate::chrome::Chrome;
use crate::kit::here;
use crate::page_site::{Daemon, Site};
use axum::http::StatusCode;
use jiff::Timestamp;
use replypath::sandbox::{Options, start};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Notify;

/// Writes down each heading with the time at which it stood there. Signs of life are kept from the page, which also looks at the
/// server after some of them: what changes is told by the stream.
const WATCH: &str = "
    const listen = EventSource.prototype.addEventListener;
    EventSource.prototype.addEventListener = function (kind, then) { if (kind !== 'beat') listen.call(this, kind, then); };
    window.told = [];
    addEventListener('DOMContentLoaded', () => {
      const note = () => {
        const heading = document.querySelector('h1').innerText;
        if (told.length === 0 || told.at(-1)[0] !== heading) told.push([heading, Date.now()]);
      };
      note();
      new MutationObserver(note).observe(document.body, { childList: true, subtree: true, characterData: true });
    });";

const LIVE: &str = "document.getElementById('live').innerText === 'Live'";

/// The fault that keeps tickets from coming into being.
const HELD: &str = "desk-worker-down";

/// Answers everything in the daemon's place, as a proxy does, until the page has asked for its stream.
async fn proxy_without_daemon(port: u16) {
    let asked = Arc::new(Notify::new());
    let heard = asked.clone();
    let refuse = move |uri: axum::http::Uri| async move {
        if uri.path() == "/events" {
            heard.notify_one();
        }
        (StatusCode::BAD_GATEWAY, [("connection", "close")], "no daemon\n")
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("the daemon's port");
    let server = tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(refuse)).await });
    asked.notified().await;
    server.abort();
    let _ = server.await;
}

/// Milliseconds from the end of the run until the page told its verdict.
async fn delay(chrome: &Chrome, daemon: &Daemon, verdict: &str) -> f64 {
    let run = chrome.text("location.pathname").await;
    let report = daemon.api(&format!("/api/v1{run}")).await;
    let began: Timestamp = report["started"].as_str().and_then(|at| at.parse().ok()).expect("a begin");
    let ended = began.as_microsecond() as f64 + report["duration_seconds"].as_f64().expect("an end") * 1e6;
    let told = chrome.value("window.told").await;
    let told = told.as_array().expect("headings").iter().find(|t| t[0] == json!(verdict)).unwrap_or_else(|| panic!("{told}"));
    told[1].as_f64().expect("a time") - (ended / 1e3).floor()
}

#[tokio::test]
async fn a_run_that_ends_appears_by_itself_and_a_cut_stream_is_told_until_it_is_back() {
    if !here() {
        return;
    }
    let sandbox = start(Options { faults: vec![HELD.to_owned()], ..Options::default() }).await.expect("a sandbox");
    let site = Site::new(Some(&sandbox));
    let daemon = site.serve(0);
    let port = daemon.port;
    let chrome = Chrome::start().await;
    daemon.sign_in(&chrome).await;
    chrome.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WATCH })).await;

    chrome.go(&daemon.url("/")).await;
    chrome.script("document.querySelector('button[aria-label=\"Run now: support\"]').click()", vec![]).await;
    chrome.until("location.pathname.startsWith('/runs/') && document.querySelector('h1').innerText === 'under way: support'").await;
    chrome.until(LIVE).await;
    // The verdict is known only after the page stands there and listens.
    sandbox.set_fault(HELD, false).expect("a fault");
    chrome.until("document.querySelector('h1').innerText === 'ok: support'").await;
    let told: Value = chrome.value("window.told.map(t => t[0])").await;
    assert_eq!(told, json!(["under way: support", "ok: support"]), "in one and the same document");
    println!("a verdict stands on the page {} ms after the end of its run", delay(&chrome, &daemon, "ok: support").await);

    drop(daemon);
    chrome.until("/^Not live since [0-9:]{8} UTC: what stands here may be old$/.test(document.getElementById('live').innerText)").await;
    chrome.until("document.title.startsWith('Not live: ') && document.body.classList.contains('stale')").await;
    assert_eq!(chrome.text("document.getElementById('live').getAttribute('role')").await, "status", "it is read aloud");
    let over_the_news = chrome.text("getComputedStyle(document.querySelector('.headline'), '::before').content").await;
    assert_eq!(over_the_news, "\"Not live. This was known last:\"", "nobody takes what stands there for the present state");
    proxy_without_daemon(port).await;
    let daemon = site.serve(port);
    chrome.until(&format!("{LIVE} && !document.title.startsWith('Not live') && !document.body.classList.contains('stale')")).await;
    assert_eq!(chrome.value("window.told[0][0]").await, json!("under way: support"), "in one and the same document");
    drop(daemon);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_told_until_it_speaks_again() {
    if !here() {
        return;
    }
    let site = Site::new(None);
    site.well().await;
    let daemon = site.serve(0);
    let chrome = Chrome::start().await;
    daemon.sign_in(&chrome).await;
    chrome.until(LIVE).await;
    daemon.signal(Signal::STOP);
    // The connection stands, so that nothing but time tells; the page's clock stands too, and jumps.
    let jump = |seconds: u32| format!("const at = Date.now() + {seconds}000; Date.now = () => at; window.rounds = 0;");
    chrome.script(&jump(10), vec![]).await;
    chrome.script("setInterval(() => rounds += 1, 1000)", vec![]).await;
    chrome.until("rounds > 1").await;
    assert_eq!(chrome.value(LIVE).await, json!(true), "one sign of life may be late");
    chrome.script(&jump(45), vec![]).await;
    chrome
        .until("document.getElementById('live').innerText.startsWith('Not live since ') && document.body.classList.contains('stale')")
        .await;
    daemon.signal(Signal::CONT);
    chrome.until(&format!("{LIVE} && !document.body.classList.contains('stale')")).await;
}
