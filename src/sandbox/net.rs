//! One connection of a line protocol: lines and counted bytes in, bytes out.

use rustls::ServerConfig;
use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// Room for one line; literals and message data are counted apart.
const LINE_LIMIT: usize = 64 * 1024;

/// A connection, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection with its own read buffer. Reading is cancel safe: what was read stays in the buffer.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
    start: usize,
    out: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Wire {
        // Answers of a few bytes must not wait for the other side's acknowledgement.
        let _ = stream.set_nodelay(true);
        Wire { stream: Box::new(stream), read: Vec::new(), start: 0, out: Vec::new() }
    }

    /// Goes on encrypted, as the server. What was sent in clear before is thrown away (RFC 3207 section 4.2).
    ///
    /// # Errors
    /// When the handshake fails.
    pub(crate) async fn start_tls(&mut self, config: Arc<ServerConfig>) -> Result<()> {
        self.read.clear();
        self.start = 0;
        let plain = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        self.stream = Box::new(TlsAcceptor::from(config).accept(plain).await?);
        Ok(())
    }

    fn rest(&self) -> &[u8] {
        &self.read[self.start..]
    }

    async fn more(&mut self) -> Result<usize> {
        if self.start > 0 && self.start == self.read.len() {
            self.read.clear();
            self.start = 0;
        } else if self.start > LINE_LIMIT {
            self.read.drain(..self.start);
            self.start = 0;
        }
        self.read.reserve(4096);
        self.stream.read_buf(&mut self.read).await
    }

    /// The next line without its line end; none at the end of the stream.
    ///
    /// # Errors
    /// When the connection fails or the line is longer than 64 KiB.
    pub(crate) async fn line(&mut self) -> Result<Option<Vec<u8>>> {
        let mut looked = 0;
        loop {
            if let Some(at) = self.rest()[looked..].iter().position(|b| *b == b'\n') {
                let end = looked + at;
                let mut line = self.rest()[..end].to_vec();
                self.start += end + 1;
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(Some(line));
            }
            looked = self.rest().len();
            if looked > LINE_LIMIT {
                return Err(Error::new(ErrorKind::InvalidData, "line longer than 64 KiB"));
            }
            if self.more().await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Exactly `count` bytes.
    ///
    /// # Errors
    /// When the connection fails or ends before.
    pub(crate) async fn exact(&mut self, count: usize) -> Result<Vec<u8>> {
        while self.rest().len() < count {
            if self.more().await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let bytes = self.rest()[..count].to_vec();
        self.start += count;
        Ok(bytes)
    }

    /// True when the peer has already sent more than was read from here.
    pub(crate) fn has_input(&self) -> bool {
        !self.rest().is_empty()
    }

    /// Collects output; [`Wire::flush`] sends it.
    pub(crate) fn put(&mut self, bytes: impl AsRef<[u8]>) {
        self.out.extend_from_slice(bytes.as_ref());
    }

    /// Sends what was collected.
    ///
    /// # Errors
    /// When the connection fails.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        if !self.out.is_empty() {
            self.stream.write_all(&self.out).await?;
            self.out.clear();
        }
        Ok(())
    }

    /// Collects one more piece and sends everything.
    ///
    /// # Errors
    /// When the connection fails.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.put(bytes);
        self.flush().await
    }
}
