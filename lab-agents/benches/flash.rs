//! Flashing 64 KiB by the agent, over the protocol, against plain probe-rs code doing the same on the same virtual
//! board, in pairs. Prints the median of the pairs' ratios, and fails where it is above 1.1.
#![allow(clippy::unwrap_used, missing_docs)]

use std::io::Cursor;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use lab_agents::carrier::InProcess;
use lab_agents::{flash, mono_ns};
use lab_protocol::{
    Action, AgentKind, BlobRef, Carrier, Command, Epoch, Event, FromAgent, ImageFormat, Incoming, Source,
    StepRef, ToAgent, VERSION,
};
use lab_virtual_bench::board::{Board, BoardConfig, BoardEnds, BoardError};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use probe_rs::Permissions;
use probe_rs::flashing::{BinLoader, BinOptions, DownloadOptions};
use probe_rs::probe::list::Lister;
use probe_rs::probe::{DebugProbeSelector, WireProtocol};
use serde_json::json;

const CHIP: &str = "nRF51822_xxAA";
const SIZE: usize = 64 * 1024;
const PAIRS: usize = 15;
const MOST: f64 = 1.1;
const DEADLINE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    // Emulator, probe and client pass small messages to and fro. Where the scheduler happens to put them makes a factor
    // of two on few processors; on one, both sides have the same.
    let mut one = CpuSet::new();
    one.set(0).unwrap();
    if let Err(error) = sched_setaffinity(Pid::from_raw(0), &one) {
        println!("not on one processor ({error}): the ratio may be anything between 0.8 and 1.3");
    }
    let (_board, ends) = match Board::start(BoardConfig::default()) {
        Err(error @ BoardError::QemuMissing) => {
            println!("skipped: {error}");
            return ExitCode::SUCCESS;
        }
        started => started.unwrap(),
    };
    let (mut agent, inbox) = agent(&ends);
    let selector = ends.probe_selector();
    let (mut by_agent, mut by_probe_rs) = (Vec::new(), Vec::new());
    // The first pair warms up. Each image differs from the one before, so that all of it is written.
    for pair in 0..=PAIRS {
        let mut ours =
            || by_agent.push(timed(|| with_agent(&mut agent, &inbox, pair as u64 + 1, &image(2 * pair))));
        let mut plain = || by_probe_rs.push(timed(|| with_probe_rs(&selector, &image(2 * pair + 1))));
        if pair % 2 == 0 {
            ours();
            plain();
        } else {
            plain();
            ours();
        }
    }
    agent.send(&ToAgent::Shutdown).unwrap();
    agent.join();
    let (by_agent, by_probe_rs) = (&by_agent[1..], &by_probe_rs[1..]);
    // Within a pair the machine is as busy for the one as for the other: compare there.
    let ratio = median(by_agent.iter().zip(by_probe_rs).map(|(ours, plain)| ours / plain).collect());
    let (ours, plain) = (median(by_agent.to_vec()), median(by_probe_rs.to_vec()));
    println!("flash of {SIZE} bytes with verify and reset, medians of {PAIRS} pairs on the virtual board:");
    println!("  agent {ours:.0} ms, plain probe-rs {plain:.0} ms, median ratio {ratio:.3} (at most {MOST})");
    if ratio <= MOST { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Milliseconds.
fn timed(action: impl FnOnce()) -> f64 {
    let began = Instant::now();
    action();
    began.elapsed().as_secs_f64() * 1000.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A vector table whose reset leads to an endless loop, and noise behind it.
fn image(seed: usize) -> Vec<u8> {
    let mut state = seed as u32 + 1;
    let mut bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(SIZE)
    .collect();
    bytes[..8].copy_from_slice(&[0x00, 0x40, 0x00, 0x20, 0x11, 0x00, 0x00, 0x00]);
    // wfi; b . - 2
    bytes[16..20].copy_from_slice(&[0x30, 0xBF, 0xFD, 0xE7]);
    bytes
}

fn agent(ends: &BoardEnds) -> (InProcess, Receiver<Incoming>) {
    let source = Source::new(AgentKind::Flash, "watch");
    let (sender, inbox) = mpsc::channel();
    let mut agent = InProcess::start(&source, sender, flash::start).unwrap();
    let binding = json!({"probe": ends.probe_selector(), "chip": CHIP});
    let epoch = Epoch { mono_ns: mono_ns(), wall_ns: 0 };
    agent.send(&ToAgent::Hello { version: VERSION, you: source, epoch, binding }).unwrap();
    (agent, inbox)
}

fn with_agent(agent: &mut InProcess, inbox: &Receiver<Incoming>, id: u64, bytes: &[u8]) {
    let image = BlobRef::of(bytes);
    agent.send(&ToAgent::Blob { blob: image.clone(), bytes: bytes.to_vec() }).unwrap();
    let action = Action::Flash { image, format: ImageFormat::Bin { base: 0 }, verify: true };
    let step = StepRef { phase: "setup".into(), index: 0, label: "flash".into() };
    let to = Source::new(AgentKind::Flash, "watch");
    let command = Command { id, to, step, deadline_ms: DEADLINE.as_millis() as u64, action };
    agent.send(&ToAgent::Command { command }).unwrap();
    loop {
        match inbox.recv_timeout(DEADLINE).unwrap() {
            Incoming::Message(_, FromAgent::Event { event: Event::Done { .. }, .. }) => return,
            Incoming::Message(_, FromAgent::Event { event: Event::Failed { fault }, .. }) => {
                panic!("{fault}")
            }
            Incoming::Gone { how, .. } => panic!("{how}"),
            _ => {}
        }
    }
}

fn with_probe_rs(selector: &str, bytes: &[u8]) {
    let selector: DebugProbeSelector = selector.parse().unwrap();
    let mut probe = Lister::new().open(selector).unwrap();
    probe.select_protocol(WireProtocol::Swd).unwrap();
    let mut session = probe.attach(CHIP, Permissions::default()).unwrap();
    let mut loader = session.target().flash_loader();
    let format = BinLoader(BinOptions { base_address: Some(0), skip: 0 });
    loader.load_image(&mut session, &mut Cursor::new(bytes), format, None).unwrap();
    let mut options = DownloadOptions::default();
    options.verify = true;
    loader.commit(&mut session, options).unwrap();
    session.core(0).unwrap().reset().unwrap();
}
