//! The stream under the package `imap`: TCP or TLS that never waits without a limit and that another thread can wake.
//!
//! The package itself waits for ever on a silent server, reads lines of any length and holds what it
//! read too far ahead in a buffer of its own. So the socket here is non-blocking and every wait is a
//! poll with a deadline; answers have a byte budget; and a read never hands out more than one line,
//! which lets [`Wire::read_line`] and the package take turns on one connection.

use super::imap_lines::Lines;
pub use super::imap_poll::{Limits, Poller};
use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};
use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

const BUFFER: usize = 4 * 1024;
const STATUS_LINE: usize = 512;

/// The non-blocking socket made blocking, with deadlines.
#[derive(Debug)]
struct Pipe {
    tcp: mio::net::TcpStream,
    poller: Rc<RefCell<Poller>>,
    silence: Duration,
    write: Duration,
    deadline: Instant,
    wakeable: bool,
}

impl Pipe {
    fn wait(&mut self, limit: Instant) -> io::Result<()> {
        let mut poller = self.poller.borrow_mut();
        if self.wakeable && poller.is_woken() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let left = limit.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(ErrorKind::TimedOut, "the server did not answer in time"));
        }
        poller.wait(left)
    }
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // An IDLE may be silent for as long as it lasts; everything else may not.
        let limit = if self.wakeable { self.deadline } else { self.deadline.min(Instant::now() + self.silence) };
        loop {
            // A server that talks without a pause never lets us wait, and must not outrun the limit.
            if Instant::now() >= self.deadline {
                return Err(io::Error::new(ErrorKind::TimedOut, "the server did not answer in time"));
            }
            match self.tcp.read(buf) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.wait(limit)?,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let limit = Instant::now() + self.write;
        let wakeable = std::mem::replace(&mut self.wakeable, false);
        let result = loop {
            match self.tcp.write(buf) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    if let Err(e) = self.wait(limit) {
                        break Err(e);
                    }
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.wakeable = wakeable;
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Channel {
    Plain(Pipe),
    Tls(Box<StreamOwned<ClientConnection, Pipe>>),
    Gone,
}

impl Channel {
    fn pipe(&mut self) -> io::Result<&mut Pipe> {
        match self {
            Channel::Plain(pipe) => Ok(pipe),
            Channel::Tls(tls) => Ok(&mut tls.sock),
            Channel::Gone => Err(ErrorKind::NotConnected.into()),
        }
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Channel::Plain(pipe) => pipe.read(buf),
            Channel::Tls(tls) => tls.read(buf),
            Channel::Gone => Err(ErrorKind::NotConnected.into()),
        }
    }

    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Channel::Plain(pipe) => pipe.write(buf),
            Channel::Tls(tls) => tls.write(buf),
            Channel::Gone => Err(ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Channel::Tls(tls) => tls.flush(),
            _ => Ok(()),
        }
    }
}

struct Inner {
    channel: Channel,
    limits: Limits,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    received: usize,
    lines: Lines,
    line: Vec<u8>,
    status: Vec<u8>,
}

/// One end of a reading by [`Wire::read_line`].
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A whole line without its line end.
    Text(String),
    /// The time was over; a half line is kept for the next reading.
    TimedOut,
    /// Another thread wants something.
    Woken,
}

