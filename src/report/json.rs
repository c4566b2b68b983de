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
        let runs = vec![sample::report(&sample::failed()), sample::report(&sample::passed()), sample::report(&sample::chatted())];
        let text = super::render(&runs).unwrap();
        let back: crate::model::Report = serde_json::from_str(&text).unwrap();
        assert_eq!(back.schema, 1);
        assert_eq!(back.runs, runs);
    }

    #[test]
    fn every_key_of_the_document_stands_in_the_schema() {
        fn known(value: &serde_json::Value, schema: &serde_json::Value, path: &str) {
            // What may be missing is `anyOf` it and null.
            let schema = schema["anyOf"].as_array().and_then(|a| a.first()).unwrap_or(schema);
            match value {
                serde_json::Value::Object(keys) if schema["properties"].is_object() => {
                    for (key, value) in keys {
                        assert!(schema["properties"][key].is_object(), "{path}.{key}");
                        known(value, &schema["properties"][key], &format!("{path}.{key}"));
                    }
                }
                serde_json::Value::Array(items) => items.iter().for_each(|item| known(item, &schema["items"], path)),
                _ => {}
            }
        }
        let text = super::render(&[sample::report(&sample::failed()), sample::report(&sample::chatted())]).unwrap();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["runs"][1]["conversation"]["lines"][2]["speaker"], "bot");
        known(&document, &super::schema(), "");
    }
}
