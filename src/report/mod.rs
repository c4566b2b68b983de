//! What a run says, in the forms in which people and programs read it.
//!
//! Every form is made from [`crate::model::RunReport`], so that none can tell another story.

pub mod detail;
pub mod human;
pub mod json;
pub mod junit;
pub mod look;
pub mod ndjson;
pub mod period;
#[cfg(test)]
pub mod sample;
pub mod ways;

use std::path::PathBuf;
use std::str::FromStr;

/// A form of report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON document (`replypath schema report`).
    Json,
    /// One JSON object a line, as things happen.
    Ndjson,
    /// JUnit XML, for pipelines.
    Junit,
}

impl Format {
    /// Every form, with its name on the command line.
    pub const ALL: [(&'static str, Format); 4] =
        [("human", Format::Human), ("json", Format::Json), ("ndjson", Format::Ndjson), ("junit", Format::Junit)];
}

/// `FORMAT` or `FORMAT=FILE` of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The form.
    pub format: Format,
    /// Where to; none: standard output.
    pub file: Option<PathBuf>,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = match text.split_once('=') {
            Some((_, "")) => return Err("a file name is missing after `=`".to_owned()),
            Some((name, file)) => (name, Some(PathBuf::from(file))),
            None => (text, None),
        };
        match Format::ALL.iter().find(|(known, _)| *known == name) {
            Some((_, format)) => Ok(Wanted { format: *format, file }),
            None => Err(format!("no report is called `{name}`; there are human, json, ndjson and junit, each with an optional =FILE")),
        }
    }
}

/// The reports to make: human on standard output when nothing goes there.
///
/// # Errors
/// Says so when two reports would be mixed on standard output.
pub fn plan(mut wanted: Vec<Wanted>, quiet: bool) -> Result<Vec<Wanted>, String> {
    match wanted.iter().filter(|w| w.file.is_none()).count() {
        0 if !quiet => wanted.insert(0, Wanted { format: Format::Human, file: None }),
        0 | 1 => {}
        _ => return Err("only one report can go to standard output; give the others a file: --report json=FILE".to_owned()),
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_form_with_an_optional_file() {
        let json: Wanted = "json=out/a=b.json".parse().unwrap();
        assert_eq!(json, Wanted { format: Format::Json, file: Some("out/a=b.json".into()) });
        assert!("xml".parse::<Wanted>().unwrap_err().contains("human, json, ndjson and junit"));
        assert!("json=".parse::<Wanted>().is_err());
    }

    #[test]
    fn standard_output_holds_one_report_and_people_get_theirs_when_it_is_free() {
        let file = |format| Wanted { format, file: Some("x".into()) };
        let out = |format| Wanted { format, file: None };
        assert_eq!(plan(vec![file(Format::Json)], false).unwrap(), vec![out(Format::Human), file(Format::Json)]);
        assert_eq!(plan(vec![out(Format::Json)], false).unwrap(), vec![out(Format::Json)]);
        assert_eq!(plan(vec![], true).unwrap(), vec![]);
        assert!(plan(vec![out(Format::Json), out(Format::Junit)], false).is_err());
    }
}
