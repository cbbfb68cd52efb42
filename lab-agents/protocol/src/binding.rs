//! Bindings: where a role is on this bench. Each agent gets its own in the hello, as JSON, and reads it into the type
//! here of its name.
//!
//! Commands speak in roles so that a recording holds on any desk; everything that is true of one desk only (ports,
//! serial numbers, paths, process ids) is in a binding, and bindings are never logged.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// For the flash agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    /// probe-rs's selector, `VID:PID[:SERIAL]`; the serial of a network probe is `host:port`.
    pub probe: String,
    /// probe-rs's name of the chip.
    pub chip: String,
}

/// For the console agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Console {
    /// The device.
    pub port: String,
    /// Bits a second, 8N1.
    pub baud: u32,
}

/// For the ble agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ble {
    /// The adapter's name, `hci0`.
    pub adapter: String,
    /// D-Bus address on which BlueZ is; absent: the system bus.
    #[serde(default)]
    pub bus: Option<String>,
}

/// A program that the bench names. No shell reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The executable: an absolute path, or a name to look up on PATH.
    pub program: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// What is set in its environment beside the inherited.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// For the companion agent's `program` driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Companion {
    /// The apps by the names that plans use.
    pub apps: BTreeMap<String, Program>,
    /// What the network agent attached. With `phone` there, apps run in its namespaces; else in the host's.
    #[serde(default)]
    pub attached: Attached,
}

/// For the network agent's namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// The phone's `eth0`: addresses with prefix length.
    pub phone: Vec<String>,
    /// Next hops of the phone's default routes, one an address family.
    #[serde(default)]
    pub phone_via: Vec<IpAddr>,
    /// The resolvers that the phone is given.
    #[serde(default)]
    pub resolvers: Vec<IpAddr>,
    /// The services' `eth0`: addresses with prefix length.
    pub services: Vec<String>,
    /// Addresses behind it, on which the services answer.
    #[serde(default)]
    pub service_addresses: Vec<IpAddr>,
    /// What answers there; it prints the line `ready` on stdout once it does, or `ready alive` where it also answers
    /// `alive?` on stdin with `alive`. Its end is a bench fault, and so is its silence.
    #[serde(default)]
    pub program: Option<Program>,
}

/// For the capture agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// Vantage points by name.
    pub vantages: BTreeMap<String, VantagePoint>,
    /// What the network agent attached.
    #[serde(default)]
    pub attached: Attached,
}

/// Where one capture listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VantagePoint {
    /// The interface.
    pub interface: String,
    /// The attached side in whose namespace it is; absent: the host's.
    #[serde(default, rename = "in")]
    pub side: Option<String>,
    /// The kernel's buffer in bytes; absent: 32 MiB.
    #[serde(default)]
    pub buffer: Option<u32>,
}

/// What agents of the same host told for others, by name ([`crate::FromAgent::Attach`]).
pub type Attached = BTreeMap<String, Handle>;

/// A side of an isolated network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handle {
    /// A process in its namespaces (user, network, pid), by its number on the host.
    pub pid: i32,
}
