//! The engine over the real live bench, with agents on threads that do as they are told.
#![cfg(feature = "hardware")]
#![allow(clippy::unwrap_used, reason = "every unwrap here is an assertion")]

use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lab_agents::carrier::InProcess;
use lab_agents::{Agent, Call};
use lab_protocol::{
    Action, AgentKind, Body, Carrier, Entry, Event, Fault, Incoming, NetworkFacts, Reply, Source, Vantage,
};
use lab_runner::bench::file::Resources;
use lab_runner::bench::{Begin, BenchError, LiveBench, RecordedBench, Spawner};
use lab_runner::engine::{Attempt, End, EngineError, Options};
use lab_runner::plan::{Images, Inputs};
use lab_runner::record::{AttemptFiles, Watcher};

/// What a fake agent does with an action: answer, fault, or `None` to hang until cancelled.
type Script = Arc<dyn Fn(&Action, u32) -> Option<Result<Reply, Fault>> + Send + Sync>;

struct Fake {
    script: Script,
    calls: u32,
}

impl Agent for Fake {
    fn call(&mut self, call: &Call<'_>) -> Result<Reply, Fault> {
        self.calls += 1;
        if let Some(answer) = (self.script)(call.action, self.calls) {
            return answer;
        }
        while !call.cancel.is_set() {
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(Reply::Ok)
    }
}

struct Fakes(Script);

impl Spawner for Fakes {
    fn spawn(&self, source: &Source, inbox: Sender<Incoming>) -> std::io::Result<Box<dyn Carrier>> {
        let script = Arc::clone(&self.0);
        let carrier = InProcess::start(source, inbox, move |_, _| Ok(Box::new(Fake { script, calls: 0 })))?;
        Ok(Box::new(carrier))
    }
}

#[derive(Default)]
struct Kept(Vec<Entry>);

impl Watcher for Kept {
    fn saw(&mut self, entry: &Entry) -> std::io::Result<()> {
        self.0.push(entry.clone());
        Ok(())
    }
}

impl Kept {
    fn actions(&self) -> Vec<(AgentKind, &Action)> {
        let commands = self.0.iter().filter_map(|entry| match &entry.body {
            Body::Command(command) => Some((command.to.kind, &command.action)),
            Body::Event(_) => None,
        });
        commands.collect()
    }
}

const PLAN: &str = r#"
format: 1
name: a plan
product: {vendor: Nucleus, model: U8}
manifest: manifest.yaml
needs: {watch: board, console: serial, radio: ble, phone: companion, net: gateway}
phases:
  - name: provisioning
    steps:
      - {flash: {image: fw.bin, format: bin, address: 0}, retry: 1}
      - expect: {console: 'code (?<passkey>\d+)', within: 1s}
  - name: pairing
    steps:
      - launch: {app: companion}
      - {id: the-pairing, pair: {method: passkey, passkey: "${passkey}"}}
      - idle: 20ms
"#;

const MANIFEST: &str = "format: 1\nproduct: {vendor: Nucleus, model: U8}\nendpoints:\n  - {id: a, talker: app, host: a.example, ports: 443, purpose: account}\n";

const RESOURCES: &str = r#"{
  "watch": {"kind": "board", "probe": "1d50:6018", "chip": "nRF51822_xxAA"},
  "console": {"kind": "serial", "port": "/dev/null"},
  "radio": {"kind": "ble", "adapter": "hci0"},
  "phone": {"kind": "companion", "driver": "program", "apps": {"companion": {"program": "true"}}},
  "net": {"kind": "gateway", "driver": "namespaces", "phone": {"addresses": []}, "services": {"addresses": []}}
}"#;

struct Desk {
    _folder: tempfile::TempDir,
    inputs: Inputs,
    images: Images,
    files: std::path::PathBuf,
}

