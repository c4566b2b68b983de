//! Events as JSON, one object a line, as they come: `started`, `stage`, `finished`, `late`.

use crate::engine::ports::RunEvent;
use crate::model::{Run, RunReport, Stage};
use jiff::Timestamp;
use serde_json::{Value, json};

/// One line, without its line feed.
pub fn line(event: &RunEvent, at: Timestamp) -> String {
    let value = match event {
        RunEvent::Started(run) => with(head("started", run, at), json!({ "until": run.until.map(Stage::as_str) })),
        RunEvent::Stage(run, stage) => with(head("stage", run, at), stage_of(run, *stage)),
        RunEvent::Finished(run) => with(head("finished", run, at), json!({ "report": RunReport::of(run) })),
        RunEvent::Late(run) => with(head("late", run, at), json!({ "report": RunReport::of(run) })),
    };
    value.to_string()
}

fn head(event: &str, run: &Run, at: Timestamp) -> Value {
    json!({
        "event": event,
        "at": at.to_string(),
        "run": run.id.as_str(),
        "probe": run.probe.name,
        "trigger": run.trigger.as_str(),
    })
}

fn with(mut head: Value, more: Value) -> Value {
    if let (Some(head), Value::Object(more)) = (head.as_object_mut(), more) {
        head.extend(more);
    }
    head
}

fn stage_of(run: &Run, stage: Stage) -> Value {
    let report = RunReport::of(run).stages.into_iter().find(|s| s.stage == stage.as_str());
    match report {
        Some(s) => json!({ "stage": s.stage, "outcome": s.outcome, "duration_seconds": s.duration_seconds, "checks": s.checks }),
        None => json!({ "stage": stage.as_str() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_event_is_one_line_that_names_run_and_probe() {
        let run = Box::new(sample::failed());
        let at = sample::at(99);
        for event in [RunEvent::Started(run.clone()), RunEvent::Stage(run.clone(), Stage::Return), RunEvent::Finished(run)] {
            let text = line(&event, at);
            assert!(!text.contains('\n'));
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["probe"], "returns");
            assert_eq!(value["at"], "2026-11-25T08:01:39Z");
        }
    }

    #[test]
    fn a_stage_event_says_how_the_stage_ended() {
        let text = line(&RunEvent::Stage(Box::new(sample::failed()), Stage::Return), sample::at(1));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["stage"], &value["outcome"]), (&json!("return"), &json!("fail")));
        assert_eq!(value["checks"][0]["found"], "in Junk after 3 s");
    }
}
