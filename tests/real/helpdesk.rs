//! django-helpdesk as an agent and as a customer with a browser see it, by plain HTTP requests; shares nothing with the
//! product.

use crate::http::{self, Answer};
use crate::stack::{Lane, Stack};
use base64::Engine as _;
use serde_json::{Value, json};

/// One ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Its number.
    pub id: u64,
    /// Its title.
    pub title: String,
    /// Its queue's number, which is the lane's.
    pub queue: u64,
    /// 1 open, 2 reopened, 3 resolved, 4 closed.
    pub status: u64,
    /// Whose it is.
    pub requester: String,
    /// What is in it, oldest first.
    pub entries: Vec<Entry>,
}

/// One entry of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What kind: `Ticket Opened Via Web`, `Comment`, `E-Mail Received from …`.
    pub title: String,
    /// Its text.
    pub text: String,
    /// Written by an agent.
    pub by_agent: bool,
    /// The names and paths of its files.
    pub files: Vec<(String, String)>,
}

/// The path of the public form.
pub const FORM: &str = "/tickets/submit/";

fn ask(stack: &Stack, method: &str, path: &str, body: Option<&Value>) -> Value {
    let secret = base64::engine::general_purpose::STANDARD.encode("monitor:monitor-pass");
    http::json(stack.port("HELPDESK"), method, path, Some(&format!("Basic {secret}")), body)
}

/// The tickets that hold a word in their title, their text or an entry.
pub fn tickets(stack: &Stack, word: &str) -> Vec<Ticket> {
    let answer = ask(stack, "GET", "/api/tickets/?page_size=1000", None);
    let all = answer["results"].as_array().expect("results");
    all.iter().filter(|t| t.to_string().contains(word)).map(ticket).collect()
}

fn ticket(value: &Value) -> Ticket {
    let number = |v: &Value| v.as_u64().expect("a number");
    let entries = value["followup_set"].as_array().expect("entries").iter().map(entry).collect();
    Ticket {
        id: number(&value["id"]),
        title: text(&value["title"]),
        queue: number(&value["queue"]),
        status: number(&value["status"]),
        requester: text(&value["submitter_email"]),
        entries,
    }
}

fn entry(value: &Value) -> Entry {
    let path = |f: &Value| text(&f["file"]).split_once("/media/").map(|(_, p)| format!("/media/{p}")).unwrap_or_default();
    let files = value["followupattachment_set"].as_array().expect("files").iter().map(|f| (text(&f["filename"]), path(f))).collect();
    Entry { title: text(&value["title"]), text: text(&value["comment"]), by_agent: !value["user"].is_null(), files }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Ticket {
    /// How many entries hold a word.
    pub fn count(&self, word: &str) -> usize {
        self.entries.iter().filter(|e| e.text.contains(word)).count()
    }

    /// Every file: its name and its bytes.
    pub fn files(&self, stack: &Stack) -> Vec<(String, Vec<u8>)> {
        let bytes = |path: &str| http::ask(stack.port("HELPDESK"), "GET", path, &[], &[]).expect("a file").body;
        self.entries.iter().flat_map(|e| &e.files).map(|(name, path)| (name.clone(), bytes(path))).collect()
    }
}

/// Answers the customer as the agent `monitor`.
pub fn answer(stack: &Stack, id: u64, text: &str) {
    // A title would become the ticket's own.
    let body = json!({ "ticket": id, "title": "", "comment": text, "public": true, "user": null });
    ask(stack, "POST", "/api/followups/", Some(&body));
}

/// A customer fills in the form on a port (the desk's own or a proxy's) with one file; what the submission is answered with.
pub fn fill_in(port: u16, lane: Lane, customer: &str, word: &str, file: &[u8]) -> Option<Answer> {
    let page = http::ask(port, "GET", FORM, &[], &[])?;
    let cookie = page.header("set-cookie").and_then(|c| c.split(';').next()).expect("a cookie").to_owned();
    let html = page.text();
    let (before, after) = html.split_once("\" value=\"").expect("a hidden input");
    let (name, value) = (before.rsplit('"').next().expect("its name"), after.split('"').next().expect("its value"));
    let (number, title) = (lane.0.to_string(), format!("Parcel {word}"));
    let fields =
        [(name, value), ("queue", &number), ("title", &title), ("body", "Where is it?"), ("priority", "3"), ("submitter_email", customer)];
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(format!("--part7d1a\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
    }
    let head = "Content-Disposition: form-data; name=\"attachment\"; filename=\"note.txt\"\r\nContent-Type: text/plain";
    body.extend(format!("--part7d1a\r\n{head}\r\n\r\n").bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--part7d1a--\r\n");
    let headers = [("Cookie", cookie.as_str()), ("Content-Type", "multipart/form-data; boundary=part7d1a")];
    http::ask(port, "POST", FORM, &headers, &body)
}
