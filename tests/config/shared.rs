//! What the tests of the configuration share: a catalogue of one-line definitions, small files, loading.

use replypath::config::{ChatLimit, Config, DeskCatalog, DeskDefinition, ParamProblem, ParamValue, load};
use replypath::desk::{Limit, LimitScope, Recipe};
use replypath::model::{Capability, Rate};
use replypath::problem::{Problem, render};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A catalogue whose definitions say in one line what they can do: `can = ["find", …]`, `params = ["url"]`, `secrets = ["token"]`,
/// `recipes = ["web"]`.
pub struct Catalog;

struct Facts {
    can: Vec<Capability>,
    params: Vec<String>,
    secrets: Vec<String>,
    recipes: Vec<String>,
    chat_limit: Option<ChatLimit>,
    unproven: bool,
}

const FULL: &str = r#"can = ["find", "read", "messages", "reply", "close", "delete", "mark", "files"]
params = ["url"]
secrets = ["token"]
"#;

const TALKS: &str = r#"can = ["find", "read", "messages", "reply", "close", "delete", "mark", "files", "chat", "presence", "create", "note", "move"]
params = ["url"]
secrets = ["token"]
recipes = ["web", "widget-6-in-12h-address", "shop-cors"]
"#;

impl DeskCatalog for Catalog {
    fn built_in(&self) -> Vec<(String, String)> {
        vec![("rt".into(), FULL.into()), ("sandbox".into(), TALKS.into())]
    }

    fn parse(&self, origin: &str, text: &str) -> Result<Box<dyn DeskDefinition>, Vec<Problem>> {
        let table: toml::Table = toml::from_str(text).map_err(|e| {
            vec![Problem { file: origin.into(), text: Some(text.into()), span: e.span(), message: e.message().into(), help: None }]
        })?;
        let words = |key: &str| -> Vec<String> {
            table.get(key).and_then(|v| v.as_array()).into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
        };
        let can = words("can").iter().map(|w| serde_json::from_value(w.as_str().into()).unwrap()).collect();
        let unproven = table.get("unproven").and_then(|v| v.as_bool()).unwrap_or(false);
        // `chats_an_hour = 6`, with `by_visitor = true` for each visitor.
        let chat_limit = table.get("chats_an_hour").and_then(|v| v.as_integer()).map(|count| ChatLimit {
            rate: Rate { count: count.try_into().unwrap(), per: std::time::Duration::from_secs(3_600) },
            by_visitor: table.contains_key("by_visitor"),
        });
        Ok(Box::new(Facts { can, params: words("params"), secrets: words("secrets"), recipes: words("recipes"), chat_limit, unproven }))
    }
}

impl DeskDefinition for Facts {
    fn capabilities(&self) -> &[Capability] {
        &self.can
    }
    fn unproven(&self) -> bool {
        self.unproven
    }
    fn secret_params(&self) -> Vec<String> {
        self.secrets.clone()
    }
    fn recipes(&self) -> Vec<Recipe> {
        // `web-6-in-12h-address`: six in twelve hours for each address; `shop-cors`: as from the company's page.
        let recipe = |word: &String| {
            let parts: Vec<&str> = word.split('-').collect();
            let limit = match parts[..] {
                [_, count, "in", per, scope] => Some(Limit {
                    count: count.parse().unwrap(),
                    per: per.parse::<jiff::SignedDuration>().unwrap().unsigned_abs(),
                    scope: LimitScope::ALL.into_iter().find(|s| s.as_str() == scope).unwrap(),
                }),
                _ => None,
            };
            Recipe { id: parts[0].to_owned(), limit, cors: parts.get(1) == Some(&"cors"), needs_mx: false, calls: 1 }
        };
        self.recipes.iter().map(recipe).collect()
    }
    fn chat_limit(&self) -> Option<ChatLimit> {
        self.chat_limit
    }
    fn check_params(&self, params: &BTreeMap<String, ParamValue>) -> Vec<ParamProblem> {
        let known: BTreeSet<&String> = self.params.iter().chain(&self.secrets).collect();
        let missing = known.iter().filter(|k| !params.contains_key(**k)).map(|k| ParamProblem {
            param: None,
            message: format!("the param `{k}` is missing"),
            help: None,
        });
        let unknown = params.keys().filter(|k| !known.contains(k)).map(|k| ParamProblem {
            param: Some(k.clone()),
            message: format!("the definition has no param `{k}`"),
            help: None,
        });
        missing.chain(unknown).collect()
    }
}

pub fn env(name: &str) -> Option<String> {
    ["ALICE_PASSWORD", "RT_TOKEN"].contains(&name).then(|| format!("value of {name}"))
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn write(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

pub const MAIN: &str = r#"
[accounts.alice]
address = "alice@mail.example"
[accounts.alice.imap]
host = "imap.mail.example"
user = "alice"
password = { env = "ALICE_PASSWORD" }
[accounts.alice.smtp]
host = "smtp.mail.example"
[desks.helpdesk]
use = "rt"
[desks.helpdesk.params]
url = "https://rt.example"
token = { env = "RT_TOKEN" }
"#;

pub const PROBE: &str = r#"
desk = "helpdesk"
account = "alice"
[email]
to = "support@example.com"
subject = "Hello"
text = "A question"
"#;

pub fn loaded(files: &[(&str, &str)]) -> Config {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), files);
    load(dir.path(), &env, &Catalog).unwrap_or_else(|problems| panic!("{}", render(&problems, false)))
}

pub fn refused(files: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), files);
    render(&load(dir.path(), &env, &Catalog).expect_err("it should have been refused"), false)
}
