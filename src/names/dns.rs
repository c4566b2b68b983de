//! A small resolver: asks the name servers of the system or the configured one, over UDP and, where an answer does not fit,
//! over TCP (RFC 1035 section 4.2, RFC 7766). It trusts nothing that does not answer its question.

use super::question::{Answer, Asked, Kind, Record};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// A server has so long for one answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Each server is asked so often: UDP loses packets.
const ROUNDS: usize = 2;
/// The longest answer over UDP without EDNS, with room for servers that send more all the same.
const DATAGRAM: usize = 4096;
/// So many name servers are asked, as the system does (resolv.conf(5)).
const MOST_SERVERS: usize = 3;

/// Why nothing can be said about a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(pub String);

/// What there is at a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<T> {
    /// These; none: the name has none of the kind.
    Some(Vec<T>),
    /// There is no such name.
    NoSuchName,
}

/// Asks name servers.
#[derive(Debug, Clone)]
pub struct Resolver {
    servers: Vec<SocketAddr>,
    /// Addresses of hosts come from the system, with its hosts file.
    system: bool,
}

impl Resolver {
    /// Asks this server only.
    pub fn at(server: SocketAddr) -> Resolver {
        Resolver { servers: vec![server], system: false }
    }

    /// Asks the servers that `/etc/resolv.conf` names, or the one on this machine where it names none.
    pub fn of_system() -> Resolver {
        let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        Resolver { servers: name_servers(&text), system: true }
    }

    /// The mail exchangers of a domain, best first, with their preference. An empty name stands for none (RFC 7505).
    ///
    /// # Errors
    /// [`Trouble`] when no server gives an answer.
    pub async fn exchangers(&self, domain: &str) -> Result<Found<(u16, String)>, Trouble> {
        let found = self.look(domain, Kind::Mx).await?;
        Ok(match found {
            Found::Some(records) => {
                let mut all: Vec<(u16, String)> =
                    records.into_iter().filter_map(|r| if let Record::Exchanger(p, name) = r { Some((p, name)) } else { None }).collect();
                all.sort();
                all.dedup_by(|a, b| a.1 == b.1);
                Found::Some(all)
            }
            Found::NoSuchName => Found::NoSuchName,
        })
    }

    /// The texts at a name.
    ///
    /// # Errors
    /// [`Trouble`] when no server gives an answer.
    pub async fn texts(&self, name: &str) -> Result<Found<String>, Trouble> {
        let found = self.look(name, Kind::Txt).await?;
        Ok(match found {
            Found::Some(records) => {
                Found::Some(records.into_iter().filter_map(|r| if let Record::Text(text) = r { Some(text) } else { None }).collect())
            }
            Found::NoSuchName => Found::NoSuchName,
        })
    }

    /// The addresses of a host, IPv6 and IPv4.
    ///
    /// # Errors
    /// [`Trouble`] when there are none, or nobody knows.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Trouble> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let all = if self.system { system_addresses(host).await? } else { self.asked_addresses(host).await? };
        if all.is_empty() { Err(Trouble(format!("{host} has no address"))) } else { Ok(all) }
    }

    async fn asked_addresses(&self, host: &str) -> Result<Vec<IpAddr>, Trouble> {
        let (six, four) = tokio::join!(self.look(host, Kind::Aaaa), self.look(host, Kind::A));
        let mut all = Vec::new();
        // One of the two is enough.
        let (mut troubles, mut missing) = (Vec::new(), false);
        for found in [six, four] {
            match found {
                Ok(Found::Some(records)) => {
                    all.extend(records.into_iter().filter_map(|r| if let Record::Address(a) = r { Some(a) } else { None }));
                }
                Ok(Found::NoSuchName) => missing = true,
                Err(trouble) => troubles.push(trouble),
            }
        }
        match troubles.into_iter().next() {
            Some(trouble) if all.is_empty() => Err(trouble),
            _ if all.is_empty() && missing => Err(Trouble(format!("there is no host {host} in the DNS"))),
            _ => Ok(all),
        }
    }

    /// Asks one server after the other until one answers.
    async fn look(&self, name: &str, kind: Kind) -> Result<Found<Record>, Trouble> {
        let mut last = Trouble(format!("no name server is configured that could be asked for {name}"));
        for _ in 0..ROUNDS {
            for server in &self.servers {
                match ask(*server, name, kind).await {
                    Ok(Answer::Records(records)) => return Ok(Found::Some(records)),
                    Ok(Answer::NoSuchName) => return Ok(Found::NoSuchName),
                    Ok(Answer::Cut) => last = Trouble(format!("name server {server}: its answer for {name} is cut even over TCP")),
                    Err(trouble) => last = Trouble(format!("name server {server}: {trouble}")),
                }
            }
        }
        Err(last)
    }
}

