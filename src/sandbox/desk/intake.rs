//! The desk's way in: its mail exchanger files mail into intake mailboxes, one poller each fetches it.

use super::super::faults::Fault;
use super::super::mailbox::{Mail, Mailbox};
use super::super::smtp::Envelope;
use super::super::world::World;
use super::Received;
use super::import::{self, Arrival, Manner, Outcome};
use std::sync::Arc;
use std::time::Duration;

/// What mail waits more in a backlog, and how much more each waits than the one before it; at most [`BACKLOG_LIMIT`].
const BACKLOG: Duration = Duration::from_secs(25);
const BACKLOG_GROWTH: Duration = Duration::from_secs(4);
const BACKLOG_LIMIT: Duration = Duration::from_secs(60);
/// What one slow mail waits more.
const SLOW_RUN: Duration = Duration::from_secs(5);

/// Takes a message from the mail exchanger: logs it and forwards it to the mailbox of each recipient.
pub(crate) fn take_over(world: &Arc<World>, envelope: &Envelope, raw: &[u8]) {
    let kept = Arc::new(raw.to_vec());
    world.desk().log(Received { from: envelope.from.clone(), to: envelope.to.clone(), raw: kept });
    for to in &envelope.to {
        let Some((queue, published)) = world.queue_of(to) else { continue };
        if published && world.switches.hits(Fault::ForwarderLost, queue) {
            continue;
        }
        let folder = if world.switches.hits(Fault::IntakeJunkNotPolled, queue) { "Junk" } else { "INBOX" };
        let address = &world.queues[queue].system_address;
        let Some(mailbox) = world.intake.get(address) else { continue };
        let mut mail = format!("Return-Path: <{}>\r\nDelivered-To: {address}\r\nX-Original-To: {to}\r\n", envelope.from).into_bytes();
        mail.extend_from_slice(raw);
        let mail = Arc::new(Mail::new(mail, world.clock.now()));
        mailbox.change(|contents| contents.add(folder, mail, Vec::new()));
    }
    world.touch();
}

/// Switches under which the poller of a mailbox stands still.
const HANGS: &[Fault] = &[Fault::PollerHung, Fault::IntakeOauthExpired];

/// Where fetching hangs on visits of the agents' page, it waits for the next one.
async fn wait_for_visit(world: &World, queue: usize) {
    let mut visits = world.visits.subscribe();
    tokio::select! {
        () = world.switches.wait_until(|s| !s.hits(Fault::FetchNotScheduled, queue)) => {}
        _ = visits.changed() => {}
    }
}

/// What a mail waits more than usual before it is fetched, at usual speed.
fn delay(world: &World, queue: usize) -> Duration {
    if world.switches.hits(Fault::IntakeBacklog, queue) {
        (BACKLOG + BACKLOG_GROWTH * world.marks.backlog()).min(BACKLOG_LIMIT)
    } else if world.switches.hits(Fault::OkOneSlowRun, queue) && world.marks.takes_slow_run() {
        SLOW_RUN
    } else {
        Duration::ZERO
    }
}

/// Fetches the mail of one intake mailbox for ever.
pub(crate) async fn poll(world: Arc<World>, queue: usize) {
    let Some(mailbox) = world.intake.get(&world.queues[queue].system_address).cloned() else { return };
    let mut pushed = mailbox.watch();
    loop {
        world.switches.wait_until(|s| !s.on(Fault::DeskWorkerDown) && !s.any(HANGS, queue)).await;
        wait_for_visit(&world, queue).await;
        pushed.mark_unchanged();
        let fresh = unread(&mailbox);
        if fresh.is_empty() {
            if pushed.changed().await.is_err() {
                return;
            }
            // A poller comes by at its own pace: this is the mean wait for its next round.
            tokio::time::sleep(world.pause(20, 150)).await;
            continue;
        }
        for (uid, mail) in fresh {
            tokio::time::sleep(world.pace.scaled(delay(&world, queue))).await;
            if import::read(&mail.raw).text.trim().is_empty() {
                world.switches.wait_until(|s| !s.hits(Fault::EmptyBodyJamsIntake, queue)).await;
            }
            set_read(&mailbox, uid, true);
            fetch(&world, queue, uid, &mail).await;
        }
    }
}

async fn fetch(world: &Arc<World>, queue: usize, uid: u32, mail: &Mail) {
    if world.switches.hits(Fault::FetchedNotTicketed, queue) {
        return;
    }
    let arrival = Arrival::mail(queue, uid);
    let outcome = import::admit(world, arrival, &mail.raw, Manner::Usual);
    if world.switches.hits(Fault::DoubleFetchDuplicates, queue) && matches!(outcome, Outcome::Opened(_)) {
        tokio::time::sleep(world.pace.between(5, 60)).await;
        import::admit(world, arrival, &mail.raw, Manner::Again);
    }
}

fn unread(mailbox: &Mailbox) -> Vec<(u32, Arc<Mail>)> {
    let contents = mailbox.lock();
    let Some(inbox) = contents.folder("INBOX") else { return Vec::new() };
    // Mail is read from the old end on, so unread mail stands at the new end but for what was marked unread again.
    inbox.slots.iter().filter(|s| !s.has("\\Seen")).map(|s| (s.uid, s.mail.clone())).collect()
}

/// Marks a mail as read, or as unread so that the next round fetches it again.
pub(crate) fn set_read(mailbox: &Mailbox, uid: u32, read: bool) {
    let act = |contents: &mut super::super::mailbox::Contents| {
        if let Some(folder) = contents.folder_mut("INBOX") {
            folder.version += 1;
            if let Some(slot) = folder.slot_mut(uid) {
                slot.flags.retain(|f| f != "\\Seen");
                if read {
                    slot.flags.push("\\Seen".to_owned());
                }
            }
        }
    };
    if read {
        act(&mut mailbox.lock());
    } else {
        mailbox.change(act);
    }
}
