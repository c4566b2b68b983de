//! A user's folder beside a sandbox, and the built binary run on both. Everything said is kept, to be searched for secrets.

use serde_json::Value;
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine.
const LONG: Duration = Duration::from_secs(120);

/// Polls until `look` gives something.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < LONG, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_replypath"));
    command.env_remove("RUST_LOG").env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// What a command ended with.
pub struct Ended {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ended {
    /// Panics with everything said unless the code is this one.
    pub fn expect(self, code: i32) -> Ended {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("no JSON ({e}):\n{}\nstderr:\n{}", self.out, self.err))
    }
}

/// Runs the program without a site.
pub fn replypath(args: &[&str]) -> Ended {
    let output = command().args(args).output().unwrap();
    Ended {
        code: output.status.code().expect("an exit code"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A program under way; killed when dropped.
pub struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    fn start(mut command: Command, out: PathBuf, err: PathBuf) -> Running {
        let file = |path: &Path| std::fs::File::create(path).unwrap();
        let child = command.stdout(file(&out)).stderr(file(&err)).spawn().unwrap();
        Running { child, out, err }
    }

    /// What it wrote to standard error so far.
    pub fn err(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap()
    }

    /// Waits until `text` stands on standard error.
    pub fn says(&mut self, text: &str) {
        until(&format!("`{text}`"), || {
            let said = self.err().contains(text);
            assert!(said || self.child.try_wait().unwrap().is_none(), "it ended without saying `{text}`:\n{}", self.err());
            said.then_some(())
        });
    }

    /// Sends a signal: INT, TERM, HUP, KILL.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end; -1 stands for the end by a signal.
    pub fn ended(mut self) -> Ended {
        let status = until("its end", || self.child.try_wait().unwrap());
        Ended { code: status.code().unwrap_or(-1), out: std::fs::read_to_string(&self.out).unwrap(), err: self.err() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The probes that it writes, three by mail, then the other two ways in.
pub const PROBES: [&str; 5] = ["support", "billing", "sales", "contact-form", "chat"];

/// `replypath sandbox --init` under way, and the folder that it wrote.
pub struct Site {
    sandbox: Child,
    home: tempfile::TempDir,
    settings: toml::Table,
    said: RefCell<Vec<String>>,
}

impl Site {
    /// A sandbox with these faults. Its probes wait for duplicates a little shorter than usual.
    pub fn new(faults: &[&str]) -> Site {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("site");
        let mut sandbox = command();
        sandbox.arg("sandbox").arg("--init").arg(&dir).stdout(Stdio::piped()).stderr(Stdio::null());
        for fault in faults {
            sandbox.args(["--fault", fault]);
        }
        let mut sandbox = sandbox.spawn().unwrap();
        let lines = BufReader::new(sandbox.stdout.as_mut().unwrap()).lines();
        let ready = lines.map_while(Result::ok).any(|line| line.contains("replypath serve --config"));
        assert!(ready, "the sandbox did not start");
        let settings = std::fs::read_to_string(dir.join("replypath.toml")).unwrap().parse().unwrap();
        let site = Site { sandbox, home, settings, said: RefCell::default() };
        for probe in PROBES {
            site.edit(&format!("probes/{probe}.toml"), "settle = \"2s\"", "settle = \"1s\"");
        }
        site
    }

    /// The folder of the configuration.
    pub fn dir(&self) -> PathBuf {
        self.home.path().join("site")
    }

    /// A file that is none of the configuration's.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Replaces a text in a file of the folder.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.dir().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "no `{from}` in {file}");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// The sandbox stops; its ports are closed.
    pub fn close_sandbox(&mut self) {
        self.sandbox.kill().unwrap();
        self.sandbox.wait().unwrap();
    }

    /// Runs a command on the folder.
    pub fn run(&self, args: &[&str]) -> Ended {
        let dir = self.dir();
        let mut all = args.to_vec();
        all.extend(["--config", dir.to_str().unwrap()]);
        let ended = replypath(&all);
        self.said.borrow_mut().push(format!("{}{}", ended.out, ended.err));
        ended
    }

    /// Starts a command on the folder.
    pub fn start(&self, args: &[&str]) -> Running {
        self.start_with(args, &[])
    }

    /// The same with words in the environment.
    pub fn start_with(&self, args: &[&str], env: &[(&str, &str)]) -> Running {
        let number = self.said.borrow().len();
        self.said.borrow_mut().push(String::new());
        let mut command = command();
        command.args(args).arg("--config").arg(self.dir()).envs(env.iter().copied());
        Running::start(command, self.beside(&format!("{number}.out")), self.beside(&format!("{number}.err")))
    }

    fn word(&self, path: &[&str]) -> String {
        let mut value = &toml::Value::Table(self.settings.clone());
        for key in path {
            value = &value[key];
        }
        value.as_str().unwrap().to_owned()
    }

    /// Status of each ticket at the desk, asked past replypath.
    pub fn tickets(&self) -> Vec<String> {
        let url = self.word(&["desks", "sandbox", "params", "url"]);
        let key = self.word(&["desks", "sandbox", "params", "key"]);
        let body = get(url.strip_prefix("http://").unwrap(), "/api/v1/tickets", &key).1;
        let answer: Value = serde_json::from_str(&body).unwrap();
        answer["tickets"].as_array().unwrap().iter().map(|t| t["status"].as_str().unwrap().to_owned()).collect()
    }

    /// Panics when a password or the API key stands in anything said or stored.
    pub fn assert_no_secrets(&self) {
        let account = |name: &str| self.word(&["accounts", name, "imap", "password"]);
        let secrets = [account("alice"), account("bob"), self.word(&["desks", "sandbox", "params", "key"])];
        let mut texts: Vec<(String, Vec<u8>)> = self.said.borrow().iter().map(|s| ("output".to_owned(), s.clone().into_bytes())).collect();
        for folder in [self.home.path().to_owned(), self.dir().join("state")] {
            let files = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file());
            texts.extend(files.map(|p| (p.display().to_string(), std::fs::read(&p).unwrap())));
        }
        assert!(texts.iter().any(|(name, bytes)| name.ends_with("replypath.db") && !bytes.is_empty()));
        for (name, bytes) in texts {
            for secret in &secrets {
                assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "a secret stands in {name}");
            }
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.sandbox.kill();
        let _ = self.sandbox.wait();
    }
}

/// Status and body of an HTTP answer.
pub fn get(host: &str, path: &str, key: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
