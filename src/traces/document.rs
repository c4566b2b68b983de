//! A finished run as an OpenTelemetry trace: the run is its root span, each stage that began is a span below it.
//!
//! The form is that of OTLP in JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"): ids are hexadecimal, times are
//! nanoseconds since 1970 as text, enumerations are numbers.

use crate::model::{Blame, Outcome, Run, Stage, StageRecord, Verdict};
use jiff::Timestamp;
use serde_json::{Value, json};

/// `SPAN_KIND_INTERNAL`.
const INTERNAL: u32 = 1;
/// `STATUS_CODE_OK` and `STATUS_CODE_ERROR`; what could not be told has neither.
const OK: u32 = 1;
const ERROR: u32 = 2;

/// The body of a request to `/v1/traces`. None while the run has no verdict.
pub fn request(run: &Run, service: &str) -> Option<Value> {
    let root = root(run)?;
    let stages = run.stages.iter().filter_map(|(stage, record)| span(run, *stage, record));
    let spans: Vec<Value> = std::iter::once(root).chain(stages).collect();
    let resource = attributes([("service.name", service.into()), ("service.version", env!("CARGO_PKG_VERSION").into())]);
    Some(json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{ "scope": { "name": "replypath", "version": env!("CARGO_PKG_VERSION") }, "spans": spans }],
    }]}))
}

fn root(run: &Run) -> Option<Value> {
    let (diagnosis, finished) = run.diagnosis.as_ref().zip(run.finished)?;
    let probe = &run.probe;
    let status = match diagnosis.verdict {
        Verdict::Pass => json!({ "code": OK }),
        Verdict::Fail => json!({ "code": ERROR, "message": diagnosis.summary }),
        Verdict::Unknown => json!({}),
    };
    let known = attributes([
        ("replypath.run", run.id.as_str().into()),
        ("replypath.probe", probe.name.as_str().into()),
        ("replypath.desk", probe.desk.as_deref().unwrap_or_default().into()),
        ("replypath.channel", probe.channel_name().into()),
        ("replypath.gateway", probe.gateway.as_str().into()),
        ("replypath.trigger", run.trigger.as_str().into()),
        ("replypath.verdict", diagnosis.verdict.as_str().into()),
        ("replypath.stage", diagnosis.stage.map(Stage::as_str).unwrap_or_default().into()),
        ("replypath.fault", diagnosis.fault.as_deref().unwrap_or_default().into()),
        ("replypath.blame", diagnosis.blame.map(Blame::as_str).unwrap_or_default().into()),
        ("replypath.summary", diagnosis.summary.as_str().into()),
    ]);
    Some(json!({
        "traceId": trace(run),
        "spanId": id(run, "run"),
        "name": format!("run {}", probe.name),
        "kind": INTERNAL,
        "startTimeUnixNano": nanos(run.started),
        "endTimeUnixNano": nanos(finished),
        "attributes": known,
        "status": status,
    }))
}

/// None for a stage that never began.
fn span(run: &Run, stage: Stage, record: &StageRecord) -> Option<Value> {
    let (opened, outcome) = (record.opened?, record.outcome?);
    // A stage that was given up with the run ends with it.
    let closed = record.closed.or(run.finished)?.max(opened);
    let failed = record.checks.iter().find(|c| c.outcome == Outcome::Fail);
    let words = failed.map(|c| format!("{}: expected {}, found {}", c.check, c.expected, c.found)).unwrap_or_default();
    let status = match outcome {
        Outcome::Pass => json!({ "code": OK }),
        Outcome::Fail => json!({ "code": ERROR, "message": words }),
        Outcome::Unknown | Outcome::Skipped | Outcome::NotReached => json!({}),
    };
    Some(json!({
        "traceId": trace(run),
        "spanId": id(run, stage.as_str()),
        "parentSpanId": id(run, "run"),
        "name": stage.as_str(),
        "kind": INTERNAL,
        "startTimeUnixNano": nanos(opened),
        "endTimeUnixNano": nanos(closed),
        "attributes": attributes([("replypath.outcome", outcome.as_str().into())]),
        "status": status,
    }))
}

/// Attributes with a text, those without one left out.
fn attributes<const N: usize>(pairs: [(&str, String); N]) -> Vec<Value> {
    let given = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    given.map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } })).collect()
}

fn nanos(at: Timestamp) -> String {
    at.as_nanosecond().max(0).to_string()
}

/// Ids are made from the run's: a trace that is sent twice is one.
fn trace(run: &Run) -> String {
    hex(run.id.as_str(), 16)
}

fn id(run: &Run, what: &str) -> String {
    hex(&format!("{}/{what}", run.id), 8)
}

fn hex(text: &str, bytes: usize) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn spans(run: &Run) -> Vec<Value> {
        let request = request(run, "watch").unwrap();
        assert_eq!(request["resourceSpans"][0]["resource"]["attributes"][0]["value"]["stringValue"], "watch");
        request["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
    }

    fn attribute<'a>(span: &'a Value, key: &str) -> Option<&'a str> {
        span["attributes"].as_array().unwrap().iter().find(|a| a["key"] == key)?["value"]["stringValue"].as_str()
    }

    #[test]
    fn a_failed_run_is_a_trace_whose_failed_stage_is_an_error() {
        let spans = spans(&sample::failed());
        let root = &spans[0];
        assert_eq!((&root["name"], &root["status"]["code"], root.get("parentSpanId")), (&"run returns".into(), &2.into(), None));
        assert_eq!((&root["startTimeUnixNano"], &root["endTimeUnixNano"]), (&"1795593600000000000".into(), &"1795593634000000000".into()));
        assert_eq!(attribute(root, "replypath.fault"), Some("return-in-spam"));
        let names: Vec<&str> = spans[1..].iter().map(|s| s["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["send", "accept", "land", "queue", "format", "acknowledge", "reply", "return", "clean_up"]);
        let failed: Vec<&Value> = spans[1..].iter().filter(|s| s["status"]["code"] == 2).collect();
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0]["status"]["message"], "folder: expected INBOX, found in Junk after 3 s");
        assert!(spans.iter().all(|s| s["traceId"] == root["traceId"]));
        assert!(spans[1..].iter().all(|s| s["parentSpanId"] == root["spanId"]));
        let ids: std::collections::BTreeSet<&str> = spans.iter().map(|s| s["spanId"].as_str().unwrap()).collect();
        assert_eq!((ids.len(), ids.first().map(|id| id.len())), (spans.len(), Some(16)));
        assert_eq!(root["traceId"].as_str().unwrap().len(), 32);
    }

    #[test]
    fn what_could_not_be_told_is_no_error_and_what_has_no_verdict_is_no_trace() {
        let spans = spans(&sample::unknown());
        assert!(spans[0]["status"].get("code").is_none() && attribute(&spans[0], "replypath.verdict") == Some("unknown"));
        assert_eq!(attribute(&self::spans(&sample::passed())[0], "replypath.fault"), None);
        assert_eq!(request(&sample::running("r-1", "a"), "watch"), None);
    }
}
