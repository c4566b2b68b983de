//! Mail of the shapes that real desks and mail systems send, read and compared with what a person sees in it.

use replypath::mail::parse::parse_mail;
use replypath::model::{Bounce, BounceAction, MailKey, ReceivedMail, TokenKey};

/// The token of the request and that of the agent's answer, as they stand in the files.
const REQUEST: &str = "rp5ehruigfy5yl2fag";
const ANSWER: &str = "rpx5ksc6yh3yoaatcc";
/// The Message-ID of the customer's own mail.
const OWN: &str = "8d0f2c1e-77aa-4c19-9f00-1b2c3d4e5f60@customers.example";

fn key() -> TokenKey {
    TokenKey::new(b"golden")
}

fn read(name: &str) -> ReceivedMail {
    let path = format!("{}/tests/mail/{name}.eml", env!("CARGO_MANIFEST_DIR"));
    let raw = std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let place = MailKey { folder: "INBOX".to_owned(), uidvalidity: 1, uid: 7 };
    parse_mail(&raw, place, false, None, &key())
}

struct Expected {
    name: &'static str,
    from: &'static str,
    in_reply_to: &'static [&'static str],
    references: &'static [&'static str],
    auto: (Option<&'static str>, Option<&'static str>, &'static [&'static str]),
    new_text: &'static str,
    tokens: &'static [&'static str],
    new_tokens: &'static [&'static str],
}

const NONE: (Option<&str>, Option<&str>, &[&str]) = (None, None, &[]);

