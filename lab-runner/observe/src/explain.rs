//! Why one flow is called what it is called: what each of its frames added.
//!
//! Watches one flow from beside, by what differs after each of its packets, so that no parser has to know of it.

use crate::flow::{CLIENT, Flow, Hot, SERVER, UNKNOWN};
use crate::names::Known;
use crate::record::{FlowRecord, Name, NameKind};

/// Notes kept; a flow that says more is dull.
const MAX_NOTES: usize = 1024;

/// Names that are told in one note.
const MAX_LISTED: usize = 8;

/// Why a flow is called what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The flow.
    pub flow: FlowRecord,
    /// What its frames told, and before them what its client had been told, in the order of frames.
    pub notes: Vec<Note>,
    /// There was more to note than is kept.
    pub more: bool,
}

/// What one frame told of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The frame, from 1.
    pub frame: u64,
    /// The frame's time, Unix nanoseconds; `None` for a frame before the flow's first.
    pub ts_ns: Option<u64>,
    /// What it told: a sentence in printable ASCII.
    pub text: String,
}

/// What turns true once in a flow's life, and what there is to say of it then.
type Turn = (fn(&Hot, &Flow) -> bool, &'static str);

const TURNS: [Turn; 7] = [
    (|hot, _| hot.answered, "the server answers"),
    (|hot, _| hot.forged, "a packet of the server's side comes from the client's link address"),
    (|_, flow| flow.ech, "the real name is encrypted: what stands in the clear is there to mislead"),
    (|_, flow| flow.lossy, "bytes that might have told more are missing"),
    (|_, flow| flow.unread, "something in it can't be read: it may carry more than its names tell"),
    (|hot, _| hot.reset, "the connection is reset"),
    (|hot, _| hot.fin[CLIENT] || hot.fin[SERVER], "the connection is closed"),
];

/// The flow that is watched, and what was seen of it so far.
#[derive(Debug)]
pub(crate) struct Watched {
    /// Its index.
    pub(crate) index: usize,
    begun: bool,
    turned: [bool; TURNS.len()],
    names: usize,
    weird: usize,
    app: &'static str,
    guessed: bool,
    version: Option<String>,
    wanted: bool,
    notes: Vec<Note>,
    more: bool,
}

impl Watched {
    pub(crate) fn new(index: usize) -> Self {
        Self {
            index,
            begun: false,
            turned: [false; TURNS.len()],
            names: 0,
            weird: 0,
            app: UNKNOWN,
            guessed: false,
            version: None,
            wanted: true,
            notes: Vec::new(),
            more: false,
        }
    }

    /// Notes what the flow's latest frame changed; `known` is what its client knew when it began.
    pub(crate) fn look(&mut self, hot: &Hot, flow: &mut Flow, known: &Known<'_>) {
        let (frame, ts_ns) = (hot.last_frame, Some(hot.last_ns));
        if !self.begun {
            self.begun = true;
            self.begins(hot, flow, known);
        }
        let mut notes = Vec::new();
        let mut note = |text: String| notes.push(Note { frame, ts_ns, text });
        for ((is, text), was) in TURNS.iter().zip(&mut self.turned) {
            if is(hot, flow) && !*was {
                *was = true;
                note((*text).to_owned());
            }
        }
        if (flow.app, flow.guessed) != (self.app, self.guessed) {
            (self.app, self.guessed) = (flow.app, flow.guessed);
            note(match flow.guessed {
                true => format!("its bytes look like {} (a guess: only one side's do)", flow.app),
                false => format!("its bytes are {}", flow.app),
            });
        }
        let wanted = hot.wants != [false; 2];
        let evidence = flow.evidence();
        let version = evidence.version.as_deref();
        if version != self.version.as_deref() {
            self.version = version.map(str::to_owned);
            note(format!("version {}", version.unwrap_or("-")));
        }
        let names = evidence.names.get(self.names..).unwrap_or(&[]);
        for told in names.chunk_by(|one, next| [one.kind, next.kind] == [NameKind::CertSan; 2]) {
            note(format!("{}: {}", told_by(told[0].kind), listed(told)));
        }
        self.names = evidence.names.len();
        for (word, _) in evidence.weird.iter().skip(self.weird) {
            note(format!("odd: {word}"));
        }
        self.weird = evidence.weird.len();
        if self.wanted && !wanted && self.app != UNKNOWN {
            note("nothing more to learn: from here on it is only counted".to_owned());
        }
        self.wanted = wanted;
        for note in notes {
            self.add(note);
        }
    }

    fn begins(&mut self, hot: &Hot, flow: &Flow, known: &Known<'_>) {
        let at = |frame, ts_ns, text: String| Note { frame, ts_ns, text };
        let [client, server] = hot.ends().map(|(addr, port)| match port {
            0 => addr.ip().to_string(),
            _ => std::net::SocketAddr::from((addr.ip(), port)).to_string(),
        });
        let (frame, ts_ns) = (hot.last_frame, Some(hot.last_ns));
        for answer in &known.answers {
            let through = match answer.chain.len() {
                0 => String::new(),
                _ => format!(", through {}", answer.chain.join(" and ")),
            };
            let text = format!("DNS told the client that {} has this address{through}", answer.name);
            self.notes.push(at(answer.frame, None, text));
        }
        let told = !self.notes.is_empty();
        let opening = match flow.opening_seen {
            true => format!("{client} opens it to {server}"),
            false => format!(
                "first seen between {client} and {server}: it is older than the capture, and who opened it is a guess"
            ),
        };
        self.notes.push(at(frame, ts_ns, opening));
        if !told {
            let look_ups = match (known.hidden_dns, known.used_dns) {
                (true, _) => {
                    "the client had opened an encrypted channel for look-ups before: what it asked there can't be seen"
                }
                (false, true) => "the client had asked DNS before, and no answer gave it this address",
                (false, false) => "no look-up of this client was seen before",
            };
            self.notes.push(at(frame, ts_ns, look_ups.to_owned()));
        }
    }

    fn add(&mut self, note: Note) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(note);
        } else {
            self.more = true;
        }
    }

    /// All that was noted of a flow that is over.
    pub(crate) fn explained(mut self, flow: FlowRecord) -> Explanation {
        self.notes.sort_by_key(|note| note.frame);
        Explanation { flow, notes: self.notes, more: self.more }
    }
}

/// Names in a row, of which the last ones are only counted: a certificate may be for hundreds of hosts.
fn listed(names: &[Name]) -> String {
    let (told, left) = names.split_at(names.len().min(MAX_LISTED));
    let told: Vec<&str> = told.iter().map(|name| name.name.as_str()).collect();
    match left.len() {
        0 => told.join(", "),
        left => format!("{} and {left} more", told.join(", ")),
    }
}

/// What carried a name, in words.
fn told_by(kind: NameKind) -> &'static str {
    match kind {
        NameKind::Sni => "the ClientHello asks for (SNI)",
        NameKind::RelayedSni => "a ClientHello that a relay passes on asks for (SNI)",
        NameKind::QuicSni => "the ClientHello in QUIC asks for (SNI)",
        NameKind::StarttlsSni => "behind what came in clear text, the ClientHello asks for (SNI)",
        NameKind::EchOuter => "the ClientHello's outer, untrusted name",
        NameKind::HttpHost => "the HTTP request names (Host)",
        NameKind::HttpAuthority => "the HTTP request names (authority)",
        NameKind::DnsQuery => "it asks for",
        NameKind::CertSan => "the server's certificate is for",
        other => other.as_str(),
    }
}
