//! What the network agent and its holder process say to each other: one JSON object a line.

use lab_protocol::{Fault, binding};
use serde::{Deserialize, Serialize};

/// To the holder.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Order {
    /// First of all: make this network.
    Make {
        /// As the bench has it.
        network: Box<binding::Network>,
    },
    /// Send a canary frame from each end of the link.
    Canary {
        /// 16 bytes in hexadecimal.
        nonce: String,
    },
    /// Ask the services' program whether it still answers.
    AskServices,
}

/// From the holder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub(super) enum Report {
    /// The namespaces exist.
    Holding {
        /// The process in the phone's namespaces, by its number on the host.
        pid: i32,
        /// Whether they belong to a user namespace, made without root.
        user_namespace: bool,
    },
    /// The network is made.
    Made,
    /// The services' program answers.
    Ready,
    /// It answered when it was asked, or can't be asked.
    Alive,
    /// The program printed a line.
    Line {
        /// `stdout` or `stderr`.
        stream: String,
        /// Without its end, escaped.
        text: String,
    },
    /// The program ended.
    Exited {
        /// How, in words.
        status: String,
    },
    /// The canary's frames are sent.
    CanarySent,
    /// Something failed.
    Failed {
        /// What, as a fault of the bench.
        fault: Fault,
    },
}
