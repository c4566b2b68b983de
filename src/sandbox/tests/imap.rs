use super::*;

async fn signed_in(sandbox: &Sandbox) -> Talk {
    let alice = sandbox.accounts[0].clone();
    let mut talk = Talk::to(sandbox.imap).await;
    assert!(talk.line().await.starts_with("* OK [CAPABILITY IMAP4rev1 "));
    let lines = talk.imap(&format!("LOGIN \"{}\" \"{}\"", alice.user, alice.password)).await;
    assert!(lines[0].starts_with("t OK"), "{lines:?}");
    talk
}

fn has(lines: &[String], wanted: &str) -> bool {
    lines.iter().any(|l| l == wanted)
}

/// The line that starts so, anywhere in an answer.
fn line<'l>(lines: &'l [String], start: &str) -> &'l str {
    lines.iter().find(|l| l.starts_with(start)).map_or("", |l| l.as_str())
}

#[tokio::test]
async fn logins_are_taken_in_every_offered_way_and_refused_otherwise() {
    let sandbox = sandbox(40, &[]).await;
    let alice = sandbox.accounts[0].clone();
    let mut talk = Talk::to(sandbox.imap).await;
    talk.line().await;
    assert!(talk.imap("SELECT INBOX").await[0].starts_with("t NO"));
    let refused = talk.imap("LOGIN alice@customers.test wrong").await;
    assert!(refused[0].starts_with("t NO [AUTHENTICATIONFAILED]"), "{refused:?}");
    let coded = base64(&format!("\0{}\0{}", alice.user, alice.password));
    talk.say("t AUTHENTICATE PLAIN").await;
    assert_eq!(talk.line().await, "+ ");
    talk.say(&coded).await;
    assert!(talk.line().await.starts_with("t OK"));
    let mut talk = Talk::to(sandbox.imap).await;
    talk.line().await;
    assert!(talk.imap(&format!("AUTHENTICATE PLAIN {coded}")).await[0].starts_with("t OK"));
    let mut talk = Talk::to(sandbox.imap).await;
    talk.line().await;
    talk.say(&format!("t LOGIN {{{}}}", alice.user.len())).await;
    assert!(talk.line().await.starts_with("+ "));
    talk.say(&format!("{} {{{}+}}\r\n{}", alice.user, alice.password.len(), alice.password)).await;
    assert!(talk.line().await.starts_with("t OK"), "literals of both kinds");
    let support = sandbox.queues[0].clone();
    let mut talk = Talk::to(sandbox.imap).await;
    talk.line().await;
    let intake = talk.imap(&format!("LOGIN {} {}", support.system_address, support.password)).await;
    assert!(intake[0].starts_with("t OK"), "the intake mailbox can be read");
    assert!(line(&talk.imap("LOGOUT").await, "* BYE").starts_with("* BYE"));
}

#[tokio::test]
async fn folders_are_listed_with_their_use_and_selected_with_their_numbers() {
    let sandbox = sandbox(41, &[]).await;
    sandbox.plant_foreign("alice", 3).unwrap();
    let mut talk = signed_in(&sandbox).await;
    let list = talk.imap("LIST \"\" \"*\"").await;
    for folder in [
        "* LIST (\\HasNoChildren) \"/\" \"INBOX\"",
        "* LIST (\\HasNoChildren \\Junk) \"/\" \"Junk\"",
        "* LIST (\\HasNoChildren \\Sent) \"/\" \"Sent\"",
        "* LIST (\\HasNoChildren \\Trash) \"/\" \"Trash\"",
        "* LIST (\\HasNoChildren \\Archive) \"/\" \"Archive\"",
    ] {
        assert!(has(&list, folder), "{folder} in {list:?}");
    }
    let select = talk.imap("SELECT inbox").await;
    assert!(has(&select, "* 3 EXISTS") && has(&select, "* OK [UIDNEXT 4] Predicted next UID"), "{select:?}");
    assert!(line(&select, "* OK [UIDVALIDITY ").len() > 20 && has(&select, "* OK [UNSEEN 1] First unseen."));
    assert!(select.last().unwrap().starts_with("t OK [READ-WRITE]"));
    assert!(talk.imap("EXAMINE Junk").await.last().unwrap().starts_with("t OK [READ-ONLY]"));
    let status = talk.imap("STATUS INBOX (MESSAGES UIDNEXT UNSEEN)").await;
    assert!(has(&status, "* STATUS \"INBOX\" (MESSAGES 3 UIDNEXT 4 UNSEEN 3)"), "{status:?}");
    assert!(talk.imap("CREATE Later").await[0].starts_with("t OK"));
    assert!(talk.imap("CREATE Later").await[0].starts_with("t NO [ALREADYEXISTS]"));
    assert!(talk.imap("SELECT Nowhere").await.last().unwrap().starts_with("t NO"));
}

