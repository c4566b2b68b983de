//! Mailboxes against servers that behave badly, each on a port of its own.

mod dovecot;
mod intake;
mod rude;
mod server;

use jiff::{SignedDuration, Timestamp};
use replypath::clock::{Clock, ManualClock, SystemClock};
use replypath::engine::ports::{MailEvent, Mailboxes};
use replypath::mail::mailbox::ImapMailboxes;
use replypath::mail::stream::Limits;
use replypath::model::{
    Account, AuthMethod, Budget, MailKey, MailboxSettings, Position, ReceivedMail, ResultClass, ServerSettings, SubmissionSettings,
    TlsMode, TokenKey,
};
use secrecy::SecretString;
use server::{Folder, Idle, Server, raw};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{Receiver, channel};

/// No test needs so long; one that hangs fails here.
const PATIENCE: Duration = Duration::from_secs(30);

fn settings(port: u16, tls: TlsMode, password: &str) -> ServerSettings {
    ServerSettings {
        host: "127.0.0.1".into(),
        port,
        tls,
        ca: None,
        tls_name: None,
        user: "alice".into(),
        password: SecretString::from(password.to_owned()),
        auth: AuthMethod::Plain,
    }
}

fn account(server: ServerSettings) -> Account {
    Account {
        name: "alice".into(),
        address: "alice@customers.test".into(),
        display_name: "Alice".into(),
        aliases: Vec::new(),
        mailbox: MailboxSettings { server: server.clone(), poll: Duration::from_secs(1), junk_poll: Duration::from_secs(1) },
        submission: SubmissionSettings { server, timeout: Duration::from_secs(10) },
        budget: Budget::default(),
    }
}

struct Watch {
    boxes: ImapMailboxes,
    events: Receiver<MailEvent>,
    tokens: TokenKey,
}

fn open_with(account: Account, limits: Limits, clock: Arc<dyn Clock>) -> Watch {
    let (send, events) = channel(64);
    let tokens = TokenKey::new(b"test");
    let accounts = BTreeMap::from([(account.name.clone(), account)]);
    Watch { boxes: ImapMailboxes::with_limits(accounts, tokens.clone(), clock, send, limits), events, tokens }
}

fn open(port: u16) -> Watch {
    open_with(account(settings(port, TlsMode::None, "right")), Limits::default(), Arc::new(SystemClock))
}

/// Silence is noticed soon; upper bounds in the tests are far larger.
fn impatient() -> Limits {
    Limits { silence: Duration::from_millis(300), answer: Duration::from_secs(2), ..Limits::default() }
}

impl Watch {
    async fn event(&mut self) -> MailEvent {
        tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("an event in time").expect("a listener")
    }

    async fn mail(&mut self) -> ReceivedMail {
        loop {
            if let MailEvent::Arrived { mail, .. } = self.event().await {
                return *mail;
            }
        }
    }

    async fn remark(&mut self, wanted: &str) -> String {
        loop {
            if let MailEvent::Remark { kind, text, .. } = self.event().await
                && kind == wanted
            {
                return text;
            }
        }
    }

    /// Subjects that are reported by the next proof of reading, and remarks by kind.
    async fn checked(&mut self) -> Vec<String> {
        self.boxes.check_now("alice").await.expect("readable");
        let mut seen = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            seen.push(match event {
                MailEvent::Arrived { mail, .. } => mail.subject,
                MailEvent::Remark { kind, .. } => kind.to_owned(),
                MailEvent::Barrier(_) | MailEvent::Moved { .. } => "barrier".to_owned(),
            });
        }
        seen
    }
}

fn letter(subject: &str) -> String {
    format!(
        "From: Bob <bob@desk.test>\r\nTo: alice@customers.test\r\nSubject: {subject}\r\nMessage-ID: <{subject}@desk.test>\r\n\r\nHello\r\n"
    )
}

fn later() -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(1)
}

