//! Requests through a web form.

use crate::{Trial, diagnosis, probe as mail_probe};
use replypath::model::*;
use std::time::Duration;

pub fn probe() -> Probe {
    let mut probe = mail_probe();
    probe.channel = Channel::Form(FormChannel {
        page: Some("https://desk.test/contact".into()),
        by: FormBy::Page,
        subject: "Where is my parcel? (${token})".into(),
        text: "Hello,\nwhere is my parcel? Grüße\n\nReference: ${token}".into(),
        fields: Vec::new(),
        attachments: Vec::new(),
        attachments_in: None,
        form: None,
        submit: None,
        thanks: None,
        number: None,
        dwell: Duration::ZERO,
    });
    probe
}

#[tokio::test]
async fn a_healthy_form_passes_every_stage_and_nothing_is_left() {
    let trial = Trial::new().await;
    let run = trial.run(&probe()).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    for stage in Stage::ALL {
        assert_eq!(run.stages.get(&stage).and_then(|r| r.outcome), Some(Outcome::Pass), "{stage}");
    }
    let state = trial.world.state.lock().unwrap();
    assert_eq!((state.web.submitted, state.submitted.len(), state.replies.len(), state.closes), (1, 1, 1, 1));
    assert!(state.inbox.is_empty() && state.tickets.len() == 1 && state.tickets.iter().all(|t| t.closed));
}
