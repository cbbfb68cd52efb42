//! TCP flows: what the first bytes of either side tell, and what stays open behind them.

use crate::context::Context;
use crate::escape;
use crate::flow::{CLIENT, Flow, SERVER, Stage, UNKNOWN};
use crate::protocol::http::{Fact, Requests};
use crate::protocol::tls::Found;
use crate::protocol::{Probe, http, tls};
use crate::record::NameKind;
use crate::stream::{Shown, Step, Stream};
use crate::udp::{self, Asked, DNS_PORT, Read};

/// Segments of a client that tell nothing before its flow is called unknown; a STARTTLS comes well before.
const MAX_TRIES: u8 = 32;
/// Segments of a server, where the connection is older than the capture.
const MAX_SERVER_TRIES: u8 = 8;
/// RFC 7858 §3.1.
const DOT_PORT: u16 = 853;
const MAX_HOST: usize = 512;

/// A TCP segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment<'a> {
    pub(crate) seq: u32,
    pub(crate) flags: u8,
    /// What was captured of the payload.
    pub(crate) payload: &'a [u8],
    /// How long the payload was on the wire.
    pub(crate) wire_len: usize,
}

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

/// A connection that may still tell names.
#[derive(Debug, Default)]
pub(crate) struct Tcp {
    streams: [Stream; 2],
    speaks: Speaks,
    tries: u8,
    /// Something that is no TLS came before.
    late: bool,
    /// Segments of the server that were looked at.
    server_tries: u8,
    server_done: bool,
    /// Which sides showed records of TLS without names.
    records: [bool; 2],
    /// Bytes of the client that its hello needs, as far as is known.
    need: usize,
}

#[derive(Debug, Default)]
enum Speaks {
    #[default]
    Unknown,
    Http(Requests),
    Dns(Box<Asked>),
}

impl Tcp {
    /// Notes where a side's bytes begin.
    pub(crate) fn syn(&mut self, side: usize, seq: u32) {
        self.streams[side].start(seq);
    }

    /// Would bytes of this side be looked at? Where not, no recording needs them.
    pub(crate) fn wants(&self, side: usize) -> bool {
        match self.speaks {
            Speaks::Unknown if side == CLIENT => !self.records[CLIENT],
            Speaks::Unknown => !self.server_done,
            Speaks::Http(_) => side == CLIENT,
            Speaks::Dns(_) => true,
        }
    }
}

/// Takes a segment with payload, and returns how the flow stands then.
pub(crate) fn advance(
    mut tcp: Box<Tcp>,
    flow: &mut Flow,
    side: usize,
    segment: Segment<'_>,
    context: &mut Context<'_>,
) -> Stage {
    if side == SERVER && !matches!(tcp.speaks, Speaks::Dns(_)) && flow.server.1 != DNS_PORT {
        server_first(&mut tcp, flow, segment.payload);
        return if tcp.records[CLIENT] && tcp.server_done { Stage::Done } else { Stage::Tcp(tcp) };
    }
    let Tcp { streams, speaks, tries, late, records, need, .. } = &mut *tcp;
    let stream = &mut streams[side];
    let mut reader = Reader { flow, speaks, tries, late, records, need, side };
    // The budget is lent to the stream while the parser uses the rest.
    let mut budget = std::mem::replace(context.budget, crate::stream::Budget { left: 0, evicted: 0 });
    let done =
        stream.push(segment.seq, segment.payload, segment.wire_len, &mut budget, &mut |bytes, shown| {
            reader.read(bytes, shown, context)
        });
    let gave_up = stream.is_dead();
    *context.budget = budget;
    flow.lossy |= tcp.streams[side].lossy;
    if done || gave_up {
        release(&mut tcp, context);
        // Whether a record is one is the server's to confirm.
        let waits = tcp.records[CLIENT] && !tcp.server_done && flow.guessed;
        return if waits { Stage::Tcp(tcp) } else { Stage::Done };
    }
    Stage::Tcp(tcp)
}

/// Takes what is left when the flow or the capture ends.
pub(crate) fn finish(mut tcp: Box<Tcp>, flow: &mut Flow, context: &mut Context<'_>) {
    for side in [CLIENT, SERVER] {
        let Tcp { streams, speaks, tries, late, records, need, .. } = &mut *tcp;
        let mut reader = Reader { flow, speaks, tries, late, records, need, side };
        let mut budget = std::mem::replace(context.budget, crate::stream::Budget { left: 0, evicted: 0 });
        streams[side].finish(&mut budget, &mut |bytes, shown| reader.read(bytes, shown, context));
        *context.budget = budget;
        flow.lossy |= tcp.streams[side].lossy;
    }
    release(&mut tcp, context);
}

fn release(tcp: &mut Tcp, context: &mut Context<'_>) {
    for stream in &mut tcp.streams {
        stream.release(context.budget);
    }
}

/// A server that speaks first, or whose client was not captured, tells at least what is spoken.
fn server_first(tcp: &mut Tcp, flow: &mut Flow, payload: &[u8]) {
    if tcp.server_done || payload.is_empty() {
        return;
    }
    // In the middle of a connection a segment need not begin with a record.
    tcp.server_tries += 1;
    tcp.server_done = flow.opening_seen || tcp.server_tries >= MAX_SERVER_TRIES;
    if tls::probe_server(payload) == Probe::Yes || tls::is_nameless(payload) {
        tcp.records[SERVER] = true;
        tcp.server_done = true;
        nameless(&tcp.records, flow);
        return;
    }
    let app = if payload.starts_with(b"HTTP/1.") {
        "http"
    } else if payload.starts_with(b"SSH-") {
        "ssh"
    } else if payload.starts_with(b"220")
        && payload.windows(4).take(512).any(|word| word.eq_ignore_ascii_case(b"SMTP"))
    {
        "smtp"
    } else if payload.starts_with(b"* OK") {
        "imap"
    } else if payload.starts_with(b"+OK") {
        "pop3"
    } else {
        return;
    };
    tcp.server_done = true;
    flow.recognised(app);
}

