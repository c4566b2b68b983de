//! `doctor`: signs in everywhere, opens every form and chat, and says what each place can do. Sends nothing.

mod names;
mod ways;

use super::exit::Exit;
use super::{Context, Ended, assemble, load, put};
use crate::engine::ports::{Desk, Trouble};
use crate::report::human::entry;
use crate::report::look::{BAD, GOOD, Look, STRONG, UNSURE, paint};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Arguments of `doctor`.
#[derive(clap::Args)]
pub struct Args {}

/// What a place answered: lines for people, or what is wrong there.
struct Visit {
    place: String,
    answer: Result<Vec<String>, Complaint>,
}

/// What is wrong with a place.
struct Complaint {
    fault: &'static str,
    message: String,
}

impl From<Trouble> for Complaint {
    fn from(trouble: Trouble) -> Complaint {
        Complaint { fault: trouble.fault, message: trouble.message }
    }
}

/// Visits that are under way, side by side, and told in the order in which they began.
#[derive(Default)]
struct Visits {
    under_way: JoinSet<(usize, Visit)>,
    begun: usize,
}

impl Visits {
    fn begin<E: Into<Complaint> + Send + 'static>(
        &mut self,
        place: String,
        ask: impl Future<Output = Result<Vec<String>, E>> + Send + 'static,
    ) {
        let order = self.begun;
        self.begun += 1;
        self.under_way.spawn(async move { (order, Visit { place, answer: ask.await.map_err(Into::into) }) });
    }

    async fn all(self) -> Vec<Visit> {
        let mut visits = self.under_way.join_all().await;
        visits.sort_by_key(|(order, _)| *order);
        visits.into_iter().map(|(_, visit)| visit).collect()
    }
}

/// Visits every mailbox, submission server, desk, form and chat.
///
/// # Errors
/// Exit 3 for a faulty configuration, 5 when a place cannot be used.
pub async fn run(_args: &Args, context: &Context) -> Ended {
    let config = load(&context.dir)?;
    let outside = assemble::outside(&config, &context.clock).await?;
    let mut visits = Visits::default();
    for account in config.accounts.values() {
        let (mailboxes, name, host) = (outside.mailboxes.clone(), account.name.clone(), account.mailbox.server.host.clone());
        visits.begin(format!("mailbox {name} at {host}"), async move { mailboxes.doctor(&name).await });
        let (submission, name, host) = (outside.submission.clone(), account.name.clone(), account.submission.server.host.clone());
        visits.begin(format!("submission {name} at {host}"), async move { submission.doctor(&name).await });
    }
    for key in config.desks.keys() {
        if let Some(desk) = outside.desks.desk(key) {
            visits.begin(format!("desk {key}"), health(desk));
        }
    }
    for (key, intake) in &config.intakes {
        let (intakes, key) = (outside.intakes.clone(), key.clone());
        let place = format!("intake mailbox {key} at {}", intake.mailbox.server.host);
        visits.begin(place, async move { intakes.doctor(&key).await });
    }
    names::visit(&config, &outside, context.clock.now(), &mut visits);
    ways::visit(&config, &outside, &mut visits);
    let visits = visits.all().await;
    let mut text: String = config.warnings.iter().map(|w| format!("{}: {w}\n", paint(UNSURE, "warning"))).collect();
    text.extend(visits.iter().map(|visit| told(visit, context.look)));
    let bad = visits.iter().filter(|v| v.answer.is_err()).count();
    text.push_str(&match bad {
        0 => format!("\n{} places answered; nothing was sent\n", visits.len()),
        _ => format!("\n{bad} of {} places cannot be used; nothing was sent\n", visits.len()),
    });
    put(&text);
    Ok(if bad == 0 { Exit::Passed } else { Exit::Unknown })
}

async fn health(desk: Arc<dyn Desk>) -> Result<Vec<String>, Trouble> {
    let can: Vec<String> = desk.capabilities().iter().map(assemble::capability_word).collect();
    let mut lines = desk.health().await?;
    lines.push(format!("can: {}", can.join(", ")));
    if desk.unproven() {
        lines.push("unproven: nobody has recorded the real product with this definition, so it may be wrong".to_owned());
    }
    Ok(lines)
}

fn told(visit: &Visit, look: Look) -> String {
    match &visit.answer {
        Ok(lines) => {
            let mut text = format!("{}    {}\n", paint(GOOD, "ok"), paint(STRONG, &visit.place));
            text.extend(lines.iter().map(|line| entry("", line, look)));
            text
        }
        Err(wrong) => {
            let mut text = format!("{}  {}: {}\n", paint(BAD, "FAIL"), paint(STRONG, &visit.place), wrong.fault);
            text.push_str(&entry("", &wrong.message, look));
            text
        }
    }
}
