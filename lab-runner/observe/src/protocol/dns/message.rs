//! DNS messages (RFC 1035 §4): questions, and what answers give for them: addresses, directly or through CNAMEs, as hints
//! (RFC 9460 §7.3) or behind a service's host; and the names of addresses.
//!
//! Counts in the header allocate nothing.

use std::net::IpAddr;
use std::sync::Arc;

use super::name::read_name;
use super::record::{Keep, Records};
use crate::link::be16;
use crate::protocol::Fields;

/// Multicast DNS asks many at once (RFC 6762 §5.3); a resolver is asked one.
const MAX_QUESTIONS: u16 = 64;
/// Questions of one message for which addresses are looked for in its answers.
const MAX_ANSWERED: usize = 4;
const MAX_CHAIN: usize = 16;
/// Bytes of all CNAMEs on the way to an address.
const MAX_CHAIN_BYTES: usize = 2048;

/// CNAMEs between the name that was asked for and an address.
pub(crate) type Chain = Arc<[Arc<str>]>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: u16,
    pub(crate) response: bool,
    pub(crate) questions: Vec<Question>,
    /// Addresses that belong to a question's name, directly or through CNAMEs, or to the host of its service.
    pub(crate) addresses: Vec<Address>,
    /// Hosts of the services that were asked for.
    pub(crate) hosts: Vec<String>,
    /// Names of the addresses that were asked for.
    pub(crate) pointers: Vec<String>,
    /// Names with keys for Encrypted Client Hello.
    pub(crate) keys: Vec<String>,
    /// Every name in the records; only of a message on the link.
    pub(crate) names: Vec<String>,
    /// The message ended before its counts did, or has more than is read.
    pub(crate) cut: bool,
    /// Bytes follow that belong to no record.
    pub(crate) trailing: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) name: String,
    pub(crate) kind: u16,
    /// 1 for the Internet.
    pub(crate) class: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The name that was asked for, or a service's host.
    pub(crate) name: Arc<str>,
    /// CNAMEs on the way.
    pub(crate) chain: Chain,
    pub(crate) ip: IpAddr,
    /// The least of the records on the way, in seconds.
    pub(crate) ttl: u32,
}

/// Whether bytes have the form of a DNS message of which the whole first question makes sense.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let Some(flags_high) = bytes.get(2) else { return false };
    let opcode = flags_high >> 3 & 15;
    let count = |at| be16(bytes, at).unwrap_or(u16::MAX);
    let (questions, answers, authorities, additional) = (count(4), count(6), count(8), count(10));
    let records = u32::from(questions) + u32::from(answers) + u32::from(authorities) + u32::from(additional);
    // Opcodes 0–6 are assigned (RFC 6895 §2.2). The reserved Z bit is not looked at: resolvers ignore it.
    opcode <= 6 && records > 0 && records < 1024 && questions <= MAX_QUESTIONS
}

/// Reads a message to or from a resolver; `None` where its header or first question makes no sense.
pub(crate) fn parse(bytes: &[u8]) -> Option<Message> {
    read(bytes, false)
}

/// Reads a message on the link (multicast DNS, LLMNR), where records of any section name hosts and services.
pub(super) fn parse_local(bytes: &[u8]) -> Option<Message> {
    read(bytes, true)
}

fn read(bytes: &[u8], local: bool) -> Option<Message> {
    if !looks_like(bytes) {
        return None;
    }
    let mut header = Fields(bytes);
    let (id, flags) = (header.u16()?, header.u16()?);
    let question_count = header.u16()?;
    let counts = [header.u16()?, header.u16()?, header.u16()?];
    let mut message = Message {
        id,
        response: flags & 0x8000 != 0,
        questions: Vec::new(),
        addresses: Vec::new(),
        hosts: Vec::new(),
        pointers: Vec::new(),
        keys: Vec::new(),
        names: Vec::new(),
        cut: false,
        trailing: false,
    };
    let mut at = 12;
    for _ in 0..question_count {
        let question = read_name(bytes, at).and_then(|(name, end)| {
            Some((Question { name, kind: be16(bytes, end)?, class: be16(bytes, end + 2)? }, end + 4))
        });
        match question {
            Some((question, end)) => {
                message.questions.push(question);
                at = end;
            }
            _ if message.questions.is_empty() => return None,
            _ => {
                message.cut = true;
                return Some(message);
            }
        }
    }
    let mut records = Records::default();
    match sections(bytes, at, counts, message.response, local, &mut records) {
        Some(end) => message.trailing = end < bytes.len(),
        None => message.cut = true,
    }
    if local {
        let owners = records.names.into_iter().map(|(_, name)| name);
        let targets = records.hosts.into_iter().chain(records.pointers).chain(records.aliases);
        message.names = owners.chain(targets.map(|alias| alias.target)).collect();
    } else if message.response {
        resolve(records, &mut message);
    }
    Some(message)
}

