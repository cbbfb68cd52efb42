//! UDP flows: each datagram stands alone.

use crate::context::Context;
use crate::flow::{CLIENT, Flow, Stage, UNKNOWN};
use crate::protocol::{dgram, dns};
use crate::record::NameKind;

/// Datagrams that are looked at before a flow is called unknown.
const MAX_TRIES: u8 = 8;
/// Questions of which the answer is awaited.
const MAX_ASKED: usize = 64;

pub(crate) const DNS_PORT: u16 = 53;
const MDNS_PORT: u16 = 5353;
const LLMNR_PORT: u16 = 5355;
/// RFC 9250 §4.1.1.
const DOQ_PORT: u16 = 853;

#[derive(Debug)]
pub(crate) enum Udp {
    /// So many datagrams told nothing.
    Probing(u8),
    /// A protocol whose later datagrams may tell names.
    Open,
    Dns(Box<Asked>),
}

/// Questions that were seen on a flow: an answer counts only where its question was asked.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    open: Vec<(u16, String)>,
    oldest: usize,
}

impl Asked {
    fn ask(&mut self, id: u16, name: &str) {
        if self.open.iter().any(|(known, asked)| *known == id && asked == name) {
            return;
        }
        if self.open.len() < MAX_ASKED {
            self.open.push((id, name.to_owned()));
        } else {
            self.open[self.oldest] = (id, name.to_owned());
            self.oldest = (self.oldest + 1) % MAX_ASKED;
        }
    }

    fn was_asked(&self, id: u16, name: &str) -> bool {
        self.open.iter().any(|(known, asked)| *known == id && asked == name)
    }
}

/// Takes a datagram, and returns how the flow stands then.
pub(crate) fn advance(
    udp: Udp,
    flow: &mut Flow,
    side: usize,
    payload: &[u8],
    cut: bool,
    context: &mut Context<'_>,
) -> Stage {
    let ports = [flow.client.1, flow.server.1];
    match udp {
        Udp::Dns(mut asked) => {
            resolver(flow, side, payload, cut, &mut asked, context);
            Stage::Udp(Udp::Dns(asked))
        }
        // Whatever comes first, a question may come later.
        Udp::Probing(_) if flow.server.1 == DNS_PORT => {
            let mut asked = Box::default();
            resolver(flow, side, payload, cut, &mut asked, context);
            Stage::Udp(Udp::Dns(asked))
        }
        Udp::Open => {
            if let Some(found) = dgram::recognise(payload, ports) {
                note(flow, found, context);
            }
            Stage::Udp(Udp::Open)
        }
        Udp::Probing(tries) => {
            if ports.iter().any(|port| matches!(*port, DNS_PORT | MDNS_PORT | LLMNR_PORT)) {
                let mut asked = Box::default();
                if let Some(read) = dns(flow, side, payload, &mut asked, context) {
                    damaged(flow, cut || read == Read::Cut, context);
                    return Stage::Udp(Udp::Dns(asked));
                }
            }
            if let Some(found) = dgram::recognise(payload, ports) {
                let open = found.open;
                note(flow, found, context);
                return if open { Stage::Udp(Udp::Open) } else { Stage::Done };
            }
            flow.lossy |= cut;
            if tries + 1 >= MAX_TRIES { Stage::Done } else { Stage::Udp(Udp::Probing(tries + 1)) }
        }
    }
}

/// Takes a datagram of a flow that is, or by its port should be, DNS.
fn resolver(
    flow: &mut Flow,
    side: usize,
    payload: &[u8],
    cut: bool,
    asked: &mut Asked,
    context: &mut Context<'_>,
) {
    let read = dns(flow, side, payload, asked, context);
    if read.is_none() {
        malformed(flow, context);
        if flow.app == UNKNOWN
            && let Some(found) = dgram::recognise(payload, [flow.client.1, flow.server.1])
        {
            note(flow, found, context);
        }
    }
    damaged(flow, cut || read == Some(Read::Cut), context);
}

/// Counts what is no DNS where DNS should be.
pub(crate) fn malformed(flow: &mut Flow, context: &mut Context<'_>) {
    context.weird("dns_malformed");
    flow.unread = true;
}

fn damaged(flow: &mut Flow, cut: bool, context: &mut Context<'_>) {
    if cut {
        context.weird("dns_cut");
        flow.unread = true;
        flow.lossy = true;
    }
}

fn note(flow: &mut Flow, found: dgram::Told, context: &mut Context<'_>) {
    flow.recognised(found.app);
    if found.app == "quic" && flow.server.1 == DOQ_PORT {
        context.names.hides(flow.client.0, flow.client_mac);
    }
    for (kind, name) in found.names {
        flow.evidence.name(kind, name, context.frame);
    }
}

/// How much of a DNS message was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    Whole,
    Cut,
}

/// Reads a DNS message of a flow, over UDP or TCP; `None` where it is none.
pub(crate) fn dns(
    flow: &mut Flow,
    side: usize,
    payload: &[u8],
    asked: &mut Asked,
    context: &mut Context<'_>,
) -> Option<Read> {
    let message = dns::parse(payload)?;
    let (kind, app) = match (flow.client.1, flow.server.1) {
        // What goes to a resolver is a question to it, whatever port it comes from.
        (_, DNS_PORT) => (NameKind::DnsQuery, "dns"),
        (MDNS_PORT, _) | (_, MDNS_PORT) => (NameKind::Mdns, "mdns"),
        (LLMNR_PORT, _) | (_, LLMNR_PORT) => (NameKind::Llmnr, "llmnr"),
        _ => (NameKind::DnsQuery, "dns"),
    };
    if flow.server.1 == DNS_PORT {
        flow.app = app;
        flow.guessed = false;
    } else {
        flow.recognised(app);
    }
    for question in &message.questions {
        flow.evidence.name(kind, question.name.clone(), context.frame);
    }
    // Only what a resolver is asked, and says, tells what a client knows.
    if flow.server.1 == DNS_PORT {
        match (message.response, side == CLIENT) {
            (false, true) => {
                context.names.asked(flow.client.0, flow.client_mac);
                for question in &message.questions {
                    asked.ask(message.id, &question.name);
                }
            }
            (true, false) if !flow.forged => {
                if message.questions.iter().all(|question| asked.was_asked(message.id, &question.name)) {
                    context.names.answered(flow.client.0, flow.client_mac, &message, context.frame);
                } else {
                    context.weird("dns_answer_unasked");
                }
            }
            (true, _) => {
                context.weird("dns_answer_from_client");
                flow.unread = true;
            }
            (false, false) => {}
        }
    }
    Some(if message.cut { Read::Cut } else { Read::Whole })
}
