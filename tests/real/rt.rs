//! Request Tracker as an agent sees it, by plain HTTP requests; shares nothing with the product.

use crate::http::{self, escape};
use crate::stack::Stack;
use serde_json::Value;

/// One ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Its number.
    pub id: String,
    /// Its subject.
    pub subject: String,
    /// Its queue's name.
    pub queue: String,
    /// `new`, `open`, `resolved`, …
    pub status: String,
    /// When it was changed last.
    pub updated: String,
}

/// One entry of a ticket's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `Create`, `Correspond`, `EmailRecord`, `SystemError`, `Status`, …
    pub kind: String,
    /// The user's name.
    pub by: String,
}

/// Asks RT's REST 2 interface; panics on any error.
pub fn ask(stack: &Stack, method: &str, path: &str, body: Option<&Value>) -> Value {
    let token = format!("token {}", stack.word("RT_TOKEN"));
    http::json(stack.port("RT_PORT"), method, &format!("/REST/2.0{path}"), Some(&token), body)
}

/// The tickets whose subject holds a word, in order of their numbers.
pub fn tickets(stack: &Stack, word: &str) -> Vec<Ticket> {
    query(stack, &format!("Subject LIKE '{word}'"))
}

/// The tickets of a query in RT's own language.
pub fn query(stack: &Stack, query: &str) -> Vec<Ticket> {
    let path = format!("/tickets?query={}&fields=Subject,Status,Queue,LastUpdated&fields[Queue]=Name&per_page=100", escape(query));
    let answer = ask(stack, "GET", &path, None);
    let items = answer["items"].as_array().unwrap_or_else(|| panic!("no items: {answer}"));
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let mut found: Vec<Ticket> = items
        .iter()
        .map(|t| Ticket {
            id: text(&t["id"]),
            subject: text(&t["Subject"]),
            queue: text(&t["Queue"]["Name"]),
            status: text(&t["Status"]),
            updated: text(&t["LastUpdated"]),
        })
        .collect();
    found.sort_by_key(|t| t.id.parse::<u32>().unwrap_or_default());
    found
}

/// A ticket's history, oldest first.
pub fn history(stack: &Stack, id: &str) -> Vec<Entry> {
    let answer = ask(stack, "GET", &format!("/ticket/{id}/history?fields=Type,Creator&per_page=100"), None);
    let items = answer["items"].as_array().expect("items");
    items
        .iter()
        .map(|e| Entry {
            kind: e["Type"].as_str().unwrap_or_default().to_owned(),
            by: e["Creator"]["id"].as_str().or(e["Creator"].as_str()).unwrap_or_default().to_owned(),
        })
        .collect()
}

/// How often an entry of that kind by that user (any, when empty) is in the history.
pub fn count(history: &[Entry], kind: &str, by: &str) -> usize {
    history.iter().filter(|e| e.kind == kind && (by.is_empty() || e.by == by)).count()
}

/// Answers the customer as the agent `monitor`.
pub fn answer(stack: &Stack, id: &str, text: &str) {
    let body = serde_json::json!({ "Content": text, "ContentType": "text/plain" });
    ask(stack, "POST", &format!("/ticket/{id}/correspond"), Some(&body));
}

/// The files of a ticket: name and bytes.
pub fn files(stack: &Stack, id: &str) -> Vec<(String, Vec<u8>)> {
    use base64::Engine as _;
    let list = ask(stack, "GET", &format!("/ticket/{id}/attachments?fields=Filename&per_page=100"), None);
    let mut files = Vec::new();
    for item in list["items"].as_array().expect("items") {
        let Some(name) = item["Filename"].as_str().filter(|n| !n.is_empty()) else { continue };
        let one = ask(stack, "GET", &format!("/attachment/{}", item["id"].as_str().expect("an id")), None);
        let content: String = one["Content"].as_str().unwrap_or_default().split_whitespace().collect();
        files.push((name.to_owned(), base64::engine::general_purpose::STANDARD.decode(content).expect("base64")));
    }
    files
}
