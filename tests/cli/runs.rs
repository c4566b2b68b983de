//! `run` and `demo --once`: verdicts, reports, exit codes, and what is left when they are stopped.

use crate::site::{PROBES, Site, replypath};
use serde_json::Value;

const STAGES: [&str; 10] = ["send", "accept", "land", "queue", "format", "acknowledge", "reply", "return", "follow_up", "clean_up"];

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn outcome<'a>(run: &'a Value, stage: &str) -> &'a str {
    run["stages"].as_array().unwrap().iter().find(|s| s["stage"] == stage).unwrap()["outcome"].as_str().unwrap()
}

fn all_closed(site: &Site) -> bool {
    site.tickets().iter().all(|status| status == "closed")
}

#[test]
fn every_probe_of_a_healthy_desk_passes_and_leaves_nothing_but_its_record() {
    let site = Site::new(&[]);
    let ran = site.run(&["run", "--all", "--report", "json"]).expect(0);
    for probe in PROBES {
        assert!(ran.err.contains(&format!("{probe} ended: pass")), "{}", ran.err);
    }
    let document = ran.json();
    assert_eq!(keys(&document), ["schema", "runs"]);
    assert_eq!(document["schema"], 1);
    let runs = document["runs"].as_array().unwrap();
    assert_eq!(runs.len(), PROBES.len());
    for run in runs {
        let expected = [
            "run",
            "probe",
            "desk",
            "channel",
            "gateway",
            "variant_of",
            "trigger",
            "parent",
            "verdict",
            "stage",
            "fault",
            "candidates",
            "blame",
            "severity",
            "security",
            "summary",
            "notes",
            "context",
            "ticket",
            "conversation",
            "started",
            "finished",
            "duration_seconds",
            "stages",
        ];
        assert_eq!(keys(run), expected);
        let channel = match run["probe"].as_str().unwrap() {
            "contact-form" => "form",
            "chat" => "chat",
            _ => "email",
        };
        assert_eq!((&run["verdict"], &run["channel"], &run["trigger"]), (&"pass".into(), &channel.into(), &"manual".into()));
        assert_eq!(run["conversation"].is_object(), channel == "chat", "{run}");
        assert!(run["stage"].is_null() && run["fault"].is_null() && run["blame"].is_null(), "{run}");
        assert!(run["duration_seconds"].as_f64().unwrap() > 0.0);
        run["started"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let stages = run["stages"].as_array().unwrap();
        assert_eq!(stages.iter().map(|s| s["stage"].as_str().unwrap()).collect::<Vec<_>>(), STAGES);
        for stage in stages {
            assert_eq!(keys(stage), ["stage", "outcome", "started", "duration_seconds", "checks", "evidence"]);
            assert_eq!(stage["outcome"], "pass", "{stage:#}");
            for check in stage["checks"].as_array().unwrap() {
                assert_eq!(keys(check), ["check", "outcome", "expected", "found"]);
            }
        }
    }
    assert_eq!(site.tickets(), ["closed"; PROBES.len()]);
    let spoken = runs.iter().find_map(|r| r["conversation"]["lines"].as_array()).expect("lines of the chat");
    assert!(spoken.iter().any(|l| l["speaker"] == "agent" && l["pushed"].is_string() && l["stored"].is_string()), "{spoken:#?}");
    let shown = site.run(&["show", runs.iter().find(|r| r["probe"] == "chat").unwrap()["run"].as_str().unwrap()]).expect(0).out;
    assert!(shown.contains("\nConversation\n") && shown.contains("  agent "), "{shown}");
    let shown = site.run(&["show", runs.iter().find(|r| r["probe"] == "contact-form").unwrap()["run"].as_str().unwrap()]).expect(0).out;
    assert!(shown.contains("\nForm\n") && shown.contains("submit    POST http"), "{shown}");

    let listed = site.run(&["runs"]).expect(0).out;
    assert_eq!(listed.lines().filter(|l| l.contains("  ok  ")).count(), PROBES.len(), "{listed}");
    let mail = runs.iter().find(|r| r["probe"] == "billing").expect("a probe by mail");
    let id = mail["run"].as_str().unwrap();
    let shown = site.run(&["show", id]).expect(0).out;
    for part in ["Stages", "Messages that we wrote", "Acts", "Tickets", "Mails", "Evidence", "by hand"] {
        assert!(shown.contains(part), "{shown}");
    }
    assert_eq!(site.run(&["show", id, "--report", "json"]).expect(0).json()["runs"][0], *mail);
    assert_eq!(site.run(&["show", &id[9..]]).expect(0).out, shown);
    let stored = site.run(&["runs", "--json"]).expect(0).json();
    assert_eq!(stored["runs"].as_array().unwrap().len(), PROBES.len());
    assert!(site.run(&["runs", "--failed"]).expect(0).out.contains("no runs"));
    assert_eq!(site.run(&["sweep"]).expect(0).out, "nothing was left behind\n");
    site.assert_no_secrets();
}

#[test]
fn reports_go_where_they_are_asked_to() {
    let site = Site::new(&[]);
    let (xml, human) = (site.beside("out.xml"), site.beside("out.txt"));
    let (junit, text) = (format!("junit={}", xml.display()), format!("human={}", human.display()));
    let ran = site.run(&["run", "support", "--until", "land", "--report", "ndjson", "--report", &junit, "--report", &text]).expect(0);
    let events: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["event"], "started");
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["report"]["verdict"]), (&"finished".into(), &"pass".into()));
    assert_eq!((outcome(&last["report"], "land"), outcome(&last["report"], "reply")), ("pass", "not_reached"));
    assert!(events.iter().any(|e| e["event"] == "stage" && e["stage"] == "land" && e["outcome"] == "pass"));
    let xml = std::fs::read_to_string(xml).unwrap();
    assert!(xml.contains("<testsuites") && xml.contains("land") && !xml.contains("<failure"), "{xml}");
    assert!(std::fs::read_to_string(human).unwrap().contains("1 run: 1 passed"));
    let wrong = site.run(&["run", "support", "--report", "json=/no/such/folder/x.json"]).expect(2);
    assert!(wrong.err.contains("/no/such/folder/x.json"), "{}", wrong.err);
}

