//! The life of browsers: places, limits, crashes, and that nothing of them is left.

use crate::kit::{self, here, key, kit, kit_with, order};
use crate::site::{Answer, Site};
use jiff::Timestamp;
use replypath::browser::{BrowserSettings, Browsers};
use replypath::clock::{ManualClock, SystemClock};
use replypath::engine::ways::Forms;
use replypath::model::Outcome;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

const FORM: &str = "<!doctype html><form method=post action=/send><label>Email <input type=email name=e></label>\
    <label>Message <textarea name=m></textarea></label><button>Send</button></form>";

async fn site() -> Site {
    let thanks = Answer::Page("<!doctype html><p>Thank you for your message.</p>".to_owned());
    Site::start(&[
        ("GET /contact", Answer::Page(FORM.to_owned())),
        ("POST /send", thanks),
        ("GET /empty", Answer::Page("<!doctype html><p>Nothing here yet".to_owned())),
        ("GET /never", Answer::Never),
    ])
    .await
}

/// The browser's own process, not one of its helpers.
fn browser(processes: &[(i32, String)]) -> Option<i32> {
    processes.iter().find(|(_, line)| line.contains("--user-data-dir") && !line.contains("--type=")).map(|(pid, _)| *pid)
}

fn kill(pid: i32) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).expect("a pid"), rustix::process::Signal::KILL).expect("killed");
}

#[tokio::test]
async fn a_browser_that_is_killed_is_our_trouble_and_leaves_nothing() {
    if !here() {
        return;
    }
    let (site, kit) = (site().await, kit(1));
    let filled = kit.browsers.fill_in(&order("l1", site.url("/contact"), &[])).await.expect("a filled form");
    kill(browser(&kit.processes()).expect("a browser"));
    let stop = filled.submit().await.expect_err("a crash");
    assert_eq!((stop.outcome, stop.faults[0]), (Outcome::Unknown, "browser-crashed"), "{stop:?}");
    assert!(site.posted().is_empty());
    kit.until(|left| left.is_empty()).await;
    // Its place is free again.
    let filled = kit.browsers.fill_in(&order("l1b", site.url("/contact"), &[])).await.expect("a filled form");
    filled.submit().await.expect("thanks");
}

#[tokio::test]
async fn a_tab_that_crashes_is_our_trouble() {
    if !here() {
        return;
    }
    let (site, kit) = (site().await, kit(1));
    let filled = kit.browsers.fill_in(&order("l2", site.url("/contact"), &[])).await.expect("a filled form");
    for (pid, line) in kit.processes() {
        if line.contains("--type=renderer") {
            kill(pid);
        }
    }
    let stop = filled.submit().await.expect_err("a crash");
    assert_eq!((stop.outcome, stop.faults[0]), (Outcome::Unknown, "browser-crashed"), "{stop:?}");
    kit.until(|left| left.is_empty()).await;
}

#[tokio::test]
async fn at_its_limit_the_whole_tree_is_killed() {
    if !here() {
        return;
    }
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    for path in ["/never", "/empty"] {
        let (site, kit) = (site().await, kit_with(1, Arc::new(clock.clone())));
        let (browsers, order) = (kit.browsers.clone(), order("l3", site.url(path), &[]));
        let run = tokio::spawn(async move { browsers.fill_in(&order).await.err() });
        kit.until(|all| browser(all).is_some()).await;
        clock.advance(Duration::from_secs(241));
        let stop = run.await.expect("a result").expect("a stop");
        assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (Outcome::Unknown, "browser-limit-reached", true), "{stop:?}");
        kit.until(|left| left.is_empty()).await;
    }
}

