//! One attempt: set-up, the plan's phases, teardown. Teardown runs whatever happened before it.

use std::collections::BTreeSet;
use std::time::Duration;

use lab_protocol::{
    Action, AgentKind, Body, Command, Entry, Event, Fault, FaultKind, Reply, Source, StepRef,
};

use super::EngineError;
use super::action::{Order, label, ms, order};
use crate::bench::{Bench, Happening};
use crate::plan::{Images, Kind, Plan, ScanTarget, Step, StepAction, Variables};
use crate::record::Watcher;

/// Making namespaces and starting the services behind the link.
const NETWORK_DEADLINE: Duration = Duration::from_secs(20);
const SETUP_DEADLINE: Duration = Duration::from_secs(10);

/// How to carry the plan out.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// End after the step with this id or label.
    pub until: Option<String>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Every step was carried out.
    Complete,
    /// A step failed, or the bench did while it was under way.
    Fault {
        /// Phase and label of the step.
        step: String,
        /// What went wrong.
        fault: Fault,
        /// How many more attempts the step allows for a bench fault.
        retry: u32,
    },
    /// It ended where it was told to.
    Until,
    /// The person stopped it.
    Interrupted,
}

impl End {
    /// Whether another attempt is to take this one's place, after so many that already did: only for a fault of the
    /// bench, and only as often as the step says.
    pub fn asks_for_another(&self, tries: u32) -> bool {
        matches!(self, End::Fault { fault, retry, .. } if fault.kind == FaultKind::Bench && tries < *retry)
    }
}

/// What became of one command.
enum Outcome {
    Reply(Reply),
    Fault(Fault),
    Interrupted,
}

/// One attempt under way.
pub struct Attempt<'a> {
    plan: &'a Plan,
    images: &'a Images,
    bench: &'a mut dyn Bench,
    watchers: Vec<&'a mut dyn Watcher>,
    options: Options,
    seq: u64,
    id: u64,
    variables: Variables,
    launched: BTreeSet<(String, String)>,
    opened: BTreeSet<(Kind, String)>,
    vantages: Vec<String>,
    canaries: u32,
    /// A fault of the bench that no command asked for; it ends the plan's steps.
    bench_fault: Option<Fault>,
    interrupted: bool,
    tearing_down: bool,
    /// Why the log could not be written while the bench was put away, which goes on all the same.
    unwritten: Option<std::io::Error>,
}

impl<'a> Attempt<'a> {
    /// Makes ready to carry the plan out.
    pub fn new(
        plan: &'a Plan,
        images: &'a Images,
        bench: &'a mut dyn Bench,
        watchers: Vec<&'a mut dyn Watcher>,
        options: Options,
    ) -> Self {
        Self {
            plan,
            images,
            bench,
            watchers,
            options,
            seq: 0,
            id: 0,
            variables: Variables::new(),
            launched: BTreeSet::new(),
            opened: BTreeSet::new(),
            vantages: Vec::new(),
            canaries: 0,
            bench_fault: None,
            interrupted: false,
            tearing_down: false,
            unwritten: None,
        }
    }

    /// Carries it out. `hold` runs before the bench is taken down, once captures are complete.
    ///
    /// # Errors
    /// Only where the attempt itself makes no sense ([`EngineError`]); what the bench and the product do wrong is in the
    /// log, and in the [`End`].
    pub fn run(mut self, hold: impl FnOnce()) -> Result<End, EngineError> {
        let first = self.bench.next()?;
        self.log(first)?;
        // A log that can't be written still leaves a bench to be put away; a plan that no longer matches its recording
        // has no bench.
        let end = match self.steps() {
            Err(EngineError::Bench(error)) => return Err(error.into()),
            other => other,
        };
        self.tearing_down = true;
        self.teardown(hold)?;
        for happening in self.bench.end()? {
            self.log(happening)?;
        }
        match self.unwritten.take() {
            Some(error) => Err(error.into()),
            None => end,
        }
    }

    fn steps(&mut self) -> Result<End, EngineError> {
        if let Some(end) = self.setup()? {
            return Ok(end);
        }
        let plan = self.plan;
        for phase in &plan.phases {
            let span = tracing::info_span!("phase", name = %phase.name);
            let _entered = span.enter();
            self.enter_phase(&phase.name)?;
            for (index, step) in phase.steps.iter().enumerate() {
                let at = StepRef { phase: phase.name.clone(), index: index as u32, label: label(step) };
                if let Some(end) = self.step(step, &at)? {
                    return Ok(end);
                }
                let until = self.options.until.as_deref();
                if until.is_some() && (until == step.id.as_deref() || until == Some(&at.label)) {
                    return Ok(End::Until);
                }
            }
        }
        Ok(End::Complete)
    }

