//! What the overview says first, whatever the state.

use crate::kit::{World, at, between, sentence};
use crate::runs::{blank, judge};
use replypath::daemon::Watcher;
use replypath::engine::ports::RunEvent;
use replypath::model::{Stage, Trigger, Verdict};
use replypath::page::Pages;

/// The row of a probe.
fn row<'a>(page: &'a str, probe: &str) -> &'a str {
    between(page, &format!("<th class=\"probe\" scope=\"row\"><a href=\"./probes/{probe}\">"), "</tr>")
}

fn icon(page: &str) -> &str {
    between(page, "assets/", ".svg")
}

#[tokio::test]
async fn nothing_tried_is_not_green() {
    let world = World::new(&["billing", "sales"]).await;
    world.due("billing", 60, 600, false);
    let page = world.page("/").await;
    assert_eq!(sentence(&page), "No reply path has been tried yet.");
    assert_eq!(icon(&page), "unknown");
    assert!(row(&page, "billing").contains("never ran</b> <span class=\"faint\">first run in 1m00"), "{page}");
    world.run("r1", "billing", Verdict::Pass, 0).await;
    let page = world.page("/").await;
    assert_eq!(sentence(&page), "1 of 2 reply paths works, 1 not tried yet.");
    assert_eq!(icon(&page), "unknown", "a path that was never tried is not known to work");
}

#[tokio::test]
async fn a_broken_path_stands_in_the_sentence_with_stage_fault_and_since_when() {
    let world = World::new(&["billing", "sales"]).await;
    world.run("rgood", "billing", Verdict::Pass, 0).await;
    world.run("rother", "sales", Verdict::Pass, 5).await;
    let page = world.page("/").await;
    assert!(sentence(&page).starts_with("All 2 reply paths work; the last run ended"), "{page}");
    assert_eq!(icon(&page), "ok");
    world.run("rbad1", "billing", Verdict::Fail, 900).await;
    world.run("rbad2", "billing", Verdict::Fail, 1_800).await;
    world.go_to(2_400);
    let page = world.page("/").await;
    let said = sentence(&page);
    assert!(said.starts_with("1 of 2 reply paths is broken: billing by mail: "), "{said}");
    assert!(said.ends_with(", at return, since 08:15 UTC (25 min), last good 08:00."), "{said}");
    assert!(page.contains(&format!("<title>(1) {}", said.trim_end_matches('.'))), "the title says it too");
    assert_eq!(icon(&page), "broken");
    let billing = row(&page, "billing");
    assert!(billing.contains("✕ broken</b> <span class=\"faint\">at return, 2 runs in a row"), "{billing}");
    assert!(billing.contains("data-stage=\"return\">FAIL <span class=\"faint\">27s"), "{billing}");
    assert!(billing.contains("aria-label=\"2 failed of 3\""), "{billing}");
    let place = |probe: &str| page.find(row(&page, probe)).unwrap();
    assert!(place("billing") < place("sales"), "the worst first");
    let text = world.page("/status.txt").await;
    assert!(text.starts_with(&format!("{said}\n")), "{text}");
    let badge = world.page("/badge/billing.svg").await;
    assert!(badge.contains("<title>billing: broken</title>"), "{badge}");
    let shields: serde_json::Value = serde_json::from_str(&world.page("/badge.json").await).unwrap();
    assert_eq!((&shields["schemaVersion"], &shields["message"], &shields["color"]), (&1.into(), &"1 of 2 broken".into(), &"red".into()));
}

#[tokio::test]
async fn unknown_stands_over_the_older_verdict_and_ends_with_the_next_one() {
    let world = World::new(&["billing"]).await;
    world.run("r1", "billing", Verdict::Pass, 0).await;
    world.run("r2", "billing", Verdict::Unknown, 900).await;
    world.go_to(1_000);
    let page = world.page("/").await;
    assert!(sentence(&page).starts_with("1 of 1 reply path could not be judged: billing by mail: nobody can tell"), "{}", sentence(&page));
    assert_eq!(icon(&page), "unknown");
    assert!(row(&page, "billing").contains("? unknown</b> <span class=\"faint\">at return, for 1m10, before that ok"), "{page}");
    world.run("r3", "billing", Verdict::Pass, 1_800).await;
    assert!(sentence(&world.page("/").await).starts_with("1 of 1 reply path works"));
}

#[tokio::test]
async fn a_result_that_did_not_come_and_a_scheduler_that_stands_still_are_never_green() {
    let world = World::new(&["billing"]).await;
    world.run("r1", "billing", Verdict::Pass, 0).await;
    world.due("billing", 900, 1_500, false);
    world.go_to(1_501);
    let page = world.page("/").await;
    assert!(sentence(&page).starts_with("1 of 1 reply path is overdue"), "{}", sentence(&page));
    assert_eq!(icon(&page), "unknown");
    world.clock.advance(std::time::Duration::from_secs(121));
    let page = world.page("/").await;
    assert_eq!(sentence(&page), "The scheduler has not looked for due probes for 2 min: what stands here is old.");
    assert_eq!(icon(&page), "unknown");
    assert!(world.page("/badge.svg").await.contains("<title>reply paths: unknown</title>"));
    assert!(world.page("/badge/billing.svg").await.contains("<title>billing: unknown</title>"));
}