#[test]
fn a_broken_desk_is_exit_1_with_stage_and_fault_in_every_report() {
    let site = Site::new(&["reply-from-noreply"]);
    let xml = site.beside("out.xml");
    let ran = site.run(&["run", "support", "--report", "json", "--report", &format!("junit={}", xml.display())]).expect(1);
    let run = &ran.json()["runs"][0];
    assert_eq!((&run["verdict"], &run["stage"]), (&"fail".into(), &"return".into()));
    assert_eq!((&run["fault"], &run["blame"]), (&"reply-from-noreply".into(), &"desk".into()));
    assert!(ran.err.contains("support ended: fail: reply-from-noreply"), "{}", ran.err);
    let xml = std::fs::read_to_string(xml).unwrap();
    assert!(xml.contains("<failure") && xml.contains("reply-from-noreply"), "{xml}");
    let shown = site.run(&["show", "last"]).expect(0).out;
    assert!(shown.contains("error: support failed at return: reply-from-noreply"), "{shown}");
    assert!(site.run(&["runs", "--failed"]).expect(0).out.contains("reply-from-noreply"));
    assert!(all_closed(&site));
}

#[test]
fn set_limit_and_until_change_one_run_and_not_the_probe() {
    let site = Site::new(&[]);
    let args = ["run", "support", "--set", "expect.queue=Billing", "--limit", "queue=2s", "--until", "queue", "--report", "json"];
    let ran = site.run(&args).expect(1);
    let run = &ran.json()["runs"][0];
    assert_eq!((&run["stage"], &run["fault"]), (&"queue".into(), &"default-queue-instead".into()));
    let queue = &run["stages"][3];
    let check = queue["checks"].as_array().unwrap().iter().find(|c| c["outcome"] == "fail").unwrap();
    assert_eq!((&check["expected"], &check["found"]), (&"Billing".into(), &"Support".into()));
    assert!(queue["duration_seconds"].as_f64().unwrap() >= 2.0);
    assert_eq!((outcome(run, "reply"), outcome(run, "return"), outcome(run, "clean_up")), ("not_reached", "not_reached", "pass"));
    assert!(all_closed(&site));
}

