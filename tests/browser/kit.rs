//! What every test of the browser needs.

use replypath::browser::{BrowserSettings, Browsers};
use replypath::clock::{Clock, SystemClock};
use replypath::engine::ports::MailEvent;
use replypath::engine::ways::{Customer, FormOrder, Stop};
use replypath::model::{FieldBy, Fill, FormBy, FormChannel, FormField, RunId, TokenKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// True when this machine has both programs; else the test says that it is skipped.
pub fn here() -> bool {
    let in_path = |name: &str| std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|p| p.join(name).is_file());
    let here = in_path("chromium") && in_path("chromedriver");
    if !here {
        println!("skipped: chromium is not installed");
    }
    here
}

pub fn key() -> TokenKey {
    TokenKey::new(b"browser tests")
}

/// Browsers of one test, whose processes carry a mark by which they are found.
pub struct Kit {
    pub browsers: Arc<Browsers>,
    pub evidence: tempfile::TempDir,
    pub events: mpsc::Receiver<MailEvent>,
    mark: String,
}

pub fn kit(at_once: usize) -> Kit {
    kit_with(at_once, Arc::new(SystemClock))
}

pub fn kit_with(at_once: usize, clock: Arc<dyn Clock>) -> Kit {
    let evidence = tempfile::tempdir().expect("a folder");
    let (events, heard) = mpsc::channel(100);
    let mark = format!("REPLYPATH_TEST={}", evidence.path().display());
    let driver = evidence.path().join("driver");
    std::fs::write(&driver, format!("#!/bin/sh\nexport '{mark}'\nexec chromedriver \"$@\"\n")).expect("a script");
    let mut rights = std::fs::metadata(&driver).expect("a file").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o700);
    std::fs::set_permissions(&driver, rights).expect("rights");
    let settings = BrowserSettings { chromium: None, driver: Some(driver), at_once, evidence: evidence.path().to_owned() };
    Kit { browsers: Arc::new(Browsers::new(settings, key(), clock, events)), evidence, events: heard, mark }
}

impl Kit {
    /// The living processes of this test's browsers, with their command lines.
    pub fn processes(&self) -> Vec<(i32, String)> {
        marked(&self.mark)
    }

    /// The mark of the processes.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// Waits until the processes are as they should be.
    pub async fn until(&self, wanted: impl Fn(&[(i32, String)]) -> bool) {
        until(&self.mark, wanted).await;
    }

    /// The picture that a stop names, as bytes.
    pub fn picture(&self, stop: &Stop) -> Vec<u8> {
        let name = stop.seen.facts.get("screenshot").and_then(|v| v.as_str()).expect("a picture");
        std::fs::read(self.evidence.path().join(name)).expect("a file")
    }
}

/// Waits, with a generous limit, until the marked processes are as they should be.
pub async fn until(mark: &str, wanted: impl Fn(&[(i32, String)]) -> bool) {
    let looks = async {
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        while !wanted(&marked(mark)) {
            pace.tick().await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(120), looks).await.is_err() {
        panic!("still {:#?}", marked(mark));
    }
}

/// The groups in which processes with a mark were seen: Chromium's helpers overwrite their environment.
static GROUPS: Mutex<BTreeMap<String, BTreeSet<String>>> = Mutex::new(BTreeMap::new());

fn marked(mark: &str) -> Vec<(i32, String)> {
    let mut groups = GROUPS.lock().expect("a lock");
    let known = groups.entry(mark.to_owned()).or_default();
    let pids = std::fs::read_dir("/proc").expect("/proc").flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    let all: Vec<_> = pids
        .filter_map(|pid| {
            let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).ok();
            let ours = read("environ").unwrap_or_default().split(|b| *b == 0).any(|var| var == mark.as_bytes());
            // State, parent, group: the fields after the name (proc_pid_stat(5)).
            let stat = String::from_utf8_lossy(&read("stat")?).rsplit(") ").next()?.to_owned();
            let mut stat = stat.split(' ').map(str::to_owned);
            let (state, group) = (stat.next()?, stat.nth(1)?);
            if ours {
                known.insert(group.clone());
            }
            let line = String::from_utf8_lossy(&read("cmdline")?).replace('\0', " ");
            (state != "Z").then_some((pid, group, ours, line))
        })
        .collect();
    all.into_iter().filter(|(_, group, ours, _)| *ours || known.contains(group)).map(|(pid, _, _, line)| (pid, line)).collect()
}

/// An order for a form on that page.
pub fn order(run: &str, page: String, frame: &[&str]) -> FormOrder {
    let token = key().token(run, "send");
    FormOrder {
        run: RunId(run.to_owned()),
        probe: "form".to_owned(),
        desk: None,
        customer: Customer { address: "ada@customers.test".to_owned(), name: "Ada Lovelace".to_owned() },
        form: FormChannel {
            page: Some(page),
            by: FormBy::Browser { frame: frame.iter().map(|f| (*f).to_owned()).collect(), limit: Duration::from_secs(240) },
            subject: format!("Parcel {token}"),
            text: format!("Grüße 😀 from {token}\nsecond line"),
            fields: Vec::new(),
            attachments: Vec::new(),
            attachments_in: None,
            form: None,
            submit: None,
            thanks: None,
            number: None,
            dwell: Duration::ZERO,
        },
        token,
    }
}

pub fn field(by: FieldBy, fill: Fill) -> FormField {
    FormField { by, fill }
}