#[tokio::test]
async fn mail_is_reported_once_from_the_position_on_and_never_marked_as_read() {
    let server = Server::start();
    server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter("foreign"));
    let mut w = open(server.port);
    let from = w.boxes.position("alice").await.unwrap();
    assert_eq!((from.uidvalidity, from.uid_next), (7, 2));
    w.boxes.watch("alice", from, later(), true);
    server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter("one"));
    let mail = w.mail().await;
    assert_eq!((mail.subject.as_str(), mail.key.uid, mail.in_junk), ("one", 2, false));
    server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter("two"));
    assert_eq!(w.mail().await.subject, "two");
    assert!(w.checked().await.is_empty());
    let log = server.state.log.lock().unwrap();
    assert!(log.iter().all(|l| !l.contains("BODY[") && !l.contains("STORE")), "{log:?}");
    assert_eq!(server.state.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_earlier_position_reports_older_mail_and_a_later_one_changes_nothing() {
    let server = Server::start();
    for subject in ["one", "two", "three"] {
        server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter(subject));
    }
    let mut w = open(server.port);
    let at = Timestamp::now();
    w.boxes.watch("alice", Position { uidvalidity: 7, uid_next: 3, at }, later(), false);
    assert_eq!(w.checked().await, ["three"]);
    w.boxes.watch("alice", Position { uidvalidity: 7, uid_next: 2, at }, later(), false);
    assert_eq!(w.checked().await, ["two"]);
    w.boxes.watch("alice", Position { uidvalidity: 7, uid_next: 4, at }, later(), false);
    assert!(w.checked().await.is_empty());
}

#[tokio::test]
async fn a_silent_server_is_named_in_bounded_time() {
    let port = raw(|mut s| drop(s.read(&mut [0; 1])));
    let w = open_with(account(settings(port, TlsMode::None, "right")), impatient(), Arc::new(SystemClock));
    let began = Instant::now();
    let trouble = w.boxes.position("alice").await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!((trouble.class, trouble.fault), (ResultClass::Unavailable, "mailbox-unavailable"));
    assert!(trouble.message.contains("greeting"), "{}", trouble.message);
}

#[tokio::test]
async fn a_refused_connection_is_named_and_doctor_does_not_wait_for_it() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let w = open(port);
    let began = Instant::now();
    let trouble = w.boxes.doctor("alice").await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(trouble.message.contains("refuses the connection"), "{}", trouble.message);
}

#[tokio::test]
async fn a_server_that_falls_silent_in_idle_costs_the_connection_but_no_answer() {
    let server = Server::start();
    *server.state.idle.lock().unwrap() = Idle::Silent;
    let (entered, idling) = std::sync::mpsc::channel();
    *server.state.on_idle.lock().unwrap() = Some(Box::new(move |_| entered.send(()).map_or(0, |()| 1)));
    let limits = Limits { answer: Duration::from_secs(20), ..impatient() };
    let mut w = open_with(account(settings(server.port, TlsMode::None, "right")), limits, Arc::new(SystemClock));
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, later(), false);
    tokio::task::spawn_blocking(move || idling.recv_timeout(PATIENCE).unwrap()).await.unwrap();
    *server.state.idle.lock().unwrap() = Idle::Proper;
    w.boxes.check_now("alice").await.unwrap();
    let text = w.remark("reconnected").await;
    assert!(text.contains("did not answer in time"), "{text}");
    server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter("after"));
    assert_eq!(w.mail().await.subject, "after");
}

