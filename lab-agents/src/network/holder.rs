//! The process that holds the network's namespaces. Small and with one thread, as the kernel wants of a process that
//! makes a user namespace; everything in the namespaces ends with it, so nothing is left to clean up.
//!
//! It is two processes: the *keeper*, started by the agent, makes the namespaces and stays in the services' one; its
//! child, the *holder*, is the first process of the pid namespace, stays in the phone's network namespace, starts the
//! services' program and takes orders. The kernel ends the keeper with the agent, the holder with the keeper, and all
//! others in the pid namespace with the holder. It also goes when its control line ends.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::ExitCode,
};

use lab_protocol::{Fault, binding};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sched::{CloneFlags, setns, unshare},
    sys::{
        prctl::set_pdeathsig,
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{ForkResult, Pid, fork, getegid, geteuid, getppid},
};

use super::{
    packet::FrameSocket,
    program::Program,
    talk::{Order, Report},
    topology::{self, PHONE_MAC, SERVICES_MAC},
};
use crate::{
    canary,
    carrier::{PROTOCOL_FD, taken_fd},
};

/// Longest order, in bytes.
const MAX_ORDER: usize = 64 * 1024;

/// Runs the keeper and, in its child, the holder. To be called first thing in a process of its own, which
/// [`super::HOLDER_ARGS`] name, with the control line on file descriptor
/// [`PROTOCOL_FD`].
pub fn main() -> ExitCode {
    // Read while the kernel still ends this process with the agent, so that it is the agent's number.
    let agent = getppid();
    let Ok(control) = taken_fd() else {
        eprintln!(
            "there are no orders on file descriptor {PROTOCOL_FD}: the network agent starts this itself"
        );
        return ExitCode::from(2);
    };
    let mut talker = Talker { control: control.into(), pending: Vec::new() };
    match keep(&mut talker, agent) {
        Ok(code) => code,
        Err(fault) => {
            talker.report(&Report::Failed { fault });
            ExitCode::FAILURE
        }
    }
}

fn keep(talker: &mut Talker, agent: Pid) -> Result<ExitCode, Fault> {
    let Some(Order::Make { network }) = talker.next_order_blocking() else {
        return Err(Fault::bench("network-orders", "the network agent gave its holder no orders"));
    };
    let user_namespace = make_namespaces()?;
    let services = File::open("/proc/self/ns/net").map_err(|error| broken("opening a namespace", &error))?;
    die_with_parent()?;
    if getppid() != agent {
        return Err(orphaned());
    }
    // The holder sees no parent, since that is in another pid namespace; that the keeper lives it sees by this pipe.
    let (keeper_lives, living) = io::pipe().map_err(|error| broken("a pipe", &error))?;

    // SAFETY: this process has one thread, so the child may do anything.
    match unsafe { fork() }.map_err(|error| broken("forking the holder", &error.into()))? {
        ForkResult::Parent { child } => {
            talker.report(&Report::Holding { pid: child.as_raw(), user_namespace });
            // Only the holder may keep the line open.
            talker.hang_up();
            drop(keeper_lives);
            let _until_the_end = living;
            loop {
                match waitpid(child, None) {
                    Err(nix::Error::EINTR) => {}
                    Ok(WaitStatus::Exited(_, 0)) => return Ok(ExitCode::SUCCESS),
                    _ => return Ok(ExitCode::FAILURE),
                }
            }
        }
        ForkResult::Child => {
            die_with_parent()?;
            drop(living);
            if has_ended(&keeper_lives)? {
                return Err(orphaned());
            }
            Ok(match Holder::start(talker, &network, services).and_then(|mut holder| holder.serve(talker)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(fault) => {
                    talker.report(&Report::Failed { fault });
                    ExitCode::FAILURE
                }
            })
        }
    }
}

fn die_with_parent() -> Result<(), Fault> {
    set_pdeathsig(Signal::SIGKILL).map_err(|error| broken("prctl(PR_SET_PDEATHSIG)", &error.into()))
}

fn orphaned() -> Fault {
    Fault::bench("network-gone", "the network agent ended while its network was being made")
}

/// Whether nobody holds the other end of a pipe into which nothing is written.
fn has_ended(pipe: &io::PipeReader) -> Result<bool, Fault> {
    let mut watched = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    let ready = poll(&mut watched, PollTimeout::ZERO).map_err(|error| broken("poll", &error.into()))?;
    Ok(ready > 0)
}

