//! A form in Chromium: from the page to a form that is filled in.

use super::fields::{Fields, Task, Unfit};
use super::fill::{attach, fill, unfit};
use super::look::State;
use super::submit::Filled;
use super::trouble::{self, Broken};
use super::visit::Visit;
use crate::clock::after;
use crate::engine::ways::{FormOrder, Stop};
use crate::form::common::{bot_protection, captcha, login_wall, marked};
use crate::model::ResultClass;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// How long customers wait for a form to appear.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a form may be incomplete once it is there: scripts add fields late.
const SETTLING: Duration = Duration::from_secs(5);
/// A text so short is quoted whole.
const SHORT: usize = 200;
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
    page_itself(visit, &state).await?;
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
async fn page_itself(visit: &Visit, state: &State) -> Result<(), Stop> {
    let Some(status @ 400..) = state.status else { return Ok(()) };
    if let Some(stop) = bot_check(visit, state).await {
        return Err(stop);
    }
    let found = format!("the page answered {status}");
    Err(match status {
        429 => Stop::unknown("form-throttled", ResultClass::Throttled, found).passing().advice("run the probe less often"),
        401 => login_wall(&found),
        403 => Stop::unknown("form-bot-protection", ResultClass::Denied, found)
            .or("form-does-not-load")
            .advice("open the page from another network: if it is there, a filter stops the probe; allow its address"),
        _ => Stop::failed("form-does-not-load", ResultClass::Unavailable, found),
    })
}

/// Bot protection stands where the page should be.
async fn bot_check(visit: &Visit, state: &State) -> Option<Stop> {
    let source = visit.session.page("source", &[]).await.ok()?;
    let service = marked(source.as_str()?)?;
    Some(bot_protection(service, state.url.split(['?', '#']).next().unwrap_or_default()))
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
    if !state.captcha.is_empty() {
        return Ok(captcha(&state.captcha));
    }
    if let Some(stop) = bot_check(visit, &state).await {
        return Ok(stop);
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
    if reached.is_ok() && !state.text.is_empty() && state.text.len() < SHORT {
        found = format!("{found}; in its place stands “{}”", trouble::short(&state.text, SHORT));
    }
    Ok(Stop::failed("form-does-not-load", ResultClass::Unavailable, found))
}

/// Fills the form in and takes a person's time. Nothing is submitted.
pub(super) async fn fill_in(visit: &mut Visit, order: &FormOrder, usable: &Usable) -> Result<(), Stop> {
    if let Ok(state) = State::of(&visit.session).await
        && !state.captcha.is_empty()
    {
        return Err(captcha(&state.captcha));
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