    fn step(&mut self, step: &Step, at: &StepRef) -> Result<Option<End>, EngineError> {
        let span = tracing::info_span!("step", label = %at.label);
        let _entered = span.enter();
        let Order { kind, action, deadline, save } = order(step, &self.variables, self.images);
        let to = match kind {
            AgentKind::Lab => Source::lab(),
            kind => Source::new(kind, step.on.clone().unwrap_or_default()),
        };
        let outcome = self.call(to.clone(), at, action, deadline)?;
        if matches!(outcome, Outcome::Reply(_)) {
            match &step.action {
                StepAction::Launch(app) => drop(self.launched.insert((to.role, app.app.clone()))),
                StepAction::Stop(app) => drop(self.launched.remove(&(to.role, app.app.clone()))),
                _ => {}
            }
        }
        if let Outcome::Reply(Reply::Matched { text, groups }) = &outcome {
            self.variables.extend(groups.clone());
            if let Some(name) = save {
                self.variables.insert(name, text.clone());
            }
        }
        Ok(self.end_of(outcome, at, step.retry))
    }

    /// What a command's outcome means for the plan's steps.
    fn end_of(&mut self, outcome: Outcome, at: &StepRef, retry: u32) -> Option<End> {
        let step = format!("{}/{}", at.phase, at.label);
        // A fault that came meanwhile from elsewhere says more than what it led to here.
        if let Some(fault) = self.bench_fault.take() {
            return Some(End::Fault { step, fault, retry });
        }
        match outcome {
            Outcome::Reply(_) => None,
            Outcome::Fault(fault) => Some(End::Fault { step, fault, retry }),
            Outcome::Interrupted => Some(End::Interrupted),
        }
    }

