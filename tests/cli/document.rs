//! A reader of the published JSON schemas that is not the program's own.

use serde_json::Value;

fn items(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

/// Panics unless `value` is what `schema` describes; knows the words that our schemas use and refuses others.
pub fn assert_valid(value: &Value, schema: &Value) {
    valid(value, schema, schema, "$");
}

fn valid(value: &Value, schema: &Value, root: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').expect("a reference inside the document");
        valid(value, root.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere")), root, at);
    }
    for (word, rule) in schema.as_object().into_iter().flatten() {
        match word.as_str() {
            "$schema" | "$defs" | "$ref" | "title" | "description" | "format" | "default" => {}
            "type" => {
                let allowed: Vec<&str> =
                    rule.as_str().map_or_else(|| items(rule).iter().filter_map(Value::as_str).collect(), |one| vec![one]);
                assert!(allowed.iter().any(|name| is(value, name)), "{at}: {value} is none of {allowed:?}");
            }
            "minimum" => assert!(value.as_f64() >= rule.as_f64(), "{at}: {value} is too small"),
            "maximum" => assert!(value.as_f64() <= rule.as_f64(), "{at}: {value} is too large"),
            // Of what may be null too, this asks nothing unless it is there.
            "required" if value.is_null() => {}
            "required" => {
                items(rule).iter().filter_map(Value::as_str).for_each(|key| assert!(value.get(key).is_some(), "{at}: {key} is missing"))
            }
            "properties" => {
                for (key, inner) in value.as_object().into_iter().flatten() {
                    let known = rule.get(key).unwrap_or_else(|| panic!("{at}: the schema does not know `{key}`"));
                    valid(inner, known, root, &format!("{at}.{key}"));
                }
            }
            "items" => items(value).iter().enumerate().for_each(|(n, inner)| valid(inner, rule, root, &format!("{at}[{n}]"))),
            "additionalProperties" => {
                if rule.is_object() {
                    value.as_object().into_iter().flatten().for_each(|(key, inner)| valid(inner, rule, root, &format!("{at}.{key}")));
                }
            }
            "anyOf" => {
                // Ours are a thing or null: what is not null must be the thing.
                let one = items(rule).iter().find(|inner| (inner["type"] == "null") == value.is_null());
                valid(value, one.unwrap_or_else(|| panic!("{at}: {value} is none of {rule}")), root, at);
            }
            other => panic!("{at}: the schema uses `{other}`, which this reader does not know"),
        }
    }
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no such type: {other}"),
    }
}