#[tokio::test]
async fn a_paused_path_is_neither_broken_nor_counted_as_working() {
    let world = World::new(&["billing", "sales"]).await;
    world.run("r1", "billing", Verdict::Fail, 0).await;
    world.run("r2", "sales", Verdict::Pass, 0).await;
    world.due("billing", 900, 1_500, true);
    let page = world.page("/").await;
    assert!(sentence(&page).starts_with("1 of 2 reply paths works; 1 paused"), "{}", sentence(&page));
    assert!(row(&page, "billing").contains("paused</b> <span class=\"faint\">before that FAIL at return"), "{page}");
}

#[tokio::test]
async fn a_run_by_hand_changes_no_verdict_but_is_remembered() {
    let world = World::new(&["billing"]).await;
    world.run("r1", "billing", Verdict::Pass, 0).await;
    let mut by_hand = blank("r2", world.probe("billing"), Trigger::Manual, at(60));
    world.pages.observe(&RunEvent::Started(Box::new(by_hand.clone())));
    world.go_to(70);
    assert!(row(&world.page("/").await, "billing").contains("running"), "under way");
    judge(&mut by_hand, Verdict::Fail);
    world.ended(&by_hand).await;
    let page = world.page("/").await;
    assert!(sentence(&page).starts_with("1 of 1 reply path works"), "{}", sentence(&page));
    assert!(row(&page, "billing").contains("1 failed of 2") && !row(&page, "billing").contains("running"), "{page}");
}

#[tokio::test]
async fn a_restart_forgets_nothing_and_a_late_finding_turns_a_pass() {
    let world = World::new(&["billing"]).await;
    let mut runs = Vec::new();
    for (n, verdict) in [Verdict::Pass, Verdict::Fail, Verdict::Fail].into_iter().enumerate() {
        let mut run = blank(&format!("r{n}"), world.probe("billing"), Trigger::Scheduled, at(900 * n as i64));
        judge(&mut run, verdict);
        world.keep(&run).await;
        runs.push(run);
    }
    world.go_to(2_400);
    world.pages.configure(&world.config).await.unwrap();
    let page = world.page("/").await;
    assert_eq!(sentence(&page), "1 of 1 reply path is broken: billing at return.", "what is known before the history is read");
    assert!(row(&page, "billing").contains("still being read"), "{page}");
    world.pages.recall(world.config.probes.keys()).await;
    let page = world.page("/").await;
    assert!(sentence(&page).ends_with("since 08:15 UTC (25 min), last good 08:00."), "{}", sentence(&page));
    assert!(row(&page, "billing").contains("2 runs in a row") && row(&page, "billing").contains("2 failed of 3"), "{page}");

    let good = world.run("r9", "billing", Verdict::Pass, 2_700).await;
    world.go_to(2_800);
    assert!(sentence(&world.page("/").await).starts_with("1 of 1 reply path works"));
    let mut late = good.clone();
    judge(&mut late, Verdict::Fail);
    world.pages.observe(&RunEvent::Late(Box::new(late)));
    let page = world.page("/").await;
    assert!(sentence(&page).starts_with("1 of 1 reply path is broken"), "{}", sentence(&page));
    assert!(row(&page, "billing").contains("3 runs in a row"), "{page}");
}

#[tokio::test]
async fn a_pass_that_turns_later_leaves_the_passes_before_and_after_it() {
    let world = World::new(&["billing"]).await;
    let mut runs = Vec::new();
    for n in 0..3 {
        runs.push(world.run(&format!("r{n}"), "billing", Verdict::Pass, 900 * n).await);
    }
    world.go_to(2_000);
    judge(&mut runs[2], Verdict::Fail);
    world.pages.observe(&RunEvent::Late(Box::new(runs[2].clone())));
    let page = world.page("/").await;
    assert!(sentence(&page).contains("since 08:30 UTC") && sentence(&page).ends_with("last good 08:15."), "{}", sentence(&page));
    judge(&mut runs[1], Verdict::Fail);
    world.pages.observe(&RunEvent::Late(Box::new(runs[1].clone())));
    let page = world.page("/").await;
    assert!(sentence(&page).contains("since 08:15 UTC") && sentence(&page).ends_with("last good 08:00."), "{}", sentence(&page));
}

#[tokio::test]
async fn a_probe_without_a_schedule_is_judged_by_the_runs_of_other_programs() {
    let mut world = World::new(&["billing"]).await;
    world.config.probes.get_mut("billing").unwrap().schedule = None;
    world.pages.configure(&world.config).await.unwrap();
    for (id, verdict, seconds, said) in [("r1", Verdict::Pass, 60, "works"), ("r2", Verdict::Fail, 600, "is broken")] {
        let mut run = blank(id, world.probe("billing"), Trigger::Manual, at(seconds));
        judge(&mut run, verdict);
        world.keep(&run).await;
        world.go_to(seconds + 60);
        world.pages.recall(world.config.probes.keys()).await;
        let page = world.page("/").await;
        assert!(sentence(&page).starts_with(&format!("1 of 1 reply path {said}")), "{}", sentence(&page));
    }
    assert!(row(&world.page("/").await, "billing").contains("at return, once"));
}

