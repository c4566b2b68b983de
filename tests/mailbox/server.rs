//! A small scripted IMAP server: a mailbox in memory, and ways to be rude.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// One message.
#[derive(Clone)]
pub struct Mail {
    pub uid: u32,
    pub date: String,
    pub text: String,
    pub deleted: bool,
    pub seen: bool,
}

/// One folder.
#[derive(Clone, Default)]
pub struct Folder {
    pub validity: u32,
    pub next: u32,
    pub mails: Vec<Mail>,
}

impl Folder {
    pub fn new(validity: u32) -> Folder {
        Folder { validity, next: 1, mails: Vec::new() }
    }

    pub fn add(&mut self, date: jiff::Timestamp, text: &str) -> u32 {
        let uid = self.next;
        self.next += 1;
        let date = date.to_zoned(jiff::tz::TimeZone::UTC).strftime("%d-%b-%Y %H:%M:%S +0000").to_string();
        self.mails.push(Mail { uid, date, text: text.to_owned(), deleted: false, seen: false });
        uid
    }
}

/// How the server answers IDLE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Idle {
    /// As it should.
    Proper,
    /// Takes it and never announces anything.
    Dead,
    /// `+`, then nothing ever, not even after DONE.
    Silent,
    /// A tagged OK without `+`.
    TaggedOk,
    /// A mail arrives and is announced before `+`, and never again.
    ExistsFirst,
    /// No answer of any kind.
    Mute,
    /// Talks of other things instead of answering, without a pause.
    Chatter,
    /// `+`, then goodbye.
    Bye,
}

/// What happens to the folders at the moment a client goes idle.
pub type OnIdle = Box<dyn FnOnce(&State) -> u32 + Send>;

/// Everything that a test can set and see.
pub struct State {
    pub inbox: Mutex<Folder>,
    pub junk: Mutex<Folder>,
    pub idle: Mutex<Idle>,
    pub uidplus: AtomicBool,
    pub connections: AtomicU32,
    /// Every command, without its tag.
    pub log: Mutex<Vec<String>>,
    /// Called when a client has gone into IDLE.
    pub on_idle: Mutex<Option<OnIdle>>,
    /// Close the connection in the middle of the next FETCH of bodies.
    pub cut_fetch: AtomicBool,
    /// Answer the next NOOP or SELECT with a line that never ends.
    pub endless: AtomicBool,
    pub over_quota: AtomicBool,
    /// Announce 4 GB in the next FETCH of bodies.
    pub bomb: AtomicBool,
    /// Tell what it can do only after the login.
    pub late_capability: AtomicBool,
    /// What the LIST answers, and the name of the folder for unwanted mail in it.
    pub list: Mutex<(String, String)>,
    /// The namespaces, where it knows any.
    pub namespace: Mutex<Option<&'static str>>,
    /// Refuses to open a folder named Locked.
    pub locked: AtomicBool,
    /// Bytes of answers to UID commands.
    pub told: AtomicUsize,
}

/// The usual folders.
const FOLDERS: &str = "* LIST (\\HasNoChildren) \".\" INBOX\r\n* LIST (\\Junk) \".\" Junk\r\n* LIST (\\NoSelect) \".\" Public\r\n";

impl State {
    pub fn saw(&self, part: &str) -> bool {
        self.log.lock().unwrap().iter().any(|l| l.contains(part))
    }
}

pub struct Server {
    pub port: u16,
    pub state: Arc<State>,
}

impl Server {
    /// A server with an empty INBOX and an empty folder Junk.
    pub fn start() -> Server {
        let state = Arc::new(State {
            inbox: Mutex::new(Folder::new(7)),
            junk: Mutex::new(Folder::new(9)),
            idle: Mutex::new(Idle::Proper),
            uidplus: AtomicBool::new(true),
            connections: AtomicU32::new(0),
            log: Mutex::default(),
            on_idle: Mutex::default(),
            cut_fetch: AtomicBool::new(false),
            endless: AtomicBool::new(false),
            over_quota: AtomicBool::new(false),
            bomb: AtomicBool::new(false),
            late_capability: AtomicBool::new(false),
            list: Mutex::new((FOLDERS.to_owned(), "Junk".to_owned())),
            namespace: Mutex::default(),
            locked: AtomicBool::new(false),
            told: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let theirs = Arc::clone(&state);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                theirs.connections.fetch_add(1, Ordering::SeqCst);
                let state = Arc::clone(&theirs);
                std::thread::spawn(move || drop(serve(socket, &state)));
            }
        });
        Server { port, state }
    }
}

/// A server that gets each connection as it is.
pub fn raw(serve: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().flatten().for_each(&serve));
    port
}

