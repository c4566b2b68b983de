use super::*;

#[tokio::test]
async fn the_submission_dialogue_demands_a_login_and_keeps_the_order_of_commands() {
    let sandbox = sandbox(20, &[]).await;
    let alice = &sandbox.accounts[0];
    let mut talk = Talk::to(sandbox.smtp).await;
    assert!(talk.smtp_answer().await.starts_with("220 smtp.customers.test"));
    talk.say("EHLO me.test").await;
    let mut offers = Vec::new();
    loop {
        let line = talk.line().await;
        offers.push(line[4..].to_owned());
        if line.as_bytes()[3] == b' ' {
            break;
        }
    }
    for offer in ["PIPELINING", "SIZE 26214400", "AUTH PLAIN LOGIN", "8BITMIME", "ENHANCEDSTATUSCODES"] {
        assert!(offers.iter().any(|o| o == offer), "{offer} is offered");
    }
    assert!(talk.smtp("MAIL FROM:<alice@customers.test>").await.starts_with("530 5.7.0"));
    let wrong = base64("\0alice@customers.test\0wrong");
    assert!(talk.smtp(&format!("AUTH PLAIN {wrong}")).await.starts_with("535 5.7.8"));
    assert_eq!(talk.smtp("AUTH LOGIN").await, "334 VXNlcm5hbWU6");
    assert_eq!(talk.smtp(&base64(&alice.user)).await, "334 UGFzc3dvcmQ6");
    assert!(talk.smtp(&base64(&alice.password)).await.starts_with("235 2.7.0"));
    assert!(talk.smtp("RCPT TO:<support@desk.test>").await.starts_with("503"));
    assert!(talk.smtp("MAIL FROM:<bob@customers.test>").await.starts_with("553 5.7.1"));
    assert!(talk.smtp("MAIL FROM:<alice@customers.test> SIZE=99999999").await.starts_with("552 5.3.4"));
    assert!(talk.smtp("MAIL FROM:<alice@customers.test> SIZE=100").await.starts_with("250"));
    assert!(talk.smtp("DATA").await.starts_with("503"));
    assert!(talk.smtp("RSET").await.starts_with("250"));
    assert!(talk.smtp("NOOP").await.starts_with("250"));
    assert!(talk.smtp("WHATEVER").await.starts_with("502"));
    assert!(talk.smtp("QUIT").await.starts_with("221"));
    assert_eq!(talk.line().await, "");
}

#[tokio::test]
async fn pipelined_commands_and_dots_at_the_start_of_lines_arrive_whole() {
    let sandbox = sandbox(21, &[]).await;
    let alice = sandbox.accounts[0].clone();
    let mut talk = Talk::to(sandbox.smtp).await;
    talk.smtp_answer().await;
    talk.smtp("EHLO me.test").await;
    talk.smtp(&format!("AUTH PLAIN {}", base64(&format!("\0{}\0{}", alice.user, alice.password)))).await;
    talk.say("MAIL FROM:<alice@customers.test>\r\nRCPT TO:<bob@customers.test>\r\nRCPT TO:<alice@customers.test>\r\nDATA").await;
    for expected in ["250", "250", "250", "354"] {
        assert!(talk.smtp_answer().await.starts_with(expected));
    }
    talk.say("Subject: dots\r\n\r\n..\r\n..two\r\nend\r\n.").await;
    assert!(talk.smtp_answer().await.starts_with("250 2.0.0 Ok: queued as "));
    let got = mail_in(&sandbox, "INBOX", |m| m.header("Subject") == "dots").await;
    let text = String::from_utf8(got.raw).unwrap();
    assert!(text.ends_with("\r\n\r\n.\r\n.two\r\nend\r\n"), "{text}");
    assert!(text.starts_with("Return-Path: <alice@customers.test>\r\n"));
    let bob = |s: &Sandbox| s.mailbox("bob").unwrap()["INBOX"].first().cloned();
    sandbox.wait(LIMIT, bob).await.unwrap();
}

#[tokio::test]
async fn a_refused_recipient_comes_back_as_a_delivery_status_notification() {
    let sandbox = sandbox(22, &[]).await;
    let raw = mail("alice@customers.test", "nobody@desk.test", "Lost", "m22@x", "", "x");
    assert!(submit(&sandbox, "nobody@desk.test", &raw).await.starts_with("250"));
    let bounce = mail_in(&sandbox, "INBOX", |m| m.header("From").contains("MAILER-DAEMON")).await;
    assert_eq!(bounce.header("Return-Path"), "<>");
    let kind = bounce.header("Content-Type");
    assert!(kind.starts_with("multipart/report") && kind.contains("report-type=delivery-status"));
    let parsed = bounce.parsed();
    let parts: Vec<String> = parsed
        .parts
        .iter()
        .filter_map(|p| mail_parser::MimeHeaders::content_type(p))
        .map(|c| format!("{}/{}", c.ctype(), c.subtype().unwrap_or_default()))
        .collect();
    assert_eq!(parts, ["multipart/report", "text/plain", "message/delivery-status", "text/rfc822-headers"]);
    let text = String::from_utf8(bounce.raw.clone()).unwrap();
    for field in [
        "Final-Recipient: rfc822; nobody@desk.test",
        "Action: failed",
        "Status: 5.1.1",
        "Diagnostic-Code: smtp; 550 5.1.1 <nobody@desk.test>: Recipient address rejected: User unknown",
        "Reporting-MTA: dns; mx.customers.test",
        "Message-ID: <m22@x>",
    ] {
        assert!(text.contains(field), "{field} in {text}");
    }
    submit(&sandbox, "x@unknown.test", &mail("alice@customers.test", "x@unknown.test", "Lost", "m23@x", "", "x")).await;
    mail_in(&sandbox, "INBOX", |m| String::from_utf8_lossy(&m.raw).contains("Status: 5.4.4")).await;
}

#[tokio::test]
async fn the_mail_exchangers_relay_for_nobody() {
    let sandbox = sandbox(23, &[]).await;
    let mut talk = Talk::to(sandbox.desk_mx).await;
    talk.smtp_answer().await;
    talk.smtp("HELO me.test").await;
    talk.smtp("MAIL FROM:<>").await;
    assert!(talk.smtp("RCPT TO:<alice@customers.test>").await.starts_with("550 5.1.1"));
    assert!(talk.smtp("RCPT TO:<support+tag@desk.test>").await.starts_with("250"), "sub-addresses are known");
}
