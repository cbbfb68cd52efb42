//! The virtual board as unmodified tools see it: probe-rs flashes it, serialport reads its console.
#![cfg(feature = "board")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use lab_virtual_bench::board::{Board, BoardConfig, BoardEnds, BoardError, BoardFaults, RadioLine};
use probe_rs::config::TargetSelector;
use probe_rs::flashing::{self, DownloadOptions, ElfLoader, ElfOptions};
use probe_rs::probe::list::Lister;
use probe_rs::probe::{DebugProbeSelector, WireProtocol};
use probe_rs::{Permissions, Session};

const WAIT: Duration = Duration::from_secs(10);

fn start(faults: BoardFaults) -> Option<(Board, BoardEnds)> {
    match Board::start(BoardConfig { faults }) {
        Err(error @ BoardError::QemuMissing) => {
            println!("skipped: {error}");
            None
        }
        started => Some(started.unwrap()),
    }
}

fn attach(ends: &BoardEnds, target: impl Into<TargetSelector>) -> Session {
    let selector: DebugProbeSelector = ends.probe_selector().parse().unwrap();
    let mut probe = Lister::new().open(selector).unwrap();
    probe.select_protocol(WireProtocol::Swd).unwrap();
    probe.attach(target, Permissions::default()).unwrap()
}

fn image(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/firmware").join(name)
}

fn flash(session: &mut Session, name: &str) -> Result<(), flashing::FileDownloadError> {
    let mut options = DownloadOptions::default();
    options.verify = true;
    flashing::download_file_with_options(session, image(name), ElfLoader(ElfOptions::default()), options)
}

fn reset(session: &mut Session) {
    session.core(0).unwrap().reset().unwrap();
}

struct Console(BufReader<Box<dyn serialport::SerialPort>>);

impl Console {
    fn open(ends: &BoardEnds) -> Self {
        let port =
            serialport::new(ends.console.to_str().unwrap(), 115_200).timeout(Duration::from_millis(100));
        Self(BufReader::new(port.open().unwrap()))
    }

    fn expect(&mut self, wanted: &str) -> String {
        let end = Instant::now() + WAIT;
        let mut line = String::new();
        let mut seen = Vec::new();
        while Instant::now() < end {
            match self.0.read_line(&mut line) {
                Ok(_) if line.contains(wanted) => return line.trim_end().to_owned(),
                Ok(_) => seen.push(std::mem::take(&mut line)),
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("{wanted:?} not seen in {seen:?}")
    }
}

/// Answers the radio's commands with OK until `last` was seen; returns what was seen.
fn answer_radio(ends: &BoardEnds, last: &str) -> Vec<RadioLine> {
    let mut seen = Vec::new();
    while let Some(line) = next(&ends.radio.from_firmware) {
        seen.push(line.clone());
        if let RadioLine::Line(text) = line {
            ends.radio.to_firmware.send("OK".to_owned()).unwrap();
            if text == last {
                return seen;
            }
        }
    }
    panic!("{last} not seen in {seen:?}")
}

fn next(lines: &Receiver<RadioLine>) -> Option<RadioLine> {
    lines.recv_timeout(WAIT).ok()
}

#[test]
fn what_was_flashed_is_what_boots_and_talks_to_the_radio() {
    let Some((_board, ends)) = start(BoardFaults::default()) else { return };
    let mut session = attach(&ends, "nRF51822_xxAA");
    let mut console = None;
    for version in ["1.4.0", "1.5.0"] {
        flash(&mut session, &format!("u8-{version}.elf")).unwrap();
        while ends.radio.from_firmware.try_recv().is_ok() {}
        reset(&mut session);
        // The first time the console is opened late, and still misses nothing.
        let commands = answer_radio(&ends, "AT+ADV=1");
        assert_eq!(commands[0], RadioLine::Reset);
        assert_eq!(commands[1], RadioLine::Line("AT+RST".to_owned()));
        assert!(commands.contains(&RadioLine::Line(format!("AT+DIS=Nucleus,U8,{version}"))), "{commands:?}");
        let console = console.get_or_insert_with(|| Console::open(&ends));
        console.expect(&format!("U8 Nucleus fw {version} ready"));
        let code = console.expect("pairing code ");
        let pin = format!("AT+PIN={}", code.trim_start_matches("pairing code "));
        assert!(commands.contains(&RadioLine::Line(pin)), "{code} {commands:?}");
        console.0.get_mut().write_all(b"ver\n").unwrap();
        assert_eq!(console.expect("fw "), format!("fw {version}"));
        ends.radio.to_firmware.send("+WRITE=FE01,016553f100".to_owned()).unwrap();
        console.expect("time set 1700000000");
    }
}

#[test]
fn firmware_without_radio_boots_and_stays_silent() {
    let Some((_board, ends)) = start(BoardFaults::default()) else { return };
    let mut session = attach(&ends, "nRF51822_xxAA");
    flash(&mut session, "u8-1.4.0-noradio.elf").unwrap();
    reset(&mut session);
    Console::open(&ends).expect("pairing code ");
    let lines: Vec<_> = ends.radio.from_firmware.try_iter().collect();
    assert!(lines.iter().all(|line| *line == RadioLine::Reset), "{lines:?}");
}

#[test]
fn the_chip_is_recognised_without_being_named() {
    let Some((_board, ends)) = start(BoardFaults::default()) else { return };
    let session = attach(&ends, TargetSelector::Auto);
    assert_eq!(session.target().name, "nRF51822_xxAA");
}

#[test]
fn a_stuck_bit_fails_verification() {
    let Some((_board, ends)) = start(BoardFaults { stuck_bit: Some(4), ..Default::default() }) else {
        return;
    };
    let error = flash(&mut attach(&ends, "nRF51822_xxAA"), "u8-1.4.0.elf").unwrap_err();
    assert!(format!("{error:?}").contains("Verify"), "{error:?}");
}

#[test]
fn a_core_that_locks_up_can_be_flashed_again() {
    let Some((_board, ends)) = start(BoardFaults::default()) else { return };
    let mut session = attach(&ends, "nRF51822_xxAA");
    // A vector table whose every entry leads nowhere.
    let mut loader = session.target().flash_loader();
    loader.add_data(0, &[0x00, 0x40, 0x00, 0x20, 0xF1, 0xFF, 0x03, 0x00, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    loader.commit(&mut session, DownloadOptions::default()).unwrap();
    reset(&mut session);
    std::thread::sleep(Duration::from_millis(100));
    let status = session.core(0).unwrap().status().unwrap();
    assert_eq!(status, probe_rs::CoreStatus::LockedUp);
    let mut word = [0; 1];
    probe_rs::MemoryInterface::read_32(&mut session.core(0).unwrap(), 0, &mut word).unwrap();
    assert_eq!(word[0], 0x2000_4000, "the flash is kept");
    flash(&mut session, "u8-1.4.0.elf").unwrap();
    reset(&mut session);
    Console::open(&ends).expect("U8 Nucleus fw 1.4.0 ready");
}
