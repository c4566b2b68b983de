//! A user's configuration folder pointing at the stack, and the built binary run on it.

use crate::stack::{Lane, Stack, until, within};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A configuration folder.
pub struct Site {
    dir: tempfile::TempDir,
}

/// What `replypath run` said.
pub struct Ran {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// The document of `--report json`; null when there is none.
    pub report: Value,
    /// What it wrote for people.
    pub said: String,
}

/// How a customer and the desk are reached; `usual` fits the stack, tests change one word of it.
pub struct Ways<'a> {
    /// Whose mailbox.
    pub customer: &'a str,
    /// The mailbox's password.
    pub password: &'a str,
    /// The desk.
    pub desk: Desk,
}

/// A desk: the lines of `[desks.helpdesk]`.
pub struct Desk(pub String);

impl<'a> Ways<'a> {
    /// The ways that work.
    pub fn usual(stack: &Stack, customer: &'a str) -> Ways<'a> {
        Ways { customer, password: "secret", desk: Desk::rt(stack, stack.word("RT_URL")) }
    }
}

impl Desk {
    /// The same, asked by many at once on a busy machine.
    pub fn patient(self) -> Desk {
        Desk(format!("timeout = \"90s\"\n{}", self.0))
    }

    /// Request Tracker, reached there.
    pub fn rt(stack: &Stack, url: &str) -> Desk {
        Desk(format!("use = \"rt\"\n[desks.helpdesk.params]\nurl = \"{url}\"\ntoken = \"{}\"\n", stack.word("RT_TOKEN")))
    }

    /// django-helpdesk.
    pub fn helpdesk(stack: &Stack) -> Desk {
        let url = stack.word("HELPDESK_URL");
        let secret = "user = \"monitor\"\npassword = \"monitor-pass\"\n";
        Desk(format!("use = \"django-helpdesk\"\n[desks.helpdesk.params]\nurl = \"{url}\"\n{secret}"))
    }
}

impl Desk {
    /// Matrix Synapse with the agent of a lane, reached there.
    pub fn matrix(url: &str, lane: Lane) -> Desk {
        let user = format!("lane{:02}", lane.0);
        Desk(format!("use = \"matrix\"\n[desks.helpdesk.params]\nurl = \"{url}\"\nuser = \"{user}\"\npassword = \"{user}-pass\"\n"))
    }
}

impl Site {
    /// A folder with one account and one desk.
    pub fn new(stack: &Stack, customer: &str) -> Site {
        Site::with(stack, &Ways::usual(stack, customer))
    }

