//! A live bench: the agents of one attempt, each behind a carrier, and the one inbox into which all of them speak.
//!
//! It routes commands, keeps deadlines, ends what hangs, and stores the files that agents send. It takes no decision
//! about the plan. The lab's own actions (phases, waiting, notes) are carried out here, since they need a clock and
//! nothing else.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use lab_protocol::{
    Action, AgentKind, Carrier, Command, Epoch, Event, Fault, FromAgent, Incoming, Reply, Source, ToAgent,
    VERSION, binding, clock,
};

use super::bindings::binding;
use super::file::Resources;
use super::{Bench, BenchError, Happening};
use crate::plan::Images;
use crate::record::AttemptFiles;

/// Starts agents.
pub trait Spawner {
    /// Starts the agent `source`; what it says goes to the inbox.
    ///
    /// # Errors
    /// When no process can be made.
    fn spawn(&self, source: &Source, inbox: Sender<Incoming>) -> io::Result<Box<dyn Carrier>>;
}

/// What one attempt needs to begin.
pub struct Begin<'a> {
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Which repeat it belongs to, from 1.
    pub repeat: u32,
    /// `virtual` or `real`.
    pub kind: &'a str,
    /// What the bench has.
    pub resources: Resources,
    /// The bench file's folder, where relative programs start.
    pub folder: PathBuf,
    /// The images that commands refer to.
    pub images: &'a Images,
    /// Where the files that agents send go.
    pub files: AttemptFiles,
}

/// The agents of one attempt.
pub struct LiveBench<'a> {
    begin: Begin<'a>,
    epoch: Epoch,
    spawner: Box<dyn Spawner + 'a>,
    inbox: Receiver<Incoming>,
    outbox: Sender<Incoming>,
    agents: HashMap<Source, Box<dyn Carrier>>,
    /// Agents whose end was asked for; their farewell is no news.
    dismissed: HashMap<Source, usize>,
    attached: binding::Attached,
    blobs_sent: HashSet<(Source, String)>,
    /// Files whose agent has told itself what is in them.
    announced: HashSet<String>,
    /// Who was asked what: nobody else can answer.
    asked: HashMap<u64, Source>,
    /// How much programs and devices have said.
    said: Said,
    pending: Option<Pending>,
    ready: VecDeque<Happening>,
}

/// The most lines and notifications of an attempt, and their bytes: a console that never stops must not fill the disk.
const MOST_SAID: Said = Said { events: 500_000, bytes: 128 << 20 };

/// How many messages are still heard once a deadline has come.
const LAST_CALL: usize = 10_000;

#[derive(Debug, Clone, Copy, Default)]
struct Said {
    events: u64,
    bytes: u64,
}

impl Said {
    fn too_much(self) -> bool {
        self.events > MOST_SAID.events || self.bytes > MOST_SAID.bytes
    }
}

/// The command under way.
struct Pending {
    id: u64,
    to: Source,
    deadline: Instant,
    limit: Duration,
    /// For the lab's own waiting: ends well at the deadline.
    idle: bool,
    cancelled: bool,
    progress: Option<String>,
}

impl<'a> LiveBench<'a> {
    /// Begins an attempt. Agents start with their first command.
    pub fn new(begin: Begin<'a>, spawner: Box<dyn Spawner + 'a>) -> Self {
        let (outbox, inbox) = channel();
        let epoch = Epoch { mono_ns: lab_agents::mono_ns(), wall_ns: clock::wall_ns() };
        let event = Event::Begin {
            format: VERSION,
            attempt: begin.attempt,
            repeat: begin.repeat,
            bench: begin.kind.to_owned(),
            epoch,
        };
        let first = Happening { t: 0, source: Source::lab(), id: None, event };
        Self {
            begin,
            epoch,
            spawner,
            inbox,
            outbox,
            agents: HashMap::new(),
            dismissed: HashMap::new(),
            attached: binding::Attached::new(),
            blobs_sent: HashSet::new(),
            announced: HashSet::new(),
            asked: HashMap::new(),
            said: Said::default(),
            pending: None,
            ready: VecDeque::from([first]),
        }
    }