#[tokio::test]
async fn searches_find_by_every_key_that_a_client_uses() {
    let sandbox = sandbox(42, &[]).await;
    sandbox.plant_foreign("alice", 5).unwrap();
    submit(
        &sandbox,
        "alice@customers.test",
        &mail("alice@customers.test", "x", "=?utf-8?Q?St=C3=B6rung?=", "m42@x", "", "Needle42 inside"),
    )
    .await;
    mail_in(&sandbox, "INBOX", |m| m.text().contains("Needle42")).await;
    let mut talk = signed_in(&sandbox).await;
    talk.imap("SELECT INBOX").await;
    for (keys, found) in [
        ("ALL", "* SEARCH 1 2 3 4 5 6"),
        ("UID 6:*", "* SEARCH 6"),
        ("UID 9:*", "* SEARCH 6"),
        ("UID 1:5 TEXT needle42", "* SEARCH"),
        ("TEXT \"needle42\"", "* SEARCH 6"),
        ("BODY needle42", "* SEARCH 6"),
        ("HEADER Message-ID \"<m42@x>\"", "* SEARCH 6"),
        ("NOT TEXT needle42", "* SEARCH 1 2 3 4 5"),
        ("OR BODY needle42 UID 1", "* SEARCH 1 6"),
        ("OR (BODY needle42 UID 1) (UID 2 ALL)", "* SEARCH 2"),
        ("UNSEEN UNDELETED 2:3", "* SEARCH 2 3"),
        ("SINCE 1-Jan-2020 BEFORE 2-Jan-2020", "* SEARCH"),
        ("SINCE 01-Jan-2020 UID 2", "* SEARCH 2"),
        ("BEFORE 01-Jan-2020", "* SEARCH"),
        ("FROM alice", "* SEARCH 6"),
        ("SEEN", "* SEARCH"),
    ] {
        let lines = talk.imap(&format!("UID SEARCH {keys}")).await;
        assert_eq!(lines[0], found, "{keys}");
    }
    talk.say("t UID SEARCH CHARSET UTF-8 SUBJECT {8}").await;
    assert!(talk.line().await.starts_with("+ "));
    talk.say("störung").await;
    assert_eq!(talk.line().await, "* SEARCH 6", "decoded subjects, whatever the case");
    talk.line().await;
    assert!(talk.imap("UID SEARCH NONSENSE").await[0].starts_with("t BAD"));
}

#[tokio::test]
async fn fetches_give_the_bytes_asked_for() {
    let sandbox = sandbox(43, &[]).await;
    sandbox.plant_foreign("alice", 1).unwrap();
    let raw = String::from_utf8(read_all(&sandbox, "INBOX")[0].raw.clone()).unwrap();
    let mut talk = signed_in(&sandbox).await;
    talk.imap("SELECT INBOX").await;
    let whole = talk.imap("UID FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])").await;
    let head = &whole[0];
    assert!(head.starts_with("* 1 FETCH (UID 1 FLAGS () INTERNALDATE \""), "{head}");
    assert!(head.contains(&format!("RFC822.SIZE {} BODY[] {{{}}}", raw.len(), raw.len())));
    assert_eq!(whole[1..whole.len() - 2].join("\r\n") + "\r\n", raw);
    let part = talk.imap("FETCH 1 BODY.PEEK[]<7.4>").await;
    assert_eq!(part[0], "* 1 FETCH (BODY[]<7> {4}");
    assert_eq!(part[1], format!("{})", &raw[7..11]));
    let fields = talk.imap("UID FETCH 1 (BODY.PEEK[HEADER.FIELDS (Message-Id X-None)])").await;
    assert!(fields[0].starts_with("* 1 FETCH (UID 1 BODY[HEADER.FIELDS (MESSAGE-ID X-NONE)] {"), "{fields:?}");
    assert!(fields[1].starts_with("Message-ID: <") && fields[2].is_empty() && fields[3] == ")");
    let seen = talk.imap("UID FETCH 1 BODY[HEADER]").await;
    assert!(seen.iter().any(|l| l.ends_with("FLAGS (\\Seen))")), "{seen:?}");
    let envelope = talk.imap("FETCH 1 ENVELOPE").await;
    assert!(envelope[0].contains("(\"Carol Jones\" NIL \"person0\" \"strangers.test\")"), "{envelope:?}");
    assert!(talk.imap("UID FETCH 99 FLAGS").await[0].starts_with("t OK"));
}