pub(super) fn broken(doing: &str, error: &io::Error) -> Fault {
    Fault::bench("network-broken", format!("the isolated network can't be made: {doing}: {error}"))
}

/// Makes a network namespace (the services') and a pid namespace for children: with the privileges that are there, or
/// else in a new user namespace. Says which.
fn make_namespaces() -> Result<bool, Fault> {
    let wanted = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWPID;
    // Root in a container may well lack the privilege, so root alone is no reason to give up.
    if geteuid().is_root() && unshare(wanted).is_ok() {
        return Ok(false);
    }
    let (user, group) = (geteuid(), getegid());
    let refused = |doing: &str, error: &dyn std::fmt::Display| {
        Fault::bench(
            "namespaces-forbidden",
            format!("this host lets user {user} make no isolated network: {doing}: {error}"),
        )
        .with_help(format!(
            "{}; or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above \
             0, kernel.apparmor_restrict_unprivileged_userns=0); or judge a recording with --replay, which needs none \
             of this",
            if user.is_root() {
                "this root lacks the capability CAP_SYS_ADMIN: start the container with --privileged"
            } else {
                "run as root"
            }
        ))
    };
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|error| refused("a user namespace", &error))?;
    // Mapped to itself, so that a D-Bus outside still takes us for who we are.
    let map = |file: &str, text: &str| {
        fs::write(format!("/proc/self/{file}"), text).map_err(|error| refused(file, &error))
    };
    map("setgroups", "deny")?;
    map("uid_map", &format!("{user} {user} 1\n"))?;
    map("gid_map", &format!("{group} {group} 1\n"))?;
    unshare(wanted).map_err(|error| refused("network and pid namespaces", &error))?;
    Ok(true)
}

/// The control line, an order a line.
pub(super) struct Talker {
    control: UnixStream,
    pending: Vec<u8>,
}

impl Talker {
    pub(super) fn report(&mut self, report: &Report) {
        // If the agent is gone, the line's end says so soon enough.
        if let Ok(mut line) = serde_json::to_vec(report) {
            line.push(b'\n');
            let _ = self.control.write_all(&line);
        }
    }

    fn next_order_blocking(&mut self) -> Option<Order> {
        loop {
            if let Some(order) = self.take_order() {
                return Some(order);
            }
            if !self.read_more() {
                return None;
            }
        }
    }

    /// Reads what is there; false at the end of the line.
    fn read_more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.control.read(&mut buffer) {
            Ok(0) => false,
            Ok(length) if self.pending.len() + length <= MAX_ORDER => {
                self.pending.extend_from_slice(&buffer[..length]);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
            _ => false,
        }
    }

    fn take_order(&mut self) -> Option<Order> {
        let end = self.pending.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.pending.drain(..=end).collect();
        serde_json::from_slice(&line).ok()
    }

    fn hang_up(&mut self) {
        if let Ok(null) = File::open("/dev/null") {
            self.control = UnixStream::from(OwnedFd::from(null));
        }
    }
}

struct Holder {
    signals: SignalFd,
    phone: FrameSocket,
    services: FrameSocket,
    program: Option<Program>,
}

impl Holder {
    fn start(talker: &mut Talker, network: &binding::Network, services: File) -> Result<Self, Fault> {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|error| broken("the phone's namespace", &error.into()))?;
        let phone = File::open("/proc/self/ns/net").map_err(|error| broken("opening a namespace", &error))?;
        own_proc()?;
        topology::build(network, phone.as_fd(), services.as_fd()).map_err(|error| {
            Fault::bench("network-broken", format!("the isolated network can't be made: {error}"))
        })?;

