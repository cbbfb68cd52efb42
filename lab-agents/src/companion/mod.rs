//! The companion agent's `program` driver: starts the app that the bench names in the phone's namespaces, tells what
//! it prints and how it ends, and ends it. It never plays the app's traffic and tells the app nothing.

use std::{
    io::Read,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use lab_protocol::{Action, Event, Fault, Reply, binding};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use regex::Regex;
use serde_json::Value;

use crate::{
    Agent, Call, Outlet,
    carrier::{describe, die_with_parent},
    lines::{LineBuffer, LineSplitter, Missed},
    namespaces::Namespaces,
};

/// How long an app may take to end before it is killed.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often an app's end is looked for.
const POLL: Duration = Duration::from_millis(5);
/// How long its output may go on after its end, where a child of it keeps the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Name of the phone's side among what is attached.
const PHONE: &str = "phone";

/// Makes the agent; nothing is started before [`Action::Launch`].
///
/// # Errors
/// If the binding is none for this agent.
pub fn start(binding: Value, outlet: &Outlet) -> Result<Box<dyn Agent>, Fault> {
    let companion: binding::Companion = serde_json::from_value(binding)
        .map_err(|error| Fault::bench("binding-invalid", format!("the bench's companion: {error}")))?;
    Ok(Box::new(CompanionAgent {
        companion,
        outlet: outlet.clone(),
        lines: LineBuffer::default(),
        running: None,
    }))
}

struct CompanionAgent {
    companion: binding::Companion,
    outlet: Outlet,
    lines: LineBuffer,
    running: Option<Running>,
}

/// An app that was started, whether or not it still runs.
struct Running {
    app: String,
    child: Arc<Mutex<Child>>,
    /// The app may take its end for the wish to close it.
    stdin: Option<ChildStdin>,
    stopping: Arc<AtomicBool>,
    waiter: JoinHandle<()>,
}

impl Agent for CompanionAgent {
    fn call(&mut self, call: &Call<'_>) -> Result<Reply, Fault> {
        match call.action {
            Action::Launch { app } => self.launch(app),
            Action::Stop { app } => self.stop(app),
            Action::ExpectLine { pattern, within_ms } => self.expect(call, pattern, *within_ms),
            _ => Err(call.unknown()),
        }
    }

    fn release(&mut self) {
        if let Some(running) = self.running.take() {
            running.end();
        }
    }
}

impl CompanionAgent {
    fn launch(&mut self, app: &str) -> Result<Reply, Fault> {
        let program = self.companion.apps.get(app).ok_or_else(|| unknown_app(app))?;
        if self.running.as_ref().is_some_and(|running| !running.waiter.is_finished()) {
            return Err(Fault::bench(
                "app-running",
                format!("{app} can't be started: an app is running already"),
            )
            .with_help("stop it first"));
        }
        let failed = |error: &dyn std::fmt::Display| {
            Fault::bench("app-not-started", format!("{app} ({}) can't be started: {error}", program.program))
                .with_help("check the program that the bench names for this app")
        };
        let mut command = Command::new(&program.program);
        command
            .args(&program.args)
            .envs(&program.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        die_with_parent(&mut command);
        if let Some(phone) = self.companion.attached.get(PHONE) {
            Namespaces::of(phone.pid).map_err(|error| failed(&error))?.enclose(&mut command);
        }
        let mut child = command.spawn().map_err(|error| failed(&error))?;

        self.lines.reopen();
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            readers.push(self.follow("stdout", stdout).map_err(|error| failed(&error))?);
        }
        if let Some(stderr) = child.stderr.take() {
            readers.push(self.follow("stderr", stderr).map_err(|error| failed(&error))?);
        }
        let stdin = child.stdin.take();
        let child = Arc::new(Mutex::new(child));
        let stopping = Arc::new(AtomicBool::new(false));
        let end = End {
            app: app.to_owned(),
            child: Arc::clone(&child),
            stopping: Arc::clone(&stopping),
            outlet: self.outlet.clone(),
            lines: self.lines.clone(),
        };
        let waiter = std::thread::Builder::new()
            .name("app's end".to_owned())
            .spawn(move || end.wait(&readers))
            .map_err(|error| failed(&error))?;
        self.running = Some(Running { app: app.to_owned(), child, stdin, stopping, waiter });
        Ok(Reply::Ok)
    }

    /// Reads a stream of the app on a thread, each line into the log and the buffer.
    fn follow(
        &self,
        stream: &'static str,
        mut from: impl Read + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        let (outlet, lines) = (self.outlet.clone(), self.lines.clone());
        std::thread::Builder::new().name(stream.to_owned()).spawn(move || {
            let tell = |line: crate::lines::Line| {
                let event = Event::Line { stream: stream.to_owned(), text: line.text.clone() };
                outlet.event_at(line.t, None, event);
                lines.push(line);
            };
            let mut splitter = LineSplitter::default();
            let mut buffer = [0; 4096];
            loop {
                match from.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(length) => splitter.push(&buffer[..length], outlet.now(), tell),
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            splitter.finish().into_iter().for_each(tell);
        })
    }

    fn stop(&mut self, app: &str) -> Result<Reply, Fault> {
        if !self.companion.apps.contains_key(app) {
            return Err(unknown_app(app));
        }
        match self.running.take() {
            Some(running) if running.app == app => running.end(),
            other => self.running = other,
        }
        Ok(Reply::Ok)
    }

    fn expect(&mut self, call: &Call<'_>, pattern: &str, within_ms: u64) -> Result<Reply, Fault> {
        let regex = Regex::new(pattern)
            .map_err(|error| Fault::product("pattern-invalid", format!("{pattern:?}: {error}")))?;
        let until = Instant::now() + call.left(Duration::from_millis(within_ms));
        match self.lines.expect(&regex, until, call.cancel) {
            Ok(found) => Ok(Reply::Matched { text: found.line.text, groups: found.groups }),
            Err(Missed::Time { last }) => {
                let last = last.map_or_else(|| "nothing".to_owned(), |last| format!("last {last:?}"));
                Err(Fault::product(
                    "line-missing",
                    format!(
                        "the companion printed no line that matches {pattern:?} in {within_ms} ms; it printed {last}"
                    ),
                ))
            }
            Err(Missed::Closed(how)) => Err(Fault::doubt(
                "app-ended",
                format!("the companion ended ({how}) before it printed a line that matches {pattern:?}"),
            )),
            Err(Missed::Cancelled) => Err(Fault::doubt("cancelled", "given up")),
        }
    }
}

fn unknown_app(app: &str) -> Fault {
    Fault::bench("app-unknown", format!("this bench has no app named {app:?}"))
        .with_help("name it in the bench file, under the companion's `apps`")
}

impl Running {
    /// Ends the app: asks first, then kills.
    fn end(mut self) {
        self.stopping.store(true, Ordering::Release);
        self.signal(Signal::SIGTERM);
        drop(self.stdin.take());
        let patience = Instant::now() + FAREWELL;
        while !self.waiter.is_finished() {
            if Instant::now() > patience {
                self.signal(Signal::SIGKILL);
                break;
            }
            std::thread::sleep(POLL);
        }
        let _ = self.waiter.join();
    }

    fn signal(&self, signal: Signal) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        // Only where it was not yet waited for: else its number may be somebody else's.
        if matches!(child.try_wait(), Ok(None)) {
            let _ = kill(Pid::from_raw(child.id() as i32), signal);
        }
    }
}

/// What is told when the app has ended.
struct End {
    app: String,
    child: Arc<Mutex<Child>>,
    stopping: Arc<AtomicBool>,
    outlet: Outlet,
    lines: LineBuffer,
}

impl End {
    fn wait(self, readers: &[JoinHandle<()>]) {
        let status = loop {
            match self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait() {
                Ok(Some(status)) => break describe(status),
                Ok(None) => {}
                Err(error) => break error.to_string(),
            }
            std::thread::sleep(POLL);
        };
        let t = self.outlet.now();
        let patience = Instant::now() + LAST_WORDS;
        while readers.iter().any(|reader| !reader.is_finished()) && Instant::now() < patience {
            std::thread::sleep(POLL);
        }
        if !self.stopping.load(Ordering::Acquire) {
            self.outlet.event_at(t, None, Event::Exited { what: self.app, status: status.clone() });
        }
        self.lines.close(status);
    }
}