#[tokio::test]
async fn a_filled_form_that_nobody_submits_is_killed_at_its_limit_or_when_dropped() {
    if !here() {
        return;
    }
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let (site, kit) = (site().await, kit_with(2, Arc::new(clock.clone())));
    let kept = kit.browsers.fill_in(&order("l4", site.url("/contact"), &[])).await.expect("a filled form");
    let dropped = kit.browsers.fill_in(&order("l5", site.url("/contact"), &[])).await.expect("a filled form");
    let before = kit.processes().len();
    drop(dropped);
    kit.until(|left| !left.is_empty() && left.len() <= before / 2).await;
    clock.advance(Duration::from_secs(241));
    kit.until(|left| left.is_empty()).await;
    let stop = kept.submit().await.expect_err("too late");
    assert_eq!((stop.outcome, stop.faults[0]), (Outcome::Unknown, "browser-limit-reached"), "{stop:?}");
    assert!(site.posted().is_empty());
}

#[tokio::test]
async fn one_place_is_taken_in_turn_and_waiting_too_long_is_our_trouble() {
    if !here() {
        return;
    }
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let (site, kit) = (site().await, kit_with(1, Arc::new(clock.clone())));
    let first = kit.browsers.fill_in(&order("l6", site.url("/contact"), &[])).await.expect("a filled form");
    let (browsers, second) = (kit.browsers.clone(), order("l7", site.url("/contact"), &[]));
    let second = tokio::spawn(async move { browsers.fill_in(&second).await });
    first.submit().await.expect("thanks");
    let second = second.await.expect("a result").expect("its turn");
    assert_eq!(kit.processes().iter().filter(|(_, line)| line.contains("chromedriver")).count(), 1);
    let (browsers, third) = (kit.browsers.clone(), order("l8", site.url("/contact"), &[]));
    let third = tokio::spawn(async move { browsers.fill_in(&third).await.err() });
    tokio::task::yield_now().await;
    clock.advance(Duration::from_secs(241));
    let stop = third.await.expect("a result").expect("a stop");
    assert_eq!((stop.outcome, stop.faults[0]), (Outcome::Unknown, "browser-busy"), "{stop:?}");
    assert!(stop.advice.is_some());
    drop(second);
}

#[tokio::test]
async fn without_the_programs_the_packages_are_named_and_nothing_starts() {
    let (events, _heard) = mpsc::channel(1);
    let nowhere = Some(PathBuf::from("/nonexistent/chromium"));
    let settings = BrowserSettings { chromium: nowhere.clone(), driver: nowhere, at_once: 1, evidence: std::env::temp_dir() };
    let browsers = Browsers::new(settings, key(), Arc::new(SystemClock), events);
    let stop = browsers.fill_in(&order("l9", "http://127.0.0.1:9/".to_owned(), &[])).await.err().expect("a stop");
    assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (Outcome::Unknown, "browser-missing", true));
    assert!(stop.advice.expect("advice").contains("chromium-driver"));
}

/// The other process of the test below: holds a browser until it is killed.
#[tokio::test]
async fn holds_a_browser_when_told_to() {
    let Ok(url) = std::env::var("REPLYPATH_HOLD") else { return };
    let kit = kit(1);
    let _filled = kit.browsers.fill_in(&order("l10", url, &[])).await.expect("a filled form");
    println!("holding {}", kit.mark());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn when_replypath_itself_is_killed_its_browsers_go_too() {
    if !here() {
        return;
    }
    let site = site().await;
    let mut other = tokio::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "life::holds_a_browser_when_told_to", "--nocapture"])
        .env("REPLYPATH_HOLD", site.url("/contact"))
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("another process");
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(other.stdout.take().expect("its output")));
    let mark = loop {
        let line = lines.next_line().await.expect("a line").expect("it holds");
        if let Some((_, mark)) = line.split_once("holding ") {
            break mark.to_owned();
        }
    };
    kit::until(&mark, |all| browser(all).is_some()).await;
    other.kill().await.expect("killed");
    kit::until(&mark, |left| left.is_empty()).await;
    let folder = mark.split_once('=').expect("a mark").1;
    let _ = std::fs::remove_dir_all(folder);
}
