//! Which address is answered by what.

use super::act::NotStarted;
use super::api::{self, BriefReport, ListedRun, Problem, RunsReport, StartedReport};
use super::asked::{Asked, Fault, gone, html_page, json_answer, problem, see_other};
use super::badge::Badge;
use super::brief::Brief;
use super::filter::Filter;
use super::frame::Base;
use super::{Pages, assets, guard, openapi, overview, picture, probe, run, sign, text};
use crate::engine::ports::RunFilter;
use crate::incident::{self, report::IncidentsReport};
use crate::model::{RunId, RunReport, Verdict};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::Sse;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use jiff::Timestamp;
use maud::html;
use serde::Deserialize;
use std::sync::Arc;

const WEEK: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);
/// So many runs are listed at once.
pub const MOST_RUNS: usize = 200;

type Site = State<Arc<Pages>>;

/// All pages but `/metrics`, `/healthz` and `/readyz`.
pub fn router(pages: Arc<Pages>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/probes/{probe}", get(one_probe))
        .route("/probes/{probe}/last-failure", get(last_failure))
        .route("/probes/{probe}/last-good", get(last_good))
        .route("/probes/{probe}/run", post(run_now))
        .route("/runs/{run}", get(one_run))
        .route("/runs/{run}/pictures/{name}", get(one_picture))
        .route("/login", get(login).post(sign_in))
        .route("/logout", post(sign_out))
        .route("/events", get(events))
        .route("/status.txt", get(status_txt))
        .route("/badge.svg", get(badge_svg))
        .route("/badge.json", get(badge_json))
        .route("/badge/{file}", get(badge_of_probe))
        .route("/assets/{name}", get(assets::asset))
        .route("/api/v1/status", get(api_status))
        .route("/api/v1/incidents", get(api_incidents))
        .route("/api/v1/probes", get(api_probes))
        .route("/api/v1/probes/{probe}", get(api_probe))
        .route("/api/v1/probes/{probe}/runs", post(api_start))
        .route("/api/v1/runs", get(api_runs))
        .route("/api/v1/runs/{run}", get(api_run))
        .route("/api/v1/openapi.json", get(async || json_text(openapi::DESCRIPTION.clone())))
        .with_state(pages)
        .layer(middleware::map_response(async |mut response: Response| {
            guard::protect(response.headers_mut());
            response
        }))
}