#[tokio::test]
async fn flags_expunges_moves_and_appends_are_told_to_everybody() {
    let sandbox = sandbox(44, &[]).await;
    sandbox.plant_foreign("alice", 4).unwrap();
    let (mut one, mut two) = (signed_in(&sandbox).await, signed_in(&sandbox).await);
    one.imap("SELECT INBOX").await;
    two.imap("SELECT INBOX").await;
    let stored = one.imap("UID STORE 2,3 +FLAGS (\\Deleted)").await;
    assert!(has(&stored, "* 2 FETCH (UID 2 FLAGS (\\Deleted))"), "{stored:?}");
    assert!(one.imap("UID STORE 4 +FLAGS.SILENT (\\Seen)").await[0].starts_with("t OK"));
    assert!(has(&one.imap("UID EXPUNGE 2").await, "* 2 EXPUNGE"), "only the set goes");
    let news = two.imap("NOOP").await;
    assert!(has(&news, "* 2 EXPUNGE") && has(&news, "* 3 FETCH (UID 3 FLAGS (\\Deleted))"), "{news:?}");
    let moved = one.imap("UID MOVE 4 Trash").await;
    assert!(moved[0].starts_with("* OK [COPYUID ") && moved[0].contains(" 4 1]") && has(&moved, "* 3 EXPUNGE"), "{moved:?}");
    one.say("t APPEND Sent (\\Seen) {9+}\r\nA: b\r\n\r\nc").await;
    let appended = one.line().await;
    assert!(appended.starts_with("t OK [APPENDUID ") && appended.contains(" 1]"), "{appended}");
    one.say("t APPEND Nowhere {1+}\r\nx").await;
    assert!(one.line().await.starts_with("t NO [TRYCREATE]"));
    assert!(one.imap("EXPUNGE").await.iter().any(|l| l == "* 2 EXPUNGE"));
    assert!(one.imap("UNSELECT").await[0].starts_with("t OK"));
    assert_eq!(sandbox.mailbox("alice").unwrap()["INBOX"].len(), 1);
    assert_eq!(sandbox.mailbox("alice").unwrap()["Trash"].len(), 1);
}

#[tokio::test]
async fn new_mail_is_pushed_into_idle_and_told_by_noop() {
    let sandbox = sandbox(45, &[]).await;
    let (mut idle, mut noop) = (signed_in(&sandbox).await, signed_in(&sandbox).await);
    idle.imap("SELECT INBOX").await;
    noop.imap("SELECT INBOX").await;
    idle.say("t IDLE").await;
    assert_eq!(idle.line().await, "+ idling");
    sandbox.plant_foreign("alice", 1).unwrap();
    assert_eq!(idle.line().await, "* 1 EXISTS");
    assert_eq!(idle.line().await, "* 0 RECENT");
    sandbox.plant_foreign("alice", 1).unwrap();
    assert_eq!(idle.line().await, "* 2 EXISTS");
    idle.line().await;
    idle.say("DONE").await;
    assert!(idle.line().await.starts_with("t OK"));
    assert!(has(&noop.imap("NOOP").await, "* 2 EXISTS"));
}
