use super::*;
use crate::model::RunId;
use crate::report::sample;

fn metrics(probes: &[&str]) -> Metrics {
    let metrics = Metrics::new().unwrap();
    let probes: Vec<Probe> = probes.iter().map(|name| sample::probe(name)).collect();
    metrics.configure(&probes, ["rt"], ["alice"]);
    metrics
}

/// The value of the only series of that name whose labels hold every one of `labels`.
fn value(metrics: &Metrics, name: &str, labels: &[&str]) -> Option<f64> {
    let text = metrics.render().unwrap();
    let found: Vec<&str> =
        text.lines().filter(|l| l.starts_with(&format!("replypath_{name}{{")) && labels.iter().all(|x| l.contains(x))).collect();
    assert!(found.len() < 2, "{found:?}");
    found.first().map(|l| l.rsplit_once(' ').unwrap().1.parse().unwrap())
}

fn finished(run: Run) -> RunEvent {
    RunEvent::Finished(Box::new(run))
}

#[test]
fn the_exposition_is_the_golden_one() {
    let metrics = metrics(&["returns", "shipping"]);
    metrics.observe(&RunEvent::Started(Box::new(sample::running("r-2", "shipping"))));
    metrics.observe(&finished(sample::failed()));
    metrics.skipped("returns", "overlap");
    metrics.expected("returns", Some(sample::at(900)));
    metrics.expected("shipping", None);
    metrics.tick(sample::at(40));
    metrics.reloaded(Some(sample::at(0)));
    metrics.desk_up("rt", true);
    metrics.mailbox_up("alice", true);
    metrics.certificates.show([("desk.test:443".to_owned(), Some(sample::at(86_400)))]);
    let text: String = metrics
        .render()
        .unwrap()
        .lines()
        .map(|line| match line.rsplit_once(' ') {
            Some((name, _)) if line.starts_with("process_") => format!("{name} X\n"),
            _ => format!("{}\n", line.replace(env!("CARGO_PKG_VERSION"), "VERSION")),
        })
        .collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/metrics.txt");
    if std::env::var_os("REPLYPATH_REWRITE_GOLDENS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap();
    for (line, (got, want)) in text.lines().zip(golden.lines()).enumerate() {
        assert_eq!(got, want, "line {} (REPLYPATH_REWRITE_GOLDENS=1 rewrites the file)", line + 1);
    }
    assert_eq!(text.lines().count(), golden.lines().count());
}

#[test]
fn every_counter_exists_before_the_first_run_and_no_verdict_does() {
    let metrics = metrics(&["returns"]);
    assert_eq!(value(&metrics, "runs_total", &["\"manual\""]), Some(0.0));
    assert_eq!(value(&metrics, "run_failures_total", &["\"scheduled\"", "\"return\""]), Some(0.0));
    assert_eq!(value(&metrics, "run_unknowns_total", &["\"scheduled\"", "\"land\""]), Some(0.0));
    assert_eq!(value(&metrics, "runs_skipped_total", &["\"overlap\""]), Some(0.0));
    assert_eq!(value(&metrics, "late_arrivals_total", &[]), Some(0.0));
    assert_eq!(value(&metrics, "probe_success", &[]), None);
}

#[test]
fn a_run_by_hand_moves_counters_and_no_verdict() {
    let metrics = metrics(&["returns"]);
    let mut run = sample::failed();
    run.trigger = Trigger::Manual;
    metrics.observe(&finished(run));
    assert_eq!(value(&metrics, "runs_total", &["\"manual\""]), Some(1.0));
    assert_eq!(value(&metrics, "run_failures_total", &["\"manual\"", "\"return\""]), Some(1.0));
    assert_eq!(value(&metrics, "probe_success", &[]), None);
    assert_eq!(value(&metrics, "probe_consecutive_failures", &[]), Some(0.0));
    assert_eq!(value(&metrics, "probe_last_run_timestamp_seconds", &[]), Some(0.0));
}

#[test]
fn an_unknown_run_keeps_the_verdict_and_says_that_it_is_unknown() {
    let metrics = metrics(&["shipping"]);
    let mut good = sample::passed();
    good.probe = sample::probe("shipping");
    metrics.observe(&finished(good));
    metrics.observe(&finished(sample::unknown()));
    assert_eq!(value(&metrics, "probe_success", &[]), Some(1.0));
    assert_eq!(value(&metrics, "probe_unknown", &[]), Some(1.0));
    assert_eq!(value(&metrics, "probe_consecutive_failures", &[]), Some(0.0));
    assert_eq!(value(&metrics, "run_unknowns_total", &["\"scheduled\"", "\"land\""]), Some(1.0));
    assert_eq!(value(&metrics, "leftovers", &[]), Some(1.0));
}

#[test]
fn failures_count_up_until_a_pass_and_unreached_stages_have_no_verdict() {
    let metrics = metrics(&["returns"]);
    metrics.observe(&finished(sample::failed()));
    metrics.observe(&finished(sample::failed()));
    assert_eq!(value(&metrics, "probe_consecutive_failures", &[]), Some(2.0));
    assert_eq!(value(&metrics, "stage_success", &["\"return\""]), Some(0.0));
    assert_eq!(value(&metrics, "stage_success", &["\"follow_up\""]), None);
    let mut good = sample::passed();
    good.probe = sample::probe("returns");
    metrics.observe(&finished(good));
    assert_eq!(value(&metrics, "probe_consecutive_failures", &[]), Some(0.0));
    assert_eq!(value(&metrics, "stage_success", &["\"follow_up\""]), Some(1.0));
    assert_eq!(value(&metrics, "stage_duration_seconds_count", &["\"return\""]), Some(1.0));
}

#[test]
fn a_restart_shows_the_verdicts_of_the_store() {
    let metrics = metrics(&["returns"]);
    metrics.restore(&[ProbeStanding {
        probe: "returns".to_owned(),
        last_judged: Some(sample::failed()),
        last: Some(sample::failed()),
        last_pass: Some(sample::at(-900)),
        failures_in_a_row: 3,
        unknown_since: None,
    }]);
    assert_eq!(value(&metrics, "probe_success", &[]), Some(0.0));
    assert_eq!(value(&metrics, "probe_consecutive_failures", &[]), Some(3.0));
    assert_eq!(value(&metrics, "probe_last_success_timestamp_seconds", &[]), Some(seconds(Some(sample::at(-900)))));
    assert_eq!(value(&metrics, "runs_total", &["\"scheduled\""]), Some(0.0));
}

#[test]
fn a_late_finding_that_breaks_a_pass_is_shown_once() {
    let metrics = metrics(&["returns"]);
    let mut good = sample::passed();
    good.probe = sample::probe("returns");
    metrics.observe(&finished(good));
    let mut turned = sample::failed();
    turned.id = RunId("r-passed".to_owned());
    for _ in 0..2 {
        metrics.observe(&RunEvent::Late(Box::new(turned.clone())));
    }
    assert_eq!(value(&metrics, "late_arrivals_total", &[]), Some(2.0));
    assert_eq!(value(&metrics, "probe_success", &[]), Some(0.0));
    assert_eq!(value(&metrics, "probe_consecutive_failures", &[]), Some(1.0));
    assert_eq!(value(&metrics, "runs_total", &["\"scheduled\""]), Some(1.0));
}

#[test]
fn series_of_removed_probes_go_and_those_of_kept_ones_stay() {
    let metrics = metrics(&["returns", "shipping"]);
    metrics.observe(&finished(sample::failed()));
    let kept = sample::probe("returns");
    metrics.configure([&kept], ["rt"], ["bob"]);
    let text = metrics.render().unwrap();
    assert!(!text.contains("shipping") && !text.contains("alice"), "{text}");
    assert_eq!(value(&metrics, "probe_consecutive_failures", &[]), Some(1.0));
    let mut moved = kept.clone();
    moved.gateway = "mx-eu".to_owned();
    metrics.configure([&moved], ["rt"], ["bob"]);
    assert!(!metrics.render().unwrap().contains("rt-email"));
    assert_eq!(value(&metrics, "probe_success", &[]), None);
}

#[test]
fn runs_under_way_are_counted_once() {
    let metrics = metrics(&["returns"]);
    metrics.resume(&[sample::running("r-1", "returns")]);
    metrics.observe(&RunEvent::Stage(Box::new(sample::running("r-1", "returns")), Stage::Accept));
    metrics.observe(&RunEvent::Started(Box::new(sample::running("r-2", "returns"))));
    let in_progress = |m: &Metrics| m.render().unwrap().lines().find(|l| l.starts_with("replypath_runs_in_progress ")).map(str::to_owned);
    assert_eq!(in_progress(&metrics).unwrap(), "replypath_runs_in_progress 2");
    assert_eq!(value(&metrics, "probe_running", &[]), Some(1.0));
    let mut done = sample::failed();
    done.id = RunId("r-1".to_owned());
    metrics.observe(&finished(done));
    assert_eq!(in_progress(&metrics).unwrap(), "replypath_runs_in_progress 1");
}

#[test]
fn a_stranger_among_the_values_mints_no_series() {
    let metrics = metrics(&["returns"]);
    let before = metrics.render().unwrap().lines().count();
    let mut run = sample::failed();
    run.probe.name = "other".to_owned();
    metrics.observe(&finished(run));
    metrics.skipped("returns", "bad mood");
    metrics.desk_up("other", true);
    metrics.mailbox_up("other", true);
    assert_eq!(metrics.render().unwrap().lines().count(), before);
    assert_eq!(value(&metrics, "runs_skipped_total", &["\"error\""]), Some(1.0));
}

#[test]
fn the_process_tells_its_own_memory_and_time() {
    let text = metrics(&[]).render().unwrap();
    let read = |name: &str| -> f64 { text.lines().find_map(|l| l.strip_prefix(&format!("{name} "))).unwrap().parse().unwrap() };
    assert!(read("process_start_time_seconds") > 1.7e9);
    if std::path::Path::new("/proc/self/status").exists() {
        assert!(read("process_resident_memory_bytes") > 1e6);
        assert!(read("process_open_fds") >= 1.0);
    }
}

#[test]
fn private_content_in_the_wrong_hands_is_said_while_the_run_goes_on_and_counted_once() {
    let metrics = metrics(&["returns"]);
    let leak = ["\"returns\"", "\"note-leaks\""];
    let seen = |what: &str| {
        let (gauge, counter) = (value(&metrics, "probe_security_fault", &leak), value(&metrics, "security_faults_total", &leak));
        assert!(gauge.is_some() && counter.is_some(), "{what}");
        (gauge.unwrap(), counter.unwrap())
    };
    assert_eq!(seen("before the first run"), (0.0, 0.0));
    let mut run = sample::running("r-leak", "returns");
    sample::decide(&mut run, Stage::Reply, Outcome::Fail, 1, 2);
    run.stages.get_mut(&Stage::Reply).unwrap().hints = vec!["note-leaks".to_owned(), "reply-fails-unnoticed".to_owned()];
    metrics.observe(&RunEvent::Stage(Box::new(run.clone()), Stage::Reply));
    assert_eq!(seen("at once"), (1.0, 1.0));
    metrics.observe(&RunEvent::Stage(Box::new(run.clone()), Stage::Return));
    let mut ended = sample::failed();
    (ended.id, ended.stages) = (run.id.clone(), run.stages.clone());
    metrics.observe(&finished(ended.clone()));
    metrics.observe(&RunEvent::Late(Box::new(ended)));
    assert_eq!(seen("one run, one count"), (1.0, 1.0));
    let mut good = sample::passed();
    good.probe = sample::probe("returns");
    metrics.observe(&finished(good));
    assert_eq!(seen("the next pass lowers the gauge"), (0.0, 1.0));
    run.trigger = Trigger::Manual;
    run.id = RunId("r-by-hand".to_owned());
    metrics.observe(&RunEvent::Stage(Box::new(run), Stage::Reply));
    assert_eq!(seen("a run by hand is counted and moves no gauge"), (0.0, 2.0));
}

#[test]
fn certificates_keep_their_end_while_they_cannot_be_seen_and_go_with_their_place() {
    let metrics = metrics(&[]);
    let of = |host: &str, end: Option<Timestamp>| (format!("{host}:443"), end);
    let end = |host: &str| value(&metrics, "certificate_expiry_timestamp_seconds", &[host]);
    metrics.certificates.show([of("a", Some(sample::at(60))), of("b", Some(sample::at(60))), of("c", None)]);
    assert_eq!((end("a:443"), end("c:443")), (Some(seconds(Some(sample::at(60)))), None));
    metrics.certificates.show([of("a", None), of("c", Some(sample::at(90)))]);
    assert_eq!((end("a:443"), end("b:443")), (Some(seconds(Some(sample::at(60)))), None));
    assert_eq!(end("c:443"), Some(seconds(Some(sample::at(90)))));
}