#[tokio::test]
async fn trouble_older_than_the_strip_keeps_its_begin() {
    let world = World::new(&["billing"]).await;
    world.run("rgood", "billing", Verdict::Pass, 0).await;
    for n in 1..=60 {
        world.run(&format!("r{n}"), "billing", Verdict::Fail, 60 * n).await;
    }
    world.go_to(3_900);
    let page = world.page("/").await;
    assert!(sentence(&page).ends_with("since 08:01 UTC (1 h 4 min), last good 08:00."), "{}", sentence(&page));
    assert!(row(&page, "billing").contains("40 failed of 40"), "{page}");
    // And so after a restart, for which only the store is there.
    let (store, clock) = (world.store.clone(), world.clock.clone());
    let again = Pages::new(store, clock, world.pulse.clone(), world.at, "/nowhere".into()).unwrap();
    again.configure(&world.config).await.unwrap();
    again.recall(world.config.probes.keys()).await;
    again.recall_roots().await;
    assert_eq!(format!("{}.", again.news().sentence), sentence(&page));
}

#[tokio::test]
async fn filters_and_stable_addresses() {
    let world = World::new(&["billing", "sales"]).await;
    world.run("rgood", "billing", Verdict::Pass, 0).await;
    world.run("rbad", "billing", Verdict::Fail, 900).await;
    world.run("rodd", "billing", Verdict::Unknown, 1_800).await;
    world.run("rfine", "sales", Verdict::Pass, 0).await;
    let page = world.page("/?show=broken").await;
    assert!(row(&page, "billing").contains("unknown") && !page.contains("./probes/sales\""), "{page}");
    let page = world.page("/?q=SALES").await;
    assert!(row(&page, "sales").contains("ok") && !page.contains("scope=\"row\"><a href=\"./probes/billing\""), "{page}");
    assert!(world.page("/?channel=chat").await.contains("Nothing matches"));
    for (path, to) in [("last-failure", "../../runs/rbad"), ("last-good", "../../runs/rgood")] {
        let answer = world.get(&format!("/probes/billing/{path}")).await;
        assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (303, to));
    }
    assert_eq!(world.get("/probes/sales/last-failure").await.status(), 404);
    assert_eq!(world.get("/probes/nobody").await.status(), 404);
    assert_eq!(world.get("/runs/nothing").await.status(), 404);
    let probe = world.page("/probes/billing").await;
    assert!(probe.contains("Stage times against limits") && probe.contains("href=\"../runs/rbad\""), "{probe}");
    assert!(between(&probe, "<th scope=\"row\">return</th>", "</tr>").contains("27s of 1</td><td>10m</td>"), "{probe}");
}

#[tokio::test]
async fn a_run_tells_expected_against_found_and_what_the_fault_means() {
    let world = World::new(&["billing"]).await;
    world.run("rgood", "billing", Verdict::Pass, 0).await;
    world.run("rbad", "billing", Verdict::Fail, 900).await;
    let page = world.page("/runs/rbad").await;
    assert_eq!(sentence(&page), "FAIL at return: billing");
    assert!(page.contains("Expected <b>INBOX</b>; found <b>Junk of alice@customers.test</b>."), "{page}");
    assert!(page.contains("<code>replypath faults return-in-spam</code>") && page.contains("<dt>Usual cause</dt>"), "{page}");
    assert!(between(&page, "<dt>Last good</dt>", "</dd>").contains("href=\"../runs/rgood\""), "{page}");
    assert!(between(&page, "<th scope=\"row\">return</th>", "</tr>").contains("rect class=\"took fail\""), "{page}");
    assert!(between(&page, "<th scope=\"row\">land</th>", "</tr>").contains("not reached"), "{page}");
    assert_eq!(page.matches("<th scope=\"row\">queue</th>").count(), 0, "left out");
    assert!(page.contains("Left out by the probe: queue, follow_up"), "{page}");
    let compared = world.page("/runs/rbad?view=compare").await;
    assert!(compared.contains("FAIL instead of ok"), "{compared}");
    for view in ["sent", "ticket", "answer", "hops", "differences", "log", "nonsense"] {
        let page = world.page(&format!("/runs/rbad?view={view}")).await;
        assert_eq!(page.matches("aria-current=\"page\"").count(), 1, "{view}");
    }
    assert!(world.page("/runs/rbad?view=sent").await.contains("<pre>Hello rprbad"), "the text as it was sent");
    // A stage that still waits says so.
    let mut waits = blank("rnow", world.probe("billing"), Trigger::Scheduled, at(1_800));
    waits.stages.entry(Stage::Return).or_default().opened = Some(at(1_810));
    world.store_open(&waits).await;
    world.go_to(1_830);
    let page = world.page("/runs/rnow").await;
    assert!(page.contains("Under way, waits at return for 30s."), "{page}");
}
