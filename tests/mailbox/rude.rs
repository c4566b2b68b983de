//! Servers that promise too much, say too little, never end, or do things their own way.

use super::*;
use replypath::model::Token;
use std::io::{BufRead, BufReader};
use std::sync::Mutex;

const SILENT: &str = "(silent)";

/// A server that answers by the beginning of the command, the first that fits; `TAG` stands for the tag.
fn scripted(greeting: &'static str, replies: &'static [(&'static str, &'static str)]) -> (u16, Arc<Mutex<Vec<String>>>) {
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let theirs = Arc::clone(&log);
    let port = raw(move |mut s| {
        let log = Arc::clone(&theirs);
        std::thread::spawn(move || {
            let lines = BufReader::new(s.try_clone().unwrap()).lines();
            let _ = write!(s, "{greeting}\r\n");
            for line in lines.map_while(Result::ok) {
                let (tag, command) = line.split_once(' ').unwrap_or(("", &line));
                log.lock().unwrap().push(command.to_owned());
                let reply = replies.iter().find(|(start, _)| command.starts_with(start)).map_or("TAG BAD what", |r| r.1);
                if reply != SILENT && write!(s, "{}\r\n", reply.replace("TAG", tag)).is_err() {
                    return;
                }
            }
        });
    });
    (port, log)
}

fn entered(server: &Server, how: Idle) -> impl Future<Output = ()> {
    *server.state.idle.lock().unwrap() = how;
    let (entered, idling) = std::sync::mpsc::channel();
    *server.state.on_idle.lock().unwrap() = Some(Box::new(move |_| entered.send(()).map_or(0, |()| 1)));
    async move { tokio::task::spawn_blocking(move || idling.recv_timeout(PATIENCE).unwrap()).await.unwrap() }
}

#[tokio::test]
async fn a_mail_announced_with_four_gigabytes_costs_the_connection_and_not_the_memory() {
    let server = Server::start();
    let mut w = open(server.port);
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, later(), true);
    server.state.bomb.store(true, Ordering::SeqCst);
    server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter("whole"));
    let text = w.remark("reconnected").await;
    assert!(text.contains("announces 4294967295 bytes"), "{text}");
    assert_eq!(w.mail().await.subject, "whole");
    assert_eq!(server.state.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_idle_that_is_never_answered_is_given_up_for_polling() {
    let server = Server::start();
    *server.state.idle.lock().unwrap() = Idle::Mute;
    let mut w = open_with(account(settings(server.port, TlsMode::None, "right")), impatient(), Arc::new(SystemClock));
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, later(), false);
    let text = w.remark("idle-dead").await;
    assert!(text.contains("does not answer"), "{text}");
    server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter("polled"));
    assert_eq!(w.mail().await.subject, "polled");
    let idles = server.state.log.lock().unwrap().iter().filter(|l| *l == "IDLE").count();
    assert_eq!((idles, server.state.connections.load(Ordering::SeqCst)), (2, 3));
}

#[tokio::test]
async fn a_server_that_chatters_instead_of_taking_idle_holds_nobody_up() {
    let server = Server::start();
    let idling = entered(&server, Idle::Chatter);
    let limits = Limits { answer: Duration::from_secs(20), ..impatient() };
    let mut w = open_with(account(settings(server.port, TlsMode::None, "right")), limits, Arc::new(SystemClock));
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, later(), false);
    idling.await;
    *server.state.idle.lock().unwrap() = Idle::Proper;
    w.boxes.check_now("alice").await.unwrap();
    assert!(w.remark("reconnected").await.contains("did not answer in time"));
}

#[tokio::test]
async fn goodbyes_are_repeated_to_people_and_mail_is_found_after_them_though_all_was_renumbered() {
    let (port, _) = scripted("* BYE zu viele Verbindungen, später", &[]);
    let w = open(port);
    let trouble = w.boxes.doctor("alice").await.unwrap_err();
    assert!(trouble.message.contains("does not take connections now") && trouble.message.contains("zu viele"), "{}", trouble.message);

    let server = Server::start();
    *server.state.idle.lock().unwrap() = Idle::Bye;
    // While the server is down it gets a new disk.
    *server.state.on_idle.lock().unwrap() = Some(Box::new(|s| {
        let mut fresh = Folder::new(8);
        fresh.add(Timestamp::now() - SignedDuration::from_hours(5), &letter("long ago"));
        let uid = fresh.add(Timestamp::now(), &letter("the answer"));
        *s.inbox.lock().unwrap() = fresh;
        *s.idle.lock().unwrap() = Idle::Proper;
        uid
    }));
    let mut w = open(server.port);
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, later(), false);
    let mut seen = (String::new(), String::new(), String::new());
    while seen.2.is_empty() {
        match w.event().await {
            MailEvent::Remark { kind: "reconnected", text, .. } => seen.0 = text,
            MailEvent::Remark { kind: "uidvalidity-changed", text, .. } => seen.1 = text,
            MailEvent::Arrived { mail, .. } => seen.2 = mail.subject,
            _ => {}
        }
    }
    assert!(seen.0.contains("going down") && seen.1.contains("7 -> 8") && seen.2 == "the answer", "{seen:?}");
    assert!(w.checked().await.is_empty());
}

