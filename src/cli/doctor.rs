//! `doctor`: signs in everywhere and says what each place can do. Sends nothing.

use super::exit::Exit;
use super::{Context, Ended, assemble, load, put};
use crate::engine::ports::Trouble;
use crate::report::human::entry;
use crate::report::look::{BAD, GOOD, Look, STRONG, UNSURE, paint};

/// Arguments of `doctor`.
#[derive(clap::Args)]
pub struct Args {}

struct Visit {
    place: String,
    answer: Result<Vec<String>, Trouble>,
}

/// Visits every mailbox, submission server and desk, side by side.
///
/// # Errors
/// Exit 3 for a faulty configuration, 5 when a place cannot be used.
pub async fn run(_args: &Args, context: &Context) -> Ended {
    let config = load(&context.dir)?;
    let outside = assemble::outside(&config, &context.clock).await?;
    let mut visits = tokio::task::JoinSet::new();
    let mut order = 0_usize;
    for account in config.accounts.values() {
        let (mailboxes, name, host) = (outside.mailboxes.clone(), account.name.clone(), account.mailbox.server.host.clone());
        visits.spawn(async move { (order, Visit { place: format!("mailbox {name} at {host}"), answer: mailboxes.doctor(&name).await }) });
        let (submission, name, host) = (outside.submission.clone(), account.name.clone(), account.submission.server.host.clone());
        visits.spawn(async move {
            (order + 1, Visit { place: format!("submission {name} at {host}"), answer: submission.doctor(&name).await })
        });
        order += 2;
    }
    for key in config.desks.keys() {
        let Some(desk) = outside.desks.desk(key) else { continue };
        let key = key.clone();
        visits.spawn(async move {
            let can: Vec<String> = desk.capabilities().iter().map(assemble::capability_word).collect();
            let answer = desk.health().await.map(|mut lines| {
                lines.push(format!("can: {}", can.join(", ")));
                if desk.unproven() {
                    lines.push("unproven: this definition was never tried on the real product".to_owned());
                }
                lines
            });
            (order, Visit { place: format!("desk {key}"), answer })
        });
        order += 1;
    }
    let mut visits: Vec<(usize, Visit)> = visits.join_all().await;
    visits.sort_by_key(|(order, _)| *order);
    let mut text: String = config.warnings.iter().map(|w| format!("{}: {w}\n", paint(UNSURE, "warning"))).collect();
    text.extend(visits.iter().map(|(_, visit)| told(visit, context.look)));
    let bad = visits.iter().filter(|(_, v)| v.answer.is_err()).count();
    text.push_str(&match bad {
        0 => format!("\n{} places answered; nothing was sent\n", visits.len()),
        _ => format!("\n{bad} of {} places cannot be used; nothing was sent\n", visits.len()),
    });
    put(&text);
    Ok(if bad == 0 { Exit::Passed } else { Exit::Unknown })
}

fn told(visit: &Visit, look: Look) -> String {
    match &visit.answer {
        Ok(lines) => {
            let mut text = format!("{}    {}\n", paint(GOOD, "ok"), paint(STRONG, &visit.place));
            text.extend(lines.iter().map(|line| entry("", line, look)));
            text
        }
        Err(trouble) => {
            let mut text = format!("{}  {}: {}\n", paint(BAD, "FAIL"), paint(STRONG, &visit.place), trouble.fault);
            text.push_str(&entry("", &trouble.message, look));
            text
        }
    }
}
