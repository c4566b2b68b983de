//! The byte stream under an SMTP connection: TCP or TLS, with a limit on what a server may say.
//!
//! lettre reads a line of any length into memory and gives up on bytes that are not UTF-8; both are
//! kept away from it here. It also expects to be greeted, which after STARTTLS no server does.

use crate::model::{ServerSettings, TlsMode};
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The most bytes a server may send between two of our commands. The longest honest answer, to EHLO, has about 1 kB.
const MAX_ANSWER: usize = 64 * 1024;

/// What went wrong before SMTP could begin.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// No connection, or it broke.
    Io(String),
    /// The server offers no STARTTLS.
    NotOffered,
    /// TLS could not be agreed on: certificate, protocol.
    Tls(String),
    /// The server answered no (greeting or STARTTLS): code and text.
    Answered(u16, String),
}

/// A stream ready for lettre.
#[derive(Debug)]
pub(crate) struct Wire {
    inner: Inner,
    peer: SocketAddr,
    /// Bytes received since our last command.
    received: usize,
    /// Given to the reader before anything from the network.
    prefix: &'static [u8],
}

#[derive(Debug)]
enum Inner {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// TLS settings that trust the authorities of one PEM file, or the system's.
pub(super) fn tls_config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS cannot be set up: {e}"))?;
    let Some(path) = ca else {
        let verifier = rustls_platform_verifier::Verifier::new(provider)
            .map_err(|e| format!("the system's certificate authorities cannot be read: {e}; install them or set `ca`"))?;
        return Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()));
    };
    let unusable = |e: String| format!("the authorities in {} cannot be used: {e}", path.display());
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| unusable(e.to_string()))? {
        roots.add(certificate.map_err(|e| unusable(e.to_string()))?).map_err(|e| unusable(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("there is no certificate in it".to_owned()));
    }
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

impl Wire {
    /// Connects and, where wanted, agrees on TLS. The caller sets the time limit.
    pub(super) async fn open(server: &ServerSettings, tls: Option<&Arc<ClientConfig>>) -> Result<Wire, OpenError> {
        let tcp = TcpStream::connect((server.host.as_str(), server.port)).await.map_err(|e| OpenError::Io(e.to_string()))?;
        let mut wire = Wire::over(tcp).map_err(|e| OpenError::Io(e.to_string()))?;
        match (server.tls, tls) {
            (TlsMode::None, _) => Ok(wire),
            (TlsMode::Implicit, Some(config)) => wire.secure(server, config).await,
            (TlsMode::Starttls, Some(config)) => {
                wire.start_tls().await?;
                let mut wire = wire.secure(server, config).await?;
                wire.prefix = b"220 secured\r\n";
                Ok(wire)
            }
            (_, None) => Err(OpenError::Tls("TLS is wanted but not set up".to_owned())),
        }
    }

    /// A connection on which nothing was said yet.
    ///
    /// # Errors
    /// When it is broken already.
    pub(crate) fn over(tcp: TcpStream) -> io::Result<Wire> {
        let peer = tcp.peer_addr()?;
        // Commands are small and each waits for its answer.
        let _ = tcp.set_nodelay(true);
        Ok(Wire { inner: Inner::Tcp(tcp), peer, received: 0, prefix: b"" })
    }

    /// The plain connection inside; none under TLS.
    pub(crate) fn into_tcp(self) -> Option<TcpStream> {
        match self.inner {
            Inner::Tcp(tcp) => Some(tcp),
            Inner::Tls(_) => None,
        }
    }

    /// The address of our end.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        match &self.inner {
            Inner::Tcp(s) => s.local_addr().ok(),
            Inner::Tls(s) => s.get_ref().0.local_addr().ok(),
        }
    }

    /// The server's certificate (DER), under TLS.
    pub(super) fn certificate(&self) -> Option<Vec<u8>> {
        match &self.inner {
            Inner::Tcp(_) => None,
            Inner::Tls(s) => s.get_ref().1.peer_certificates()?.first().map(|c| c.to_vec()),
        }
    }

    async fn secure(self, server: &ServerSettings, config: &Arc<ClientConfig>) -> Result<Wire, OpenError> {
        let Inner::Tcp(tcp) = self.inner else { return Err(OpenError::Tls("TLS is on already".to_owned())) };
        let name = server.tls_name.as_ref().unwrap_or(&server.host);
        let name = ServerName::try_from(name.clone()).map_err(|_| OpenError::Tls(format!("`{name}` cannot stand in a certificate")))?;
        let stream = TlsConnector::from(config.clone()).connect(name, tcp).await.map_err(|e| OpenError::Tls(e.to_string()))?;
        Ok(Wire { inner: Inner::Tls(Box::new(stream)), ..self })
    }

    /// Greeting, EHLO, STARTTLS (RFC 3207) in the open. Nothing may follow the last answer: a server, or
    /// somebody between, could otherwise slip answers in before the encryption.
    pub(crate) async fn start_tls(&mut self) -> Result<(), OpenError> {
        self.answer(220).await?;
        let hello = self.local().map_or_else(|| "[127.0.0.1]".to_owned(), |a| literal(a.ip()));
        self.say(&format!("EHLO {hello}\r\n")).await?;
        let offers = self.answer(250).await?;
        if !offers.lines().any(|l| l.get(4..).is_some_and(|k| k.trim().eq_ignore_ascii_case("starttls"))) {
            return Err(OpenError::NotOffered);
        }
        self.say("STARTTLS\r\n").await?;
        self.answer(220).await?;
        Ok(())
    }

    async fn say(&mut self, command: &str) -> Result<(), OpenError> {
        self.write_all(command.as_bytes()).await.map_err(|e| OpenError::Io(e.to_string()))
    }

    /// Reads one answer, however many lines; it must have the code `wanted`.
    async fn answer(&mut self, wanted: u16) -> Result<String, OpenError> {
        let broken = |e: io::Error| OpenError::Io(e.to_string());
        let mut text = Vec::new();
        loop {
            let mut buffer = [0_u8; 1024];
            let count = self.read(&mut buffer).await.map_err(broken)?;
            if count == 0 {
                return Err(OpenError::Io("the server closed the connection".to_owned()));
            }
            text.extend_from_slice(&buffer[..count]);
            if !text.ends_with(b"\n") {
                continue;
            }
            let so_far = String::from_utf8_lossy(&text).into_owned();
            let Some(last) = so_far.strip_suffix('\n').map(|t| t.lines().last().unwrap_or_default()) else { continue };
            // The last line of an answer has a blank (or nothing) after its code.
            if last.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            let lasts = so_far.lines().filter(|l| l.as_bytes().get(3) != Some(&b'-')).count();
            let code = last.get(..3).and_then(|c| c.parse::<u16>().ok());
            return match code {
                Some(code) if lasts == 1 && code == wanted => Ok(so_far),
                Some(code) if lasts == 1 && (400..600).contains(&code) => {
                    let words = so_far.lines().map(|l| l.get(4..).unwrap_or_default()).collect::<Vec<_>>().join(" ");
                    Err(OpenError::Answered(code, words))
                }
                _ => Err(OpenError::Io("the server's answer is not SMTP".to_owned())),
            };
        }
    }
}