#[tokio::test]
async fn an_idle_answered_by_a_tagged_ok_turns_into_polling() {
    let server = Server::start();
    *server.state.idle.lock().unwrap() = Idle::TaggedOk;
    let mail = letter("polled");
    *server.state.on_idle.lock().unwrap() = Some(Box::new(move |s| s.inbox.lock().unwrap().add(Timestamp::now(), &mail)));
    let mut w = open(server.port);
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, later(), false);
    assert_eq!(w.mail().await.subject, "polled");
    assert_eq!(server.state.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_announcement_before_the_plus_of_idle_is_heard() {
    let server = Server::start();
    *server.state.idle.lock().unwrap() = Idle::ExistsFirst;
    let mail = letter("early");
    *server.state.on_idle.lock().unwrap() = Some(Box::new(move |s| s.inbox.lock().unwrap().add(Timestamp::now(), &mail)));
    let mut slow = account(settings(server.port, TlsMode::None, "right"));
    // A poll would come too late for this test's patience.
    slow.mailbox.poll = Duration::from_secs(120);
    slow.mailbox.junk_poll = Duration::from_secs(120);
    let mut w = open_with(slow, Limits::default(), Arc::new(SystemClock));
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, later(), false);
    assert_eq!(w.mail().await.subject, "early");
}

#[tokio::test]
async fn a_question_interrupts_idle_at_once_and_keeps_the_session() {
    let server = Server::start();
    let (entered, idling) = std::sync::mpsc::channel();
    *server.state.on_idle.lock().unwrap() = Some(Box::new(move |_| entered.send(()).map_or(0, |()| 1)));
    let mut slow = account(settings(server.port, TlsMode::None, "right"));
    slow.mailbox.poll = Duration::from_secs(120);
    slow.mailbox.junk_poll = Duration::from_secs(120);
    let w = open_with(slow, Limits::default(), Arc::new(SystemClock));
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, later(), false);
    tokio::task::spawn_blocking(move || idling.recv_timeout(PATIENCE).unwrap()).await.unwrap();
    let began = Instant::now();
    w.boxes.check_now("alice").await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(server.state.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_dead_idle_is_remarked_when_a_poll_finds_what_it_kept_back() {
    let server = Server::start();
    *server.state.idle.lock().unwrap() = Idle::Dead;
    let start = Timestamp::now();
    let clock = ManualClock::new(start);
    let (theirs, mail) = (clock.clone(), letter("kept back"));
    *server.state.on_idle.lock().unwrap() = Some(Box::new(move |s| {
        let uid = s.inbox.lock().unwrap().add(start + SignedDuration::from_secs(2), &mail);
        theirs.advance(Duration::from_secs(60));
        uid
    }));
    let mut w = open_with(account(settings(server.port, TlsMode::None, "right")), Limits::default(), Arc::new(clock));
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, later(), false);
    assert_eq!(w.mail().await.subject, "kept back");
    w.remark("idle-dead").await;
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_of_a_mail_is_made_anew_and_the_mail_is_read() {
    let server = Server::start();
    let mut w = open(server.port);
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, later(), true);
    server.state.cut_fetch.store(true, Ordering::SeqCst);
    server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter("whole"));
    w.remark("reconnected").await;
    assert_eq!(w.mail().await.subject, "whole");
    assert!(w.checked().await.is_empty());
    assert_eq!(server.state.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_line_without_end_is_cut_off_by_the_byte_budget() {
    let server = Server::start();
    server.state.endless.store(true, Ordering::SeqCst);
    let limits = Limits { response_bytes: 100_000, ..Limits::default() };
    let w = open_with(account(settings(server.port, TlsMode::None, "right")), limits, Arc::new(SystemClock));
    let trouble = w.boxes.doctor("alice").await.unwrap_err();
    assert!(trouble.message.contains("larger than any mailbox needs"), "{}", trouble.message);
    w.boxes.check_now("alice").await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_named_without_being_told() {
    let server = Server::start();
    let w = open_with(account(settings(server.port, TlsMode::None, "hunter2")), Limits::default(), Arc::new(SystemClock));
    let began = Instant::now();
    let trouble = w.boxes.position("alice").await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!((trouble.class, trouble.fault), (ResultClass::Unauthorised, "mailbox-login-refused"));
    assert!(trouble.message.contains("AUTHENTICATIONFAILED") && trouble.message.contains("app password"), "{}", trouble.message);
    assert!(!trouble.message.contains("hunter2") && !format!("{trouble:?}").contains("hunter2"), "{}", trouble.message);
    // The same answer again does not knock at the server again.
    let again = w.boxes.check_now("alice").await.unwrap_err();
    assert_eq!(again, trouble);
    assert_eq!(server.state.connections.load(Ordering::SeqCst), 1);
    w.boxes.reload(BTreeMap::from([("alice".to_owned(), account(settings(server.port, TlsMode::None, "right")))]));
    w.boxes.check_now("alice").await.unwrap();
}

#[tokio::test]
async fn xoauth2_answers_the_error_challenge_and_keeps_its_words() {
    let port = raw(|s| {
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(s.try_clone().unwrap()));
        let mut s = s;
        let mut next = || lines.next().and_then(Result::ok).unwrap_or_default();
        write!(s, "* OK hello\r\n").unwrap();
        next();
        write!(s, "* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\r\na1 OK done\r\n").unwrap();
        assert_eq!(next(), "a2 AUTHENTICATE XOAUTH2");
        write!(s, "+ \r\n").unwrap();
        assert_eq!(next(), "dXNlcj1hbGljZQFhdXRoPUJlYXJlciB0MGtlbgEB");
        write!(s, "+ eyJzdGF0dXMiOiI0MDEifQ==\r\n").unwrap();
        if next().is_empty() {
            let _ = write!(s, "a2 NO SASL authentication failed\r\n");
        }
        next();
    });
    let mut oauth = settings(port, TlsMode::None, "t0ken");
    oauth.auth = AuthMethod::Xoauth2;
    let w = open_with(account(oauth), Limits::default(), Arc::new(SystemClock));
    let trouble = w.boxes.doctor("alice").await.unwrap_err();
    assert_eq!(trouble.fault, "mailbox-login-refused");
    assert!(trouble.message.contains("\"status\":\"401\"") && trouble.message.contains("token"), "{}", trouble.message);
}

#[tokio::test]
async fn plain_text_slipped_in_after_starttls_is_refused_before_any_login() {
    let (send, heard) = std::sync::mpsc::channel();
    let port = raw(move |s| {
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(s.try_clone().unwrap()));
        let mut s = s;
        write!(s, "* OK hello\r\n").unwrap();
        lines.next();
        write!(s, "* CAPABILITY IMAP4rev1 STARTTLS\r\ns1 OK done\r\n").unwrap();
        lines.next();
        write!(s, "s2 OK go\r\n* CAPABILITY IMAP4rev1 LOGIN\r\na1 OK injected\r\n").unwrap();
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        send.send(rest).unwrap();
    });
    let w = open_with(account(settings(port, TlsMode::Starttls, "secret-word")), Limits::default(), Arc::new(SystemClock));
    let trouble = w.boxes.doctor("alice").await.unwrap_err();
    assert_eq!(trouble.fault, "mailbox-unavailable");
    w.boxes.shutdown().await;
    let rest = tokio::task::spawn_blocking(move || heard.recv_timeout(PATIENCE).unwrap()).await.unwrap();
    assert!(rest.iter().all(|l| !l.contains("secret-word") && !l.contains("LOGIN")), "{rest:?}");
}

