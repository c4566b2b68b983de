//! Variants: messages that have something which a plain one has not, and answers after a move, below a quote, from a machine.

use super::*;

fn with(change: impl FnOnce(&mut EmailChannel, &mut FollowUp)) -> Probe {
    let mut probe = probe();
    let Channel::Email(email) = &mut probe.channel else { unreachable!("the probe writes by mail") };
    change(email, &mut probe.follow_up);
    probe
}

fn passed(run: &Run) {
    assert_eq!(diagnosis(run), (Verdict::Pass, None, vec![]), "{:#?} {:#?}", run.diagnosis, run.stages);
}

#[tokio::test]
async fn an_empty_subject_and_an_empty_text_are_sent_empty_and_found() {
    let cases: [(&str, &str); 3] = [("", "Hello, where is my parcel?"), ("Where is my parcel?", ""), ("", "")];
    for (subject, text) in cases {
        let trial = Trial::new().await;
        let run = trial.run(&with(|email, _| (email.subject, email.text) = (subject.into(), text.into()))).await;
        passed(&run);
        let first = trial.world.state.lock().unwrap().submitted[0].clone();
        let token = &run.messages[0].token;
        assert_eq!(first.subject.is_empty(), subject.is_empty(), "{first:?}");
        assert_eq!(token.is_in(&first.subject), text.is_empty() && !subject.is_empty(), "{first:?}");
        assert_eq!(first.text.is_empty(), text.is_empty() && !subject.is_empty(), "{first:?}");
        assert!(token.is_in(&first.subject) || token.is_in(&first.text), "{first:?}");
    }
}

#[tokio::test]
async fn a_step_of_the_size_ladder_has_a_file_of_that_size() {
    let trial = Trial::new().await;
    passed(&trial.run(&with(|email, _| email.padding = 300_000)).await);
    let first = trial.world.state.lock().unwrap().submitted[0].clone();
    assert_eq!(first.attachments.iter().map(|a| a.bytes.len()).collect::<Vec<_>>(), [300_000]);
}

#[tokio::test]
async fn every_encoding_of_the_matrix_passes_a_desk_that_reads_it() {
    for encoding in [MailEncoding::Latin1, MailEncoding::Mislabelled, MailEncoding::FileName] {
        let trial = Trial::new().await;
        passed(&trial.run(&with(|email, _| email.encoding = encoding)).await);
        let first = trial.world.state.lock().unwrap().submitted[0].clone();
        assert_eq!(first.encoding, encoding);
        assert_eq!(first.attachments.iter().any(|a| !a.name.is_ascii()), encoding == MailEncoding::FileName);
        // A text of plain letters alone would test nothing.
        let trial = Trial::new().await;
        trial.run(&with(|email, _| (email.encoding, email.text) = (encoding, "Hello ${token}".into()))).await;
        let first = trial.world.state.lock().unwrap().submitted[0].clone();
        assert_eq!(first.text.is_ascii(), encoding == MailEncoding::FileName, "{first:?}");
    }
}

#[tokio::test]
async fn an_answer_after_a_move_finds_its_ticket_or_the_split_is_named() {
    for splits in [false, true] {
        let trial = Trial::new().await;
        trial.world.weather(|w| w.moved_splits = splits);
        let run = trial.run(&with(|_, follow_up| follow_up.after_move = Some("Returns".into()))).await;
        assert_eq!(trial.world.state.lock().unwrap().moves, 1);
        if splits {
            let (verdict, stage, causes) = diagnosis(&run);
            assert_eq!((verdict, stage, causes.first()), (Verdict::Fail, Some(Stage::FollowUp), Some(&"moved-ticket-splits")));
        } else {
            passed(&run);
        }
    }
}

#[tokio::test]
async fn a_ticket_is_moved_once_whatever_dies() {
    let probe = with(|_, follow_up| follow_up.after_move = Some("Returns".into()));
    for before in [true, false] {
        // Acts: 1 send, 2 reply, 3 move.
        let trial = Trial::new().await;
        let run = trial.run_with_death(&probe, before, 3).await;
        assert_eq!(trial.world.state.lock().unwrap().moves, usize::from(!before), "{:#?}", run.diagnosis);
        assert!(run.diagnosis.is_some());
    }
}

#[tokio::test]
async fn answers_stand_above_below_and_between_and_a_desk_that_cuts_there_is_named() {
    for quote in [QuoteStyle::Top, QuoteStyle::Bottom, QuoteStyle::Inline, QuoteStyle::None] {
        for cuts in [false, true] {
            let trial = Trial::new().await;
            trial.world.weather(|w| w.cuts_quotes = cuts);
            let run = trial.run(&with(|_, follow_up| follow_up.quote = quote)).await;
            if cuts && matches!(quote, QuoteStyle::Bottom | QuoteStyle::Inline) {
                let (verdict, stage, causes) = diagnosis(&run);
                assert_eq!(
                    (verdict, stage, causes.first()),
                    (Verdict::Fail, Some(Stage::FollowUp), Some(&"answer-quoted-out")),
                    "{quote:?}"
                );
            } else {
                passed(&run);
            }
        }
    }
}

#[tokio::test]
async fn a_holiday_notice_must_change_no_state_whether_the_desk_keeps_it_or_not() {
    type Change = fn(&mut world::Weather);
    let cases: [(Change, bool); 3] = [(|_| (), true), (|w| w.drops_automatic = true, true), (|w| w.notice_closes = true, false)];
    for (change, right) in cases {
        let trial = Trial::new().await;
        trial.world.weather(change);
        let run = trial.run(&with(|_, follow_up| follow_up.automatic = true)).await;
        let notice = trial.world.state.lock().unwrap().submitted[1].clone();
        assert!(notice.automatic && notice.subject.starts_with("Automatic reply: "), "{notice:?}");
        if right {
            passed(&run);
        } else {
            assert_eq!(diagnosis(&run), (Verdict::Fail, Some(Stage::FollowUp), vec!["ooo-closes-ticket"]));
        }
    }
}
