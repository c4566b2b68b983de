//! Requests by live chat.

use crate::web::quick;
use crate::{Trial, diagnosis, probe as mail_probe};
use replypath::model::*;

pub fn probe() -> Probe {
    let mut probe = mail_probe();
    probe.channel = Channel::Chat(Box::new(ChatChannel {
        page: None,
        by: ChatBy::Desk,
        text: "Where is my parcel? ${token}".into(),
        attachments: Vec::new(),
        prechat: [("email".to_owned(), "${address}".to_owned())].into(),
        hand_over: None,
        bot_turns: 2,
        when_offline: WhenOffline::Fail,
        answer: AnswerBy::Chat,
        visitor: Visitor::Fresh,
        reload: true,
        pushed: true,
    }));
    quick(&mut probe);
    probe
}

#[tokio::test]
async fn a_healthy_chat_passes_every_stage_and_nothing_is_left() {
    let trial = Trial::new().await;
    let run = trial.run(&probe()).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    for stage in Stage::ALL {
        assert_eq!(run.stages.get(&stage).and_then(|r| r.outcome), Some(Outcome::Pass), "{stage}");
    }
    let state = trial.world.state.lock().unwrap();
    let web = state.web;
    assert_eq!((web.begun, web.said, web.left, web.reloads, state.replies.len(), state.closes), (1, 1, 1, 1, 1, 0), "{web:?}");
    assert!(state.submitted.is_empty() && state.tickets.len() == 1);
}
