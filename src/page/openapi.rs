//! The description of the JSON API (OpenAPI 3.1), made from the types that are served.

use super::api::{ProbeReport, ProbesReport, Problem, RunsReport, StartedReport, StatusReport};
use crate::incident::report::IncidentsReport;
use crate::model::RunReport;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The description, as text: it never changes.
pub static DESCRIPTION: LazyLock<String> = LazyLock::new(|| describe().to_string());

fn describe() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut schemas = settings.into_generator();
    let paths = paths(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": { "title": "replypath", "version": env!("CARGO_PKG_VERSION"), "description":
            "Verdicts of a mystery shopper for support desks. Without a token, evidence and names of people are left out." },
        "servers": [{ "url": "../.." }],
        "security": [{}, { "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "description": "`token` of `[page]` in replypath.toml" } },
            "schemas": Value::Object(schemas.take_definitions(true)),
        },
    })
}

fn answer<T: JsonSchema>(schemas: &mut SchemaGenerator, text: &str) -> Value {
    json!({ "description": text, "content": { "application/json": { "schema": schemas.subschema_for::<T>() } } })
}

/// An operation whose good answer is `T`; `also` are the codes of its problems.
fn operation<T: JsonSchema>(
    schemas: &mut SchemaGenerator,
    id: &str,
    summary: &str,
    good: &str,
    also: &[(&str, &str)],
    parameters: Value,
) -> Value {
    let mut answers = Map::new();
    answers.insert(good.to_owned(), answer::<T>(schemas, "As asked"));
    let refused = [("401", "The token is missing or wrong"), ("500", "The store cannot be read")];
    for (code, text) in also.iter().chain(&refused) {
        answers.insert((*code).to_owned(), answer::<Problem>(schemas, text));
    }
    json!({ "operationId": id, "summary": summary, "parameters": parameters, "responses": answers })
}

fn in_path(name: &str, text: &str) -> Value {
    json!([{ "name": name, "in": "path", "required": true, "description": text, "schema": { "type": "string" } }])
}

fn paths(schemas: &mut SchemaGenerator) -> Value {
    const NO_PROBE: (&str, &str) = ("404", "There is no such probe");
    let query = |name: &str, text: &str, schema: Value| json!({ "name": name, "in": "query", "description": text, "schema": schema });
    let of_runs = json!([
        query("probe", "Only runs of this probe", json!({ "type": "string" })),
        query("not_passed", "Only finished runs that did not pass", json!({ "type": "boolean" })),
        query("since", "Only runs begun at or after, RFC 3339", json!({ "type": "string", "format": "date-time" })),
        query("limit", "At most so many", json!({ "type": "integer", "minimum": 1, "maximum": super::routes::MOST_RUNS, "default": 50 })),
    ]);
    let started = [
        NO_PROBE,
        ("403", "The caller is no operator"),
        ("409", "A run of the probe is under way"),
        ("429", "Too soon after the last start; Retry-After says how long to wait"),
        ("503", "The daemon is starting or ending"),
    ];
    let since = json!([query(
        "since",
        "Incidents that ended before are not listed, RFC 3339; default a week ago",
        json!({ "type": "string", "format": "date-time" })
    )]);
    json!({
        "/api/v1/incidents": {
            "get": operation::<IncidentsReport>(schemas, "incidents", "Incidents that last or ended of late", "200", &[("400", "A parameter is not as described")], since)
        },
        "/api/v1/status": { "get": operation::<StatusReport>(schemas, "status", "The sentence, counts and incidents", "200", &[], json!([])) },
        "/api/v1/probes": { "get": operation::<ProbesReport>(schemas, "probes", "Every probe with its state", "200", &[], json!([])) },
        "/api/v1/probes/{probe}": {
            "get": operation::<ProbeReport>(schemas, "probe", "One probe", "200", &[NO_PROBE], in_path("probe", "Its name"))
        },
        "/api/v1/probes/{probe}/runs": {
            "post": operation::<StartedReport>(schemas, "start", "Starts a run by hand; it changes no verdict", "202", &started, in_path("probe", "Its name"))
        },
        "/api/v1/runs": {
            "get": operation::<RunsReport>(schemas, "runs", "Runs, newest first", "200", &[("400", "A parameter is not as described")], of_runs)
        },
        "/api/v1/runs/{run}": {
            "get": operation::<RunReport>(schemas, "run", "One run, with its evidence for operators", "200", &[("404", "There is no such run")], in_path("run", "Its id"))
        },
    })
}
