//! A recording of the sandbox, from its form to the closing, and its replay; what the definition says of itself stays.

use replypath::config::{DeskSettings, DeskSource, ParamValue};
use replypath::desk::transcript::{Subject, Transcript, record, replay};
use replypath::desk::{Definition, built_in};
use replypath::model::{Budget, FieldBy, Fill, FormBy, FormChannel, FormField};
use replypath::sandbox::{Options, Sandbox, start};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

fn text() -> &'static str {
    built_in().iter().find(|(id, _)| *id == "sandbox").unwrap().1
}

fn settings(sandbox: &Sandbox) -> DeskSettings {
    DeskSettings {
        name: "sandbox".to_owned(),
        definition: "sandbox".to_owned(),
        source: DeskSource { origin: "built-in:sandbox".to_owned(), text: text().to_owned() },
        params: BTreeMap::from([
            ("url".to_owned(), ParamValue::Plain(toml::Value::String(sandbox.web.clone()))),
            ("key".to_owned(), ParamValue::Secret(SecretString::from(sandbox.api_key.clone()))),
        ]),
        budget: Budget::default(),
        ca: None,
        timeout: Duration::from_secs(20),
    }
}

fn form(queue: &str) -> FormChannel {
    FormChannel {
        page: Some("http://shop.example/contact".to_owned()),
        by: FormBy::Recipe("form".to_owned()),
        subject: "Parcel rprecordingtest01".to_owned(),
        text: "Where is it? rprecordingtest01".to_owned(),
        fields: vec![FormField { by: FieldBy::Type("select".to_owned()), fill: Fill::Choose(queue.to_owned()) }],
        attachments: Vec::new(),
        attachments_in: None,
        form: None,
        submit: None,
        thanks: None,
        number: None,
        dwell: Duration::ZERO,
    }
}

async fn recorded(sandbox: &Sandbox) -> Vec<Transcript> {
    let subject = Subject {
        token: "rprecordingtest01".to_owned(),
        subject: "Parcel rprecordingtest01".to_owned(),
        address: sandbox.accounts[0].address.clone(),
        name: "Alice".to_owned(),
        since: jiff::Timestamp::now(),
    };
    let definition = Arc::new(Definition::parse("built-in:sandbox", text()).unwrap());
    let form = form(&sandbox.queues[0].name);
    let recorded = record(definition, &settings(sandbox), &subject, Some(&form), true).await.unwrap();
    assert_eq!(recorded.remarks, [""; 0]);
    recorded.transcripts
}

async fn differing(transcripts: &[Transcript], text: &str) -> Vec<String> {
    let definition = Arc::new(Definition::parse("sandbox.toml", text).unwrap());
    let mut out = Vec::new();
    for transcript in transcripts {
        let found = replay(&definition, transcript).await.unwrap();
        out.extend(found.into_iter().flat_map(|d| d.lines).map(|l| format!("{}: {l}", transcript.operation.name())));
    }
    out
}

#[tokio::test]
async fn the_sandbox_is_recorded_from_its_form_to_the_closing_and_replayed_without_it() {
    let sandbox = start(Options { speed: 20.0, ..Options::default() }).await.unwrap();
    let transcripts = recorded(&sandbox).await;
    let names: Vec<String> = transcripts.iter().map(|t| t.operation.name()).collect();
    let views = ["find-normal", "find-suspended", "find-spam", "find-deleted"];
    let expected = [&["health", "create"][..], &views, &["read", "messages", "history", "reply", "messages", "close"]].concat();
    assert_eq!(names, expected);
    let all = serde_json::to_string(&transcripts).unwrap();
    for hidden in [sandbox.api_key.as_str(), &sandbox.accounts[0].address, sandbox.web.trim_start_matches("http://")] {
        assert!(!all.contains(hidden), "{hidden}");
    }
    let ticket = sandbox.tickets().into_iter().find(|t| t.subject.contains("rprecordingtest01")).unwrap();
    assert_eq!(transcripts[1].result["number"], ticket.number(), "{}", transcripts[1].result);
    assert_eq!(transcripts[6].result["ticket"]["queue"], sandbox.queues[0].name);
    assert_eq!(transcripts[10].result["messages"].as_array().unwrap().last().unwrap()["author"], "agent");
    drop(sandbox);
    assert_eq!(differing(&transcripts, text()).await, [""; 0]);
    let changed = text().replacen("queue      = \"t:ticket.queue\"", "queue      = \"t:ticket.channel\"", 1);
    let found = differing(&transcripts, &changed).await;
    assert!(found[0].starts_with("read: ticket.queue: recorded "), "{found:?}");
    let unproven = text().replacen("versions = [\"1\"]", "unproven = true", 1);
    assert_eq!(differing(&transcripts, &unproven).await, [""; 0]);
    assert!(Definition::parse("sandbox.toml", &unproven).unwrap().unproven(), "a replay proves nothing");
}
