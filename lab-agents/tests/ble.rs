//! The ble agent against the virtual radio: the protocol on one side, a scripted firmware on the other.
//! Each test needs a process of its own (nextest gives it one): libdbus reads the bus address once in a process.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should stop")]

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use lab_agents::ble;
use lab_agents::carrier::InProcess;
use lab_protocol::{
    Action, AgentKind, Carrier, Command, Epoch, Event, Fault, FaultKind, FromAgent, Incoming, PairingMethod,
    Reply, Source, StepRef, ToAgent, VERSION,
};
use lab_virtual_bench::radio::{Neighbour, Radio, RadioConfig};
use lab_virtual_bench::uart::{BoardEnd, RadioLine, RadioPort};

const FIRMWARE: &str = "00002a26-0000-1000-8000-00805f9b34fb";
const BATTERY: &str = "00002a19-0000-1000-8000-00805f9b34fb";
const COMMAND: &str = "0000fe01-0000-1000-8000-00805f9b34fb";
const SOON: Duration = Duration::from_secs(5);

/// A virtual radio and the firmware's end of its UART.
struct Watch {
    radio: Radio,
    board: BoardEnd,
    _dir: tempfile::TempDir,
}

impl Watch {
    fn off() -> Self {
        Self::among(Vec::new())
    }

    fn among(neighbours: Vec<Neighbour>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (port, board) = RadioPort::pair();
        let config = RadioConfig { neighbours, ..RadioConfig::new(dir.path().to_owned()) };
        let radio = Radio::start(config, port).unwrap();
        Self { radio, board, _dir: dir }
    }

    fn on(pin: Option<&str>) -> Self {
        let watch = Self::off();
        watch.boot("1.4.0", pin);
        watch
    }

    fn boot(&self, version: &str, pin: Option<&str>) {
        let dis = format!("AT+DIS=Nucleus,U8,{version}");
        for line in ["AT+RST", "AT+NAME=U8 Nucleus", dis.as_str(), "AT+BATT=87"] {
            self.say(line);
        }
        if let Some(pin) = pin {
            self.say(&format!("AT+PIN={pin}"));
        }
        self.say("AT+ADV=1");
    }

    fn say(&self, line: &str) {
        self.board.to_radio.send(RadioLine::Line(line.to_owned())).unwrap();
    }

    /// Waits until the radio tells the firmware this.
    fn told(&self, line: &str) {
        while self.board.from_radio.recv_timeout(SOON).unwrap() != line {}
    }
}

/// The agent, as an engine has it.
struct Lab {
    agent: InProcess,
    inbox: Receiver<Incoming>,
    commands: u64,
    notified: Vec<(String, String)>,
}

impl Lab {
    fn on(watch: &Watch) -> Self {
        Self::with("hci0", watch.radio.bus_address())
    }

    fn with(adapter: &str, bus: &str) -> Self {
        let (sender, inbox) = channel();
        let you = Source::new(AgentKind::Ble, "radio");
        let mut agent = InProcess::start(&you, sender, ble::start).unwrap();
        let epoch: Epoch = serde_json::from_value(serde_json::json!({"mono_ns": 0, "wall_ns": 0})).unwrap();
        let binding = serde_json::json!({"adapter": adapter, "bus": bus});
        agent.send(&ToAgent::Hello { version: VERSION, you, epoch, binding }).unwrap();
        Self { agent, inbox, commands: 0, notified: Vec::new() }
    }

    fn run(&mut self, action: Action) -> Result<Reply, Fault> {
        self.commands += 1;
        let id = self.commands;
        let step = StepRef { phase: "test".into(), index: 0, label: "test".into() };
        let to = Source::new(AgentKind::Ble, "radio");
        let command = Command { id, to, step, deadline_ms: 20_000, action };
        self.agent.send(&ToAgent::Command { command }).unwrap();
        loop {
            let Incoming::Message(_, message) = self.inbox.recv_timeout(4 * SOON).unwrap() else {
                panic!("the agent is gone")
            };
            match message {
                FromAgent::Event { id: Some(of), event: Event::Done { reply }, .. } if of == id => {
                    return Ok(reply);
                }
                FromAgent::Event { id: Some(of), event: Event::Failed { fault }, .. } if of == id => {
                    return Err(fault);
                }
                FromAgent::Event { event: Event::Notified { characteristic, value }, .. } => {
                    self.notified.push((characteristic, value));
                }
                _ => {}
            }
        }
    }

    /// Begins an action and gives it up after a while.
    fn give_up(&mut self, action: Action) {
        self.commands += 1;
        let id = self.commands;
        let step = StepRef { phase: "test".into(), index: 0, label: "test".into() };
        let to = Source::new(AgentKind::Ble, "radio");
        let command = Command { id, to, step, deadline_ms: 20_000, action };
        self.agent.send(&ToAgent::Command { command }).unwrap();
        std::thread::sleep(Duration::from_millis(400));
        self.agent.send(&ToAgent::Cancel { id }).unwrap();
        loop {
            let incoming = self.inbox.recv_timeout(SOON).unwrap();
            if let Incoming::Message(_, FromAgent::Event { event: Event::Cancelled, .. }) = incoming {
                return;
            }
        }
    }

