use super::*;
use crate::engine::ports::ProbeStanding;
use crate::model::{Outcome, RunId, Trigger, Verdict};
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
        // One of the catalogue's faults stands for all of them.
        .filter(|line| !line.starts_with("replypath_fault_info{") || line.contains("\"return-in-spam\""))
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
        failing_since: Some(sample::at(-600)),
        unknown_since: None,
    }]);
    assert_eq!(value(&metrics, "probe_success", &[]), Some(0.0));
    assert_eq!(value(&metrics, "probe_consecutive_failures", &[]), Some(3.0));
    assert_eq!(value(&metrics, "probe_last_success_timestamp_seconds", &[]), Some(seconds(Some(sample::at(-900)))));
    assert_eq!(value(&metrics, "probe_failing_since_timestamp_seconds", &[]), Some(seconds(Some(sample::at(-600)))));
    assert_eq!(value(&metrics, "probe_fault", &["\"return-in-spam\""]), Some(1.0));
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

/// A run of `returns` with another begin, 30 s before its verdict.
fn at_minute(mut run: Run, minute: i64) -> Run {
    run.probe = sample::probe("returns");
    run.id = RunId(format!("r-{minute}"));
    (run.started, run.finished) = (sample::at(minute * 60), Some(sample::at(minute * 60 + 30)));
    run
}

#[test]
fn the_times_since_which_a_probe_fails_or_cannot_tell_are_shown_until_it_passes() {
    let metrics = metrics(&["returns"]);
    let since = |what: &str| value(&metrics, &format!("probe_{what}_since_timestamp_seconds"), &[]).unwrap();
    let time = |minute: i64, second: i64| seconds(Some(sample::at(minute * 60 + second)));
    let steps = [
        (sample::failed(), time(1, 0), 0.0),
        (sample::unknown(), time(1, 0), time(2, 30)),
        (sample::unknown(), time(1, 0), time(2, 30)),
        (sample::failed(), time(1, 0), 0.0),
        (sample::passed(), 0.0, 0.0),
        (sample::failed(), time(6, 0), 0.0),
    ];
    assert_eq!((since("failing"), since("unknown")), (0.0, 0.0), "from the start");
    for (minute, (run, failing, unknown)) in (1..).zip(steps) {
        metrics.observe(&finished(at_minute(run, minute)));
        assert_eq!((since("failing"), since("unknown")), (failing, unknown), "minute {minute}");
    }
}

#[test]
fn a_pass_that_turns_into_a_failure_gives_the_earlier_row_back() {
    let metrics = metrics(&["returns"]);
    for (minute, run) in [(1, sample::passed()), (2, sample::failed()), (3, sample::passed())] {
        metrics.observe(&finished(at_minute(run, minute)));
    }
    let now = |name: &str| value(&metrics, name, &[]).unwrap();
    assert_eq!(now("probe_last_success_timestamp_seconds"), seconds(Some(sample::at(210))));
    metrics.observe(&RunEvent::Late(Box::new(at_minute(sample::failed(), 3))));
    assert_eq!(now("probe_last_success_timestamp_seconds"), seconds(Some(sample::at(90))));
    assert_eq!((now("probe_consecutive_failures"), now("probe_failing_since_timestamp_seconds")), (2.0, seconds(Some(sample::at(120)))));
}

