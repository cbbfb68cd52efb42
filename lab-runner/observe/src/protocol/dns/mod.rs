//! DNS, multicast DNS and LLMNR: what is asked for, and what a resolver tells its client.
//!
//! Only what a resolver's port is asked, and says, tells what a client knows; and an answer only where its question was
//! asked on the same flow.

pub(crate) mod message;
mod name;
mod record;

use std::hash::BuildHasher;

use self::message::Message;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{
    Conversation, Datagram, DatagramProtocol, Dialogue, Heard, Opening, Probe, Shown, Step, StreamProtocol,
};
use crate::flow::CLIENT;
use crate::hash::Hasher;
use crate::link::be16;
use crate::record::NameKind;

/// DNS over UDP.
pub(crate) const OVER_UDP: DatagramProtocol = DatagramProtocol { begins: Begins::ANYHOW, listen };

pub(crate) const PORT: u16 = 53;
const MDNS_PORT: u16 = 5353;
const LLMNR_PORT: u16 = 5355;
const NETBIOS_PORT: u16 = 137;
/// Questions of which the answer is awaited.
const MAX_ASKED: usize = 64;

/// DNS over TCP (RFC 1035 §4.2.2), on another port than its own if a plain question or answer comes alone.
pub(crate) const OVER_TCP: StreamProtocol = StreamProtocol { begins: Begins::ANYHOW, probe, open };

/// Whatever comes first to a resolver's port, a question may come later; elsewhere the bytes must be a message.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let mut asked = Asked::default();
    if datagram.ports[1] == PORT {
        if matches!(asked.datagram(datagram, facts), Heard::No) {
            // Something else may be spoken here, too.
            asked.instead = super::registry::instead_of_dns(datagram, facts);
        }
        return Heard::With(Box::new(asked));
    }
    let is_local = datagram.on_any(&[MDNS_PORT, LLMNR_PORT]);
    let is_usual = is_local || datagram.on(PORT);
    // NetBIOS has the same form, and names of its own.
    if !is_usual && (datagram.on(NETBIOS_PORT) || !is_plain(datagram.bytes)) {
        return Heard::No;
    }
    match read(facts, datagram.side, datagram.bytes, &mut asked) {
        Some(how) => {
            damaged(facts, datagram.cut || how == Read::Cut);
            Heard::With(if is_local { Box::new(Local) } else { Box::new(asked) })
        }
        None => Heard::No,
    }
}

/// A question as stub resolvers ask it, or its answer: so plain that it is no other protocol's on whatever port.
fn is_plain(bytes: &[u8]) -> bool {
    // One question of class IN (RFC 1035 §4.1.1); no reserved bits, and nothing but answers in answers.
    let Some(&[_, _, high, low, 0, 1, ref counts @ ..]) = bytes.first_chunk::<12>() else { return false };
    let is_answer = high & 0x80 != 0;
    let is_sane =
        high & 0x78 == 0 && low & 0x40 == 0 && (is_answer || (low & 0x8f == 0 && counts[..4] == [0; 4]));
    is_sane
        && message::parse(bytes).is_some_and(|message| {
            !message.cut && !message.trailing && message.questions.iter().all(|question| question.class == 1)
        })
}

fn probe(opening: &Opening<'_>) -> Probe {
    let is_mine = match opening.ports[1] {
        PORT => !opening.late,
        // A whole message and nothing else, as plain as one over UDP has to be.
        _ => be16(opening.bytes, 0).is_some_and(|length| {
            usize::from(length) + 2 == opening.bytes.len() && is_plain(&opening.bytes[2..])
        }),
    };
    if is_mine { Probe::Yes } else { Probe::No }
}

fn open(_: &Opening<'_>) -> Box<dyn Dialogue> {
    Box::<Asked>::default()
}

/// Questions that were seen on a flow.
#[derive(Debug, Default)]
struct Asked {
    /// Its number, and its name, hashed: a name may be as long as a hundred such.
    open: Vec<(u16, u64)>,
    hasher: Hasher,
    oldest: usize,
    /// Who reads what is no DNS, where the first datagram was none.
    instead: Option<Box<dyn Conversation>>,
}

impl Asked {
    fn ask(&mut self, id: u16, name: &str) {
        let question = self.question(id, name);
        if self.open.contains(&question) {
            return;
        }
        if self.open.len() < MAX_ASKED {
            self.open.push(question);
        } else {
            self.open[self.oldest] = question;
            self.oldest = (self.oldest + 1) % MAX_ASKED;
        }
    }

    fn was_asked(&self, id: u16, name: &str) -> bool {
        self.open.contains(&self.question(id, name))
    }

    fn question(&self, id: u16, name: &str) -> (u16, u64) {
        (id, self.hasher.hash_one(name))
    }
}

impl Conversation for Asked {
    /// On this port questions may follow whatever it is, which already leaves doubt.
    fn reads_quic(&self) -> bool {
        true
    }

    fn datagram(&mut self, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
        let read = read(facts, datagram.side, datagram.bytes, self);
        if read.is_none() {
            malformed(facts);
        }
        damaged(facts, datagram.cut || read == Some(Read::Cut));
        if read.is_some() {
            return Heard::Open;
        }
        if let Some(mut instead) = self.instead.take() {
            self.instead = match instead.datagram(datagram, facts) {
                Heard::Done => None,
                Heard::With(next) => Some(next),
                Heard::Open | Heard::No => Some(instead),
            };
        }
        Heard::No
    }

