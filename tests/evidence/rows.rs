//! `tests/matrix/real.toml`: the rows of the fault matrix that real parts produce, and the test of each.

use crate::{path, recorded_rows};
use serde::Deserialize;
use std::collections::BTreeSet;

/// So many of the 84 faults must be produced on real parts.
const LEAST: usize = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Real {
    row: Vec<Listed>,
    harmless: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    fault: String,
    parts: Vec<String>,
    file: String,
    test: String,
}

/// What `tests/matrix/expected.toml` wants of a row.
#[derive(Deserialize)]
pub struct Row {
    /// Its id.
    pub fault: String,
    /// The right verdicts.
    pub verdict: toml::Value,
    /// The earliest stage that broke.
    pub stage: Option<String>,
    /// The accepted causes.
    #[serde(default)]
    pub causes: Vec<String>,
    /// Whose side.
    pub blame: Option<String>,
    /// The run is as without the fault, and its notes name the row.
    #[serde(default)]
    pub prevented: bool,
}

#[derive(Deserialize)]
struct Expected {
    row: Vec<Row>,
    harmless: Vec<Row>,
}

fn toml_file<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let text = std::fs::read_to_string(path(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    toml::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The rows of the fault matrix: faults, and variations that must not alarm.
pub fn expected() -> (Vec<Row>, Vec<Row>) {
    let expected: Expected = toml_file("tests/matrix/expected.toml");
    (expected.row, expected.harmless)
}

#[test]
fn at_least_twenty_rows_are_produced_on_real_parts_each_by_a_test_that_is_there() {
    let real: Real = toml_file("tests/matrix/real.toml");
    let (faults, harmless) = expected();
    let ids = |rows: &[Row]| rows.iter().map(|r| r.fault.clone()).collect::<BTreeSet<_>>();
    let listed = |rows: &[Listed]| rows.iter().map(|r| r.fault.clone()).collect::<BTreeSet<_>>();
    assert!(listed(&real.row).is_subset(&ids(&faults)), "a row that the matrix does not have");
    assert!(listed(&real.harmless).is_subset(&ids(&harmless)), "a variation that the matrix does not have");
    assert_eq!(listed(&real.row).len(), real.row.len(), "a row is listed twice");
    assert!(real.row.len() >= LEAST, "{} rows", real.row.len());
    let known = ["Postfix", "Dovecot", "Request Tracker", "django-helpdesk", "Synapse"];
    for row in real.row.iter().chain(&real.harmless) {
        let source = std::fs::read_to_string(path(&row.file)).unwrap_or_else(|e| panic!("{}: {e}", row.file));
        let is_there = source.contains(&format!("fn {}()", row.test)) || source.contains(&format!("    {}: ", row.test));
        assert!(is_there, "{}: no test {} in {}", row.fault, row.test, row.file);
        assert!(source.contains(&format!("\"{}\"", row.fault)), "{}: its test does not name it", row.fault);
        assert!(!row.parts.is_empty() && row.parts.iter().all(|p| known.contains(&p.as_str())), "{}: {:?}", row.fault, row.parts);
    }
    let all: BTreeSet<String> = listed(&real.row).union(&listed(&real.harmless)).cloned().collect();
    assert_eq!(recorded_rows(), all.into_iter().collect::<Vec<_>>(), "recorded evidence and list differ");
}
