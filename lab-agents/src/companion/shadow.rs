//! Running a program in namespaces that another process holds. A process can't move its own process number, only its
//! children's: so the child that `spawn` makes enters the namespaces, forks the program and stays outside as its
//! *shadow*, which hands signals on and ends as the program ends.

use std::{io, os::unix::process::CommandExt, process::Command};

use nix::libc;

use crate::{confine, namespaces::Namespaces};

/// Has `command` run in the user, network and pid namespaces, in a session of its own and without privileges.
///
/// The shadow hands SIGTERM and SIGINT on; killed, it takes the program along. The program also dies with the pid
/// namespace's first process.
pub(super) fn enclose(command: &mut Command, namespaces: Namespaces) {
    let parent = std::process::id();
    let enter = move || {
        namespaces.enter_user()?;
        namespaces.enter_net()?;
        namespaces.enter_pid_for_children()?;
        fork_from_shadow(parent)?;
        confine::shed_privileges(&[])
    };
    // SAFETY: between fork and exec the closure makes plain system calls only and neither allocates nor locks; the
    // descriptors are open because the closure owns them.
    unsafe { command.pre_exec(enter) };
}

/// Returns in the program-to-be; the caller, a child of `parent`, becomes its shadow and never returns.
fn fork_from_shadow(parent: u32) -> io::Result<()> {
    let failed = || Err(io::Error::last_os_error());
    let orphaned = || Err(io::Error::from_raw_os_error(libc::EPIPE));
    // SAFETY: all calls up to exec are async-signal-safe (signal-safety(7)); the sets and status are plain data that
    // the calls initialise; the pipe's descriptors are used by nothing else.
    unsafe {
        // Entering namespaces may have cleared it (prctl(2), PR_SET_PDEATHSIG), and the parent may have died meanwhile.
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() as u32 != parent {
            return orphaned();
        }
        let mut awaited: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut awaited);
        for signal in [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT] {
            libc::sigaddset(&mut awaited, signal);
        }
        if libc::sigprocmask(libc::SIG_BLOCK, &awaited, &mut before) < 0 {
            return failed();
        }
        // The program sees no parent across pid namespaces; that the shadow lives it sees by this pipe.
        let mut life = [0; 2];
        if libc::pipe2(life.as_mut_ptr(), libc::O_CLOEXEC) < 0 {
            return failed();
        }
        let [shadow_lives, living] = life;
        match libc::fork() {
            -1 => failed(),
            0 => {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::close(living);
                let mut watched = libc::pollfd { fd: shadow_lives, events: 0, revents: 0 };
                if libc::poll(&mut watched, 1, 0) != 0 {
                    return orphaned();
                }
                libc::close(shadow_lives);
                if libc::setsid() < 0 {
                    return failed();
                }
                libc::sigprocmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
                Ok(())
            }
            program => shadow(program, &awaited, living),
        }
    }
}

/// Follows the program until it ends, then ends the same way.
///
/// # Safety
/// Only in a forked child with one thread; every descriptor but `living` is closed.
unsafe fn shadow(program: libc::pid_t, awaited: &libc::sigset_t, living: libc::c_int) -> ! {
    // SAFETY: async-signal-safe calls on plain data only; nothing is used after its descriptor was closed.
    unsafe {
        // Pipes must reach their end with the program, and `spawn` waits for the end of one.
        if libc::dup2(living, 0) < 0 {
            libc::_exit(127);
        }
        libc::syscall(libc::SYS_close_range, 1_u32, u32::MAX, 0_u32);
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
