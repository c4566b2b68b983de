//! A form in Chromium: from the page to a form that is filled in.

use super::fields::{Fields, Task, Unfit};
use super::fill::{attach, fill, unfit};
use super::look::State;
use super::submit::Filled;
use super::trouble::{self, Broken};
use super::visit::Visit;
use super::words;
use crate::clock::after;
use crate::engine::ways::{FormOrder, Stop};
use crate::model::ResultClass;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// How long customers wait for a form to appear.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a form may be incomplete once it is there: scripts add fields late.
const SETTLING: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(150);

/// A form that can be filled in.
pub(super) struct Usable {
    pub(super) fields: Fields,
    pub(super) group: usize,
    pub(super) tasks: Vec<Task>,
}

/// Opens the page and waits for the form.
pub(super) async fn find(visit: &mut Visit, order: &FormOrder, frame: &[String]) -> Result<Usable, Stop> {
    let page = order.form.page.as_deref().unwrap_or_default();
    let state = visit.open(page).await.map_err(|no| no.stop("form-tls-broken", "form-page-unreachable"))?;
    let opened = visit.session.limit.clock.now();
    page_itself(&state)?;
    let until = half_way(visit, opened);
    let mut there_since: Option<Timestamp> = None;
    let mut wrong = Unfit("the page has no form that fits the probe".to_owned());
    loop {
        match look(visit, order, frame).await {
            Ok(Look::Usable(usable)) => {
                visit.fact("usable_ms", visit.elapsed_ms());
                return Ok(usable);
            }
            Ok(Look::Unfit(unfit)) => {
                there_since.get_or_insert(visit.session.limit.clock.now());
                wrong = unfit;
            }
            Ok(Look::Nothing) => there_since = None,
            Err(broken) if broken.passes() => there_since = None,
            Err(broken) => return Err(broken.into()),
        }
        let now = visit.session.limit.clock.now();
        let settled = there_since.is_some_and(|since| now >= after(since, SETTLING));
        if now >= until || settled {
            let stop = if settled { unfit(wrong.0) } else { not_there(visit, frame).await? };
            return Err(stop);
        }
        visit.session.limit.pause(STEP).await?;
    }
}

/// Until when to wait for the form: half of what is left, so that time remains to say why it did not come.
fn half_way(visit: &Visit, now: Timestamp) -> Timestamp {
    let left = Duration::try_from(visit.session.limit.until.duration_since(now)).unwrap_or_default();
    after(now, PATIENCE.min(left / 2))
}

enum Look {
    Usable(Usable),
    Unfit(Unfit),
    Nothing,
}

async fn look(visit: &mut Visit, order: &FormOrder, frame: &[String]) -> Result<Look, Broken> {
    visit.session.enter(frame).await?;
    let only = order.form.form.as_ref().map_or(Value::Null, |css| json!(css));
    let fields: Fields = serde_json::from_value(visit.session.page("fields", &[only]).await?).unwrap_or_default();
    let Some(group) = fields.best(order) else { return Ok(Look::Nothing) };
    visit.seen.print = Some(fields.print(group));
    Ok(match fields.plan(group, order) {
        Ok(tasks) => Look::Usable(Usable { fields, group, tasks }),
        Err(unfit) => Look::Unfit(unfit),
    })
}

/// What the page's own answer says.
fn page_itself(state: &State) -> Result<(), Stop> {
    if words::is_bot_check(state) {
        return Err(Stop::unknown("form-bot-protection", ResultClass::Denied, format!("bot protection answers: “{}”", state.title))
            .advice("allow the probe's address in the protection's rules for this page"));
    }
    match state.status {
        Some(429) => Err(Stop::unknown("form-throttled", ResultClass::Throttled, "the page answered 429").passing()),
        Some(401) => Err(login_wall("the page answered 401")),
        Some(status @ 400..) => Err(Stop::failed("form-does-not-load", ResultClass::Unavailable, format!("the page answered {status}"))),
        _ => Ok(()),
    }
}

fn login_wall(found: &str) -> Stop {
    Stop::unknown("form-login-wall", ResultClass::Unauthorised, found)
        .advice("open the form to guests, or let the probe use another way in")
}

