//! Configuration: every golden bad one with its exact messages, the examples, the schema, speed.
//!
//! `REPLYPATH_BLESS=1 cargo test --test config` writes the golden messages anew; read the difference.

#[cfg(feature = "browser")]
mod browser;
mod shared;
mod variants;
mod ways;

use replypath::config::{DeskFiles, ParamValue, init, load, load_from, reference, schema};
use replypath::model::{AfterStage, Channel, CleanUp, FollowUpTo, Overlap, Schedule, Stage, TlsMode, Window};
use replypath::problem::render;
use secrecy::ExposeSecret;
use shared::{Catalog, MAIN, PROBE, env, loaded, refused, root, write};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// True when a probe of the folder asks for a browser, which not every build has.
fn asks_for_browser(folder: &std::path::Path) -> bool {
    let probes = fs::read_dir(folder.join("probes")).into_iter().flatten().map(|e| e.unwrap().path());
    probes.filter(|p| p.is_file()).any(|p| fs::read(p).is_ok_and(|text| String::from_utf8_lossy(&text).contains("browser = true")))
}

#[test]
fn every_golden_bad_configuration_gives_its_exact_messages() {
    let bless = std::env::var_os("REPLYPATH_BLESS").is_some();
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut folders: Vec<PathBuf> = fs::read_dir(root().join("tests/bad-config")).unwrap().map(|e| e.unwrap().path()).collect();
    folders.sort();
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if asks_for_browser(&folder) && name.starts_with("no-browser-") == cfg!(feature = "browser") {
            continue;
        }
        let golden = folder.join("expected.txt");
        let found = match load(&folder, &env, &Catalog) {
            Ok(_) => "nothing is wrong\n".to_owned(),
            // The folder's own path differs from machine to machine.
            Err(problems) => render(&problems, false).replace(&folder.display().to_string(), "DIR"),
        };
        count += 1;
        if bless {
            fs::write(&golden, &found).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != found {
            wrong.push(format!("--- {name}\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 40, "only {count}");
}

#[test]
fn a_small_configuration_gets_the_documented_defaults() {
    let config = loaded(&[("replypath.toml", MAIN), ("probes/a.toml", PROBE)]);
    let alice = &config.accounts["alice"];
    assert_eq!((alice.display_name.as_str(), alice.mailbox.server.port, alice.submission.server.port), ("alice", 993, 465));
    assert_eq!(alice.submission.server.user, "alice");
    assert_eq!(alice.submission.server.password.expose_secret(), "value of ALICE_PASSWORD");
    let probe = &config.probes["a"];
    assert_eq!(probe.stages.len(), 10);
    assert_eq!(probe.gateway, "helpdesk-email");
    assert_eq!((probe.schedule.clone(), probe.overlap, probe.clean_up), (None, Overlap::Skip, CleanUp::Close));
    assert_eq!(probe.settle, Duration::from_secs(60));
    let Channel::Email(email) = &probe.channel else { panic!() };
    assert_eq!(email.text, "A question\n\nReference: ${token}");
    assert_eq!(email.subject, "Hello");
    assert!(probe.reply.text.contains("${token}") && probe.follow_up.text.contains("${token}"));
    let ParamValue::Secret(token) = &config.desks["helpdesk"].params["token"] else { panic!("the token is a secret") };
    assert_eq!(token.expose_secret(), "value of RT_TOKEN");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert!(!format!("{config:?}").contains("value of"), "a secret can be printed");
}

#[test]
fn every_key_reaches_its_place() {
    let probe = r#"
description = "d"
owner = "o"
tags = ["x", "y"]
desk = "helpdesk"
account = "alice"
gateway = "mx-eu"
cron = "*/15 8-18 * * mon-fri"
zone = "Europe/Vienna"
overlap = "allow"
skip = ["queue"]
settle = "3s"
watch_after = "2h"
mark = "replypath-probe"
clean_up = "delete"
[[maintenance]]
start = "0 2 * * sun"
zone = "Europe/Vienna"
length = "2h"
[[maintenance]]
from = "2026-12-24T18:00:00Z"
until = 2026-12-25T18:00:00Z
[email]
to = ["a@example.com", "b@example.com"]
cc = "c@example.com"
subject = "S"
text = "T ${token}"
html = "<p>H</p>"
attachments = "files/letter.txt"
[expect]
queue = "Q"
requester = "r@example.com"
priority = 3
tags = ["t"]
fields = { a = "b", n = 7, yes = true }
channel = "email"
attachments = false
created_within = "5m"
acknowledge_text = "A"
from = "f@example.com"
reply_to = "g@example.com"
return_links = ["https://x"]
[reply]
after = "acknowledge"
html = "<p>${token}</p>"
[follow_up]
to = "own"
after_close = true
reopens = false
[limits]
land = "2d"
return = "1h 30m"
[policy]
threading = "wanted"
noreply_allowed = true
closing_notice = "never"
automatic_reply_allowed = false
duplicates_allowed = true
"#;
    let config = loaded(&[("replypath.toml", MAIN), ("probes/a.toml", probe), ("probes/files/letter.txt", "Grüße")]);
    let probe = &config.probes["a"];
    assert_eq!(probe.schedule, Some(Schedule::Cron { pattern: "*/15 8-18 * * mon-fri".into(), zone: "Europe/Vienna".into() }));
    assert!(!probe.takes(Stage::Queue) && probe.takes(Stage::Format));
    assert_eq!(probe.limit(Stage::Return), Duration::from_secs(5_400));
    assert_eq!(probe.limit(Stage::Land), Duration::from_secs(172_800));
    assert_eq!(probe.limit(Stage::Send), Duration::from_secs(60));
    assert!(matches!(probe.maintenance[0], Window::Repeating { length, .. } if length == Duration::from_secs(7_200)));
    assert!(matches!(probe.maintenance[1], Window::Once { from, until } if until > from));
    let Channel::Email(email) = &probe.channel else { panic!() };
    assert_eq!((email.to.len(), email.cc.len(), email.attachments.len()), (2, 1, 1));
    assert_eq!((email.attachments[0].name.as_str(), email.attachments[0].content_type.as_str()), ("letter.txt", "text/plain"));
    assert_eq!(email.html.as_deref(), Some("<p>H</p>\n<p>Reference: ${token}</p>"));
    assert_eq!(probe.expect.priority.as_deref(), Some("3"));
    assert_eq!(probe.expect.fields["n"], "7");
    assert_eq!((probe.reply.after, probe.follow_up.to), (AfterStage::Acknowledge, FollowUpTo::Own));
    assert!(probe.follow_up.after_close && !probe.follow_up.reopens);
    let stored = serde_json::to_string(probe).unwrap();
    assert_eq!(serde_json::from_str::<replypath::model::Probe>(&stored).unwrap(), *probe);
}

#[test]
fn a_probe_without_a_desk_tests_the_way_only() {
    let probe = PROBE.replace("desk = \"helpdesk\"", "only = [\"send\", \"accept\", \"acknowledge\", \"clean_up\"]");
    let config = loaded(&[("replypath.toml", MAIN), ("probes/a.toml", &probe)]);
    let probe = &config.probes["a"];
    assert_eq!((probe.stages.len(), probe.desk.as_deref(), probe.clean_up), (4, None, CleanUp::Keep));
    assert_eq!(probe.gateway, "example-com-email");
}

#[test]
fn a_person_may_answer_and_submission_may_be_open() {
    let main = MAIN.replace("host = \"smtp.mail.example\"", "host = \"127.0.0.1\"\nuser = \"\"\ntls = \"none\"\nport = 2525");
    let probe = format!("{PROBE}[reply]\nmode = \"await\"\n[limits]\nreply = \"3d\"\n");
    let config = loaded(&[("replypath.toml", &main), ("probes/a.toml", &probe)]);
    let server = &config.accounts["alice"].submission.server;
    assert_eq!((server.user.as_str(), server.password.expose_secret(), server.tls, server.port), ("", "", TlsMode::None, 2525));
    assert_eq!(config.probes["a"].limit(Stage::Reply), Duration::from_secs(3 * 86_400));
}

#[test]
fn a_secret_file_is_read_without_its_last_newline() {
    let main = MAIN.replace("{ env = \"ALICE_PASSWORD\" }", "{ file = \"secrets/alice\" }");
    let config = loaded(&[("replypath.toml", &main), ("secrets/alice", " ge heim \n")]);
    assert_eq!(config.accounts["alice"].mailbox.server.password.expose_secret(), " ge heim ");
}

#[test]
fn a_desk_file_beside_the_configuration_wins_over_a_built_in_one() {
    let mine = "unproven = true\ncan = [\"find\", \"messages\", \"reply\"]\nparams = [\"url\"]\nsecrets = [\"token\"]\n";
    let probe = PROBE.replace("account", "skip = [\"queue\", \"format\", \"clean_up\"]\naccount");
    let config = loaded(&[("replypath.toml", MAIN), ("desks/rt.toml", mine), ("probes/a.toml", &probe)]);
    assert_eq!(config.desks["helpdesk"].source.origin, "desks/rt.toml");
    assert_eq!(
        config.warnings,
        ["desk `helpdesk`: the definition `rt` is unproven: nobody has recorded the real product with it, so it may be wrong"]
    );
    assert!(!config.probes["a"].expect.attachments, "the desk cannot give the bytes of files");
}

#[test]
fn a_reload_sees_what_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("replypath.toml", MAIN), ("probes/a.toml", PROBE)]);
    assert_eq!(load(dir.path(), &env, &Catalog).unwrap().probes.len(), 1);
    write(dir.path(), &[("probes/b.toml", PROBE)]);
    assert_eq!(load(dir.path(), &env, &Catalog).unwrap().probes.len(), 2);
    write(dir.path(), &[("probes/b.toml", "desk =")]);
    assert!(load(dir.path(), &env, &Catalog).is_err());
}

#[cfg(unix)]
#[test]
fn an_inline_secret_is_remarked_only_where_others_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let main = MAIN.replace("{ env = \"ALICE_PASSWORD\" }", "\"geheim\"").replace("{ env = \"RT_TOKEN\" }", "\"s3cret\"");
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("replypath.toml", &main)]);
    let set = |mode| fs::set_permissions(dir.path().join("replypath.toml"), fs::Permissions::from_mode(mode)).unwrap();
    set(0o644);
    let warnings = load(dir.path(), &env, &Catalog).unwrap().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("replypath.toml:7: `password` stands in a file"), "{warnings:?}");
    set(0o640);
    assert!(load(dir.path(), &env, &Catalog).unwrap().warnings.is_empty());
}

