//! Entering the namespaces that another process of this host holds, named by its process number. It makes none.

use std::{
    fs::File,
    io,
    os::{fd::AsFd, unix::fs::MetadataExt},
};

use nix::sched::{CloneFlags, setns};

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

    /// Has the calling thread's children live in the pid namespace.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn enter_pid_for_children(&self) -> io::Result<()> {
        Ok(setns(self.pid.as_fd(), CloneFlags::CLONE_NEWPID)?)
    }
}
