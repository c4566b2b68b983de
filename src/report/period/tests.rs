use super::*;
use crate::incident::incidents;
use crate::model::Clocks;
use crate::report::sample;

const ANY: Asked = Asked { hours: Hours::Any, answered_open: None };

fn judged(run: crate::model::Run) -> Judged {
    Judged::of(&run).unwrap()
}

/// A pass of `billing`, answered by a person after so long.
fn answered(seconds: f64) -> Judged {
    Judged { human: true, clocks: Clocks { answered: Some(seconds), ..Clocks::default() }, ..judged(sample::passed()) }
}

fn period(runs: &[(Judged, Asked)]) -> Period {
    let mut period = Period::new(sample::at(-86_400), sample::at(3_600));
    for (run, asked) in runs {
        period.count(run, *asked);
    }
    let probes = ["billing", "returns", "shipping"].map(sample::probe);
    period.close(incidents(&probes, runs.iter().map(|r| r.0.clone())));
    period
}

#[test]
fn percentiles_are_the_time_within_which_so_many_came() {
    let runs: Vec<_> = (1..=20).rev().map(|n| (answered(f64::from(n)), ANY)).collect();
    let period = period(&runs);
    let times = &period.times[&(("email".to_owned(), "Billing".to_owned()), Span::HumanAnswer, Hours::Any)];
    assert_eq!([50, 95, 100].map(|p| times.percentile(p)), [Some(10.0), Some(19.0), Some(20.0)]);
    assert_eq!(times.count(), 20);
    assert_eq!(Times::default().percentile(50), None);
    assert_eq!(Times(vec![7.0]).percentile(50), Some(7.0));
}

#[test]
fn people_and_machines_open_and_closed_hours_are_told_apart() {
    let open = Asked { hours: Hours::Open, answered_open: Some(60.0) };
    let closed = Asked { hours: Hours::Closed, answered_open: Some(30.0) };
    let period = period(&[(answered(60.0), open), (answered(50_000.0), closed), (judged(sample::passed()), ANY)]);
    let of = |span: Span, hours: Hours| {
        let key = (("email".to_owned(), "Billing".to_owned()), span, hours);
        period.times.get(&key).map(|t| (t.count(), t.percentile(100).unwrap()))
    };
    assert_eq!(of(Span::HumanAnswer, Hours::Open), Some((1, 60.0)));
    assert_eq!(of(Span::HumanAnswer, Hours::Closed), Some((1, 50_000.0)));
    assert_eq!(of(Span::HumanAnswerOpen, Hours::Closed), Some((1, 30.0)));
    assert_eq!(of(Span::HumanAnswer, Hours::Any), None);
    assert_eq!(of(Span::RoundTrip, Hours::Any), Some((1, 7.0)));
}

#[test]
fn a_run_that_could_not_tell_counts_neither_for_nor_against() {
    let verdicts = period(&[(judged(sample::passed()), ANY), (judged(sample::unknown()), ANY)]).verdicts();
    assert_eq!(verdicts, Verdicts { passed: 1, failed: 0, unknown: 1 });
    assert_eq!((verdicts.runs(), verdicts.passed_of_hundred()), (2, Some(100.0)));
    assert_eq!(Verdicts { unknown: 3, ..Verdicts::default() }.passed_of_hundred(), None);
}

#[test]
fn the_time_in_trouble_is_that_within_the_period() {
    let mut early = judged(sample::failed());
    early.started = sample::at(-90_000);
    let period = period(&[(early, ANY)]);
    assert_eq!(period.broken_seconds["returns"], 86_400 + 3_600, "from the begin of the period to its end, not before");
}

#[test]
fn the_markdown_is_the_documented_one() {
    let promise = |kept| Judged { promise: Some(kept), run: crate::model::RunId(format!("r-{kept}")), ..answered(60.0) };
    let runs = [
        (promise(true), ANY),
        (Judged { queue: "a|b".to_owned(), ..promise(false) }, ANY),
        (judged(sample::failed()), ANY),
        (judged(sample::unknown()), ANY),
    ];
    let text = markdown(&period(&runs));
    for part in [
        "# Support reply paths, 2026-11-24 to 2026-11-25 (UTC)\n\n\
         4 scheduled runs of 3 probes between 2026-11-25 08:00 and 2026-11-25 08:01: 2 passed, 1 failed, 1 could not tell. \
         66.66 % of those that could tell passed. Incidents: 1.\n",
        "\n## Reply paths\n\n\
         | probe | runs | passed | failed | unknown | passed of those that could tell | broken for |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n\
         | billing | 2 | 2 | 0 | 0 | 100.00 % | - |\n\
         | returns | 1 | 0 | 1 | 0 | 0.00 % | 1 h |\n\
         | shipping | 1 | 0 | 0 | 1 | - | - |\n",
        "| email | Billing | first answer by a person | any | 1 | 1m00 | 1m00 | 1m00 |\n",
        "| email | a\\|b | first answer by a person | any | 1 | 1m00 | 1m00 | 1m00 |\n",
        "| email | Billing | land | any | 2 | 1.0s | 1.0s | 1.0s |\n",
        "| email | Billing | 1 | 0 | 100.0 % |\n| email | a\\|b | 0 | 1 | 0.0 % |\n",
        "| 2026-11-25 08:00 | it lasts | 1 h | returns by mail | return | the answer landed in the customer's spam folder | \
         the desk or its settings | 1 | support |\n",
    ] {
        assert!(text.contains(part), "{part}\nis missing in\n{text}");
    }
}

#[test]
fn a_period_without_runs_says_that_nothing_is_known() {
    let text = markdown(&period(&[]));
    assert!(text.ends_with("No scheduled run ended in this time, so nothing is known of it.\n"), "{text}");
    assert_eq!(csv(&period(&[]), Table::Probes), "probe,runs,passed,failed,unknown,broken_seconds\r\n");
}

#[test]
fn csv_is_quoted_as_its_standard_says_and_holds_no_formula() {
    let odd = Judged { queue: "a,\"b\"\r\nc".to_owned(), ..answered(1.5) };
    let formula = Judged { queue: "=1+1".to_owned(), ..answered(2.0) };
    let text = csv(&period(&[(odd, ANY), (formula, ANY)]), Table::Times);
    assert!(text.contains("email,\"a,\"\"b\"\"\r\nc\",first answer by a person,any,1,1.500,1.500,1.500\r\n"), "{text}");
    assert!(text.contains("\r\nemail,'=1+1,first answer by a person,any,1,2.000,2.000,2.000\r\n"), "{text}");
    let incidents = csv(&period(&[(judged(sample::failed()), ANY)]), Table::Incidents);
    let columns = |line: &str| line.matches(',').count();
    let lines: Vec<&str> = incidents.lines().collect();
    assert_eq!((lines.len(), columns(lines[0])), (2, columns(lines[1])));
    assert!(lines[1].starts_with("r-failed,fail,2026-11-25T08:00:00Z,,3600,rt-email,email,return,return-in-spam,"), "{}", lines[1]);
}
