//! What axe-core, which knows the rules for readers with handicaps, says of the pages.

use crate::chrome::Chrome;
use crate::kit::here;
use crate::page::{VIEWS, pictures};
use crate::page_site::Site;

/// Names the file of axe-core, which is no part of this repository: `npm install axe-core` brings node_modules/axe-core/axe.min.js.
const AXE: &str = "REPLYPATH_AXE";

/// Runs all rules that are on by default; keeps rule, place and reason of what is broken.
const RUN: &str = "
    const done = arguments[arguments.length - 1];
    axe.run(document, { resultTypes: ['violations'] }).then(
      found => done({ rules: found.passes.length, broken: found.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.target}: ${n.failureSummary}`)) }),
      error => done(String(error)));";

/// What is broken on the page in hand, in both colour schemes.
async fn broken(chrome: &Chrome, axe: &str, page: &str) -> Vec<String> {
    chrome.script(axe, vec![]).await;
    let mut all = Vec::new();
    for scheme in ["light", "dark"] {
        chrome.look(1280, scheme).await;
        let found = chrome.later(RUN, vec![]).await;
        assert!(found["rules"].as_u64().is_some_and(|n| n > 10), "it did not look: {found}");
        let broken = found["broken"].as_array().into_iter().flatten();
        all.extend(broken.map(|rule| format!("{page}, {scheme}: {}", rule.as_str().unwrap_or_default())));
    }
    all
}

#[tokio::test]
async fn axe_finds_nothing_in_either_colour_scheme() {
    if !here() {
        return;
    }
    let Some(axe) = std::env::var_os(AXE) else {
        println!("skipped: {AXE} names no file of axe-core");
        return;
    };
    let axe = std::fs::read_to_string(&axe).unwrap_or_else(|e| panic!("{}: {e}", axe.display()));
    let chrome = Chrome::start().await;
    let mut wrong = Vec::new();

    let (well, broke) = (Site::new(None), Site::new(None));
    well.well().await;
    broke.broken().await;
    let daemon = well.serve(0);
    daemon.sign_in(&chrome).await;
    let pages = [("overview", "/"), ("probe", "/probes/billing"), ("run", "/runs/rbilling15")];
    for (_, path) in pages {
        chrome.go(&daemon.url(path)).await;
        wrong.extend(broken(&chrome, &axe, &format!("well, {}", path)).await);
    }
    pictures(&chrome, &daemon, "well", &pages).await;

    let daemon = broke.serve(0);
    // What the public sees.
    for path in ["/", "/runs/rbilling3", "/login", "/runs/none"] {
        chrome.go(&daemon.url(path)).await;
        wrong.extend(broken(&chrome, &axe, &format!("public, {}", path)).await);
    }
    daemon.sign_in(&chrome).await;
    let views = VIEWS.map(|view| format!("/runs/rbilling3?view={view}"));
    let places = ["/", "/probes/billing", "/probes/sales"].into_iter().map(str::to_owned).chain(views);
    for path in places {
        chrome.go(&daemon.url(&path)).await;
        wrong.extend(broken(&chrome, &axe, &format!("broken state, {}", path)).await);
    }
    let shown = [("overview", "/"), ("probe", "/probes/billing"), ("run", "/runs/rbilling3"), ("answer", "/runs/rbilling3?view=answer")];
    pictures(&chrome, &daemon, "broken", &shown).await;

    chrome.go(&daemon.url("/")).await;
    chrome.until("document.getElementById('live').innerText === 'Live'").await;
    drop(daemon);
    chrome.until("document.body.classList.contains('stale')").await;
    wrong.extend(broken(&chrome, &axe, "not live").await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // The test sees what it looks for.
    chrome.script("document.querySelector('h1').insertAdjacentHTML('afterend', '<img src=\"assets/ok.svg\"><input>')", vec![]).await;
    assert!(broken(&chrome, &axe, "spoilt").await.len() >= 4);
}
