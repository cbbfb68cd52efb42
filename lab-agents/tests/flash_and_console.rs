//! The flash and console agents against the virtual board, over the protocol, as the engine drives them.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use lab_agents::carrier::InProcess;
use lab_agents::{Start, console, flash, mono_ns};
use lab_protocol::{
    Action, AgentKind, BlobRef, Carrier, Command, Epoch, Event, Fault, FromAgent, ImageFormat, Incoming,
    Reply, Source, StepRef, ToAgent, VERSION,
};
use lab_virtual_bench::board::{Board, BoardConfig, BoardEnds, BoardError, BoardFaults};
use serde_json::{Value, json};

const CHIP: &str = "nRF51822_xxAA";

fn board(faults: BoardFaults) -> Option<(Board, BoardEnds)> {
    match Board::start(BoardConfig { faults }) {
        Err(error @ BoardError::QemuMissing) => {
            println!("skipped: {error}");
            None
        }
        started => Some(started.unwrap()),
    }
}

struct Driver {
    source: Source,
    carrier: InProcess,
    inbox: Receiver<Incoming>,
    events: Vec<Event>,
    id: u64,
    deadline: Duration,
}

impl Driver {
    fn start(kind: AgentKind, start: Start, binding: Value) -> Self {
        let source = Source::new(kind, "watch");
        let (sender, inbox) = mpsc::channel();
        let mut carrier = InProcess::start(&source, sender, start).unwrap();
        let epoch = Epoch { mono_ns: mono_ns(), wall_ns: 0 };
        carrier.send(&ToAgent::Hello { version: VERSION, you: source.clone(), epoch, binding }).unwrap();
        Self { source, carrier, inbox, events: Vec::new(), id: 0, deadline: Duration::from_secs(30) }
    }

    fn flash(ends: &BoardEnds) -> Self {
        Self::start(AgentKind::Flash, flash::start, json!({"probe": ends.probe_selector(), "chip": CHIP}))
    }

    fn console(ends: &BoardEnds) -> Self {
        let mut console =
            Self::start(AgentKind::Console, console::start, json!({"port": ends.console, "baud": 115_200}));
        assert_eq!(console.call(Action::OpenConsole).unwrap(), Reply::Ok);
        console
    }

    fn call(&mut self, action: Action) -> Result<Reply, Fault> {
        self.id += 1;
        let step = StepRef { phase: "setup".into(), index: 0, label: "test".into() };
        let deadline_ms = self.deadline.as_millis() as u64;
        let command = Command { id: self.id, to: self.source.clone(), step, deadline_ms, action };
        self.carrier.send(&ToAgent::Command { command }).unwrap();
        loop {
            match self.inbox.recv_timeout(self.deadline).unwrap() {
                Incoming::Message(_, FromAgent::Event { id, event, .. }) => match event {
                    Event::Done { reply } if id == Some(self.id) => return Ok(reply),
                    Event::Failed { fault } if id == Some(self.id) => return Err(fault),
                    event => self.events.push(event),
                },
                Incoming::Gone { how, .. } => panic!("the agent ended: {how}"),
                _ => {}
            }
        }
    }

    fn write(&mut self, bytes: &[u8], format: ImageFormat) -> Result<Reply, Fault> {
        let image = BlobRef::of(bytes);
        self.carrier.send(&ToAgent::Blob { blob: image.clone(), bytes: bytes.to_vec() }).unwrap();
        self.call(Action::Flash { image, format, verify: true })
    }

    fn expect(&mut self, pattern: &str) -> Result<Reply, Fault> {
        self.call(Action::ExpectLine { pattern: pattern.to_owned(), within_ms: 5_000 })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.carrier.send(&ToAgent::Shutdown);
    }
}

fn image(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/firmware").join(name)).unwrap()
}

/// What the image's first program header puts into flash (ELF32, little-endian).
fn raw(elf: &[u8]) -> &[u8] {
    let word = |at: usize| u32::from_le_bytes(elf[at..at + 4].try_into().unwrap()) as usize;
    let header = word(28);
    &elf[word(header + 4)..word(header + 4) + word(header + 16)]
}

fn intel_hex(bytes: &[u8]) -> String {
    let record = |at: usize, kind: u8, data: &[u8]| {
        let mut line = vec![data.len() as u8, (at >> 8) as u8, at as u8, kind];
        line.extend_from_slice(data);
        let sum = line.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        line.push(sum.wrapping_neg());
        line.iter().fold(":".to_owned(), |text, byte| format!("{text}{byte:02X}")) + "\n"
    };
    let data: String =
        bytes.chunks(16).enumerate().map(|(index, chunk)| record(index * 16, 0, chunk)).collect();
    data + &record(0, 1, &[])
}

fn written(reply: &Reply) -> bool {
    matches!(reply, Reply::Flashed { written: true, .. })
}

