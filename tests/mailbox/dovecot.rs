//! Against a real Dovecot with Postfix before it. `REPLYPATH_TEST_IMAP` names the folder of a running
//! mail stack, then its first port: `DIR,20000`. Without it the tests only say that they did not run.
//! Further words switch on what disturbs others: `DIR,20000,/path/of/stack-command` also stops and
//! starts Dovecot.

use super::{Watch, account, open_with};
use jiff::{SignedDuration, Timestamp};
use replypath::clock::SystemClock;
use replypath::engine::ports::{MailEvent, Mailboxes};
use replypath::mail::stream::Limits;
use replypath::model::{AuthMethod, ResultClass, ServerSettings, TlsMode};
use secrecy::SecretString;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Stack {
    dir: PathBuf,
    base: u16,
    command: Option<String>,
}

fn stack() -> Option<Stack> {
    let Ok(text) = std::env::var("REPLYPATH_TEST_IMAP") else {
        println!("not run: REPLYPATH_TEST_IMAP=DIR,PORT names no mail stack");
        return None;
    };
    let mut words = text.split(',');
    let dir = PathBuf::from(words.next()?);
    Some(Stack { dir, base: words.next()?.parse().ok()?, command: words.next().map(str::to_owned) })
}

impl Stack {
    fn server(&self, user: u32, tls: TlsMode) -> ServerSettings {
        let port = self.base + if tls == TlsMode::Implicit { 993 } else { 143 };
        ServerSettings {
            host: "127.0.0.1".into(),
            port,
            tls,
            ca: (tls != TlsMode::None).then(|| self.dir.join("tls/ca.pem")),
            tls_name: None,
            user: format!("customer{user}@customers.test"),
            password: SecretString::from("secret"),
            auth: AuthMethod::Plain,
        }
    }

    fn open(&self, server: ServerSettings) -> Watch {
        let mut alice = account(server);
        alice.mailbox.poll = Duration::from_secs(10);
        alice.mailbox.junk_poll = Duration::from_secs(10);
        open_with(alice, Limits::default(), Arc::new(SystemClock))
    }

    /// Hands a mail to Dovecot by LMTP; returns when Dovecot has it.
    fn deliver(&self, user: u32, subject: &str) {
        let socket = TcpStream::connect(("127.0.0.1", self.base + 24)).unwrap();
        let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
        let mut socket = socket;
        let text = super::letter(subject);
        let steps = [
            "LHLO test".to_owned(),
            "MAIL FROM:<bob@desk.test>".to_owned(),
            format!("RCPT TO:<customer{user}@customers.test>"),
            "DATA".to_owned(),
            format!("{text}."),
        ];
        let mut answer = || loop {
            let line = lines.next().unwrap().unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        };
        answer();
        for step in steps {
            write!(socket, "{step}\r\n").unwrap();
            let line = answer();
            assert!(line.starts_with(['2', '3']), "{step}: {line}");
        }
    }

    fn dovecot(&self, what: &[&str]) {
        let config = self.dir.join("dovecot/dovecot.conf");
        run("doveadm", &config, what);
    }
}

fn run(program: &str, config: &Path, what: &[&str]) {
    let status = std::process::Command::new(program).arg("-c").arg(config).args(what).status().unwrap();
    assert!(status.success(), "{program} {what:?}");
}

/// Milliseconds on a processor of all listener threads.
fn thread_run_ms() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let one = |t: std::fs::DirEntry| {
        let name = std::fs::read_to_string(t.path().join("comm")).ok()?;
        let stat = std::fs::read_to_string(t.path().join("schedstat")).ok()?;
        let ns: f64 = stat.split_ascii_whitespace().next()?.parse().ok()?;
        name.starts_with("mail ").then_some(ns / 1e6)
    };
    tasks.flatten().filter_map(one).sum()
}

async fn lag(stack: &Stack, w: &mut Watch, user: u32, count: usize, soon: bool) -> Vec<f64> {
    let mut lags = Vec::new();
    for n in 0..count {
        let from = w.boxes.position("alice").await.unwrap();
        w.boxes.watch("alice", from, Timestamp::now() + SignedDuration::from_mins(10), soon);
        // Like a desk: the answer takes a moment.
        tokio::time::sleep(Duration::from_millis(if soon { 120 } else { 300 })).await;
        let subject = format!("lag{n}");
        let theirs = Stack { dir: stack.dir.clone(), base: stack.base, command: None };
        tokio::task::spawn_blocking(move || theirs.deliver(user, &subject)).await.unwrap();
        let delivered = Instant::now();
        let mail = w.mail().await;
        lags.push(delivered.elapsed().as_secs_f64() * 1e3);
        assert_eq!(mail.subject, format!("lag{n}"));
        let removed = w.boxes.remove("alice", &[mail.key]).await.unwrap();
        assert_eq!((removed.removed.len(), removed.left.len()), (1, 0));
    }
    lags.sort_by(f64::total_cmp);
    lags
}

#[tokio::test]
async fn a_real_mailbox_is_watched_searched_and_cleaned() {
    let Some(stack) = stack() else { return };
    for (user, tls) in [(11, TlsMode::Implicit), (12, TlsMode::Starttls), (13, TlsMode::None)] {
        let mut w = stack.open(stack.server(user, tls));
        println!("{tls:?}: {:#?}", w.boxes.doctor("alice").await.unwrap());
        let before = thread_run_ms();
        let lags = lag(&stack, &mut w, user, 40, true).await;
        let cpu = (thread_run_ms() - before) / 40.0;
        println!("{tls:?} soon: lag ms p50 {:.0} max {:.0}; listener CPU {cpu:.2} ms a mail", lags[20], lags[39]);
        assert!(lags[20] < 10_000.0);
        let idle = lag(&stack, &mut w, user, 6, false).await;
        println!("{tls:?} idle: lag ms p50 {:.0} max {:.0}", idle[3], idle[5]);
        w.boxes.shutdown().await;
    }
}

