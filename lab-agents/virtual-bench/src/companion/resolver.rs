//! The app's own DNS client: one question over UDP to the resolver that it was given, so that its look-ups are
//! its own and no other program's.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use simple_dns::{CLASS, Name, Packet, QCLASS, QTYPE, Question, RCODE, TYPE, rdata::RData};

use super::AppError;

/// How long one answer may take, and how often the question is asked.
const ANSWER_DEADLINE: Duration = Duration::from_secs(1);
const TRIES: u16 = 3;

/// Looks a host's first address up; IPv4 before IPv6.
pub(super) fn resolve(resolver: SocketAddr, host: &str) -> Result<IpAddr, AppError> {
    for kind in [TYPE::A, TYPE::AAAA] {
        if let Some(address) = ask(resolver, host, kind)? {
            return Ok(address);
        }
    }
    Err(AppError::Lookup { host: host.to_owned(), why: "the name has no address".to_owned() })
}

fn ask(resolver: SocketAddr, host: &str, kind: TYPE) -> Result<Option<IpAddr>, AppError> {
    let fail = |why: String| AppError::Lookup { host: host.to_owned(), why };
    let any: IpAddr =
        if resolver.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).map_err(|error| fail(error.to_string()))?;
    socket.connect(resolver).map_err(|error| fail(error.to_string()))?;
    socket.set_read_timeout(Some(ANSWER_DEADLINE)).map_err(|error| fail(error.to_string()))?;

    let mut why = String::new();
    for id in 1..=TRIES {
        let mut query = Packet::new_query(id);
        query.set_flags(simple_dns::PacketFlag::RECURSION_DESIRED);
        let name = Name::new(host).map_err(|error| fail(error.to_string()))?;
        query.questions.push(Question::new(name, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
        let query = query.build_bytes_vec().map_err(|error| fail(error.to_string()))?;
        let mut buffer = [0_u8; 1500];
        match socket.send(&query).and_then(|_| socket.recv(&mut buffer)) {
            Ok(length) => match first_address(&buffer[..length], id) {
                Ok(address) => return Ok(address),
                Err(problem) => why = problem,
            },
            Err(error) => why = format!("no answer from {resolver}: {error}"),
        }
    }
    Err(fail(why))
}

fn first_address(answer: &[u8], id: u16) -> Result<Option<IpAddr>, String> {
    let answer = Packet::parse(answer).map_err(|error| error.to_string())?;
    if answer.id() != id {
        return Err("an answer to another question".to_owned());
    }
    match answer.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => return Err("no such name".to_owned()),
        other => return Err(format!("the resolver says {other:?}")),
    }
    Ok(answer.answers.iter().find_map(|record| match &record.rdata {
        RData::A(a) => Some(Ipv4Addr::from(a.address).into()),
        RData::AAAA(aaaa) => Some(Ipv6Addr::from(aaaa.address).into()),
        _ => None,
    }))
}
