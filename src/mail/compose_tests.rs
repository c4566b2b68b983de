//! What we write is read back: by our own parser, and byte by byte where it matters.

use super::*;
use crate::mail::human::looks_automated;
use crate::mail::parse::parse_mail;
use crate::mail::quote::new_text;
use crate::model::{MailEncoding, MailKey, QuoteStyle, TokenKey};
use proptest::prelude::*;

fn mail() -> OutgoingMail {
    OutgoingMail {
        from: "alice@customers.example".to_owned(),
        from_name: "Alice Archer".to_owned(),
        to: vec!["help@desk.example".to_owned(), "sales@desk.example".to_owned()],
        cc: vec!["bob@customers.example".to_owned()],
        bcc: vec!["carol@customers.example".to_owned()],
        subject: "Parcel lost".to_owned(),
        text: "Hello,\nmy parcel is lost.\n".to_owned(),
        html: None,
        attachments: Vec::new(),
        message_id: "1@customers.example".to_owned(),
        in_reply_to: None,
        references: Vec::new(),
        date: "2026-11-25T09:00:00Z".parse().unwrap(),
        encoding: MailEncoding::Utf8,
        automatic: false,
    }
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn read(bytes: &[u8]) -> ReceivedMail {
    let key = MailKey { folder: "INBOX".to_owned(), uidvalidity: 1, uid: 1 };
    parse_mail(bytes, key, false, None, &TokenKey::new(b"test"))
}

fn written(mail: &OutgoingMail) -> String {
    String::from_utf8(compose_in(mail, &berlin()).unwrap()).unwrap()
}

#[test]
fn a_plain_mail_is_as_plain_as_can_be() {
    let expected = "Message-ID: <1@customers.example>\r\nDate: Wed, 25 Nov 2026 10:00:00 +0100\r\nMIME-Version: 1.0\r\n\
                    From: \"Alice Archer\" <alice@customers.example>\r\nTo: help@desk.example, sales@desk.example\r\n\
                    Cc: bob@customers.example\r\nSubject: Parcel lost\r\nContent-Type: text/plain; charset=utf-8\r\n\
                    Content-Transfer-Encoding: 7bit\r\n\r\nHello,\r\nmy parcel is lost.\r\n";
    assert_eq!(written(&mail()), expected);
}

#[test]
fn everything_arrives_as_it_was_meant() {
    let every_byte: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    let mail = OutgoingMail {
        from_name: "Älice \"Ace\" Ärcher".to_owned(),
        subject: "Päckchen verloren 📦 — eine sehr lange Betreffzeile, die auf jeden Fall umbrochen werden muss".to_owned(),
        text: "Grüße,\n\n.\nFrom here on ".to_owned() + "long ".repeat(400).as_str() + "\ntrailing \n\ttab=20\n",
        html: Some("<p>Grüße <a href=\"https://shop.example/?t=1&amp;u=2\">Link</a></p>".to_owned()),
        attachments: vec![
            OutgoingAttachment {
                name: "note.txt".to_owned(),
                content_type: "text/plain".to_owned(),
                bytes: b"unix\nlines\r\nmixed\r".to_vec(),
            },
            OutgoingAttachment {
                name: "Überweisung ein sehr langer Name für eine Datei, der umbrochen werden muss 2026.pdf".to_owned(),
                content_type: "application/pdf".to_owned(),
                bytes: every_byte,
            },
            OutgoingAttachment { name: "empty.bin".to_owned(), content_type: "application/octet-stream".to_owned(), bytes: Vec::new() },
        ],
        in_reply_to: Some("0@desk.example".to_owned()),
        references: (0..9).map(|i| format!("{i}.{}@desk.example", "x".repeat(40))).collect(),
        ..mail()
    };
    let bytes = compose_in(&mail, &berlin()).unwrap();
    assert!(bytes.is_ascii());
    assert!(bytes.split(|b| *b == b'\n').all(|l| l.len() <= 998));
    let read = read(&bytes);
    assert_eq!((read.from.as_str(), read.from_name.as_str(), &read.subject), (mail.from.as_str(), mail.from_name.as_str(), &mail.subject));
    assert_eq!(read.text, mail.text.trim_end());
    assert_eq!(read.html.as_deref().map(str::trim_end), mail.html.as_deref());
    assert_eq!(read.attachments, mail.attachments.iter().map(OutgoingAttachment::expected).collect::<Vec<_>>());
    assert_eq!(
        (read.message_id.as_deref(), &read.in_reply_to, &read.references),
        (Some("1@customers.example"), &vec!["0@desk.example".to_owned()], &mail.references)
    );
    assert_eq!(read.date, Some(mail.date));
    assert_eq!(read.to, ["help@desk.example", "sales@desk.example", "bob@customers.example"]);
}

#[test]
fn what_we_write_looks_like_a_persons_and_hides_hidden_recipients() {
    let text = written(&mail());
    assert_eq!(looks_automated(text.as_bytes()), None);
    for absent in ["carol", "Bcc", "User-Agent", "X-", "Auto-Submitted", "Precedence", "List-"] {
        assert!(!text.contains(absent), "{absent}");
    }
}

#[test]
fn line_breaks_in_headers_begin_no_new_header() {
    let mail = OutgoingMail { subject: "a\r\nBcc: x@y.example".to_owned(), from_name: "A\nX-Y: z".to_owned(), ..mail() };
    let headers = written(&mail).split("\r\n\r\n").next().unwrap().to_owned();
    assert!(!headers.lines().any(|l| l.starts_with("Bcc") || l.starts_with("X-Y")), "{headers}");
}

#[test]
fn what_cannot_be_written_is_named() {
    let table = [
        (OutgoingMail { to: vec!["nobody".to_owned()], ..mail() }, "`nobody` in To"),
        (OutgoingMail { bcc: vec!["a b@c".to_owned()], ..mail() }, "`a b@c` in Bcc"),
        (OutgoingMail { to: vec![], cc: vec![], bcc: vec![], ..mail() }, "no recipient"),
        (OutgoingMail { message_id: "a>\r\nX: y".to_owned(), ..mail() }, "cannot be a Message-ID"),
        (
            OutgoingMail {
                attachments: vec![OutgoingAttachment { name: "a".to_owned(), content_type: "nonsense".to_owned(), bytes: vec![] }],
                ..mail()
            },
            "not a media type",
        ),
    ];
    for (mail, words) in table {
        let error = compose_in(&mail, &berlin()).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn an_answer_is_threaded_and_quotes_below() {
    let received = read(
        b"From: =?utf-8?q?B=C3=B6b?= via Desk <agent@desk.example>\r\nReply-To: help@desk.example\r\nSubject: [desk #2] Parcel lost\r\n\
          Message-ID: <a2@desk.example>\r\nReferences: <1@customers.example> <a1@desk.example>\r\nDate: Wed, 25 Nov 2026 10:00:00 +0100\r\n\r\n\
          Where was it?\r\n\r\n> my parcel is lost\r\n",
    );
    let answer =
        answer_in(&received, ("alice@customers.example", "Alice"), "At home.\n", "3@customers.example".to_owned(), mail().date, &berlin());
    assert_eq!(answer.to, ["help@desk.example"]);
    assert_eq!(answer.subject, "Re: [desk #2] Parcel lost");
    assert_eq!(answer.in_reply_to.as_deref(), Some("a2@desk.example"));
    assert_eq!(answer.references, ["1@customers.example", "a1@desk.example", "a2@desk.example"]);
    let quote = "On Wed, Nov 25, 2026 at 10:00, Böb via Desk wrote:\n> Where was it?\n>\n>> my parcel is lost\n";
    assert_eq!(answer.text, format!("At home.\n\n{quote}"));
    assert_eq!(new_text(&answer.text), "At home.");
    assert_eq!(looks_automated(&compose_in(&answer, &berlin()).unwrap()), None);
}

#[test]
fn an_answer_to_a_mail_without_ids_can_still_be_written() {
    let received = read(b"From: agent@desk.example\r\nSubject: RE: x\r\nIn-Reply-To: <1@customers.example>\r\nReferences:\r\n\r\nhi");
    let answer = answer_in(&received, ("alice@customers.example", ""), "ok", "3@customers.example".to_owned(), mail().date, &berlin());
    assert_eq!((answer.subject.as_str(), answer.in_reply_to.as_deref()), ("RE: x", None));
    assert_eq!(answer.references, ["1@customers.example"]);
    assert!(answer.text.contains("agent@desk.example wrote:\n> hi"));
    assert!(compose_in(&answer, &berlin()).is_ok());
    let received = read("From: agent@desk.example\r\nMessage-ID: <ä@desk.example>\r\n\r\nhi".as_bytes());
    let answer = answer_in(&received, ("alice@customers.example", ""), "ok", "3@customers.example".to_owned(), mail().date, &berlin());
    assert!(compose_in(&answer, &berlin()).is_ok());
}

#[test]
fn an_answer_to_ones_own_mail_goes_to_the_same_people() {
    let answer = answer_own_in(&mail(), "One thing more.", "2@customers.example".to_owned(), mail().date, &berlin());
    assert_eq!((&answer.to, &answer.cc, &answer.bcc), (&mail().to, &mail().cc, &mail().bcc));
    assert_eq!((answer.subject.as_str(), answer.references.as_slice()), ("Re: Parcel lost", &["1@customers.example".to_owned()][..]));
    assert_eq!(new_text(&answer.text), "One thing more.");
}

#[test]
fn long_threads_keep_the_first_and_the_latest_ids() {
    let many: Vec<String> = (0..60).map(|i| format!("{i}@x.example")).collect();
    let kept = references(&many, Some("last@x.example"));
    assert_eq!((kept.len(), kept[0].as_str(), kept[MAX_REFERENCES - 1].as_str()), (MAX_REFERENCES, "0@x.example", "last@x.example"));
}

#[test]
fn message_ids_look_like_everybodys_and_differ() {
    let now = mail().date;
    let one = message_id(1, now, "customers.example");
    assert_eq!(one, message_id(1, now, "customers.example"));
    assert_ne!(one, message_id(2, now, "customers.example"));
    let (left, right) = one.split_once('@').unwrap();
    assert_eq!((left.len(), right, &left[14..15]), (36, "customers.example", "4"));
    assert!(id(&one).is_ok());
}

#[test]
fn the_date_has_the_offset_of_the_zone_at_that_time() {
    let table = [
        ("Europe/Berlin", "2026-07-01T09:00:00Z", "Wed, 1 Jul 2026 11:00:00 +0200"),
        ("America/New_York", "2026-11-25T03:00:00Z", "Tue, 24 Nov 2026 22:00:00 -0500"),
        ("Asia/Kathmandu", "2026-11-25T03:00:00Z", "Wed, 25 Nov 2026 08:45:00 +0545"),
        ("UTC", "2026-11-25T03:00:00Z", "Wed, 25 Nov 2026 03:00:00 +0000"),
    ];
    for (zone, at, expected) in table {
        let bytes = compose_in(&OutgoingMail { date: at.parse().unwrap(), ..mail() }, &TimeZone::get(zone).unwrap()).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(&format!("\r\nDate: {expected}\r\n")), "{text}");
        assert_eq!(looks_automated(text.as_bytes()), None, "{zone}");
    }
}

#[test]
fn a_long_subject_is_folded_into_words_that_each_decode_alone() {
    use base64::Engine as _;
    let subject = "Päckchen 📦 verloren – 包裹丢失了怎么办 – и что теперь делать, спрашивает клиент из Кёльна ещё раз";
    let text = written(&OutgoingMail { subject: subject.to_owned(), ..mail() });
    let field: Vec<&str> = text.split("\r\n").skip_while(|l| !l.starts_with("Subject:")).collect();
    let end = 1 + field[1..].iter().position(|l| !l.starts_with(' ')).unwrap();
    let mut coded = 0;
    for line in &field[..end] {
        assert!(line.len() <= 78 && line.is_ascii(), "{line}");
        for word in line.split_whitespace().filter_map(|w| w.strip_prefix("=?utf-8?b?")?.strip_suffix("?=")) {
            // RFC 2047 sections 2 and 5: at most 75 bytes, and no character split over two words.
            assert!(word.len() <= 75 - 12, "{word}");
            assert!(String::from_utf8(base64::prelude::BASE64_STANDARD.decode(word).unwrap()).is_ok(), "{word}");
            coded += 1;
        }
    }
    assert!(end > 2 && coded > 3, "{text}");
    assert_eq!(read(text.as_bytes()).subject, subject);
}

#[test]
fn what_an_answer_carries_is_what_mail_programs_write() {
    let received = read(
        b"From: Agent <agent@desk.example>\r\nSubject: [desk #2] Parcel\r\nMessage-ID: <a2@desk.example>\r\nAuto-Submitted: auto-replied\r\n\
          Precedence: bulk\r\nX-RT-Ticket: desk #2\r\nList-Id: <x>\r\nReferences: <1@customers.example>\r\n\r\nhi\r\n",
    );
    let id = message_id(7, mail().date, "customers.example");
    let answer = answer_in(&received, ("alice@customers.example", "Alice"), "ok", id, mail().date, &berlin());
    let text = written(&answer);
    let names: Vec<&str> =
        text.split("\r\n\r\n").next().unwrap().lines().filter(|l| !l.starts_with(' ')).map(|l| l.split(':').next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "Message-ID",
            "Date",
            "MIME-Version",
            "From",
            "To",
            "Subject",
            "In-Reply-To",
            "References",
            "Content-Type",
            "Content-Transfer-Encoding"
        ]
    );
    assert!(text.contains("References: <1@customers.example>\r\n <a2@desk.example>\r\n"), "{text}");
    assert_eq!(looks_automated(text.as_bytes()), None);
}

/// Mails of every make that a probe can ask for.
fn any_mail() -> impl Strategy<Value = OutgoingMail> {
    let words = "[ -~äß€📦\\t]{0,200}";
    let file = ("[ -~äß]{0,40}", prop::collection::vec(any::<u8>(), 0..300));
    let ids = prop::collection::vec("[a-z0-9]{1,80}@desk[.]example", 0..30);
    (
        "[A-Za-z][ -~äß€📦]{0,300}",
        "([ -~äß€📦\\t]{0,1500}\n){0,4}",
        prop::option::of(words),
        prop::collection::vec(file, 0..3),
        ids,
        "[ -~ä]{0,30}",
    )
        .prop_map(|(subject, text, html, files, references, from_name)| OutgoingMail {
            subject,
            text,
            html,
            attachments: files
                .into_iter()
                .map(|(name, bytes)| OutgoingAttachment { name, content_type: "application/pdf".to_owned(), bytes })
                .collect(),
            in_reply_to: references.last().cloned(),
            references,
            from_name,
            ..mail()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]
    #[test]
    fn whatever_a_probe_writes_has_no_mark_of_a_machine(mail in any_mail()) {
        let bytes = compose_in(&mail, &berlin()).unwrap();
        let reason = looks_automated(&bytes);
        // The subject is the probe author's; all else is ours.
        prop_assert!(reason.as_ref().is_none_or(|r| r.starts_with("its subject")), "{reason:?}");
        prop_assert!(bytes.is_ascii());
        let hidden = String::from_utf8_lossy(&bytes).to_lowercase();
        prop_assert!(!hidden.contains("carol@"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]
    #[test]
    fn any_subject_and_text_come_back(subject in "[ -~äß€📦]{0,120}", text in "([ -~äß€📦]{0,90}\n){0,6}") {
        let mail = OutgoingMail { subject, text, ..mail() };
        let read = read(&compose_in(&mail, &berlin()).unwrap());
        let squeeze = |s: &str| s.split_whitespace().collect::<Vec<_>>().join(" ");
        prop_assert_eq!(squeeze(&read.subject), squeeze(&mail.subject));
        prop_assert_eq!(read.text, mail.text.trim_end());
    }
}

#[test]
fn an_answer_stands_where_the_style_has_it() {
    let first = OutgoingMail { text: "One\nTwo\nThree\n".to_owned(), ..mail() };
    let answer = |style| {
        let mut mail = answer_own_in(&first, "Thank you!", "2@customers.example".to_owned(), first.date, &berlin());
        quote_as(&mut mail, "Thank you!", style);
        mail.text
    };
    let intro = "On Wed, Nov 25, 2026 at 10:00, Alice Archer wrote:";
    assert_eq!(answer(QuoteStyle::Top), format!("Thank you!\n\n{intro}\n> One\n> Two\n> Three\n"));
    assert_eq!(answer(QuoteStyle::Bottom), format!("{intro}\n> One\n> Two\n> Three\n\nThank you!\n"));
    assert_eq!(answer(QuoteStyle::Inline), format!("{intro}\n> One\n\nThank you!\n\n> Two\n> Three\n"));
    assert_eq!(answer(QuoteStyle::None), "Thank you!\n");
}

#[test]
fn a_holiday_notice_says_that_it_is_one() {
    let mut notice = OutgoingMail { subject: "Re: [desk #7] Parcel".to_owned(), ..mail() };
    automatic(&mut notice);
    let text = written(&notice);
    assert!(text.contains("\r\nAuto-Submitted: auto-replied\r\n"), "{text}");
    assert!(text.contains("\r\nSubject: Automatic reply: [desk #7] Parcel\r\n"), "{text}");
    assert!(!written(&mail()).contains("Auto-Submitted"));
}

#[test]
fn latin1_is_written_as_such_and_labelled_as_asked() {
    for (encoding, label) in [(MailEncoding::Latin1, "iso-8859-1"), (MailEncoding::Mislabelled, "utf-8")] {
        let text = written(&OutgoingMail { text: "Grüße".to_owned(), encoding, ..mail() });
        assert!(text.contains(&format!("charset={label}")), "{text}");
        assert!(text.contains("Gr=FC=DFe"), "{text}");
        let strange = OutgoingMail { text: "10 €".to_owned(), encoding, ..mail() };
        assert_eq!(compose_in(&strange, &berlin()), Err(ComposeError::Letter('€')));
    }
}

#[test]
fn an_empty_subject_and_an_empty_text_are_sent_empty() {
    let text = written(&OutgoingMail { subject: String::new(), text: String::new(), ..mail() });
    assert!(text.contains("\r\nSubject: \r\n"), "{text}");
    assert!(text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.trim().is_empty()), "{text}");
}
