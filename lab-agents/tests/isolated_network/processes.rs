//! Looking at the processes of this host, to see that none is left.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{PATIENCE, bench::Agent};

pub(crate) fn kill(agent: &Agent) {
    use nix::{sys::signal, unistd::Pid};
    signal::kill(Pid::from_raw(agent.pid), signal::Signal::SIGKILL).unwrap();
}

pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let patience = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < patience, "not so: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How many processes' command lines name this directory.
pub(crate) fn mentioned(dir: &Path) -> usize {
    named(dir).len()
}

/// Numbers of the processes whose command line names this directory.
pub(crate) fn named(dir: &Path) -> Vec<String> {
    let needle = dir.to_str().unwrap();
    processes()
        .into_iter()
        .filter(|path| {
            std::fs::read(path.join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(needle))
        })
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

pub(crate) fn processes() -> Vec<PathBuf> {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().parse::<u32>().is_ok())
        .collect()
}

pub(crate) fn children() -> Vec<i32> {
    let us = std::process::id().to_string();
    processes()
        .into_iter()
        .filter(|path| {
            std::fs::read_to_string(path.join("stat")).is_ok_and(|stat| {
                stat.rsplit(')').next().unwrap().split_whitespace().nth(1) == Some(us.as_str())
            })
        })
        .map(|path| path.file_name().unwrap().to_str().unwrap().parse().unwrap())
        .collect()
}

pub(crate) fn wait_gone(pid: i32) {
    wait_until(&format!("process {pid} is gone"), || {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .map_or(true, |stat| stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
    });
}
