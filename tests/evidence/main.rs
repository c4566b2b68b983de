//! The diagnosis held against evidence: what was recorded on real parts (tests/golden/evidence, by tests/real), and runs
//! whose evidence is missing, late, contradictory or malformed.

mod anything;
mod missing;
mod recorded;
mod rows;

use replypath::model::Run;
use std::path::{Path, PathBuf};

/// A path of the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The recorded evidence of a row as text.
fn text(row: &str) -> String {
    let file = path(&format!("tests/golden/evidence/{row}.json"));
    std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// The rows of which evidence is recorded, sorted.
fn recorded_rows() -> Vec<String> {
    let folder = std::fs::read_dir(path("tests/golden/evidence")).expect("the recorded evidence");
    let names = folder.map(|e| e.expect("an entry").file_name().into_string().expect("a name"));
    let mut rows: Vec<String> = names.map(|n| n.strip_suffix(".json").expect("JSON only").to_owned()).collect();
    rows.sort();
    rows
}

/// The recorded run of a row.
fn run(row: &str) -> Run {
    serde_json::from_str(&text(row)).unwrap_or_else(|e| panic!("{row}: {e}"))
}
