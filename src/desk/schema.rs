//! The JSON schema of a desk file, for editors. `desk check` knows more: paths, templates, names of steps.

use serde_json::{Map, Value, json};

/// What an operation of a desk file does.
const OPERATIONS: [(&str, &str); 10] = [
    ("read", "Reads the ticket whose id was found; `[record]` maps it."),
    ("messages", "Reads the messages of a ticket; `[message]` maps each."),
    ("history", "Reads what happened to a ticket; `[history.entry]` maps each entry."),
    ("reply", "Writes the agent's answer, public and sent to the customer."),
    ("note", "Writes an internal note."),
    ("close", "Closes a ticket. Guarded: only with the run's token and address."),
    ("delete", "Deletes a ticket. Guarded: only with the run's token and address."),
    ("move", "Moves a ticket to `${queue}`."),
    ("mark", "Puts `${tag}` on a ticket."),
    ("health", "Asks whether the API answers and knows us; for `doctor` and `replypath_desk_up`."),
];

/// The schema (draft 7, which TOML editors read) of `desks/NAME.toml`.
pub fn schema() -> Value {
    let mut tables = Map::new();
    tables.insert("desk".to_owned(), head());
    tables.insert("params".to_owned(), json!({ "type": "object", "description": "What a desk of replypath.toml sets: addresses, keys, names.", "additionalProperties": param() }));
    tables.insert("auth".to_owned(), json!({ "type": "object", "description": "Ways to sign in, by a name of your choice; the first whose `when` is set is taken.", "additionalProperties": auth() }));
    tables.insert("outcome".to_owned(), outcome());
    tables.insert("find".to_owned(), find());
    for (name, about) in OPERATIONS {
        tables.insert(name.to_owned(), operation(name, about));
    }
    tables
        .insert("record".to_owned(), mapping("The ticket's fields: `\"step:path\"`, or a table with `from` and `map`.", &["id"], &RECORD));
    tables.insert(
        "message".to_owned(),
        mapping("The fields of one message: `\"path\"`, or a table with `from` and `map`.", &["id"], &MESSAGE),
    );
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "desks/NAME.toml",
        "description": "A support desk: how to find, read, answer and close its tickets over HTTP and JSON.",
        "type": "object",
        "additionalProperties": false,
        "required": ["desk", "find"],
        "properties": tables,
    })
}

const RECORD: [&str; 12] =
    ["id", "number", "subject", "queue", "status", "requester", "priority", "tags", "channel", "created", "hold_cause", "fields"];

const MESSAGE: [&str; 11] = ["id", "public", "author", "text", "html", "body", "kind", "at", "message_id", "delivery", "files"];

fn text(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

fn flag(about: &str) -> Value {
    json!({ "type": "boolean", "default": false, "description": about })
}

fn texts(about: &str) -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "description": about })
}

fn table(about: &str, required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "description": about, "additionalProperties": false, "required": required, "properties": properties })
}

fn head() -> Value {
    table(
        "What the definition is and where its API lies.",
        &["format", "id", "base", "hosts"],
        json!({
            "format": { "type": "integer", "enum": [1], "description": "The format of this file." },
            "id": { "type": "string", "pattern": "^[a-z0-9_-]+$", "description": "The file's name." },
            "title": text("Its name for people."),
            "base": text("The API's address; paths of steps go below it: `${url}/api/v1`."),
            "hosts": texts("The only hosts to which credentials may go: a name, or `host(${url})`."),
            "versions": texts("Versions of the product on which it was tried."),
            "note": text("A remark for people."),
            "unproven": flag("True while nobody has tried it on the real product."),
        }),
    )
}

fn param() -> Value {
    table(
        "One setting.",
        &[],
        json!({
            "kind": { "type": "string", "enum": ["text", "int", "bool", "url"], "default": "text", "description": "Its type." },
            "doc": text("What it is, for people."),
            "required": flag("Must be set."),
            "secret": flag("Never shown; may come from the environment or a file."),
            "default": { "description": "Its value when none is set." },
            "pattern": text("A regular expression that the value must match."),
        }),
    )
}

fn auth() -> Value {
    table(
        "One way to sign in.",
        &["kind"],
        json!({
            "kind": { "type": "string", "enum": ["none", "basic", "header", "query", "bearer"], "description": "How." },
            "when": text("Only when this param is set."),
            "user": text("For `basic`."),
            "password": text("For `basic`."),
            "name": text("The header's or the query key's name, for `header` and `query`."),
            "value": text("The header's or the query key's value, for `header` and `query`."),
            "token": text("For `bearer`."),
        }),
    )
}

fn outcome() -> Value {
    let rule = |about: &str| {
        let properties = json!({ "status": {}, "when": text("A condition on the answer."), "wait": text("How long to wait when the desk does not say.") });
        table(about, &[], properties)
    };
    table(
        "How answers are understood, where the HTTP status does not say it.",
        &[],
        json!({
            "unauthorised": rule("The credentials are wrong."),
            "throttled": rule("We ask too often."),
            "denied": rule("We may not."),
            "gone": rule("It is not there."),
            "unavailable": rule("The desk is in trouble."),
            "message": text("Where the answer says what is wrong: a path."),
            "check": text("What must hold in every answer."),
            "fail": { "type": "object", "description": "Failures that the body names." },
        }),
    )
}

