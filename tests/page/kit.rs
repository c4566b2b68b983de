//! A daemon's pages on loopback, with a store in memory, runs made by hand, and a clock that the test moves.

use crate::runs::{blank, judge};
use async_trait::async_trait;
use jiff::Timestamp;
use replypath::clock::{Clock, ManualClock};
use replypath::config::{self, Config, DeskFiles};
use replypath::daemon::{Driver, Due, Watcher};
use replypath::engine::ports::{RunEvent, Step, Store, StoreError};
use replypath::model::*;
use replypath::page::{self, Pages};
use replypath::store::SqliteStore;
use replypath::web::{self, Pulse};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// The token of [`World::with_token`].
pub const TOKEN: &str = "operators-token-0123";

/// The password of [`World::with_users`], and its hash with a cost that tests can afford.
pub const PASSWORD: &str = "correct horse";
const HASH: &str = "$2y$08$vKNqEzNNe1zDYmfHQ7uVXuYFhO6yvTLye6OxVgTFaVHb047WeH/F.";

/// 2026-11-25 08:00 UTC and some seconds.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_593_600 + seconds).unwrap()
}

const MAIN: &str = r#"
[accounts.alice]
address = "alice@customers.test"
[accounts.alice.imap]
host = "imap.customers.test"
user = "alice"
password = "mailbox-secret"
[accounts.alice.smtp]
host = "smtp.customers.test"
[desks.helpdesk]
use = "rt"
[desks.helpdesk.params]
url = "https://rt.desk.test"
token = "desk-secret"
"#;

const PROBE: &str = r#"
description = "Questions about invoices"
owner = "billing-people@desk.test"
account = "alice"
desk = "helpdesk"
every = "15m"
skip = ["queue", "follow_up"]
[email]
to = "help@desk.test"
subject = "Invoice ${token}"
text = "Hello ${token}"
"#;

/// Starts are written down and stored as runs under way.
struct Starter {
    store: Arc<SqliteStore>,
    clock: Arc<ManualClock>,
    started: Mutex<Vec<(String, Trigger)>>,
    next: AtomicU64,
}