const TABLE: [Expected; 15] = [
    Expected {
        name: "rt-autoreply",
        from: "support@desk.example",
        in_reply_to: &[OWN],
        references: &["RT-Ticket-2@desk.example", OWN],
        auto: (Some("auto-replied"), Some("bulk"), &["x-rt-loop-prevention"]),
        new_text: "We have your message about \"Parcel lost rp5ehruigfy5yl2fag\" and answer within one working day. Grüße",
        tokens: &[REQUEST],
        new_tokens: &[REQUEST],
    },
    Expected {
        name: "rt-agent-reply",
        from: "support@desk.example",
        in_reply_to: &[],
        references: &["RT-Ticket-2@desk.example"],
        auto: (None, Some("bulk"), &["x-rt-loop-prevention"]),
        new_text: "Your parcel is on its way, rpx5ksc6yh3yoaatcc.",
        tokens: &[REQUEST, ANSWER],
        new_tokens: &[ANSWER, REQUEST],
    },
    Expected {
        name: "django-autoreply",
        from: "support@desk.example",
        in_reply_to: &[OWN],
        references: &[],
        auto: (Some("auto-replied"), Some("auto_reply"), &["x-auto-response-suppress"]),
        new_text: "Hello,\n\nthis is a courtesy e-mail: ticket support-1 (\"Parcel lost rp5ehruigfy5yl2fag\") was opened.",
        tokens: &[REQUEST],
        new_tokens: &[REQUEST],
    },
    Expected {
        name: "django-agent-reply",
        from: "support@desk.example",
        in_reply_to: &[],
        references: &[],
        auto: NONE,
        new_text: "Hello,\n\nticket support-1 was updated with this comment:\n\nIt is on its way, rpx5ksc6yh3yoaatcc.\n\n\
                   If you wish to see it: https://desk.example/view/?ticket=support-1",
        tokens: &[REQUEST, ANSWER],
        new_tokens: &[ANSWER, REQUEST],
    },
    Expected {
        name: "encoded-auto-submitted",
        from: "support@desk.example",
        in_reply_to: &[OWN],
        references: &[OWN],
        auto: (Some("auto-replied"), Some("auto_reply"), &[]),
        new_text: "Dear Alice,\n\na request #693919 was opened.\n\nCheck status",
        tokens: &[],
        new_tokens: &[],
    },
    Expected {
        name: "ack-own-message-id",
        from: "issues@desk.example",
        in_reply_to: &[OWN],
        references: &[],
        auto: (None, Some("bulk"), &["x-roundup-loop"]),
        new_text: "New submission from Alice <alice@customers.example>:\n\nWhere is my parcel? rp5ehruigfy5yl2fag",
        tokens: &[REQUEST],
        new_tokens: &[REQUEST],
    },
    Expected {
        name: "human-marked-automatic",
        from: "tracker@desk.example",
        in_reply_to: &[],
        references: &["tracker.issue-4.20261125090004@desk.example"],
        auto: (Some("auto-generated"), None, &["x-auto-response-suppress", "list-id"]),
        new_text: "Issue #4 has been updated by Agent One.\n\nIt is on its way, rpx5ksc6yh3yoaatcc.",
        tokens: &[REQUEST, ANSWER],
        new_tokens: &[ANSWER, REQUEST],
    },
    Expected {
        name: "outlook-quote",
        from: "agent1@desk.example",
        in_reply_to: &[OWN],
        references: &[OWN],
        auto: NONE,
        new_text: "Guten Tag,\n\nes ist unterwegs, rpx5ksc6yh3yoaatcc. Grüße",
        tokens: &[REQUEST, ANSWER],
        new_tokens: &[ANSWER],
    },
    Expected {
        name: "gmail-quote",
        from: "agent1@desk.example",
        in_reply_to: &[OWN],
        references: &[OWN],
        auto: NONE,
        new_text: "It is on its way, rpx5ksc6yh3yoaatcc.",
        tokens: &[REQUEST, ANSWER],
        new_tokens: &[ANSWER],
    },
    Expected {
        name: "bottom-posted",
        from: "agent1@desk.example",
        in_reply_to: &[OWN],
        references: &[],
        auto: NONE,
        new_text: "It is on its way, rpx5ksc6yh3yoaatcc.\n\nTomorrow.",
        tokens: &[REQUEST, ANSWER],
        new_tokens: &[ANSWER],
    },
    Expected {
        name: "latin1-8bit",
        from: "agent2@desk.example",
        in_reply_to: &[],
        references: &[],
        auto: NONE,
        new_text: "Grüße aus Köln, rpx5ksc6yh3yoaatcc",
        tokens: &[REQUEST, ANSWER],
        new_tokens: &[ANSWER, REQUEST],
    },
    Expected {
        name: "broken-mime",
        from: "agent1@desk.example",
        in_reply_to: &[],
        references: &[OWN, "RT-Ticket-2@desk.example"],
        auto: NONE,
        new_text: "!!! It is on its way, rpx5ksc6yh3yoaatcc. !!!",
        tokens: &[REQUEST, ANSWER],
        new_tokens: &[ANSWER, REQUEST],
    },
    Expected {
        name: "html-only-with-files",
        from: "agent1@desk.example",
        in_reply_to: &[],
        references: &[],
        auto: NONE,
        new_text: "Please rate us: rate",
        tokens: &[ANSWER],
        new_tokens: &[],
    },
    Expected {
        name: "vacation-reply",
        from: "agent1@desk.example",
        in_reply_to: &[OWN],
        references: &[],
        auto: (Some("auto-replied"), None, &["return-path"]),
        new_text: "I am away until 5.1.27. For urgent matters: agent2@desk.example",
        tokens: &[REQUEST],
        new_tokens: &[REQUEST],
    },
    Expected {
        name: "dsn-postfix-5.1.1",
        from: "MAILER-DAEMON@mx.provider.example",
        in_reply_to: &[],
        references: &[],
        auto: (Some("auto-replied"), None, &["return-path"]),
        new_text: "This is the mail system at host mx.provider.example.\n\nI'm sorry to have to inform you that your message could not\n\
                   be delivered to one or more recipients.\n\n<billing@desk.example>: host mx.desk.example[192.0.2.7] said: 550 5.1.1\n    \
                   <billing@desk.example>: Recipient address rejected (in reply to RCPT TO)",
        tokens: &[REQUEST],
        new_tokens: &[],
    },
];

#[test]
fn every_shape_of_mail_is_read_as_a_person_reads_it() {
    for expected in &TABLE {
        let mail = read(expected.name);
        let name = expected.name;
        assert_eq!(mail.from, expected.from, "{name}");
        assert_eq!(mail.in_reply_to, expected.in_reply_to, "{name}");
        assert_eq!(mail.references, expected.references, "{name}");
        let (auto_submitted, precedence, others) = expected.auto;
        assert_eq!(mail.auto.auto_submitted.as_deref(), auto_submitted, "{name}");
        assert_eq!(mail.auto.precedence.as_deref(), precedence, "{name}");
        assert_eq!(mail.auto.others, others, "{name}");
        assert_eq!(mail.new_text, expected.new_text, "{name}");
        let texts = |tokens: &[replypath::model::Token]| tokens.iter().map(|t| t.0.clone()).collect::<Vec<_>>();
        assert_eq!(texts(&mail.tokens), expected.tokens, "{name}");
        assert_eq!(texts(&mail.new_tokens), expected.new_tokens, "{name}");
        assert_eq!(mail.bounce.is_some(), name.starts_with("dsn"), "{name}");
        assert!(mail.size > 0 && mail.sha256.len() == 64 && !mail.headers.is_empty(), "{name}");
    }
}

