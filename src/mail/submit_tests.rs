//! Submission against servers that are silent, rude, greedy or broken.

use super::*;
use crate::model::{AuthMethod, Budget, MailboxSettings, ServerSettings};
use jiff::Timestamp;
use secrecy::SecretString;
use std::collections::HashMap;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::Notify;

const SECRET: &str = "correct-horse-battery";
const SILENT: &str = "(silent)";
const CLOSE: &str = "(close)";
const ENDLESS: &str = "(endless)";
/// Asks for the data and then does not read it.
const DEAF: &str = "354 (deaf)";

/// A server that answers each command as told and keeps what it got.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    /// Wakes whoever waits for the server to fall silent.
    silent: Arc<Notify>,
}

impl Server {
    /// `replies`: by verb (`GREETING`, `EHLO`, `AUTH`, …; `DOT` is the end of the data); the rest is healthy.
    async fn start(replies: &[(&'static str, &'static str)]) -> Server {
        Server::start_tls(replies, TlsMode::None).await
    }

    async fn start_tls(replies: &[(&'static str, &'static str)], tls: TlsMode) -> Server {
        let mut table: HashMap<&'static str, &'static str> = HashMap::from([
            ("GREETING", "220 mx.provider.example"),
            ("EHLO", "250-mx.provider.example\r\n250-SIZE 10240000\r\n250-AUTH PLAIN LOGIN XOAUTH2\r\n250 8BITMIME"),
            ("AUTH", "235 2.7.0 welcome"),
            ("MAIL", "250 2.1.0 ok"),
            ("RCPT", "250 2.1.5 ok"),
            ("DATA", "354 go on"),
            ("DOT", "250 2.0.0 queued as 4711"),
            ("RSET", "250 2.0.0 ok"),
            ("QUIT", "221 2.0.0 bye"),
        ]);
        table.extend(replies.iter().copied());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Server { port, seen: Arc::default(), silent: Arc::default() };
        let (seen, silent) = (server.seen.clone(), server.silent.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                seen.lock().unwrap().push("(connected)".to_owned());
                let (table, seen, silent) = (table.clone(), seen.clone(), silent.clone());
                tokio::spawn(async move {
                    let stream: Box<dyn Stream> = match tls {
                        TlsMode::Implicit => match acceptor().accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            Err(_) => return,
                        },
                        _ => Box::new(stream),
                    };
                    serve(stream, table, seen, silent).await;
                });
            }
        });
        server
    }

    fn seen(&self, verb: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|c| c.starts_with(verb)).count()
    }

    fn submission(&self) -> SmtpSubmission {
        self.submission_with(|_| {})
    }

    fn submission_with(&self, change: impl FnOnce(&mut SubmissionSettings)) -> SmtpSubmission {
        let server = ServerSettings {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            tls: TlsMode::None,
            ca: None,
            tls_name: None,
            user: "alice@customers.example".to_owned(),
            password: SecretString::from(SECRET),
            auth: AuthMethod::Plain,
        };
        let mut submission = SubmissionSettings { server: server.clone(), timeout: Duration::from_secs(20) };
        change(&mut submission);
        let account = Account {
            name: "alice".to_owned(),
            address: "alice@customers.example".to_owned(),
            display_name: "Alice Archer".to_owned(),
            aliases: Vec::new(),
            mailbox: MailboxSettings { server, poll: Duration::from_secs(30), junk_poll: Duration::from_secs(60) },
            submission,
            budget: Budget::default(),
        };
        SmtpSubmission::new(&BTreeMap::from([("alice".to_owned(), account)]))
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn serve(stream: Box<dyn Stream>, table: HashMap<&'static str, &'static str>, seen: Arc<Mutex<Vec<String>>>, silent: Arc<Notify>) {
    let mut stream = BufReader::new(stream);
    let mut verb = "GREETING".to_owned();
    loop {
        let reply = table.get(verb.as_str()).copied().unwrap_or("500 5.5.1 unknown command");
        match reply {
            SILENT => {
                silent.notify_one();
                // Until the client goes away.
                let _ = stream.read_to_end(&mut Vec::new()).await;
                return;
            }
            CLOSE => return,
            ENDLESS => {
                let _ = stream.write_all(b"250-").await;
                while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                return;
            }
            _ => {
                if stream.write_all(format!("{reply}\r\n").as_bytes()).await.is_err() {
                    return;
                }
            }
        }
        if verb == "STARTTLS" && reply.starts_with("220") {
            let Ok(secured) = acceptor().accept(stream.into_inner()).await else { return };
            stream = BufReader::new(Box::new(secured));
        }
        if reply == DEAF {
            silent.notify_one();
            std::future::pending::<()>().await;
        }
        let mut line = String::new();
        if verb == "DATA" && reply.starts_with("354") {
            while !line.ends_with("\r\n.\r\n") {
                if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            seen.lock().unwrap().push(format!("DOT {line}"));
            verb = "DOT".to_owned();
            continue;
        }
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        seen.lock().unwrap().push(line.trim_end().to_owned());
        verb = line.split([' ', '\r']).next().unwrap_or_default().to_owned();
    }
}

fn mail() -> OutgoingMail {
    OutgoingMail {
        from: "alice@customers.example".to_owned(),
        from_name: "Alice Archer".to_owned(),
        to: vec!["help@desk.example".to_owned()],
        cc: Vec::new(),
        bcc: vec!["hidden@desk.example".to_owned()],
        subject: "Parcel lost".to_owned(),
        text: "Hello,\n.\n..my parcel is lost.\n".to_owned(),
        html: None,
        attachments: Vec::new(),
        message_id: "1@customers.example".to_owned(),
        in_reply_to: None,
        references: Vec::new(),
        date: Timestamp::UNIX_EPOCH,
        encoding: crate::model::MailEncoding::Utf8,
        automatic: false,
    }
}

/// Hands one mail in, in at most 20 s.
async fn try_once(replies: &[(&'static str, &'static str)]) -> Result<Submitted, Trouble> {
    Server::start(replies).await.submission().submit("alice", &mail()).await
}

/// Hands one mail in; time is over when the server has fallen silent.
async fn until_silent(server: &Server) -> Result<Submitted, Trouble> {
    let pool = server.submission().pool("alice").unwrap();
    pool.hand_in(&pack(&mail()).unwrap(), server.silent.notified()).await
}

#[tokio::test]
async fn an_accepted_mail_has_the_servers_line_and_hidden_recipients_get_it_too() {
    let server = Server::start(&[]).await;
    let submitted = server.submission().submit("alice", &mail()).await.unwrap();
    assert_eq!(submitted, Submitted::Accepted("250 2.0.0 queued as 4711".to_owned()));
    assert_eq!(server.seen("RCPT TO:<help@desk.example>"), 1);
    assert_eq!(server.seen("RCPT TO:<hidden@desk.example>"), 1);
    let seen = server.seen.lock().unwrap().clone();
    let data = seen.iter().find(|c| c.starts_with("DOT ")).unwrap();
    assert!(data.ends_with("Hello,\r\n..\r\n...my parcel is lost.\r\n.\r\n"), "{data}");
    assert!(!data.contains("hidden"));
}

#[tokio::test]
async fn a_connection_is_kept_and_used_again() {
    let server = Server::start(&[]).await;
    let submission = server.submission();
    for _ in 0..3 {
        assert!(matches!(submission.submit("alice", &mail()).await, Ok(Submitted::Accepted(_))));
    }
    assert_eq!((server.seen("(connected)"), server.seen("RSET"), server.seen("DOT")), (1, 2, 3));
}

#[tokio::test]
async fn a_kept_connection_that_has_died_is_replaced() {
    for reply in [CLOSE, "421 4.4.2 idle for too long"] {
        let server = Server::start(&[("RSET", reply)]).await;
        let submission = server.submission();
        for _ in 0..2 {
            assert!(matches!(submission.submit("alice", &mail()).await, Ok(Submitted::Accepted(_))));
        }
        assert_eq!((server.seen("(connected)"), server.seen("DOT")), (2, 2));
    }
}

#[tokio::test]
async fn many_at_once_share_four_connections() {
    let server = Server::start(&[]).await;
    let submission = Arc::new(server.submission());
    let sends: Vec<_> = (0..24)
        .map(|_| {
            let submission = submission.clone();
            tokio::spawn(async move { submission.submit("alice", &mail()).await })
        })
        .collect();
    for send in sends {
        assert!(matches!(send.await.unwrap(), Ok(Submitted::Accepted(_))));
    }
    assert_eq!(server.seen("DOT"), 24);
    assert!(server.seen("(connected)") <= AT_ONCE, "{}", server.seen("(connected)"));
}

#[tokio::test]
async fn a_server_silent_after_connect_ends_in_time_and_nothing_was_sent() {
    let server = Server::start(&[("GREETING", SILENT)]).await;
    let submission = server.submission_with(|s| s.timeout = Duration::from_secs(1));
    let trouble = submission.submit("alice", &mail()).await.unwrap_err();
    assert_eq!((trouble.class, trouble.fault), (ResultClass::Unavailable, "submission-unavailable"));
    let trouble = submission.doctor("alice").await.unwrap_err();
    assert_eq!(trouble.fault, "submission-unavailable");
}

#[tokio::test]
async fn silence_before_the_end_of_the_data_is_nothing_sent_and_after_it_uncertain() {
    for verb in ["EHLO", "AUTH", "MAIL", "RCPT", "DATA"] {
        let server = Server::start(&[(verb, SILENT)]).await;
        let trouble = until_silent(&server).await.unwrap_err();
        assert_eq!(trouble.fault, "submission-unavailable", "{verb}");
        assert_eq!(server.seen("DOT"), 0, "{verb}");
    }
    let server = Server::start(&[("DOT", SILENT)]).await;
    assert!(matches!(until_silent(&server).await, Ok(Submitted::Uncertain(_))));
    assert_eq!(server.seen("DOT"), 1);
}

#[tokio::test]
async fn a_server_that_does_not_read_the_data_has_not_got_its_end() {
    let server = Server::start(&[("DATA", DEAF)]).await;
    // More than the sockets' buffers take.
    let file = crate::model::OutgoingAttachment {
        name: "big.bin".to_owned(),
        content_type: "application/octet-stream".to_owned(),
        bytes: vec![b'x'; 24_000_000],
    };
    let parcel = pack(&OutgoingMail { attachments: vec![file], ..mail() }).unwrap();
    let pool = server.submission().pool("alice").unwrap();
    let trouble = pool.hand_in(&parcel, server.silent.notified()).await.unwrap_err();
    assert!(trouble.message.contains("nothing was sent"), "{}", trouble.message);
}

#[tokio::test]
async fn a_connection_closed_before_the_end_of_the_data_is_nothing_sent_and_after_it_uncertain() {
    for verb in ["GREETING", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"] {
        let trouble = try_once(&[(verb, CLOSE)]).await.unwrap_err();
        assert_eq!((trouble.class, trouble.fault), (ResultClass::Unavailable, "submission-unavailable"), "{verb}");
    }
    assert!(matches!(try_once(&[("DOT", CLOSE)]).await, Ok(Submitted::Uncertain(_))));
    assert!(matches!(try_once(&[("DOT", "what?")]).await, Ok(Submitted::Uncertain(_))));
    assert!(matches!(try_once(&[("DOT", "354 go on")]).await, Ok(Submitted::Uncertain(_))));
}

#[tokio::test]
async fn an_endless_line_ends_the_connection_not_the_memory() {
    for verb in ["GREETING", "EHLO", "RCPT"] {
        let trouble = try_once(&[(verb, ENDLESS)]).await.unwrap_err();
        assert!(trouble.message.contains("does not end"), "{}", trouble.message);
    }
    assert!(matches!(try_once(&[("DOT", ENDLESS)]).await, Ok(Submitted::Uncertain(_))));
}

#[tokio::test]
async fn refusals_of_the_connection_are_told_from_refusals_of_the_login() {
    let table = [
        ("GREETING", "421 4.3.2 too busy", ResultClass::Unavailable, "submission-unavailable"),
        ("GREETING", "554 5.7.1 your address is blocked", ResultClass::Denied, "submission-refused"),
        ("AUTH", "535 5.7.8 authentication failed", ResultClass::Unauthorised, "submission-login-refused"),
        ("AUTH", "454 4.7.0 temporary authentication failure", ResultClass::Unavailable, "submission-unavailable"),
        ("EHLO", "250 mx.provider.example", ResultClass::Unauthorised, "submission-login-refused"),
    ];
    for (verb, reply, class, fault) in table {
        let trouble = try_once(&[(verb, reply)]).await.unwrap_err();
        assert_eq!((trouble.class, trouble.fault), (class, fault), "{reply}");
    }
}

#[tokio::test]
async fn refusals_of_the_message_have_code_status_words_and_fault() {
    let table = [
        ("RCPT", "550 5.1.1 <help@desk.example>: user unknown", "mx-rejects-alias"),
        ("RCPT", "550 no such recipient", "mx-rejects-alias"),
        ("DOT", "550 5.1.1 no such user", "mx-rejects-alias"),
        ("RCPT", "550 5.7.1 relay access denied", "submission-refused"),
        ("RCPT", "550 relay not permitted", "submission-refused"),
        ("MAIL", "550 5.1.8 bad sender", "submission-refused"),
        ("DOT", "554 5.6.0 message rejected", "submission-refused"),
        ("RCPT", "550 5.4.5 Daily user sending limit exceeded", "mon-send-quota"),
        ("MAIL", "550 5.7.1 sending quota reached, try tomorrow", "mon-send-quota"),
        ("DOT", "550-5.7.28 rate limit\r\n550 5.7.28 see help", "mon-send-quota"),
        ("RCPT", "450 4.7.1 rate limit of your account exceeded", "mon-send-quota"),
        ("RCPT", "552 5.2.2 mailbox full, quota exceeded", "mx-rejects-alias"),
    ];
    for (verb, reply, expected) in table {
        let submitted = try_once(&[(verb, reply)]).await.unwrap();
        let Submitted::Refused { code, status, text, fault } = submitted else { panic!("{reply}: {submitted:?}") };
        assert_eq!((fault, code.to_string().as_str()), (expected, &reply[..3]), "{reply}");
        let second = reply[4..].split([' ', '\r']).next().unwrap();
        assert_eq!(status.as_deref(), second.contains('.').then_some(second), "{reply}");
        let last = reply.lines().last().unwrap().rsplit("5.7.28 ").next().unwrap();
        assert!(text.ends_with(last.strip_prefix(&reply[..4]).unwrap_or(last)), "{reply}: {text}");
    }
}

#[tokio::test]
async fn a_4xx_is_for_now_and_the_connection_goes_on() {
    for verb in ["MAIL", "RCPT", "DATA", "DOT"] {
        let server = Server::start(&[(verb, "450 4.2.0 greylisted, come back later")]).await;
        let submission = server.submission();
        for _ in 0..2 {
            let submitted = submission.submit("alice", &mail()).await.unwrap();
            assert_eq!(submitted, Submitted::Deferred { code: 450, text: "4.2.0 greylisted, come back later".to_owned() }, "{verb}");
        }
        assert_eq!(server.seen("(connected)"), 1, "{verb}");
    }
}

#[tokio::test]
async fn a_server_that_repeats_the_login_does_not_bring_the_secret_into_a_message() {
    // The exact lines that lettre and we would send.
    let plain = "535 5.7.8 failed: AUTH PLAIN AGFsaWNlQGN1c3RvbWVycy5leGFtcGxlAGNvcnJlY3QtaG9yc2UtYmF0dGVyeQ== correct-horse-battery";
    let trouble = try_once(&[("AUTH", plain)]).await.unwrap_err();
    assert!(trouble.message.contains("*** ***"), "{}", trouble.message);
    for secret in [SECRET, "AGFsaWNl"] {
        assert!(!format!("{trouble:?}").contains(secret), "{trouble:?}");
    }
}

#[tokio::test]
async fn login_and_xoauth2_are_spoken_to_the_end() {
    let login = Server::start(&[
        ("AUTH", "334 VXNlcm5hbWU6"),
        ("YWxpY2VAY3VzdG9tZXJzLmV4YW1wbGU=", "334 UGFzc3dvcmQ6"),
        ("Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5", "235 2.7.0 ok"),
    ])
    .await;
    let submission = login.submission_with(|s| s.server.auth = AuthMethod::Login);
    assert!(matches!(submission.submit("alice", &mail()).await, Ok(Submitted::Accepted(_))));
    // The refusal is a challenge that wants an empty line.
    let token = Server::start(&[("AUTH", "334 eyJzdGF0dXMiOiI0MDEifQ=="), ("", "535 5.7.8 token expired")]).await;
    let submission = token.submission_with(|s| s.server.auth = AuthMethod::Xoauth2);
    let trouble = submission.submit("alice", &mail()).await.unwrap_err();
    assert_eq!((trouble.class, trouble.fault), (ResultClass::Unauthorised, "submission-login-refused"));
    assert!(trouble.message.contains("token expired"));
}

#[tokio::test]
async fn without_a_user_nobody_signs_in_and_a_server_that_wants_it_is_a_refused_login() {
    let server = Server::start(&[]).await;
    let submission = server.submission_with(|s| s.server.user.clear());
    assert!(matches!(submission.submit("alice", &mail()).await, Ok(Submitted::Accepted(_))));
    assert_eq!(server.seen("AUTH"), 0);
    let server = Server::start(&[("MAIL", "530 5.7.0 authentication required")]).await;
    let submission = server.submission_with(|s| s.server.user.clear());
    assert_eq!(submission.submit("alice", &mail()).await.unwrap_err().fault, "submission-login-refused");
}

#[tokio::test]
async fn a_mail_that_looks_automated_never_reaches_the_server() {
    let server = Server::start(&[]).await;
    let machine = OutgoingMail { subject: "Automatic reply: hello".to_owned(), ..mail() };
    let trouble = server.submission().submit("alice", &machine).await.unwrap_err();
    assert_eq!(trouble.fault, "mon-probe-looks-automated");
    assert_eq!(server.seen("("), 0);
}

#[tokio::test]
async fn every_message_is_checked_before_it_is_sent_also_on_a_kept_connection() {
    let server = Server::start(&[]).await;
    let submission = server.submission();
    assert!(matches!(submission.submit("alice", &mail()).await, Ok(Submitted::Accepted(_))));
    let strange = [
        OutgoingMail { message_id: "1@monitor.local".to_owned(), ..mail() },
        OutgoingMail { from: "no-reply@customers.example".to_owned(), ..mail() },
        OutgoingMail { subject: "Parcel [rp1]".to_owned(), ..mail() },
    ];
    for mail in strange {
        assert_eq!(submission.submit("alice", &mail).await.unwrap_err().fault, "mon-probe-looks-automated");
    }
    assert_eq!((server.seen("MAIL"), server.seen("RSET"), server.seen("DOT")), (1, 0, 1));
}

#[tokio::test]
async fn a_server_that_knows_only_one_way_to_take_a_password_is_given_it_that_way() {
    let login = Server::start(&[
        ("EHLO", "250-mx\r\n250 AUTH LOGIN"),
        ("AUTH", "334 VXNlcm5hbWU6"),
        ("YWxpY2VAY3VzdG9tZXJzLmV4YW1wbGU=", "334 UGFzc3dvcmQ6"),
        ("Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5", "235 2.7.0 ok"),
    ])
    .await;
    assert!(matches!(login.submission().submit("alice", &mail()).await, Ok(Submitted::Accepted(_))));
    let plain = Server::start(&[("EHLO", "250-mx\r\n250 AUTH PLAIN")]).await;
    let submission = plain.submission_with(|s| s.server.auth = AuthMethod::Login);
    assert!(matches!(submission.submit("alice", &mail()).await, Ok(Submitted::Accepted(_))));
    assert_eq!(plain.seen("AUTH PLAIN"), 1);
}

/// The authority of the test server's certificate (valid for 127.0.0.1 and mail.provider.example).
fn authority() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail/tls/ca.pem"))
}

fn acceptor() -> tokio_rustls::TlsAcceptor {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let file = |name: &str| format!("{}/tests/mail/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(file("cert.pem")).unwrap()],
            PrivateKeyDer::from_pem_file(file("key.pem")).unwrap(),
        )
        .unwrap();
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

const STARTTLS: [(&str, &str); 2] = [("EHLO", "250-mx\r\n250-AUTH PLAIN\r\n250 STARTTLS"), ("STARTTLS", "220 2.0.0 go")];

#[tokio::test]
async fn tls_works_from_the_first_byte_and_by_starttls() {
    for (tls, replies) in [(TlsMode::Implicit, &[("GREETING", "220 tls")][..]), (TlsMode::Starttls, &STARTTLS[..])] {
        let server = Server::start_tls(replies, tls).await;
        let submission = server.submission_with(|s| {
            s.server.tls = tls;
            s.server.ca = Some(authority());
        });
        for _ in 0..2 {
            let submitted = submission.submit("alice", &mail()).await;
            assert!(matches!(submitted, Ok(Submitted::Accepted(_))), "{tls:?}: {submitted:?}");
        }
        assert_eq!((server.seen("(connected)"), server.seen("AUTH")), (1, 1));
        let lines = submission.doctor("alice").await.unwrap();
        assert!(lines.iter().any(|l| l.starts_with("certificate valid until 2126-")), "{lines:?}");
    }
}

#[tokio::test]
async fn a_certificate_of_a_stranger_or_for_another_name_ends_before_the_login() {
    for (name, ca, words) in [(None, None, "certificate"), (Some("mail.other.example"), Some(authority()), "certificate")] {
        let server = Server::start_tls(&[], TlsMode::Implicit).await;
        let submission = server.submission_with(|s| {
            s.server.tls = TlsMode::Implicit;
            s.server.tls_name = name.map(str::to_owned);
            s.server.ca = ca;
        });
        let trouble = submission.submit("alice", &mail()).await.unwrap_err();
        assert!(trouble.message.contains(words) || trouble.message.contains("authorities"), "{}", trouble.message);
        assert_eq!((trouble.fault, server.seen("AUTH")), ("submission-unavailable", 0));
    }
    let server = Server::start_tls(&[], TlsMode::Implicit).await;
    let submission = server.submission_with(|s| {
        s.server.tls = TlsMode::Implicit;
        s.server.tls_name = Some("mail.provider.example".to_owned());
        s.server.ca = Some(authority());
    });
    assert!(matches!(submission.submit("alice", &mail()).await, Ok(Submitted::Accepted(_))));
}

#[tokio::test]
async fn starttls_that_is_missing_refused_or_answered_too_much_sends_no_login() {
    let table = [
        (("EHLO", "250 mx"), "offers no STARTTLS"),
        (("STARTTLS", "454 4.7.0 not now"), "454 4.7.0 not now"),
        (("STARTTLS", "220 go\r\n250 slipped in"), "not SMTP"),
        (("GREETING", "421 4.3.2 busy"), "421 4.3.2 busy"),
        (("GREETING", CLOSE), "closed"),
    ];
    for (reply, words) in table {
        let server = Server::start_tls(&[STARTTLS[0], STARTTLS[1], reply], TlsMode::Starttls).await;
        let submission = server.submission_with(|s| {
            s.server.tls = TlsMode::Starttls;
            s.server.ca = Some(authority());
        });
        let trouble = submission.submit("alice", &mail()).await.unwrap_err();
        assert_eq!((trouble.fault, server.seen("AUTH")), ("submission-unavailable", 0));
        assert!(trouble.message.contains(words), "{words}: {}", trouble.message);
    }
}

#[tokio::test]
async fn an_unreadable_authority_file_is_named() {
    let server = Server::start(&[]).await;
    let submission = server.submission_with(|s| {
        s.server.tls = TlsMode::Implicit;
        s.server.ca = Some("/nonexistent/ca.pem".into());
    });
    let trouble = submission.submit("alice", &mail()).await.unwrap_err();
    assert!(trouble.message.contains("/nonexistent/ca.pem"), "{}", trouble.message);
}

#[tokio::test]
async fn doctor_says_what_the_server_can_do_and_sends_nothing() {
    let server = Server::start(&[]).await;
    let lines = server.submission().doctor("alice").await.unwrap();
    let expected = [
        "no encryption",
        "signed in as alice@customers.example",
        "takes messages up to 10240000 bytes",
        "offers AUTH PLAIN LOGIN XOAUTH2",
        "offers 8BITMIME",
    ];
    assert_eq!(lines, expected);
    assert_eq!(server.seen("MAIL"), 0);
    let refused = Server::start(&[("AUTH", "535 5.7.8 no")]).await.submission().doctor("alice").await.unwrap_err();
    assert_eq!(refused.fault, "submission-login-refused");
}

#[tokio::test]
async fn reload_takes_new_accounts_and_forgets_old_ones() {
    let server = Server::start(&[]).await;
    let submission = server.submission();
    submission.reload(&BTreeMap::new());
    assert_eq!(submission.submit("alice", &mail()).await.unwrap_err().fault, "submission-unavailable");
}
