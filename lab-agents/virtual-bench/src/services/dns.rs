//! A DNS server over UDP and TCP for the bench's zone. It is authoritative for what the zone holds and says
//! "no such name" to everything else; it never forwards a query.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket},
    sync::Arc,
    thread,
};

use simple_dns::{
    CLASS, OPCODE, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE,
    rdata::{A, AAAA, RData},
};

use super::{
    Life,
    accept::{self, IO_DEADLINE},
    zone::{Lookup, Zone},
};

/// Seconds that an answer may be cached: short, as with the names of real cloud services.
const TTL_SECONDS: u32 = 60;
/// Largest query taken over TCP, in bytes; the protocol would allow 65,535.
const MAX_TCP_QUERY: usize = 4096;

/// Answers queries on a UDP socket until the process ends.
pub(super) fn serve_udp(socket: UdpSocket, zone: Arc<Zone>, life: Arc<Life>) {
    thread::spawn(move || {
        let mut buffer = [0_u8; 1500];
        loop {
            let (length, from) = match socket.recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // An ICMP error for an earlier answer is reported here; the socket itself is fine.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(error) => {
                    tracing::error!(%error, "DNS: receiving failed");
                    return;
                }
            };
            life.on_query();
            if let Some(answer) = answer(&buffer[..length], &zone)
                && let Err(error) = socket.send_to(&answer, from)
            {
                tracing::warn!(%error, %from, "DNS: an answer could not be sent");
            }
        }
    });
}

/// Answers queries on TCP connections, each message after its length in two bytes (RFC 1035 §4.2.2).
pub(super) fn serve_tcp(listener: TcpListener, zone: Arc<Zone>, life: Arc<Life>) {
    accept::each_connection(listener, move |stream| {
        life.on_query();
        serve_connection(stream, &zone)
    });
}

fn serve_connection(mut stream: TcpStream, zone: &Zone) -> io::Result<()> {
    stream.set_read_timeout(Some(IO_DEADLINE))?;
    stream.set_write_timeout(Some(IO_DEADLINE))?;
    loop {
        let mut length = [0_u8; 2];
        if stream.read_exact(&mut length).is_err() {
            return Ok(());
        }
        let length = usize::from(u16::from_be_bytes(length));
        if length > MAX_TCP_QUERY {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "query too long"));
        }
        let mut query = vec![0; length];
        stream.read_exact(&mut query)?;
        let Some(answer) = answer(&query, zone) else { return Ok(()) };
        let Ok(length) = u16::try_from(answer.len()) else { return Ok(()) };
        stream.write_all(&[&length.to_be_bytes()[..], &answer].concat())?;
    }
}

/// The answer to a query, or nothing where the bytes are no query at all.
fn answer(query: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    let query = Packet::parse(query).ok()?;
    if query.has_flags(PacketFlag::RESPONSE) {
        return None;
    }
    let mut reply = Packet::new_reply(query.id());
    if query.opcode() != OPCODE::StandardQuery || query.questions.len() != 1 {
        *reply.rcode_mut() = RCODE::NotImplemented;
        return reply.build_bytes_vec_compressed().ok();
    }
    if query.has_flags(PacketFlag::RECURSION_DESIRED) {
        reply.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER | PacketFlag::RECURSION_AVAILABLE);
    let question = query.questions.first()?.clone().into_owned();
    match zone.lookup(&question.qname.to_string()) {
        Lookup::NoSuchName => *reply.rcode_mut() = RCODE::NameError,
        Lookup::Found(addresses) => {
            for address in addresses {
                let rdata = match address {
                    IpAddr::V4(v4) if wants(question.qtype, TYPE::A) => RData::A(a(*v4)),
                    IpAddr::V6(v6) if wants(question.qtype, TYPE::AAAA) => RData::AAAA(aaaa(*v6)),
                    _ => continue,
                };
                reply.answers.push(ResourceRecord::new(
                    question.qname.clone(),
                    CLASS::IN,
                    TTL_SECONDS,
                    rdata,
                ));
            }
        }
    }
    reply.questions.push(question);
    reply.build_bytes_vec_compressed().ok()
}

fn wants(asked: QTYPE, kind: TYPE) -> bool {
    asked == QTYPE::ANY || asked == QTYPE::TYPE(kind)
}

fn a(address: Ipv4Addr) -> A {
    A::from(address)
}

fn aaaa(address: Ipv6Addr) -> AAAA {
    AAAA::from(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::zone::Addresses;
    use simple_dns::{Name, QCLASS, Question};

    fn ask(name: &str, kind: TYPE) -> (RCODE, usize) {
        let mut query = Packet::new_query(7);
        let name = Name::new(name).unwrap();
        query.questions.push(Question::new(name, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
        let bytes = answer(&query.build_bytes_vec().unwrap(), &Addresses::default().zone()).unwrap();
        let reply = Packet::parse(&bytes).unwrap();
        assert_eq!(reply.id(), 7);
        (reply.rcode(), reply.answers.len())
    }

    #[test]
    fn known_names_are_answered_in_any_case_and_others_do_not_exist() {
        assert_eq!(ask("api.nucleus-u8.example", TYPE::A), (RCODE::NoError, 1));
        assert_eq!(ask("API.Nucleus-U8.example", TYPE::A), (RCODE::NoError, 1));
        assert_eq!(ask("api.nucleus-u8.example", TYPE::AAAA), (RCODE::NoError, 0));
        assert_eq!(ask("other.nucleus-u8.example", TYPE::A), (RCODE::NameError, 0));
        assert_eq!(ask("elsewhere.example", TYPE::A), (RCODE::NameError, 0));
    }

    #[test]
    fn bytes_that_are_no_query_get_no_answer() {
        let zone = Addresses::default().zone();
        assert_eq!(answer(b"\0", &zone), None);
        assert_eq!(answer(&[0xff; 40], &zone), None);
    }
}