#[test]
fn a_secret_stands_in_no_message() {
    let bad_line = MAIN.replace("{ env = \"ALICE_PASSWORD\" }", "\"geheim\" x");
    let wrong_key = MAIN.replace("password = {", "pasword = \"geheim\"\nnothing = {");
    let wrong_table = MAIN.replace("[accounts.alice.smtp]", "[accounts.alice.stmp]\npassword = \"geheim\"");
    let one_line = "[accounts.a]\naddress = \"a@b.c\"\nimap = { hots = \"h\", user = \"u\", password = \"geheim\" }\n\
                    smtp = { host = \"h\", password = { evn = \"geheim\" } }\n";
    let wrong_inline = MAIN.replace("password = { env = \"ALICE_PASSWORD\" }", "passwd = { env = \"X\", value = \"geheim\" }");
    let param = MAIN.replace("token = { env = \"RT_TOKEN\" }", "token = \"geheim\" \nurl = 3");
    let typed = MAIN.replace("{ env = \"ALICE_PASSWORD\" }", "[\"geheim\"]");
    let both = MAIN.replace("{ env = \"ALICE_PASSWORD\" }", "{ env = \"X\", text = \"geheim\" }");
    let several_lines = MAIN.replace("{ env = \"ALICE_PASSWORD\" }", "\"\"\"\ngeheim\"\"\" x");
    for main in [bad_line.as_str(), &wrong_key, &wrong_table, one_line, &wrong_inline, &param, &typed, &both, &several_lines] {
        let text = refused(&[("replypath.toml", main), ("probes/a.toml", PROBE)]);
        assert!(!text.contains("geheim"), "{text}");
    }
}

