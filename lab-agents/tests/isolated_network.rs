//! The isolated network as a run uses it: agents in processes of their own, namespaces, a real link, real services and
//! the app. This program is all of those processes; its first argument says which.

#![allow(clippy::unwrap_used, reason = "every unwrap here is an assertion")]

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::{
        fd::{AsFd, FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::mpsc::{self, Receiver, Sender},
    time::{Duration, Instant},
};

use lab_agents::{
    capture,
    carrier::{ChildCarrier, PROTOCOL_FD},
    companion, mono_ns, network, serve,
};
use lab_protocol::{
    Action, AgentKind, BlobRef, CanaryWay, Carrier, Command as Order, Epoch, Event, FaultKind, FromAgent,
    Incoming, NetworkFacts, Reply, Source, StepRef, ToAgent, VERSION,
    binding::{self, Attached, Handle, Program, VantagePoint},
    clock::wall_ns,
};
use lab_virtual_bench::{companion as app, services};
use serde_json::{Value, json};

/// How long any one thing may take here.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["agent", "namespace-holder"] => network::holder::main(),
        ["agent", "network"] => agent(network::start),
        ["agent", "capture"] => agent(capture::start),
        ["agent", "companion"] => agent(companion::start),
        ["services", ..] => {
            let config: services::ServicesArgs = parse();
            let Err(error) = services::run(config.into(), io::stdout());
            eprintln!("{error}");
            ExitCode::FAILURE
        }
        ["app", ..] => match app::run(parse::<app::CompanionArgs>().into(), io::stdout()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        ["flood", ..] => flood(),
        ["sleeper", ..] => loop {
            std::thread::park();
        },
        ["--list", ..] => ExitCode::SUCCESS,
        _ => run_tests(&args),
    }
}

fn parse<T: clap::Args>() -> T {
    let command = T::augment_args(clap::Command::new("part"));
    let matches = command.get_matches_from(std::env::args().skip(1));
    T::from_arg_matches(&matches).unwrap()
}