#[tokio::test]
async fn a_goodbye_before_the_answer_to_a_command_is_named() {
    const REPLIES: &[(&str, &str)] =
        &[("CAPABILITY", "* CAPABILITY IMAP4rev1\r\nTAG OK done"), ("LOGIN", "TAG OK in"), ("SELECT", "* BYE [UNAVAILABLE] disk broken")];
    let (port, _) = scripted("* OK hello", REPLIES);
    let w = open_with(account(settings(port, TlsMode::None, "right")), impatient(), Arc::new(SystemClock));
    let trouble = w.boxes.doctor("alice").await.unwrap_err();
    assert_eq!(trouble.fault, "mailbox-unavailable");
    assert!(w.boxes.position("alice").await.is_err());
}

#[tokio::test]
async fn what_the_server_can_do_is_asked_again_after_the_login() {
    let server = Server::start();
    server.state.late_capability.store(true, Ordering::SeqCst);
    let w = open(server.port);
    let lines = w.boxes.doctor("alice").await.unwrap();
    assert!(lines.iter().any(|l| l.contains("(IDLE)")) && lines.iter().any(|l| l.contains("UIDPLUS")), "{lines:?}");
}

#[tokio::test]
async fn a_server_that_knows_only_sasl_login_gets_name_and_password_in_turn() {
    const REPLIES: &[(&str, &str)] = &[
        ("CAPABILITY", "* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=LOGIN\r\nTAG OK done"),
        ("AUTHENTICATE LOGIN", "+ VXNlcm5hbWU6"),
        ("YWxpY2U=", "+ UGFzc3dvcmQ6"),
        ("w6llaW4=", "a2 NO [AUTHENTICATIONFAILED] no"),
    ];
    let (port, log) = scripted("* OK hello", REPLIES);
    let w = open_with(account(settings(port, TlsMode::None, "éein")), Limits::default(), Arc::new(SystemClock));
    let trouble = w.boxes.doctor("alice").await.unwrap_err();
    assert_eq!(trouble.fault, "mailbox-login-refused", "{}", trouble.message);
    assert!(trouble.message.contains("AUTHENTICATE LOGIN") && !trouble.message.contains("éein"), "{}", trouble.message);
    assert_eq!(*log.lock().unwrap(), ["CAPABILITY", "AUTHENTICATE LOGIN", "YWxpY2U=", "w6llaW4="]);
}

#[tokio::test]
async fn a_server_that_takes_no_password_in_the_open_gets_none() {
    const REPLIES: &[(&str, &str)] = &[("CAPABILITY", "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\nTAG OK done")];
    let (port, log) = scripted("* OK hello", REPLIES);
    let trouble = open(port).boxes.doctor("alice").await.unwrap_err();
    assert!(trouble.message.contains("LOGINDISABLED"), "{}", trouble.message);
    assert_eq!(*log.lock().unwrap(), ["CAPABILITY"]);
}

