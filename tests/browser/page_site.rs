//! The daemon itself with its pages, on a store that was filled before it started.

use crate::chrome::Chrome;
use crate::runs::{blank, hostile, judge};
use jiff::{SignedDuration, Timestamp};
use replypath::clock::SystemClock;
use replypath::config::{self, Config, DeskFiles};
use replypath::engine::ports::{Step, Store};
use replypath::model::*;
use replypath::sandbox::Sandbox;
use replypath::store::SqliteStore;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// The operators' token.
pub const TOKEN: &str = "operators-token-0123";

/// Probes by name, with what tells them apart. None starts by itself: the next 29 February is far away.
const PROBES: [(&str, &str); 5] = [
    ("billing", "[email]\nto = \"billing@desk.test\"\nsubject = \"Invoice ${token}\"\ntext = \"Hello ${token}\"\n"),
    ("sales", "[email]\nto = \"sales@desk.test\"\nsubject = \"Offer ${token}\"\ntext = \"Hello ${token}\"\n"),
    // Short, to be run by hand.
    (
        "support",
        "only = [\"send\", \"accept\", \"land\"]\n[email]\nto = \"support@desk.test\"\nsubject = \"Help ${token}\"\ntext = \"Hello\"\n",
    ),
    ("contact-form", "[form]\npage = \"http://127.0.0.1:9/contact\"\nsubject = \"Stock ${token}\"\ntext = \"Hello ${token}\"\n"),
    ("chat", "[chat]\npage = \"http://127.0.0.1:9/chat\"\ntext = \"Hello ${token}\"\n"),
];

/// A configuration and a store.
pub struct Site {
    folder: tempfile::TempDir,
    config: Config,
    now: Timestamp,
}

