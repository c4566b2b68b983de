//! Mail that is odd, broken, hostile or large.

use super::*;
use crate::model::BounceAction;
use proptest::prelude::*;

fn read(raw: &[u8]) -> ReceivedMail {
    let key = MailKey { folder: "INBOX".to_owned(), uidvalidity: 1, uid: 1 };
    parse_mail(raw, key, true, Some(Timestamp::UNIX_EPOCH), &TokenKey::new(b"test"))
}

#[test]
fn bytes_that_are_no_mail_still_have_size_and_hash() {
    let mail = read(b"");
    assert_eq!((mail.size, mail.sha256.as_str()), (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    assert!(mail.in_junk && mail.received.is_some());
    assert_eq!(read(b"\0\0\0").size, 3);
}

#[test]
fn a_tower_of_mails_in_mails_does_not_end_the_stack() {
    for tower in
        ["Content-Type: message/rfc822\n\n", "Content-Type: MESSAGE/Global\n\n", "Content-Type: multipart/digest; boundary=a\n\n--a\n\n"]
    {
        let mail = read(format!("Subject: tower\n{}", tower.repeat(100_000)).as_bytes());
        assert_eq!(mail.subject, "tower");
    }
    let nested = format!("Subject: nested\n{}", "Content-Type: multipart/mixed; boundary=a\n\n--a\n".repeat(20_000));
    assert_eq!(read(nested.as_bytes()).subject, "nested");
}

#[test]
fn a_mail_that_the_parser_asserts_about_keeps_header_and_tokens() {
    let token = TokenKey::new(b"test").token("run", "send");
    let raw = format!(
        "Subject: forwarded twice\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nsee {token}\n--a\nContent-Type: message/rfc822\n\n\
         Content-Type: message/rfc822\n\r\n\n--a--\n"
    );
    let mail = read(raw.as_bytes());
    assert_eq!((mail.subject.as_str(), mail.new_tokens), ("forwarded twice", vec![token]));
}

#[test]
fn a_token_in_the_subject_is_new_only_where_the_subject_is() {
    let token = TokenKey::new(b"test").token("run", "send");
    let read = |subject: &str, body: &str| read(format!("Subject: {subject}\n\n{body}").as_bytes());
    assert_eq!(read(&format!("Parcel {token}"), "x").new_tokens, std::slice::from_ref(&token));
    let quoted = read(&format!("Re: Parcel {token}"), &format!("x\n> {token}\n"));
    assert_eq!((quoted.tokens.len(), quoted.new_tokens.len()), (1, 0));
    assert_eq!(read("Re: x", &format!("it is {token}")).new_tokens, [token]);
}

#[test]
fn a_text_that_marks_no_quote_is_judged_by_its_html() {
    let mail = read(
        b"Content-Type: multipart/alternative; boundary=a\n\n--a\nContent-Type: text/plain\n\nnew\n\nold\n--a\nContent-Type: text/html\n\n\
          <p>new</p><blockquote type=\"cite\">old</blockquote>\n--a--\n",
    );
    assert_eq!((mail.text.as_str(), mail.new_text.as_str()), ("new\n\nold", "new"));
}

#[test]
fn a_desk_may_set_off_its_answer_as_a_bare_blockquote() {
    let mail = read(
        b"From: a@x\nContent-Type: multipart/alternative; boundary=a\n\n--a\n\nA comment was added:\n\nOn its way.\n--a\nContent-Type: text/html\n\n\
          <p>A comment was added:</p><blockquote style=\"font-family: sans-serif\">On its way.</blockquote>\n--a--\n",
    );
    assert_eq!(mail.new_text, "A comment was added:\n\nOn its way.");
}

#[test]
fn a_text_file_is_no_body_and_a_footer_beside_html_is() {
    let mail = read(
        b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/html\n\n<p>hi</p>\n--a\nContent-Type: text/plain\n\nfooter\n\
          --a\nContent-Type: text/plain\nContent-Disposition: attachment\n\nfile\n--a--\n",
    );
    assert_eq!((mail.text.as_str(), mail.attachments.len()), ("hi\n\nfooter", 1));
}

/// Pieces that mail is made of, so that random mails reach deep into the parser.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "Content-Type: multipart/mixed; boundary=a\n",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n",
        "Content-Type: message/rfc822\n",
        "Content-Type: message/delivery-status\n",
        "Content-Type: text/html; charset=iso-2022-jp\n",
        "Content-Transfer-Encoding: base64\n",
        "Content-Transfer-Encoding: quoted-printable\n",
        "Content-Disposition: attachment; filename*=utf-8''%\n",
        "Final-Recipient: rfc822;\nAction:\n",
        "Subject: =?utf-8?q?=C3?= =?x?b?!?=\n",
        "From: <>,;:\"\n",
        "Date: 99 Foo 99999 99:99:99 +9999\n",
        "References: <<a@b> > <\n",
        "\n",
        "\r\n\r\n",
        "\n--a\n",
        "\n--a--\n",
        "--b",
        "<blockquote><div id=appendonsend>&#x110000;",
        "> quoted\nOn 2026 wrote:\n",
        "MAILER-DAEMON",
    ]);
    prop_oneof![
        4 => known.prop_map(|s| s.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3_000) })]
    #[test]
    fn no_bytes_make_it_panic(pieces in prop::collection::vec(piece(), 0..40)) {
        let raw = pieces.concat();
        // Not through `parse_mail`, which would hide a panic of ours.
        let mail = empty(&raw, MailKey { folder: String::new(), uidvalidity: 0, uid: 0 }, false, None);
        let mail = fill(mail, &raw, &TokenKey::new(b"test"));
        prop_assert!(mail.headers.iter().all(|(_, v)| v.chars().count() <= 1_000));
    }
}

