//! Support desks as data: TOML definitions, their checker, and the interpreter that speaks HTTP and JSON for them.
//!
//! A definition is third-party input that handles secrets, so it holds no code: paths are a JMESPath subset,
//! templates have filters but no conditions, and requests go only to the hosts that it lists.

mod call;
mod definition;
mod files;
mod filter;
mod flow;
mod http;
mod live;
mod mapping;
mod matching;
mod outcome;
mod parse;
mod path;
mod reader;
mod recipe;
mod reference;
mod scope;
mod secrets;
mod set;
mod settings;
mod shape;
mod template;

pub use definition::{Definition, Param, ParamKind};
pub use live::HttpDesk;
pub use reference::reference;
pub use set::DeskSet;
pub use shape::schema;

/// The definitions that come with the program: id and text.
pub fn built_in() -> &'static [(&'static str, &'static str)] {
    &[("sandbox", include_str!("definitions/sandbox.toml")), ("rt", include_str!("definitions/rt.toml"))]
}

#[cfg(test)]
mod check_tests;
#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_definition_passes_its_own_check() {
        for (id, text) in built_in() {
            let definition = Definition::parse(&format!("built-in:{id}"), text).unwrap_or_else(|problems| {
                let lines: Vec<String> =
                    problems.iter().map(|p| format!("{:?} {} ({:?})", p.span.clone().map(|s| &text[s]), p.message, p.help)).collect();
                panic!("{id}:\n{}", lines.join("\n"));
            });
            assert_eq!(definition.id, *id);
            assert!(!definition.unproven());
        }
    }

    #[test]
    fn the_example_of_the_reference_is_a_definition_without_problems() {
        let found = Definition::parse("mydesk.toml", reference::EXAMPLE);
        assert!(found.is_ok(), "{:?}", found.err().map(|p| p.iter().map(|p| p.message.clone()).collect::<Vec<_>>()));
    }

    #[test]
    fn the_reference_names_every_key_with_its_meaning() {
        let text = reference();
        for shape in shape::ROOT.reached() {
            assert!(text.contains(&format!("## {}\n", shape.heading)), "no section {}", shape.heading);
            for key in shape.keys {
                assert!(!key.doc.is_empty() && text.contains(&format!("| `{}` |", key.name)), "`{}` of {}", key.name, shape.heading);
            }
        }
    }

    /// What the schema does not allow, by its path.
    fn unknown(value: &serde_json::Value, schema: &serde_json::Value, root: &serde_json::Value, path: &str, out: &mut Vec<String>) {
        let reference = schema["$ref"].as_str().or(schema["allOf"][0]["$ref"].as_str());
        let schema = reference.map_or(schema, |r| &root["definitions"][r.trim_start_matches("#/definitions/")]);
        if let Some(ways) = schema["anyOf"].as_array() {
            // One of the ways must know everything.
            let tries = ways.iter().map(|way| {
                let mut found = Vec::new();
                unknown(value, way, root, path, &mut found);
                found
            });
            out.extend(tries.min_by_key(Vec::len).unwrap_or_default());
            return;
        }
        match value {
            serde_json::Value::Object(table) if schema["type"] == "object" => {
                for (name, inner) in table {
                    let known =
                        if schema["properties"][name].is_object() { &schema["properties"][name] } else { &schema["additionalProperties"] };
                    if known.is_object() {
                        unknown(inner, known, root, &format!("{path}.{name}"), out);
                    } else {
                        out.push(format!("{path}.{name}"));
                    }
                }
            }
            serde_json::Value::Array(list) if schema["type"] == "array" => {
                list.iter().for_each(|inner| unknown(inner, &schema["items"], root, &format!("{path}[]"), out));
            }
            serde_json::Value::Object(_) | serde_json::Value::Array(_) if schema["type"].is_string() => out.push(path.to_owned()),
            _ => {}
        }
    }

    #[test]
    fn the_schema_knows_every_key_of_the_definitions_and_no_misspelt_one() {
        let schema = schema();
        for (id, text) in built_in() {
            let value = serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap();
            let mut found = Vec::new();
            unknown(&value, &schema, &schema, id, &mut found);
            assert_eq!(found, Vec::<String>::new());
        }
        let value =
            serde_json::to_value(toml::from_str::<toml::Table>("[desk]\nidd = 'x'\n[[find]]\n[[find.step]]\ngett = '/'\n").unwrap())
                .unwrap();
        let mut found = Vec::new();
        unknown(&value, &schema, &schema, "x", &mut found);
        assert_eq!(found, ["x.desk.idd", "x.find[].step[].gett"]);
    }
}
