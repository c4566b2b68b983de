//! Looks into a desk's intake mailbox: they tell where our mail lies, change nothing, and say what they could not read.

use super::*;
use replypath::engine::ports::Intakes;
use replypath::mail::intake::ImapIntakes;
use replypath::model::{Intake, IntakePlace, IntakeSight, Token};

const ID: &str = "<wanted@customers.test>";

fn intakes(port: u16, password: &str, desk_login: bool) -> ImapIntakes {
    let mailbox = account(settings(port, TlsMode::None, password)).mailbox;
    let intake = Intake { name: "support".into(), mailbox, desk_login };
    ImapIntakes::with_limits(&BTreeMap::from([("support".to_owned(), intake)]), impatient())
}

async fn look(intakes: &ImapIntakes) -> IntakeSight {
    let (now, token) = (Timestamp::now(), Token("rpwanted".to_owned()));
    intakes.look("support", Some(ID), &token, now - SignedDuration::from_mins(10), now).await
}

fn mail(id: &str, subject: &str) -> String {
    format!("From: alice@customers.test\r\nTo: support@desk.test\r\nSubject: {subject}\r\nMessage-ID: {id}\r\n\r\nHello\r\n")
}

fn place(sight: &IntakeSight) -> (Option<IntakePlace>, &str, u64) {
    assert!(sight.trouble.is_none() && !sight.shared_login_refused, "{sight:?}");
    (sight.place, &sight.folder, sight.unread_before)
}

#[tokio::test]
async fn the_place_of_our_mail_is_told_and_nothing_is_changed() {
    let server = Server::start();
    let intakes = intakes(server.port, "right", true);
    assert_eq!(place(&look(&intakes).await), (Some(IntakePlace::Nowhere), "", 0));
    server.state.junk.lock().unwrap().add(Timestamp::now(), &mail(ID, "question"));
    assert_eq!(place(&look(&intakes).await), (Some(IntakePlace::Junk), "Junk", 0));
    {
        let mut inbox = server.state.inbox.lock().unwrap();
        for subject in ["first", "second", "third"] {
            inbox.add(Timestamp::now(), &mail("<other@customers.test>", subject));
        }
        inbox.mails[1].seen = true;
        inbox.add(Timestamp::now(), &mail(ID, "question"));
        inbox.add(Timestamp::now(), &mail("<later@customers.test>", "later"));
    }
    assert_eq!(place(&look(&intakes).await), (Some(IntakePlace::Unread), "INBOX", 2));
    server.state.inbox.lock().unwrap().mails[3].seen = true;
    assert_eq!(place(&look(&intakes).await), (Some(IntakePlace::Read), "INBOX", 2));
    let log = server.state.log.lock().unwrap().clone();
    assert!(log.iter().any(|l| l.starts_with("EXAMINE ")));
    for changing in ["SELECT", "STORE", "FETCH", "EXPUNGE", "MOVE", "COPY", "APPEND", "CLOSE"] {
        assert!(!log.iter().any(|l| l.contains(changing)), "{changing}: {log:?}");
    }
    assert!(server.state.inbox.lock().unwrap().mails.iter().filter(|m| m.seen).count() == 2);
}

#[tokio::test]
async fn a_mail_with_another_id_is_known_by_its_token_and_an_answer_that_refers_to_ours_is_not_ours() {
    let server = Server::start();
    let intakes = intakes(server.port, "right", false);
    server.state.junk.lock().unwrap().add(Timestamp::now(), &mail("<rewritten@provider.test>", "question (rpwanted)"));
    assert_eq!(place(&look(&intakes).await), (Some(IntakePlace::Junk), "Junk", 0));
    let answer = mail("<answer@desk.test>", "Re: question (rpwanted)").replace("Subject", &format!("In-Reply-To: {ID}\r\nSubject"));
    server.state.inbox.lock().unwrap().add(Timestamp::now(), &answer);
    server.state.junk.lock().unwrap().add(Timestamp::now(), &mail(ID, "question"));
    assert_eq!(place(&look(&intakes).await), (Some(IntakePlace::Junk), "Junk", 0));
}

#[tokio::test]
async fn only_a_refused_login_of_the_desks_own_is_said_to_be_one() {
    let server = Server::start();
    for (password, desk_login, refused) in [("wrong", true, true), ("wrong", false, false)] {
        let sight = look(&intakes(server.port, password, desk_login)).await;
        assert_eq!((sight.place, sight.shared_login_refused), (None, refused));
        assert!(sight.trouble.as_ref().unwrap().contains("refuses the login") && !sight.trouble.unwrap().contains("wrong"));
    }
    // No server, one that says nothing, and one that is busy.
    let silent = raw(std::mem::forget);
    let busy = raw(|mut s| drop(s.write_all(b"* BYE [UNAVAILABLE] later\r\n")));
    for port in [1, silent, busy] {
        let sight = look(&intakes(port, "right", true)).await;
        assert_eq!((sight.place, sight.shared_login_refused), (None, false), "{sight:?}");
        assert!(sight.trouble.is_some());
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_proves_nothing() {
    let server = Server::start();
    server.state.list.lock().unwrap().0.push_str("* LIST () \".\" Locked\r\n");
    server.state.locked.store(true, Ordering::SeqCst);
    let sight = look(&intakes(server.port, "right", true)).await;
    assert_eq!(sight.place, None);
    assert!(sight.trouble.unwrap().contains("Locked"));
}

#[tokio::test]
async fn fifty_who_ask_at_once_share_two_connections_one_after_the_other() {
    let server = Server::start();
    server.state.junk.lock().unwrap().add(Timestamp::now(), &mail(ID, "question"));
    let intakes = intakes(server.port, "right", true);
    let sights = futures_util::future::join_all((0..50).map(|_| look(&intakes))).await;
    assert!(sights.iter().all(|s| place(s).0 == Some(IntakePlace::Junk)));
    assert_eq!(server.state.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn doctor_tells_what_is_there() {
    let server = Server::start();
    server.state.inbox.lock().unwrap().add(Timestamp::now(), &mail(ID, "question"));
    let lines = intakes(server.port, "right", true).doctor("support").await.unwrap();
    assert!(lines.iter().any(|l| l == "INBOX: 1 mails, 1 unread") && lines.iter().any(|l| l == "junk: Junk"), "{lines:?}");
    assert!(!server.state.saw("SELECT"));
    let trouble = intakes(server.port, "wrong", true).doctor("support").await.unwrap_err();
    assert_eq!(trouble.fault, "mailbox-login-refused");
    assert!(intakes(server.port, "right", true).doctor("sales").await.is_err());
}
