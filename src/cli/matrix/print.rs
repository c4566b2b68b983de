//! The sheet as people and programs read it.

use super::score::Sheet;
use clap::ValueEnum;

/// A form of the sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Figures and misses.
    Human,
    /// One JSON document.
    Json,
    /// Tables.
    Markdown,
}

/// The sheet as text.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn sheet(sheet: &Sheet, form: Form) -> Result<String, String> {
    match form {
        Form::Json => serde_json::to_string_pretty(sheet).map(|t| t + "\n").map_err(|e| e.to_string()),
        Form::Markdown => Ok(markdown(sheet)),
        Form::Human => Ok(human(sheet)),
    }
}

fn human(sheet: &Sheet) -> String {
    let mut text = figures(sheet);
    for miss in &sheet.misses {
        text.push_str(&format!("{}\n", miss.line()));
    }
    for miss in &sheet.replayed {
        text.push_str(&format!("played again with few beside it, at first: {}\n", miss.line()));
    }
    text
}

fn figures(sheet: &Sheet) -> String {
    format!(
        "seed {}, {} rows: {} detected or prevented, {} stage right, {} cause listed, {} cause first, {} causes a list; {} variations and {} healthy runs: {} false alarms\n",
        sheet.seed,
        sheet.rows,
        sheet.detected,
        sheet.stage_right,
        sheet.cause_listed,
        sheet.cause_first,
        sheet.mean_candidates,
        sheet.harmless,
        sheet.healthy_runs,
        sheet.false_alarms
    )
}

fn markdown(sheet: &Sheet) -> String {
    let mut text = figures(sheet);
    text.push_str("\n| fault | probe | verdict | stage | causes | limits taken | |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    for line in &sheet.table {
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} |\n",
            line.fault,
            line.probe,
            line.verdict.map_or("", |v| v.as_str()),
            line.stage.map_or("", |s| s.as_str()),
            line.candidates.join(", "),
            line.limits_taken.map_or_else(String::new, |l| l.to_string()),
            line.wrong.join("; ").replace('|', "\\|")
        ));
    }
    for miss in &sheet.replayed {
        text.push_str(&format!("\nPlayed again with few beside it, at first: {}\n", miss.line()));
    }
    text.push_str("\n| expected | named instead | times |\n| --- | --- | --- |\n");
    for (expected, named, times) in &sheet.confusion {
        text.push_str(&format!("| {expected} | {named} | {times} |\n"));
    }
    for (fault, why) in &sheet.excluded {
        text.push_str(&format!("\nNot drawn: {fault}: {why}\n"));
    }
    for miss in &sheet.alarms {
        text.push_str(&format!("\nFalse alarm: {}\n", miss.line()));
    }
    text
}