#[tokio::test]
async fn a_server_without_starttls_gets_no_password() {
    let server = Server::start();
    let w = open_with(account(settings(server.port, TlsMode::Starttls, "right")), Limits::default(), Arc::new(SystemClock));
    let trouble = w.boxes.doctor("alice").await.unwrap_err();
    assert!(trouble.message.contains("does not offer it"), "{}", trouble.message);
    assert!(!server.state.saw("LOGIN"));
}

#[tokio::test]
async fn after_a_renumbering_mail_is_found_by_its_date() {
    let server = Server::start();
    let mut w = open(server.port);
    let now = Timestamp::now();
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, later(), false);
    let mut fresh = Folder::new(8);
    fresh.add(now - SignedDuration::from_hours(5), &letter("long ago"));
    fresh.add(now, &letter("the answer"));
    *server.state.inbox.lock().unwrap() = fresh;
    // The next position opens INBOX anew.
    assert_eq!(w.boxes.position("alice").await.unwrap().uidvalidity, 8);
    let text = w.remark("uidvalidity-changed").await;
    assert!(text.contains("7 -> 8"), "{text}");
    assert_eq!(w.mail().await.subject, "the answer");
    w.boxes.watch("alice", from, later(), false);
    assert!(w.checked().await.is_empty());
}