    /// Says at the beginning that the bench is broken; the attempt then ends with that.
    pub fn broken(&mut self, fault: Fault) {
        self.lab_says(None, Event::Fault { fault });
    }

    /// A way into the inbox, for whoever hears of the person's Ctrl-C or of the end of virtual hardware.
    pub fn inbox(&self) -> Sender<Incoming> {
        self.outbox.clone()
    }

    fn now(&self) -> u64 {
        self.epoch.since(lab_agents::mono_ns())
    }

    fn lab_says(&mut self, id: Option<u64>, event: Event) {
        let t = self.now();
        self.ready.push_back(Happening { t, source: Source::lab(), id, event });
    }

    /// The agent, started if it isn't there.
    fn agent(&mut self, source: &Source) -> Result<&mut Box<dyn Carrier>, Fault> {
        if !self.agents.contains_key(source) {
            let binding = binding(&self.begin.resources, &self.begin.folder, source, &self.attached)?;
            let lost = |error: io::Error| {
                Fault::bench("agent-start", format!("the {source} agent could not be started: {error}"))
            };
            let mut carrier = self.spawner.spawn(source, self.outbox.clone()).map_err(lost)?;
            let hello = ToAgent::Hello { version: VERSION, you: source.clone(), epoch: self.epoch, binding };
            carrier.send(&hello).map_err(lost)?;
            self.agents.insert(source.clone(), carrier);
        }
        self.agents
            .get_mut(source)
            .ok_or_else(|| Fault::bench("agent-start", format!("the {source} agent is not there")))
    }

    fn dispatch(&mut self, command: &Command) -> Result<(), Fault> {
        if let Action::Flash { image, .. } = &command.action
            && self.blobs_sent.insert((command.to.clone(), image.sha256.clone()))
            && let Some((_, named)) = self.begin.images.iter().find(|(_, named)| named.blob == *image)
        {
            let message = ToAgent::Blob { blob: image.clone(), bytes: named.bytes.clone() };
            // A line that broke shows in the inbox as the agent's end.
            let _ = self.agent(&command.to)?.send(&message);
        }
        let _ = self.agent(&command.to)?.send(&ToAgent::Command { command: command.clone() });
        Ok(())
    }