#[test]
fn a_run_that_may_outlast_its_interval_is_remarked_with_the_sum() {
    let probe = PROBE.replace("account", "every = \"10m\"\naccount") + "[limits]\nland = \"20m\"\n";
    let config = loaded(&[("replypath.toml", MAIN), ("probes/a.toml", &probe)]);
    assert_eq!(config.warnings.len(), 1);
    let wanted = "probes/a.toml:9: a run may take 45m (send 1m + land 20m + reply 1m + return 10m + follow_up 10m + clean_up 2m \
                  + settle 1m), longer than every = \"10m\"";
    assert!(config.warnings[0].starts_with(wanted), "{}", config.warnings[0]);
    let beside = probe.replace("every", "overlap = \"allow\"\nevery");
    assert!(loaded(&[("replypath.toml", MAIN), ("probes/a.toml", &beside)]).warnings.is_empty());
}

#[test]
fn budgets_of_accounts_and_desks_are_summed_over_their_probes() {
    let main = MAIN.replace("address =", "budget = [\"20/h\", \"200/d\"]\naddress =").replace("use =", "budget = \"30/h\"\nuse =");
    let probe = |every: &str| PROBE.replace("account", &format!("every = \"{every}\"\naccount"));
    let files = |every: &str| {
        let probe = probe(every);
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[("replypath.toml", &main), ("probes/a.toml", &probe), ("probes/b.toml", &probe)]);
        load(dir.path(), &env, &Catalog)
    };
    assert!(files("30m").is_ok());
    let problems = files("15m").unwrap_err();
    let messages: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(messages, ["account `alice` would send 384 messages per 1d by schedule, but the budget is 200"]);
    assert_eq!(files("5m").unwrap_err().len(), 3);
}