fn quoted_printable(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("={b:02X}")).collect()
}

#[test]
fn texts_subjects_and_file_names_are_decoded_in_the_charsets_of_the_world() {
    let table: [(&str, &[u8], &str); 10] = [
        ("iso-2022-jp", b"\x1b$B>.J}\x1b(B", "小方"),
        ("shift_jis", b"\x8f\xac\x95\xfb", "小方"),
        ("euc-jp", b"\xbe\xae\xca\xfd", "小方"),
        ("euc-kr", b"\xc7\xd1\xb1\xdb", "한글"),
        ("gb18030", b"\xb0\xfc\xb9\xfc", "包裹"),
        ("gb2312", b"\xb0\xfc\xb9\xfc", "包裹"),
        ("big5", b"\xa5\x5d\xbb\x71", "包裹"),
        ("windows-1251", b"\xef\xf0\xe8\xe2\xe5\xf2", "привет"),
        ("KOI8-R", b"\xd0\xd2\xc9\xd7\xc5\xd4", "привет"),
        ("iso-8859-15", b"\xa4", "€"),
    ];
    for (charset, bytes, text) in table {
        let coded = quoted_printable(bytes);
        let mail = read(
            format!(
                "Subject: =?{charset}?Q?{coded}?=\r\nContent-Type: text/plain; charset={charset}\r\n\
                 Content-Transfer-Encoding: quoted-printable\r\n\r\n{coded}\r\n"
            )
            .as_bytes(),
        );
        assert_eq!((mail.subject.as_str(), mail.text.trim()), (text, text), "{charset}");
        let raw = [format!("Content-Type: text/plain; charset=\"{charset}\"\r\n\r\n").as_bytes(), bytes].concat();
        assert_eq!(read(&raw).text.trim(), text, "{charset} in 8 bits");
    }
    let mail = read(b"Content-Type: text/plain; charset=utf-7\r\n\r\nHi Mom -+Jjo--+AOQ-\r\n");
    assert_eq!(mail.text.trim(), "Hi Mom -\u{263a}-\u{e4}");
}

