//! The customer's mail provider: its queue, its delivery into mailboxes, its bounces.

use super::faults::Fault;
use super::mime;
use super::smtp::server::Door;
use super::smtp::{Envelope, Reply, client};
use super::world::World;
use std::sync::Arc;
use std::time::Duration;

/// How long deferred mail is tried again, at usual speed.
const GIVES_UP: Duration = Duration::from_secs(120);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(2_400);
/// When the sender is told that his mail waits.
const WARNS: Duration = Duration::from_secs(6);

/// Takes a handed-in message over: every recipient is served on its own.
pub(crate) fn enqueue(world: &Arc<World>, envelope: Envelope, raw: Vec<u8>) {
    let raw = Arc::new(raw);
    for to in envelope.to {
        let (job, from, raw) = (world.clone(), envelope.from.clone(), raw.clone());
        world.spawn(async move {
            let pause = job.pause(5, 40);
            tokio::time::sleep(pause).await;
            let mut warned = from.is_empty();
            let reply = retry(&job, Door::Submission, &from, &to, &raw, |reply, waited| {
                if !warned && waited >= WARNS {
                    warned = true;
                    report(&job, &Notice { from: &from, to: &to, raw: &raw, reply, gave_up: false });
                }
            });
            let reply = reply.await;
            if !reply.is_positive() && !from.is_empty() {
                report(&job, &Notice { from: &from, to: &to, raw: &raw, reply: &reply, gave_up: true });
            }
        });
    }
}

/// Delivers to the server that is responsible for the recipient; deferred attempts are repeated with a growing pause.
///
/// The answer is the last one of the server, or our own when there is no server.
pub(crate) async fn relay(world: &Arc<World>, door: Door, from: &str, to: &str, raw: &[u8]) -> Reply {
    retry(world, door, from, to, raw, |_, _| {}).await
}

/// As [`relay`]; `deferred` hears each refusal for now, and the time (at usual speed) since the first attempt.
async fn retry(
    world: &Arc<World>,
    door: Door,
    from: &str,
    to: &str,
    raw: &[u8],
    mut deferred: impl FnMut(&Reply, Duration) + Send,
) -> Reply {
    let domain = to.rsplit_once('@').map_or("", |(_, d)| d).to_ascii_lowercase();
    let Some(places) = world.places.get() else { return Reply::new(451, "4.3.0 Not yet started") };
    let server = if domain == world.names.customers {
        places.provider_mx
    } else if domain == world.names.desk || domain == world.names.system {
        places.desk_mx
    } else {
        return Reply::new(550, format!("5.4.4 Host or domain name not found: {domain}"));
    };
    let envelope = Envelope { from: from.to_owned(), to: vec![to.to_owned()] };
    let helo = world.host(door);
    let mut last = Reply::new(451, "4.3.0 Not tried");
    let (mut waited, mut pause) = (Duration::ZERO, Duration::from_millis(150));
    while waited < GIVES_UP {
        last = client::deliver(server, &helo, &envelope, raw).await.pop().unwrap_or(last);
        if !last.is_transient() {
            return last;
        }
        deferred(&last, waited);
        tokio::time::sleep(world.pace.scaled(pause)).await;
        waited += pause;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    last
}

/// Puts a message from outside into a customer's mailbox.
pub(crate) fn deliver(world: &Arc<World>, from: &str, to: &str, raw: &[u8]) {
    let desk = from_desk(world, from);
    let unsigned = desk && world.switches.on(Fault::ReturnDkimMissing);
    let disliked = desk && world.switches.on(Fault::ReturnInSpam) && has_link(world, raw);
    let junk = unsigned || disliked;
    let mut mail = format!("Return-Path: <{from}>\r\nDelivered-To: {to}\r\n");
    if desk {
        let found = if unsigned { "dkim=none; spf=pass; dmarc=fail" } else { "dkim=pass; spf=pass; dmarc=pass" };
        mail.push_str(&format!(
            "Authentication-Results: {};\r\n {found} header.from={}\r\n",
            world.host(Door::ProviderMx),
            world.names.desk
        ));
    }
    if disliked {
        mail.push_str("X-Spam-Flag: YES\r\nX-Spam-Status: Yes, score=7.1 required=5.0 tests=URIBL_BLOCKED\r\n");
    }
    let mut mail = mail.into_bytes();
    mail.extend_from_slice(raw);
    super::habits::delivered(world, from, to, &mail);
    world.file_customer_mail(to, if junk { "Junk" } else { "INBOX" }, mail);
}

pub(crate) fn from_desk(world: &World, from: &str) -> bool {
    from.to_ascii_lowercase().ends_with(&format!("@{}", world.names.desk))
}

/// Only the footer of an agent's answer carries a link; that is what the filter dislikes.
fn has_link(world: &World, raw: &[u8]) -> bool {
    mime::search_text(raw).body.contains(&format!("https://{}/", world.names.desk))
}

/// What the sender of a message is to be told.
struct Notice<'a> {
    from: &'a str,
    to: &'a str,
    raw: &'a [u8],
    reply: &'a Reply,
    /// False: it is tried again.
    gave_up: bool,
}

/// Tells the sender that a message was given up or waits (RFC 3464), into the sender's mailbox.
fn report(world: &Arc<World>, notice: &Notice<'_>) {
    let Notice { from, to, raw, reply, gave_up } = *notice;
    let (action, subject, words) = if gave_up {
        ("failed", "Undelivered Mail Returned to Sender", "Your message could not be delivered to the recipient below.")
    } else {
        ("delayed", "Delayed Mail (still being retried)", "Your message is delayed; it is tried again.")
    };
    let status = match reply.status() {
        Some(status) => status.to_owned(),
        None if reply.is_transient() => "4.0.0".to_owned(),
        None => "5.0.0".to_owned(),
    };
    let remote = match to.rsplit_once('@') {
        Some((_, domain)) => format!("mx.{domain}"),
        None => "unknown".to_owned(),
    };
    let host = world.host(Door::ProviderMx);
    let at = mime::date(world.clock.now());
    let mark = world.pace.hex(16);
    let head = String::from_utf8_lossy(&raw[..mime::body_start(raw)]).into_owned();
    let boundary = format!("{mark}/{host}");
    let mail = format!(
        "Return-Path: <>\r\nDelivered-To: {from}\r\nDate: {at}\r\nFrom: MAILER-DAEMON@{host} (Mail Delivery System)\r\n\
         Subject: {subject}\r\nTo: {from}\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\n\
         Content-Transfer-Encoding: 8bit\r\nMessage-Id: <{mark}@{host}>\r\n\r\n\
         This is a MIME-encapsulated message.\r\n\r\n\
         --{boundary}\r\nContent-Description: Notification\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
         This is the mail system at host {host}.\r\n\r\n\
         {words}\r\n\r\n\
         <{to}>: host {remote} said: {reply}\r\n\r\n\
         --{boundary}\r\nContent-Description: Delivery report\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; {host}\r\nX-Queue-ID: {mark}\r\nArrival-Date: {at}\r\n\r\n\
         Final-Recipient: rfc822; {to}\r\nOriginal-Recipient: rfc822;{to}\r\nAction: {action}\r\nStatus: {status}\r\n\
         Remote-MTA: dns; {remote}\r\nDiagnostic-Code: smtp; {reply}\r\n\r\n\
         --{boundary}\r\nContent-Description: Undelivered Message Headers\r\nContent-Type: text/rfc822-headers\r\n\r\n\
         {head}\r\n--{boundary}--\r\n"
    );
    world.file_customer_mail(from, "INBOX", mail.into_bytes());
}
