//! `serve`: schedule, HTTP pages, reload, end and restart.

use crate::site::{PROBES, Running, Site, get, until};

struct Daemon {
    running: Running,
    address: String,
}

impl Daemon {
    fn start(site: &Site) -> Daemon {
        let mut running = site.start(&["serve", "--listen", "127.0.0.1:0"]);
        running.says("serving /metrics address=");
        let said = running.err();
        let address = said.split("address=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        Daemon { running, address }
    }

    fn page(&self, path: &str) -> (u16, String) {
        get(&self.address, path, "")
    }

    /// The value of the first series that begins so and holds `label`.
    fn metric(&self, name: &str, label: &str) -> Option<f64> {
        let text = self.page("/metrics").1;
        let series = |line: &&str| line.split(['{', ' ']).next() == Some(name) && line.contains(label);
        text.lines().find(series)?.rsplit(' ').next()?.parse().ok()
    }
}

#[test]
fn the_daemon_judges_every_probe_reloads_ends_in_order_and_remembers() {
    let site = Site::new(&[]);
    let listed = site.run(&["list"]).expect(0).out;
    for line in listed.lines().skip(1) {
        let wait = line.split(" in ").nth(1).map_or("0s", |rest| rest.split(' ').next().unwrap());
        let seconds: f64 = wait.strip_suffix('s').unwrap_or_else(|| panic!("{listed}")).parse().unwrap();
        assert!(seconds <= 11.0, "with a run of some seconds each probe has a verdict 20 s after the start:\n{listed}");
    }

    let daemon = Daemon::start(&site);
    assert_eq!(daemon.page("/healthz"), (200, "ok\n".to_owned()));
    until("the scheduler", || (daemon.page("/readyz").0 == 200).then_some(()));
    assert_eq!(daemon.page("/nothing").0, 404);
    assert_eq!(daemon.metric("replypath_probe_success", "probe=\"support\""), None, "absent before the first verdict");
    for probe in PROBES {
        let label = format!("probe=\"{probe}\"");
        let verdict = until(probe, || daemon.metric("replypath_probe_success", &label));
        assert_eq!(verdict, 1.0, "{}", daemon.running.err());
        assert_eq!(daemon.metric("replypath_probe_unknown", &label), Some(0.0));
        let limit = if probe == "chat" { 10.0 } else { 20.0 };
        assert_eq!(daemon.metric("replypath_stage_limit_seconds", &format!("{label},stage=\"return\"")), Some(limit));
    }
    assert_eq!(daemon.metric("replypath_desk_up", "desk=\"sandbox\""), Some(1.0));
    assert_eq!(daemon.metric("replypath_mailbox_up", "account=\"bob\""), Some(1.0));
    for line in daemon.page("/metrics").1.lines().filter(|l| !l.starts_with('#')) {
        assert!(line.starts_with("replypath_") || line.starts_with("process_"), "{line}");
        assert!(!line.contains('@'), "no address is a label: {line}");
    }

    // A bad file is refused, and the old configuration goes on.
    let successful = "replypath_config_last_reload_successful";
    assert_eq!(daemon.metric(successful, ""), Some(1.0));
    site.edit("probes/sales.toml", "[email]", "[e-mail]");
    daemon.running.signal("HUP");
    until("the refusal", || (daemon.metric(successful, "") == Some(0.0)).then_some(()));
    assert!(daemon.running.err().contains("the new configuration is refused"), "{}", daemon.running.err());
    assert!(daemon.metric("replypath_probe_success", "probe=\"sales\"").is_some(), "the old configuration goes on");
    site.edit("probes/sales.toml", "[e-mail]", "[email]");
    site.edit("probes/sales.toml", "owner = \"sales team\"", "owner = \"new team\"");
    daemon.running.signal("HUP");
    until("the new configuration", || daemon.metric("replypath_probe_info", "owner=\"new team\""));
    until("its success", || (daemon.metric(successful, "") == Some(1.0)).then_some(()));
    assert_eq!(daemon.metric("replypath_probe_success", "probe=\"sales\""), Some(1.0), "a reload forgets no verdict");

    // Paused by another process: nothing is started any more, which makes the rest of this test exact.
    site.run(&["pause", "--all"]).expect(0);
    until("the pause", || (daemon.metric("replypath_probe_paused", "probe=\"sales\"") == Some(1.0)).then_some(()));
    until("the runs' ends", || (daemon.metric("replypath_runs_in_progress", "") == Some(0.0)).then_some(()));
    let last_run = |daemon: &Daemon| daemon.metric("replypath_probe_last_run_timestamp_seconds", "probe=\"billing\"").unwrap();
    let before = last_run(&daemon);
    daemon.running.signal("TERM");
    let ended = daemon.running.ended().expect(0);
    assert!(ended.err.trim_end().ends_with("ended; waiting runs go on at the next start"), "{}", ended.err);

    let daemon = Daemon::start(&site);
    assert_eq!(daemon.metric("replypath_probe_success", "probe=\"billing\""), Some(1.0), "restored before any run");
    assert_eq!(last_run(&daemon), before);
    assert!(site.run(&["list"]).expect(0).out.contains("ok, "));
    let taken = site.run(&["serve", "--listen", &daemon.address]).expect(5);
    assert!(taken.err.contains("--listen"), "{}", taken.err);
    daemon.running.signal("INT");
    daemon.running.ended().expect(0);
    site.assert_no_secrets();
}

#[test]
fn a_run_under_way_at_the_end_goes_on_at_the_next_start() {
    let site = Site::new(&["desk-worker-down"]);
    for probe in ["billing", "sales", "contact-form", "chat"] {
        std::fs::remove_file(site.dir().join(format!("probes/{probe}.toml"))).unwrap();
    }
    site.edit("probes/support.toml", "overlap = \"allow\"", "overlap = \"skip\"");
    for stage in ["land", "acknowledge"] {
        site.edit("probes/support.toml", &format!("\n{stage} = \"20s\""), &format!("\n{stage} = \"10s\""));
    }
    let mut daemon = Daemon::start(&site);
    daemon.running.says("started probe=support");
    until("a run that waits", || (daemon.metric("replypath_probe_running", "support") == Some(1.0)).then_some(()));
    daemon.running.signal("TERM");
    daemon.running.ended().expect(0);
    site.run(&["pause", "--all"]).expect(0);
    let daemon = Daemon::start(&site);
    let failed = until("its verdict", || daemon.metric("replypath_probe_success", "support"));
    assert_eq!(failed, 0.0);
    assert_eq!(daemon.metric("replypath_run_failures_total", "stage=\"land\",trigger=\"scheduled\""), Some(1.0));
    assert_eq!(site.run(&["runs"]).expect(0).out.lines().count(), 2, "one run, one verdict");
}