impl Site {
    /// With nothing in its store. Without a sandbox its desk and mailbox answer nobody.
    pub fn new(sandbox: Option<&Sandbox>) -> Site {
        let folder = tempfile::tempdir().expect("a folder");
        let (mail, desk) = match sandbox {
            Some(sandbox) => {
                let alice = &sandbox.accounts[0];
                let host =
                    |kind: &str, port: u16| format!("[accounts.alice.{kind}]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n");
                let user = format!("user = \"{}\"\npassword = \"{}\"\n", alice.user, alice.password);
                let imap = format!("{}{user}poll = \"1s\"\n", host("imap", sandbox.imap.port()));
                (format!("{imap}{}", host("smtp", sandbox.smtp.port())), (sandbox.web.clone(), sandbox.api_key.clone()))
            }
            None => {
                let nobody = "host = \"127.0.0.1\"\nport = 9\ntls = \"none\"\n";
                let mail = format!("[accounts.alice.imap]\n{nobody}user = \"alice\"\npassword = \"x\"\n[accounts.alice.smtp]\n{nobody}");
                (mail, ("http://127.0.0.1:9".to_owned(), "x".to_owned()))
            }
        };
        let main = format!(
            "[page]\ntoken = \"{TOKEN}\"\npublic = true\n[accounts.alice]\naddress = \"alice@customers.test\"\nname = \"Alice\"\n{mail}\
             [desks.desk]\nuse = \"sandbox\"\n[desks.desk.params]\nurl = \"{}\"\nkey = \"{}\"\n",
            desk.0, desk.1
        );
        std::fs::create_dir(folder.path().join("probes")).expect("a folder");
        std::fs::write(folder.path().join("replypath.toml"), main).expect("a file");
        for (name, more) in PROBES {
            let text = format!(
                "description = \"The {name} team answers\"\nowner = \"{name} team\"\naccount = \"alice\"\ndesk = \"desk\"\n\
                 cron = \"0 3 29 2 *\"\nzone = \"UTC\"\n{more}"
            );
            std::fs::write(folder.path().join(format!("probes/{name}.toml")), text).expect("a file");
        }
        let config = config::load(folder.path(), &|_| None, &DeskFiles).unwrap_or_else(|problems| panic!("{problems:?}"));
        Site { folder, config, now: Timestamp::now() }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn probe(&self, name: &str) -> &Probe {
        &self.config.probes[name]
    }

    /// A run by schedule that began so many minutes ago.
    fn run(&self, probe: &str, minutes: i64, verdict: Verdict) -> Run {
        let started = self.now - SignedDuration::from_mins(minutes);
        let mut run = blank(&format!("r{}{minutes}", probe.replace('-', "")), self.probe(probe), Trigger::Scheduled, started);
        judge(&mut run, verdict);
        run.ticket = Some(TicketRef { id: "1249".to_owned(), number: "SB-1249".to_owned() });
        run.mails.push(answer(&run, verdict != Verdict::Pass));
        run
    }

    async fn keep(&self, runs: impl IntoIterator<Item = Run>) {
        let store = SqliteStore::open(&self.state(), "before", Arc::new(SystemClock)).expect("a store");
        for run in runs {
            let begun = Run { finished: None, phase: Phase::Active, diagnosis: None, ..run.clone() };
            store.create_run(&begun).await.expect("a run");
            let claim = store.claim(&run.id).await.expect("a store").expect("a claim");
            let step = Step { run: &run, epoch: claim.epoch, due: None, hold: false, taken: &[], observations_kept: 0, durable: false };
            store.commit(step).await.expect("a step");
        }
    }

    /// Every reply path worked in the last two hours.
    pub async fn well(&self) {
        let passed = |(name, _): &(&'static str, &str)| {
            let name = *name;
            (1..=8).rev().map(move |n| self.run(name, n * 15, Verdict::Pass))
        };
        self.keep(PROBES.iter().flat_map(passed)).await;
    }

    /// The same, and then `billing` failed twice and `sales` could not be judged.
    pub async fn broken(&self) {
        self.well().await;
        let last = [("billing", 10, Verdict::Fail), ("sales", 8, Verdict::Unknown), ("billing", 3, Verdict::Fail)];
        self.keep(last.map(|(probe, minutes, verdict)| self.run(probe, minutes, verdict))).await;
    }

    /// The same, and then a stranger had a hand in the run `rhostile` of `billing`.
    pub async fn struck(&self) {
        self.broken().await;
        self.keep([hostile(self.probe("billing"), self.now - SignedDuration::from_mins(1))]).await;
    }

    /// The daemon on a port of its own choice (0) or on this one.
    pub fn serve(&self, port: u16) -> Daemon {
        let mut command = Command::new(env!("CARGO_BIN_EXE_replypath"));
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--config"]).arg(self.folder.path());
        command.env_remove("RUST_LOG").env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program");
        let mut lines = BufReader::new(child.stderr.take().expect("its words")).lines().map_while(Result::ok);
        let mut said = Vec::new();
        let port = lines.by_ref().find_map(|line| {
            let port = line.split_once("address=127.0.0.1:").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
            said.push(line);
            port
        });
        let port = port.unwrap_or_else(|| panic!("it does not serve: {said:#?}"));
        std::thread::spawn(move || lines.count());
        Daemon { child, port }
    }
}

/// The agent's answer as it came back.
fn answer(run: &Run, in_junk: bool) -> SeenMail {
    let time = |s: i64| run.started + SignedDuration::from_secs(s);
    let folder = if in_junk { "Junk" } else { "INBOX" };
    let header = |name: &str, value: String| (name.to_owned(), value);
    let stamp = |at: Timestamp| at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
    let token = run.messages[0].token.clone();
    let mail = ReceivedMail {
        key: MailKey { folder: folder.to_owned(), uidvalidity: 1, uid: 7 },
        in_junk,
        received: Some(time(20)),
        date: Some(time(12)),
        from: "help@desk.test".to_owned(),
        from_name: "Help desk".to_owned(),
        subject: format!("Re: Invoice {token} [SB-1249]"),
        text: format!("Hello Alice,\n\nyour invoice is on its way. {token}\n"),
        attachments: vec![Attachment {
            name: "invoice.pdf".to_owned(),
            content_type: "application/pdf".to_owned(),
            size: Some(9),
            sha256: None,
        }],
        headers: vec![
            header("Received", format!("from mx.desk.test by mx.customers.test with ESMTPS id 4; {}", stamp(time(18)))),
            header("Received", format!("from app.desk.test by mx.desk.test; {}", stamp(time(13)))),
            header("Message-ID", "<answer-1249@desk.test>".to_owned()),
            header("In-Reply-To", format!("<{}@customers.test>", run.id)),
            header("From", "Help desk <help@desk.test>".to_owned()),
            header("X-Spam-Status", if in_junk { "Yes, score=7.1" } else { "No, score=0.1" }.to_owned()),
        ],
        ..ReceivedMail::default()
    };
    SeenMail { role: MailRole::Answer, seen: time(21), mail }
}

/// A daemon under way; killed when dropped.
pub struct Daemon {
    child: Child,
    pub port: u16,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    /// A page's address.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The API's answer to an operator.
    pub async fn api(&self, path: &str) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = client.get(self.url(path)).bearer_auth(TOKEN).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    }

    /// Sends it a signal: `HUP` lets it read its configuration again, `STOP` halts it and keeps its connections.
    pub fn signal(&self, signal: Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).expect("a signal");
    }

    /// Signs the reader of this browser in, by the form.
    pub async fn sign_in(&self, chrome: &Chrome) {
        chrome.go(&self.url("/login")).await;
        let fill = "document.getElementById('token').value = arguments[0]; document.querySelector('main form').submit()";
        chrome.script(fill, vec![json!(TOKEN)]).await;
        // Just after a start the page has no history yet; it takes it over by itself.
        chrome.until("location.pathname === '/' && !document.body.innerText.includes('still being read')").await;
    }
}