#[test]
fn a_desk_that_cannot_be_asked_is_unknown_and_exit_5() {
    let site = Site::new(&[]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let toml = std::fs::read_to_string(site.dir().join("replypath.toml")).unwrap();
    let url = toml.lines().find(|l| l.starts_with("url = ")).unwrap();
    site.edit("replypath.toml", url, &format!("url = \"http://{closed}\""));
    let ran = site.run(&["run", "support", "--until", "land", "--limit", "land=2s", "--report", "json"]).expect(5);
    let run = &ran.json()["runs"][0];
    assert_eq!((&run["verdict"], &run["stage"], &run["blame"]), (&"unknown".into(), &"land".into(), &"monitor".into()));
    let looks = run["stages"][2]["evidence"].as_array().unwrap();
    assert!(looks.iter().any(|e| e["result"] == "could_not_look"), "{run:#}");
    // The ticket is there and could not be closed: told, and left to sweep.
    let left = site.run(&["sweep", "--dry-run"]).expect(5).out;
    assert!(left.contains("left"), "{left}");
    site.edit("replypath.toml", &format!("url = \"http://{closed}\""), url);
    let swept = site.run(&["sweep"]).expect(0).out;
    assert!(swept.contains("closed ticket"), "{swept}");
    assert!(all_closed(&site));
    assert_eq!(site.run(&["sweep"]).expect(0).out, "nothing was left behind\n");
}

#[test]
fn ctrl_c_cleans_up_and_ends_with_130() {
    let site = Site::new(&[]);
    let mut running = site.start(&["run", "--all", "--report", "json"]);
    for probe in ["billing", "sales", "support"] {
        running.says(&format!("{probe} send pass"));
    }
    running.signal("INT");
    let ended = running.ended().expect(130);
    let runs = ended.json()["runs"].as_array().unwrap().clone();
    assert_eq!(runs.len(), PROBES.len());
    for run in &runs {
        // A chat is over within a second, and the form may not have been submitted yet.
        let over = run["probe"] == "chat" && run["verdict"] == "pass";
        assert!(over || (run["verdict"] == "unknown" && run["blame"] == "monitor"), "{run:#}");
        assert_eq!(outcome(run, "clean_up"), "pass", "{run:#}");
    }
    let tickets = site.tickets();
    assert!(tickets.len() >= 3 && tickets.iter().all(|t| t == "closed"), "one that came after the signal is closed too: {tickets:?}");
    assert_eq!(site.run(&["sweep"]).expect(0).out, "nothing was left behind\n");
}

#[test]
fn what_a_second_ctrl_c_leaves_under_way_the_next_run_ends() {
    let site = Site::new(&["desk-worker-down"]);
    let mut running = site.start(&["run", "support"]);
    running.says("support send pass");
    running.signal("INT");
    running.says("once more leaves at once");
    running.signal("INT");
    let ended = running.ended().expect(130);
    assert!(ended.err.contains("left under way: r"), "{}", ended.err);
    assert!(site.run(&["runs"]).expect(0).out.contains("running"));
    let next = site.run(&["run", "billing", "--until", "send"]).expect(0);
    assert!(next.err.contains("was left under way by a command that died"), "{}", next.err);
    let runs = site.run(&["runs", "--json"]).expect(0).json();
    let left = runs["runs"].as_array().unwrap().iter().find(|r| r["probe"] == "support").unwrap().clone();
    assert_eq!(left["verdict"], "unknown", "{left:#}");
}

#[test]
fn a_run_that_was_killed_is_ended_by_the_next_one_and_its_ticket_closed() {
    let site = Site::new(&[]);
    let mut running = site.start(&["run", "support"]);
    running.says("support land pass");
    running.signal("KILL");
    assert_eq!(running.ended().code, -1);
    let soon = site.run(&["run", "billing", "--until", "send"]).expect(0);
    assert!(soon.err.contains("of another command is under way"), "{}", soon.err);
    // What time does by itself: nobody speaks for the dead command any more.
    let store = rusqlite::Connection::open(site.dir().join("state/replypath.db")).unwrap();
    store.execute("UPDATE instances SET lease_until = 0", []).unwrap();
    drop(store);
    let next = site.run(&["run", "billing", "--until", "send"]).expect(0);
    assert!(next.err.contains("was left under way by a command that died"), "{}", next.err);
    assert!(all_closed(&site), "{:?}", site.tickets());
    let runs = site.run(&["runs", "support", "--json"]).expect(0).json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
    assert!(runs["runs"][0]["verdict"].is_string(), "{runs:#}");
    site.assert_no_secrets();
}

#[test]
fn the_demo_ends_with_the_exit_code_of_run_and_names_the_fault() {
    let home = tempfile::tempdir().unwrap();
    let json = format!("json={}", home.path().join("demo.json").display());
    let demo = replypath(&["demo", "--once", "--fault", "ack-placeholder-raw", "--report", "human", "--report", &json]).expect(1);
    assert!(demo.err.contains("broken on purpose  ack-placeholder-raw"), "{}", demo.err);
    assert!(demo.out.contains("support failed at acknowledge: ack-placeholder-raw"), "{}", demo.out);
    let document: Value = serde_json::from_slice(&std::fs::read(home.path().join("demo.json")).unwrap()).unwrap();
    // A chat greets instead of writing an automatic reply.
    let by_mail = document["runs"].as_array().unwrap().iter().filter(|r| r["channel"] != "chat");
    assert!(by_mail.into_iter().all(|r| r["fault"] == "ack-placeholder-raw"));
    let near = replypath(&["demo", "--once", "--fault", "ack-placeholder"]).expect(4);
    assert!(near.err.contains("ack-placeholder-raw"), "{}", near.err);
}