    /// Takes what came in.
    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Message(source, message) => self.hear(source, message),
            Incoming::Gone { source, how } => {
                if let Some(expected) = self.dismissed.get_mut(&source).filter(|count| **count > 0) {
                    *expected -= 1;
                    return;
                }
                self.agents.remove(&source);
                self.blobs_sent.retain(|(to, _)| *to != source);
                let what = if source.kind == AgentKind::Lab {
                    format!("the virtual bench ended: {how}")
                } else {
                    format!("the {source} agent ended: {how}")
                };
                let fault =
                    Fault::bench("agent-lost", what).with_help("its last words are in lab.log of the run");
                let own = self.pending.take_if(|pending| pending.to == source);
                let event = match own {
                    Some(_) => Event::Failed { fault },
                    None => Event::Fault { fault },
                };
                let t = self.now();
                self.ready.push_back(Happening { t, source, id: own.map(|pending| pending.id), event });
            }
            Incoming::Interrupted => self.lab_says(None, Event::Interrupted),
        }
    }

    fn hear(&mut self, source: Source, message: FromAgent) {
        match message {
            FromAgent::Hello { version, clock } => {
                let t = clock.mono_ns;
                let event = Event::Hello { version, clock };
                self.ready.push_back(Happening { t, source: source.clone(), id: None, event });
                if version != VERSION {
                    let text = format!(
                        "the {source} agent speaks version {version} of the protocol, the lab {VERSION}"
                    );
                    let fault =
                        Fault::bench("agent-version", text).with_help("install the same version on both");
                    self.ready.push_back(Happening { t, source, id: None, event: Event::Fault { fault } });
                }
            }
            FromAgent::Event { id, t, event } => self.hear_event(source, id, t, event),
            FromAgent::Chunk { name, bytes } => {
                if let Err(error) = self.begin.files.append(source.kind, &name, &bytes) {
                    let fault = Fault::bench("file-lost", format!("{name} could not be written: {error}"));
                    self.lab_says(None, Event::Fault { fault });
                }
            }
            FromAgent::Attach { name, handle } => match serde_json::from_value(handle) {
                Ok(handle) => drop(self.attached.insert(name, handle)),
                Err(error) => tracing::warn!(%source, %name, %error, "not a handle"),
            },
        }
    }

    fn hear_event(&mut self, source: Source, id: Option<u64>, t: u64, event: Event) {
        if let Some(id) = id.filter(|id| self.asked.get(id) != Some(&source)) {
            // Only a broken or a forged agent answers for another.
            let text = format!("the {source} agent answered command {id}, which it was not asked");
            let event = Event::Fault { fault: Fault::doubt("forged-event", text) };
            self.ready.push_back(Happening { t, source, id: None, event });
            return;
        }
        if let Event::Line { text, .. } | Event::Notified { value: text, .. } = &event {
            let before = self.said.too_much();
            self.said.events += 1;
            self.said.bytes += text.len() as u64;
            if before {
                return;
            }
            if self.said.too_much() {
                let text = "consoles and programs said more than a log can hold; from here on it is left out";
                let event = Event::Fault { fault: Fault::doubt("log-overflow", text) };
                self.ready.push_back(Happening { t, source, id: None, event });
                return;
            }
        }
        if let Event::Artifact { name, .. } = &event {
            self.announced.insert(name.clone());
        }
        if let Some(pending) = self.pending.as_mut().filter(|pending| id == Some(pending.id)) {
            match &event {
                Event::Progress { what, done, total } => {
                    pending.progress = Some(format!("{what} ({done} of {total})"));
                }
                Event::Done { .. } | Event::Failed { .. } | Event::Cancelled => self.pending = None,
                _ => {}
            }
        }
        self.ready.push_back(Happening { t, source, id, event });
    }

    /// The command under way has had its time.
    fn expire(&mut self) {
        let Some(pending) = self.pending.take() else { return };
        let (t, id) = (self.now(), Some(pending.id));
        if pending.idle {
            self.ready.push_back(Happening {
                t,
                source: pending.to,
                id,
                event: Event::Done { reply: Reply::Ok },
            });
            return;
        }
        self.dismiss(&pending.to);
        if pending.cancelled {
            self.ready.push_back(Happening { t, source: pending.to, id, event: Event::Cancelled });
            return;
        }
        let doing = pending.progress.map_or_else(String::new, |what| format!(" while at {what}"));
        let fault = Fault::bench(
            "deadline",
            format!(
                "the {} agent gave no answer within {:?}{doing} and was ended",
                pending.to, pending.limit
            ),
        )
        .with_help("give the step a longer `timeout:` if it needs one; else look at the hardware behind it");
        self.ready.push_back(Happening { t, source: pending.to, id, event: Event::Failed { fault } });
    }

    /// The deadline has come: what is in the inbox by now is still heard, and no more, however much goes on coming.
    fn last_call(&mut self) {
        for _ in 0..LAST_CALL {
            match self.inbox.try_recv() {
                Ok(incoming) => self.take(incoming),
                Err(_) => break,
            }
            if self.pending.is_none() {
                return;
            }
        }
        self.expire();
    }

    /// Ends an agent at once.
    fn dismiss(&mut self, source: &Source) {
        if let Some(mut carrier) = self.agents.remove(source) {
            *self.dismissed.entry(source.clone()).or_default() += 1;
            self.blobs_sent.retain(|(to, _)| to != source);
            carrier.kill();
            carrier.join();
        }
    }
}