#[test]
fn a_charset_that_is_wrong_unknown_or_missing_loses_no_token() {
    let token = TokenKey::new(b"test").token("run", "reply");
    for charset in ["utf-8", "us-ascii", "iso-8859-1", "utf-16", "utf-7", "gb18030", "iso-2022-jp", "x-unknown", "", "utf-8\\", "8bit"] {
        let mut raw = format!("Content-Type: text/plain; charset={charset}\r\n\r\nGr").into_bytes();
        raw.extend(b"\xfc\xdfe \xc3\xa9, \r\n");
        raw.extend(token.as_str().as_bytes());
        raw.extend(b"\r\n");
        let mail = read(&raw);
        // Nobody could read UTF-16 that is none.
        assert_eq!(mail.new_tokens.len(), usize::from(charset != "utf-16"), "{charset}: {}", mail.text);
    }
}

#[test]
fn file_names_are_read_in_every_way_they_are_written() {
    let names = [
        ("filename*=utf-8''n%C3%B6te.txt", "nöte.txt"),
        ("filename*0*=iso-8859-1'de'n%F6; filename*1*=te%20; filename*2=\"1.txt\"", "nöte 1.txt"),
        ("filename*1=te.txt; filename*0=no", "note.txt"),
        // RFC 2047 where it may not stand, as Outlook and Gmail write it.
        ("filename=\"=?utf-8?B?bsO2dGUudHh0?=\"", "nöte.txt"),
        ("filename==?utf-8?Q?n=C3=B6te.txt?=", "nöte.txt"),
        ("filename=\"n\u{f6}te.txt\"", "nöte.txt"),
    ];
    for (parameter, name) in names {
        let raw = format!(
            "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nhi\r\n--a\r\nContent-Type: application/octet-stream\r\n\
             Content-Disposition: attachment; {parameter}\r\n\r\nx\r\n--a--\r\n"
        );
        let mail = read(raw.as_bytes());
        assert_eq!(mail.attachments.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), [name], "{parameter}");
    }
}

fn part(head: &str, body: &str) -> String {
    format!("--a\r\n{head}\r\n\r\n{body}\r\n")
}

fn multipart(kind: &str, parts: &[String]) -> ReceivedMail {
    read(format!("Subject: x\r\nContent-Type: multipart/{kind}; boundary=a\r\n\r\n{}--a--\r\n", parts.concat()).as_bytes())
}

#[test]
fn signatures_and_invitations_are_no_files_and_a_winmail_dat_is_one() {
    let text = part("Content-Type: text/plain", "hello");
    for kind in ["application/pgp-signature; name=signature.asc", "application/pkcs7-signature; name=smime.p7s"] {
        let signature = part(&format!("Content-Type: {kind}\r\nContent-Disposition: attachment"), "MIIB");
        let mail = multipart("signed; protocol=x", &[text.clone(), signature.clone()]);
        assert_eq!((mail.new_text.as_str(), mail.attachments.len()), ("hello", 0), "{kind}");
        // Outside of a signed mail it is a file like any other.
        assert_eq!(multipart("mixed", &[text.clone(), signature]).attachments.len(), 1, "{kind}");
    }
    let calendar = part("Content-Type: text/calendar; method=REQUEST; charset=utf-8", "BEGIN:VCALENDAR");
    let amp = part("Content-Type: text/x-amp-html", "<html amp4email>");
    let mail = multipart("alternative", &[text.clone(), amp, part("Content-Type: text/html", "<p>hello</p>"), calendar]);
    assert_eq!((mail.text.as_str(), mail.attachments.len()), ("hello", 0));
    let invitation = part("Content-Type: text/calendar; name=invite.ics\r\nContent-Disposition: attachment", "BEGIN:VCALENDAR");
    let tnef = part("Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64", "eJ8+Ig==");
    let mail = multipart("mixed", &[text, invitation, tnef]);
    assert_eq!(mail.attachments.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["invite.ics", "winmail.dat"]);
}