fn captcha() -> Stop {
    Stop::unknown("form-captcha", ResultClass::Denied, "a captcha guards the form")
        .advice("exempt the probe's address from the captcha, or let the probe use another way in")
}

/// Why there is no form.
async fn not_there(visit: &mut Visit, frame: &[String]) -> Result<Stop, Broken> {
    visit.hear().await?;
    // As far in as the frames are there.
    let mut reached = visit.session.enter(&[]).await;
    for path in frame {
        if reached.is_ok() {
            reached = visit.session.step_into(path).await;
        }
    }
    let state = State::of(&visit.session).await.unwrap_or_default();
    if state.captcha {
        return Ok(captcha());
    }
    if words::is_bot_check(&state) {
        return Ok(Stop::unknown("form-bot-protection", ResultClass::Denied, format!("bot protection answers: “{}”", state.title))
            .advice("allow the probe's address in the protection's rules for this page"));
    }
    if state.password {
        return Ok(login_wall("a login stands where the form should be"));
    }
    let mut found = match &reached {
        Err(broken) if broken.passes() => "the form's frame never appeared".to_owned(),
        _ => "the form never became usable".to_owned(),
    };
    if let Some(why) = visit.console.frame_refused() {
        found = format!("{found}; the browser refuses its frame: {}", trouble::short(why, 300));
    } else if let Some(request) = visit.console.failed_request() {
        found = format!("{found}; {request}");
    } else if let Some(line) = visit.console.severe.first() {
        found = format!("{found}; the console says: {line}");
    }
    Ok(Stop::failed("form-does-not-load", ResultClass::Unavailable, found))
}

/// Fills the form in and takes a person's time. Nothing is submitted.
pub(super) async fn fill_in(visit: &mut Visit, order: &FormOrder, usable: &Usable) -> Result<(), Stop> {
    if State::of(&visit.session).await.is_ok_and(|state| state.captcha) {
        return Err(captcha());
    }
    for task in &usable.tasks {
        fill(&visit.session, &usable.fields.fields[task.field], task).await?;
    }
    if !order.form.attachments.is_empty() {
        let input = usable.fields.file_input(usable.group, order.form.attachments_in.as_ref());
        let input = input.ok_or_else(|| unfit("the form has no input for the probe's files"))?;
        attach(&visit.session, &usable.fields.fields[input], &order.form.attachments).await?;
    }
    dwell(visit, order.form.dwell).await?;
    Ok(())
}

async fn dwell(visit: &mut Visit, time: Duration) -> Result<(), Broken> {
    let left = time.saturating_sub(visit.began.elapsed());
    if !left.is_zero() {
        visit.session.limit.pause(left).await?;
    }
    Ok(())
}

/// The whole way to a filled form.
pub(super) async fn prepare(mut visit: Visit, order: &FormOrder, frame: &[String]) -> Result<Filled, Stop> {
    let done = async {
        let usable = find(&mut visit, order, frame).await?;
        fill_in(&mut visit, order, &usable).await?;
        Ok(usable)
    };
    match done.await {
        Ok(usable) => Ok(Filled { visit, order: order.clone(), frame: frame.to_vec(), usable }),
        Err(stop) => {
            let stop = visit.stopped(stop, "send").await;
            visit.session.end().await;
            Err(stop)
        }
    }
}

/// Looks at the page only: lines for people.
pub(super) async fn doctor(mut visit: Visit, order: &FormOrder, frame: &[String]) -> Result<Vec<String>, Stop> {
    let mut lines = vec![visit.session.versions()];
    let found = find(&mut visit, order, frame).await;
    if let Some(print) = &visit.seen.print {
        lines.push(format!("submits {}", print.target));
        lines.extend(print.fields.iter().map(|field| format!("field {field}")));
    }
    let result = match found {
        Ok(_) => {
            lines.push(format!("the form can be used after {} ms", visit.elapsed_ms()));
            Ok(lines)
        }
        Err(stop) => Err(visit.stopped(stop, "doctor").await),
    };
    visit.session.end().await;
    result
}