#[tokio::test]
async fn a_real_search_sees_every_folder() {
    let Some(stack) = stack() else { return };
    let mut w = stack.open(stack.server(14, TlsMode::Implicit));
    let token = w.tokens.token("run", "send");
    let since = w.boxes.position("alice").await.unwrap();
    stack.deliver(14, &format!("Re: {token}"));
    let key = w.mail().await.key;
    stack.dovecot(&["mailbox", "create", "-u", "customer14@customers.test", "Odd Place"]);
    stack.dovecot(&["move", "-u", "customer14@customers.test", "Odd Place", "mailbox", "INBOX", "subject", token.as_str()]);
    let found = w.boxes.search_everywhere("alice", since, std::slice::from_ref(&token), &[]).await.unwrap();
    let places: Vec<&str> = found.iter().map(|m| m.key.folder.as_str()).collect();
    println!("found in {places:?}, was {key:?}");
    assert_eq!(found.len(), 1);
    let keys: Vec<_> = found.into_iter().map(|m| m.key).collect();
    assert_eq!(w.boxes.remove("alice", &keys).await.unwrap().removed, keys);
    stack.dovecot(&["mailbox", "delete", "-u", "customer14@customers.test", "Odd Place"]);
}

#[tokio::test]
async fn real_refusals_are_named() {
    let Some(stack) = stack() else { return };
    let mut wrong = stack.server(15, TlsMode::Implicit);
    wrong.password = SecretString::from("not-it");
    let trouble = stack.open(wrong).boxes.position("alice").await.unwrap_err();
    println!("{}", trouble.message);
    assert_eq!(trouble.class, ResultClass::Unauthorised);
    let mut unknown = stack.server(15, TlsMode::Implicit);
    unknown.ca = None;
    let trouble = stack.open(unknown).boxes.position("alice").await.unwrap_err();
    println!("{}", trouble.message);
    assert!(trouble.message.contains("unknown authority") || trouble.message.contains("certificate"), "{}", trouble.message);
    let mut other = stack.server(15, TlsMode::Starttls);
    other.tls_name = Some("elsewhere.test".into());
    let trouble = stack.open(other).boxes.position("alice").await.unwrap_err();
    println!("{}", trouble.message);
    assert!(trouble.message.contains("tls_name"), "{}", trouble.message);
    let mut plain = stack.server(15, TlsMode::None);
    plain.port = stack.base + 993;
    let trouble = stack.open(plain).boxes.doctor("alice").await.unwrap_err();
    println!("{}", trouble.message);
}

#[tokio::test]
async fn a_real_server_may_go_and_come_back() {
    let Some(stack) = stack() else { return };
    let Some(command) = stack.command.clone() else {
        println!("not run: no command that stops and starts Dovecot is named");
        return;
    };
    let mut w = stack.open(stack.server(16, TlsMode::Implicit));
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, Timestamp::now() + SignedDuration::from_mins(10), true);
    stack.dovecot(&["stop"]);
    let gone = Instant::now();
    // Dovecot's sessions outlive its master by a moment.
    let trouble = loop {
        if let Err(trouble) = w.boxes.check_now("alice").await {
            break trouble;
        }
        assert!(gone.elapsed() < super::PATIENCE, "the server does not go");
    };
    println!("down, after {:.1} s: {}", gone.elapsed().as_secs_f64(), trouble.message);
    run_start(&command, &stack);
    let back = Instant::now();
    println!("{} ({:.2} s after the start)", w.remark("reconnected").await, back.elapsed().as_secs_f64());
    stack.deliver(16, "after");
    assert_eq!(w.mail().await.subject, "after");
    while let Ok(event) = w.events.try_recv() {
        assert!(!matches!(event, MailEvent::Remark { .. }), "{event:?}");
    }
}

fn run_start(command: &str, stack: &Stack) {
    let status = std::process::Command::new(command)
        .arg("start")
        .env("MAILSTACK_DIR", &stack.dir)
        .env("MAILSTACK_BASE", stack.base.to_string())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn many_real_mailboxes_cost_little_memory() {
    let Some(stack) = stack() else { return };
    let mut accounts = std::collections::BTreeMap::new();
    for n in 51..101 {
        let mut a = account(stack.server(n, TlsMode::Implicit));
        a.name = format!("customer{n}");
        a.mailbox.poll = Duration::from_secs(60);
        accounts.insert(a.name.clone(), a);
    }
    let (send, _events) = tokio::sync::mpsc::channel(64);
    let names: Vec<String> = accounts.keys().cloned().collect();
    let tokens = replypath::model::TokenKey::new(b"test");
    let boxes = replypath::mail::mailbox::ImapMailboxes::new(accounts, tokens, Arc::new(SystemClock), send);
    let memory = || {
        let text = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = text.lines().find(|l| l.starts_with("RssAnon:")).unwrap().to_owned();
        line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    boxes.position(&names[0]).await.unwrap();
    let before = memory();
    for name in &names[1..] {
        let from = boxes.position(name).await.unwrap();
        boxes.watch(name, from, Timestamp::now() + SignedDuration::from_mins(10), false);
    }
    println!("49 mailboxes: {} kB anonymous memory each", (memory() - before) / 49);
    boxes.shutdown().await;
}