/// Reads answers, authorities and additional records; returns where they end.
fn sections(
    bytes: &[u8],
    mut at: usize,
    counts: [u16; 3],
    response: bool,
    local: bool,
    records: &mut Records,
) -> Option<usize> {
    for (section, count) in counts.into_iter().enumerate() {
        let keep = match section {
            _ if local => Keep::Names,
            0 if response => Keep::Answers,
            // Beside a service's host stands its address.
            2 if response && !records.hosts.is_empty() => Keep::Addresses,
            _ => Keep::Nothing,
        };
        for _ in 0..count {
            at = records.read(bytes, at, keep)?;
        }
    }
    Some(at)
}

/// Finds what the records say about the questions.
fn resolve(records: Records, message: &mut Message) {
    let Records { aliases, found, hosts, pointers, .. } = &records;
    let has_any = !(aliases.is_empty() && found.is_empty() && hosts.is_empty() && pointers.is_empty());
    let asked = message.questions.iter().take(if has_any { MAX_ANSWERED } else { 0 });
    message.addresses.reserve_exact(found.len());
    for question in asked {
        // The names that stand for the question's, each found from the one before: no order of records is assumed.
        let mut names = vec![(question.name.as_str(), u32::MAX)];
        let mut bytes = 0;
        while let Some(&(last, ttl)) = names.last()
            && names.len() <= MAX_CHAIN
        {
            let Some(alias) = aliases.iter().find(|alias| alias.owner == last) else { break };
            if names.iter().any(|(name, _)| *name == alias.target) {
                break;
            }
            bytes += alias.target.len();
            if bytes > MAX_CHAIN_BYTES {
                message.cut = true;
                break;
            }
            names.push((&alias.target, ttl.min(alias.ttl)));
        }
        let stands = |owner: &str| names.iter().position(|(name, _)| *name == owner);
        let asked: Arc<str> = question.name.as_str().into();
        let links: Vec<Arc<str>> = names[1..].iter().map(|&(name, _)| name.into()).collect();
        // One chain for all addresses of a name.
        let mut chains: Vec<Option<Chain>> = vec![None; names.len()];
        for found in found {
            if let Some(position) = stands(&found.owner) {
                let chain = chains[position].get_or_insert_with(|| links[..position].into()).clone();
                let ttl = names[position].1.min(found.ttl);
                message.addresses.push(Address { name: asked.clone(), chain, ip: found.ip, ttl });
            }
        }
        for host in hosts.iter().filter(|host| stands(&host.owner).is_some()) {
            let name: Arc<str> = host.target.as_str().into();
            let none = Chain::default();
            for found in found.iter().filter(|found| found.owner == host.target) {
                let ttl = host.ttl.min(found.ttl);
                message.addresses.push(Address {
                    name: name.clone(),
                    chain: none.clone(),
                    ip: found.ip,
                    ttl,
                });
            }
            message.hosts.push(host.target.clone());
        }
        let pointers = pointers.iter().filter(|pointer| stands(&pointer.owner).is_some());
        message.pointers.extend(pointers.map(|pointer| pointer.target.clone()));
    }
    message.keys = records.keys;
}

#[cfg(test)]
mod tests {
    use simple_dns::rdata::{self, RData};
    use simple_dns::{CLASS, Name, Packet, QCLASS, QTYPE, Question, ResourceRecord, TYPE};

    use super::*;

    #[test]
    fn what_another_library_writes_with_compressed_names_is_read() {
        let name = |text: &'static str| Name::new(text).unwrap();
        let mut packet = Packet::new_reply(7);
        let (asked, alias) = ("Fw.nucleus-u8.example", "edge.nucleus-u8.example");
        packet.questions.push(Question::new(
            name(asked),
            QTYPE::TYPE(TYPE::A),
            QCLASS::CLASS(CLASS::IN),
            false,
        ));
        let record = |owner, data| ResourceRecord::new(name(owner), CLASS::IN, 60, data);
        // The address first: answers need no order.
        packet.answers.push(record(alias, RData::A(rdata::A { address: 0xc633_6415 })));
        packet.answers.push(record(asked, RData::CNAME(rdata::CNAME(name(alias)))));
        packet.answers.push(record("other.example", RData::A(rdata::A { address: 0xc633_6414 })));
        let bytes = packet.build_bytes_vec_compressed().unwrap();
        let message = parse(&bytes).unwrap();
        assert_eq!((message.id, message.response, message.cut), (7, true, false));
        assert_eq!(
            message.questions,
            [super::Question { name: "fw.nucleus-u8.example".into(), kind: 1, class: 1 }]
        );
        let expected = Address {
            name: "fw.nucleus-u8.example".into(),
            chain: Arc::from([Arc::from(alias)]),
            ip: "198.51.100.21".parse().unwrap(),
            ttl: 60,
        };
        assert_eq!(message.addresses, [expected]);
        for end in 0..bytes.len() {
            assert!(parse(&bytes[..end]).is_none_or(|message| message.cut));
        }
    }

    #[test]
    fn compression_that_points_at_itself_or_forward_is_refused() {
        for target in [12, 13, 40] {
            let bytes = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, target, 0, 1, 0, 1];
            assert_eq!(parse(&bytes), None);
        }
    }
}