#[async_trait]
impl Driver for Starter {
    async fn start_run(&self, probe: &Probe, _: &Account, trigger: Trigger, _: Option<Stage>) -> Result<RunId, StoreError> {
        self.started.lock().unwrap().push((probe.name.clone(), trigger));
        let run = blank(&format!("rhand{}", self.next.fetch_add(1, Ordering::Relaxed)), probe, trigger, self.clock.now());
        self.store.create_run(&run).await?;
        Ok(run.id)
    }
    async fn interrupt(&self, _: &RunId) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn run_until_stopped(&self, _: watch::Receiver<bool>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Pages that are being served.
pub struct World {
    pub pages: Arc<Pages>,
    pub store: Arc<SqliteStore>,
    pub clock: Arc<ManualClock>,
    pub pulse: Arc<Pulse>,
    pub config: Config,
    pub at: SocketAddr,
    pub client: reqwest::Client,
    starter: Arc<Starter>,
    dir: tempfile::TempDir,
}

impl World {
    /// Without a token, for these probes.
    pub async fn new(probes: &[&str]) -> World {
        World::with(probes, "").await
    }

    /// With the operators' token, and public.
    pub async fn with_token(probes: &[&str], public: bool) -> World {
        World::with(probes, &format!("[page]\ntoken = \"{TOKEN}\"\npublic = {public}\n")).await
    }

    /// With this user, and not public.
    pub async fn with_users(probes: &[&str], user: &str) -> World {
        let world = World::with(probes, "").await;
        world.users(user).await;
        world
    }

    /// This user is the only one from now on.
    pub async fn users(&self, user: &str) {
        std::fs::write(self.dir.path().join("people"), format!("{user}:{HASH}\n")).unwrap();
        let text = format!("{MAIN}[page]\nusers = \"people\"\n");
        let config = config::load_from(self.dir.path(), Some(&text), &|_| None, &DeskFiles).unwrap();
        self.pages.configure(&config).await.unwrap();
    }

    async fn with(probes: &[&str], more: &str) -> World {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("probes")).unwrap();
        for probe in probes {
            std::fs::write(dir.path().join(format!("probes/{probe}.toml")), PROBE).unwrap();
        }
        let config = config::load_from(dir.path(), Some(&format!("{MAIN}{more}")), &|_| None, &DeskFiles).unwrap();
        let clock = Arc::new(ManualClock::new(at(0)));
        let store = SqliteStore::in_memory("page", clock.clone()).unwrap();
        let pulse = Arc::new(Pulse::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = dir.path().join("state");
        let pages = Pages::new(store.clone(), clock.clone(), pulse.clone(), address, state).unwrap();
        pages.configure(&config).await.unwrap();
        let starter = Arc::new(Starter { store: store.clone(), clock: clock.clone(), started: Mutex::default(), next: AtomicU64::new(1) });
        pages.open(starter.clone(), &config);
        pulse.beat(clock.now());
        tokio::spawn(web::serve(listener, page::router(pages.clone()), std::future::pending()));
        // Only the first of this program counts; nothing is encrypted here.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(Duration::from_secs(60)).no_proxy();
        World { pages, store, clock, pulse, config, at: address, client: client.build().unwrap(), starter, dir }
    }

    /// The probe of that name.
    pub fn probe(&self, name: &str) -> &Probe {
        &self.config.probes[name]
    }

    /// What was started from the page.
    pub fn started(&self) -> Vec<(String, Trigger)> {
        self.starter.started.lock().unwrap().clone()
    }

    /// Writes a picture of the browser.
    pub fn picture(&self, name: &str) {
        let folder = self.dir.path().join("state/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), b"\x89PNG picture").unwrap();
    }

    /// Stores a run and tells the pages that it ended.
    pub async fn ended(&self, run: &Run) {
        self.keep(run).await;
        self.pages.observe(&RunEvent::Finished(Box::new(run.clone())));
    }

    /// Stores a run.
    pub async fn keep(&self, run: &Run) {
        let begun = Run { finished: None, phase: Phase::Active, diagnosis: None, ..run.clone() };
        self.store.create_run(&begun).await.unwrap();
        self.commit(run).await;
    }

    async fn commit(&self, run: &Run) {
        let claim = self.store.claim(&run.id).await.unwrap().unwrap();
        let step = Step { run, epoch: claim.epoch, due: None, hold: false, taken: &[], observations_kept: 0, durable: false };
        self.store.commit(step).await.unwrap();
    }

    /// Stores a run that is under way.
    pub async fn store_open(&self, run: &Run) {
        self.store.create_run(run).await.unwrap();
    }

    /// A scheduled run of the probe that began so many seconds after 8:00 and ended so.
    pub async fn run(&self, id: &str, probe: &str, verdict: Verdict, seconds: i64) -> Run {
        let mut run = blank(id, self.probe(probe), Trigger::Scheduled, at(seconds));
        judge(&mut run, verdict);
        self.ended(&run).await;
        run
    }

    /// Moves the clock to so many seconds after 8:00; the scheduler looks.
    pub fn go_to(&self, seconds: i64) {
        let by = at(seconds).as_second() - self.clock.now().as_second();
        self.clock.advance(Duration::from_secs(u64::try_from(by).unwrap()));
        self.pulse.beat(self.clock.now());
    }

    /// When the probe is due, in seconds after 8:00.
    pub fn due(&self, probe: &str, next: i64, expected: i64, resting: bool) {
        self.pages.due(probe, Due { next: Some(at(next)), expected: Some(at(expected)), resting });
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    /// The answer to a plain request.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    /// A page's text, which must come with 200.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    }

    /// The same as an operator.
    pub async fn as_operator(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).bearer_auth(TOKEN).send().await.unwrap()
    }

    /// The stored run.
    pub async fn store_run(&self, id: &str) -> Run {
        self.store.run(&RunId(id.to_owned())).await.unwrap().unwrap()
    }

    /// Stores the end of a run that is stored already, and tells of it.
    pub async fn finish(&self, run: &Run) {
        self.commit(run).await;
        self.pages.observe(&RunEvent::Finished(Box::new(run.clone())));
    }

    /// Another session, begun a second later.
    pub async fn sign_in_later(&self) -> String {
        self.clock.advance(Duration::from_secs(1));
        self.sign_in().await
    }

    /// Signs in; the session cookie.
    pub async fn sign_in(&self) -> String {
        let answer = self.client.post(self.url("/login")).form(&[("token", TOKEN)]).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (303, "./"));
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }
}

/// The text between two marks.
pub fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text.find(from).unwrap_or_else(|| panic!("no `{from}` in {text}")) + from.len();
    let end = text[start..].find(to).unwrap_or_else(|| panic!("no `{to}` after `{from}`")) + start;
    &text[start..end]
}

/// The first heading, which is the sentence.
pub fn sentence(page: &str) -> &str {
    between(page, "<h1>", "</h1>")
}
