//! The contact page that the desk's server makes.

use super::super::faults::Fault;
use super::super::mime::escape_html;
use super::super::world::World;
use super::intake::{self, Errors};
use super::page::{cookie, page};
use super::upload::{self, Upload};
use super::visits::{Names, Refusal};
use super::words::Ask;
use super::{target, token_lifetime};
use axum::extract::{Multipart, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

type Shared = State<Arc<World>>;

/// `GET /contact`.
pub(crate) async fn show(State(world): Shared, headers: HeaderMap) -> Response {
    tokio::time::sleep(world.pace.between(5, 60)).await;
    form_page(&world, &headers, StatusCode::OK, &Filled::default())
}

/// What stands in the form when it is shown again.
#[derive(Debug, Default)]
struct Filled {
    notice: Option<&'static str>,
    values: BTreeMap<Ask, String>,
    errors: Errors,
}

fn frame(world: &World, status: StatusCode, inside: &str) -> Response {
    let title = world.web.words.title;
    let shop = escape_html(world.web.words.shop);
    let body = format!(
        "<header class=\"top\"><div><strong>{shop}</strong> <span>Help centre</span></div></header>\n\
         <main class=\"narrow\">\n<h1>{title}</h1>\n{inside}\n</main>"
    );
    page(status, &format!("{title} - {}", world.web.words.shop), &body)
}

fn form_page(world: &World, headers: &HeaderMap, status: StatusCode, filled: &Filled) -> Response {
    if world.switches.on(Fault::FormDoesNotLoad) {
        return frame(world, StatusCode::OK, "<div class=\"card\"><p class=\"notice\" role=\"alert\">Not authorized</p></div>");
    }
    let words = &world.web.words;
    let known = cookie(headers, words.cookie).filter(|s| world.web.visits.knows(s));
    let fresh = known.is_none();
    let session = known.unwrap_or_else(|| world.pace.hex(32));
    if fresh {
        world.web.visits.begin(session.clone());
    }
    let token = world.pace.hex(40);
    let names = super::visits::names(words, world.switches.on(Fault::FormConsentAdded), || world.pace.hex(12));
    let html = form_html(world, &token, &names, filled);
    world.web.visits.open(token, Some(session.clone()), names);
    let mut response = frame(world, status, &html);
    if fresh && let Ok(value) = HeaderValue::from_str(&format!("{}={session}; Path=/; HttpOnly; SameSite=Lax", words.cookie)) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

fn form_html(world: &World, token: &str, names: &Names, filled: &Filled) -> String {
    let words = &world.web.words;
    let changed = world.switches.on(Fault::FormContractChanged);
    let token_field = if changed { words.new_token_field } else { words.token_field };
    let mut html = String::new();
    if let Some(notice) = filled.notice {
        let _ = writeln!(html, "<p class=\"notice\" role=\"alert\">{notice}</p>");
    }
    let action = if world.switches.on(Fault::FormMovedElsewhere) { target(world, "/contact") } else { "/contact".to_owned() };
    let _ = writeln!(html, "<form class=\"card\" method=\"post\" action=\"{action}\" enctype=\"multipart/form-data\">");
    let _ = writeln!(html, "<input type=\"hidden\" name=\"{token_field}\" value=\"{token}\">");
    let _ = writeln!(html, "<input type=\"hidden\" name=\"locale\" value=\"en\">");
    for (ask, name) in names {
        html.push_str(&row(world, *ask, name, filled));
    }
    let (hiding, honeypot) = (words.hiding, words.honeypot);
    let _ = writeln!(
        html,
        "<div class=\"{hiding}\" aria-hidden=\"true\"><label for=\"hp\">Leave this empty</label>\
         <input id=\"hp\" type=\"text\" name=\"{honeypot}\" value=\"\" tabindex=\"-1\" autocomplete=\"off\"></div>"
    );
    let _ = writeln!(html, "<button type=\"submit\">{}</button>\n</form>", words.button);
    html
}

fn row(world: &World, ask: Ask, name: &str, filled: &Filled) -> String {
    let (label, kind) = (escape_html(world.web.words.label(ask)), ask.kind());
    let value = escape_html(filled.values.get(&ask).map_or("", String::as_str));
    let error = filled.errors.get(&ask);
    let must = if ask.is_required() { " <span class=\"must\" aria-hidden=\"true\">*</span>" } else { "" };
    let mut common = format!("id=\"i-{name}\" name=\"{name}\"");
    if ask.is_required() {
        common.push_str(" required");
    }
    if error.is_some() {
        let _ = write!(common, " aria-invalid=\"true\" aria-describedby=\"e-{name}\"");
    }
    let control = match ask {
        Ask::Message => format!("<textarea {common} rows=\"6\">{value}</textarea>"),
        Ask::Topic => format!("<select {common}>{}</select>", options(world, &value)),
        Ask::File => format!("<input type=\"file\" {common}>"),
        _ => format!("<input type=\"{kind}\" {common} value=\"{value}\"{}>", complete(ask)),
    };
    let wrong = error.map(|e| format!("\n<p class=\"wrong\" id=\"e-{name}\">{e}</p>")).unwrap_or_default();
    if ask == Ask::Consent {
        let control = format!("<input type=\"checkbox\" {common} value=\"yes\">");
        return format!(
            "<div class=\"row\"><label class=\"tick\" for=\"i-{name}\">{control} <span>{label}{must}</span></label>{wrong}</div>\n"
        );
    }
    format!("<div class=\"row\"><label for=\"i-{name}\">{label}{must}</label>\n{control}{wrong}</div>\n")
}

fn complete(ask: Ask) -> &'static str {
    match ask {
        Ask::Name => " autocomplete=\"name\"",
        Ask::Email => " autocomplete=\"email\"",
        _ => "",
    }
}

fn options(world: &World, chosen: &str) -> String {
    let mut html = "<option value=\"\">Please choose</option>".to_owned();
    for (at, queue) in world.queues.iter().enumerate() {
        let value = queue.name.to_ascii_lowercase();
        let selected = if value == chosen { " selected" } else { "" };
        let _ = write!(html, "<option value=\"{value}\"{selected}>{}</option>", escape_html(world.web.words.topic(at)));
    }
    html
}

/// `POST /contact`.
pub(crate) async fn submit(State(world): Shared, headers: HeaderMap, parts: Multipart) -> Response {
    tokio::time::sleep(world.pace.between(5, 60)).await;
    if world.switches.on(Fault::FormSubmit500) {
        return frame(&world, StatusCode::INTERNAL_SERVER_ERROR, "<p class=\"card\">We are sorry, but something went wrong (500).</p>");
    }
    let upload = match upload::read(parts).await {
        Ok(upload) => upload,
        Err(why) => return frame(&world, StatusCode::BAD_REQUEST, &format!("<p class=\"card\">{}</p>", escape_html(&why))),
    };
    let session = cookie(&headers, world.web.words.cookie).unwrap_or_default();
    let names = match admitted(&world, &session, &upload) {
        Ok(names) => names,
        Err(notice) => {
            let filled = Filled { notice: Some(notice), ..Filled::default() };
            return form_page(&world, &headers, StatusCode::UNPROCESSABLE_ENTITY, &filled);
        }
    };
    let values: BTreeMap<Ask, String> =
        names.iter().filter_map(|(ask, name)| Some((*ask, upload.texts.get(name.as_str())?.clone()))).collect();
    let trapped = upload.texts.get(world.web.words.honeypot).is_some_and(|v| !v.is_empty());
    let number = match intake::check(&world, &values, upload.files) {
        Ok(_) if trapped => intake::discarded(&world),
        Ok(request) => intake::hand_in(&world, request),
        Err(errors) => {
            let filled = Filled { notice: Some("Please correct the marked fields."), values, errors };
            return form_page(&world, &headers, StatusCode::UNPROCESSABLE_ENTITY, &filled);
        }
    };
    world.web.visits.remember(&session, &number);
    let place = if world.web.words.number_in_redirect { format!("/contact/thanks?ticket={number}") } else { "/contact/thanks".to_owned() };
    Redirect::to(&place).into_response()
}

/// The names of the fields of the form that was sent, where its token is right.
fn admitted(world: &World, session: &str, upload: &Upload) -> Result<Names, &'static str> {
    if world.switches.on(Fault::FormContractChanged) && !upload.texts.contains_key("fingerprint") {
        return Err("Your browser did not send everything that this form needs (fingerprint missing).");
    }
    let token = upload.texts.get(world.web.words.token_field).map_or("", String::as_str);
    world.web.visits.redeem(token, Some(session), token_lifetime(world)).map_err(Refusal::words)
}

#[derive(Debug, Deserialize)]
pub(crate) struct Thanked {
    ticket: Option<String>,
}

/// `GET /contact/thanks`.
pub(crate) async fn thanks(State(world): Shared, headers: HeaderMap, Query(asked): Query<Thanked>) -> Response {
    let session = cookie(&headers, world.web.words.cookie).unwrap_or_default();
    let number = asked.ticket.or_else(|| world.web.visits.last_number(&session));
    let said = number.map(|n| format!(" Its number is <strong>{}</strong>.", escape_html(&n))).unwrap_or_default();
    let words = format!("<div class=\"card\" role=\"status\"><p>{}{said}</p>\n<p>We answer by e-mail.</p></div>", world.web.words.thanks);
    frame(&world, StatusCode::OK, &words)
}