#[tokio::test]
async fn junk_is_looked_into_while_somebody_waits() {
    let server = Server::start();
    server.state.junk.lock().unwrap().add(Timestamp::now() - SignedDuration::from_hours(30), &letter("old rubbish"));
    let mut w = open(server.port);
    let from = w.boxes.position("alice").await.unwrap();
    server.state.junk.lock().unwrap().add(Timestamp::now(), &letter("first"));
    w.boxes.watch("alice", from, later(), true);
    let mail = w.mail().await;
    assert_eq!((mail.subject.as_str(), mail.in_junk, mail.key.folder.as_str()), ("first", true, "Junk"));
    server.state.junk.lock().unwrap().add(Timestamp::now(), &letter("second"));
    assert_eq!(w.mail().await.subject, "second");
    assert!(w.checked().await.is_empty());
}

#[tokio::test]
async fn foreign_mail_before_the_position_is_not_read() {
    let server = Server::start();
    for n in 0..3_000 {
        server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter(&format!("foreign{n}")));
    }
    let mut w = open(server.port);
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, later(), true);
    for n in 0..250 {
        server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter(&format!("new{n}")));
    }
    for n in 0..250 {
        assert_eq!(w.mail().await.subject, format!("new{n}"));
    }
    let log = server.state.log.lock().unwrap();
    let fetches: Vec<&String> = log.iter().filter(|l| l.starts_with("UID FETCH")).collect();
    assert!(fetches.iter().all(|l| l.starts_with("UID FETCH 3")), "{fetches:?}");
}

#[tokio::test]
async fn a_large_mail_is_read_in_part_with_its_true_size() {
    let server = Server::start();
    let mut w = open(server.port);
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, later(), true);
    let text = letter("large") + "0123456789abcde\r\n".repeat(100_000).as_str();
    server.state.inbox.lock().unwrap().add(Timestamp::now(), &text);
    server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter("small"));
    let mail = w.mail().await;
    assert_eq!((mail.subject.as_str(), mail.size), ("large", text.len() as u64));
    assert!(mail.sha256.is_empty() && mail.text.len() < 300_000);
    assert_eq!(w.mail().await.subject, "small");
}

#[tokio::test]
async fn a_search_finds_tokens_and_ids_in_every_folder_and_returns_to_inbox() {
    let server = Server::start();
    let mut w = open(server.port);
    let token = w.tokens.token("run", "send");
    let since = w.boxes.position("alice").await.unwrap();
    server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter("stranger"));
    server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter("by-id"));
    server.state.junk.lock().unwrap().add(Timestamp::now(), &letter(&format!("Re: parcel {token}")));
    let ids = vec!["<by-id@desk.test>".to_owned()];
    let found = w.boxes.search_everywhere("alice", since, &[token], &ids).await.unwrap();
    let found: Vec<(bool, u32)> = found.iter().map(|m| (m.in_junk, m.key.uid)).collect();
    assert_eq!(found, [(false, 2), (true, 1)]);
    // Nothing was lost for the watch.
    let mut inbox = Vec::new();
    while inbox.len() < 2 {
        let mail = w.mail().await;
        inbox.extend((!mail.in_junk).then_some(mail.subject));
    }
    assert_eq!(inbox, ["stranger", "by-id"]);
}

fn key(uidvalidity: u32, uid: u32) -> MailKey {
    MailKey { folder: "INBOX".into(), uidvalidity, uid }
}