/// A connection to a mail server; clones share it. Belongs to one thread.
#[derive(Clone)]
pub struct Wire(Rc<RefCell<Inner>>);

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    /// Connects to the first address that answers.
    ///
    /// # Errors
    /// The last address's error, or the operating system's.
    pub fn connect(addresses: &[SocketAddr], poller: &Rc<RefCell<Poller>>, limits: &Limits) -> io::Result<Wire> {
        let end = Instant::now() + limits.connect;
        let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
        for address in addresses {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match TcpStream::connect_timeout(address, left) {
                Ok(tcp) => return Wire::over(tcp, poller, limits),
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    fn over(tcp: TcpStream, poller: &Rc<RefCell<Poller>>, limits: &Limits) -> io::Result<Wire> {
        tcp.set_nodelay(true)?;
        tcp.set_nonblocking(true)?;
        let mut tcp = mio::net::TcpStream::from_std(tcp);
        poller.borrow().register(&mut tcp)?;
        let pipe = Pipe {
            tcp,
            poller: Rc::clone(poller),
            silence: limits.silence,
            write: limits.write,
            deadline: Instant::now() + limits.response,
            wakeable: false,
        };
        Ok(Wire(Rc::new(RefCell::new(Inner {
            channel: Channel::Plain(pipe),
            limits: limits.clone(),
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
            received: 0,
            lines: Lines::default(),
            line: Vec::new(),
            status: Vec::new(),
        }))))
    }

    /// Does the TLS handshake. Returns the protocol version, for people.
    ///
    /// # Errors
    /// A `rustls::Error` inside an `io::Error`, a time-out, or `InvalidData` when the server sent
    /// something before the handshake: injected plain text must not pass for protected answers.
    pub fn start_tls(&self, config: Arc<ClientConfig>, name: ServerName<'static>) -> io::Result<String> {
        let mut inner = self.0.borrow_mut();
        if inner.start != inner.end || !inner.line.is_empty() {
            return Err(io::Error::new(ErrorKind::InvalidData, "the server sent plain text after its answer to STARTTLS"));
        }
        let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let Channel::Plain(mut pipe) = std::mem::replace(&mut inner.channel, Channel::Gone) else {
            return Err(ErrorKind::NotConnected.into());
        };
        pipe.deadline = Instant::now() + inner.limits.response;
        while tls.is_handshaking() {
            tls.complete_io(&mut pipe)?;
        }
        let version = match tls.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS",
        };
        inner.channel = Channel::Tls(Box::new(StreamOwned::new(tls, pipe)));
        Ok(version.to_owned())
    }

    /// Sends one line.
    ///
    /// # Errors
    /// What the socket says, or a time-out.
    pub fn send(&self, line: &str) -> io::Result<()> {
        let mut inner = self.0.borrow_mut();
        inner.begin_answer()?;
        let bytes = format!("{line}\r\n").into_bytes();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            match inner.channel.write(rest)? {
                0 => return Err(ErrorKind::WriteZero.into()),
                n => rest = &rest[n..],
            }
        }
        inner.channel.flush()
    }

    /// Reads a line until `deadline`; with `wakeable` also until another thread calls.
    ///
    /// # Errors
    /// `UnexpectedEof` when the server hung up, `InvalidData` for a line beyond 64 KiB, else the socket's.
    pub fn read_line(&self, deadline: Instant, wakeable: bool) -> io::Result<Line> {
        let mut inner = self.0.borrow_mut();
        let pipe = inner.channel.pipe()?;
        pipe.deadline = deadline;
        pipe.wakeable = wakeable;
        let result = inner.collect_line();
        let limit = Instant::now() + inner.limits.response;
        let pipe = inner.channel.pipe()?;
        pipe.wakeable = false;
        pipe.deadline = limit;
        match result {
            Ok(text) => Ok(Line::Text(text)),
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(Line::Woken),
            Err(e) if e.kind() == ErrorKind::TimedOut => Ok(Line::TimedOut),
            Err(e) => Err(e),
        }
    }

    /// The last tagged NO or BAD or untagged BYE, without tag and line end; empty when there was none.
    /// The package drops response codes that it does not know (RFC 5530).
    pub fn last_status(&self) -> String {
        let inner = self.0.borrow();
        let text = String::from_utf8_lossy(&inner.status);
        let text = text.trim();
        let from = text.find(' ').map_or(0, |i| i + 1);
        text[from..].to_owned()
    }

    /// The limits of this connection.
    pub fn limits(&self) -> Limits {
        self.0.borrow().limits.clone()
    }
}

impl Inner {
    fn begin_answer(&mut self) -> io::Result<()> {
        self.received = 0;
        let limit = Instant::now() + self.limits.response;
        self.channel.pipe()?.deadline = limit;
        Ok(())
    }

    /// Makes sure that the buffer holds something; false at the end of the stream.
    fn fill(&mut self) -> io::Result<bool> {
        if self.start == self.end {
            let n = self.channel.read(&mut self.buffer)?;
            self.start = 0;
            self.end = n;
        }
        Ok(self.start != self.end)
    }

    fn take(&mut self, most: usize) -> &[u8] {
        let ready = &self.buffer[self.start..self.end];
        let ready = &ready[..ready.len().min(most)];
        let n = ready.iter().position(|b| *b == b'\n').map_or(ready.len(), |i| i + 1);
        let from = self.start;
        self.start += n;
        &self.buffer[from..from + n]
    }

    fn collect_line(&mut self) -> io::Result<String> {
        loop {
            if !self.fill()? {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed the connection"));
            }
            let piece = self.take(BUFFER).to_vec();
            self.line.extend_from_slice(&piece);
            if self.line.ends_with(b"\n") {
                let text = String::from_utf8_lossy(&self.line).trim_end_matches(['\r', '\n']).to_owned();
                self.line = Vec::new();
                return Ok(text);
            }
            if self.line.len() > 64 * 1024 {
                return Err(io::Error::new(ErrorKind::InvalidData, "the server sent a line without end"));
            }
        }
    }

    fn note_status(&mut self, out: &[u8]) {
        let wanted = match out {
            [b'a', d, ..] if d.is_ascii_digit() => {
                let rest = out.splitn(3, |b| *b == b' ').nth(1).unwrap_or_default();
                rest.eq_ignore_ascii_case(b"NO") || rest.eq_ignore_ascii_case(b"BAD")
            }
            _ => out.len() > 5 && out[..5].eq_ignore_ascii_case(b"* BYE"),
        };
        if wanted {
            self.status = out[..out.len().min(STATUS_LINE)].to_vec();
        }
    }
}

impl Read for Wire {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.0.borrow_mut();
        if out.is_empty() || !inner.fill()? {
            return Ok(0);
        }
        let most = inner.lines.most(out.len());
        let piece = inner.take(most);
        let n = piece.len();
        out[..n].copy_from_slice(piece);
        inner.received += n;
        let Some(allowed) = inner.limits.response_bytes.checked_sub(inner.received) else {
            return Err(io::Error::new(ErrorKind::InvalidData, "the server's answer is larger than any mailbox needs"));
        };
        let starts = inner.lines.at_start();
        inner.lines.pass(&mut out[..n], allowed)?;
        if starts {
            inner.note_status(&out[..n]);
        }
        Ok(n)
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.borrow_mut();
        inner.begin_answer()?;
        inner.channel.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().channel.flush()
    }
}
