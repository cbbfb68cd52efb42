//! The app's own DNS client: one question over UDP to the resolver that it was given, so that its look-ups are
//! its own and no other program's.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
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

    let mut why = String::new();
    for id in 1..=TRIES {
        let mut query = Packet::new_query(id);
        query.set_flags(simple_dns::PacketFlag::RECURSION_DESIRED);
        let name = Name::new(host).map_err(|error| fail(error.to_string()))?;
        query.questions.push(Question::new(name, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
        let query = query.build_bytes_vec().map_err(|error| fail(error.to_string()))?;
        let is_ours = |answer: &[u8]| Packet::parse(answer).is_ok_and(|answer| answer.id() == id);
        match exchange(&socket, &query, ANSWER_DEADLINE, is_ours) {
            Ok(answer) => match first_address(&answer) {
                Ok(address) => return Ok(address),
                Err(problem) => why = problem,
            },
            Err(error) => why = format!("no answer from {resolver}: {error}"),
        }
    }
    Err(fail(why))
}

/// Sends a request and gives the first answer that is one to it. Others, such as a late one to an earlier request, are
/// passed over: else every later request would be given the answer of the one before.
pub(super) fn exchange(
    socket: &UdpSocket,
    request: &[u8],
    within: Duration,
    is_ours: impl Fn(&[u8]) -> bool,
) -> io::Result<Vec<u8>> {
    let until = Instant::now() + within;
    socket.send(request)?;
    let mut buffer = [0_u8; 1500];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        let length = socket.recv(&mut buffer)?;
        if is_ours(&buffer[..length]) {
            return Ok(buffer[..length].to_vec());
        }
    }
}

fn first_address(answer: &[u8]) -> Result<Option<IpAddr>, String> {
    let answer = Packet::parse(answer).map_err(|error| error.to_string())?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "every unwrap here is an assertion")]

    use super::*;

    #[test]
    fn a_late_answer_to_an_earlier_question_is_passed_over() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = server.local_addr().unwrap();
        let serving = std::thread::spawn(move || {
            let mut buffer = [0_u8; 1500];
            let (first, client) = server.recv_from(&mut buffer).unwrap();
            let late = buffer[..first].to_vec();
            let (second, _) = server.recv_from(&mut buffer).unwrap();
            for query in [&late, &buffer[..second].to_vec()] {
                let mut answer = Packet::parse(query).unwrap().into_reply();
                let name = Name::new("late.example").unwrap();
                let a = RData::A(Ipv4Addr::new(192, 0, 2, 7).into());
                answer.answers.push(simple_dns::ResourceRecord::new(name, CLASS::IN, 60, a));
                server.send_to(&answer.build_bytes_vec().unwrap(), client).unwrap();
            }
        });
        let found = resolve(address, "late.example").unwrap();
        assert_eq!(found, IpAddr::from([192, 0, 2, 7]));
        serving.join().unwrap();
    }
}
