//! Hand-made event logs and flows for tests: the virtual bench's topology, and nothing that a test doesn't ask for.

use std::net::{IpAddr, SocketAddr};

use lab_observe::{FlowRecord, L4, LinkFrame, MacAddr, Name, NameKind, Observation, Reason, State, Summary};
use lab_protocol::{
    Action, AgentKind, Body, Command, Entry, Epoch, Event, Fault, NetworkFacts, PairingMethod, Reply, Side,
    Source, StepRef, Vantage,
};

use super::{Attempt, Capture};

pub(crate) const WALL_NS: u64 = 1_700_000_000_000_000_000;
pub(crate) const PHONE: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x0a]);
pub(crate) const SERVICES: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

/// An event log under construction; times are in milliseconds.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
    id: u64,
    phase: String,
    steps: u32,
}

impl Log {
    /// Set-up of the virtual bench: network, capture and a canary, all before the first second is over.
    pub(crate) fn virtual_bench() -> Self {
        let mut log = Self { entries: Vec::new(), id: 0, phase: "setup".into(), steps: 0 };
        log.event(0, None, begin());
        log.phase_from(1, "setup");
        log.own(10, 100, AgentKind::Network, Action::NetworkUp, Reply::Network { facts: facts() });
        log.own(110, 150, AgentKind::Capture, Action::StartCapture { vantage: "phone".into() }, Reply::Ok);
        log.canary(160)
    }

    pub(crate) fn canary(mut self, ms: u64) -> Self {
        // Another one each time.
        let nonce = format!("{ms:032x}");
        self.own(ms, ms + 1, AgentKind::Network, Action::Canary, Reply::CanarySent { nonce });
        self
    }

    pub(crate) fn phase(mut self, ms: u64, name: &str) -> Self {
        self.phase_from(ms, name);
        self
    }

    pub(crate) fn launch(self, ms: u64) -> Self {
        let action = Action::Launch { app: "companion".into() };
        self.step(ms, ms + 50, AgentKind::Companion, "launch companion", action)
    }

    pub(crate) fn pair(self, from: u64, to: u64) -> Self {
        let method = PairingMethod::JustWorks;
        let action = Action::Pair { method, passkey: None, confirm: true, within_ms: 10_000 };
        self.step(from, to, AgentKind::Ble, "pair", action)
    }

    pub(crate) fn idle(self, from: u64, to: u64) -> Self {
        self.step(from, to, AgentKind::Lab, "idle", Action::Idle { ms: to - from })
    }

    pub(crate) fn step(mut self, from: u64, to: u64, kind: AgentKind, label: &str, action: Action) -> Self {
        let index = self.steps;
        self.steps += 1;
        let id = self.command(from, kind, index, label, action);
        self.push(to, Source::new(kind, ""), Some(id), Body::Event(Event::Done { reply: Reply::Ok }));
        self
    }

    /// A command to somebody, without its end.
    pub(crate) fn asked(mut self, ms: u64, to: Source, label: &str, action: Action) -> Self {
        self.command_to(ms, to, self.steps, label, action);
        self
    }

    /// Somebody says something about a command, or about none.
    pub(crate) fn said(mut self, ms: u64, source: Source, id: Option<u64>, event: Event) -> Self {
        self.push(ms, source, id, Body::Event(event));
        self
    }

    pub(crate) fn last_id(&self) -> u64 {
        self.id
    }

    /// A step that ends with a fault.
    pub(crate) fn failing(mut self, from: u64, to: u64, label: &str, fault: Fault) -> Self {
        let id = self.command(from, AgentKind::Console, self.steps, label, Action::OpenConsole);
        self.push(to, Source::new(AgentKind::Console, ""), Some(id), Body::Event(Event::Failed { fault }));
        self
    }

    pub(crate) fn happens(mut self, ms: u64, event: Event) -> Self {
        self.event(ms, None, event);
        self
    }

    /// Teardown: canary, the capture's end with `frames` written and `dropped` lost, and the end.
    pub(crate) fn teardown(mut self, ms: u64, frames: u64, dropped: u64) -> Self {
        self.phase_from(ms, "teardown");
        self = self.canary(ms + 10);
        let reply = Reply::Captured {
            vantage: "phone".into(),
            received: frames,
            dropped,
            if_dropped: 0,
            written: frames,
        };
        self.own(
            ms + 20,
            ms + 30,
            AgentKind::Capture,
            Action::StopCapture { vantage: "phone".into() },
            reply,
        );
        self
    }

    pub(crate) fn end(mut self, ms: u64) -> Self {
        self.event(ms, None, Event::End);
        self
    }

    fn phase_from(&mut self, ms: u64, name: &str) {
        self.phase = name.into();
        self.steps = 0;
        let id = self.command(ms, AgentKind::Lab, 0, "begin", Action::Phase { name: name.into() });
        self.event(ms, Some(id), Event::Done { reply: Reply::Ok });
    }

    fn own(&mut self, from: u64, to: u64, kind: AgentKind, action: Action, reply: Reply) {
        let id = self.command(from, kind, 0, kind.word(), action);
        self.push(to, Source::new(kind, ""), Some(id), Body::Event(Event::Done { reply }));
    }

    fn command(&mut self, ms: u64, kind: AgentKind, index: u32, label: &str, action: Action) -> u64 {
        self.command_to(ms, Source::new(kind, ""), index, label, action)
    }

