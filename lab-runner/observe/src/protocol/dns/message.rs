//! DNS messages (RFC 1035 §4): questions, and what answers give for them: addresses, directly or through CNAMEs, as hints
//! (RFC 9460 §7.3) or behind a service's host; and the names of addresses.
//!
//! Counts in the header allocate nothing.

use std::net::IpAddr;
use std::sync::Arc;

use super::name::{Span, Text};
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

/// A message. One serves for many, so that what it takes is allocated once.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub(crate) id: u16,
    pub(crate) response: bool,
    pub(crate) questions: Vec<Question>,
    /// Whose the first record is, where nothing is asked: an inverse query (RFC 1035 §6.4.1), or an answer alone.
    pub(super) owner: Option<Span>,
    /// Addresses that belong to a question's name, directly or through CNAMEs, or to the host of its service.
    pub(crate) addresses: Vec<Address>,
    /// Hosts of the services that were asked for.
    pub(super) hosts: Vec<Span>,
    /// Names of the addresses that were asked for.
    pub(super) pointers: Vec<Span>,
    /// The message ended before its counts did, or has more than is read.
    pub(crate) cut: bool,
    /// Bytes follow that belong to no record.
    pub(crate) trailing: bool,
    text: Text,
    records: Records,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    /// What [`Message::name`] takes.
    pub(super) name: Span,
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

/// Whether bytes begin with a header of DNS that makes sense.
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
    let mut message = Message::default();
    message.read(bytes)?;
    Some(message)
}

impl Message {
    /// Reads a message to or from a resolver; `None` where its header or first question makes no sense.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<()> {
        self.read_as(bytes, false)?;
        if self.response {
            self.resolve();
        }
        Some(())
    }

    /// Reads a message on the link (multicast DNS, LLMNR), where records of any section name hosts and services.
    pub(super) fn read_local(&mut self, bytes: &[u8]) -> Option<()> {
        self.read_as(bytes, true)
    }

    /// A name of it.
    pub(super) fn name(&self, span: Span) -> &str {
        self.text.get(span)
    }

    /// Names with keys for Encrypted Client Hello.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.records.keys.iter().map(|name| self.name(*name))
    }

    /// Every name in the records of a message on the link.
    pub(super) fn local_names(&self) -> impl Iterator<Item = &str> {
        let Records { names, hosts, pointers, aliases, .. } = &self.records;
        let owners = names.iter().map(|(_, name)| *name);
        let targets = hosts.iter().chain(pointers).chain(aliases).map(|alias| alias.target);
        owners.chain(targets).map(|name| self.name(name))
    }

    fn read_as(&mut self, bytes: &[u8], local: bool) -> Option<()> {
        let Self { questions, addresses, hosts, pointers, text, records, .. } = self;
        questions.clear();
        addresses.clear();
        hosts.clear();
        pointers.clear();
        text.clear();
        records.clear();
        (self.cut, self.trailing, self.owner) = (false, false, None);
        if !looks_like(bytes) {
            return None;
        }
        let mut header = Fields(bytes);
        let flags;
        (self.id, flags) = (header.u16()?, header.u16()?);
        self.response = flags & 0x8000 != 0;
        let question_count = header.u16()?;
        let counts = [header.u16()?, header.u16()?, header.u16()?];
        let mut at = 12;
        for _ in 0..question_count {
            let Some((name, end)) = text.read(bytes, at) else {
                self.cut = true;
                return (!questions.is_empty()).then_some(());
            };
            let (Some(kind), Some(class)) = (be16(bytes, end), be16(bytes, end + 2)) else {
                // A whole name is one, though it was cut behind it.
                questions.push(Question { name, kind: 0, class: 0 });
                self.cut = true;
                return Some(());
            };
            questions.push(Question { name, kind, class });
            at = end + 4;
        }
        if questions.is_empty() {
            self.owner = text.read(bytes, at).map(|(name, _)| name);
        }
        match sections(bytes, at, counts, self.response, local, records, text) {
            Some(end) => self.trailing = end < bytes.len(),
            None => self.cut = true,
        }
        Some(())
    }

    /// Finds what the records say about the questions.
    fn resolve(&mut self) {
        let Self { questions, addresses, hosts: told_hosts, pointers: told_pointers, text, records, .. } =
            self;
        let Records { aliases, found, hosts, pointers, .. } = records;
        if aliases.is_empty() && found.is_empty() && hosts.is_empty() && pointers.is_empty() {
            return;
        }
        for question in questions.iter().take(MAX_ANSWERED) {
            // The names that stand for the question's, each found from the one before: no order of records is assumed.
            let mut names = vec![(text.get(question.name), u32::MAX)];
            let mut bytes = 0;
            while let Some(&(last, ttl)) = names.last()
                && names.len() <= MAX_CHAIN
            {
                let Some(alias) = aliases.iter().find(|alias| text.get(alias.owner) == last) else { break };
                let target = text.get(alias.target);
                if names.iter().any(|(name, _)| *name == target) {
                    break;
                }
                bytes += target.len();
                if bytes > MAX_CHAIN_BYTES {
                    self.cut = true;
                    break;
                }
                names.push((target, ttl.min(alias.ttl)));
            }
            let stands = |owner: Span| names.iter().position(|(name, _)| *name == text.get(owner));
            let asked: Arc<str> = text.get(question.name).into();
            let links: Vec<Arc<str>> = names[1..].iter().map(|&(name, _)| name.into()).collect();
            // One chain for all addresses of a name.
            let mut chains: Vec<Option<Chain>> = vec![None; names.len()];
            for found in found.iter() {
                if let Some(position) = stands(found.owner) {
                    let chain = chains[position].get_or_insert_with(|| links[..position].into()).clone();
                    let ttl = names[position].1.min(found.ttl);
                    addresses.push(Address { name: asked.clone(), chain, ip: found.ip, ttl });
                }
            }
            for host in hosts.iter().filter(|host| stands(host.owner).is_some()) {
                let target = text.get(host.target);
                let name: Arc<str> = target.into();
                let none = Chain::default();
                for found in found.iter().filter(|found| text.get(found.owner) == target) {
                    let ttl = host.ttl.min(found.ttl);
                    addresses.push(Address { name: name.clone(), chain: none.clone(), ip: found.ip, ttl });
                }
                told_hosts.push(host.target);
            }
            let pointers = pointers.iter().filter(|pointer| stands(pointer.owner).is_some());
            told_pointers.extend(pointers.map(|pointer| pointer.target));
        }
    }
}

/// Reads answers, authorities and additional records; returns where they end.
fn sections(
    bytes: &[u8],
    mut at: usize,
    counts: [u16; 3],
    response: bool,
    local: bool,
    records: &mut Records,
    text: &mut Text,
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
            at = records.read(bytes, at, keep, text)?;
        }
    }
    Some(at)
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
            message
                .questions
                .iter()
                .map(|asked| (message.name(asked.name), asked.kind, asked.class))
                .collect::<Vec<_>>(),
            [("fw.nucleus-u8.example", 1, 1)]
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
            assert!(parse(&bytes).is_none());
        }
    }
}