        let frames =
            || FrameSocket::open(topology::LINK).map_err(|error| broken("a socket for canaries", &error));
        let enter = |namespace: &File, whose: &str| {
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET).map_err(|error| broken(whose, &error.into()))
        };
        let phone_frames = frames()?;
        enter(&services, "entering the services' namespace")?;
        let services_frames = frames()?;
        enter(&phone, "entering the phone's namespace")?;

        let mut awaited = SigSet::empty();
        awaited.add(Signal::SIGCHLD);
        let signals = awaited
            .thread_block()
            .and_then(|()| SignalFd::with_flags(&awaited, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC))
            .map_err(|error| broken("waiting for signals", &error.into()))?;
        talker.report(&Report::Made);

        let program =
            network.program.as_ref().map(|program| Program::start(program, services)).transpose()?;
        Ok(Self { signals, phone: phone_frames, services: services_frames, program })
    }

    /// Takes orders until the line ends.
    fn serve(&mut self, talker: &mut Talker) -> Result<(), Fault> {
        loop {
            while let Some(order) = talker.take_order() {
                self.carry_out(&order, talker);
            }
            let (mut orders, mut signalled) = (false, false);
            let mut readable = Vec::new();
            {
                let watch = |fd| PollFd::new(fd, PollFlags::POLLIN);
                let mut watched = vec![watch(talker.control.as_fd()), watch(self.signals.as_fd())];
                if let Some(program) = &self.program {
                    watched.extend(program.outputs.iter().map(|output| watch(output.from.as_fd())));
                }
                match poll(&mut watched, PollTimeout::NONE) {
                    Ok(_) | Err(nix::Error::EINTR) => {}
                    Err(error) => return Err(broken("poll", &error.into())),
                }
                for (place, watched) in
                    watched.iter().enumerate().filter(|(_, watched)| watched.any() == Some(true))
                {
                    match place {
                        0 => orders = true,
                        1 => signalled = true,
                        _ => readable.push(watched.as_fd().as_raw_fd()),
                    }
                }
            }
            if let Some(program) = &mut self.program {
                program.read_outputs(&readable, talker);
            }
            if signalled {
                // The signal's own record says nothing that waiting doesn't; reading clears it.
                while let Ok(Some(_)) = self.signals.read_signal() {}
                self.reap(talker);
            }
            if orders && !talker.read_more() {
                return Ok(());
            }
        }
    }

    fn carry_out(&mut self, order: &Order, talker: &mut Talker) {
        let nonce = match order {
            Order::Canary { nonce } => nonce,
            Order::AskServices => {
                // Whether it ended is told apart; silence is the agent's to judge.
                if !self.program.as_mut().is_some_and(Program::ask) {
                    talker.report(&Report::Alive);
                }
                return;
            }
            Order::Make { .. } => return,
        };
        let result = parse_nonce(nonce).ok_or_else(|| io::ErrorKind::InvalidInput.into()).and_then(|nonce| {
            self.phone.send(&canary::frame(SERVICES_MAC, PHONE_MAC, nonce, canary::FROM_PHONE))?;
            self.services.send(&canary::frame(PHONE_MAC, SERVICES_MAC, nonce, canary::TO_PHONE))
        });
        talker.report(&match result {
            Ok(()) => Report::CanarySent,
            Err(error) => Report::Failed {
                fault: Fault::bench("canary-not-sent", format!("a canary frame can't be sent: {error}")),
            },
        });
    }

    /// As the first process, it inherits every orphan of the namespace.
    fn reap(&mut self, talker: &mut Talker) {
        loop {
            let (pid, status) = match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, format!("exit status {code}")),
                Ok(WaitStatus::Signaled(pid, signal, _)) => {
                    (pid, format!("killed by signal {}", signal as i32))
                }
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => continue,
            };
            if let Some(program) = &mut self.program
                && program.child.id() as i32 == pid.as_raw()
            {
                // Its last words came before its end.
                let all: Vec<_> = program.outputs.iter().map(|output| output.from.as_raw_fd()).collect();
                program.read_outputs(&all, talker);
                talker.report(&Report::Exited { status });
                self.program = None;
            }
        }
    }
}

/// A `/proc` in which `/proc/sys` can be written, where the host's can't (in many containers it is read-only).
fn own_proc() -> Result<(), Fault> {
    use nix::mount::{MsFlags, mount};
    if fs::OpenOptions::new().write(true).open("/proc/sys/net/ipv4/ip_unprivileged_port_start").is_ok() {
        return Ok(());
    }
    let none: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none))
        .and_then(|()| {
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            mount(Some("proc"), "/proc", Some("proc"), flags, none)
        })
        .map_err(|error| {
            Fault::bench(
                "network-broken",
                format!("the isolated network can't be set up: /proc/sys is read-only, and mounting another: {error}"),
            )
            .with_help("in a container, start it with --privileged or with /proc/sys writable")
        })
}

fn parse_nonce(hex: &str) -> Option<[u8; canary::NONCE]> {
    let mut nonce = [0; canary::NONCE];
    if !hex.is_ascii() || hex.len() != 2 * nonce.len() {
        return None;
    }
    for (place, byte) in nonce.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(nonce)
}
