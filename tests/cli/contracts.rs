//! What other programs and operators rely on: the schema of the report, the rules of the metrics' text format, secrets that
//! stay secret however much is logged, one exit code for several causes, and lines that fit the terminal.

use crate::document;
use crate::site::{PROBES, Site, get, replypath, until};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn the_document_is_valid_by_its_published_schema_whatever_the_verdict() {
    let schema = replypath(&["schema", "report"]).expect(0).json();
    let site = Site::new(&["return-in-spam"]);
    let words = ["run", "billing", "sales", "--set", "expect.queue=Shipping", "--limit", "queue=1s", "--report", "json"];
    let report = site.run(&words).expect(1).json();
    document::assert_valid(&report, &schema);
    document::assert_valid(&site.run(&["show", "last", "--report", "json"]).expect(0).json(), &schema);
    document::assert_valid(&site.run(&["runs", "--json"]).expect(0).json(), &schema);
}

#[test]
fn a_failure_wins_over_an_unknown() {
    let site = Site::new(&["return-in-spam"]);
    // A second desk at an address where nobody listens.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let main = std::fs::read_to_string(site.dir().join("replypath.toml")).expect("the configuration");
    let desk = main.split_once("[desks.sandbox]").expect("a desk").1.replace("[desks.sandbox.", "[desks.gone.");
    let desk = desk.lines().map(|l| if l.starts_with("url = ") { format!("url = \"http://{closed}\"") } else { l.to_owned() });
    let desk = desk.collect::<Vec<_>>().join("\n");
    std::fs::write(site.dir().join("replypath.toml"), format!("{main}\n[desks.gone]{desk}\n")).expect("a file");
    site.edit("probes/support.toml", "desk = \"sandbox\"", "desk = \"gone\"");
    site.run(&["doctor"]).expect(5);
    let ran = site.run(&["run", "support", "billing", "--limit", "land=2s", "--limit", "clean_up=2s"]).expect(1);
    assert!(ran.out.contains("UNKNOWN support") && ran.out.contains("FAIL    billing"), "{}", ran.out);
    assert!(ran.out.contains("2 runs: 1 failed, 1 unknown"), "{}", ran.out);
}

#[test]
fn nothing_works_on_a_faulty_configuration_and_nothing_is_made() {
    let site = Site::new(&[]);
    site.edit("probes/billing.toml", "account = \"bob\"", "acount = \"bob\"");
    for words in [
        &["run", "--all"][..],
        &["serve"],
        &["list"],
        &["doctor"],
        &["sweep"],
        &["pause", "--all"],
        &["resume", "--all"],
        &["runs"],
        &["show", "last"],
    ] {
        let ended = site.run(words).expect(3);
        assert_eq!(ended.out, "", "{words:?}");
        assert!(ended.err.contains("--> probes/billing.toml:") && ended.err.contains("`account`"), "{words:?}: {}", ended.err);
    }
    assert!(!site.dir().join("state").exists(), "no store is made");
}

#[test]
fn inline_secrets_in_a_file_that_others_can_read_are_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new(&[]);
    let main = site.dir().join("replypath.toml");
    let written = std::fs::metadata(&main).expect("the configuration").permissions().mode();
    assert_eq!(written & 0o077, 0, "what the sandbox writes is for its owner only");
    assert!(!site.run(&["check"]).expect(0).out.contains("warning"));
    std::fs::set_permissions(&main, std::fs::Permissions::from_mode(0o644)).expect("permissions");
    for command in ["check", "doctor"] {
        let said = site.run(&[command]).expect(0).out;
        assert!(said.contains("warning: ") && said.contains("replypath.toml"), "{said}");
    }
}

#[test]
fn a_message_about_a_wrong_value_names_what_it_belongs_to() {
    let site = Site::new(&[]);
    for fault in ["return-in-spam@Billing", "poller-hung@Nowhere"] {
        let ended = replypath(&["demo", "--once", "--fault", fault]).expect(4);
        assert!(ended.err.contains("queue"), "{}", ended.err);
    }
    for (pair, words) in [
        ("settle=soon", "--set settle: `soon`"),
        ("clean_up=burn", "--set clean_up: close, delete or keep"),
        ("email.to=nonsense", "--set email.to: `nonsense` is not a mail address"),
        ("email.text=${tokn}", "did you mean `${token}`?"),
        ("expect.quue=x", "--set expect.quue: no such key; did you mean `expect.queue`?"),
    ] {
        let ended = site.run(&["run", "sales", "--set", pair]).expect(2);
        assert!(ended.err.contains(words), "{}", ended.err);
    }
    // A mail that is written on the command line carries its token all the same: without one its ticket would be lost.
    let words = ["run", "sales", "--set", "email.subject=hello", "--set", "email.text=hello", "--until", "land"];
    site.run(&words).expect(0);
}

