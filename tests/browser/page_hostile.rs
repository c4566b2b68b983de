//! A stranger's mail on the page, in a real browser.

use crate::chrome::Chrome;
use crate::kit::here;
use crate::page::VIEWS;
use crate::page_site::Site;
use crate::runs::{MARKUP, SCRIPT};
use rustix::process::Signal;
use serde_json::json;

/// What a page has that it does not have by itself.
const STRANGE: &str = "
    const own = e => (e.tagName === 'SCRIPT' && /\\/assets\\/live\\.js/.test(e.src)) || (e.tagName === 'IMG' && e.className === 'picture');
    const forbidden = /^(SCRIPT|IMG|IFRAME|OBJECT|EMBED|STYLE|VIDEO|AUDIO|BASE)$/;
    const acts = e => [...e.attributes].some(a => /^on|^style$/.test(a.name) || /^\\s*javascript:/i.test(a.value));
    return [...document.querySelectorAll('*')].filter(e => (forbidden.test(e.tagName) && !own(e)) || acts(e)).map(e => e.outerHTML);";

/// Nothing of a stranger is on the page but text. A dialog would make every command fail.
async fn assert_only_text(chrome: &Chrome, path: &str) {
    assert_eq!(chrome.script(STRANGE, vec![]).await, json!([]), "{path}");
    assert_eq!(chrome.console().await, [] as [String; 0], "{path}: something was refused or failed");
}

#[tokio::test]
async fn a_strangers_script_and_markup_are_text_on_every_page() {
    if !here() {
        return;
    }
    let site = Site::new(None);
    site.struck().await;
    let (daemon, chrome) = (site.serve(0), Chrome::start().await);
    daemon.sign_in(&chrome).await;
    // What was said while signing in.
    chrome.console().await;
    let views = VIEWS.map(|view| format!("/runs/rhostile?view={view}"));
    for path in
        ["/".to_owned(), "/probes/billing".to_owned(), "/?q=%22%3E%3Cscript%3Ealert(3)%3C/script%3E".to_owned()].into_iter().chain(views)
    {
        chrome.go(&daemon.url(&path)).await;
        assert_only_text(&chrome, &path).await;
    }

    chrome.go(&daemon.url("/runs/rhostile?view=answer")).await;
    let evil = format!("{SCRIPT}{MARKUP}");
    let cells = "[...document.querySelectorAll('#evidence tr, #evidence dd, #evidence pre')].map(e => e.innerText)";
    let shown = chrome.value(cells).await;
    let shown: Vec<&str> = shown.as_array().expect("texts").iter().filter_map(|t| t.as_str()).collect();
    // The values of headers may be broken over lines, never changed.
    let parts = [
        ("subject", format!("Subject\t{evil}")),
        ("sender", format!("From\t{evil} <{evil}@strangers.test>")),
        ("a header's name", format!("X-{evil}\t{evil}")),
        ("attachment", format!("{evil}.pdf")),
        ("body", format!("{evil}\nsecond line")),
    ];
    for (part, text) in parts {
        assert!(shown.iter().any(|cell| cell.contains(&text)), "{part} is not shown as it is: {shown:#?}");
    }

    // The page's script takes over what the server makes anew.
    daemon.signal(Signal::HUP);
    chrome.until("document.getElementById('main').dataset.seen !== undefined").await;
    assert_only_text(&chrome, "taken over by the script").await;

    // The test sees what it looks for.
    chrome.script("document.getElementById('main').insertAdjacentHTML('beforeend', arguments[0])", vec![json!(evil)]).await;
    assert_ne!(chrome.script(STRANGE, vec![]).await, json!([]));
}
