//! UDP flows: each datagram stands alone.

use crate::context::Context;
use crate::flow::{CLIENT, Flow, Stage};
use crate::protocol::{dgram, dns};
use crate::record::NameKind;

/// Datagrams that are looked at before a flow is called unknown.
const MAX_TRIES: u8 = 8;
/// Questions of which the answer is awaited.
const MAX_ASKED: usize = 64;

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
            if dns(flow, side, payload, &mut asked, context).is_none() {
                context.weird("dns_malformed");
            }
            flow.lossy |= cut;
            Stage::Udp(Udp::Dns(asked))
        }
        Udp::Open => {
            if let Some(found) = dgram::recognise(payload, ports) {
                note(flow, found, context);
            }
            Stage::Udp(Udp::Open)
        }
        Udp::Probing(tries) => {
            if ports.iter().any(|port| matches!(port, 53 | 5353 | 5355)) {
                let mut asked = Box::default();
                if dns(flow, side, payload, &mut asked, context).is_some() {
                    flow.lossy |= cut;
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

fn note(flow: &mut Flow, found: dgram::Told, context: &mut Context<'_>) {
    flow.recognised(found.app);
    if found.app == "quic" && flow.server.1 == DOQ_PORT {
        context.names.hides(flow.client.0, flow.client_mac);
    }
    for (kind, name) in found.names {
        flow.evidence.name(kind, name, context.frame);
    }
}

/// Reads a DNS message of a flow, over UDP or TCP.
pub(crate) fn dns(
    flow: &mut Flow,
    side: usize,
    payload: &[u8],
    asked: &mut Asked,
    context: &mut Context<'_>,
) -> Option<()> {
    let message = dns::parse(payload)?;
    let (kind, app) = match (flow.client.1, flow.server.1) {
        (5353, _) | (_, 5353) => (NameKind::Mdns, "mdns"),
        (5355, _) | (_, 5355) => (NameKind::Llmnr, "llmnr"),
        _ => (NameKind::DnsQuery, "dns"),
    };
    flow.recognised(app);
    for question in &message.questions {
        flow.evidence.name(kind, question.name.clone(), context.frame);
    }
    if kind != NameKind::DnsQuery {
        return Some(());
    }
    if !message.response {
        if side == CLIENT {
            context.names.asked(flow.client.0, flow.client_mac);
            for question in &message.questions {
                asked.ask(message.id, &question.name);
            }
        }
    } else if side != CLIENT {
        if message.questions.iter().all(|question| asked.was_asked(message.id, &question.name)) {
            context.names.answered(flow.client.0, flow.client_mac, &message, context.frame);
        } else {
            context.weird("dns_answer_unasked");
        }
    }
    if message.cut {
        context.weird("dns_cut");
    }
    Some(())
}