fn agent(start: lab_agents::Start) -> ExitCode {
    let line = UnixStream::from(unsafe { OwnedFd::from_raw_fd(PROTOCOL_FD) });
    let writing = line.try_clone().unwrap();
    match serve(line, Box::new(writing), start, || std::process::exit(0)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run_tests(args: &[&str]) -> ExitCode {
    let tests: [(&str, fn()); 7] = [
        ("traffic_is_captured_from_the_first_packet_both_ways", traffic_is_captured),
        ("echo_requests_and_ipv6_get_through", echo_requests_and_ipv6),
        ("dead_services_are_a_fault_of_the_bench", dead_services),
        ("a_crashed_app_is_told_and_ends_expectations", crashed_app),
        ("a_vanished_interface_is_a_fault_and_leaves_the_file", vanished_interface),
        ("what_the_kernel_drops_is_counted", drops),
        ("killing_the_network_agent_leaves_nothing", killed_agent),
    ];
    let wanted = args.iter().find(|arg| !arg.starts_with('-'));
    for (name, test) in tests {
        if wanted.is_none_or(|wanted| name.contains(wanted)) {
            let began = Instant::now();
            test();
            println!("test {name} ... ok ({} ms)", began.elapsed().as_millis());
        }
    }
    let unprivileged = "without_root_it_is_the_same";
    if nix::unistd::geteuid().is_root() && wanted.is_none_or(|wanted| unprivileged.contains(wanted)) {
        without_root();
        println!("test {unprivileged} ... ok");
    }
    ExitCode::SUCCESS
}

/// All of the above again as another user, from a copy of this program that he can read.
fn without_root() {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("isolated_network");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(dir.path(), open).unwrap();
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut command = Command::new("setpriv");
    command.args(nobody).arg(&copy).env("TMPDIR", dir.path()).current_dir(dir.path());
    match command.status() {
        Ok(status) => assert!(status.success(), "as user 65534: {status}"),
        Err(error) => println!("skipped: setpriv: {error}"),
    }
}

struct Agent {
    carrier: ChildCarrier,
    source: Source,
    pid: i32,
}

/// A bench with a network that is up.
struct Bench {
    dir: tempfile::TempDir,
    epoch: Epoch,
    sender: Sender<Incoming>,
    inbox: Receiver<Incoming>,
    agents: BTreeMap<&'static str, Agent>,
    attached: Attached,
    events: Vec<(u64, Event)>,
    chunks: BTreeMap<String, Vec<u8>>,
    last_id: u64,
}

impl Bench {
    fn new(services: &[&str], app: &[&str]) -> (Self, NetworkFacts) {
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
            ]),
            attached: bench.attached.clone(),
        };
        bench.start("capture", AgentKind::Capture, json!(capture));
        let companion = binding::Companion {
            apps: BTreeMap::from([
                ("companion".into(), bench.program("app", app)),
                ("flood".into(), bench.program("flood", &[])),
                ("sleeper".into(), bench.program("sleeper", &[])),
            ]),
            attached: bench.attached.clone(),
        };
        bench.start("companion", AgentKind::Companion, json!(companion));
        (bench, facts)
    }

    /// This program again, with the CA file that services write and the app reads.
    fn program(&self, part: &str, args: &[&str]) -> Program {
        let ca_file = self.dir.path().join("ca.pem");
        let ca_file = ca_file.to_str().unwrap();
        Program {
            program: std::env::current_exe().unwrap().to_str().unwrap().into(),
            args: [&[part, "--ca-file", ca_file], args].concat().iter().map(|arg| (*arg).into()).collect(),
            env: BTreeMap::from([("DBUS_SYSTEM_BUS_ADDRESS".into(), "unix:path=/nonexistent".into())]),
        }
    }

    fn start(&mut self, name: &'static str, kind: AgentKind, binding: Value) {
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

    fn call(&mut self, agent: &'static str, action: Action) -> Result<Reply, lab_protocol::Fault> {
        self.last_id += 1;
        let id = self.last_id;
        let Agent { carrier, source, .. } = self.agents.get_mut(agent).unwrap();
        let step = StepRef { phase: "test".into(), index: 0, label: agent.into() };
        let deadline_ms = PATIENCE.as_millis() as u64;
        let command = Order { id, to: source.clone(), step, deadline_ms, action };
        carrier.send(&ToAgent::Command { command }).unwrap();
        loop {
            match self.next() {
                (Some(answered), Event::Done { reply }) if answered == id => return Ok(reply),
                (Some(answered), Event::Failed { fault }) if answered == id => return Err(fault),
                _ => {}
            }
        }
    }

    fn next(&mut self) -> (Option<u64>, Event) {
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

    fn wait_for(&mut self, wanted: impl Fn(&Event) -> bool) {
        while !self.events.iter().any(|(_, event)| wanted(event)) {
            self.next();
        }
    }

    /// Here the app finds no Bluetooth and ends, once it has used its channel.
    fn wait_for_app(&mut self) {
        self.wait_for(|event| matches!(event, Event::Exited { what, .. } if what == "companion"));
    }

    fn start_capture(&mut self, vantage: &str) {
        assert_eq!(self.call("capture", Action::StartCapture { vantage: vantage.into() }), Ok(Reply::Ok));
    }

    fn canary(&mut self, vantage: &str, count: u32) {
        assert!(matches!(self.call("network", Action::Canary), Ok(Reply::CanarySent { .. })));
        let awaited = Action::AwaitCanary { vantage: vantage.into(), count };
        assert_eq!(self.call("capture", awaited), Ok(Reply::Ok));
    }

    /// The captured file's bytes, checked against the hash that was told.
    fn stop_capture(&mut self, vantage: &str) -> Vec<u8> {
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

    fn launch(&mut self) {
        assert_eq!(self.call("companion", Action::Launch { app: "companion".into() }), Ok(Reply::Ok));
    }

    fn expect(&mut self, pattern: &str) -> Result<Reply, lab_protocol::Fault> {
        self.call("companion", Action::ExpectLine { pattern: pattern.into(), within_ms: 5000 })
    }

    fn shut_down(mut self) {
        for (_, mut agent) in std::mem::take(&mut self.agents).into_iter().rev() {
            agent.carrier.send(&ToAgent::Shutdown).unwrap();
            agent.carrier.join();
        }
        for handle in self.attached.values() {
            wait_gone(handle.pid);
        }
    }
}

/// Frames of a pcapng file with their times.
fn frames(bytes: &[u8]) -> Vec<(Duration, Vec<u8>)> {
    use pcap_file::pcapng::{Block, PcapNgReader};
    let mut reader = PcapNgReader::new(bytes).unwrap();
    let mut frames = Vec::new();
    while let Some(block) = reader.next_block() {
        if let Block::EnhancedPacket(packet) = block.unwrap().0 {
            frames.push((packet.timestamp, packet.data.to_vec()));
        }
    }
    frames
}

fn to(frame: &[u8], address: &str) -> bool {
    match address.parse().unwrap() {
        std::net::IpAddr::V4(v4) => frame[12..14] == [8, 0] && frame[30..34] == v4.octets(),
        std::net::IpAddr::V6(v6) => frame[12..14] == [0x86, 0xdd] && frame[38..54] == v6.octets(),
    }
}

const COVERT_TLS: &str = r#"{"transport":"tls","address":"203.0.113.66","when":"start"}"#;

fn traffic_is_captured() {
    let (mut bench, facts) = Bench::new(&[], &["--covert", COVERT_TLS]);
    assert_eq!(facts.sides[0].addresses, ["192.0.2.10", "2001:db8:1::10"]);
    bench.start_capture("phone");
    bench.start_capture("services");
    bench.canary("phone", 1);
    bench.canary("services", 2);
    bench.launch();
    assert!(matches!(bench.expect(r"companion (?<version>\S+) started"), Ok(Reply::Matched { groups, .. })
        if groups["version"] == "2.3.1"));
    bench.wait_for_app();
    bench.canary("phone", 3);
    assert_eq!(bench.call("network", Action::CheckNetwork), Ok(Reply::Ok));
    for vantage in ["phone", "services"] {
        let captured = frames(&bench.stop_capture(vantage));
        let covert: Vec<_> = captured.iter().filter(|(_, frame)| to(frame, "203.0.113.66")).collect();
        assert!(covert.len() >= 5, "{vantage}: only {} frames of the channel", covert.len());
        assert!(captured.iter().all(|(_, frame)| frame.len() <= 1514), "a frame longer than the link's");
        // Steady times: all lie between the attempt's beginning and now, and the canaries enclose the traffic.
        let (first, last) = (captured[0].0, captured[captured.len() - 1].0);
        assert!(first >= Duration::from_nanos(bench.epoch.wall_ns));
        assert!(last - first < PATIENCE);
        let canaries: Vec<_> = captured.iter().filter(|(_, frame)| frame[12..14] == [0x88, 0xb5]).collect();
        let (first, last) = (canaries[0].0, canaries[canaries.len() - 1].0);
        assert!(first < covert[0].0 && covert[0].0 < last, "{vantage}: {first:?} {:?} {last:?}", covert[0].0);
        // Nothing else talks: no IP but the app's, its answers, and the link's own address resolution.
        let strangers = captured.iter().filter(|(_, frame)| {
            frame[12..14] == [8, 0] && !to(frame, "203.0.113.66") && !to(frame, "192.0.2.10")
        });
        assert_eq!(strangers.count(), 0);
    }
    let ways = [CanaryWay::Out, CanaryWay::In].map(|way| {
        bench
            .events
            .iter()
            .filter(|(_, event)| matches!(event, Event::CanarySeen { way: seen, .. } if *seen == way))
            .count()
    });
    assert!(ways[0] >= 5 && ways[0] == ways[1], "{ways:?}");
    bench.shut_down();
}

fn echo_requests_and_ipv6() {
    for (covert, address) in [
        (r#"{"transport":"icmp","address":"203.0.113.66","when":"start"}"#, "203.0.113.66"),
        (r#"{"transport":"icmp","address":"2001:db8:66::66","when":"start"}"#, "2001:db8:66::66"),
        (r#"{"transport":"tls","address":"2001:db8:66::66","when":"start"}"#, "2001:db8:66::66"),
        (r#"{"transport":"udp","address":"203.0.113.66","port":3478,"when":"start"}"#, "203.0.113.66"),
    ] {
        let (mut bench, _) = Bench::new(&["--echo", "udp:3478"], &["--covert", covert]);
        bench.start_capture("phone");
        bench.launch();
        bench.wait_for_app();
        let captured = frames(&bench.stop_capture("phone"));
        assert!(captured.iter().any(|(_, frame)| to(frame, address)), "{covert}: nothing sent");
        let phone = if address.contains(':') { "2001:db8:1::10" } else { "192.0.2.10" };
        assert!(captured.iter().any(|(_, frame)| to(frame, phone)), "{covert}: no answer");
        bench.shut_down();
    }
}

fn dead_services() {
    let (mut bench, _) = Bench::new(&["--die-after-ms", "100"], &[]);
    bench.wait_for(|event| matches!(event, Event::Exited { what, status } if what == "services" && status == "exit status 70"));
    bench.wait_for(|event| matches!(event, Event::Fault { .. }));
    let fault = bench.call("network", Action::CheckNetwork).unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (FaultKind::Bench, "services-ended"));
    bench.shut_down();
}

fn crashed_app() {
    let (mut bench, _) = Bench::new(&[], &["--crash-after", "started"]);
    bench.launch();
    bench.wait_for(|event| matches!(event, Event::Exited { what, status } if what == "companion" && status == "killed by signal 6"));
    assert!(bench.expect("started").is_ok(), "what it said before is still there");
    let fault = bench.expect("registered").unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (FaultKind::Doubt, "app-ended"));
    bench.shut_down();
}

fn vanished_interface() {
    let (mut bench, _) = Bench::new(&[], &[]);
    bench.start_capture("phone");
    bench.canary("phone", 1);
    assert_eq!(bench.call("network", Action::NetworkDown), Ok(Reply::Ok));
    bench.wait_for(|event| matches!(event, Event::Fault { fault } if fault.code == "capture-ended"));
    let fault = bench.call("capture", Action::StopCapture { vantage: "phone".into() }).unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (FaultKind::Bench, "capture-ended"));
    assert!(frames(&bench.chunks["captures/phone.pcapng"]).len() >= 2);
    bench.shut_down();
}

/// Sends more than a narrow buffer holds.
fn flood() -> ExitCode {
    let socket = std::net::UdpSocket::bind("192.0.2.10:0").unwrap();
    let sent = (0..FLOOD).filter(|_| socket.send_to(&[0; 1000], "192.0.2.1:9").is_ok()).count();
    println!("sent {sent}");
    ExitCode::SUCCESS
}

const FLOOD: u64 = 20_000;

fn drops() {
    let (mut bench, _) = Bench::new(&[], &[]);
    bench.start_capture("phone");
    bench.start_capture("narrow");
    assert_eq!(bench.call("companion", Action::Launch { app: "flood".into() }), Ok(Reply::Ok));
    bench.wait_for(|event| matches!(event, Event::Exited { what, .. } if what == "flood"));
    let mut stop =
        |vantage: &str| match bench.call("capture", Action::StopCapture { vantage: vantage.into() }) {
            Ok(Reply::Captured { received, dropped, written, .. }) => (received, dropped, written),
            other => panic!("{other:?}"),
        };
    let (wide, narrow) = (stop("phone"), stop("narrow"));
    println!("received, dropped, written: {wide:?} with 32 MiB, {narrow:?} with next to none");
    assert!(narrow.1 > 0 && narrow.2 < FLOOD, "nothing was dropped: {narrow:?}");
    for (received, dropped, written) in [wide, narrow] {
        assert_eq!(received, written + dropped, "each packet is either written or counted as dropped");
    }
    bench.shut_down();
}

fn killed_agent() {
    let (mut bench, _) = Bench::new(&[], &[]);
    assert_eq!(bench.call("companion", Action::Launch { app: "sleeper".into() }), Ok(Reply::Ok));
    let dir = bench.dir.path().to_owned();
    wait_until("services and app run", || mentioned(&dir) == 2);
    kill(&bench.agents["companion"]);
    wait_until("the app ends with its agent", || mentioned(&dir) == 1);
    kill(&bench.agents["network"]);
    wait_until("the services end with the network", || mentioned(&dir) == 0);
    bench.attached.values().for_each(|handle| wait_gone(handle.pid));
}

fn kill(agent: &Agent) {
    use nix::{sys::signal, unistd::Pid};
    signal::kill(Pid::from_raw(agent.pid), signal::Signal::SIGKILL).unwrap();
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let patience = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < patience, "not so: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Processes whose command line names this directory.
fn mentioned(dir: &Path) -> usize {
    let needle = dir.to_str().unwrap();
    processes()
        .into_iter()
        .filter(|path| {
            std::fs::read(path.join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(needle))
        })
        .count()
}

fn processes() -> Vec<PathBuf> {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().parse::<u32>().is_ok())
        .collect()
}

fn children() -> Vec<i32> {
    let us = std::process::id().to_string();
    processes()
        .into_iter()
        .filter(|path| {
            std::fs::read_to_string(path.join("stat")).is_ok_and(|stat| {
                stat.rsplit(')').next().unwrap().split_whitespace().nth(1) == Some(us.as_str())
            })
        })
        .map(|path| path.file_name().unwrap().to_str().unwrap().parse().unwrap())
        .collect()
}

fn wait_gone(pid: i32) {
    wait_until(&format!("process {pid} is gone"), || {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .map_or(true, |stat| stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
    });
}