    /// A folder with the configuration of a sandbox, which runs until the second value is dropped, and none of its probes;
    /// and the address of its pages.
    pub fn of_sandbox(words: &[&str]) -> (Site, Running, String) {
        let site = Site { dir: tempfile::Builder::new().prefix("site-").tempdir().expect("a folder") };
        let folder = site.path().display().to_string();
        let mut sandbox = site.start(&[&["sandbox", "--init", &folder], words].concat());
        until("the sandbox", || {
            sandbox.assert_alive();
            sandbox.said().contains("Ctrl-C").then_some(())
        });
        std::fs::remove_dir_all(site.path().join("probes")).expect("its probes");
        let main = std::fs::read_to_string(site.path().join("replypath.toml")).expect("its configuration");
        let url = main.split("\nurl = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("an address").to_owned();
        (site, sandbox, url)
    }

    /// A folder with one account and this desk.
    pub fn at(stack: &Stack, customer: &str, desk: Desk) -> Site {
        Site::with(stack, &Ways { desk, ..Ways::usual(stack, customer) })
    }

    /// A folder whose account and desk are reached in these ways.
    pub fn with(stack: &Stack, ways: &Ways) -> Site {
        let dir = tempfile::Builder::new().prefix("site-").tempdir().expect("a folder");
        let site = Site { dir };
        let second = ways.customer.ends_with("@letters.test");
        let text = format!(
            r#"
[daemon]
listen = "127.0.0.1:0"

[accounts.customer]
address = "{customer}"
name = "Änne Müller"
[accounts.customer.imap]
host = "127.0.0.1"
port = {imaps}
tls = "implicit"
user = "{customer}"
password = "{password}"
ca = "{ca}"
poll = "3s"
junk_poll = "3s"
[accounts.customer.smtp]
host = "127.0.0.1"
port = {submission}
tls = "starttls"
user = "{customer}"
password = "secret"
ca = "{ca}"

[desks.helpdesk]
{desk}
"#,
            customer = ways.customer,
            password = ways.password,
            ca = stack.word("CA"),
            imaps = stack.port(if second { "IMAPS2" } else { "IMAPS" }),
            submission = stack.port("SUBMISSION"),
            desk = ways.desk.0,
        );
        site.write("replypath.toml", text.as_bytes());
        site
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }

    /// Writes a probe.
    pub fn probe(&self, name: &str, probe: &Probe) {
        self.write(&format!("probes/{name}.toml"), probe.text().as_bytes());
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_replypath"));
        command.arg("--config").arg(self.path()).args(words).stdin(Stdio::null());
        command
    }

    /// `replypath WORD…`, waited for.
    pub fn run(&self, words: &[&str]) -> Ran {
        self.run_with(words, &[])
    }

    /// The same with words in the environment.
    pub fn run_with(&self, words: &[&str], env: &[(&str, &str)]) -> Ran {
        let file = self.path().join(format!("report-{}.json", crate::stack::nonce()));
        let report = format!("json={}", file.display());
        let mut all = words.to_vec();
        if words.contains(&"run") {
            all.extend(["--report", &report]);
        }
        let out = self.command(&all).envs(env.iter().copied()).output().expect("replypath");
        let said = String::from_utf8_lossy(&[out.stderr, out.stdout].concat()).into_owned();
        let report = std::fs::read(&file).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or(Value::Null);
        Ran { code: out.status.code(), report, said }
    }

    /// `replypath WORD…`, left running until the value is dropped. What it says goes into the file `said-N`.
    pub fn start(&self, words: &[&str]) -> Running {
        let file = self.path().join(format!("said-{}", crate::stack::nonce()));
        let out = std::fs::File::create(&file).expect("a file");
        let err = out.try_clone().expect("a file");
        Running { child: self.command(words).stdout(out).stderr(err).spawn().expect("replypath"), file }
    }

    /// Every run that the store knows.
    pub fn runs(&self) -> Vec<Value> {
        let out = self.command(&["runs", "--json"]).output().expect("replypath");
        let report: Value = serde_json::from_slice(&out.stdout).unwrap_or(Value::Null);
        let said = || String::from_utf8_lossy(&out.stderr).into_owned();
        report["runs"].as_array().cloned().unwrap_or_else(|| panic!("runs gave no report: {}", said()))
    }

    /// Waits until the only run has its verdict: at most ten minutes, for a run that looks in vain takes its stage's limit.
    pub fn only_verdict(&self, daemon: &mut Running) -> Value {
        let decided = || {
            daemon.assert_alive();
            let runs = self.runs();
            assert_eq!(runs.len(), 1, "more than one run: {runs:#?}");
            runs.into_iter().find(|r| r["verdict"].is_string())
        };
        within(Duration::from_secs(600), Duration::from_secs(1), decided).expect("a verdict within ten minutes")
    }
}

/// A program under way; killed when dropped.
pub struct Running {
    child: Child,
    file: PathBuf,
}

impl Running {
    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().expect("a living program");
        self.child.wait().expect("its end");
    }

    /// Waits for its own end: exit code and what it said.
    pub fn ended(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().expect("its end");
        (status.code(), self.said())
    }

    /// What it said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.file).unwrap_or_default()
    }