    fn scan(&mut self, within_ms: u64) -> Result<Reply, Fault> {
        self.run(Action::Scan { name: Some("U8 Nucleus".into()), address: None, service: None, within_ms })
    }

    fn pair(&mut self, method: PairingMethod, passkey: Option<&str>, confirm: bool) -> Result<Reply, Fault> {
        self.run(Action::Pair { method, passkey: passkey.map(str::to_owned), confirm, within_ms: 5000 })
    }

    fn read(&mut self, characteristic: &str, pattern: &str) -> Result<Reply, Fault> {
        let (characteristic, pattern) = (characteristic.to_owned(), Some(pattern.to_owned()));
        self.run(Action::Read { characteristic, as_text: true, pattern })
    }

    fn prepare(&mut self) {
        self.run(Action::PrepareRadio { forget: vec!["U8 Nucleus".into()] }).unwrap();
    }

    /// Ends in order, as after a run.
    fn end(mut self) {
        self.agent.send(&ToAgent::Shutdown).unwrap();
        self.agent.join();
    }
}

#[track_caller]
fn assert_fault(result: Result<Reply, Fault>, kind: FaultKind, code: &str) -> String {
    let fault = result.expect_err("a fault was expected");
    assert_eq!((fault.kind, fault.code.as_str()), (kind, code), "{fault}");
    fault.message
}

#[test]
fn a_watch_is_found_paired_by_passkey_read_written_and_its_notifications_are_logged() {
    let watch = Watch::on(Some("042891"));
    let mut lab = Lab::on(&watch);
    lab.prepare();
    let Ok(Reply::Found { name, address, .. }) = lab.scan(5000) else { panic!("not found") };
    assert_eq!((name.as_deref(), address.as_str()), (Some("U8 Nucleus"), "C0:00:00:00:00:08"));
    lab.pair(PairingMethod::Passkey, Some("042891"), false).unwrap();
    watch.told("+BOND");

    let Ok(Reply::Matched { text, groups }) = lab.read(FIRMWARE, r"^1\.(?<minor>\d+)") else {
        panic!("not read")
    };
    assert_eq!((text.as_str(), groups["minor"].as_str()), ("1.4.0", "4"));
    assert_fault(lab.read(FIRMWARE, r"^1\.5"), FaultKind::Product, "value-mismatch");
    lab.run(Action::Write { characteristic: COMMAND.into(), value: "016553f100".into(), response: true })
        .unwrap();
    watch.told("+WRITE=FE01,016553F100");

    lab.run(Action::Subscribe { characteristic: BATTERY.into() }).unwrap();
    watch.say("AT+BATT=86");
    watch.say("AT+BATT=85");
    let expect = |pattern: &str, within_ms| Action::ExpectNotification {
        characteristic: BATTERY.into(),
        pattern: Some(pattern.to_owned()),
        within_ms,
    };
    let Ok(Reply::Matched { text, .. }) = lab.run(expect("^55$", 5000)) else { panic!("not notified") };
    assert_eq!(text, "55");
    assert_fault(lab.run(expect("^56$", 100)), FaultKind::Product, "notification-missing");
    assert_eq!(lab.notified, [(BATTERY.to_owned(), "56".to_owned()), (BATTERY.to_owned(), "55".to_owned())]);
    lab.end();
    watch.told("+DISC");
}

#[test]
fn what_the_watch_does_not_do_is_the_products_fault() {
    let watch = Watch::off();
    let mut lab = Lab::on(&watch);
    lab.prepare();
    assert_fault(lab.read(FIRMWARE, ""), FaultKind::Product, "no-target");
    let message = assert_fault(lab.scan(300), FaultKind::Product, "device-not-found");
    assert!(message.contains("\"U8 Nucleus\"") && message.contains("nothing was heard"), "{message}");
    watch.boot("1.4.0", Some("428917"));
    lab.scan(5000).unwrap();
    let missing = lab.read("00002a00-0000-1000-8000-00805f9b34fb", "");
    assert_fault(missing, FaultKind::Product, "characteristic-missing");
    assert_fault(lab.read(COMMAND, ""), FaultKind::Product, "characteristic-unfit");
    let message = assert_fault(lab.read(FIRMWARE, ""), FaultKind::Product, "read-failed");
    assert!(message.contains("Not paired"), "{message}");
    watch.board.to_radio.send(RadioLine::Reset).unwrap();
    watch.say("AT+NONE");
    watch.told("ERROR");
    assert_fault(lab.read(BATTERY, ""), FaultKind::Product, "read-failed");
    let pairing = lab.pair(PairingMethod::Passkey, Some("428917"), false);
    assert_fault(pairing, FaultKind::Product, "device-gone");
}

