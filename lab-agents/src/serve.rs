//! The life of an agent, whatever it does: hello, commands one after another, cancellation, the end.
//!
//! It knows the protocol and no hardware. One thread reads messages, so that a cancellation and the end of the line
//! are heard while a command is under way; the agent itself runs on the thread that called [`serve`]. That second
//! thread starts only after the agent was made: an agent may enter a namespace first, which a process with threads
//! can't (`setns(2)`).

use std::collections::HashMap;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use lab_protocol::{
    Action, BlobRef, ClockPair, Command, Epoch, Event, Fault, FromAgent, Reply, Source, ToAgent, VERSION,
    clock, wire,
};
use serde_json::Value;

/// The agent's own deadline lies this much before the carrier's, so that it can still say what was under way.
const MARGIN: Duration = Duration::from_millis(250);

/// What an agent does.
pub trait Agent {
    /// Carries out one command, or says why it can't.
    ///
    /// # Errors
    /// The fault goes into the event log as it is.
    fn call(&mut self, call: &Call<'_>) -> Result<Reply, Fault>;

    /// Lets go of everything; the agent ends after it.
    fn release(&mut self) {}
}

/// Makes an agent from its binding ([`lab_protocol::binding`] has a type for each kind). Runs while the process has one
/// thread. Every agent's module has a `start` of this type.
pub type Start = fn(binding: Value, outlet: &Outlet) -> Result<Box<dyn Agent>, Fault>;

/// A command under way.
pub struct Call<'a> {
    /// The command's id.
    pub id: u64,
    /// What to do.
    pub action: &'a Action,
    /// When the agent has to be done; soon after, it is killed.
    pub deadline: Instant,
    /// Where events go.
    pub out: &'a Outlet,
    /// Whether the engine gave up on it.
    pub cancel: &'a Cancel,
    blobs: &'a HashMap<String, Vec<u8>>,
}

impl Call<'_> {
    /// The bytes of a blob that was sent before.
    ///
    /// # Errors
    /// A bench fault where they never came.
    pub fn blob(&self, blob: &BlobRef) -> Result<&[u8], Fault> {
        self.blobs.get(&blob.sha256).map(Vec::as_slice).ok_or_else(|| {
            Fault::bench(
                "blob-missing",
                format!("the bytes of {} were never sent to this agent", blob.sha256),
            )
        })
    }

    /// Reports how far the command is.
    pub fn progress(&self, what: &str, done: u64, total: u64) {
        self.out.event(Some(self.id), Event::Progress { what: what.to_owned(), done, total });
    }

    /// Time left until the deadline, at most `within`.
    pub fn left(&self, within: Duration) -> Duration {
        within.min(self.deadline.saturating_duration_since(Instant::now()))
    }

    /// The fault for a command that this agent doesn't know.
    pub fn unknown(&self) -> Fault {
        Fault::bench("unknown-command", format!("this agent does not know {:?}", self.action))
    }
}

/// Set once the engine gives up on a command; every wait looks at it.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Whether the command is to end.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Tells the command to end.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Where an agent's events go; any thread of it may hold one.
#[derive(Clone)]
pub struct Outlet {
    stream: Arc<Mutex<Box<dyn Write + Send>>>,
    epoch: Epoch,
    source: Source,
}

impl Outlet {
    /// An outlet that writes to this stream.
    pub fn new(stream: Box<dyn Write + Send>, epoch: Epoch, source: Source) -> Self {
        Self { stream: Arc::new(Mutex::new(stream)), epoch, source }
    }

    /// Who this agent is.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Where times count from.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Nanoseconds since the epoch, now.
    pub fn now(&self) -> u64 {
        self.epoch.since(mono_ns())
    }

    /// Reports an event that happens now.
    pub fn event(&self, id: Option<u64>, event: Event) {
        self.event_at(self.now(), id, event);
    }

    /// Reports an event that happened at `t` nanoseconds since the epoch.
    pub fn event_at(&self, t: u64, id: Option<u64>, event: Event) {
        self.send(&FromAgent::Event { id, t, event });
    }

    /// Sends more bytes of a growing file of the attempt.
    pub fn chunk(&self, name: &str, bytes: Vec<u8>) {
        self.send(&FromAgent::Chunk { name: name.to_owned(), bytes });
    }

    /// Tells what later agents of this host need to reach something.
    pub fn attach(&self, name: &str, handle: Value) {
        self.send(&FromAgent::Attach { name: name.to_owned(), handle });
    }