/// An address as EHLO takes it (RFC 5321 section 4.1.3): what mail programs send.
pub(super) fn literal(ip: std::net::IpAddr) -> String {
    match ip {
        std::net::IpAddr::V4(ip) => format!("[{ip}]"),
        std::net::IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.prefix.is_empty() {
            let count = self.prefix.len().min(buf.remaining());
            let (now, later) = self.prefix.split_at(count);
            buf.put_slice(now);
            self.prefix = later;
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = match &mut self.inner {
            Inner::Tcp(s) => Pin::new(s).poll_read(cx, buf),
            Inner::Tls(s) => Pin::new(s).poll_read(cx, buf),
        };
        if let Poll::Ready(Ok(())) = read {
            let fresh = &mut buf.filled_mut()[before..];
            self.received += fresh.len();
            if self.received > MAX_ANSWER {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the server's answer does not end")));
            }
            // Answers are ASCII, or UTF-8 under SMTPUTF8; words in other charsets are of no use to us.
            fresh.iter_mut().filter(|b| !b.is_ascii()).for_each(|b| *b = b'?');
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.received = 0;
        match &mut self.inner {
            Inner::Tcp(s) => Pin::new(s).poll_write(cx, buf),
            Inner::Tls(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Tcp(s) => Pin::new(s).poll_flush(cx),
            Inner::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Tcp(s) => Pin::new(s).poll_shutdown(cx),
            Inner::Tls(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}

impl lettre::transport::smtp::client::AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}