fn serve(socket: TcpStream, state: &State) -> std::io::Result<()> {
    let mut lines = BufReader::new(socket.try_clone()?).lines();
    let mut out = socket;
    let mut folder = "INBOX".to_owned();
    let mut seen = 0;
    let mut signed_in = false;
    write!(out, "* OK test server, Grüße\r\n")?;
    while let Some(line) = lines.next() {
        let line = line?;
        let Some((tag, command)) = line.split_once(' ') else { continue };
        state.log.lock().unwrap().push(command.to_owned());
        let verb = command.to_ascii_uppercase();
        let chosen = || if folder == "Junk" { state.junk.lock().unwrap() } else { state.inbox.lock().unwrap() };
        match verb.split(' ').next().unwrap_or_default() {
            "CAPABILITY" => {
                let plus = if state.uidplus.load(Ordering::SeqCst) { " UIDPLUS" } else { "" };
                let names = if state.namespace.lock().unwrap().is_some() { " NAMESPACE" } else { "" };
                if signed_in || !state.late_capability.load(Ordering::SeqCst) {
                    write!(out, "* CAPABILITY IMAP4rev1 IDLE QUOTA SPECIAL-USE{plus}{names}\r\n{tag} OK für dich\r\n")?;
                } else {
                    write!(out, "* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n")?;
                }
            }
            "LOGIN" if verb.contains("\"RIGHT\"") => {
                signed_in = true;
                write!(out, "{tag} OK in\r\n")?;
            }
            "LOGIN" => write!(out, "{tag} NO [AUTHENTICATIONFAILED] no such pair as {command}\r\n")?,
            "LIST" => write!(out, "{}{tag} OK done\r\n", state.list.lock().unwrap().0)?,
            "NAMESPACE" => {
                let names = state.namespace.lock().unwrap().unwrap_or("NIL NIL NIL");
                write!(out, "* NAMESPACE {names}\r\n{tag} OK done\r\n")?;
            }
            "SELECT" | "EXAMINE" if verb.contains("LOCKED") && state.locked.load(Ordering::SeqCst) => {
                write!(out, "{tag} NO [NOPERM] not for you\r\n")?;
            }
            "SELECT" | "EXAMINE" => {
                if state.endless.swap(false, Ordering::SeqCst) {
                    while out.write_all(&[b'x'; 4096]).is_ok() {}
                    return Ok(());
                }
                let junk = state.list.lock().unwrap().1.to_uppercase();
                folder = if verb.contains(&junk) { "Junk".to_owned() } else { "INBOX".to_owned() };
                let f = if folder == "Junk" { state.junk.lock().unwrap().clone() } else { state.inbox.lock().unwrap().clone() };
                seen = f.mails.len();
                write!(out, "* {seen} EXISTS\r\n* OK [UIDVALIDITY {}] v\r\n* OK [UIDNEXT {}] n\r\n", f.validity, f.next)?;
                write!(out, "{tag} OK [READ-WRITE] done\r\n")?;
            }
            "STATUS" => {
                let f = state.junk.lock().unwrap().clone();
                write!(out, "* STATUS Junk (UIDNEXT {} UIDVALIDITY {})\r\n{tag} OK done\r\n", f.next, f.validity)?;
            }
            "GETQUOTAROOT" => {
                let used = if state.over_quota.load(Ordering::SeqCst) { 1000 } else { 10 };
                write!(out, "* QUOTAROOT \"INBOX\" \"u\"\r\n* QUOTA \"u\" (STORAGE {used} 1000)\r\n{tag} OK done\r\n")?;
            }
            "NOOP" => {
                let n = chosen().mails.len();
                if n != seen {
                    seen = n;
                    write!(out, "* {n} EXISTS\r\n")?;
                }
                write!(out, "{tag} OK done\r\n")?;
            }
            "IDLE" => {
                let how = *state.idle.lock().unwrap();
                if !idle(&mut lines, &mut out, state, tag, how, &mut seen)? {
                    return Ok(());
                }
            }
            "UID" => {
                let mut f = chosen();
                if verb.contains("BODY.PEEK") && state.cut_fetch.swap(false, Ordering::SeqCst) {
                    write!(out, "* 1 FETCH (UID 1 BODY[] {{9999}}\r\nSubject: half")?;
                    return Ok(());
                }
                if verb.contains("BODY.PEEK") && state.bomb.swap(false, Ordering::SeqCst) {
                    write!(out, "* 1 FETCH (UID 1 BODY[] {{4294967295}}\r\n")?;
                    while out.write_all(&[b'x'; 4096]).is_ok() {}
                    return Ok(());
                }
                let mut answer = Vec::new();
                uid(&mut answer, &mut f, tag, &verb)?;
                state.told.fetch_add(answer.len(), Ordering::SeqCst);
                out.write_all(&answer)?;
            }
            "EXPUNGE" => {
                chosen().mails.retain(|m| !m.deleted);
                write!(out, "{tag} OK done\r\n")?;
            }
            "LOGOUT" => return Ok(()),
            _ => write!(out, "{tag} BAD what\r\n")?,
        }
    }
    Ok(())
}

type Lines = std::io::Lines<BufReader<TcpStream>>;