#[test]
fn pairing_succeeds_only_by_the_method_of_the_plan_and_with_its_proof() {
    use PairingMethod::{JustWorks, NumericComparison, Passkey};
    let watch = Watch::on(Some("428917"));
    let mut lab = Lab::on(&watch);
    lab.scan(5000).unwrap();
    let wrong = lab.pair(Passkey, Some("428918"), false);
    let message = assert_fault(wrong, FaultKind::Product, "pairing-rejected");
    assert!(message.contains("after the passkey was entered"), "{message}");
    watch.told("+PAIRFAIL");
    assert_fault(lab.pair(JustWorks, None, false), FaultKind::Product, "pairing-rejected");
    assert_fault(lab.pair(NumericComparison, None, false), FaultKind::Product, "pairing-rejected");
    lab.pair(NumericComparison, None, true).unwrap();
    assert_fault(lab.pair(NumericComparison, None, true), FaultKind::Bench, "already-paired");
    lab.run(Action::ReleaseRadio).unwrap();

    watch.boot("1.4.0", None);
    lab.scan(5000).unwrap();
    assert_fault(lab.pair(Passkey, Some("428917"), false), FaultKind::Product, "pairing-method");
    lab.run(Action::ReleaseRadio).unwrap();
    lab.scan(5000).unwrap();
    lab.pair(JustWorks, None, false).unwrap();
}

#[test]
fn a_run_starts_unpaired_even_after_one_that_was_killed() {
    let watch = Watch::on(None);
    let mut killed = Lab::on(&watch);
    killed.scan(5000).unwrap();
    killed.pair(PairingMethod::JustWorks, None, false).unwrap();

    let mut lab = Lab::on(&watch);
    lab.prepare();
    lab.scan(5000).unwrap();
    assert_fault(lab.read(FIRMWARE, ""), FaultKind::Product, "read-failed");
    lab.pair(PairingMethod::JustWorks, None, false).unwrap();
    lab.read(FIRMWARE, "1.4.0").unwrap();
}

#[test]
fn what_the_bench_lacks_is_the_benchs_fault() {
    let watch = Watch::on(None);
    let prepare = || Action::PrepareRadio { forget: Vec::new() };
    let nowhere = Lab::with("hci0", "unix:path=/nonexistent/bus").run(prepare());
    assert_fault(nowhere, FaultKind::Bench, "bluez-unreachable");
    let message = assert_fault(
        Lab::with("hci7", watch.radio.bus_address()).run(prepare()),
        FaultKind::Bench,
        "adapter-missing",
    );
    assert!(message.contains("hci7") && message.contains("hci0"), "{message}");
}

#[test]
fn a_bluetooth_stack_that_dies_is_told_in_time() {
    let watch = Watch::on(None);
    let mut lab = Lab::on(&watch);
    lab.scan(5000).unwrap();
    lab.run(Action::Connect { within_ms: 5000 }).unwrap();
    drop(watch);
    let started = Instant::now();
    assert_fault(lab.read(BATTERY, ""), FaultKind::Bench, "bluez-unreachable");
    assert!(started.elapsed() < 2 * SOON, "{:?}", started.elapsed());
}

#[test]
fn a_command_that_was_given_up_leaves_nothing_in_the_way_of_the_next() {
    let watch = Watch::off();
    let mut lab = Lab::on(&watch);
    let name = Some("U8 Nucleus".to_owned());
    lab.give_up(Action::Scan { name, address: None, service: None, within_ms: 15_000 });
    watch.boot("1.4.0", Some("428917"));
    lab.scan(5000).unwrap();
    lab.pair(PairingMethod::Passkey, Some("428917"), false).unwrap();
}

#[test]
fn of_several_devices_with_the_same_name_only_an_address_picks_one() {
    let neighbour = |name: &str, address: &str| Neighbour { name: name.into(), address: address.into() };
    let watch = Watch::among(vec![
        neighbour("U8 Nucleus", "C0:00:00:00:00:09"),
        neighbour("Lamp\u{1b}[31m", "C0:00:00:00:00:0A"),
    ]);
    let mut lab = Lab::on(&watch);
    let absent = Some("U9".to_owned());
    let missing = lab.run(Action::Scan { name: absent, address: None, service: None, within_ms: 300 });
    let message = assert_fault(missing, FaultKind::Product, "device-not-found");
    assert!(message.contains(r#"2 others were heard, among them "Lamp\x1b[31m", "U8 Nucleus""#), "{message}");
    watch.boot("1.4.0", None);
    let message = assert_fault(lab.scan(5000), FaultKind::Bench, "device-ambiguous");
    assert!(message.contains("C0:00:00:00:00:08, C0:00:00:00:00:09"), "{message}");
    let address = Some("C0:00:00:00:00:08".to_owned());
    lab.run(Action::Scan { name: None, address, service: None, within_ms: 5000 }).unwrap();
    lab.read(BATTERY, "W").unwrap();
}