    fn finish(&mut self, facts: &mut Facts<'_, '_>) {
        if let Some(instead) = &mut self.instead {
            instead.finish(facts);
        }
    }
}

/// Talk on the link, where whoever knows may answer, and the same is said again and again.
#[derive(Debug)]
struct Local;

impl Conversation for Local {
    fn datagram(&mut self, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
        if !datagram.cut && facts.has_heard(datagram.bytes) {
            return Heard::Open;
        }
        Asked::default().datagram(datagram, facts)
    }
}

impl Dialogue for Asked {
    fn wants(&self, _: usize) -> bool {
        true
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        let mut at = 0;
        while let Some(length) = be16(bytes, at).map(usize::from) {
            let whole = bytes.get(at + 2..at + 2 + length);
            let message = match whole {
                Some(message) => message,
                None if shown.last => &bytes[at + 2..],
                None => break,
            };
            let read = read(facts, side, message, self);
            if read == Some(Read::Cut) || whole.is_none() {
                facts.doubt("dns_cut");
            }
            if read.is_none() {
                malformed(facts);
                if facts.is_unknown() {
                    // Something else on the port of DNS.
                    return Step::NotMine;
                }
            }
            at += 2 + length;
            if whole.is_none() {
                break;
            }
        }
        Step::Took(at)
    }
}

/// A name as it stands in a message, alone and without pointers.
pub(super) fn plain_name(bytes: &[u8]) -> Option<String> {
    // Partial names (RFC 4704 §4.2) have no end.
    let mut text = name::Text::default();
    let (name, _) = text.read(&[bytes, &[0]].concat(), 0)?;
    Some(text.get(name).to_owned())
}

/// Counts what is no DNS where DNS should be.
fn malformed(facts: &mut Facts<'_, '_>) {
    facts.doubt("dns_malformed");
}

fn damaged(facts: &mut Facts<'_, '_>, cut: bool) {
    if cut {
        facts.doubt("dns_cut");
        facts.lossy();
    }
}

/// How much of a message was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Whole,
    Cut,
}

/// Reads a message; `None` where it is none.
fn read(facts: &mut Facts<'_, '_>, side: usize, payload: &[u8], asked: &mut Asked) -> Option<Read> {
    let mut message = std::mem::take(facts.context.message);
    let read = read_into(&mut message, facts, side, payload, asked);
    *facts.context.message = message;
    read
}

fn read_into(
    message: &mut Message,
    facts: &mut Facts<'_, '_>,
    side: usize,
    payload: &[u8],
    asked: &mut Asked,
) -> Option<Read> {
    let ports = facts.ports();
    let to_resolver = ports[1] == PORT;
    let (kind, app) = match ports {
        // What goes to a resolver is a question to it, whatever port it comes from.
        [_, PORT] => (NameKind::DnsQuery, "dns"),
        [MDNS_PORT, _] | [_, MDNS_PORT] => (NameKind::Mdns, "mdns"),
        [LLMNR_PORT, _] | [_, LLMNR_PORT] => (NameKind::Llmnr, "llmnr"),
        _ => (NameKind::DnsQuery, "dns"),
    };
    let is_local = kind != NameKind::DnsQuery;
    if is_local {
        message.read_local(payload)?;
    } else {
        message.read(payload)?;
    }
    if to_resolver {
        facts.becomes(app)
    } else {
        facts.recognised(app)
    }
    if message.trailing {
        // A channel could be hidden there.
        facts.doubt("dns_trailing_bytes");
    }
    for question in &message.questions {
        let qtype = (!is_local).then(|| record::type_word(question.kind)).flatten();
        facts.question(kind, message.name(question.name), qtype.as_deref());
    }
    if let Some(owner) = message.owner.filter(|_| !is_local) {
        facts.escaped(kind, message.name(owner));
    }
    if is_local {
        for name in message.local_names() {
            facts.escaped(kind, name);
        }
        if !message.cut && !message.trailing {
            facts.heard(payload);
        }
    }
    let read = if message.cut { Read::Cut } else { Read::Whole };
    if to_resolver {
        match (message.response, side == CLIENT) {
            (false, true) => {
                facts.uses_look_ups();
                for question in &message.questions {
                    asked.ask(message.id, message.name(question.name));
                }
            }
            (true, false) if !facts.context.is_forged() => {
                let mut questions = message.questions.iter().map(|question| message.name(question.name));
                if questions.all(|name| asked.was_asked(message.id, name)) {
                    facts.was_told(message);
                    answer(message, facts);
                } else {
                    facts.weird("dns_answer_unasked");
                }
            }
            (true, _) => facts.doubt("dns_answer_from_client"),
            (false, false) => {}
        }
    }
    Some(read)
}

/// What an answer tells beside addresses.
fn answer(message: &Message, facts: &mut Facts<'_, '_>) {
    for host in &message.hosts {
        facts.escaped(NameKind::Srv, message.name(*host));
    }
    for name in &message.pointers {
        facts.escaped(NameKind::Ptr, message.name(*name));
    }
    for name in message.keys() {
        facts.has_keys(name);
    }
}