    /// The network and its captures, then whatever listens, before the first stimulus.
    fn setup(&mut self) -> Result<Option<End>, EngineError> {
        self.enter_phase("setup")?;
        for role in self.roles(Kind::Gateway) {
            let network = Source::new(AgentKind::Network, role.clone());
            let capture = Source::new(AgentKind::Capture, role.clone());
            let reply = self.own(&network, "network", Action::NetworkUp, NETWORK_DEADLINE)?;
            self.opened.insert((Kind::Gateway, role));
            let facts = match reply {
                Outcome::Reply(Reply::Network { facts }) => facts,
                other => {
                    let end = self.end_of(other, &own_step(false, "network"), 0);
                    return Ok(end.or(Some(no_facts())));
                }
            };
            for vantage in facts.vantages {
                let start = Action::StartCapture { vantage: vantage.name.clone() };
                let outcome = self.own(&capture, "capture", start, SETUP_DEADLINE)?;
                self.vantages.push(vantage.name);
                if let Some(end) = self.end_of(outcome, &own_step(false, "capture"), 0) {
                    return Ok(Some(end));
                }
            }
            if let Some(end) = self.canary(&network, &capture)? {
                return Ok(Some(end));
            }
        }
        for role in self.roles(Kind::Serial) {
            let console = Source::new(AgentKind::Console, role.clone());
            let outcome = self.own(&console, "console", Action::OpenConsole, SETUP_DEADLINE)?;
            self.opened.insert((Kind::Serial, role));
            if let Some(end) = self.end_of(outcome, &own_step(false, "console"), 0) {
                return Ok(Some(end));
            }
        }
        for role in self.roles(Kind::Ble) {
            let radio = Source::new(AgentKind::Ble, role.clone());
            let prepare = Action::PrepareRadio { forget: self.scanned_names() };
            let outcome = self.own(&radio, "radio", prepare, SETUP_DEADLINE)?;
            self.opened.insert((Kind::Ble, role));
            if let Some(end) = self.end_of(outcome, &own_step(false, "radio"), 0) {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    /// Everything that was begun is ended, whatever faults come.
    fn teardown(&mut self, hold: impl FnOnce()) -> Result<(), EngineError> {
        self.enter_phase("teardown")?;
        for (role, app) in std::mem::take(&mut self.launched) {
            self.own(&Source::new(AgentKind::Companion, role), "stop", Action::Stop { app }, SETUP_DEADLINE)?;
        }
        let opened = std::mem::take(&mut self.opened);
        let open = |kind| opened.iter().filter(move |(k, _)| *k == kind).map(|(_, role)| role.clone());
        for role in open(Kind::Ble) {
            self.own(&Source::new(AgentKind::Ble, role), "radio", Action::ReleaseRadio, SETUP_DEADLINE)?;
        }
        let gateways: Vec<String> = open(Kind::Gateway).collect();
        for role in &gateways {
            let network = Source::new(AgentKind::Network, role.clone());
            let capture = Source::new(AgentKind::Capture, role.clone());
            self.own(&network, "network", Action::CheckNetwork, SETUP_DEADLINE)?;
            if !self.vantages.is_empty() {
                self.canary(&network, &capture)?;
            }
            for vantage in std::mem::take(&mut self.vantages) {
                self.own(&capture, "capture", Action::StopCapture { vantage }, SETUP_DEADLINE)?;
            }
        }
        hold();
        for role in gateways {
            self.own(&Source::new(AgentKind::Network, role), "network", Action::NetworkDown, SETUP_DEADLINE)?;
        }
        Ok(())
    }

    /// Shows that every vantage point sees both directions. One that doesn't is left to the judge: what the others saw
    /// still counts.
    fn canary(&mut self, network: &Source, capture: &Source) -> Result<Option<End>, EngineError> {
        let sent = self.own(network, "canary", Action::Canary, SETUP_DEADLINE)?;
        if let Some(end) = self.end_of(sent, &own_step(self.tearing_down, "canary"), 0) {
            return Ok(Some(end));
        }
        self.canaries += 1;
        for vantage in self.vantages.clone() {
            let wait = Action::AwaitCanary { vantage, count: self.canaries };
            let seen = self.own(capture, "canary", wait, SETUP_DEADLINE)?;
            match self.end_of(seen, &own_step(self.tearing_down, "canary"), 0) {
                Some(End::Fault { fault, .. }) if fault.kind == FaultKind::Doubt => {}
                Some(end) => return Ok(Some(end)),
                None => {}
            }
        }
        Ok(None)
    }

    fn roles(&self, kind: Kind) -> Vec<String> {
        self.plan.needs.iter().filter(|(_, k)| **k == kind).map(|(role, _)| role.clone()).collect()
    }

    /// The names that the plan scans for, as far as they stand fast before the run.
    fn scanned_names(&self) -> Vec<String> {
        let steps = self.plan.phases.iter().flat_map(|phase| &phase.steps);
        let names = steps.filter_map(|step| match &step.action {
            StepAction::Scan(scan) => match &scan.target {
                ScanTarget::Name(name) => name.fill(&Variables::new()).ok(),
                ScanTarget::Address(_) | ScanTarget::Service(_) => None,
            },
            _ => None,
        });
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn enter_phase(&mut self, name: &str) -> Result<(), EngineError> {
        let step = StepRef { phase: name.to_owned(), index: 0, label: "begin".into() };
        self.call(Source::lab(), &step, Action::Phase { name: name.to_owned() }, SETUP_DEADLINE).map(drop)
    }

    /// A command of the lab's own, in set-up or teardown.
    fn own(
        &mut self,
        to: &Source,
        label: &str,
        action: Action,
        deadline: Duration,
    ) -> Result<Outcome, EngineError> {
        self.call(to.clone(), &own_step(self.tearing_down, label), action, deadline)
    }

    fn call(
        &mut self,
        to: Source,
        step: &StepRef,
        action: Action,
        deadline: Duration,
    ) -> Result<Outcome, EngineError> {
        self.id += 1;
        let id = self.id;
        let command = Command { id, to: to.clone(), step: step.clone(), deadline_ms: ms(deadline), action };
        let t = self.bench.send(&command)?;
        self.append(t, Source::lab(), Some(id), Body::Command(command))?;
        let mut cancelled = false;
        loop {
            let happening = self.bench.next()?;
            let own = happening.id == Some(id) && happening.source == to;
            let event = happening.event.clone();
            self.log(happening)?;
            match event {
                Event::Done { reply } if own => return Ok(Outcome::Reply(reply)),
                Event::Failed { fault } if own => return Ok(Outcome::Fault(fault)),
                Event::Cancelled if own => {
                    return Ok(match &self.bench_fault {
                        Some(fault) if !self.interrupted => Outcome::Fault(fault.clone()),
                        _ => Outcome::Interrupted,
                    });
                }
                Event::Fault { fault } if fault.kind == FaultKind::Bench => {
                    self.bench_fault.get_or_insert(fault);
                }
                Event::Interrupted => self.interrupted = true,
                _ => {}
            }
            // Teardown is never cut short: what it leaves behind would meet the next run.
            let stop = (self.bench_fault.is_some() || self.interrupted) && !self.tearing_down;
            if stop && !cancelled {
                cancelled = true;
                self.bench.cancel(id);
            }
        }
    }

    fn log(&mut self, happening: Happening) -> Result<(), EngineError> {
        let Happening { t, source, id, event } = happening;
        self.append(t, source, id, Body::Event(event))
    }

    fn append(&mut self, t: u64, source: Source, id: Option<u64>, body: Body) -> Result<(), EngineError> {
        self.seq += 1;
        let entry = Entry { seq: self.seq, t, source, id, body };
        for watcher in &mut self.watchers {
            match watcher.saw(&entry) {
                Err(error) if self.tearing_down => drop(self.unwritten.get_or_insert(error)),
                other => other?,
            }
        }
        Ok(())
    }
}

fn own_step(tearing_down: bool, label: &str) -> StepRef {
    let phase = if tearing_down { "teardown" } else { "setup" };
    StepRef { phase: phase.into(), index: 0, label: label.into() }
}

fn no_facts() -> End {
    let fault = Fault::bench("network-silent", "the network agent did not say who is where");
    End::Fault { step: "setup/network".into(), fault, retry: 0 }
}
