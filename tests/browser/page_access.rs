//! What axe-core, which knows the rules for readers with handicaps, says of the pages.

use crate::chrome::Chrome;
use crate::kit::here;
use crate::page::VIEWS;
use crate::page_site::{Daemon, Site};
use serde_json::json;
use std::path::PathBuf;

/// Names the file of axe-core, which is no part of this repository: `npm install axe-core` brings node_modules/axe-core/axe.min.js.
const AXE: &str = "REPLYPATH_AXE";

const WHOLE: &str = "html";

/// Runs the rules in a part of the page; keeps rule, place and reason of what is broken.
const RUN: &str = "
    const [part, options, done] = arguments;
    axe.run(part, { ...options, resultTypes: ['violations'] }).then(
      found => done({
        rules: found.passes.length + found.inapplicable.length,
        broken: found.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.target}: ${n.failureSummary}`)),
      }),
      error => done(String(error)));";

/// A browser with axe-core, and what it found.
struct Reader {
    chrome: Chrome,
    axe: String,
    wrong: Vec<String>,
}

impl Reader {
    /// Opens a page and looks at all of it, or at a part.
    async fn read(&mut self, state: &str, daemon: &Daemon, path: &str, part: &str) {
        self.chrome.go(&daemon.url(path)).await;
        self.look(&format!("{state}, {path}"), part).await;
    }

    /// Looks at the page in hand by every rule that is on by default, then by those of colours in the other scheme and by those
    /// of places and sizes on a telephone: nothing else depends on them.
    async fn look(&mut self, page: &str, part: &str) {
        self.chrome.script(&self.axe, vec![]).await;
        let colours = json!({ "runOnly": { "type": "rule", "values": ["color-contrast", "link-in-text-block"] } });
        let places = json!({ "runOnly": { "type": "rule", "values": ["target-size", "scrollable-region-focusable", "color-contrast"] } });
        for (width, scheme, options, rules) in [(1280, "light", json!({}), 50), (1280, "dark", colours, 1), (360, "light", places, 1)] {
            self.chrome.look(width, scheme).await;
            let found = self.chrome.later(RUN, vec![json!(part), options]).await;
            assert!(found["rules"].as_u64().is_some_and(|n| n >= rules), "it did not look: {found}");
            let broken = found["broken"].as_array().into_iter().flatten().filter_map(|b| b.as_str());
            self.wrong.extend(broken.map(|b| format!("{page}, {scheme}, {width} wide: {b}")));
        }
        self.pictures(page).await;
    }

    /// Pictures to be looked at, in the folder that `REPLYPATH_PICTURES` names.
    async fn pictures(&self, page: &str) {
        let Some(folder) = std::env::var_os("REPLYPATH_PICTURES").map(PathBuf::from) else { return };
        let page = page.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        for (width, scheme) in [(1280, "light"), (1280, "dark"), (360, "light")] {
            self.chrome.look(width, scheme).await;
            self.chrome.picture(&folder.join(format!("{page}-{width}-{scheme}.png"))).await;
        }
    }
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
    let mut reader = Reader { chrome: Chrome::start().await, axe, wrong: Vec::new() };

    let site = Site::new(None);
    site.broken().await;
    let daemon = site.serve(0);
    for path in ["/", "/runs/rbilling3", "/login", "/runs/none"] {
        reader.read("public", &daemon, path, WHOLE).await;
    }
    daemon.sign_in(&reader.chrome).await;
    for path in ["/", "/probes/billing", "/runs/rbilling3"] {
        reader.read("broken", &daemon, path, WHOLE).await;
    }
    for view in VIEWS {
        reader.read("broken", &daemon, &format!("/runs/rbilling3?view={view}"), "#evidence").await;
    }
    drop(daemon);

    let site = Site::new(None);
    site.well().await;
    let daemon = site.serve(0);
    daemon.sign_in(&reader.chrome).await;
    for path in ["/runs/rbilling15", "/probes/billing", "/"] {
        reader.read("well", &daemon, path, WHOLE).await;
    }
    reader.chrome.until("document.getElementById('live').innerText === 'Live'").await;
    drop(daemon);
    reader.chrome.until("document.body.classList.contains('stale')").await;
    reader.look("dead, /", WHOLE).await;
    assert!(reader.wrong.is_empty(), "{}", reader.wrong.join("\n"));

    // The test sees what it looks for, also in what depends on the scheme and on the size.
    let spoil = "
        document.getElementById('main').insertAdjacentHTML('beforeend', '<input><p>All is well');
        document.querySelector('main > p:last-child').style.color = 'light-dark(#000, #222)';
        document.getElementById('main').insertAdjacentHTML('beforeend', '<button>a</button><button>b</button>');
        document.querySelectorAll('main > button').forEach(b => b.style.cssText = 'width: 8px; height: 8px; padding: 0; border: 0; margin: 0');";
    reader.chrome.script(spoil, vec![]).await;
    reader.look("spoilt", WHOLE).await;
    let found = reader.wrong.join("\n");
    for seen in ["light, 1280 wide: label: ", "dark, 1280 wide: color-contrast: ", "light, 360 wide: target-size: "] {
        assert!(found.contains(seen), "{seen} not in:\n{found}");
    }
}
