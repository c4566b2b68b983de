//! The running test stack as `tests/stack/up.sh` describes it, and the ways to break one lane of it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Addresses and accounts of the running stack.
pub struct Stack {
    dir: PathBuf,
    words: HashMap<String, String>,
}

/// The stack named by `REPLYPATH_STACK`; none when the real parts are not wanted.
pub fn stack() -> Option<&'static Stack> {
    static STACK: OnceLock<Option<Stack>> = OnceLock::new();
    STACK.get_or_init(|| std::env::var_os("REPLYPATH_STACK").map(|dir| Stack::open(Path::new(&dir)))).as_ref()
}

/// Ends a test early, and says so, when no stack runs.
#[macro_export]
macro_rules! stack_or_skip {
    () => {
        match $crate::stack::stack() {
            Some(stack) => stack,
            None => {
                eprintln!("skipped: no real parts (tests/run starts them and sets REPLYPATH_STACK)");
                return;
            }
        }
    };
}

impl Stack {
    fn open(dir: &Path) -> Stack {
        let text = std::fs::read_to_string(dir.join("env")).expect("the stack's file env: is the stack up?");
        let words = text.lines().filter_map(|l| l.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        Stack { dir: dir.to_owned(), words }
    }

    /// One word of the stack's description.
    pub fn word(&self, name: &str) -> &str {
        self.words.get(name).unwrap_or_else(|| panic!("the stack does not say {name}"))
    }

    /// A port by its name.
    pub fn port(&self, name: &str) -> u16 {
        self.word(name).parse().expect("a port")
    }

    /// The text of a log or file of the stack.
    pub fn read(&self, path: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.dir.join(path)).expect(path)).into_owned()
    }

    /// Breaks one thing of one lane until the value is dropped.
    pub fn broken(&'static self, fault: &'static str, lane: Lane) -> Broken {
        self.script(&["break", fault, &lane.number()]);
        Broken { stack: self, fault, lane, mended: false }
    }

    /// Stops or starts the second Dovecot (domain letters.test).
    pub fn second_dovecot(&self, act: &str) {
        self.script(&[act, "dovecot2"]);
    }

    /// Starts, kills or stops the second Synapse.
    pub fn second_synapse(&self, act: &str) {
        self.script(&[act, "synapse2"]);
    }

    /// The customer's INBOX begins a new UIDVALIDITY (RFC 9051 section 2.3.1.1).
    pub fn renumbered(&self, customer: &str) {
        self.script(&["renumber", customer]);
    }

    fn script(&self, words: &[&str]) {
        let out = self.try_script(words);
        assert!(out.status.success(), "break.sh {words:?}: {}", String::from_utf8_lossy(&out.stderr));
    }

    fn try_script(&self, words: &[&str]) -> std::process::Output {
        let script = Path::new(self.word("SCRIPTS")).join("break.sh");
        Command::new(script).arg(&self.dir).args(words).output().expect("break.sh")
    }

    /// The messages that wait in the queue of `desk` or `provider`, one JSON text a line, that name `address`.
    pub fn queued(&self, instance: &str, address: &str) -> Vec<String> {
        let out = Command::new("postqueue").arg("-c").arg(self.dir.join(instance)).arg("-j").output().expect("postqueue");
        String::from_utf8_lossy(&out.stdout).lines().filter(|l| l.contains(address)).map(str::to_owned).collect()
    }

    /// Lines of a Postfix log that hold every word.
    pub fn logged(&self, instance: &str, words: &[&str]) -> Vec<String> {
        let log = self.read(&format!("{instance}/log/mail.log"));
        log.lines().filter(|l| words.iter().all(|w| l.contains(w))).map(str::to_owned).collect()
    }
}

/// A desk address with a queue of its own. Every test has its own lanes, so that all tests run at once.
#[derive(Clone, Copy)]
pub struct Lane(pub u8);

impl Lane {
    /// Two digits.
    pub fn number(self) -> String {
        format!("{:02}", self.0)
    }

    /// The address customers write to.
    pub fn address(self) -> String {
        format!("lane{:02}@desk.test", self.0)
    }

    /// The address of the same lane at django-helpdesk.
    pub fn helpdesk(self) -> String {
        format!("lane{:02}@helpdesk.test", self.0)
    }

    /// The queue in which their requests belong.
    pub fn queue(self) -> String {
        format!("Lane{:02}", self.0)
    }
}

/// Something that is broken now; mended when dropped.
pub struct Broken {
    stack: &'static Stack,
    fault: &'static str,
    lane: Lane,
    mended: bool,
}

impl Broken {
    /// Mends it now.
    pub fn mend(mut self) {
        self.mended = true;
        self.stack.script(&["mend", self.fault, &self.lane.number()]);
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        if !self.mended {
            // No panic here: the test may be failing already.
            self.stack.try_script(&["mend", self.fault, &self.lane.number()]);
        }
    }
}

/// Asks again and again until there is an answer; panics after four minutes.
pub fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(Duration::from_secs(240), Duration::from_millis(200), ask).unwrap_or_else(|| panic!("waited in vain for {what}"))
}

/// Asks again and again, with pauses, until there is an answer or the time is over.
pub fn within<T>(limit: Duration, pause: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::park_timeout(pause);
    }
}

/// A word that no other test uses.
pub fn nonce() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_micros();
    format!("n{:x}{:x}{:x}", now, std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
