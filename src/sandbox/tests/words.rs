//! Nothing that judges may lean on what this desk says: its words are drawn, and none of them stands in the judging sources.

use super::super::style::Style;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Shorter pieces are words of a language, not the wording of this desk.
const SHORTEST: usize = 15;

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs" || e == "toml") {
            into.push(path);
        }
    }
}

/// All drawn strings of many seeds: whatever stands in quotes in their debug form.
fn drawn() -> BTreeSet<String> {
    let mut strings = BTreeSet::new();
    for seed in 0..400 {
        let worded = [
            format!("{:?}", Style::draw(seed)),
            format!("{:?}", super::super::web::Web::new(seed)),
            format!("{:?}", super::super::chat::Chat::new(seed, true)),
        ];
        for text in worded {
            strings.extend(text.split('"').skip(1).step_by(2).filter(|s| s.chars().count() >= SHORTEST).map(str::to_lowercase));
        }
    }
    strings
}

#[test]
fn no_word_of_this_desk_stands_where_verdicts_are_made() {
    let strings = drawn();
    assert!(strings.len() > 60, "{} strings", strings.len());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for folder in ["diagnosis", "engine", "check"] {
        sources(&root.join(folder), &mut files);
    }
    assert!(files.len() > 10);
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap().to_lowercase();
        found.extend(strings.iter().filter(|s| text.contains(s.as_str())).map(|s| format!("{}: {s}", file.display())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn many_seeds_speak_at_least_three_languages_and_turn_their_headers() {
    let drawn: Vec<Style> = (0..60).map(Style::draw).collect();
    assert!(drawn.iter().map(|s| s.tongue.subject).collect::<BTreeSet<_>>().len() >= 3);
    assert!(drawn.iter().map(|s| s.header_turn).collect::<BTreeSet<_>>().len() >= 4);
    assert!(drawn.iter().any(|s| s.tagged_replies) && drawn.iter().any(|s| s.suspends_automated));
}