#[test]
fn names_subjects_dates_and_ids_are_decoded() {
    let mail = read("rt-agent-reply");
    assert_eq!((mail.from_name.as_str(), mail.reply_to[0].as_str()), ("Agent One via RT", "support@desk.example"));
    assert_eq!(mail.subject, format!("[desk.example #2] Parcel lost {REQUEST}"));
    assert_eq!(mail.date, Some("2026-11-25T09:05:04Z".parse().unwrap()));
    assert_eq!(mail.message_id.as_deref(), Some("rt-5.0.3-9838-1795334779-656.2-5-0@desk.example"));
    assert_eq!(read("django-autoreply").subject, format!("[support-1] Parcel lost {REQUEST} (Opened)"));
    assert_eq!(read("encoded-auto-submitted").subject, "Support Ticket Opened [#693919]");
    assert_eq!(read("ack-own-message-id").message_id.as_deref(), Some(OWN));
    let broken = read("broken-mime");
    assert_eq!((broken.message_id.as_deref(), broken.date, broken.to.len()), (Some("broken@desk.example"), None, 0));
    let encoded = read("encoded-auto-submitted");
    let value = |name: &str| encoded.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    assert_eq!((value("Auto-Submitted"), value("To")), (Some("auto-replied"), Some("Alice Ärcher <alice@customers.example>")));
}

#[test]
fn links_stay_in_the_html_and_files_are_told_by_their_bytes() {
    let mail = read("html-only-with-files");
    assert!(mail.html.as_deref().is_some_and(|h| h.contains("https://desk.example/rate?t=")));
    let seen: Vec<_> = mail.attachments.iter().map(|a| (a.name.as_str(), a.content_type.as_str(), a.size)).collect();
    assert_eq!(seen[0], ("logo.png", "image/png", Some(8)));
    assert_eq!(seen[1], ("nöte.txt", "text/plain", Some(10)));
    assert_eq!((seen[2].1, seen.len()), ("message/rfc822", 3));
    let hash = ring::digest::digest(&ring::digest::SHA256, "grün\nline".as_bytes());
    let hash: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(mail.attachments[1].sha256.as_deref(), Some(hash.as_str()));
    assert_eq!(read("broken-mime").attachments.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["nöte.txt"]);
}

#[test]
fn bounces_say_who_what_and_which_mail() {
    let bounce = |name: &str| read(name).bounce.unwrap_or_else(|| panic!("{name} is a bounce"));
    let expected = |action, status: &str, recipient: &str, diagnostic: Option<&str>, mta: Option<&str>| Bounce {
        action,
        status: (!status.is_empty()).then(|| status.to_owned()),
        recipient: Some(recipient.to_owned()),
        diagnostic: diagnostic.map(str::to_owned),
        reporting_mta: mta.map(str::to_owned),
        original_message_id: Some(OWN.to_owned()),
    };
    let mx = Some("mx.provider.example");
    let (failed, delayed, billing) = (BounceAction::Failed, BounceAction::Delayed, "billing@desk.example");
    let diagnostic = Some("550 5.1.1 <billing@desk.example>: Recipient address rejected");
    assert_eq!(bounce("dsn-postfix-5.1.1"), expected(failed, "5.1.1", billing, diagnostic, mx));
    let diagnostic = Some("connect to mx.desk.example[192.0.2.7]:25: Connection timed out");
    assert_eq!(bounce("dsn-delayed"), expected(delayed, "4.4.1", "support@desk.example", diagnostic, mx));
    assert_eq!(bounce("dsn-two-recipients"), expected(failed, "5.2.2", billing, None, mx));
    let diagnostic = Some("Remote host said: 550 5.1.1 no such recipient");
    assert_eq!(bounce("bounce-qmail"), expected(failed, "5.1.1", billing, diagnostic, None));
    assert_eq!(bounce("bounce-exim"), expected(failed, "", billing, Some("550 no such recipient"), None));
    for name in ["dsn-postfix-5.1.1", "dsn-delayed", "dsn-two-recipients"] {
        assert!(read(name).attachments.is_empty(), "{name}");
    }
}

#[test]
fn a_returned_mail_is_found_by_its_token_though_its_message_id_was_changed() {
    for name in ["dsn-postfix-5.1.1", "dsn-delayed", "bounce-qmail", "bounce-exim"] {
        assert_eq!(read(name).tokens.iter().map(|t| t.0.as_str()).collect::<Vec<_>>(), [REQUEST], "{name}");
    }
}