#[test]
fn firmware_is_flashed_in_any_format_boots_and_answers_on_its_console() {
    let Some((_board, ends)) = board(BoardFaults::default()) else { return };
    let (mut flash, mut console) = (Driver::flash(&ends), Driver::console(&ends));
    let elf = image("u8-1.4.0.elf");
    assert!(written(&flash.write(&elf, ImageFormat::Elf).unwrap()));
    for what in ["erase", "program", "verify"] {
        let complete = |event: &Event| matches!(event, Event::Progress { what: of, done, total } if of == what && done == total && *total > 0);
        assert!(flash.events.iter().any(complete), "{what}: {:?}", flash.events);
    }
    let Reply::Matched { groups, .. } = console.expect(r"U8 Nucleus fw (?<version>[\d.]+) ready").unwrap()
    else {
        panic!("no match")
    };
    assert_eq!(groups["version"], "1.4.0");

    // What is there already is not written again, whatever the format, but it starts from reset.
    for (bytes, format) in [
        (elf.clone(), ImageFormat::Elf),
        (raw(&elf).to_vec(), ImageFormat::Bin { base: 0 }),
        (intel_hex(raw(&elf)).into_bytes(), ImageFormat::Hex),
    ] {
        assert!(!written(&flash.write(&bytes, format).unwrap()));
        console.expect("fw 1.4.0 ready").unwrap();
    }

    let newer = image("u8-1.5.0.elf");
    assert!(written(&flash.write(intel_hex(raw(&newer)).as_bytes(), ImageFormat::Hex).unwrap()));
    console.expect("fw 1.5.0 ready").unwrap();
    assert_eq!(flash.call(Action::Reset).unwrap(), Reply::Ok);
    console.expect("fw 1.5.0 ready").unwrap();
    console.call(Action::SendLine { text: "ver".into() }).unwrap();
    console.expect("^fw 1.5.0$").unwrap();
    assert!(written(&flash.write(raw(&elf), ImageFormat::Bin { base: 0 }).unwrap()));
    console.expect("fw 1.4.0 ready").unwrap();
    let missing = console.call(Action::ExpectLine { pattern: "never".into(), within_ms: 50 }).unwrap_err();
    assert_eq!(missing.code, "line-missing");
}

#[test]
fn what_is_wrong_with_probe_chip_or_image_is_told_apart() {
    let Some((_board, ends)) = board(BoardFaults::default()) else { return };
    let elf = image("u8-1.4.0.elf");
    let with = |probe: String, chip: &str, bytes: &[u8], format| {
        let mut agent = Driver::start(AgentKind::Flash, flash::start, json!({"probe": probe, "chip": chip}));
        agent.write(bytes, format).unwrap_err().code
    };
    let here = ends.probe_selector();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(with(format!("1d50:6018:{free}"), CHIP, &elf, ImageFormat::Elf), "probe-unreachable");
    assert_eq!(with("banana".into(), CHIP, &elf, ImageFormat::Elf), "probe-invalid");
    assert_eq!(with(here.clone(), "nRF99", &elf, ImageFormat::Elf), "chip-unknown");
    assert_eq!(with(here.clone(), "nRF52840_xxAA", &elf, ImageFormat::Elf), "chip-differs");
    assert_eq!(with(here.clone(), "STM32F407VGTx", &elf, ImageFormat::Elf), "chip-differs");
    assert_eq!(with(here.clone(), CHIP, b"not an image", ImageFormat::Elf), "image-invalid");
    assert_eq!(with(here.clone(), CHIP, &elf[..elf.len() / 2], ImageFormat::Elf), "image-invalid");
    assert_eq!(with(here.clone(), CHIP, b":zz", ImageFormat::Hex), "image-invalid");
    assert_eq!(with(here.clone(), CHIP, b"", ImageFormat::Bin { base: 0 }), "image-invalid");
    assert_eq!(with(here, CHIP, &elf, ImageFormat::Bin { base: 0x8000_0000 }), "image-misplaced");
}

#[test]
fn flash_that_does_not_keep_its_content_fails_verification() {
    let Some((_board, ends)) = board(BoardFaults { stuck_bit: Some(4), ..Default::default() }) else {
        return;
    };
    let fault = Driver::flash(&ends).write(&image("u8-1.4.0.elf"), ImageFormat::Elf).unwrap_err();
    assert_eq!(fault.code, "verify-failed");
}

#[test]
fn a_probe_that_falls_silent_ends_within_the_deadline_and_says_what_was_under_way() {
    let faults = BoardFaults { silent_after_flash_bytes: Some(6_000), ..Default::default() };
    let Some((_board, ends)) = board(faults) else { return };
    let mut flash = Driver::flash(&ends);
    flash.deadline = Duration::from_secs(3);
    let began = Instant::now();
    let fault = flash.write(&[0x5A; 64 * 1024], ImageFormat::Bin { base: 0 }).unwrap_err();
    assert!(began.elapsed() < flash.deadline, "{:?}", began.elapsed());
    assert_eq!(fault.code, "probe-silent");
    assert!(fault.message.contains("program, "), "{}", fault.message);
    assert_eq!(flash.call(Action::Reset).unwrap_err().code, "probe-silent");
}

#[test]
fn a_probe_that_is_unplugged_in_mid_flash_is_a_fault_of_the_bench() {
    let faults = BoardFaults { gone_after_flash_bytes: Some(6_000), ..Default::default() };
    let Some((_board, ends)) = board(faults) else { return };
    let mut flash = Driver::flash(&ends);
    let fault = flash.write(&[0x5A; 64 * 1024], ImageFormat::Bin { base: 0 }).unwrap_err();
    assert_eq!(fault.code, "flash-failed");
    assert_eq!(flash.call(Action::Reset).unwrap_err().code, "probe-unreachable");
}
