//! An HTTP proxy before a part of the stack that breaks one thing at a time: a field of the page has another name, the
//! submission is answered with 500, is swallowed, loses its file, its answer is held back or cut in the middle, nothing is
//! pushed any more. One request a connection; upgraded connections (WebSocket) are passed on as they are.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What the proxy breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: everything passes.
    None,
    /// In pages, this name of a field is another.
    Renamed(&'static str, &'static str),
    /// Answered with 500 here; never reaches the desk.
    ServerError(At),
    /// Answered with this page here, as if all were well; never reaches the desk.
    Swallowed(At, &'static str),
    /// Answered with this here, after a while, as if nothing had happened since the last time; never reaches the desk.
    Deaf(At, &'static str),
    /// The request passes without the content of its files.
    FilesStripped(At),
    /// The request passes; its answer is held back until something else is broken.
    AnswerHeld(At),
    /// The request passes; of its answer half arrives, then the connection is cut.
    AnswerCut(At),
    /// The request passes and so does the head of the answer; of what follows (pushed lines, frames) nothing arrives.
    Mute(At),
}

/// Requests by method and the start of their path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At(pub &'static str, pub &'static str);

impl At {
    fn fits(self, request: &Request) -> bool {
        request.method == self.0 && request.path.starts_with(self.1)
    }
}

/// A listening proxy; closed when dropped.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    target: u16,
    closed: AtomicBool,
    fault: Mutex<Fault>,
    changed: Condvar,
    /// Method and path of every request, in order.
    seen: Mutex<Vec<String>>,
}

struct Request {
    method: String,
    path: String,
    version: String,
    /// Lines as they came, without the request line.
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Proxy {
    /// A proxy before a loopback port.
    pub fn to(target: u16) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            target,
            closed: AtomicBool::new(false),
            fault: Mutex::new(Fault::None),
            changed: Condvar::new(),
            seen: Mutex::default(),
        });
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.closed.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), state) = (stream, shared.clone()) else { continue };
                // A connection that breaks off is the client's or the desk's business.
                std::thread::spawn(move || drop(state.serve(stream)));
            }
        });
        Proxy { address, state }
    }

    /// Its address as the root of a site.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on this is broken and nothing else.
    pub fn set(&self, fault: Fault) {
        *self.state.fault.lock().expect("no panic") = fault;
        self.state.changed.notify_all();
    }

    /// How often such a request came.
    pub fn count(&self, at: At) -> usize {
        let start = format!("{} {}", at.0, at.1);
        self.state.seen.lock().expect("no panic").iter().filter(|s| s.starts_with(&start)).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Fault::None);
        self.state.closed.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it is closed and goes away.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn serve(&self, near: TcpStream) -> std::io::Result<()> {
        near.set_read_timeout(Some(Duration::from_secs(300)))?;
        let mut reader = BufReader::new(near.try_clone()?);
        let mut request = Request::read(&mut reader)?;
        self.seen.lock().expect("no panic").push(format!("{} {}", request.method, request.path));
        let fault = self.fault.lock().expect("no panic").clone();
        match &fault {
            Fault::ServerError(at) if at.fits(&request) => {
                return answer(near, "500 Internal Server Error", "<h1>Server Error (500)</h1>");
            }
            Fault::Swallowed(at, thanks) if at.fits(&request) => return answer(near, "200 OK", thanks),
            Fault::Deaf(at, nothing) if at.fits(&request) => {
                let held = self.fault.lock().expect("no panic");
                drop(self.changed.wait_timeout_while(held, Duration::from_secs(5), |now| *now == fault));
                return answer(near, "200 OK", nothing);
            }
            Fault::FilesStripped(at) if at.fits(&request) => request.strip_files(),
            // Then the answer is not in chunks.
            Fault::Renamed(..) => request.version = "HTTP/1.0".to_owned(),
            _ => {}
        }
        let mut far = TcpStream::connect(("127.0.0.1", self.target))?;
        far.write_all(&request.head())?;
        far.write_all(&request.body)?;
        if request.upgrades() {
            let far = far.try_clone()?;
            std::thread::spawn(move || drop(copy(reader, far)));
        }
        match fault {
            Fault::Renamed(from, to) => renamed(far, near, from, to),
            Fault::AnswerHeld(at) if at.fits(&request) => {
                let mut whole = Vec::new();
                far.read_to_end(&mut whole)?;
                let held = self.fault.lock().expect("no panic");
                drop(self.changed.wait_while(held, |now| *now == fault));
                finish(near, &whole)
            }
            Fault::AnswerCut(at) if at.fits(&request) => {
                let mut whole = Vec::new();
                far.read_to_end(&mut whole)?;
                finish(near, &whole[..whole.len() / 2])
            }
            Fault::Mute(at) if at.fits(&request) => mute(far, near),
            _ => copy(far, near),
        }
    }
}

