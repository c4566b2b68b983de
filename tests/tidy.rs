//! The shape of the source: who may use whom, how long a file may be, what may stand nowhere, and no fault id without an
//! entry in the catalogue.

use replypath::diagnosis::catalogue;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Lines that a file may have without its tests.
const LONGEST: usize = 470;

/// A source file: its path below the repository with `/`, and its text.
struct File {
    path: String,
    text: String,
}

impl File {
    /// The text before the file's own test module.
    fn code(&self) -> &str {
        self.text.split("\n#[cfg(test)]\n").next().unwrap_or_default()
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.ends_with("_tests.rs")
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("/testing.rs")
    }
}

fn collect(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a folder").map(|e| e.expect("an entry").path()) {
        if entry.is_dir() {
            collect(&entry, into);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            into.push(entry);
        }
    }
}

fn files(below: &[&str]) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in below {
        collect(&root.join(folder), &mut paths);
    }
    paths.sort();
    assert!(!paths.is_empty());
    let read = |path: &PathBuf| File {
        path: path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/"),
        text: std::fs::read_to_string(path).expect("a readable file"),
    };
    paths.iter().map(read).collect()
}

/// The layer of a file: `engine` of `src/engine/land.rs`, `clock` of `src/clock.rs`.
fn layer(path: &str) -> &str {
    path.strip_prefix("src/").unwrap_or(path).split(['/', '.']).next().unwrap_or_default()
}

/// The layers that a text names: the word after each `crate::`, and each word of a `crate::{…}` group.
fn uses(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let word = |s: &'_ str| -> usize { s.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(s.len()) };
    for rest in text.split("crate::").skip(1) {
        match rest.strip_prefix('{').and_then(|r| r.split_once('}')) {
            Some((group, _)) => found.extend(group.split(',').map(str::trim).map(|w| &w[..word(w)]).filter(|w| !w.is_empty())),
            None => drop(found.insert(&rest[..word(rest)])),
        }
    }
    found
}

/// The text of every string literal on one line, without escapes resolved.
fn strings(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in text.lines().filter(|l| !l.trim_start().starts_with("//")) {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once('"') {
            let Some((inside, later)) = after.split_once('"') else { break };
            found.push(inside);
            rest = later;
        }
    }
    found
}