#[test]
fn flowed_text_is_read_as_it_was_typed_and_tokens_broken_over_lines_are_found() {
    let token = TokenKey::new(b"test").token("run", "reply");
    let (left, right) = token.as_str().split_at(7);
    let raw = format!(
        "Subject: Re: x\r\nContent-Type: text/plain; charset=utf-8; format=flowed; delsp=yes\r\n\r\nYour number is  \r\n {left} \r\n{right}.\r\n"
    );
    assert_eq!(read(raw.as_bytes()).new_tokens, [token]);
}

#[test]
fn a_token_that_stands_only_in_quotes_is_not_new() {
    let token = TokenKey::new(b"test").token("run", "reply");
    let forms = [
        format!("x\n\n> {token}\n"),
        format!("x\n\n>> {token}\n> y\n"),
        format!("x\n\nOn Wed, Nov 25, 2026 at 10:00, Alice wrote:\n\n{token}\n"),
        format!("x\n\n-----Original Message-----\nFrom: a\n\n{token}\n"),
        format!("x\n\nVon: a\nGesendet: b\nAn: c\nBetreff: {token}\n\n{token}\n"),
        format!("##- Please type your reply above this line -##\n\nx\n\n---------------\nAlice, 25.11.2026\n{token}\n"),
        format!(" > {token}\n"),
    ];
    for form in forms {
        for kind in ["text/plain", "text/plain; format=flowed"] {
            let mail = read(format!("Subject: Re: [#1] {token}\r\nContent-Type: {kind}\r\n\r\n{form}").as_bytes());
            assert_eq!((mail.tokens.len(), mail.new_tokens.len()), (1, 0), "{form}");
        }
    }
    let html = [
        format!("<p>x</p><blockquote type=cite>{token}</blockquote>"),
        format!("<p>x</p><div id=divRplyFwdMsg></div><p>{token}</p>"),
        format!("<p>x</p><div class=freshdesk_quote>{token}</div>"),
        format!("<p>x</p><p><b>From:</b> a<br><b>Sent:</b> b<br><b>Subject:</b> c</p><p>{token}</p>"),
    ];
    for form in html {
        let mail = read(format!("Subject: Re: x\r\nContent-Type: text/html\r\n\r\n{form}").as_bytes());
        assert_eq!((mail.tokens.len(), mail.new_tokens.len()), (1, 0), "{form}");
    }
}