#[test]
fn an_attachment_of_more_than_ten_megabytes_is_refused() {
    let probe = format!("{PROBE}attachments = [\"big.bin\"]\n");
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("replypath.toml", MAIN), ("probes/a.toml", &probe)]);
    fs::File::create(dir.path().join("probes/big.bin")).unwrap().set_len(10 * 1024 * 1024 + 1).unwrap();
    let text = render(&load(dir.path(), &env, &Catalog).unwrap_err(), false);
    assert!(text.contains("the file `big.bin` cannot be attached: it has 10485761 bytes, at most 10485760 (10 MB) are allowed"), "{text}");
    fs::File::create(dir.path().join("probes/big.bin")).unwrap().set_len(10 * 1024 * 1024).unwrap();
    assert!(load(dir.path(), &env, &Catalog).is_ok());
}

#[test]
fn what_init_writes_loads_as_it_is_and_nothing_is_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("new/folder");
    let written = init(&target).unwrap();
    assert_eq!(written, [target.join("replypath.toml"), target.join("probes/example.toml")]);
    let config = load(&target, &env, &Catalog).unwrap_or_else(|p| panic!("{}", render(&p, false)));
    assert!(config.probes.contains_key("example"));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    fs::remove_file(target.join("probes/example.toml")).unwrap();
    fs::write(target.join("replypath.toml"), "mine").unwrap();
    let error = init(&target).unwrap_err().to_string();
    assert!(error.contains("replypath.toml is already there"), "{error}");
    assert_eq!(fs::read_to_string(target.join("replypath.toml")).unwrap(), "mine");
    assert!(!target.join("probes/example.toml").exists());
}

/// The keys of the example that are comments, with their line numbers: `# key = value`.
fn commented(lines: &[&str], mark: &str) -> Vec<(usize, String)> {
    let key = |line: &str| line.strip_prefix(mark).filter(|l| l.split(' ').nth(1) == Some("=")).map(str::to_owned);
    lines.iter().enumerate().filter_map(|(i, line)| Some((i, key(line)?))).collect()
}

/// Loads a probe beside the example's `replypath.toml`, with a desk that can chat.
fn example_loads(probe: &str, what: &str) {
    let main = fs::read_to_string(root().join("src/config/init/replypath.toml")).unwrap().replace("use = \"rt\"", "use = \"sandbox\"");
    // The tables that the keys of a probe name, without their comment marks, and two more accounts.
    let (main, tables) = main.split_once("# [intakes.support]").unwrap();
    let plain = |line: &str| line.strip_prefix("# ").unwrap_or_default().to_owned();
    let tables: Vec<String> = tables.lines().map(plain).filter(|line| !line.starts_with("Business hours")).collect();
    let other = |name: &str| {
        let imap = "imap = { host = \"imap.example.com\", user = \"x\", password = { env = \"ALICE_PASSWORD\" } }";
        format!("[accounts.{name}]\naddress = \"{name}@example.com\"\n{imap}\nsmtp = {{ host = \"smtp.example.com\" }}\n")
    };
    let main = format!("{main}\n[intakes.support]\n{}\n{}{}", tables.join("\n"), other("bob"), other("carol"));
    let main = main.replace("INTAKE_PASSWORD", "ALICE_PASSWORD");
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("replypath.toml", &main), ("probes/example.toml", probe)]);
    write(dir.path(), &[("probes/plain.toml", PROBE)]);
    write(dir.path(), &[("probes/files/letter.pdf", "%"), ("probes/files/answer.pdf", "%")]);
    let result = load(dir.path(), &env, &Catalog);
    assert!(result.is_ok(), "{what}\n{}\n{probe}", render(&result.unwrap_err(), false));
}