fn json_text(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

async fn index(State(pages): Site, asked: Asked, query: Result<Query<Filter>, QueryRejection>) -> Response {
    let filter = query.map(|Query(filter)| filter).unwrap_or_default();
    let seats = pages.board.seats();
    html_page(overview::overview(asked.view(Base::ROOT), &pages.news(), &seats, &filter))
}

async fn one_probe(State(pages): Site, asked: Asked, Path(name): Path<String>) -> Result<Response, Fault> {
    let filter = RunFilter { probe: Some(name.clone()), limit: super::board::HISTORY, ..RunFilter::default() };
    let runs = pages.store.runs(&filter).await.map_err(|e| Fault::page(&e))?;
    pages.board.recall(&name, runs.iter().map(Brief::of).collect(), &runs);
    let seats = pages.board.seats();
    let Some(seat) = seats.get(&name) else { return Ok(gone(Base::ONE, asked.now, "There is no such reply path")) };
    Ok(html_page(probe::probe_page(asked.view(Base::ONE), seat, &runs)))
}

async fn last_failure(State(pages): Site, asked: Asked, Path(name): Path<String>) -> Result<Response, Fault> {
    let failed = pages.store.last_with(&name, Verdict::Fail, None).await.map_err(|e| Fault::page(&e))?;
    Ok(to_run(asked.now, failed.as_ref().map(|r| &r.id), "No failed run of this reply path is on record"))
}

async fn last_good(State(pages): Site, asked: Asked, Path(name): Path<String>) -> Result<Response, Fault> {
    let good = pages.store.last_with(&name, Verdict::Pass, None).await.map_err(|e| Fault::page(&e))?;
    Ok(to_run(asked.now, good.as_ref().map(|r| &r.id), "No passed run of this reply path is on record"))
}

fn to_run(now: Timestamp, run: Option<&RunId>, none: &str) -> Response {
    match run {
        Some(run) => see_other(&Base::TWO.run(run.as_str())),
        None => gone(Base::TWO, now, none),
    }
}

/// The view of a run's evidence that is asked for.
#[derive(Default, Deserialize)]
struct Tab {
    #[serde(default)]
    view: String,
}

async fn one_run(
    State(pages): Site,
    asked: Asked,
    Path(id): Path<String>,
    tab: Result<Query<Tab>, QueryRejection>,
) -> Result<Response, Fault> {
    let Some(found) = pages.store.run(&RunId(id)).await.map_err(|e| Fault::page(&e))? else {
        return Ok(gone(Base::ONE, asked.now, "There is no such run, or it was removed because of its age"));
    };
    let good = pages.last_good(&found).await.map_err(|e| Fault::page(&e))?;
    let seats = pages.board.seats();
    let history: Vec<&Brief> = seats.get(&found.probe.name).map(|s| s.history.iter().collect()).unwrap_or_default();
    let before = history.iter().rev().find(|b| b.started < found.started).map(|b| Brief::clone(b));
    let after = history.iter().find(|b| b.started > found.started).map(|b| Brief::clone(b));
    let around = run::Around { good, beside: [before, after] };
    let tab = tab.map(|Query(tab)| tab.view).unwrap_or_default();
    Ok(html_page(run::run_page(asked.view(Base::ONE), &found, &around, &tab)))
}

async fn one_picture(State(pages): Site, asked: Asked, Path((id, name)): Path<(String, String)>) -> Result<Response, Fault> {
    let none = || gone(Base::TWO, asked.now, "There is no such picture");
    if !asked.viewer.sees_evidence() {
        return Ok(none());
    }
    let Some(found) = pages.store.run(&RunId(id)).await.map_err(|e| Fault::page(&e))? else { return Ok(none()) };
    Ok(match picture::read(&found, &name, &pages.state).await {
        Some(bytes) => ([(header::CONTENT_TYPE, "image/png")], bytes).into_response(),
        None => none(),
    })
}

/// What a form of ours brings with it.
#[derive(Deserialize)]
struct OwnForm {
    #[serde(default)]
    csrf: String,
}

async fn run_now(State(pages): Site, asked: Asked, Path(name): Path<String>, headers: HeaderMap, Form(form): Form<OwnForm>) -> Response {
    let refuse = |code: StatusCode, title: &str, text: &maud::Markup| {
        (code, html_page(sign::message(Base::TWO, asked.now, title, text))).into_response()
    };
    if !asked.viewer.may_start() || !pages.guard.is_own_form(&headers, &form.csrf, asked.now) {
        let text =
            html! { "The form was not sent by a page of an operator who is signed in. " a href=(Base::TWO.to("login")) { "Sign in" } };
        return refuse(StatusCode::FORBIDDEN, "Not started", &text);
    }
    match pages.start(&name, asked.user.as_deref().unwrap_or("an operator")).await {
        Ok(run) => see_other(&Base::TWO.run(run.as_str())),
        Err(NotStarted::NoProbe) => gone(Base::TWO, asked.now, "There is no such reply path"),
        Err(NotStarted::UnderWay(run)) => {
            let text =
                html! { "A run of it is under way. " @if let Some(run) = run { a href=(Base::TWO.run(run.as_str())) { "That run" } } };
            refuse(StatusCode::CONFLICT, "Not started", &text)
        }
        Err(NotStarted::TooSoon(seconds)) => {
            let mut answer = refuse(
                StatusCode::TOO_MANY_REQUESTS,
                "Not started",
                &html! { "Too soon after the last one: try again in " (seconds) " s." },
            );
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            answer
        }
        Err(NotStarted::NotNow(why)) => refuse(StatusCode::SERVICE_UNAVAILABLE, "Not started", &html! { (why) }),
    }
}

async fn login(State(pages): Site) -> Response {
    html_page(sign::sign_in(pages.guard.ways(), false, pages.clock.now()))
}

/// Either the token, or a user with the password.
#[derive(Deserialize)]
struct SignIn {
    #[serde(default)]
    token: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
}

async fn sign_in(State(pages): Site, headers: HeaderMap, Form(form): Form<SignIn>) -> Response {
    let now = pages.clock.now();
    let session = match guard::is_same_site(&headers) {
        true if form.user.is_empty() => pages.guard.sign_in(form.token.trim(), now),
        true => pages.guard.sign_in_user(form.user.trim(), &form.password, now).await,
        false => None,
    };
    let Some(session) = session else {
        return (StatusCode::FORBIDDEN, html_page(sign::sign_in(pages.guard.ways(), true, now))).into_response();
    };
    with_cookie(see_other("./"), &headers, &session, "")
}

async fn sign_out(State(pages): Site, asked: Asked, headers: HeaderMap, Form(form): Form<OwnForm>) -> Response {
    if !pages.guard.is_own_form(&headers, &form.csrf, asked.now) {
        return (StatusCode::FORBIDDEN, html_page(sign::message(Base::ROOT, asked.now, "Not signed out", &html! { "The form is stale." })))
            .into_response();
    }
    with_cookie(see_other("./"), &headers, "", "; Max-Age=0")
}

/// Sets the session cookie. Without a path it counts below the folder of the page that sets it, whatever a proxy calls that.
fn with_cookie(mut response: Response, headers: &HeaderMap, value: &str, more: &str) -> Response {
    let https = headers.get("x-forwarded-proto").is_some_and(|p| p.as_bytes().eq_ignore_ascii_case(b"https"));
    let secure = if https { "; Secure" } else { "" };
    let cookie = format!("{}={value}; HttpOnly; SameSite=Lax{secure}{more}", guard::COOKIE);
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

async fn events(State(pages): Site, _: Asked, headers: HeaderMap) -> Response {
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok());
    match pages.live.listen(last) {
        // A proxy that collects answers would hold the stream back.
        Some(stream) => ([("x-accel-buffering", "no"), ("cache-control", "no-cache")], Sse::new(stream)).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "too many readers listen already\n").into_response(),
    }
}