/// Records without names: one side's alone are only a guess, for anyone can write five bytes before a clear text.
fn nameless(records: &[bool; 2], flow: &mut Flow) {
    if *records == [true; 2] && (flow.app == UNKNOWN || flow.app == "tls") {
        flow.recognised("tls");
    } else {
        flow.suggested("tls");
    }
}

/// Reads one side's bytes in order.
struct Reader<'a> {
    flow: &'a mut Flow,
    speaks: &'a mut Speaks,
    tries: &'a mut u8,
    late: &'a mut bool,
    records: &'a mut [bool; 2],
    need: &'a mut usize,
    side: usize,
}

impl Reader<'_> {
    fn read(&mut self, bytes: &[u8], shown: Shown, context: &mut Context<'_>) -> Step {
        match self.speaks {
            Speaks::Unknown => self.probe(bytes, shown, context),
            Speaks::Http(_) => self.http(bytes, shown, context),
            Speaks::Dns(_) => self.dns(bytes, shown, context),
        }
    }

    fn probe(&mut self, bytes: &[u8], shown: Shown, context: &mut Context<'_>) -> Step {
        if self.flow.server.1 == DNS_PORT && !*self.late {
            *self.speaks = Speaks::Dns(Box::default());
            return self.dns(bytes, shown, context);
        }
        if self.side == SERVER {
            return Step::Took(bytes.len());
        }
        if shown.after_gap {
            *self.need = 0;
        }
        if bytes.len() < *self.need && !shown.last {
            return Step::Took(0);
        }
        let (tls, http) = (tls::probe_client(bytes), http::probe(bytes));
        if tls == Probe::Yes {
            match tls::client_hello(bytes, shown.last) {
                Found::Hello(hello) => {
                    self.hello(hello, context);
                    return Step::Done;
                }
                Found::More(need) => {
                    *self.need = need;
                    return Step::Took(0);
                }
                Found::No => {}
            }
        } else if http == Probe::Yes {
            *self.speaks = Speaks::Http(Requests::default());
            self.flow.recognised("http");
            return self.http(bytes, shown, context);
        } else if (tls == Probe::More || http == Probe::More) && !shown.last {
            return Step::Took(0);
        }
        if !*self.late && tls::is_nameless(bytes) {
            self.records[CLIENT] = true;
            nameless(self.records, self.flow);
            return Step::Done;
        }
        *self.need = 0;
        *self.late = true;
        *self.tries += 1;
        if *self.tries >= MAX_TRIES { Step::Done } else { Step::Took(bytes.len()) }
    }

    fn hello(&mut self, hello: tls::ClientHello, context: &mut Context<'_>) {
        let flow = &mut *self.flow;
        // What came in clear before is the better word for a STARTTLS; its names tell of the TLS.
        flow.recognised("tls");
        flow.ech |= hello.ech;
        flow.lossy |= hello.cut && hello.sni.is_none();
        if hello.cut {
            context.weird("client_hello_cut");
            flow.unread = true;
        }
        if let Some(sni) = hello.sni {
            let kind = match (hello.ech, *self.late) {
                (true, _) => NameKind::EchOuter,
                (false, true) => NameKind::StarttlsSni,
                (false, false) => NameKind::Sni,
            };
            flow.evidence.name(kind, sni, context.frame);
        }
        if flow.server.1 == DOT_PORT || hello.alpn.iter().any(|alpn| alpn == "dot") {
            context.names.hides(flow.client.0, flow.client_mac);
        }
        flow.evidence.alpn = hello.alpn;
    }

    fn http(&mut self, bytes: &[u8], shown: Shown, context: &mut Context<'_>) -> Step {
        let Speaks::Http(requests) = self.speaks else { return Step::Done };
        let mut switches = false;
        let flow = &mut *self.flow;
        let taken = requests.advance(bytes, shown.after_gap, |fact| match fact {
            Fact::Host(host) => {
                flow.evidence.name(NameKind::HttpHost, escape::name(host, MAX_HOST), context.frame);
            }
            Fact::Authority(host) => {
                flow.evidence.name(NameKind::HttpAuthority, escape::name(host, MAX_HOST), context.frame);
            }
            Fact::Switches => switches = true,
        });
        if switches {
            // What follows may be TLS to the host that CONNECT asked for.
            *self.speaks = Speaks::Unknown;
            *self.late = true;
            return Step::Took(bytes.len());
        }
        Step::Took(taken)
    }

    /// RFC 1035 §4.2.2: messages with two bytes of length before each.
    fn dns(&mut self, bytes: &[u8], shown: Shown, context: &mut Context<'_>) -> Step {
        let Speaks::Dns(asked) = self.speaks else { return Step::Done };
        let mut at = 0;
        while let Some(length) = crate::link::be16(bytes, at).map(usize::from) {
            let whole = bytes.get(at + 2..at + 2 + length);
            let message = match whole {
                Some(message) => message,
                None if shown.last => &bytes[at + 2..],
                None => break,
            };
            let read = udp::dns(self.flow, self.side, message, asked, context);
            if read == Some(Read::Cut) || whole.is_none() {
                context.weird("dns_cut");
                self.flow.unread = true;
            }
            if read.is_none() {
                udp::malformed(self.flow, context);
                if self.flow.app == UNKNOWN {
                    // Something else on the port of DNS.
                    *self.speaks = Speaks::Unknown;
                    *self.late = true;
                    return self.probe(bytes, shown, context);
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