#[test]
fn lines_fit_the_width_that_is_asked_for() {
    let longest = 80;
    for words in [&["faults", "return-in-spam"][..], &["faults"], &["desk", "list"], &["sandbox", "--list"]] {
        let site = tempfile::tempdir().expect("a folder");
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_replypath"))
            .args(words)
            .current_dir(site.path())
            .env("COLUMNS", longest.to_string())
            .output()
            .expect("replypath");
        let out = String::from_utf8(out.stdout).expect("text");
        assert!(out.lines().count() > 1, "{words:?}");
        for line in out.lines() {
            assert!(line.chars().count() <= longest, "{words:?}: {line}");
        }
        // Into a pipe without a width, a line is a line.
        assert!(replypath(words).out.lines().count() <= out.lines().count());
    }
}

/// Reads the page by the rules of the text format 0.0.4 and gives its samples.
fn read(page: &str) -> BTreeMap<String, f64> {
    let (mut samples, mut helped, mut typed) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
            assert!(helped.insert(name), "{name} is explained twice");
            assert!(help.ends_with('.'), "a sentence: {line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
            assert!(helped.contains(name), "{name} is not explained before its type");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            typed.insert(name);
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
            let name = series.split('{').next().unwrap_or_default();
            let part_of = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).filter(|base| typed.contains(base));
            assert!(typed.contains(part_of.unwrap_or(name)), "{line} has no type");
            let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} stands there twice");
        }
    }
    samples
}

#[test]
fn metrics_keep_the_rules_a_command_works_beside_the_daemon_and_no_log_level_tells_a_secret() {
    let site = Site::new(&["default-queue-instead@Billing"]);
    site.edit("probes/billing.toml", "queue = \"20s\"", "queue = \"2s\"");
    // What is turned on to find something out must not tell secrets either.
    let mut daemon = site.start_with(&["serve", "--listen", "127.0.0.1:0"], &[("RUST_LOG", "trace")]);
    daemon.says("serving /metrics address=");
    let address = daemon.err().split("address=").nth(1).and_then(|s| s.split_whitespace().next()).expect("an address").to_owned();
    let page = || {
        let (status, page) = get(&address, "/metrics", "");
        assert_eq!(status, 200, "{page}");
        read(&page)
    };
    let labels = |probe: &str| format!("channel=\"email\",desk=\"sandbox\",gateway=\"sandbox-email\",probe=\"{probe}\"");
    let early = page();
    for probe in ["billing", "sales", "support"] {
        // A counter that begins at its first event is invisible to increase().
        let failures = format!("replypath_run_failures_total{{{},stage=\"return\",trigger=\"scheduled\"}}", labels(probe));
        assert_eq!(early.get(&failures), Some(&0.0), "{failures} is there from the start");
    }
    let shows = |series: String, value: f64| until(&series, || page().get(&series).filter(|found| **found == value).copied());
    shows(format!("replypath_probe_success{{{}}}", labels("billing")), 0.0);
    shows(format!("replypath_probe_success{{{}}}", labels("support")), 1.0);
    until("the status page", || get(&address, "/", "").1.contains("reply paths is broken: billing by mail").then_some(()));
    let late = page();
    let stage = |name: &str| late.get(&format!("replypath_stage_success{{{},stage=\"{name}\"}}", labels("billing"))).copied();
    assert_eq!((stage("land"), stage("queue")), (Some(1.0), Some(0.0)));
    // The documented formula: probes, gateways, faults, and a few for desks, accounts and the process.
    let faults = replypath::diagnosis::catalogue::all().len();
    assert!(late.len() <= replypath::config::SERIES_OF_PROBE * PROBES.len() + 3 * 237 + 25 + faults, "{} series", late.len());

    // A command on the same store: its run is its own, and counted nowhere as a scheduled one.
    let report = site.run(&["run", "sales", "--until", "land", "--report", "json"]).expect(0).json();
    let id = report["runs"][0]["run"].as_str().expect("an id").to_owned();
    let stored = site.run(&["runs", "sales", "-n", "500", "--json"]).expect(0).json();
    let stored: Vec<_> = stored["runs"].as_array().expect("runs").iter().filter(|r| r["run"] == id.as_str()).cloned().collect();
    assert_eq!((stored.len(), stored[0]["trigger"].as_str(), stored[0]["verdict"].as_str()), (1, Some("manual"), Some("pass")));
    daemon.signal("TERM");
    let ended = daemon.ended().expect(0);
    assert!(ended.err.contains("TRACE") || ended.err.contains("DEBUG"), "the level was taken");
    site.assert_no_secrets();
}
