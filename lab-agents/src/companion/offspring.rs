//! What an app leaves behind: processes that it started and that outlive it. Found by the namespaces that they are in,
//! since they may have left the app's session and lost their parent.

use std::{fs, os::unix::fs::MetadataExt};

use lab_protocol::binding::Attached;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::PHONE;

/// Name of the services' side among what is attached.
const SERVICES: &str = "services";
/// How often what is left is looked for again: a process may fork while it is looked at.
const ROUNDS: usize = 20;

/// Identity of a namespace.
type Namespace = (u64, u64);

/// Kills every process in the phone's network or pid namespace but the one that holds them, and what serves the
/// other side.
pub(super) fn end(attached: &Attached) {
    let Some(holder) = attached.get(PHONE).map(|phone| phone.pid) else { return };
    let (Some(net), Some(pid)) = (namespace(holder, "net"), namespace(holder, "pid")) else { return };
    let services = attached.get(SERVICES).and_then(|services| namespace(services.pid, "net"));
    let is_left = |process: &i32| {
        let its_net = namespace(*process, "net");
        *process != holder
            && its_net.is_some()
            && (its_net == Some(net)
                || services.is_some() && its_net != services && namespace(*process, "pid") == Some(pid))
    };
    for _ in 0..ROUNDS {
        let left: Vec<i32> = processes().filter(is_left).collect();
        if left.is_empty() {
            return;
        }
        for process in left {
            // Gone meanwhile is as good.
            let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        }
        std::thread::sleep(super::POLL);
    }
    tracing::warn!("processes of the app could not be ended; they end with the network");
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The namespace of a process; none where it is gone or not ours to look at.
fn namespace(process: i32, kind: &str) -> Option<Namespace> {
    let found = fs::metadata(format!("/proc/{process}/ns/{kind}")).ok()?;
    Some((found.dev(), found.ino()))
}