#[test]
fn the_fault_is_shown_while_the_last_run_did_not_pass_and_only_once_a_probe() {
    let metrics = metrics(&["returns"]);
    let shown = || -> Vec<String> {
        let text = metrics.render().unwrap();
        let faults = text.lines().filter_map(|l| l.strip_prefix("replypath_probe_fault{"));
        faults.map(str::to_owned).collect()
    };
    let spam = r#"blame="desk",fault="return-in-spam",probe="returns",stage="return"} 1"#;
    let down = r#"blame="monitor",fault="desk-api-down",probe="returns",stage="land"} 1"#;
    let see = |run: Run, minute: i64, wanted: &[&str]| {
        metrics.observe(&finished(at_minute(run, minute)));
        assert_eq!(shown(), wanted, "minute {minute}");
    };
    see(sample::failed(), 1, &[spam]);
    see(sample::unknown(), 2, &[spam, down]);
    let mut other = sample::failed();
    let diagnosis = other.diagnosis.as_mut().unwrap();
    (diagnosis.fault, diagnosis.candidates) = (None, vec!["return-in-spam".to_owned(), "bounce-ignored".to_owned()]);
    see(other, 3, &[r#"blame="desk",fault="unclear",probe="returns",stage="return"} 1"#]);
    let mut strange = sample::failed();
    strange.diagnosis.as_mut().unwrap().fault = Some("no-such-fault".to_owned());
    see(strange, 4, &[r#"blame="desk",fault="unclear",probe="returns",stage="return"} 1"#]);
    see(sample::unknown(), 5, &[r#"blame="desk",fault="unclear",probe="returns",stage="return"} 1"#, down]);
    see(sample::passed(), 6, &[]);
    let mut by_hand = at_minute(sample::failed(), 7);
    by_hand.trigger = Trigger::Manual;
    metrics.observe(&finished(by_hand));
    assert_eq!(shown(), [""; 0], "a run by hand moves no verdict");
    metrics.observe(&finished(at_minute(sample::failed(), 8)));
    metrics.configure([&sample::probe("other")], ["rt"], ["alice"]);
    assert_eq!(shown(), [""; 0], "it goes with its probe");
}

#[test]
fn a_control_moves_nothing_but_the_number_of_runs_under_way() {
    let metrics = metrics(&["returns"]);
    let before = metrics.render().unwrap();
    let mut control = sample::failed();
    control.trigger = Trigger::Control;
    metrics.observe(&finished(control));
    let steady = |text: &str| text.lines().filter(|l| !l.starts_with("process_")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(steady(&metrics.render().unwrap()), steady(&before));
}

#[test]
fn what_the_customer_waits_for_is_counted_by_gateway() {
    let mut awaiting = sample::probe("returns");
    awaiting.reply.mode = crate::model::ReplyMode::Await;
    let metrics = Metrics::new().unwrap();
    metrics.configure([&awaiting, &sample::probe("shipping")], ["rt"], ["alice"]);
    let counted = |clock: &str| value(&metrics, &format!("{clock}_seconds_count"), &[]);
    let clocks = ["landing", "acknowledgement", "human_answer"];
    assert_eq!(clocks.map(counted), [Some(0.0); 3], "from the start");
    let mut run = sample::passed();
    run.probe = awaiting;
    metrics.observe(&finished(run));
    metrics.observe(&finished(sample::failed()));
    assert_eq!(clocks.map(counted), [Some(2.0), Some(2.0), Some(1.0)], "the answer of the second was not there");
    // Sent after 1 s; landed after 3, acknowledged after 6 in the first run and 3 in the second, answered after 8.
    let sum = |clock: &str| value(&metrics, &format!("{clock}_seconds_sum"), &[]);
    assert_eq!(clocks.map(sum), [Some(4.0), Some(7.0), Some(7.0)]);
    let posting = metrics_of_posting();
    assert_eq!(value(&posting, "human_answer_seconds_count", &[]), None, "no person answers");
}

fn metrics_of_posting() -> Metrics {
    let metrics = metrics(&["billing"]);
    metrics.observe(&finished(sample::passed()));
    metrics
}

#[test]
fn leftovers_of_the_last_runs_are_summed_by_desk() {
    let metrics = metrics(&["returns", "shipping"]);
    let left = || value(&metrics, "leftovers", &[]);
    metrics.observe(&finished(sample::unknown()));
    let mut second = at_minute(sample::unknown(), 1);
    second.leftovers.push(second.leftovers[0].clone());
    metrics.observe(&finished(second));
    assert_eq!(left(), Some(3.0));
    metrics.observe(&finished(at_minute(sample::passed(), 2)));
    assert_eq!(left(), Some(1.0));
}

#[test]
fn the_documented_number_of_series_is_never_passed_and_nearly_reached() {
    let count = |metrics: &Metrics| metrics.render().unwrap().lines().filter(|l| l.starts_with("replypath_")).count();
    let grown = |probes: usize, gateways: usize| {
        let probes: Vec<Probe> = (0..probes)
            .map(|n| {
                let mut probe = sample::probe(&format!("p{n}"));
                probe.reply.mode = crate::model::ReplyMode::Await;
                probe.gateway = format!("g{}", n % gateways);
                probe
            })
            .collect();
        let metrics = Metrics::new().unwrap();
        metrics.configure(&probes, ["rt"], ["alice"]);
        for probe in &probes {
            metrics.expected(&probe.name, Some(sample::at(0)));
            for (mut run, id) in [(sample::passed(), 1), (sample::failed(), 2), (sample::unknown(), 3)] {
                run.probe = probe.clone();
                run.id = RunId(format!("{}-{id}", probe.name));
                for record in run.stages.values_mut() {
                    record.outcome = record.outcome.or(Some(Outcome::Pass));
                }
                if let Some(d) = run.diagnosis.as_mut().filter(|d| d.verdict == Verdict::Fail) {
                    d.stage = None;
                    run.stages.extend(sample::passed().stages);
                }
                metrics.observe(&finished(run));
            }
        }
        count(&metrics)
    };
    let faults = crate::diagnosis::catalogue::all().len();
    let formula =
        |probes: usize, gateways: usize| crate::config::SERIES_OF_PROBE * probes + SERIES_OF_GATEWAY * gateways + 2 + 1 + faults + 14;
    for (probes, gateways) in [(1, 1), (6, 1), (6, 3)] {
        let (is, most) = (grown(probes, gateways), formula(probes, gateways));
        assert!(is <= most, "{probes} probes behind {gateways} gateways have {is} series, {most} are documented");
        assert!(is * 100 >= most * 95, "{probes} probes behind {gateways} gateways have {is} series only, {most} are documented");
    }
}

#[test]
fn rules_and_dashboards_name_only_what_is_exposed() {
    let metrics = Metrics::new().unwrap();
    let mut awaiting = sample::probe("returns");
    awaiting.reply.mode = crate::model::ReplyMode::Await;
    metrics.configure([&awaiting], ["rt"], ["alice"]);
    for run in [sample::passed(), sample::failed(), sample::unknown()] {
        metrics.observe(&finished(at_minute(run, 1)));
    }
    metrics.expected("returns", Some(sample::at(0)));
    metrics.certificates.show([("desk.test:443".to_owned(), Some(sample::at(60)))]);
    let text = metrics.render().unwrap();
    let exposed: BTreeSet<&str> = text.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split(['{', ' ']).next()).collect();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/dashboards");
    for file in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()) {
        let text = std::fs::read_to_string(&file).unwrap();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        for name in text.split(|c: char| !is_word(c)).filter(|w| w.starts_with("replypath_") && !w.contains(':')) {
            assert!(exposed.contains(name), "{}: {name} is not on /metrics", file.display());
        }
    }
}