async fn system_addresses(host: &str) -> Result<Vec<IpAddr>, Trouble> {
    let found = timeout(PATIENCE * 4, tokio::net::lookup_host((host, 0))).await;
    match found {
        Ok(Ok(all)) => Ok(all.map(|a| a.ip()).collect()),
        Ok(Err(error)) => Err(Trouble(format!("the address of {host} cannot be found: {error}"))),
        Err(_) => Err(Trouble(format!("the address of {host} cannot be found in time"))),
    }
}

/// The name servers of a resolv.conf(5), without comments and zones; this machine's where there is none.
fn name_servers(text: &str) -> Vec<SocketAddr> {
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == "nameserver").then_some(())?;
        // The zone of a link-local address is of no use without its interface's number.
        words.next()?.parse::<IpAddr>().ok()
    });
    let mut servers: Vec<SocketAddr> = named.take(MOST_SERVERS).map(|ip| SocketAddr::new(ip, 53)).collect();
    if servers.is_empty() {
        servers.push(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53));
    }
    servers
}

async fn ask(server: SocketAddr, name: &str, kind: Kind) -> Result<Answer, Trouble> {
    let id = u16::from_be_bytes(crate::random::bytes().map_err(|e| Trouble(e.to_string()))?);
    let asked = Asked::new(id, name, kind)?;
    let question = asked.bytes()?;
    let late = |_| Trouble(format!("no answer for {name} within {} s", PATIENCE.as_secs()));
    let broken = |e: io::Error| Trouble(format!("no answer for {name} ({e})"));
    match timeout(PATIENCE, by_datagram(server, &question, &asked)).await.map_err(late)?.map_err(broken)?? {
        Answer::Cut => timeout(PATIENCE, by_stream(server, &question, &asked)).await.map_err(late)?.map_err(broken)?,
        answer => Ok(answer),
    }
}

/// Whatever is no answer to the question is thrown away: somebody may guess at it (RFC 5452 section 9.1).
async fn by_datagram(server: SocketAddr, question: &[u8], asked: &Asked<'_>) -> io::Result<Result<Answer, Trouble>> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = vec![0_u8; DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(answer) = asked.answer(&buffer[..length]) {
            return Ok(answer);
        }
    }
}

async fn by_stream(server: SocketAddr, question: &[u8], asked: &Asked<'_>) -> Result<Result<Answer, Trouble>, io::Error> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let length = usize::from(stream.read_u16().await?);
    let mut answer = vec![0_u8; length];
    stream.read_exact(&mut answer).await?;
    asked.answer(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "what came over TCP is no answer to the question"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_name_servers_are_read_as_the_system_does() {
        let at = |all: &[&str]| all.iter().map(|s| s.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let text = "# a comment\nsearch example.com\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 \nnameserver fe80::1%eth0\n\
                    nameservers 192.0.2.9\nnameserver name.example\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n";
        assert_eq!(name_servers(text), at(&["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.2:53"]));
        assert_eq!(name_servers("options rotate\nnameserver\n"), at(&["127.0.0.1:53"]));
    }
}
