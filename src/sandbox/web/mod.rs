//! The desk's web side for customers: the contact page, the form that companies embed, and the company's own pages.

mod contact;
pub(crate) mod embedded;
pub(crate) mod intake;
pub(crate) mod page;
mod shop;
mod upload;
mod visits;
mod words;

use super::faults::Fault;
use super::world::World;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use std::sync::Arc;
use std::time::Duration;
use visits::Visits;
use words::Words;

/// What one submission may hold.
const BODY_LIMIT: usize = 32 * 1024 * 1024;
/// How long a token lives where it is as short-lived as a captcha's, at usual speed.
const CAPTCHA_LIFETIME: Duration = Duration::from_secs(2);

/// The web side of one desk.
#[derive(Debug)]
pub(crate) struct Web {
    pub(crate) words: Words,
    visits: Visits,
}

impl Web {
    pub(crate) fn new(seed: u64) -> Web {
        Web { words: Words::draw(seed), visits: Visits::default() }
    }
}

/// Pages and form.
pub(crate) fn router(world: Arc<World>) -> Router {
    let form = Router::new()
        .route("/form/config", get(embedded::config))
        .route("/form/submit", post(embedded::submit))
        .layer(axum::middleware::from_fn(page::cross_origin));
    Router::new()
        .route("/contact", get(contact::show).post(contact::submit))
        .route("/contact/thanks", get(contact::thanks))
        .route("/embed/form", get(embedded::frame))
        .route("/embed/form.js", get(embedded::script))
        .route("/shop/contact", get(shop::contact))
        .route("/shop/chat", get(shop::front))
        .merge(form)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(world)
}

/// How long a form's token lives; none: as long as it is remembered.
fn token_lifetime(world: &World) -> Option<Duration> {
    world.switches.on(Fault::FormCaptchaExpired).then(|| world.pace.scaled(CAPTCHA_LIFETIME))
}

/// Where the form is submitted: the desk's own path, or a host where nobody listens.
fn target(world: &World, path: &str) -> String {
    let base = world.places.get().map_or("", |p| p.web.as_str());
    // The sandbox listens on 127.0.0.1 alone, so this address refuses without a name server being asked.
    let base = if world.switches.on(Fault::FormMovedElsewhere) { base.replace("127.0.0.1", "127.0.0.2") } else { base.to_owned() };
    format!("{base}{path}")
}