/// The commented tables of other ways in, each without its comment marks, and the example without them.
fn other_ways(text: &str) -> (Vec<Vec<&str>>, Vec<&str>) {
    let (mut ways, mut rest) = (Vec::new(), Vec::new());
    let mut inside = false;
    for line in text.lines() {
        inside = (inside && !line.is_empty()) || ["# [form]", "# [chat]"].contains(&line);
        match (inside, line.strip_prefix("# ")) {
            (true, Some(plain)) if ["[form]", "[chat]"].contains(&plain) => ways.push(vec![plain]),
            (true, Some(plain)) => ways.last_mut().unwrap().push(plain),
            _ => rest.push(line),
        }
    }
    (ways, rest)
}

#[test]
fn the_commented_keys_of_the_example_are_right_too() {
    // Every `# key = value` of the example, taken in one at a time, must load.
    let text = fs::read_to_string(root().join("src/config/init/example.toml")).unwrap();
    let (text, variants) = text.split_once("# [[variants]]").unwrap();
    let variants: Vec<&str> = variants.lines().map(|line| line.strip_prefix("# ").unwrap_or_default()).collect();
    example_loads(&format!("{text}\n[[variants]]\n{}", variants.join("\n")), "variants");
    let (_, lines) = other_ways(text);
    // These go only with another one.
    let paired = ["start", "zone", "length", "from = \"2026", "until", "cron", "reopens", "only", "fresh_visitor"];
    let keys = commented(&lines, "# ").into_iter().filter(|(_, key)| !paired.iter().any(|k| key.starts_with(k)));
    let mut tried = 0;
    for (i, key) in keys {
        let mut changed = lines.clone();
        changed[i] = &key;
        example_loads(&changed.join("\n"), &key);
        tried += 1;
    }
    assert!(tried >= 40, "only {tried}");
}

#[test]
fn the_other_ways_in_of_the_example_are_right_too() {
    let text = fs::read_to_string(root().join("src/config/init/example.toml")).unwrap();
    let (ways, rest) = other_ways(&text);
    assert_eq!(ways.len(), 3);
    let rest = rest.join("\n");
    let (before, after) = rest.split_once("[email]").unwrap();
    let after = &after[after.find("\n[expect]").unwrap()..];
    let mut tried = 0;
    for way in ways.iter().filter(|way| cfg!(feature = "browser") || !way.contains(&"browser = true")) {
        let loads = |way: &[&str], what: &str| example_loads(&format!("{before}{}\n{after}", way.join("\n")), what);
        loads(way, way[0]);
        for (i, key) in commented(way, "# ") {
            let mut changed = way.clone();
            changed[i] = &key;
            // These go only with another one.
            match key.split(' ').next().unwrap() {
                "frame" | "limit" if way[0] == "[form]" => continue,
                "fields" => continue,
                "bot_turns" => changed.push("hand_over = \"Hello\""),
                "recipe" => changed[i] = "recipe = \"web\"",
                _ => {}
            }
            loads(&changed, &key);
            tried += 1;
        }
        // A list of several lines, all of them taken in.
        let of_list = |line: &str| line.starts_with("# fields") || line.starts_with("#   ") || line == "# ]";
        let with_list: Vec<&str> = way.iter().map(|line| if of_list(line) { &line[2..] } else { line }).collect();
        loads(&with_list, "fields");
    }
    assert!(tried >= 18, "only {tried}");
}

