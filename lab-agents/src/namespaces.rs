//! Entering the namespaces that another process of this host holds, named by its process number. It makes none.

use std::{
    fs::File,
    io,
    os::{
        fd::AsFd,
        unix::{fs::MetadataExt, process::CommandExt},
    },
    process::Command,
};

use nix::{
    libc,
    sched::{CloneFlags, setns},
};

/// Namespaces of a process, held open; they stay reachable while this lives.
#[derive(Debug)]
pub struct Namespaces {
    /// Absent where it is our own.
    user: Option<File>,
    net: File,
    /// Where the process's children live.
    pid: File,
}

impl Namespaces {
    /// The namespaces of the process with this number.
    ///
    /// # Errors
    /// If the process is gone or belongs to somebody else.
    pub fn of(pid: i32) -> io::Result<Self> {
        let open = |name: &str| {
            let path = format!("/proc/{pid}/ns/{name}");
            File::open(&path).map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
        };
        let identity = |file: &File| file.metadata().map(|meta| (meta.dev(), meta.ino()));
        let user = open("user")?;
        let user = (identity(&user)? != identity(&File::open("/proc/self/ns/user")?)?).then_some(user);
        Ok(Self { user, net: open("net")?, pid: open("pid_for_children")? })
    }

    /// Puts this process into the user namespace, where it is another than ours. The process must have one thread
    /// (setns(2)).
    ///
    /// # Errors
    /// What the kernel says.
    pub fn enter_user(&self) -> io::Result<()> {
        match &self.user {
            Some(user) => Ok(setns(user.as_fd(), CloneFlags::CLONE_NEWUSER)?),
            None => Ok(()),
        }
    }

    /// Puts the calling thread into the network namespace; the user namespace has to be entered before.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn enter_net(&self) -> io::Result<()> {
        Ok(setns(self.net.as_fd(), CloneFlags::CLONE_NEWNET)?)
    }

    /// Has `command` run in the user, network and pid namespaces.
    ///
    /// A process can't move its own process number, only its children's: so the child that `spawn` makes enters the
    /// namespaces, forks the program and stays outside as its shadow. The shadow hands SIGTERM and SIGINT on and ends
    /// as the program ends; killed, it takes the program along. The program also dies with the namespace's first
    /// process.
    pub fn enclose(self, command: &mut Command) {
        let enter = move || {
            self.enter_user()?;
            self.enter_net()?;
            setns(self.pid.as_fd(), CloneFlags::CLONE_NEWPID)?;
            fork_from_shadow()
        };
        // SAFETY: between fork and exec the closure makes plain system calls only and neither allocates nor locks; the
        // descriptors are open because the closure owns them.
        unsafe { command.pre_exec(enter) };
    }
}

/// Returns in the program-to-be; the caller becomes its shadow and never returns.
fn fork_from_shadow() -> io::Result<()> {
    // SAFETY: all calls up to exec are async-signal-safe (signal-safety(7)); the sets and status are plain data that
    // the calls initialise.
    unsafe {
        // Entering namespaces may have cleared it (prctl(2), PR_SET_PDEATHSIG).
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        let mut awaited: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut awaited);
        for signal in [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT] {
            libc::sigaddset(&mut awaited, signal);
        }
        if libc::sigprocmask(libc::SIG_BLOCK, &awaited, &mut before) < 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::fork() {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::sigprocmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
                Ok(())
            }
            program => shadow(program, &awaited),
        }
    }
}

/// Follows the program until it ends, then ends the same way.
///
/// # Safety
/// Only in a forked child with one thread; every descriptor is closed.
unsafe fn shadow(program: libc::pid_t, awaited: &libc::sigset_t) -> ! {
    // SAFETY: async-signal-safe calls on plain data only; nothing is used after its descriptor was closed.
    unsafe {
        // Pipes must reach their end with the program, and `spawn` waits for the end of one.
        libc::syscall(libc::SYS_close_range, 0_u32, u32::MAX, 0_u32);
        loop {
            let signal = libc::sigwaitinfo(awaited, std::ptr::null_mut());
            if signal == libc::SIGTERM || signal == libc::SIGINT {
                libc::kill(program, signal);
            }
            let mut status = 0;
            if libc::waitpid(program, &mut status, libc::WNOHANG) != program {
                continue;
            }
            if libc::WIFEXITED(status) {
                libc::_exit(libc::WEXITSTATUS(status));
            }
            let signal = libc::WTERMSIG(status);
            let no_core = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &no_core);
            libc::signal(signal, libc::SIG_DFL);
            let mut one: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut one);
            libc::sigaddset(&mut one, signal);
            libc::sigprocmask(libc::SIG_UNBLOCK, &one, std::ptr::null_mut());
            libc::kill(libc::getpid(), signal);
            libc::_exit(128 + signal);
        }
    }
}
