//! Matrix Synapse as a chat backend: visitor and agent in both directions over the long poll, with the server killed in the
//! middle, the agent away, pushed lines lost, and fifty visitors at once.

use crate::matrix::{Line, Person};
use crate::proxy::{At, Fault, Proxy};
use crate::record::record;
use crate::site::{Desk, Expected, Probe, Ran, Site, digest, outcome};
use crate::stack::{Lane, Stack, nonce, until};
use crate::stack_or_skip;
use std::sync::atomic::{AtomicBool, Ordering};

/// Everything that Matrix has a place for: nothing acknowledges there.
const STAGES: [&str; 8] = ["send", "accept", "land", "queue", "format", "reply", "return", "follow_up"];

fn probe(word: &str, lane: Lane) -> Probe {
    Probe::by(&format!("[chat]\ntext = \"Where is my parcel {word}? ${{token}}\"\n"), &lane.agent()).skip("acknowledge")
}

fn assert_every_stage_passed(ran: &Ran) {
    ran.assert_passed();
    for run in ran.report["runs"].as_array().expect("runs") {
        for stage in STAGES {
            assert_eq!(outcome(run, stage), "pass", "{stage}\n{}", digest(&ran.report));
        }
    }
}

/// The lines of the only conversation that holds a word, as the agent sees them.
fn lines(agent: &Person, word: &str) -> Vec<Line> {
    let rooms = agent.rooms_with(word);
    assert_eq!(rooms.len(), 1, "{rooms:?}");
    agent.lines(&rooms[0])
}

fn site(stack: &'static Stack, url: &str, lane: Lane, customer: &str) -> Site {
    Site::at(stack, customer, Desk::matrix(url, lane).patient())
}

#[test]
fn visitor_and_agent_reach_each_other_both_ways() {
    let stack = stack_or_skip!();
    let (lane, word) = (Lane(2), nonce());
    let site = site(stack, stack.word("SYNAPSE_URL"), lane, "customer80@customers.test");
    site.probe("case", &probe(&word, lane));
    assert_every_stage_passed(&site.run(&["run", "case"]));
    let agent = Person::agent(stack.port("SYNAPSE"), lane);
    let by: Vec<bool> = lines(&agent, &word).iter().map(|l| l.by == agent.id).collect();
    assert_eq!(by, [false, true, false], "visitor, agent, visitor");
}

#[test]
fn lines_that_are_stored_and_never_pushed_are_named() {
    let stack = stack_or_skip!();
    let (lane, word) = (Lane(3), nonce());
    let proxy = Proxy::to(stack.port("SYNAPSE"));
    let site = site(stack, &proxy.url(), lane, "customer81@customers.test");
    site.probe("case", &probe(&word, lane).limit("return", "20s"));
    site.run(&["run", "case"]).assert_passed();
    let poll = At("GET", "/_matrix/client/v3/sync");
    proxy.set(Fault::Deaf(poll, "{\"next_batch\":\"s1\",\"rooms\":{\"join\":{}}}"));
    let ran = site.run(&["run", "case"]);
    record(&site, "chat-connected-no-fanout", ran.only());
    ran.assert_failed(
        "nothing new in the long poll",
        &Expected { stage: "return", accepted: &["chat-connected-no-fanout"], unhurt: &["send", "accept", "land", "reply", "follow_up"] },
    );
    // A connection that breaks off may break between us and the server only.
    proxy.set(Fault::Mute(poll));
    let cut = site.run(&["run", "case"]);
    assert_eq!((cut.code, outcome(cut.only(), "return")), (Some(5), "unknown"), "{}", digest(&cut.report));
}

#[test]
fn a_server_that_is_killed_in_mid_conversation_is_no_false_alarm() {
    let stack = stack_or_skip!();
    let _alone = crate::SECOND_SYNAPSE.lock().unwrap_or_else(|e| e.into_inner());
    stack.second_synapse("start");
    let (port, lane, word) = (stack.port("SYNAPSE2"), Lane(4), nonce());
    let site = site(stack, stack.word("SYNAPSE2_URL"), lane, "customer82@customers.test");
    let mut probe = probe(&word, lane);
    probe.tables = "[reply]\nmode = \"await\"\n".to_owned();
    site.probe("case", &probe);
    let running = site.start(&["run", "case"]);
    let mut agent = Person::agent(port, lane);
    until("the visitor's line", || {
        agent.accept();
        agent.rooms_with(&word).pop()
    });
    stack.second_synapse("kill");
    stack.second_synapse("start");
    let room = agent.rooms_with(&word).pop().expect("the room outlives the kill");
    agent.say(&room, "It left our house today.");
    let (code, said) = running.ended();
    let run = site.runs().pop().expect("a run");
    let verdict = run["verdict"].as_str().expect("a verdict").to_owned();
    assert!(code == Some(0) || code == Some(5), "{verdict} {said}");
    assert_ne!(verdict, "fail", "{said}");
    let lines = lines(&agent, &word);
    let first = lines.iter().filter(|l| l.text.contains(&word)).count();
    assert_eq!(first, 1, "said twice: {lines:?}");
    stack.second_synapse("stop");
}

#[test]
fn an_agent_who_is_away_is_seen_before_anything_is_said() {
    let stack = stack_or_skip!();
    let (lane, word) = (Lane(5), nonce());
    let port = stack.port("SYNAPSE");
    let agent = Person::agent(port, lane);
    agent.presence("offline");
    let mut desk = Desk::matrix(stack.word("SYNAPSE_URL"), lane);
    desk.0.push_str("presence = true\n");
    let site = Site::at(stack, "customer83@customers.test", desk);
    let mut probe = probe(&word, lane);
    site.probe("strict", &probe);
    let way = probe.way.get_or_insert_default();
    way.push_str("when_offline = \"unknown\"\n");
    site.probe("patient", &probe);
    site.run(&["run", "strict"])
        .assert_failed("the agent is away", &Expected { stage: "send", accepted: &["chat-not-offered"], unhurt: &[] });
    let patient = site.run(&["run", "patient"]);
    assert_eq!((patient.code, patient.only()["verdict"].as_str()), (Some(5), Some("unknown")), "{}", digest(&patient.report));
    assert_eq!(agent.rooms_with(&word), Vec::<String>::new(), "something was said");
    // Who syncs is there.
    let there = AtomicBool::new(true);
    std::thread::scope(|s| {
        s.spawn(|| {
            let mut agent = Person::agent(port, lane);
            while there.load(Ordering::SeqCst) {
                agent.news(2_000);
            }
        });
        until("presence", || (agent.is_present()).then_some(()));
        let ran = std::panic::catch_unwind(|| site.run(&["run", "strict"]));
        there.store(false, Ordering::SeqCst);
        ran.expect("a run").assert_passed();
    });
}

#[test]
fn fifty_visitors_at_once() {
    let stack = stack_or_skip!();
    let (lane, word) = (Lane(6), nonce());
    let site = Site::at(stack, "customer84@customers.test", Desk::matrix(stack.word("SYNAPSE_URL"), lane).patient());
    for n in 0..50 {
        site.probe(&format!("case{n}"), &probe(&word, lane).limit("send", "120s"));
    }
    let ran = site.run(&["run", "--all"]);
    assert_every_stage_passed(&ran);
    assert_eq!(ran.report["runs"].as_array().map(Vec::len), Some(50));
    assert_eq!(Person::agent(stack.port("SYNAPSE"), lane).rooms_with(&word).len(), 50);
}
