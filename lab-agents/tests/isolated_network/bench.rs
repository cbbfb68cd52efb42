//! A bench of agents in processes of their own, with a network that is up: what the tests drive.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::fd::AsFd,
    sync::mpsc::{self, Receiver, Sender},
    time::Duration,
};

use lab_agents::{carrier::ChildCarrier, mono_ns};
use lab_protocol::{
    Action, AgentKind, BlobRef, Carrier, Command, Epoch, Event, FromAgent, Incoming, NetworkFacts, Reply,
    Source, StepRef, ToAgent, VERSION,
    binding::{self, Attached, Handle, Program, VantagePoint},
    clock::wall_ns,
};
use serde_json::{Value, json};

use crate::{
    PATIENCE, frames,
    processes::{children, wait_gone},
};

/// An agent's process.
pub(crate) struct Agent {
    pub(crate) carrier: ChildCarrier,
    pub(crate) source: Source,
    pub(crate) pid: i32,
}

/// A bench with a network that is up.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) epoch: Epoch,
    pub(crate) sender: Sender<Incoming>,
    pub(crate) inbox: Receiver<Incoming>,
    pub(crate) agents: BTreeMap<&'static str, Agent>,
    pub(crate) attached: Attached,
    pub(crate) events: Vec<(u64, Event)>,
    pub(crate) chunks: BTreeMap<String, Vec<u8>>,
    pub(crate) last_id: u64,
}

impl Bench {
    pub(crate) fn new(services: &[&str], app: &[&str]) -> (Self, NetworkFacts) {
        let (sender, inbox) = mpsc::channel();
        let mut bench = Self {
            dir: tempfile::tempdir().unwrap(),
            epoch: Epoch { mono_ns: mono_ns(), wall_ns: wall_ns() },
            sender,
            inbox,
            agents: BTreeMap::new(),
            attached: Attached::new(),
            events: Vec::new(),
            chunks: BTreeMap::new(),
            last_id: 0,
        };
        let network = binding::Network {
            resolvers: vec!["203.0.113.53".parse().unwrap()],
            phone: vec!["192.0.2.10/24".into(), "2001:db8:1::10/64".into()],
            phone_via: vec!["192.0.2.1".parse().unwrap(), "2001:db8:1::1".parse().unwrap()],
            services: vec!["192.0.2.1/24".into(), "2001:db8:1::1/64".into()],
            service_addresses: [
                "203.0.113.53",
                "2001:db8:53::53",
                "198.51.100.20",
                "198.51.100.21",
                "198.51.100.123",
                "203.0.113.66",
                "2001:db8:66::66",
            ]
            .map(|address| address.parse().unwrap())
            .to_vec(),
            program: Some(bench.program("services", services)),
        };
        bench.start("network", AgentKind::Network, json!(network));
        let facts = match bench.call("network", Action::NetworkUp) {
            Ok(Reply::Network { facts }) => facts,
            other => panic!("no network: {other:?}"),
        };
        let point =
            |side: &str, buffer| VantagePoint { interface: "eth0".into(), side: Some(side.into()), buffer };
        let capture = binding::Capture {
            vantages: BTreeMap::from([
                ("phone".into(), point("phone", None)),
                ("narrow".into(), point("phone", Some(1))),
                ("services".into(), point("services", None)),
                (
                    "own".into(),
                    VantagePoint { interface: "lo".into(), side: Some("phone".into()), buffer: None },
                ),
            ]),
            attached: bench.attached.clone(),
        };
        bench.start("capture", AgentKind::Capture, json!(capture));
        let companion = binding::Companion {
            apps: BTreeMap::from([
                ("companion".into(), bench.program("app", app)),
                ("flood".into(), bench.program("flood", &[])),
                ("sleeper".into(), bench.program("sleeper", &[])),
                ("forker".into(), bench.program("forker", &[])),
                ("curious".into(), bench.program("curious", &[])),
                ("chatter".into(), bench.program("chatter", &[])),
            ]),
            attached: bench.attached.clone(),
        };
        bench.start("companion", AgentKind::Companion, json!(companion));
        (bench, facts)
    }

    /// This program again, with the CA file that services write and the app reads.
    pub(crate) fn program(&self, part: &str, args: &[&str]) -> Program {
        let ca_file = self.dir.path().join("ca.pem");
        let ca_file = ca_file.to_str().unwrap();
        Program {
            program: std::env::current_exe().unwrap().to_str().unwrap().into(),
            args: [&[part, "--ca-file", ca_file], args].concat().iter().map(|arg| (*arg).into()).collect(),
            env: BTreeMap::from([("DBUS_SYSTEM_BUS_ADDRESS".into(), "unix:path=/nonexistent".into())]),
        }
    }

