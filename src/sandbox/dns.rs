//! The name server of the sandbox: exchangers, addresses and mail policies of its domains (RFC 1035), over UDP.

use super::Error;
use super::smtp::server::Door;
use super::world::World;
use simple_dns::rdata::{A, MX, RData, TXT};
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, ResourceRecord};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::UdpSocket;

/// How long an answer is good for, in seconds.
const TTL: u32 = 60;
/// Questions are short.
const LONGEST: usize = 512;

/// A record of the sandbox.
enum Data {
    Exchanger(String),
    Address,
    Text(&'static str),
}

/// A socket on a free port of the loopback address.
///
/// # Errors
/// When none is free.
pub(crate) async fn bind() -> Result<(UdpSocket, SocketAddr), Error> {
    let failed = |source| Error::Listen { port: 0, source };
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    Ok((socket, address))
}

/// Answers until the task is ended.
pub(crate) async fn serve(world: Arc<World>, socket: UdpSocket) {
    let mut buffer = [0_u8; LONGEST];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        if let Some(answer) = answer(&world, &buffer[..length]) {
            // Whoever asked asks again when the answer is lost.
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

/// What is no question gets no answer.
fn answer(world: &World, bytes: &[u8]) -> Option<Vec<u8>> {
    let asked = Packet::parse(bytes).ok().filter(|p| !p.has_flags(PacketFlag::RESPONSE))?;
    let [question] = asked.questions.as_slice() else { return None };
    let name = question.qname.to_string().to_ascii_lowercase();
    let zone = zone(world);
    let mut reply = Packet::new_reply(asked.id());
    reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER | PacketFlag::RECURSION_AVAILABLE);
    reply.questions.push(question.clone());
    let here = || zone.iter().filter(|(owner, _)| *owner == name);
    // A name above one that exists exists too (RFC 8020).
    if here().next().is_none() && !zone.iter().any(|(owner, _)| owner.strip_suffix(&name).is_some_and(|rest| rest.ends_with('.'))) {
        *reply.rcode_mut() = RCODE::NameError;
    }
    for (_, data) in here() {
        reply.answers.extend(record(question, data));
    }
    reply.build_bytes_vec_compressed().ok()
}

/// The record, where it is of the kind that is asked for.
fn record<'a>(question: &Question<'a>, data: &'a Data) -> Option<ResourceRecord<'a>> {
    let data = match data {
        Data::Exchanger(host) => RData::MX(MX { preference: 10, exchange: Name::new(host).ok()? }),
        Data::Address => RData::A(A::from(Ipv4Addr::LOCALHOST)),
        Data::Text(text) => RData::TXT(TXT::new().with_string(text).ok()?),
    };
    let record = ResourceRecord::new(question.qname.clone(), CLASS::IN, TTL, data);
    record.match_qtype(question.qtype).then_some(record)
}

/// Everything that this server knows.
fn zone(world: &World) -> Vec<(String, Data)> {
    let names = &world.names;
    let (desk_mx, provider_mx) = (world.host(Door::DeskMx), world.host(Door::ProviderMx));
    let mut zone = vec![
        (desk_mx.clone(), Data::Address),
        (provider_mx.clone(), Data::Address),
        (names.desk.clone(), Data::Exchanger(desk_mx.clone())),
        (names.system.clone(), Data::Exchanger(desk_mx)),
        (names.customers.clone(), Data::Exchanger(provider_mx)),
    ];
    for domain in [&names.desk, &names.system, &names.customers] {
        zone.push((domain.clone(), Data::Text("v=spf1 mx -all")));
        zone.push((format!("_dmarc.{domain}"), Data::Text("v=DMARC1; p=quarantine")));
    }
    zone
}