    /// Reports both clocks.
    pub fn clock(&self) {
        self.event(None, Event::Clock { clock: self.clock_pair() });
    }

    fn clock_pair(&self) -> ClockPair {
        ClockPair { mono_ns: self.now(), wall_ns: clock::wall_ns() }
    }

    fn send(&self, message: &FromAgent) {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = wire::write(&mut *stream, message) {
            // The engine is gone; the reading thread sees the same and ends the process.
            tracing::debug!(%error, "an event could not be delivered");
        }
    }
}

/// `CLOCK_MONOTONIC` in nanoseconds.
pub fn mono_ns() -> u64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}

/// Serves commands until told to shut down or until the line ends. `on_line_lost` runs on the reading thread when
/// the engine is gone without a shutdown; a process of its own exits there, whatever the agent is doing.
///
/// # Errors
/// When the stream breaks or the first message isn't a hello of our version.
pub fn serve(
    mut input: impl Read + Send + 'static,
    output: Box<dyn Write + Send>,
    start: impl FnOnce(Value, &Outlet) -> Result<Box<dyn Agent>, Fault>,
    on_line_lost: fn(),
) -> std::io::Result<()> {
    let invalid = |text: String| std::io::Error::new(std::io::ErrorKind::InvalidData, text);
    let Some(ToAgent::Hello { version, you, epoch, binding }) = wire::read(&mut input)? else {
        return Err(invalid("the first message is not a hello".into()));
    };
    let outlet = Outlet::new(output, epoch, you);
    outlet.send(&FromAgent::Hello { version: VERSION, clock: outlet.clock_pair() });
    if version != VERSION {
        return Err(invalid(format!(
            "the engine speaks version {version} of the protocol, this agent {VERSION}"
        )));
    }
    let mut agent = start(binding, &outlet);

    let cancels: Arc<Mutex<HashMap<u64, Cancel>>> = Arc::default();
    let (queue, commands) = mpsc::channel();
    let reader_cancels = Arc::clone(&cancels);
    std::thread::Builder::new().name("messages".into()).spawn(move || {
        let lock = || reader_cancels.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match wire::read::<ToAgent>(&mut input) {
                Ok(Some(ToAgent::Cancel { id })) => {
                    if let Some(cancel) = lock().get(&id) {
                        cancel.set();
                    }
                }
                Ok(Some(message)) => {
                    if let ToAgent::Command { command } = &message {
                        lock().insert(command.id, Cancel::default());
                    }
                    let last = message == ToAgent::Shutdown;
                    if queue.send(message).is_err() || last {
                        return;
                    }
                }
                Ok(None) | Err(_) => {
                    lock().values().for_each(Cancel::set);
                    on_line_lost();
                    return;
                }
            }
        }
    })?;

    let mut blobs = HashMap::new();
    while let Ok(message) = commands.recv() {
        match message {
            ToAgent::Blob { blob, bytes } => {
                // A blob that isn't what it claims is as good as never sent.
                if blob.names(&bytes) {
                    blobs.insert(blob.sha256, bytes);
                }
            }
            ToAgent::Command { command } => {
                let lock = || cancels.lock().unwrap_or_else(PoisonError::into_inner);
                let cancel = lock().get(&command.id).cloned().unwrap_or_default();
                let event = carry_out(&mut agent, &command, &outlet, &cancel, &blobs);
                lock().remove(&command.id);
                outlet.event(Some(command.id), event);
            }
            ToAgent::Shutdown => break,
            ToAgent::Hello { .. } | ToAgent::Cancel { .. } => {}
        }
    }
    if let Ok(agent) = &mut agent {
        agent.release();
    }
    Ok(())
}

fn carry_out(
    agent: &mut Result<Box<dyn Agent>, Fault>,
    command: &Command,
    out: &Outlet,
    cancel: &Cancel,
    blobs: &HashMap<String, Vec<u8>>,
) -> Event {
    let span = tracing::info_span!("call", agent = %out.source(), id = command.id);
    let _entered = span.enter();
    let deadline = Instant::now() + Duration::from_millis(command.deadline_ms).saturating_sub(MARGIN);
    let call = Call { id: command.id, action: &command.action, deadline, out, cancel, blobs };
    let result = match agent {
        Ok(agent) => agent.call(&call),
        Err(fault) => Err(fault.clone()),
    };
    match result {
        _ if cancel.is_set() => Event::Cancelled,
        Ok(reply) => Event::Done { reply },
        Err(fault) => Event::Failed { fault },
    }
}