#[tokio::test]
async fn only_the_named_messages_are_removed() {
    let server = Server::start();
    for subject in ["ours", "foreign", "flagged"] {
        server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter(subject));
    }
    server.state.inbox.lock().unwrap().mails[2].deleted = true;
    let w = open(server.port);
    let removed = w.boxes.remove("alice", &[key(7, 1), key(6, 2)]).await.unwrap();
    assert_eq!(removed.removed, [key(7, 1)]);
    assert_eq!(removed.left.len(), 1);
    assert!(removed.left[0].1.contains("renumbered"), "{:?}", removed.left);
    assert_eq!(server.state.inbox.lock().unwrap().mails.iter().map(|m| m.uid).collect::<Vec<_>>(), [2, 3]);
}

#[tokio::test]
async fn without_uidplus_nothing_is_expunged_beside_foreign_deleted_mail() {
    let server = Server::start();
    server.state.uidplus.store(false, Ordering::SeqCst);
    for subject in ["ours", "foreign"] {
        server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter(subject));
    }
    server.state.inbox.lock().unwrap().mails[1].deleted = true;
    let w = open(server.port);
    let removed = w.boxes.remove("alice", &[key(7, 1)]).await.unwrap();
    assert!(removed.removed.is_empty() && removed.left[0].1.contains("EXPUNGE"), "{removed:?}");
    assert!(!server.state.inbox.lock().unwrap().mails[0].deleted);
    server.state.inbox.lock().unwrap().mails.pop();
    let removed = w.boxes.remove("alice", &[key(7, 1)]).await.unwrap();
    assert_eq!(removed.removed, [key(7, 1)]);
}

#[tokio::test]
async fn a_full_mailbox_is_named() {
    let server = Server::start();
    server.state.over_quota.store(true, Ordering::SeqCst);
    let w = open(server.port);
    for trouble in [w.boxes.doctor("alice").await.unwrap_err(), w.boxes.check_now("alice").await.unwrap_err()] {
        assert_eq!((trouble.class, trouble.fault), (ResultClass::Denied, "mailbox-full"));
    }
    assert_eq!(server.state.connections.load(Ordering::SeqCst), 1);
    server.state.over_quota.store(false, Ordering::SeqCst);
    let lines = w.boxes.doctor("alice").await.unwrap();
    assert!(lines.iter().any(|l| l.contains("Junk")) && lines.iter().any(|l| l.contains("10 of 1000 KiB")), "{lines:?}");
}

#[tokio::test]
async fn a_mailbox_nobody_needs_is_closed_and_opened_again_when_needed() {
    let server = Server::start();
    let clock = ManualClock::new(Timestamp::now());
    let limits = Limits { close_after: Duration::from_millis(50), ..Limits::default() };
    let mut w = open_with(account(settings(server.port, TlsMode::None, "right")), limits, Arc::new(clock.clone()));
    w.boxes.check_now("alice").await.unwrap();
    let until = Instant::now() + PATIENCE;
    while !server.state.saw("LOGOUT") {
        assert!(Instant::now() < until, "not closed");
        tokio::task::yield_now().await;
    }
    let from = w.boxes.position("alice").await.unwrap();
    assert_eq!(server.state.connections.load(Ordering::SeqCst), 2);
    server.state.inbox.lock().unwrap().add(clock.now(), &letter("hello"));
    w.boxes.watch("alice", from, clock.now(), true);
    assert_eq!(w.mail().await.subject, "hello");
}

#[tokio::test]
async fn shutdown_ends_a_listener_in_idle() {
    let server = Server::start();
    let (entered, idling) = std::sync::mpsc::channel();
    *server.state.on_idle.lock().unwrap() = Some(Box::new(move |_| entered.send(()).map_or(0, |()| 1)));
    let w = open(server.port);
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, later(), false);
    tokio::task::spawn_blocking(move || idling.recv_timeout(PATIENCE).unwrap()).await.unwrap();
    let mut events = w.events;
    w.boxes.shutdown().await;
    drop(w.boxes);
    // The listener held the last sender.
    assert!(tokio::time::timeout(PATIENCE, events.recv()).await.expect("ended").is_none());
}