    /// Panics when it ended by itself.
    pub fn assert_alive(&mut self) {
        if let Some(status) = self.child.try_wait().expect("a status") {
            panic!("replypath ended by itself ({status}):\n{}", self.said());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A probe file in the making.
pub struct Probe {
    /// Lines before the tables.
    pub top: String,
    /// The address that the customer writes to.
    pub to: String,
    /// The queue that the ticket must be in.
    pub queue: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// More lines of `[email]`.
    pub email: String,
    /// Instead of `[email]`: the whole table of another way in.
    pub way: Option<String>,
    /// More tables.
    pub tables: String,
    limits: Vec<(&'static str, &'static str)>,
}

impl Probe {
    /// A probe of a lane.
    pub fn of(lane: Lane) -> Probe {
        Probe::to(&lane.address(), &lane.queue())
    }

    /// A probe of an address with its queue. Stages may take three minutes: many tests share two cores.
    pub fn to(address: &str, queue: &str) -> Probe {
        let stages = ["send", "accept", "land", "queue", "format", "acknowledge", "reply", "return", "follow_up", "clean_up"];
        Probe {
            top: String::new(),
            to: address.to_owned(),
            queue: queue.to_owned(),
            subject: "Question about order 1187".to_owned(),
            text: "Hello,\n\nmy order has not come yet. Where is it?\n\nReference: ${token}\n".to_owned(),
            email: String::new(),
            way: None,
            tables: String::new(),
            limits: stages.map(|s| (s, "3m")).to_vec(),
        }
    }

    /// A probe that writes in by a form or a chat: the lines of its table, `[form]` or `[chat]` at the top.
    pub fn by(way: &str, queue: &str) -> Probe {
        Probe { way: Some(way.to_owned()), ..Probe::to("", queue) }
    }

    /// Gives one stage another limit.
    pub fn limit(mut self, stage: &'static str, limit: &'static str) -> Probe {
        self.limits.retain(|(s, _)| *s != stage);
        self.limits.push((stage, limit));
        self
    }

    /// Leaves one stage out.
    pub fn skip(mut self, stage: &str) -> Probe {
        self.top.push_str(&format!("skip = [\"{stage}\"]\n"));
        self
    }

    fn text(&self) -> String {
        let limits: String = self.limits.iter().map(|(s, l)| format!("{s} = \"{l}\"\n")).collect();
        let mail =
            || format!("[email]\nto = \"{}\"\nsubject = \"{}\"\ntext = \"\"\"\n{}\"\"\"\n{}", self.to, self.subject, self.text, self.email);
        let way = self.way.clone().unwrap_or_else(mail);
        format!(
            "desk = \"helpdesk\"\naccount = \"customer\"\nsettle = \"5s\"\nwatch_after = \"1m\"\n{}\n{way}\n[expect]\nqueue = \"{}\"\n\n[limits]\n{limits}\n{}",
            self.top, self.queue, self.tables
        )
    }
}

impl Ran {
    /// The only run of the report.
    pub fn only(&self) -> &Value {
        let runs = self.report["runs"].as_array().unwrap_or_else(|| panic!("no report:\n{}", self.said));
        assert_eq!(runs.len(), 1, "{}", self.said);
        &runs[0]
    }

    /// Panics unless every run passed.
    pub fn assert_passed(&self) {
        let runs = self.report["runs"].as_array().cloned().unwrap_or_default();
        let passed = !runs.is_empty() && runs.iter().all(|r| r["verdict"] == "pass");
        assert!(self.code == Some(0) && passed, "expected a pass, exit was {:?}\n{}\n{}", self.code, digest(&self.report), self.said);
    }
}

/// A failure as a test wants it.
pub struct Expected<'a> {
    /// The stage that must be named.
    pub stage: &'a str,
    /// Fault ids of which the answer must hold one.
    pub accepted: &'a [&'a str],
    /// Stages that work all the same.
    pub unhurt: &'a [&'a str],
}

impl Ran {
    /// Panics unless the only run failed as expected: at that stage, with a short list of causes that holds the right one.
    pub fn assert_failed(&self, what: &str, expected: &Expected) {
        let run = self.only();
        let about = format!("{what}\n{}\n{}", digest(&self.report), self.said);
        assert_eq!(run["verdict"], "fail", "{about}");
        assert_eq!(self.code, Some(1), "{about}");
        assert_eq!(run["stage"], expected.stage, "{about}");
        let candidates: Vec<&str> = run["candidates"].as_array().expect("candidates").iter().filter_map(|c| c.as_str()).collect();
        assert!((1..=6).contains(&candidates.len()), "not a short list: {about}");
        assert!(candidates.iter().any(|c| expected.accepted.contains(c)), "none of {:?}: {about}", expected.accepted);
        if let Some(fault) = run["fault"].as_str() {
            assert!(expected.accepted.contains(&fault), "a wrong fault is named: {about}");
        }
        for stage in expected.unhurt {
            assert_eq!(outcome(run, stage), "pass", "{stage}: {about}");
        }
    }
}

/// How a stage of a run ended.
pub fn outcome<'a>(run: &'a Value, stage: &str) -> &'a str {
    let stages = run["stages"].as_array().expect("stages");
    let found = stages.iter().find(|s| s["stage"] == stage).unwrap_or_else(|| panic!("no stage {stage}"));
    found["outcome"].as_str().expect("an outcome")
}

/// A report in a few lines, for messages of failed tests.
pub fn digest(report: &Value) -> String {
    let mut text = String::new();
    for run in report["runs"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "{} {}: {} at {} fault {} candidates {} ticket {}: {}\n",
            run["run"], run["probe"], run["verdict"], run["stage"], run["fault"], run["candidates"], run["ticket"], run["summary"]
        ));
        for stage in run["stages"].as_array().into_iter().flatten() {
            text.push_str(&format!("  {} {} {} s\n", stage["stage"], stage["outcome"], stage["duration_seconds"]));
            for check in stage["checks"].as_array().into_iter().flatten() {
                text.push_str(&format!(
                    "    {} {}: expected {} found {}\n",
                    check["check"], check["outcome"], check["expected"], check["found"]
                ));
            }
            for look in stage["evidence"].as_array().into_iter().flatten() {
                text.push_str(&format!(
                    "    look {} {} for {}: {} {} x{} {}\n",
                    look["source"], look["place"], look["looked_for"], look["result"], look["class"], look["times"], look["facts"]
                ));
            }
        }
    }
    text
}
