//! DNS messages (RFC 1035 §4): questions, and the addresses that answers give, through CNAMEs (and SVCB/HTTPS hints,
//! RFC 9460 §7.3).
//!
//! Compression pointers must point backwards and are followed a bounded number of times; counts in the header allocate
//! nothing.

use std::net::IpAddr;
use std::sync::Arc;

use crate::escape;
use crate::protocol::Fields;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const SVCB: u16 = 64;
const HTTPS: u16 = 65;
const MAX_POINTERS: usize = 32;
/// RFC 1035 §2.3.4.
const MAX_NAME: usize = 255;
/// Multicast DNS asks many at once (RFC 6762 §5.3); a resolver is asked one.
const MAX_QUESTIONS: u16 = 64;
/// Questions of one message for which addresses are looked for in its answers.
const MAX_ANSWERED: usize = 4;
const MAX_ANSWERS: usize = 128;
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
    /// Addresses that belong to a question's name, directly or through CNAMEs.
    pub(crate) addresses: Vec<Address>,
    /// The message ended before its counts did, or has more than is read.
    pub(crate) cut: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) name: String,
    pub(crate) kind: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The name that was asked for.
    pub(crate) name: Arc<str>,
    /// CNAMEs on the way.
    pub(crate) chain: Chain,
    pub(crate) ip: IpAddr,
}

/// Whether bytes have the form of a DNS message of which the whole first question makes sense.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let Some(flags_high) = bytes.get(2) else { return false };
    let opcode = flags_high >> 3 & 15;
    let count = |at| crate::link::be16(bytes, at).unwrap_or(u16::MAX);
    let (questions, answers, authorities, additional) = (count(4), count(6), count(8), count(10));
    let records = u32::from(questions) + u32::from(answers) + u32::from(authorities) + u32::from(additional);
    // Opcodes 0–6 are assigned (RFC 6895 §2.2). The reserved Z bit is not looked at: resolvers ignore it.
    opcode <= 6 && records > 0 && records < 1024 && questions <= MAX_QUESTIONS
}

/// Reads a message; `None` where its header or first question makes no sense.
pub(crate) fn parse(bytes: &[u8]) -> Option<Message> {
    if !looks_like(bytes) {
        return None;
    }
    let mut header = Fields(bytes);
    let (id, flags) = (header.u16()?, header.u16()?);
    let (question_count, answer_count) = (header.u16()?, header.u16()?);
    let mut message = Message {
        id,
        response: flags & 0x8000 != 0,
        questions: Vec::new(),
        addresses: Vec::new(),
        cut: false,
    };
    let mut at = 12;
    for _ in 0..question_count {
        let mut name = String::new();
        let end = read_name(bytes, at, &mut name);
        let kind = end.and_then(|end| crate::link::be16(bytes, end));
        match (end, kind) {
            (Some(end), Some(kind)) if end + 4 <= bytes.len() => {
                message.questions.push(Question { name, kind });
                at = end + 4;
            }
            _ if message.questions.is_empty() => return None,
            _ => {
                message.cut = true;
                return Some(message);
            }
        }
    }
    if message.response && answers(bytes, at, answer_count, &mut message).is_none() {
        message.cut = true;
    }
    Some(message)
}

fn answers(bytes: &[u8], mut at: usize, count: u16, message: &mut Message) -> Option<()> {
    let mut aliases: Vec<(String, String)> = Vec::new();
    let mut found: Vec<(String, IpAddr)> = Vec::new();
    let mut result = Some(());
    for _ in 0..count {
        match record(bytes, at, &mut aliases, &mut found) {
            Some(next) => at = next,
            None => {
                result = None;
                break;
            }
        }
        if aliases.len() + found.len() > MAX_ANSWERS {
            result = None;
            break;
        }
    }
    for question in message.questions.iter().take(MAX_ANSWERED) {
        // The names that stand for the question's, each found from the one before: no order of records is assumed.
        let mut names = vec![question.name.as_str()];
        let mut bytes = 0;
        while names.len() <= MAX_CHAIN {
            let last = names[names.len() - 1];
            let Some((_, target)) = aliases.iter().find(|(owner, _)| owner == last) else { break };
            if names.contains(&target.as_str()) {
                break;
            }
            bytes += target.len();
            if bytes > MAX_CHAIN_BYTES {
                result = None;
                break;
            }
            names.push(target);
        }
        let asked: Arc<str> = question.name.as_str().into();
        let links: Vec<Arc<str>> = names[1..].iter().map(|&name| name.into()).collect();
        // One chain for all addresses of a name.
        let mut chains: Vec<Option<Chain>> = vec![None; names.len()];
        for (owner, ip) in &found {
            if let Some(position) = names.iter().position(|name| name == owner) {
                let chain = chains[position].get_or_insert_with(|| links[..position].into()).clone();
                message.addresses.push(Address { name: asked.clone(), chain, ip: *ip });
            }
        }
    }
    result
}

