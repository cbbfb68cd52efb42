//! How long judging takes: 10,000 declarations × 100,000 flows, in the kinds of manifest and traffic that cost most.
//!
//! `cargo bench -p lab-runner --no-default-features --bench judge` prints the median of five judgements of each, and ends
//! with 1 where one takes a second or more. What counts is the time on a processor (Linux's `schedstat`, where there is
//! one), so that whatever else the machine does changes little.
#![allow(clippy::unwrap_used, reason = "a benchmark stops where its input is wrong")]

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lab_observe::{FlowRecord, L4, Name, NameKind, Observation, Reason, State, Summary};
use lab_protocol::{
    Action, AgentKind, Body, Command, Entry, Epoch, Event, NetworkFacts, Reply, Side, Source, StepRef,
    Vantage,
};
use lab_runner::judge::{Grounds, JudgeInput, Outcome, judge_on};
use lab_runner::manifest::Manifest;
use lab_runner::observation::{Attempt, Capture};
use lab_runner::plan::Plan;
use lab_runner::yaml::{Document, Source as Text};

const DECLARATIONS: u32 = 10_000;
const FLOWS: u32 = 100_000;
const MOST: Duration = Duration::from_secs(1);
const WALL_NS: u64 = 1_700_000_000_000_000_000;
const PHONE: &str = "02:00:00:00:00:0a";

const PLAN: &str = "format: 1
name: Benchmark
product: {vendor: Nucleus, model: U8}
manifest: privacy-manifest.yaml
needs: {phone: companion, net: gateway}
phases:
  - {name: all, steps: [{launch: {app: companion}}]}
assert: {endpoints: declared}
";

/// A manifest and traffic of one kind.
struct Case {
    name: &'static str,
    /// The peer of a declaration, by its number.
    peer: fn(u32) -> String,
    /// A flow, by its number.
    flow: fn(u32) -> FlowRecord,
    /// Look-ups may have been missed.
    lossy: bool,
    outcome: Outcome,
}

const CASES: [Case; 5] = [
    Case { name: "all declared, by host", peer: host, flow: declared, lossy: false, outcome: Outcome::Pass },
    Case {
        name: "none declared, each elsewhere",
        peer: host,
        flow: elsewhere,
        lossy: false,
        outcome: Outcome::Fail,
    },
    Case {
        name: "hidden names, any might be meant",
        peer: host,
        flow: hidden,
        lossy: true,
        outcome: Outcome::Inconclusive,
    },
    Case { name: "by address", peer: network, flow: addressed, lossy: false, outcome: Outcome::Pass },
    Case {
        name: "patterns made to backtrack",
        peer: pattern,
        flow: backtracking,
        lossy: false,
        outcome: Outcome::Fail,
    },
];

fn main() -> ExitCode {
    println!("{DECLARATIONS} declarations × {FLOWS} flows, median of 5");
    let mut over = false;
    for case in &CASES {
        let mut took: Vec<Duration> = {
            let (plan, manifest, attempts) = (plan(), manifest(case.peer), [attempt(case)]);
            let input = JudgeInput { plan: &plan, manifest: &manifest, attempts: &attempts, repeats: 1 };
            (0..5)
                .map(|_| {
                    let (begun, began) = (Instant::now(), on_processor());
                    let verdict = judge_on(Grounds::Captures, &input);
                    let took = match (began, on_processor()) {
                        (Some(began), Some(ended)) => ended.saturating_sub(began),
                        _ => begun.elapsed(),
                    };
                    assert_eq!(
                        verdict.outcome,
                        case.outcome,
                        "{}: {:#?}",
                        case.name,
                        verdict.findings.first()
                    );
                    took
                })
                .collect()
        };
        took.sort();
        let median = took[took.len() / 2];
        over |= median >= MOST;
        println!("{:<34} {:>5} ms", case.name, median.as_millis());
    }
    if over {
        println!("over {} ms", MOST.as_millis());
    }
    ExitCode::from(u8::from(over))
}

/// How long this thread was on a processor (Documentation/scheduler/sched-stats.rst of the kernel: nanoseconds first).
fn on_processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}

fn host(number: u32) -> String {
    format!("host: h{number}.u8.example")
}

fn network(number: u32) -> String {
    format!("cidr: 10.{}.{}.0/24", (number >> 8) & 255, number & 255)
}

fn pattern(number: u32) -> String {
    format!("glob: \"**.a.**.a.**.a.**.h{number}.**.a.**.a.u8.example\"")
}

fn declared(number: u32) -> FlowRecord {
    let name = format!("h{}.u8.example", number % DECLARATIONS);
    let mut flow = tls(number, 0xc633_6400);
    flow.names = [NameKind::Dns, NameKind::Sni].map(|kind| Name::new(kind, name.as_str(), 1)).to_vec();
    (flow.state, flow.reason) = (State::Named, None);
    flow
}

fn elsewhere(number: u32) -> FlowRecord {
    let mut flow = tls(number, 0x0b00_0000 + number);
    flow.reason = Some(Reason::NeverQueried);
    flow
}

