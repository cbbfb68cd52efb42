//! The event log that a capture stands for: whose link it watches and who else is there. It says nothing about what was
//! done to the device: nobody wrote that down.

use std::net::IpAddr;

use lab_observe::MacAddr;
use lab_protocol::{
    Action, AgentKind, Body, Command, Entry, Epoch, Event, NetworkFacts, Reply, Side, Source, StepRef,
    Vantage,
};

use super::neighbours::Neighbours;

/// What the bench of a capture is called.
pub(super) const BENCH: &str = "capture";
/// The vantage point of a capture.
pub(super) const VANTAGE: &str = "capture";

/// What a log is made from.
pub(super) struct Facts<'a> {
    pub(super) number: u32,
    /// Time of the first frame, Unix nanoseconds.
    pub(super) first_ns: u64,
    /// How long the capture goes on, nanoseconds.
    pub(super) length_ns: u64,
    pub(super) phase: &'a str,
    /// The device's link address, where it is told by one.
    pub(super) mac: Option<MacAddr>,
    /// The device's own addresses.
    pub(super) own: Vec<IpAddr>,
    pub(super) neighbours: &'a Neighbours,
    /// The capture begins with the device's joining, so that no look-up of it can have been missed.
    pub(super) whole_life: bool,
}

/// Writes the log.
pub(super) fn of(facts: &Facts<'_>) -> Vec<Entry> {
    let mut log = Log { entries: Vec::new(), commands: 0, phase: facts.phase };
    let epoch = Epoch { mono_ns: 0, wall_ns: facts.first_ns };
    let (attempt, repeat, bench) = (facts.number, facts.number, BENCH.to_owned());
    log.event(0, Event::Begin { format: 1, attempt, repeat, bench, epoch });
    log.done(AgentKind::Network, Action::NetworkUp, Reply::Network { facts: network(facts) });
    log.done(AgentKind::Capture, Action::StartCapture { vantage: VANTAGE.into() }, Reply::Ok);
    log.done(AgentKind::Lab, Action::Phase { name: facts.phase.into() }, Reply::Ok);
    log.event(facts.length_ns, Event::End);
    log.entries
}

fn network(facts: &Facts<'_>) -> NetworkFacts {
    let Neighbours { others, gateways, resolvers, networks, .. } = facts.neighbours;
    let device = Side {
        name: "watch".into(),
        macs: facts.mac.iter().map(MacAddr::to_string).collect(),
        addresses: facts.own.iter().map(IpAddr::to_string).collect(),
        only_companion: facts.whole_life,
    };
    let around = Side {
        name: "services".into(),
        macs: others.keys().map(MacAddr::to_string).collect(),
        addresses: others.values().flatten().map(IpAddr::to_string).collect(),
        only_companion: false,
    };
    NetworkFacts {
        sides: vec![device, around],
        vantages: vec![Vantage { name: VANTAGE.into(), side: "watch".into() }],
        gateways: gateways.iter().map(IpAddr::to_string).collect(),
        resolvers: resolvers.iter().map(IpAddr::to_string).collect(),
        networks: networks.iter().map(ToString::to_string).collect(),
    }
}

struct Log<'a> {
    entries: Vec<Entry>,
    commands: u64,
    phase: &'a str,
}

impl Log<'_> {
    /// A command and its end, before the first frame.
    fn done(&mut self, kind: AgentKind, action: Action, reply: Reply) {
        self.commands += 1;
        let id = self.commands;
        let to = Source::new(kind, "");
        let step = StepRef { phase: self.phase.into(), index: 0, label: kind.word().into() };
        let command = Command { id, to: to.clone(), step, deadline_ms: 0, action };
        self.push(0, Source::lab(), Some(id), Body::Command(command));
        self.push(0, to, Some(id), Body::Event(Event::Done { reply }));
    }

    fn event(&mut self, t: u64, event: Event) {
        self.push(t, Source::lab(), None, Body::Event(event));
    }

    fn push(&mut self, t: u64, source: Source, id: Option<u64>, body: Body) {
        let seq = self.entries.len() as u64 + 1;
        self.entries.push(Entry { seq, t, source, id, body });
    }
}
