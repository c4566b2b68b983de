//! Switches that are turned while the desk runs, two at once, and the logins and certificates beside them.

use super::*;

#[tokio::test]
async fn a_fault_in_the_middle_ends_when_its_switch_is_turned_back() {
    let sandbox = sandbox(50, &[]).await;
    write_in(&sandbox, 0, "before50@customers.test").await;
    for id in ["intake-oauth-expired", "fetch-not-scheduled@support", "poller-hung"] {
        sandbox.set_fault(id, true).unwrap();
        let (to, word) = (sandbox.queues[0].address.clone(), format!("{}50@customers.test", id.replace('@', "-")));
        let raw = mail(&sandbox.accounts[0].address, &to, "Waiting", &word, "", &word);
        assert!(submit(&sandbox, &to, &raw).await.starts_with("250"));
        write_in(&sandbox, 1, &format!("elsewhere{}@customers.test", id.len())).await;
        assert!(!sandbox.tickets().iter().any(|t| t.search.contains(&word)), "{id} stops the first queue");
        sandbox.set_fault(id, false).unwrap();
        ticket_with(&sandbox, &word).await;
    }
}

#[tokio::test]
async fn every_pair_of_neighbours_in_the_list_is_turned_at_once_and_the_desk_comes_back() {
    let sandbox = sandbox(51, &[]).await;
    let ids: Vec<&str> = super::super::faults().iter().map(|(id, _)| *id).collect();
    for pair in ids.windows(2) {
        for id in pair {
            sandbox.set_fault(id, true).unwrap();
        }
        let to = sandbox.queues[0].address.clone();
        let word = format!("{}-{}@customers.test", pair[0], pair[1]);
        let alice = sandbox.accounts[0].clone();
        let mut talk = Talk::to(sandbox.smtp).await;
        if talk.smtp_answer().await.starts_with("220") {
            talk.smtp("EHLO me.test").await;
            talk.smtp(&format!("AUTH PLAIN {}", base64(&format!("\0{}\0{}", alice.user, alice.password)))).await;
            talk.smtp(&format!("MAIL FROM:<{}>", alice.address)).await;
            if talk.smtp(&format!("RCPT TO:<{to}>")).await.starts_with("250") {
                talk.smtp("DATA").await;
                talk.smtp(&format!("{}\r\n.", mail(&alice.address, &to, "Two", &word, "", &word).trim_end())).await;
            }
        }
        for id in pair {
            sandbox.set_fault(id, false).unwrap();
        }
    }
    write_in(&sandbox, 1, "after51@customers.test").await;
}

#[tokio::test]
async fn the_intake_mailbox_has_a_login_that_only_looks_and_survives_the_desks_own() {
    let sandbox = sandbox(52, &["intake-oauth-expired"]).await;
    let queue = sandbox.queues[0].clone();
    let mut own = Talk::to(sandbox.imap).await;
    own.line().await;
    let said = own.imap(&format!("LOGIN {} {}", queue.system_address, queue.password)).await;
    assert!(said.last().unwrap().contains("AUTHENTICATIONFAILED"), "{said:?}");
    let mut look = Talk::to(sandbox.imap).await;
    look.line().await;
    assert!(look.imap(&format!("LOGIN {} {}", queue.reader, queue.reader_password)).await.last().unwrap().starts_with("t OK"));
    assert!(look.imap("SELECT INBOX").await.last().unwrap().contains("READ-ONLY"));
    assert!(look.imap("CREATE Mine").await.last().unwrap().starts_with("t NO"));
    sandbox.set_fault("intake-oauth-expired", false).unwrap();
    let mut own = Talk::to(sandbox.imap).await;
    own.line().await;
    assert!(own.imap(&format!("LOGIN {} {}", queue.system_address, queue.password)).await.last().unwrap().starts_with("t OK"));
}

#[tokio::test]
async fn agents_page_needs_the_key_and_lets_one_round_of_fetching_through() {
    let sandbox = sandbox(53, &["fetch-not-scheduled"]).await;
    let to = sandbox.queues[0].address.clone();
    let raw = mail(&sandbox.accounts[0].address, &to, "Night", "night53@customers.test", "", "night53");
    submit(&sandbox, &to, &raw).await;
    let arrived = |s: &Sandbox| (!s.received_by_mx().is_empty()).then_some(());
    sandbox.wait(LIMIT, arrived).await.unwrap();
    let page = format!("{}/agent", sandbox.web);
    assert_eq!(http(&page, "wrong", "GET", &Value::Null).await.0, 401);
    assert!(sandbox.tickets().is_empty());
    let visited = async {
        while sandbox.tickets().is_empty() {
            assert_eq!(http(&page, &sandbox.api_key, "GET", &Value::Null).await.0, 200);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, visited).await.expect("a visit fetches");
}
