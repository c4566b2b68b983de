//! Sends mail with plain SMTP lines, as a customer through the provider or as a stranger; shares nothing with the product.

use crate::stack::Stack;
use base64::Engine as _;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A session in which mail can be sent.
pub struct Sender {
    stream: BufReader<Box<dyn Stream>>,
}

impl Sender {
    /// The customer's way: signed in at the provider, over TLS.
    pub fn customer(stack: &Stack, address: &str) -> Sender {
        let roots = [CertificateDer::from_pem_file(stack.word("CA")).expect("the stack's CA")];
        let mut store = rustls::RootCertStore::empty();
        store.add_parsable_certificates(roots);
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_root_certificates(store)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = rustls::ClientConnection::new(Arc::new(config), name).expect("TLS");
        let mut sender = Sender::over(Box::new(rustls::StreamOwned::new(tls, connect(stack.port("SUBMISSIONS")))));
        let secret = base64::engine::general_purpose::STANDARD.encode(format!("\0{address}\0secret"));
        sender.ask(&format!("AUTH PLAIN {secret}"), "235");
        sender
    }

    /// A stranger's way: the provider's mail exchange.
    pub fn stranger(stack: &Stack) -> Sender {
        Sender::over(Box::new(connect(stack.port("PROVIDER_MX"))))
    }

    fn over(stream: Box<dyn Stream>) -> Sender {
        let mut sender = Sender { stream: BufReader::new(stream) };
        sender.answer("220");
        sender.ask("EHLO client.test", "250");
        sender
    }

    fn ask(&mut self, line: &str, code: &str) {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("the SMTP server listens");
        self.answer(code);
    }

    fn answer(&mut self, code: &str) {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("an answer of the SMTP server");
            assert!(line.starts_with(code), "expected {code}, got {line:?}");
            if line.as_bytes().get(3) != Some(&b'-') {
                return;
            }
        }
    }

    /// Sends one message (`\n` line ends; no line begins with a dot).
    pub fn send(&mut self, from: &str, to: &str, message: &str) {
        self.ask(&format!("MAIL FROM:<{from}>"), "250");
        self.ask(&format!("RCPT TO:<{to}>"), "250");
        self.ask("DATA", "354");
        self.ask(&format!("{}\r\n.", message.replace('\n', "\r\n")), "250");
    }
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the SMTP server");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    stream
}
