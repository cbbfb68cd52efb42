//! The program that serves the other side of the isolated network: started by the holder, heard line by line, and asked
//! whether it still answers. Its end is told by the holder, which waits for all processes.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Child, Command, Stdio},
};

use lab_protocol::{Fault, binding};
use nix::{
    sched::{CloneFlags, setns},
    sys::{
        prctl::set_pdeathsig,
        signal::{SigSet, Signal},
    },
};

use super::{
    holder::{Talker, broken},
    talk::Report,
};
use crate::{
    confine,
    lines::{Line, LineSplitter},
};

/// What the program prints once it serves; the second where it can also be asked whether it still does.
const READY: [&str; 2] = ["ready", "ready alive"];
/// Asked on its standard input.
const QUESTION: &[u8] = b"alive?\n";
/// Its answer on its standard output.
const ANSWER: &str = "alive";
/// The services' program.
pub(super) struct Program {
    pub(super) child: Child,
    /// Its output streams; each goes once it has ended.
    pub(super) outputs: Vec<Output>,
    ready: bool,
    /// Whether it said that it answers [`QUESTION`].
    can_be_asked: bool,
}

pub(super) struct Output {
    name: &'static str,
    pub(super) from: File,
    lines: LineSplitter,
}

impl Program {
    /// Starts it in the services' namespace.
    pub(super) fn start(program: &binding::Program, services: File) -> Result<Self, Fault> {
        let mut command = Command::new(&program.program);
        command
            .args(&program.args)
            .envs(&program.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let enter = move || {
            setns(services.as_fd(), CloneFlags::CLONE_NEWNET)?;
            set_pdeathsig(Signal::SIGKILL)?;
            // The holder's own mask would be inherited.
            SigSet::empty().thread_set_mask()?;
            confine::keep_standard_streams()?;
            // Somebody may pull the cable there, too. The app, which may not, can't look into a process that may.
            confine::shed_privileges(&[confine::NET_ADMIN])
        };
        // SAFETY: this process has one thread, so that the child may do anything; these are plain system calls.
        unsafe { command.pre_exec(enter) };
        let mut child = command.spawn().map_err(|error| {
            Fault::bench("services-not-started", format!("{} can't be started: {error}", program.program))
                .with_help("check the program that the bench names for the services")
        })?;
        let mut outputs = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            outputs.push(Output {
                name: "stdout",
                from: OwnedFd::from(stdout).into(),
                lines: LineSplitter::default(),
            });
        }
        if let Some(stderr) = child.stderr.take() {
            outputs.push(Output {
                name: "stderr",
                from: OwnedFd::from(stderr).into(),
                lines: LineSplitter::default(),
            });
        }
        let pipes = outputs.iter().map(|output| output.from.as_fd());
        for pipe in pipes.chain(child.stdin.as_ref().map(AsFd::as_fd)) {
            use nix::fcntl::{FcntlArg, OFlag, fcntl};
            fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
                .map_err(|error| broken("a pipe", &error.into()))?;
        }
        Ok(Self { child, outputs, ready: false, can_be_asked: false })
    }

    /// Asks whether it still serves; false where it said nothing of answering.
    pub(super) fn ask(&mut self) -> bool {
        if let Some(stdin) = self.child.stdin.as_mut().filter(|_| self.can_be_asked) {
            // One that takes no question gives no answer.
            let _ = stdin.write(QUESTION);
        }
        self.can_be_asked
    }

    /// Reads what is there of these outputs and tells it, line by line.
    pub(super) fn read_outputs(&mut self, readable: &[i32], talker: &mut Talker) {
        let (ready, can_be_asked) = (&mut self.ready, &mut self.can_be_asked);
        self.outputs.retain_mut(|output| {
            if !readable.contains(&output.from.as_raw_fd()) {
                return true;
            }
            let name = output.name;
            let mut tell = |line: Line| {
                if name == "stdout" {
                    if !*ready && READY.contains(&line.text.as_str()) {
                        *ready = true;
                        *can_be_asked = line.text == READY[1];
                        talker.report(&Report::Ready);
                    } else if *can_be_asked && line.text == ANSWER {
                        talker.report(&Report::Alive);
                        return;
                    }
                }
                talker.report(&Report::Line { stream: name.to_owned(), text: line.text });
            };
            let mut buffer = [0; 4096];
            match output.from.read(&mut buffer) {
                Ok(0) => {
                    output.lines.finish().into_iter().for_each(tell);
                    false
                }
                Ok(length) => {
                    output.lines.push(&buffer[..length], 0, &mut tell);
                    true
                }
                Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
            }
        });
    }
}
