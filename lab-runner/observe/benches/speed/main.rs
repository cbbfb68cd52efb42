//! How fast captures are observed, beside tools that do part of the same, in one run: on one core by processor time, and on
//! all cores by the clock, as who runs them sees it.
//!
//! `ci/bench observe` runs it. It builds a capture of 700 MB (see [`input`]), measures each tool in turns (see [`tool`]),
//! and answers 1 where a figure is over its limit. By hand:
//!
//!     cargo bench -p lab-observe --bench speed -- --lab target/release/lab --runs 5
//!
//! Without `--lab` only the library is measured. `--stream GB` pipes so many gigabytes into `lab observe -` and watches its
//! memory; `--build` only builds the inputs and says where they are.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may panic")]

mod address;
mod input;
mod made;
#[path = "../../tests/packets/mod.rs"]
mod packets;
mod stream;
mod tool;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use input::Input;
use tool::{Measured, Tool};

/// Limits, and what they are about.
const LEAST_MB_PER_S: f64 = 1000.0;
const LEAST_M_PACKETS_PER_S: f64 = 2.5;
const LEAST_TIMES_NDPI: f64 = 4.0;
const LEAST_TIMES_TSHARK: f64 = 100.0;
const MOST_TIMES_EMPTY_LOOP: f64 = 1.5;
const MOST_MS_SMALL: f64 = 50.0;
const MOST_FIXED_BYTES: f64 = 64e6;
const MOST_BYTES_PER_FLOW: f64 = 1024.0;
const MOST_MB_GROWN: f64 = 1.0;

/// Runs of tshark at most, which takes some seconds each.
const TSHARK_RUNS: usize = 5;
/// What tshark is asked for.
const FIELDS: [&str; 5] =
    ["ip.src", "ip.dst", "tls.handshake.extensions_server_name", "dns.qry.name", "http.host"];

#[derive(Debug)]
struct Args {
    lab: Option<PathBuf>,
    runs: usize,
    stream_gb: u64,
    build_only: bool,
}

