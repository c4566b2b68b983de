//! The page as a reader meets it: with and without its script, by keyboard alone, on a telephone.

use crate::chrome::Chrome;
use crate::kit::here;
use crate::page_site::Site;
use serde_json::{Value, json};
use thirtyfour::Key;

/// The views of a run's evidence.
pub const VIEWS: [&str; 8] = ["checks", "sent", "ticket", "answer", "hops", "differences", "compare", "log"];

/// What a reader finds on a page: its texts, without the ages that grow while one looks, and where its links and forms lead.
const FOUND: &str = "
    const main = document.getElementById('main');
    const plain = text => text.replace(/\\d+/g, '#').replace(/#(\\.#)?s|#m#|#h#m|# min/g, 'AGO');
    const rows = [...main.querySelectorAll('tr')].map(row => plain(row.innerText));
    const links = [...document.querySelectorAll('a')].map(a => a.getAttribute('href'));
    const forms = [...document.forms].map(form => form.getAttribute('action') + ' ' + form.method);
    return { sentence: plain(document.querySelector('h1').innerText), text: plain(main.innerText), rows, links, forms };";

async fn found(chrome: &Chrome, url: &str) -> Value {
    chrome.go(url).await;
    chrome.script(FOUND, vec![]).await
}

#[tokio::test]
async fn without_a_script_nothing_is_missing() {
    if !here() {
        return;
    }
    let site = Site::new(None);
    site.broken().await;
    let (daemon, chrome) = (site.serve(0), Chrome::start().await);
    daemon.sign_in(&chrome).await;
    for path in ["/", "/probes/billing", "/runs/rbilling3?view=answer"] {
        let with = found(&chrome, &daemon.url(path)).await;
        chrome.until("document.getElementById('live').innerText === 'Live'").await;
        chrome.scripts(false).await;
        let without = found(&chrome, &daemon.url(path)).await;
        assert!(chrome.text("document.getElementById('live').innerText").await.starts_with("As of "), "its script did not run");
        chrome.scripts(true).await;
        assert_eq!(with, without, "{path}");
        assert!(with["links"].as_array().is_some_and(|l| l.len() > 5) && with["forms"].as_array().is_some_and(|f| !f.is_empty()), "{with}");
    }
    // Filters are a form and addresses: they work without a script too.
    chrome.scripts(false).await;
    chrome.go(&daemon.url("/")).await;
    chrome
        .script("document.querySelector('select[name=show]').value = 'broken'; document.querySelector('.filters').submit()", vec![])
        .await;
    chrome.until("location.search.includes('show=broken')").await;
    let rows = chrome.value("[...document.querySelectorAll('.grid th.probe a')].map(a => a.innerText)").await;
    assert_eq!(rows, json!(["billing", "sales"]));
}

/// What has the focus: its text, its address, and whether a reader sees it.
const FOCUS: &str = "
    const it = document.activeElement, box = it.getBoundingClientRect();
    const seen = box.width > 0 && box.height > 0 && box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight;
    const outline = getComputedStyle(it).outlineStyle;
    return { text: it.innerText || it.value || it.name, at: it.getAttribute('href') || '', seen: seen && outline !== 'none' };";

/// Presses Tab until something is in focus whose text or address holds `wanted`. Everything on the way must be seen.
async fn tab_to(chrome: &Chrome, wanted: &str) {
    let mut passed = Vec::new();
    for _ in 0..80 {
        chrome.press(Key::Tab).await;
        let focus = chrome.script(FOCUS, vec![]).await;
        assert_eq!(focus["seen"], json!(true), "a reader does not see where the focus is: {focus}");
        if focus.to_string().contains(wanted) {
            return;
        }
        passed.push(focus["text"].to_string());
    }
    panic!("`{wanted}` is not reached; on the way are {passed:?}");
}

#[tokio::test]
async fn the_keyboard_alone_reaches_the_evidence_and_a_telephone_shows_it_all() {
    if !here() {
        return;
    }
    let site = Site::new(None);
    site.struck().await;
    let (daemon, chrome) = (site.serve(0), Chrome::start().await);
    daemon.sign_in(&chrome).await;

    chrome.go(&daemon.url("/")).await;
    tab_to(&chrome, "Skip to the content").await;
    chrome.press(Key::Enter).await;
    chrome.until("document.activeElement.id === 'main'").await;
    tab_to(&chrome, "newest run").await;
    chrome.press(Key::Enter).await;
    chrome.until("location.pathname === '/runs/rhostile' && document.querySelector('.tabs') !== null").await;
    tab_to(&chrome, "view=answer").await;
    chrome.press(Key::Enter).await;
    chrome.until("location.search === '?view=answer' && document.querySelector('#evidence h2').innerText === 'Answers'").await;
    // What the keyboard opened is at hand, not somewhere below.
    chrome.until("document.getElementById('evidence').getBoundingClientRect().top < innerHeight").await;

    chrome.look(360, "light").await;
    let views = VIEWS.map(|view| format!("/runs/rhostile?view={view}"));
    for path in ["/", "/probes/billing", "/runs/rbilling3?view=answer", "/login"].into_iter().map(str::to_owned).chain(views) {
        chrome.go(&daemon.url(&path)).await;
        let wide = chrome.value("[innerWidth, document.scrollingElement.scrollWidth]").await;
        assert_eq!(wide, json!([360, 360]), "{path} scrolls sideways");
    }
}