async fn status_txt(State(pages): Site, asked: Asked) -> Response {
    text::status(&pages.news(), &pages.board.seats(), asked.now).into_response()
}

/// A badge is shown by other sites; it is not kept by them.
fn badge(kind: &'static str, body: String) -> Response {
    let headers = [
        ("content-type", kind),
        ("cache-control", "no-cache, max-age=0"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("access-control-allow-origin", "*"),
    ];
    (headers, body).into_response()
}

const SVG: &str = "image/svg+xml; charset=utf-8";
const JSON: &str = "application/json";

async fn badge_svg(State(pages): Site, _: Asked) -> Response {
    badge(SVG, Badge::of_all(&pages.news()).svg())
}

async fn badge_json(State(pages): Site, _: Asked) -> Response {
    badge(JSON, Badge::of_all(&pages.news()).json().to_string())
}

async fn badge_of_probe(State(pages): Site, asked: Asked, Path(file): Path<String>) -> Response {
    let none = || gone(Base::ONE, asked.now, "There is no such badge");
    let Some((name, kind)) = file.rsplit_once('.') else { return none() };
    let Some(found) = Badge::of_probe(name, &pages.board.seats(), pages.stuck(asked.now).is_some(), asked.now) else { return none() };
    match kind {
        "svg" => badge(SVG, found.svg()),
        "json" => badge(JSON, found.json().to_string()),
        _ => none(),
    }
}

async fn api_status(State(pages): Site, asked: Asked) -> Response {
    json_answer(StatusCode::OK, &api::status(&pages.news(), asked.viewer, asked.now))
}

/// From when on incidents are listed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    since: Option<Timestamp>,
}