const DEMO: &str = r#"
[accounts.alice]
address = "alice@mail.test"
imap = { host = "127.0.0.1", port = 1143, tls = "none", user = "alice", password = "a" }
smtp = { host = "127.0.0.1", port = 1587, tls = "none" }
[accounts.bob]
address = "bob@mail.test"
imap = { host = "127.0.0.1", port = 1143, tls = "none", user = "bob", password = "b" }
smtp = { host = "127.0.0.1", port = 1587, tls = "none" }
[desks.sandbox]
use = "sandbox"
params = { url = "http://127.0.0.1:8080/api/v1", token = "k" }
"#;

#[test]
fn the_probes_of_the_demo_load_with_a_text_from_memory() {
    let config = load_from(&root(), Some(DEMO), &env, &Catalog).unwrap_or_else(|p| panic!("{}", render(&p, false)));
    let names: Vec<&str> = config.probes.keys().map(String::as_str).collect();
    assert_eq!(names, ["billing", "chat", "contact-form", "sales", "support"]);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let Channel::Email(email) = &config.probes["billing"].channel else { panic!() };
    assert_eq!(email.attachments.len(), 2);
    assert!(config.probes["sales"].follow_up.after_close);
    for probe in config.probes.values() {
        assert_eq!(probe.stages.len(), 10);
        assert!(Stage::ALL.iter().all(|s| probe.limit(*s) <= Duration::from_secs(20)), "{}", probe.name);
    }
}

#[test]
fn the_examples_hold_against_the_real_desk_definitions() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path()).unwrap();
    load(dir.path(), &env, &DeskFiles).unwrap_or_else(|p| panic!("{}", render(&p, false)));
    let demo = DEMO.replace("/api/v1", "").replace("token =", "key =");
    load_from(&root(), Some(&demo), &env, &DeskFiles).unwrap_or_else(|p| panic!("{}", render(&p, false)));
    let problems = load_from(&root(), Some(&demo.replace("key =", "kye =")), &env, &DeskFiles).unwrap_err();
    let text = render(&problems, false);
    assert!(text.contains("replypath.toml:12") && text.contains("did you mean `key`?"), "{text}");
    assert!(!text.contains("\"k\""), "{text}");
}

/// Every key of a TOML table that the schema does not have, by its path.
fn unknown_keys(table: &toml::Table, schema: &serde_json::Value, path: &str, out: &mut Vec<String>) {
    for (key, value) in table {
        let path = format!("{path}.{key}");
        let inner = if schema["properties"][key].is_object() { &schema["properties"][key] } else { &schema["additionalProperties"] };
        if !inner.is_object() {
            out.push(path);
            continue;
        }
        match value {
            toml::Value::Table(t) if inner["properties"].is_object() || inner["additionalProperties"].is_object() => {
                unknown_keys(t, inner, &path, out);
            }
            toml::Value::Array(list) => {
                for t in list.iter().filter_map(|v| v.as_table()) {
                    unknown_keys(t, &inner["items"], &path, out);
                }
            }
            _ => {}
        }
    }
}

/// Every key of a schema.
fn all_keys(schema: &serde_json::Value, out: &mut Vec<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        out.extend(properties.keys().cloned());
        properties.values().for_each(|v| all_keys(v, out));
    }
    for inner in [&schema["additionalProperties"], &schema["items"]] {
        if inner.is_object() {
            all_keys(inner, out);
        }
    }
}

#[test]
fn every_example_uses_only_keys_of_the_schema_and_a_wrong_key_would_be_seen() {
    let mut files: Vec<(&str, PathBuf)> =
        vec![("config", root().join("src/config/init/replypath.toml")), ("probe", root().join("src/config/init/example.toml"))];
    files.extend(["support", "billing", "sales", "contact-form", "chat"].map(|n| ("probe", root().join(format!("probes/{n}.toml")))));
    for (kind, path) in files {
        let table: toml::Table = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let mut unknown = Vec::new();
        unknown_keys(&table, &schema(kind).unwrap(), "", &mut unknown);
        assert!(unknown.is_empty(), "{}: {unknown:?}", path.display());
    }
    let mut unknown = Vec::new();
    let table = toml::from_str("[accounts.x]\n[email]\ntos = 1\n").unwrap();
    unknown_keys(&table, &schema("probe").unwrap(), "", &mut unknown);
    assert_eq!(unknown, [".accounts", ".email.tos"]);
    assert!(schema("nothing").is_none() && reference("nothing").is_none());
}

