//! One question and its answer as DNS messages (RFC 1035 section 4), read with distrust: a server, or somebody between, may
//! send anything.

use super::dns::Trouble;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Aliases are followed so often.
const MOST_ALIASES: usize = 8;
/// So many records of an answer are read.
const MOST_RECORDS: usize = 64;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Mail exchangers.
    Mx,
    /// Texts.
    Txt,
}

impl Kind {
    fn code(self) -> TYPE {
        match self {
            Kind::A => TYPE::A,
            Kind::Aaaa => TYPE::AAAA,
            Kind::Mx => TYPE::MX,
            Kind::Txt => TYPE::TXT,
        }
    }
}

/// One record of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An address.
    Address(IpAddr),
    /// A mail exchanger: its preference (lower first) and its name; empty: the root, which stands for none (RFC 7505).
    Exchanger(u16, String),
    /// The strings of a TXT record, joined.
    Text(String),
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// These records; none: the name has none of the kind.
    Records(Vec<Record>),
    /// There is no such name.
    NoSuchName,
    /// It did not fit: to be asked again over TCP.
    Cut,
}

/// A question, ready to be sent.
pub struct Asked<'a> {
    id: u16,
    name: Name<'a>,
    kind: Kind,
}

impl<'a> Asked<'a> {
    /// A question about a name; `id` must be one that nobody can guess.
    ///
    /// # Errors
    /// When the name is none that the DNS could know.
    pub fn new(id: u16, name: &'a str, kind: Kind) -> Result<Asked<'a>, Trouble> {
        let wrong = || Trouble(format!("`{name}` is no name that the DNS could know"));
        let parsed = Name::new(name).map_err(|_| wrong())?;
        let good = !parsed.get_labels().is_empty() && name.is_ascii();
        good.then_some(Asked { id, name: parsed, kind }).ok_or_else(wrong)
    }

    /// As bytes.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn bytes(&self) -> Result<Vec<u8>, Trouble> {
        let mut packet = Packet::new_query(self.id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        packet.questions.push(Question::new(self.name.clone(), QTYPE::TYPE(self.kind.code()), QCLASS::CLASS(CLASS::IN), false));
        packet.build_bytes_vec().map_err(|e| Trouble(format!("the question cannot be written: {e}")))
    }

    /// What the bytes answer; none when they are no answer to this question.
    pub fn answer(&self, bytes: &[u8]) -> Option<Result<Answer, Trouble>> {
        // What is too short or not ours is not read further.
        if bytes.len() < 12 || bytes[..2] != self.id.to_be_bytes() {
            return None;
        }
        let cut = bytes[2] & 0x02 != 0;
        let packet = match Packet::parse(bytes) {
            Ok(packet) => packet,
            // Some servers cut in the middle of a record.
            Err(_) if cut && self.is_named_in(bytes) => return Some(Ok(Answer::Cut)),
            Err(_) => return None,
        };
        let [question] = packet.questions.as_slice() else { return None };
        let ours = question.qname == self.name && question.qtype == QTYPE::TYPE(self.kind.code());
        if !packet.has_flags(PacketFlag::RESPONSE) || !ours {
            return None;
        }
        Some(match packet.rcode() {
            RCODE::NoError if cut => Ok(Answer::Cut),
            RCODE::NoError => Ok(Answer::Records(self.records(&packet))),
            RCODE::NameError => Ok(Answer::NoSuchName),
            other => Err(Trouble(format!("it answers {}", words(other)))),
        })
    }

    /// The header and the question of a message that is otherwise of no use are those of an answer to this question.
    fn is_named_in(&self, bytes: &[u8]) -> bool {
        let Ok(own) = self.bytes() else { return false };
        bytes[2] & 0x80 != 0
            && own.get(12..).is_some_and(|q| bytes.get(12..12 + q.len()).is_some_and(|theirs| theirs.eq_ignore_ascii_case(q)))
    }

    /// The records of the kind at the name, or where its aliases lead (RFC 1034 section 3.6.2).
    fn records(&self, packet: &Packet<'_>) -> Vec<Record> {
        let mut name = self.name.clone();
        for _ in 0..MOST_ALIASES {
            let at_name = || packet.answers.iter().filter(|r| r.name == name && r.class == CLASS::IN);
            let found: Vec<Record> = at_name().filter_map(|r| self.record(&r.rdata)).take(MOST_RECORDS).collect();
            let alias = at_name().find_map(|r| if let RData::CNAME(target) = &r.rdata { Some(target.0.clone()) } else { None });
            match alias {
                Some(alias) if found.is_empty() => name = alias,
                _ => return found,
            }
        }
        Vec::new()
    }

    fn record(&self, data: &RData<'_>) -> Option<Record> {
        Some(match (self.kind, data) {
            (Kind::A, RData::A(a)) => Record::Address(IpAddr::V4(Ipv4Addr::from(a.address))),
            (Kind::Aaaa, RData::AAAA(a)) => Record::Address(IpAddr::V6(Ipv6Addr::from(a.address))),
            (Kind::Mx, RData::MX(mx)) => Record::Exchanger(mx.preference, mx.exchange.to_string().to_ascii_lowercase()),
            (Kind::Txt, RData::TXT(txt)) => Record::Text(String::try_from(txt.clone()).ok()?),
            _ => return None,
        })
    }
}

fn words(code: RCODE) -> &'static str {
    match code {
        RCODE::FormatError => "that it does not understand the question",
        RCODE::ServerFailure => "that it failed (SERVFAIL): the domain's own name servers are silent, or DNSSEC does not check out",
        RCODE::NotImplemented => "that it cannot answer such questions",
        RCODE::Refused => "that it does not answer us (REFUSED)",
        _ => "with an unusual code",
    }
}