impl Request {
    fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Request> {
        let mut line = || -> std::io::Result<String> {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.is_empty() { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(line.trim_end().to_owned()) }
        };
        let first = line()?;
        let mut words = first.split(' ').map(str::to_owned);
        let mut word = || words.next().unwrap_or_default();
        let (method, path, version) = (word(), word(), word());
        let mut headers = Vec::new();
        loop {
            let line = line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut request = Request { method, path, version, headers, body: Vec::new() };
        request.body = match request.header("transfer-encoding") {
            Some(_) => chunks(reader)?,
            None => {
                let mut body = vec![0; request.header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0)];
                reader.read_exact(&mut body)?;
                body
            }
        };
        Ok(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    fn upgrades(&self) -> bool {
        self.header("upgrade").is_some()
    }

    /// The head as it goes on: an answer in one piece, uncompressed, that ends with the connection.
    fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} {}\r\n", self.method, self.path, self.version);
        let own = ["connection", "transfer-encoding", "content-length", "accept-encoding", "keep-alive"];
        for (name, value) in &self.headers {
            if self.upgrades() || !own.iter().any(|o| name.eq_ignore_ascii_case(o)) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        if !self.upgrades() {
            head.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Each part with a file name goes on as a browser sends an input without a file.
    fn strip_files(&mut self) {
        let kind = self.header("content-type").unwrap_or_default();
        let Some(boundary) = kind.split("boundary=").nth(1).map(|b| format!("--{}", b.trim_matches('"'))) else { return };
        let mut out = Vec::new();
        for part in split(&self.body, boundary.as_bytes()) {
            let head = part.windows(4).position(|w| w == b"\r\n\r\n").map(|at| String::from_utf8_lossy(&part[..at]).into_owned());
            match head.and_then(|h| h.contains("filename").then_some(h)) {
                Some(head) => {
                    let name = head.split(" name=\"").nth(1).and_then(|n| n.split('"').next()).unwrap_or_default();
                    let empty = "Content-Type: application/octet-stream";
                    out.extend(
                        format!("\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"\"\r\n{empty}\r\n\r\n\r\n").bytes(),
                    );
                }
                None => out.extend_from_slice(part),
            }
            out.extend_from_slice(boundary.as_bytes());
        }
        out.truncate(out.len() - boundary.len());
        self.body = out;
    }
}

fn split<'a>(bytes: &'a [u8], by: &[u8]) -> Vec<&'a [u8]> {
    let (mut parts, mut rest) = (Vec::new(), bytes);
    while let Some(at) = rest.windows(by.len()).position(|w| w == by) {
        parts.push(&rest[..at]);
        rest = &rest[at + by.len()..];
    }
    parts.push(rest);
    parts
}

/// A body in chunks (RFC 9112, section 7.1), put together.
fn chunks(reader: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim().split(';').next().unwrap_or_default(), 16).map_err(std::io::Error::other)?;
        let from = body.len();
        body.resize(from + size, 0);
        reader.read_exact(&mut body[from..])?;
        line.clear();
        reader.read_line(&mut line)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn answer(near: TcpStream, status: &str, page: &str) -> std::io::Result<()> {
    let kind = if page.starts_with('{') { "application/json" } else { "text/html; charset=utf-8" };
    let length = page.len();
    finish(
        near,
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}").as_bytes(),
    )
}

fn finish(mut near: TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    near.write_all(bytes)?;
    near.shutdown(Shutdown::Both)
}

/// Passes a page on with another name in it; the length of its body changes with it.
fn renamed(mut far: TcpStream, near: TcpStream, from: &str, to: &str) -> std::io::Result<()> {
    let mut whole = Vec::new();
    far.read_to_end(&mut whole)?;
    let split = whole.windows(4).position(|w| w == b"\r\n\r\n").map_or(whole.len(), |at| at + 4);
    let (head, body) = whole.split_at(split);
    let head = String::from_utf8_lossy(head).into_owned();
    let Ok(body) = std::str::from_utf8(body) else { return finish(near, &whole) };
    let body = body.replace(&format!("name=\"{from}\""), &format!("name=\"{to}\""));
    let is_length = |l: &&str| l.to_ascii_lowercase().starts_with("content-length:");
    let lines: Vec<&str> = head.trim_end().split("\r\n").filter(|l| !is_length(l)).collect();
    finish(near, format!("{}\r\nContent-Length: {}\r\n\r\n{body}", lines.join("\r\n"), body.len()).as_bytes())
}

/// Passes the head of the answer on and swallows what follows, until the desk or the client hangs up.
fn mute(far: TcpStream, mut near: TcpStream) -> std::io::Result<()> {
    let mut far = BufReader::new(far);
    loop {
        let mut line = Vec::new();
        far.read_until(b'\n', &mut line)?;
        near.write_all(&line)?;
        if line.len() <= 2 {
            break;
        }
    }
    std::io::copy(&mut far, &mut std::io::sink())?;
    near.shutdown(Shutdown::Both)
}

/// Copies until the end, as the bytes come, and passes the end on.
fn copy(mut from: impl Read, mut to: TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 16384];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Both)
}
