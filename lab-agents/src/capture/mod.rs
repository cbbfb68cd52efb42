//! The capture agent: records packets at vantage points with libpcap, all of them, into pcapng files, and tells how
//! many were lost. It looks at no packet but the canaries.

mod file;
mod recorder;
mod steady;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use lab_protocol::{Action, Event, Fault, Reply, binding};
use serde_json::Value;

use crate::{Agent, Call, Outlet, namespaces::Namespaces};
use recorder::{Counters, Recorded, Recorder};

/// How long a recording that nobody stopped may take to write what it has.
const FAREWELL: Duration = Duration::from_secs(2);

/// Makes the agent and enters the user namespace of what is attached, while the process has one thread; nothing is
/// recorded before [`Action::StartCapture`].
///
/// # Errors
/// If the binding is none for this agent, or a namespace can't be entered.
pub fn start(binding: Value, outlet: &Outlet) -> Result<Box<dyn Agent>, Fault> {
    let capture: binding::Capture = serde_json::from_value(binding)
        .map_err(|error| Fault::bench("binding-invalid", format!("the bench's capture: {error}")))?;
    // All sides of a network are in one user namespace.
    if let Some(side) = capture.vantages.values().find_map(|point| point.side.as_deref()) {
        namespaces(&capture, side)?.enter_user().map_err(|error| not_entered(side, &error))?;
    }
    Ok(Box::new(CaptureAgent { capture, outlet: outlet.clone(), recorders: BTreeMap::new() }))
}

fn namespaces(capture: &binding::Capture, side: &str) -> Result<Namespaces, Fault> {
    let handle = capture.attached.get(side).ok_or_else(|| {
        Fault::bench("side-unknown", format!("a vantage point is in {side:?}, which no network agent made"))
    })?;
    Namespaces::of(handle.pid).map_err(|error| not_entered(side, &error))
}

fn not_entered(side: &str, error: &std::io::Error) -> Fault {
    Fault::bench("namespace-not-entered", format!("the namespace of {side} can't be entered: {error}"))
}

struct CaptureAgent {
    capture: binding::Capture,
    outlet: Outlet,
    recorders: BTreeMap<String, Recorder>,
}

impl Agent for CaptureAgent {
    fn call(&mut self, call: &Call<'_>) -> Result<Reply, Fault> {
        match call.action {
            Action::StartCapture { vantage } => self.begin(vantage),
            Action::AwaitCanary { vantage, count } => {
                let recorder = self.recorders.get(vantage).ok_or_else(|| not_recording(vantage))?;
                recorder.await_canaries(*count, call.deadline, call.cancel).map(|()| Reply::Ok)
            }
            Action::StopCapture { vantage } => self.end(vantage, Some(call.id), call.deadline),
            _ => Err(call.unknown()),
        }
    }

    fn release(&mut self) {
        let vantages: Vec<_> = self.recorders.keys().cloned().collect();
        for vantage in vantages {
            // What there is to say was said as events.
            let _ = self.end(&vantage, None, Instant::now() + FAREWELL);
        }
    }
}

impl CaptureAgent {
    fn begin(&mut self, vantage: &str) -> Result<Reply, Fault> {
        let point = self.capture.vantages.get(vantage).ok_or_else(|| {
            Fault::bench("vantage-unknown", format!("this bench has no vantage point {vantage:?}"))
        })?;
        if self.recorders.contains_key(vantage) {
            return Err(Fault::bench("capture-running", format!("{vantage} is being recorded already")));
        }
        let side = point.side.as_deref();
        let inside = side.map(|side| namespaces(&self.capture, side)).transpose()?;
        let recorder = Recorder::start(vantage, point, inside, &self.outlet)?;
        self.outlet.clock();
        self.recorders.insert(vantage.to_owned(), recorder);
        Ok(Reply::Ok)
    }

    fn end(&mut self, vantage: &str, id: Option<u64>, until: Instant) -> Result<Reply, Fault> {
        let recorder = self.recorders.remove(vantage).ok_or_else(|| not_recording(vantage))?;
        let Recorded { counters, file, fault } = recorder.finish(until);
        self.outlet.clock();
        let Counters { received, dropped, if_dropped, written } = counters;
        let vantage = vantage.to_owned();
        let stats = Event::CaptureStats { vantage: vantage.clone(), received, dropped, if_dropped, written };
        self.outlet.event(id, stats);
        if let Some((name, blob)) = file {
            self.outlet.event(id, Event::Artifact { name, blob });
        }
        fault.map_or(Ok(Reply::Captured { vantage, received, dropped, if_dropped, written }), Err)
    }
}

fn not_recording(vantage: &str) -> Fault {
    Fault::bench("capture-not-running", format!("{vantage} is not being recorded"))
}