fn hidden(number: u32) -> FlowRecord {
    let mut flow = tls(number, 0x0b00_0000 + number);
    flow.reason = Some(Reason::HiddenDns);
    flow
}

fn addressed(number: u32) -> FlowRecord {
    let mut flow = tls(number, 0x0a00_0001 + ((number % DECLARATIONS) << 8));
    flow.reason = Some(Reason::NeverQueried);
    flow
}

fn backtracking(number: u32) -> FlowRecord {
    // Nearly what a pattern asks for, and two labels too short.
    let name = format!(
        "{}h{}.{}u8.example",
        "a.".repeat(5),
        number % DECLARATIONS,
        "a.".repeat(20 + number as usize / DECLARATIONS as usize)
    );
    let mut flow = tls(number, 0xc633_6400);
    flow.names = [NameKind::Dns, NameKind::Sni].map(|kind| Name::new(kind, name.as_str(), 1)).to_vec();
    (flow.state, flow.reason) = (State::Named, None);
    flow
}

fn tls(number: u32, server: u32) -> FlowRecord {
    let server = (std::net::Ipv4Addr::from(server), 443).into();
    let port = 1024 + (number % 60_000) as u16;
    let time = WALL_NS + 2_000_000_000 + u64::from(number) * 1_000;
    FlowRecord {
        flow: number.into(),
        first_ns: time,
        last_ns: time + 900,
        packets: [9, 8],
        bytes: [1203, 5120],
        app: "tls".into(),
        frames: [number.into(), u64::from(number) + 16],
        client_mac: PHONE.parse().ok(),
        answered: true,
        opening_seen: true,
        ..FlowRecord::between(L4::Tcp, ([192, 0, 2, 10], port).into(), server)
    }
}

fn document(file: &str, text: String) -> Document {
    // The plan's loader looks whether the manifest that it names is there.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-plans/u8-nucleus");
    Document::parse(Text::from_bytes(&folder.join(file), text.into_bytes()).unwrap()).unwrap()
}

fn plan() -> Plan {
    Plan::from_document(document("plan.yaml", PLAN.to_owned())).unwrap().0
}

fn manifest(peer: fn(u32) -> String) -> Manifest {
    let mut text = "format: 1\nproduct: {vendor: Nucleus, model: U8}\nendpoints:\n".to_owned();
    for number in 0..DECLARATIONS {
        writeln!(text, "  - {{id: d{number}, talker: app, {}, ports: 443}}", peer(number)).unwrap();
    }
    Manifest::from_document(document("privacy-manifest.yaml", text)).unwrap().0
}

/// A capture of the phone that began before its app did.
fn attempt(case: &Case) -> Attempt {
    let vantage = || "phone".to_owned();
    let side = Side {
        name: "phone".into(),
        macs: vec![PHONE.into()],
        addresses: vec!["192.0.2.10/24".into()],
        only_companion: true,
    };
    let facts = NetworkFacts {
        sides: vec![side],
        vantages: vec![Vantage { name: vantage(), side: "phone".into() }],
        ..NetworkFacts::default()
    };
    let epoch = Epoch { mono_ns: 0, wall_ns: WALL_NS };
    let begin = Event::Begin { format: 1, attempt: 1, repeat: 1, bench: "virtual".into(), epoch };
    let mut entries = vec![Entry { seq: 1, t: 0, source: Source::lab(), id: None, body: Body::Event(begin) }];
    let mut does = |kind: AgentKind, phase: &str, action: Action, reply: Reply| {
        let (id, t) = (entries.len() as u64, entries.len() as u64 * 1_000_000);
        let (to, source) = (Source::new(kind, ""), Source::lab());
        let step = StepRef { phase: phase.into(), index: 0, label: kind.word().into() };
        let command = Command { id, to: to.clone(), step, deadline_ms: 1, action };
        entries.push(Entry { seq: id * 2, t, source, id: Some(id), body: Body::Command(command) });
        let body = Body::Event(Event::Done { reply });
        entries.push(Entry { seq: id * 2 + 1, t, source: to, id: Some(id), body });
    };
    does(AgentKind::Network, "setup", Action::NetworkUp, Reply::Network { facts });
    does(AgentKind::Capture, "setup", Action::StartCapture { vantage: vantage() }, Reply::Ok);
    does(AgentKind::Lab, "all", Action::Phase { name: "all".into() }, Reply::Ok);
    does(AgentKind::Companion, "all", Action::Launch { app: "companion".into() }, Reply::Ok);
    let flows = (0..FLOWS).map(case.flow).collect();
    let drops = Some(u64::from(case.lossy));
    let summary = Summary { format: 1, packets: u64::from(FLOWS) * 17, drops, ..Summary::default() };
    let observation = Observation { flows, summary, canaries: Vec::new() };
    let capture = Capture { vantage: vantage(), file: "captures/phone.pcapng".into(), observation };
    Attempt { number: 1, repeat: 1, entries, captures: vec![capture], retried: false }
}