#[tokio::test]
async fn a_full_mailbox_that_refuses_the_login_is_named_full_and_a_busy_server_busy() {
    const FULL: &[(&str, &str)] = &[("CAPABILITY", "* CAPABILITY IMAP4rev1\r\nTAG OK done"), ("LOGIN", "TAG NO [OVERQUOTA] mailbox full")];
    const BUSY: &[(&str, &str)] = &[("CAPABILITY", "* CAPABILITY IMAP4rev1\r\nTAG OK done"), ("LOGIN", "TAG NO [UNAVAILABLE] für jetzt")];
    for (replies, class, fault) in [(FULL, ResultClass::Denied, "mailbox-full"), (BUSY, ResultClass::Unavailable, "mailbox-unavailable")] {
        let (port, _) = scripted("* OK hello", replies);
        let trouble = open(port).boxes.doctor("alice").await.unwrap_err();
        assert_eq!((trouble.class, trouble.fault), (class, fault), "{}", trouble.message);
    }
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_more_after_a_reload_and_not_by_asking() {
    let server = Server::start();
    let wrong = account(settings(server.port, TlsMode::None, "hunter2"));
    let w = open_with(wrong.clone(), Limits::default(), Arc::new(SystemClock));
    for tries in 1..=3 {
        for _ in 0..20 {
            let trouble = w.boxes.check_now("alice").await.unwrap_err();
            assert_eq!(trouble.fault, "mailbox-login-refused");
        }
        assert_eq!(server.state.connections.load(Ordering::SeqCst), tries);
        w.boxes.reload(BTreeMap::from([("alice".to_owned(), wrong.clone())]));
    }
}

#[tokio::test]
async fn odd_folder_names_are_opened_as_the_server_spells_them_and_other_peoples_are_not() {
    let server = Server::start();
    let listed = "* LIST () \"/\" inbox\r\n* LIST () \"/\" \"Courrier ind&AOk-sirable\"\r\n* LIST () \"/\" \"A \\\"b\\\" \\\\c\"\r\n\
                  * LIST () \"/\" {6}\r\nK\u{f6}(1)\r\n* LIST () \"/\" \"Shared/Spam\"\r\n* LIST (\\Noselect) \"/\" gone\r\n";
    *server.state.list.lock().unwrap() = (listed.to_owned(), "Courrier ind&AOk-sirable".to_owned());
    *server.state.namespace.lock().unwrap() = Some("((\"\" \"/\")) NIL ((\"Shared/\" \"/\"))");
    let w = open(server.port);
    let since = w.boxes.position("alice").await.unwrap();
    server.state.junk.lock().unwrap().add(Timestamp::now(), &letter("wanted"));
    let found = w.boxes.search_everywhere("alice", since, &[], &["wanted@desk.test".to_owned()]).await.unwrap();
    let places: Vec<(&str, bool)> = found.iter().map(|m| (m.key.folder.as_str(), m.in_junk)).collect();
    assert_eq!(places, [("Courrier ind&AOk-sirable", true)]);
    let log = server.state.log.lock().unwrap().clone();
    let opened: Vec<&str> = log.iter().filter_map(|l| l.strip_prefix("EXAMINE ")).collect();
    // Before them comes the look into junk.
    assert_eq!(opened[opened.len() - 4..], ["\"INBOX\"", "\"Courrier ind&AOk-sirable\"", "\"A \\\"b\\\" \\\\c\"", "\"K\u{f6}(1)\""]);
}

/// Bytes that the server tells while one mail comes in and is read beside `foreign` older mails.
async fn told(foreign: usize) -> usize {
    let server = Server::start();
    for n in 0..foreign {
        server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter(&format!("foreign{n}")));
        server.state.junk.lock().unwrap().add(Timestamp::now() - SignedDuration::from_hours(100), &letter(&format!("rubbish{n}")));
    }
    let mut w = open(server.port);
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, later(), false);
    server.state.inbox.lock().unwrap().add(Timestamp::now(), &letter("ours"));
    assert_eq!(w.mail().await.subject, "ours");
    assert!(w.checked().await.is_empty());
    let found = w.boxes.search_everywhere("alice", from, &[], &["ours@desk.test".to_owned()]).await.unwrap();
    assert_eq!(found.len(), 1);
    server.state.told.load(Ordering::SeqCst)
}

#[tokio::test]
async fn five_thousand_foreign_mails_cost_no_more_than_five() {
    let (few, many) = (told(5).await, told(5_000).await);
    // Looks differ by a few in number; one costs at most the line of the last mail.
    assert!(many < few + 5_000, "{few} {many}");
}

#[tokio::test]
async fn a_large_mail_of_ours_is_read_whole_and_a_strangers_is_not() {
    let server = Server::start();
    let mut w = open(server.port);
    let token = w.tokens.token("run", "reply");
    let from = w.boxes.position("alice").await.unwrap();
    w.boxes.watch("alice", from, later(), true);
    let with_file = |words: &str| {
        let file = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2\r\n".repeat(40_000);
        format!(
            "From: b@desk.test\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n{words}\r\n--a\r\n\
             Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n{file}--a--\r\n"
        )
    };
    let ours = with_file(&format!("here it is, {token}"));
    server.state.inbox.lock().unwrap().add(Timestamp::now(), &ours);
    let mail = w.mail().await;
    assert_eq!((mail.size, mail.attachments[0].size, mail.new_tokens), (ours.len() as u64, Some(1_920_000), vec![token]));
    assert!(mail.sha256.len() == 64 && mail.attachments[0].sha256.is_some());
    let told = server.state.told.load(Ordering::SeqCst);
    server.state.inbox.lock().unwrap().add(Timestamp::now(), &with_file("hello"));
    let mail = w.mail().await;
    // The hash of a part would be another file's.
    assert_eq!((mail.sha256.as_str(), mail.attachments[0].size, &mail.attachments[0].sha256), ("", None, &None));
    assert!(server.state.told.load(Ordering::SeqCst) - told < 600_000);
}

#[tokio::test]
async fn a_search_among_more_mails_than_it_reads_finds_the_oldest_by_its_words() {
    let server = Server::start();
    let mut w = open(server.port);
    let token = w.tokens.token("run", "send");
    // Junk is reported meanwhile too; somebody has to take it.
    tokio::spawn(async move { while w.events.recv().await.is_some() {} });
    let since = w.boxes.position("alice").await.unwrap();
    let letters = std::iter::once(letter(&format!("Re: parcel {token}"))).chain((0..700).map(|n| letter(&format!("rubbish{n}"))));
    for mail in letters {
        server.state.junk.lock().unwrap().add(Timestamp::now(), &mail);
    }
    let none: Vec<Token> = w.boxes.search_everywhere("alice", since, &[], &[]).await.unwrap().into_iter().flat_map(|m| m.tokens).collect();
    assert!(none.is_empty());
    let found = w.boxes.search_everywhere("alice", since, std::slice::from_ref(&token), &[]).await.unwrap();
    assert_eq!(found.iter().map(|m| m.key.uid).collect::<Vec<_>>(), [1]);
}
