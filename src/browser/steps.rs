//! The steps of a widget, one after the other, each waiting for what it needs.

use super::fill::type_into;
use super::session::Session;
use super::trouble::{Broken, short};
use crate::clock::after;
use crate::engine::ways::Stop;
use crate::model::{ResultClass, WidgetStep};
use serde_json::{Value, json};
use std::time::Duration;
use thirtyfour::{Key, WebElement};

/// How long people wait for the next thing to appear.
const PATIENCE: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(100);

/// How a list of steps ended early.
pub(super) struct Stuck {
    /// The step, for people.
    pub(super) step: String,
    /// Why.
    pub(super) broken: Broken,
    /// Something may have been sent before.
    pub(super) acted: bool,
}

impl Stuck {
    /// As a stop of the act that the steps were to do.
    pub(super) fn stop(self) -> Stop {
        let stop = if self.broken.passes() {
            Stop::unknown("browser-confused", ResultClass::BrokenContract, format!("{}: {}", self.step, self.broken.words()))
                .advice("look at the screenshot, and correct the widget's steps where they do not fit the page any more")
        } else {
            self.broken.into()
        };
        if self.acted { stop.uncertain() } else { stop }
    }
}

/// Where these steps lead to, from there on.
pub(super) fn frame_after(steps: &[WidgetStep]) -> Vec<String> {
    let mut frame = Vec::new();
    for step in steps {
        match step {
            WidgetStep::Frame(path) if path.is_empty() => frame.clear(),
            WidgetStep::Frame(path) => frame.push(path.clone()),
            _ => {}
        }
    }
    frame
}

/// Does the steps. `line` stands for `${line}`. With `sends` every click and key may send; else only those after something
/// was written.
pub(super) async fn walk(session: &Session, steps: &[WidgetStep], line: &str, sends: bool) -> Result<(), Stuck> {
    let (mut written, mut acted) = (sends, false);
    for step in steps {
        let acts = written && matches!(step, WidgetStep::Click(_) | WidgetStep::Press(_));
        if let Err(broken) = one(session, step, line).await {
            // A click on what was not there has pressed nothing.
            let acted = acted || (acts && !broken.passes());
            return Err(Stuck { step: words(step), broken, acted });
        }
        written |= matches!(step, WidgetStep::Write { .. } | WidgetStep::Choose { .. });
        acted |= acts;
    }
    Ok(())
}

/// Does one step: tries again while it may help, as long as people would wait.
pub(super) async fn one(session: &Session, step: &WidgetStep, line: &str) -> Result<(), Broken> {
    let until = after(session.limit.clock.now(), PATIENCE);
    let field = loop {
        match attempt(session, step, line).await {
            Err(broken) if broken.passes() && session.limit.clock.now() < until => session.limit.pause(STEP).await?,
            other => break other?,
        }
    };
    match (step, field) {
        // Typed once: a second attempt would write it twice.
        (WidgetStep::Write { text, .. }, Some(field)) => type_into(session, &field, &text.replace("${line}", line)).await,
        _ => Ok(()),
    }
}

/// One attempt at a step. For a text: finds its field and puts the caret there.
async fn attempt(session: &Session, step: &WidgetStep, line: &str) -> Result<Option<WebElement>, Broken> {
    match step {
        WidgetStep::Frame(path) => session.step_into(path).await?,
        WidgetStep::WaitFor(path) => drop(seen(session, path).await?),
        WidgetStep::Click(path) => {
            let element = seen(session, path).await?;
            session.click(&element).await?;
        }
        WidgetStep::Write { into, .. } => {
            let field = seen(session, into).await?;
            session.call(field.focus()).await?;
            return Ok(Some(field));
        }
        WidgetStep::Choose { of, option } => {
            let wanted = option.replace("${line}", line);
            let list = seen(session, of).await?;
            let found = session.page("option", &[list.to_json()?, json!(wanted)]).await?;
            let found = session.element(found)?.ok_or_else(|| Broken::nothing(format!("no option “{wanted}”")))?;
            session.call(found.click()).await?;
        }
        WidgetStep::Press(name) => match key(name) {
            Some(key) => session.press(key).await?,
            None => return Err(Broken::nothing(format!("no key `{name}`"))),
        },
    }
    Ok(None)
}

/// The element, once it can be seen.
async fn seen(session: &Session, path: &str) -> Result<WebElement, Broken> {
    let found = session.page("seen", &[json!(path)]).await?;
    session.element(found)?.ok_or_else(|| Broken::nothing(format!("`{path}` did not appear")))
}

fn key(name: &str) -> Option<Key> {
    Some(match name {
        "Enter" => Key::Enter,
        "Tab" => Key::Tab,
        "Escape" => Key::Escape,
        "Space" => Key::Space,
        "ArrowDown" => Key::Down,
        "ArrowUp" => Key::Up,
        _ => return None,
    })
}

/// A step, for people; texts are left out.
fn words(step: &WidgetStep) -> String {
    match step {
        WidgetStep::Frame(path) => format!("step into the frame `{path}`"),
        WidgetStep::WaitFor(path) => format!("wait for `{path}`"),
        WidgetStep::Click(path) => format!("click `{path}`"),
        WidgetStep::Write { into, .. } => format!("write into `{into}`"),
        WidgetStep::Choose { of, option } => format!("choose “{}” of `{of}`", short(option, 60)),
        WidgetStep::Press(key) => format!("press {key}"),
    }
}

/// The reference of the first input for files, also one behind a button of its own.
pub(super) async fn file_input(session: &Session) -> Result<Option<WebElement>, Broken> {
    let fields = session.page("fields", &[Value::Null]).await?;
    let all = fields.get("fields").and_then(Value::as_array).cloned().unwrap_or_default();
    let input = all.iter().find(|f| f.get("type").and_then(Value::as_str) == Some("file"));
    session.element(input.and_then(|f| f.pointer("/elements/0")).cloned().unwrap_or(Value::Null))
}