fn main() -> ExitCode {
    pin();
    let args = args();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let input = Input::prepare(folder);
    println!("input: {}", input.origin);
    println!("  {} ({} bytes, {} frames)", input.whole.display(), input.bytes, input.frames);
    println!("  {} ({} bytes, {} frames)", input.small.display(), input.small_bytes, input.small_frames);
    if args.build_only {
        return ExitCode::SUCCESS;
    }
    println!("load before: {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    let flows = library(&input, args.runs);
    let mut limits = Limits::default();
    if let Some(lab) = &args.lab {
        beside_others(lab, &input, flows, args.runs, &mut limits);
        if args.stream_gb > 0 {
            let grown = stream::growth(lab, args.stream_gb);
            limits.most("growth of memory over nine tenths of a stream", grown, MOST_MB_GROWN, "MB");
        }
    }
    if limits.over { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Starts itself again on the last core, where `taskset` is there; children inherit it.
fn pin() {
    use std::os::unix::process::CommandExt;
    const PINNED: &str = "LAB_SPEED_PINNED";
    if std::env::var_os(PINNED).is_some() {
        return;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut again = Command::new("taskset");
    again.arg("-c").arg((cores - 1).to_string()).arg(std::env::current_exe().unwrap());
    again.args(std::env::args_os().skip(1)).env(PINNED, cores.to_string());
    println!("not pinned to a core: {}", again.exec());
}

fn args() -> Args {
    let mut args = Args { lab: None, runs: 5, stream_gb: 0, build_only: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| panic!("{word} wants a value"));
        match word.as_str() {
            "--lab" => args.lab = Some(PathBuf::from(value())),
            "--runs" => args.runs = value().parse().expect("a number of runs"),
            "--stream" => args.stream_gb = value().parse().expect("gigabytes"),
            "--build" => args.build_only = true,
            "--bench" => {}
            other => panic!("unknown argument {other}: --lab PATH, --runs N, --stream GB, --build"),
        }
    }
    assert!(args.runs > 0, "at least one run");
    args
}

/// The library alone, on a capture in memory; returns the number of flows.
fn library(input: &Input, runs: usize) -> u64 {
    let bytes = std::fs::read(&input.whole).unwrap();
    let mut seconds = Vec::new();
    let mut flows = 0;
    for _ in 0..runs {
        let begun = Instant::now();
        let seen = lab_observe::observe(&bytes, lab_observe::Options::default()).unwrap();
        seconds.push(begun.elapsed().as_secs_f64());
        flows = seen.summary.flows;
        assert_eq!(seen.summary.packets, input.frames);
    }
    println!(
        "  {flows} flows, {:.1} frames and {:.0} bytes each\n",
        ratio(input.frames, flows),
        ratio(input.bytes, flows)
    );
    tool::heading();
    tool::row("library, bytes in memory", &Measured::of_wall(seconds), input.bytes, input.frames);
    flows
}

fn ratio(all: u64, parts: u64) -> f64 {
    all as f64 / parts.max(1) as f64
}

fn beside_others(lab: &Path, input: &Input, flows: u64, runs: usize, limits: &mut Limits) {
    let whole = input.whole.to_str().unwrap();
    let lab = lab.to_str().unwrap();
    let empty_loop = tool::empty_loop(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let observe = ["observe", "--format"];
    let mut tools = vec![
        Tool::new("lab observe --format json", lab, &[&observe[..], &["json", whole]].concat()),
        Tool::new("lab observe --format text", lab, &[&observe[..], &["text", whole]].concat()),
        Tool::new("lab observe --format json, all cores", lab, &[&observe[..], &["json", whole]].concat())
            .on(all_cores()),
        Tool::new("lab observe --format text, all cores", lab, &[&observe[..], &["text", whole]].concat())
            .on(all_cores()),
    ];
    if let Some(program) = &empty_loop {
        tools.push(Tool::new("empty pcap_next_ex loop", program.to_str().unwrap(), &[whole]));
    }
    tools.push(Tool::new("ndpiReader", "ndpiReader", &["-q", "-i", whole]));
    let measured = tool::in_turns(&tools, runs);
    for (tool, measured) in tools.iter().zip(&measured) {
        match measured {
            Some(measured) => tool::row(tool.name, measured, input.bytes, input.frames),
            None => println!(
                "{:<40} not measured: {} is not installed (ci/setup --tests)",
                tool.name,
                tool.program()
            ),
        }
    }
    let small = input.small.to_str().unwrap();
    let fields: Vec<_> = FIELDS.iter().flat_map(|field| ["-e", field]).collect();
    let tshark = [&["-n", "-r", small, "-T", "fields"], &fields[..]].concat();
    let small_tools = [
        Tool::new("lab observe --format json, 35 MB", lab, &[&observe[..], &["json", small]].concat()),
        Tool::new(
            "lab observe --format json, 35 MB, all cores",
            lab,
            &[&observe[..], &["json", small]].concat(),
        )
        .on(all_cores()),
        Tool::new("tshark, five fields, 35 MB", "tshark", &tshark),
        Tool::new("tshark, five fields, 35 MB, all cores", "tshark", &tshark).on(all_cores()),
    ];
    let (our_tools, their_tools) = small_tools.split_at(2);
    let mut small_measured = tool::in_turns(our_tools, runs.max(15));
    small_measured.extend(tool::in_turns(their_tools, runs.min(TSHARK_RUNS)));
    for (tool, measured) in small_tools.iter().zip(&small_measured) {
        match measured {
            Some(measured) => tool::row(tool.name, measured, input.small_bytes, input.small_frames),
            None => println!(
                "{:<40} not measured: {} is not installed (ci/setup --tests)",
                tool.name,
                tool.program()
            ),
        }
    }
    println!();
    let [ours, ours_on_all, tshark, tshark_on_all] = &small_measured[..] else { panic!("four were to run") };
    let [Some(json), text, Some(json_on_all), text_on_all, rest @ ..] = &measured[..] else {
        panic!("{lab} did not run")
    };
    let mb = input.bytes as f64 / 1e6;
    limits.least("MB/s on one core", mb / json.cpu(), LEAST_MB_PER_S, "MB/s");
    limits.least("packets on one core", input.frames as f64 / 1e6 / json.cpu(), LEAST_M_PACKETS_PER_S, "M/s");
    // The order in which the tools were pushed.
    let (empty, ndpi) =
        if empty_loop.is_some() { (rest[0].as_ref(), rest[1].as_ref()) } else { (None, rest[0].as_ref()) };
    if let Some(ndpi) = ndpi {
        limits.least("speed to that of ndpiReader, one core", ndpi.cpu() / json.cpu(), LEAST_TIMES_NDPI, "x");
    }
    let small_mb = input.small_bytes as f64 / 1e6;
    if let Some(tshark) = tshark_on_all {
        let times = tshark.wall() / small_mb / (json_on_all.wall() / mb);
        limits.least("speed to that of tshark, by the clock", times, LEAST_TIMES_TSHARK, "x");
    }
    if let Some(tshark) = tshark {
        let times = tshark.cpu() / small_mb / (json.cpu() / mb);
        limits.least("speed to that of tshark, one core", times, LEAST_TIMES_TSHARK, "x");
    }
    if let Some(empty) = empty {
        let mut most = |what, times| limits.most(what, times, MOST_TIMES_EMPTY_LOOP, "x");
        most("time to that of the empty loop, by the clock", json_on_all.wall() / empty.wall());
        most("time to that of the empty loop, one core", json.cpu() / empty.cpu());
        if let Some(text) = text_on_all {
            most("time of the text to that of the loop, by the clock", text.wall() / empty.wall());
        }
        if let Some(text) = text {
            most("time of the text to that of the loop, one core", text.cpu() / empty.cpu());
        }
    }
    for (what, ours) in [("35 MB, whole process", ours_on_all), ("35 MB, whole process, one core", ours)] {
        if let Some(ours) = ours {
            limits.most(what, ours.wall() * 1e3, MOST_MS_SMALL, "ms");
        }
    }
    let allowed = MOST_FIXED_BYTES + MOST_BYTES_PER_FLOW * flows as f64;
    limits.most(
        "largest resident memory",
        json.peak_kib.max(json_on_all.peak_kib) as f64 * 1024.0 / 1e6,
        allowed / 1e6,
        "MB",
    );
}

/// The cores that there were before this process was pinned, as `taskset` wants them.
fn all_cores() -> String {
    let cores: usize =
        std::env::var("LAB_SPEED_PINNED").ok().and_then(|cores| cores.parse().ok()).unwrap_or(1);
    format!("0-{}", cores - 1)
}

/// Figures against their limits.
#[derive(Debug, Default)]
struct Limits {
    over: bool,
}

impl Limits {
    fn least(&mut self, what: &str, value: f64, least: f64, unit: &str) {
        self.row(what, value, unit, "at least", least, value >= least);
    }

    fn most(&mut self, what: &str, value: f64, most: f64, unit: &str) {
        self.row(what, value, unit, "at most", most, value <= most);
    }

    fn row(&mut self, what: &str, value: f64, unit: &str, bound: &str, limit: f64, kept: bool) {
        let verdict = if kept { "" } else { "   MISSED" };
        println!("{what:<58} {value:>9.2} {unit:<5} {bound} {limit:.2}{verdict}");
        self.over |= !kept;
    }
}
