//! A look into a mailbox with plain IMAP lines; shares nothing with the product.

use crate::stack::Stack;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// One message as it lies in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its UID.
    pub uid: u32,
    /// Its flags, sorted, without `\Recent`.
    pub flags: Vec<String>,
    /// The message.
    pub text: String,
}

impl Letter {
    /// The first header of that name, unfolded and with encoded words decoded.
    pub fn header(&self, name: &str) -> Option<String> {
        let parsed = mail_parser::MessageParser::default().parse(self.text.as_bytes())?;
        if name.eq_ignore_ascii_case("subject") {
            return parsed.subject().map(str::to_owned);
        }
        parsed.header_raw(name).map(|v| v.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// A signed-in session.
pub struct Mailbox {
    stream: BufReader<TcpStream>,
    tag: u32,
}

impl Mailbox {
    /// Signs in on the plain port of the server that has the address.
    pub fn open(stack: &Stack, address: &str) -> Mailbox {
        let port = stack.port(if address.ends_with("@letters.test") { "IMAP2" } else { "IMAP" });
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the IMAP server");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
        let mut mailbox = Mailbox { stream: BufReader::new(stream), tag: 0 };
        mailbox.line();
        mailbox.ask(&format!("LOGIN {address} secret"));
        mailbox
    }

    fn line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).expect("an answer of the IMAP server");
        assert!(!line.is_empty(), "the IMAP server hung up");
        while let Some(size) = literal(&line) {
            let mut bytes = vec![0; size];
            self.stream.read_exact(&mut bytes).expect("a literal");
            line.extend_from_slice(&bytes);
            self.stream.read_until(b'\n', &mut line).expect("the rest of the line");
        }
        line
    }

    /// Sends one command and gives its untagged answers.
    pub fn ask(&mut self, command: &str) -> Vec<Vec<u8>> {
        self.tag += 1;
        let tag = format!("t{} ", self.tag);
        self.stream.get_mut().write_all(format!("{tag}{command}\r\n").as_bytes()).expect("the IMAP server listens");
        let mut answers = Vec::new();
        loop {
            let line = self.line();
            if line.starts_with(tag.as_bytes()) {
                let text = String::from_utf8_lossy(&line).into_owned();
                assert!(text[tag.len()..].starts_with("OK"), "{command}: {text}");
                return answers;
            }
            answers.push(line);
        }
    }

    /// Every message of a folder; looks without leaving a mark.
    pub fn letters(&mut self, folder: &str) -> Vec<Letter> {
        self.ask(&format!("EXAMINE {folder}"));
        let answers = self.ask("UID FETCH 1:* (FLAGS BODY.PEEK[])");
        answers.iter().filter_map(|a| letter(a)).collect()
    }

    /// The folder's size.
    pub fn count(&mut self, folder: &str) -> usize {
        let answers = self.ask(&format!("STATUS {folder} (MESSAGES)"));
        let text = String::from_utf8_lossy(&answers.concat()).into_owned();
        let rest = text.split("MESSAGES ").nth(1).expect("a count");
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
    }
}

/// The folders of every customer.
pub const FOLDERS: [&str; 4] = ["INBOX", "Sent", "Junk", "Trash"];

/// Every message of every folder, with the folder's name.
pub fn everything(stack: &Stack, address: &str) -> Vec<(&'static str, Letter)> {
    let mut mailbox = Mailbox::open(stack, address);
    FOLDERS.into_iter().flat_map(|f| mailbox.letters(f).into_iter().map(move |l| (f, l))).collect()
}

/// The size that a line announces at its end, as in `{123}`.
fn literal(line: &[u8]) -> Option<usize> {
    let end = line.strip_suffix(b"}\r\n")?;
    let open = end.iter().rposition(|b| *b == b'{')?;
    std::str::from_utf8(&end[open + 1..]).ok()?.parse().ok()
}

fn letter(answer: &[u8]) -> Option<Letter> {
    let text = String::from_utf8_lossy(answer);
    if !text.contains(" FETCH ") {
        return None;
    }
    let uid = text.split("UID ").nth(1)?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    let flags = text.split("FLAGS (").nth(1)?.split(')').next()?;
    let mut flags: Vec<String> = flags.split_whitespace().filter(|f| *f != "\\Recent").map(str::to_owned).collect();
    flags.sort();
    let head = answer.iter().position(|b| *b == b'\n')?;
    let size = literal(&answer[..=head])?;
    let body = answer.get(head + 1..head + 1 + size)?;
    Some(Letter { uid, flags, text: String::from_utf8_lossy(body).into_owned() })
}
