//! The isolated network as a run uses it: agents in processes of their own, namespaces, a real link, real services and
//! the app. This program is all of those processes; its first argument says which.

#![allow(clippy::unwrap_used, reason = "every unwrap here is an assertion")]

mod bench;
mod processes;

use std::{
    io,
    os::unix::net::UnixStream,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use lab_agents::{capture, carrier::taken_fd, companion, network, serve};
use lab_protocol::{Action, CanaryWay, Event, FaultKind, Reply};
use lab_virtual_bench::{companion as app, services};

use bench::Bench;
use processes::{kill, mentioned, named, wait_gone, wait_until};

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
        ["forker", rest @ ..] => forker(rest),
        ["curious", ..] => curious(),
        ["chatter", ..] => chatter(),
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
    let line = UnixStream::from(taken_fd().unwrap());
    let writing = line.try_clone().unwrap();
    match serve(line, Box::new(writing), start, || std::process::exit(0)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run_tests(args: &[&str]) -> ExitCode {
    let tests: [(&str, fn()); 11] = [
        ("traffic_is_captured_from_the_first_packet_both_ways", traffic_is_captured),
        ("echo_requests_and_ipv6_get_through", echo_requests_and_ipv6),
        ("dead_services_are_a_fault_of_the_bench", dead_services),
        ("hung_services_are_a_fault_of_the_bench", hung_services),
        ("the_loopback_interface_is_captured_without_phantom_drops", loopback),
        ("a_crashed_app_is_told_and_ends_expectations", crashed_app),
        ("a_vanished_interface_is_a_fault_and_leaves_the_file", vanished_interface),
        ("what_the_kernel_drops_is_counted", drops),
        ("killing_the_network_agent_leaves_nothing", killed_agent),
        ("a_program_begins_with_its_streams_and_no_privileges", confined),
        ("stopping_an_app_stops_what_it_started", stopped_with_its_children),
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
    assert_eq!(facts.gateways, ["192.0.2.1", "2001:db8:1::1"]);
    assert_eq!(facts.resolvers, ["203.0.113.53"]);
    assert_eq!(facts.networks, ["192.0.2.0/24", "2001:db8:1::/64"]);
    bench.start_capture("phone");
    bench.start_capture("services");
    bench.canary("phone", 1);
    bench.canary("services", 2);
    bench.launch("companion");
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
        bench.launch("companion");
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

fn hung_services() {
    use nix::{sys::signal, unistd::Pid};
    let (mut bench, _) = Bench::new(&[], &[]);
    assert_eq!(bench.call("network", Action::CheckNetwork), Ok(Reply::Ok));
    let services = named(bench.dir.path());
    let [services] = services.as_slice() else { panic!("{services:?}") };
    signal::kill(Pid::from_raw(services.parse().unwrap()), signal::Signal::SIGSTOP).unwrap();
    let fault = bench.call("network", Action::CheckNetwork).unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (FaultKind::Bench, "services-silent"));
    bench.shut_down();
}

/// Talks to nobody outside its own host.
fn chatter() -> ExitCode {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let us = socket.local_addr().unwrap();
    for _ in 0..CHATTER {
        socket.send_to(&[0; 100], us).unwrap();
    }
    ExitCode::SUCCESS
}

const CHATTER: u64 = 100;

fn loopback() {
    let (mut bench, _) = Bench::new(&[], &[]);
    bench.start_capture("own");
    bench.launch("chatter");
    bench.wait_for(|event| matches!(event, Event::Exited { what, .. } if what == "chatter"));
    let began = Instant::now();
    assert_eq!(frames(&bench.stop_capture("own")).len() as u64, CHATTER);
    assert!(began.elapsed() < Duration::from_secs(2), "stopping took {:?}", began.elapsed());
    bench.shut_down();
}

fn crashed_app() {
    let (mut bench, _) = Bench::new(&[], &["--crash-after", "started"]);
    bench.launch("companion");
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
    bench.launch("flood");
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
    bench.launch("sleeper");
    let dir = bench.dir.path().to_owned();
    wait_until("services and app run", || mentioned(&dir) == 2);
    kill(&bench.agents["companion"]);
    wait_until("the app ends with its agent", || mentioned(&dir) == 1);
    kill(&bench.agents["network"]);
    wait_until("the services end with the network", || mentioned(&dir) == 0);
    bench.attached.values().for_each(|handle| wait_gone(handle.pid));
}

/// Tells what a program could abuse.
fn curious() -> ExitCode {
    let mut open: Vec<_> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .flatten()
        // The directory that is being read is open only for that.
        .filter(|entry| !std::fs::read_link(entry.path()).is_ok_and(|to| to.ends_with("fd")))
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    open.sort();
    println!("open {}", open.join(" "));
    println!("status {}", privileges("self"));
    // SAFETY: makes a socket or fails.
    let raw = unsafe { nix::libc::socket(nix::libc::AF_PACKET, nix::libc::SOCK_RAW, 0) };
    println!("raw socket {raw}");
    ExitCode::SUCCESS
}

/// Effective, permitted, inheritable, bounding and ambient capabilities of a process, and whether it can gain some.
fn privileges(process: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let fields = ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb", "NoNewPrivs"].map(|name| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit('\t').next().unwrap().trim_start_matches('0').to_owned()
    });
    fields.join(",")
}

fn confined() {
    let (mut bench, _) = Bench::new(&[], &[]);
    bench.launch("curious");
    for line in [r"^open 0 1 2$", r"^status ,,,,,1$", r"^raw socket -1$"] {
        assert!(bench.expect(line).is_ok(), "{line}: {:?}", bench.events);
    }
    bench.wait_for(|event| matches!(event, Event::Exited { what, .. } if what == "curious"));
    let services = named(bench.dir.path());
    let [services] = services.as_slice() else { panic!("{services:?}") };
    // The services may pull the cable, nothing else.
    assert_eq!(privileges(services), "1000,1000,1000,1000,1000,1");
    bench.shut_down();
}

/// Starts a child that leaves the session and outlives whoever started it.
fn forker(args: &[&str]) -> ExitCode {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("sleeper").args(args);
    // SAFETY: a plain system call between fork and exec.
    unsafe { command.pre_exec(|| Ok(nix::unistd::setsid().map(drop)?)) };
    let mut child = command.spawn().unwrap();
    println!("forked");
    child.wait().unwrap();
    ExitCode::SUCCESS
}

fn stopped_with_its_children() {
    let (mut bench, _) = Bench::new(&[], &[]);
    bench.launch("forker");
    assert!(bench.expect("forked").is_ok());
    let dir = bench.dir.path().to_owned();
    wait_until("services, app and its child run", || mentioned(&dir) == 3);
    assert_eq!(bench.call("companion", Action::Stop { app: "forker".into() }), Ok(Reply::Ok));
    wait_until("only the services are left", || mentioned(&dir) == 1);
    assert_eq!(bench.call("network", Action::CheckNetwork), Ok(Reply::Ok));
    bench.shut_down();
}
