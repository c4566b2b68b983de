//! Switches that are turned while the desk runs, two at once, and the logins and certificates beside them.

use super::*;

#[tokio::test]
async fn a_fault_in_the_middle_ends_when_its_switch_is_turned_back() {
    let sandbox = sandbox(50, &[]).await;
    write_in(&sandbox, 0, "before50@customers.test").await;
    for id in ["intake-oauth-expired", "fetch-not-scheduled", "poller-hung"] {
        sandbox.set_fault(id, true).unwrap();
        let (to, word) = (sandbox.queues[0].address.clone(), format!("{id}50@customers.test"));
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

#[tokio::test]
async fn a_responder_answers_the_acknowledgement_into_the_ticket_and_comes_to_an_end() {
    let sandbox = sandbox(54, &["mon-own-responder-loops", "ack-loop"]).await;
    let ticket = write_in(&sandbox, 0, "away54@customers.test").await;
    let away = sandbox.world.style.vacation.text;
    let looped = ticket_when(&sandbox, ticket.id, |t| t.messages.iter().filter(|m| m.text.contains(away)).count() >= 3).await;
    assert!(looped.messages.len() >= 6, "{} messages", looped.messages.len());
}

#[tokio::test]
async fn the_mail_server_shows_the_certificate_that_the_switches_name() {
    let sandbox = sandbox(55, &[]).await;
    let shown = |sandbox: &Sandbox| {
        let address = sandbox.desk_mx;
        async move {
            let mut talk = Talk::to(address).await;
            talk.smtp_answer().await;
            talk.smtp("EHLO me.test").await;
            talk.smtp("STARTTLS").await
        }
    };
    assert!(shown(&sandbox).await.starts_with("220"));
    let good = sandbox.world.certificate();
    sandbox.set_fault("mx-cert-expired", true).unwrap();
    assert!(shown(&sandbox).await.starts_with("220") && !std::sync::Arc::ptr_eq(&good, &sandbox.world.certificate()));
    sandbox.set_fault("mx-cert-expired", false).unwrap();
    sandbox.set_fault("ok-cert-rotated", true).unwrap();
    assert!(!std::sync::Arc::ptr_eq(&good, &sandbox.world.certificate()));
    write_in(&sandbox, 0, "clear55@customers.test").await;
}

#[tokio::test]
async fn a_tagged_reply_address_is_offered_and_refused() {
    let sandbox = sandbox(56, &["plus-tag-lost"]).await;
    let ticket = write_in(&sandbox, 0, "tag56@customers.test").await;
    let ack = mail_in(&sandbox, "INBOX", Incoming::is_automatic).await;
    let tagged = format!("support+{}@desk.test", ticket.id);
    assert_eq!(ack.header("Reply-To"), tagged);
    submit(&sandbox, &tagged, &mail("alice@customers.test", &tagged, "Re", "again56@customers.test", "", "again56")).await;
    mail_in(&sandbox, "INBOX", |m| String::from_utf8_lossy(&m.raw).contains("Status: 5.1.1")).await;
    sandbox.set_fault("plus-tag-lost", false).unwrap();
    submit(&sandbox, &tagged, &mail("alice@customers.test", &tagged, "Re", "more56@customers.test", "", "more56")).await;
    ticket_when(&sandbox, ticket.id, |t| t.messages.iter().any(|m| m.text.contains("more56"))).await;
}

/// A careful sender: STARTTLS at the desk's mail server, trusting the sandbox's authority alone.
async fn encrypts(sandbox: &Sandbox) -> std::io::Result<()> {
    use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
    let mut stream = TcpStream::connect(sandbox.desk_mx).await?;
    let mut text = Vec::new();
    for (say, until) in [("", "ESMTP\r\n"), ("EHLO me.test\r\n", "250 SMTPUTF8\r\n"), ("STARTTLS\r\n", "TLS\r\n")] {
        stream.write_all(say.as_bytes()).await?;
        while !text.ends_with(until.as_bytes()) {
            assert!(stream.read_buf(&mut text).await? > 0, "{}", String::from_utf8_lossy(&text));
        }
    }
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(sandbox.authority.as_bytes()).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let mut secure = connector.connect(ServerName::try_from("127.0.0.1").unwrap(), stream).await?;
    secure.write_all(b"EHLO me.test\r\n").await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"250 SMTPUTF8\r\n") {
        assert!(secure.read_buf(&mut answer).await? > 0);
    }
    assert!(!String::from_utf8_lossy(&answer).contains("STARTTLS"));
    Ok(())
}

#[tokio::test]
async fn a_careful_sender_encrypts_with_the_good_certificates_and_refuses_the_expired_one() {
    let sandbox = sandbox(57, &[]).await;
    encrypts(&sandbox).await.unwrap();
    sandbox.set_fault("ok-cert-rotated", true).unwrap();
    encrypts(&sandbox).await.unwrap();
    sandbox.set_fault("mx-cert-expired", true).unwrap();
    let refused = encrypts(&sandbox).await.unwrap_err().to_string();
    assert!(refused.contains("expired"), "{refused}");
}
