//! The JSON API against its own description.

use crate::kit::World;
use replypath::model::Verdict;
use serde_json::Value;

/// What a value breaks of its schema, as far as the description uses the language: types, properties, required, items, refs.
fn broken(value: &Value, schema: &Value, all: &Value, path: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.strip_prefix("#/components/schemas/")) {
        assert!(all[name].is_object(), "{path}: no schema {name}");
        return broken(value, &all[name], all, path);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return if any.iter().any(|s| broken(value, s, all, path).is_empty()) { vec![] } else { vec![format!("{path}: none of anyOf")] };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = |t: &Value| t == kind || (t == "number" && kind == "integer");
    let allowed = match &schema["type"] {
        Value::Array(types) => types.iter().any(fits),
        Value::Null => true,
        one => fits(one),
    };
    if !allowed {
        return vec![format!("{path}: {kind} is not {}", schema["type"])];
    }
    let mut wrong = Vec::new();
    if let Some(map) = value.as_object() {
        let missing = schema["required"].as_array().into_iter().flatten().filter(|k| !map.contains_key(k.as_str().unwrap()));
        wrong.extend(missing.map(|k| format!("{path}: {k} is missing")));
        for (key, inner) in map {
            let of = if schema["properties"][key].is_null() { &schema["additionalProperties"] } else { &schema["properties"][key] };
            match of {
                Value::Null => wrong.push(format!("{path}.{key}: not described")),
                of => wrong.extend(broken(inner, of, all, &format!("{path}.{key}"))),
            }
        }
    }
    wrong.extend(value.as_array().into_iter().flatten().flat_map(|item| broken(item, &schema["items"], all, &format!("{path}[]"))));
    wrong
}

#[tokio::test]
async fn every_answer_is_as_described() {
    let world = World::with_token(&["billing", "sales"], true).await;
    world.run("rgood", "billing", Verdict::Pass, 0).await;
    world.run("rbad", "billing", Verdict::Fail, 900).await;
    world.due("sales", 60, 6_000, false);
    world.go_to(1_000);
    let description: Value = serde_json::from_str(&world.page("/api/v1/openapi.json").await).unwrap();
    assert_eq!(description["openapi"], "3.1.0");
    let schemas = &description["components"]["schemas"];
    let cases = [
        ("/api/v1/status", "/api/v1/status", 200),
        ("/api/v1/incidents", "/api/v1/incidents", 200),
        ("/api/v1/incidents", "/api/v1/incidents?since=2026-11-25T08:00:00Z", 200),
        ("/api/v1/incidents", "/api/v1/incidents?since=today", 400),
        ("/api/v1/incidents", "/api/v1/incidents?from=2026-11-25T08:00:00Z", 400),
        ("/api/v1/probes", "/api/v1/probes", 200),
        ("/api/v1/probes/{probe}", "/api/v1/probes/billing", 200),
        ("/api/v1/probes/{probe}", "/api/v1/probes/sales", 200),
        ("/api/v1/probes/{probe}", "/api/v1/probes/none", 404),
        ("/api/v1/runs", "/api/v1/runs?probe=billing&not_passed=true&since=2026-11-25T08:00:00Z&limit=5", 200),
        ("/api/v1/runs", "/api/v1/runs?limit=0", 400),
        ("/api/v1/runs", "/api/v1/runs?prope=billing", 400),
        ("/api/v1/runs", "/api/v1/runs?limit=many", 400),
        ("/api/v1/runs", "/api/v1/runs?since=yesterday", 400),
        ("/api/v1/runs/{run}", "/api/v1/runs/rbad", 200),
        ("/api/v1/runs/{run}", "/api/v1/runs/none", 404),
    ];
    for (described, path, code) in cases {
        for answer in [world.get(path).await, world.as_operator(path).await] {
            assert_eq!(answer.status(), code, "{path}");
            assert_eq!(answer.headers()["content-type"], "application/json", "{path}");
            let schema = &description["paths"][described]["get"]["responses"][code.to_string()]["content"]["application/json"]["schema"];
            assert!(schema.is_object(), "{path}: {code} is not described");
            let body: Value = answer.json().await.unwrap();
            assert_eq!(broken(&body, schema, schemas, path), [] as [String; 0], "{body:#}");
        }
    }
    let status: Value = world.get("/api/v1/status").await.json().await.unwrap();
    assert_eq!((&status["state"], &status["counts"]["broken"], &status["counts"]["never"]), (&"broken".into(), &1.into(), &1.into()));
    let incident = &status["incidents"][0];
    assert_eq!(
        (&incident["stage"], &incident["fault"], &incident["runs"][0]),
        (&"return".into(), &"return-in-spam".into(), &"rbad".into())
    );
    let listed: Value = world.get("/api/v1/incidents").await.json().await.unwrap();
    assert_eq!(&listed["incidents"][0], incident, "the same from the store as from memory");
    let runs: Value = world.get("/api/v1/runs?probe=billing&not_passed=true").await.json().await.unwrap();
    assert_eq!((runs["runs"].as_array().unwrap().len(), &runs["runs"][0]["run"]), (1, &"rbad".into()));
    // The check sees what it looks for.
    let schema = &schemas["StatusReport"];
    let mut less = status.clone();
    less.as_object_mut().unwrap().remove("sentence");
    less["probes"] = "two".into();
    less["more"] = 1.into();
    assert_eq!(broken(&less, schema, schemas, "").len(), 3);
}

#[tokio::test]
async fn an_address_or_method_that_is_not_there_is_told_apart() {
    let world = World::new(&["billing"]).await;
    assert_eq!(world.get("/api/v1/nothing").await.status(), 404);
    assert_eq!(world.client.delete(world.url("/api/v1/status")).send().await.unwrap().status(), 405);
    assert_eq!(world.get("/badge/nobody.svg").await.status(), 404);
    assert_eq!(world.get("/badge/billing.gif").await.status(), 404);
    assert_eq!(world.get("/assets/secret").await.status(), 404);
}
