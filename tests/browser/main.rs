//! Forms and widgets in Chromium, against pages of our own, and the daemon's own pages. Without Chromium the tests say so and pass.
#![cfg(feature = "browser")]

mod chrome;
mod forms;
mod kit;
mod life;
mod page;
mod page_access;
mod page_hostile;
mod page_live;
mod page_site;
#[path = "../page/runs.rs"]
mod runs;
mod sandbox;
mod site;
mod widgets;
