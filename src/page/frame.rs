//! What every page has around its content.

use super::guard::Viewer;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

/// How a page reaches the others: by relative addresses, so that it works below any path of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base(&'static str);

impl Base {
    /// Of `/`.
    pub const ROOT: Base = Base("./");
    /// Of `/runs/ID` and whatever lies as deep.
    pub const ONE: Base = Base("../");
    /// Of `/probes/NAME/last-good` and whatever lies as deep.
    pub const TWO: Base = Base("../../");

    /// The address of `path`, which begins without a slash.
    pub fn to(self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The address of a run's page.
    pub fn run(self, id: &str) -> String {
        self.to(&format!("runs/{id}"))
    }

    /// The address of a probe's page.
    pub fn probe(self, name: &str) -> String {
        self.to(&format!("probes/{name}"))
    }
}

/// What a page is made with.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Who looks.
    pub viewer: Viewer,
    /// The name by which they signed in.
    pub user: Option<&'a str>,
    /// How other pages are reached.
    pub base: Base,
    /// The moment that the page tells of.
    pub now: Timestamp,
    /// Proof for forms that they come from this page; empty where nothing can be started.
    pub csrf: &'a str,
    /// Everybody who reaches the address reads it.
    pub open: bool,
    /// The last event that the page may know of; empty where nothing changes.
    pub told: &'a str,
}

/// The whole document. `state` chooses the icon: `ok`, `broken`, `unknown`. What may change lies in `main`.
pub fn page(view: View<'_>, title: &str, state: &str, main: &Markup) -> Markup {
    let asset = |name: &str| view.base.to(&format!("assets/{name}?v={}", super::assets::version()));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" id="icon" href=(asset(&format!("{state}.svg"))) type="image/svg+xml";
                link rel="stylesheet" href=(asset("page.css"));
                noscript { meta http-equiv="refresh" content="30"; }
                script defer src=(asset("live.js")) {}
            }
            body data-events=(view.base.to("events")) data-told=(view.told) {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.brand href=(view.base.to("")) { "replypath" }
                    p #live role="status" data-at=(view.now.to_string()) { "As of " (moment(view.now)) " UTC" }
                    (who(view))
                }
                main #main tabindex="-1" { (main) }
                footer { (foot(view)) }
            }
        }
    }
}

fn who(view: View<'_>) -> Markup {
    html! {
        @match view.viewer {
            Viewer::Operator => form.inline method="post" action=(view.base.to("logout")) {
                input type="hidden" name="csrf" value=(view.csrf);
                button.quiet { "Sign out" @if let Some(user) = view.user { " " (user) } }
            },
            Viewer::Public => a.quiet href=(view.base.to("login")) { "Sign in" },
            Viewer::Local => span.quiet { "local" },
        }
    }
}

fn foot(view: View<'_>) -> Markup {
    html! {
        @if view.open && view.viewer == Viewer::Public {
            p { "Open for reading to everybody who reaches this address. Evidence is shown only to operators." }
        }
        p {
            "Times are UTC. "
            a href=(view.base.to("status.txt")) { "status.txt" } " · "
            a href=(view.base.to("api/v1/status")) { "API" } " · "
            a href=(view.base.to("api/v1/openapi.json")) { "its description" } " · "
            a href=(view.base.to("metrics")) { "metrics" }
            " · replypath " (env!("CARGO_PKG_VERSION"))
        }
    }
}

/// A moment with its machine-readable form.
pub fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()) { (at.strftime("%Y-%m-%d %H:%M:%S").to_string()) } }
}