fn find() -> Value {
    let view = json!({ "type": "string", "enum": ["normal", "suspended", "spam", "closed", "deleted"], "default": "normal", "description": "Where it looks." });
    let properties = json!({
        "id": text("Its name in evidence."),
        "view": view,
        "lag": text("How fresh the search is: `none`, `async`, or a duration."),
        "includes": texts("Views that this search covers too."),
        "step": steps(),
    });
    json!({ "type": "array", "description": "One search a view, by `${token}`.", "items": table("A search.", &["step"], properties) })
}

fn operation(name: &str, about: &str) -> Value {
    let mut properties = json!({ "step": steps() });
    match name {
        "history" => properties["entry"] = mapping("The fields of one entry.", &[], &["at", "who", "kind", "field", "old", "new"]),
        "reply" => {
            properties["message_id"] = json!({ "description": "Where the answer's own Message-ID stands: `\"step:path\"`, or several." })
        }
        "health" => properties["say"] = json!({ "description": "Lines for `doctor`." }),
        _ => {}
    }
    table(about, &["step"], properties)
}

fn mapping(about: &str, required: &[&str], keys: &[&str]) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), json!({}))).collect();
    table(about, required, Value::Object(properties))
}

/// Steps are left open: `desk check` judges them with their names and places.
fn steps() -> Value {
    let mut properties = Map::new();
    for method in ["get", "post", "put", "patch", "delete"] {
        properties.insert(method.to_owned(), text("A path below `base`."));
        properties.insert(format!("{method}_url"), text("A whole URL, on one of `hosts`."));
    }
    for (key, about) in [
        ("id", "Its name, by which later steps use its answer: `name:path`."),
        ("query", "Query values; they are encoded."),
        ("headers", "Further headers."),
        ("body", "`json`, `form` or `multipart`."),
        ("status", "Statuses that are a success; 200 to 299 otherwise."),
        ("rows", "Where the list stands in the answer: a path."),
        ("match", "Which fields of a row are the ticket's."),
        ("page", "How the next page is found."),
        ("when", "Only then."),
        ("unless", "Not then."),
        ("check", "What must hold in the answer."),
        ("verify", "What must be read back after it."),
    ] {
        properties.insert(key.to_owned(), json!({ "description": about }));
    }
    json!({ "type": "array", "items": { "type": "object", "description": "One call.", "properties": properties } })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key of `value` is one that the schema allows at its place.
    fn fits(value: &toml::Value, schema: &Value, place: &str) {
        if let Some(words) = schema["enum"].as_array() {
            let found = serde_json::to_value(value).unwrap();
            assert!(words.contains(&found), "{place}: {found}");
        }
        match value {
            toml::Value::Table(keys) => {
                for required in schema["required"].as_array().into_iter().flatten() {
                    assert!(keys.contains_key(required.as_str().unwrap()), "{place}: {required} is missing");
                }
                for (key, inner) in keys {
                    let place = format!("{place}.{key}");
                    match (&schema["properties"][key], &schema["additionalProperties"]) {
                        (Value::Null, Value::Bool(false)) => panic!("{place} is not in the schema"),
                        (Value::Null, any) => fits(inner, any, &place),
                        (known, _) => fits(inner, known, &place),
                    }
                }
            }
            toml::Value::Array(items) => items.iter().for_each(|item| fits(item, &schema["items"], place)),
            _ => {}
        }
    }

    #[test]
    fn the_built_in_definitions_fit_the_schema() {
        let schema = schema();
        for (id, text) in crate::desk::built_in() {
            let file: toml::Table = text.parse().unwrap();
            fits(&toml::Value::Table(file), &schema, id);
        }
    }

    #[test]
    fn every_key_of_the_schema_is_one_that_the_checker_knows() {
        let schema = schema();
        let head = "[desk]\nformat = 1\nid = \"x\"\nbase = \"https://a.example\"\nhosts = [\"a.example\"]\n";
        let known = |table: &str, key: &str| {
            let own = if table == "desk" { String::new() } else { format!("[{table}]\n") };
            let text = format!("{head}{own}{key} = \"x\"\n");
            match crate::desk::Definition::parse("x", &text) {
                Ok(_) => true,
                Err(problems) => !problems.iter().any(|p| p.message.contains("has no key")),
            }
        };
        assert!(!known("desk", "surely_not") && !known("close", "surely_not"), "the test can fail");
        for (table, inner) in schema["properties"].as_object().unwrap() {
            if let Some(keys) = inner["properties"].as_object() {
                for key in keys.keys() {
                    assert!(known(table, key), "[{table}] {key}");
                }
            }
        }
    }
}
