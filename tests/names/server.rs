//! Name servers, mail servers and TLS servers on free ports of the loopback address.

use simple_dns::rdata::{A, CNAME, MX, RData, TXT};
use simple_dns::{CLASS, Name, Packet, PacketFlag, RCODE, ResourceRecord, TYPE};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// One record of a test's zone.
#[derive(Clone)]
pub enum Record {
    Mx(u16, &'static str),
    A(Ipv4Addr),
    Txt(&'static [&'static str]),
    Alias(&'static str),
}

pub type Zone = Vec<(&'static str, Record)>;

/// The proper answer; a name that is not in the zone does not exist.
pub fn proper(zone: &Zone, question: &[u8]) -> Vec<u8> {
    let asked = Packet::parse(question).unwrap();
    let question = &asked.questions[0];
    let mut reply = Packet::new_reply(asked.id());
    reply.set_flags(PacketFlag::RECURSION_AVAILABLE);
    reply.questions.push(question.clone());
    let mut name = question.qname.to_string().to_ascii_lowercase();
    if !zone.iter().any(|(owner, _)| *owner == name) {
        *reply.rcode_mut() = RCODE::NameError;
    }
    let mut owners = vec![name.clone()];
    while let Some(Record::Alias(target)) = zone.iter().find(|(o, r)| *o == name && matches!(r, Record::Alias(_))).map(|r| &r.1) {
        name = (*target).to_owned();
        if owners.contains(&name) {
            break;
        }
        owners.push(name.clone());
    }
    for owner in &owners {
        for (_, record) in zone.iter().filter(|(o, _)| o == owner) {
            let data = match record {
                Record::Mx(preference, host) => RData::MX(MX { preference: *preference, exchange: Name::new(host).unwrap() }),
                Record::A(address) => RData::A(A::from(*address)),
                Record::Txt(strings) => RData::TXT(strings.iter().fold(TXT::new(), |t, s| t.with_string(s).unwrap())),
                Record::Alias(target) => RData::CNAME(CNAME(Name::new(target).unwrap())),
            };
            let record = ResourceRecord::new(Name::new(owner).unwrap(), CLASS::IN, 60, data);
            if record.match_qtype(question.qtype) || record.match_qtype(TYPE::CNAME.into()) {
                reply.answers.push(record);
            }
        }
    }
    reply.build_bytes_vec_compressed().unwrap()
}

/// A name server: what it sends for a question over UDP (datagram by datagram), and over TCP.
pub async fn names(
    by_datagram: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
    by_stream: impl Fn(&[u8]) -> Vec<u8> + Send + 'static,
) -> SocketAddr {
    // The same port for both, which may be taken for one of them.
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0_u8; 2048];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            for answer in by_datagram(&buffer[..length]) {
                let _ = udp.send_to(&answer, from).await;
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let Ok(length) = stream.read_u16().await else { continue };
            let mut question = vec![0; usize::from(length)];
            let _ = stream.read_exact(&mut question).await;
            let answer = by_stream(&question);
            let _ = stream.write_all(&u16::try_from(answer.len()).unwrap().to_be_bytes()).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    address
}

/// A name server that answers properly.
pub async fn zone(zone: Zone) -> SocketAddr {
    let theirs = zone.clone();
    names(move |q| vec![proper(&zone, q)], move |q| proper(&theirs, q)).await
}

/// The authority that the certificates below were signed by.
pub fn authority() -> PathBuf {
    folder().join("ca.pem")
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/form/tls")
}

fn acceptor(certificate: &str) -> TlsAcceptor {
    let chain = vec![CertificateDer::from_pem_file(folder().join(certificate)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(folder().join("key.pem")).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap()))
}

/// A server on the loopback address, and how many connections it took.
pub struct Server {
    pub port: u16,
    pub connections: Arc<AtomicUsize>,
}

async fn listen<F: Future<Output = ()> + Send + 'static>(serve: impl Fn(TcpStream) -> F + Send + Sync + Clone + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, connections) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let count = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let serve = serve.clone();
            tokio::spawn(async move { serve(stream).await });
        }
    });
    Server { port, connections }
}

/// TLS from the first byte.
pub async fn tls(certificate: &'static str) -> Server {
    listen(move |stream| async move {
        let Ok(mut stream) = acceptor(certificate).accept(stream).await else { return };
        let _ = stream.read(&mut [0; 64]).await;
    })
    .await
}

/// A mail server with STARTTLS and that certificate.
pub async fn mail(certificate: &'static str) -> Server {
    listen(move |stream| async move {
        let Some(stream) = dialogue(stream, "220 mx.test ESMTP", "250-mx.test\r\n250-SIZE 1000\r\n250 STARTTLS").await else { return };
        let Ok(mut stream) = acceptor(certificate).accept(stream).await else { return };
        let _ = stream.read(&mut [0; 64]).await;
    })
    .await
}

/// A mail server that greets so and answers EHLO so.
pub async fn plain_mail(greeting: &'static str, ehlo: &'static str) -> Server {
    listen(move |stream| async move { drop(dialogue(stream, greeting, ehlo).await) }).await
}

/// A server that takes the connection and says nothing.
pub async fn silent() -> Server {
    listen(|mut stream| async move { while stream.read(&mut [0; 64]).await.is_ok_and(|n| n > 0) {} }).await
}

/// Until STARTTLS; then the plain stream.
async fn dialogue(stream: TcpStream, greeting: &str, ehlo: &str) -> Option<TcpStream> {
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(format!("{greeting}\r\n").as_bytes()).await.ok()?;
    let mut line = String::new();
    while stream.read_line(&mut line).await.ok()? > 0 {
        let starttls = line.starts_with("STARTTLS");
        let answer = if starttls { "220 go on" } else { ehlo };
        stream.get_mut().write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
        if starttls {
            return Some(stream.into_inner());
        }
        line.clear();
    }
    None
}
