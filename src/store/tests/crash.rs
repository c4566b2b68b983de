//! A child process is killed at chosen and at chance moments; the file is then opened again and must hold
//! every step that was reported as stored, the step under way whole or not at all, and nothing else.

use super::*;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

const DIR: &str = "REPLYPATH_STORE_CRASH_DIR";
const HALF: &str = "REPLYPATH_STORE_CRASH_HALF";

/// Not a test of its own: what the killed process does. In every other process it has nothing to do.
#[tokio::test]
async fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let half: u32 = std::env::var(HALF).unwrap().parse().unwrap();
    let say = |text: String| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{text}").unwrap();
        out.flush().unwrap();
    };
    let clock = clock();
    let store = open(std::path::Path::new(&dir), "child", &clock);
    store.create_run(&run("r1", "mail")).await.unwrap();
    let claim = claim_one(&store, &clock).await;
    let (mut run, mut epoch) = (claim.run, claim.epoch);
    for number in 0u32.. {
        run.acts.push(act(number, ActState::Intent));
        run.messages.push(message(&format!("rptoken{number}"), None));
        let kept = run.observations.len();
        let intent = Step { hold: true, durable: true, observations_kept: kept, ..step(&run, epoch, Some(start())) };
        epoch = store.commit(intent).await.unwrap();
        say(format!("intent {number}"));
        if number == half {
            // The same statements as a commit's, and then no end of the transaction.
            let (next, now) = (run.clone(), start());
            let _: Result<(), _> = store
                .write(move |c| {
                    let mut next = next;
                    next.observations.push(look("half"));
                    next.acts.push(act(99_999, ActState::Intent));
                    let row = crate::store::rows::Row::of(&next, kept).unwrap();
                    let parts = crate::store::runs::Move { row, epoch: epoch as i64, due: None, hold: false, taken: vec![] };
                    crate::store::runs::commit(c, &parts, now.as_microsecond())?;
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "\nhalf").unwrap();
                    out.flush().unwrap();
                    loop {
                        std::thread::park();
                    }
                })
                .await;
        }
        if let Some(act) = run.acts.last_mut() {
            act.state = ActState::Done;
        }
        run.observations.push(look(&format!("act {number}")));
        let result = Step { hold: true, observations_kept: kept, ..step(&run, epoch, Some(start())) };
        epoch = store.commit(result).await.unwrap();
        say(format!("done {number}"));
    }
}

fn spawn(dir: &std::path::Path, half: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::crash::child", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .env(HALF, half.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the child when it has said `last` (or, at chance moments, a little later) and returns what it said until then.
fn kill_after(mut child: Child, last: &str) -> Vec<String> {
    let mut said = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines.by_ref() {
        let line = line.unwrap();
        if line.starts_with("intent ") || line.starts_with("done ") || line == "half" {
            said.push(line);
        }
        if said.last().is_some_and(|s| s == last) {
            break;
        }
    }
    assert_eq!(said.last().map(String::as_str), Some(last), "the child ended too early");
    child.kill().unwrap();
    child.wait().unwrap();
    // What it still said before the signal came.
    said.extend(lines.map_while(Result::ok).filter(|l| l.starts_with("intent ") || l.starts_with("done ")));
    said
}

async fn check(dir: &std::path::Path, said: &[String]) {
    let clock = clock();
    let store = open(dir, "parent", &clock);
    // The child is dead but its lease runs on; time passes.
    clock.advance(Duration::from_secs(3600));
    let mut claims = store.claim_due(clock.now(), 10, true).await.unwrap();
    assert_eq!(claims.len(), 1);
    let claim = claims.remove(0);
    assert!(claim.taken_over);
    let run = &claim.run;
    let intents = said.iter().filter(|s| s.starts_with("intent")).count();
    let done = said.iter().filter(|s| s.starts_with("done")).count();
    let found_done = run.acts.iter().filter(|a| a.state == ActState::Done).count();
    assert!((intents..=intents + 1).contains(&run.acts.len()), "{said:?} {:?}", run.acts);
    assert!((done..=done + 1).contains(&found_done), "{said:?} {:?}", run.acts);
    assert!(run.acts.iter().rev().skip(1).all(|a| a.state == ActState::Done), "an earlier act lost its result");
    assert_eq!(run.observations.len(), found_done, "evidence and result belong together");
    for number in 0..run.acts.len() {
        let token = Token(format!("rptoken{number}"));
        assert_eq!(store.deliver("alice", &[token], &[], &mail(number as u32)).await.unwrap(), Some(run.id.clone()));
    }
    let next = Token(format!("rptoken{}", run.acts.len()));
    assert_eq!(store.deliver("alice", &[next], &[], &mail(77)).await.unwrap(), None);
    let sound: String = store.read(|c| Ok(c.query_row("PRAGMA integrity_check", [], |r| r.get(0))?)).await.unwrap();
    assert_eq!(sound, "ok");
}

#[tokio::test]
async fn a_kill_between_intent_and_result_or_in_the_middle_of_a_step_never_leaves_a_half_step() {
    for (half, last) in [(0, "half"), (3, "half"), (9, "intent 2"), (9, "done 4"), (9, "intent 0"), (900, "done 37")] {
        let dir = tempfile::tempdir().unwrap();
        let said = kill_after(spawn(dir.path(), half), last);
        check(dir.path(), &said).await;
    }
}