/// Facts as the mail systems write them, in words of our own.
#[test]
fn bounces_of_many_systems_are_read() {
    const OWN: &str = "1@customers.example";
    let report = |from: &str, subject: &str, status: &str, returned: &str| {
        read(
            format!(
                "From: {from}\r\nSubject: {subject}\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=a\r\n\r\n\
                 --a\r\n\r\nIt was not delivered.\r\n--a\r\nContent-Type: message/delivery-status\r\n\r\n{status}\r\n\
                 --a\r\nContent-Type: {returned}\r\n\r\nMessage-ID: <{OWN}>\r\nSubject: Parcel\r\n\r\n--a--\r\n"
            )
            .as_bytes(),
        )
    };
    let table = [
        (
            // Exchange Online: the report's recipient is typed with a blank, the answer has brackets.
            report(
                "postmaster@desk.example",
                "Undeliverable: Parcel",
                "Reporting-MTA: dns;EX01.desk.example\r\nReceived-From-MTA: dns;mx.example\r\n\r\nFinal-Recipient: rfc822;nobody@desk.example\r\n\
                 Action: failed\r\nStatus: 5.1.10\r\nDiagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found\r\n",
                "message/rfc822",
            ),
            ("5.1.10", "nobody@desk.example", BounceAction::Failed),
        ),
        (
            // Gmail: folded diagnostic, returned mail beside an icon.
            report(
                "mailer-daemon@googlemail.example",
                "Delivery Status Notification (Failure)",
                "Reporting-MTA: dns; googlemail.example\r\nArrival-Date: Wed, 25 Nov 2026 01:00:00 -0800\r\n\r\n\
                 Final-Recipient: rfc822; nobody@desk.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\
                 Diagnostic-Code: smtp; 550-5.1.1 The email account\r\n 550 5.1.1 does not exist\r\nLast-Attempt-Date: Wed\r\n",
                "message/rfc822",
            ),
            ("5.1.1", "nobody@desk.example", BounceAction::Failed),
        ),
        (
            // Exim 4.9x
            report(
                "Mailer-Daemon@mx.example",
                "Mail delivery failed: returning message to sender",
                "Reporting-MTA: dns; mx.example\r\n\r\nAction: failed\r\nFinal-Recipient: rfc822;nobody@desk.example\r\nStatus: 5.0.0\r\n\
                 Remote-MTA: dns; mx.desk.example\r\nDiagnostic-Code: smtp; 550 unknown\r\n",
                "text/rfc822-headers",
            ),
            ("5.0.0", "nobody@desk.example", BounceAction::Failed),
        ),
        (
            // A warning after four hours.
            report(
                "MAILER-DAEMON@mx.example",
                "Warning: message delayed",
                "Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: RFC822; <nobody@desk.example>\r\nAction: DELAYED (in queue)\r\nStatus: 4.4.1 (no answer)\r\n",
                "message/rfc822",
            ),
            ("4.4.1", "nobody@desk.example", BounceAction::Delayed),
        ),
        (
            // SMTPUTF8 (RFC 6533)
            report(
                "MAILER-DAEMON@mx.example",
                "Undelivered Mail Returned to Sender",
                "Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: utf-8; nobody@desk.example\r\nAction: failed\r\nStatus: 5.6.7\r\n",
                "message/global-headers",
            ),
            ("5.6.7", "nobody@desk.example", BounceAction::Failed),
        ),
    ];
    for (mail, (status, recipient, action)) in table {
        let subject = mail.subject.clone();
        let bounce = mail.bounce.unwrap_or_else(|| panic!("{subject} is a bounce"));
        assert_eq!(
            (bounce.status.as_deref(), bounce.recipient.as_deref(), bounce.action),
            (Some(status), Some(recipient), action),
            "{subject}"
        );
        assert_eq!(bounce.original_message_id.as_deref(), Some(OWN), "{subject}");
        assert!(mail.attachments.is_empty(), "{subject}");
    }
}

#[test]
fn large_and_hostile_mails_are_read_on_a_listeners_stack() {
    let mega = 1_200_000;
    let fill = |head: &str, piece: &str| format!("Subject: s\r\n{head}{}", piece.repeat(mega / piece.len())).into_bytes();
    let mails = [
        fill("\r\n", "\n>\n"),
        fill("\r\nx", "\n"),
        fill("Content-Type: text/html\r\n\r\n", "<div>"),
        fill("Content-Type: text/html\r\n\r\n", "<blockquote>"),
        fill("Content-Type: text/html\r\n\r\n", "<!--"),
        fill("Content-Type: multipart/mixed; boundary=a\r\n\r\n", "--a\r\n\r\nx\r\n"),
        fill("", "Content-Type: multipart/mixed; boundary=a\n\n--a\n"),
        fill("", "Content-Type: message/rfc822\n\n"),
        fill("", "X-Loop: a\r\n"),
        fill("References: ", "<a@b> "),
        fill("To: ", "a@b.example, "),
        fill("Subject: ", "=?utf-8?q?x?= "),
    ];
    let stack = std::thread::Builder::new().stack_size(crate::mail::listener::STACK);
    let thread = stack.spawn(move || {
        for raw in mails {
            let began = std::time::Instant::now();
            let mail = read(&raw);
            assert!(mail.attachments.len() <= MAX_FILES && mail.subject.starts_with(['s', 'x']));
            let words = String::from_utf8_lossy(&raw[..60]).into_owned();
            assert!(began.elapsed() < std::time::Duration::from_secs(30), "{words}: {:?}", began.elapsed());
        }
    });
    thread.unwrap().join().unwrap();
}