/// Reads a record, and returns where the next one begins.
fn record(
    bytes: &[u8],
    at: usize,
    aliases: &mut Vec<(String, String)>,
    found: &mut Vec<(String, IpAddr)>,
) -> Option<usize> {
    let mut owner = String::new();
    let at = read_name(bytes, at, &mut owner)?;
    let mut fields = Fields(bytes.get(at..)?);
    let (kind, class) = (fields.u16()?, fields.u16()?);
    fields.take(4)?;
    let length = usize::from(fields.u16()?);
    let data = fields.take(length)?;
    let data_at = at + 10;
    // The class's high bit has a meaning of its own in multicast DNS (RFC 6762 §10.2).
    if class & 0x7fff == 1 {
        match kind {
            A => found.push((owner, IpAddr::from(<[u8; 4]>::try_from(data).ok()?))),
            AAAA => found.push((owner, IpAddr::from(<[u8; 16]>::try_from(data).ok()?))),
            CNAME => {
                let mut target = String::new();
                read_name(bytes, data_at, &mut target)?;
                aliases.push((owner, target));
            }
            SVCB | HTTPS => hints(bytes, data_at, length, &owner, aliases, found)?,
            _ => {}
        }
    }
    Some(data_at + length)
}

fn hints(
    bytes: &[u8],
    at: usize,
    length: usize,
    owner: &str,
    aliases: &mut Vec<(String, String)>,
    found: &mut Vec<(String, IpAddr)>,
) -> Option<()> {
    let mut target = String::new();
    let after = read_name(bytes, at + 2, &mut target)?;
    // Priority 0 is an alias (RFC 9460 §2.4.2); target `.` means the owner.
    if crate::link::be16(bytes, at)? == 0 && !target.is_empty() {
        aliases.push((owner.to_owned(), target));
        return Some(());
    }
    let mut params = Fields(bytes.get(after..at + length)?);
    while !params.0.is_empty() {
        let key = params.u16()?;
        let size = params.u16()?;
        let value = params.take(usize::from(size))?;
        // One more than is allowed tells the caller that there were too many.
        let room = (MAX_ANSWERS + 1).saturating_sub(found.len());
        let owned = |ip: IpAddr| (owner.to_owned(), ip);
        match key {
            4 => found.extend(value.as_chunks::<4>().0.iter().take(room).map(|ip| owned(IpAddr::from(*ip)))),
            6 => found.extend(value.as_chunks::<16>().0.iter().take(room).map(|ip| owned(IpAddr::from(*ip)))),
            _ => {}
        }
    }
    Some(())
}

/// Reads a name into `out`, and returns where it ends.
pub(crate) fn read_name(bytes: &[u8], mut at: usize, out: &mut String) -> Option<usize> {
    let mut end = None;
    let mut pointers = 0;
    let mut total = 0;
    // Most names fit.
    out.reserve(48);
    loop {
        let length = usize::from(*bytes.get(at)?);
        match length >> 6 {
            0 if length == 0 => return Some(end.unwrap_or(at + 1)),
            0 => {
                total += length + 1;
                if total > MAX_NAME {
                    return None;
                }
                let label = bytes.get(at + 1..at + 1 + length)?;
                if !out.is_empty() {
                    out.push('.');
                }
                for (number, part) in label.split(|byte| *byte == b'.').enumerate() {
                    // A dot inside of a label is no separator.
                    if number > 0 {
                        escape::push_hex(out, b'.');
                    }
                    escape::push_name(out, part);
                }
                at += 1 + length;
            }
            3 => {
                let target = usize::from(crate::link::be16(bytes, at)? & 0x3fff);
                end.get_or_insert(at + 2);
                pointers += 1;
                if target >= at || pointers > MAX_POINTERS {
                    return None;
                }
                at = target;
            }
            _ => return None,
        }
    }
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
        assert_eq!(message.questions, [super::Question { name: "fw.nucleus-u8.example".into(), kind: 1 }]);
        let expected = Address {
            name: "fw.nucleus-u8.example".into(),
            chain: Arc::from([Arc::from(alias)]),
            ip: "198.51.100.21".parse().unwrap(),
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