fn idle(lines: &mut Lines, out: &mut TcpStream, state: &State, tag: &str, how: Idle, seen: &mut usize) -> std::io::Result<bool> {
    let hook = state.on_idle.lock().unwrap().take();
    match how {
        Idle::TaggedOk => {
            write!(out, "{tag} OK done\r\n")?;
            if let Some(hook) = hook {
                hook(state);
            }
            return Ok(true);
        }
        Idle::Mute => {
            if let Some(hook) = hook {
                hook(state);
            }
            while lines.next().is_some_and(|l| l.is_ok()) {}
            return Ok(false);
        }
        Idle::Chatter => {
            if let Some(hook) = hook {
                hook(state);
            }
            while write!(out, "* OK still here\r\n").is_ok() {}
            return Ok(false);
        }
        Idle::Bye => {
            write!(out, "+ idling\r\n")?;
            if let Some(hook) = hook {
                hook(state);
            }
            write!(out, "* BYE going down für Wartung\r\n")?;
            return Ok(false);
        }
        Idle::ExistsFirst => {
            if let Some(hook) = hook {
                hook(state);
                *seen = state.inbox.lock().unwrap().mails.len();
                write!(out, "* {seen} EXISTS\r\n")?;
            }
            write!(out, "+ idling\r\n")?;
        }
        _ => {
            write!(out, "+ idling\r\n")?;
            if let Some(hook) = hook {
                hook(state);
            }
            if how == Idle::Proper {
                let n = state.inbox.lock().unwrap().mails.len();
                if n != *seen {
                    *seen = n;
                    write!(out, "* {n} EXISTS\r\n")?;
                }
            }
        }
    }
    // One DONE ends it.
    let done = lines.next();
    if how == Idle::Silent {
        // Until the client gives up.
        while lines.next().is_some_and(|l| l.is_ok()) {}
        return Ok(false);
    }
    if matches!(done, Some(Ok(_))) {
        write!(out, "{tag} OK done\r\n")?;
    }
    Ok(true)
}

fn uid(out: &mut Vec<u8>, f: &mut Folder, tag: &str, verb: &str) -> std::io::Result<()> {
    let words: Vec<&str> = verb.splitn(4, ' ').collect();
    let set = words.get(2).copied().unwrap_or_default();
    match words[1] {
        "FETCH" => {
            let what = words[3];
            for (i, m) in f.mails.iter().enumerate().filter(|(_, m)| holds(set, m.uid, f.next - 1)) {
                let (n, uid, len) = (i + 1, m.uid, m.text.len());
                if what.contains("BODY.PEEK[]") {
                    write!(out, "* {n} FETCH (UID {uid} BODY[]<0> {{{len}}}\r\n{})\r\n", m.text)?;
                } else if what.contains("BODY.PEEK[HEADER]") {
                    let (head, body) = m.text.split_at(m.text.find("\r\n\r\n").unwrap() + 4);
                    let body = &body[..body.len().min(262_144)];
                    write!(out, "* {n} FETCH (UID {uid} BODY[HEADER]<0> {{{}}}\r\n{head} ", head.len())?;
                    write!(out, "BODY[TEXT]<0> {{{}}}\r\n{body})\r\n", body.len())?;
                } else {
                    write!(out, "* {n} FETCH (UID {uid} INTERNALDATE \"{}\" RFC822.SIZE {len})\r\n", m.date)?;
                }
            }
        }
        "SEARCH" => {
            let rest = words.get(3).copied().unwrap_or_default();
            let (uids, text) = rest.split_once(" TEXT ").map_or((rest, None), |(u, t)| (u, Some(t)));
            let (uids, id) = uids.split_once(" HEADER MESSAGE-ID ").map_or((uids, None), |(u, t)| (u, Some(t)));
            let text = text.map(|t| t.trim_matches('"').to_owned());
            let id = id.map(|t| format!("MESSAGE-ID: {}", t.trim_matches('"')));
            let holds_text = |m: &Mail| text.iter().chain(&id).all(|t| m.text.to_uppercase().contains(t));
            let day = |d: &str| jiff::civil::Date::strptime("%d-%b-%Y", d.split(' ').next().unwrap()).unwrap();
            let uids = f.mails.iter().filter(|m| match set {
                "DELETED" => m.deleted,
                "UID" => holds(uids, m.uid, f.next - 1) && holds_text(m),
                "UNSEEN" => !m.seen,
                "SINCE" => day(&m.date) >= day(uids),
                _ => true,
            });
            let uids: String = uids.map(|m| format!(" {}", m.uid)).collect();
            write!(out, "* SEARCH{uids}\r\n")?;
        }
        "STORE" => f.mails.iter_mut().filter(|m| holds(set, m.uid, u32::MAX)).for_each(|m| m.deleted = true),
        "EXPUNGE" => f.mails.retain(|m| !(m.deleted && holds(set, m.uid, u32::MAX))),
        _ => return write!(out, "{tag} BAD what\r\n"),
    }
    write!(out, "{tag} OK done\r\n")
}

/// RFC 9051 sequence sets, with the rule that `n:*` always holds the last one.
fn holds(set: &str, uid: u32, last: u32) -> bool {
    set.split(',').any(|part| {
        let number = |s: &str| if s == "*" { last } else { s.parse().unwrap_or(0) };
        let (a, b) = part.split_once(':').unwrap_or((part, part));
        let (a, b) = (number(a), number(b));
        (a.min(b)..=a.max(b)).contains(&uid)
    })
}
