//! The JSON document of `--report json`.

use crate::model::{Report, RunReport};

/// The document, indented, with a final line feed.
///
/// # Errors
/// Only when a number in the evidence cannot be written as JSON.
pub fn render(runs: &[RunReport]) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(&Report { schema: 1, runs: runs.to_vec() })?;
    text.push('\n');
    Ok(text)
}

/// The JSON schema of the document.
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Report>().to_value();
    if let Some(map) = schema.as_object_mut() {
        map.insert("title".to_owned(), "replypath report".into());
    }
    schema
}

#[cfg(test)]
mod tests {
    use crate::report::sample;

    #[test]
    fn the_document_reads_back_as_what_it_was_made_from() {
        let runs = vec![sample::report(&sample::failed()), sample::report(&sample::passed())];
        let text = super::render(&runs).unwrap();
        let back: crate::model::Report = serde_json::from_str(&text).unwrap();
        assert_eq!(back.schema, 1);
        assert_eq!(back.runs, runs);
    }

    #[test]
    fn every_key_of_the_document_stands_in_the_schema() {
        let text = super::render(&[sample::report(&sample::failed())]).unwrap();
        let run = &serde_json::from_str::<serde_json::Value>(&text).unwrap()["runs"][0];
        let schema = super::schema();
        let known = schema["properties"]["runs"]["items"]["properties"].as_object().unwrap();
        for key in run.as_object().unwrap().keys() {
            assert!(known.contains_key(key), "{key}");
        }
    }
}
