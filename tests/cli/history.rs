//! What is told of verdicts given by schedule: incidents and the report of a period.

use crate::document;
use crate::site::{Site, replypath, until};

#[test]
fn what_breaks_by_schedule_is_an_incident_with_its_runs_and_stands_in_the_report() {
    let site = Site::new(&["return-in-spam"]);
    let none = site.run(&["incidents"]).expect(0).out;
    assert_eq!(none, "nothing known to be broken: none of 5 probes has a verdict by schedule yet; `replypath serve` gives them\n");
    let empty = site.run(&["report"]).expect(0).out;
    assert!(empty.contains("nothing is known of it"), "{empty}");
    // Runs by hand make none.
    site.run(&["run", "billing"]).expect(1);
    assert!(site.run(&["incidents"]).expect(0).out.starts_with("nothing known to be broken: none of 5"));

    let daemon = site.start(&["serve", "--listen", "127.0.0.1:0"]);
    let schema = replypath(&["schema", "incidents"]).expect(0).json();
    let found = until("an incident of all probes by mail", || {
        let document = site.run(&["incidents", "--report", "json"]).expect(0).json();
        let all = document["incidents"].as_array().expect("a list").clone();
        let spam = all.into_iter().find(|i| i["fault"] == "return-in-spam" && i["confirmed"] == true)?;
        (spam["probes"].as_array().expect("a list").len() >= 3).then_some((document, spam))
    });
    daemon.signal("TERM");
    daemon.ended().expect(0);
    let (document, incident) = found;
    document::assert_valid(&document, &schema);
    assert_eq!((&incident["stage"], &incident["verdict"], &incident["open"]), (&"return".into(), &"fail".into(), &true.into()));
    assert!(document["newest_verdict"].is_string() && incident["last_good"].is_null(), "{document:#}");
    let text = site.run(&["incidents"]).expect(0).out;
    let sentence = incident["sentence"].as_str().expect("a sentence").split(", at ").next().expect("a begin");
    assert!(text.contains(&format!("FAIL  {sentence}, at return, since ")), "{text}\n{sentence}");
    let run = incident["runs"][0].as_str().expect("a run");
    let shown = site.run(&["show", run]).expect(0).out;
    assert!(shown.contains("return-in-spam"), "{shown}");

    let report = site.run(&["report", "--since", "1h"]).expect(0).out;
    assert!(
        report.contains("\n## Incidents\n\n| from |") && report.contains("| return | the answer landed in the customer's spam"),
        "{report}"
    );
    assert!(report.contains("| email | Billing | land | any | "), "{report}");
    let table = site.run(&["report", "--form", "csv", "--table", "probes"]).expect(0).out;
    let billing = table.lines().find(|l| l.starts_with("billing,")).expect("a line");
    assert!(billing.split(',').nth(3).is_some_and(|failed| failed.parse::<u64>().is_ok_and(|n| n > 0)), "{table}");
    site.run(&["report", "--since", "soon"]).expect(2);
    site.assert_no_secrets();
}

#[test]
fn the_rules_are_those_for_ones_own_probes_and_addresses() {
    let site = Site::new(&[]);
    let rules = site.run(&["rules", "--job", "desk-watch", "--url", "https://watch.example.com/"]).expect(0).out;
    assert!(
        rules.starts_with("# Made by `replypath rules` for 5 scheduled probes, the slowest of which runs at least every 11s."),
        "{rules}"
    );
    assert!(
        rules.contains("up{job=\"desk-watch\"}")
            && rules.contains("'{{ with printf")
            && rules.contains("https://watch.example.com/probes/")
    );
    let slow = rules.split("- alert: ReplypathStageSlow").nth(1).expect("an alert");
    assert!(slow.split("for: ").nth(1).expect("a length").starts_with("10m\n"), "{slow}");
    site.run(&["rules", "--url", "watch.example.com"]).expect(2);
    site.run(&["rules", "--job", "a b"]).expect(2);
}