fn desk(plan: &str) -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("plan.yaml", plan);
    write("manifest.yaml", MANIFEST);
    write("fw.bin", "firmware");
    let inputs =
        Inputs::load(&folder.path().join("plan.yaml"), None).unwrap_or_else(|error| panic!("{error}"));
    let images = Images::load(&inputs.plan).unwrap();
    let files = folder.path().join("attempt");
    Desk { _folder: folder, inputs, images, files }
}

/// What agents do on a bench where all is well.
fn well(action: &Action) -> Result<Reply, Fault> {
    Ok(match action {
        Action::NetworkUp => Reply::Network {
            facts: NetworkFacts {
                sides: Vec::new(),
                vantages: vec![Vantage { name: "phone".into(), side: "phone".into() }],
                ..NetworkFacts::default()
            },
        },
        Action::Canary => Reply::CanarySent { nonce: "00".repeat(16) },
        Action::Flash { image, .. } => Reply::Flashed { bytes: image.bytes, written: true },
        Action::ExpectLine { .. } => {
            Reply::Matched { text: "code 123".into(), groups: [("passkey".into(), "123".into())].into() }
        }
        _ => Reply::Ok,
    })
}

fn attempt(desk: &Desk, script: Script, before: impl FnOnce(&LiveBench<'_>)) -> (End, Kept) {
    let resources: Resources = serde_json::from_str(RESOURCES).unwrap();
    let begin = Begin {
        attempt: 1,
        repeat: 1,
        kind: "virtual",
        resources,
        folder: Path::new("").into(),
        images: &desk.images,
        files: AttemptFiles::new(&desk.files),
    };
    let mut bench = LiveBench::new(begin, Box::new(Fakes(script)));
    before(&bench);
    let mut kept = Kept::default();
    let end = Attempt::new(&desk.inputs.plan, &desk.images, &mut bench, vec![&mut kept], Options::default())
        .run(|| {})
        .unwrap();
    (end, kept)
}

fn replay(desk: &Desk, entries: &[Entry]) -> (Result<End, EngineError>, Kept) {
    let mut kept = Kept::default();
    let mut bench = RecordedBench::new(entries);
    let end = Attempt::new(&desk.inputs.plan, &desk.images, &mut bench, vec![&mut kept], Options::default())
        .run(|| {});
    (end, kept)
}

#[test]
fn the_replay_of_an_attempt_logs_the_very_same_entries() {
    let desk = desk(PLAN);
    let (end, live) = attempt(&desk, Arc::new(|action, _| Some(well(action))), |_| {});
    assert_eq!(end, End::Complete);
    assert!(
        live.actions()
            .iter()
            .any(|(_, action)| matches!(action, Action::Pair { passkey: Some(key), .. } if key == "123"))
    );
    let (again, replayed) = replay(&desk, &live.0);
    assert_eq!(again.unwrap(), End::Complete);
    assert_eq!(replayed.0, live.0);
}

#[test]
fn a_plan_that_changed_says_which_step_no_longer_matches_the_recording() {
    let recorded = desk(PLAN);
    let (_, live) = attempt(&recorded, Arc::new(|action, _| Some(well(action))), |_| {});
    let changed = desk(&PLAN.replace("idle: 20ms", "idle: 30ms"));
    match replay(&changed, &live.0).0 {
        Err(EngineError::Bench(BenchError::Differs { phase, step, wanted, recorded })) => {
            assert_eq!((phase.as_str(), step.as_str()), ("pairing", "idle"));
            assert!(wanted.contains("30") && recorded.unwrap().contains("20"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_recording_cut_anywhere_is_an_error_and_never_an_end() {
    let desk = desk(PLAN);
    let (_, live) = attempt(&desk, Arc::new(|action, _| Some(well(action))), |_| {});
    for length in 0..live.0.len() - 1 {
        let ended_in_order = matches!(live.0[length].body, Body::Event(Event::Artifact { .. } | Event::End));
        assert!(replay(&desk, &live.0[..length]).0.is_err() || ended_in_order, "cut at {length}");
    }
}

#[test]
fn captures_run_and_saw_a_canary_before_the_first_stimulus_and_everything_is_put_away_after_a_failure() {
    let desk = desk(PLAN);
    let script: Script = Arc::new(|action, _| match action {
        Action::Pair { .. } => Some(Err(Fault::product("pairing-rejected", "no"))),
        action => Some(well(action)),
    });
    let (end, log) = attempt(&desk, script, |_| {});
    assert!(matches!(end, End::Fault { step, retry: 0, .. } if step == "pairing/the-pairing"));
    let actions = log.actions();
    let place = |wanted: fn(&Action) -> bool| {
        actions.iter().position(|(_, action)| wanted(action)).unwrap_or_else(|| panic!("{actions:?}"))
    };
    assert!(
        place(|a| matches!(a, Action::StartCapture { .. }))
            < place(|a| matches!(a, Action::AwaitCanary { .. }))
    );
    assert!(
        place(|a| matches!(a, Action::AwaitCanary { .. })) < place(|a| matches!(a, Action::Flash { .. }))
    );
    let failed = place(|a| matches!(a, Action::Pair { .. }));
    for after in [
        place(|a| matches!(a, Action::Stop { .. })),
        place(|a| matches!(a, Action::ReleaseRadio)),
        place(|a| matches!(a, Action::StopCapture { .. })),
        place(|a| matches!(a, Action::NetworkDown)),
    ] {
        assert!(after > failed);
    }
    assert!(
        !actions.iter().any(|(_, action)| matches!(action, Action::Idle { .. })),
        "steps after the failure"
    );
    assert!(matches!(log.0.last().unwrap().body, Body::Event(Event::End)));
}

#[test]
fn an_agent_that_hangs_is_ended_at_its_deadline_and_the_step_is_a_bench_fault_that_may_be_tried_again() {
    let desk = desk(&PLAN.replace("retry: 1}", "retry: 1, timeout: 300ms}"));
    let script: Script = Arc::new(|action, _| match action {
        Action::Flash { .. } => None,
        action => Some(well(action)),
    });
    let begun = std::time::Instant::now();
    let (end, _) = attempt(&desk, script, |_| {});
    assert!(begun.elapsed() < Duration::from_secs(5));
    match end {
        End::Fault { step, fault, retry: 1 } => {
            assert_eq!((step.as_str(), fault.code.as_str()), ("provisioning/flash", "deadline"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn ctrl_c_cancels_the_step_and_puts_everything_away() {
    let desk = desk(PLAN);
    let inbox: Arc<Mutex<Option<Sender<Incoming>>>> = Arc::default();
    let in_script = Arc::clone(&inbox);
    let script: Script = Arc::new(move |action, _| match action {
        Action::Flash { .. } => {
            let inbox = in_script.lock().unwrap();
            inbox.as_ref().unwrap().send(Incoming::Interrupted).unwrap();
            None
        }
        action => Some(well(action)),
    });
    let (end, log) = attempt(&desk, script, |bench| *inbox.lock().unwrap() = Some(bench.inbox()));
    assert_eq!(end, End::Interrupted);
    let actions = log.actions();
    assert!(matches!(actions.last(), Some((_, Action::NetworkDown))), "{actions:?}");
    assert!(!actions.iter().any(|(_, action)| matches!(action, Action::ExpectLine { .. })));
    assert_eq!(replay(&desk, &log.0).0.unwrap(), End::Interrupted);
}

#[test]
fn a_canary_that_is_not_seen_does_not_end_the_run_but_stays_in_the_log() {
    let desk = desk(PLAN);
    let script: Script = Arc::new(|action, _| match action {
        Action::AwaitCanary { .. } => Some(Err(Fault::doubt("no-canary", "not seen"))),
        action => Some(well(action)),
    });
    let (end, log) = attempt(&desk, script, |_| {});
    assert_eq!(end, End::Complete);
    let doubts = log.0.iter().filter(
        |entry| matches!(&entry.body, Body::Event(Event::Failed { fault }) if fault.code == "no-canary"),
    );
    assert_eq!(doubts.count(), 2);
}