async fn api_incidents(State(pages): Site, asked: Asked, query: Result<Query<Since>, QueryRejection>) -> Result<Response, Fault> {
    let Query(Since { since }) = match query {
        Ok(query) => query,
        Err(rejection) => return Ok(problem(StatusCode::BAD_REQUEST, &rejection.body_text())),
    };
    let since = since.unwrap_or_else(|| asked.now.saturating_sub(WEEK).unwrap_or(Timestamp::MIN));
    let troubles = pages.store.troubles(since, super::MOST_TROUBLES).await.map_err(|e| Fault::api(&e))?;
    let seats = pages.board.seats();
    let newest = seats.values().filter_map(|s| s.last.as_ref()?.run.finished).max();
    let found = incident::incidents(seats.values().map(|s| &*s.probe), troubles);
    let listed = found.iter().filter(|i| i.until.is_none_or(|until| until >= since));
    let report = IncidentsReport {
        schema: 1,
        at: asked.now.to_string(),
        since: since.to_string(),
        newest_verdict: newest.map(|at| at.to_string()),
        incidents: listed.map(|i| api::incident(i, asked.viewer, asked.now)).collect(),
    };
    Ok(json_answer(StatusCode::OK, &report))
}

async fn api_probes(State(pages): Site, asked: Asked) -> Response {
    json_answer(StatusCode::OK, &api::probes(&pages.board.seats(), asked.viewer, asked.now))
}

async fn api_probe(State(pages): Site, asked: Asked, Path(name): Path<String>) -> Response {
    match pages.board.seats().get(&name) {
        Some(seat) => json_answer(StatusCode::OK, &api::ProbeReport::of(seat, asked.viewer, asked.now)),
        None => problem(StatusCode::NOT_FOUND, "there is no such probe"),
    }
}

/// Which runs are listed. A misspelt name is refused: it would list all of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    probe: Option<String>,
    #[serde(default)]
    not_passed: bool,
    since: Option<Timestamp>,
    limit: Option<usize>,
}

async fn api_runs(State(pages): Site, _: Asked, query: Result<Query<Listing>, QueryRejection>) -> Result<Response, Fault> {
    let Query(listing) = match query {
        Ok(query) => query,
        Err(rejection) => return Ok(problem(StatusCode::BAD_REQUEST, &rejection.body_text())),
    };
    let limit = listing.limit.unwrap_or(50);
    if !(1..=MOST_RUNS).contains(&limit) {
        return Ok(problem(StatusCode::BAD_REQUEST, &format!("limit must be from 1 to {MOST_RUNS}")));
    }
    let filter = RunFilter { probe: listing.probe, not_passed: listing.not_passed, since: listing.since, controls: false, limit };
    let runs = pages.store.runs(&filter).await.map_err(|e| Fault::api(&e))?;
    let runs = runs.iter().map(|r| ListedRun { probe: r.probe.name.clone(), run: BriefReport::of(&Brief::of(r)) }).collect();
    Ok(json_answer(StatusCode::OK, &RunsReport { schema: 1, runs }))
}

async fn api_run(State(pages): Site, asked: Asked, Path(id): Path<String>) -> Result<Response, Fault> {
    let found = pages.store.run(&RunId(id)).await.map_err(|e| Fault::api(&e))?;
    Ok(match found {
        Some(found) => json_answer(StatusCode::OK, &api::run(RunReport::of(&found), asked.viewer)),
        None => problem(StatusCode::NOT_FOUND, "there is no such run"),
    })
}

/// A session alone is not enough here: a page of a stranger could make the browser use it.
async fn api_start(State(pages): Site, _: Asked, Path(name): Path<String>, headers: HeaderMap) -> Response {
    if !pages.guard.bears_token(&headers) {
        return problem(StatusCode::FORBIDDEN, "a start needs `Authorization: Bearer` with the operators' token");
    }
    match pages.start(&name, "the API").await {
        Ok(run) => json_answer(StatusCode::ACCEPTED, &StartedReport { run: run.0 }),
        Err(NotStarted::NoProbe) => problem(StatusCode::NOT_FOUND, "there is no such probe"),
        Err(NotStarted::UnderWay(run)) => {
            json_answer(StatusCode::CONFLICT, &Problem { error: "a run of it is under way".to_owned(), run: run.map(|r| r.0) })
        }
        Err(NotStarted::TooSoon(seconds)) => {
            let mut answer = problem(StatusCode::TOO_MANY_REQUESTS, &format!("too soon after the last start: try again in {seconds} s"));
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            answer
        }
        Err(NotStarted::NotNow(why)) => problem(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}