    pub(crate) fn start(&mut self, name: &'static str, kind: AgentKind, binding: Value) {
        let source = Source::new(kind, "net");
        let stderr = File::from(io::stderr().as_fd().try_clone_to_owned().unwrap());
        let program = std::env::current_exe().unwrap();
        let before = children();
        let mut carrier =
            ChildCarrier::start(&program, &["agent", name], &source, self.sender.clone(), Some(stderr))
                .unwrap();
        let pid = children().into_iter().find(|pid| !before.contains(pid)).unwrap();
        carrier
            .send(&ToAgent::Hello { version: VERSION, you: source.clone(), epoch: self.epoch, binding })
            .unwrap();
        self.agents.insert(name, Agent { carrier, source, pid });
    }

    pub(crate) fn call(&mut self, agent: &'static str, action: Action) -> Result<Reply, lab_protocol::Fault> {
        self.last_id += 1;
        let id = self.last_id;
        let Agent { carrier, source, .. } = self.agents.get_mut(agent).unwrap();
        let step = StepRef { phase: "test".into(), index: 0, label: agent.into() };
        let deadline_ms = PATIENCE.as_millis() as u64;
        let command = Command { id, to: source.clone(), step, deadline_ms, action };
        carrier.send(&ToAgent::Command { command }).unwrap();
        loop {
            match self.next() {
                (Some(answered), Event::Done { reply }) if answered == id => return Ok(reply),
                (Some(answered), Event::Failed { fault }) if answered == id => return Err(fault),
                _ => {}
            }
        }
    }

    pub(crate) fn next(&mut self) -> (Option<u64>, Event) {
        loop {
            match self.inbox.recv_timeout(PATIENCE + Duration::from_secs(1)).unwrap() {
                Incoming::Message(_, FromAgent::Event { id, t, event }) => {
                    self.events.push((t, event.clone()));
                    return (id, event);
                }
                Incoming::Message(_, FromAgent::Chunk { name, bytes }) => {
                    self.chunks.entry(name).or_default().extend(bytes);
                }
                Incoming::Message(_, FromAgent::Attach { name, handle }) => {
                    let handle: Handle = serde_json::from_value(handle).unwrap();
                    self.attached.insert(name, handle);
                }
                Incoming::Message(_, FromAgent::Hello { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn wait_for(&mut self, wanted: impl Fn(&Event) -> bool) {
        while !self.events.iter().any(|(_, event)| wanted(event)) {
            self.next();
        }
    }

    /// Here the app finds no Bluetooth and ends, once it has used its channel.
    pub(crate) fn wait_for_app(&mut self) {
        self.wait_for(|event| matches!(event, Event::Exited { what, .. } if what == "companion"));
    }

    pub(crate) fn start_capture(&mut self, vantage: &str) {
        assert_eq!(self.call("capture", Action::StartCapture { vantage: vantage.into() }), Ok(Reply::Ok));
    }

    pub(crate) fn canary(&mut self, vantage: &str, count: u32) {
        assert!(matches!(self.call("network", Action::Canary), Ok(Reply::CanarySent { .. })));
        let awaited = Action::AwaitCanary { vantage: vantage.into(), count };
        assert_eq!(self.call("capture", awaited), Ok(Reply::Ok));
    }

    /// The captured file's bytes, checked against the hash that was told.
    pub(crate) fn stop_capture(&mut self, vantage: &str) -> Vec<u8> {
        match self.call("capture", Action::StopCapture { vantage: vantage.into() }) {
            Ok(Reply::Captured { dropped: 0, .. }) => {}
            other => panic!("{other:?}"),
        }
        let name = format!("captures/{vantage}.pcapng");
        let bytes = self.chunks.remove(&name).unwrap();
        let expected = Event::Artifact { name, blob: BlobRef::of(&bytes) };
        assert!(self.events.iter().any(|(_, event)| *event == expected), "the file is not as announced");
        let path = self.dir.path().join("again.pcapng");
        std::fs::write(&path, &bytes).unwrap();
        let mut again = pcap::Capture::from_file(&path).unwrap();
        assert_eq!(again.get_datalink(), pcap::Linktype::ETHERNET);
        let read = std::iter::from_fn(|| again.next_packet().ok().map(drop)).count();
        assert_eq!(read, frames(&bytes).len(), "libpcap reads the same frames");
        bytes
    }

    /// Starts an app; all of them are this program.
    pub(crate) fn launch(&mut self, app: &str) {
        let program = File::open(std::env::current_exe().unwrap()).and_then(BlobRef::of_all).unwrap();
        let started = self.call("companion", Action::Launch { app: app.into() });
        assert_eq!(started, Ok(Reply::Started { program }), "{app}");
    }

    pub(crate) fn expect(&mut self, pattern: &str) -> Result<Reply, lab_protocol::Fault> {
        self.call("companion", Action::ExpectLine { pattern: pattern.into(), within_ms: 5000 })
    }

    pub(crate) fn shut_down(mut self) {
        for (_, mut agent) in std::mem::take(&mut self.agents).into_iter().rev() {
            agent.carrier.send(&ToAgent::Shutdown).unwrap();
            agent.carrier.join();
        }
        for handle in self.attached.values() {
            wait_gone(handle.pid);
        }
    }
}