#[test]
fn layers_use_only_what_lies_below_them() {
    // A layer and what it must not use; `!` turns the list into all that it may use.
    let rules: &[(&str, &[&str])] = &[
        ("model", &["!", "model"]),
        ("clock", &["!"]),
        ("check", &["!", "check", "model"]),
        ("diagnosis", &["!", "diagnosis", "model"]),
        ("sandbox", &["!", "sandbox", "clock"]),
        ("engine", &["cli", "report", "metrics", "sandbox", "store", "desk", "config", "daemon", "schedule", "web"]),
        ("store", &["cli", "report", "metrics", "sandbox", "desk", "mail", "config", "daemon", "schedule", "web"]),
        ("mail", &["cli", "report", "metrics", "sandbox", "desk", "store", "config", "daemon", "schedule", "web"]),
        ("desk", &["cli", "report", "metrics", "sandbox", "mail", "store", "daemon", "schedule", "web"]),
        ("config", &["cli", "report", "metrics", "sandbox", "engine", "store", "daemon", "web"]),
        ("form", &["!", "form", "clock", "engine", "exchange", "model", "random"]),
        ("report", &["cli", "metrics", "sandbox", "store", "desk", "mail", "daemon", "web"]),
    ];
    let mut wrong = Vec::new();
    for file in files(&["src"]).iter().filter(|f| !f.is_test()) {
        let Some((_, listed)) = rules.iter().find(|(name, _)| *name == layer(&file.path)) else { continue };
        let used = uses(file.code());
        let bad = |word: &&str| if listed[0] == "!" { !listed.contains(word) } else { listed.contains(word) };
        wrong.extend(used.into_iter().filter(bad).map(|word| format!("{} uses {word}", file.path)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_command_line_knows_the_sandbox() {
    let knows = |f: &&File| uses(&f.text).contains("sandbox") && layer(&f.path) != "sandbox";
    let all = files(&["src"]);
    let found: Vec<&str> = all.iter().filter(knows).map(|f| layer(&f.path)).collect();
    assert!(!found.is_empty() && found.iter().all(|l| *l == "cli"), "{found:?}");
}

#[test]
fn no_file_is_longer_than_can_be_read() {
    let count = |f: &File| f.code().lines().count();
    let long: Vec<String> =
        files(&["src"]).iter().filter(|f| !f.is_test() && count(f) > LONGEST).map(|f| format!("{}: {} lines", f.path, count(f))).collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<String> = files(&["src"]).into_iter().filter(|f| !f.is_test() && !f.text.starts_with("//! ")).map(|f| f.path).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn nothing_half_done_is_left_and_no_test_sleeps() {
    let mut wrong = Vec::new();
    for file in files(&["src", "tests"]) {
        // This file names what it forbids.
        if file.path == "tests/tidy.rs" {
            continue;
        }
        let halves = ["todo!(", "dbg!(", "unimplemented!(", "FIXME", "XXX"];
        wrong.extend(halves.iter().filter(|w| file.text.contains(*w)).map(|w| format!("{}: {w}", file.path)));
        let tests = if file.is_test() { file.text.as_str() } else { file.text.split_once("\n#[cfg(test)]\n").map_or("", |(_, t)| t) };
        let naps = tests.contains("thread::sleep(") || tests.contains("time::sleep(");
        if naps && !POLLS.contains(&file.path.as_str()) {
            wrong.push(format!("{}: a test sleeps", file.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// They ask again and again, up to a generous limit, for what another program tells nobody.
const POLLS: [&str; 3] = ["tests/mailbox/dovecot.rs", "tests/desk_rt.rs", "tests/cli/site.rs"];

#[test]
fn the_diagnosis_knows_no_wording_of_the_sandbox() {
    let spoken: Vec<File> = files(&["src/sandbox"]).into_iter().filter(|f| !f.is_test()).collect();
    // A sentence or a name that only the sandbox uses; single words are anybody's.
    let own = |s: &&str| s.trim().contains(' ') && s.trim().len() >= 10 && !s.contains('{');
    let mut wording: BTreeSet<&str> = spoken.iter().flat_map(|f| strings(f.code())).filter(own).map(str::trim).collect();
    wording.extend(["desk.test", "customers.test", "[SB-", "rule Key accounts", "detected as"]);
    assert!(wording.len() > 30, "{wording:?}");
    let mut wrong = Vec::new();
    for file in files(&["src/diagnosis", "src/check"]) {
        wrong.extend(wording.iter().filter(|w| file.code().contains(**w)).map(|w| format!("{}: “{w}”", file.path)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Hyphenated words of the engine, of mail and desk that are no faults.
const NO_FAULTS: &[&str] = &[
    "before-intent",
    "after-intent",
    "after-act",
    "after-result",
    "reply-to",
    "system-generated",
    "rate-limit",
    "junk-e-mail",
    "spam-verdacht",
    "original-nachricht",
    "idle-dead",
    "uidvalidity-changed",
    "authentication-results",
    "in-reply-to",
    "long-poll",
    "django-helpdesk",
    "json-events",
    "frame-ancestors",
    "last-event-id",
    "thank-you",
    "twenty-four",
    "django-helpdesk",
];

/// These know headers, and name no faults.
const OF_HEADERS: &[&str] = &[
    "src/check/automatic.rs",
    "src/mail/headers.rs",
    "src/mail/human.rs",
    "src/mail/html.rs",
    "src/mail/dsn.rs",
    "src/mail/compose.rs",
    "src/desk/create/page.rs",
    "src/desk/jar.rs",
    "src/desk/transcript/redact.rs",
];

#[test]
fn every_fault_id_in_the_source_has_its_entry() {
    let known: BTreeSet<&str> = catalogue::all().iter().map(|f| f.id.as_str()).collect();
    let looks_like_an_id = |s: &&str| {
        let mut parts = s.split('-');
        s.contains('-') && parts.all(|p| !p.is_empty() && p.chars().all(|c| c.is_ascii_lowercase()))
    };
    let (mut wrong, mut named) = (Vec::new(), BTreeSet::new());
    let all = files(&["src/engine", "src/check", "src/diagnosis", "src/mail", "src/desk"]);
    for file in all.iter().filter(|f| !f.is_test()) {
        if OF_HEADERS.contains(&file.path.as_str()) {
            assert!(!file.code().contains("Trouble::new"), "{} names faults after all", file.path);
            continue;
        }
        for id in strings(file.code()).into_iter().filter(looks_like_an_id).filter(|id| !NO_FAULTS.contains(id)) {
            if known.contains(id) {
                named.insert(id);
            } else {
                wrong.push(format!("{}: `{id}` has no entry in src/diagnosis/catalogue.toml", file.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Pages are full of hyphenated words: only what is given to a `Stop` counts.
    for file in files(&["src/form", "src/browser"]).iter().filter(|f| !f.is_test()) {
        let given = ["Stop::failed(", "Stop::unknown(", ".or("].iter().flat_map(|call| file.code().split(call).skip(1).collect::<Vec<_>>());
        let first = given.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"').map(|(id, _)| id));
        wrong.extend(first.filter(|id| !known.contains(id)).map(|id| format!("{}: `{id}` has no entry in the catalogue", file.path)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(named.len() > 60, "only {} ids are found, so the search is broken: {named:?}", named.len());
}

#[test]
fn the_helpers_of_these_tests_see_what_they_look_for() {
    assert_eq!(uses("use crate::model::Run;\nuse crate::{check, store::Store};"), BTreeSet::from(["model", "check", "store"]));
    assert_eq!(strings("fail(stage, &[\"a-b\", \"c d\"]);\n// \"not-this\""), ["a-b", "c d"]);
    assert_eq!((layer("src/engine/land.rs"), layer("src/clock.rs")), ("engine", "clock"));
}
