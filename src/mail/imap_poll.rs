//! Limits of a mailbox's connection, and the one place where its thread waits.

use mio::{Events, Interest, Poll, Token, Waker};
use std::io::{self, ErrorKind};
use std::time::Duration;

const WAKE: Token = Token(0);
const SOCKET: Token = Token(1);

/// How long and how much a mailbox's connection may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest wait for a TCP connection, over all addresses of the host.
    pub connect: Duration,
    /// Longest silence of the server while it owes us an answer.
    pub silence: Duration,
    /// Longest time for one whole answer, however steadily it drips.
    pub response: Duration,
    /// Longest wait for the socket to take our bytes.
    pub write: Duration,
    /// Most bytes of one answer.
    pub response_bytes: usize,
    /// Longest IDLE before it is renewed (RFC 2177 allows 29 minutes; middle boxes forget much earlier).
    pub idle: Duration,
    /// Longest time that a caller waits for an answer.
    pub answer: Duration,
    /// First pause before connecting again; doubles each time.
    pub backoff_first: Duration,
    /// Longest pause before connecting again.
    pub backoff_last: Duration,
    /// Longest pause between two tries of a login that was refused: providers lock accounts that try too often.
    pub refused_last: Duration,
    /// A mailbox nobody needed for so long is closed.
    pub close_after: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(15),
            response: Duration::from_secs(90),
            write: Duration::from_secs(15),
            response_bytes: 16 * 1024 * 1024,
            idle: Duration::from_secs(240),
            answer: Duration::from_secs(20),
            backoff_first: Duration::from_millis(200),
            backoff_last: Duration::from_secs(30),
            refused_last: Duration::from_secs(900),
            close_after: Duration::from_secs(300),
        }
    }
}

/// What a mailbox's thread waits on: its socket and the wake-up call of other threads.
#[derive(Debug)]
pub struct Poller {
    poll: Poll,
    events: Events,
    woken: bool,
}

impl Poller {
    /// A poller and the handle that wakes it.
    ///
    /// # Errors
    /// When the process has no file descriptors left.
    pub fn new() -> io::Result<(Poller, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        Ok((Poller { poll, events: Events::with_capacity(4), woken: false }, waker))
    }

    /// Waits for this socket from now on; that ends when it is closed.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn register(&self, tcp: &mut mio::net::TcpStream) -> io::Result<()> {
        self.poll.registry().register(tcp, SOCKET, Interest::READABLE | Interest::WRITABLE)
    }

    /// True since somebody called.
    pub fn is_woken(&self) -> bool {
        self.woken
    }

    /// Forgets wake-up calls so far; done before the queue is emptied, so that none is lost.
    pub fn clear_wake(&mut self) {
        self.woken = false;
    }

    /// Waits for the socket, a wake-up call or the time. A wake-up call stays noted until [`Poller::clear_wake`].
    ///
    /// # Errors
    /// What the operating system says.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(e) if e.kind() != ErrorKind::Interrupted => return Err(e),
            _ => {}
        }
        if self.events.iter().any(|e| e.token() == WAKE) {
            self.woken = true;
        }
        Ok(())
    }

    /// Sleeps until the socket says something, somebody calls, or the time is over.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn sleep(&mut self, timeout: Duration) -> io::Result<()> {
        if self.woken { Ok(()) } else { self.wait(timeout) }
    }
}