impl Bench for LiveBench<'_> {
    fn send(&mut self, command: &Command) -> Result<u64, BenchError> {
        let t = self.now();
        self.asked.insert(command.id, command.to.clone());
        let limit = Duration::from_millis(command.deadline_ms);
        let done = Event::Done { reply: Reply::Ok };
        let pending = |limit, idle| Pending {
            id: command.id,
            to: command.to.clone(),
            deadline: Instant::now() + limit,
            limit,
            idle,
            cancelled: false,
            progress: None,
        };
        match &command.action {
            Action::Phase { .. } | Action::Note { .. } => self.lab_says(Some(command.id), done),
            Action::Unfit { message } => {
                let fault = Fault::product("value-unfit", message.clone());
                self.lab_says(Some(command.id), Event::Failed { fault });
            }
            Action::Idle { ms } => self.pending = Some(pending(Duration::from_millis(*ms), true)),
            _ => {
                self.pending = Some(pending(limit, false));
                if let Err(fault) = self.dispatch(command) {
                    self.pending = None;
                    let (t, source, id) = (self.now(), command.to.clone(), Some(command.id));
                    self.ready.push_back(Happening { t, source, id, event: Event::Failed { fault } });
                }
            }
        }
        Ok(t)
    }

    fn next(&mut self) -> Result<Happening, BenchError> {
        loop {
            // What came in first is told first, also before a deadline that passed meanwhile.
            if let Some(happening) = self.ready.pop_front() {
                return Ok(happening);
            }
            let left = match &self.pending {
                Some(pending) if pending.deadline <= Instant::now() => {
                    self.last_call();
                    continue;
                }
                Some(pending) => pending.deadline.saturating_duration_since(Instant::now()),
                // The engine only asks while a command is under way; if it ever did otherwise, it hears it here.
                None => {
                    let text = "the engine waits although no command is under way".to_owned();
                    self.lab_says(None, Event::Fault { fault: Fault::bench("engine", text) });
                    continue;
                }
            };
            match self.inbox.recv_timeout(left) {
                Ok(incoming) => self.take(incoming),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    fn cancel(&mut self, id: u64) {
        let Some(pending) = self.pending.as_mut().filter(|pending| pending.id == id) else { return };
        if pending.idle {
            self.pending = None;
            self.lab_says(Some(id), Event::Cancelled);
            return;
        }
        // An agent that doesn't hear it in time is ended by the shortened deadline.
        pending.cancelled = true;
        pending.deadline = pending.deadline.min(Instant::now() + Duration::from_secs(2));
        let to = pending.to.clone();
        if let Some(carrier) = self.agents.get_mut(&to) {
            let _ = carrier.send(&ToAgent::Cancel { id });
        }
    }

    fn end(&mut self) -> Result<Vec<Happening>, BenchError> {
        // Told first, waited for after: they go side by side.
        for (source, carrier) in &mut self.agents {
            *self.dismissed.entry(source.clone()).or_default() += 1;
            let _ = carrier.send(&ToAgent::Shutdown);
        }
        for (_, mut carrier) in self.agents.drain() {
            carrier.join();
        }
        while let Ok(incoming) = self.inbox.try_recv() {
            self.take(incoming);
        }
        match self.begin.files.finish() {
            Ok(artifacts) => {
                for (name, blob) in artifacts {
                    if !self.announced.contains(&name) {
                        self.lab_says(None, Event::Artifact { name, blob });
                    }
                }
            }
            Err(error) => {
                let fault = Fault::bench(
                    "file-lost",
                    format!("a file of the attempt could not be read back: {error}"),
                );
                self.lab_says(None, Event::Fault { fault });
            }
        }
        self.lab_says(None, Event::End);
        Ok(self.ready.drain(..).collect())
    }
}

impl Drop for LiveBench<'_> {
    fn drop(&mut self) {
        for carrier in self.agents.values_mut() {
            carrier.kill();
        }
    }
}