    fn command_to(&mut self, ms: u64, to: Source, index: u32, label: &str, action: Action) -> u64 {
        self.id += 1;
        let step = StepRef { phase: self.phase.clone(), index, label: label.into() };
        let command = Command { id: self.id, to, step, deadline_ms: 1000, action };
        self.push(ms, Source::lab(), Some(self.id), Body::Command(command));
        self.id
    }

    fn event(&mut self, ms: u64, id: Option<u64>, event: Event) {
        self.push(ms, Source::lab(), id, Body::Event(event));
    }

    fn push(&mut self, ms: u64, source: Source, id: Option<u64>, body: Body) {
        let seq = self.entries.len() as u64 + 1;
        self.entries.push(Entry { seq, t: ms * 1_000_000, source, id, body });
    }
}

fn begin() -> Event {
    let epoch = Epoch { mono_ns: 5, wall_ns: WALL_NS };
    Event::Begin { format: 1, attempt: 1, repeat: 1, bench: "virtual".into(), epoch }
}

pub(crate) fn facts() -> NetworkFacts {
    let side = |name: &str, mac: MacAddr, addresses: &[&str], only_companion| Side {
        name: name.into(),
        macs: vec![mac.to_string()],
        addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
        only_companion,
    };
    NetworkFacts {
        sides: vec![
            side("phone", PHONE, &["192.0.2.10/24", "2001:db8:1::10/64"], true),
            side(
                "services",
                SERVICES,
                &["192.0.2.1/24", "2001:db8:1::1/64", "203.0.113.66/32", "2001:db8:66::66/128"],
                false,
            ),
        ],
        vantages: vec![Vantage { name: "phone".into(), side: "phone".into() }],
        ..NetworkFacts::default()
    }
}

/// An attempt whose capture holds these flows, and both frames of every canary.
pub(crate) fn attempt(log: Log, flows: Vec<FlowRecord>) -> Attempt {
    let canaries = canaries(&log);
    let mut summary = Summary { format: 1, packets: FRAMES, drops: Some(0), ..Summary::default() };
    summary.ether_types.insert("0x88b5".into(), canaries.len() as u64);
    Attempt {
        number: 1,
        repeat: 1,
        entries: log.entries,
        captures: vec![Capture {
            vantage: "phone".into(),
            file: "captures/phone.pcapng".into(),
            observation: Observation { summary, flows, canaries },
        }],
        retried: false,
    }
}

/// How many frames a hand-made capture says it has.
pub(crate) const FRAMES: u64 = 100;

fn canaries(log: &Log) -> Vec<LinkFrame> {
    let mut frames = Vec::new();
    for entry in &log.entries {
        let Body::Event(Event::Done { reply: Reply::CanarySent { nonce } }) = &entry.body else { continue };
        let nonce = u128::from_str_radix(nonce, 16).expect("hexadecimal").to_be_bytes();
        for (src_mac, dst_mac, way) in [(PHONE, SERVICES, 0), (SERVICES, PHONE, 1)] {
            let mut payload = [nonce.as_slice(), &[way]].concat();
            payload.resize(32, 0);
            let (frame, ts_ns) = (frames.len() as u64 + 1, WALL_NS + entry.t - 500_000);
            frames.push(LinkFrame { frame, ts_ns, interface: 0, src_mac, dst_mac, payload });
        }
    }
    frames
}

/// A TLS flow from the phone, first seen after so many milliseconds.
pub(crate) fn tls(ms: u64, server: &str) -> FlowRecord {
    flow(ms, L4::Tcp, server, "tls")
}

pub(crate) fn flow(ms: u64, l4: L4, server: &str, app: &str) -> FlowRecord {
    let server: SocketAddr = server.parse().expect("an address with its port");
    let port = if matches!(l4, L4::Tcp | L4::Udp) { 40_000 + (ms % 10_000) as u16 } else { 0 };
    let client: IpAddr =
        if server.is_ipv4() { "192.0.2.10" } else { "2001:db8:1::10" }.parse().expect("an address");
    FlowRecord {
        flow: ms,
        first_ns: WALL_NS + ms * 1_000_000,
        last_ns: WALL_NS + ms * 1_000_000 + 900_000,
        packets: [9, 8],
        bytes: [1203, 5120],
        app: app.to_owned().into(),
        reason: Some(Reason::NeverQueried),
        frames: [ms, ms + 16],
        client_mac: Some(PHONE),
        server_mac: Some(SERVICES),
        answered: true,
        opening_seen: true,
        ..FlowRecord::between(l4, SocketAddr::new(client, port), server)
    }
}

/// Evidence added to flows, in the words of a test.
pub(crate) trait With {
    fn sni(self, name: &str) -> Self;
    fn looked_up(self, name: &str) -> Self;
    fn named(self, kind: NameKind, name: &str) -> Self;
    fn because(self, reason: Reason) -> Self;
}

impl With for FlowRecord {
    fn sni(self, name: &str) -> Self {
        self.named(NameKind::Sni, name)
    }

    fn looked_up(self, name: &str) -> Self {
        self.named(NameKind::Dns, name)
    }

    fn named(mut self, kind: NameKind, name: &str) -> Self {
        let frame = self.frames[0];
        self.names.push(Name::new(kind, name, frame));
        if kind != NameKind::DnsQuery {
            (self.state, self.reason) = (State::Named, None);
        }
        self
    }

    fn because(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }
}
