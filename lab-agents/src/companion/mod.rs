//! The companion agent's `program` driver: starts the app that the bench names in the phone's namespaces, tells what
//! it prints and how it ends, and ends it. It never plays the app's traffic and tells the app nothing.

mod offspring;
mod shadow;

use std::{
    fs::File,
    io::Read,
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use lab_protocol::{Action, BlobRef, Event, Fault, Reply, binding};
use nix::{
    sys::{
        signal::{Signal, kill, killpg},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::Pid,
};
use serde_json::Value;

use crate::{
    Agent, Call, Outlet,
    carrier::{describe, die_with_parent},
    confine,
    lines::{LineBuffer, LineSplitter},
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
    child: Child,
    life: Arc<Life>,
    /// The app may take its end for the wish to close it.
    stdin: Option<ChildStdin>,
    waiter: JoinHandle<()>,
    attached: binding::Attached,
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
        if let Some(mut ended) = self.running.take() {
            let _ = ended.child.wait();
        }
        let failed = |error: &dyn std::fmt::Display| {
            Fault::bench("app-not-started", format!("{app} ({}) can't be started: {error}", program.program))
                .with_help("check the program that the bench names for this app")
        };
        // Before it runs, for its first packets count from the end of this step; a name without a path may be any file's.
        let path = Some(&program.program).filter(|name| name.contains('/'));
        let what = path.map(|path| File::open(path).and_then(BlobRef::of_all));
        let what = what.transpose().map_err(|error| failed(&error))?;
        let mut command = Command::new(&program.program);
        command
            .args(&program.args)
            .envs(&program.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A group of its own, so that what it starts can be ended with it.
        command.process_group(0);
        die_with_parent(&mut command);
        // SAFETY: a plain system call between fork and exec.
        unsafe { command.pre_exec(confine::keep_standard_streams) };
        if let Some(phone) = self.companion.attached.get(PHONE) {
            let namespaces = Namespaces::of(phone.pid).map_err(|error| failed(&error))?;
            shadow::enclose(&mut command, namespaces);
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
        let life = Arc::new(Life { pid: Pid::from_raw(child.id() as i32), stopping: Mutex::new(false) });
        let end = End {
            app: app.to_owned(),
            life: Arc::clone(&life),
            outlet: self.outlet.clone(),
            lines: self.lines.clone(),
        };
        let waiter = std::thread::Builder::new()
            .name("app's end".to_owned())
            .spawn(move || end.wait(&readers))
            .map_err(|error| failed(&error))?;
        let attached = self.companion.attached.clone();
        self.running = Some(Running { app: app.to_owned(), child, life, stdin, waiter, attached });
        Ok(what.map_or(Reply::Ok, |program| Reply::Started { program }))
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
        self.lines.answer(call, "companion", pattern, within_ms, |how| {
            let text =
                format!("the companion ended ({how}) before it printed a line that matches {pattern:?}");
            Fault::doubt("app-ended", text)
        })
    }
}

fn unknown_app(app: &str) -> Fault {
    Fault::bench("app-unknown", format!("this bench has no app named {app:?}"))
        .with_help("name it in the bench file, under the companion's `apps`")
}

impl Running {
    /// Ends the app and all that it started: asks first, then kills.
    fn end(mut self) {
        self.life.stop();
        drop(self.stdin.take());
        let patience = Instant::now() + FAREWELL;
        while !self.waiter.is_finished() && Instant::now() < patience {
            std::thread::sleep(POLL);
        }
        // The app's number is its group's and, until it is waited for, nobody else's. Gone already is as good as killed.
        let _ = killpg(self.life.pid, Signal::SIGKILL);
        let _ = self.waiter.join();
        offspring::end(&self.attached);
        let _ = self.child.wait();
    }
}

/// Whether the app runs, looked at without taking its number from it.
struct Life {
    pid: Pid,
    /// Whether the app is being stopped, so that its end is no news.
    stopping: Mutex<bool>,
}

impl Life {
    fn stopping(&self) -> MutexGuard<'_, bool> {
        self.stopping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the app to end; one that ended before was not stopped.
    fn stop(&self) {
        let mut stopping = self.stopping();
        if self.ended().is_none() {
            *stopping = true;
            let _ = kill(self.pid, Signal::SIGTERM);
        }
    }

    /// How it ended and whether it was stopped, once it has.
    fn end(&self) -> Option<(String, bool)> {
        // Nobody may begin to stop it in between: else an end of its own would be taken for ours.
        let stopping = self.stopping();
        self.ended().map(|how| (how, *stopping))
    }

    fn ended(&self) -> Option<String> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(self.pid), flags) {
            Ok(WaitStatus::Exited(_, code)) => Some(describe(ExitStatus::from_raw(code << 8))),
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(describe(ExitStatus::from_raw(signal as i32))),
            Ok(_) | Err(nix::Error::EINTR) => None,
            Err(error) => Some(error.to_string()),
        }
    }
}

/// What is told when the app has ended.
struct End {
    app: String,
    life: Arc<Life>,
    outlet: Outlet,
    lines: LineBuffer,
}

impl End {
    fn wait(self, readers: &[JoinHandle<()>]) {
        let (status, stopped) = loop {
            if let Some(end) = self.life.end() {
                break end;
            }
            std::thread::sleep(POLL);
        };
        let t = self.outlet.now();
        let patience = Instant::now() + LAST_WORDS;
        while readers.iter().any(|reader| !reader.is_finished()) && Instant::now() < patience {
            std::thread::sleep(POLL);
        }
        if !stopped {
            self.outlet.event_at(t, None, Event::Exited { what: self.app, status: status.clone() });
        }
        self.lines.close(status);
    }
}
