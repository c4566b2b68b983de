//! Desk files as their authors meet them: every golden bad one with its exact messages, and what a probe may expect.
//!
//! `REPLYPATH_BLESS=1 cargo test --test desk` writes the golden messages anew; read the difference.

mod django_helpdesk;
mod recording;

use replypath::config::{DeskFiles, load};
use replypath::desk::{Definition, built_in, reference, schema};
use replypath::problem::render;
use std::fs;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/desk")
}

fn checked(name: &str, text: &str) -> String {
    match Definition::parse(name, text) {
        Ok(_) => "nothing is wrong\n".to_owned(),
        Err(problems) => render(&problems, false),
    }
}

#[test]
fn every_golden_bad_desk_file_gives_its_exact_messages() {
    let bless = std::env::var_os("REPLYPATH_BLESS").is_some();
    let mut files: Vec<PathBuf> = fs::read_dir(folder().join("bad")).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
    files.sort();
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let found = checked(&name, &fs::read_to_string(file).unwrap());
        let golden = file.with_extension("txt");
        if bless {
            fs::write(&golden, &found).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != found {
            wrong.push(format!("--- {name}\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), files.len(), wrong.join("\n"));
    assert!(files.len() >= 30, "only {}", files.len());
}

#[test]
fn the_file_from_which_the_bad_ones_were_made_is_good() {
    let text = fs::read_to_string(folder().join("tickety.toml")).unwrap();
    assert_eq!(checked("tickety.toml", &text), "nothing is wrong\n");
    assert!(Definition::parse("tickety.toml", &text).unwrap().unproven());
    // Editors and authors are told of every key that it uses.
    let (schema, reference) = (schema().to_string(), reference());
    for line in text.lines().filter_map(|l| l.split_once(" = ")).map(|(key, _)| key.trim()).filter(|k| k.len() > 3 && !k.contains('.')) {
        assert!(["text", "agent", "files", "state"].contains(&line) || schema.contains(&format!("\"{line}\"")), "{line}");
        assert!(["text", "agent", "files", "state"].contains(&line) || reference.contains(&format!("`{line}`")), "{line}");
    }
}

#[test]
fn steps_without_names_do_not_take_each_others() {
    let text = fs::read_to_string(folder().join("tickety.toml")).unwrap();
    let unnamed = text.replace("  id  = \"c\"\n", "").replace("\"c:case", "\"case").replace("  id   = \"r\"\n", "");
    assert_ne!(text, unnamed);
    assert_eq!(checked("tickety.toml", &unnamed), "nothing is wrong\n");
}

const MAIN: &str = r#"
[accounts.alice]
address = "alice@mail.example"
[accounts.alice.imap]
host = "imap.mail.example"
user = "alice"
password = "pw"
[accounts.alice.smtp]
host = "smtp.mail.example"
[desks.helpdesk]
use = "rt"
[desks.helpdesk.params]
url = "https://rt.example"
token = "1-2-3"
"#;

const PROBE: &str = r#"
desk = "helpdesk"
account = "alice"
[email]
to = "support@example.com"
subject = "Hello"
text = "A question"
[expect]
queue = "General"
priority = 0
tags = ["vip"]
"#;

#[test]
fn an_expectation_on_a_field_that_the_desk_never_tells_is_refused_when_it_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("probes")).unwrap();
    fs::write(dir.path().join("replypath.toml"), MAIN).unwrap();
    fs::write(dir.path().join("probes/a.toml"), PROBE).unwrap();
    let none = |_: &str| None;
    let found = render(&load(dir.path(), &none, &DeskFiles).expect_err("Request Tracker has no tags"), false);
    assert!(found.contains("this desk never tells `tags`: its definition does not map it"), "{found}");
    assert!(found.contains("probes/a.toml:11:8") && found.ends_with("1 problem in 1 file\n"), "{found}");
    fs::write(dir.path().join("replypath.toml"), MAIN.replace("\"rt\"", "\"sandbox\"").replace("token =", "key =")).unwrap();
    assert!(load(dir.path(), &none, &DeskFiles).is_ok());
    assert!(built_in().iter().any(|(id, _)| *id == "rt"));
}