#[test]
fn the_reference_and_the_example_name_every_key() {
    for (kind, example) in [("config", "src/config/init/replypath.toml"), ("probe", "src/config/init/example.toml")] {
        let mut keys = Vec::new();
        all_keys(&schema(kind).unwrap(), &mut keys);
        assert!(keys.len() > 25, "{kind}: {}", keys.len());
        let reference = reference(kind).unwrap();
        let example = fs::read_to_string(root().join(example)).unwrap();
        for key in keys.iter().filter(|k| !["env", "file"].contains(&k.as_str())) {
            assert!(reference.contains(&format!("| `{key}` |")), "{kind}: the reference lacks {key}");
            assert!(example.contains(key), "{kind}: the example lacks {key}");
        }
    }
}

#[test]
fn the_defaults_of_the_schema_are_the_defaults_of_the_loader() {
    fn written(schema: &serde_json::Value, key: &str) -> String {
        let of = if key.is_empty() { schema } else { &schema["properties"][key] };
        let defaults = of["properties"].as_object().unwrap().iter().filter_map(|(k, v)| Some((k, v.get("default")?)));
        // These go only with another key.
        let alone = defaults.filter(|(k, _)| !["jitter", "zone", "reopens"].contains(&k.as_str()));
        alone.map(|(k, v)| format!("{k} = {v}\n")).collect()
    }
    let probe = schema("probe").unwrap();
    let mut text = written(&probe, "") + PROBE;
    for table in ["expect", "reply", "follow_up", "limits", "policy"] {
        text += &format!("[{table}]\n{}", written(&probe, table));
    }
    let main_schema = schema("config").unwrap();
    let account = &main_schema["properties"]["accounts"]["additionalProperties"];
    let desk = &main_schema["properties"]["desks"]["additionalProperties"];
    let (imap, smtp) = (written(account, "imap"), written(account, "smtp"));
    let main = MAIN
        .replace("[accounts.alice.smtp]", &format!("{imap}[accounts.alice.smtp]\n{smtp}"))
        .replace("use =", &format!("{}use =", written(desk, "")));
    let main = format!("{main}[daemon]\n{}", written(&main_schema, "daemon"));
    let dir = tempfile::tempdir().unwrap();
    let shown = |main: &str, probe: &str| {
        write(dir.path(), &[("replypath.toml", main), ("probes/a.toml", probe)]);
        let config = load(dir.path(), &env, &Catalog).unwrap_or_else(|p| panic!("{}", render(&p, false)));
        (format!("{:?}", (&config.daemon, &config.accounts, &config.desks)), config.probes["a"].clone())
    };
    let (plain, full) = (shown(MAIN, PROBE), shown(&main, &text));
    assert_eq!(plain.0, full.0);
    let mut explicit = full.1;
    // Written limits are stored, unwritten ones are looked up: both must say the same.
    for stage in Stage::ALL {
        assert_eq!(explicit.limit(stage), plain.1.limit(stage), "{stage}");
    }
    explicit.limits.clear();
    assert_eq!(plain.1, explicit);
}

#[test]
fn a_thousand_probes_load_quickly() {
    let dir = tempfile::tempdir().unwrap();
    let main = MAIN.replace("address =", "budget = \"100000/h\"\naddress =");
    write(dir.path(), &[("replypath.toml", &main)]);
    let every = fs::read_to_string(root().join("src/config/init/example.toml")).unwrap();
    let cron = every.replace("every = \"30m\"", "cron = \"*/30 8-18 * * mon-fri\"").replace("jitter = \"2m\"", "zone = \"Europe/Vienna\"");
    fs::create_dir_all(dir.path().join("probes")).unwrap();
    for i in 0..1_000 {
        fs::write(dir.path().join(format!("probes/p{i}.toml")), if i % 2 == 0 { &every } else { &cron }).unwrap();
    }
    let begin = Instant::now();
    let config = load(dir.path(), &env, &Catalog).unwrap_or_else(|p| panic!("{}", render(&p[..1], false)));
    println!("1,000 probes in {:?}", begin.elapsed());
    assert_eq!(config.probes.len(), 1_000);
    // Generous: only something quadratic would break it.
    assert!(begin.elapsed() < Duration::from_secs(20));
}
